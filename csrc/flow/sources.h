/*
 * Which prefixes most requests come from: the space-saving sketch (Metwally, Agrawal, El Abbadi 2005) over /24 and
 * /48.  64 counters; a prefix with more than 1/64 of all requests is never missed, counts are never too low and are
 * too high by at most the smallest counter.  Halved every minute, so that it tells of the present.
 */
#ifndef SYNCACHE_FLOW_SOURCES_H
#define SYNCACHE_FLOW_SOURCES_H

#include "flow.h"

#define SOURCES_MAX 64

struct source {
    uint8_t prefix[6];
    uint8_t family;                   /* 0: unused */
    uint8_t reserved;
    uint32_t count;
};

struct sources {
    struct source source[SOURCES_MAX];
    uint8_t tag[SOURCES_MAX];         /* a byte of each prefix's hash, to look at eight at a time */
    uint8_t tagged[256];              /* how many counters have that tag */
    uint64_t halved_ms;
    uint64_t least_mask;              /* a bit for each counter that is the least */
    uint32_t least;
};

void sources_init(struct sources *sources);
void sources_count(struct sources *sources, uint64_t now_ms, const uint8_t address[static 16], uint8_t family);
/* The heaviest prefix, or NULL. */
const struct source *sources_top(const struct sources *sources);

#endif

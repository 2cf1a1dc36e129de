/*
 * Destinations of half-open sessions: how many each has, which is its oldest, which destination has most, and which
 * is blocked until when.  A destination is an address and a protocol (TCP and UDP do not share limits).
 *
 * A host exists while it has half-open sessions, is blocked, or its alert is not yet armed again.
 */
#ifndef SYNCACHE_FLOW_HOST_H
#define SYNCACHE_FLOW_HOST_H

#include "session.h"

#define HOST_NONE UINT32_MAX

struct host {
    uint8_t address[16];
    uint8_t family;
    uint8_t protocol;
    uint8_t blocked;
    uint8_t alerted;                  /* its alert was given and is not armed again */
    uint32_t hash;
    uint32_t count;                   /* half-open sessions */
    uint32_t oldest, youngest;        /* of them */
    uint32_t above, below;            /* hosts of the same count; `above` lists the free ones */
    uint8_t reported;                 /* its block was */
    uint8_t kept;                     /* its own eviction is going on: not forgotten, its alert not armed */
    uint8_t reserved[2];
    uint64_t alert_ms;                /* when the last one was given */
    uint64_t block_until_ms;
};

_Static_assert(sizeof(struct host) == 64, "one cache line");

struct hosts {
    struct sessions *sessions;
    struct host *host;
    uint32_t *slot;                   /* number + 1, 0: empty; mask + 1, at least 2 * max */
    uint32_t *by_count;               /* first host with so many, 0 .. sessions->max */
    uint32_t max;
    uint32_t mask;
    uint32_t count;                   /* hosts known */
    uint32_t blocked;                 /* of them */
    uint32_t heaviest;                /* the highest count of any */
    uint32_t free;
    uint32_t fresh;
    uint32_t recent;                  /* the one that host_make() gave last: under a flood the next is the same */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
};

size_t hosts_bytes(uint32_t max, uint32_t sessions_max);
void hosts_init(struct hosts *hosts, void *memory, uint32_t max, struct sessions *sessions,
                const uint8_t hash_key[static SYNCACHE_KEY_BYTES]);

/* Finds the host of an address, or makes one.  NULL: there is none, and no room for one. */
struct host *host_find(const struct hosts *hosts, const uint8_t address[static 16], uint8_t family, uint8_t protocol);
struct host *host_make(struct hosts *hosts, const uint8_t address[static 16], uint8_t family, uint8_t protocol);

static inline uint32_t
host_number(const struct hosts *hosts, const struct host *host)
{
    return (uint32_t)(host - hosts->host);
}

/* Counts a half-open session in at its destination, as the youngest, and out.  Without a host nothing happens. */
void host_add(struct hosts *hosts, struct host *host, struct session *session);
void host_remove(struct hosts *hosts, struct session *session);

/* Blocks and unblocks; forgets a host that has no reason to exist. */
void host_block(struct hosts *hosts, struct host *host, uint64_t until_ms);
void host_unblock(struct hosts *hosts, struct host *host);
void host_alert(struct host *host, uint64_t now_ms);
void host_rearm(struct hosts *hosts, struct host *host);

/* The one with most half-open sessions, or NULL. */
struct host *hosts_heaviest(const struct hosts *hosts);

#endif

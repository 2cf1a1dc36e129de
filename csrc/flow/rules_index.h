/*
 * The first line of a long access list that matches, without a look at all of them.
 *
 * Lines that compare the same bits of the addresses make a group, and the bits are a key of one hash table.  A list has
 * as many groups as its author used pairs of masks, often five and seldom thirty; lines of further groups are scanned.
 * What a lookup costs is up to the list alone: a sender chooses the key, and not who else is in its bucket.
 */
#ifndef SYNCACHE_FLOW_RULES_INDEX_H
#define SYNCACHE_FLOW_RULES_INDEX_H

#include "flow.h"

#define RULES_NONE UINT32_MAX

enum { RULES_GROUPS_MAX = 64 };       /* each is a hash for a packet: together 1 us */

struct rules_group {
    uint32_t first;                   /* of its lines */
    uint8_t family, protocol;
    bool port;                        /* the destination's port is part of the key */
    uint8_t source[16];               /* wildcards */
    uint8_t destination[16];
};

struct rules_index {
    uint32_t *bucket, *next;          /* lines in ascending order, to RULES_NONE */
    uint32_t mask;
    uint32_t rest;                    /* the chain of lines of no group */
    uint32_t groups;
    bool ports;                       /* false: of the addresses alone */
    struct rules_group group[RULES_GROUPS_MAX];
};

size_t rules_index_bytes(uint32_t max);
void rules_index_init(struct rules_index *index, void *memory, uint32_t max, bool ports);

/* Replaces all lines.  Without ports a denial of some ports is left out: others may be permitted behind it. */
void rules_index_set(struct rules_index *index, const struct flow_rule *rule, uint32_t count);

/* The number of the first of these lines that matches a packet from the foreign to the local side, or RULES_NONE. */
uint32_t rules_index_first(const struct rules_index *index, const struct flow_rule *rule,
                           const struct syncache_tuple *tuple, uint8_t protocol);

#endif

/*
 * The options that servers answer with: those of the last SYN-ACKs of an (address, port), so that the next client can
 * be told the same before its server is asked.  An option's absence is knowledge only if the server had been offered
 * it.
 *
 * Sets of 4, the one longest not heard of makes room.  Knows no sessions.
 */
#ifndef SYNCACHE_FLOW_PROFILE_H
#define SYNCACHE_FLOW_PROFILE_H

#include "flow.h"

#define PROFILE_WAYS 4

struct profile {
    uint8_t address[16];
    uint16_t port;
    uint8_t family;                   /* 0: unused */
    uint8_t known;                    /* WIRE_HAS_*: it is known whether the server has them */
    uint8_t has;                      /* WIRE_HAS_*: it has them; within `known` */
    uint8_t wscale;                   /* if it has one */
    uint16_t mss;                     /* if it has one */
    uint8_t wscale_before;            /* the scale that was told until changed_ms, or SYNCACHE_WSCALE_NONE */
    uint8_t mixed;                    /* WIRE_HAS_TIMESTAMPS: some of its answers had them and some refused them */
    uint8_t reserved[6];
    uint64_t heard_ms;
    uint64_t changed_ms;              /* when the scale last changed; 0: never */
    uint64_t asked_ms;                /* when it was last asked about all options, or first told of one; 0: never */
};

struct profiles {
    struct profile *profile;
    uint32_t sets;                    /* 0: nothing is remembered */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
};

/* Room for max rounded up to whole sets. */
size_t profiles_bytes(uint32_t max);
void profiles_init(struct profiles *profiles, void *memory, uint32_t max,
                   const uint8_t hash_key[static SYNCACHE_KEY_BYTES]);

/* The profile of a tuple's local side, or NULL. */
struct profile *profile_find(const struct profiles *profiles, const struct syncache_tuple *tuple);

/*
 * Takes note of a SYN-ACK.
 *
 *   in       offered   WIRE_HAS_* of the SYN that it answers
 *   in       has       WIRE_HAS_* of the SYN-ACK, with its mss and wscale
 *   returns  NULL if nothing is remembered
 */
struct profile *profile_learn(struct profiles *profiles, uint64_t now_ms, const struct syncache_tuple *tuple,
                              uint8_t offered, uint8_t has, uint16_t mss, uint8_t wscale);

#endif

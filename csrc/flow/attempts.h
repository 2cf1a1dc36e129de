/*
 * Who is asked for connections, and by whom: the SYNs of a second or so, added up for the operator's eyes.
 *
 * Two space-saving sketches (Metwally, Agrawal, El Abbadi 2005), one of destinations with their ports, one of source
 * prefixes, /24 and /48; and for each destination how many prefixes its SYNs come from (Flajolet's HyperLogLog).
 * Nothing is decided by it.  An engine does not know of it: whoever owns the rings shows them here.
 */
#ifndef SYNCACHE_FLOW_ATTEMPTS_H
#define SYNCACHE_FLOW_ATTEMPTS_H

#include "flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin. */

#define ATTEMPTS_PLACES 32
#define ATTEMPTS_PREFIXES 64
#define ATTEMPTS_REGISTERS 256    /* 6.5 % is the standard error of the number of prefixes */

/* A destination and its port. */
struct attempts_place {
    uint8_t address[16];
    uint64_t count;               /* SYNs, too many by no more than `excess` */
    uint64_t excess;
    uint16_t port;
    uint8_t family;               /* 4 or 6; 0: unused */
    uint8_t reserved[5];
    uint8_t registers[ATTEMPTS_REGISTERS];
};

/* A /24 or a /48. */
struct attempts_prefix {
    uint8_t address[16];
    uint64_t count;               /* as above */
    uint64_t excess;
    uint8_t family;
    uint8_t reserved[7];
};

struct attempts {
    uint64_t total;               /* SYNs */
    uint64_t place_key[ATTEMPTS_PLACES];
    uint64_t prefix_key[ATTEMPTS_PREFIXES];
    struct attempts_place place[ATTEMPTS_PLACES];
    struct attempts_prefix prefix[ATTEMPTS_PREFIXES];
    uint8_t registers[ATTEMPTS_REGISTERS]; /* of all destinations */
    uint8_t key[SYNCACHE_KEY_BYTES];
};

/* Begins, with a secret that keeps senders from choosing collisions. */
void attempts_init(struct attempts *attempts, const uint8_t key[SYNCACHE_KEY_BYTES]);

/* Begins anew with the same secret. */
void attempts_clear(struct attempts *attempts);

/* Counts the SYNs of a ring, from packet `first` on.  Packets are untrusted. */
void attempts_look(struct attempts *attempts, const struct syncache_ring *ring, uint32_t first);

/* cffi: end. */

#ifdef __cplusplus
}
#endif

#endif

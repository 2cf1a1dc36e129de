/*
 * Remembers redeemed handshakes as 64-bit keyed fingerprints, 8 to a set of one cache line, newest first; a full set
 * forgets its oldest, so it never refuses the innocent.  Fingerprint 0 stands for "empty" and is mapped to 1.
 */
#ifndef SYNCACHE_CORE_REPLAY_H
#define SYNCACHE_CORE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay {
    uint64_t (*sets)[8];
    uint32_t set_count;               /* 0: off */
};

size_t replay_bytes(uint32_t entries);
void replay_init(struct replay *replay, void *memory, uint32_t entries);
bool replay_seen(const struct replay *replay, uint64_t fingerprint);
void replay_remember(struct replay *replay, uint64_t fingerprint);

#endif

/*
 * Values that both engines derive from a secret: keys from a seed, the bytes of a tuple that a MAC covers, ISNs.
 */
#ifndef SYNCACHE_CORE_DERIVE_H
#define SYNCACHE_CORE_DERIVE_H

#include "../syncache.h"
#include "bytes.h"
#include "siphash.h"

#include <assert.h>
#include <string.h>

#define DERIVE_TUPLE_MAX 36

/* A key of its own for each use: SipHash-2-4 under the seed of the label and a byte, 0 for its first half, then 1. */
void derive_subkey(const uint8_t seed[static SYNCACHE_KEY_BYTES], const char label[static 4],
                   uint8_t key[static SYNCACHE_KEY_BYTES]);

/*
 * Writes a tuple as bytes, the same on every machine: foreign address, local address, foreign port, local port.
 *
 *   returns  how many: 12 for IPv4, 36 for IPv6
 */
static inline size_t
derive_tuple(const struct syncache_tuple *tuple,
             uint8_t packed[static DERIVE_TUPLE_MAX])
{
    uint8_t *next = packed;

    assert(tuple->family == 4 || tuple->family == 6);
    /* Each of a fixed size: without a call. */
    if (tuple->family == 4) {
        memcpy(next, tuple->faddr, 4);
        memcpy(next + 4, tuple->laddr, 4);
        next += 8;
    } else {
        memcpy(next, tuple->faddr, 16);
        memcpy(next + 16, tuple->laddr, 16);
        next += 32;
    }
    store16_be(next, tuple->fport);
    store16_be(next + 2, tuple->lport);
    return (size_t)(next - packed) + 4;
}

/* An ISN by RFC 6528: a clock of 4 us and a keyed hash of the tuple. */
uint32_t derive_isn(const uint8_t key[static SYNCACHE_KEY_BYTES], const struct syncache_tuple *tuple, uint64_t now_ms);

#endif

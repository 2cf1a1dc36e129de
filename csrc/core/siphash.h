/*
 * SipHash-2-4 with a 128-bit key and 64-bit output: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input
 * PRF" (2012).  Knows nothing of TCP.
 *
 * Whole messages are hashed by siphash24().  Who has a message of fixed size as words in registers takes the steps:
 * begin, absorb each word (the last one carries the size in its top byte), end.  Straight-line: nothing branches on
 * the key or on the data.
 */
#ifndef SYNCACHE_CORE_SIPHASH_H
#define SYNCACHE_CORE_SIPHASH_H

#include "bytes.h"

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

/* Where the four constants, which spell "somepseudorandomlygeneratedbytes", meet the key's two words. */
#define SIPHASH_V0 UINT64_C(0x736f6d6570736575)
#define SIPHASH_V1 UINT64_C(0x646f72616e646f6d)
#define SIPHASH_V2 UINT64_C(0x6c7967656e657261)
#define SIPHASH_V3 UINT64_C(0x7465646279746573)

uint64_t siphash24(const uint8_t key[static SIPHASH_KEY_BYTES],
                   const uint8_t *data, size_t data_size);

/* Folds to 32 bits by XOR of the halves, as FreeBSD does for cookies and
 * timestamp offsets. */
uint32_t siphash24_fold(const uint8_t key[static SIPHASH_KEY_BYTES],
                        const uint8_t *data, size_t data_size);

struct siphash_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
siphash_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

/* A round but for its last step. */
static inline void
siphash_round_unturned(struct siphash_state *s)
{
    s->v0 += s->v1;
    s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
    s->v0 = siphash_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
}

static inline void
siphash_round(struct siphash_state *s)
{
    siphash_round_unturned(s);
    s->v2 = siphash_rotate(s->v2, 32);
}

static inline struct siphash_state
siphash_begin(const uint8_t key[static SIPHASH_KEY_BYTES])
{
    uint64_t k0 = load64_le(key);
    uint64_t k1 = load64_le(key + 8);

    return (struct siphash_state){k0 ^ SIPHASH_V0, k1 ^ SIPHASH_V1, k0 ^ SIPHASH_V2, k1 ^ SIPHASH_V3};
}

/*
 * SipHash-1-3, for hash tables alone: nobody sees its output, and a collision costs a longer look.  Its words are
 * absorbed by one round each, and three end it.
 */
static inline void
siphash13_absorb(struct siphash_state *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    s->v0 ^= word;
}

static inline uint64_t
siphash13_end(struct siphash_state *s)
{
    s->v2 ^= 0xff;
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Two compression rounds for each word: the 2 of 2-4. */
static inline void
siphash_absorb(struct siphash_state *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    siphash_round(s);
    s->v0 ^= word;
}

static inline uint64_t
siphash_end(struct siphash_state *s)
{
    s->v2 ^= 0xff;
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif

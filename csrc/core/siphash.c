/*
 * SipHash-2-4: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input
 * PRF" (2012).  Words are little endian; the last word carries the size in its
 * top byte.  Straight-line but for the loop over words: nothing branches on the
 * key or on the data.
 */
#include "siphash.h"

#include "bytes.h"

#include <assert.h>

struct siphash_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
siphash_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void
siphash_round(struct siphash_state *s)
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
    s->v2 = siphash_rotate(s->v2, 32);
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

uint64_t
siphash24(const uint8_t key[static SIPHASH_KEY_BYTES], const uint8_t *data,
          size_t data_size)
{
    assert(data != NULL || data_size == 0);
    uint64_t k0 = load64_le(key);
    uint64_t k1 = load64_le(key + 8);
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    struct siphash_state s = {
        .v0 = k0 ^ 0x736f6d6570736575,
        .v1 = k1 ^ 0x646f72616e646f6d,
        .v2 = k0 ^ 0x6c7967656e657261,
        .v3 = k1 ^ 0x7465646279746573,
    };
    size_t whole = data_size & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        siphash_absorb(&s, load64_le(data + i));
    uint64_t last = (uint64_t)data_size << 56;
    for (size_t i = whole; i < data_size; i++)
        last |= (uint64_t)data[i] << 8 * (i - whole);
    siphash_absorb(&s, last);
    s.v2 ^= 0xff;
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint32_t
siphash24_fold(const uint8_t key[static SIPHASH_KEY_BYTES], const uint8_t *data,
               size_t data_size)
{
    uint64_t hash = siphash24(key, data, data_size);
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/*
 * SipHash-2-4 of messages of any size, from the steps of siphash.h.  Words are
 * little endian; the last word carries the size in its top byte.
 */
#include "siphash.h"

#include <assert.h>

uint64_t
siphash24(const uint8_t key[static SIPHASH_KEY_BYTES], const uint8_t *data,
          size_t data_size)
{
    assert(data != NULL || data_size == 0);
    struct siphash_state s = siphash_begin(key);
    size_t whole = data_size & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        siphash_absorb(&s, load64_le(data + i));
    uint64_t last = (uint64_t)data_size << 56;
    unsigned place = 0;
#ifndef SYNCACHE_SMALL
    /* Four bytes at once: tuples end with their ports. */
    if (data_size & 4) {
        last |= load32_le(data + whole);
        place = 4;
    }
#endif
    for (; place < data_size - whole; place++)
        last |= (uint64_t)data[whole + place] << 8 * place;
    siphash_absorb(&s, last);
    return siphash_end(&s);
}

uint32_t
siphash24_fold(const uint8_t key[static SIPHASH_KEY_BYTES], const uint8_t *data,
               size_t data_size)
{
    uint64_t hash = siphash24(key, data, data_size);
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/* What is derived from a secret: see derive.h. */
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "derive.h"

void
derive_subkey(const uint8_t seed[static SYNCACHE_KEY_BYTES],
              const char label[static 4],
              uint8_t key[static SYNCACHE_KEY_BYTES])
{
    uint8_t input[5];

    memcpy(input, label, 4);
    input[4] = 0;
    store64_le(key, siphash24(seed, input, sizeof(input)));
    input[4] = 1;
    store64_le(key + 8, siphash24(seed, input, sizeof(input)));
}

uint32_t
derive_isn(const uint8_t key[static SYNCACHE_KEY_BYTES],
           const struct syncache_tuple *tuple, uint64_t now_ms)
{
    uint8_t packed[DERIVE_TUPLE_MAX];
    size_t size = derive_tuple(tuple, packed);

    return (uint32_t)(now_ms * 250) + (uint32_t)siphash24(key, packed, size);
}

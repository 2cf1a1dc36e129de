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

size_t
derive_tuple(const struct syncache_tuple *tuple,
             uint8_t packed[static DERIVE_TUPLE_MAX])
{
    size_t address_size = tuple->family == 4 ? 4 : 16;
    uint8_t *next = packed;

    assert(tuple->family == 4 || tuple->family == 6);
    memcpy(next, tuple->faddr, address_size);
    memcpy(next + address_size, tuple->laddr, address_size);
    next += 2 * address_size;
    store16_be(next, tuple->fport);
    store16_be(next + 2, tuple->lport);
    return 2 * address_size + 4;
}

uint32_t
derive_isn(const uint8_t key[static SYNCACHE_KEY_BYTES],
           const struct syncache_tuple *tuple, uint64_t now_ms)
{
    uint8_t packed[DERIVE_TUPLE_MAX];
    size_t size = derive_tuple(tuple, packed);

    return (uint32_t)(now_ms * 250) + (uint32_t)siphash24(key, packed, size);
}

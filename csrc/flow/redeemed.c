/* Handshakes that other machines have redeemed: see redeemed.h. */
#include "redeemed.h"

#include "../core/siphash.h"

#include <assert.h>
#include <string.h>

#define REDEEMED_USED 30 /* numbers of a handshake that name a bit */
#define REDEEMED_DATA_MAX 64

_Static_assert(FLOW_REDEEMED_PACKED <= REDEEMED_DATA_MAX,
               "a handshake can be hashed");
_Static_assert(REDEEMED_USED <= FLOW_REDEEMED_NUMBERS,
               "a handshake has enough numbers");
_Static_assert(FLOW_REDEEMED_BYTES * 8 <= 1 << 16,
               "a number reaches every bit of a filter");

void
flow_redeemed_numbers(const uint8_t key[SYNCACHE_KEY_BYTES],
                      const uint8_t *data, size_t data_size,
                      uint16_t numbers[FLOW_REDEEMED_NUMBERS])
{
    uint8_t text[REDEEMED_DATA_MAX + 1];

    assert(data_size <= REDEEMED_DATA_MAX);
    memcpy(text, data, data_size);
    for (uint32_t i = 0; i < FLOW_REDEEMED_NUMBERS; i += 4) {
        text[data_size] = (uint8_t)i;
        uint64_t word = siphash24(key, text, data_size + 1);
        for (uint32_t part = 0; part < 4; part++)
            numbers[i + part] = (uint16_t)(word >> (16 * part));
    }
}

static uint8_t *
redeemed_put(uint8_t *place, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        place[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return place + bytes;
}

void
redeemed_pack(const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss,
              uint8_t packed[static FLOW_REDEEMED_PACKED])
{
    size_t size = tuple->family == 4 ? 4 : 16;

    memset(packed, 0, FLOW_REDEEMED_PACKED);
    packed[0] = tuple->family;
    memcpy(packed + 1, tuple->faddr, size);
    memcpy(packed + 17, tuple->laddr, size);
    uint8_t *place = redeemed_put(packed + 33, tuple->fport, 2);
    place = redeemed_put(place, tuple->lport, 2);
    place = redeemed_put(place, irs, 4);
    place = redeemed_put(place, iss, 4);
    assert(place == packed + FLOW_REDEEMED_PACKED);
}

static void
numbers_of(const struct flow_redeemed *redeemed,
           const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss,
           uint16_t numbers[FLOW_REDEEMED_NUMBERS])
{
    uint8_t packed[FLOW_REDEEMED_PACKED];

    redeemed_pack(tuple, irs, iss, packed);
    flow_redeemed_numbers(redeemed->key, packed, sizeof packed, numbers);
}

void
redeemed_note(struct flow_redeemed *redeemed,
              const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss)
{
    if (redeemed->fresh_count == FLOW_REDEEMED_FRESH)
        return;
    numbers_of(redeemed, tuple, irs, iss,
               redeemed->fresh[redeemed->fresh_count]);
    redeemed->fresh_count++;
}

static bool
filter_has(const uint8_t *bits, uint32_t size,
           const uint16_t numbers[FLOW_REDEEMED_NUMBERS])
{
    for (uint32_t i = 0; i < REDEEMED_USED; i++) {
        uint32_t place = (uint32_t)((uint64_t)numbers[i] * size * 8 >> 16);
        if (!(bits[place >> 3] >> (place & 7) & 1))
            return false;
    }
    return true;
}

bool
redeemed_refuses(struct flow_redeemed *redeemed, uint64_t now_ms,
                 const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss)
{
    uint16_t numbers[FLOW_REDEEMED_NUMBERS];

    if (redeemed->count == 0)
        return false;
    numbers_of(redeemed, tuple, irs, iss, numbers);
    for (uint32_t i = 0; i < redeemed->count; i++) {
        uint32_t slot = (redeemed->first + i) % FLOW_REDEEMED_FILTERS;
        if (now_ms < redeemed->end_ms[slot] &&
            filter_has(redeemed->bits[slot], redeemed->size[slot], numbers)) {
            redeemed->refused++;
            return true;
        }
    }
    return false;
}

void
flow_redeemed_hear(struct flow_redeemed *redeemed, uint64_t now_ms,
                   uint64_t lives_ms, const uint8_t *bits, uint32_t size)
{
    assert(size > 0 && size <= FLOW_REDEEMED_BYTES);
    while (redeemed->count > 0 &&
           (redeemed->count == FLOW_REDEEMED_FILTERS ||
            redeemed->end_ms[redeemed->first] <= now_ms)) {
        redeemed->first = (redeemed->first + 1) % FLOW_REDEEMED_FILTERS;
        redeemed->count--;
    }
    uint32_t slot =
        (redeemed->first + redeemed->count++) % FLOW_REDEEMED_FILTERS;
    redeemed->end_ms[slot] = now_ms + lives_ms;
    redeemed->size[slot] = (uint16_t)size;
    memcpy(redeemed->bits[slot], bits, size);
}

/* The quotas of strays.h: counters by second, and places found by a keyed hash. */
#include "strays.h"

#include <assert.h>
#include <string.h>

#define STRAYS_PLACES_MIN 64
#define STRAYS_SPOKEN_S 300 /* an idle connection has to be lucky once */
#define STRAYS_MS_PER_SECOND 1000

static uint32_t
strays_places(uint32_t sessions_max)
{
    uint32_t places = STRAYS_PLACES_MIN;

    while (places < sessions_max && places < STRAYS_PLACES_MAX)
        places *= 2;
    return places;
}

size_t
strays_bytes(uint32_t sessions_max)
{
    return 2 * (size_t)strays_places(sessions_max) * sizeof(struct stray_place);
}

void
strays_init(struct strays *strays, void *memory, uint32_t sessions_max)
{
    uint32_t places = strays_places(sessions_max);

    memset(strays, 0, sizeof *strays);
    memset(memory, 0, strays_bytes(sessions_max));
    strays->place[0] = memory;
    strays->place[1] = strays->place[0] + places;
    strays->mask = places - 1;
}

/* 0 is never. */
static uint32_t
strays_second(uint64_t now_ms)
{
    return (uint32_t)(now_ms / STRAYS_MS_PER_SECOND) | 1u << 31;
}

static bool
strays_is_spoken_of(const struct strays *strays, uint64_t now_ms, uint32_t hash,
                    uint8_t side)
{
    const struct stray_place *place = &strays->place[side][hash & strays->mask];

    return place->second != 0 && place->hash == hash &&
           strays_second(now_ms) - place->second <= STRAYS_SPOKEN_S;
}

bool
strays_pass(struct strays *strays, uint64_t now_ms, uint32_t hash, uint8_t side,
            bool speaks, uint32_t limit)
{
    assert(side <= 1);
    if (limit == 0)
        return true;
    if (speaks)
        strays->place[side][hash & strays->mask] =
            (struct stray_place){.hash = hash, .second = strays_second(now_ms)};
    if (now_ms / STRAYS_MS_PER_SECOND != strays->second) {
        strays->second = now_ms / STRAYS_MS_PER_SECOND;
        strays->passed[0] = strays->passed[1] = 0;
    }
    if (strays_is_spoken_of(strays, now_ms, hash, (uint8_t)(1 - side)))
        return true;
    if (strays->passed[side] >= limit)
        return false;
    strays->passed[side]++;
    return true;
}

bool
strays_repeat(struct strays *strays, uint64_t now_ms, uint32_t hash,
              uint32_t weight)
{
    uint32_t at = hash % REPEATS_PLACES;
    uint16_t second = (uint16_t)(now_ms / STRAYS_MS_PER_SECOND);

    assert(weight <= REPEATS_A_SECOND);
    if (strays->repeat[at].second != second) {
        strays->repeat[at].second = second;
        strays->repeat[at].count = 0;
    }
    if (strays->repeat[at].count + weight > REPEATS_A_SECOND)
        return false;
    strays->repeat[at].count = (uint16_t)(strays->repeat[at].count + weight);
    return true;
}

/* The sketch of sources.h.  A prefix is found by its tag, the least counter by
 * a mask, so that a flood from everywhere costs no walk of the counters. */
#include "sources.h"

#include "../core/bytes.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define SOURCES_HALVE_MS 60000
#define SOURCES_V4_PREFIX UINT64_C(0x000000ffffff) /* a /24, little-endian */
#define SOURCES_V6_PREFIX UINT64_C(0xffffffffffff) /* a /48 */
#define SOURCES_LOW UINT64_C(0x0101010101010101)
#define SOURCES_HIGH UINT64_C(0x8080808080808080)

_Static_assert(SOURCES_MAX == 64, "a mask has a bit for each counter");

_Static_assert(offsetof(struct source, family) == 6 &&
                   offsetof(struct source, count) == 8,
               "a name is a prefix and its family");

/* Prefix and family as one number. */
static uint64_t
sources_name(const struct source *source)
{
    return load64_le((const uint8_t *)source);
}

/* Which counters are the least. */
static void
sources_find_least(struct sources *sources)
{
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        if (sources->source[i].count < least)
            least = sources->source[i].count;
    sources->least = least;
    sources->least_mask = 0;
    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        if (sources->source[i].count == least)
            sources->least_mask |= UINT64_C(1) << i;
}

void
sources_init(struct sources *sources)
{
    memset(sources, 0, sizeof *sources);
    sources->tagged[0] = SOURCES_MAX;
    sources_find_least(sources);
}

static void
sources_halve(struct sources *sources, uint64_t now_ms)
{
    if (now_ms < sources->halved_ms ||
        now_ms - sources->halved_ms < SOURCES_HALVE_MS)
        return;
    uint64_t minutes = (now_ms - sources->halved_ms) / SOURCES_HALVE_MS;

    sources->halved_ms += minutes * SOURCES_HALVE_MS;
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        struct source *source = &sources->source[i];

        source->count = minutes < 32 ? source->count >> minutes : 0;
        if (source->count == 0)
            source->family = 0;
    }
    sources_find_least(sources);
}

static uint8_t
sources_tag(uint64_t name)
{
    return (uint8_t)(name * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* The counter of a prefix, SOURCES_MAX: it has none. */
static uint32_t
sources_find(const struct sources *sources, uint64_t name, uint8_t tag)
{
    if (sources->tagged[tag] == 0)
        return SOURCES_MAX;
    for (uint32_t first = 0; first < SOURCES_MAX; first += 8) {
        uint64_t differ = load64_le(&sources->tag[first]) ^ SOURCES_LOW * tag;
        uint64_t equal = (differ - SOURCES_LOW) & ~differ & SOURCES_HIGH;

        /* A bit above one that is right may be wrong: the prefix decides. */
        for (; equal != 0; equal &= equal - 1) {
            uint32_t i = first + (uint32_t)__builtin_ctzll(equal) / 8;

            if (sources_name(&sources->source[i]) == name)
                return i;
        }
    }
    return SOURCES_MAX;
}

void
sources_count(struct sources *sources, uint64_t now_ms,
              const uint8_t address[static 16], uint8_t family)
{
    assert(family == 4 || family == 6);
    uint64_t name = (load64_le(address) &
                     (family == 4 ? SOURCES_V4_PREFIX : SOURCES_V6_PREFIX)) |
                    (uint64_t)family << 48;
    uint8_t tag = sources_tag(name);
    sources_halve(sources, now_ms);
    uint32_t i = sources_find(sources, name, tag);
    if (i == SOURCES_MAX) {
        /* The newcomer takes over the count of whom it replaces. */
        assert(sources->least_mask != 0);
        i = (uint32_t)__builtin_ctzll(sources->least_mask);
        store64_le((uint8_t *)&sources->source[i], name);
        sources->tagged[sources->tag[i]]--;
        sources->tagged[tag]++;
        sources->tag[i] = tag;
    }
    if (sources->source[i].count == UINT32_MAX)
        return;
    sources->source[i].count++;
    sources->least_mask &= ~(UINT64_C(1) << i);
    if (sources->least_mask == 0)
        sources_find_least(sources);
}

const struct source *
sources_top(const struct sources *sources)
{
    const struct source *top = NULL;

    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        const struct source *source = &sources->source[i];

        if (source->family != 0 && (top == NULL || source->count > top->count))
            top = source;
    }
    return top;
}

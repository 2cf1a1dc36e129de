/* The sketch of sources.h.  64 counters are looked through: one cache line each
 * eight, less than a packet costs otherwise, and only requests come here. */
#include "sources.h"

#include <assert.h>
#include <string.h>

#define SOURCES_HALVE_MS 60000
#define SOURCES_V4_BYTES 3 /* a /24 */
#define SOURCES_V6_BYTES 6 /* a /48 */

void
sources_init(struct sources *sources)
{
    memset(sources, 0, sizeof *sources);
}

static void
sources_halve(struct sources *sources, uint64_t now_ms)
{
    uint64_t minutes = (now_ms - sources->halved_ms) / SOURCES_HALVE_MS;

    if (now_ms < sources->halved_ms || minutes == 0)
        return;
    sources->halved_ms += minutes * SOURCES_HALVE_MS;
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        struct source *source = &sources->source[i];

        source->count = minutes < 32 ? source->count >> minutes : 0;
        if (source->count == 0)
            source->family = 0;
    }
}

void
sources_count(struct sources *sources, uint64_t now_ms,
              const uint8_t address[static 16], uint8_t family)
{
    assert(family == 4 || family == 6);
    uint8_t prefix[6] = {0};
    struct source *least = &sources->source[0];

    memcpy(prefix, address, family == 4 ? SOURCES_V4_BYTES : SOURCES_V6_BYTES);
    sources_halve(sources, now_ms);
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        struct source *source = &sources->source[i];

        if (source->family == family &&
            memcmp(source->prefix, prefix, sizeof prefix) == 0) {
            source->count += source->count < UINT32_MAX;
            return;
        }
        if (source->count < least->count)
            least = source;
    }
    /* The newcomer takes over the count of whom it replaces. */
    memcpy(least->prefix, prefix, sizeof prefix);
    least->family = family;
    least->count += least->count < UINT32_MAX;
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

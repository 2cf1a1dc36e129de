/*
 * What the burst kernels need of the time, the keys and the tunables.
 *
 * Not here: templates and SYNs (quick.c).
 */
#include "engine.h"
#include "syncookie.h"

/* What of the shapes changes with the tunables alone. */
static void
quick_shape(struct syncache *cache)
{
    for (uint8_t v6 = 0; v6 < 2; v6++) {
        struct simd_shape *shape = &cache->quick.shape[v6];

        syncookie_shape((enum syncache_layout)cache->tunables.cookie_layout,
                        v6 ? 6 : 4, cache->tunables.secmod, shape);
        shape->ts_key = cache->ts_key;
        shape->ts_per_tuple = cache->config.ts_per_tuple != 0;
        shape->ts_ports = cache->tunables.ts_offset_per_conn != 0;
    }
}

void
quick_refresh(struct syncache *cache)
{
    struct quick *quick = &cache->quick;
    const uint8_t *key = secret_mint(&cache->secret);
    uint32_t clock = engine_ts_clock(cache);

    quick->open = engine_mints(cache) &&
                  cache->tunables.cookie_layout != SYNCACHE_LAYOUT_MSS;
    if (!quick->open)
        return;
    if (!quick->shaped)
        quick_shape(cache);
    quick->shaped = true;
    for (size_t i = 0; i < 2; i++) {
        quick->shape[i].cookie_key = key;
        quick->shape[i].parity = secret_parity(&cache->secret);
        quick->shape[i].ts_clock = clock;
    }
}

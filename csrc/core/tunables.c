/*
 * The tunables of an engine: their defaults and ranges, which are made of the rows
 * in ../syncache_tunables.h, and what a change of them does.
 */
#include <assert.h>
#include <string.h>

#include "engine.h"
#include "rows.h"

#define TUNABLES_AT offsetof(struct syncache_tunables, syncookies)
#define TUNABLES_COUNT (sizeof tunables_rows / sizeof *tunables_rows)

static const struct row tunables_rows[] = {SYNCACHE_TUNABLES(ROW)
                                               SYNCACHE_KEY_TUNABLES(ROW)};

_Static_assert(TUNABLES_AT == sizeof(uint32_t), "the rows come first");

void
syncache_tunables_default(struct syncache_tunables *row_of)
{
    memset(row_of, 0, sizeof *row_of); /* gaps between fields too */
    row_of->struct_size = sizeof *row_of;
    rows_default(row_of, TUNABLES_AT, tunables_rows, TUNABLES_COUNT);
    SYNCACHE_TUNABLES(ROW_LARGE_DEFAULT)
    SYNCACHE_KEY_TUNABLES(ROW_LARGE_DEFAULT)
    SYNCACHE_TUNABLES_64(ROW_DEFAULT)
}

static bool
tunables_valid(const struct syncache_tunables *row_of)
{
    return row_of->struct_size == sizeof *row_of &&
           rows_in_range(row_of, TUNABLES_AT, tunables_rows, TUNABLES_COUNT) &&
           SYNCACHE_TUNABLES(ROW_LARGE_IN_RANGE)
               SYNCACHE_KEY_TUNABLES(ROW_LARGE_IN_RANGE)
                   SYNCACHE_TUNABLES_ORDER(ROW_ORDER)
                       SYNCACHE_KEY_ORDER(ROW_ORDER) true;
}

bool
syncache_set_tunables(struct syncache *cache,
                      const struct syncache_tunables *tunables)
{
    uint8_t wscale;

    if (!tunables_valid(tunables))
        return false;
    wscale = engine_wscale_of(tunables->maxsockbuf);
    if (wscale != cache->wscale) {
        /* Cookies made with the old one live on for a while. */
        cache->wscale_before = cache->wscale;
        cache->wscale_changed_ms = cache->now_ms;
        cache->wscale = wscale;
    }
    cache->tunables = *tunables;
    cache->tunables_ms = cache->now_ms;
    cache->keys_ms = 0; /* an epoch is as long as the lifetime says */
    quick_forget(cache);
    if (!tunables->syncookies || tunables->pause_policy == SYNCACHE_PAUSE_NONE)
        pause_end(&cache->pause);
    return true;
}

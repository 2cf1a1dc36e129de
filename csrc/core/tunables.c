/*
 * What every tunable is by default, and between what it may be.  The Python
 * registry has the same facts with words; a test compares the two.
 *
 * Not here: what a tunable does.
 */
#include <assert.h>
#include <string.h>

#include "engine.h"

#define TUNABLES_MSS_MAX 65535
#define TUNABLES_LIFETIME_MIN_MS 1000
#define TUNABLES_LIFETIME_MAX_MS 3600000 /* a leaked key is good this long */
#define TUNABLES_WAIT_MAX_MS 60000
#define TUNABLES_MSS_MIN 48 /* below, options alone would fill a segment */

struct tunables_range {
    uint32_t value;
    uint32_t low;
    uint32_t high;
};

void
syncache_tunables_default(struct syncache_tunables *tunables)
{
    static const struct syncache_tunables defaults = {
        .struct_size = sizeof(*tunables),
        .syncookies = 1,
        .rexmtlimit = 3,
        .rexmit_initial_ms = 1000,
        .rexmit_slop_ms = 200,
        .rexmit_min_ms = 30,
        .rexmit_max_ms = SYNCACHE_REXMIT_MAX_MS,
        .ecn_enable = 2,
        .ecn_maxretries = 1,
        .rfc1323 = 1,
        .sack_enable = 1,
        .mssdflt = 536,
        .v6mssdflt = 1220,
        .minmss = 216,
        .maxsockbuf = 2097152,
        .tolerate_missing_ts = 1,
        .ts_offset_per_conn = 1,
        .ack_war_cnt = 5,
        .ack_war_timewindow_ms = 1000,
        .path_mtu_discovery = 1,
        .pause_policy = SYNCACHE_PAUSE_AGE,
        .pause_age_ms = 1000,
        .cookie_gate = SYNCACHE_GATE_ENDPOINT,
        .offer_timeout_ms = 5000,
        .dupsyn_limit = 8,
        .cookie_ts = SYNCACHE_TS_CHECK,
        .clock_skew_ms = 1000,
        .cookie_lifetime_ms = 32000,
        .cookie_layout = SYNCACHE_LAYOUT_WIDE,
        .overflow = SYNCACHE_OVERFLOW_EVICT,
    };

    memcpy(tunables, &defaults, sizeof defaults); /* gaps between fields too */
}

static bool
tunables_in_range(const struct tunables_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].value < ranges[i].low || ranges[i].value > ranges[i].high)
            return false;
    }
    return true;
}

static bool
tunables_times_valid(const struct syncache_tunables *t)
{
    const struct tunables_range ranges[] = {
        {t->rexmtlimit, 0, SYNCACHE_REXMTLIMIT_MAX},
        {t->rexmit_initial_ms, 1, SYNCACHE_REXMIT_MAX_MS},
        {t->rexmit_slop_ms, 0, SYNCACHE_REXMIT_MAX_MS},
        {t->rexmit_min_ms, 1, t->rexmit_max_ms},
        {t->rexmit_max_ms, 1, SYNCACHE_REXMIT_MAX_MS},
        {t->ack_war_timewindow_ms, 0, TABLE_CHALLENGE_MAX_MS},
        /* The spans at the two ends of a period must not meet. */
        {t->clock_skew_ms, 0, t->cookie_lifetime_ms / 2},
        {t->pause_age_ms, 1, TUNABLES_WAIT_MAX_MS},
        {t->offer_timeout_ms, 0, TUNABLES_WAIT_MAX_MS},
        {t->cookie_lifetime_ms, TUNABLES_LIFETIME_MIN_MS,
         TUNABLES_LIFETIME_MAX_MS},
    };

    return tunables_in_range(ranges, sizeof(ranges) / sizeof(ranges[0]));
}

static bool
tunables_choices_valid(const struct syncache_tunables *t)
{
    const struct tunables_range ranges[] = {
        {t->ecn_enable, 0, 4},
        {t->ecn_maxretries, 0, SYNCACHE_REXMTLIMIT_MAX},
        {t->rfc1323, 0, 3},
        {t->mssdflt, t->minmss, TUNABLES_MSS_MAX},
        {t->v6mssdflt, t->minmss, TUNABLES_MSS_MAX},
        {t->minmss, TUNABLES_MSS_MIN, TUNABLES_MSS_MAX},
        {t->blackhole, 0, 3},
        {t->dupsyn_limit, 0, UINT8_MAX}, /* it is counted in a byte */
        {t->pause_policy, 0, SYNCACHE_PAUSE_NONE},
        {t->cookie_gate, 0, SYNCACHE_GATE_BUCKET},
        {t->cookie_ts, 0, SYNCACHE_TS_OFF},
        {t->cookie_layout, 0, SYNCACHE_LAYOUT_MSS},
        {t->overflow, 0, SYNCACHE_OVERFLOW_DROP_NEW},
    };

    return tunables_in_range(ranges, sizeof(ranges) / sizeof(ranges[0]));
}

bool
syncache_set_tunables(struct syncache *cache,
                      const struct syncache_tunables *tunables)
{
    uint8_t wscale;

    if (tunables->struct_size != sizeof(*tunables) ||
        !tunables_times_valid(tunables) || !tunables_choices_valid(tunables))
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

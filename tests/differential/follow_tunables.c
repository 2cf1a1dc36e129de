/* Presets, and random values of every tunable, good and bad. */
#include "follow.h"

#include <stddef.h>
#include <string.h>

struct choice {
    size_t offset;
    uint32_t values[6];
};

#define CHOICE(name, ...)                         \
    {                                             \
        offsetof(struct syncache_tunables, name), \
        {                                         \
            __VA_ARGS__                           \
        }                                         \
    }

static const struct choice choices[] = {
    CHOICE(syncookies, 1, 1, 1, 1, 0, 0),
    CHOICE(syncookies_only, 0, 0, 0, 0, 0, 1),
    CHOICE(rexmtlimit, 0, 1, 3, 3, 12, 13),
    CHOICE(rst_on_sock_fail, 0, 1, 0, 1, 0, 1),
    CHOICE(rexmit_initial_ms, 1, 100, 1000, 3000, 64000, 64001),
    CHOICE(rexmit_slop_ms, 0, 0, 200, 199, 64000, 64001),
    CHOICE(rexmit_min_ms, 1, 30, 30, 2000, 64000, 0),
    CHOICE(rexmit_max_ms, 64000, 64000, 5000, 64000, 1, 64001),
    CHOICE(ecn_enable, 0, 1, 2, 3, 4, 5),
    CHOICE(ecn_maxretries, 0, 1, 1, 2, 12, 13),
    CHOICE(rfc1323, 0, 1, 1, 2, 3, 4),
    CHOICE(sack_enable, 1, 1, 1, 1, 0, 0),
    CHOICE(mssdflt, 536, 536, 1460, 65535, 216, 100),
    CHOICE(v6mssdflt, 1220, 1220, 1440, 65535, 216, 100),
    CHOICE(minmss, 216, 216, 1, 500, 536, 0),
    CHOICE(maxsockbuf, 2097152, 65535, 65536, 262144, 0xffffffff, 0),
    CHOICE(tolerate_missing_ts, 1, 1, 1, 0, 0, 0),
    CHOICE(ts_offset_per_conn, 1, 1, 1, 1, 0, 0),
    CHOICE(insecure_rst, 0, 0, 0, 1, 1, 0),
    CHOICE(ack_war_cnt, 5, 5, 1, 0, 300, 2),
    CHOICE(ack_war_timewindow_ms, 1000, 1000, 0, 1, 30000, 30001),
    CHOICE(drop_synfin, 0, 0, 0, 1, 1, 1),
    CHOICE(blackhole, 0, 0, 1, 2, 3, 4),
    CHOICE(rst_limit, 200, 200, 0, 1, 17, 65001),
    CHOICE(fastopen_server_enable, 1, 1, 1, 0, 0, 0),
    CHOICE(path_mtu_discovery, 1, 1, 1, 0, 0, 0),
    CHOICE(pause_policy, 0, 0, 1, 1, 2, 3),
    CHOICE(pause_age_ms, 1000, 1, 0, 100000, 5000, 0xffffffff),
    CHOICE(cookie_gate, 0, 0, 1, 2, 2, 3),
    CHOICE(ecn_in_cookie, 0, 0, 1, 1, 0, 1),
    CHOICE(rexmit_rate, 0, 0, 1, 2, 5, 0xffffffff),
    CHOICE(offer_timeout_ms, 5000, 5000, 0, 1, 1000, 100000),
    CHOICE(dupsyn_limit, 8, 1, 0, 2, 300, 0),
    CHOICE(cookie_ts, 0, 0, 1, 2, 3, 4),
    CHOICE(clock_skew_ms, 1000, 1000, 0, 1, 15000, 86400000),
    CHOICE(cookie_lifetime_ms, 32000, 15000, 1000, 32500, 100000, 999),
    CHOICE(cookie_layout, 0, 0, 1, 1, 2, 3),
    CHOICE(failcookie_rst, 0, 0, 0, 1, 1, 1),
    CHOICE(overflow, 0, 0, 0, 0, 1, 2),
};

#define CHOICES (sizeof choices / sizeof *choices)

static void
change_one(struct world *world, struct syncache_tunables *tune)
{
    const struct choice *choice = &choices[follow_below(world, CHOICES)];
    uint32_t value = choice->values[follow_below(world, 6)];
    memcpy((uint8_t *)tune + choice->offset, &value, sizeof value);
    if (follow_chance(world, 5))
        tune->secmod = follow_random(world);
}

/* Both take it, or the engine refuses it and nothing changes. */
static void
apply(struct world *world, const struct syncache_tunables *tune)
{
    if (!syncache_set_tunables(world->cache, tune))
        return;
    world->tune = *tune;
    twin_set_tunables(&world->twin, tune);
}

static void
freebsd(struct syncache_tunables *tune)
{
    tune->rst_on_sock_fail = 1;
    tune->pause_policy = SYNCACHE_PAUSE_BUCKET;
    tune->cookie_gate = SYNCACHE_GATE_BUCKET;
    tune->ecn_in_cookie = 1;
    tune->offer_timeout_ms = 0;
    tune->dupsyn_limit = 0;
    tune->cookie_ts = SYNCACHE_TS_OFF;
    tune->cookie_lifetime_ms = 15000;
    tune->cookie_layout = SYNCACHE_LAYOUT_FREEBSD;
    tune->failcookie_rst = 1;
}

void
follow_preset(struct world *world)
{
    struct syncache_tunables *preset = &world->preset;
    syncache_tunables_default(preset);
    switch (follow_below(world, 4)) {
    case 0:
        freebsd(preset);
        break;
    case 1:
        for (int i = 0; i < 4; i++)
            change_one(world, preset);
        break;
    default:
        break;
    }
    world->tune = *preset;
    /* A change may have been a bad one: then the defaults stay. */
    syncache_tunables_default(&world->tune);
    apply(world, preset);
    *preset = world->tune;
}

void
follow_tune(struct world *world)
{
    struct syncache_tunables tune = world->tune;
    if (follow_chance(world, 30))
        tune = world->preset;
    else
        change_one(world, &tune);
    apply(world, &tune);
}

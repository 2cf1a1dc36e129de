/* What engine and twin must agree on after every step. */
#include "follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const counter_names[] = {
    "sc_added",         "sc_retransmitted",
    "sc_dupsyn",        "sc_dropped",
    "sc_completed",     "sc_bucketoverflow",
    "sc_cacheoverflow", "sc_reset",
    "sc_stale",         "sc_aborted",
    "sc_badack",        "sc_unreach",
    "sc_zonefail",      "sc_sendcookie",
    "sc_recvcookie",    "sc_spurcookie",
    "sc_failcookie",    "sndacks",
    "sndtotal",         "rcvtotal",
    "accepts",          "listendrop",
    "badrst",           "badsyn",
    "ecn_shs",          "evicted",
    "purged",           "cookie_only_synacks",
    "pauses",           "paused_ms",
    "challenge_acks",   "rst_sent",
    "replayed",         "ts_refused",
    "offer_timeout",    "cookie_over_entry",
    "cookie_no_key",    "cookie_bad_mac",
    "fastopen_cookies", "fastopen_refused",
    "syn_no_key",       "rexmit_withheld"};

#define OLDEST_MS \
    (UINT64_C(1) << 30) /* what an entry's age is told as at most */
#define COUNTERS (sizeof counter_names / sizeof *counter_names)

_Static_assert(sizeof(struct syncache_stats) ==
                   (COUNTERS + SYNCACHE_VERDICT_COUNT) * sizeof(uint64_t),
               "every counter has a name here");

void
follow_differ(struct world *world, const char *what, uint64_t twin,
              uint64_t core)
{
    printf("world %" PRIu64 ", step %" PRIu64 " (%s): %s: twin %" PRIu64
           " (0x%" PRIx64 "), core %" PRIu64 " (0x%" PRIx64 ")\n",
           world->number, world->step, world->doing, what, twin, twin, core,
           core);
    world->failed = true;
}

void
follow_equal(struct world *world, const char *what, uint64_t twin,
             uint64_t core)
{
    if (twin != core)
        follow_differ(world, what, twin, core);
}

static void
print_bytes(const char *side, const uint8_t *bytes, uint32_t size)
{
    printf("  %s ", side);
    for (uint32_t i = 0; i < size; i++)
        printf("%02x%s", bytes[i], i % 4 == 3 ? " " : "");
    printf("\n");
}

void
follow_equal_bytes(struct world *world, const char *what, const uint8_t *twin,
                   uint32_t twin_size, const uint8_t *core, uint32_t core_size)
{
    if (twin_size == core_size && memcmp(twin, core, twin_size) == 0)
        return;
    follow_differ(world, what, twin_size, core_size);
    print_bytes("twin", twin, twin_size);
    print_bytes("core", core, core_size);
}

void
follow_equal_conn(struct world *world, const struct syncache_conn *twin,
                  const struct syncache_conn *core)
{
    follow_equal(world, "conn.iss", twin->iss, core->iss);
    follow_equal(world, "conn.rcv_wnd", twin->rcv_wnd, core->rcv_wnd);
    follow_equal(world, "conn.snd_wnd", twin->snd_wnd, core->snd_wnd);
    follow_equal(world, "conn.ts_recent", twin->ts_recent, core->ts_recent);
    follow_equal(world, "conn.peer_mss", twin->peer_mss, core->peer_mss);
    follow_equal(world, "conn.snd_wscale", twin->snd_wscale, core->snd_wscale);
    follow_equal(world, "conn.rcv_wscale", twin->rcv_wscale, core->rcv_wscale);
    follow_equal(world, "conn.ecn", twin->ecn, core->ecn);
    follow_equal(world, "conn.rxmits", twin->rxmits, core->rxmits);
    /* The twin keeps no places. */
    if (memcmp(twin, core, offsetof(struct syncache_conn, offer)) != 0)
        follow_differ(world, "conn", twin->irs, core->irs);
}

static void
compare_counters(struct world *world)
{
    uint64_t twin[COUNTERS + SYNCACHE_VERDICT_COUNT];
    uint64_t core[COUNTERS + SYNCACHE_VERDICT_COUNT];
    char name[32];
    const struct syncache_stats *stats = syncache_statistics(world->cache);
    if (memcmp(&world->twin.stats, stats, sizeof *stats) == 0)
        return;
    memcpy(twin, &world->twin.stats, sizeof twin);
    memcpy(core, stats, sizeof core);
    for (size_t i = 0; i < COUNTERS + SYNCACHE_VERDICT_COUNT; i++) {
        snprintf(name, sizeof name, "verdict %zu", i - COUNTERS);
        follow_equal(world, i < COUNTERS ? counter_names[i] : name, twin[i],
                     core[i]);
    }
}

static void
compare_entry(struct world *world, const struct twin_entry *twin,
              const struct syncache_half_open *core)
{
    static const uint8_t ecn[] = {SYNCACHE_ECN_NONE, SYNCACHE_ECN_CLASSIC};
    if (!twin_same(&twin->tuple, &core->tuple) || twin->irs != core->irs)
        follow_differ(world, "entry's tuple and irs", twin->irs, core->irs);
    follow_equal(world, "entry.iss", twin->iss, core->iss);
    follow_equal(world, "entry.endpoint", twin->endpoint, core->endpoint);
    uint64_t age_ms = world->twin.now - twin->born;
    follow_equal(world, "entry.age_ms", age_ms < OLDEST_MS ? age_ms : OLDEST_MS,
                 core->age_ms);
    follow_equal(world, "entry.peer_mss", twin->mss, core->peer_mss);
    follow_equal(world, "entry.snd_wscale", twin->ws, core->snd_wscale);
    follow_equal(world, "entry.rcv_wscale", twin->rcv_ws, core->rcv_wscale);
    follow_equal(world, "entry.sack", twin->sack, core->sack_permitted);
    follow_equal(world, "entry.timestamps", twin->ts, core->timestamps);
    follow_equal(world, "entry.rxmits", twin->rxmits, core->rxmits);
    follow_equal(world, "entry.ecn",
                 twin->ecn < 2 ? ecn[twin->ecn] : SYNCACHE_ECN_ACCURATE,
                 core->ecn);
    /* Of a deadline that has passed, no more is kept than that it has. */
    if (twin->deadline > world->twin.now || core->deadline_ms > world->twin.now)
        follow_equal(world, "entry.deadline", twin->deadline,
                     core->deadline_ms);
}

/* The listing: bucket by bucket, oldest first, in pieces of any size. */
static void
compare_entries(struct world *world)
{
    static struct syncache_half_open listed[TWIN_ENTRIES_MAX];
    uint32_t piece = world->step % 16 == 0 ? 3 : TWIN_ENTRIES_MAX;
    uint32_t count = 0, written;
    uint64_t cursor = 0;
    const struct twin *twin = &world->twin;
    follow_equal(world, "count", twin->count, syncache_count(world->cache));
    while (!world->failed &&
           (written = syncache_walk(world->cache, &cursor, listed + count,
                                    piece)) > 0)
        count += written;
    follow_equal(world, "entries listed", twin->count, count);
    for (uint32_t bucket = 0, i = 0; bucket < twin->config.hashsize; bucket++)
        for (uint32_t k = 0; k < twin->count && !world->failed; k++)
            if (twin->entries[k].bucket == bucket)
                compare_entry(world, &twin->entries[k], &listed[i++]);
}

void
follow_compare(struct world *world)
{
    uint64_t twin_next = twin_deadline(&world->twin);
    uint64_t core_next = syncache_next_deadline(world->cache);
    if (world->failed)
        return;
    compare_counters(world);
    follow_equal(world, "paused", world->twin.pause.paused,
                 syncache_paused(world->cache));
    compare_entries(world);
    /* What is due is due; since when need not be told. */
    if (core_next > twin_next && core_next > world->twin.now)
        follow_differ(world, "next_deadline is late", twin_next, core_next);
}

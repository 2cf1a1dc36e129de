/*
 * A SYN to its SYN-ACK, packets in memory: by cookies alone, and with a table
 * that is full, so that each SYN evicts.  Bursts, single packets, and the
 * straightforward path, alone or over the list-and-malloc cache.
 */
#include "world.h"

enum syn_way { BURST, SINGLE, RIVAL, PAUSING_RIVAL };

#define FLAVOUR(way, family) ((uint32_t)(way) << 8 | (uint32_t)(family))

static enum syn_way
syn_way(const struct bench_case *self)
{
    return (enum syn_way)(self->flavour >> 8);
}

static void *
syn_make(const struct bench_case *self)
{
    enum syn_way way = syn_way(self);
    struct world_plan plan = {
        .entries = self->entries,
        .family = (uint8_t)self->flavour,
        .full = self->entries > 0,
        .rival = way == RIVAL || way == PAUSING_RIVAL,
        .pauses = way == PAUSING_RIVAL,
    };

    return world_make(self, &plan);
}

/* How many SYNs did what the case is about. */
static uint64_t
syn_done(const struct world *world)
{
    const struct syncache_stats *stats;

    if (world->cache == NULL) {
        if (world->path.list == NULL || world->path.list->pauses)
            return world->path.cookies_only;
        return world->path.list->evicted;
    }
    stats = syncache_statistics(world->cache);
    return world->self->entries > 0 ? stats->evicted
                                    : stats->cookie_only_synacks;
}

static uint64_t
syn_run(void *opaque, uint32_t ops)
{
    struct world *world = opaque;
    uint64_t done = syn_done(world);
    uint64_t ns = 0;

    for (uint32_t left = ops; left > 0;) {
        uint32_t count = left < WORLD_SLOTS ? left : WORLD_SLOTS;

        world_syns(world, count, SYNCACHE_CHECKSUM_VERIFY);
        if (syn_way(world->self) == BURST)
            ns += world_burst(world, count, world->self->burst);
        else if (syn_way(world->self) == SINGLE)
            ns += world_single(world, count);
        else
            ns += world_path(world, count);
        world_tick(world, 1 + count / WORLD_SYNS_PER_MS);
        left -= count;
    }
    /* A pause begins with the SYN that finds its bucket full. */
    if (syn_done(world) - done + 1 < ops)
        bench_fail("SYNs took another way");
    return ns;
}

#define K15 (512 * WORLD_BUCKETLIMIT)
#define M1 (32768 * WORLD_BUCKETLIMIT)
#define M16 (524288 * WORLD_BUCKETLIMIT)

#define SYN(case_name, way, family, size, n, size_mib, case_what) \
    {.name = (case_name),                                         \
     .what = (case_what),                                         \
     .unit = "packet",                                            \
     .entries = (size),                                           \
     .burst = (n),                                                \
     .ops = 65536,                                                \
     .mib = (size_mib),                                           \
     .flavour = FLAVOUR(way, family),                             \
     .make = syn_make,                                            \
     .run = syn_run,                                              \
     .unmake = world_free}

#define COOKIES(prefix, family, what)                             \
    SYN(prefix "_cookie_burst1", BURST, family, 0, 1, 32,         \
        what ", bursts of 1"),                                    \
        SYN(prefix "_cookie_burst8", BURST, family, 0, 8, 32,     \
            what ", bursts of 8"),                                \
        SYN(prefix "_cookie_burst64", BURST, family, 0, 64, 32,   \
            what ", bursts of 64"),                               \
        SYN(prefix "_cookie_burst256", BURST, family, 0, 256, 32, \
            what ", bursts of 256"),                              \
        SYN(prefix "_cookie_single", SINGLE, family, 0, 1, 32,    \
            what ", one packet a call")

#define EVICT(prefix, family, name, size, size_mib, what)                    \
    SYN(prefix "_evict_burst64_" name, BURST, family, size, 64, size_mib,    \
        what ", bursts of 64"),                                              \
        SYN(prefix "_evict_single_" name, SINGLE, family, size, 1, size_mib, \
            what ", one packet a call")

#define LISTS(name, size, size_mib)                                      \
    SYN("syn_evict_list_" name, RIVAL, 4, size, 1, size_mib,             \
        "SYN stored, evicting: straightforward path, list and malloc"),  \
        SYN("syn_pause_list_" name, PAUSING_RIVAL, 4, size, 1, size_mib, \
            "the same with its pause: cookies once a bucket is full")

static const struct bench_case cases[] = {
    COOKIES("syn", 4, "SYN answered by cookie"),
    COOKIES("syn6", 6, "SYN answered by cookie, IPv6"),
    SYN("syn_cookie_straight", RIVAL, 4, 0, 1, 32,
        "SYN answered by cookie, straightforward path"),
    EVICT("syn", 4, "15k", K15, 32, "SYN stored, evicting, 15 thousand"),
    EVICT("syn", 4, "1m", M1, 160, "SYN stored, evicting, 1 million"),
    EVICT("syn", 4, "16m", M16, 1100, "SYN stored, evicting, 16 million"),
    EVICT("syn6", 6, "15k", K15, 32, "SYN stored, IPv6, 15 thousand"),
    EVICT("syn6", 6, "1m", M1, 160, "SYN stored, IPv6, 1 million"),
    LISTS("15k", K15, 32),
    LISTS("1m", M1, 256),
};

const struct bench_group bench_syns = BENCH_GROUP(cases);

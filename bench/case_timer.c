/*
 * Timers at one million entries: what it costs that one is due, when each is
 * set again for a second later and 9,830 come due in every 10 ms.  The table's
 * due lines, against a callout and a walk for each bucket; alone, where a count
 * of the entry is touched, and with the SYN-ACK that is sent again.
 */
#include "world.h"

#include "core/table.h"

#include <stdlib.h>
#include <string.h>

#define TIMER_HASHSIZE 32768u
#define TIMER_ENTRIES (TIMER_HASHSIZE * WORLD_BUCKETLIMIT)
#define TIMER_STEP_MS 10u
#define TIMER_PERIOD_MS 1000u

enum timer_flavour { DUE, DUE_LIST, IDLE, POLL, POLL_LIST };

struct timer_world {
    enum timer_flavour flavour;
    struct table table;
    void *memory;
    struct path path; /* path.list: the rival */
    uint64_t now_ms;
    uint32_t fired;
    uint32_t limit;
    uint8_t reply[PATH_REPLY_MAX];
    struct world *engine;
};

/* A table without a free slot, its deadlines spread over a period. */
static void
timer_fill_table(struct timer_world *world)
{
    uint64_t state = 1;

    world->memory =
        bench_memory(table_bytes(TIMER_HASHSIZE, WORLD_BUCKETLIMIT));
    table_init(&world->table, world->memory, TIMER_HASHSIZE, WORLD_BUCKETLIMIT,
               TIMER_ENTRIES);
    for (uint32_t i = 0; i < TIMER_ENTRIES; i++) {
        struct syncache_tuple tuple;
        uint64_t hash = bench_random(&state) << 32 | i % TIMER_HASHSIZE;
        uint64_t ahead_ms = bench_random(&state) % TIMER_PERIOD_MS;

        bench_tuple(&state, &tuple);
        table_arm(&world->table, table_insert(&world->table, hash, &tuple),
                  world->now_ms + ahead_ms, world->now_ms);
    }
}

static void
timer_fill_list(struct timer_world *world)
{
    uint64_t state = 1;
    struct list_cache *list =
        list_make(TIMER_HASHSIZE, WORLD_BUCKETLIMIT, false);

    world->path = (struct path){.mss = 1460, .list = list};
    list->wheel_ms = world->now_ms;
    /* Entries of a bucket lie apart, as those of a flood do. */
    for (uint32_t i = 0; i < TIMER_ENTRIES; i++) {
        struct list_bucket *bucket = &list->buckets[i % TIMER_HASHSIZE];
        uint64_t ahead_ms = bench_random(&state) % TIMER_PERIOD_MS;
        struct syncache_tuple tuple;
        struct list_ends ends;
        struct list_entry *entry;

        bench_tuple(&state, &tuple);
        list_ends_of(&tuple, &ends);
        entry = list_insert(list, bucket, &ends, world->now_ms);
        if (entry == NULL)
            bench_fail("no memory");
        entry->options = LIST_WINSCALE | LIST_TIMESTAMP | LIST_SACK;
        list_arm(list, bucket, entry, world->now_ms + ahead_ms);
    }
}

static void
timer_tune(struct syncache *cache)
{
    struct syncache_tunables tunables;

    /* Each retransmission a second after the one before, and no end to them. */
    syncache_tunables_default(&tunables);
    tunables.rexmit_max_ms = TIMER_PERIOD_MS;
    tunables.rexmit_min_ms = TIMER_PERIOD_MS;
    tunables.rexmtlimit = SYNCACHE_REXMTLIMIT_MAX;
    tunables.pause_policy = SYNCACHE_PAUSE_NONE;
    if (!syncache_set_tunables(cache, &tunables))
        bench_fail("tunables");
}

/* An engine that got its SYNs over a period; they last for 12 more. */
static void
timer_fill_engine(struct timer_world *world)
{
    struct world *engine = world->engine;
    uint32_t batch = TIMER_ENTRIES / TIMER_PERIOD_MS;

    timer_tune(engine->cache);
    for (uint32_t ms = 0; ms < TIMER_PERIOD_MS; ms++) {
        world_syns(engine, batch, SYNCACHE_CHECKSUM_VALID);
        (void)world_burst(engine, batch, SYNCACHE_BURST_MAX);
        world_tick(engine, 1);
    }
    world->now_ms = engine->now_ms;
    world->limit = 11 * TIMER_PERIOD_MS / TIMER_STEP_MS;
}

static void *
timer_make(const struct bench_case *self)
{
    static const struct world_plan plan = {.entries = TIMER_ENTRIES,
                                           .family = 4};
    struct timer_world *world = calloc(1, sizeof *world);

    if (world == NULL)
        bench_fail("no memory");
    world->flavour = (enum timer_flavour)self->flavour;
    world->now_ms = 1000;
    if (world->flavour == DUE_LIST || world->flavour == POLL_LIST) {
        timer_fill_list(world);
    } else if (world->flavour == POLL) {
        world->engine = world_make(self, &plan);
        timer_fill_engine(world);
    } else {
        timer_fill_table(world);
    }
    return world;
}

static void
timer_unmake(void *opaque)
{
    struct timer_world *world = opaque;

    if (world->path.list != NULL)
        list_free(world->path.list);
    if (world->engine != NULL)
        world_free(world->engine);
    if (world->memory != NULL)
        bench_memory_free(world->memory,
                          table_bytes(TIMER_HASHSIZE, WORLD_BUCKETLIMIT));
    free(world);
}

static void
timer_step_table(struct timer_world *world)
{
    struct table_ref refs[SYNCACHE_BURST_MAX];
    uint32_t cursor = 0;
    uint32_t count;

    do {
        count = table_take_due(&world->table, world->now_ms, &cursor, refs,
                               SYNCACHE_BURST_MAX);
        for (uint32_t i = 0; i < count; i++) {
            refs[i].entry->rxmits++;
            table_arm(&world->table, refs[i], world->now_ms + TIMER_PERIOD_MS,
                      world->now_ms);
        }
        world->fired += count;
    } while (count == SYNCACHE_BURST_MAX);
}

static void
timer_list_due(void *context, struct list_bucket *bucket,
               struct list_entry *entry)
{
    struct timer_world *world = context;

    entry->rxmits++;
    if (world->flavour == POLL_LIST)
        (void)path_syn_ack(&world->path, entry, world->reply);
    list_arm(world->path.list, bucket, entry, world->now_ms + TIMER_PERIOD_MS);
    world->fired++;
}

static void
timer_step_engine(struct timer_world *world)
{
    struct world *engine = world->engine;

    do {
        engine->tx.count = 0;
        world->fired +=
            syncache_poll(engine->cache, world->now_ms, &engine->tx);
    } while (engine->tx.count == engine->tx.slots);
}

/* Another second's worth of SYNs in the place of those that are worn out. */
static void
timer_renew(struct timer_world *world)
{
    world_free(world->engine);
    world->engine = world_make(
        NULL, &(struct world_plan){.entries = TIMER_ENTRIES, .family = 4});
    timer_fill_engine(world);
}

static uint64_t
timer_run(void *opaque, uint32_t ops)
{
    struct timer_world *world = opaque;
    uint64_t ns = 0;

    if (world->flavour == IDLE) {
        uint64_t start = bench_ns();

        /* Just before the first deadline, but asked for it. */
        for (uint32_t i = 0; i < ops; i++) {
            uint32_t cursor = 0;
            struct table_ref ref;

            world->table.next_due_ms = 0;
            (void)table_take_due(&world->table, world->now_ms - 8, &cursor,
                                 &ref, 1);
        }
        return bench_ns() - start;
    }
    world->fired = 0;
    while (world->fired < ops) {
        uint64_t start;

        if (world->engine != NULL && world->limit-- == 0)
            timer_renew(world);
        world->now_ms += TIMER_STEP_MS;
        start = bench_ns();
        if (world->path.list != NULL)
            list_poll(world->path.list, world->now_ms, timer_list_due, world);
        else if (world->engine != NULL)
            timer_step_engine(world);
        else
            timer_step_table(world);
        ns += bench_ns() - start;
    }
    /* Whole steps: a little more than was asked for. */
    return ns * ops / world->fired;
}

#define TIMER(case_name, case_flavour, case_unit, case_ops, case_what) \
    {.name = (case_name),                                              \
     .what = (case_what),                                              \
     .unit = (case_unit),                                              \
     .entries = TIMER_ENTRIES,                                         \
     .burst = 64,                                                      \
     .ops = (case_ops),                                                \
     .mib = 256,                                                       \
     .flavour = (case_flavour),                                        \
     .make = timer_make,                                               \
     .run = timer_run,                                                 \
     .unmake = timer_unmake}

static const struct bench_case cases[] = {
    TIMER("timer_due_1m", DUE, "timer", 65536, "a due entry set again"),
    TIMER("timer_due_list_1m", DUE_LIST, "timer", 65536,
          "the same, walking the bucket's list"),
    TIMER("timer_idle_1m", IDLE, "tick", 1000, "a look that finds nothing due"),
    TIMER("poll_due_1m", POLL, "packet", 65536, "a SYN-ACK sent again"),
    TIMER("poll_due_list_1m", POLL_LIST, "packet", 65536,
          "the same, walking lists and building from scratch"),
};

const struct bench_group bench_timers = BENCH_GROUP(cases);

/*
 * The table alone, and its rival, on the same tuples: what inserting, finding and removing an entry cost.
 *
 * Both sides hash the tuple themselves, look for a duplicate, fill the same fields of an entry and set its first
 * timeout.  Tuples come in chunks that are made beforehand and not timed.  A peer's number tells whether it is in
 * the table: with eviction oldest first, the last half of what was inserted is still there but for the few in buckets
 * that drew many.
 */
#include "bench.h"
#include "rival_list.h"

#include "core/bytes.h"
#include "core/siphash.h"
#include "core/table.h"
#include "simd/simd.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_CHUNK 4096u /* as many as a few rings hold */
#define TABLE_OPS 65536u
#define TABLE_BUCKETLIMIT 30
#define TABLE_MS 1000u /* the clock stands still */
#define TABLE_FIRST_MS 1000u

enum table_op { EVICT, INSERT, DUPLICATE, MISS, EXPAND };
enum table_way { BURST, SINGLE, LIST };

#define FLAVOUR(op, way) ((uint32_t)(op) << 8 | (uint32_t)(way))

struct table_world {
    struct table table;
    struct list_cache *list; /* NULL: the table */
    void *memory;
    enum table_op op;
    enum table_way way;
    uint32_t capacity;
    uint64_t serial; /* of the next new peer */
    uint64_t turns;  /* of picking old ones */
    uint8_t key[SYNCACHE_KEY_BYTES];
    const struct simd_kernels *kernels;
    struct simd_lanes lanes;
    struct table_burst burst;
    uint32_t victims;
    uint32_t found;
    struct syncache_tuple tuples[TABLE_CHUNK];
    uint64_t hashes[TABLE_CHUNK];
};

static uint64_t
table_hash(const struct table_world *world, const struct syncache_tuple *tuple)
{
    uint8_t packed[12];

    memcpy(packed, tuple->faddr, 4);
    memcpy(packed + 4, tuple->laddr, 4);
    store16_be(packed + 8, tuple->fport);
    store16_be(packed + 10, tuple->lport);
    return siphash24(world->key, packed, sizeof packed);
}

/* The fields that a SYN sets. */
static void
table_fill(struct table_entry *entry, uint32_t serial)
{
    entry->irs = serial;
    entry->iss = ~serial;
    entry->tsreflect = serial;
    entry->born_ms = TABLE_MS;
    entry->peer_mss = 1460;
    entry->scales = 0x76;
    entry->rxmits = 1;
}

static void
table_list_fill(struct list_entry *entry, uint32_t serial)
{
    entry->irs = serial;
    entry->iss = ~serial;
    entry->tsreflect = serial;
    entry->tsoff = serial;
    entry->peer_mss = 1460;
    entry->wnd = 65535;
    entry->scales = 0x76;
    entry->options = LIST_WINSCALE | LIST_TIMESTAMP | LIST_SACK;
}

static void
table_add(struct table_world *world, uint64_t hash,
          const struct syncache_tuple *tuple, uint32_t serial)
{
    struct table *table = &world->table;
    uint32_t bucket = table_bucket(table, hash);
    struct table_ref ref;

    if (table_bucket_full(table, bucket))
        table_remove(table, table_oldest(table, bucket));
    ref = table_insert(table, hash, tuple);
    table_fill(ref.entry, serial);
    table_arm(table, ref, TABLE_MS + TABLE_FIRST_MS, TABLE_MS);
}

/* One operation on the table. */
static void
table_do(struct table_world *world, uint64_t hash,
         const struct syncache_tuple *tuple, uint32_t serial)
{
    struct table_ref ref = table_find(&world->table, hash, tuple);

    if (ref.entry != NULL) {
        world->found++;
        if (world->op == EXPAND)
            table_remove(&world->table, ref);
        else
            ref.entry->tsreflect = serial;
    } else if (world->op == EVICT || world->op == INSERT) {
        table_add(world, hash, tuple, serial);
    }
}

static void
table_hash_burst(struct table_world *world, const struct syncache_tuple *tuples,
                 uint32_t count)
{
    struct simd_lanes *lanes = &world->lanes;

    lanes->count = count;
    for (uint32_t i = 0; i < count; i++) {
        lanes->faddr[0][i] = load32_le(tuples[i].faddr);
        lanes->laddr[0][i] = load32_le(tuples[i].laddr);
        lanes->ports[i] = __builtin_bswap32((uint32_t)tuples[i].fport << 16 |
                                            tuples[i].lport);
    }
    world->kernels->hashes(world->key, lanes);
}

/* New peers, all at once. */
static void
table_store_burst(struct table_world *world, uint32_t first, uint32_t count)
{
    struct table_burst *burst = &world->burst;

    burst->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct syncache_tuple *tuple = &world->tuples[first + i];
        struct table_entry *entry = &burst->fresh[i];

        memcpy(entry->faddr, tuple->faddr, sizeof entry->faddr);
        memcpy(entry->laddr, tuple->laddr, sizeof entry->laddr);
        entry->fport = tuple->fport;
        entry->lport = tuple->lport;
        table_fill(entry, first + i);
        burst->hash[i] = world->lanes.hash[i];
    }
    if (table_store(&world->table, burst, TABLE_MS + TABLE_FIRST_MS, TABLE_MS) <
        count)
        bench_fail("a new peer was known");
    world->victims += (uint32_t)__builtin_popcountll(burst->evicted);
}

/* What core/burst.c does, without packets: each stage for all. */
static void
table_do_burst(struct table_world *world, uint32_t first, uint32_t count)
{
    const struct syncache_tuple *tuples = world->tuples + first;
    const uint64_t *hashes = world->lanes.hash;

    table_hash_burst(world, tuples, count);
    table_prefetch_all(&world->table, hashes, count);
    if (world->op == EVICT || world->op == INSERT) {
        table_store_burst(world, first, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        table_prefetch_entry(&world->table, hashes[i]);
    for (uint32_t i = 0; i < count; i++)
        table_do(world, hashes[i], &tuples[i], first + i);
}

/* One operation on the rival. */
static void
table_list_do(struct table_world *world, const struct syncache_tuple *tuple,
              uint32_t serial)
{
    struct list_ends ends;
    struct list_bucket *bucket;
    struct list_entry *entry;

    list_ends_of(tuple, &ends);
    entry = list_lookup(world->list, &ends, &bucket);
    if (entry != NULL) {
        world->found++;
        if (world->op == EXPAND)
            list_remove(world->list, bucket, entry);
        else
            entry->tsreflect = serial;
    } else if (world->op == EVICT || world->op == INSERT) {
        entry = list_insert(world->list, bucket, &ends, TABLE_MS);
        if (entry == NULL)
            bench_fail("no memory");
        table_list_fill(entry, serial);
    }
}

static uint64_t
table_work(struct table_world *world, uint32_t count)
{
    uint64_t start = bench_ns();

    switch (world->way) {
    case BURST:
        for (uint32_t i = 0; i < count; i += SYNCACHE_BURST_MAX)
            table_do_burst(world, i,
                           count - i < SYNCACHE_BURST_MAX ? count - i
                                                          : SYNCACHE_BURST_MAX);
        break;
    case SINGLE:
        for (uint32_t i = 0; i < count; i++)
            table_do(world, table_hash(world, &world->tuples[i]),
                     &world->tuples[i], i);
        break;
    case LIST:
        for (uint32_t i = 0; i < count; i++)
            table_list_do(world, &world->tuples[i], i);
        break;
    }
    return bench_ns() - start;
}

/* New peers, or ones that are there, each once and in no order. */
static void
table_prepare(struct table_world *world, uint32_t count)
{
    bool old = world->op == DUPLICATE || world->op == EXPAND;
    uint32_t window = TABLE_CHUNK;

    while (window > world->capacity / 2)
        window >>= 1;
    world->turns++;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pick = (i * UINT64_C(40503) + world->turns) & (window - 1);
        uint64_t stride = world->capacity / 2 / window;
        uint64_t serial =
            world->serial - 1 - pick * stride - world->turns % stride;

        bench_tuple(old ? &serial : &world->serial, &world->tuples[i]);
    }
}

/* Adds what table_prepare() chose, whatever the case does. */
static void
table_put(struct table_world *world, uint32_t count)
{
    uint32_t step = world->list == NULL ? SYNCACHE_BURST_MAX : 1;

    for (uint32_t first = 0, some; first < count; first += some) {
        const struct syncache_tuple *tuple = &world->tuples[first];
        struct list_ends ends;
        uint32_t bucket;

        some = count - first < step ? count - first : step;
        if (world->list == NULL) {
            table_hash_burst(world, tuple, some);
            table_store_burst(world, first, some);
            continue;
        }
        list_ends_of(tuple, &ends);
        bucket = list_hash(world->list, &ends) & world->list->mask;
        table_list_fill(list_insert(world->list, &world->list->buckets[bucket],
                                    &ends, TABLE_MS),
                        first);
    }
}

static void
table_take(struct table_world *world, uint32_t count)
{
    enum table_op op = world->op;

    world->op = EXPAND;
    (void)table_work(world, count);
    world->op = op;
}

static uint64_t
table_run(void *opaque, uint32_t ops)
{
    struct table_world *world = opaque;
    uint32_t chunk = TABLE_CHUNK;
    uint64_t ns = 0;

    /* A chunk of INSERT may not fill a bucket, one of EXPAND not empty it. */
    while (world->op != EVICT && chunk > world->capacity / 8)
        chunk >>= 1;
    for (uint32_t left = ops; left > 0;) {
        uint32_t count = left < chunk ? left : chunk;
        uint32_t hits = count;

        table_prepare(world, count);
        world->found = 0;
        ns += table_work(world, count);
        if (world->op == DUPLICATE || world->op == EXPAND)
            hits = world->found + count / 100; /* of buckets that drew many */
        else if (world->found != 0)
            bench_fail("a new peer was known");
        if (hits < count)
            bench_fail("a known peer was not found");
        if (world->op == EXPAND)
            table_put(world, count);
        else if (world->op == INSERT)
            table_take(world, count);
        left -= count;
    }
    return ns;
}

static void
table_fill_up(struct table_world *world)
{
    /* Twice to three times its capacity leaves no bucket with a free slot. */
    uint64_t wanted = world->op == INSERT ? world->capacity / 2
                                          : (uint64_t)world->capacity * 3;
    enum table_op op = world->op;

    world->op = INSERT;
    while (wanted > 0) {
        uint32_t count = wanted < TABLE_CHUNK ? (uint32_t)wanted : TABLE_CHUNK;

        table_prepare(world, count);
        table_put(world, count);
        wanted -= count;
    }
    world->op = op;
    if (op != INSERT &&
        world->capacity !=
            (world->list == NULL ? world->table.count : world->list->count))
        bench_fail("the table is not full");
}

static void *
table_make(const struct bench_case *self)
{
    struct table_world *world = bench_memory(sizeof *world);
    uint32_t hashsize = self->entries / TABLE_BUCKETLIMIT;

    world->op = (enum table_op)(self->flavour >> 8);
    world->way = (enum table_way)(self->flavour & 0xff);
    world->capacity = self->entries;
    world->kernels = simd_kernels();
    memcpy(world->key, "sixteen bytes !", sizeof world->key);
    if (world->way == LIST) {
        world->list = list_make(hashsize, TABLE_BUCKETLIMIT, false);
    } else {
        world->memory = bench_memory(table_bytes(hashsize, TABLE_BUCKETLIMIT));
        table_init(&world->table, world->memory, hashsize, TABLE_BUCKETLIMIT,
                   self->entries);
        world->table.isa = world->kernels->isa;
    }
    table_fill_up(world);
    return world;
}

static void
table_unmake(void *opaque)
{
    struct table_world *world = opaque;

    if (world->list != NULL)
        list_free(world->list);
    else
        bench_memory_free(world->memory, table_bytes(world->table.mask + 1,
                                                     TABLE_BUCKETLIMIT));
    bench_memory_free(world, sizeof *world);
}

#define K15 (512 * TABLE_BUCKETLIMIT)
#define M1 (32768 * TABLE_BUCKETLIMIT)
#define M16 (524288 * TABLE_BUCKETLIMIT)

#define TABLE(case_name, op, way, size, size_mib, case_what) \
    {.name = (case_name),                                    \
     .what = (case_what),                                    \
     .unit = "entry",                                        \
     .entries = (size),                                      \
     .burst = (way) == BURST ? SYNCACHE_BURST_MAX : 1,       \
     .ops = TABLE_OPS,                                       \
     .mib = (size_mib),                                      \
     .flavour = FLAVOUR(op, way),                            \
     .make = table_make,                                     \
     .run = table_run,                                       \
     .unmake = table_unmake}

#define TABLE_SIZES(name, op, way, what)                                \
    TABLE(name "_15k", op, way, K15, 16, what ", 15 thousand entries"), \
        TABLE(name "_1m", op, way, M1, 256, what ", 1 million entries")

#define TABLE_OP(name, op, what)                                  \
    TABLE_SIZES("table_" name, op, BURST, what),                  \
        TABLE("table_" name "_16m", op, BURST, M16, 1100,         \
              what ", 16 million entries"),                       \
        TABLE_SIZES("table_" name "_single", op, SINGLE,          \
                    what ", one at a time"),                      \
        TABLE("table_" name "_single_16m", op, SINGLE, M16, 1100, \
              what ", one at a time, 16 million entries"),        \
        TABLE_SIZES("list_" name, op, LIST, what ", list and malloc")

static const struct bench_case cases[] = {
    TABLE_OP("evict", EVICT, "insert into a full table, evicting"),
    TABLE_OP("insert", INSERT, "insert into a table half full"),
    TABLE_OP("duplicate", DUPLICATE, "find a tuple that is there"),
    TABLE_OP("miss", MISS, "find a tuple that is not there"),
    TABLE_OP("expand", EXPAND, "find a tuple and take it out"),
};

const struct bench_group bench_tables = BENCH_GROUP(cases);

/*
 * Many operations at once, and with other instructions, against one after the
 * other: two tables that are given the same stay the same, byte by byte.
 */
#include "table_model.h"

#include "../../csrc/simd/simd.h"

#define PEERS 3000
#define LIFE_MS 1000

static uint64_t now;

/* A fresh entry of peer n, as table_insert() and its caller would make it. */
static struct table_entry
fresh_number(uint32_t n)
{
    struct syncache_tuple tuple = tuple_number(n);
    struct table_entry entry = {.irs = n, .born_ms = (uint32_t)now};
    memcpy(entry.faddr, tuple.faddr, 16);
    memcpy(entry.laddr, tuple.laddr, 16);
    entry.fport = tuple.fport;
    entry.lport = tuple.lport;
    entry.flags = tuple.family == 6; /* ENTRY_V6 */
    return entry;
}

/* What table_store() says that it does; false: it stops here. */
static bool
store_one(struct table *table, const struct table_burst *burst, uint32_t i,
          struct table_entry *victim)
{
    uint32_t n = burst->fresh[i].irs;
    struct syncache_tuple tuple = tuple_number(n);
    uint32_t bucket = table_bucket(table, burst->hash[i]);
    bool full = table_bucket_full(table, bucket);
    struct table_ref ref;
    memset(victim, 0, sizeof *victim);
    if (table_find(table, burst->hash[i], &tuple).entry != NULL)
        return false;
    if (full) {
        ref = table_oldest(table, bucket);
        *victim = *ref.entry;
        table_remove(table, ref);
        table_stamp_overflow(table, bucket, burst->overflow - 1);
    } else if (table->count == table->cachelimit) {
        return false;
    }
    ref = table_insert(table, burst->hash[i], &tuple);
    *ref.entry = burst->fresh[i];
    table_arm(table, ref, now + LIFE_MS, now);
    return true;
}

static void
expect_equal(const struct table_block *a, const struct table_block *b)
{
    size_t size = table_bytes(a->table.mask + 1, a->table.bucketlimit);
    EXPECT_EQ(a->table.count, b->table.count);
    EXPECT_EQ(a->table.next_due_ms, b->table.next_due_ms);
    const uint8_t *left = a->memory;
    const uint8_t *right = b->memory;
    size_t at = 0;
    while (at < size && left[at] == right[at])
        at++;
    EXPECT_EQ(size, at);
}

/* Peers at random, some twice in one burst. */
static void
random_burst(struct table_burst *burst)
{
    burst->count = (uint32_t)test_random_below(SYNCACHE_BURST_MAX + 1);
    burst->overflow = 1 + (uint32_t)(now / 1000);
    for (uint32_t i = 0; i < burst->count; i++) {
        uint32_t n = (uint32_t)test_random_below(PEERS);
        burst->hash[i] = hash_number(n);
        burst->fresh[i] = fresh_number(n);
    }
}

/* Stores the rest of a burst one by one; what is there already is skipped. */
static void
store_both(struct table *many, struct table *single, struct table_burst *burst)
{
    struct table_entry victim;
    uint32_t stored = table_store(many, burst, now + LIFE_MS, now);
    uint64_t evicted = burst->evicted;
    for (uint32_t i = 0; i < stored; i++) {
        EXPECT_TRUE(store_one(single, burst, i, &victim));
        EXPECT_EQ(victim.fport != 0, evicted >> i & 1);
        if (evicted >> i & 1)
            EXPECT_BYTES((uint8_t *)&victim, (uint8_t *)&burst->victim[i], 64);
    }
    for (uint32_t i = stored; i < burst->count; i++) {
        bool ok = store_one(single, burst, i, &victim);
        if (i == stored && many->bucketlimit <= 32)
            EXPECT_TRUE(!ok);
        EXPECT_EQ(ok, store_one(many, burst, i, &victim));
    }
}

static void
remove_some(struct table *many, struct table *single)
{
    for (int i = 0; i < 20; i++) {
        uint32_t n = (uint32_t)test_random_below(PEERS);
        struct table_ref ref = find_number(many, n);
        struct table_ref same = find_number(single, n);
        EXPECT_EQ(ref.entry == NULL, same.entry == NULL);
        table_prefetch_entry(many, hash_number(n));
        if (ref.entry == NULL)
            continue;
        EXPECT_EQ(ref.slot, same.slot);
        table_remove(many, ref);
        table_remove(single, same);
    }
}

static void
walk(uint32_t hashsize, uint32_t limit, uint32_t cachelimit, uint32_t isa)
{
    struct table_block many = table_new(hashsize, limit, cachelimit);
    struct table_block single = table_new(hashsize, limit, cachelimit);
    static struct table_burst burst;
    size_t size = table_bytes(hashsize, limit);
    /* Entries are dirty at first, in both alike. */
    memcpy(many.memory, single.memory, size);
    many.table.isa = isa;
    now = 100000;
    for (int i = 0; i < 400; i++) {
        random_burst(&burst);
        store_both(&many.table, &single.table, &burst);
        if (i % 3 == 0)
            remove_some(&many.table, &single.table);
        expect_equal(&many, &single);
        now += test_random_below(50);
    }
    EXPECT_TRUE(many.table.count > 0);
    free(many.memory);
    free(single.memory);
}

static const struct {
    uint32_t hashsize, limit, cachelimit;
} rows[] = {{1, 1, 1},    {8, 30, 240},  {64, 30, 1920}, {8, 32, 200},
            {16, 5, 200}, {4, 240, 960}, {2, 33, 66},    {16, 31, 300}};

static void
test_store_equals_one_after_the_other(void)
{
    /* With the instructions that every machine has. */
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        walk(rows[i].hashsize, rows[i].limit, rows[i].cachelimit,
             SYNCACHE_ISA_PORTABLE);
}

static void
test_searches_of_avx512_equal_the_portable_ones(void)
{
    /* On a machine that has it; on another the level is the best there is. */
    uint32_t isa = simd_kernels_named("avx512")->isa;
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        walk(rows[i].hashsize, rows[i].limit, rows[i].cachelimit, isa);
}

static const struct test tests[] = {
    TEST(test_store_equals_one_after_the_other),
    TEST(test_searches_of_avx512_equal_the_portable_ones),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

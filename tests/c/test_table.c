/* Entries, tags and ranks of the table, against lists. */
#include "table_model.h"

#include "../../csrc/core/entry.h"

static void
test_memory_is_at_most_72_bytes_an_entry(void)
{
    /* Everything included, at FreeBSD's default size and at larger ones. */
    for (uint32_t hashsize = 512; hashsize <= 1 << 20; hashsize <<= 1) {
        size_t entries = (size_t)hashsize * 30;
        EXPECT_TRUE(table_bytes(hashsize, 30) <= entries * 72);
        EXPECT_EQ((size_t)hashsize * 2050, table_bytes(hashsize, 30));
    }
    EXPECT_EQ(0, table_bytes(2, 1) % 64);
}

static void
test_new_table_is_empty_whatever_its_memory_held(void)
{
    /* The caller's block is not cleared before. */
    struct table_block block = table_new(4, 31, 99);
    EXPECT_EQ(99, block.table.cachelimit);
    EXPECT_EQ(0, block.table.count);
    EXPECT_EQ(0, block.table.swept_ms);
    EXPECT_EQ(SYNCACHE_NEVER, block.table.next_due_ms);
    for (uint32_t bucket = 0; bucket < 4; bucket++) {
        EXPECT_EQ(0, table_bucket_count(&block.table, bucket));
        EXPECT_EQ(0xffff, block.table.next_due[bucket]);
    }
    for (uint32_t n = 0; n < 100; n++)
        EXPECT_TRUE(find_number(&block.table, n).entry == NULL);
    free(block.memory);
}

static void
test_full_bucket_gives_its_oldest(void)
{
    /* FreeBSD's victim: first in, first out, whatever was removed between. */
    static const uint32_t limits[] = {1, 2, 29, 30, 31, 62, 63, 239, 240};
    for (size_t i = 0; i < TEST_COUNT(limits); i++) {
        uint32_t limit = limits[i];
        struct table_block block = table_new(1, limit, UINT32_MAX);
        struct table *table = &block.table;
        EXPECT_TRUE(table_oldest(table, 0).entry == NULL);
        for (uint32_t n = 0; n < 3 * limit; n++) {
            EXPECT_EQ(n >= limit, table_bucket_full(table, 0));
            if (table_bucket_full(table, 0)) {
                struct table_ref oldest = table_oldest(table, 0);
                EXPECT_EQ(n - limit, oldest.entry->irs);
                table_remove(table, oldest);
                EXPECT_TRUE(find_number(table, n - limit).entry == NULL);
            }
            insert_number(table, n);
            EXPECT_EQ(n < limit ? n + 1 : limit, table_bucket_count(table, 0));
        }
        for (uint32_t n = 2 * limit; n < 3 * limit; n++)
            EXPECT_EQ(n, find_number(table, n).entry->irs);
        free(block.memory);
    }
}

static void
test_new_entry_is_zero_but_for_its_tuple(void)
{
    /* Nothing of a slot's previous tenant is left. */
    struct table_block block = table_new(1, 1, 1);
    struct table_ref ref = insert_number(&block.table, 2);
    memset(&ref.entry->irs, 0xff, sizeof *ref.entry - 36);
    table_remove(&block.table, ref);
    struct syncache_tuple tuple = tuple_number(4);
    ref = table_insert(&block.table, 0, &tuple);
    struct table_entry expected = {.flags = 0};
    memcpy(expected.faddr, tuple.faddr, 16);
    memcpy(expected.laddr, tuple.laddr, 16);
    expected.fport = tuple.fport;
    expected.lport = tuple.lport;
    EXPECT_BYTES((uint8_t *)&expected, (uint8_t *)ref.entry, 64);
    EXPECT_EQ(SYNCACHE_NEVER, table_deadline_ms(&block.table, ref, 0));
    free(block.memory);
}

static void
test_families_with_equal_bytes_do_not_match(void)
{
    /* 10.0.0.1 and 0a00:0001:: have the same 16 bytes. */
    struct table_block block = table_new(1, 4, 4);
    struct syncache_tuple v4 = tuple_number(2);
    struct syncache_tuple v6 = tuple_number(3);
    EXPECT_BYTES(v4.faddr, v6.faddr, 16);
    struct table_ref ref = table_insert(&block.table, 5, &v4);
    EXPECT_EQ(0, ref.entry->flags & ENTRY_V6);
    EXPECT_TRUE(table_find(&block.table, 5, &v6).entry == NULL);
    ref = table_insert(&block.table, 5, &v6);
    EXPECT_EQ(ENTRY_V6, ref.entry->flags);
    EXPECT_TRUE(table_find(&block.table, 5, &v6).entry == ref.entry);
    EXPECT_TRUE(table_find(&block.table, 5, &v4).entry != ref.entry);
    free(block.memory);
}

static void
test_each_part_of_the_tuple_counts(void)
{
    /* Equal hashes are settled by the tuple, by every byte of it. */
    struct table_block block = table_new(1, 30, 30);
    struct syncache_tuple tuple = tuple_number(7);
    table_insert(&block.table, 0, &tuple);
    for (size_t i = 0; i < offsetof(struct syncache_tuple, family); i++) {
        struct syncache_tuple other = tuple;
        ((uint8_t *)&other)[i] ^= 1;
        EXPECT_TRUE(table_find(&block.table, 0, &other).entry == NULL);
    }
    EXPECT_TRUE(table_find(&block.table, 0, &tuple).entry != NULL);
    /* Another tag is another hash, so another tuple. */
    EXPECT_TRUE(table_find(&block.table, UINT64_C(1) << 56, &tuple).entry ==
                NULL);
    free(block.memory);
}

static void
test_bucket_is_the_hash_modulo_hashsize(void)
{
    /* The low bits choose, for every size from one bucket on. */
    for (uint32_t hashsize = 1; hashsize <= 1024; hashsize <<= 1) {
        struct table_block block = table_new(hashsize, 1, 1);
        for (int i = 0; i < 100; i++) {
            uint64_t hash = test_random();
            EXPECT_EQ(hash % hashsize, table_bucket(&block.table, hash));
            table_prefetch_tags(&block.table, table_bucket(&block.table, hash));
            table_prefetch_entry(&block.table, hash);
            table_prefetch_all(&block.table, &hash, 1);
        }
        free(block.memory);
    }
}

static void
test_lines_are_asked_for_beyond_the_default_size(void)
{
    /* FreeBSD's default table stays in the second cache. */
    struct table_block near = table_new(512, 30, 15360);
    struct table_block far = table_new(1024, 30, 30720);
    uint64_t hash = test_random();
    EXPECT_TRUE(!near.table.distant);
    EXPECT_TRUE(far.table.distant);
    table_prefetch_all(&far.table, &hash, 1);
    free(near.memory);
    free(far.memory);
}

static void
test_overflow_stamp_is_kept_per_bucket(void)
{
    /* Second 0 is a time, not "never". */
    struct table_block block = table_new(2, 31, 62);
    uint32_t second = 77;
    EXPECT_TRUE(!table_overflowed(&block.table, 0, &second));
    EXPECT_EQ(77, second);
    table_stamp_overflow(&block.table, 0, 0);
    EXPECT_TRUE(table_overflowed(&block.table, 0, &second));
    EXPECT_EQ(0, second);
    EXPECT_TRUE(!table_overflowed(&block.table, 1, &second));
    table_stamp_overflow(&block.table, 1, 4000000000u);
    EXPECT_TRUE(table_overflowed(&block.table, 1, &second));
    EXPECT_EQ(4000000000u, second);
    free(block.memory);
}

#define PEERS 2000

/* The table as lists: what is in each bucket, oldest first. */
struct lists {
    uint32_t *bucket[8];
    uint32_t count[8];
    uint32_t total;
};

static uint32_t
list_index(const struct lists *lists, uint32_t bucket, uint32_t n)
{
    uint32_t i = 0;
    while (i < lists->count[bucket] && lists->bucket[bucket][i] != n)
        i++;
    return i;
}

static void
list_remove(struct lists *lists, uint32_t bucket, uint32_t i)
{
    uint32_t *list = lists->bucket[bucket];
    lists->count[bucket]--;
    lists->total--;
    memmove(list + i, list + i + 1, (lists->count[bucket] - i) * sizeof *list);
}

static void
expect_same(const struct table *table, const struct lists *lists,
            uint32_t bucket)
{
    EXPECT_EQ(lists->total, table->count);
    EXPECT_EQ(lists->count[bucket], table_bucket_count(table, bucket));
    for (uint32_t i = 0; i < lists->count[bucket]; i++) {
        struct table_ref ref = table_by_rank(table, bucket, i);
        EXPECT_EQ(lists->bucket[bucket][i], ref.entry->irs);
    }
    EXPECT_TRUE(table_by_rank(table, bucket, lists->count[bucket]).entry ==
                NULL);
}

/* One SYN, ACK or removal out of order on both. */
static void
step(struct table *table, struct lists *lists, uint32_t mode)
{
    uint32_t n = (uint32_t)test_random_below(PEERS);
    uint32_t bucket = table_bucket(table, hash_number(n));
    uint32_t i = list_index(lists, bucket, n);
    struct table_ref ref = find_number(table, n);
    EXPECT_EQ(i < lists->count[bucket], ref.entry != NULL);
    if (ref.entry != NULL) {
        EXPECT_EQ(n, ref.entry->irs);
        if (test_random_below(mode) == 0) {
            table_remove(table, ref);
            list_remove(lists, bucket, i);
        }
    } else {
        if (table_bucket_full(table, bucket)) {
            table_remove(table, table_oldest(table, bucket));
            list_remove(lists, bucket, 0);
        }
        insert_number(table, n);
        lists->bucket[bucket][lists->count[bucket]++] = n;
        lists->total++;
    }
    expect_same(table, lists, bucket);
}

static void
test_random_steps_follow_lists(void)
{
    /* Insert, find, evict, remove: order and contents as a list keeps them. */
    static const struct {
        uint32_t hashsize, bucketlimit;
    } rows[] = {{1, 1}, {1, 30}, {2, 31}, {8, 30}, {1, 240}, {4, 240}, {8, 5}};
    for (size_t row = 0; row < TEST_COUNT(rows); row++) {
        uint32_t limit = rows[row].bucketlimit;
        struct table_block block =
            table_new(rows[row].hashsize, limit, limit * 8);
        struct lists lists = {.total = 0};
        for (size_t i = 0; i < 8; i++)
            lists.bucket[i] = calloc(limit, sizeof(uint32_t));
        /* Phases of filling (seldom removed) and of draining. */
        for (uint32_t i = 0; i < 15000; i++)
            step(&block.table, &lists, i / 3000 % 2 == 0 ? 8 : 1);
        EXPECT_TRUE(lists.total > 0 || limit == 1);
        for (size_t i = 0; i < 8; i++)
            free(lists.bucket[i]);
        free(block.memory);
    }
}

static const struct test tests[] = {
    TEST(test_memory_is_at_most_72_bytes_an_entry),
    TEST(test_new_table_is_empty_whatever_its_memory_held),
    TEST(test_full_bucket_gives_its_oldest),
    TEST(test_new_entry_is_zero_but_for_its_tuple),
    TEST(test_families_with_equal_bytes_do_not_match),
    TEST(test_each_part_of_the_tuple_counts),
    TEST(test_bucket_is_the_hash_modulo_hashsize),
    TEST(test_lines_are_asked_for_beyond_the_default_size),
    TEST(test_overflow_stamp_is_kept_per_bucket),
    TEST(test_random_steps_follow_lists),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

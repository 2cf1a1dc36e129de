/*
 * The hash-bucketed cache: entries, tags and ranks.  Deadlines are table_due.c;
 * table.h draws the bucket.
 *
 * Order.  A slot's rank is its age among its neighbours, 0 the oldest, always
 * 0 .. n-1.  Insertion gives rank n; removal of rank r takes one off every
 * rank above r.  That is FreeBSD's queue exactly, and eviction is "the slot of
 * rank 0", without a link to follow.
 *
 * Steps.  Finding, choosing a victim and writing are separate calls, so that a
 * burst can do each for all its packets and prefetch in between.  The loops
 * over a line of tags are table_kernel.h's.
 */
#include "table_ops.h"

#include "../simd/table_avx512.h"

/* A table of FreeBSD's default size; second caches hold 1 to 2 MiB. */
#define TABLE_NEAR_BYTES (512 * (2048 + 2) + TABLE_LINE)

/* A search by the best instructions that the engine may use. */
#ifdef TABLE_AVX512
#define TABLE_BY(table, name, ...)                                            \
    ((table)->isa == SYNCACHE_ISA_AVX512 ? table_##name##_avx512(__VA_ARGS__) \
                                         : table_##name##_here(__VA_ARGS__))
#else
#define TABLE_BY(table, name, ...) table_##name##_here(__VA_ARGS__)
#endif

static uint32_t
table_line_bytes(uint32_t bucketlimit)
{
    uint32_t bytes = bucketlimit * 2 + 4;
    return (bytes + TABLE_LINE - 1) & ~(uint32_t)(TABLE_LINE - 1);
}

static uint32_t
table_bucket_bytes(uint32_t bucketlimit)
{
    return 2 * table_line_bytes(bucketlimit) + bucketlimit * TABLE_LINE;
}

size_t
table_bytes(uint32_t hashsize, uint32_t bucketlimit)
{
    size_t bucket_bytes = table_bucket_bytes(bucketlimit) + sizeof(uint16_t);
    size_t bytes = hashsize * bucket_bytes;
    return (bytes + TABLE_LINE - 1) & ~(size_t)(TABLE_LINE - 1);
}

void
table_init(struct table *table, void *memory, uint32_t hashsize,
           uint32_t bucketlimit, uint32_t cachelimit)
{
    assert(hashsize > 0 && (hashsize & (hashsize - 1)) == 0);
    assert(bucketlimit > 0 && bucketlimit <= SYNCACHE_BUCKETLIMIT_MAX);
    assert((uintptr_t)memory % TABLE_LINE == 0);
    table->bucket_bytes = table_bucket_bytes(bucketlimit);
    table->due_offset = table_line_bytes(bucketlimit);
    table->entry_offset = 2 * table->due_offset;
    table->mask = hashsize - 1;
    table->bucketlimit = bucketlimit;
    table->cachelimit = cachelimit;
    table->count = 0;
    table->isa = SYNCACHE_ISA_PORTABLE;
    table->distant = table_bytes(hashsize, bucketlimit) > TABLE_NEAR_BYTES;
    table->challenge_buckets = 0;
    table->next_due_ms = SYNCACHE_NEVER;
    table->swept_ms = 0;
    table->aged_ms = 0;
    table->buckets = memory;
    size_t buckets_bytes = (size_t)hashsize * table->bucket_bytes;
    table->next_due = (uint16_t *)(void *)(table->buckets + buckets_bytes);
    for (uint32_t bucket = 0; bucket < hashsize; bucket++) {
        memset(table_tags(table, bucket), 0xff, table->entry_offset);
        memset(table_meta(table, bucket), 0, sizeof(struct table_meta));
        memset(table_overflow(table, bucket), 0, sizeof(uint32_t));
    }
    memset(table->next_due, 0xff,
           table_bytes(hashsize, bucketlimit) - buckets_bytes);
}

uint32_t
table_bucket(const struct table *table, uint64_t hash)
{
    return table_bucket_of(table, hash);
}

/* The first `size` bytes of a bucket. */
static inline void
table_prefetch_lines(const struct table *table, uint32_t bucket, size_t size)
{
    const uint8_t *line = table_at(table, bucket);
    const uint8_t *end = line + size;

    for (; line < end; line += TABLE_LINE)
        BITS_FETCH(line, 1);
    BITS_FETCH(&table->next_due[bucket], 1);
}

void
table_prefetch_tags(const struct table *table, uint32_t bucket)
{
    table_prefetch_lines(table, bucket, table->entry_offset);
}

void
table_prefetch_all(const struct table *table, const uint64_t *hash,
                   uint32_t count)
{
    /* Asking costs more than waiting for what is in the second cache. */
    if (!table->distant)
        return;
    /* Deadlines come with the entry: what is asked for first comes first. */
    for (uint32_t i = 0; i < count; i++)
        table_prefetch_lines(table, table_bucket_of(table, hash[i]),
                             table->due_offset);
}

void
table_prefetch_entry(const struct table *table, uint64_t hash)
{
    (void)TABLE_BY(table, prefetch, table, table_bucket(table, hash),
                   table_tag_of(hash));
}

struct table_ref
table_find(const struct table *table, uint64_t hash,
           const struct syncache_tuple *tuple)
{
    uint32_t bucket = table_bucket(table, hash);

    return table_ref(
        table, bucket,
        TABLE_BY(table, find, table, bucket, table_tag_of(hash), tuple));
}

uint32_t
table_bucket_count(const struct table *table, uint32_t bucket)
{
    const uint16_t *tags = table_tags(table, bucket);
    uint32_t limit = table->bucketlimit;
    uint32_t count = 0;

    for (uint32_t i = 0; i < limit; i += TABLE_LANES)
        count +=
            table_count_bits(~table_match(tags + i, TABLE_EMPTY, TABLE_EMPTY) &
                             table_lane_bits(limit - i));
    return count;
}

bool
table_bucket_full(const struct table *table, uint32_t bucket)
{
    return TABLE_BY(table, scan, table, bucket, TABLE_EMPTY, TABLE_EMPTY) ==
           table->bucketlimit;
}

struct table_ref
table_by_rank(const struct table *table, uint32_t bucket, uint32_t rank)
{
    assert(rank < TABLE_RANK_MASK); /* which is an empty slot's */
    return table_ref(
        table, bucket,
        TABLE_BY(table, scan, table, bucket, TABLE_RANK_MASK, rank));
}

struct table_ref
table_oldest(const struct table *table, uint32_t bucket)
{
    return table_by_rank(table, bucket, 0);
}

struct table_ref
table_insert(struct table *table, uint64_t hash,
             const struct syncache_tuple *tuple)
{
    uint32_t bucket = table_bucket(table, hash);
    uint32_t count = table_bucket_count(table, bucket);
    uint32_t slot =
        TABLE_BY(table, scan, table, bucket, TABLE_EMPTY, TABLE_EMPTY);

    assert(slot < table->bucketlimit);
    assert(table->count < table->cachelimit);
    assert(table_dues(table, bucket)[slot] == TABLE_DUE_NONE);
    table_tags(table, bucket)[slot] = (uint16_t)(table_tag_of(hash) | count);
    table->count++;
    struct table_ref ref = {table_entries(table, bucket) + slot, bucket, slot};
    memset(ref.entry, 0, sizeof *ref.entry);
    memcpy(ref.entry->faddr, tuple->faddr, sizeof ref.entry->faddr);
    memcpy(ref.entry->laddr, tuple->laddr, sizeof ref.entry->laddr);
    ref.entry->fport = tuple->fport;
    ref.entry->lport = tuple->lport;
    ref.entry->flags = tuple->family == 6 ? ENTRY_V6 : 0;
    return ref;
}

uint32_t
table_store(struct table *table, struct table_burst *burst,
            uint64_t deadline_ms, uint64_t now_ms)
{
    uint64_t units = table_units(deadline_ms, now_ms);
    uint32_t stored;

    assert(burst->count <= SYNCACHE_BURST_MAX);
    burst->evicted = 0;
    if (table->bucketlimit > TABLE_LANES)
        return 0;
    stored = TABLE_BY(table, store, table, burst,
                      (uint32_t)(units % TABLE_DUE_SPAN));
    if (stored > 0 && units * TABLE_DUE_MS < table->next_due_ms)
        table->next_due_ms = units * TABLE_DUE_MS;
    return stored;
}

void
table_remove(struct table *table, struct table_ref ref)
{
    uint16_t *tags = table_tags(table, ref.bucket);
    uint32_t limit = table->bucketlimit;
    uint32_t rank = tags[ref.slot] & TABLE_RANK_MASK;

    assert(ref.entry != NULL && tags[ref.slot] != TABLE_EMPTY);
    assert(table->count > 0);
    for (uint32_t i = 0; i < limit; i += TABLE_LANES)
        table_close(tags + i, limit - i < TABLE_LANES ? limit - i : TABLE_LANES,
                    rank);
    assert(tags[ref.slot] == TABLE_EMPTY);
    table_dues(table, ref.bucket)[ref.slot] = TABLE_DUE_NONE;
    table->count--;
}

void
table_stamp_overflow(struct table *table, uint32_t bucket, uint32_t second)
{
    uint32_t stored = second + 1;
    memcpy(table_overflow(table, bucket), &stored, sizeof stored);
}

bool
table_overflowed(const struct table *table, uint32_t bucket, uint32_t *second)
{
    uint32_t stored;
    memcpy(&stored, table_overflow(table, bucket), sizeof stored);
    if (stored == 0)
        return false;
    *second = stored - 1;
    return true;
}

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
#include "table_line.h"

#include "entry.h"

#include <string.h>

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

/*
 * First slot at or after `slot` whose tag and rank, masked, have this value;
 * bucketlimit if there is none.
 */
static uint32_t
table_scan(const uint16_t *tags, uint32_t slot, uint32_t bucketlimit,
           uint32_t mask, uint32_t value)
{
    uint32_t line = slot & ~(TABLE_LANES - 1);
    uint32_t bits = UINT32_MAX << (slot - line);

    for (; line < bucketlimit; line += TABLE_LANES) {
        bits &= table_match(tags + line, mask, value) &
                table_lane_bits(bucketlimit - line);
        if (bits != 0)
            return line + (uint32_t)__builtin_ctz(bits);
        bits = UINT32_MAX;
    }
    return bucketlimit;
}

/* Takes one off every rank above this one. */
static void
table_close_rank(uint16_t *tags, uint32_t bucketlimit, uint32_t rank)
{
    for (uint32_t line = 0; line < bucketlimit; line += TABLE_LANES) {
        uint32_t lanes = bucketlimit - line;

        table_close(tags + line, lanes < TABLE_LANES ? lanes : TABLE_LANES,
                    rank);
    }
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
    table->challenge_buckets = 0;
    table->next_due_ms = SYNCACHE_NEVER;
    table->swept_ms = 0;
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
    return (uint32_t)hash & table->mask;
}

static uint32_t
table_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 56) << 8;
}

void
table_prefetch_tags(const struct table *table, uint32_t bucket)
{
    const uint8_t *line = table_at(table, bucket);
    const uint8_t *end = line + table->entry_offset;
    for (; line < end; line += TABLE_LINE)
        __builtin_prefetch(line, 1);
    __builtin_prefetch(&table->next_due[bucket], 1);
}

void
table_prefetch_entry(const struct table *table, uint64_t hash)
{
    uint32_t bucket = table_bucket(table, hash);
    uint32_t limit = table->bucketlimit;
    const uint16_t *tags = table_tags(table, bucket);
    uint32_t twin = table_scan(tags, 0, limit, TABLE_TAG_MASK, table_tag(hash));
    uint32_t count = table_bucket_count(table, bucket);
    uint32_t free = count < limit ? TABLE_EMPTY : 0;
    uint32_t mask = count < limit ? TABLE_EMPTY : TABLE_RANK_MASK;
    uint32_t place = table_scan(tags, 0, limit, mask, free);
    const uint8_t *entries = table_at(table, bucket) + table->entry_offset;

    __builtin_prefetch(entries + (size_t)place * TABLE_LINE, 1);
    if (twin < limit)
        __builtin_prefetch(entries + (size_t)twin * TABLE_LINE, 1);
}

static bool
table_matches(const struct table_entry *entry,
              const struct syncache_tuple *tuple)
{
    bool v6 = (entry->flags & ENTRY_V6) != 0;
    return entry->fport == tuple->fport && entry->lport == tuple->lport &&
           v6 == (tuple->family == 6) &&
           memcmp(entry->faddr, tuple->faddr, sizeof entry->faddr) == 0 &&
           memcmp(entry->laddr, tuple->laddr, sizeof entry->laddr) == 0;
}

struct table_ref
table_find(const struct table *table, uint64_t hash,
           const struct syncache_tuple *tuple)
{
    uint32_t bucket = table_bucket(table, hash);
    uint32_t tag = table_tag(hash);
    uint32_t limit = table->bucketlimit;
    const uint16_t *tags = table_tags(table, bucket);
    uint32_t slot = table_scan(tags, 0, limit, TABLE_TAG_MASK, tag);
    while (slot < limit) {
        struct table_ref ref = table_ref(table, bucket, slot);
        if (tags[slot] != TABLE_EMPTY && table_matches(ref.entry, tuple))
            return ref;
        slot = table_scan(tags, slot + 1, limit, TABLE_TAG_MASK, tag);
    }
    return table_ref(table, bucket, limit);
}

uint32_t
table_bucket_count(const struct table *table, uint32_t bucket)
{
    return table_meta(table, bucket)->count;
}

bool
table_bucket_full(const struct table *table, uint32_t bucket)
{
    return table_bucket_count(table, bucket) == table->bucketlimit;
}

struct table_ref
table_by_rank(const struct table *table, uint32_t bucket, uint32_t rank)
{
    /* An empty slot has rank 0xff, which no count reaches. */
    uint32_t slot = table->bucketlimit;
    if (rank < table_bucket_count(table, bucket))
        slot = table_scan(table_tags(table, bucket), 0, slot, TABLE_RANK_MASK,
                          rank);
    return table_ref(table, bucket, slot);
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
    uint16_t *tags = table_tags(table, bucket);
    struct table_meta *meta = table_meta(table, bucket);
    assert(meta->count < table->bucketlimit);
    assert(table->count < table->cachelimit);
    uint32_t slot =
        table_scan(tags, 0, table->bucketlimit, TABLE_EMPTY, TABLE_EMPTY);
    assert(slot < table->bucketlimit);
    tags[slot] = (uint16_t)(table_tag(hash) | meta->count);
    meta->count++;
    table->count++;
    struct table_ref ref = table_ref(table, bucket, slot);
    assert(table_dues(table, bucket)[slot] == TABLE_DUE_NONE);
    memset(ref.entry, 0, sizeof *ref.entry);
    memcpy(ref.entry->faddr, tuple->faddr, sizeof ref.entry->faddr);
    memcpy(ref.entry->laddr, tuple->laddr, sizeof ref.entry->laddr);
    ref.entry->fport = tuple->fport;
    ref.entry->lport = tuple->lport;
    ref.entry->flags = tuple->family == 6 ? ENTRY_V6 : 0;
    return ref;
}

void
table_remove(struct table *table, struct table_ref ref)
{
    uint16_t *tags = table_tags(table, ref.bucket);
    struct table_meta *meta = table_meta(table, ref.bucket);
    assert(ref.entry != NULL && tags[ref.slot] != TABLE_EMPTY);
    assert(meta->count > 0 && table->count > 0);
    uint32_t rank = tags[ref.slot] & TABLE_RANK_MASK;
    tags[ref.slot] = TABLE_EMPTY;
    table_close_rank(tags, table->bucketlimit, rank);
    table_dues(table, ref.bucket)[ref.slot] = TABLE_DUE_NONE;
    meta->count--;
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

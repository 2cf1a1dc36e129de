/*
 * Where things lie in a bucket (table.h draws it), for the files that make up
 * the table: table.c, which keeps entries and their order, and table_due.c,
 * which keeps their deadlines.  Nobody else includes this.
 *
 * Tag lines and due lines are whole cache lines, so that the loops over a line
 * (table_kernel.h) may read and write all of the last one, of which the end is
 * no slots.
 */
#ifndef SYNCACHE_CORE_TABLE_LINE_H
#define SYNCACHE_CORE_TABLE_LINE_H

#include "table.h"
#include "table_kernel.h"

#include <assert.h>

#define TABLE_LINE 64
#define TABLE_DUE_SPAN 65535u /* deadlines are units modulo this */
#define TABLE_HAS_CHALLENGES 0x01u /* bucket flag */

_Static_assert(sizeof(struct table_entry) == TABLE_LINE, "one cache line");
_Static_assert(TABLE_LANES * sizeof(uint16_t) == TABLE_LINE, "one cache line");
_Static_assert(SYNCACHE_BUCKETLIMIT_MAX < TABLE_RANK_MASK,
               "a rank is never 0xff, so 0xffff is no slot in use");

/* The end of the tag lines; seldom written. */
struct table_meta {
    uint16_t flags;
    uint16_t spare;
};

/* table_due.c: a deadline as a count of units, rounded up and cut. */
uint64_t table_units(uint64_t deadline_ms, uint64_t now_ms);

static inline uint32_t
table_bucket_of(const struct table *table, uint64_t hash)
{
    return (uint32_t)hash & table->mask;
}

/* A tag where it stands in a slot of the tag lines. */
static inline uint32_t
table_tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 56) << 8;
}

static inline uint8_t *
table_at(const struct table *table, uint32_t bucket)
{
    assert(bucket <= table->mask);
    return table->buckets + (size_t)bucket * table->bucket_bytes;
}

static inline uint16_t *
table_tags(const struct table *table, uint32_t bucket)
{
    return (uint16_t *)(void *)table_at(table, bucket);
}

static inline struct table_meta *
table_meta(const struct table *table, uint32_t bucket)
{
    return (struct table_meta *)(void *)(table_tags(table, bucket) +
                                         table->bucketlimit);
}

static inline uint16_t *
table_dues(const struct table *table, uint32_t bucket)
{
    return (uint16_t *)(void *)(table_at(table, bucket) + table->due_offset);
}

static inline uint8_t *
table_overflow(const struct table *table, uint32_t bucket)
{
    return (uint8_t *)(table_dues(table, bucket) + table->bucketlimit);
}

static inline struct table_entry *
table_entries(const struct table *table, uint32_t bucket)
{
    return (struct table_entry *)(void *)(table_at(table, bucket) +
                                          table->entry_offset);
}

static inline struct table_ref
table_ref(const struct table *table, uint32_t bucket, uint32_t slot)
{
    struct table_ref ref = {NULL, bucket, slot};
    if (slot < table->bucketlimit)
        ref.entry = table_entries(table, bucket) + slot;
    return ref;
}

#endif

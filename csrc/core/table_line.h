/*
 * Where things lie in a bucket (table.h draws it), for the files that make up
 * the table: table.c, which keeps entries and their order, and table_due.c,
 * which keeps their deadlines.  Nobody else includes this.
 */
#ifndef SYNCACHE_CORE_TABLE_LINE_H
#define SYNCACHE_CORE_TABLE_LINE_H

#include "table.h"

#include <assert.h>

#define TABLE_LINE 64
#define TABLE_EMPTY 0xffffu
#define TABLE_TAG_MASK 0xff00u
#define TABLE_RANK_MASK 0x00ffu
#define TABLE_DUE_NONE 0xffffu
#define TABLE_HAS_CHALLENGES 0x01u /* bucket flag */

_Static_assert(sizeof(struct table_entry) == TABLE_LINE, "one cache line");
_Static_assert(SYNCACHE_BUCKETLIMIT_MAX < TABLE_RANK_MASK,
               "a rank is never 0xff, so 0xffff is no slot in use");

/* What stands at the end of the tag lines. */
struct table_meta {
    uint8_t count;
    uint8_t flags;
    uint16_t spare;
};

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

static inline struct table_ref
table_ref(const struct table *table, uint32_t bucket, uint32_t slot)
{
    struct table_ref ref = {NULL, bucket, slot};
    if (slot < table->bucketlimit) {
        uint8_t *entries = table_at(table, bucket) + table->entry_offset;
        ref.entry = (struct table_entry *)(void *)entries + slot;
    }
    return ref;
}

#endif

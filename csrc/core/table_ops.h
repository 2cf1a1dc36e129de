/*
 * The searches that every SYN makes in its bucket, over whatever instructions the including file offers: table.c for
 * every machine, simd/table_avx512.c for those that compare a line at once.  Both give the same slots.
 *
 * The including file may define TABLE_FN and TABLE_OWN, the heads of functions for others and for itself,
 * TABLE_NAME(name), their names, and TABLE_MATCH and TABLE_SHIFT, the loops over a line (table_kernel.h).
 * A result is a slot; bucketlimit is none.
 *
 * Not here: the use of a slot (table.c).
 */
#ifndef SYNCACHE_CORE_TABLE_OPS_H
#define SYNCACHE_CORE_TABLE_OPS_H

#include "bits.h"
#include "entry.h"
#include "table_line.h"

#include <string.h>

#ifndef TABLE_FN
#define TABLE_FN static uint32_t
#define TABLE_OWN static inline uint32_t
#define TABLE_NAME(name) table_##name##_here
#define TABLE_MATCH table_match
#define TABLE_SHIFT table_shift
#endif

#define TABLE_TAKEN 0x100u            /* beside a slot: it was empty */

static inline bool
table_matches(const struct table_entry *entry, const struct syncache_tuple *tuple)
{
    bool v6 = (entry->flags & ENTRY_V6) != 0;
    return entry->fport == tuple->fport && entry->lport == tuple->lport && v6 == (tuple->family == 6) &&
           memcmp(entry->faddr, tuple->faddr, sizeof entry->faddr) == 0 &&
           memcmp(entry->laddr, tuple->laddr, sizeof entry->laddr) == 0;
}

/* The slot of a tuple. */
TABLE_FN TABLE_NAME(find)(const struct table *table, uint32_t bucket, uint32_t tag, const struct syncache_tuple *tuple)
{
    const uint16_t *tags = table_tags(table, bucket);
    const struct table_entry *entries = table_entries(table, bucket);
    uint32_t limit = table->bucketlimit;

    for (uint32_t i = 0; i < limit; i += TABLE_LANES) {
        uint32_t bits = TABLE_MATCH(tags + i, TABLE_TAG_MASK, tag) & table_lane_bits(limit - i);

        for (; bits != 0; bits &= bits - 1) {
            uint32_t slot = i + bits_lowest(bits);

            if (tags[slot] != TABLE_EMPTY && table_matches(&entries[slot], tuple))
                return slot;
        }
    }
    return limit;
}

/* The first slot that has `value` under `mask`. */
TABLE_FN TABLE_NAME(scan)(const struct table *table, uint32_t bucket, uint32_t mask, uint32_t value)
{
    const uint16_t *tags = table_tags(table, bucket);
    uint32_t limit = table->bucketlimit;

    for (uint32_t i = 0; i < limit; i += TABLE_LANES) {
        uint32_t bits = TABLE_MATCH(tags + i, mask, value) & table_lane_bits(limit - i);

        if (bits != 0)
            return i + bits_lowest(bits);
    }
    return limit;
}

/* Asks for deadlines and the entries that a SYN of this tag may need: its own, and the one it would take, a result. */
TABLE_FN TABLE_NAME(prefetch)(const struct table *table, uint32_t bucket, uint32_t tag)
{
    const uint16_t *tags = table_tags(table, bucket);
    const uint16_t *dues = table_dues(table, bucket);
    const struct table_entry *entries = table_entries(table, bucket);
    uint32_t limit = table->bucketlimit;
    uint32_t oldest = limit;
    uint32_t empty = limit;

    for (uint32_t i = limit - 1 - (limit - 1) % TABLE_LANES; i < limit; i -= TABLE_LANES) {
        uint32_t slots = table_lane_bits(limit - i);
        uint32_t twin = TABLE_MATCH(tags + i, TABLE_TAG_MASK, tag) & slots;
        uint32_t old = TABLE_MATCH(tags + i, TABLE_RANK_MASK, 0) & slots;
        uint32_t none = TABLE_MATCH(tags + i, TABLE_EMPTY, TABLE_EMPTY) & slots;

        if (twin != 0)
            BITS_FETCH(&entries[i + bits_lowest(twin)], 1);
        if (old != 0)
            oldest = i + bits_lowest(old);
        if (none != 0)
            empty = i + bits_lowest(none);
        if (table->distant)
            BITS_FETCH(dues + i, 1);
    }
    empty = empty < limit ? empty : oldest;
    BITS_FETCH(&entries[empty], 1);
    return empty;
}

/* Do two entries have the same tuple? */
static inline bool
table_same(const struct table_entry *a, const struct table_entry *b)
{
    return memcmp(a, b, offsetof(struct table_entry, irs)) == 0 && ((a->flags ^ b->flags) & ENTRY_V6) == 0;
}

/* Is one of the slots an entry of the same tuple? */
static inline bool
table_has(const struct table_entry *entries, uint32_t slots, const struct table_entry *fresh)
{
    for (; slots != 0; slots &= slots - 1)
        if (table_same(&entries[bits_lowest(slots)], fresh))
            return true;
    return false;
}

/* The state of the next entries' buckets when they were looked at. */
struct table_seen {
    uint8_t *bucket[TABLE_LANES];
    uint32_t twins[TABLE_LANES];      /* slots of its tag */
    uint8_t oldest[TABLE_LANES];      /* slot; none if one was empty, or the entry is there */
};

/*
 * Looks at the buckets of the next entries, no more of them than a bucket has slots, and prefetches the lines that
 * storing them will touch.  Returns where it ended.
 */
TABLE_OWN TABLE_NAME(look)(const struct table *table, const struct table_burst *burst, uint32_t from,
                           struct table_seen *seen)
{
    uint32_t limit = table->bucketlimit;
    uint32_t slots = table_lane_bits(limit);
    /* In equal parts: in a short last one, nothing would have come by the time it is written. */
    uint32_t parts = (burst->count - from + limit - 1) / limit;
    uint32_t count = (burst->count - from + parts - 1) / parts;
    uint8_t twins[TABLE_LANES];
    uint32_t twins_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = burst->hash[from + i];
        uint8_t *bucket = table_at(table, table_bucket_of(table, hash));
        const uint16_t *tags = (const uint16_t *)(const void *)bucket;
        uint32_t empty = TABLE_MATCH(tags, TABLE_EMPTY, TABLE_EMPTY) & slots;
        uint32_t oldest = TABLE_MATCH(tags, TABLE_RANK_MASK, 0) & slots;
        uint32_t slot = bits_lowest(empty != 0 ? empty : oldest);

        BITS_FETCH(bucket + table->entry_offset + slot * TABLE_LINE, 1);
        seen->bucket[i] = bucket;
        seen->oldest[i] = (uint8_t)(empty != 0 ? limit : slot);
        seen->twins[i] = TABLE_MATCH(tags, TABLE_TAG_MASK, table_tag_of(hash)) & slots & ~empty;
        if (table->distant) {
            uint32_t twin = seen->twins[i] != 0 ? bits_lowest(seen->twins[i]) : slot;

            BITS_FETCH(bucket + table->entry_offset + twin * TABLE_LINE, 1);
            BITS_FETCH(bucket + table->due_offset, 1);
        }
        /* One in nine has a tag in common with another: no branch of its own for each. */
        twins[twins_count] = (uint8_t)i;
        twins_count += seen->twins[i] != 0;
    }
    for (uint32_t k = 0; k < twins_count; k++) {
        uint32_t i = twins[k];
        const uint8_t *entries = seen->bucket[i] + table->entry_offset;

        if (table_has((const void *)entries, seen->twins[i], &burst->fresh[from + i]))
            seen->oldest[i] = (uint8_t)limit;
    }
    return from + count;
}

/* Where an entry goes if its bucket has room, or has changed; none: stop here.  An empty slot is taken. */
TABLE_OWN TABLE_NAME(place)(struct table *table, const struct table_burst *burst, uint32_t i)
{
    uint32_t limit = table->bucketlimit;
    uint32_t slots = table_lane_bits(limit);
    uint32_t bucket = table_bucket_of(table, burst->hash[i]);
    uint32_t tag = table_tag_of(burst->hash[i]);
    uint16_t *tags = table_tags(table, bucket);
    uint32_t empty = TABLE_MATCH(tags, TABLE_EMPTY, TABLE_EMPTY) & slots;
    uint32_t twins = TABLE_MATCH(tags, TABLE_TAG_MASK, tag) & slots & ~empty;

    if (table_has(table_entries(table, bucket), twins, &burst->fresh[i]))
        return limit;
    if (empty == 0)
        return bits_lowest(TABLE_MATCH(tags, TABLE_RANK_MASK, 0) & slots);
    if (table->count == table->cachelimit)
        return limit;
    table->count++;
    tags[bits_lowest(empty)] = (uint16_t)(tag | table_count_bits(slots & ~empty));
    return bits_lowest(empty) | TABLE_TAKEN;
}

/*
 * table_store() where a bucket's slots are within one line.  First buckets are looked at, then they are written.  What
 * was seen of a full bucket holds as long as its slot is still the oldest: until then nothing went into it, since a
 * slot that was taken is the oldest again only when all others have been taken after it.
 */
TABLE_FN TABLE_NAME(store)(struct table *table, struct table_burst *burst, uint32_t due)
{
    /* Values that the stores into the table cannot change, as the compiler cannot know. */
    const struct table fixed = *table;
    const uint32_t limit = fixed.bucketlimit;
    const uint32_t overflow = burst->overflow;
    struct table_seen seen;
    uint64_t evicted = 0;
    uint32_t looked = 0;
    uint32_t next = 0;
    uint32_t i = 0;

    for (; i < burst->count; i++, next++) {
        if (i == looked) {
            looked = TABLE_NAME(look)(&fixed, burst, looked, &seen);
            next = 0;
        }

        uint64_t hash = burst->hash[i];
        uint8_t *bucket = seen.bucket[next];
        uint16_t *tags = (uint16_t *)(void *)bucket;
        uint16_t *dues = (uint16_t *)(void *)(bucket + fixed.due_offset);
        uint16_t *next_due = &fixed.next_due[table_bucket_of(&fixed, hash)];
        struct table_entry *entries = (struct table_entry *)(void *)(bucket + fixed.entry_offset);
        uint32_t slot = seen.oldest[next];

        if (slot == limit || (tags[slot] & TABLE_RANK_MASK) != 0)
            slot = TABLE_NAME(place)(table, burst, i);
        if (slot == limit)
            break;
        if ((slot & TABLE_TAKEN) == 0) {
            evicted |= UINT64_C(1) << i;
            burst->victim[i] = entries[slot];
            TABLE_SHIFT(tags, limit);
            tags[slot] = (uint16_t)(table_tag_of(hash) | (limit - 1));
            memcpy(dues + limit, &overflow, sizeof overflow);
        }
        slot &= TABLE_TAKEN - 1;
        entries[slot] = burst->fresh[i];
        dues[slot] = (uint16_t)due;
        if (*next_due == TABLE_DUE_NONE || table_distance(due, *next_due) < 0)
            *next_due = (uint16_t)due;
    }
    burst->evicted = evicted;
    return i;
}

#endif

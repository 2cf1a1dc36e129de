/*
 * The table's deadlines and the sweep that keeps 16-bit times readable.
 *
 * Deadlines.  In units of 4 ms, rounded up, so an entry is never due early and
 * less than 4 ms late.  Kept modulo 65535, which leaves 0xffff for "none"; a
 * difference is read as signed, so it is right within 32767 units = 131,068 ms
 * either way.  That they stay within, with sweeps at s, s' ..:
 *
 *   - every call made when 30 s or more passed since the last sweep sweeps
 *     first, so whatever is armed is armed before s + 30 s, at most 64 s ahead
 *     (TABLE_ARM_MAX_MS): no deadline lies beyond s + 94 s;
 *   - a sweep moves past deadlines to its own time, and arming in the past
 *     means now: no deadline lies before s;
 *   - so at a time t up to s + 124 s, a deadline is at most 124 s behind t and
 *     at most 64 s ahead of it, both within 131 s;
 *   - later than s + 124 s, all are due, since none lies beyond s + 94 s.
 *
 * The same holds of next_due, a lower bound made of such deadlines.
 *
 * Polling.  Nothing is linked: a poll runs over next_due, 32 buckets at a step,
 * and over the due line of each bucket found (table_kernel.h).  What is due is
 * handed out many at a time, its cache lines asked for on the way.
 *
 * Challenge windows.  Their start is 16 bits of milliseconds (65,536 ms), their
 * length at most 30 s.  A sweep at s zeroes those older than 30 s, so until the
 * next one (before s + 30 s) a start is at most 60 s old and read rightly.  At
 * the next sweep, g after s, true ages lie in (g - 30 s, g + 30 s): what reads
 * as 30 s or more has ended, and so has what reads as g - 30 s or less, since
 * that is an age that wrapped.
 *
 * Ages.  The time of birth is 32 bits of milliseconds, 49 days.  A sweep that
 * comes TABLE_AGE_MAX_MS = a or more after one that looked at ages looks again,
 * and sets those above a to a.  Before it no age is above 3a + 60 s, or there
 * was no call for a and longer: then all are older than a.
 */
#include "bits.h"
#include "table_line.h"

#include <string.h>

#define TABLE_DUE_HALF 32767
#define TABLE_AHEAD \
    32u /* due buckets prefetched before the first is looked at */
#define TABLE_WRAP_MS 124000 /* since the last sweep: all are due */

_Static_assert(TABLE_SWEEP_MS + TABLE_ARM_MAX_MS < TABLE_WRAP_MS,
               "after a gap that long everything is due");
_Static_assert(TABLE_WRAP_MS + TABLE_DUE_MS < TABLE_DUE_HALF * TABLE_DUE_MS,
               "up to that gap a difference has the right sign");
_Static_assert(2 * TABLE_CHALLENGE_MAX_MS < 65536 &&
                   TABLE_CHALLENGE_MAX_MS + TABLE_SWEEP_MS < 65536,
               "a window's start can be read until the sweep");

/* Milliseconds to units modulo the span. */
static uint32_t
table_unit_past(uint64_t ms)
{
    return (uint32_t)(ms / TABLE_DUE_MS % TABLE_DUE_SPAN);
}

/* Units from `from` to `to`, negative if `to` is the earlier one. */
static int32_t
table_unit_distance(uint32_t from, uint32_t to)
{
    assert(from < TABLE_DUE_SPAN && to < TABLE_DUE_SPAN);
    int32_t distance = (int32_t)to - (int32_t)from;
    if (distance > TABLE_DUE_HALF)
        distance -= (int32_t)TABLE_DUE_SPAN;
    if (distance < -TABLE_DUE_HALF)
        distance += (int32_t)TABLE_DUE_SPAN;
    return distance;
}

static bool
table_unit_due(uint32_t due, uint32_t now)
{
    return due != TABLE_DUE_NONE && table_distance(now, due) >= 0;
}

static uint64_t
table_unit_ms(uint32_t due, uint64_t now_ms)
{
    int64_t distance = table_unit_distance(table_unit_past(now_ms), due);
    uint64_t now_units = now_ms / TABLE_DUE_MS;
    return (now_units + (uint64_t)distance) * TABLE_DUE_MS;
}

/* The earlier of two deadlines, either of which may be none. */
static uint32_t
table_unit_earlier(uint32_t a, uint32_t b)
{
    if (a == TABLE_DUE_NONE)
        return b;
    if (b == TABLE_DUE_NONE)
        return a;
    return table_unit_distance(a, b) < 0 ? b : a;
}

/* The earliest of `count` deadlines; `line` is a whole number of lines. */
static uint32_t
table_earliest(const uint16_t *line, uint32_t count, uint32_t now)
{
    int32_t soonest = TABLE_FAR;

    for (uint32_t i = 0; i < count; i += TABLE_LANES) {
        uint32_t bits = table_lane_bits(count - i);
        int32_t distance = table_soonest(line + i, bits, now);

        soonest = distance < soonest ? distance : soonest;
    }
    return soonest == TABLE_FAR ? TABLE_DUE_NONE
                                : (uint16_t)(now + (uint32_t)soonest);
}

uint64_t
table_units(uint64_t deadline_ms, uint64_t now_ms)
{
    uint64_t ahead_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    if (ahead_ms > TABLE_ARM_MAX_MS)
        ahead_ms = TABLE_ARM_MAX_MS;
    /* A past deadline is now's own unit, rounded down, so that it is due. */
    uint64_t round_ms = ahead_ms == 0 ? 0 : TABLE_DUE_MS - 1;
    return (now_ms + ahead_ms + round_ms) / TABLE_DUE_MS;
}

void
table_arm(struct table *table, struct table_ref ref, uint64_t deadline_ms,
          uint64_t now_ms)
{
    assert(ref.entry != NULL);
    uint64_t units = table_units(deadline_ms, now_ms);
    uint32_t due = (uint32_t)(units % TABLE_DUE_SPAN);
    uint16_t *next_due = &table->next_due[ref.bucket];
    table_dues(table, ref.bucket)[ref.slot] = (uint16_t)due;
    *next_due = (uint16_t)table_unit_earlier(*next_due, due);
    if (units * TABLE_DUE_MS < table->next_due_ms)
        table->next_due_ms = units * TABLE_DUE_MS;
}

uint64_t
table_deadline_ms(const struct table *table, struct table_ref ref,
                  uint64_t now_ms)
{
    assert(ref.entry != NULL);
    uint32_t due = table_dues(table, ref.bucket)[ref.slot];
    return due == TABLE_DUE_NONE ? SYNCACHE_NEVER : table_unit_ms(due, now_ms);
}

/* First due buckets from `bucket` on, up to `max`, asked for from memory. */
static uint32_t
table_due_buckets(const struct table *table, uint32_t bucket, uint32_t now,
                  uint32_t buckets[static TABLE_AHEAD], uint32_t max)
{
    uint32_t line = bucket & ~(TABLE_LANES - 1);
    uint32_t from = UINT32_MAX << (bucket - line);
    uint32_t found = 0;

    assert(max <= TABLE_AHEAD);
    for (; line <= table->mask; line += TABLE_LANES) {
        uint32_t bits = table_due_lanes(table->next_due + line, now) & from;

        for (; bits != 0 && found < max; bits &= bits - 1) {
            uint32_t due = line + bits_lowest(bits);

            table_prefetch_tags(table, due);
            buckets[found++] = due;
        }
        if (found == max)
            break;
        from = UINT32_MAX;
    }
    return found;
}

#define TABLE_WORD_BITS (8 * sizeof(uintptr_t)) /* a register's */
#define TABLE_WORDS ((TABLE_RANK_MASK + 1) / TABLE_WORD_BITS)

/* Which slots of a bucket are due, by age. */
struct table_due_slots {
    uintptr_t ranks[TABLE_WORDS];      /* a bit for each rank */
    uint8_t slot[TABLE_RANK_MASK + 1]; /* of a rank in `ranks` */
};

/* Finds what is due; returns the earliest of the other deadlines. */
static uint32_t
table_due_find(const struct table *table, uint32_t bucket, uint32_t now,
               struct table_due_slots *found)
{
    const uint16_t *tags = table_tags(table, bucket);
    const uint16_t *dues = table_dues(table, bucket);
    int32_t soonest = TABLE_FAR;

    memset(found->ranks, 0, sizeof found->ranks);
    for (uint32_t i = 0; i < table->bucketlimit; i += TABLE_LANES) {
        uint32_t slots = table_lane_bits(table->bucketlimit - i);
        uint32_t bits = table_due_lanes(dues + i, now) & slots;
        int32_t distance = table_soonest(dues + i, slots & ~bits, now);

        soonest = distance < soonest ? distance : soonest;
        for (; bits != 0; bits &= bits - 1) {
            uint32_t slot = i + bits_lowest(bits);
            uint32_t rank = tags[slot] & TABLE_RANK_MASK;

            found->slot[rank] = (uint8_t)slot;
            found->ranks[rank / TABLE_WORD_BITS] |= (uintptr_t)1
                                                    << rank % TABLE_WORD_BITS;
        }
    }
    return soonest == TABLE_FAR ? TABLE_DUE_NONE
                                : (uint16_t)(now + (uint32_t)soonest);
}

/* Place of the lowest bit. */
static size_t
table_lowest(uintptr_t bits)
{
    return sizeof bits == sizeof(uint32_t) ? bits_lowest((uint32_t)bits)
                                           : bits_lowest64(bits);
}

/* Takes up to `max` due entries of a bucket, oldest first. */
static uint32_t
table_take_bucket(struct table *table, uint32_t bucket, uint32_t now,
                  struct table_ref *refs, uint32_t max)
{
    struct table_due_slots found;
    uint32_t rest = table_due_find(table, bucket, now, &found);
    uint32_t taken = 0;

    for (size_t i = 0; i < TABLE_WORDS; i++) {
        uintptr_t ranks = found.ranks[i];
        for (; ranks != 0; ranks &= ranks - 1) {
            size_t rank = i * TABLE_WORD_BITS + table_lowest(ranks);

            if (taken == max)
                return taken; /* next_due says that there is more */
            refs[taken] = table_ref(table, bucket, found.slot[rank]);
            BITS_FETCH(refs[taken].entry, 1);
            taken++;
        }
    }
    /* Arming lowers it again for those that were taken. */
    table->next_due[bucket] = (uint16_t)rest;
    return taken;
}

uint32_t
table_take_due(struct table *table, uint64_t now_ms, uint32_t *cursor,
               struct table_ref *refs, uint32_t max)
{
    uint32_t now = table_unit_past(now_ms);
    uint32_t taken = 0;
    uint32_t buckets[TABLE_AHEAD];
    uint32_t count = 0;

    assert(max > 0);
    if (now_ms >= table->next_due_ms)
        count = table_due_buckets(table, *cursor, now, buckets,
                                  max < TABLE_AHEAD ? max : TABLE_AHEAD);
    while (count > 0) {
        for (uint32_t i = 0; i < count; i++) {
            *cursor = buckets[i];
            taken += table_take_bucket(table, buckets[i], now, refs + taken,
                                       max - taken);
            if (taken == max)
                return taken;
        }
        count = table_due_buckets(table, *cursor, now, buckets, TABLE_AHEAD);
    }
    *cursor = table->mask + 1;
    if (now_ms >= table->next_due_ms) {
        uint32_t due = table_earliest(table->next_due, *cursor, now);
        table->next_due_ms =
            due == TABLE_DUE_NONE ? SYNCACHE_NEVER : table_unit_ms(due, now_ms);
    }
    return taken;
}

void
table_mark_challenge(struct table *table, struct table_ref ref)
{
    assert(ref.entry != NULL && ref.entry->challenges > 0);
    struct table_meta *meta = table_meta(table, ref.bucket);
    if ((meta->flags & TABLE_HAS_CHALLENGES) == 0) {
        meta->flags |= TABLE_HAS_CHALLENGES;
        table->challenge_buckets++;
    }
}

/* Zeroes the challenges of windows that ended; gap_ms since the last sweep. */
static void
table_sweep_challenges(struct table *table, uint32_t bucket, uint32_t gap_ms,
                       uint64_t now_ms)
{
    struct table_meta *meta = table_meta(table, bucket);
    if ((meta->flags & TABLE_HAS_CHALLENGES) == 0)
        return;
    uint32_t wrapped_ms = gap_ms < TABLE_SWEEP_MS ? 0 : gap_ms - TABLE_SWEEP_MS;
    bool running = false;
    const uint16_t *tags = table_tags(table, bucket);
    for (uint32_t slot = 0; slot < table->bucketlimit; slot++) {
        struct table_entry *entry = table_ref(table, bucket, slot).entry;
        if (tags[slot] == TABLE_EMPTY || entry->challenges == 0)
            continue;
        uint16_t age_ms = (uint16_t)(now_ms - entry->challenge_ms);
        if (age_ms >= TABLE_CHALLENGE_MAX_MS || age_ms < wrapped_ms)
            entry->challenges = 0;
        running |= entry->challenges != 0;
    }
    if (!running) {
        assert(table->challenge_buckets > 0);
        meta->flags &= (uint16_t)~TABLE_HAS_CHALLENGES;
        table->challenge_buckets--;
    }
}

/* Moves what is due, or everything, to now. */
static void
table_sweep_dues(struct table *table, uint32_t bucket, uint32_t now, bool all)
{
    uint16_t *dues = table_dues(table, bucket);
    for (uint32_t slot = 0; slot < table->bucketlimit; slot++) {
        if (dues[slot] == TABLE_DUE_NONE)
            continue;
        if (all || table_unit_due(dues[slot], now))
            dues[slot] = (uint16_t)now;
    }
    table->next_due[bucket] =
        (uint16_t)table_earliest(dues, table->bucketlimit, now);
}

/* Entries older than an age can be told get that age. */
static void
table_sweep_ages(struct table *table, uint64_t now_ms, bool all)
{
    for (uint32_t bucket = 0; bucket <= table->mask; bucket++) {
        const uint16_t *tags = table_tags(table, bucket);
        for (uint32_t slot = 0; slot < table->bucketlimit; slot++) {
            struct table_entry *entry = table_ref(table, bucket, slot).entry;
            if (tags[slot] != TABLE_EMPTY &&
                (all || table_age_ms(entry, now_ms) == TABLE_AGE_MAX_MS))
                entry->born_ms = (uint32_t)now_ms - TABLE_AGE_MAX_MS;
        }
    }
    table->aged_ms = now_ms;
}

void
table_sweep(struct table *table, uint64_t now_ms)
{
    assert(table != NULL);
    uint64_t past_ms = now_ms - table->swept_ms;
    uint32_t gap_ms = past_ms < UINT32_MAX ? (uint32_t)past_ms : UINT32_MAX;
    uint32_t now = table_unit_past(now_ms);
    bool all = gap_ms > TABLE_WRAP_MS;
    for (uint32_t bucket = 0; bucket <= table->mask; bucket++) {
        uint32_t next_due = table->next_due[bucket];
        if (next_due != TABLE_DUE_NONE &&
            (all || table_unit_due(next_due, now)))
            table_sweep_dues(table, bucket, now, all);
        if (table->challenge_buckets > 0)
            table_sweep_challenges(table, bucket, gap_ms, now_ms);
    }
    table->swept_ms = now_ms;
    if (now_ms - table->aged_ms >= TABLE_AGE_MAX_MS)
        table_sweep_ages(table, now_ms,
                         gap_ms >= TABLE_AGE_MAX_MS + TABLE_SWEEP_MS);
}

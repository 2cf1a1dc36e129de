/*
 * The hash-bucketed cache of half-open entries, in the caller's memory.  Does not know TCP: it keeps 64-byte entries
 * under their tuple, their order of arrival within a bucket, and one deadline each.
 *
 * A bucket is one run of cache lines: tag lines, due lines, entries.
 *
 *   tag lines   bucketlimit x u16 {tag 8 bits << 8 | rank 8 bits}; rank 0 is the oldest, ranks are always 0 .. n-1,
 *               0xffff is an empty slot; then 4 bytes: u16 flags, u16 spare
 *   due lines   bucketlimit x u16 deadline in units of 4 ms modulo 65535, 0xffff is none; then u32 last overflow
 *   entries     bucketlimit x 64 bytes
 *
 * Beside the buckets: next_due, u16 per bucket, a lower bound of the bucket's deadlines.
 * At bucketlimit 30 a bucket is 64 + 64 + 1920 = 2048 bytes: 68.3 bytes an entry with next_due.
 */
#ifndef SYNCACHE_CORE_TABLE_H
#define SYNCACHE_CORE_TABLE_H

#include "../syncache.h"

#define TABLE_DUE_MS 4                /* a deadline is rounded up to this: never early, less than 4 ms late */
#define TABLE_ARM_MAX_MS SYNCACHE_REXMIT_MAX_MS /* a deadline further away is cut to this */
#define TABLE_SWEEP_MS 30000          /* how often table_sweep() must run so that 16-bit times do not wrap */
#define TABLE_AGE_MAX_MS (UINT32_C(1) << 30) /* of an entry, 12 days: an older one counts as old as that */
#define TABLE_CHALLENGE_MAX_MS SYNCACHE_CHALLENGE_MAX_MS

/* One half-open connection.  The table reads the tuple and born_ms; the rest is the events'. */
struct table_entry {
    uint8_t faddr[16];
    uint8_t laddr[16];
    uint16_t fport;
    uint16_t lport;
    uint32_t irs;                     /* peer's ISN (sc_irs) */
    uint32_t iss;                     /* ours (sc_iss) */
    uint32_t tsreflect;               /* peer's latest TSval, to be echoed (sc_tsreflect) */
    uint32_t born_ms;                 /* low 32 bits of the time of insertion */
    uint16_t peer_mss;                /* as in the SYN; 0: no option (sc_peer_mss) */
    uint16_t endpoint;                /* slot of the listening endpoint */
    uint16_t flags;                   /* ENTRY_* of entry.h; ENTRY_V6, set by the table, is part of the key */
    uint16_t challenge_ms;            /* low 16 bits of the start of the challenge ACK window */
    uint8_t scales;                   /* peer's in bits 7-4, ours in bits 3-0 */
    uint8_t rxmits;                   /* SYN-ACKs sent (sc_rxmits) */
    uint8_t dup_answers;              /* answers to duplicate SYNs */
    uint8_t challenges;               /* challenge ACKs in the window */
};

struct table {
    uint8_t *buckets;
    uint16_t *next_due;
    uint32_t bucket_bytes;
    uint32_t due_offset;              /* of the due lines in a bucket */
    uint32_t entry_offset;            /* of the entries in a bucket */
    uint32_t mask;                    /* hashsize - 1 */
    uint32_t bucketlimit;
    uint32_t cachelimit;
    uint32_t count;
    uint32_t isa;                     /* enum syncache_isa: the level of the searches; portable after table_init() */
    bool distant;                     /* too large for a processor's second cache */
    uint32_t challenge_buckets;       /* buckets whose flag says that an entry has challenges */
    uint64_t next_due_ms;             /* lower bound over all buckets, SYNCACHE_NEVER if empty */
    uint64_t swept_ms;                /* time of the last sweep */
    uint64_t aged_ms;                 /* when ages were last kept from wrapping */
};

/* Where an entry lies. entry is NULL for "none". */
struct table_ref {
    struct table_entry *entry;
    uint32_t bucket;
    uint32_t slot;
};

/* Memory for a table of this size; the caller has made sure that a size_t holds it.  So for every *_bytes(). */
size_t table_bytes(uint32_t hashsize, uint32_t bucketlimit);
void table_init(struct table *table, void *memory, uint32_t hashsize, uint32_t bucketlimit, uint32_t cachelimit);

/* Bucket number of a tuple's hash: its low bits; the tag is its top byte. */
uint32_t table_bucket(const struct table *table, uint64_t hash);

/*
 * Prefetches of a burst, for table_find() and the calls behind it; neither changes anything.  First, for all packets,
 * the lines that every event reads: tags and next_due.  Then, once the tags have come, the deadlines and the entries:
 * the one that may be the tuple's, and the one that a new entry would take (an empty slot, or the oldest if none is
 * empty).  A bucket by itself comes with its deadlines at once.
 */
void table_prefetch_tags(const struct table *table, uint32_t bucket);
void table_prefetch_all(const struct table *table, const uint64_t *hash, uint32_t count);   /* the tags of many */
void table_prefetch_entry(const struct table *table, uint64_t hash);

struct table_ref table_find(const struct table *table, uint64_t hash, const struct syncache_tuple *tuple);
uint32_t table_bucket_count(const struct table *table, uint32_t bucket);
bool table_bucket_full(const struct table *table, uint32_t bucket);
struct table_ref table_oldest(const struct table *table, uint32_t bucket);

/*
 * Takes an empty slot of the bucket for a new, youngest entry; the tuple is written, the rest is zero, no deadline.
 * The bucket must not be full, the count must be below cachelimit (asserted): make room first by table_remove().
 */
struct table_ref table_insert(struct table *table, uint64_t hash, const struct syncache_tuple *tuple);
void table_remove(struct table *table, struct table_ref ref);

/* New entries that are stored together. */
struct table_burst {
    uint64_t hash[SYNCACHE_BURST_MAX];
    struct table_entry fresh[SYNCACHE_BURST_MAX];     /* with their tuples */
    struct table_entry victim[SYNCACHE_BURST_MAX];    /* out: the entry that made room for fresh[i] */
    uint64_t evicted;                 /* out: a bit for each that had to */
    uint32_t overflow;                /* the second to stamp their buckets with, plus 1 */
    uint32_t count;
};

/*
 * Stores entries in their order, each as table_find(), which finds nothing, then table_remove() of the oldest if
 * the bucket is full, table_insert() and table_arm() would.
 *
 *   returns  how many: it stops before one whose tuple has an entry, and before one that its bucket has room for but
 *            cachelimit has not; 0 if buckets are larger than a line of tags
 */
uint32_t table_store(struct table *table, struct table_burst *burst, uint64_t deadline_ms, uint64_t now_ms);

/* Arms the entry's deadline.  One in the past is due at once. */
void table_arm(struct table *table, struct table_ref ref, uint64_t deadline_ms, uint64_t now_ms);
uint64_t table_deadline_ms(const struct table *table, struct table_ref ref, uint64_t now_ms);

/*
 * Says that entry->challenges became non-zero, so that table_sweep() looks at it: the 16 bits of challenge_ms can be
 * read for 65 s only, and the sweep zeroes `challenges` where the window has ended for certain.
 */
void table_mark_challenge(struct table *table, struct table_ref ref);

/*
 * Takes up to max due entries, in bucket order, oldest first within a bucket, from bucket *cursor (0 at first) on.
 * Every one of them must be re-armed or removed before the next call; their cache lines are on their way.
 *
 *   returns  how many; max: *cursor is the last one's bucket, where the next call has to begin.  Fewer: these were the
 *            last, *cursor is hashsize and next_due_ms is renewed
 */
uint32_t table_take_due(struct table *table, uint64_t now_ms, uint32_t *cursor, struct table_ref *refs, uint32_t max);

/* Age of an entry, TABLE_AGE_MAX_MS at most. */
static inline uint32_t
table_age_ms(const struct table_entry *entry, uint64_t now_ms)
{
    uint32_t age_ms = (uint32_t)now_ms - entry->born_ms;

    return age_ms < TABLE_AGE_MAX_MS ? age_ms : TABLE_AGE_MAX_MS;
}

/* The entries of a bucket in order of age: rank 0 is the oldest. */
struct table_ref table_by_rank(const struct table *table, uint32_t bucket, uint32_t rank);

/*
 * Keeps 16-bit times unambiguous: to be called before anything else when TABLE_SWEEP_MS or more passed since swept_ms
 * (0 at first, which any clock may start from).  A deadline in the past is moved to now (it stays due); after a
 * gap so long that deadlines may have wrapped, all are due.  table_due.c has the proof.
 */
void table_sweep(struct table *table, uint64_t now_ms);

/* Recency of overflow per bucket, whole seconds since init; 0: never. Values are stored plus 1. */
void table_stamp_overflow(struct table *table, uint32_t bucket, uint32_t second);
bool table_overflowed(const struct table *table, uint32_t bucket, uint32_t *second);

#endif

/*
 * The rival of the table: a list-and-malloc cache in FreeBSD's manner, written from its specification.
 *
 * 2^n buckets, each a doubly linked tail queue of malloc'd entries, newest first; lookup compares the 40 bytes of both
 * ends along the list; a full bucket frees its tail; one timer a bucket, in a wheel of callouts, walks the list.  With
 * its pause, the first full bucket sends all SYNs to cookies for 15 s and more.  No locks: they would only cost.
 */
#ifndef SYNCACHE_BENCH_RIVAL_LIST_H
#define SYNCACHE_BENCH_RIVAL_LIST_H

#include "syncache.h"

#include <sys/queue.h>

#define LIST_CALLOUTS 65536           /* slots of the wheel, one a millisecond: longer than any timeout */

/* What is compared, all in network order but for the zone. */
struct list_ends {
    uint16_t fport;
    uint16_t lport;
    uint8_t faddr[16];                /* IPv4 in the last four */
    uint8_t laddr[16];
    uint32_t zone;
};

/* As large as FreeBSD's, 176 bytes; what a handshake without its peculiarities does not need is `other`. */
struct list_entry {
    TAILQ_ENTRY(list_entry) queue;
    uint8_t flags;                    /* of the ends: IPv6 */
    uint8_t size;
    uint16_t fib;
    struct list_ends ends;
    uint32_t deadline_ms;             /* low 32 bits */
    uint16_t rxmits;
    uint16_t peer_mss;
    uint32_t tsreflect;
    uint32_t tsoff;
    uint32_t flowlabel;
    uint32_t irs;
    uint32_t iss;
    uint16_t wnd;
    uint8_t ttl;
    uint8_t tos;
    uint8_t scales;
    uint8_t reserved;
    uint16_t options;                 /* LIST_* */
    uint8_t other[80];
};

#define LIST_WINSCALE 1
#define LIST_TIMESTAMP 2
#define LIST_SACK 4

struct list_bucket {
    TAILQ_HEAD(list_queue, list_entry) queue;
    uint64_t next_ms;                 /* of its callout; SYNCACHE_NEVER: none runs */
    uint64_t overflow_s;
    uint32_t callout_next;            /* bucket number + 1, in a slot of the wheel */
    uint32_t callout_prev;
    uint32_t length;
};

struct list_cache {
    struct list_bucket *buckets;
    uint32_t *wheel;                  /* bucket number + 1: the first callout of a millisecond */
    uint64_t wheel_ms;                /* all before have fired */
    uint32_t mask;
    uint32_t bucketlimit;
    uint32_t count;
    uint32_t secret;
    bool pauses;                      /* does it pause at all? */
    bool paused;
    uint8_t backoff;
    uint64_t until_s;
    uint64_t evicted;
};

struct list_cache *list_make(uint32_t hashsize, uint32_t bucketlimit, bool pauses);
void list_free(struct list_cache *cache);

/* lookup3 of the foreign end under the cache's secret: the local end is not hashed. */
uint32_t list_hash(const struct list_cache *cache, const struct list_ends *ends);
void list_ends_of(const struct syncache_tuple *tuple, struct list_ends *ends);

/* Is it answering by cookies alone? */
bool list_cookies_only(struct list_cache *cache, uint64_t now_ms);
struct list_entry *list_lookup(struct list_cache *cache, const struct list_ends *ends, struct list_bucket **bucket);
/* A new, youngest entry with its first timeout; the tail of a full bucket goes.  NULL if there is no memory. */
struct list_entry *list_insert(struct list_cache *cache, struct list_bucket *bucket, const struct list_ends *ends,
                               uint64_t now_ms);
void list_remove(struct list_cache *cache, struct list_bucket *bucket, struct list_entry *entry);
/* Sets an entry's next timeout, and pulls its bucket's callout if that is earlier. */
void list_arm(struct list_cache *cache, struct list_bucket *bucket, struct list_entry *entry, uint64_t deadline_ms);
/* Runs the callouts up to now_ms; `due` is called for each entry that is due, and arms or removes it; in a pause the
 * bucket is emptied instead. */
typedef void list_due(void *context, struct list_bucket *bucket, struct list_entry *entry);
void list_poll(struct list_cache *cache, uint64_t now_ms, list_due *due, void *context);

#endif

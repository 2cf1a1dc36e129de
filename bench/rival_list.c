/* See rival_list.h. */
#include "rival_list.h"

#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define LIST_PAUSE_S 15
#define LIST_BACKOFF_MAX 6
#define LIST_REXMIT_INITIAL_MS 1000

_Static_assert(sizeof(struct list_entry) == 176, "as FreeBSD's");
_Static_assert(sizeof(struct list_ends) == 40, "no padding is compared");

struct list_cache *
list_make(uint32_t hashsize, uint32_t bucketlimit, bool pauses)
{
    struct list_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        bench_fail("no memory");
    cache->buckets = calloc(hashsize, sizeof *cache->buckets);
    cache->wheel = calloc(LIST_CALLOUTS, sizeof *cache->wheel);
    if (cache->buckets == NULL || cache->wheel == NULL)
        bench_fail("no memory");
    cache->mask = hashsize - 1;
    cache->bucketlimit = bucketlimit;
    cache->secret = 0x5ec3e7;
    cache->pauses = pauses;
    for (uint32_t i = 0; i < hashsize; i++) {
        TAILQ_INIT(&cache->buckets[i].queue);
        cache->buckets[i].next_ms = SYNCACHE_NEVER;
    }
    return cache;
}

void
list_free(struct list_cache *cache)
{
    for (uint32_t i = 0; i <= cache->mask; i++) {
        struct list_bucket *bucket = &cache->buckets[i];

        while (!TAILQ_EMPTY(&bucket->queue))
            list_remove(cache, bucket, TAILQ_FIRST(&bucket->queue));
    }
    free(cache->wheel);
    free(cache->buckets);
    free(cache);
}

static uint32_t
list_rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* lookup3 over five words: one mix of three, then two and the final. */
uint32_t
list_hash(const struct list_cache *cache, const struct list_ends *ends)
{
    uint32_t word[5];
    uint32_t a;
    uint32_t b;
    uint32_t c;

    memcpy(&word[0], &ends->fport, 4);
    memcpy(&word[1], ends->faddr, 16);
    a = b = c = 0xdeadbeef + 4 * 5 + cache->secret;
    a += word[0];
    b += word[1];
    c += word[2];
    a = (a - c) ^ list_rotate(c, 4), c += b;
    b = (b - a) ^ list_rotate(a, 6), a += c;
    c = (c - b) ^ list_rotate(b, 8), b += a;
    a = (a - c) ^ list_rotate(c, 16), c += b;
    b = (b - a) ^ list_rotate(a, 19), a += c;
    c = (c - b) ^ list_rotate(b, 4), b += a;
    a += word[3];
    b += word[4];
    c = (c ^ b) - list_rotate(b, 14);
    a = (a ^ c) - list_rotate(c, 11);
    b = (b ^ a) - list_rotate(a, 25);
    c = (c ^ b) - list_rotate(b, 16);
    a = (a ^ c) - list_rotate(c, 4);
    b = (b ^ a) - list_rotate(a, 14);
    c = (c ^ b) - list_rotate(b, 24);
    return c;
}

static uint16_t
list_network_order(uint16_t port)
{
    const uint8_t bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};
    uint16_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

void
list_ends_of(const struct syncache_tuple *tuple, struct list_ends *ends)
{
    size_t at = tuple->family == 4 ? 12 : 0;

    memset(ends, 0, sizeof *ends);
    ends->fport = list_network_order(tuple->fport);
    ends->lport = list_network_order(tuple->lport);
    memcpy(ends->faddr + at, tuple->faddr, 16 - at);
    memcpy(ends->laddr + at, tuple->laddr, 16 - at);
}

bool
list_cookies_only(struct list_cache *cache, uint64_t now_ms)
{
    if (cache->paused && now_ms / 1000 >= cache->until_s)
        cache->paused = false;
    return cache->paused;
}

/* A bucket was full: 15 s without insertion, longer if it happens again. */
static void
list_pause(struct list_cache *cache, uint64_t now_s)
{
    uint64_t length_s = (uint64_t)LIST_PAUSE_S << cache->backoff;

    if (!cache->pauses || cache->paused)
        return;
    if (cache->until_s != 0 && cache->until_s + length_s > now_s) {
        if (cache->backoff < LIST_BACKOFF_MAX) {
            cache->backoff++;
            length_s *= 2;
        }
    } else {
        cache->backoff = 0;
        length_s = LIST_PAUSE_S;
    }
    cache->paused = true;
    cache->until_s = now_s + length_s;
}

struct list_entry *
list_lookup(struct list_cache *cache, const struct list_ends *ends,
            struct list_bucket **bucket)
{
    struct list_entry *entry;

    *bucket = &cache->buckets[list_hash(cache, ends) & cache->mask];
    TAILQ_FOREACH(entry, &(*bucket)->queue, queue)
    {
        if (memcmp(&entry->ends, ends, sizeof *ends) == 0)
            return entry;
    }
    return NULL;
}

void
list_remove(struct list_cache *cache, struct list_bucket *bucket,
            struct list_entry *entry)
{
    TAILQ_REMOVE(&bucket->queue, entry, queue);
    bucket->length--;
    cache->count--;
    free(entry);
}

struct list_entry *
list_insert(struct list_cache *cache, struct list_bucket *bucket,
            const struct list_ends *ends, uint64_t now_ms)
{
    struct list_entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    entry->ends = *ends;
    if (bucket->length >= cache->bucketlimit) {
        list_pause(cache, now_ms / 1000);
        list_remove(cache, bucket, TAILQ_LAST(&bucket->queue, list_queue));
        bucket->overflow_s = now_ms / 1000;
        cache->evicted++;
    }
    TAILQ_INSERT_HEAD(&bucket->queue, entry, queue);
    bucket->length++;
    cache->count++;
    list_arm(cache, bucket, entry, now_ms + LIST_REXMIT_INITIAL_MS);
    entry->rxmits = 1;
    return entry;
}

/* The slot of the wheel that a bucket's callout hangs in. */
static uint32_t *
list_slot(struct list_cache *cache, const struct list_bucket *bucket)
{
    return &cache->wheel[bucket->next_ms % LIST_CALLOUTS];
}

static void
list_callout_stop(struct list_cache *cache, struct list_bucket *bucket)
{
    if (bucket->callout_prev != 0)
        cache->buckets[bucket->callout_prev - 1].callout_next =
            bucket->callout_next;
    else
        *list_slot(cache, bucket) = bucket->callout_next;
    if (bucket->callout_next != 0)
        cache->buckets[bucket->callout_next - 1].callout_prev =
            bucket->callout_prev;
    bucket->next_ms = SYNCACHE_NEVER;
}

static void
list_callout_start(struct list_cache *cache, struct list_bucket *bucket,
                   uint64_t deadline_ms)
{
    uint32_t *slot;

    /* What is past fires at the next tick. */
    if (deadline_ms < cache->wheel_ms)
        deadline_ms = cache->wheel_ms;
    bucket->next_ms = deadline_ms;
    slot = list_slot(cache, bucket);
    bucket->callout_prev = 0;
    bucket->callout_next = *slot;
    *slot = (uint32_t)(bucket - cache->buckets) + 1;
    if (bucket->callout_next != 0)
        cache->buckets[bucket->callout_next - 1].callout_prev = *slot;
}

void
list_arm(struct list_cache *cache, struct list_bucket *bucket,
         struct list_entry *entry, uint64_t deadline_ms)
{
    entry->deadline_ms = (uint32_t)deadline_ms;
    if (deadline_ms >= bucket->next_ms)
        return;
    if (bucket->next_ms != SYNCACHE_NEVER)
        list_callout_stop(cache, bucket);
    list_callout_start(cache, bucket, deadline_ms);
}

/* The callout of a bucket: walks it all, and starts anew for the earliest. */
static void
list_timer(struct list_cache *cache, struct list_bucket *bucket,
           uint64_t now_ms, list_due *due, void *context)
{
    struct list_entry *entry = TAILQ_FIRST(&bucket->queue);
    int32_t nearest_ms = INT32_MAX;

    while (entry != NULL) {
        struct list_entry *next = TAILQ_NEXT(entry, queue);
        int32_t ahead_ms = (int32_t)(entry->deadline_ms - (uint32_t)now_ms);

        if (cache->paused)
            list_remove(cache, bucket, entry);
        else if (ahead_ms <= 0)
            due(context, bucket, entry);
        else if (ahead_ms < nearest_ms)
            nearest_ms = ahead_ms;
        entry = next;
    }
    if (nearest_ms != INT32_MAX &&
        now_ms + (uint64_t)nearest_ms < bucket->next_ms) {
        if (bucket->next_ms != SYNCACHE_NEVER)
            list_callout_stop(cache, bucket);
        list_callout_start(cache, bucket, now_ms + (uint64_t)nearest_ms);
    }
}

void
list_poll(struct list_cache *cache, uint64_t now_ms, list_due *due,
          void *context)
{
    for (; cache->wheel_ms <= now_ms; cache->wheel_ms++) {
        uint32_t *slot = &cache->wheel[cache->wheel_ms % LIST_CALLOUTS];

        while (*slot != 0) {
            struct list_bucket *bucket = &cache->buckets[*slot - 1];

            list_callout_stop(cache, bucket);
            /* One reading of the clock for the whole walk. */
            list_timer(cache, bucket, now_ms, due, context);
        }
    }
}

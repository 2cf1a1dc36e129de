/*
 * A SYN for a listener: a new entry, a cookie, or an answer to a duplicate.
 *
 * The three ways in which a SYN is answered build the same struct table_entry,
 * so that they cannot negotiate differently; they differ in whether it is kept.
 * A SYN never removes or alters another peer's entry, and never alters what its
 * own tuple's entry has promised: ISNs, MSS, scales and SACK stay.
 *
 * Not here: TFO (fastopen.c), the packet (respond.c), when it is sent again
 * (timer.c).  See RFC 9293 3.10.7.2, RFC 4987 3, RFC 7323, RFC 3168 6.1.1.
 */
#include <assert.h>
#include <string.h>

#include "derive.h"
#include "event.h"

#define SYNCACHE_DUPSYN_COUNTED 255 /* dup_answers is a byte */

#define ADD_ECN_CLASSIC 1
#define ADD_ECN_ACCURATE 2 /* plus the IP-ECN field of the SYN */

static enum syncache_verdict add_duplicate(struct syncache *cache,
                                           struct event *event);
static enum syncache_verdict add_stateless(struct syncache *cache,
                                           struct event *event,
                                           struct table_entry *entry,
                                           const struct fastopen *fastopen);
static enum syncache_verdict add_store(struct syncache *cache,
                                       struct event *event,
                                       struct table_entry *fresh,
                                       const struct fastopen *fastopen);
static bool add_make_room(struct syncache *cache, uint64_t hash);
static bool add_signed_as_required(const struct syncache *cache,
                                   const struct event *event);

enum syncache_verdict
syncache_add(struct syncache *cache, struct event *event)
{
    struct fastopen fastopen = {.hand_out = false};
    struct table_entry fresh;

    assert(event->endpoint != NULL && event->endpoint->open);
    if (!add_signed_as_required(cache, event))
        return SYNCACHE_DROP_MD5;
    if (event->ref.entry != NULL)
        return add_duplicate(cache, event);
    if (fastopen_add(cache, event, &fastopen) == SYNCACHE_ACCEPT_FASTOPEN)
        return SYNCACHE_ACCEPT_FASTOPEN;
    add_fill(cache, event, &fresh);
    switch (add_place(cache, event->hash)) {
    case ADD_STORE:
        return add_store(cache, event, &fresh, &fastopen);
    case ADD_STATELESS:
        return add_stateless(cache, event, &fresh, &fastopen);
    case ADD_REFUSE:
        break;
    }
    if (!engine_keyless(cache) ||
        (!engine_cookies_only(cache) &&
         cache->tunables.overflow == SYNCACHE_OVERFLOW_DROP_NEW))
        return SYNCACHE_DROP_CACHE_FULL;
    cache->stats.syn_no_key++;
    return SYNCACHE_DROP_NO_KEY;
}

enum add_place
add_place(struct syncache *cache, uint64_t hash)
{
    pause_note_syn(&cache->pause);
    if (engine_cookies_only(cache))
        return engine_mints(cache) ? ADD_STATELESS : ADD_REFUSE;
    if (cache->pause.paused && engine_mints(cache))
        return ADD_STATELESS;
    if (add_make_room(cache, hash))
        return ADD_STORE;
    if (cache->tunables.overflow == SYNCACHE_OVERFLOW_EVICT &&
        engine_mints(cache))
        return ADD_STATELESS;
    return ADD_REFUSE;
}

/* RFC 2385: signed if and only if there is a key for the peer. */
static bool
add_signed_as_required(const struct syncache *cache, const struct event *event)
{
    bool is_signed = (event->segment->has & WIRE_HAS_MD5) != 0;
    uint32_t slot = endpoints_slot(&cache->endpoints, event->endpoint);

    if (endpoints_md5_find(&cache->endpoints, slot, &event->segment->tuple) ==
        NULL)
        return !is_signed;
    return is_signed && respond_signature_good(cache, event);
}

/* ECN as a SYN asks for it, as the bits of an entry's flags. */
static uint16_t
add_ecn(const struct syncache *cache, const struct event *event)
{
    const struct wire_segment *segment = event->segment;
    uint16_t bits = segment->flags & (WIRE_AE | WIRE_CWR | WIRE_ECE);
    uint16_t ecn = 0;

    if (cache->tunables.ecn_enable == 0 || !event->endpoint->config.ecn)
        return 0;
    if (bits == (WIRE_CWR | WIRE_ECE))
        ecn = ADD_ECN_CLASSIC;
    else if (bits != 0 && cache->tunables.ecn_enable >= 3)
        ecn = (uint16_t)(ADD_ECN_ACCURATE + (segment->tos & 3));
    else if (bits == (WIRE_AE | WIRE_CWR | WIRE_ECE))
        ecn = ADD_ECN_CLASSIC; /* RFC 9768 3.1.2: it falls back */
    return (uint16_t)(ecn << ENTRY_ECN_SHIFT);
}

void
add_fill(const struct syncache *cache, const struct event *event,
         struct table_entry *entry)
{
    const struct wire_segment *segment = event->segment;
    const struct syncache_endpoint *config = &event->endpoint->config;
    uint32_t rfc1323 = cache->tunables.rfc1323;

    memset(entry, 0, sizeof(*entry));
    memcpy(entry->faddr, segment->tuple.faddr, sizeof(entry->faddr));
    memcpy(entry->laddr, segment->tuple.laddr, sizeof(entry->laddr));
    entry->fport = segment->tuple.fport;
    entry->lport = segment->tuple.lport;
    entry->flags = segment->tuple.family == 6 ? ENTRY_V6 : 0;
    entry->irs = segment->seg_seq;
    entry->born_ms = (uint32_t)cache->now_ms;
    entry->endpoint =
        (uint16_t)endpoints_slot(&cache->endpoints, event->endpoint);
    entry->flags |= add_ecn(cache, event);
    if (segment->has & WIRE_HAS_MD5)
        entry->flags |= ENTRY_SIGNATURE;
    if (segment->has & WIRE_HAS_MSS)
        entry->peer_mss = segment->mss;
    if ((segment->has & WIRE_HAS_TIMESTAMPS) &&
        endpoint_can(event->endpoint, SYNCACHE_OPTION_TIMESTAMPS) &&
        (rfc1323 == 1 || rfc1323 == 3)) {
        entry->flags |= ENTRY_TIMESTAMP;
        entry->tsreflect = segment->tsval;
    }
    if ((segment->has & WIRE_HAS_WSCALE) &&
        endpoint_can(event->endpoint, SYNCACHE_OPTION_SCALE) &&
        (rfc1323 == 1 || rfc1323 == 2)) {
        entry->flags |= ENTRY_WINSCALE;
        entry->scales =
            (uint8_t)(segment->wscale << 4 | engine_wscale(cache, config));
    }
    if ((segment->has & WIRE_HAS_SACK_PERMITTED) &&
        endpoint_can(event->endpoint, SYNCACHE_OPTION_SACK) &&
        cache->tunables.sack_enable)
        entry->flags |= ENTRY_SACK;
}

/* Gives the entry its ISS: a cookie wherever one can be made. */
static void
add_iss(struct syncache *cache, const struct event *event,
        struct table_entry *entry)
{
    if (!engine_mints(cache)) {
        entry->iss =
            derive_isn(cache->iss_key, &event->segment->tuple, cache->now_ms);
        cache->stats.syn_no_key += engine_keyless(cache);
        return;
    }
    entry->iss = engine_cookie(cache, &event->segment->tuple, entry);
    entry->flags |= ENTRY_COOKIE_ISS;
    cache->stats.sc_sendcookie++;
}

static enum syncache_verdict
add_stateless(struct syncache *cache, struct event *event,
              struct table_entry *entry, const struct fastopen *fastopen)
{
    assert(engine_mints(cache));
    if (!cache->tunables.ecn_in_cookie)
        entry->flags &= (uint16_t)~ENTRY_ECN_MASK;
    /* What this layout's cookie cannot bring back is not promised. */
    if (cache->tunables.cookie_layout == SYNCACHE_LAYOUT_MSS)
        entry->flags &= (uint16_t)~(ENTRY_WINSCALE | ENTRY_SACK);
    add_iss(cache, event, entry);
    engine_stamp_gate(cache, event->endpoint);
    cache->stats.cookie_only_synacks++;
    event->reply_size = respond_syn_ack(cache, entry, fastopen, event->reply);
    return SYNCACHE_REPLY_SYN_COOKIE;
}

static enum syncache_verdict
add_store(struct syncache *cache, struct event *event,
          struct table_entry *fresh, const struct fastopen *fastopen)
{
    struct table_ref ref;

    add_iss(cache, event, fresh);
    fresh->rxmits = 1;
    ref = table_insert(&cache->table, event->hash, &event->segment->tuple);
    assert(ref.entry != NULL);
    *ref.entry = *fresh;
    table_arm(&cache->table, ref,
              cache->now_ms + cache->tunables.rexmit_initial_ms, cache->now_ms);
    endpoints_entry_added(&cache->endpoints, fresh->endpoint);
    cache->stats.sc_added++;
    event->reply_size = respond_syn_ack(cache, fresh, fastopen, event->reply);
    return SYNCACHE_REPLY_SYN_ACK;
}

/* Begins a pause where the bucket policy asks for one; counts the overflow. */
static void
add_overflow(struct syncache *cache)
{
    if (cache->tunables.pause_policy != SYNCACHE_PAUSE_BUCKET ||
        !cache->tunables.syncookies || !engine_mints(cache)) {
        cache->stats.sc_bucketoverflow++;
    } else if (pause_begin(&cache->pause, cache->now_ms)) {
        cache->stats.sc_bucketoverflow++;
        cache->stats.pauses++;
    }
}

static inline void
add_evict(struct syncache *cache, uint32_t bucket)
{
    struct table_ref oldest = table_oldest(&cache->table, bucket);

    assert(oldest.entry != NULL);
    pause_note_victim(&cache->pause, table_age_ms(oldest.entry, cache->now_ms),
                      cache->tunables.pause_age_ms);
    table_stamp_overflow(&cache->table, bucket, engine_uptime_s(cache));
    engine_remove_unanswered(cache, oldest);
    cache->stats.evicted++;
}

/*
 * The cache as a whole is full, the bucket is not.  FreeBSD calls it a zone
 * failure; its 4.x, and we, a cache overflow.
 */
static bool
add_make_room_in_cache(struct syncache *cache, uint32_t bucket)
{
    bool evict = cache->tunables.overflow == SYNCACHE_OVERFLOW_EVICT;
    bool freebsd = cache->tunables.pause_policy == SYNCACHE_PAUSE_BUCKET;

    if (freebsd)
        cache->stats.sc_zonefail++;
    else
        cache->stats.sc_cacheoverflow++;
    if (!evict)
        return false;
    if (table_bucket_count(&cache->table, bucket) == 0) {
        pause_note_unplaced(&cache->pause);
        return false;
    }
    if (freebsd)
        add_overflow(cache);
    add_evict(cache, bucket);
    return true;
}

/* One eviction at most: the oldest of the SYN's own bucket. */
static bool
add_make_room(struct syncache *cache, uint64_t hash)
{
    uint32_t bucket = table_bucket(&cache->table, hash);
    bool exhausted = cache->table.count >= cache->config.cachelimit;
    bool full = table_bucket_full(&cache->table, bucket);

    /* FreeBSD allocates before it looks at the bucket. */
    if (exhausted &&
        (!full || cache->tunables.pause_policy == SYNCACHE_PAUSE_BUCKET))
        return add_make_room_in_cache(cache, bucket);
    if (full) {
        if (cache->tunables.overflow != SYNCACHE_OVERFLOW_EVICT) {
            cache->stats.sc_bucketoverflow++;
            return false;
        }
        add_overflow(cache);
        add_evict(cache, bucket);
    }
    return true;
}

/* The parts of an entry that a duplicate SYN may renew. */
static void
add_duplicate_renew(const struct syncache *cache, const struct event *event,
                    struct table_entry *entry)
{
    if ((entry->flags & ENTRY_TIMESTAMP) &&
        (event->segment->has & WIRE_HAS_TIMESTAMPS))
        entry->tsreflect = event->segment->tsval;
    else
        entry->flags &= (uint16_t)~ENTRY_TIMESTAMP;
    if (entry->flags & ENTRY_ECN_MASK) {
        entry->flags &= (uint16_t)~ENTRY_ECN_MASK;
        entry->flags |= add_ecn(cache, event);
    }
}

/*
 * Another ISN than the entry's: a restarted peer, or somebody in its name.  The
 * entry stays as it is, and the ISN is answered as if nothing were stored; the
 * one who completes its handshake proves that it was his (departure 6).
 */
static enum syncache_verdict
add_other_isn(struct syncache *cache, struct event *event)
{
    struct table_entry entry;

    add_fill(cache, event, &entry);
    (void)add_stateless(cache, event, &entry, NULL);
    return SYNCACHE_REPLY_OTHER_ISN;
}

static enum syncache_verdict
add_duplicate(struct syncache *cache, struct event *event)
{
    struct table_entry *entry = event->ref.entry;
    uint32_t limit = cache->tunables.dupsyn_limit;
    bool other_isn = entry->irs != event->segment->seg_seq;

    cache->stats.sc_dupsyn++;
    if (limit != 0 && other_isn && engine_mints(cache))
        return add_other_isn(cache, event);
    if (limit != 0 && entry->dup_answers >= limit)
        return SYNCACHE_DROP_DUPSYN_LIMIT;
    if (entry->dup_answers < SYNCACHE_DUPSYN_COUNTED)
        entry->dup_answers++;
    /* FreeBSD, which is limit 0, does not look at the ISN. */
    if (limit == 0 || !other_isn)
        add_duplicate_renew(cache, event, entry);
    event->reply_size = respond_syn_ack(cache, entry, NULL, event->reply);
    if (limit == 0) {
        /* FreeBSD: the whole budget of retransmissions anew. */
        entry->rxmits = 1;
        table_arm(&cache->table, event->ref,
                  cache->now_ms + cache->tunables.rexmit_initial_ms,
                  cache->now_ms);
    }
    return SYNCACHE_REPLY_DUPSYN;
}

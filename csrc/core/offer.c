/*
 * Completed handshakes and the stack: the offer, its acceptance, its refusal,
 * and what the stack says about tuples of its own (departures 5 and 7).
 *
 * An offer leaves its entry where it is, marked ENTRY_OFFERED, until the stack
 * accepted: an application that is busy for a moment costs nobody a connection.
 * Where the tuple is stands in the table of known tuples, so that its segments
 * reach the stack meanwhile.  With established_max 0 the stack itself knows its
 * tuples, and an ACK may be offered again until it is accepted.
 *
 * Not here: whether a handshake is complete (expand.c), the RST that is owed
 * (timer.c sends it).
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "seq.h"

/* What names one handshake of a tuple. */
struct offer {
    const struct syncache_tuple *tuple;
    uint64_t hash;
    uint32_t irs;
    uint32_t iss;
    uint32_t endpoint;
    uint8_t via;
};

/* The node of an offer's tuple, or NULL; fills in the hash, which is there already
 * unless the offer is no longer in its place. */
static struct known_node *
offer_find(const struct syncache *cache, uint32_t place, struct offer *offer)
{
    struct known_node *node =
        known_offer_at(&cache->known, place, offer->tuple);

    if (node != NULL) {
        offer->hash = known_join(node->offer.hash);
        return node;
    }
    offer->hash = engine_hash(cache, offer->tuple);
    return known_find(&cache->known, offer->hash, offer->tuple);
}

static uint8_t
offer_ecn(const struct syncache *cache, const struct event *event,
          const struct table_entry *entry, enum syncache_via via)
{
    uint32_t ecn = (entry->flags & ENTRY_ECN_MASK) >> ENTRY_ECN_SHIFT;

    if (via != SYNCACHE_VIA_COOKIE) {
        if (ecn == 0)
            return SYNCACHE_ECN_NONE;
        return ecn == 1 ? SYNCACHE_ECN_CLASSIC : SYNCACHE_ECN_ACCURATE;
    }
    /* The SYN-ACK of an entry that is gone may have said ECE: departure 4. */
    if (cache->tunables.ecn_in_cookie || cache->tunables.ecn_enable == 0 ||
        !event->endpoint->config.ecn)
        return SYNCACHE_ECN_NONE;
    return SYNCACHE_ECN_ECHO;
}

static void
offer_fill_timestamps(const struct syncache *cache, const struct event *event,
                      const struct table_entry *entry)
{
    const struct wire_segment *segment = event->segment;
    struct syncache_conn *conn = event->conn;

    conn->timestamps = 1;
    conn->ts_offset = engine_ts_offset(cache, &segment->tuple) +
                      engine_ts_base_larger(cache) - cache->config.ts_base;
    conn->ts_recent = entry->tsreflect;
    /* RFC 7323 4.3: not from a segment beyond what we have acknowledged. */
    if ((segment->has & WIRE_HAS_TIMESTAMPS) &&
        seq_leq(segment->seg_seq, entry->irs + 1))
        conn->ts_recent = segment->tsval;
}

static void
offer_fill(const struct syncache *cache, const struct event *event,
           const struct table_entry *entry, uint32_t slot,
           enum syncache_via via)
{
    const struct wire_segment *segment = event->segment;
    struct syncache_conn *conn = event->conn;

    memset(conn, 0, sizeof(*conn));
    conn->tuple = segment->tuple;
    conn->iss = entry->iss;
    conn->irs = entry->irs;
    conn->rcv_wnd = engine_rcv_wnd(cache, entry->endpoint);
    conn->snd_wnd = segment->seg_wnd;
    conn->snd_wscale = SYNCACHE_WSCALE_NONE;
    conn->rcv_wscale = SYNCACHE_WSCALE_NONE;
    if (entry->flags & ENTRY_WINSCALE) {
        conn->snd_wscale = entry->scales >> 4;
        conn->rcv_wscale = entry->scales & 15;
        if (via != SYNCACHE_VIA_FASTOPEN) /* RFC 7323 2.2: not in a SYN */
            conn->snd_wnd <<= conn->snd_wscale;
    }
    if (entry->flags & ENTRY_TIMESTAMP)
        offer_fill_timestamps(cache, event, entry);
    conn->endpoint = slot;
    conn->payload_size = segment->payload_size;
    conn->peer_mss = engine_mss_usable(cache, entry->endpoint,
                                       segment->tuple.family, entry->peer_mss);
    conn->sack_permitted = (entry->flags & ENTRY_SACK) != 0;
    conn->ecn = offer_ecn(cache, event, entry, via);
    conn->via = (uint8_t)via;
    conn->rxmits = entry->rxmits;
    conn->md5 = (entry->flags & ENTRY_SIGNATURE) != 0;
    conn->syn_tos = segment->tos;
}

enum syncache_verdict
offer_make(struct syncache *cache, struct event *event,
           const struct table_entry *entry, enum syncache_via via)
{
    uint32_t slot = endpoints_slot(&cache->endpoints, event->endpoint);
    struct known_node *node = NULL;

    if (cache->config.established_max > 0) {
        node = known_add(&cache->known, event->hash, &event->segment->tuple,
                         KNOWN_OFFERED, cache->now_ms);
        if (node == NULL)
            return SYNCACHE_DROP_KNOWN_FULL;
        node->iss = entry->iss;
        node->irs = entry->irs;
        node->endpoint = (uint16_t)slot;
        node->via = (uint8_t)via;
        node->pending = via == SYNCACHE_VIA_FASTOPEN;
        known_halve(event->fingerprint, node->offer.fingerprint);
    }
    offer_fill(cache, event, entry, slot, via);
    if (node != NULL)
        event->conn->offer = known_place(&cache->known, node);
    switch (via) {
    case SYNCACHE_VIA_COOKIE:
        return SYNCACHE_ACCEPT_COOKIE;
    case SYNCACHE_VIA_FASTOPEN:
        return SYNCACHE_ACCEPT_FASTOPEN;
    case SYNCACHE_VIA_CACHE:
        break;
    }
    return SYNCACHE_ACCEPT_CACHE;
}

/* The entry of this very handshake. */
static struct table_ref
offer_entry(const struct syncache *cache, const struct offer *offer)
{
    struct table_ref ref = table_find(&cache->table, offer->hash, offer->tuple);

    if (ref.entry != NULL &&
        (ref.entry->irs != offer->irs || ref.entry->iss != offer->iss))
        ref.entry = NULL;
    return ref;
}

/* An offer that ends without its own answer: its entry waits no longer. */
static void
offer_leave(struct syncache *cache, uint64_t hash,
            const struct known_node *node)
{
    struct table_ref ref;

    if (node->state != KNOWN_OFFERED)
        return;
    ref = table_find(&cache->table, hash, &node->tuple);
    if (ref.entry != NULL)
        ref.entry->flags &= (uint16_t)~ENTRY_OFFERED;
}

static uint64_t
offer_fingerprint(const struct syncache *cache, const struct offer *offer,
                  const struct known_node *node)
{
    if (node != NULL && node->state == KNOWN_OFFERED &&
        node->via == SYNCACHE_VIA_COOKIE && node->iss == offer->iss &&
        node->irs == offer->irs)
        return known_join(node->offer.fingerprint);
    return engine_fingerprint(cache, offer->tuple, offer->irs, offer->iss);
}

static void
offer_accept(struct syncache *cache, const struct offer *offer,
             struct known_node *node, uint64_t handle)
{
    struct table_ref ref = offer_entry(cache, offer);
    uint64_t fingerprint = offer_fingerprint(cache, offer, node);

    if (node == NULL)
        node = known_add(&cache->known, offer->hash, offer->tuple,
                         KNOWN_ESTABLISHED, cache->now_ms);
    if (node != NULL) {
        /* Of another handshake than this one, which is late. */
        if (ref.entry == NULL)
            offer_leave(cache, offer->hash, node);
        if (node->state != KNOWN_ESTABLISHED)
            known_set_state(&cache->known, node, KNOWN_ESTABLISHED);
        node->handle = handle;
    } else if (offer->via == SYNCACHE_VIA_FASTOPEN) {
        /* Nobody here will see its SYN-ACK acknowledged. */
        fastopen_settle(cache, offer->endpoint);
    }
    if (ref.entry != NULL)
        engine_remove(cache, ref);
    if (offer->via == SYNCACHE_VIA_CACHE)
        cache->stats.sc_completed++;
    cache->stats.accepts++;
    replay_remember(&cache->replay, fingerprint);
}

/*
 * Nobody took the offer.  By default the entry goes on as if the ACK had not
 * come: each SYN-ACK sent again draws another one.  Where the entry cannot go
 * on, or is not to, the peer may be told by a RST.
 */
static void
offer_refuse(struct syncache *cache, const struct offer *offer,
             struct known_node *node)
{
    struct table_ref ref = offer_entry(cache, offer);
    bool fastopen = offer->via == SYNCACHE_VIA_FASTOPEN;
    /* Data of a SYN has been acknowledged: only a RST takes that back. */
    bool reset = cache->tunables.rst_on_sock_fail || fastopen;

    cache->stats.listendrop++;
    if (node != NULL ? node->pending : fastopen)
        fastopen_settle(cache, offer->endpoint);
    if (!reset && cache->tunables.offer_timeout_ms > 0) {
        if (ref.entry != NULL) {
            ref.entry->flags &= (uint16_t)~ENTRY_OFFERED;
            ref.entry->flags |= ENTRY_VALIDATED;
        }
        if (node != NULL)
            known_remove(&cache->known, offer->hash, node);
        return;
    }
    cache->stats.sc_aborted++;
    if (ref.entry != NULL)
        engine_remove(cache, ref);
    if (node != NULL && reset)
        known_set_state(&cache->known, node, KNOWN_RST_OWED);
    else if (node != NULL)
        known_remove(&cache->known, offer->hash, node);
}

void
syncache_accepted(struct syncache *cache, const struct syncache_conn *conn,
                  uint64_t handle, bool ok)
{
    if (conn->endpoint >= cache->config.endpoint_max ||
        !engine_tuple_legal(&conn->tuple))
        return;
    struct offer offer = {
        .tuple = &conn->tuple,
        .irs = conn->irs,
        .iss = conn->iss,
        .endpoint = conn->endpoint,
        .via = conn->via,
    };
    struct known_node *node = offer_find(cache, conn->offer, &offer);

    if (ok) {
        offer_accept(cache, &offer, node, handle);
        return;
    }
    /* An offer that timed out has been refused already; its tuple may have been
     * offered again, from another SYN. */
    if (node != NULL && (node->state != KNOWN_OFFERED ||
                         node->iss != conn->iss || node->irs != conn->irs))
        return;
    if (node == NULL && cache->config.established_max > 0)
        return;
    offer_refuse(cache, &offer, node);
}

void
offer_expire(struct syncache *cache)
{
    uint32_t timeout_ms = cache->tunables.offer_timeout_ms;
    struct known_node *node;

    if (timeout_ms == 0)
        return;
    while ((node = known_oldest_offer(&cache->known)) != NULL &&
           cache->now_ms - node->offered_ms >= timeout_ms) {
        struct syncache_tuple tuple = node->tuple;
        struct offer offer = {
            .tuple = &tuple,
            .hash = known_join(node->offer.hash),
            .irs = node->irs,
            .iss = node->iss,
            .endpoint = node->endpoint,
            .via = node->via,
        };

        cache->stats.offer_timeout++;
        offer_refuse(cache, &offer, node);
    }
}

bool
syncache_opened(struct syncache *cache, const struct syncache_tuple *tuple,
                uint64_t handle)
{
    struct known_node *node;
    uint64_t hash;

    if (!engine_tuple_legal(tuple))
        return false;
    hash = engine_hash(cache, tuple);
    node = known_find(&cache->known, hash, tuple);
    if (node == NULL)
        node = known_add(&cache->known, hash, tuple, KNOWN_ESTABLISHED,
                         cache->now_ms);
    if (node == NULL)
        return false;
    offer_leave(cache, hash, node);
    if (node->state != KNOWN_ESTABLISHED)
        known_set_state(&cache->known, node, KNOWN_ESTABLISHED);
    node->handle = handle;
    return true;
}

#ifndef SYNCACHE_SMALL
bool
syncache_guard(struct syncache *cache, const struct syncache_tuple *tuple,
               const struct syncache_numbers *numbers)
{
    struct known_node *node;

    if (!engine_tuple_legal(tuple))
        return false;
    node = known_find(&cache->known, engine_hash(cache, tuple), tuple);
    if (node == NULL || node->state != KNOWN_ESTABLISHED)
        return false;
    guard_set(&node->guard, numbers);
    return true;
}
#endif

void
syncache_closed(struct syncache *cache, const struct syncache_tuple *tuple)
{
    struct known_node *node;
    uint64_t hash;

    if (!engine_tuple_legal(tuple))
        return;
    hash = engine_hash(cache, tuple);
    node = known_find(&cache->known, hash, tuple);
    if (node == NULL || node->state == KNOWN_RST_OWED)
        return;
    offer_leave(cache, hash, node);
    if (node->pending)
        fastopen_abandon(cache, node->endpoint);
    known_remove(&cache->known, hash, node);
}

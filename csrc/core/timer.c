/*
 * What time alone makes due: SYN-ACKs again, their end, entries that a pause
 * purges, offers that nobody answered, RSTs owed (departure 5).
 *
 * By default 1.0, 3.2, 7.4 s after the SYN a SYN-ACK leaves again, and the
 * entry goes at 15.6 s.  RFC 9293 MUST-23 asks for 180 s; FreeBSD's rexmtlimit
 * of 3, and ours, trades that for room under a flood, and can be raised to 12.
 *
 * Not here: deadlines as bits (table_due.c), when a pause is (pause.c).
 */
#include <assert.h>
#include <string.h>

#include "../syncache_host.h"
#include "event.h"
#include "ring.h"

static uint32_t timer_offers_and_debts(struct syncache *cache,
                                       struct syncache_ring *tx);
static uint32_t timer_entries(struct syncache *cache, struct syncache_ring *tx);

uint32_t
syncache_poll(struct syncache *cache, uint64_t now_ms, struct syncache_ring *tx)
{
    uint32_t sent;

    engine_advance(cache, now_ms);
    sent = timer_offers_and_debts(cache, tx);
    return sent + timer_entries(cache, tx);
}

uint32_t
syncache_poll_one(struct syncache *cache, uint64_t now_ms,
                  uint8_t packet[SYNCACHE_REPLY_MAX])
{
    struct syncache_slot slot;
    struct syncache_ring tx = {
        .memory = packet,
        .slot = &slot,
        .slots = 1,
        .slot_size = SYNCACHE_REPLY_MAX,
    };

    return syncache_poll(cache, now_ms, &tx) > 0 ? slot.size : 0;
}

static uint32_t
timer_offers_and_debts(struct syncache *cache, struct syncache_ring *tx)
{
    struct known_node *node;
    uint32_t sent = 0;

    offer_expire(cache);
    while (ring_has_room(tx, 0) &&
           (node = known_oldest_owed(&cache->known)) != NULL) {
        uint64_t hash = engine_hash(cache, &node->tuple);

        ring_append(tx,
                    respond_rst_owed(cache, &node->tuple, node->iss + 1,
                                     ring_reply(tx, 0)),
                    0, SYNCACHE_NO_REQUEST);
        known_remove(&cache->known, hash, node);
        sent++;
    }
    return sent;
}

/* Time to wait after the rxmits-th SYN-ACK; rxmits is at least 1. */
static uint64_t
timer_timeout_ms(const struct syncache *cache, uint32_t rxmits)
{
    /* TCP's back-off table ends at 512 (TCP_MAXRXTSHIFT is 12). */
    uint32_t shift = rxmits < 9 ? rxmits : 9;
    const struct syncache_tunables *tunables = &cache->tunables;
    uint64_t timeout_ms = ((uint64_t)tunables->rexmit_initial_ms << shift) +
                          tunables->rexmit_slop_ms;

    if (timeout_ms > tunables->rexmit_max_ms)
        timeout_ms = tunables->rexmit_max_ms;
    if (timeout_ms < tunables->rexmit_min_ms)
        timeout_ms = tunables->rexmit_min_ms;
    return timeout_ms;
}

/* FreeBSD's bucket timer during a pause empties the bucket. */
static void
timer_purge(struct syncache *cache, uint32_t bucket)
{
    struct table_ref ref;

    while ((ref = table_oldest(&cache->table, bucket)).entry != NULL) {
        cache->stats.purged++;
        engine_remove_unanswered(cache, ref);
    }
}

/* The last SYN-ACK went unanswered; returns packets sent. */
static uint32_t
timer_stale(struct syncache *cache, struct table_ref ref,
            struct syncache_ring *tx)
{
    uint32_t sent = 0;

    if (ref.entry->flags & ENTRY_VALIDATED) {
        /* The peer thinks that it is connected. */
        struct syncache_tuple tuple;

        engine_entry_tuple(ref.entry, &tuple);
        ring_append(tx,
                    respond_rst_owed(cache, &tuple, ref.entry->iss + 1,
                                     ring_reply(tx, 0)),
                    0, SYNCACHE_NO_REQUEST);
        sent = 1;
    }
    cache->stats.sc_stale++;
    engine_remove(cache, ref);
    return sent;
}

/* May a SYN-ACK leave again?  In a flood most would go to who never sent. */
static bool
timer_may_repeat(struct syncache *cache)
{
    uint32_t second = engine_uptime_s(cache);

    if (cache->repeats.second != second)
        cache->repeats = (struct repeats){.second = second};
    if (cache->tunables.rexmit_rate != 0 &&
        cache->repeats.count >= cache->tunables.rexmit_rate) {
        cache->stats.rexmit_withheld++;
        return false;
    }
    cache->repeats.count++;
    return true;
}

/* One due entry; returns packets sent, for which there is room. */
static uint32_t
timer_entry(struct syncache *cache, struct table_ref ref,
            struct syncache_ring *tx)
{
    struct table_entry *entry = ref.entry;
    uint64_t timeout_ms;
    uint32_t sent = 0;

    if (entry->flags & ENTRY_OFFERED) {
        /* The peer has done its part; the offer has a time-out of its own. */
        table_arm(&cache->table, ref,
                  cache->now_ms + cache->tunables.rexmit_initial_ms,
                  cache->now_ms);
        return 0;
    }
    /* RFC 3168 6.1.1.1: the ECN bits may be what is being dropped. */
    if (entry->rxmits > cache->tunables.ecn_maxretries)
        entry->flags &= (uint16_t)~ENTRY_ECN_MASK;
    if (entry->rxmits > cache->tunables.rexmtlimit)
        return timer_stale(cache, ref, tx);
    if (timer_may_repeat(cache)) {
        ring_append(tx, respond_syn_ack(cache, entry, NULL, ring_reply(tx, 0)),
                    0, SYNCACHE_NO_REQUEST);
        cache->stats.sc_retransmitted++;
        sent = 1;
    }
    /* One that is withheld is as if lost: the schedule goes on. */
    timeout_ms = timer_timeout_ms(cache, entry->rxmits);
    table_arm(&cache->table, ref, cache->now_ms + timeout_ms, cache->now_ms);
    entry->rxmits++;
    return sent;
}

/* How many entries to take up: each needs a slot, and must be dealt with. */
static uint32_t
timer_batch(const struct syncache_ring *tx, bool purge)
{
    uint32_t room = ring_has_room(tx, 0) ? tx->slots - tx->count : 0;

    /* A purge takes the rest of the bucket along. */
    if (purge && room > 1)
        return 1;
    return room < SYNCACHE_BURST_MAX ? room : SYNCACHE_BURST_MAX;
}

static uint32_t
timer_entries(struct syncache *cache, struct syncache_ring *tx)
{
    /* Predicate C without syncookies_only: FreeBSD purges in pauses alone. */
    bool purge = cache->pause.paused &&
                 cache->tunables.pause_policy == SYNCACHE_PAUSE_BUCKET;
    bool from_start = cache->poll_cursor == 0;
    struct table_ref refs[SYNCACHE_BURST_MAX];
    uint32_t sent = 0;
    uint32_t batch;

    while ((batch = timer_batch(tx, purge)) > 0) {
        uint32_t count = table_take_due(&cache->table, cache->now_ms,
                                        &cache->poll_cursor, refs, batch);

        for (uint32_t i = 0; i < count; i++) {
            if (purge)
                timer_purge(cache, refs[i].bucket);
            else
                sent += timer_entry(cache, refs[i], tx);
        }
        if (count == batch)
            continue;
        cache->poll_cursor = 0;
        if (from_start)
            break;
        from_start = true;
    }
    return sent;
}

uint64_t
syncache_next_deadline(struct syncache *cache)
{
    uint64_t next_ms = cache->table.next_due_ms;
    uint64_t other_ms =
        secret_next_ms(&cache->secret, cache->tunables.cookie_lifetime_ms);
    const struct known_node *offer = known_oldest_offer(&cache->known);

    if (other_ms < next_ms)
        next_ms = other_ms;
    if (cache->pause.paused) {
        other_ms = pause_next_ms(
            &cache->pause,
            (enum syncache_pause_policy)cache->tunables.pause_policy);
        if (other_ms < next_ms)
            next_ms = other_ms;
    }
    if (offer != NULL && cache->tunables.offer_timeout_ms > 0) {
        other_ms = offer->offered_ms + cache->tunables.offer_timeout_ms;
        if (other_ms < next_ms)
            next_ms = other_ms;
    }
    if (known_oldest_owed(&cache->known) != NULL && cache->now_ms < next_ms)
        next_ms = cache->now_ms;
    return next_ms;
}

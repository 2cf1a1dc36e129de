/*
 * Runs of SYNs in a burst: one after the other they end in their cookies, or are
 * stored, and so need one decision, one count and one visit to the table.
 *
 * A run ends before whatever is not like the others: another kind of packet, a
 * tuple that is known or has an entry, no room in tx, a limit that is reached.
 * That packet is taken by itself (burst.c), and the next run begins after it.
 * What decides a run cannot change within it: a pause of the age policy begins
 * when time goes on, and where the bucket policy may pause, nothing is stored
 * in runs.
 *
 * Not here: replies, which the burst's last stage writes.
 */
#include <assert.h>
#include <string.h>

#include "bits.h"
#include "burst.h"

#define FLOOD_SHORT 4 /* SYNs in a run after one that was cut */

/* The end of the SYNs from packet i on whose replies have room in tx. */
static uint32_t
flood_end(const struct burst *burst, uint32_t i)
{
    const struct syncache_slot *slot = &burst->rx->slot[burst->first];
    uint32_t room = burst->tx->slots - burst->tx->count;
    uint32_t end = i;

    while (end < burst->count && burst->place[end].syn && end - i < room &&
           (uint32_t)slot[end].link_size + SYNCACHE_REPLY_MAX <=
               burst->tx->slot_size)
        end++;
    return end;
}

/* Answers a run, whose replies have room: burst_answer() for each. */
static void
flood_answer(struct burst *burst, uint32_t i, uint32_t end,
             enum syncache_verdict verdict)
{
    struct syncache_ring *tx = burst->tx;
    uint32_t count = tx->count;
    uint8_t *bytes = ring_slot(tx, count);

    for (; i < end; i++, count++, bytes += tx->slot_size) {
        const struct burst_place *place = &burst->place[i];
        uint32_t index = burst->first + i;
        struct syncache_slot *slot = &burst->rx->slot[index];
        uint16_t link_size = slot->link_size;

        slot->verdict = (uint8_t)verdict;
        slot->handle = 0;
        place->lanes->out[place->lane] = bytes + link_size;
        if (link_size > 0)
            memcpy(bytes, ring_slot(burst->rx, index), link_size);
        ring_fill(&tx->slot[count], quick_reply_size(place->lanes), link_size,
                  index);
    }
    tx->count = count;
}

/* SYNs that all end in their cookies, nothing looked up. */
static uint32_t
flood_stateless(struct burst *burst, uint32_t i)
{
    const struct simd_template *stamped = NULL;
    uint32_t end = flood_end(burst, i);

    flood_answer(burst, i, end, SYNCACHE_REPLY_SYN_COOKIE);
    quick_count(burst->cache, end - i);
    for (; i < end; i++) {
        const struct burst_place *place = &burst->place[i];

        if (place->lanes->template[place->lane] != stamped) {
            stamped = place->lanes->template[place->lane];
            quick_stamp(burst->cache, stamped);
        }
    }
    return end;
}

/* Is a new SYN stored, whatever its bucket holds, short of cachelimit? */
static bool
flood_stores(const struct syncache *cache)
{
    return cache->quick.open && !engine_cookies_only(cache) &&
           !cache->pause.paused &&
           cache->tunables.overflow == SYNCACHE_OVERFLOW_EVICT &&
           cache->tunables.pause_policy != SYNCACHE_PAUSE_BUCKET;
}

/* Collects what can be stored from packet i to `end`; returns how many. */
static uint32_t
flood_collect(const struct burst *burst, uint32_t i, uint32_t end,
              struct table_burst *fresh)
{
    const struct syncache *cache = burst->cache;

    for (fresh->count = 0; i < end && fresh->count < burst->run_max; i++) {
        const struct simd_lanes *lanes = burst->place[i].lanes;
        uint32_t lane = burst->place[i].lane;
        struct table_entry *entry = &fresh->fresh[fresh->count];

        quick_entry(cache, lanes, lane, entry);
        if (cache->known.count > 0) {
            struct syncache_tuple tuple;

            engine_entry_tuple(entry, &tuple);
            if (known_find(&cache->known, lanes->hash[lane], &tuple) != NULL)
                break;
        }
        fresh->hash[fresh->count++] = lanes->hash[lane];
    }
    return fresh->count;
}

/* Counts what was stored, and what made room for it. */
static void
flood_count(struct syncache *cache, const struct table_burst *fresh,
            uint32_t stored)
{
    struct syncache_stats *stats = &cache->stats;

    /* First, since one of the run may have made room for another. */
    for (uint32_t i = 0; i < stored; i++)
        endpoints_entry_added(&cache->endpoints, fresh->fresh[i].endpoint);
    for (uint64_t left = fresh->evicted; left != 0; left &= left - 1) {
        const struct table_entry *victim = &fresh->victim[bits_lowest64(left)];

        pause_note_victim(&cache->pause, table_age_ms(victim, cache->now_ms),
                          cache->tunables.pause_age_ms);
        engine_leave_unanswered(cache, victim);
        stats->sc_bucketoverflow++;
        stats->evicted++;
    }
    pause_note_syns(&cache->pause, stored);
    stats->rcvtotal += stored;
    stats->sc_added += stored;
    stats->sc_sendcookie += stored;
    stats->sndacks += stored;
    stats->sndtotal += stored;
    stats->verdicts[SYNCACHE_REPLY_SYN_ACK] += stored;
}

/*
 * Duplicates cut runs short, and what was collected behind them is collected
 * again.  So a run that was cut is followed by a short one, and one that failed
 * at its first packet by none for a while, twice as long each time.
 */
static void
flood_learn(struct burst *burst, uint32_t next, uint32_t stored,
            uint32_t collected)
{
    if (stored == 0) {
        burst->run_wait = 2 * burst->run_wait + 1;
        burst->run_from = next + burst->run_wait;
    } else if (stored < collected) {
        burst->run_max = FLOOD_SHORT;
        burst->run_wait = 0;
    } else if (burst->run_max < SYNCACHE_BURST_MAX) {
        burst->run_max *= 2;
    }
}

static uint32_t
flood_store(struct burst *burst, uint32_t i)
{
    struct syncache *cache = burst->cache;
    struct table_burst fresh;
    uint32_t stored;

    assert(burst->hashed);
    if (i < burst->run_from ||
        flood_collect(burst, i, flood_end(burst, i), &fresh) == 0)
        return i;
    fresh.overflow = engine_uptime_s(cache) + 1;
    stored = table_store(&cache->table, &fresh,
                         cache->now_ms + cache->tunables.rexmit_initial_ms,
                         cache->now_ms);
    flood_count(cache, &fresh, stored);
    flood_learn(burst, i + stored, stored, fresh.count);
    flood_answer(burst, i, i + stored, SYNCACHE_REPLY_SYN_ACK);
    return i + stored;
}

uint32_t
flood_run(struct burst *burst, uint32_t i)
{
    if (quick_stateless(burst->cache))
        return flood_stateless(burst, i);
    while (flood_stores(burst->cache)) {
        uint32_t begin = i;

        i = flood_store(burst, i);
        /* What cut it short is taken by itself. */
        if (i == begin || burst->run_max == FLOOD_SHORT)
            break;
    }
    return i;
}

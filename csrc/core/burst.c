/*
 * A ring of packets, in stages over at most SYNCACHE_BURST_MAX of them: parse
 * all, hash all, prefetch all buckets, then the events one by one in order of
 * arrival.  The first three stages change nothing, and the last is the very
 * function that a single packet takes, so the results are bit by bit the same.
 *
 * Not here: what a link does with a ring.
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "ring.h"

static void
burst_parse(const struct syncache_ring *rx, uint32_t first, uint32_t count,
            struct parsed *parsed)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct syncache_slot *slot = &rx->slot[first + i];
        const uint8_t *packet = ring_slot(rx, first + i) + slot->link_size;

        assert((size_t)slot->link_size + slot->size <= rx->slot_size);
        parsed[i].kind =
            wire_parse(packet, slot->size, slot->checksum, &parsed[i].segment,
                       &parsed[i].quote, &parsed[i].why);
    }
}

static void
burst_hash(const struct syncache *cache, uint32_t count, struct parsed *parsed)
{
    for (uint32_t i = 0; i < count; i++)
        input_hash(cache, &parsed[i]);
}

static void
burst_prefetch(const struct syncache *cache, uint32_t count,
               const struct parsed *parsed)
{
    for (uint32_t i = 0; i < count; i++) {
        if (parsed[i].kind == WIRE_TCP)
            table_prefetch_tags(&cache->table,
                                table_bucket(&cache->table, parsed[i].hash));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parsed[i].kind == WIRE_TCP)
            table_prefetch_entry(&cache->table, parsed[i].hash);
    }
}

/* Notes what became of packet `index`, and puts its reply into tx. */
static void
burst_note(struct syncache_ring *rx, struct syncache_ring *tx, uint32_t index,
           enum syncache_verdict verdict, const struct event *event)
{
    struct syncache_slot *slot = &rx->slot[index];
    enum syncache_kind kind = syncache_kind(verdict);

    slot->verdict = (uint8_t)verdict;
    slot->handle = event->handle;
    if (kind == SYNCACHE_PASS || kind == SYNCACHE_ACCEPT)
        rx->passed[rx->passed_count++] = index;
    if (event->reply_size == 0)
        return;
    memcpy(ring_slot(tx, tx->count), ring_slot(rx, index), slot->link_size);
    ring_append(tx, event->reply_size, slot->link_size, (uint16_t)index);
}

/* Returns how many were consumed: fewer than count if tx is full. */
static uint32_t
burst_events(struct syncache *cache, struct syncache_ring *rx,
             struct syncache_ring *tx, uint32_t count,
             const struct parsed *parsed)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = rx->next;
        uint32_t link_size = rx->slot[index].link_size;
        bool room = ring_has_room(tx, link_size);
        uint8_t nowhere[SYNCACHE_REPLY_MAX];
        struct event event = {
            .conn = &rx->conn[index],
            .reply = room ? ring_reply(tx, link_size) : nowhere,
        };
        enum syncache_verdict verdict;

        if (!room && input_may_reply(cache, &parsed[i]))
            return i;
        verdict = input_parsed(cache, &parsed[i], &event);
        burst_note(rx, tx, index, verdict, &event);
        rx->next++;
    }
    return count;
}

uint32_t
syncache_burst(struct syncache *cache, uint64_t now_ms,
               struct syncache_ring *rx, struct syncache_ring *tx)
{
    struct parsed parsed[SYNCACHE_BURST_MAX];
    uint32_t consumed = 0;

    assert(rx->conn != NULL && rx->passed != NULL);
    assert(rx->next <= rx->count && rx->count <= rx->slots);
    engine_advance(cache, now_ms);
    rx->passed_count = 0;
    while (rx->next < rx->count) {
        uint32_t count = rx->count - rx->next;
        uint32_t done;

        if (count > SYNCACHE_BURST_MAX)
            count = SYNCACHE_BURST_MAX;
        burst_parse(rx, rx->next, count, parsed);
        burst_hash(cache, count, parsed);
        burst_prefetch(cache, count, parsed);
        done = burst_events(cache, rx, tx, count, parsed);
        consumed += done;
        if (done < count)
            break;
    }
    return consumed;
}

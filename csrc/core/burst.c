/*
 * A ring of packets, in stages over at most SYNCACHE_BURST_MAX of them:
 *
 *   sort     whose header looks like a template's goes into the lanes of its
 *            family; the slots ahead are fetched meanwhile
 *   match    whole headers and both checksums, side by side; what does not fit
 *            and all other packets are parsed one by one
 *   hash     the tuples of all, if anybody looks them up; cookies and timestamp
 *            offsets of the SYNs
 *   fetch    the buckets' tag lines, then the entries that will be written
 *   events   in order of arrival: runs of SYNs together (flood.c), a SYN alone by
 *            quick_syn(), the rest by the very function that a single packet
 *            takes
 *   replies  of the SYNs, side by side, into the slots that they got in order
 *
 * Only the events change anything, so the results are bit by bit those of
 * single packets.  Without vectors nothing is gained by hashing SYNs together
 * that no bucket is fetched for, so then a SYN goes through one by one.
 *
 * Not here: what a link does with a ring, the bytes of the lanes (csrc/simd/).
 */
#include <assert.h>
#include <string.h>

#include "../syncache_host.h"
#include "bits.h"
#include "burst.h"
#include "event.h"
#include "gather.h"
#include "wire_icmp.h"

#define BURST_AHEAD 12 /* slots that are fetched ahead of the one sorted */
#define BURST_LINE 64  /* a header may reach into a second one */
/* Vectors are filled whole: below five packets they cost more than they save. */
#define BURST_VECTOR_MIN 5

static const uint8_t *
burst_packet(const struct burst *burst, uint32_t i)
{
    uint32_t index = burst->first + i;

    return ring_slot(burst->rx, index) + burst->rx->slot[index].link_size;
}

static void
burst_sort(struct burst *burst)
{
    struct syncache *cache = burst->cache;
    struct quick *quick = &cache->quick;
    const struct syncache_ring *rx = burst->rx;
    const uint8_t *bytes = ring_slot(rx, burst->first);
    size_t slot_size = rx->slot_size;
    /* Beyond the ring's end nothing is read: a prefetch is a hint. */
    size_t ahead = BURST_AHEAD * slot_size;

    for (size_t i = 0; i < 2; i++) {
        quick->lanes[i].syns = 0;
        quick->lanes[i].trusted = 0;
    }
    for (uint32_t i = 0; i < burst->count; i++, bytes += slot_size) {
        const struct syncache_slot *slot = &rx->slot[burst->first + i];
        struct burst_place *place = &burst->place[i];
        struct simd_lanes *lanes = NULL;

        assert((size_t)slot->link_size + slot->size <= slot_size);
        BITS_FETCH((const void *)((uintptr_t)bytes + ahead));
        BITS_FETCH((const void *)((uintptr_t)bytes + ahead + BURST_LINE));
        if (quick->open)
            lanes = quick_take(cache, quick, bytes + slot->link_size,
                               slot->size, slot_size - slot->link_size);
        place->lanes = lanes;
        if (lanes == NULL)
            continue;
        place->lane = (uint8_t)(lanes->syns - 1);
        if (slot->checksum != SYNCACHE_CHECKSUM_VERIFY)
            lanes->trusted |= UINT64_C(1) << place->lane;
    }
}

/* Parses a packet that is no template's; its tuple gets a lane of its own. */
static void
burst_parse(struct burst *burst, uint32_t i)
{
    const struct syncache_slot *slot = &burst->rx->slot[burst->first + i];
    struct burst_place *place = &burst->place[i];
    struct parsed *parsed = &burst->parsed[i];
    const struct syncache_tuple *tuple =
        input_parse(burst_packet(burst, i), slot->size, slot->checksum, parsed);

    place->syn = false;
    if (tuple == NULL) {
        place->lanes = NULL;
        return;
    }
    if (place->lanes == NULL) {
        place->lanes = &burst->cache->quick.lanes[tuple->family == 6];
        place->lane = (uint8_t)place->lanes->count++;
    }
    quick_set_tuple(place->lanes, place->lane, tuple);
    burst->hashed = true;
}

static void
burst_match(struct burst *burst)
{
    struct quick *quick = &burst->cache->quick;
    uint64_t good[2];

    for (size_t i = 0; i < 2; i++) {
        struct simd_lanes *lanes = &quick->lanes[i];

        good[i] = lanes->syns == 0 ? 0 : burst->kernels->match(lanes);
        lanes->count = lanes->syns;
    }
    burst->hashed = quick_needs_hash(burst->cache);
    for (uint32_t i = 0; i < burst->count; i++) {
        struct burst_place *place = &burst->place[i];

        place->syn = place->lanes != NULL &&
                     (good[place->lanes->v6] >> place->lane & 1) != 0;
        if (!place->syn)
            burst_parse(burst, i);
    }
}

static void
burst_hash(struct burst *burst)
{
    struct quick *quick = &burst->cache->quick;

    for (size_t i = 0; i < 2; i++) {
        struct simd_lanes *lanes = &quick->lanes[i];

        if (lanes->syns > 0)
            burst->kernels->cookies(&quick->shape[i], lanes);
        if (burst->hashed && lanes->count > 0)
            burst->kernels->hashes(burst->cache->hash_key, lanes);
    }
}

static void
burst_fetch(const struct burst *burst)
{
    const struct table *table = &burst->cache->table;
    /* Then what is no SYN is most likely of a connection, not of an entry. */
    bool known = burst->cache->known.count > 0;

    if (engine_cookies_only(burst->cache))
        return;
    for (size_t v6 = 0; v6 < 2; v6++) {
        const struct simd_lanes *lanes = &burst->cache->quick.lanes[v6];

        table_prefetch_all(table, lanes->hash, lanes->count);
    }
    for (size_t v6 = 0; v6 < 2; v6++) {
        const struct simd_lanes *lanes = &burst->cache->quick.lanes[v6];

        for (uint32_t lane = 0; lane < (known ? lanes->syns : lanes->count);
             lane++)
            table_prefetch_entry(table, lanes->hash[lane]);
    }
}

/* Notes what became of packet `index`.  Returns whether it is the stack's. */
static bool
burst_note(struct syncache_ring *rx, uint32_t index,
           enum syncache_verdict verdict, uint64_t handle)
{
    struct syncache_slot *slot = &rx->slot[index];
    enum syncache_kind kind = syncache_kind(verdict);

    slot->verdict = (uint8_t)verdict;
    slot->handle = handle;
    if (kind != SYNCACHE_PASS && kind != SYNCACHE_ACCEPT)
        return false;
    rx->passed[rx->passed_count++] = index;
    return true;
}

static void
burst_describe_other(const struct parsed *parsed, const uint8_t *packet,
                     struct syncache_arrival *arrival)
{
    const struct wire_quote *quote = &parsed->quote;

    arrival->tuple = parsed->segment.tuple;
    if (quote->message == NULL)
        return;
    arrival->payload = (uint16_t)(quote->message - packet);
    arrival->payload_size = quote->size;
    arrival->icmp_type = quote->type;
    arrival->icmp_code = quote->code;
    if (parsed->kind == WIRE_QUOTE) {
        arrival->tuple = quote->tuple;
        arrival->seq = quote->seq;
        arrival->mtu = wire_icmp_mtu(quote);
    }
}

/* Writes what a packet for the stack says, so that it is not parsed again. */
static void
burst_describe_into(struct syncache_arrival *arrival, const struct burst *burst,
                    uint32_t i)
{
    const struct syncache_ring *rx = burst->rx;
    const struct parsed *parsed = &burst->parsed[i];
    const struct wire_segment *segment = &parsed->segment;
    uint32_t index = burst->first + i;
    const struct syncache_slot *slot = &rx->slot[index];
    const uint8_t *packet = burst_packet(burst, i);

    memset(arrival, 0, sizeof(*arrival));
    arrival->handle = slot->handle;
    arrival->place = (uint64_t)(packet - rx->memory);
    arrival->slot = index;
    arrival->size = slot->size;
    arrival->verdict = slot->verdict;
    if (parsed->kind != WIRE_TCP) {
        burst_describe_other(parsed, packet, arrival);
        return;
    }
    arrival->is_tcp = 1;
    arrival->tuple = segment->tuple;
    arrival->tcp = (uint16_t)(segment->tcp - packet);
    arrival->payload = (uint16_t)(arrival->tcp + segment->header_size);
    arrival->payload_size = segment->payload_size;
    arrival->seq = segment->seg_seq;
    arrival->ack = segment->seg_ack;
    arrival->flags = segment->flags;
    arrival->window = segment->seg_wnd;
    arrival->ecn = segment->tos & 3;
    arrival->marked = arrival->ecn == 3;
    arrival->timestamps = (segment->has & WIRE_HAS_TIMESTAMPS) != 0;
    arrival->tsval = segment->tsval;
    arrival->tsecr = segment->tsecr;
    if (segment->md5 != NULL)
        arrival->md5 = (uint16_t)(segment->md5 - packet);
    arrival->sack_count = segment->sack_count;
    if (segment->sack_count != 0)
        arrival->sack = (uint16_t)(arrival->tcp + segment->sack);
}

/* The last packet that passed becomes an arrival, or a part of the one before
 * it of its connection. */
static void
burst_describe(const struct burst *burst, uint32_t i, struct guard *guard)
{
    struct syncache_ring *rx = burst->rx;
    uint32_t number = rx->passed_count - 1;
    struct syncache_arrival *arrival = &rx->arrival[number];
    enum gather gather = GATHER_APART;

    burst_describe_into(arrival, burst, i);
    if (guard == NULL)
        return;
    if (guard->is & GUARD_CONTINUES && guard->last < number)
        gather = gather_join(rx, &rx->arrival[guard->last], arrival);
    if (gather == GATHER_JOINED ||
        (gather == GATHER_APART && guard->is & GUARD_OVER))
        rx->passed_count--;
    else
        guard_stands_alone(guard, gather == GATHER_OLD ? GUARD_NONE : number,
                           gather != GATHER_FULL);
}

/* The long way.  Returns false, and nothing has happened, if tx is full. */
static bool
burst_event(struct burst *burst, uint32_t i)
{
    struct syncache_ring *rx = burst->rx, *tx = burst->tx;
    uint32_t index = burst->first + i;
    uint32_t link_size = rx->slot[index].link_size;
    bool room = ring_has_room(tx, link_size);
    uint8_t nowhere[SYNCACHE_REPLY_MAX];
    struct event event = {
        .conn = &rx->conn[index],
        .reply = room ? ring_reply(tx, link_size) : nowhere,
    };
    const struct burst_place *place = &burst->place[i];
    enum syncache_verdict verdict;

    if (place->lanes != NULL)
        burst->parsed[i].hash = place->lanes->hash[place->lane];
    if (!room && input_may_reply(burst->cache, &burst->parsed[i]))
        return false;
    verdict = input_parsed(burst->cache, &burst->parsed[i], &event);
    if (burst_note(rx, index, verdict, event.handle) && rx->arrival != NULL)
        burst_describe(burst, i, event.guard);
    if (event.reply_size != 0)
        burst_append(burst, index, event.reply_size);
    return true;
}

/* The short way of a SYN; where it does not lead on, the long one. */
static bool
burst_syn(struct burst *burst, uint32_t i)
{
    const struct burst_place *place = &burst->place[i];
    struct simd_lanes *lanes = place->lanes;
    uint32_t index = burst->first + i;
    uint32_t link_size = burst->rx->slot[index].link_size;
    enum syncache_verdict verdict = EVENT_UNDECIDED;

    if (ring_has_room(burst->tx, link_size))
        verdict = quick_syn(burst->cache, lanes, place->lane);
    if (verdict == EVENT_UNDECIDED) {
        const struct syncache_slot *slot = &burst->rx->slot[index];

        (void)input_parse(burst_packet(burst, i), slot->size, slot->checksum,
                          &burst->parsed[i]);
        if (!burst->hashed)
            quick_hash(burst->cache, lanes, place->lane);
        return burst_event(burst, i);
    }
    if (verdict == SYNCACHE_DROP_CACHE_FULL)
        (void)burst_note(burst->rx, index, verdict, 0);
    else
        burst_answer(burst, i, verdict);
    return true;
}

/* Returns how many were consumed: fewer than count if tx is full. */
static uint32_t
burst_events(struct burst *burst)
{
    uint32_t i = 0;
    bool goes_on = true;

    while (goes_on) {
        i = flood_run(burst, i);
        goes_on =
            i < burst->count &&
            (burst->place[i].syn ? burst_syn(burst, i) : burst_event(burst, i));
        i += goes_on;
    }
    burst->rx->next += i;
    return i;
}

static void
burst_reply(const struct burst *burst)
{
    struct quick *quick = &burst->cache->quick;

    for (size_t i = 0; i < 2; i++) {
        if (quick->lanes[i].syns > 0)
            burst->kernels->replies(&quick->shape[i], &quick->lanes[i]);
    }
}

uint32_t
syncache_burst(struct syncache *cache, uint64_t now_ms,
               struct syncache_ring *rx, struct syncache_ring *tx)
{
    struct burst burst;
    uint32_t consumed = 0;

    assert(rx->conn != NULL && rx->passed != NULL);
    assert(rx->next <= rx->count && rx->count <= rx->slots);
    burst.cache = cache;
    burst.rx = rx;
    burst.tx = tx;
    engine_advance(cache, now_ms);
    cache->turn++;
    rx->passed_count = 0;
    while (rx->next < rx->count) {
        uint32_t done;

        burst.first = rx->next;
        burst.count = rx->count - rx->next;
        if (burst.count > SYNCACHE_BURST_MAX)
            burst.count = SYNCACHE_BURST_MAX;
        burst.run_max = SYNCACHE_BURST_MAX;
        burst.run_from = 0;
        burst.run_wait = 0;
        burst.kernels = burst.count < BURST_VECTOR_MIN ? &simd_portable
                                                       : cache->quick.kernels;
        burst_sort(&burst);
        burst_match(&burst);
        burst_hash(&burst);
        if (burst.hashed)
            burst_fetch(&burst);
        done = burst_events(&burst);
        burst_reply(&burst);
        consumed += done;
        if (done < burst.count)
            break;
    }
    return consumed;
}

/*
 * The short way of a SYN: see quick.h.  Bytes are the kernels' (csrc/simd/);
 * here is which template a packet is held against, and what the engine does
 * with a SYN that fits.
 */
#include "quick.h"

#include <assert.h>
#include <string.h>

#include "../simd/scalar.h"
#include "bytes.h"
#include "event.h"
#include "syncookie.h"

_Static_assert(SYNCACHE_REPLY_MAX >= SIMD_V6_SYN, "a SYN-ACK is as long");

void
quick_init(struct syncache *cache)
{
    cache->quick.kernels = simd_kernels();
    cache->table.isa = cache->quick.kernels->isa;
    cache->quick.lanes[1].v6 = true;
    quick_forget(cache);
}

void
quick_forget(struct syncache *cache)
{
    struct quick *quick = &cache->quick;

    cache->settled = false;
    quick->open = false;
    quick->shaped = false;
    for (size_t i = 0; i < QUICK_PLACES; i++) {
        quick->place[0][i].key[0] = QUICK_NOWHERE;
        quick->place[1][i].key[2] = QUICK_NOWHERE;
    }
    for (size_t i = 0; i < QUICK_TEMPLATES; i++)
        quick->template[i].made = false;
}

/* One's complement sum of what is constant, unfolded. */
static uint32_t
quick_sum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)(bytes[i + 1] << 8 | bytes[i]);
    return sum;
}

/* Makes an endpoint's template; not usable if its answer has another form. */
static void
quick_make(struct syncache *cache, struct endpoint *endpoint, bool v6,
           struct quick_template *template)
{
    static const struct wire_segment model = {
        .flags = WIRE_SYN,
        .has = WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED |
               WIRE_HAS_TIMESTAMPS,
    };
    struct wire_segment segment = model;
    struct event event = {.segment = &segment, .endpoint = endpoint};
    uint8_t reply[SYNCACHE_REPLY_MAX] = {0};
    uint32_t size = v6 ? SIMD_V6_SYN : SIMD_V4_SYN;
    uint8_t *tcp = reply + (v6 ? 40 : 20);

    segment.tuple.family = v6 ? 6 : 4;
    add_fill(cache, &event, &template->entry);
    template->endpoint = endpoint;
    template->made = true;
    template->usable =
        endpoint->md5_count == 0 &&
        template->entry.flags == (ENTRY_WINSCALE | ENTRY_TIMESTAMP |
                                  ENTRY_SACK | (v6 ? ENTRY_V6 : 0)) &&
        respond_template(cache, &template->entry, reply) == size;
    if (!template->usable)
        return;
    template->entry.flags |= ENTRY_COOKIE_ISS;
    template->entry.rxmits = 1;
    /* What differs between peers: checksums, ports, numbers, timestamps. */
    if (!v6)
        store16_be(reply + 10, 0);
    memset(tcp, 0, 12);
    store16_be(tcp + 16, 0);
    memset(tcp + 32, 0, 8);
    memcpy(template->wire.reply, reply, size);
    template->wire.ip_sum = v6 ? 0 : quick_sum(reply, 20);
    template->wire.tcp_sum = quick_sum(tcp, 40) + SCALAR_PSEUDO;
    template->wire.scale = syncookie_scale(
        (enum syncache_layout)cache->tunables.cookie_layout,
        segment.tuple.family, engine_wscale(cache, &endpoint->config));
}

/* The template of the endpoint that listens there, or NULL. */
static struct quick_template *
quick_template_at(struct syncache *cache, const uint8_t *laddr,
                  const uint8_t *lport, bool v6)
{
    struct syncache_tuple tuple = {.family = v6 ? 6 : 4};
    struct quick_template *template;
    struct endpoint *endpoint;
    uint32_t number;

    memcpy(tuple.laddr, laddr, v6 ? 16 : 4);
    tuple.lport = load16_be(lport);
    endpoint = endpoints_find(&cache->endpoints, &tuple);
    if (endpoint == NULL)
        return NULL;
    number = endpoints_slot(&cache->endpoints, endpoint) * 2 + v6;
    template = &cache->quick.template[number % QUICK_TEMPLATES];
    if (!template->made)
        quick_make(cache, endpoint, v6, template);
    return template->usable && template->endpoint == endpoint &&
                   ((template->entry.flags & ENTRY_V6) != 0) == v6
               ? template
               : NULL;
}

struct quick_template *
quick_remember(struct syncache *cache, struct quick_place *place,
               const uint8_t *packet, bool v6)
{
    if (v6) {
        place->key[0] = load64_le(packet + 24);
        place->key[1] = load64_le(packet + 32);
        place->key[2] = load16_be(packet + 42);
        place->template =
            quick_template_at(cache, packet + 24, packet + 42, true);
    } else {
        place->key[0] = quick_key_v4(packet);
        place->template =
            quick_template_at(cache, packet + 16, packet + 22, false);
    }
    return place->template;
}

bool
quick_needs_hash(const struct syncache *cache)
{
    return cache->known.count > 0 || !engine_cookies_only(cache);
}

void
quick_set_tuple(struct simd_lanes *lanes, uint32_t lane,
                const struct syncache_tuple *tuple)
{
    uint8_t ports[4];

    for (uint32_t i = 0; i < (lanes->v6 ? 4 : 1); i++) {
        lanes->faddr[i][lane] = load32_le(tuple->faddr + 4 * i);
        lanes->laddr[i][lane] = load32_le(tuple->laddr + 4 * i);
    }
    store16_be(ports, tuple->fport);
    store16_be(ports + 2, tuple->lport);
    lanes->ports[lane] = load32_le(ports);
}

void
quick_hash(const struct syncache *cache, struct simd_lanes *lanes,
           uint32_t lane)
{
    lanes->hash[lane] = scalar_tuple_hash(lanes, lane, cache->hash_key, true);
}

static void
quick_tuple(const struct simd_lanes *lanes, uint32_t lane,
            struct syncache_tuple *tuple)
{
    uint8_t ports[4];

    memset(tuple, 0, sizeof(*tuple));
    for (uint32_t i = 0; i < (lanes->v6 ? 4 : 1); i++) {
        store32_le(tuple->faddr + 4 * i, lanes->faddr[i][lane]);
        store32_le(tuple->laddr + 4 * i, lanes->laddr[i][lane]);
    }
    store32_le(ports, lanes->ports[lane]);
    tuple->fport = load16_be(ports);
    tuple->lport = load16_be(ports + 2);
    tuple->family = lanes->v6 ? 6 : 4;
}

void
quick_entry(const struct syncache *cache, const struct simd_lanes *lanes,
            uint32_t lane, struct table_entry *entry)
{
    const struct quick_template *template =
        (const struct quick_template *)(const void *)lanes->template[lane];
    uint8_t ports[4];

    *entry = template->entry;
    for (uint32_t i = 0; i < (lanes->v6 ? 4 : 1); i++) {
        store32_le(entry->faddr + 4 * i, lanes->faddr[i][lane]);
        store32_le(entry->laddr + 4 * i, lanes->laddr[i][lane]);
    }
    store32_le(ports, lanes->ports[lane]);
    entry->fport = load16_be(ports);
    entry->lport = load16_be(ports + 2);
    entry->irs = lanes->irs[lane];
    entry->iss = lanes->iss[lane];
    entry->tsreflect = scalar_swap32(lanes->tsval[lane]);
    entry->born_ms = (uint32_t)cache->now_ms;
    entry->peer_mss = (uint16_t)lanes->mss[lane];
    entry->scales |= (uint8_t)(lanes->wscale[lane] << 4);
}

static void
quick_store(struct syncache *cache, const struct simd_lanes *lanes,
            uint32_t lane, const struct syncache_tuple *tuple)
{
    struct table_ref ref =
        table_insert(&cache->table, lanes->hash[lane], tuple);

    assert(ref.entry != NULL);
    quick_entry(cache, lanes, lane, ref.entry);
    table_arm(&cache->table, ref,
              cache->now_ms + cache->tunables.rexmit_initial_ms, cache->now_ms);
    endpoints_entry_added(&cache->endpoints, ref.entry->endpoint);
    cache->stats.sc_added++;
}

enum syncache_verdict
quick_syn(struct syncache *cache, const struct simd_lanes *lanes, uint32_t lane)
{
    const struct quick_template *template =
        (const struct quick_template *)(const void *)lanes->template[lane];
    struct syncache_stats *stats = &cache->stats;
    enum syncache_verdict verdict = SYNCACHE_REPLY_SYN_COOKIE;
    struct syncache_tuple tuple;
    uint64_t hash;

    if (quick_stateless(cache)) {
        quick_stamp(cache, &template->wire);
        quick_count(cache, 1);
        return verdict;
    }
    hash = lanes->hash[lane];
    quick_tuple(lanes, lane, &tuple);
    if (known_find(&cache->known, hash, &tuple) != NULL ||
        (!engine_cookies_only(cache) &&
         table_find(&cache->table, hash, &tuple).entry != NULL))
        return EVENT_UNDECIDED;
    stats->rcvtotal++;
    switch (add_place(cache, hash)) {
    case ADD_STORE:
        quick_store(cache, lanes, lane, &tuple);
        verdict = SYNCACHE_REPLY_SYN_ACK;
        break;
    case ADD_STATELESS:
        engine_stamp_gate(cache, template->endpoint);
        stats->cookie_only_synacks++;
        break;
    case ADD_REFUSE:
        stats->verdicts[SYNCACHE_DROP_CACHE_FULL]++;
        return SYNCACHE_DROP_CACHE_FULL;
    }
    stats->sc_sendcookie++;
    stats->sndacks++;
    stats->sndtotal++;
    stats->verdicts[verdict]++;
    return verdict;
}

bool
quick_stateless(const struct syncache *cache)
{
    return cache->quick.open && !quick_needs_hash(cache);
}

void
quick_count(struct syncache *cache, uint32_t count)
{
    struct syncache_stats *stats = &cache->stats;

    pause_note_syns(&cache->pause, count);
    stats->rcvtotal += count;
    stats->sc_sendcookie += count;
    stats->cookie_only_synacks += count;
    stats->sndacks += count;
    stats->sndtotal += count;
    stats->verdicts[SYNCACHE_REPLY_SYN_COOKIE] += count;
}

void
quick_stamp(struct syncache *cache, const struct simd_template *template)
{
    engine_stamp_gate(
        cache,
        ((const struct quick_template *)(const void *)template)->endpoint);
}

enum syncache_verdict
quick_single(struct syncache *cache, const uint8_t *packet, size_t packet_size,
             uint32_t checksum, struct syncache_result *result)
{
    struct quick *quick = &cache->quick;
    struct simd_lanes *lanes = NULL;
    enum syncache_verdict verdict;

    quick->lanes[0].syns = quick->lanes[1].syns = 0;
    /* The functions of one lane read no more than the packet. */
    if (quick->open)
        lanes = quick_take(cache, quick, packet, packet_size, SIMD_V4_READ);
    if (lanes == NULL)
        return EVENT_UNDECIDED;
    lanes->trusted = checksum != SYNCACHE_CHECKSUM_VERIFY;
    if (!(lanes->v6 ? scalar_match_v6(lanes, 0) : scalar_match_v4(lanes, 0)))
        return EVENT_UNDECIDED;
    if (quick_needs_hash(cache)) {
        quick_hash(cache, lanes, 0);
        table_prefetch_tags(&cache->table,
                            table_bucket(&cache->table, lanes->hash[0]));
    }
    scalar_cookies(&quick->shape[lanes->v6], lanes, 0);
    verdict = quick_syn(cache, lanes, 0);
    if (verdict == EVENT_UNDECIDED)
        return verdict;
    result->handle = 0;
    result->reply_size = 0;
    if (verdict == SYNCACHE_DROP_CACHE_FULL)
        return verdict;
    lanes->out[0] = result->reply;
    result->reply_size = quick_reply_size(lanes);
    if (lanes->v6)
        scalar_reply_v6(&quick->shape[1], lanes, 0);
    else
        scalar_reply_v4(&quick->shape[0], lanes, 0);
    return verdict;
}

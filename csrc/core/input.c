/*
 * One packet: whose it is, and which event it is.  All choosing between events
 * is here; the event functions are leaves.
 *
 * Order: known tuples (established or offered), half-open entries, listening
 * endpoints; for a listener the order of RFC 9293 3.10.7.2
 * with an ACK first, since a listener here has SYN-RECEIVED connections.
 *
 * Not here: bytes (wire.c), what an event does.
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "seq.h"

/* SYN, data up to an unscaled window, FIN. */
#define INPUT_FASTOPEN_SENT (65535 + 2)

static enum syncache_verdict input_segment(struct syncache *cache,
                                           const struct parsed *parsed,
                                           struct event *event);
static enum syncache_verdict input_listener(struct syncache *cache,
                                            struct event *event);
static enum syncache_verdict input_closed_port(struct syncache *cache,
                                               struct event *event);

const struct syncache_tuple *
input_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum,
            struct parsed *parsed)
{
    parsed->kind = wire_parse(packet, packet_size, checksum, &parsed->segment,
                              &parsed->quote, &parsed->why);
    if (parsed->kind == WIRE_TCP)
        return &parsed->segment.tuple;
    return parsed->kind == WIRE_QUOTE ? &parsed->quote.tuple : NULL;
}

static enum syncache_verdict
input_quote(struct syncache *cache, const struct parsed *parsed)
{
    const struct syncache_tuple *tuple = &parsed->quote.tuple;

    /* The stack's own connections come first, as for segments. */
    if (known_find(&cache->known, parsed->hash, tuple) != NULL ||
        !chkrst_unreach(cache, parsed->hash, tuple, parsed->quote.seq))
        return SYNCACHE_PASS_ICMP;
    return SYNCACHE_DROP_ICMP;
}

enum syncache_verdict
input_parsed(struct syncache *cache, const struct parsed *parsed,
             struct event *event)
{
    enum syncache_verdict verdict = SYNCACHE_PASS_NOT_TCP;

    event->reply_size = 0;
    event->handle = 0;
    switch (parsed->kind) {
    case WIRE_TCP:
        verdict = input_segment(cache, parsed, event);
        break;
    case WIRE_QUOTE:
        verdict = input_quote(cache, parsed);
        break;
    case WIRE_OTHER:
        break;
    case WIRE_BAD:
        verdict = parsed->why;
        break;
    }
    assert(verdict < SYNCACHE_VERDICT_COUNT);
    assert((syncache_kind(verdict) == SYNCACHE_REPLY ||
            verdict == SYNCACHE_ACCEPT_FASTOPEN) == (event->reply_size != 0));
    cache->stats.verdicts[verdict]++;
    return verdict;
}

/* DROP_* or PASS_NOT_OURS; PASS_KNOWN if the segment is for us. */
static enum syncache_verdict
input_address(const struct syncache *cache, const struct syncache_tuple *tuple)
{
    enum syncache_verdict fault = wire_address_fault(tuple);

    /* Nobody's: TCP has no use for a group (RFC 9293 MUST-57). */
    if (fault == SYNCACHE_DROP_DESTINATION)
        return fault;
    if (!endpoints_ours(&cache->endpoints, tuple->family, tuple->laddr))
        return SYNCACHE_PASS_NOT_OURS;
    return fault;
}

/*
 * RFC 7413 4.2: an ACK of the SYN-ACK ends the request's being pending.  It is
 * the first that comes, so at most a window as wide as a SYN can offer is sent
 * by then; any wider, and who sent the SYN in another's name could guess it.
 */
static void
input_settle_fastopen(struct syncache *cache, struct known_node *node,
                      const struct wire_segment *segment)
{
    if (!node->pending ||
        (segment->flags & (WIRE_ACK | WIRE_RST)) != WIRE_ACK ||
        !seq_in_window(segment->seg_ack, node->iss + 1, INPUT_FASTOPEN_SENT))
        return;
    node->pending = 0;
    fastopen_settle(cache, node->endpoint);
}

/* A RST is owed to the tuple: its next ACK draws it, a SYN or RST cancels it.
 */
static enum syncache_verdict
input_owed(struct syncache *cache, struct known_node *node, struct event *event)
{
    const struct wire_segment *segment = event->segment;
    uint16_t flags = segment->flags & (WIRE_RST | WIRE_SYN | WIRE_ACK);
    uint32_t seq = node->iss + 1;

    if (!(flags & WIRE_RST) && flags != WIRE_SYN && flags != WIRE_ACK)
        return EVENT_UNDECIDED;
    known_remove(&cache->known, event->hash, node);
    if (flags & WIRE_RST)
        return SYNCACHE_DROP_RST;
    if (flags == WIRE_SYN)
        return EVENT_UNDECIDED;
    event->reply_size =
        respond_rst_owed(cache, &segment->tuple, seq, event->reply);
    return SYNCACHE_REPLY_RST;
}

#ifndef SYNCACHE_SMALL
static bool
input_guarded(const struct syncache *cache, struct known_node *node,
              const struct wire_segment *segment)
{
    struct guard_limits limits = {
        .now_ms = (uint32_t)cache->now_ms,
        .window_ms = cache->tunables.ack_war_timewindow_ms,
        .count = cache->tunables.ack_war_cnt,
        .turn = cache->turn,
    };

    return guard_passes(&node->guard, &limits, segment);
}
#endif

/* Undecided: the tuple is not known, go on. */
static enum syncache_verdict
input_known(struct syncache *cache, struct event *event)
{
    struct known_node *node =
        known_find(&cache->known, event->hash, &event->segment->tuple);

    if (node == NULL)
        return EVENT_UNDECIDED;
    if (node->state == KNOWN_RST_OWED)
        return input_owed(cache, node, event);
    input_settle_fastopen(cache, node, event->segment);
    if (node->state == KNOWN_OFFERED)
        return SYNCACHE_PASS_OFFERED;
#ifndef SYNCACHE_SMALL
    if (node->guard.is != 0 && !input_guarded(cache, node, event->segment))
        return SYNCACHE_DROP_KNOWN_LIMIT;
    if (node->guard.is & GUARD_GATHERS)
        event->guard = &node->guard;
#endif
    event->handle = node->handle;
    return SYNCACHE_PASS_KNOWN;
}

static enum syncache_verdict
input_segment(struct syncache *cache, const struct parsed *parsed,
              struct event *event)
{
    const struct syncache_tuple *tuple = &parsed->segment.tuple;
    enum syncache_verdict verdict = input_address(cache, tuple);

    cache->stats.rcvtotal++;
    if (verdict != SYNCACHE_PASS_KNOWN)
        return verdict;
    event->segment = &parsed->segment;
    event->hash = parsed->hash;
    verdict = input_known(cache, event);
    if (verdict != EVENT_UNDECIDED)
        return verdict;
    event->endpoint = endpoints_find(&cache->endpoints, tuple);
    event->ref.entry = NULL;
    if (event->endpoint == NULL)
        return input_closed_port(cache, event);
    if (!engine_cookies_only(cache))
        event->ref = table_find(&cache->table, event->hash, tuple);
    return input_listener(cache, event);
}

static enum syncache_verdict
input_listener(struct syncache *cache, struct event *event)
{
    uint16_t flags = event->segment->flags;

    if ((flags & (WIRE_RST | WIRE_ACK | WIRE_SYN)) == WIRE_ACK)
        return syncache_expand(cache, event);
    if (flags & WIRE_RST)
        return syncache_chkrst(cache, event);
    if (!(flags & WIRE_SYN)) {
        cache->stats.badsyn++;
        return SYNCACHE_DROP_NO_SYN;
    }
    if (flags & WIRE_ACK) {
        cache->stats.badsyn++;
        return SYNCACHE_DROP_SYN_ACK;
    }
    if ((flags & WIRE_FIN) && cache->tunables.drop_synfin) {
        cache->stats.badsyn++;
        return SYNCACHE_DROP_SYN_FIN;
    }
    return syncache_add(cache, event);
}

/* RFC 9293 3.10.7.1, state CLOSED. */
static enum syncache_verdict
input_closed_port(struct syncache *cache, struct event *event)
{
    const struct wire_segment *segment = event->segment;
    bool syn = (segment->flags & (WIRE_SYN | WIRE_ACK)) == WIRE_SYN;

    if (cache->config.established_max == 0)
        return SYNCACHE_PASS_NO_ENDPOINT;
    if (segment->flags & WIRE_RST)
        return SYNCACHE_DROP_RST_NO_ENTRY;
    return respond_refuse(cache, event, syn ? 1 : 2);
}

bool
input_may_reply(const struct syncache *cache, const struct parsed *parsed)
{
    const struct known_node *node;

    if (parsed->kind != WIRE_TCP ||
        input_address(cache, &parsed->segment.tuple) != SYNCACHE_PASS_KNOWN)
        return false;
    node = known_find(&cache->known, parsed->hash, &parsed->segment.tuple);
    return node == NULL || node->state == KNOWN_RST_OWED;
}

/* The rest of a single packet, once it is parsed; `tuple` may be NULL. */
static enum syncache_verdict
input_single(struct syncache *cache, struct parsed *parsed,
             const struct syncache_tuple *tuple, struct syncache_result *result)
{
    struct event event = {.conn = &result->conn, .reply = result->reply};
    enum syncache_verdict verdict;

    cache->turn++;
    if (tuple != NULL)
        parsed->hash = engine_hash(cache, tuple);
    verdict = input_parsed(cache, parsed, &event);
    result->reply_size = event.reply_size;
    result->handle = event.handle;
    return verdict;
}

/* Apart, so that the short way does not pay for what it does not need. */
static __attribute__((noinline)) enum syncache_verdict
input_long_way(struct syncache *cache, const uint8_t *packet,
               size_t packet_size, uint32_t checksum,
               struct syncache_result *result)
{
    struct parsed parsed;

    return input_single(cache, &parsed,
                        input_parse(packet, packet_size, checksum, &parsed),
                        result);
}

enum syncache_verdict
syncache_packet(struct syncache *cache, uint64_t now_ms, const uint8_t *packet,
                size_t packet_size, uint32_t checksum,
                struct syncache_result *result)
{
    engine_advance(cache, now_ms);
#ifndef SYNCACHE_SMALL
    enum syncache_verdict verdict =
        quick_single(cache, packet, packet_size, checksum, result);
    if (verdict != EVENT_UNDECIDED)
        return verdict;
#endif
    return input_long_way(cache, packet, packet_size, checksum, result);
}

enum syncache_verdict
syncache_segment(struct syncache *cache, uint64_t now_ms, uint8_t family,
                 const uint8_t faddr[16], const uint8_t laddr[16], uint8_t tos,
                 const uint8_t *segment, size_t segment_size,
                 size_t payload_size, uint32_t checksum,
                 struct syncache_result *result)
{
    struct parsed parsed;
    size_t address_size = family == 4 ? 4 : 16;
    bool legal = family == 4 || family == 6;

    engine_advance(cache, now_ms);
    memset(&parsed.segment, 0, sizeof(parsed.segment));
    if (legal) {
        memcpy(parsed.segment.tuple.faddr, faddr, address_size);
        memcpy(parsed.segment.tuple.laddr, laddr, address_size);
    }
    parsed.segment.tuple.family = family;
    parsed.segment.tos = tos;
    parsed.why = SYNCACHE_DROP_IP_HEADER;
    parsed.kind =
        legal && wire_parse_tcp(segment, segment_size, payload_size, checksum,
                                &parsed.segment, &parsed.why)
            ? WIRE_TCP
            : WIRE_BAD;
    return input_single(cache, &parsed,
                        parsed.kind == WIRE_TCP ? &parsed.segment.tuple : NULL,
                        result);
}

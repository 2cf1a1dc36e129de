/*
 * A ring of packets, in stages over at most SYNCACHE_BURST_MAX of them: some at
 * a time are parsed, hashed, their slots in the table prefetched, and a step
 * later the sessions that these name; then the policy packet by packet in order
 * of arrival.  Only that changes anything, so results do not depend on the
 * stages.
 */
#include "flow_burst.h"

#include "inspect.h"
#include "intercept.h"
#include "watch.h"

#include "../core/ring.h"

#include <assert.h>
#include <string.h>

_Static_assert(offsetof(struct syncache_tuple, laddr) == 16 &&
                   offsetof(struct syncache_tuple, fport) == 32 &&
                   offsetof(struct session_key, port) == 32,
               "a tuple begins as a key does");

/* Packets that are parsed before they are hashed: what is fetched for some comes
 * while the next are parsed. */
enum { FLOW_STAGED = 8 };

/* The request type that a reply answers, 0 if it is none. */
static uint16_t
flow_icmp_request(uint8_t type)
{
    switch (type) {
    case VIEW_ICMP_ECHO_REPLY:
        return VIEW_ICMP_ECHO;
    case VIEW_ICMP_TIMESTAMP_REPLY:
        return VIEW_ICMP_TIMESTAMP;
    case VIEW_ICMPV6_ECHO_REPLY:
        return VIEW_ICMPV6_ECHO;
    default:
        return 0;
    }
}

/* ICMP has no ports: the identifier is the asker's, the request's type the
 * answerer's.  What is neither request nor reply has neither. */
static void
flow_icmp_key(const struct view *view, struct session_key *key)
{
    bool v4 = view->tuple.family == 4;
    uint16_t request = flow_icmp_request(view->icmp_type);

    if (request != 0 && (request == VIEW_ICMPV6_ECHO) != v4) {
        key->port[0] = request;
        key->port[1] = view->icmp_id;
    } else if (v4 ? view->icmp_type == VIEW_ICMP_ECHO ||
                        view->icmp_type == VIEW_ICMP_TIMESTAMP
                  : view->icmp_type == VIEW_ICMPV6_ECHO) {
        key->port[0] = view->icmp_id;
        key->port[1] = view->icmp_type;
    }
}

static void
flow_key(struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    bool quote = view->kind == VIEW_QUOTE;

    const struct syncache_tuple *tuple = quote ? &view->quoted : &view->tuple;

    if (tuple->family == 4) {
        /* A load wider than the stores before it would wait for them. */
        memset(arrival->key.address, 0, sizeof arrival->key.address);
        memcpy(arrival->key.address[0], tuple->faddr, 4);
        memcpy(arrival->key.address[1], tuple->laddr, 4);
        if (view->kind == VIEW_TCP || view->kind == VIEW_UDP) {
            /* Compilers load two ports of the tuple at once: see above. */
            arrival->key.port[0] = load16_be(view->upper);
            arrival->key.port[1] = load16_be(view->upper + 2);
        } else {
            arrival->key.port[0] = tuple->fport;
            arrival->key.port[1] = tuple->lport;
        }
    } else {
        memcpy(&arrival->key, tuple, 36);
    }
    arrival->key.family = view->tuple.family;
    arrival->key.protocol = quote ? view->quote_protocol : view->protocol;
    arrival->key.hash = 0;
    if (view->kind == VIEW_ICMP)
        flow_icmp_key(view, &arrival->key);
}

/* Is it of a kind that may have a session? */
static bool
flow_keyed(const struct arrival *arrival)
{
    return arrival->view.kind != VIEW_OTHER && arrival->view.upper != NULL;
}

static void
flow_parse(const struct syncache_ring *rx, uint32_t first, uint32_t side,
           uint32_t count, struct arrival *arrival)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = first + i;
        const struct syncache_slot *slot = &rx->slot[index];
        uint8_t *packet = ring_slot(rx, index) + slot->link_size;

        assert((size_t)slot->link_size + slot->size <= rx->slot_size);
        if (side == FLOW_TAP)
            view_parse_passing(packet, slot->size, slot->checksum,
                               &arrival[i].view);
        else
            view_parse(packet, slot->size, slot->checksum, &arrival[i].view);
        arrival[i].link = packet - slot->link_size;
        arrival[i].link_size = slot->link_size;
        arrival[i].gso_size = slot->gso_size;
        arrival[i].room =
            rx->slot_size - slot->link_size - arrival[i].view.size;
        arrival[i].longer = false;
        arrival[i].side = (uint8_t)side;
        if (flow_keyed(&arrival[i]))
            flow_key(&arrival[i]);
    }
}

/* Hashes the keys; the slots of their sessions are on the way into the cache. */
static void
flow_hash(const struct flow *flow, uint32_t count, struct arrival *arrival)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!flow_keyed(&arrival[i]))
            continue;
        arrival[i].key.hash = session_hash(flow->hash_key, &arrival[i].key);
        session_prefetch_slot(&flow->sessions, arrival[i].key.hash);
    }
}

/* Has the sessions themselves on the way. */
static void
flow_prefetch(const struct flow *flow, uint32_t count,
              const struct arrival *arrival)
{
    for (uint32_t i = 0; i < count; i++) {
        if (flow_keyed(&arrival[i]))
            session_prefetch(&flow->sessions, arrival[i].key.hash);
    }
}

void
flow_burst_stage(const struct flow *flow, const struct syncache_ring *rx,
                 uint32_t side, uint32_t count, struct arrival *arrival)
{
    assert(count > 0 && count <= SYNCACHE_BURST_MAX &&
           rx->next + count <= rx->count);
    for (uint32_t from = 0; from < count; from += FLOW_STAGED) {
        uint32_t some = count - from < FLOW_STAGED ? count - from : FLOW_STAGED;

        flow_parse(rx, rx->next + from, side, some, arrival + from);
        flow_hash(flow, some, arrival + from);
        /* The slots of those before have come meanwhile. */
        if (from > 0)
            flow_prefetch(flow, FLOW_STAGED, arrival + from - FLOW_STAGED);
    }
    flow_prefetch(flow, (count - 1) % FLOW_STAGED + 1,
                  arrival + (count - 1) / FLOW_STAGED * FLOW_STAGED);
}

static enum flow_verdict
flow_policy(struct flow *flow, struct arrival *arrival)
{
    struct flow_stats *stats = &flow->stats;

    switch (arrival->view.kind) {
    case VIEW_TCP:
    case VIEW_FRAGMENT:
        stats->packets_tcp++;
        break;
    case VIEW_UDP:
        stats->packets_udp++;
        break;
    case VIEW_ICMP:
    case VIEW_QUOTE:
        stats->packets_icmp++;
        break;
    default:
        stats->packets_other++;
        if (arrival->view.kind != VIEW_BAD ||
            flow->config.kind != FLOW_INTERCEPT)
            return FLOW_FORWARD;
        break;
    }
    if (flow->config.kind == FLOW_INSPECT)
        return inspect_packet(flow, arrival);
    return intercept_packet(flow, arrival);
}

enum flow_verdict
flow_burst_one(struct flow *flow, struct syncache_ring *rx,
               struct arrival *arrival)
{
    enum flow_verdict verdict = flow_policy(flow, arrival);

    flow->stats.verdicts[verdict]++;
    if (arrival->longer)
        rx->slot[rx->next].size = arrival->view.size;
    rx->slot[rx->next++].verdict = (uint8_t)verdict;
    return verdict;
}

/* Fewer than count are consumed if a ring is full. */
static uint32_t
flow_burst_packets(struct flow *flow, struct syncache_ring *rx, uint32_t count,
                   struct arrival *arrival)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!box_room(flow))
            return i;
        if (flow_burst_one(flow, rx, &arrival[i]) < FLOW_CONSUMED && !flow->tap)
            rx->passed[rx->passed_count++] = rx->next - 1;
    }
    return count;
}

void
flow_burst_judge(struct flow *flow)
{
    if (flow->config.kind == FLOW_INSPECT)
        inspect_judge(flow);
    else
        watch_judge(flow);
}

static void
flow_due(struct flow *flow, uint32_t number)
{
    struct session *session;
    uint64_t deadline_ms;

    if (number >= flow->sessions.max) {
        number -= flow->sessions.max;
        inspect_host_due(flow, &flow->hosts.host[number]);
        return;
    }
    session = session_at(&flow->sessions, number);
    deadline_ms = session->deadline_ms;
    session->deadline_ms = SYNCACHE_NEVER;
    if (deadline_ms > flow->now_ms)
        box_arm(flow, session, deadline_ms);
    else if (flow->config.kind == FLOW_INSPECT)
        inspect_due(flow, session);
    else
        intercept_due(flow, session);
}

/* Lets due timers act.  Returns false if the rings were too full for all of them. */
static bool
flow_timers(struct flow *flow)
{
    while (box_room(flow)) {
        uint32_t number = due_pop(&flow->due, flow->now_ms);

        uint32_t next, behind;

        if (number == SESSION_NONE)
            return true;
        due_peek(&flow->due, &next, &behind);
        box_prefetch(flow, next, behind);
        flow_due(flow, number);
    }
    return due_next_ms(&flow->due) > flow->now_ms;
}

bool
flow_burst_begin(struct flow *flow, uint64_t now_ms,
                 struct syncache_ring *client_tx,
                 struct syncache_ring *server_tx)
{
    assert(client_tx == NULL || client_tx->slot_size >= FLOW_PACKET_MAX);
    assert(server_tx == NULL || server_tx->slot_size >= FLOW_PACKET_MAX);
    box_begin(flow, now_ms);
    flow->tx[FLOW_CLIENT] = client_tx;
    flow->tx[FLOW_SERVER] = server_tx;
    if (flow->changed && flow->config.kind == FLOW_INTERCEPT)
        watch_rearm(flow);
    if (!flow_timers(flow))
        return false;
    flow->changed = false;
    flow_burst_judge(flow);
    /* A change of mode may have made more of them due. */
    return flow_timers(flow);
}

uint32_t
flow_burst(struct flow *flow, uint64_t now_ms, struct syncache_ring *rx,
           uint32_t side, struct syncache_ring *client_tx,
           struct syncache_ring *server_tx)
{
    struct arrival arrival[SYNCACHE_BURST_MAX];
    uint32_t consumed = 0;

    assert(rx->passed != NULL && side <= FLOW_TAP);
    assert(rx->next <= rx->count && rx->count <= rx->slots);
    rx->passed_count = 0;
    flow->tap = side == FLOW_TAP;
    if (!flow_burst_begin(flow, now_ms, client_tx, server_tx))
        return 0;
    while (rx->next < rx->count) {
        uint32_t count = rx->count - rx->next;
        uint32_t done;

        if (count > SYNCACHE_BURST_MAX)
            count = SYNCACHE_BURST_MAX;
        flow_burst_stage(flow, rx, side, count, arrival);
        done = flow_burst_packets(flow, rx, count, arrival);
        consumed += done;
        if (done < count)
            break;
    }
    flow_burst_judge(flow);
    return consumed;
}

uint32_t
flow_poll(struct flow *flow, uint64_t now_ms, struct syncache_ring *client_tx,
          struct syncache_ring *server_tx)
{
    uint32_t before = (client_tx == NULL ? 0 : client_tx->count) +
                      (server_tx == NULL ? 0 : server_tx->count);

    flow_burst_begin(flow, now_ms, client_tx, server_tx);
    flow_burst_judge(flow);
    return (client_tx == NULL ? 0 : client_tx->count) +
           (server_tx == NULL ? 0 : server_tx->count) - before;
}

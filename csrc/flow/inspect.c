/*
 * Inspection: what happens when a session is attempted, deleted or expires.
 *
 * Order at an attempt (TCP and UDP, ICMP if it counts):
 *   1  is the destination blocked?  the attempt counts in the rate all the same
 *   2  the rate grows by one        3  the thresholds are judged
 *   4  the destination's limit: its oldest goes, or its block begins
 *   5  while aggressive, if 4 took nobody, one victim goes
 *   6  the session is made          7  the thresholds are judged again
 *
 * Not here: packets of known sessions (inspect_tcp.c, inspect_udp.c), the limit
 * of a destination (inspect_host.c), the rules (inspect_rule.c).
 */
#include "inspect.h"

#include "proxy.h"

#include <assert.h>

/* A destination that holds this share of all half-open sessions or more is
 * evicted from under drop_mode heaviest; one that holds less is perhaps only
 * the honest server among many attacked ones. */
#define INSPECT_HEAVY_SHARE 4

bool
inspect_acts(const struct flow *flow)
{
    return !flow->tap && flow->inspect.detect_only == 0;
}

bool
inspect_comes_right(const struct session *session,
                    const struct arrival *arrival, uint32_t from)
{
    if (session->side == FLOW_TAP || arrival->side == FLOW_TAP)
        return true;
    return (arrival->side == session->side) == (from == FLOW_CLIENT);
}

enum flow_verdict
inspect_refuse(const struct flow *flow, enum flow_verdict verdict)
{
    return inspect_acts(flow) ? verdict : FLOW_FORWARD;
}

enum flow_verdict
inspect_packet(struct flow *flow, struct arrival *arrival)
{
    switch (arrival->view.kind) {
    case VIEW_TCP:
        return inspect_tcp(flow, arrival);
    case VIEW_UDP:
        return inspect_udp(flow, arrival);
    case VIEW_ICMP:
        return inspect_icmp(flow, arrival);
    case VIEW_QUOTE:
        return inspect_quote(flow, arrival);
    default:
        return FLOW_FORWARD;
    }
}

/* There is a half-open session that counts. */
static struct session *
inspect_victim(struct flow *flow)
{
    assert(flow->order.count > 0);
    uint32_t number = order_oldest(&flow->order, false);
    const struct host *heaviest = hosts_heaviest(&flow->hosts);

    if (flow->inspect.drop_mode == FLOW_DROP_RANDOM)
        number = order_random(&flow->order, false, engine_random(flow));
    else if (flow->inspect.drop_mode == FLOW_DROP_HEAVIEST &&
             heaviest != NULL &&
             heaviest->count >=
                 (flow->stats.incomplete - 1) / INSPECT_HEAVY_SHARE + 1)
        number = heaviest->oldest;
    return session_at(&flow->sessions, number);
}

static void
inspect_evict(struct flow *flow)
{
    inspect_delete(flow, inspect_victim(flow),
                   flow->threshold.reason == FLOW_REASON_RATE
                       ? FLOW_END_EVICTED_RATE
                       : FLOW_END_EVICTED_COUNT);
}

/* Aggressive mode has begun or ended: a sweep is at its beginning. */
void
inspect_judged(struct flow *flow)
{
    uint32_t low = flow->limits.incomplete_low;

    if (!flow->threshold.aggressive ||
        flow->inspect.aggressive_evict != FLOW_EVICT_SWEEP)
        return;
    while (flow->order.count >= low && flow->order.count > 0)
        inspect_evict(flow);
}

void
inspect_make_way(struct flow *flow)
{
    /* A sweep keeps the count below low, the new session included. */
    bool room = flow->inspect.aggressive_evict == FLOW_EVICT_NOBODY ||
                (flow->inspect.aggressive_evict == FLOW_EVICT_SWEEP &&
                 flow->order.count + 1 < flow->limits.incomplete_low);

    if (flow->threshold.aggressive && !room && flow->order.count > 0)
        inspect_evict(flow);
}

/* Step 6, in a full table too. */
static struct session *
inspect_open(struct flow *flow, const struct arrival *arrival, bool counted)
{
    struct session *session =
        engine_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD, counted);

    if (session == NULL && flow->order.count > 0) {
        inspect_delete(flow, inspect_victim(flow), FLOW_END_EVICTED_FULL);
        session = engine_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD,
                              counted);
    }
    if (session == NULL) {
        flow->stats.table_full++;
        return NULL;
    }
    proxy_headers(flow, session, arrival);
    return session;
}

struct session *
inspect_attempt(struct flow *flow, const struct arrival *arrival, bool counted,
                enum flow_verdict *verdict)
{
    bool blocked = inspect_host_blocked(flow, arrival);
    enum inspect_limit limit = INSPECT_ADMIT;

    if (counted) {
        engine_request(flow, &arrival->key);
        engine_judge(flow);
    }
    if (counted && !blocked)
        limit = inspect_host_limit(flow, arrival);
    if (blocked || limit == INSPECT_REFUSE) {
        *verdict = inspect_host_refuse(flow, arrival);
        return NULL;
    }
    if (counted && limit == INSPECT_ADMIT)
        inspect_make_way(flow);
    *verdict = FLOW_FORWARD;
    return inspect_open(flow, arrival, counted);
}

/*
 * To S its RCV.NXT, to C what its SYN or the SYN-ACK makes acceptable.  Of a
 * challenged client's session S knows once the client has proved itself; before
 * that a RST would only be reflected.
 */
static void
inspect_reset(struct flow *flow, const struct session *session)
{
    bool challenged = session->mode == 'I';
    uint32_t ack = session->c + 1;
    uint32_t seq = 0;

    if (challenged && session->state == FLOW_SYNRCVD)
        return;
    if (challenged)
        seq = session->p + 1;
    else if ((session->flags & SESSION_SYNACK) != 0)
        seq = session->s + 1;
    engine_reset(flow, session, FLOW_CLIENT, seq, &ack);
    engine_reset(flow, session, FLOW_SERVER, session->c + 1, NULL);
}

/* Who is forgotten for want of room goes on without a session: no reset. */
void
inspect_delete(struct flow *flow, struct session *session, enum flow_end end)
{
    bool resets = session->protocol == WIRE_PROTOCOL_TCP &&
                  (end != FLOW_END_EVICTED_FULL || session->mode == 'I') &&
                  flow->inspect.detect_only == 0 &&
                  (!flow->tap || flow->inspect.tap_reset != 0);
    struct flow_event *event;

    assert(session->state <= FLOW_SYNSENT);
    event = engine_event(flow, session, FLOW_EVENT_EVICTED);
    if (event != NULL)
        event->reason = (uint8_t)end;
    if (resets && !engine_room(flow)) {
        engine_owe(flow, session, end);
        return;
    }
    if (resets)
        inspect_reset(flow, session);
    engine_end(flow, session, end);
}

/* A one-way UDP session has counted for long enough: it lives on uncounted. */
static bool
inspect_due_age(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + inspect_idle_ms(flow, session);
    uint32_t max_age_ms = flow->inspect.udp_halfopen_max_age_ms;

    if (session->protocol != VIEW_PROTOCOL_UDP ||
        (session->flags & SESSION_COUNTED) == 0 || idle_ms <= flow->now_ms)
        return false;
    if (max_age_ms != 0 && session->created_ms + max_age_ms <= flow->now_ms)
        engine_uncount(flow, session);
    engine_arm(flow, session, idle_ms);
    return true;
}

void
inspect_due(struct flow *flow, struct session *session)
{
    bool half_open = session->state <= FLOW_SYNSENT;

    if ((session->flags & SESSION_OWES_RST) != 0) {
        inspect_reset(flow, session);
        engine_forget(flow, session);
    } else if (session->mode == 'I') {
        proxy_due(flow, session);
    } else if (!inspect_due_age(flow, session)) {
        if (session->state == FLOW_CLOSING)
            engine_end(flow, session, FLOW_END_FIN);
        else if (half_open && session->protocol == WIRE_PROTOCOL_TCP)
            engine_end(flow, session, FLOW_END_SYNWAIT);
        else
            engine_end(flow, session, FLOW_END_TIMEOUT);
    }
}

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
 * of a destination (inspect_host.c).
 */
#include "inspect.h"

#include <assert.h>

#define INSPECT_DNS_PORT 53
/* A destination that holds this share of all half-open sessions or more is
 * evicted from under drop_mode heaviest; one that holds less is perhaps only
 * the honest server among many attacked ones. */
#define INSPECT_HEAVY_SHARE 4

bool
inspect_acts(const struct flow *flow)
{
    return !flow->tap && flow->inspect.detect_only == 0;
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
    default:
        return FLOW_FORWARD;
    }
}

uint8_t
inspect_rule_number(const struct flow *flow, uint8_t protocol, uint16_t port)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;

    for (uint32_t i = 0; i < tunables->application_count; i++) {
        if (tunables->application[i].protocol == protocol &&
            tunables->application[i].port == port)
            return (uint8_t)(FLOW_INSPECTED_COUNT + i);
    }
    if (protocol == WIRE_PROTOCOL_TCP)
        return FLOW_TCP;
    if (protocol == VIEW_PROTOCOL_UDP)
        return port == INSPECT_DNS_PORT ? FLOW_DNS : FLOW_UDP;
    return FLOW_ICMP;
}

const struct flow_inspect_rule *
inspect_rule(const struct flow *flow, uint8_t number)
{
    if (number < FLOW_INSPECTED_COUNT)
        return &flow->inspect.rule[number];
    number = (uint8_t)(number - FLOW_INSPECTED_COUNT);
    /* The list may have become shorter since the session was made. */
    if (number >= flow->inspect.application_count)
        return &flow->inspect.rule[FLOW_TCP];
    return &flow->inspect.application[number].rule;
}

bool
inspect_alerts(const struct flow *flow, uint8_t rule_number)
{
    uint8_t alert = inspect_rule(flow, rule_number)->alert;

    return alert == FLOW_INHERIT ? flow->inspect.alert != 0 : alert == FLOW_ON;
}

static bool
inspect_audits(const struct flow *flow, const struct session *session)
{
    uint8_t audit = inspect_rule(flow, session->rule)->audit;

    return audit == FLOW_INHERIT ? flow->inspect.audit_trail != 0
                                 : audit == FLOW_ON;
}

uint32_t
inspect_idle_ms(const struct flow *flow, const struct session *session)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;
    uint32_t own_ms = inspect_rule(flow, session->rule)->timeout_ms;

    /* dns_timeout is above the rules. */
    if (session->protocol == VIEW_PROTOCOL_UDP &&
        session->port[FLOW_SERVER] == INSPECT_DNS_PORT)
        return tunables->dns_timeout_ms;
    if (own_ms != 0)
        return own_ms;
    if (session->protocol == WIRE_PROTOCOL_TCP)
        return tunables->tcp_idle_time_ms;
    if (session->protocol == VIEW_PROTOCOL_UDP)
        return tunables->udp_idle_time_ms;
    return tunables->icmp_idle_time_ms;
}

static struct session *
inspect_victim(struct flow *flow)
{
    uint32_t number = order_oldest(&flow->order, false);
    const struct host *heaviest = hosts_heaviest(&flow->hosts);

    if (flow->inspect.drop_mode == FLOW_DROP_RANDOM)
        number = order_random(&flow->order, false, engine_random(flow));
    else if (flow->inspect.drop_mode == FLOW_DROP_HEAVIEST &&
             heaviest != NULL &&
             heaviest->count >=
                 (flow->stats.incomplete - 1) / INSPECT_HEAVY_SHARE + 1)
        number = heaviest->oldest;
    return number == SESSION_NONE ? NULL : session_at(&flow->sessions, number);
}

/* Makes the new mode, or the way in which it is meant, true at once. */
void
inspect_judged(struct flow *flow)
{
    uint32_t low = flow->limits.incomplete_low;

    if (!flow->threshold.aggressive ||
        flow->inspect.aggressive_evict != FLOW_EVICT_SWEEP)
        return;
    while (flow->order.count >= low && flow->order.count > 0)
        inspect_delete(flow, inspect_victim(flow),
                       flow->threshold.reason == FLOW_REASON_RATE
                           ? FLOW_END_EVICTED_RATE
                           : FLOW_END_EVICTED_COUNT);
}

/* Step 5. */
static void
inspect_make_way(struct flow *flow)
{
    struct session *victim = inspect_victim(flow);

    if (!flow->threshold.aggressive || victim == NULL ||
        (flow->inspect.aggressive_evict == FLOW_EVICT_SWEEP &&
         flow->order.count + 1 < flow->limits.incomplete_low))
        return;
    inspect_delete(flow, victim,
                   flow->threshold.reason == FLOW_REASON_RATE
                       ? FLOW_END_EVICTED_RATE
                       : FLOW_END_EVICTED_COUNT);
}

/* Step 6, in a full table too. */
static struct session *
inspect_open(struct flow *flow, const struct arrival *arrival,
             uint8_t rule_number, bool counted)
{
    struct session *session =
        engine_open(flow, &arrival->key, FLOW_SYNRCVD, counted);

    if (session == NULL && flow->order.count > 0) {
        inspect_delete(flow, inspect_victim(flow), FLOW_END_EVICTED_FULL);
        session = engine_open(flow, &arrival->key, FLOW_SYNRCVD, counted);
    }
    if (session == NULL) {
        flow->stats.table_full++;
        return NULL;
    }
    session->side = arrival->side;
    session->rule = rule_number;
    session->header[FLOW_SERVER] =
        header_number(&flow->headers, arrival->link, arrival->link_size);
    session->header[FLOW_CLIENT] =
        header_number_turned(&flow->headers, arrival->link, arrival->link_size);
    if (inspect_audits(flow, session))
        engine_event(flow, session, FLOW_EVENT_START);
    return session;
}

bool
inspect_attempt(struct flow *flow, const struct arrival *arrival,
                uint8_t rule_number, bool counted, struct session **session,
                enum flow_verdict *verdict)
{
    bool blocked = inspect_host_blocked(flow, arrival);
    enum inspect_limit limit = INSPECT_ADMIT;

    *verdict = inspect_refuse(flow, FLOW_DROP_BLOCKED);
    if (counted) {
        engine_request(flow, &arrival->key);
        engine_judge(flow);
    }
    if (blocked)
        return false;
    if (counted)
        limit = inspect_host_limit(flow, arrival, rule_number);
    if (limit == INSPECT_REFUSE)
        return false;
    if (counted && limit == INSPECT_ADMIT)
        inspect_make_way(flow);
    *session = inspect_open(flow, arrival, rule_number, counted);
    *verdict = FLOW_FORWARD;
    return *session != NULL;
}

static void
inspect_stopped(struct flow *flow, const struct session *session,
                enum flow_end end)
{
    struct flow_event *event;

    if (!inspect_audits(flow, session))
        return;
    event = engine_event(flow, session, FLOW_EVENT_STOP);
    if (event != NULL)
        event->reason = (uint8_t)end;
}

void
inspect_end(struct flow *flow, struct session *session, enum flow_end end)
{
    inspect_stopped(flow, session, end);
    engine_end(flow, session, end);
}

/* To S its RCV.NXT, to C what its SYN or the SYN-ACK makes acceptable. */
static void
inspect_reset(struct flow *flow, const struct session *session)
{
    uint32_t ack = session->c + 1;
    uint32_t seq = (session->flags & SESSION_SYNACK) != 0 ? session->s + 1 : 0;

    engine_reset(flow, session, FLOW_CLIENT, seq, &ack);
    engine_reset(flow, session, FLOW_SERVER, session->c + 1, NULL);
}

void
inspect_delete(struct flow *flow, struct session *session, enum flow_end end)
{
    bool resets = session->protocol == WIRE_PROTOCOL_TCP &&
                  flow->inspect.detect_only == 0 &&
                  (!flow->tap || flow->inspect.tap_reset != 0);
    struct flow_event *event;

    assert(session->state <= FLOW_SYNSENT);
    event = engine_event(flow, session, FLOW_EVENT_EVICTED);
    if (event != NULL)
        event->reason = (uint8_t)end;
    if (resets && !engine_room(flow)) {
        inspect_stopped(flow, session, end);
        engine_owe(flow, session, end);
        return;
    }
    if (resets)
        inspect_reset(flow, session);
    inspect_end(flow, session, end);
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
    } else if (!inspect_due_age(flow, session)) {
        if (session->state == FLOW_CLOSING)
            inspect_end(flow, session, FLOW_END_FIN);
        else if (half_open && session->protocol == WIRE_PROTOCOL_TCP)
            inspect_end(flow, session, FLOW_END_SYNWAIT);
        else
            inspect_end(flow, session, FLOW_END_TIMEOUT);
    }
}

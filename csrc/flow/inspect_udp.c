/*
 * Inspection of UDP, DNS and ICMP: a session begins with the first datagram or
 * request and is half-open until the first answer; any packet of it restarts
 * its idle time.
 *
 * An ICMP reply passes only to whom has asked for it.  ICMP errors pass from
 * anywhere: routers on the way send them, and path MTU discovery needs them.
 * One that quotes a half-open session answers it (inspect_tcp.c).
 */
#include "inspect.h"

#define ICMP_HEADER_BYTES 8

/* When a half-open UDP session ceases to count, or is over, if earlier. */
static uint64_t
udp_deadline_ms(const struct flow *flow, const struct session *session)
{
    uint64_t idle_ms = flow->now_ms + inspect_rule_idle_ms(flow, session);
    uint64_t age_ms =
        session->created_ms + flow->inspect.udp_halfopen_max_age_ms;

    if (flow->inspect.udp_halfopen_max_age_ms == 0 ||
        session->protocol != WIRE_PROTOCOL_UDP ||
        (session->flags & SESSION_COUNTED) == 0 || idle_ms < age_ms)
        return idle_ms;
    return age_ms > flow->now_ms ? age_ms : flow->now_ms;
}

static uint32_t
udp_payload(const struct view *view)
{
    return view->kind == VIEW_UDP ? view->payload_size
                                  : view->upper_size - ICMP_HEADER_BYTES;
}

static enum flow_verdict
udp_attempt(struct flow *flow, const struct arrival *arrival, bool counted)
{
    enum flow_verdict verdict;
    struct session *session = NULL;

    if (view_verify(&arrival->view))
        session = inspect_attempt(flow, arrival, counted, &verdict);
    if (session == NULL)
        return FLOW_FORWARD;
    session->bytes[FLOW_CLIENT] = udp_payload(&arrival->view);
    box_arm(flow, session, udp_deadline_ms(flow, session));
    if (counted)
        inspect_judge(flow);
    return FLOW_FORWARD;
}

void
inspect_answered(struct flow *flow, struct session *session)
{
    session->last_ms = flow->now_ms;
    box_state(flow, session, FLOW_ESTAB);
    box_arm(flow, session, udp_deadline_ms(flow, session));
}

/* A packet of a known session. */
static void
udp_heard(struct flow *flow, struct session *session,
          const struct arrival *arrival, uint32_t from)
{
    session->bytes[from] += udp_payload(&arrival->view);
    session->last_ms = flow->now_ms;
    if (from == FLOW_SERVER && session->state == FLOW_SYNRCVD &&
        view_verify(&arrival->view))
        box_state(flow, session, FLOW_ESTAB);
    box_arm(flow, session, udp_deadline_ms(flow, session));
}

enum flow_verdict
inspect_udp(struct flow *flow, struct arrival *arrival)
{
    uint32_t from;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);
    uint8_t rule;

    if (session != NULL) {
        if (box_comes_right(session, from, arrival))
            udp_heard(flow, session, arrival, from);
        return FLOW_FORWARD;
    }
    rule = inspect_rule_number(flow, arrival->side, WIRE_PROTOCOL_UDP,
                               arrival->key.port[1]);
    if (inspect_rule_at(flow, rule)->inspect == 0)
        return FLOW_FORWARD;
    return udp_attempt(flow, arrival, true);
}

static bool
icmp_is_request(const struct view *view)
{
    if (view->tuple.family == 6)
        return view->icmp_type == VIEW_ICMPV6_ECHO;
    return view->icmp_type == VIEW_ICMP_ECHO ||
           view->icmp_type == VIEW_ICMP_TIMESTAMP;
}

/* What does not count cannot be evicted, so requests may not fill the table:
 * beyond a quarter of it they pass, and so do replies, without a session. */
static bool
icmp_crowded(const struct flow *flow)
{
    return flow->inspect.count_icmp == 0 &&
           flow->stats.uncounted > flow->sessions.max / 4;
}

/* A reply is under the rules of the side that the request came from. */
static bool
icmp_is_inspected(const struct flow *flow, uint8_t side, bool request)
{
    uint8_t begun = side;

    if (flow->inspect.by_side == 0)
        return flow->inspect.rule[FLOW_ICMP].inspect != 0;
    if (!request && side != FLOW_TAP)
        begun = side == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT;
    return inspect_rule_at(
               flow, inspect_rule_number(flow, begun, WIRE_PROTOCOL_ICMP, 0))
               ->inspect != 0;
}

enum flow_verdict
inspect_icmp(struct flow *flow, struct arrival *arrival)
{
    uint32_t from;
    struct session *session;
    bool request = icmp_is_request(&arrival->view);

    if (!icmp_is_inspected(flow, arrival->side, request) ||
        (arrival->key.port[0] == 0 && arrival->key.port[1] == 0))
        return FLOW_FORWARD;
    session = session_find(&flow->sessions, &arrival->key, &from);
    if (session == NULL && icmp_crowded(flow))
        return FLOW_FORWARD;
    if (session == NULL && request)
        return udp_attempt(flow, arrival, flow->inspect.count_icmp != 0);
    if (session == NULL || !box_comes_right(session, from, arrival))
        return request ? FLOW_FORWARD
                       : inspect_refuse(flow, FLOW_DROP_ICMP_REPLY);
    if (request == (from == FLOW_CLIENT))
        udp_heard(flow, session, arrival, from);
    return FLOW_FORWARD;
}

/*
 * Inspection: packets by their kind, and sessions whose time has come.
 *
 * Not here: TCP (inspect_tcp.c), UDP and ICMP (inspect_udp.c), attempts
 * (inspect_attempt.c), the limit of a destination (inspect_host.c), victims
 * (inspect_evict.c), the rules (inspect_rule.c).
 */
#include "inspect.h"

#include "proxy.h"
#include "track.h"

enum flow_verdict
inspect_quote(struct flow *flow, struct arrival *arrival)
{
    uint32_t from;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);

    if (session == NULL)
        return FLOW_FORWARD;
    if (session->mode == 'I')
        return proxy_quote(flow, session, from, arrival);
    if (box_comes_right(session, FLOW_SERVER, arrival) &&
        track_is_refused(session, &arrival->view, from)) {
        if (session->protocol == WIRE_PROTOCOL_TCP)
            box_end(flow, session, FLOW_END_RST);
        else
            inspect_answered(flow, session);
    }
    return FLOW_FORWARD;
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

/* A one-way UDP session has counted for long enough: it lives on uncounted. */
static bool
inspect_due_age(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + inspect_rule_idle_ms(flow, session);
    uint32_t max_age_ms = flow->inspect.udp_halfopen_max_age_ms;

    if (session->protocol != WIRE_PROTOCOL_UDP ||
        (session->flags & SESSION_COUNTED) == 0 || idle_ms <= flow->now_ms)
        return false;
    if (max_age_ms != 0 && session->created_ms + max_age_ms <= flow->now_ms)
        box_uncount(flow, session);
    box_arm(flow, session, idle_ms);
    return true;
}

void
inspect_due(struct flow *flow, struct session *session)
{
    bool half_open = session->state <= FLOW_SYNSENT;

    if ((session->flags & SESSION_OWES_RST) != 0) {
        inspect_pay(flow, session);
    } else if (session->mode == 'I') {
        proxy_due(flow, session);
    } else if (!inspect_due_age(flow, session)) {
        if (session->state == FLOW_CLOSING)
            box_end(flow, session, FLOW_END_FIN);
        else if (half_open && session->protocol == WIRE_PROTOCOL_TCP)
            box_end(flow, session, FLOW_END_SYNWAIT);
        else
            box_end(flow, session, FLOW_END_TIMEOUT);
    }
}

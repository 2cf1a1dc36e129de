/*
 * Inspection of TCP.  A session begins with a SYN; what has none passes without
 * one.  It ends `finwait` after the second FIN, at once with a valid RST, when
 * idle, or when its handshake takes too long; a repeated SYN prolongs nothing.
 */
#include "inspect.h"
#include "track.h"

#include <assert.h>

static bool
tcp_is_request(const struct view *view)
{
    return (view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN)) ==
           WIRE_SYN;
}

static enum flow_verdict
tcp_attempt(struct flow *flow, const struct arrival *arrival)
{
    uint8_t rule =
        inspect_rule_number(flow, WIRE_PROTOCOL_TCP, arrival->key.port[1]);
    struct session *session;
    enum flow_verdict verdict;

    if (inspect_rule(flow, rule)->inspect == 0 || !view_verify(&arrival->view))
        return FLOW_FORWARD;
    if (!inspect_attempt(flow, arrival, rule, true, &session, &verdict))
        return verdict;
    track_syn(session, &arrival->view);
    engine_arm(flow, session, flow->now_ms + flow->inspect.tcp_synwait_time_ms);
    engine_judge(flow);
    return verdict;
}

/* In line, an end's packets come on its own link; others are somebody else's. */
static bool
tcp_comes_right(const struct session *session, const struct arrival *arrival,
                uint32_t from)
{
    uint32_t side = from == FLOW_CLIENT ? session->side : 1u - session->side;

    return session->side == FLOW_TAP || arrival->side == FLOW_TAP ||
           arrival->side == side;
}

static void
tcp_changed(struct flow *flow, struct session *session,
            enum track_change change)
{
    switch (change) {
    case TRACK_RST:
        inspect_end(flow, session, FLOW_END_RST);
        return;
    case TRACK_ESTABLISHED:
        engine_state(flow, session, FLOW_ESTAB);
        break;
    case TRACK_CLOSED:
        if (session->state != FLOW_CLOSING)
            engine_state(flow, session, FLOW_CLOSING);
        engine_arm(flow, session,
                   flow->now_ms + flow->inspect.tcp_finwait_time_ms);
        break;
    default:
        break;
    }
    session->last_ms = flow->now_ms;
    if (session->state == FLOW_ESTAB)
        engine_arm(flow, session,
                   flow->now_ms + inspect_idle_ms(flow, session));
}

enum flow_verdict
inspect_tcp(struct flow *flow, struct arrival *arrival)
{
    uint32_t from;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);

    if (session != NULL && session->state == FLOW_CLOSING &&
        tcp_is_request(&arrival->view) && view_verify(&arrival->view)) {
        inspect_end(flow, session, FLOW_END_REPLACED);
        session = NULL;
    }
    if (session == NULL)
        return tcp_is_request(&arrival->view) ? tcp_attempt(flow, arrival)
                                              : FLOW_FORWARD;
    if (tcp_comes_right(session, arrival, from))
        tcp_changed(flow, session,
                    track_segment(session, &arrival->view, from));
    return FLOW_FORWARD;
}

/*
 * Inspection of TCP.  A session begins with a SYN; what has none passes without
 * one.  It ends `finwait` after the second FIN, at once with a valid RST, when
 * idle, or when its handshake takes too long; a repeated SYN prolongs nothing.
 *
 * Sessions of challenged clients (mode 'I') are the SYN proxy's.
 */
#include "inspect.h"

#include "knit.h"
#include "proxy.h"
#include "track.h"

static bool
tcp_is_request(const struct view *view)
{
    return (view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN)) ==
           WIRE_SYN;
}

static void tcp_watched(struct flow *flow, struct session *session,
                        const struct view *view, uint32_t from);

/* The SYN-ACK came before its SYN, as it may on a tap. */
static void
tcp_answer_ahead(struct flow *flow, struct session *session,
                 const struct arrival *syn)
{
    struct view answer;

    if (flow->tap && ahead_take(&flow->ahead, flow->now_ms, syn->key.hash,
                                &syn->view.tuple, &answer))
        tcp_watched(flow, session, &answer, FLOW_SERVER);
}

/* Whichever end began it: what is not inspected has no sessions. */
static bool
tcp_is_inspected(const struct flow *flow, const struct arrival *arrival)
{
    const uint16_t *port = arrival->key.port;
    uint8_t there =
        inspect_rule_number(flow, arrival->side, WIRE_PROTOCOL_TCP, port[1]);
    uint8_t back = inspect_rule_number(flow, (uint8_t)(1 - arrival->side),
                                       WIRE_PROTOCOL_TCP, port[0]);

    return inspect_rule_at(flow, there)->inspect != 0 &&
           inspect_rule_at(flow, back)->inspect != 0;
}

/* A segment of no session: perhaps the answer to a SYN that is still to come,
 * perhaps the ACK of a challenge. */
static enum flow_verdict
tcp_stranger(struct flow *flow, const struct arrival *arrival)
{
    bool speaks = (arrival->view.flags & WIRE_RST) == 0;
    enum flow_verdict verdict;

    if (flow->tap)
        ahead_keep(&flow->ahead, flow->now_ms, arrival->key.hash,
                   &arrival->view);
    verdict = inspect_host_redeem(flow, arrival);
    if (verdict != FLOW_FORWARD || !inspect_acts(flow) ||
        arrival->side == FLOW_TAP || !tcp_is_inspected(flow, arrival) ||
        strays_pass(&flow->strays, flow->now_ms, arrival->key.hash,
                    arrival->side, speaks, flow->inspect.tcp_stray_limit))
        return verdict;
    return FLOW_DROP_LIMIT;
}

static enum flow_verdict
tcp_attempt(struct flow *flow, const struct arrival *arrival)
{
    uint8_t rule = inspect_rule_number(flow, arrival->side, WIRE_PROTOCOL_TCP,
                                       arrival->key.port[1]);
    enum flow_verdict verdict;
    struct session *session;

    if (inspect_rule_at(flow, rule)->inspect == 0 ||
        !view_verify(&arrival->view))
        return FLOW_FORWARD;
    session = inspect_attempt(flow, arrival, true, &verdict);
    if (session == NULL)
        return verdict;
    track_syn(session, &arrival->view);
    if (flow->tap &&
        ahead_began(&flow->ahead, &arrival->view.tuple, arrival->view.seq))
        flow->stats.sessions_again++;
    box_arm(flow, session, flow->now_ms + flow->inspect.tcp_synwait_time_ms);
    tcp_answer_ahead(flow, session, arrival);
    inspect_judge(flow);
    return verdict;
}

/* What a challenge will tell the next client in this server's name. */
static void
tcp_learn(struct flow *flow, const struct session *session,
          const struct view *view)
{
    struct syncache_tuple tuple;
    struct view_options options;

    session_tuple(session, &tuple);
    view_options(view, &options);
    (void)profile_learn(&flow->profiles, flow->now_ms, &tuple, session->offered,
                        options.has, options.mss, options.wscale);
}

/* The server answered another SYN: the two are by themselves from here on. */
static void
tcp_renew(struct flow *flow, struct session *session, const struct view *view)
{
    struct box_renewal renewal;

    box_renew_begin(flow, session, &renewal);
    inspect_judge(flow);
    session = box_renew(flow, &renewal, view);
    box_arm(flow, session, flow->now_ms + flow->inspect.tcp_synwait_time_ms);
    tcp_learn(flow, session, view);
    inspect_judge(flow);
}

static void
tcp_watched(struct flow *flow, struct session *session, const struct view *view,
            uint32_t from)
{
    switch (track_segment(session, view, from)) {
    case TRACK_RST:
        box_end(flow, session, FLOW_END_RST);
        return;
    case TRACK_ANEW:
        tcp_renew(flow, session, view);
        return;
    case TRACK_SYN_ACK:
        tcp_learn(flow, session, view);
        break;
    case TRACK_ESTABLISHED:
        box_state(flow, session, FLOW_ESTAB);
        break;
    case TRACK_CLOSED:
        if (session->state != FLOW_CLOSING)
            box_state(flow, session, FLOW_CLOSING);
        box_arm(flow, session,
                flow->now_ms + flow->inspect.tcp_finwait_time_ms);
        break;
    default:
        break;
    }
    session->last_ms = flow->now_ms;
    box_heard(flow, session);
    if (session->state == FLOW_ESTAB)
        box_arm(flow, session,
                flow->now_ms + inspect_rule_idle_ms(flow, session));
}

/* On a tap: SYNs that others may take for connections of their own. */
static void
tcp_count_syn(struct flow *flow, const struct session *session,
              const struct view *view, uint32_t from)
{
    if ((view->flags & (WIRE_FIN | WIRE_RST)) != 0)
        flow->stats.syns_odd++;
    else if (session != NULL && from == FLOW_CLIENT &&
             view->seq != session->c &&
             ((session->flags & SESSION_OTHER_ISN) == 0 ||
              view->seq != session->p))
        flow->stats.syns_other++;
}

enum flow_verdict
inspect_tcp(struct flow *flow, struct arrival *arrival)
{
    bool request = tcp_is_request(&arrival->view);
    uint32_t from = FLOW_CLIENT;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);

    /* A connection of the same tuple after one that is over; not that one's
     * SYN, come late. */
    if (session != NULL && session->state == FLOW_CLOSING && request &&
        !track_is_owed(session) &&
        (from != FLOW_CLIENT || arrival->view.seq != session->c) &&
        view_verify(&arrival->view)) {
        box_end(flow, session, FLOW_END_REPLACED);
        session = NULL;
    }
    if ((arrival->view.flags & (WIRE_SYN | WIRE_ACK)) == WIRE_SYN && flow->tap)
        tcp_count_syn(flow, session, &arrival->view, from);
    if (session == NULL)
        return request ? tcp_attempt(flow, arrival)
                       : tcp_stranger(flow, arrival);
    if (!box_comes_right(session, from, arrival))
        return session->mode == 'I' ? FLOW_DROP_UNKNOWN : FLOW_FORWARD;
    if (session->mode == 'I' && !knit_is_anew(session, from, &arrival->view))
        return proxy_packet(flow, session, from, arrival);
    if (session->mode == 'I') {
        tcp_renew(flow, session, &arrival->view);
        return FLOW_FORWARD;
    }
    if (inspect_acts(flow) && session->side != FLOW_TAP &&
        !box_admits(flow, session, &arrival->view, from))
        return FLOW_DROP_LIMIT;
    tcp_watched(flow, session, &arrival->view, from);
    return FLOW_FORWARD;
}

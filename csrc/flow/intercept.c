/*
 * TCP Intercept: which packets are protected, and what becomes of them.
 *
 * The access list is asked for a SYN of the client side, and for what belongs
 * to no session; a session once made is found by its tuple, so changing the
 * list breaks nothing.  A new request, in this order: list, rate, judge, evict
 * if aggressive, insert, judge again.
 *
 * A segment to a protected server that is no SYN and of no session is tried as
 * a cookie and else dropped: the server shall not hear of who proved nothing.
 * For learn_time after the list was set there may be connections from before.
 * They are adopted, and since a spoofer can send anything, by the server's own
 * segments; until it has said something, clients' segments pass by a quota.
 *
 * Sides: the client side is the outside.  Connections that a protected server
 * opens itself are adopted when its SYN passes.
 */
#include "intercept.h"

#include "answer.h"
#include "knit.h"
#include "proxy.h"
#include "proxy_cookie.h"
#include "proxy_grant.h"
#include "proxy_send.h"
#include "track.h"
#include "watch.h"

#include <assert.h>

/* Nothing comes back to a link that is only listened to. */
static bool
intercept_watches(const struct flow *flow, const struct arrival *arrival)
{
    return flow->intercept.mode == FLOW_MODE_WATCH ||
           arrival->side == FLOW_TAP || proxy_untouchable(&arrival->view);
}

/* No entry for those who proved nothing. */
static bool
intercept_stateless(const struct flow *flow)
{
    if (!proxy_mints(flow))
        return false;
    return flow->intercept.synack == FLOW_SYNACK_COOKIE ||
           (flow->intercept.synack == FLOW_SYNACK_AUTO &&
            flow->threshold.aggressive);
}

static struct session *
intercept_open(struct flow *flow, const struct arrival *arrival, bool watch)
{
    if (watch)
        return watch_begin(flow, arrival);
    return proxy_begin(flow, arrival);
}

/*
 * Does a new request cost another one?  An entry in SYNRCVD is a client that
 * has a cookie in hand and can come back; one in SYNSENT would be reset.  So a
 * busy minute alone costs none of these, a count above its limit does.
 */
static bool
intercept_costs_one(const struct flow *flow)
{
    return flow->threshold.aggressive &&
           (flow->order.rcvd_count > 0 ||
            flow->intercept.options == FLOW_OPTIONS_CISCO ||
            flow->stats.incomplete > flow->intercept.max_incomplete_high);
}

static enum flow_verdict
intercept_full(struct flow *flow, const struct arrival *arrival, bool watch)
{
    flow->stats.table_full++;
    if (watch)
        return FLOW_FORWARD;
    return proxy_mints(flow) ? proxy_cookie(flow, arrival) : FLOW_DROP_NO_KEY;
}

/* Those of a prefix with many who completed handshakes and say nothing go
 * before those who may still complete theirs. */
static bool
intercept_makes_room(struct flow *flow)
{
    struct session *silent = silent_heaviest(&flow->silent, FLOW_SILENT_FEW);

    if (silent == NULL)
        return intercept_evict(flow, FLOW_END_EVICTED_FULL);
    answer_reset_silent(flow, silent);
    box_end(flow, silent, FLOW_END_EVICTED_FULL);
    return true;
}

/* A SYN that asks for a protected server. */
static enum flow_verdict
intercept_new(struct flow *flow, const struct arrival *arrival)
{
    bool watch = intercept_watches(flow, arrival);
    enum flow_verdict verdict = watch ? FLOW_FORWARD : FLOW_CONSUMED;

    box_request(flow, &arrival->key);
    watch_judge(flow);
    if (!watch && intercept_stateless(flow)) {
        verdict = proxy_cookie(flow, arrival);
    } else {
        if (intercept_costs_one(flow))
            (void)intercept_evict(flow,
                                  flow->threshold.reason == FLOW_REASON_RATE
                                      ? FLOW_END_EVICTED_RATE
                                      : FLOW_END_EVICTED_COUNT);
        if (intercept_open(flow, arrival, watch) == NULL &&
            (!intercept_makes_room(flow) ||
             intercept_open(flow, arrival, watch) == NULL))
            verdict = intercept_full(flow, arrival, watch);
    }
    watch_judge(flow);
    return verdict;
}

static bool
intercept_learns(const struct flow *flow)
{
    return flow->now_ms - flow->learn_ms < flow->intercept.learn_time_ms;
}

/* A good cookie makes a half-open session, for which another may have to go. */
static enum flow_verdict
intercept_redeem(struct flow *flow, const struct arrival *arrival,
                 const struct proxy_redeemed *redeemed)
{
    enum flow_verdict verdict;

    if (flow->threshold.aggressive &&
        flow->stats.incomplete > flow->intercept.max_incomplete_high)
        (void)intercept_evict(flow, FLOW_END_EVICTED_COUNT);
    verdict = proxy_redeemed(flow, arrival, redeemed);
    if (verdict == FLOW_DROP_NO_ROOM && intercept_makes_room(flow))
        verdict = proxy_redeemed(flow, arrival, redeemed);
    watch_judge(flow);
    return verdict;
}

/* From the client side, to a protected server, of no session, no SYN. */
static enum flow_verdict
intercept_unknown(struct flow *flow, const struct arrival *arrival)
{
    struct proxy_redeemed redeemed;

    if (arrival->side != FLOW_TAP && proxy_redeem(flow, arrival, &redeemed))
        return intercept_redeem(flow, arrival, &redeemed);
    if (flow->intercept.mode == FLOW_MODE_WATCH ||
        flow->intercept.unknown == FLOW_UNKNOWN_FORWARD ||
        arrival->side == FLOW_TAP)
        return FLOW_FORWARD;
    if (!intercept_learns(flow))
        return FLOW_DROP_UNKNOWN;
    return strays_pass(&flow->strays, flow->now_ms, arrival->key.hash,
                       FLOW_CLIENT, false, flow->intercept.learn_limit)
               ? FLOW_FORWARD
               : FLOW_DROP_LIMIT;
}

static enum flow_verdict
intercept_from_outside(struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;

    if ((view->flags & (WIRE_SYN | WIRE_ACK)) != WIRE_SYN)
        return intercept_unknown(flow, arrival);
    if (view->flags & (WIRE_RST | WIRE_FIN) ||
        wire_address_fault(&view->tuple) != SYNCACHE_PASS_KNOWN)
        return FLOW_DROP_UNKNOWN;
    if (!view_verify(view))
        return FLOW_DROP_BAD_CHECKSUM;
    return intercept_new(flow, arrival);
}

/* A segment of a protected server's that belongs to no session. */
static enum flow_verdict
intercept_from_server(struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    uint16_t kind = view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST);

    if (arrival->side == FLOW_TAP)
        ahead_keep(&flow->ahead, flow->now_ms, arrival->key.hash, view);
    if (flow->intercept.mode == FLOW_MODE_WATCH || arrival->side == FLOW_TAP)
        return FLOW_FORWARD;
    if ((kind == WIRE_SYN || (kind == WIRE_ACK && intercept_learns(flow))) &&
        view_verify(view)) {
        watch_adopt(flow, arrival,
                    kind == WIRE_SYN ? FLOW_CLIENT : FLOW_SERVER);
        return FLOW_FORWARD;
    }
    if (kind == (WIRE_SYN | WIRE_ACK) && proxy_probed(flow, arrival))
        return FLOW_CONSUMED;
    if (intercept_learns(flow))
        return FLOW_FORWARD;
    if (kind != (WIRE_SYN | WIRE_ACK) &&
        flow->intercept.unknown == FLOW_UNKNOWN_FORWARD)
        return FLOW_FORWARD;
    /* Its numbers are none that the client knows.  To one that gave up, or
     * whom we did: as its own TCP would say. */
    if (!(kind & WIRE_ACK) || kind & WIRE_RST)
        return FLOW_DROP_UNKNOWN;
    proxy_refuse(flow, arrival);
    return FLOW_CONSUMED;
}

static enum flow_verdict
intercept_stranger(struct flow *flow, const struct arrival *arrival)
{
    const struct syncache_tuple *tuple = &arrival->view.tuple;

    if (arrival->side != FLOW_SERVER &&
        rules_permit(&flow->rules, tuple, WIRE_PROTOCOL_TCP))
        return intercept_from_outside(flow, arrival);
    struct syncache_tuple turned = wire_turned(tuple);
    if (arrival->side != FLOW_CLIENT &&
        rules_permit(&flow->rules, &turned, WIRE_PROTOCOL_TCP))
        return intercept_from_server(flow, arrival);
    return FLOW_FORWARD;
}

static enum flow_verdict
intercept_tcp(struct flow *flow, struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    uint32_t from;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);

    if (session == NULL)
        return intercept_stranger(flow, arrival);
    if (!box_comes_right(session, from, arrival))
        return FLOW_DROP_UNKNOWN;
    /* A connection of the same tuple after one that is over; not that one's
     * SYN, come late. */
    if (session->state == FLOW_CLOSING && !track_is_owed(session) &&
        from == FLOW_CLIENT &&
        (view->flags & (WIRE_SYN | WIRE_ACK)) == WIRE_SYN &&
        view->seq != session->c && view_verify(view)) {
        box_end(flow, session, FLOW_END_REPLACED);
        return intercept_stranger(flow, arrival);
    }
    if (session->mode != 'I')
        return watch_packet(flow, session, from, arrival);
    if (!knit_is_anew(session, from, view))
        return proxy_packet(flow, session, from, arrival);
    watch_renew(flow, session, view);
    return FLOW_FORWARD;
}

/* An ICMP error.  What it quotes went the other way. */
static enum flow_verdict
intercept_quote(struct flow *flow, struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    uint32_t from;

    if (view->quote_protocol != WIRE_PROTOCOL_TCP)
        return FLOW_FORWARD;
    struct session *session =
        session_find(&flow->sessions, &arrival->key, &from);
    if (session != NULL && session->mode == 'I')
        return proxy_quote(flow, session, from, arrival);
    if (session != NULL) {
        if (box_comes_right(session, FLOW_SERVER, arrival) &&
            track_is_refused(session, view, from))
            box_end(flow, session, FLOW_END_RST);
        return FLOW_FORWARD;
    }
    struct syncache_tuple asked = wire_turned(&view->quoted);
    /* About a SYN-ACK of ours, of which the server knows nothing. */
    if (arrival->side == FLOW_CLIENT &&
        flow->intercept.mode == FLOW_MODE_INTERCEPT &&
        flow->intercept.unknown == FLOW_UNKNOWN_DROP &&
        !intercept_learns(flow) &&
        rules_permit(&flow->rules, &asked, WIRE_PROTOCOL_TCP))
        return FLOW_DROP_ICMP_QUOTE;
    return FLOW_FORWARD;
}

/* Whatever hides its ports or its flags from us might be a SYN. */
static enum flow_verdict
intercept_unreadable(const struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;

    if (arrival->side == FLOW_CLIENT && view->protocol == WIRE_PROTOCOL_TCP &&
        flow->intercept.mode == FLOW_MODE_INTERCEPT &&
        rules_may_permit(&flow->rules, &view->tuple, WIRE_PROTOCOL_TCP))
        return FLOW_DROP_UNKNOWN;
    return FLOW_FORWARD;
}

enum flow_verdict
intercept_packet(struct flow *flow, struct arrival *arrival)
{
    switch ((enum view_kind)arrival->view.kind) {
    case VIEW_TCP:
        return intercept_tcp(flow, arrival);
    case VIEW_QUOTE:
        return intercept_quote(flow, arrival);
    case VIEW_FRAGMENT:
    case VIEW_BAD:
        return intercept_unreadable(flow, arrival);
    default:
        return FLOW_FORWARD;
    }
}

void
intercept_due(struct flow *flow, struct session *session)
{
    if (session->flags & SESSION_OWES_RST) {
        answer_reset_silent(flow, session);
        box_forget(flow, session);
    } else if (session->mode == 'I') {
        proxy_due(flow, session);
    } else {
        watch_due(flow, session);
    }
}

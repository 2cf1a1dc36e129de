/*
 * The two half-handshakes of the SYN proxy.
 *
 *   SYNRCVD   we answered C's SYN     C's ACK opens S       gives up: RST if told
 *   SYNSENT   we sent C's SYN to S    S's SYN-ACK splices   gives up: RST to C
 *
 * Not here: what happens once the halves are spliced (knit.c).
 *
 * See RFC 9293 3.10.7.2 to 3.10.7.4, RFC 5961.
 */
#include "proxy.h"

#include "answer.h"
#include "knit.h"
#include "proxy_cookie.h"
#include "proxy_grant.h"
#include "proxy_half.h"
#include "proxy_send.h"
#include "redeemed.h"
#include "report.h"
#include "stamp.h"

#include "../core/seq.h"

#include <assert.h>

#define PROXY_AGAIN_MAX \
    8 /* answers to repeated SYNs, for each half-handshake */

bool
proxy_untouchable(const struct view *view)
{
    struct view_options options;

    view_options(view, &options);
    return options.authenticated || view->sealed;
}

/* What the client's SYN offers, what it is granted of that, and the ISN that
 * keeps both. */
static void
proxy_take_offer(struct flow *flow, struct session *session,
                 const struct view_options *offered)
{
    struct syncache_tuple tuple;

    session_tuple(session, &tuple);
    struct proxy_grant grant = proxy_grant(flow, &tuple, offered);
    session->p = proxy_isn(flow, &tuple, session->c, offered, &grant);
    session->mss = offered->mss;
    session->offered = offered->has;
    session->client_tsval = offered->tsval;
    session->wscale_told = grant.wscale;
    session->wscale[FLOW_CLIENT] =
        grant.has & WIRE_HAS_WSCALE ? offered->wscale : SYNCACHE_WSCALE_NONE;
    session->flags &= (uint16_t)~(SESSION_SACK | SESSION_TIMESTAMPS);
    if (grant.has & WIRE_HAS_SACK_PERMITTED)
        session->flags |= SESSION_SACK;
    if (grant.has & WIRE_HAS_TIMESTAMPS)
        session->flags |= SESSION_TIMESTAMPS;
}

/*
 * C repeats its SYN.  One with fewer options is answered as it asks: whoever
 * heard no answer may leave out what a box on the way does not like.  The ACK
 * of the first answer is still a cookie's.
 */
static void
proxy_repeated(struct flow *flow, struct session *session,
               const struct view *view)
{
    struct view_options offered;

    view_options(view, &offered);
    if ((session->offered & ~offered.has) != 0 && proxy_mints(flow)) {
        proxy_take_offer(flow, session, &offered);
        flow->gate_ms = flow->now_ms;
        flow->gate_stamped = true;
    }
    if (offered.has & WIRE_HAS_TIMESTAMPS)
        session->client_tsval = offered.tsval;
    proxy_send_syn_ack(flow, session);
}

struct session *
proxy_begin(struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    struct view_options offered;
    struct session *session =
        box_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD, true);

    if (session == NULL)
        return NULL;
    view_options(view, &offered);
    session->mode = 'I';
    session->c = view->seq;
    session->client_window = view->window;
    proxy_take_offer(flow, session, &offered);
    proxy_headers(flow, session, arrival);
    proxy_half_begin(flow, session);
    (void)report_event(flow, session, FLOW_EVENT_NEW);
    proxy_send_syn_ack(flow, session);
    struct flow_event *event = report_event(flow, session, FLOW_EVENT_SYN_ACK);
    if (event != NULL)
        event->ours = 1;
    return session;
}

/* RFC 9293 3.10.7.4: what acknowledges our SYN, but came out of order, is no
 * reason for a RST. */
static enum flow_verdict
proxy_bad_ack(struct flow *flow, const struct session *session,
              const struct arrival *arrival)
{
    const struct view *view = &arrival->view;

    flow->stats.bad_ack++;
    if (!flow->proxy.bad_ack_rst || !(view->flags & WIRE_ACK) ||
        view->ack == session->p + 1)
        return FLOW_DROP_BAD_ACK;
    if (strays_repeat(&flow->strays, flow->now_ms, session->hash, REPEATS_SYN))
        proxy_refuse(flow, arrival);
    else
        flow->stats.resets_withheld++;
    return FLOW_DROP_BAD_ACK;
}

/*
 * A SYN of another ISN.  Whoever sent it, the entry stays: a spoofer could send
 * this as well.  Before C's ACK it is answered with a cookie; behind it C has
 * forgotten its half, or is challenged for nothing (RFC 5961 4.2).
 */
static enum flow_verdict
proxy_other_isn(struct flow *flow, struct session *session,
                const struct arrival *arrival)
{
    bool first =
        session->state == FLOW_SYNRCVD && !(session->flags & SESSION_VALIDATED);
    struct view_options offered;

    if (first && !proxy_mints(flow))
        return FLOW_DROP_OTHER_ISN;
    if (!strays_repeat(&flow->strays, flow->now_ms, session->hash, REPEATS_SYN))
        return FLOW_DROP_LIMIT;
    if (!first) {
        proxy_challenge(flow, session);
        return FLOW_CONSUMED;
    }
    view_options(&arrival->view, &offered);
    proxy_send_cookie(flow, arrival, &offered);
    flow->stats.cookies_sent++;
    flow->gate_ms = flow->now_ms;
    flow->gate_stamped = true;
    return FLOW_CONSUMED;
}

/* A SYN for a half-handshake: C's own again, or one that has no say here. */
static enum flow_verdict
proxy_syn(struct flow *flow, struct session *session,
          const struct arrival *arrival)
{
    const struct view *view = &arrival->view;

    if (view->flags & (WIRE_ACK | WIRE_RST | WIRE_FIN))
        return FLOW_DROP_UNKNOWN;
    if (!view_verify(view))
        return FLOW_DROP_BAD_CHECKSUM;
    if (view->seq == session->c) {
        if (session->state == FLOW_SYNSENT ||
            session->flags & SESSION_VALIDATED)
            return FLOW_DROP_EARLY;
        if (session->half_again >= PROXY_AGAIN_MAX)
            return FLOW_DROP_LIMIT;
        session->half_again++;
        proxy_repeated(flow, session, view);
        return FLOW_CONSUMED;
    }
    return proxy_other_isn(flow, session, arrival);
}

/* An ACK that is not the entry's: perhaps that of a cookie of its tuple. */
static enum flow_verdict
proxy_other_ack(struct flow *flow, struct session *session,
                const struct arrival *arrival)
{
    struct proxy_redeemed redeemed;

    if (!proxy_redeem(flow, arrival, &redeemed))
        return proxy_bad_ack(flow, session, arrival);
    box_end(flow, session, FLOW_END_REPLACED);
    return proxy_redeemed(flow, arrival, &redeemed);
}

/* SYNRCVD, from C: only the ACK of our SYN-ACK, or a RST that C must mean. */
static enum flow_verdict
proxy_synrcvd(struct flow *flow, struct session *session,
              const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    struct view_options options;

    if (view->flags & WIRE_RST) {
        if (view->seq != session->c + 1 || !view_verify(view))
            return FLOW_DROP_RST;
        box_end(flow, session, FLOW_END_RST);
        return FLOW_DROP_RST;
    }
    if (view->flags & WIRE_SYN)
        return proxy_syn(flow, session, arrival);
    if (!(view->flags & WIRE_ACK) || view->ack != session->p + 1 ||
        (view->seq != session->c + 1 &&
         (view->seq != session->c || !proxy_asks_window(flow, view))))
        return proxy_other_ack(flow, session, arrival);
    if (!view_verify(view))
        return FLOW_DROP_BAD_CHECKSUM;
    view_options(view, &options);
    session->client_window = view->window;
    /* RFC 7323 3.2: who leaves them out of its ACK does not use them. */
    if (!(options.has & WIRE_HAS_TIMESTAMPS))
        session->flags &= (uint16_t)~SESSION_TIMESTAMPS;
    else if (session->flags & SESSION_TIMESTAMPS)
        session->client_tsval = options.tsval;
    session->flags |= SESSION_VALIDATED;
    if (flow->proxy.wait_for_data && view->payload_size == 0)
        return FLOW_CONSUMED;
    if (flow->redeemed != NULL)
        redeemed_note(flow->redeemed, &view->tuple, session->c, session->p);
    proxy_open_server(flow, session);
    if (view->payload_size > 0)
        (void)proxy_keep(flow, session, view);
    return FLOW_CONSUMED;
}

/* SYNSENT, from C: nothing but a RST matters until S has answered. */
static enum flow_verdict
proxy_synsent_client(struct flow *flow, struct session *session,
                     const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    uint32_t end = view->seq + view_seg_len(view);

    if (view->flags & WIRE_RST) {
        /* What C sent was dropped, but C counts it. */
        if ((view->seq != session->c + 1 &&
             view->seq != session->nxt[FLOW_CLIENT]) ||
            !view_verify(view))
            return FLOW_DROP_RST;
        box_end(flow, session, FLOW_END_RST);
        return FLOW_DROP_RST;
    }
    if (view->flags & WIRE_SYN)
        return proxy_syn(flow, session, arrival);
    if (view->flags & WIRE_ACK && view->ack == session->p + 1 &&
        seq_lt(session->nxt[FLOW_CLIENT], end) &&
        end - session->c <= UINT16_MAX)
        session->nxt[FLOW_CLIENT] = end;
    bool kept = view_seg_len(view) > 0 && view_verify(view) &&
                proxy_keep(flow, session, view);
    flow->stats.client_dropped_synsent++;
    (void)report_event(flow, session, FLOW_EVENT_EARLY);
    return kept ? FLOW_CONSUMED : FLOW_DROP_EARLY;
}

/* S refused: C, who believes that it is connected, is told at once. */
static enum flow_verdict
proxy_refused(struct flow *flow, struct session *session)
{
    proxy_reset_client(flow, session);
    box_state(flow, session, FLOW_CLOSING);
    box_arm(flow, session, flow->now_ms + flow->proxy.closing_ms);
    return FLOW_CONSUMED;
}

/* SYNSENT, from S: its SYN-ACK, its refusal, or an old connection's answer. */
static enum flow_verdict
proxy_synsent_server(struct flow *flow, struct session *session,
                     const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    bool answers = view->flags & WIRE_ACK && view->ack == session->c + 1;

    if (!view_verify(view))
        return FLOW_DROP_BAD_CHECKSUM;
    if (view->flags & WIRE_RST)
        return answers ? proxy_refused(flow, session) : FLOW_DROP_SERVER;
    if (answers && view->flags & WIRE_SYN) {
        /* Of the handshake that we have reset, and late. */
        if (session->half_stamps && session->rexmts == 0 &&
            view->seq == session->s)
            return FLOW_DROP_SERVER;
        knit_halves(flow, session, view);
        return FLOW_CONSUMED;
    }
    /* RFC 9293 3.10.7.3: not our SYN, so this connection is not ours. */
    if (view->flags & WIRE_ACK && !answers) {
        proxy_refuse(flow, arrival);
        /* Its old connection is gone now; once a wait, or the two might go on
         * for ever. */
        if (!(view->flags & WIRE_SYN) && session->again == 0) {
            session->again = 1;
            proxy_send_syn(flow, session);
            flow->stats.rexmts_server++;
        }
        return FLOW_CONSUMED;
    }
    return FLOW_DROP_SERVER;
}

enum flow_verdict
proxy_packet(struct flow *flow, struct session *session, uint32_t from,
             struct arrival *arrival)
{
    assert(session->mode == 'I');
    if (session->flags & SESSION_SPLICED)
        return knit_packet(flow, session, from, arrival);
    switch ((enum flow_state)session->state) {
    case FLOW_SYNRCVD:
        if (from == FLOW_CLIENT)
            return proxy_synrcvd(flow, session, arrival);
        return FLOW_DROP_SERVER; /* it was asked nothing */
    case FLOW_SYNSENT:
        if (from == FLOW_CLIENT)
            return proxy_synsent_client(flow, session, arrival);
        return proxy_synsent_server(flow, session, arrival);
    default: /* refused by S, and there is nothing to translate */
        return from == FLOW_CLIENT ? FLOW_DROP_EARLY : FLOW_DROP_SERVER;
    }
}

enum flow_verdict
proxy_quote(struct flow *flow, struct session *session, uint32_t from,
            struct arrival *arrival)
{
    bool changed;

    (void)flow;
    if (!(session->flags & SESSION_SPLICED)) {
        /* What we said in S's name is none of S's business. */
        return from == FLOW_SERVER ? FLOW_DROP_ICMP_QUOTE : FLOW_FORWARD;
    }
    if (from == FLOW_SERVER) {
        changed = splice_quote_to_server(&session->splice, &arrival->view);
        if (session->splice.flags & SPLICE_STAMP)
            changed |= stamp_lower_mtu(&arrival->view);
    } else {
        changed = splice_quote_to_client(&session->splice, &arrival->view);
    }
    return changed ? FLOW_FORWARD_REWRITTEN : FLOW_FORWARD;
}

static void
proxy_giveup(struct flow *flow, struct session *session)
{
    const struct proxy_limits *limits = &flow->proxy;
    bool first = session->state == FLOW_SYNRCVD;
    /* A RST to an address that proved nothing would reflect one more. */
    bool reset = limits->giveup == FLOW_GIVEUP_ALWAYS ||
                 (limits->giveup == FLOW_GIVEUP_VALIDATED &&
                  (!first || session->flags & SESSION_VALIDATED));

    (void)report_event(flow, session,
                       first ? FLOW_EVENT_TOO_LONG_SYNRCVD
                             : FLOW_EVENT_TOO_LONG_SYNSENT);
    if (reset)
        proxy_reset_client(flow, session);
    box_end(flow, session,
            first ? FLOW_END_GIVEUP_CLIENT : FLOW_END_GIVEUP_SERVER);
}

void
proxy_due(struct flow *flow, struct session *session)
{
    bool first = session->state == FLOW_SYNRCVD;
    struct flow_event *event;

    assert(session->mode == 'I');
    if (session->state > FLOW_SYNSENT) {
        knit_due(flow, session);
        return;
    }
    if (session->rexmts >= flow->proxy.rexmt_limit) {
        proxy_giveup(flow, session);
        return;
    }
    session->rexmts++;
    session->again = 0;
    proxy_half_arm(flow, session);
    if (first && session->flags & SESSION_VALIDATED)
        return; /* it is known to have ours, and its data is waited for */
    if (first) {
        proxy_send_syn_ack(flow, session);
        flow->stats.rexmts_client++;
    } else {
        if (session->half_stamps)
            (void)proxy_reset_server(flow, session);
        proxy_send_syn(flow, session);
        flow->stats.rexmts_server++;
    }
    event = report_event(
        flow, session, first ? FLOW_EVENT_REXMT_SYN_ACK : FLOW_EVENT_REXMT_SYN);
    if (event != NULL) {
        event->ours = 1;
        event->number = session->rexmts;
    }
}

/*
 * Watch mode: connections that pass, byte for byte, and are reset at the server
 * if they do not establish in time.  And those that pass because they were
 * there before us, which are only remembered.
 *
 * The deadline counts from the SYN and is judged as things stand: when
 * aggressive mode begins, every watched connection older than the shortened
 * time expires at once.
 *
 * Not here: which segments change a state (track.c).
 */
#include "watch.h"

#include "answer.h"
#include "proxy_half.h"
#include "proxy_send.h"
#include "report.h"
#include "track.h"

#include <assert.h>
#include <string.h>

static uint64_t
watch_deadline_ms(const struct flow *flow, const struct session *session)
{
    uint32_t timeout_ms = flow->intercept.watch_timeout_ms;

    if (flow->threshold.aggressive)
        timeout_ms /= flow->intercept.aggressive_divisor;
    return session->created_ms + timeout_ms;
}

/* Watched connections live as long as the mode allows now.  There are at most
 * as many half-open ones as the mode's own threshold and one more. */
void
watch_rearm(struct flow *flow)
{
    for (uint32_t number = flow->order.oldest; number != SESSION_NONE;) {
        struct session *session = session_at(&flow->sessions, number);

        number = session->younger;
        if (session->mode == 'W')
            box_arm(flow, session, watch_deadline_ms(flow, session));
    }
}

void
watch_judge(struct flow *flow)
{
    if (box_judge(flow))
        watch_rearm(flow);
}

struct session *
watch_begin(struct flow *flow, const struct arrival *arrival)
{
    struct session *session =
        box_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD, true);

    if (session == NULL)
        return NULL;
    session->mode = 'W';
    track_syn(session, &arrival->view);
    proxy_headers(flow, session, arrival);
    box_arm(flow, session, watch_deadline_ms(flow, session));
    (void)report_event(flow, session, FLOW_EVENT_NEW);
    /* On a tap the SYN-ACK may come before its SYN. */
    struct arrival answer = {.side = FLOW_TAP};
    if (flow->tap && ahead_take(&flow->ahead, flow->now_ms, arrival->key.hash,
                                &arrival->view.tuple, &answer.view))
        (void)watch_packet(flow, session, FLOW_SERVER, &answer);
    return session;
}

void
watch_adopt(struct flow *flow, const struct arrival *arrival, uint32_t from)
{
    const struct view *view = &arrival->view;
    struct session_key key = arrival->key;
    struct session *session;
    uint32_t to = 1 - from;

    if (from == FLOW_SERVER) {
        memcpy(key.address[0], arrival->key.address[1], 16);
        memcpy(key.address[1], arrival->key.address[0], 16);
        key.port[0] = arrival->key.port[1];
        key.port[1] = arrival->key.port[0];
    }
    session = box_open(
        flow, &key,
        (uint8_t)(from == FLOW_CLIENT ? arrival->side : 1 - arrival->side),
        FLOW_ESTAB, false);
    if (session == NULL) {
        flow->stats.table_full++;
        return;
    }
    session->mode = 'W';
    session->flags |= SESSION_ADOPTED;
    session->nxt[from] = view->seq + view_seg_len(view);
    session->ack[to] = view->seq;
    session->nxt[to] = session->ack[from] = view->ack;
    session->wnd[from] = session->wnd[to] = UINT16_MAX;
    box_arm(flow, session,
            flow->now_ms + flow->intercept.connection_timeout_ms);
}

static void
watch_closing(struct flow *flow, struct session *session)
{
    box_state(flow, session, FLOW_CLOSING);
    box_arm(flow, session,
            track_closing_ms(session, flow->now_ms,
                             flow->intercept.finrst_timeout_ms));
}

static void
watch_note_half_open(struct flow *flow, const struct session *session,
                     uint32_t from, enum track_change change)
{
    if (change == TRACK_SYN_ACK)
        (void)report_event(flow, session, FLOW_EVENT_SYN_ACK);
    else if (change == TRACK_ESTABLISHED)
        (void)report_event(flow, session, FLOW_EVENT_ACK);
    else if (from == FLOW_SERVER && change == TRACK_NONE)
        (void)report_event(flow, session, FLOW_EVENT_PASSED_SYNRCVD);
}

/* What the server's SYN-ACK says about it serves intercept mode too. */
static void
watch_learn(struct flow *flow, const struct session *session,
            const struct view *view)
{
    struct syncache_tuple tuple;
    struct view_options options;

    session_tuple(session, &tuple);
    view_options(view, &options);
    profile_learn(&flow->profiles, flow->now_ms, &tuple, session->offered,
                  options.has, options.mss, options.wscale);
}

void
watch_renew(struct flow *flow, struct session *session, const struct view *view)
{
    struct box_renewal renewal;

    box_renew_begin(flow, session, &renewal);
    watch_judge(flow);
    session = box_renew(flow, &renewal, view);
    session->mode = 'W';
    box_arm(flow, session, watch_deadline_ms(flow, session));
    (void)report_event(flow, session, FLOW_EVENT_NEW);
    watch_note_half_open(flow, session, FLOW_SERVER, TRACK_SYN_ACK);
    watch_learn(flow, session, view);
    watch_judge(flow);
}

enum flow_verdict
watch_packet(struct flow *flow, struct session *session, uint32_t from,
             const struct arrival *arrival)
{
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;
    enum track_change change;

    if (arrival->side != FLOW_TAP &&
        !box_admits(flow, session, &arrival->view, from))
        return FLOW_DROP_LIMIT;
    change = track_segment(session, &arrival->view, from);
    if (change == TRACK_ANEW) {
        watch_renew(flow, session, &arrival->view);
        return FLOW_FORWARD;
    }
    session->last_ms = flow->now_ms;
    box_heard(flow, session);
    if (session->state == FLOW_SYNRCVD) {
        watch_note_half_open(flow, session, from, change);
        if (change == TRACK_SYN_ACK)
            watch_learn(flow, session, &arrival->view);
    }
    if (change == TRACK_ESTABLISHED)
        box_state(flow, session, FLOW_ESTAB);
    if (session->state == FLOW_CLOSING) {
        if ((session->flags & fins) == fins)
            box_arm(flow, session,
                    track_closing_ms(session, flow->now_ms,
                                     flow->intercept.finrst_timeout_ms));
        return FLOW_FORWARD;
    }
    if (change == TRACK_RST || change == TRACK_CLOSED)
        watch_closing(flow, session);
    else if (session->state == FLOW_ESTAB)
        box_arm(flow, session,
                flow->now_ms + flow->intercept.connection_timeout_ms);
    return FLOW_FORWARD;
}

/* Both ends as watch_reset says; the client's only if the server's ISN is
 * known, since no other RST would be taken. */
static void
watch_expire(struct flow *flow, struct session *session)
{
    uint32_t reset = flow->intercept.watch_reset;
    uint32_t ack = session->c + 1;

    (void)report_event(flow, session, FLOW_EVENT_TIMING_OUT);
    if (reset != FLOW_RESET_NONE)
        (void)proxy_reset_server(flow, session);
    if (reset == FLOW_RESET_BOTH && session->flags & SESSION_SYNACK &&
        answer_reset(flow, session, FLOW_CLIENT, session->s + 1, &ack))
        (void)report_event(flow, session, FLOW_EVENT_RST_CLIENT);
    box_end(flow, session, FLOW_END_SYNWAIT);
}

void
watch_due(struct flow *flow, struct session *session)
{
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    assert(session->mode == 'W');
    switch ((enum flow_state)session->state) {
    case FLOW_SYNRCVD:
    case FLOW_SYNSENT:
        watch_expire(flow, session);
        break;
    case FLOW_CLOSING:
        box_end(flow, session,
                (session->flags & fins) == fins ? FLOW_END_FIN : FLOW_END_RST);
        break;
    default:
        box_end(flow, session, FLOW_END_TIMEOUT);
        break;
    }
}

/*
 * The splice: what S's SYN-ACK settles, and packets through it.
 *
 * C was promised something in S's name, and S may have answered otherwise:
 *
 *   window scale   another, or none: windows are shifted (splice.h)
 *   SACK           refused: C's blocks are overwritten by NOPs
 *   timestamps     refused: C may drop whatever comes without them (RFC 7323
 *                  3.2), so both are reset, and the next client is told better
 *   MSS            smaller: too late, and C's path MTU discovery finds out
 *
 * C's window was closed (synack_window 0) and opens by the window update, a
 * single packet that may be lost.  So it is sent again until C sends.
 *
 * Numbers in the session are those that S uses: C's segments are tracked after
 * their rewriting, S's before.
 */
#include "proxy.h"

#include "../core/seq.h"
#include "track.h"

#include <assert.h>
#include <string.h>

/* How far the first SEQ after an import may be from the exported one. */
#define KNIT_NEAR 0x100000u

static uint8_t
knit_scale(uint8_t scale)
{
    return scale == SYNCACHE_WSCALE_NONE ? 0 : scale;
}

/* What is rewritten from now on. */
static void
knit_splice(struct flow *flow, struct session *session,
            const struct view_options *options)
{
    bool told = session->wscale_told != SYNCACHE_WSCALE_NONE;
    bool scales = told && options->has & WIRE_HAS_WSCALE;
    struct syncache_tuple tuple;
    struct splice splice = {.delta = session->p - session->s};
    uint32_t label = session->half_label;

    session->wscale[FLOW_SERVER] =
        scales ? options->wscale : SYNCACHE_WSCALE_NONE;
    splice.shift_to_client = (int8_t)(knit_scale(session->wscale[FLOW_SERVER]) -
                                      knit_scale(session->wscale_told));
    if (told && !scales)
        splice.shift_to_server = (int8_t)session->wscale[FLOW_CLIENT];
    if (session->flags & SESSION_SACK)
        splice.flags |= options->has & WIRE_HAS_SACK_PERMITTED
                            ? SPLICE_SACK
                            : SPLICE_STRIP_SACK;
    if (session->flags & SESSION_TIMESTAMPS) {
        session_tuple(session, &tuple);
        splice.flags |= SPLICE_TIMESTAMPS | SPLICE_FLOOR;
        splice.ts_floor = options->tsval;
        splice.ts_delta = proxy_ts(flow, &tuple) - options->tsval;
    }
    session->splice = splice;
    session->flow_label = label;
    session->window_updates = 0;
    session->flags |= SESSION_SPLICED | SESSION_SYNACK;
}

static void
knit_track(struct session *session, const struct view *view)
{
    uint32_t window =
        splice_window(session->client_window, session->splice.shift_to_server);

    if (session->wscale[FLOW_SERVER] != SYNCACHE_WSCALE_NONE)
        window <<= session->wscale[FLOW_CLIENT];
    session->nxt[FLOW_CLIENT] = session->ack[FLOW_SERVER] = session->c + 1;
    session->nxt[FLOW_SERVER] = session->ack[FLOW_CLIENT] = session->s + 1;
    session->wnd[FLOW_CLIENT] = window;
    session->wnd[FLOW_SERVER] = view->window;
}

/* What the client has said already goes on to the server that is there now. */
static void
knit_early(struct flow *flow, struct session *session, uint16_t early)
{
    struct early_packet *kept = early_at(&flow->early, early);
    struct view view;

    view_parse(kept->bytes, kept->size, kept->checksum, &view);
    (void)splice_to_server(&session->splice, &view);
    if (engine_send_packet(flow, session, kept)) {
        (void)track_segment(session, &view, FLOW_CLIENT);
        session->flags |= SESSION_HEARD;
        engine_arm(flow, session, flow->now_ms + proxy_idle_ms(flow));
    }
    early_release(&flow->early, early);
}

/* When a spliced session is looked at again if nothing comes. */
static void
knit_arm(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + proxy_idle_ms(flow);
    uint64_t update_ms = flow->now_ms + ((uint64_t)PROXY_WINDOW_UPDATE_MS
                                         << session->window_updates);

    if (!(session->flags & SESSION_HEARD) &&
        session->window_updates < PROXY_WINDOW_UPDATES && update_ms < idle_ms)
        idle_ms = update_ms;
    engine_arm(flow, session, idle_ms);
}

void
proxy_knit(struct flow *flow, struct session *session, const struct view *view)
{
    uint8_t offered = proxy_granted(session).has;
    uint16_t early = session->half_early;
    struct view_options options;
    struct syncache_tuple tuple;
    struct flow_event *event;

    assert(session->state == FLOW_SYNSENT);
    view_options(view, &options);
    session_tuple(session, &tuple);
    profile_learn(&flow->profiles, flow->now_ms, &tuple, offered, options.has,
                  options.mss, options.wscale);
    session->s = view->seq;
    if (session->flags & SESSION_TIMESTAMPS &&
        !(options.has & WIRE_HAS_TIMESTAMPS)) {
        proxy_reset_server(flow, session);
        proxy_reset_client(flow, session);
        engine_end(flow, session, FLOW_END_RST);
        return;
    }
    (void)engine_event(flow, session, FLOW_EVENT_SECOND_HALF);
    engine_state(flow, session, FLOW_ESTAB);
    knit_splice(flow, session, &options);
    knit_track(session, view);
    session->last_ms = flow->now_ms;
    knit_arm(flow, session);
    proxy_send_ack(flow, session);
    event = engine_event(flow, session, FLOW_EVENT_ACK);
    if (event != NULL)
        event->ours = 1;
    proxy_send_window(flow, session);
    event = engine_event(flow, session, FLOW_EVENT_WINDOW);
    if (event != NULL)
        event->ours = 1;
    if (early != EARLY_NONE)
        knit_early(flow, session, early);
    if (proxy_limits(flow).options == FLOW_OPTIONS_LEARN)
        proxy_probe(flow, session);
}

/* Imported numbers must be near those that pass; else this is not the
 * connection that was exported. */
static bool
knit_checks(struct session *session, uint32_t from, uint32_t seq)
{
    uint16_t mine =
        from == FLOW_CLIENT ? SESSION_UNCHECKED : SESSION_UNCHECKED_S;

    if (!(session->flags & mine))
        return true;
    if (seq - session->nxt[from] + KNIT_NEAR > 2 * KNIT_NEAR)
        return false;
    session->flags &= (uint16_t)~mine;
    /* What was acknowledged meanwhile is not known: begin anew from here. */
    session->nxt[from] = session->ack[1 - from] = seq;
    session->wnd[1 - from] = KNIT_NEAR;
    return true;
}

/* A connection is over, or has only its last packets to exchange. */
static void
knit_closing(struct flow *flow, struct session *session)
{
    engine_state(flow, session, FLOW_CLOSING);
    engine_arm(
        flow, session,
        track_closing_ms(session, flow->now_ms, proxy_limits(flow).closing_ms));
}

static void
knit_follow(struct flow *flow, struct session *session,
            enum track_change change)
{
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    session->last_ms = flow->now_ms;
    /* A FIN that is repeated, its ACK lost, is still to be translated. */
    if (session->state == FLOW_CLOSING && (session->flags & fins) == fins)
        engine_arm(flow, session,
                   track_closing_ms(session, flow->now_ms,
                                    proxy_limits(flow).closing_ms));
    if (session->state != FLOW_ESTAB)
        return;
    if (flow->handing.on && session->splice.handed == HANDED_NOT)
        handed_offer(&flow->handing, &flow->sessions, session);
    if (change == TRACK_RST || change == TRACK_CLOSED)
        knit_closing(flow, session);
    else if (session->flags & SESSION_HEARD ||
             session->window_updates >= PROXY_WINDOW_UPDATES)
        engine_arm(flow, session, flow->now_ms + proxy_idle_ms(flow));
}

static enum flow_verdict
knit_from_client(struct flow *flow, struct session *session,
                 struct arrival *arrival)
{
    struct view *view = &arrival->view;

    if (!knit_checks(session, FLOW_CLIENT, view->seq)) {
        engine_end(flow, session, FLOW_END_REPLACED);
        return FLOW_DROP_RECLAIMED;
    }
    if (view->flags & WIRE_SYN)
        track_other_syn(session, view);
    bool changed = splice_to_server(&session->splice, view);
    enum track_change change = track_segment(session, view, FLOW_CLIENT);
    if (!(view->flags & WIRE_SYN))
        session->flags |= SESSION_HEARD;
    knit_follow(flow, session, change);
    return changed ? FLOW_FORWARD_REWRITTEN : FLOW_FORWARD;
}

/* C began anew, and S has answered it: from here on they are by themselves. */
static void
knit_renew(struct flow *flow, struct session *session, const struct view *view)
{
    if (flow->config.kind == FLOW_INSPECT)
        inspect_renew(flow, session, view);
    else
        watch_renew(flow, session, view);
}

static enum flow_verdict
knit_from_server(struct flow *flow, struct session *session,
                 struct arrival *arrival)
{
    struct view *view = &arrival->view;

    if (view->flags & WIRE_SYN && track_is_anew(session, view)) {
        knit_renew(flow, session, view);
        return FLOW_FORWARD;
    }
    /* Our ACK was lost: S repeats its SYN-ACK, which C must never see. */
    if (view->flags & WIRE_SYN) {
        if (view->flags & WIRE_ACK && view->seq == session->s &&
            view->ack == session->c + 1)
            proxy_send_ack(flow, session);
        return FLOW_CONSUMED;
    }
    if (!knit_checks(session, FLOW_SERVER, view->seq)) {
        engine_end(flow, session, FLOW_END_REPLACED);
        return FLOW_DROP_RECLAIMED;
    }
    enum track_change change = track_segment(session, view, FLOW_SERVER);
    bool changed = splice_to_client(&session->splice, view);
    knit_follow(flow, session, change);
    return changed ? FLOW_FORWARD_REWRITTEN : FLOW_FORWARD;
}

enum flow_verdict
proxy_spliced(struct flow *flow, struct session *session, uint32_t from,
              struct arrival *arrival)
{
    if (from == FLOW_CLIENT)
        return knit_from_client(flow, session, arrival);
    return knit_from_server(flow, session, arrival);
}

void
proxy_spliced_due(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + proxy_idle_ms(flow);

    if (session->state == FLOW_ESTAB && flow->now_ms < idle_ms &&
        !(session->flags & SESSION_HEARD) &&
        session->window_updates < PROXY_WINDOW_UPDATES) {
        proxy_send_window(flow, session);
        session->window_updates++;
        knit_arm(flow, session);
        return;
    }
    if (session->state == FLOW_ESTAB &&
        !handed_may_end(&flow->handing, session, idle_ms)) {
        engine_arm(flow, session, flow->now_ms + HANDED_LOOK_MS);
        return;
    }
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;
    enum flow_end end = FLOW_END_TIMEOUT;
    if (session->state == FLOW_CLOSING)
        end = (session->flags & fins) == fins ? FLOW_END_FIN : FLOW_END_RST;
    engine_end(flow, session, end);
}

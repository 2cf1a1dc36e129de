/*
 * The splice: what S's SYN-ACK settles, and packets through it.
 *
 * C was promised something in S's name, and S may have answered otherwise:
 *
 *   window scale   another, or none: windows are shifted (splice.h)
 *   SACK           refused: C's blocks are overwritten by NOPs
 *   timestamps     refused: C may drop whatever comes without them (RFC 7323
 *                  3.2), so S is asked again, for segments that leave room for
 *                  them, and they are put in here (stamp.h)
 *   MSS            smaller: too late, and C's path MTU discovery finds out
 *
 * C's window was closed (synack_window 0) and opens by the window update, a
 * single packet that may be lost.  So it is sent again until C sends.
 *
 * S may have missed our ACK.  Until it has said something, or for a minute, a SYN
 * in C's name does not reach it.
 *
 * Numbers in the session are those that S uses: C's segments are tracked after
 * their rewriting, S's before.
 */
#include "knit.h"

#include "answer.h"
#include "proxy_grant.h"
#include "proxy_half.h"
#include "proxy_send.h"
#include "report.h"
#include "stamp.h"
#include "strays.h"
#include "track.h"

#include "../core/seq.h"

#include <assert.h>
#include <string.h>

/* How far the first SEQ after an import may be from the exported one. */
#define KNIT_NEAR 0x100000u

/* Window updates are repeated after 0.2, 0.6 and 1.4 s until the client sends. */
#define KNIT_WINDOW_UPDATES 3
#define KNIT_WINDOW_UPDATE_MS 200

/* As long as a server repeats its SYN-ACK: 1 + 2 + 4 + 8 + 16 + 32 s. */
#define KNIT_HALF_MADE_MS 63000

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
        /* Behind its SYN-ACK the client would drop what it is sent. */
        uint32_t back = proxy_ts_back(flow);
        session_tuple(session, &tuple);
        uint32_t tsval =
            proxy_ts(flow, &tuple) + ((int32_t)back > 0 ? back : 0);
        if (session->half_stamps) {
            splice.flags |= SPLICE_STAMP;
            splice.ts_floor = tsval;
            splice.ts_delta = tsval - (uint32_t)flow->now_ms;
        } else {
            splice.flags |= SPLICE_TIMESTAMPS | SPLICE_FLOOR;
            splice.ts_floor = options->tsval;
            splice.ts_delta = tsval - options->tsval;
        }
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
    if (answer_packet(flow, session, kept)) {
        (void)track_segment(session, &view, FLOW_CLIENT);
        box_heard(flow, session);
        session->flags |= SESSION_HEARD;
        box_arm(flow, session, flow->now_ms + flow->proxy.idle_ms);
    }
    early_release(&flow->early, early);
}

/* When a spliced session is looked at again if nothing comes. */
static void
knit_arm(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + flow->proxy.idle_ms;
    uint64_t update_ms = flow->now_ms + ((uint64_t)KNIT_WINDOW_UPDATE_MS
                                         << session->window_updates);

    if (!(session->flags & SESSION_HEARD) &&
        session->window_updates < KNIT_WINDOW_UPDATES && update_ms < idle_ms)
        idle_ms = update_ms;
    box_arm(flow, session, idle_ms);
}

void
knit_halves(struct flow *flow, struct session *session, const struct view *view)
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
    if (session->flags & SESSION_TIMESTAMPS && !session->half_stamps &&
        !(options.has & WIRE_HAS_TIMESTAMPS)) {
        proxy_ask_without_timestamps(flow, session);
        return;
    }
    (void)report_event(flow, session, FLOW_EVENT_SECOND_HALF);
    box_state(flow, session, FLOW_ESTAB);
    knit_splice(flow, session, &options);
    knit_track(session, view);
    session->last_ms = flow->now_ms;
    knit_arm(flow, session);
    proxy_send_ack(flow, session);
    event = report_event(flow, session, FLOW_EVENT_ACK);
    if (event != NULL)
        event->ours = 1;
    proxy_send_window(flow, session);
    event = report_event(flow, session, FLOW_EVENT_WINDOW);
    if (event != NULL)
        event->ours = 1;
    if (early != EARLY_NONE)
        knit_early(flow, session, early);
    if (flow->proxy.options == FLOW_OPTIONS_LEARN)
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
    box_state(flow, session, FLOW_CLOSING);
    box_arm(flow, session,
            track_closing_ms(session, flow->now_ms, flow->proxy.closing_ms));
}

static void
knit_follow(struct flow *flow, struct session *session,
            enum track_change change)
{
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    session->last_ms = flow->now_ms;
    box_heard(flow, session);
    /* A FIN that is repeated, its ACK lost, is still to be translated. */
    if (session->state == FLOW_CLOSING && (session->flags & fins) == fins)
        box_arm(
            flow, session,
            track_closing_ms(session, flow->now_ms, flow->proxy.closing_ms));
    if (session->state != FLOW_ESTAB)
        return;
    if (flow->handing.on && session->splice.handed == HANDED_NOT)
        handed_offer(&flow->handing, &flow->sessions, session);
    if (change == TRACK_RST || change == TRACK_CLOSED)
        knit_closing(flow, session);
    else if (session->flags & SESSION_HEARD ||
             session->window_updates >= KNIT_WINDOW_UPDATES)
        box_arm(flow, session, flow->now_ms + flow->proxy.idle_ms);
}

/* RFC 7323 4.3: what is to be echoed to the client in the server's place. */
static void
knit_note_stamp(struct session *session, const struct view *view)
{
    uint32_t tsval;

    if (view->flags & (WIRE_SYN | WIRE_RST) ||
        seq_lt(session->ack[FLOW_SERVER], view->seq) ||
        !stamp_read(view, &tsval))
        return;
    if (session->client_tsval == 0 || seq_leq(session->client_tsval, tsval))
        session->client_tsval = tsval;
}

/* Puts timestamps of our clock into a segment of the server's. */
static bool
knit_stamp(struct flow *flow, struct session *session, struct arrival *arrival)
{
    struct splice *splice = &session->splice;
    uint32_t tsval = (uint32_t)flow->now_ms + splice->ts_delta;
    uint32_t size =
        arrival->gso_size != 0 ? arrival->gso_size : arrival->view.payload_size;
    uint32_t before = arrival->view.size;

    /* From a server that heard the first SYN alone, it may be too long. */
    if (session->mss != 0 && !(session->flags & SESSION_OTHER_ISN) &&
        size + STAMP_BYTES > session->mss)
        return false;
    if (seq_lt(splice->ts_floor, tsval))
        splice->ts_floor = tsval;
    if (!stamp_segment(&arrival->view, arrival->room, splice->ts_floor,
                       session->client_tsval))
        return false;
    arrival->longer = arrival->view.size != before;
    return true;
}

/*
 * S has not shown yet that our ACK reached it: it may still be a listener that
 * sends cookies, which would answer any SYN by a new SYN-ACK.
 */
static bool
knit_is_half_made(const struct flow *flow, const struct session *session)
{
    return session->state == FLOW_ESTAB &&
           session->splice.handed == HANDED_NOT &&
           session->nxt[FLOW_SERVER] == session->s + 1 &&
           session->ack[FLOW_SERVER] == session->c + 1 &&
           flow->now_ms - session->last_ms < KNIT_HALF_MADE_MS;
}

/* RFC 5961 4: whoever sent the SYN, C says what holds; if it began anew, by a
 * RST, which goes on to S. */
static enum flow_verdict
knit_challenge(struct flow *flow, const struct session *session,
               const struct view *view)
{
    if (!view_verify(view))
        return FLOW_DROP_BAD_CHECKSUM;
    if (!strays_repeat(&flow->strays, flow->now_ms, session->hash, REPEATS_SYN))
        return FLOW_DROP_LIMIT;
    proxy_send_window(flow, session);
    return FLOW_CONSUMED;
}

static enum flow_verdict
knit_from_client(struct flow *flow, struct session *session,
                 struct arrival *arrival)
{
    struct view *view = &arrival->view;

    bool half_made =
        (view->flags & WIRE_SYN) != 0 && knit_is_half_made(flow, session);

    if (half_made && view->seq != session->c &&
        !(view->flags & (WIRE_ACK | WIRE_RST)))
        return knit_challenge(flow, session, view);
    if (!knit_checks(session, FLOW_CLIENT, view->seq)) {
        box_end(flow, session, FLOW_END_REPLACED);
        return FLOW_DROP_RECLAIMED;
    }
    /* C's own, come late, is no new one. */
    if (view->flags & WIRE_SYN && !half_made)
        track_other_syn(session, view);
    if (session->splice.flags & SPLICE_STAMP)
        knit_note_stamp(session, view);
    bool changed = splice_to_server(&session->splice, view);
    if (!box_admits(flow, session, view, FLOW_CLIENT))
        return FLOW_DROP_LIMIT;
    enum track_change change = track_segment(session, view, FLOW_CLIENT);
    if (!(view->flags & WIRE_SYN))
        session->flags |= SESSION_HEARD;
    knit_follow(flow, session, change);
    return changed ? FLOW_FORWARD_REWRITTEN : FLOW_FORWARD;
}

bool
knit_is_anew(const struct session *session, uint32_t from,
             const struct view *view)
{
    return session->flags & SESSION_SPLICED && from == FLOW_SERVER &&
           view->flags & WIRE_SYN && track_is_anew(session, view);
}

static enum flow_verdict
knit_from_server(struct flow *flow, struct session *session,
                 struct arrival *arrival)
{
    struct view *view = &arrival->view;

    /* Our ACK was lost: S repeats its SYN-ACK, which C must never see. */
    if (view->flags & WIRE_SYN) {
        if (view->flags & WIRE_ACK && view->seq == session->s &&
            view->ack == session->c + 1)
            proxy_send_ack(flow, session);
        return FLOW_CONSUMED;
    }
    if (!knit_checks(session, FLOW_SERVER, view->seq)) {
        box_end(flow, session, FLOW_END_REPLACED);
        return FLOW_DROP_RECLAIMED;
    }
    if (!box_admits(flow, session, view, FLOW_SERVER))
        return FLOW_DROP_LIMIT;
    enum track_change change = track_segment(session, view, FLOW_SERVER);
    bool changed = splice_to_client(&session->splice, view);
    if (session->splice.flags & SPLICE_STAMP)
        changed |= knit_stamp(flow, session, arrival);
    knit_follow(flow, session, change);
    return changed ? FLOW_FORWARD_REWRITTEN : FLOW_FORWARD;
}

enum flow_verdict
knit_packet(struct flow *flow, struct session *session, uint32_t from,
            struct arrival *arrival)
{
    if (from == FLOW_CLIENT)
        return knit_from_client(flow, session, arrival);
    return knit_from_server(flow, session, arrival);
}

void
knit_due(struct flow *flow, struct session *session)
{
    uint64_t idle_ms = session->last_ms + flow->proxy.idle_ms;

    if (session->state == FLOW_ESTAB && flow->now_ms < idle_ms &&
        !(session->flags & SESSION_HEARD) &&
        session->window_updates < KNIT_WINDOW_UPDATES) {
        proxy_send_window(flow, session);
        session->window_updates++;
        knit_arm(flow, session);
        return;
    }
    if (session->state == FLOW_ESTAB &&
        !handed_may_end(&flow->handing, session, idle_ms)) {
        box_arm(flow, session, flow->now_ms + HANDED_LOOK_MS);
        return;
    }
    uint16_t fins = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;
    enum flow_end end = FLOW_END_TIMEOUT;
    if (session->state == FLOW_CLOSING)
        end = (session->flags & fins) == fins ? FLOW_END_FIN : FLOW_END_RST;
    box_end(flow, session, end);
}

/*
 * Validated transitions: track.h says which.
 *
 * For each end the session holds: nxt, the end of what it sent, as far as its
 * peer could take it; ack, its highest acknowledgment; ack + wnd, the highest
 * right edge it ever announced (an edge does not move back, RFC 9293 3.8.6).
 */
#include "track.h"

#include "../core/bytes.h"
#include "../core/seq.h"
#include "strays.h"

#include <assert.h>
#include <string.h>

/* The longest that a TCP waits before it sends again (RFC 6298 2.5 lets it stop
 * at a minute, Linux does at two). */
#define TRACK_FIN_AGAIN_MS 120000

/* In gap_from: among what came behind the gap was a FIN. */
#define GAP_FIN 4u
/* What comes behind a gap is one run if it is no further apart than this. */
#define GAP_RUN 0x100000u

#define ICMP_UNREACHABLE 3 /* RFC 792, RFC 1191 */
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_TOO_BIG 2 /* RFC 4443 3.2 */

static uint32_t
track_window(const struct session *session, const struct view *view,
             uint32_t from)
{
    bool scaled = session->wscale[FLOW_CLIENT] != SYNCACHE_WSCALE_NONE &&
                  session->wscale[FLOW_SERVER] != SYNCACHE_WSCALE_NONE;

    if (!scaled || (view->flags & WIRE_SYN) != 0)
        return view->window;
    return (uint32_t)view->window << session->wscale[from];
}

void
track_syn(struct session *session, const struct view *view)
{
    struct view_options options;

    assert((view->flags & WIRE_SYN) != 0);
    view_options(view, &options);
    session->c = view->seq;
    session->nxt[FLOW_CLIENT] = view->seq + view_seg_len(view);
    session->wnd[FLOW_CLIENT] = view->window;
    session->wscale[FLOW_CLIENT] = options.wscale;
    session->mss = options.mss;
    session->offered = options.has;
    session->bytes[FLOW_CLIENT] += view->payload_size;
}

static bool
track_is_syn_ack(const struct view *view)
{
    return (view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN)) ==
           (WIRE_SYN | WIRE_ACK);
}

static bool
track_answers_other(const struct session *session, const struct view *view)
{
    return (session->flags & SESSION_OTHER_ISN) != 0 &&
           view->ack == session->p + 1;
}

/* Data on the SYN may have been taken or not. */
static bool
track_answers_own(const struct session *session, const struct view *view)
{
    return view->ack == session->c + 1 ||
           view->ack == session->nxt[FLOW_CLIENT];
}

/* The server has taken the other SYN of this tuple. */
static void
track_take_other(struct session *session)
{
    session->c = session->p;
    session->wscale[FLOW_CLIENT] = (uint8_t)session->other_wscale;
    session->nxt[FLOW_CLIENT] = session->c + 1;
    session->flags &= (uint16_t)~SESSION_OTHER_ISN;
}

/* The numbers and the window of a SYN-ACK that answers `c`. */
static void
track_answered(struct session *session, const struct view *view)
{
    struct view_options options;

    view_options(view, &options);
    session->flags |= SESSION_SYNACK;
    session->s = view->seq;
    session->nxt[FLOW_SERVER] = view->seq + view_seg_len(view);
    session->ack[FLOW_SERVER] = view->ack;
    session->wnd[FLOW_SERVER] = view->window;
    session->wscale[FLOW_SERVER] = options.wscale;
    session->ack[FLOW_CLIENT] = view->seq + 1;
}

bool
track_is_anew(const struct session *session, const struct view *view)
{
    /* An ISN of the client's twice: the server's tells whether it is new. */
    bool again = session->p == session->c && view->seq == session->s;

    return (session->state == FLOW_ESTAB || session->state == FLOW_CLOSING) &&
           track_is_syn_ack(view) && track_answers_other(session, view) &&
           !again && view_verify(view);
}

void
track_renew(struct session *session, const struct session *before,
            const struct view *view)
{
    struct view_options options;

    view_options(view, &options);
    session->c = before->p;
    session->nxt[FLOW_CLIENT] = session->c + 1;
    session->wnd[FLOW_CLIENT] = UINT16_MAX;
    session->wscale[FLOW_CLIENT] = (uint8_t)before->other_wscale;
    /* What the SYN offered is known as far as the server took it. */
    session->offered = options.has;
    track_answered(session, view);
}

/*
 * Both ends began at once (RFC 9293 3.5): two SYNs and then two SYN-ACKs are the
 * whole handshake.  If the client's comes first its number waits in two fields
 * that the server's will set, and that are both 0 without it.
 */
static bool
track_has_crossed(const struct session *session, uint32_t s)
{
    return (session->flags & SESSION_SYNACK) == 0 &&
           session->ack[FLOW_CLIENT] == s + 1 &&
           session->nxt[FLOW_SERVER] == s + 2;
}

static enum track_change
track_syn_ack(struct session *session, const struct view *view)
{
    if (track_is_anew(session, view))
        return TRACK_ANEW;
    if (session->state != FLOW_SYNRCVD || !view_verify(view) ||
        (!track_answers_own(session, view) &&
         !track_answers_other(session, view)))
        return TRACK_NONE;
    bool crossed = track_has_crossed(session, view->seq);
    if (!track_answers_own(session, view))
        track_take_other(session);
    track_answered(session, view);
    return crossed ? TRACK_ESTABLISHED : TRACK_SYN_ACK;
}

/* The client's SYN-ACK, to a SYN of the server's. */
static enum track_change
track_cross(struct session *session, const struct view *view)
{
    if (session->state != FLOW_SYNRCVD || view->seq != session->c ||
        !view_verify(view))
        return TRACK_NONE;
    if (session->flags & SESSION_SYNACK)
        return view->ack == session->s + 1 ? TRACK_ESTABLISHED : TRACK_NONE;
    session->ack[FLOW_CLIENT] = view->ack;
    session->nxt[FLOW_SERVER] = view->ack + 1;
    return TRACK_NONE;
}

void
track_other_syn(struct session *session, const struct view *view)
{
    struct view_options options;

    if ((view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN)) !=
            WIRE_SYN ||
        session->state == FLOW_SYNSENT)
        return;
    /* Come late, or of a client that begins with the same ISN each time. */
    if (view->seq == session->c && (session->state == FLOW_SYNRCVD ||
                                    (session->flags & SESSION_OTHER_ISN) != 0))
        return;
    view_options(view, &options);
    session->p = view->seq;
    session->other_wscale = options.wscale;
    session->flags |= SESSION_OTHER_ISN;
}

static bool
track_asks_for_less(const struct view *view)
{
    if (view->tuple.family == 6)
        return view->icmp_type == ICMPV6_TOO_BIG;
    return view->icmp_type == ICMP_UNREACHABLE &&
           view->icmp_code == ICMP_FRAGMENTATION_NEEDED;
}

bool
track_is_refused(const struct session *session, const struct view *view,
                 uint32_t from)
{
    assert(view->kind == VIEW_QUOTE);
    if (from != FLOW_CLIENT || session->state != FLOW_SYNRCVD ||
        (session->flags & SESSION_SYNACK) != 0 || track_asks_for_less(view) ||
        memcmp(view->tuple.laddr, view->quoted.faddr, 16) != 0)
        return false;
    if (session->protocol == WIRE_PROTOCOL_TCP &&
        load32_be(view->quote + 4) != session->c)
        return false;
    return view_verify(view);
}

/*
 * A RST with the number that its receiver expects; or that of the FIN before it,
 * with which macOS resets a connection that it has closed.
 */
static bool
track_rst_is_exact(const struct session *session, const struct view *view,
                   uint32_t from)
{
    uint16_t fin =
        from == FLOW_CLIENT ? SESSION_FIN_CLIENT : SESSION_FIN_SERVER;
    uint32_t nxt = session->nxt[from];

    return view->seq == nxt || view->seq == session->ack[1 - from] ||
           ((session->flags & fin) != 0 && view->seq == nxt - 1);
}

static enum track_change
track_rst(const struct session *session, const struct view *view, uint32_t from)
{
    bool answers_syn = from == FLOW_SERVER && session->state == FLOW_SYNRCVD &&
                       (session->flags & SESSION_SYNACK) == 0;
    bool exact;

    if (answers_syn)
        exact = (view->flags & WIRE_ACK) != 0 &&
                (view->ack == session->c + 1 ||
                 view->ack == session->nxt[FLOW_CLIENT]);
    else
        exact = (session->flags & (SESSION_SYNACK | SESSION_ADOPTED)) != 0
                    ? track_rst_is_exact(session, view, from)
                    : view->seq == session->nxt[from];
    return exact && view_verify(view) ? TRACK_RST : TRACK_NONE;
}

static bool
track_in_window(const struct session *session, const struct view *view,
                uint32_t from)
{
    uint32_t left = session->ack[1 - from];
    uint32_t edge = left + session->wnd[1 - from];

    return seq_leq(left, view->seq + view_seg_len(view)) &&
           seq_leq(view->seq, edge);
}

/* RFC 5961 5.2: an ACK of what was sent, and not older than a window; else a
 * blind segment could move what the next RST is measured by. */
static bool
track_acceptable_ack(const struct session *session, const struct view *view,
                     uint32_t from)
{
    uint32_t oldest = session->ack[from] - session->wnd[from] - UINT16_MAX;

    return (view->flags & WIRE_ACK) != 0 && seq_leq(oldest, view->ack) &&
           seq_leq(view->ack, session->nxt[1 - from]);
}

static void
track_acknowledge(struct session *session, const struct view *view,
                  uint32_t from)
{
    uint32_t edge = session->ack[from] + session->wnd[from];
    uint32_t told = view->ack + track_window(session, view, from);

    if (seq_lt(view->ack, session->ack[from]))
        return;
    if (seq_lt(edge, told))
        edge = told;
    session->ack[from] = view->ack;
    session->wnd[from] = edge - view->ack;
}

/* A server with Fast Open may have said more than its SYN-ACK by then. */
static bool
track_completes(const struct session *session, const struct view *view,
                uint32_t from)
{
    return session->state == FLOW_SYNRCVD && from == FLOW_CLIENT &&
           (session->flags & SESSION_SYNACK) != 0 &&
           (view->flags & WIRE_ACK) != 0 &&
           (view->seq == session->c + 1 ||
            view->seq == session->nxt[FLOW_CLIENT]) &&
           seq_lt(session->s, view->ack) &&
           seq_leq(view->ack, session->nxt[FLOW_SERVER]) && view_verify(view);
}

/* Returns true for the FIN that is the second one. */
static bool
track_fin(struct session *session, const struct view *view, uint32_t from)
{
    uint16_t mine =
        from == FLOW_CLIENT ? SESSION_FIN_CLIENT : SESSION_FIN_SERVER;
    uint16_t both = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    if ((view->flags & WIRE_FIN) == 0 || (session->flags & mine) != 0 ||
        !view_verify(view))
        return false;
    session->flags |= mine;
    return (session->flags & both) == both;
}

/*
 * A tap that missed more than a window has lost both ends.  It takes their
 * numbers again once they agree on them: what one of them sent behind the gap
 * the other acknowledges, from where the first one acknowledges it.  In line
 * nothing is missed, and a blind sender would have to speak for both.
 */
static bool
track_found(struct session *session, const struct view *view, uint32_t from)
{
    uint32_t other = 1 - from;
    uint32_t run = session->gap_end - session->gap_lo;

    if ((session->gap_from & ~GAP_FIN) != other + 1 ||
        view->ack - session->gap_lo > run ||
        view->seq - session->gap_ack + GAP_RUN > 2 * GAP_RUN ||
        !view_verify(view))
        return false;
    session->nxt[other] = session->gap_end;
    session->ack[other] = session->gap_ack;
    session->nxt[from] = view->seq;
    session->ack[from] = view->ack;
    session->wnd[from] = track_window(session, view, from);
    if (session->wnd[other] < UINT16_MAX)
        session->wnd[other] = UINT16_MAX;
    if (session->gap_from & GAP_FIN)
        session->flags |=
            other == FLOW_CLIENT ? SESSION_FIN_CLIENT : SESSION_FIN_SERVER;
    session->gap_from = 0;
    return true;
}

/* Notes what comes behind a gap; true: the ends agree, and it counts. */
static bool
track_gap(struct session *session, const struct view *view, uint32_t from)
{
    uint32_t end = view->seq + view_seg_len(view);
    uint32_t mine = from + 1;

    if (session->side != FLOW_TAP || (view->flags & WIRE_ACK) == 0 ||
        (session->state != FLOW_ESTAB && session->state != FLOW_CLOSING))
        return false;
    if (track_found(session, view, from))
        return true;
    if ((session->gap_from & ~GAP_FIN) != mine ||
        view->seq - session->gap_lo > GAP_RUN) {
        session->gap_lo = view->seq;
        session->gap_end = end;
        session->gap_from = mine;
    }
    if (seq_lt(session->gap_end, end))
        session->gap_end = end;
    session->gap_ack = view->ack;
    if (view->flags & WIRE_FIN)
        session->gap_from |= GAP_FIN;
    return false;
}

bool
track_is_owed(const struct session *session)
{
    uint16_t both = SESSION_FIN_CLIENT | SESSION_FIN_SERVER;

    return (session->flags & both) == both &&
           (session->ack[FLOW_CLIENT] != session->nxt[FLOW_SERVER] ||
            session->ack[FLOW_SERVER] != session->nxt[FLOW_CLIENT]);
}

uint64_t
track_closing_ms(const struct session *session, uint64_t now_ms,
                 uint32_t while_ms)
{
    if (track_is_owed(session) && while_ms < TRACK_FIN_AGAIN_MS)
        while_ms = TRACK_FIN_AGAIN_MS;
    return now_ms + while_ms;
}

/* A SYN-ACK that the client's handshake, or its next one, waits for: it comes
 * once for each SYN that was let pass. */
static bool
track_is_awaited(const struct session *session, const struct view *view,
                 uint32_t from)
{
    if (from != FLOW_SERVER || !track_is_syn_ack(view))
        return false;
    return track_answers_other(session, view) ||
           (session->state == FLOW_SYNRCVD && track_answers_own(session, view));
}

uint32_t
track_useless(const struct session *session, const struct view *view,
              uint32_t from)
{
    uint16_t unsure = SESSION_ADOPTED | SESSION_UNCHECKED | SESSION_UNCHECKED_S;

    if (view->flags & WIRE_SYN)
        return track_is_awaited(session, view, from) ? 0 : REPEATS_SYN;
    if (view->flags & WIRE_RST)
        return session->state >= FLOW_ESTAB &&
                       !track_rst_is_exact(session, view, from)
                   ? REPEATS_SYN
                   : 0;
    if (session->state < FLOW_ESTAB || session->flags & unsure ||
        (track_in_window(session, view, from) &&
         track_acceptable_ack(session, view, from)))
        return 0;
    return 1;
}

enum track_change
track_segment(struct session *session, const struct view *view, uint32_t from)
{
    enum track_change change = TRACK_NONE;
    uint32_t end = view->seq + view_seg_len(view);

    assert(view->kind == VIEW_TCP && from <= FLOW_SERVER);
    if ((view->flags & WIRE_RST) != 0)
        return track_rst(session, view, from);
    session->bytes[from] += view->payload_size;
    if ((view->flags & WIRE_SYN) != 0) {
        if (from == FLOW_SERVER && (view->flags & WIRE_ACK) != 0)
            return track_syn_ack(session, view);
        if (from == FLOW_CLIENT && track_is_syn_ack(view))
            return track_cross(session, view);
        if (from == FLOW_CLIENT)
            track_other_syn(session, view);
        return TRACK_NONE;
    }
    if ((session->flags & (SESSION_SYNACK | SESSION_ADOPTED)) == 0)
        return TRACK_NONE;
    if ((!track_in_window(session, view, from) ||
         !track_acceptable_ack(session, view, from)) &&
        !track_gap(session, view, from))
        return TRACK_NONE;
    if (track_completes(session, view, from))
        change = TRACK_ESTABLISHED;
    if (seq_lt(session->nxt[from], end))
        session->nxt[from] = end;
    track_acknowledge(session, view, from);
    if (track_fin(session, view, from))
        return TRACK_CLOSED;
    return change;
}

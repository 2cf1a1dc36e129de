/*
 * A half-handshake: its beginning, its retransmissions, the server's side.  See
 * proxy_half.h.
 */
#include "proxy_half.h"

#include "proxy_send.h"
#include "report.h"

void
proxy_headers(struct flow *flow, struct session *session,
              const struct arrival *arrival)
{
    session->header[FLOW_SERVER] =
        header_number(&flow->headers, arrival->link, arrival->link_size);
    session->header[FLOW_CLIENT] =
        header_number_turned(&flow->headers, arrival->link, arrival->link_size);
    flow->stats.headers_full = flow->headers.refused;
    session->hop_limit = view_hop_limit(&arrival->view);
    session->tos = view_class(&arrival->view);
    session->half_label = view_flow_label(&arrival->view);
}

/* First wait of a half that begins now. */
static uint32_t
half_wait_ms(const struct flow *flow, const struct session *session)
{
    const struct proxy_limits *limits = &flow->proxy;
    uint32_t wait_ms = limits->initial_ms;

    if (session->flags & SESSION_AGGRESSIVE)
        wait_ms /= limits->divisor;
    return wait_ms > 0 ? wait_ms : 1;
}

/* Next event of the half that runs: wait * (2^(sent) - 1) after it began. */
void
proxy_half_arm(struct flow *flow, struct session *session)
{
    uint64_t wait_ms = half_wait_ms(flow, session);
    uint64_t waits = (UINT64_C(2) << session->rexmts) - 1;

    box_arm(flow, session, session->half_ms + wait_ms * waits);
}

void
proxy_half_begin(struct flow *flow, struct session *session)
{
    session->half_ms = flow->now_ms;
    session->rexmts = 0;
    session->flags &= (uint16_t)~SESSION_AGGRESSIVE;
    if (flow->threshold.aggressive)
        session->flags |= SESSION_AGGRESSIVE;
    proxy_half_arm(flow, session);
}

void
proxy_open_server(struct flow *flow, struct session *session)
{
    struct flow_event *event;

    (void)report_event(flow, session, FLOW_EVENT_FIRST_HALF);
    session->nxt[FLOW_CLIENT] = session->c + 1;
    if (session->state == FLOW_SYNRCVD)
        box_state(flow, session, FLOW_SYNSENT);
    proxy_half_begin(flow, session);
    proxy_send_syn(flow, session);
    event = report_event(flow, session, FLOW_EVENT_SYN);
    if (event != NULL)
        event->ours = 1;
}

void
proxy_ask_without_timestamps(struct flow *flow, struct session *session)
{
    struct flow_event *event;

    (void)proxy_reset_server(flow, session);
    session->half_stamps = 1;
    proxy_half_begin(flow, session);
    proxy_send_syn(flow, session);
    event = report_event(flow, session, FLOW_EVENT_SYN);
    if (event != NULL)
        event->ours = 1;
}

/* The FIN right behind a segment that is kept goes with it. */
static bool
half_keep_fin(struct flow *flow, const struct session *session,
              const struct view *fin)
{
    struct early_packet *kept = early_at(&flow->early, session->half_early);
    struct view view;

    view_parse(kept->bytes, kept->size, kept->checksum, &view);
    if (!(fin->flags & WIRE_FIN) || fin->payload_size > 0 ||
        view.flags & WIRE_FIN || fin->seq != view.seq + view.payload_size)
        return false;
    splice_flags(&view, view.flags | WIRE_FIN);
    return true;
}

bool
proxy_keep(struct flow *flow, struct session *session, const struct view *view)
{
    uint32_t end = view->seq + view_seg_len(view);

    if (flow->proxy.window == 0 ||
        (view->flags & (WIRE_SYN | WIRE_RST | WIRE_ACK)) != WIRE_ACK ||
        view->ack != session->p + 1)
        return false;
    if (session->half_early != EARLY_NONE) {
        if (!half_keep_fin(flow, session, view))
            return false;
    } else {
        if (view->seq != session->c + 1 || view_seg_len(view) == 0)
            return false;
        session->half_early =
            early_keep(&flow->early, view->ip, view->size, view->checksum);
        if (session->half_early == EARLY_NONE)
            return false;
    }
    session->nxt[FLOW_CLIENT] = end;
    return true;
}

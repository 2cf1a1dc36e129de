/*
 * Spliced connections in the hands of a program of the kernel (handed.h).
 *
 * Numbers that come back may be older than the engine's own, for what was in
 * its queues at the time went through it; so the later ones count.  Windows are
 * not told: an end is taken to have announced the largest one that its scale
 * has, until its next packet.
 */
#include "box.h"

#include "../core/seq.h"

#include <string.h>

_Static_assert(sizeof(struct flow_handed_session) == 96, "no hidden padding");

void
flow_hand_over(struct flow *flow, bool on)
{
    struct handing *handing = &flow->handing;

    for (uint32_t i = 0; i < handing->count; i++) {
        struct session *session =
            session_at(&flow->sessions, handing->waiting[i]);
        if (session->flags & SESSION_SPLICED &&
            session->splice.handed == HANDED_WAITING)
            session->splice.handed = HANDED_NOT;
    }
    handing->count = 0;
    handing->on = on && flow->config.kind == FLOW_INTERCEPT;
}

/* Its place may be another session's by now. */
static bool
handed_waits(const struct session *session)
{
    return session->family != 0 && session->flags & SESSION_SPLICED &&
           session->splice.handed == HANDED_WAITING;
}

static void
handed_write(struct flow *flow, const struct session *session,
             struct flow_handed_session *out)
{
    memset(out, 0, sizeof *out);
    session_tuple(session, &out->tuple);
    out->delta = session->splice.delta;
    out->ts_delta = session->splice.ts_delta;
    out->ts_floor = session->splice.ts_floor;
    out->flags = session->splice.flags;
    out->shift_to_client = session->splice.shift_to_client;
    out->shift_to_server = session->splice.shift_to_server;
    for (uint32_t end = FLOW_CLIENT; end <= FLOW_SERVER; end++) {
        out->bytes[end] = session->bytes[end];
        out->nxt[end] = session->nxt[end];
        out->ack[end] = session->ack[end];
    }
    out->age_ms = (uint32_t)(flow->now_ms - session->last_ms);
    out->number = session_number(&flow->sessions, session);
}

uint32_t
flow_handed(struct flow *flow, uint64_t now_ms, struct flow_handed_session *out,
            uint32_t out_max)
{
    struct handing *handing = &flow->handing;
    uint32_t written = 0;

    box_begin(flow, now_ms);
    while (written < out_max && handing->count > 0) {
        uint32_t number = handing->waiting[--handing->count];
        struct session *session = session_at(&flow->sessions, number);

        if (!handed_waits(session))
            continue;
        session->splice.handed = HANDED_NOT;
        if (session->state != FLOW_ESTAB)
            continue;
        session->splice.handed = HANDED_OVER;
        handed_write(flow, session, &out[written++]);
    }
    return written;
}

/*
 * Is a record about this session?  Where the tuple is not known whole, its number, its client and ports, and a delta
 * that was drawn for it leave no other one in practice.
 */
static bool
handed_is(const struct session *session, const struct flow_handed_session *in)
{
    struct syncache_tuple tuple;

    session_tuple(session, &tuple);
    if (in->known != FLOW_KNOWN_BY_NAME)
        return memcmp(&tuple, &in->tuple, sizeof tuple) == 0;
    return tuple.family == in->tuple.family && tuple.fport == in->tuple.fport &&
           tuple.lport == in->tuple.lport &&
           memcmp(tuple.faddr + 12, in->tuple.faddr + 12, 4) == 0 &&
           session->splice.delta == in->delta;
}

/* The session that a record is about, if it is still handed over. */
static struct session *
handed_session(struct flow *flow, const struct flow_handed_session *in)
{
    if (in->number >= flow->sessions.fresh)
        return NULL;
    struct session *session = session_at(&flow->sessions, in->number);
    if (session->family == 0 || !(session->flags & SESSION_SPLICED) ||
        session->flags & SESSION_OWES_RST ||
        session->splice.handed != HANDED_OVER)
        return NULL;
    return handed_is(session, in) ? session : NULL;
}

static uint32_t
handed_window(const struct session *session, uint32_t end)
{
    if (session->wscale[FLOW_CLIENT] == SYNCACHE_WSCALE_NONE ||
        session->wscale[FLOW_SERVER] == SYNCACHE_WSCALE_NONE)
        return UINT16_MAX;
    return (uint32_t)UINT16_MAX << session->wscale[end];
}

static void
handed_merge(struct flow *flow, struct session *session,
             const struct flow_handed_session *in)
{
    uint64_t last_ms =
        flow->now_ms > in->age_ms ? flow->now_ms - in->age_ms : 0;

    if (session->last_ms < last_ms)
        session->last_ms = last_ms;
    for (uint32_t end = FLOW_CLIENT; end <= FLOW_SERVER; end++) {
        if (session->bytes[end] < in->bytes[end])
            session->bytes[end] = in->bytes[end];
        if (seq_lt(session->nxt[end], in->nxt[end]))
            session->nxt[end] = in->nxt[end];
        if (seq_lt(session->ack[end], in->ack[end]))
            session->ack[end] = in->ack[end];
        session->wnd[end] = handed_window(session, end);
    }
    session->splice.flags &= in->flags;
    box_heard(flow, session);
    if (session->state == FLOW_ESTAB)
        box_arm(flow, session, session->last_ms + flow->proxy.idle_ms);
}

void
flow_handed_seen(struct flow *flow, uint64_t now_ms,
                 struct flow_handed_session *in, uint32_t count)
{
    box_begin(flow, now_ms);
    for (uint32_t i = 0; i < count; i++) {
        struct session *session = handed_session(flow, &in[i]);

        in[i].known = session != NULL ? FLOW_KNOWN : FLOW_KNOWN_NOT;
        if (session != NULL)
            handed_merge(flow, session, &in[i]);
    }
}

void
flow_handed_back(struct flow *flow, uint64_t now_ms,
                 const struct flow_handed_session *in, uint32_t count)
{
    box_begin(flow, now_ms);
    for (uint32_t i = 0; i < count; i++) {
        struct session *session = handed_session(flow, &in[i]);

        if (session == NULL)
            continue;
        handed_merge(flow, session, &in[i]);
        session->splice.handed = HANDED_NOT;
    }
}

void
flow_handed_looked(struct flow *flow, uint64_t begun_ms)
{
    flow->handing.seen_ms = begun_ms;
}

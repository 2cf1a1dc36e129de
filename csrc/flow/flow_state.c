/*
 * Spliced connections over a restart: what must not be forgotten, or every one
 * of them breaks, since nobody else knows the difference of the sequence
 * numbers.
 *
 * Not here: files (the caller's); half-handshakes, which begin anew.
 */
#include "box.h"

#include <string.h>

#define STATE_FLAGS                                                       \
    (SPLICE_TIMESTAMPS | SPLICE_FLOOR | SPLICE_STRIP_SACK | SPLICE_SACK | \
     SPLICE_STAMP)

_Static_assert(sizeof(struct flow_splice) == 72, "no hidden padding");

static void
state_write(uint64_t now_ms, const struct session *session,
            struct flow_splice *out)
{
    uint64_t idle_ms =
        now_ms > session->last_ms ? now_ms - session->last_ms : 0;

    memset(out, 0, sizeof *out);
    session_tuple(session, &out->tuple);
    out->delta = session->splice.delta;
    out->ts_delta = session->splice.ts_delta;
    out->ts_floor = session->splice.ts_floor;
    out->seq[FLOW_CLIENT] = session->nxt[FLOW_CLIENT];
    out->seq[FLOW_SERVER] = session->nxt[FLOW_SERVER];
    out->idle_ms = (uint32_t)(idle_ms < UINT32_MAX ? idle_ms : UINT32_MAX);
    out->flags = session->splice.flags;
    out->state = session->state;
    out->client_wscale = session->wscale[FLOW_CLIENT];
    out->server_wscale = session->wscale[FLOW_SERVER];
    out->told_wscale = session->wscale_told;
}

uint32_t
flow_export(struct flow *flow, uint64_t now_ms, uint64_t *cursor,
            struct flow_splice *out, uint32_t out_max)
{
    uint32_t written = 0;

    while (written < out_max && *cursor < flow->sessions.fresh) {
        const struct session *session =
            session_at(&flow->sessions, (uint32_t)*cursor);

        ++*cursor;
        if (session->family != 0 && session->flags & SESSION_SPLICED &&
            (session->flags & SESSION_OWES_RST) == 0)
            state_write(now_ms, session, &out[written++]);
    }
    return written;
}

static bool
state_scale_valid(uint8_t scale)
{
    return scale <= SYNCACHE_WSCALE_MAX || scale == SYNCACHE_WSCALE_NONE;
}

static bool
state_valid(const struct flow_splice *in)
{
    const struct syncache_tuple *tuple = &in->tuple;

    if ((tuple->family != 4 && tuple->family != 6) ||
        (in->state != FLOW_ESTAB && in->state != FLOW_CLOSING) ||
        (in->flags & ~STATE_FLAGS) != 0 ||
        (in->flags & SPLICE_STAMP && in->flags & SPLICE_TIMESTAMPS) ||
        wire_address_fault(tuple) != SYNCACHE_PASS_KNOWN)
        return false;
    if (!state_scale_valid(in->client_wscale) ||
        !state_scale_valid(in->server_wscale) ||
        !state_scale_valid(in->told_wscale))
        return false;
    /* C scales if and only if it was told a scale; S only if C does. */
    bool told = in->told_wscale != SYNCACHE_WSCALE_NONE;
    return told == (in->client_wscale != SYNCACHE_WSCALE_NONE) &&
           (told || in->server_wscale == SYNCACHE_WSCALE_NONE);
}

static uint8_t
state_scale(uint8_t scale)
{
    return scale == SYNCACHE_WSCALE_NONE ? 0 : scale;
}

static void
state_restore(struct flow *flow, struct session *session,
              const struct flow_splice *in)
{
    uint64_t wait_ms =
        in->state == FLOW_ESTAB ? flow->proxy.idle_ms : flow->proxy.closing_ms;
    bool told = in->told_wscale != SYNCACHE_WSCALE_NONE;

    session->mode = 'I';
    session->last_ms =
        in->idle_ms < flow->now_ms ? flow->now_ms - in->idle_ms : 0;
    session->flags |= SESSION_SPLICED | SESSION_SYNACK | SESSION_HEARD |
                      SESSION_UNCHECKED | SESSION_UNCHECKED_S;
    session->nxt[FLOW_CLIENT] = session->ack[FLOW_SERVER] =
        in->seq[FLOW_CLIENT];
    session->nxt[FLOW_SERVER] = session->ack[FLOW_CLIENT] =
        in->seq[FLOW_SERVER];
    session->wscale[FLOW_CLIENT] = in->client_wscale;
    session->wscale[FLOW_SERVER] = in->server_wscale;
    session->wscale_told = in->told_wscale;
    session->splice = (struct splice){
        .delta = in->delta,
        .ts_delta = in->ts_delta,
        .ts_floor = in->ts_floor,
        .flags = in->flags,
        .shift_to_client = (int8_t)(state_scale(in->server_wscale) -
                                    state_scale(in->told_wscale)),
        .shift_to_server =
            (int8_t)(told && in->server_wscale == SYNCACHE_WSCALE_NONE
                         ? in->client_wscale
                         : 0),
    };
    box_arm(flow, session,
            flow->now_ms + (in->idle_ms < wait_ms ? wait_ms - in->idle_ms : 0));
}

static bool
state_take(struct flow *flow, const struct flow_splice *in)
{
    struct session_key key = {
        .port = {in->tuple.fport, in->tuple.lport},
        .family = in->tuple.family,
        .protocol = WIRE_PROTOCOL_TCP,
    };
    struct session *session;
    uint32_t from;

    if (!state_valid(in))
        return false;
    size_t address_size = key.family == 4 ? 4 : 16;
    memcpy(key.address[0], in->tuple.faddr, address_size);
    memcpy(key.address[1], in->tuple.laddr, address_size);
    key.hash = session_hash(flow->hash_key, &key);
    if (session_find(&flow->sessions, &key, &from) != NULL)
        return false;
    session =
        box_open(flow, &key, FLOW_CLIENT, (enum flow_state)in->state, false);
    if (session == NULL)
        return false;
    state_restore(flow, session, in);
    return true;
}

uint32_t
flow_import(struct flow *flow, uint64_t now_ms, const struct flow_splice *in,
            uint32_t count)
{
    uint32_t taken = 0;

    box_begin(flow, now_ms);
    for (uint32_t i = 0; i < count; i++)
        taken += state_take(flow, &in[i]);
    return taken;
}

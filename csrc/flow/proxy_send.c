/* The packets of the SYN proxy: see proxy_send.h. */
#include "proxy_send.h"

#include "answer.h"
#include "proxy_grant.h"
#include "report.h"
#include "stamp.h"

#include "../core/derive.h"

#include <assert.h>

#define SEND_MSS_IPV4 536 /* RFC 9293 MUST-15, of a SYN without MSS */
#define SEND_MSS_IPV6 1220

#define PROBE_PORT_MIN 1024
#define PROBE_INTERVAL_MS 1000 /* for an answer, before the next one asks */
#define PROBE_AGAIN_MS 600000
/* What only an answer to an offer can tell. */
#define PROBE_UNKNOWN \
    (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)
#define PROBE_OPTIONS (WIRE_HAS_MSS | PROBE_UNKNOWN)

/* The timestamps of a segment to the client, before the splice. */
static void
send_timestamps(const struct flow *flow, const struct syncache_tuple *tuple,
                uint32_t client_tsval, struct wire_reply *reply)
{
    reply->has |= WIRE_HAS_TIMESTAMPS;
    reply->tsval = proxy_ts(flow, tuple);
    reply->tsecr = client_tsval;
}

/* The part of a SYN-ACK that does not know where its state is. */
static void
send_fill_syn_ack(const struct flow *flow, const struct syncache_tuple *tuple,
                  const struct proxy_grant *grant, uint32_t client_tsval,
                  struct wire_reply *reply)
{
    reply->flags = WIRE_SYN | WIRE_ACK;
    reply->has = WIRE_HAS_MSS;
    reply->mss = grant->mss;
    /* One segment, which is kept until the server is there. */
    reply->window = (uint16_t)flow->proxy.window;
    if (reply->window > grant->mss)
        reply->window = grant->mss;
    reply->has |= grant->has & (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED);
    if (grant->has & WIRE_HAS_WSCALE)
        reply->wscale = grant->wscale;
    if (grant->has & WIRE_HAS_TIMESTAMPS)
        send_timestamps(flow, tuple, client_tsval, reply);
}

void
proxy_send_syn_ack(struct flow *flow, const struct session *session)
{
    struct proxy_grant grant = proxy_granted(session);
    struct view_options nothing = {.wscale = SYNCACHE_WSCALE_NONE};
    struct wire_reply reply = {.seq = session->p, .ack = session->c + 1};
    struct syncache_tuple tuple;

    session_tuple(session, &tuple);
    grant.mss = proxy_grant(flow, &tuple, &nothing).mss;
    send_fill_syn_ack(flow, &tuple, &grant, session->client_tsval, &reply);
    if (answer_send(flow, session, FLOW_CLIENT, &reply))
        flow->stats.syn_acks++;
}

void
proxy_challenge(struct flow *flow, const struct session *session)
{
    uint8_t scale = session->wscale_told;
    uint32_t window = flow->proxy.window;
    struct view_options nothing = {.wscale = SYNCACHE_WSCALE_NONE};
    struct wire_reply reply = {
        .seq = session->p + 1,
        .ack = session->c + 1,
        .flags = WIRE_ACK,
    };
    struct syncache_tuple tuple;
    uint16_t mss;

    session_tuple(session, &tuple);
    mss = proxy_grant(flow, &tuple, &nothing).mss;
    if (window > mss)
        window = mss;
    /* No less than the SYN-ACK told, whose window was not scaled. */
    if (scale != SYNCACHE_WSCALE_NONE)
        window = (window + (UINT32_C(1) << scale) - 1) >> scale;
    reply.window = (uint16_t)window;
    if (session->flags & SESSION_TIMESTAMPS)
        send_timestamps(flow, &tuple, session->client_tsval, &reply);
    (void)answer_send(flow, session, FLOW_CLIENT, &reply);
}

void
proxy_send_cookie(struct flow *flow, const struct arrival *arrival,
                  const struct view_options *offered)
{
    const struct syncache_tuple *tuple = &arrival->view.tuple;
    struct proxy_grant grant = proxy_grant(flow, tuple, offered);
    uint32_t c = arrival->view.seq;
    struct wire_reply reply = {
        .seq = proxy_isn(flow, tuple, c, offered, &grant),
        .ack = c + 1,
    };

    send_fill_syn_ack(flow, tuple, &grant, offered->tsval, &reply);
    if (answer_arrival(flow, arrival, &reply))
        flow->stats.syn_acks++;
}

/* What the server is to send at most, so that timestamps fit beside it. */
static uint16_t
send_mss_for_stamps(const struct session *session)
{
    uint16_t mss = session->mss;

    if (mss == 0)
        mss = session->family == 4 ? SEND_MSS_IPV4 : SEND_MSS_IPV6;
    return mss > 2 * STAMP_BYTES ? (uint16_t)(mss - STAMP_BYTES) : mss;
}

void
proxy_send_syn(struct flow *flow, const struct session *session)
{
    struct proxy_grant grant = proxy_granted(session);
    uint8_t scale = session->wscale[FLOW_CLIENT];
    uint16_t mss = session->mss;
    struct wire_reply reply = {.seq = session->c, .flags = WIRE_SYN};

    if (session->half_stamps) {
        /* Its segments will grow on their way to the client. */
        grant.has &= (uint8_t)~WIRE_HAS_TIMESTAMPS;
        mss = send_mss_for_stamps(session);
    }

    reply.window = session->client_window;
    reply.has = grant.has;
    if (mss != 0) {
        reply.has |= WIRE_HAS_MSS;
        reply.mss = mss;
    }
    if (grant.has & WIRE_HAS_WSCALE) {
        reply.wscale = scale;
        /* RFC 7323 2.2: the window of a SYN is not scaled. */
        reply.window = splice_window(session->client_window, (int8_t)scale);
    }
    if (grant.has & WIRE_HAS_TIMESTAMPS)
        reply.tsval = session->client_tsval;
    (void)answer_send(flow, session, FLOW_SERVER, &reply);
}

void
proxy_send_ack(struct flow *flow, const struct session *session)
{
    const struct splice *splice = &session->splice;
    struct wire_reply reply = {
        .seq = session->c + 1,
        .ack = session->s + 1,
        .flags = WIRE_ACK,
        .window =
            splice_window(session->client_window, splice->shift_to_server),
    };

    assert(session->flags & SESSION_SPLICED);
    if (splice->flags & SPLICE_TIMESTAMPS) {
        reply.has = WIRE_HAS_TIMESTAMPS;
        reply.tsval = session->client_tsval;
        reply.tsecr = splice->ts_floor;
    }
    (void)answer_send(flow, session, FLOW_SERVER, &reply);
}

void
proxy_send_window(struct flow *flow, const struct session *session)
{
    const struct splice *splice = &session->splice;
    uint32_t window = session->wnd[FLOW_SERVER];
    struct wire_reply reply = {
        .seq = session->nxt[FLOW_SERVER] + splice->delta,
        .ack = session->c + 1,
        .flags = WIRE_ACK,
    };

    assert(session->flags & SESSION_SPLICED);
    /* The server's SYN-ACK was not scaled, what we say in its place is. */
    if (session->wscale_told != SYNCACHE_WSCALE_NONE)
        window >>= session->wscale_told;
    if (window == 0 && session->wnd[FLOW_SERVER] != 0)
        window = 1;
    reply.window = (uint16_t)(window < UINT16_MAX ? window : UINT16_MAX);
    if (splice->flags & SPLICE_TIMESTAMPS) {
        reply.has = WIRE_HAS_TIMESTAMPS;
        reply.tsval = splice->ts_floor + splice->ts_delta;
        reply.tsecr = session->client_tsval;
    } else if (splice->flags & SPLICE_STAMP) {
        reply.has = WIRE_HAS_TIMESTAMPS;
        reply.tsval = splice->ts_floor;
        reply.tsecr = session->client_tsval;
    }
    (void)answer_send(flow, session, FLOW_CLIENT, &reply);
}

bool
proxy_reset_client(struct flow *flow, const struct session *session)
{
    uint32_t ack = session->c + 1;

    if (!answer_reset(flow, session, FLOW_CLIENT, session->p + 1, &ack))
        return false;
    (void)report_event(flow, session, FLOW_EVENT_RST_CLIENT);
    return true;
}

bool
proxy_reset_server(struct flow *flow, const struct session *session)
{
    if (!answer_reset(flow, session, FLOW_SERVER, session->c + 1, NULL))
        return false;
    (void)report_event(flow, session, FLOW_EVENT_RST_SERVER);
    return true;
}

void
proxy_refuse(struct flow *flow, const struct arrival *arrival)
{
    struct wire_reply reply = {
        .seq = arrival->view.ack,
        .flags = WIRE_RST,
    };

    assert(arrival->view.flags & WIRE_ACK);
    if (!answer_arrival(flow, arrival, &reply))
        return;
    if (arrival->side == FLOW_SERVER)
        flow->stats.resets_server++;
    else
        flow->stats.resets_client++;
}

/* The ISN of a probe of this tuple, foreign the client. */
static uint32_t
probe_isn(const struct flow *flow, const struct syncache_tuple *tuple)
{
    uint8_t named[1 + DERIVE_TUPLE_MAX] = {'p'};
    size_t size = derive_tuple(tuple, named + 1);

    return siphash24_fold(flow->random_key, named, 1 + size);
}

/* Is there anything to ask, and is it time?  A server is asked again after a
 * while, since what it refused is not offered to it any more. */
static bool
probe_due(const struct flow *flow, const struct profile *profile,
          uint8_t offered)
{
    uint64_t wait_ms = (profile->known & PROBE_UNKNOWN) == 0 ? PROBE_INTERVAL_MS
                                                             : PROBE_AGAIN_MS;

    return (offered & PROBE_UNKNOWN & ~profile->has) != 0 &&
           (profile->asked_ms == 0 ||
            flow->now_ms - profile->asked_ms >= wait_ms);
}

void
proxy_probe(struct flow *flow, const struct session *session)
{
    struct session asker = *session;
    struct syncache_tuple tuple;
    uint16_t port =
        (uint16_t)(PROBE_PORT_MIN +
                   box_random(flow) % (UINT16_MAX + 1u - PROBE_PORT_MIN));

    session_tuple(session, &tuple);
    struct profile *profile = profile_find(&flow->profiles, &tuple);
    if (profile == NULL || port == tuple.fport ||
        !probe_due(flow, profile, session->offered))
        return;
    profile->asked_ms = flow->now_ms;
    asker.port[FLOW_CLIENT] = port;
    tuple.fport = port;
    struct wire_reply reply = {
        .seq = probe_isn(flow, &tuple),
        .flags = WIRE_SYN,
        .window = session->client_window,
        .has = PROBE_OPTIONS,
        .mss = (uint16_t)flow->proxy.mss,
        .wscale = 0,
        .tsval = session->client_tsval,
    };
    (void)answer_send(flow, &asker, FLOW_SERVER, &reply);
}

bool
proxy_probed(struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    struct syncache_tuple tuple = wire_turned(&view->tuple);
    struct view_options options;

    if (view->ack - 1 != probe_isn(flow, &tuple) || !view_verify(view))
        return false;
    view_options(view, &options);
    profile_learn(&flow->profiles, flow->now_ms, &tuple, PROBE_OPTIONS,
                  options.has, options.mss, options.wscale);
    proxy_refuse(flow, arrival);
    return true;
}

/* Connections without an entry before the client's ACK: see proxy_cookie.h. */
#include "proxy_cookie.h"

#include "proxy_grant.h"
#include "proxy_half.h"
#include "proxy_send.h"
#include "redeemed.h"

#include <assert.h>

/* Scales that may have been told: the profile's, the one before, the one that
 * is assumed, none. */
#define PROXY_SCALES 4

enum flow_verdict
proxy_cookie(struct flow *flow, const struct arrival *arrival)
{
    struct view_options offered;

    assert(arrival->view.flags & WIRE_SYN);
    view_options(&arrival->view, &offered);
    proxy_send_cookie(flow, arrival, &offered);
    flow->stats.cookies_sent++;
    flow->gate_ms = flow->now_ms;
    flow->gate_stamped = true;
    unanswered_sent(&flow->unanswered, flow->now_ms);
    return FLOW_CONSUMED;
}

/* Cookies are tried only while one may be on its way: always if other machines
 * make them, a lifetime after a start with previous keys, and 2 lifetimes
 * after the last that was sent, or the last entry that was evicted. */
static bool
cookie_gate_open(const struct flow *flow, const struct proxy_limits *limits)
{
    if (limits->shared ||
        (flow->epoch_told &&
         flow->now_ms - flow->started_ms <= limits->lifetime_ms))
        return true;
    return flow->gate_stamped &&
           flow->now_ms - flow->gate_ms <= 2 * (uint64_t)limits->lifetime_ms;
}

static uint32_t
cookie_scales(const struct flow *flow, const struct syncache_tuple *tuple,
              const struct proxy_limits *limits,
              uint8_t scales[static PROXY_SCALES])
{
    const struct profile *profile = profile_find(&flow->profiles, tuple);
    uint32_t count = 0;

    if (limits->shared) {
        scales[0] = PROXY_WSCALE;
        return 1;
    }
    if (profile != NULL && profile->wscale != SYNCACHE_WSCALE_NONE)
        scales[count++] = profile->wscale;
    scales[count++] = SYNCACHE_WSCALE_NONE;
    if (profile != NULL && profile->changed_ms != 0 &&
        profile->wscale_before != SYNCACHE_WSCALE_NONE &&
        flow->now_ms - profile->changed_ms <= 2 * (uint64_t)limits->lifetime_ms)
        scales[count++] = profile->wscale_before;
    if (limits->options == FLOW_OPTIONS_CLIENT)
        scales[count++] = PROXY_WSCALE;
    return count;
}

/* Our own timestamp comes back. */
static bool
cookie_is_timely(const struct flow *flow, const struct syncache_tuple *tuple,
                 const struct view_options *ack)
{
    const struct proxy_limits *limits = &flow->proxy;
    uint32_t age_ms = proxy_ts(flow, tuple) - ack->tsecr;
    uint32_t before_ms = age_ms + proxy_ts_back(flow);

    return !(ack->has & WIRE_HAS_TIMESTAMPS) ||
           cookie_timely((int32_t)age_ms, limits->lifetime_ms,
                         limits->skew_ms) ||
           cookie_timely((int32_t)before_ms, limits->lifetime_ms,
                         limits->skew_ms);
}

static bool
cookie_is_good(const struct flow *flow, const struct view *view,
               struct proxy_redeemed *redeemed)
{
    struct cookie_rules rules = {
        .secret = &flow->secret,
        .now_ms = flow->now_ms,
        .lifetime_ms = flow->proxy.lifetime_ms,
        .skew_ms = flow->proxy.skew_ms,
        .layout = SYNCACHE_LAYOUT_WIDE,
    };
    uint8_t scales[PROXY_SCALES];
    uint32_t count = cookie_scales(flow, &view->tuple, &flow->proxy, scales);

    return cookie_verify(&rules, &view->tuple, redeemed->c, view->ack - 1,
                         scales, count, &redeemed->options) == COOKIE_GOOD;
}

/* All that proxy_begin() would have known, from the ACK. */
static void
cookie_restore(struct flow *flow, struct session *session,
               const struct arrival *arrival,
               const struct proxy_redeemed *redeemed)
{
    const struct view *view = &arrival->view;
    const struct syncache_cookie_options *options = &redeemed->options;

    session->mode = 'I';
    session->flags |= SESSION_COOKIE | SESSION_VALIDATED;
    session->c = redeemed->c;
    session->p = view->ack - 1;
    session->mss = options->mss;
    session->offered = PROXY_OPTIONS | WIRE_HAS_MSS;
    if (options->wscale != SYNCACHE_WSCALE_NONE) {
        session->wscale[FLOW_CLIENT] = options->wscale;
        session->wscale_told = options->rcv_wscale;
    }
    if (options->sack_permitted)
        session->flags |= SESSION_SACK;
    if (redeemed->ack.has & WIRE_HAS_TIMESTAMPS) {
        session->flags |= SESSION_TIMESTAMPS;
        session->client_tsval = redeemed->ack.tsval;
    }
    session->client_window = view->window;
    proxy_headers(flow, session, arrival);
}

bool
proxy_redeem(struct flow *flow, const struct arrival *arrival,
             struct proxy_redeemed *redeemed)
{
    const struct view *view = &arrival->view;

    if ((view->flags & (WIRE_ACK | WIRE_SYN | WIRE_RST)) != WIRE_ACK ||
        !cookie_gate_open(flow, &flow->proxy) || !view_verify(view))
        return false;
    view_options(view, &redeemed->ack);
    redeemed->c = view->seq - 1;
    bool good = cookie_is_good(flow, view, redeemed);
    if (!good && proxy_asks_window(flow, view)) {
        redeemed->c = view->seq;
        good = cookie_is_good(flow, view, redeemed);
    }
    if (good && cookie_is_timely(flow, &view->tuple, &redeemed->ack))
        return flow->redeemed == NULL ||
               !redeemed_refuses(flow->redeemed, flow->now_ms, &view->tuple,
                                 redeemed->c, view->ack - 1);
    flow->stats.cookies_failed++;
    return false;
}

enum flow_verdict
proxy_redeemed(struct flow *flow, const struct arrival *arrival,
               const struct proxy_redeemed *redeemed)
{
    const struct view *view = &arrival->view;

    /* It comes again with data, and the cookie will still be good. */
    if (flow->proxy.wait_for_data && view->payload_size == 0)
        return FLOW_CONSUMED;
    struct session *session =
        box_open(flow, &arrival->key, arrival->side, FLOW_SYNSENT, true);
    if (session == NULL) {
        flow->stats.table_full++;
        return FLOW_DROP_NO_ROOM;
    }
    cookie_restore(flow, session, arrival, redeemed);
    if (flow->redeemed != NULL)
        redeemed_note(flow->redeemed, &view->tuple, session->c, session->p);
    flow->stats.cookies_redeemed++;
    if (flow->unanswered.count == 0)
        flow->stats.collateral++;
    unanswered_redeemed(&flow->unanswered, flow->now_ms);
    proxy_open_server(flow, session);
    if (view->payload_size > 0)
        proxy_keep(flow, session, view);
    return FLOW_CONSUMED;
}

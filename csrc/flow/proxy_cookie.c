/*
 * What a SYN-ACK of ours says: the ISN, which is a cookie whenever there is a
 * key, the clock of timestamps, and which options the client is granted; and
 * the way back, from an ACK to all of these.
 *
 * A cookie keeps the client's MSS and scale rounded down, SACK and scaling as
 * granted (not as offered), and through its MAC the scale that was told.
 * Whether timestamps were granted shows in the ACK itself: a client that was
 * not granted them sends none (RFC 7323 3.2).
 *
 * Where other machines make cookies with the same keys (cookie_gate always),
 * the scale that is told is one constant: what was learnt of a server here is
 * not known there.
 *
 * Not here: the layout of cookies (core/syncookie.c), the life of their keys
 * (core/secret.c).
 */
#include "proxy.h"

#include "../core/bytes.h"
#include "../core/siphash.h"
#include "../core/syncookie.h"

#include <assert.h>
#include <string.h>

/* Scales that may have been told: the profile's, the one before, the one that
 * is assumed, none. */
#define PROXY_SCALES 4

#define PROXY_MSS_IPV6 1220 /* RFC 9293 MUST-15 */

/* A handshake lives 31 s at most with default tunables. */
#define PROXY_UNANSWERED_S 31

#define PROXY_OPTIONS \
    (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)

_Static_assert(PROXY_UNANSWERED_S < UNANSWERED_SECONDS,
               "seconds that count do not meet in a bucket");

struct proxy_limits
proxy_limits(const struct flow *flow)
{
    const struct flow_intercept_tunables *intercept = &flow->intercept;
    const struct flow_inspect_tunables *inspect = &flow->inspect;

    if (flow->config.kind == FLOW_INTERCEPT)
        return (struct proxy_limits){
            .initial_ms = intercept->rexmt_initial_ms,
            .rexmt_limit = intercept->rexmt_limit,
            .options = intercept->options,
            .mss = intercept->synack_mss,
            .window = intercept->synack_window,
            .giveup = intercept->reset_client_on_giveup,
            .closing_ms = intercept->finrst_timeout_ms,
            .lifetime_ms = intercept->cookie_lifetime_ms,
            .skew_ms = intercept->clock_skew_ms,
            .divisor = intercept->aggressive_divisor,
            .wait_for_data = intercept->wait_for_data != 0,
            .bad_ack_rst = intercept->bad_ack_rst != 0,
            .shared = intercept->cookie_gate == SYNCACHE_GATE_ALWAYS,
        };
    return (struct proxy_limits){
        .initial_ms = inspect->rexmt_initial_ms,
        .rexmt_limit = inspect->rexmt_limit,
        .options = inspect->options,
        .mss = inspect->synack_mss,
        .window = PROXY_WINDOW,
        .giveup = FLOW_GIVEUP_VALIDATED,
        .closing_ms = inspect->tcp_finwait_time_ms,
        .lifetime_ms = inspect->cookie_lifetime_ms,
        .skew_ms = inspect->clock_skew_ms,
        .divisor = 1,
        .shared = inspect->cookie_gate == SYNCACHE_GATE_ALWAYS,
    };
}

/* Addresses and ports as they lie in memory. */
static uint32_t
proxy_hash(const uint8_t key[static SYNCACHE_KEY_BYTES],
           const struct syncache_tuple *tuple)
{
    return siphash24_fold(key, (const uint8_t *)tuple, 37);
}

/* The tuple as core/engine.c packs it: a group's machines have one clock. */
uint32_t
proxy_ts(const struct flow *flow, const struct syncache_tuple *tuple)
{
    size_t address_size = tuple->family == 4 ? 4 : 16;
    uint8_t packed[36];

    memcpy(packed, tuple->faddr, address_size);
    memcpy(packed + address_size, tuple->laddr, address_size);
    store16_be(packed + 2 * address_size, tuple->fport);
    store16_be(packed + 2 * address_size + 2, tuple->lport);
    return flow->ts_base + (uint32_t)flow->now_ms +
           siphash24_fold(flow->ts_key, packed, 2 * address_size + 4);
}

/* The tunable is IPv4's; any IPv6 host takes what a packet of 1,280 bytes
 * holds. */
static uint16_t
proxy_mss_ipv6(uint32_t mss)
{
    mss -= WIRE_IPV6_HEADER_BYTES - WIRE_IPV4_HEADER_BYTES;
    return (uint16_t)(mss < PROXY_MSS_IPV6 ? PROXY_MSS_IPV6 : mss);
}

struct proxy_grant
proxy_grant(struct flow *flow, const struct syncache_tuple *tuple,
            const struct view_options *offered)
{
    struct proxy_limits limits = proxy_limits(flow);
    const struct profile *profile = profile_find(&flow->profiles, tuple);
    struct proxy_grant grant = {.wscale = SYNCACHE_WSCALE_NONE,
                                .mss = (uint16_t)limits.mss};

    if (tuple->family == 6)
        grant.mss = proxy_mss_ipv6(limits.mss);
    if (profile != NULL && profile->mss != 0)
        grant.mss = profile->mss;
    if (limits.options == FLOW_OPTIONS_CISCO)
        return grant;
    uint8_t willing = 0;
    if (limits.options == FLOW_OPTIONS_CLIENT)
        willing = PROXY_OPTIONS;
    if (profile != NULL)
        willing = (uint8_t)(((willing & ~profile->known) | profile->has) &
                            ~profile->mixed);
    grant.has = offered->has & willing & PROXY_OPTIONS;
    if (grant.has & WIRE_HAS_WSCALE)
        grant.wscale =
            !limits.shared && profile != NULL && profile->has & WIRE_HAS_WSCALE
                ? profile->wscale
                : PROXY_WSCALE;
    return grant;
}

struct proxy_grant
proxy_granted(const struct session *session)
{
    struct proxy_grant grant = {.wscale = session->wscale_told};

    if (session->wscale_told != SYNCACHE_WSCALE_NONE)
        grant.has |= WIRE_HAS_WSCALE;
    if (session->flags & SESSION_SACK)
        grant.has |= WIRE_HAS_SACK_PERMITTED;
    if (session->flags & SESSION_TIMESTAMPS)
        grant.has |= WIRE_HAS_TIMESTAMPS;
    return grant;
}

bool
proxy_mints(const struct flow *flow)
{
    return flow->keyed && secret_mint(&flow->secret) != NULL;
}

uint32_t
proxy_isn(struct flow *flow, const struct syncache_tuple *tuple, uint32_t c,
          const struct view_options *offered, const struct proxy_grant *grant)
{
    const uint8_t *key = flow->keyed ? secret_mint(&flow->secret) : NULL;
    bool shared = proxy_limits(flow).shared;
    struct syncache_cookie_options options = {
        .mss = offered->has & WIRE_HAS_MSS ? offered->mss : 0,
        .wscale = grant->has & WIRE_HAS_WSCALE ? offered->wscale
                                               : SYNCACHE_WSCALE_NONE,
        .sack_permitted = (grant->has & WIRE_HAS_SACK_PERMITTED) != 0,
        .rcv_wscale = shared ? PROXY_WSCALE : grant->wscale,
    };

    if (key == NULL) /* RFC 6528: a 4 us clock and a keyed hash */
        return (uint32_t)(flow->now_ms * 250) +
               proxy_hash(flow->random_key, tuple);
    return syncookie_generate(key, tuple, c, &options,
                              secret_parity(&flow->secret), 0,
                              SYNCACHE_LAYOUT_WIDE);
}

/* Moves the seconds on; counts older than a handshake can be are dropped. */
static void
unanswered_advance(struct flow *flow)
{
    struct unanswered *unanswered = &flow->unanswered;
    uint64_t now_s = flow->now_ms / 1000;

    if (now_s - unanswered->now_s >= UNANSWERED_SECONDS) {
        memset(unanswered, 0, sizeof *unanswered);
        unanswered->now_s = now_s;
    }
    while (unanswered->now_s < now_s) {
        unanswered->now_s++;
        uint32_t *gone =
            &unanswered->sent[(unanswered->now_s + UNANSWERED_SECONDS -
                               PROXY_UNANSWERED_S) %
                              UNANSWERED_SECONDS];
        unanswered->count -= *gone;
        *gone = 0;
    }
}

uint32_t
proxy_unanswered(struct flow *flow)
{
    unanswered_advance(flow);
    return flow->unanswered.count;
}

static void
unanswered_sent(struct flow *flow)
{
    unanswered_advance(flow);
    flow->unanswered.sent[flow->unanswered.now_s % UNANSWERED_SECONDS]++;
    flow->unanswered.count++;
}

/* One less, of the youngest: most handshakes are quick. */
static void
unanswered_redeemed(struct flow *flow)
{
    struct unanswered *unanswered = &flow->unanswered;

    unanswered_advance(flow);
    for (uint32_t i = 0; unanswered->count > 0 && i < UNANSWERED_SECONDS; i++) {
        uint32_t *sent =
            &unanswered->sent[(unanswered->now_s + UNANSWERED_SECONDS - i) %
                              UNANSWERED_SECONDS];
        if (*sent > 0) {
            --*sent;
            unanswered->count--;
            return;
        }
    }
}

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
    unanswered_sent(flow);
    return FLOW_CONSUMED;
}

/* Cookies are tried only while one may be on its way: always if other machines
 * make them, a lifetime after a start with previous keys, and 2 lifetimes
 * after the last that was sent, or the last entry that was evicted. */
static bool
redeem_gate_open(const struct flow *flow, const struct proxy_limits *limits)
{
    if (limits->shared ||
        (flow->epoch_told &&
         flow->now_ms - flow->started_ms <= limits->lifetime_ms))
        return true;
    return flow->gate_stamped &&
           flow->now_ms - flow->gate_ms <= 2 * (uint64_t)limits->lifetime_ms;
}

static uint32_t
redeem_scales(const struct flow *flow, const struct syncache_tuple *tuple,
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

/* Our own timestamp comes back: not from the future, and no older than a
 * cookie can be. */
static bool
redeem_timestamps(const struct flow *flow, const struct syncache_tuple *tuple,
                  const struct proxy_limits *limits,
                  const struct view_options *ack)
{
    if (!(ack->has & WIRE_HAS_TIMESTAMPS))
        return true;
    int32_t age_ms = (int32_t)(proxy_ts(flow, tuple) - ack->tsecr);
    return age_ms >= -(int32_t)limits->skew_ms &&
           age_ms <= 2 * (int32_t)limits->lifetime_ms;
}

/* What the ACK of a cookie tells. */
struct redeemed {
    struct syncache_cookie_options options;
    struct view_options ack;
    uint32_t c;
};

static bool
redeem_verify(struct flow *flow, const struct view *view,
              const struct proxy_limits *limits, struct redeemed *redeemed)
{
    uint32_t p = view->ack - 1;
    uint8_t scales[PROXY_SCALES];
    uint32_t scale_count = redeem_scales(flow, &view->tuple, limits, scales);
    const uint8_t *keys[SECRET_CANDIDATES];
    uint32_t key_count =
        secret_candidates(&flow->secret, flow->now_ms, limits->lifetime_ms,
                          limits->skew_ms, syncookie_parity(p), keys);

    for (uint32_t i = 0; i < key_count * scale_count; i++) {
        redeemed->options.rcv_wscale = scales[i / key_count];
        if (syncookie_lookup(keys[i % key_count], &view->tuple, redeemed->c, p,
                             0, SYNCACHE_LAYOUT_WIDE, &redeemed->options))
            return true;
    }
    return false;
}

/* All that proxy_begin() would have known, from the ACK. */
static void
redeem_restore(struct flow *flow, struct session *session,
               const struct arrival *arrival, const struct redeemed *redeemed)
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
proxy_asks_window(const struct flow *flow, const struct view *view)
{
    return proxy_limits(flow).window == 0 && view->payload_size == 0 &&
           (view->flags & (WIRE_SYN | WIRE_FIN | WIRE_RST | WIRE_ACK)) ==
               WIRE_ACK;
}

/* Whether it is a cookie's ACK, and what it says then. */
static bool
redeem_check(struct flow *flow, const struct view *view,
             struct redeemed *redeemed)
{
    struct proxy_limits limits = proxy_limits(flow);

    if ((view->flags & (WIRE_ACK | WIRE_SYN | WIRE_RST)) != WIRE_ACK ||
        !redeem_gate_open(flow, &limits) || !view_verify(view))
        return false;
    view_options(view, &redeemed->ack);
    redeemed->c = view->seq - 1;
    bool found = redeem_verify(flow, view, &limits, redeemed);
    if (!found && proxy_asks_window(flow, view)) {
        redeemed->c = view->seq;
        found = redeem_verify(flow, view, &limits, redeemed);
    }
    if (found && redeem_timestamps(flow, &view->tuple, &limits, &redeemed->ack))
        return true;
    flow->stats.cookies_failed++;
    return false;
}

bool
proxy_is_cookie(struct flow *flow, const struct arrival *arrival)
{
    struct redeemed redeemed;

    return redeem_check(flow, &arrival->view, &redeemed);
}

enum flow_verdict
proxy_redeem(struct flow *flow, const struct arrival *arrival)
{
    const struct view *view = &arrival->view;
    struct redeemed redeemed;

    if (!redeem_check(flow, view, &redeemed))
        return FLOW_DROP_BAD_ACK;
    /* It comes again with data, and the cookie will still be good. */
    if (proxy_limits(flow).wait_for_data && view->payload_size == 0)
        return FLOW_CONSUMED;
    struct session *session =
        engine_open(flow, &arrival->key, arrival->side, FLOW_SYNSENT, true);
    if (session == NULL) {
        flow->stats.table_full++;
        return FLOW_DROP_NO_ROOM;
    }
    redeem_restore(flow, session, arrival, &redeemed);
    flow->stats.cookies_redeemed++;
    if (flow->unanswered.count == 0)
        flow->stats.collateral++;
    unanswered_redeemed(flow);
    proxy_open_server(flow, session);
    if (view->payload_size > 0)
        proxy_keep(flow, session, view);
    return FLOW_CONSUMED;
}

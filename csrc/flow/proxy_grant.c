/* What a SYN-ACK of ours says: see proxy_grant.h. */
#include "proxy_grant.h"

#include "../core/derive.h"
#include "../core/syncookie.h"

#define PROXY_MSS_IPV6 1220 /* RFC 9293 MUST-15 */

uint32_t
proxy_ts(const struct flow *flow, const struct syncache_tuple *tuple)
{
    uint8_t packed[DERIVE_TUPLE_MAX];
    size_t size = derive_tuple(tuple, packed);

    return flow->ts_base + (uint32_t)flow->now_ms +
           siphash24_fold(flow->ts_key, packed, size);
}

uint32_t
proxy_ts_back(const struct flow *flow)
{
    const struct proxy_limits *limits = &flow->proxy;
    uint64_t lives_ms = 2 * (uint64_t)limits->lifetime_ms + limits->skew_ms;

    return flow->ts_changed_ms != 0 &&
                   flow->now_ms - flow->ts_changed_ms <= lives_ms
               ? flow->ts_base_before - flow->ts_base
               : 0;
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
    const struct proxy_limits *limits = &flow->proxy;
    const struct profile *profile = profile_find(&flow->profiles, tuple);
    struct proxy_grant grant = {.wscale = SYNCACHE_WSCALE_NONE,
                                .mss = (uint16_t)limits->mss};

    if (tuple->family == 6)
        grant.mss = proxy_mss_ipv6(limits->mss);
    if (profile != NULL && profile->mss != 0)
        grant.mss = profile->mss;
    if (limits->options == FLOW_OPTIONS_CISCO)
        return grant;
    uint8_t willing = 0;
    if (limits->options == FLOW_OPTIONS_CLIENT)
        willing = PROXY_OPTIONS;
    if (profile != NULL)
        willing = (uint8_t)(((willing & ~profile->known) | profile->has) &
                            ~profile->mixed);
    grant.has = offered->has & willing & PROXY_OPTIONS;
    if (grant.has & WIRE_HAS_WSCALE)
        grant.wscale =
            !limits->shared && profile != NULL && profile->has & WIRE_HAS_WSCALE
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
    bool shared = flow->proxy.shared;
    struct syncache_cookie_options options = {
        .mss = offered->has & WIRE_HAS_MSS ? offered->mss : 0,
        .wscale = grant->has & WIRE_HAS_WSCALE ? offered->wscale
                                               : SYNCACHE_WSCALE_NONE,
        .sack_permitted = (grant->has & WIRE_HAS_SACK_PERMITTED) != 0,
        .rcv_wscale = shared ? PROXY_WSCALE : grant->wscale,
    };

    if (key == NULL)
        return derive_isn(flow->random_key, tuple, flow->now_ms);
    return syncookie_generate(key, tuple, c, &options,
                              secret_parity(&flow->secret), 0,
                              SYNCACHE_LAYOUT_WIDE);
}

bool
proxy_asks_window(const struct flow *flow, const struct view *view)
{
    return flow->proxy.window == 0 && view->payload_size == 0 &&
           (view->flags & (WIRE_SYN | WIRE_FIN | WIRE_RST | WIRE_ACK)) ==
               WIRE_ACK;
}

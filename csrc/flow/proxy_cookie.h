/*
 * Connections that have no entry before the client's ACK: SYNs answered by a cookie, and the recovery, from an ACK, of
 * the SYN's fields.
 *
 * A cookie keeps the client's MSS and scale rounded down, SACK and scaling as granted (not as offered), and through its
 * MAC the scale that was told.  Whether timestamps were granted shows in the ACK itself: a client that was not granted
 * them sends none (RFC 7323 3.2).
 *
 * Not here: the options granted (proxy_grant.h), which keys verify (core/cookie.h).
 */
#ifndef SYNCACHE_FLOW_PROXY_COOKIE_H
#define SYNCACHE_FLOW_PROXY_COOKIE_H

#include "box.h"

#include "../core/cookie.h"

/* The facts that the ACK of a cookie restores. */
struct proxy_redeemed {
    struct syncache_cookie_options options;
    struct view_options ack;
    uint32_t c;                       /* the client's ISN */
};

/* Answers a SYN by a cookie and keeps nothing; as proxy_begin() (proxy.h), it does not count the request. */
enum flow_verdict proxy_cookie(struct flow *flow, const struct arrival *arrival);

/*
 * Tries an ACK as that of a cookie of ours, or of the group's that no other machine has redeemed.
 *
 *   out      redeemed   only if true
 */
bool proxy_redeem(struct flow *flow, const struct arrival *arrival, struct proxy_redeemed *redeemed);

/*
 * Makes the session of a redeemed cookie and opens its server.
 *
 *   returns  FLOW_CONSUMED; FLOW_DROP_NO_ROOM: the caller may evict one and try again
 */
enum flow_verdict proxy_redeemed(struct flow *flow, const struct arrival *arrival,
                                 const struct proxy_redeemed *redeemed);

#endif

/*
 * The contents of a generated SYN-ACK: the ISN, which is a cookie whenever there is a key, the clock of timestamps, and
 * which options the client is granted.
 *
 * Where other machines make cookies with the same keys (cookie_gate always), the scale that is told is one constant:
 * a server's habits that were learnt here are not known there.
 *
 * Not here: the layout of cookies (core/syncookie.c), the life of their keys (core/secret.c).
 */
#ifndef SYNCACHE_FLOW_PROXY_GRANT_H
#define SYNCACHE_FLOW_PROXY_GRANT_H

#include "box.h"

#define PROXY_WSCALE 7                /* told while the server's is not known, and where it may not matter: Linux's */
#define PROXY_OPTIONS (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)

/* The options granted to a client: WIRE_HAS_* out of its offer, and the values announced to it. */
struct proxy_grant {
    uint8_t has;
    uint8_t wscale;                   /* told, or SYNCACHE_WSCALE_NONE */
    uint16_t mss;                     /* told */
};

struct proxy_grant proxy_grant(struct flow *flow, const struct syncache_tuple *tuple,
                               const struct view_options *offered);
/* The options that a session's client was granted. */
struct proxy_grant proxy_granted(const struct session *session);

/* Cookies can be made: there is a key. */
bool proxy_mints(const struct flow *flow);
/* The ISN that keeps the offer and the grant; c is the client's. */
uint32_t proxy_isn(struct flow *flow, const struct syncache_tuple *tuple, uint32_t c,
                   const struct view_options *offered, const struct proxy_grant *grant);
/* The timestamp of a tuple now. */
uint32_t proxy_ts(const struct flow *flow, const struct syncache_tuple *tuple);
/* How far the clock was set back for it, while a previous SYN-ACK may be answered; else 0.  Modulo 2^32. */
uint32_t proxy_ts_back(const struct flow *flow);

/*
 * May its SEQ be the ISN itself?  A client whose ACK was lost, and that has data for the closed window it was told,
 * asks about it by an ACK of one less than its SND.NXT (RFC 9293 3.8.6.1).
 */
bool proxy_asks_window(const struct flow *flow, const struct view *view);

#endif

/*
 * The SYN proxy: the half-handshake with the client, the one with its server, and the splice of the two.  For both
 * policies: Intercept's, and Inspection's challenge of clients.  Calls go down:
 *
 *   proxy.c         packets and timers of the two halves
 *   proxy_cookie.c  cookies sent and redeemed
 *   proxy_half.c    a half: its beginning, its retransmissions, the server's side
 *   knit.c          the splice, and packets through it
 *   proxy_send.c    generated packets
 *   proxy_grant.c   the contents of a generated SYN-ACK
 *
 * Notation as everywhere: C client, S server; c and s their ISNs, p the one that we tell C; d = p - s.  The SYN to S
 * carries C's own c.  p is a cookie whenever there is a key, so that the ACK of an entry that was evicted can still
 * be taken.
 *
 * Not here: which SYNs are answered (intercept.c, inspect_host.c), evicting, thresholds.
 */
#ifndef SYNCACHE_FLOW_PROXY_H
#define SYNCACHE_FLOW_PROXY_H

#include "box.h"

/*
 * Answers a SYN and makes its session, in SYNRCVD; does not count the request.
 *
 *   in       arrival   a SYN whose checksum and addresses are right, and not proxy_untouchable()
 *   returns  NULL: there is no room
 */
struct session *proxy_begin(struct flow *flow, const struct arrival *arrival);

/* A SYN whose packets nobody may rewrite: MD5, AO or AH. */
bool proxy_untouchable(const struct view *view);

/* A packet of a session in mode 'I'.  `from` is the end that sent it. */
enum flow_verdict proxy_packet(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
/* An ICMP error that quotes one: `from` is the end that sent the quoted packet. */
enum flow_verdict proxy_quote(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
/* Its deadline has come. */
void proxy_due(struct flow *flow, struct session *session);

#endif

/*
 * The packets of the SYN proxy.  Those to the client look as if the server had sent them, those to the server as if the
 * client had.
 *
 * Not here: when they are sent (proxy.c, knit.c).
 */
#ifndef SYNCACHE_FLOW_PROXY_SEND_H
#define SYNCACHE_FLOW_PROXY_SEND_H

#include "box.h"

void proxy_send_syn_ack(struct flow *flow, const struct session *session);
void proxy_send_cookie(struct flow *flow, const struct arrival *arrival, const struct view_options *offered);
void proxy_send_syn(struct flow *flow, const struct session *session);
void proxy_send_ack(struct flow *flow, const struct session *session);
/* The ACK of RFC 5961 4.2 to a client whose half is done, while the server is waited for. */
void proxy_challenge(struct flow *flow, const struct session *session);
void proxy_send_window(struct flow *flow, const struct session *session);
/* RST to the client, seq p+1 and ack c+1, which it accepts in either half. */
bool proxy_reset_client(struct flow *flow, const struct session *session);
bool proxy_reset_server(struct flow *flow, const struct session *session);
/* Answers a segment by the RST of RFC 9293 3.10.7.1: seq is its ACK. */
void proxy_refuse(struct flow *flow, const struct arrival *arrival);

/*
 * Asks a server about all options at once, in the name of a client that proved its address and from another port of
 * its: the SYN of a spliced connection may offer only what its client was granted, so it teaches nothing new.  Holds
 * no state; the SYN-ACK is known by its ACK.
 */
void proxy_probe(struct flow *flow, const struct session *session);
/* Whether a SYN-ACK answers a probe; if so, it is learned from and the server is told to forget it. */
bool proxy_probed(struct flow *flow, const struct arrival *arrival);

#endif

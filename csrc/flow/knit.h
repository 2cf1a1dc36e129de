/*
 * Two half-handshakes become one connection, and packets through it.
 */
#ifndef SYNCACHE_FLOW_KNIT_H
#define SYNCACHE_FLOW_KNIT_H

#include "box.h"

/* The server's SYN-ACK settles the rewriting from now on. */
void knit_halves(struct flow *flow, struct session *session, const struct view *view);
/* A packet of a spliced connection.  The policy has asked knit_is_anew() before. */
enum flow_verdict knit_packet(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
/* Its deadline has come. */
void knit_due(struct flow *flow, struct session *session);

/*
 * A spliced client began anew and its server has answered that, with this SYN-ACK: from here on they are by themselves,
 * and the session gives way (box_renew).
 */
bool knit_is_anew(const struct session *session, uint32_t from, const struct view *view);

#endif

/*
 * Packets of ours: how the policies answer.
 *
 * Not here: the choice of an answer (intercept.c, proxy*.c, inspect*.c).
 */
#ifndef SYNCACHE_FLOW_ANSWER_H
#define SYNCACHE_FLOW_ANSWER_H

#include "box.h"

/*
 * Sends a generated packet to one end of a session, with its link header, if there is a ring and room.
 *
 *   in       to      FLOW_CLIENT or FLOW_SERVER: the end of the session
 *   in       reply   all but the tuple, which is the session's
 *   returns  true if it went into a ring
 */
bool answer_send(struct flow *flow, const struct session *session, uint32_t to, struct wire_reply *reply);
/* Sends a packet of the client's that was kept to the server, likewise. */
bool answer_packet(struct flow *flow, const struct session *session, const struct early_packet *packet);
/* RST to one end, seq as that end expects it; RST|ACK unless `ack` is NULL. */
bool answer_reset(struct flow *flow, const struct session *session, uint32_t to, uint32_t seq, const uint32_t *ack);

/* RSTs to both ends of an established session whose client has said nothing. */
void answer_reset_silent(struct flow *flow, const struct session *session);

/* Answers the sender of a packet without a session: out of the link that it came on, behind its header turned. */
bool answer_arrival(struct flow *flow, const struct arrival *arrival, struct wire_reply *reply);

#endif

/*
 * One half-handshake of the SYN proxy: with the client, then with its server.
 *
 * Each half sends again after 1, 3, 7, 15 times its first wait and gives up after 31 of it; the wait is the one in
 * force when the half began.  Times are counted from that beginning, so a late timer does not delay the next one.
 *
 * While S has not answered, one segment of C's is kept, the one that it was told a window for; more would be memory
 * that C commands, and C's TCP sends it again.
 */
#ifndef SYNCACHE_FLOW_PROXY_HALF_H
#define SYNCACHE_FLOW_PROXY_HALF_H

#include "box.h"

/* Notes the link headers, hop limit, class and flow label of a client's first packet. */
void proxy_headers(struct flow *flow, struct session *session, const struct arrival *arrival);

/* A half begins now; its next event is due. */
void proxy_half_begin(struct flow *flow, struct session *session);
void proxy_half_arm(struct flow *flow, struct session *session);

/* The client has proved its address: its SYN goes to the server. */
void proxy_open_server(struct flow *flow, struct session *session);
/* The server refuses timestamps that the client was granted: it is asked again, for segments with room for them. */
void proxy_ask_without_timestamps(struct flow *flow, struct session *session);
/* Keeps the segments that such a client sends before its server answers: the first one, and the FIN behind. */
bool proxy_keep(struct flow *flow, struct session *session, const struct view *view);

#endif

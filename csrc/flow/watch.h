/*
 * Intercept's connections that only pass: those of watch mode, and those that were there before us.
 */
#ifndef SYNCACHE_FLOW_WATCH_H
#define SYNCACHE_FLOW_WATCH_H

#include "box.h"

/* Judges the thresholds; if the mode changed, the deadlines of watched connections follow. */
void watch_judge(struct flow *flow);
/* Tunables changed: the same deadlines follow. */
void watch_rearm(struct flow *flow);

/* Watches the connection of a SYN.  NULL: there is no room. */
struct session *watch_begin(struct flow *flow, const struct arrival *arrival);
/* Remembers a connection that is not ours, so that its packets pass; `from` is the end that sent this one.  Without
 * room it is not remembered. */
void watch_adopt(struct flow *flow, const struct arrival *arrival, uint32_t from);
/* The server answered another SYN, with this SYN-ACK: the two are by themselves from here on. */
void watch_renew(struct flow *flow, struct session *session, const struct view *view);
/* A packet of a session in mode 'W', or of an adopted one. */
enum flow_verdict watch_packet(struct flow *flow, struct session *session, uint32_t from,
                               const struct arrival *arrival);
void watch_due(struct flow *flow, struct session *session);

#endif

/*
 * TCP Intercept: what its policy's rooms share.
 *
 *   intercept.c        packets: which are protected, and what becomes of them
 *   intercept_evict.c  aggressive mode: who makes room
 *   intercept_watch.c  watch mode, and flows that began before we came
 */
#ifndef SYNCACHE_FLOW_INTERCEPT_H
#define SYNCACHE_FLOW_INTERCEPT_H

#include "engine.h"

/* Makes one half-open session disappear, with the resets that evict_rst asks for.  False: there is none. */
bool intercept_evict(struct flow *flow, enum flow_end end);

/* Watches the connection of a SYN.  NULL: there is no room. */
struct session *watch_begin(struct flow *flow, const struct arrival *arrival);
/* Remembers a connection that is not ours, so that its packets pass; `from` is the end that sent this one.  Without
 * room it is not remembered. */
void watch_adopt(struct flow *flow, const struct arrival *arrival, uint32_t from);
/* A packet of a session in mode 'W', or of an adopted one. */
enum flow_verdict watch_packet(struct flow *flow, struct session *session, uint32_t from,
                               const struct arrival *arrival);
void watch_due(struct flow *flow, struct session *session);
/* When a watched half-open session expires, as things stand now. */
uint64_t watch_deadline_ms(const struct flow *flow, const struct session *session);

#endif

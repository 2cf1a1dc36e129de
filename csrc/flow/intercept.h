/*
 * TCP Intercept: declarations shared by the files of its policy.  Calls go down:
 *
 *   intercept.c        packets: which are protected, and their verdicts
 *   intercept_evict.c  aggressive mode: who makes room
 *   watch.c            watch mode, and flows that began before us
 */
#ifndef SYNCACHE_FLOW_INTERCEPT_H
#define SYNCACHE_FLOW_INTERCEPT_H

#include "box.h"

enum flow_verdict intercept_packet(struct flow *flow, struct arrival *arrival);
/* A session whose deadline has come: it is no longer armed. */
void intercept_due(struct flow *flow, struct session *session);

/* Makes one half-open session disappear, with the resets that evict_rst asks for.  False: there is none. */
bool intercept_evict(struct flow *flow, enum flow_end end);

#endif

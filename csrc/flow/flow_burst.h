/*
 * The stages of a burst, and the one place that knows both policies.  For packets of links (flow_burst.c) and of
 * captures (flow_replay.c).
 */
#ifndef SYNCACHE_FLOW_FLOW_BURST_H
#define SYNCACHE_FLOW_FLOW_BURST_H

#include "box.h"

/* Begins a call: its time, due timers, the thresholds.  False: due timers still wait for room. */
bool flow_burst_begin(struct flow *flow, uint64_t now_ms, struct syncache_ring *client_tx,
                      struct syncache_ring *server_tx);

/*
 * Stages packets rx->next on.
 *
 *   in       count    at most SYNCACHE_BURST_MAX
 *   out      arrival  parsed, hashed, their sessions on the way into the cache
 */
void flow_burst_stage(const struct flow *flow, const struct syncache_ring *rx, uint32_t side, uint32_t count,
                      struct arrival *arrival);
/* The policy for packet rx->next, which was staged, at flow->now_ms; the rings have room for its answers. */
enum flow_verdict flow_burst_one(struct flow *flow, struct syncache_ring *rx, struct arrival *arrival);

/* Judges the thresholds; the policy acts on a change of mode. */
void flow_burst_judge(struct flow *flow);

#endif

/*
 * A capture through the engine at its own clock: each packet at the time that
 * its slot carries, and what is due between two packets at the time when it is
 * due, so that a capture gives what the traffic itself would have given.
 */
#include "engine.h"
#include "measure.h"

#include <assert.h>

/*
 * When a timer is due.  A judgement that would come to the same is not, so that
 * years in which nothing happens cost nothing.
 */
static uint64_t
replay_due_ms(struct flow *flow)
{
    uint64_t due_ms = due_next_ms(&flow->due);

    if (flow->changed || flow->threshold.aggressive)
        return flow_measure_change_ms(flow, flow->now_ms);
    return due_ms;
}

/* Does what is due up to a time, each at its own. */
static void
replay_timers(struct flow *flow, uint64_t until_ms)
{
    uint64_t due_ms = replay_due_ms(flow);

    while (flow->started && due_ms <= until_ms) {
        flow_poll(flow, due_ms, NULL, NULL);
        due_ms = replay_due_ms(flow);
        if (due_ms <= flow->now_ms) /* done at this time already */
            return;
    }
}

/* The end of the run of packets that share the time of the first. */
static uint32_t
replay_run(const struct syncache_ring *rx, uint64_t time_ms)
{
    uint32_t end = rx->next + 1;
    while (end < rx->count && rx->slot[end].handle <= time_ms)
        end++;
    return end;
}

uint32_t
flow_replay(struct flow *flow, uint64_t until_ms, struct syncache_ring *rx)
{
    assert(rx->next <= rx->count);
    uint32_t before = rx->next, count = rx->count;
    while (rx->next < count) {
        uint64_t time_ms = rx->slot[rx->next].handle;
        if (time_ms >= until_ms) {
            replay_timers(flow, until_ms);
            break;
        }
        if (time_ms < flow->now_ms) /* late: it counts as just now */
            time_ms = flow->now_ms;
        replay_timers(flow, time_ms);
        rx->count = replay_run(rx, time_ms);
        flow_burst(flow, time_ms, rx, FLOW_TAP, NULL, NULL);
        assert(rx->next == rx->count);
        rx->count = count;
    }
    return rx->next - before;
}

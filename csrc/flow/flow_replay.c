/*
 * A capture through the engine at its own clock: each packet at the time that
 * its slot carries, and what is due between two packets at the time when it is
 * due, so that a capture gives what the traffic itself would have given.
 */
#include "flow_burst.h"

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

/* What the clock alone does when it moves on to a time. */
enum replay_move {
    REPLAY_STILL, /* nothing else changes */
    REPLAY_JUDGE, /* perhaps a judgement, at that time */
    REPLAY_DUE    /* something is due by then */
};

/* Below the thresholds time alone cannot exceed them. */
static enum replay_move
replay_move(struct flow *flow, uint64_t time_ms)
{
    uint32_t incomplete;

    if (!flow->started || flow->changed ||
        due_not_before_ms(&flow->due) <= time_ms)
        return REPLAY_DUE;
    if (!flow->threshold.aggressive)
        return REPLAY_STILL;
    incomplete = box_incomplete(flow);
    if (threshold_stays(&flow->threshold, &flow->limits, time_ms, incomplete))
        return REPLAY_STILL;
    return threshold_change_ms(&flow->threshold, &flow->limits, flow->now_ms,
                               incomplete) > time_ms
               ? REPLAY_JUDGE
               : REPLAY_DUE;
}

/* Moves on to the time of the next packet, and does what is due before it. */
static void
replay_advance(struct flow *flow, uint64_t time_ms)
{
    switch (replay_move(flow, time_ms)) {
    case REPLAY_STILL:
        box_begin(flow, time_ms);
        break;
    case REPLAY_JUDGE:
        box_begin(flow, time_ms);
        flow_burst_judge(flow);
        break;
    default:
        replay_timers(flow, time_ms);
        flow_burst_begin(flow, time_ms, NULL, NULL);
    }
}

/* The end of the packets that can be taken together. */
static uint32_t
replay_end(const struct syncache_ring *rx, uint64_t until_ms)
{
    uint32_t end = rx->next;

    while (end < rx->count && end - rx->next < SYNCACHE_BURST_MAX &&
           rx->slot[end].handle < until_ms)
        end++;
    return end;
}

uint32_t
flow_replay(struct flow *flow, uint64_t until_ms, struct syncache_ring *rx)
{
    struct arrival arrival[SYNCACHE_BURST_MAX];
    uint32_t before = rx->next;

    assert(rx->next <= rx->count);
    rx->passed_count = 0;
    flow->tap = true;
    flow->tx[FLOW_CLIENT] = flow->tx[FLOW_SERVER] = NULL;
    while (rx->next < rx->count) {
        uint32_t first = rx->next, end = replay_end(rx, until_ms);

        if (end == first) {
            replay_timers(flow, until_ms);
            break;
        }
        flow_burst_stage(flow, rx, FLOW_TAP, end - first, arrival);
        while (rx->next < end) {
            uint32_t i = rx->next - first;
            uint64_t time_ms = rx->slot[rx->next].handle;
            bool last = i + 1 == end - first;

            /* A late one counts as of just now. */
            if (!flow->started || time_ms > flow->now_ms || flow->changed)
                replay_advance(flow, time_ms);
            (void)flow_burst_one(flow, rx, &arrival[i]);
            assert(rx->next == first + i + 1);
            /* Requests are judged where they are counted. */
            if ((last || rx->slot[rx->next].handle > flow->now_ms) &&
                box_incomplete(flow) != flow->judged_incomplete)
                flow_burst_judge(flow);
        }
    }
    return rx->next - before;
}

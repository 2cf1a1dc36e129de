/*
 * One sample of how things stand, for the threshold advisor.  See flow.h.
 */

#include "box.h"

#include <string.h>

uint64_t
flow_now_ms(const struct flow *flow)
{
    return flow->now_ms;
}

/* The destination with most half-open TCP sessions; NULL: there is none. */
static const struct host *
measure_heaviest(const struct hosts *hosts)
{
    for (uint32_t count = hosts->heaviest; count > 0; count--) {
        uint32_t number = hosts->by_count[count];

        for (; number != HOST_NONE; number = hosts->host[number].below)
            if (hosts->host[number].protocol == WIRE_PROTOCOL_TCP)
                return &hosts->host[number];
    }
    return NULL;
}

void
flow_measure(struct flow *flow, uint64_t now_ms, struct flow_sample *sample)
{
    const struct flow_stats *stats = flow_statistics(flow, now_ms);
    const struct host *host = measure_heaviest(&flow->hosts);

    *sample = (struct flow_sample){
        .time_ms = flow->now_ms,
        .incomplete = stats->incomplete,
        .incomplete_udp = stats->incomplete_udp,
        .established = stats->established,
        .one_minute = stats->one_minute,
        .aggressive = stats->aggressive,
    };
    if (host != NULL) {
        sample->host_count = host->count;
        sample->host_family = host->family;
        memcpy(sample->host_address, host->address,
               sizeof sample->host_address);
    }
}

uint64_t
flow_measure_change_ms(struct flow *flow, uint64_t now_ms)
{
    if (flow->started)
        box_begin(flow, now_ms);
    if (flow->changed)
        return flow->now_ms;
    uint64_t due_ms = due_next_ms(&flow->due);
    uint64_t change_ms = threshold_change_ms(
        &flow->threshold, &flow->limits, flow->now_ms, box_incomplete(flow));
    return due_ms < change_ms ? due_ms : change_ms;
}

const uint64_t *
flow_handshake_ages(const struct flow *flow)
{
    return flow->handshake_ages;
}

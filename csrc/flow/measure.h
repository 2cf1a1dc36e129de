/*
 * What the threshold advisor wants to know once a second, and how long handshakes take.
 *
 * Not here: what follows from it (syncache/advise.py).
 */
#ifndef SYNCACHE_FLOW_MEASURE_H
#define SYNCACHE_FLOW_MEASURE_H

#include "flow.h"

/* cffi: begin. */

#define FLOW_AGES 64

/* How things stand at one time. */
struct flow_sample {
    uint64_t time_ms;
    uint32_t incomplete;          /* half-open sessions that count */
    uint32_t incomplete_udp;      /* of them */
    uint32_t established;
    uint32_t one_minute;          /* requests of the last minute */
    uint32_t aggressive;
    uint32_t host_count;          /* half-open TCP sessions of the destination that has most */
    uint8_t host_address[16];     /* that destination */
    uint8_t host_family;          /* 0: there is none */
    uint8_t reserved[7];
};

/*
 * Takes a sample.
 *
 *   limit    the number of destinations with more half-open UDP sessions than any has of TCP
 */
void flow_measure(struct flow *flow, uint64_t now_ms, struct flow_sample *sample);

/*
 * Returns the earliest time at which a sample may differ from one of now_ms, if no packet comes; SYNCACHE_NEVER: never.
 * Never too late.  Keys do not count: a sample does not show them.
 */
uint64_t flow_measure_change_ms(struct flow *flow, uint64_t now_ms);

/*
 * Returns how many TCP handshakes have completed at which age, FLOW_AGES counters, four to an octave: the first four
 * are of 0 to 3 ms, and counter 4 * e + q is of ages from (4 + q) << (e - 1) ms up to the next; the last takes all
 * that are older.
 */
const uint64_t *flow_handshake_ages(const struct flow *flow);

/* cffi: end. */

/* The counter of an age in flow_handshake_ages(). */
static inline uint32_t
measure_age(uint64_t age_ms)
{
    uint32_t octave = 0;

    while (octave < 63 && age_ms >> (octave + 1) != 0)
        octave++;
    if (octave < 2)
        return (uint32_t)age_ms;
    uint32_t place = 4 * (octave - 1) + (uint32_t)(age_ms >> (octave - 2) & 3);
    return place < FLOW_AGES ? place : FLOW_AGES - 1;
}

#endif

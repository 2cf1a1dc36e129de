/* Ages of completed handshakes, four counters to an octave: see flow_handshake_ages(). */
#ifndef SYNCACHE_FLOW_AGE_H
#define SYNCACHE_FLOW_AGE_H

#include "flow.h"

/* The counter of an age in flow_handshake_ages(). */
static inline uint32_t
age_counter(uint64_t age_ms)
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

/*
 * A clock of 64 bits made of one of 32, or of ticks, for stacks whose time wraps.
 *
 * The distance to the last time is read as signed, so that a time from before
 * the last one, as an interrupt may bring, is not taken for 49.7 days later.
 */
#include "../syncache_host.h"

#include <assert.h>

uint64_t
syncache_clock(struct syncache_clock_state *clock, uint32_t now_ms)
{
    assert(clock != NULL);
    uint32_t passed = now_ms - (uint32_t)clock->now_ms;

    if (!clock->started)
        clock->now_ms = now_ms;
    else if (passed <= INT32_MAX)
        clock->now_ms += passed;
    clock->started = true;
    return clock->now_ms;
}

uint64_t
syncache_ticks(struct syncache_ticks_state *clock, uint32_t ticks,
               uint32_t bits, uint32_t hz)
{
    assert(clock != NULL);
    if (bits < 8 || bits > 32 || hz == 0)
        return 0;
    uint32_t mask = UINT32_MAX >> (32 - bits);
    uint32_t passed = (ticks - (uint32_t)clock->ticks) & mask;

    if (!clock->started)
        clock->ticks = ticks & mask;
    else if (passed <= mask / 2)
        clock->ticks += passed;
    clock->started = true;
    return clock->ticks / hz * 1000 + clock->ticks % hz * 1000 / hz;
}

/*
 * Rate and judgement of threshold.h.
 *
 * All three ways of counting run all the time, so that a change of rate_method
 * finds a full minute behind it.
 */
#include "threshold.h"

#include <assert.h>
#include <string.h>

#define THRESHOLD_MINUTE_MS 60000
#define THRESHOLD_ONE (UINT64_C(1) << 16) /* 1 in 48.16 fixed point */

/* exp(-2^i / 60000) in 0.32 fixed point, i = 0 .. 19.  test_threshold.c
 * computes them anew. */
static const uint32_t threshold_decay[20] = {
    4294895714, 4294824133, 4294680974, 4294394672, 4293822124,
    4292677258, 4290388440, 4285814466, 4276681140, 4258472840,
    4222288477, 4150839519, 4011548291, 3746831718, 3268650715,
    2487580640, 1440769397, 483313681,  54387402,   688711,
};

void
threshold_init(struct threshold *threshold)
{
    memset(threshold, 0, sizeof *threshold);
}

static void
threshold_slide(struct threshold *threshold, uint64_t now_ms)
{
    uint64_t now_s = now_ms / THRESHOLD_SECOND_MS;

    if (now_s <= threshold->now_s)
        return;
    if (now_s - threshold->now_s >= THRESHOLD_SECONDS) {
        memset(threshold->second, 0, sizeof threshold->second);
        threshold->sum = 0;
    } else {
        for (uint64_t s = threshold->now_s + 1; s <= now_s; s++) {
            threshold->sum -= threshold->second[s % THRESHOLD_SECONDS];
            threshold->second[s % THRESHOLD_SECONDS] = 0;
        }
    }
    threshold->now_s = now_s;
}

static void
threshold_fade(struct threshold *threshold, uint64_t now_ms)
{
    uint64_t elapsed_ms;

    if (now_ms <= threshold->ewma_ms)
        return;
    elapsed_ms = now_ms - threshold->ewma_ms;
    threshold->ewma_ms = now_ms;
    if (elapsed_ms >> 20 != 0)
        threshold->ewma = 0;
    for (elapsed_ms &= (1u << 20) - 1; elapsed_ms != 0;
         elapsed_ms &= elapsed_ms - 1) {
        uint32_t decay = threshold_decay[__builtin_ctzll(elapsed_ms)];
        uint64_t high = threshold->ewma >> 32;
        uint64_t low = threshold->ewma & UINT32_MAX;

        threshold->ewma = high * decay + (low * decay >> 32);
    }
}

static void
threshold_fix(struct threshold *threshold, uint64_t now_ms)
{
    uint64_t minute = now_ms / THRESHOLD_MINUTE_MS;

    if (minute > threshold->minute) {
        threshold->minute = minute;
        threshold->fixed = 0;
    }
}

void
threshold_count(struct threshold *threshold, uint64_t now_ms)
{
    threshold_slide(threshold, now_ms);
    threshold_fade(threshold, now_ms);
    threshold_fix(threshold, now_ms);
    threshold->second[threshold->now_s % THRESHOLD_SECONDS]++;
    threshold->sum++;
    threshold->fixed++;
    threshold->ewma += THRESHOLD_ONE;
}

uint32_t
threshold_rate(struct threshold *threshold,
               const struct threshold_limits *limits, uint64_t now_ms)
{
    switch (limits->rate_method) {
    case FLOW_RATE_FIXED:
        threshold_fix(threshold, now_ms);
        return threshold->fixed;
    case FLOW_RATE_EWMA:
        threshold_fade(threshold, now_ms);
        return (uint32_t)((threshold->ewma + THRESHOLD_ONE / 2) /
                          THRESHOLD_ONE);
    default:
        threshold_slide(threshold, now_ms);
        return threshold->sum;
    }
}

/* When the end is to be looked for next. */
static uint64_t
threshold_check(const struct threshold *threshold,
                const struct threshold_limits *limits, uint64_t now_ms)
{
    uint64_t check_ms =
        limits->check_ms > THRESHOLD_SECOND_MS
            ? now_ms + limits->check_ms
            : now_ms - now_ms % THRESHOLD_SECOND_MS + THRESHOLD_SECOND_MS;
    uint64_t first_ms = threshold->since_ms + limits->min_active_ms;

    return check_ms > first_ms ? check_ms : first_ms;
}

enum threshold_move
threshold_judge(struct threshold *threshold,
                const struct threshold_limits *limits, uint64_t now_ms,
                uint32_t incomplete)
{
    uint32_t rate = threshold_rate(threshold, limits, now_ms);
    bool many =
        limits->incomplete_high != 0 && incomplete > limits->incomplete_high;

    if (!threshold->aggressive) {
        if (!many && (limits->rate_high == 0 || rate <= limits->rate_high))
            return THRESHOLD_STAYS;
        threshold->aggressive = true;
        threshold->since_ms = now_ms;
        threshold->reason = many ? FLOW_REASON_INCOMPLETE : FLOW_REASON_RATE;
        threshold->check_ms = threshold_check(threshold, limits, now_ms);
        return THRESHOLD_BEGINS;
    }
    /* Looked for at every call, unless that is asked to be rarer. */
    if (now_ms < threshold->check_ms &&
        (limits->check_ms > THRESHOLD_SECOND_MS ||
         now_ms - threshold->since_ms < limits->min_active_ms))
        return THRESHOLD_STAYS;
    if (now_ms >= threshold->check_ms)
        threshold->check_ms = threshold_check(threshold, limits, now_ms);
    if (!threshold_calm(limits, rate, incomplete))
        return THRESHOLD_STAYS;
    threshold->aggressive = false;
    return THRESHOLD_ENDS;
}

/* When the sum of the buckets falls: the oldest that has any leaves. */
static uint64_t
threshold_leaves_ms(const struct threshold *threshold)
{
    uint64_t first_s = threshold->now_s >= THRESHOLD_SECONDS
                           ? threshold->now_s - THRESHOLD_SECONDS + 1
                           : 0;

    for (uint64_t s = first_s; s <= threshold->now_s; s++)
        if (threshold->second[s % THRESHOLD_SECONDS] != 0)
            return (s + THRESHOLD_SECONDS) * THRESHOLD_SECOND_MS;
    return SYNCACHE_NEVER;
}

uint64_t
threshold_change_ms(struct threshold *threshold,
                    const struct threshold_limits *limits, uint64_t now_ms,
                    uint32_t incomplete)
{
    uint32_t rate = threshold_rate(threshold, limits, now_ms);
    uint64_t change_ms = SYNCACHE_NEVER;

    if (rate != 0 && limits->rate_method == FLOW_RATE_FIXED)
        change_ms = (threshold->minute + 1) * THRESHOLD_MINUTE_MS;
    else if (rate != 0 && limits->rate_method == FLOW_RATE_EWMA)
        change_ms = now_ms + THRESHOLD_SECOND_MS;
    else if (rate != 0)
        change_ms = threshold_leaves_ms(threshold);
    if (threshold->aggressive && threshold_calm(limits, rate, incomplete) &&
        threshold->check_ms < change_ms)
        change_ms = threshold->check_ms;
    return change_ms;
}

uint64_t
threshold_next_ms(const struct threshold *threshold)
{
    return threshold->aggressive ? threshold->check_ms : SYNCACHE_NEVER;
}

/*
 * Aggressive mode: two thresholds with hysteresis, over the number of half-open sessions and over the requests of the
 * last minute.  Begins when either is above its high mark, ends when both are below their low ones.  A mark of 0 in
 * `high` is unlimited: it never begins anything and its low mark is always fulfilled.
 *
 * The minute is made of 60 buckets of one second: at `now` it covers the whole seconds now/1000 - 59 .. now/1000.
 * `fixed` starts anew with each whole minute of the clock; `ewma` decays by exp(-dt / 60 s) and adds 1.
 */
#ifndef SYNCACHE_FLOW_THRESHOLD_H
#define SYNCACHE_FLOW_THRESHOLD_H

#include "flow.h"

#define THRESHOLD_SECONDS 60
#define THRESHOLD_SECOND_MS 1000

struct threshold_limits {
    uint32_t incomplete_low, incomplete_high;
    uint32_t rate_low, rate_high;
    uint32_t rate_method;             /* enum flow_rate */
    uint32_t check_ms;                /* the end is looked for this often; 0: every second */
    uint32_t min_active_ms;           /* no end before */
};

enum threshold_move { THRESHOLD_STAYS, THRESHOLD_BEGINS, THRESHOLD_ENDS };

struct threshold {
    uint32_t second[THRESHOLD_SECONDS];
    uint64_t now_s;                   /* of the youngest bucket */
    uint64_t minute;                  /* of `fixed` */
    uint64_t ewma_ms;                 /* when ewma was brought up to date */
    uint64_t ewma;                    /* 48.16 fixed point */
    uint64_t since_ms;                /* of aggressive mode */
    uint64_t check_ms;                /* when its end may be looked for */
    uint32_t sum;                     /* of the buckets */
    uint32_t fixed;
    bool aggressive;
    uint8_t reason;                   /* enum flow_reason of the beginning */
};

void threshold_init(struct threshold *threshold);
/* Counts a request. */
void threshold_count(struct threshold *threshold, uint64_t now_ms);
/* Requests of the last minute. */
uint32_t threshold_rate(struct threshold *threshold, const struct threshold_limits *limits, uint64_t now_ms);
/* Judges.  Beginnings are seen at once, ends at checks only. */
enum threshold_move threshold_judge(struct threshold *threshold, const struct threshold_limits *limits,
                                    uint64_t now_ms, uint32_t incomplete);
/*
 * When the rate or the judgement may change although nothing is counted and `incomplete` stays: never too late;
 * SYNCACHE_NEVER: not at all.  A rate that fades (FLOW_RATE_EWMA) is looked at once a second.
 */
uint64_t threshold_change_ms(struct threshold *threshold, const struct threshold_limits *limits, uint64_t now_ms,
                             uint32_t incomplete);
/* When time alone may end aggressive mode: the next check, or SYNCACHE_NEVER. */
uint64_t threshold_next_ms(const struct threshold *threshold);

/* Are both below their low marks? */
static inline bool
threshold_calm(const struct threshold_limits *limits, uint32_t rate, uint32_t incomplete)
{
    return (limits->incomplete_high == 0 || incomplete < limits->incomplete_low) &&
           (limits->rate_high == 0 || rate < limits->rate_low);
}

/*
 * Is it known without judging that threshold_judge() would change nothing at this time?  So it mostly is within the
 * second of the last request.
 */
static inline bool
threshold_stays(const struct threshold *threshold, const struct threshold_limits *limits, uint64_t now_ms,
                uint32_t incomplete)
{
    uint32_t rate = threshold->sum;

    if (limits->rate_method != FLOW_RATE_SLIDING || now_ms / THRESHOLD_SECOND_MS != threshold->now_s)
        return false;
    if (threshold->aggressive)
        return now_ms < threshold->check_ms && !threshold_calm(limits, rate, incomplete);
    return (limits->incomplete_high == 0 || incomplete <= limits->incomplete_high) &&
           (limits->rate_high == 0 || rate <= limits->rate_high);
}

#endif

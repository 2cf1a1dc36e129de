/*
 * The acceptable numbers of an established connection, as its stack reported them: segments that change nothing need
 * not reach the stack.  The stack goes on answering, but it sees no more of them than its answers are limited to.
 *
 * SYNCACHE_SMALL builds an engine without it, as without the burst path.
 *
 * Not here: answers, states.  See RFC 9293 3.10.7.4, RFC 5961.
 */
#ifndef SYNCACHE_CORE_GUARD_H
#define SYNCACHE_CORE_GUARD_H

#include "../syncache_host.h"
#include "wire.h"

/* Limits: of segments that an honest peer may repeat, in a time window of ack_war_timewindow; of small segments, which
 * cost the stack more than they carry, in one burst, for a stack that takes several as one fewer that are one alone; of
 * those that are out of order too, and of those that would be too many for their burst, in a time window.  An honest
 * peer with much to say fills its segments. */
#define GUARD_REPEATED_MAX 64
#define GUARD_TINY_MAX 255
#define GUARD_SMALL_MAX 64
#define GUARD_ALONE_MAX 4
#define GUARD_SMALL_BYTES 128
#define GUARD_FULL_BYTES 1024
#define GUARD_FAR 0x40000000u         /* no window is wider (RFC 7323 2.3) */
#define GUARD_UNIT 64u
#define GUARD_NONE UINT16_MAX

/* What `is` says. */
#define GUARD_ON 1
#define GUARD_TIMESTAMPS 2
#define GUARD_GATHERS 4               /* the stack takes several segments as one */
#define GUARD_CONTINUES 8             /* this segment begins where what came in order ends, and only adds to it */
#define GUARD_SOUND 32                /* it is acceptable, in order, and the next one may add to it */
#define GUARD_UNSURE 64               /* whether a segment of this burst has made older timestamps refused */
#define GUARD_OVER 128                /* it may only become a part of the last one */
#define GUARD_DUPLICATE 16            /* the last one repeated an ACK of data that is under way */

struct guard {
    uint32_t rcv_nxt, rcv_adv;
    uint32_t snd_una, snd_max;
    uint32_t ts_recent;
    uint32_t seen, acked;             /* RCV.NXT and SND.UNA as they will be once the stack has seen this burst */
    uint32_t since_ms;                /* when the window of `strange` and `repeated` began */
    uint16_t window;                  /* the field of the last ACK that passed */
    uint16_t aside;                   /* of what led on nothing, in GUARD_UNIT bytes, in the time window */
    uint16_t last;                    /* number in ring.passed of its last segment in this burst, or GUARD_NONE */
    uint8_t turn;                     /* the burst in which `small` counts */
    uint8_t is;                       /* GUARD_ON ..; 0: all passes */
    uint8_t strange;                  /* segments that no honest peer sends */
    uint8_t repeated;
    uint8_t little;
    uint8_t tiny;
};

_Static_assert(sizeof(struct guard) == 44, "no hidden padding");

/* What counts are measured by. */
struct guard_limits {
    uint32_t now_ms;
    uint32_t window_ms;               /* 0, or count 0: no limit */
    uint32_t count;
    uint16_t turn;
};

void guard_set(struct guard *guard, const struct syncache_numbers *numbers);

/* Should the stack see this segment of the connection?  False: it would change nothing. */
bool guard_passes(struct guard *guard, const struct guard_limits *limits, const struct wire_segment *segment);

/* The segment that passed is one of its own: the one of this number in ring.passed; GUARD_NONE: nothing may be added
 * to it.  Apart: though it was to be taken
 * as one with the last, it says something else. */
void guard_stands_alone(struct guard *guard, uint32_t number, bool apart);

#endif

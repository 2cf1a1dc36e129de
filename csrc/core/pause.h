/*
 * When to stop inserting: by age (departure 2: one-second windows of victims, five-second SYN rate) or by FreeBSD's
 * bucket policy; and how long a pause lasts (15 s doubling to 960 s).  Does not see the table.
 */
#ifndef SYNCACHE_CORE_PAUSE_H
#define SYNCACHE_CORE_PAUSE_H

#include "../syncache.h"

#define PAUSE_BASE_S 15
#define PAUSE_BACKOFF_MAX 6           /* 15 << 6 = 960 s */
#define PAUSE_RATE_WINDOWS 5          /* seconds over which the SYN rate is taken */

struct pause {
    bool paused;
    uint8_t backoff;
    uint8_t window_index;
    bool ever;                        /* a pause has been */
    bool running;                     /* window_start_ms is set */
    uint8_t reserved[3];
    uint32_t victims;                 /* in the window that runs */
    uint32_t victims_young;           /* of them younger than pause_age_ms */
    uint32_t unplaced;                /* SYNs that found cachelimit reached and their bucket empty */
    uint32_t syns[PAUSE_RATE_WINDOWS];
    uint64_t window_start_ms;
    uint64_t started_ms;              /* of the pause */
    uint64_t until_ms;
};

void pause_init(struct pause *pause);

/* A new SYN came; a victim of this age was evicted; a SYN could not be placed. */
void pause_note_syn(struct pause *pause);
void pause_note_syns(struct pause *pause, uint32_t count);
void pause_note_victim(struct pause *pause, uint32_t age_ms, uint32_t pause_age_ms);
void pause_note_unplaced(struct pause *pause);

/*
 * Begins a pause at now_ms (the bucket policy calls it on overflow; the age policy from pause_advance).
 * Already paused: nothing.  Returns true if one began.
 */
bool pause_begin(struct pause *pause, uint64_t now_ms);

/*
 * Closes windows that ended, begins or ends a pause where the policy says so.
 *
 *   in       capacity   min(cachelimit, hashsize * bucketlimit)
 *   returns  true if a pause began in this call
 */
bool pause_advance(struct pause *pause, uint64_t now_ms, enum syncache_pause_policy policy, uint32_t pause_age_ms,
                   uint32_t capacity);

/* Ends a pause at once (syncookies were switched off). */
void pause_end(struct pause *pause);

/* When pause_advance() next has something to do, or SYNCACHE_NEVER. */
uint64_t pause_next_ms(const struct pause *pause, enum syncache_pause_policy policy);

#endif

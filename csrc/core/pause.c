/*
 * When to stop inserting, and for how long.
 *
 * The age policy counts in windows of one second.  A pause begins at the end of
 * a window in which most victims were younger than pause_age_ms (or a SYN could
 * not be placed at all), unless the window's SYN rate would end it at once; it
 * ends at the end of a window after which the rate of the last five seconds no
 * longer fills the table within pause_age_ms, but not before five seconds, and
 * in any case after FreeBSD's length.  A table that is filled at rate r holds
 * an entry for capacity / r, hence the comparison r * pause_age <= capacity.
 *
 * FreeBSD's length is 15 s, doubled up to 960 s if the last pause ended less
 * than its own length ago.  Its arithmetic is in whole seconds of uptime, so it
 * is here too.
 *
 * A window that nobody closed within a second of its end says nothing about
 * now: it can end a pause, not begin one.
 */
#include "pause.h"

#include <assert.h>
#include <string.h>

#define PAUSE_WINDOW_MS 1000
#define PAUSE_MS_PER_S 1000

void
pause_init(struct pause *pause)
{
    assert(pause != NULL);
    memset(pause, 0, sizeof *pause);
}

void
pause_note_syn(struct pause *pause)
{
    assert(pause->window_index < PAUSE_RATE_WINDOWS);
    pause->syns[pause->window_index]++;
}

void
pause_note_syns(struct pause *pause, uint32_t count)
{
    assert(pause->window_index < PAUSE_RATE_WINDOWS);
    pause->syns[pause->window_index] += count;
}

void
pause_note_victim(struct pause *pause, uint32_t age_ms, uint32_t pause_age_ms)
{
    pause->victims++;
    pause->victims_young += age_ms < pause_age_ms;
    assert(pause->victims_young <= pause->victims);
}

void
pause_note_unplaced(struct pause *pause)
{
    pause->unplaced++;
}

bool
pause_begin(struct pause *pause, uint64_t now_ms)
{
    assert(pause->backoff <= PAUSE_BACKOFF_MAX);
    if (pause->paused)
        return false;
    uint64_t now_s = now_ms / PAUSE_MS_PER_S;
    uint64_t until_s = pause->until_ms / PAUSE_MS_PER_S;
    uint64_t length_s = (uint64_t)PAUSE_BASE_S << pause->backoff;
    if (!pause->ever || until_s + length_s <= now_s)
        pause->backoff = 0;
    else if (pause->backoff < PAUSE_BACKOFF_MAX)
        pause->backoff++;
    length_s = (uint64_t)PAUSE_BASE_S << pause->backoff;
    pause->paused = true;
    pause->ever = true;
    pause->started_ms = now_ms;
    pause->until_ms = now_ms + length_s * PAUSE_MS_PER_S;
    return true;
}

void
pause_end(struct pause *pause)
{
    pause->paused = false;
}

/* Does what happened in the window that ends call for a pause? */
static bool
pause_wanted(const struct pause *pause, uint32_t pause_age_ms,
             uint32_t capacity)
{
    bool young = (uint64_t)pause->victims_young * 2 > pause->victims;
    uint64_t syns = pause->syns[pause->window_index];
    return (young || pause->unplaced > 0) &&
           syns * pause_age_ms > (uint64_t)capacity * PAUSE_WINDOW_MS;
}

/* Would the SYNs of the last five windows no longer evict that young? */
static bool
pause_over(const struct pause *pause, uint32_t pause_age_ms, uint32_t capacity)
{
    uint64_t syns = 0;
    for (size_t i = 0; i < PAUSE_RATE_WINDOWS; i++)
        syns += pause->syns[i];
    /* Divided, since five 32-bit counts times an age need not fit. */
    uint64_t most = (uint64_t)capacity * PAUSE_RATE_WINDOWS * PAUSE_WINDOW_MS;
    return pause_age_ms == 0 || syns <= most / pause_age_ms;
}

static void
pause_next_window(struct pause *pause)
{
    uint8_t next = (uint8_t)(pause->window_index + 1);
    if (next == PAUSE_RATE_WINDOWS)
        next = 0;
    pause->window_index = next;
    pause->syns[next] = 0;
    pause->victims = 0;
    pause->victims_young = 0;
    pause->unplaced = 0;
}

/* Begins or ends a pause at the end of a window, before it is forgotten. */
static bool
pause_judge(struct pause *pause, uint64_t end_ms, uint32_t pause_age_ms,
            uint32_t capacity)
{
    if (!pause->paused)
        return pause_wanted(pause, pause_age_ms, capacity) &&
               pause_begin(pause, end_ms);
    uint64_t least_ms = PAUSE_RATE_WINDOWS * PAUSE_WINDOW_MS;
    if (end_ms - pause->started_ms >= least_ms &&
        pause_over(pause, pause_age_ms, capacity)) {
        pause->paused = false;
        pause->until_ms = end_ms;
    }
    return false;
}

bool
pause_advance(struct pause *pause, uint64_t now_ms,
              enum syncache_pause_policy policy, uint32_t pause_age_ms,
              uint32_t capacity)
{
    if (!pause->running) {
        pause->running = true;
        pause->window_start_ms = now_ms;
    }
    if (policy == SYNCACHE_PAUSE_NONE || now_ms >= pause->until_ms)
        pause->paused = false;
    uint64_t closed = (now_ms - pause->window_start_ms) / PAUSE_WINDOW_MS;
    if (closed == 0)
        return false;
    pause->window_start_ms += closed * PAUSE_WINDOW_MS;
    /* All but the last had no call of their own; more than five are alike. */
    for (uint32_t i = 1; i < closed && i <= PAUSE_RATE_WINDOWS; i++)
        pause_next_window(pause);
    bool began =
        policy == SYNCACHE_PAUSE_AGE &&
        pause_judge(pause, pause->window_start_ms, pause_age_ms, capacity);
    pause_next_window(pause);
    return began;
}

uint64_t
pause_next_ms(const struct pause *pause, enum syncache_pause_policy policy)
{
    assert(pause->victims_young <= pause->victims);
    bool counted = pause->victims > 0 || pause->unplaced > 0;
    uint64_t next_ms = pause->paused ? pause->until_ms : SYNCACHE_NEVER;
    uint64_t window_end_ms = pause->window_start_ms + PAUSE_WINDOW_MS;
    if (policy == SYNCACHE_PAUSE_AGE && (pause->paused || counted) &&
        window_end_ms < next_ms)
        next_ms = window_end_ms;
    return next_ms;
}

/*
 * Remembers redeemed handshakes: a set is a cache line of 8 fingerprints,
 * newest first.
 *
 * Exact as long as a set does not overflow, and then it forgets, so it errs by
 * letting a replay through, never by refusing a handshake that is new, but for
 * two handshakes with equal fingerprints: at 65536 entries one in 2^61.  The
 * set is chosen by the fingerprint's upper half, by multiplication, so that any
 * number of sets will do; keyed fingerprints leave a sender no choice of set.
 */
#include "replay.h"

#include <assert.h>
#include <string.h>

#define REPLAY_WAYS 8
#define REPLAY_LINE 64

_Static_assert(REPLAY_WAYS * sizeof(uint64_t) == REPLAY_LINE,
               "a set is a cache line");

static size_t
replay_sets(uint32_t entries)
{
    return ((size_t)entries + REPLAY_WAYS - 1) / REPLAY_WAYS;
}

static uint64_t *
replay_set(const struct replay *replay, uint64_t fingerprint)
{
    assert(replay->set_count > 0);
    uint64_t number = (fingerprint >> 32) * replay->set_count >> 32;
    return replay->sets[number];
}

/* 0 marks an empty place. */
static uint64_t
replay_stored(uint64_t fingerprint)
{
    return fingerprint == 0 ? 1 : fingerprint;
}

size_t
replay_bytes(uint32_t entries)
{
    return replay_sets(entries) * REPLAY_LINE;
}

void
replay_init(struct replay *replay, void *memory, uint32_t entries)
{
    assert(replay != NULL);
    assert((uintptr_t)memory % REPLAY_LINE == 0);
    replay->sets = memory;
    replay->set_count = (uint32_t)replay_sets(entries);
    if (entries > 0)
        memset(memory, 0, replay_bytes(entries));
}

bool
replay_seen(const struct replay *replay, uint64_t fingerprint)
{
    if (replay->set_count == 0)
        return false;
    const uint64_t *set = replay_set(replay, fingerprint);
    uint64_t stored = replay_stored(fingerprint);
    bool seen = false;
    for (size_t i = 0; i < REPLAY_WAYS; i++)
        seen |= set[i] == stored;
    return seen;
}

void
replay_remember(struct replay *replay, uint64_t fingerprint)
{
    if (replay->set_count == 0)
        return;
    uint64_t *set = replay_set(replay, fingerprint);
    uint64_t stored = replay_stored(fingerprint);
    /* Up to its own old place, so that none is in a set twice. */
    size_t place = 0;
    while (place < REPLAY_WAYS - 1 && set[place] != stored)
        place++;
    memmove(set + 1, set, place * sizeof *set);
    set[0] = stored;
}

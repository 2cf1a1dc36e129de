/*
 * The servers' options.  Only SYN-ACKs of servers write here, so a flood of
 * clients cannot push anything out.
 */
#include "profile.h"

#include "../core/bytes.h"
#include "../core/siphash.h"
#include "../core/wire.h"

#include <assert.h>
#include <string.h>

/* What is learned; Fast Open and MD5 are nobody's but the two ends'. */
#define PROFILE_OPTIONS                                         \
    (WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | \
     WIRE_HAS_TIMESTAMPS)

static uint32_t
profile_sets(uint32_t max)
{
    return (max + PROFILE_WAYS - 1) / PROFILE_WAYS;
}

size_t
profiles_bytes(uint32_t max)
{
    return (size_t)profile_sets(max) * PROFILE_WAYS * sizeof(struct profile);
}

void
profiles_init(struct profiles *profiles, void *memory, uint32_t max,
              const uint8_t hash_key[static SYNCACHE_KEY_BYTES])
{
    assert(memory != NULL || max == 0);
    profiles->profile = memory;
    profiles->sets = profile_sets(max);
    memcpy(profiles->hash_key, hash_key, SYNCACHE_KEY_BYTES);
    if (max > 0)
        memset(memory, 0, profiles_bytes(max));
}

/* First of the set of a server. */
static struct profile *
profile_set(const struct profiles *profiles, const struct syncache_tuple *tuple)
{
    uint8_t packed[19];

    memcpy(packed, tuple->laddr, 16);
    store16_be(packed + 16, tuple->lport);
    packed[18] = tuple->family;
    uint64_t hash = siphash24(profiles->hash_key, packed, sizeof packed);
    return &profiles
                ->profile[((hash >> 32) * profiles->sets >> 32) * PROFILE_WAYS];
}

struct profile *
profile_find(const struct profiles *profiles,
             const struct syncache_tuple *tuple)
{
    if (profiles->sets == 0)
        return NULL;
    struct profile *set = profile_set(profiles, tuple);
    for (uint32_t i = 0; i < PROFILE_WAYS; i++)
        if (set[i].family == tuple->family && set[i].port == tuple->lport &&
            memcmp(set[i].address, tuple->laddr, sizeof set[i].address) == 0)
            return &set[i];
    return NULL;
}

/* A place for a server that is not known: unused, or longest not heard of. */
static struct profile *
profile_make(const struct profiles *profiles,
             const struct syncache_tuple *tuple)
{
    struct profile *set = profile_set(profiles, tuple);
    struct profile *victim = set;

    for (uint32_t i = 1; i < PROFILE_WAYS; i++) {
        if (victim->family == 0)
            break;
        if (set[i].family == 0 || set[i].heard_ms < victim->heard_ms)
            victim = &set[i];
    }
    memset(victim, 0, sizeof *victim);
    memcpy(victim->address, tuple->laddr, sizeof victim->address);
    victim->port = tuple->lport;
    victim->family = tuple->family;
    victim->wscale = SYNCACHE_WSCALE_NONE;
    victim->wscale_before = SYNCACHE_WSCALE_NONE;
    return victim;
}

struct profile *
profile_learn(struct profiles *profiles, uint64_t now_ms,
              const struct syncache_tuple *tuple, uint8_t offered, uint8_t has,
              uint16_t mss, uint8_t wscale)
{
    if (profiles->sets == 0)
        return NULL;
    struct profile *profile = profile_find(profiles, tuple);
    if (profile == NULL)
        profile = profile_make(profiles, tuple);
    /* A MSS is announced unasked; the others answer an offer. */
    uint8_t told = (offered | has | WIRE_HAS_MSS) & PROFILE_OPTIONS;
    profile->heard_ms = now_ms;
    if (profile->asked_ms == 0 && (told & ~WIRE_HAS_MSS) != 0)
        profile->asked_ms = now_ms;
    /* Several servers behind one address. */
    if ((profile->known & told & (profile->has ^ has)) & WIRE_HAS_TIMESTAMPS)
        profile->mixed |= WIRE_HAS_TIMESTAMPS;
    profile->known |= told;
    profile->has = (uint8_t)((profile->has & ~told) | (has & told));
    if (has & WIRE_HAS_MSS)
        profile->mss = mss;
    if (told & WIRE_HAS_WSCALE) {
        uint8_t scale = has & WIRE_HAS_WSCALE ? wscale : SYNCACHE_WSCALE_NONE;
        if (scale != profile->wscale) {
            profile->wscale_before = profile->wscale;
            profile->changed_ms = now_ms;
            profile->wscale = scale;
        }
    }
    return profile;
}

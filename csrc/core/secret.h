/*
 * The ring of cookie keys: the epoch in force, its predecessor, its successor if the caller already gave it.
 * Knows epochs and ages; not how a cookie is made.  Keys are wiped when they retire or are replaced.
 */
#ifndef SYNCACHE_CORE_SECRET_H
#define SYNCACHE_CORE_SECRET_H

#include "../syncache.h"

#define SECRET_SLOTS 4                /* epoch modulo 4: e-2 .. e+1 never meet */
#define SECRET_HELD SECRET_SLOTS      /* place of a key that is used longer than its slot lasts */
#define SECRET_PLACES (SECRET_SLOTS + 1)
#define SECRET_CANDIDATES 3           /* keys that may verify one cookie */

struct secret_key {
    uint64_t epoch;
    uint64_t last;                    /* latest epoch in which it may have made cookies */
    uint8_t key[SYNCACHE_KEY_BYTES];
    bool set;
};

struct secret {
    struct secret_key place[SECRET_PLACES];
    uint32_t source;                  /* place of the key that makes cookies; SECRET_PLACES: there is none */
    uint64_t epoch;                   /* in force */
    uint64_t start_ms;                /* of that epoch, modulo 2^64: it may lie before the clock's zero */
    bool started;                     /* false until a time was told */
};

void secret_init(struct secret *secret);

/* Puts a key where its epoch belongs, over the one that was there.  Epochs that have retired are not kept. */
void secret_set_key(struct secret *secret, uint64_t epoch, const uint8_t key[static SYNCACHE_KEY_BYTES]);

/* Says when an epoch began; start_ms is taken modulo 2^64.  One that begins later is in force until then too. */
void secret_set_epoch(struct secret *secret, uint64_t epoch, uint64_t start_ms);

/*
 * Moves on to the epoch in force at now_ms, wiping what retired: epochs below the predecessor, the youngest of them
 * skew_ms later.  Periods are counted, not stepped, so any gap costs the same; a change of lifetime acts on the
 * period that runs.  While the epoch in force has no key, the last one stays the source of cookies.
 */
void secret_advance(struct secret *secret, uint64_t now_ms, uint32_t lifetime_ms, uint32_t skew_ms);

/* Until when secret_advance(), which was called at now_ms, has nothing to do, unless a key or an epoch is set. */
uint64_t secret_settled_ms(const struct secret *secret, uint64_t now_ms, uint32_t lifetime_ms, uint32_t skew_ms);

/* States that cookies may be made now: the source verifies in the epoch in force and in the next one. */
void secret_use(struct secret *secret);

/* When the epoch in force ends, or SYNCACHE_NEVER if not started. */
uint64_t secret_next_ms(const struct secret *secret, uint32_t lifetime_ms);

/* The key that mints: of the epoch in force, or the last one before; NULL if the caller gave neither. */
const uint8_t *secret_mint(const struct secret *secret);

/* Has the epoch in force a key of its own? */
bool secret_keyed(const struct secret *secret);

/* The parity bit of the cookies that it mints: that of the epoch it was given for. */
uint32_t secret_parity(const struct secret *secret);

/*
 * Lists the keys that may verify a cookie of this parity: the epoch in force or its predecessor, whichever has the
 * parity, and the successor while the end of the period is within skew_ms.  A predecessor also lives on for skew_ms
 * into the period after its own two (its slot's parity twin is the successor).
 *
 * A key that makes cookies for want of a newer one is listed as long, and for the epoch after.
 *
 *   returns  how many were written to keys, 0 to SECRET_CANDIDATES
 */
uint32_t secret_candidates(const struct secret *secret, uint64_t now_ms, uint32_t lifetime_ms, uint32_t skew_ms,
                           uint32_t parity, const uint8_t *keys[static SECRET_CANDIDATES]);

#endif

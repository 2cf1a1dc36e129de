/*
 * The ring of cookie keys.
 *
 * Epoch e mints in its own period and verifies in its own and the next one, so
 * a cookie lives between one and two lifetimes.  Its lowest bit is the parity
 * bit that the cookie carries.  Which epoch may verify a parity, at offset t
 * into the period of epoch e:
 *
 *   same parity as e     e always; e-2 while t < skew
 *   other parity         e-1 always; e+1 while lifetime - t <= skew
 *
 * The two exceptions are for fleets, where another machine's clock runs ahead
 * or behind by up to the skew; ephemeral keys come with skew 0.  Of e-2 .. e+1
 * no two share a slot.
 *
 * While the epoch in force has no key, the previous source goes on making
 * cookies, with the parity of the epoch that it was given for.  A key verifies
 * until the epoch after the last in which it was the source.  The slots keep a
 * key for its own epoch and the next; one that is used longer moves to the held
 * place.  There is room for one, and one is enough: once it may have made
 * cookies in an epoch, only the key of that epoch takes over from a source, so
 * that no second key older than the last epoch was used in it.
 *
 * start_ms and now_ms are subtracted modulo 2^64 and read as signed, so that an
 * epoch derived from wall time may have begun before the caller's clock did.
 */
#include "secret.h"

#include <assert.h>
#include <string.h>

_Static_assert((SECRET_SLOTS & (SECRET_SLOTS - 1)) == 0, "slot by masking");
_Static_assert(SECRET_SLOTS >= 4, "e-2, e-1, e and e+1 live at once");

/* Stores that the compiler may not leave out although nobody reads them. */
static void
secret_wipe(struct secret_key *slot)
{
    volatile uint8_t *bytes = slot->key;
    for (size_t i = 0; i < sizeof slot->key; i++)
        bytes[i] = 0;
    slot->set = false;
}

static uint32_t
secret_slot(uint64_t epoch)
{
    return (uint32_t)(epoch & (SECRET_SLOTS - 1));
}

/* Time since the epoch in force began; negative before it began. */
static int64_t
secret_elapsed(const struct secret *secret, uint64_t now_ms)
{
    return (int64_t)(now_ms - secret->start_ms);
}

static const uint8_t *
secret_find(const struct secret *secret, uint64_t epoch)
{
    const struct secret_key *key = &secret->place[secret_slot(epoch)];
    if (!key->set || key->epoch != epoch)
        key = &secret->place[SECRET_HELD];
    return key->set && key->epoch == epoch ? key->key : NULL;
}

/* May cookies of the key in this place be about, or come? */
static bool
secret_lives(const struct secret *secret, uint32_t place)
{
    const struct secret_key *key = &secret->place[place];
    return key->set && (place == secret->source || secret->epoch <= key->last ||
                        secret->epoch - key->last <= 1);
}

/* The place of the youngest key that is not of a later epoch. */
static uint32_t
secret_youngest(const struct secret *secret)
{
    uint32_t found = SECRET_PLACES;
    for (uint32_t i = 0; i < SECRET_PLACES; i++) {
        const struct secret_key *key = &secret->place[i];
        if (key->set && key->epoch <= secret->epoch &&
            (found == SECRET_PLACES || key->epoch > secret->place[found].epoch))
            found = i;
    }
    return found;
}

/* Chooses the source: the key of the epoch in force, or the last one before. */
static void
secret_choose(struct secret *secret)
{
    uint64_t epoch = secret->epoch;
    const struct secret_key *own = &secret->place[secret_slot(epoch)];
    if (own->set && own->epoch == epoch) {
        secret->source = secret_slot(epoch);
        return;
    }
    uint32_t youngest = secret_youngest(secret);
    if (secret->source == SECRET_PLACES || youngest == SECRET_PLACES) {
        secret->source = youngest;
        return;
    }
    const struct secret_key *old = &secret->place[secret->source];
    const struct secret_key *new = &secret->place[youngest];
    if (new->epoch == epoch || old->epoch > epoch ||
        (old->last < epoch &&
         (new->epoch + 1 == epoch || old->last + 1 < epoch)))
        secret->source = youngest;
}

/* Moves a key that is in use out of its slot, which another epoch needs. */
static void
secret_hold(struct secret *secret, uint32_t slot)
{
    assert(slot < SECRET_SLOTS);
    secret->place[SECRET_HELD] = secret->place[slot];
    if (secret->source == slot)
        secret->source = SECRET_HELD;
    secret_wipe(&secret->place[slot]);
}

/* Wipes epochs that are more than `kept` behind the one in force. */
static void
secret_retire(struct secret *secret, uint64_t kept)
{
    assert(kept == 1 || kept == 2);
    for (uint32_t i = 0; i < SECRET_PLACES; i++) {
        uint32_t place = SECRET_HELD - i; /* the held one makes room first */
        const struct secret_key *key = &secret->place[place];
        if (!key->set || key->epoch >= secret->epoch ||
            secret->epoch - key->epoch <= 1)
            continue;
        if (!secret_lives(secret, place)) {
            if (secret->epoch - key->epoch > kept)
                secret_wipe(&secret->place[place]);
        } else if (place != SECRET_HELD) {
            secret_hold(secret, place);
        }
    }
}

void
secret_init(struct secret *secret)
{
    assert(secret != NULL);
    for (size_t i = 0; i < SECRET_PLACES; i++)
        secret_wipe(&secret->place[i]);
    secret->source = SECRET_PLACES;
    secret->epoch = 0;
    secret->start_ms = 0;
    secret->started = false;
}

void
secret_set_key(struct secret *secret, uint64_t epoch,
               const uint8_t key[static SYNCACHE_KEY_BYTES])
{
    assert(secret != NULL);
    struct secret_key *held = &secret->place[SECRET_HELD];
    if (held->set && held->epoch == epoch) {
        memcpy(held->key, key, SYNCACHE_KEY_BYTES);
        return;
    }
    bool older = secret->started && epoch < secret->epoch;
    if (older && secret->epoch - epoch > 2)
        return;
    uint32_t place = secret_slot(epoch);
    struct secret_key *slot = &secret->place[place];
    if (slot->set && slot->epoch != epoch && place == secret->source)
        secret_hold(secret, place);
    if (!slot->set || slot->epoch != epoch)
        slot->last = epoch;
    slot->epoch = epoch;
    slot->set = true;
    memcpy(slot->key, key, SYNCACHE_KEY_BYTES);
    secret_choose(secret);
}

/*
 * A clock that was set: the source may have made cookies until now, whatever
 * number its epoch has, and they go on.  One of a later epoch gets a number of
 * before, with its parity, that is not asked for by any other way.
 */
static void
secret_leap(struct secret *secret, uint64_t epoch)
{
    if (secret->source == SECRET_PLACES || !secret->started ||
        epoch == secret->epoch)
        return;
    if (secret->place[secret->source].epoch > epoch && epoch >= 4) {
        if (secret->source != SECRET_HELD)
            secret_hold(secret, secret->source);
        struct secret_key *held = &secret->place[SECRET_HELD];
        held->epoch = epoch - 3 - ((epoch ^ held->epoch ^ 1) & 1);
        held->last = epoch;
    }
    struct secret_key *source = &secret->place[secret->source];
    if (source->last < epoch)
        source->last = epoch;
}

void
secret_set_epoch(struct secret *secret, uint64_t epoch, uint64_t start_ms)
{
    assert(secret != NULL);
    secret_leap(secret, epoch);
    secret->epoch = epoch;
    secret->start_ms = start_ms;
    secret->started = true;
    secret_choose(secret);
    secret_retire(secret, 2);
}

void
secret_advance(struct secret *secret, uint64_t now_ms, uint32_t lifetime_ms,
               uint32_t skew_ms)
{
    assert(secret != NULL);
    assert(lifetime_ms > 0);
    if (!secret->started) {
        secret->start_ms = now_ms;
        secret->started = true;
    }
    int64_t elapsed = secret_elapsed(secret, now_ms);
    if (elapsed >= (int64_t)lifetime_ms) {
        uint64_t periods = (uint64_t)elapsed / lifetime_ms;
        secret->epoch += periods;
        secret->start_ms += periods * lifetime_ms;
        elapsed = secret_elapsed(secret, now_ms);
    }
    secret_choose(secret);
    secret_retire(secret, elapsed < (int64_t)skew_ms ? 2 : 1);
}

void
secret_use(struct secret *secret)
{
    assert(secret != NULL);
    if (secret->source == SECRET_PLACES)
        return;
    struct secret_key *source = &secret->place[secret->source];
    if (source->last < secret->epoch)
        source->last = secret->epoch;
}

uint64_t
secret_settled_ms(const struct secret *secret, uint64_t now_ms,
                  uint32_t lifetime_ms, uint32_t skew_ms)
{
    assert(secret->started);
    int64_t elapsed = secret_elapsed(secret, now_ms);
    if (elapsed < (int64_t)skew_ms)
        return secret->start_ms + skew_ms;
    return secret->start_ms + lifetime_ms;
}

uint64_t
secret_next_ms(const struct secret *secret, uint32_t lifetime_ms)
{
    assert(secret != NULL);
    assert(lifetime_ms > 0);
    return secret->started ? secret->start_ms + lifetime_ms : SYNCACHE_NEVER;
}

const uint8_t *
secret_mint(const struct secret *secret)
{
    assert(secret != NULL);
    assert(secret->source <= SECRET_PLACES);
    return secret->source == SECRET_PLACES ? NULL
                                           : secret->place[secret->source].key;
}

bool
secret_keyed(const struct secret *secret)
{
    assert(secret != NULL);
    return secret_find(secret, secret->epoch) != NULL;
}

uint32_t
secret_parity(const struct secret *secret)
{
    assert(secret != NULL);
    return secret->source == SECRET_PLACES
               ? 0
               : (uint32_t)(secret->place[secret->source].epoch & 1);
}

uint32_t
secret_candidates(const struct secret *secret, uint64_t now_ms,
                  uint32_t lifetime_ms, uint32_t skew_ms, uint32_t parity,
                  const uint8_t *keys[static SECRET_CANDIDATES])
{
    assert(secret != NULL);
    assert(parity <= 1);
    int64_t elapsed = secret_elapsed(secret, now_ms);
    uint64_t likely = secret->epoch;
    uint64_t neighbour = secret->epoch - 2;
    bool adjacent = elapsed < (int64_t)skew_ms;
    if (parity != (secret->epoch & 1)) {
        likely = secret->epoch - 1;
        neighbour = secret->epoch + 1;
        adjacent = elapsed >= (int64_t)lifetime_ms - (int64_t)skew_ms;
    }
    uint32_t count = 0;
    const uint8_t *key = secret_find(secret, likely);
    if (key != NULL)
        keys[count++] = key;
    key = adjacent ? secret_find(secret, neighbour) : NULL;
    if (key != NULL)
        keys[count++] = key;
    const struct secret_key *held = &secret->place[SECRET_HELD];
    if (secret_lives(secret, SECRET_HELD) && (held->epoch & 1) == parity &&
        held->epoch != likely && (!adjacent || held->epoch != neighbour))
        keys[count++] = held->key;
    return count;
}

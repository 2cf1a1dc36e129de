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
    const struct secret_key *slot = &secret->slot[secret_slot(epoch)];
    return slot->set && slot->epoch == epoch ? slot->key : NULL;
}

/* Wipes epochs that are more than `kept` behind the one in force. */
static void
secret_retire(struct secret *secret, uint64_t kept)
{
    assert(kept == 1 || kept == 2);
    for (size_t i = 0; i < SECRET_SLOTS; i++) {
        struct secret_key *slot = &secret->slot[i];
        if (slot->set && slot->epoch < secret->epoch &&
            secret->epoch - slot->epoch > kept)
            secret_wipe(slot);
    }
}

void
secret_init(struct secret *secret)
{
    assert(secret != NULL);
    for (size_t i = 0; i < SECRET_SLOTS; i++)
        secret_wipe(&secret->slot[i]);
    secret->epoch = 0;
    secret->start_ms = 0;
    secret->started = false;
}

void
secret_set_key(struct secret *secret, uint64_t epoch,
               const uint8_t key[static SYNCACHE_KEY_BYTES])
{
    assert(secret != NULL);
    bool older = secret->started && epoch < secret->epoch;
    if (older && secret->epoch - epoch > 2)
        return;
    struct secret_key *slot = &secret->slot[secret_slot(epoch)];
    slot->epoch = epoch;
    slot->set = true;
    memcpy(slot->key, key, SYNCACHE_KEY_BYTES);
}

void
secret_set_epoch(struct secret *secret, uint64_t epoch, uint64_t start_ms)
{
    assert(secret != NULL);
    secret->epoch = epoch;
    secret->start_ms = start_ms;
    secret->started = true;
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
    secret_retire(secret, elapsed < (int64_t)skew_ms ? 2 : 1);
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
    return secret_find(secret, secret->epoch);
}

uint32_t
secret_candidates(const struct secret *secret, uint64_t now_ms,
                  uint32_t lifetime_ms, uint32_t skew_ms, uint32_t parity,
                  const uint8_t *keys[static 2])
{
    assert(secret != NULL);
    assert(parity <= 1);
    int64_t elapsed = secret_elapsed(secret, now_ms);
    uint64_t likely = secret->epoch;
    uint64_t neighbour = secret->epoch - 2;
    bool near = elapsed < (int64_t)skew_ms;
    if (parity != (secret->epoch & 1)) {
        likely = secret->epoch - 1;
        neighbour = secret->epoch + 1;
        near = (int64_t)lifetime_ms - elapsed <= (int64_t)skew_ms;
    }
    uint32_t count = 0;
    const uint8_t *key = secret_find(secret, likely);
    if (key != NULL)
        keys[count++] = key;
    key = near ? secret_find(secret, neighbour) : NULL;
    if (key != NULL)
        keys[count++] = key;
    return count;
}

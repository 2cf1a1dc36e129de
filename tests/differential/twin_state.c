/*
 * Time and what it changes: keys (departure 9), pauses (departure 2);
 * what was redeemed (departure 7); tunables.
 */
#include "twin.h"

#include <string.h>

static void
subkey(const uint8_t seed[16], const char *label, uint8_t key[16])
{
    uint8_t input[5];
    memcpy(input, label, 4);
    for (uint8_t half = 0; half < 2; half++) {
        input[4] = half;
        uint64_t hash = twin_siphash(seed, input, 5);
        for (int i = 0; i < 8; i++)
            key[8 * half + i] = (uint8_t)(hash >> 8 * i);
    }
}

static uint8_t
scale_of(uint32_t maxsockbuf)
{
    uint8_t scale = 0;
    while (scale < 14 && (UINT64_C(65535) << scale) < maxsockbuf)
        scale++;
    return scale;
}

void
twin_init(struct twin *twin, const struct syncache_config *config,
          const uint8_t seed[16])
{
    memset(twin, 0, sizeof *twin);
    twin->config = *config;
    syncache_tunables_default(&twin->tune);
    twin->ws = scale_of(twin->tune.maxsockbuf);
    twin->ws_before = SYNCACHE_WSCALE_NONE;
    subkey(seed, "hash", twin->hash_key);
    subkey(seed, "iss ", twin->iss_key);
    subkey(seed, "ts  ", twin->ts_key);
    subkey(seed, "seen", twin->seen_key);
    subkey(seed, "tfo ", twin->tfo_key);
}

void
twin_set_tunables(struct twin *twin, const struct syncache_tunables *tunables)
{
    uint8_t scale = scale_of(tunables->maxsockbuf);
    if (scale != twin->ws) {
        twin->ws_before = twin->ws;
        twin->ws_changed = twin->now;
        twin->ws = scale;
    }
    twin->tune = *tunables;
    if (!tunables->syncookies || tunables->pause_policy == SYNCACHE_PAUSE_NONE)
        twin->pause.paused = false;
}

void
twin_rehash(struct twin *twin, const uint8_t seed[16])
{
    while (twin->count > 0) {
        twin->stats.purged++;
        twin_remove_unanswered(twin, &twin->entries[0]);
    }
    subkey(seed, "hash", twin->hash_key);
}

/* Keys, as many as can be of use, in no order. */

static uint64_t
skew(const struct twin *twin)
{
    return twin->told ? twin->tune.clock_skew_ms : 0;
}

static struct twin_key *
key_of(struct twin *twin, uint64_t epoch)
{
    for (uint32_t i = 0; i < TWIN_KEYS; i++)
        if (twin->keys[i].set && twin->keys[i].epoch == epoch)
            return &twin->keys[i];
    return NULL;
}

/* Its cookies are at most of the epoch before. */
static bool
recent(const struct twin *twin, const struct twin_key *key)
{
    return key == twin->minting || key->last + 1 >= twin->epoch;
}

/* Whose turn it is: this epoch's, or whoever minted last, or the newest. */
static void
take_turn(struct twin *twin)
{
    struct twin_key *own = key_of(twin, twin->epoch), *newest = NULL;
    for (uint32_t i = 0; i < TWIN_KEYS; i++)
        if (twin->keys[i].set && twin->keys[i].epoch < twin->epoch &&
            (newest == NULL || twin->keys[i].epoch > newest->epoch))
            newest = &twin->keys[i];
    const struct twin_key *now = twin->minting;
    if (own != NULL)
        twin->minting = own;
    else if (now == NULL || newest == NULL || now->epoch > twin->epoch)
        twin->minting = newest;
    else if (now->last == twin->epoch)
        return; /* it has minted in this epoch: until its own key comes */
    else if (now->last + 1 < twin->epoch || newest->epoch == twin->epoch - 1)
        twin->minting = newest;
}

void
twin_set_key(struct twin *twin, uint64_t epoch, const uint8_t key[16])
{
    struct twin_key *place = key_of(twin, epoch);
    if (place == NULL) {
        if (twin->epoch_known && epoch + 2 < twin->epoch)
            return;
        for (place = twin->keys; place->set; place++)
            continue;
        *place = (struct twin_key){.set = true, .epoch = epoch, .last = epoch};
    }
    memcpy(place->key, key, 16);
    take_turn(twin);
}

static void
retire(struct twin *twin, uint64_t kept)
{
    for (uint32_t i = 0; i < TWIN_KEYS; i++)
        if (twin->keys[i].epoch + kept < twin->epoch &&
            !recent(twin, &twin->keys[i]))
            twin->keys[i].set = false;
}

void
twin_set_epoch(struct twin *twin, uint64_t epoch, uint64_t start)
{
    twin->told = twin->epoch_known = true;
    twin->epoch = epoch;
    twin->epoch_start = start;
    take_turn(twin);
    retire(twin, 2);
}

/* Milliseconds into the epoch in force; negative before it. */
static int64_t
into_epoch(const struct twin *twin)
{
    return (int64_t)(twin->now - twin->epoch_start);
}

static void
advance_keys(struct twin *twin)
{
    int64_t lifetime = twin->tune.cookie_lifetime_ms;
    if (!twin->epoch_known) {
        twin->epoch_known = true;
        twin->epoch_start = twin->now;
    }
    if (into_epoch(twin) >= lifetime) {
        uint64_t passed = (uint64_t)(into_epoch(twin) / lifetime);
        twin->epoch += passed;
        twin->epoch_start += passed * (uint64_t)lifetime;
    }
    take_turn(twin);
    retire(twin, into_epoch(twin) < (int64_t)skew(twin) ? 2 : 1);
}

const uint8_t *
twin_mint_key(const struct twin *twin)
{
    return twin->minting != NULL ? twin->minting->key : NULL;
}

uint32_t
twin_parity(const struct twin *twin)
{
    return twin->minting->epoch & 1;
}

bool
twin_keyless(const struct twin *twin)
{
    return (twin->tune.syncookies || twin->tune.syncookies_only) &&
           twin_mint_key(twin) == NULL;
}

uint32_t
twin_verify_keys(const struct twin *twin, uint32_t parity,
                 const uint8_t *keys[3])
{
    int64_t at = into_epoch(twin);
    int64_t left = (int64_t)twin->tune.cookie_lifetime_ms - at;
    uint32_t count = 0;
    for (uint32_t i = 0; i < TWIN_KEYS; i++) {
        const struct twin_key *key = &twin->keys[i];
        if (!key->set || (key->epoch & 1) != parity)
            continue;
        if (key->epoch == twin->epoch || key->epoch + 1 == twin->epoch ||
            (key->epoch < twin->epoch && recent(twin, key)) ||
            (key->epoch + 2 == twin->epoch && at < (int64_t)skew(twin)) ||
            (key->epoch == twin->epoch + 1 && left <= (int64_t)skew(twin)))
            keys[count++] = key->key;
    }
    return count;
}

bool
twin_mints(const struct twin *twin)
{
    return (twin->tune.syncookies || twin->tune.syncookies_only) &&
           twin_mint_key(twin) != NULL;
}

bool
twin_cookies_only(const struct twin *twin)
{
    return twin->tune.syncookies_only ||
           (twin->tune.syncookies && twin->pause.paused &&
            twin->tune.pause_policy == SYNCACHE_PAUSE_BUCKET);
}

/* Pauses. */

bool
twin_pause_begin(struct twin *twin, uint64_t now)
{
    struct twin_pause *pause = &twin->pause;
    uint64_t length = UINT64_C(15) << pause->backoff;
    if (pause->paused)
        return false;
    if (pause->ever && pause->until / 1000 + length > now / 1000) {
        if (pause->backoff < 6)
            pause->backoff++;
    } else {
        pause->backoff = 0;
    }
    pause->paused = pause->ever = true;
    pause->started = now;
    pause->until = now + (UINT64_C(15000) << pause->backoff);
    return true;
}

static void
next_window(struct twin_pause *pause)
{
    for (int i = 4; i > 0; i--)
        pause->syns[i] = pause->syns[i - 1];
    pause->syns[0] = pause->victims = pause->young = pause->unplaced = 0;
}

/* The age policy at the end of a window. */
static void
judge(struct twin *twin, uint64_t end)
{
    struct twin_pause *pause = &twin->pause;
    uint64_t capacity =
        (uint64_t)twin->config.hashsize * twin->config.bucketlimit;
    uint64_t age = twin->tune.pause_age_ms;
    uint64_t syns = 0;
    if (capacity > twin->config.cachelimit)
        capacity = twin->config.cachelimit;
    for (int i = 0; i < 5; i++)
        syns += pause->syns[i];
    if (pause->paused) {
        if (end - pause->started >= 5000 && syns * age <= capacity * 5000) {
            pause->paused = false;
            pause->until = end;
        }
        return;
    }
    if ((2 * pause->young > pause->victims || pause->unplaced > 0) &&
        pause->syns[0] * age > capacity * 1000 && twin_pause_begin(twin, end))
        twin->stats.pauses++;
}

static void
advance_pause(struct twin *twin, uint64_t last)
{
    struct twin_pause *pause = &twin->pause;
    uint32_t policy = twin->tune.syncookies ? twin->tune.pause_policy
                                            : (uint32_t)SYNCACHE_PAUSE_NONE;
    uint64_t end = twin->now < pause->until ? twin->now : pause->until;
    if (pause->paused && end > last)
        twin->stats.paused_ms += end - last;
    if (policy == SYNCACHE_PAUSE_NONE || twin->now >= pause->until)
        pause->paused = false;
    if (!pause->running) {
        pause->running = true;
        pause->window = twin->now;
    }
    uint64_t closed = (twin->now - pause->window) / 1000;
    if (closed == 0)
        return;
    pause->window += closed * 1000;
    for (uint64_t i = 1; i < closed && i < 6; i++)
        next_window(pause);
    if (policy == SYNCACHE_PAUSE_AGE)
        judge(twin, pause->window);
    next_window(pause);
}

void
twin_advance(struct twin *twin, uint64_t now)
{
    twin_keys_asked(twin, now);
    if (twin->minting != NULL && twin->minting->last < twin->epoch)
        twin->minting->last = twin->epoch;
}

void
twin_keys_asked(struct twin *twin, uint64_t now)
{
    uint64_t last = twin->started ? twin->now : now;
    if (!twin->started)
        twin->init = now;
    twin->started = true;
    twin->now = now > last ? now : last;
    advance_keys(twin);
    advance_pause(twin, last);
}

uint64_t
twin_second(const struct twin *twin)
{
    return (twin->now - twin->init) / 1000;
}

/* Failed cookies by the second: this one and the one before (departure 8). */

void
twin_failed(struct twin *twin)
{
    uint64_t second = twin_second(twin);
    twin->stats.sc_failcookie++;
    if (second != twin->failed_second) {
        bool next = second == twin->failed_second + 1;
        twin->failed_before = next ? twin->failed : 0;
        twin->failed = 0;
        twin->failed_second = second;
    }
    twin->failed++;
}

bool
twin_many_failed(const struct twin *twin)
{
    uint64_t ago = twin_second(twin) - twin->failed_second;
    if (ago == 0)
        return twin->failed > 1000 || twin->failed_before > 1000;
    return ago == 1 && twin->failed > 1000;
}

/* What was redeemed: sets of eight, newest first. */

static uint64_t *
seen_set(struct twin *twin, const struct syncache_tuple *tuple, uint32_t irs,
         uint32_t iss, uint64_t *mark)
{
    uint64_t sets = (twin->config.replay_entries + 7) / 8;
    uint8_t data[44];
    size_t size = twin_pack(tuple, data);
    twin_put(data + size, 4, irs);
    twin_put(data + size + 4, 4, iss);
    *mark = twin_siphash(twin->seen_key, data, size + 8);
    return sets == 0 ? NULL : twin->seen[(*mark >> 32) * sets >> 32];
}

bool
twin_seen(const struct twin *twin, const struct syncache_tuple *tuple,
          uint32_t irs, uint32_t iss)
{
    uint64_t mark;
    uint64_t *set =
        seen_set((struct twin *)(uintptr_t)twin, tuple, irs, iss, &mark);
    for (int i = 0; set != NULL && i < 8; i++)
        if (set[i] == mark)
            return true;
    return false;
}

void
twin_remember(struct twin *twin, const struct syncache_tuple *tuple,
              uint32_t irs, uint32_t iss)
{
    uint64_t mark;
    uint64_t *set = seen_set(twin, tuple, irs, iss, &mark);
    int place = 0;
    if (set == NULL)
        return;
    while (place < 7 && set[place] != mark)
        place++;
    for (; place > 0; place--)
        set[place] = set[place - 1];
    set[0] = mark;
}

uint32_t
twin_bucket(const struct twin *twin, const struct syncache_tuple *tuple)
{
    uint8_t data[36];
    size_t size = twin_pack(tuple, data);
    return (uint32_t)twin_siphash(twin->hash_key, data, size) &
           (twin->config.hashsize - 1);
}

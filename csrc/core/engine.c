/*
 * What every event needs: the time of a call, keyed hashes of a tuple, the
 * window and MSS of an endpoint, removal of entries, and the recency gate.
 *
 * Not here: the choice of an event, packets.
 */
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "derive.h"
#include "engine.h"
#include "siphash.h"
#include "syncookie.h"

#define ENGINE_V4_HEADERS 40 /* IPv4 and TCP without options */
#define ENGINE_V6_HEADERS 60

/* Time stops here: a deadline beyond 64 bits would always be due. */
#define ENGINE_NOW_MAX_MS (UINT64_MAX - TABLE_ARM_MAX_MS - TABLE_DUE_MS)

static void engine_advance_keys(struct syncache *cache);
static void engine_advance_pause(struct syncache *cache, uint64_t last_ms);

void
engine_advance(struct syncache *cache, uint64_t now_ms)
{
    /* What follows does nothing the second time. */
    if (cache->settled && now_ms <= cache->now_ms)
        return;
    engine_tell(cache, now_ms);
    secret_use(&cache->secret);
    cache->settled = true;
}

void
engine_tell(struct syncache *cache, uint64_t now_ms)
{
    uint64_t last_ms;

    if (now_ms > ENGINE_NOW_MAX_MS)
        now_ms = ENGINE_NOW_MAX_MS;
    if (!cache->started) {
        cache->started = true;
        cache->init_ms = now_ms;
        cache->now_ms = now_ms;
        cache->table.swept_ms = now_ms;
        cache->table.aged_ms = now_ms;
    }
    last_ms = cache->now_ms;
    if (now_ms < last_ms)
        now_ms = last_ms;
    cache->now_ms = now_ms;
    if (now_ms >= cache->keys_ms)
        engine_advance_keys(cache);
    engine_advance_pause(cache, last_ms);
    if (now_ms - cache->table.swept_ms >= TABLE_SWEEP_MS)
        table_sweep(&cache->table, now_ms);
    quick_refresh(cache);
    assert(cache->now_ms >= last_ms);
}

/*
 * Which cookie key is in force, and until when that holds: a burst looks at no
 * key, however many there are.
 */
static void
engine_advance_keys(struct syncache *cache)
{
    uint32_t lifetime_ms = cache->tunables.cookie_lifetime_ms;
    uint32_t skew_ms = engine_skew_ms(cache);

    secret_advance(&cache->secret, cache->now_ms, lifetime_ms, skew_ms);
#ifndef SYNCACHE_SMALL /* without bursts every packet looks: less code */
    cache->keys_ms =
        secret_settled_ms(&cache->secret, cache->now_ms, lifetime_ms, skew_ms);
#endif
}

static void
engine_advance_pause(struct syncache *cache, uint64_t last_ms)
{
    const struct syncache_config *config = &cache->config;
    enum syncache_pause_policy policy =
        (enum syncache_pause_policy)cache->tunables.pause_policy;
    uint64_t slots = (uint64_t)config->hashsize * config->bucketlimit;
    uint64_t end_ms = cache->now_ms;
    uint32_t capacity = config->cachelimit;

    /*
     * A pause answers by cookies alone, so without them it cannot be.  A key
     * that is about to come does not end it: epochs change within this call.
     */
    if (!cache->tunables.syncookies)
        policy = SYNCACHE_PAUSE_NONE;
    if (slots < capacity)
        capacity = (uint32_t)slots;
    if (cache->pause.paused && last_ms < end_ms) {
        if (cache->pause.until_ms < end_ms)
            end_ms = cache->pause.until_ms;
        if (end_ms > last_ms)
            cache->stats.paused_ms += end_ms - last_ms;
    }
    if (policy == SYNCACHE_PAUSE_NONE)
        pause_end(&cache->pause);
    if (pause_advance(&cache->pause, cache->now_ms, policy,
                      cache->tunables.pause_age_ms, capacity))
        cache->stats.pauses++;
}

uint64_t
engine_hash(const struct syncache *cache, const struct syncache_tuple *tuple)
{
    uint8_t packed[DERIVE_TUPLE_MAX];
    size_t size = derive_tuple(tuple, packed);

    return siphash24(cache->hash_key, packed, size);
}

uint32_t
engine_ts_offset(const struct syncache *cache,
                 const struct syncache_tuple *tuple)
{
    uint8_t packed[DERIVE_TUPLE_MAX];
    size_t size;

    if (!cache->config.ts_per_tuple)
        return 0;
    size = derive_tuple(tuple, packed);
    if (!cache->tunables.ts_offset_per_conn)
        size -= 4; /* the two ports */
    return siphash24_fold(cache->ts_key, packed, size);
}

uint32_t
engine_ts_clock(const struct syncache *cache)
{
    uint64_t hz = cache->config.ts_hz;
    /* In two parts, so that the product cannot lose its high bits. */
    uint64_t ticks =
        cache->now_ms / 1000 * hz + cache->now_ms % 1000 * hz / 1000;

    return cache->ts_base + (uint32_t)ticks;
}

uint32_t
engine_ts_base_before(const struct syncache *cache)
{
    uint64_t lives_ms = 2 * (uint64_t)cache->tunables.cookie_lifetime_ms +
                        engine_skew_ms(cache);

    return cache->ts_changed_ms != 0 &&
                   cache->now_ms - cache->ts_changed_ms <= lives_ms
               ? cache->ts_base_before
               : cache->ts_base;
}

uint32_t
engine_ts_base_larger(const struct syncache *cache)
{
    uint32_t before = engine_ts_base_before(cache);

    return (int32_t)(before - cache->ts_base) > 0 ? before : cache->ts_base;
}

uint64_t
engine_fingerprint(const struct syncache *cache,
                   const struct syncache_tuple *tuple, uint32_t irs,
                   uint32_t iss)
{
    uint8_t packed[DERIVE_TUPLE_MAX + 8];
    size_t size = derive_tuple(tuple, packed);

    store32_be(packed + size, irs);
    store32_be(packed + size + 4, iss);
    return siphash24(cache->replay_key, packed, size + 8);
}

uint8_t
engine_wscale_of(uint32_t maxsockbuf)
{
    uint8_t scale = 0;

    while (scale < SYNCACHE_WSCALE_MAX && 65535u << scale < maxsockbuf)
        scale++;
    return scale;
}

uint8_t
engine_wscale(const struct syncache *cache,
              const struct syncache_endpoint *endpoint)
{
    return endpoint->rcv_wscale == SYNCACHE_WSCALE_NONE ? cache->wscale
                                                        : endpoint->rcv_wscale;
}

uint32_t
engine_rcv_wnd(const struct syncache *cache, uint32_t endpoint)
{
    uint32_t rcv_wnd = cache->endpoints.slots[endpoint].config.rcv_wnd;

    return rcv_wnd < 65535 ? rcv_wnd : 65535;
}

/*
 * MSS that this side's wire and stack take, however small: minmss is for what
 * peers offer (as in FreeBSD's tcp_mssopt() and tcp_mss_update()).
 */
static uint32_t
engine_mss_limit(const struct syncache *cache,
                 const struct syncache_endpoint *endpoint, uint8_t family)
{
    uint32_t headers = family == 4 ? ENGINE_V4_HEADERS : ENGINE_V6_HEADERS;
    uint32_t limit = 65535;

    if (cache->front_mss != 0) /* of the segment's interface */
        return cache->front_mss;
    if (endpoint->mtu != 0)
        limit = endpoint->mtu > headers ? endpoint->mtu - headers : 1;
    if (endpoint->mss_max != 0 && limit > endpoint->mss_max)
        limit = endpoint->mss_max;
    return limit;
}

static uint32_t
engine_mss_default(const struct syncache *cache, uint8_t family)
{
    return family == 4 ? cache->tunables.mssdflt : cache->tunables.v6mssdflt;
}

uint16_t
engine_mss_announced(const struct syncache *cache, uint32_t endpoint,
                     uint8_t family)
{
    const struct syncache_endpoint *config =
        &cache->endpoints.slots[endpoint].config;
    uint32_t limit = engine_mss_limit(cache, config, family);
    uint32_t mss = engine_mss_default(cache, family);

    if (config->mtu != 0 || cache->front_mss != 0 || limit < mss)
        mss = limit;
    assert(mss >= 1 && mss <= 65535);
    return (uint16_t)mss;
}

uint16_t
engine_mss_usable(const struct syncache *cache, uint32_t endpoint,
                  uint8_t family, uint16_t peer_mss)
{
    const struct syncache_endpoint *config =
        &cache->endpoints.slots[endpoint].config;
    uint32_t limit = engine_mss_limit(cache, config, family);
    uint32_t mss = peer_mss != 0 ? peer_mss : engine_mss_default(cache, family);

    if (mss < cache->tunables.minmss)
        mss = cache->tunables.minmss;
    mss = mss < limit ? mss : limit;
    assert(mss >= 1 && mss <= 65535);
    return (uint16_t)mss;
}

bool
engine_mints(const struct syncache *cache)
{
    return (cache->tunables.syncookies || cache->tunables.syncookies_only) &&
           secret_mint(&cache->secret) != NULL;
}

bool
engine_keyless(const struct syncache *cache)
{
    return (cache->tunables.syncookies || cache->tunables.syncookies_only) &&
           secret_mint(&cache->secret) == NULL;
}

uint32_t
engine_skew_ms(const struct syncache *cache)
{
    /* A product, so that it costs a group's machine no more than another. */
    return (uint32_t)cache->epoch_told * cache->tunables.clock_skew_ms;
}

uint32_t
engine_cookie(const struct syncache *cache, const struct syncache_tuple *tuple,
              const struct table_entry *entry)
{
    const struct endpoint *endpoint = &cache->endpoints.slots[entry->endpoint];
    struct syncache_cookie_options options = {
        .mss = entry->peer_mss,
        .wscale = SYNCACHE_WSCALE_NONE,
        .sack_permitted = (entry->flags & ENTRY_SACK) != 0,
        .rcv_wscale = engine_wscale(cache, &endpoint->config),
    };

    if (entry->flags & ENTRY_WINSCALE)
        options.wscale = entry->scales >> 4;
    return syncookie_generate(
        secret_mint(&cache->secret), tuple, entry->irs, &options,
        secret_parity(&cache->secret), cache->tunables.secmod,
        (enum syncache_layout)cache->tunables.cookie_layout);
}

bool
engine_gate_open(const struct syncache *cache, const struct endpoint *endpoint,
                 uint64_t hash)
{
    uint64_t lifetime_ms = cache->tunables.cookie_lifetime_ms;
    uint32_t second;

    switch ((enum syncache_gate)cache->tunables.cookie_gate) {
    case SYNCACHE_GATE_ALWAYS:
        return true;
    case SYNCACHE_GATE_BUCKET:
        return table_overflowed(&cache->table,
                                table_bucket(&cache->table, hash), &second) &&
               engine_uptime_s(cache) - second <= lifetime_ms / 1000;
    case SYNCACHE_GATE_ENDPOINT:
        break;
    }
    /* With keys older than the engine, so may its cookies be. */
    if (cache->epoch_told && cache->now_ms - cache->init_ms <= lifetime_ms)
        return true;
    return endpoint->gate_stamped &&
           cache->now_ms - endpoint->gate_ms <= 2 * lifetime_ms;
}

void
engine_entry_tuple(const struct table_entry *entry,
                   struct syncache_tuple *tuple)
{
    memset(tuple, 0, sizeof(*tuple));
    memcpy(tuple->faddr, entry->faddr, sizeof(tuple->faddr));
    memcpy(tuple->laddr, entry->laddr, sizeof(tuple->laddr));
    tuple->fport = entry->fport;
    tuple->lport = entry->lport;
    tuple->family = entry->flags & ENTRY_V6 ? 6 : 4;
}

void
engine_remove(struct syncache *cache, struct table_ref ref)
{
    assert(ref.entry != NULL);
    endpoints_entry_removed(&cache->endpoints, ref.entry->endpoint);
    table_remove(&cache->table, ref);
}

void
engine_leave_unanswered(struct syncache *cache, const struct table_entry *entry)
{
    struct endpoint *endpoint = &cache->endpoints.slots[entry->endpoint];

    if (!endpoint->open) {
        /* A later endpoint of the same address and port inherits it. */
        struct syncache_tuple tuple;
        struct endpoint *heir;

        engine_entry_tuple(entry, &tuple);
        heir = endpoints_find(&cache->endpoints, &tuple);
        if (heir != NULL)
            endpoint = heir;
    }
    engine_stamp_gate(cache, endpoint);
    endpoints_entry_removed(&cache->endpoints, entry->endpoint);
}

void
engine_remove_unanswered(struct syncache *cache, struct table_ref ref)
{
    engine_leave_unanswered(cache, ref.entry);
    table_remove(&cache->table, ref);
}

uint32_t
engine_uptime_s(const struct syncache *cache)
{
    return (uint32_t)((cache->now_ms - cache->init_ms) / 1000);
}

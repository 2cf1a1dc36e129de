/*
 * Tries an ACK as a SYN cookie: ACK - 1 is then our ISS, SEQ - 1 the peer's
 * ISN, and what the SYN negotiated is in the ISS (docs/cookies.md).
 *
 * Strength: 24 bits of MAC, so a blind guess succeeds once in 2^24.  What
 * bounds that: the gate, closed unless the endpoint lately answered without
 * storing; keys that live two periods; the echoed timestamp, which a forger
 * cannot know but may leave out unless it is required; and that a handshake is
 * redeemed once.
 *
 * Not here: the layouts of a cookie (syncookie.c), the life of keys (secret.c).
 */
#include <assert.h>
#include <string.h>

#include "cookie.h"
#include "event.h"

/* Ours now, of the endpoint before, from maxsockbuf now and before. */
#define REDEEM_SCALES 4

static enum redeem redeem_verify(struct syncache *cache,
                                 const struct event *event,
                                 struct syncache_cookie_options *options);
static bool redeem_timestamps(struct syncache *cache,
                              const struct event *event);
static void redeem_restore(const struct syncache *cache,
                           const struct event *event,
                           const struct syncache_cookie_options *options,
                           struct table_entry *entry);
static void redeem_failed(struct syncache *cache);

enum redeem
redeem_cookie(struct syncache *cache, struct event *event,
              struct table_entry *restored)
{
    const struct wire_segment *segment = event->segment;
    struct syncache_cookie_options options;
    enum redeem result;

    assert(event->endpoint != NULL);
    if (!cache->tunables.syncookies && !cache->tunables.syncookies_only)
        return REDEEM_OFF;
    if (!engine_cookies_only(cache) &&
        !engine_gate_open(cache, event->endpoint, event->hash))
        return REDEEM_OFF;
    result = redeem_verify(cache, event, &options);
    if (result == REDEEM_GOOD && !redeem_timestamps(cache, event))
        result = REDEEM_FAILED;
    if (result != REDEEM_GOOD) {
        redeem_failed(cache);
        return result;
    }
    event->fingerprint = engine_fingerprint(
        cache, &segment->tuple, segment->seg_seq - 1, segment->seg_ack - 1);
    if (replay_seen(&cache->replay, event->fingerprint)) {
        cache->stats.replayed++;
        return REDEEM_REPLAYED;
    }
    redeem_restore(cache, event, &options, restored);
    return REDEEM_GOOD;
}

/*
 * Our scales that a cookie of this endpoint may have been made with.  The one
 * in force comes first; layouts that do not cover it need no other.
 */
static uint32_t
redeem_scales(const struct syncache *cache, const struct endpoint *endpoint,
              uint8_t scales[static REDEEM_SCALES])
{
    uint64_t lifetime_ms = cache->tunables.cookie_lifetime_ms;
    bool follows = endpoint->config.rcv_wscale == SYNCACHE_WSCALE_NONE;
    uint32_t count = 1;

    scales[0] = engine_wscale(cache, &endpoint->config);
    if (cache->tunables.cookie_layout != SYNCACHE_LAYOUT_WIDE)
        return 1;
    if (endpoint->succeeds &&
        cache->now_ms - endpoint->succeeded_ms <= lifetime_ms) {
        if (endpoint->wscale_before != SYNCACHE_WSCALE_NONE)
            scales[count++] = endpoint->wscale_before;
        else
            follows = true;
    }
    if (!follows)
        return count;
    if (scales[0] != cache->wscale)
        scales[count++] = cache->wscale;
    if (cache->wscale_before != SYNCACHE_WSCALE_NONE &&
        cache->now_ms - cache->wscale_changed_ms <= lifetime_ms)
        scales[count++] = cache->wscale_before;
    assert(count <= REDEEM_SCALES);
    return count;
}

static enum redeem
redeem_verify(struct syncache *cache, const struct event *event,
              struct syncache_cookie_options *options)
{
    const struct syncache_tunables *tunables = &cache->tunables;
    const struct wire_segment *segment = event->segment;
    struct cookie_rules rules = {
        .secret = &cache->secret,
        .now_ms = cache->now_ms,
        .secmod = tunables->secmod,
        .lifetime_ms = tunables->cookie_lifetime_ms,
        .skew_ms = engine_skew_ms(cache),
        .layout = (enum syncache_layout)tunables->cookie_layout,
    };
    uint8_t scales[REDEEM_SCALES];
    uint32_t scale_count = redeem_scales(cache, event->endpoint, scales);

    switch (cookie_verify(&rules, &segment->tuple, segment->seg_seq - 1,
                          segment->seg_ack - 1, scales, scale_count, options)) {
    case COOKIE_GOOD:
        return REDEEM_GOOD;
    case COOKIE_NO_KEY:
        cache->stats.cookie_no_key++;
        return REDEEM_FAILED;
    case COOKIE_OTHER:
    default:
        cache->stats.cookie_bad_mac++;
        return REDEEM_OTHER;
    }
}

static bool
redeem_timestamps_allowed(const struct syncache *cache,
                          const struct event *event)
{
    uint32_t rfc1323 = cache->tunables.rfc1323;

    return endpoint_can(event->endpoint, SYNCACHE_OPTION_TIMESTAMPS) &&
           (rfc1323 == 1 || rfc1323 == 3);
}

static void
redeem_failed(struct syncache *cache)
{
    struct cookie_failures *failures = &cache->failures;
    uint32_t second = engine_uptime_s(cache);

    cache->stats.sc_failcookie++;
    if (second != failures->second) {
        failures->count_before =
            second == failures->second + 1 ? failures->count : 0;
        failures->count = 0;
        failures->second = second;
    }
    if (failures->count < UINT32_MAX)
        failures->count++;
}

/* More than ENGINE_FAILCOOKIE_MAX failed in this second or in the last one. */
static bool
redeem_many_failed(const struct syncache *cache)
{
    const struct cookie_failures *failures = &cache->failures;
    uint32_t second = engine_uptime_s(cache);

    if (second == failures->second)
        return failures->count > ENGINE_FAILCOOKIE_MAX ||
               failures->count_before > ENGINE_FAILCOOKIE_MAX;
    return second == failures->second + 1 &&
           failures->count > ENGINE_FAILCOOKIE_MAX;
}

static bool
redeem_timely(const struct syncache *cache, uint32_t ticks)
{
    int64_t age_ms =
        (int64_t)(int32_t)ticks * 1000 / (int64_t)cache->config.ts_hz;

    return cookie_timely(age_ms, cache->tunables.cookie_lifetime_ms,
                         cache->tunables.clock_skew_ms);
}

/*
 * Our own timestamp comes back in TSecr, and tells when the SYN-ACK left: not
 * in the future, and not longer ago than a cookie can live (departure 8).
 */
static bool
redeem_timestamps(struct syncache *cache, const struct event *event)
{
    const struct wire_segment *segment = event->segment;
    enum syncache_cookie_ts policy =
        (enum syncache_cookie_ts)cache->tunables.cookie_ts;
    uint32_t clock;

    if (policy == SYNCACHE_TS_OFF || !redeem_timestamps_allowed(cache, event))
        return true;
    if (!(segment->has & WIRE_HAS_TIMESTAMPS)) {
        if (policy == SYNCACHE_TS_CHECK ||
            (policy == SYNCACHE_TS_AUTO && !redeem_many_failed(cache)))
            return true;
        cache->stats.ts_refused++;
        return false;
    }
    clock = engine_ts_clock(cache) + engine_ts_offset(cache, &segment->tuple);
    if (redeem_timely(cache, clock - segment->tsecr) ||
        redeem_timely(cache, clock - segment->tsecr - cache->ts_base +
                                 engine_ts_base_before(cache)))
        return true;
    cache->stats.ts_refused++;
    return false;
}

static void
redeem_restore(const struct syncache *cache, const struct event *event,
               const struct syncache_cookie_options *options,
               struct table_entry *entry)
{
    const struct wire_segment *segment = event->segment;

    memset(entry, 0, sizeof(*entry));
    entry->flags = ENTRY_COOKIE_ISS;
    entry->irs = segment->seg_seq - 1;
    entry->iss = segment->seg_ack - 1;
    entry->peer_mss = options->mss;
    entry->endpoint =
        (uint16_t)endpoints_slot(&cache->endpoints, event->endpoint);
    if (options->wscale != SYNCACHE_WSCALE_NONE) {
        entry->flags |= ENTRY_WINSCALE;
        entry->scales = (uint8_t)(options->wscale << 4 | options->rcv_wscale);
    }
    if (options->sack_permitted)
        entry->flags |= ENTRY_SACK;
    if ((segment->has & WIRE_HAS_TIMESTAMPS) &&
        redeem_timestamps_allowed(cache, event)) {
        entry->flags |= ENTRY_TIMESTAMP;
        entry->tsreflect = segment->tsval;
    }
    if (segment->has & WIRE_HAS_MD5)
        entry->flags |= ENTRY_SIGNATURE;
}

/*
 * An ACK for a listener: it completes the handshake of an entry, or of a
 * cookie, or is refused.
 *
 * Tests of an entry follow RFC 9293 3.10.7.4: signature, timestamps, SEG.SEQ,
 * SEG.ACK.  Whatever fails leaves the entry and its timer as they were, so that
 * who guesses a tuple can disturb nobody.  An ACK that is not of the entry's
 * handshake is tried as a cookie before it is refused: the entry may be of a
 * SYN sent in the peer's name (departure 6).
 *
 * Not here: how an ACK is tried as a cookie (redeem.c), what the stack says to
 * an offer (offer.c).  See RFC 5961 5, RFC 7323 5.3.
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "seq.h"
#include "syncookie.h"

static enum syncache_verdict expand_entry(struct syncache *cache,
                                          struct event *event);
static enum syncache_verdict expand_without_entry(struct syncache *cache,
                                                  struct event *event);
static enum syncache_verdict expand_mismatch(struct syncache *cache,
                                             struct event *event,
                                             enum syncache_verdict otherwise);

enum syncache_verdict
syncache_expand(struct syncache *cache, struct event *event)
{
    assert(event->endpoint != NULL && event->endpoint->open);
    if (event->ref.entry == NULL)
        return expand_without_entry(cache, event);
    return expand_entry(cache, event);
}

/* RFC 7323 5.3: timestamps of an ACK. */
static enum syncache_verdict
expand_timestamps(const struct syncache *cache, const struct event *event)
{
    const struct table_entry *entry = event->ref.entry;

    if (!(entry->flags & ENTRY_TIMESTAMP))
        return EVENT_UNDECIDED;
    if (!(event->segment->has & WIRE_HAS_TIMESTAMPS))
        return cache->tunables.tolerate_missing_ts ? EVENT_UNDECIDED
                                                   : SYNCACHE_DROP_MISSING_TS;
    if (seq_lt(event->segment->tsval, entry->tsreflect))
        return SYNCACHE_DROP_PAWS;
    return EVENT_UNDECIDED;
}

#ifdef SYNCACHE_SELFCHECK
/*
 * What a cached entry holds and what its ISS says must agree up to the stated
 * loss: FreeBSD's syncookie_cmp().
 */
static void
expand_selfcheck(struct syncache *cache, const struct table_entry *entry)
{
    uint32_t age_ms = table_age_ms(entry, cache->now_ms);
    const struct endpoint *endpoint = &cache->endpoints.slots[entry->endpoint];
    struct syncache_cookie_options options = {
        .rcv_wscale = engine_wscale(cache, &endpoint->config)};
    struct syncache_tuple tuple;
    const uint8_t *keys[SECRET_CANDIDATES];
    uint32_t count;
    bool good = false;

    /* Only while nothing that the cookie covers has changed under it. */
    if (!(entry->flags & ENTRY_COOKIE_ISS) ||
        age_ms >= cache->now_ms - cache->tunables_ms ||
        (endpoint->succeeds &&
         age_ms >= cache->now_ms - endpoint->succeeded_ms) ||
        age_ms >= cache->tunables.cookie_lifetime_ms)
        return;
    engine_entry_tuple(entry, &tuple);
    count = secret_candidates(
        &cache->secret, cache->now_ms, cache->tunables.cookie_lifetime_ms,
        engine_skew_ms(cache), syncookie_parity(entry->iss), keys);
    for (uint32_t i = 0; i < count && !good; i++)
        good = syncookie_lookup(
            keys[i], &tuple, entry->irs, entry->iss, cache->tunables.secmod,
            (enum syncache_layout)cache->tunables.cookie_layout, &options);
    assert(good);
    if (cache->tunables.cookie_layout == SYNCACHE_LAYOUT_MSS)
        return;
    assert(options.sack_permitted == ((entry->flags & ENTRY_SACK) != 0));
    assert((options.wscale == SYNCACHE_WSCALE_NONE) ==
           !(entry->flags & ENTRY_WINSCALE));
}
#endif

/* irs < SEG.SEQ <= irs + wnd: within RCV.NXT .. RCV.NXT + wnd - 1. */
static bool
expand_seq_good(const struct syncache *cache, const struct event *event)
{
    const struct table_entry *entry = event->ref.entry;

    return seq_in_window(event->segment->seg_seq, entry->irs + 1,
                         engine_rcv_wnd(cache, entry->endpoint));
}

/* What the ACK would draw by its entry alone; ACCEPT_CACHE: it completes it. */
static enum syncache_verdict
expand_judge(const struct syncache *cache, const struct event *event)
{
    enum syncache_verdict verdict = expand_timestamps(cache, event);

    if (verdict != EVENT_UNDECIDED)
        return verdict;
    if (!expand_seq_good(cache, event))
        return SYNCACHE_REPLY_CHALLENGE_ACK;
    if (event->segment->seg_ack != event->ref.entry->iss + 1)
        return SYNCACHE_REPLY_RST;
    return SYNCACHE_ACCEPT_CACHE;
}

static enum syncache_verdict
expand_entry(struct syncache *cache, struct event *event)
{
    const struct wire_segment *segment = event->segment;
    struct table_entry *entry = event->ref.entry;
    bool is_signed = (segment->has & WIRE_HAS_MD5) != 0;
    enum syncache_verdict verdict;

    if ((is_signed || (entry->flags & ENTRY_SIGNATURE)) &&
        !respond_signature_good(cache, event))
        return SYNCACHE_DROP_MD5;
    verdict = expand_judge(cache, event);
    if (segment->seg_ack != entry->iss + 1 || !expand_seq_good(cache, event))
        return expand_mismatch(cache, event, verdict);
    if (verdict != SYNCACHE_ACCEPT_CACHE)
        return verdict;
#ifdef SYNCACHE_SELFCHECK
    expand_selfcheck(cache, entry);
#endif
    verdict = offer_make(cache, event, entry, SYNCACHE_VIA_CACHE);
    if (verdict != SYNCACHE_ACCEPT_CACHE)
        return verdict;
    if (cache->tunables.offer_timeout_ms == 0)
        engine_remove(cache, event->ref);
    else if (cache->config.established_max > 0)
        entry->flags |= ENTRY_OFFERED;
    return verdict;
}

/* Offers what a cookie restored. */
static enum syncache_verdict
expand_redeem(struct syncache *cache, struct event *event,
              const struct table_entry *restored)
{
    uint32_t slot = restored->endpoint;
    enum syncache_verdict verdict;

    /* RFC 2385: as for a SYN, signed if and only if the peer has a key.  A
     * cookie does not tell whether its SYN was. */
    if (((event->segment->has & WIRE_HAS_MD5) ||
         endpoints_md5_find(&cache->endpoints, slot, &event->segment->tuple) !=
             NULL) &&
        !respond_signature_good(cache, event))
        return SYNCACHE_DROP_MD5;
    verdict = offer_make(cache, event, restored, SYNCACHE_VIA_COOKIE);
    if (verdict != SYNCACHE_ACCEPT_COOKIE)
        return verdict;
    cache->stats.sc_recvcookie++;
    if (event->ref.entry != NULL) {
        engine_remove(cache, event->ref);
        cache->stats.cookie_over_entry++;
    }
    return verdict;
}

/*
 * The ACK and the first data may both be lost, or refused while the stack has
 * no room: what its peer sends behind them, data, a FIN or an ACK alone, has a
 * SEQ that no cookie fits.  A RST would kill an honest peer (departure 12).
 */
static bool
expand_awaits_data(const struct syncache *cache, const struct event *event,
                   enum redeem cookie)
{
    const struct wire_segment *segment = event->segment;

    if (cache->tunables.failcookie_rst)
        return false;
    /* What takes up sequence numbers is sent again, and what is before it. */
    return cookie == REDEEM_OTHER ||
           (cookie == REDEEM_FAILED &&
            (segment->payload_size > 0 || segment->flags & WIRE_FIN));
}

static enum syncache_verdict
expand_without_entry(struct syncache *cache, struct event *event)
{
    struct table_entry restored;
    enum redeem cookie = redeem_cookie(cache, event, &restored);

    switch (cookie) {
    case REDEEM_GOOD:
        return expand_redeem(cache, event, &restored);
    case REDEEM_OFF:
        cache->stats.sc_spurcookie++;
        break;
    case REDEEM_OTHER:
    case REDEEM_FAILED:
        if (expand_awaits_data(cache, event, cookie))
            return SYNCACHE_DROP_COOKIE_DATA;
        break;
    case REDEEM_REPLAYED:
        break;
    }
    return expand_refuse(cache, event);
}

/*
 * An ACK of another handshake than that of its tuple's entry, to which it would
 * draw `otherwise`; old timestamps, too, may only be older than those of a SYN
 * sent in the peer's name.  FreeBSD's way, which is dupsyn_limit 0, never tries
 * it as a cookie.
 */
static enum syncache_verdict
expand_mismatch(struct syncache *cache, struct event *event,
                enum syncache_verdict otherwise)
{
    struct table_entry restored;
    enum redeem cookie = REDEEM_OFF;

    if (cache->tunables.dupsyn_limit != 0)
        cookie = redeem_cookie(cache, event, &restored);
    if (cookie == REDEEM_GOOD)
        return expand_redeem(cache, event, &restored);
    if (otherwise == SYNCACHE_REPLY_CHALLENGE_ACK)
        return chkrst_challenge(cache, event);
    if (otherwise != SYNCACHE_REPLY_RST)
        return otherwise;
    if (expand_awaits_data(cache, event, cookie))
        return SYNCACHE_DROP_COOKIE_DATA;
    return respond_refuse(cache, event, 3);
}

enum syncache_verdict
expand_refuse(struct syncache *cache, struct event *event)
{
    if (cache->config.established_max == 0)
        return SYNCACHE_PASS_NO_ENDPOINT;
    return respond_refuse(cache, event, 3);
}

/*
 * A SYN with a TCP Fast Open option (RFC 7413 4.2).
 *
 * The cookie is SipHash of the peer's address: no state, no expiry but a new
 * seed.  What it buys a forger who holds one is bounded by the number of
 * requests that may be pending on the endpoint: a request is pending until its
 * SYN-ACK was acknowledged.  One whose connection is gone before counts for a
 * minute yet (RFC 7413 5.1): the RSTs of the hosts in whose name he sends would
 * otherwise make room for his next ones.
 *
 * Not here: the connection, and sending its SYN-ACK again: both are the
 * stack's.
 */
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "derive.h"
#include "event.h"
#include "siphash.h"

#define FASTOPEN_ABANDONED_MS 60000 /* RFC 7413 asks for a time, names none */

static void
fastopen_cookie(const struct syncache *cache,
                const struct syncache_tuple *tuple,
                uint8_t cookie[static EVENT_FASTOPEN_COOKIE_BYTES])
{
    size_t size = tuple->family == 4 ? 4 : 16;

    store64_le(cookie, siphash24(cache->fastopen_key, tuple->faddr, size));
}

/* Compares without a branch on where they differ. */
static bool
fastopen_cookie_good(const struct wire_segment *segment,
                     const uint8_t cookie[static EVENT_FASTOPEN_COOKIE_BYTES])
{
    return (load64_le(segment->fastopen) ^ load64_le(cookie)) == 0;
}

static enum syncache_verdict
fastopen_accept(struct syncache *cache, struct event *event,
                struct fastopen *fastopen)
{
    struct table_entry entry;
    enum syncache_verdict verdict;

    add_fill(cache, event, &entry);
    if (engine_mints(cache)) {
        entry.iss = engine_cookie(cache, &event->segment->tuple, &entry);
        cache->stats.sc_sendcookie++;
    } else {
        entry.iss =
            derive_isn(cache->iss_key, &event->segment->tuple, cache->now_ms);
        cache->stats.syn_no_key += engine_keyless(cache);
    }
    entry.rxmits = 1;
    verdict = offer_make(cache, event, &entry, SYNCACHE_VIA_FASTOPEN);
    if (verdict != SYNCACHE_ACCEPT_FASTOPEN)
        return EVENT_UNDECIDED;
    event->endpoint->fastopen_pending++;
    fastopen->acked = event->segment->payload_size;
    event->reply_size = respond_syn_ack(cache, &entry, fastopen, event->reply);
    return SYNCACHE_ACCEPT_FASTOPEN;
}

/* May another request be pending on the endpoint? */
static bool
fastopen_room(const struct syncache *cache, struct endpoint *endpoint)
{
    if (cache->now_ms - endpoint->fastopen_abandoned_ms >=
        FASTOPEN_ABANDONED_MS) {
        endpoint->fastopen_pending -= endpoint->fastopen_abandoned;
        endpoint->fastopen_abandoned = 0;
    }
    return endpoint->fastopen_pending < endpoint->config.fastopen;
}

enum syncache_verdict
fastopen_add(struct syncache *cache, struct event *event,
             struct fastopen *fastopen)
{
    const struct wire_segment *segment = event->segment;
    const struct syncache_endpoint *config = &event->endpoint->config;

    if (!(segment->has & WIRE_HAS_FASTOPEN) || config->fastopen == 0 ||
        !config->options || !cache->tunables.fastopen_server_enable)
        return EVENT_UNDECIDED;
    fastopen_cookie(cache, &segment->tuple, fastopen->cookie);
    if (segment->fastopen_size == EVENT_FASTOPEN_COOKIE_BYTES) {
        /* RFC 7413 5.1: past the bound the option is as if it were not there.
         */
        if (!fastopen_room(cache, event->endpoint))
            return EVENT_UNDECIDED;
        if (fastopen_cookie_good(segment, fastopen->cookie))
            return fastopen_accept(cache, event, fastopen);
        cache->stats.fastopen_refused++;
    }
    fastopen->hand_out = true;
    cache->stats.fastopen_cookies++;
    return EVENT_UNDECIDED;
}

void
fastopen_settle(struct syncache *cache, uint32_t endpoint)
{
    struct endpoint *slot = &cache->endpoints.slots[endpoint];

    assert(endpoint < cache->config.endpoint_max);
    if (slot->fastopen_pending > slot->fastopen_abandoned)
        slot->fastopen_pending--;
}

void
fastopen_abandon(struct syncache *cache, uint32_t endpoint)
{
    struct endpoint *slot = &cache->endpoints.slots[endpoint];

    assert(endpoint < cache->config.endpoint_max);
    if (slot->fastopen_pending == slot->fastopen_abandoned)
        return; /* the slot is another endpoint's by now */
    slot->fastopen_abandoned++;
    slot->fastopen_abandoned_ms = cache->now_ms;
}

/*
 * The engine in front of a stack that looks up its connections and listeners
 * itself: one object with the clock, the keys and the ports that every such
 * stack would keep beside the engine.
 *
 * Not here: sending, and making connections, which are the stack's.
 */
#include "../syncache_host.h"
#include "endpoint.h"

#include <assert.h>

/* Gives the epoch in force a key, if it has none. */
static void
front_renew(const struct syncache_front *front, uint64_t now_ms)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t epoch;

    if (!syncache_key_due(front->cache, now_ms, &epoch))
        return;
    front->entropy(key, sizeof key);
    syncache_set_key(front->cache, epoch, key);
}

bool
syncache_front_init(struct syncache_front *front, uint32_t now_ms, void *block,
                    size_t size)
{
    struct syncache_config config;
    struct syncache_tunables tunables;
    struct syncache_endpoint endpoint = front->endpoint;
    uint8_t seed[SYNCACHE_KEY_BYTES];

    assert(front != NULL && front->entropy != NULL);
    front->cache = NULL;
    front->clock = (struct syncache_clock){0};
    endpoint.lport = 1; /* any */
    if (!endpoints_valid(&endpoint) || !syncache_config_fit(&config, size))
        return false;
    config.ts_per_tuple = front->ts_per_tuple;
    front->entropy(seed, sizeof seed);
    front->cache = syncache_init(block, size, &config, seed);
    if (front->cache == NULL)
        return false;
    syncache_tunables_host(&tunables);
    (void)syncache_set_tunables(front->cache, &tunables);
    front_renew(front, syncache_clock(&front->clock, now_ms));
    return true;
}

bool
syncache_front_listen(struct syncache_front *front, uint16_t lport)
{
    struct syncache_endpoint endpoint = front->endpoint;
    uint32_t number;

    endpoint.lport = lport;
    return front->cache != NULL &&
           syncache_listen(front->cache, &endpoint, &number);
}

enum syncache_verdict
syncache_front_segment(struct syncache_front *front, uint32_t now_ms,
                       uint8_t family, const void *faddr, const void *laddr,
                       const uint8_t *segment, size_t segment_size,
                       size_t payload_size, struct syncache_result *result)
{
    uint64_t now = syncache_clock(&front->clock, now_ms);
    enum syncache_verdict verdict;

    result->reply_size = 0;
    if (front->cache == NULL)
        return SYNCACHE_PASS_NO_ENDPOINT;
    verdict = syncache_segment(front->cache, now, family, faddr, laddr, 0,
                               segment, segment_size, payload_size,
                               SYNCACHE_CHECKSUM_VALID, result);
    if ((verdict == SYNCACHE_PASS_NOT_OURS ||
         verdict == SYNCACHE_PASS_NO_ENDPOINT) &&
        syncache_front_listen(front, (uint16_t)(segment[2] << 8 | segment[3])))
        verdict = syncache_segment(front->cache, now, family, faddr, laddr, 0,
                                   segment, segment_size, payload_size,
                                   SYNCACHE_CHECKSUM_VALID, result);
    return verdict;
}

uint32_t
syncache_front_poll(struct syncache_front *front, uint32_t now_ms,
                    uint8_t packet[SYNCACHE_REPLY_MAX])
{
    uint64_t now = syncache_clock(&front->clock, now_ms);

    if (front->cache == NULL)
        return 0;
    front_renew(front, now);
    return syncache_poll_one(front->cache, now, packet);
}

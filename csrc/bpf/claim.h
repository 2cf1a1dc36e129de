/*
 * Whether an ACK's numbers are a cookie of ours.
 */
#ifndef SYNCACHE_BPF_CLAIM_H
#define SYNCACHE_BPF_CLAIM_H

#include "ack.h"
#include "mint.h"

#define CANDIDATES 2 /* keys that may have made it */

/* Does a key of the clock before the last change give this ISS?  Those of its parity are tried. */
static inline bool
is_former(const struct shield_config *config,
          const struct shield_family *family, const struct ack *ack,
          uint32_t byte)
{
    if (ack->now_ns >= config->former_ns)
        return false;
#pragma clang loop unroll(disable)
    for (uint32_t i = 0; i < SHIELD_KEYS; i += 2) {
        const struct shield_key *key = &config->former[i | (byte & 1)];
        uint32_t mac = mint_mac(key, family, &ack->tuple, ack->irs, byte);

        if (key->epoch != UINT64_MAX &&
            ((mac ^ ack->iss) & SYNCOOKIE_MAC_MASK) == 0)
            return true;
    }
    return false;
}

/*
 * Does a live key give this ISS?  The parity names the epoch in force or the one before; near the edge of a period
 * also the one beyond, where clocks may differ (secret.c).
 */
static inline bool
is_cookie(const struct shield_config *config, const struct ack *ack)
{
    const struct shield_family *family = mint_family(config, &ack->tuple);
    uint64_t age_ns = ack->now_ns - config->start_ns, epoch = config->epoch;
    uint32_t byte = syncookie_claimed(ack->iss);
    bool good = false;

    if ((int64_t)age_ns <
        0) /* the process begins a period by whole milliseconds */
        age_ns = 0;
    if (age_ns >= config->lifetime_ns) {
        /* More than one if the process is late; keys grow old nevertheless. */
        uint64_t periods = age_ns / config->lifetime_ns;

        age_ns -= periods * config->lifetime_ns;
        epoch += periods;
    }
    uint64_t wanted = epoch, neighbour = epoch - 2;
    bool near = age_ns < config->skew_ns;
    if ((byte ^ (uint32_t)epoch) & 1) {
        wanted = epoch - 1;
        neighbour = epoch + 1;
        near = age_ns + config->skew_ns >= config->lifetime_ns;
    }
#pragma clang loop unroll(disable)
    for (int i = 0; i < CANDIDATES; i++) {
        const struct shield_key *key = &config->key[wanted & (SHIELD_KEYS - 1)];
        uint32_t mac = mint_mac(key, family, &ack->tuple, ack->irs, byte);

        /* Before epoch 0 there is none; a slot without a key says so. */
        if (key->epoch == wanted && wanted != UINT64_MAX &&
            ((mac ^ ack->iss) & SYNCOOKIE_MAC_MASK) == 0) {
            good = true;
            break;
        }
        if (!near)
            break;
        wanted = neighbour;
    }
    return good || is_former(config, family, ack, byte);
}

#endif

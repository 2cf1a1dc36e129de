/* An ACK tried as a SYN cookie: see cookie.h. */
#include "cookie.h"

enum cookie_found
cookie_verify(const struct cookie_rules *rules,
              const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss,
              const uint8_t *scales, uint32_t scale_count,
              struct syncache_cookie_options *options)
{
    const uint8_t *keys[SECRET_CANDIDATES];
    uint32_t key_count =
        secret_candidates(rules->secret, rules->now_ms, rules->lifetime_ms,
                          rules->skew_ms, syncookie_parity(iss), keys);

    if (key_count == 0)
        return COOKIE_NO_KEY;
    for (uint32_t i = 0; i < key_count * scale_count; i++) {
        options->rcv_wscale = scales[i / key_count];
        if (syncookie_lookup(keys[i % key_count], tuple, irs, iss,
                             rules->secmod, rules->layout, options))
            return COOKIE_GOOD;
    }
    return COOKIE_OTHER;
}

bool
cookie_timely(int64_t age_ms, uint32_t lifetime_ms, uint32_t skew_ms)
{
    return age_ms >= -(int64_t)skew_ms && age_ms <= 2 * (int64_t)lifetime_ms;
}

/*
 * An ACK tried as a SYN cookie, for both engines: every key and every scale that it may have been made with.
 *
 * Not here: the layout of a cookie (syncookie.h), the life of keys (secret.h), whether cookies are tried at all
 * (redeem.c, flow/proxy_cookie.c).
 */
#ifndef SYNCACHE_CORE_COOKIE_H
#define SYNCACHE_CORE_COOKIE_H

#include "secret.h"
#include "syncookie.h"

/* An engine's keys and scales in force. */
struct cookie_rules {
    const struct secret *secret;
    uint64_t now_ms;
    uint64_t secmod;                  /* of the endpoint's cookies */
    uint32_t lifetime_ms;
    uint32_t skew_ms;
    enum syncache_layout layout;
};

enum cookie_found { COOKIE_GOOD, COOKIE_NO_KEY, COOKIE_OTHER };

/*
 * Tries an ISS as a cookie of a tuple.
 *
 *   in       scales    window scales that may have been announced with it, the likeliest first
 *   out      options   the SYN's offer and the scale that fits; only if COOKIE_GOOD
 *   returns  COOKIE_NO_KEY: no key can verify it now; COOKIE_OTHER: none does
 *   limit    SECRET_CANDIDATES * scale_count MACs
 */
enum cookie_found cookie_verify(const struct cookie_rules *rules, const struct syncache_tuple *tuple, uint32_t irs,
                                uint32_t iss, const uint8_t *scales, uint32_t scale_count,
                                struct syncache_cookie_options *options);

/* Whether a timestamp that came back is of a cookie that lives: not from the future, and at most two lifetimes old. */
bool cookie_timely(int64_t age_ms, uint32_t lifetime_ms, uint32_t skew_ms);

#endif

/*
 * What is minted verifies, with options that are not above the offered ones and
 * that mint the same cookie again; and a number that verifies is the one that
 * its options mint: no second spelling of a cookie is good.
 *
 * The input is read from the front, zeros where it ends: layout and family,
 * parity, tuple, irs, options, secmod, key, and four bytes of a number that is
 * tried as it is and as a change to the cookie.
 */
#include "../../csrc/syncache.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

/* What one cookie is of. */
struct cookie {
    uint8_t key[SYNCACHE_KEY_BYTES];
    struct syncache_tuple tuple;
    struct syncache_cookie_options options;
    uint64_t secmod;
    uint32_t irs, parity, layout;
};

/* Not assert(): this must also hold with NDEBUG. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

static void
take(struct input *input, void *to, size_t size)
{
    size_t have = size < input->size ? size : input->size;
    memset(to, 0, size);
    if (have > 0)
        memcpy(to, input->data, have);
    input->data += have;
    input->size -= have;
}

static uint32_t
take_byte(struct input *input)
{
    uint8_t byte;
    take(input, &byte, 1);
    return byte;
}

static struct cookie
take_cookie(struct input *input)
{
    struct cookie cookie;
    memset(&cookie, 0, sizeof cookie);
    uint32_t first = take_byte(input);
    uint32_t wscale = take_byte(input);
    size_t address = first & 0x10 ? 16 : 4;
    cookie.layout = first % 3;
    cookie.parity = first >> 7;
    cookie.tuple.family = address == 4 ? 4 : 6;
    cookie.options.wscale = wscale < 15 ? (uint8_t)wscale : 255;
    cookie.options.sack_permitted = first >> 6 & 1;
    cookie.options.rcv_wscale = (uint8_t)(take_byte(input) % 15);
    take(input, &cookie.options.mss, sizeof cookie.options.mss);
    take(input, &cookie.irs, sizeof cookie.irs);
    take(input, &cookie.tuple.fport, sizeof cookie.tuple.fport);
    take(input, &cookie.tuple.lport, sizeof cookie.tuple.lport);
    take(input, cookie.tuple.faddr, address);
    take(input, cookie.tuple.laddr, address);
    take(input, &cookie.secmod, sizeof cookie.secmod);
    take(input, cookie.key, sizeof cookie.key);
    return cookie;
}

static uint32_t
mint(const struct cookie *cookie, const struct syncache_cookie_options *options)
{
    return syncache_cookie_mint(cookie->key, &cookie->tuple, cookie->irs,
                                options, cookie->parity, cookie->secmod,
                                cookie->layout);
}

/* Does the number verify?  Then it is what its options mint. */
static bool
verifies(const struct cookie *cookie, uint32_t iss,
         struct syncache_cookie_options *options)
{
    struct cookie again = *cookie;
    memset(options, 0, sizeof *options);
    options->rcv_wscale = cookie->options.rcv_wscale;
    if (!syncache_cookie_check(cookie->key, &cookie->tuple, cookie->irs, iss,
                               cookie->secmod, cookie->layout, options))
        return false;
    again.parity = (iss ^ iss >> 24) & 1;
    require(options->rcv_wscale == cookie->options.rcv_wscale);
    require(options->mss >= 216);
    require(mint(&again, options) == iss);
    return true;
}

static void
require_not_above(const struct syncache_cookie_options *offered,
                  const struct syncache_cookie_options *restored)
{
    if (offered->mss >= 216)
        require(restored->mss <= offered->mss);
    if (restored->wscale != SYNCACHE_WSCALE_NONE)
        require(offered->wscale != SYNCACHE_WSCALE_NONE &&
                restored->wscale <= offered->wscale);
    require(restored->sack_permitted <= offered->sack_permitted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct cookie cookie = take_cookie(&input);
    struct syncache_cookie_options restored;
    uint32_t change;
    uint32_t iss = mint(&cookie, &cookie.options);
    require(verifies(&cookie, iss, &restored));
    require_not_above(&cookie.options, &restored);
    take(&input, &change, sizeof change);
    (void)verifies(&cookie, change, &restored);
    (void)verifies(&cookie, iss ^ change, &restored);
    /* What shows the options most, and the MAC not at all. */
    (void)verifies(&cookie, iss ^ (change & 0xff), &restored);
    return 0;
}

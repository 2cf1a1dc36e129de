/*
 * Every ACK there is, for one tuple: exactly 256 are cookies, one for each
 * cookie byte, and none lies within 4096 of another but by chance.
 *
 * Two minutes and more on one processor, so no part of the tests:
 * `make -C tests/c sweep`.  Argument: how many of the 2^32 to try (0: all).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/syncookie.h"

#define IRS 0x12345678u
#define NEAR 4096

static const uint8_t keys[2][SYNCACHE_KEY_BYTES] = {"an even epoch's",
                                                    "an odd epoch's_"};
static const struct syncache_tuple tuple = {.faddr = {192, 0, 2, 1},
                                            .laddr = {198, 51, 100, 7},
                                            .fport = 50000,
                                            .lport = 80,
                                            .family = 4};

static bool
is_cookie(uint32_t iss, enum syncache_layout layout)
{
    struct syncache_cookie_options options = {.rcv_wscale = 6};

    return syncookie_lookup(keys[syncookie_parity(iss)], &tuple, IRS, iss, 0,
                            layout, &options);
}

/* Returns the number of cookies found; `nearest` is the least distance. */
static unsigned
sweep(enum syncache_layout layout, uint64_t count, uint32_t *nearest)
{
    unsigned found = 0;
    uint32_t first = 0;
    uint32_t last = 0;

    *nearest = UINT32_MAX;
    for (uint64_t iss = 0; iss < count; iss++) {
        if (!is_cookie((uint32_t)iss, layout))
            continue;
        if (found++ == 0)
            first = (uint32_t)iss;
        else if ((uint32_t)iss - last < *nearest)
            *nearest = (uint32_t)iss - last;
        last = (uint32_t)iss;
    }
    if (found > 1 && first - last < *nearest)
        *nearest = first - last;
    return found;
}

int
main(int argc, char **argv)
{
    uint64_t all = UINT64_C(1) << 32;
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    uint32_t nearest;
    unsigned found;

    if (count == 0 || count > all)
        count = all;
    found = sweep(SYNCACHE_LAYOUT_WIDE, count, &nearest);
    printf("%" PRIu64 " numbers, %u cookies, the nearest two %" PRIu32
           " apart\n",
           count, found, nearest);
    return count == all && (found != 256 || nearest <= NEAR);
}

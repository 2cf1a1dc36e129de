/* What a hash costs alone: SipHash-2-4, and a cookie minted and checked. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define HASH_OPS 200000

struct hash_world {
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint8_t message[64];
    struct syncache_tuple tuple;
    uint32_t flavour;
};

enum hash_flavour { HASH_25, HASH_49, HASH_MINT, HASH_CHECK };

static void *
hash_make(const struct bench_case *self)
{
    struct hash_world *world = calloc(1, sizeof *world);
    uint64_t state = 1;

    if (world == NULL)
        bench_fail("no memory");
    bench_tuple(&state, &world->tuple);
    world->flavour = self->flavour;
    for (uint8_t i = 0; i < sizeof world->key; i++)
        world->key[i] = i;
    return world;
}

/* Each message begins with the hash before, so this is latency. */
static uint64_t
hash_siphash(struct hash_world *world, uint32_t ops, size_t size)
{
    uint64_t start = bench_ns();
    uint64_t hash = 0;

    for (uint32_t i = 0; i < ops; i++) {
        memcpy(world->message, &hash, sizeof hash);
        hash = syncache_siphash24(world->key, world->message, size);
    }
    bench_keep(hash);
    return bench_ns() - start;
}

static uint64_t
hash_cookie(struct hash_world *world, uint32_t ops, bool check)
{
    struct syncache_cookie_options options = {
        .mss = 1460, .wscale = 7, .sack_permitted = 1, .rcv_wscale = 6};
    uint64_t start = bench_ns();
    uint32_t iss = 0;

    for (uint32_t i = 0; i < ops; i++) {
        if (check)
            iss += syncache_cookie_check(world->key, &world->tuple, iss, i, 0,
                                         SYNCACHE_LAYOUT_WIDE, &options);
        else
            iss = syncache_cookie_mint(world->key, &world->tuple, iss, &options,
                                       0, 0, SYNCACHE_LAYOUT_WIDE);
    }
    bench_keep(iss);
    return bench_ns() - start;
}

static uint64_t
hash_run(void *world, uint32_t ops)
{
    struct hash_world *hash = world;

    switch ((enum hash_flavour)hash->flavour) {
    case HASH_25:
        return hash_siphash(hash, ops, 25);
    case HASH_49:
        return hash_siphash(hash, ops, 49);
    case HASH_MINT:
        return hash_cookie(hash, ops, false);
    case HASH_CHECK:
        return hash_cookie(hash, ops, true);
    }
    return 0;
}

#define HASH(case_name, case_flavour, case_what) \
    {.name = (case_name),                        \
     .what = (case_what),                        \
     .unit = "hash",                             \
     .ops = HASH_OPS,                            \
     .flavour = (case_flavour),                  \
     .burst = 1,                                 \
     .make = hash_make,                          \
     .run = hash_run,                            \
     .unmake = free}

static const struct bench_case cases[] = {
    HASH("siphash_25", HASH_25, "scalar SipHash-2-4 of 25 bytes, in a chain"),
    HASH("siphash_49", HASH_49, "scalar SipHash-2-4 of 49 bytes, in a chain"),
    HASH("cookie_mint", HASH_MINT, "a cookie from a tuple and its options"),
    HASH("cookie_check", HASH_CHECK, "a cookie under one key, not ours"),
};

const struct bench_group bench_hashes = BENCH_GROUP(cases);

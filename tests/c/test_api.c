/* Size, start, keys, endpoints, listing. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

static void
test_config_out_of_range_has_no_size(void)
{
    /* Each bound of syncache.h, one step beyond. */
    cache_defaults();
    const struct syncache_config good = config;
    EXPECT_TRUE(syncache_size(&good) > 0);
#define REFUSED(field, value)                 \
    do {                                      \
        config = good;                        \
        config.field = (value);               \
        EXPECT_EQ(0, syncache_size(&config)); \
    } while (0)
    REFUSED(struct_size, 4);
    REFUSED(hashsize, 0);
    REFUSED(hashsize, 500);
    REFUSED(hashsize, 2 * SYNCACHE_HASHSIZE_MAX);
    REFUSED(bucketlimit, 0);
    REFUSED(bucketlimit, SYNCACHE_BUCKETLIMIT_MAX + 1);
    REFUSED(cachelimit, 0);
    REFUSED(endpoint_max, 0);
    REFUSED(endpoint_max, SYNCACHE_ENDPOINT_MAX + 1);
    REFUSED(address_max, SYNCACHE_ADDRESS_MAX + 1);
    REFUSED(ts_hz, 0);
    REFUSED(ts_hz, 1000001);
}

static void
test_init_refuses_a_block_that_does_not_fit(void)
{
    /* Too small, not aligned, none. */
    cache_defaults();
    size_t size = syncache_size(&config);
    uint8_t *block = aligned_alloc(64, size + 64);
    EXPECT_TRUE(syncache_init(block, size - 1, &config, cache_seed) == NULL);
    EXPECT_TRUE(syncache_init(block + 8, size, &config, cache_seed) == NULL);
    EXPECT_TRUE(syncache_init(NULL, size, &config, cache_seed) == NULL);
    EXPECT_TRUE(syncache_init(block, size, &config, cache_seed) != NULL);
    config.hashsize = 15;
    EXPECT_TRUE(syncache_init(block, size, &config, cache_seed) == NULL);
    free(block);
}

static void
test_engine_runs_at_the_ends_of_every_size(void)
{
    /* One bucket of one, the deepest bucket, nothing optional. */
    static const uint32_t limits[] = {1, 29, 30, 31, SYNCACHE_BUCKETLIMIT_MAX};
    for (size_t i = 0; i < TEST_COUNT(limits); i++) {
        cache_defaults();
        config.hashsize = 1;
        config.bucketlimit = limits[i];
        config.cachelimit = limits[i];
        config.established_max = 0;
        config.replay_entries = 0;
        config.address_max = 0;
        config.md5_max = 0;
        config.endpoint_max = 1;
        cache_start();
        for (uint32_t peer = 1; peer <= limits[i] + 2; peer++)
            EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(peer));
        EXPECT_EQ(limits[i], syncache_count(cache));
        EXPECT_EQ(2, stats()->evicted);
        expect_balance();
    }
}

static void
test_entry_costs_at_most_72_bytes_at_the_default_limit(void)
{
    /* All metadata of buckets and timers included. */
    cache_defaults();
    config.hashsize = 512;
    config.cachelimit = 512 * 30;
    EXPECT_EQ(68333, syncache_entry_millibytes(&config));
    config.cachelimit /= 2;
    EXPECT_EQ(136666, syncache_entry_millibytes(&config));
    config.hashsize = SYNCACHE_HASHSIZE_MAX;
    config.bucketlimit = SYNCACHE_BUCKETLIMIT_MAX;
    config.cachelimit = UINT32_MAX;
#if SIZE_MAX > UINT32_MAX
    EXPECT_EQ(68275, syncache_entry_millibytes(&config));
    EXPECT_TRUE(syncache_size(&config) > UINT64_C(68000000000));
    config.cachelimit = 1;
    EXPECT_EQ(UINT32_MAX, syncache_entry_millibytes(&config));
#else
    EXPECT_EQ(0, syncache_entry_millibytes(&config));
    EXPECT_EQ(0, syncache_size(&config));
#endif
    config.hashsize = 500;
    EXPECT_EQ(0, syncache_entry_millibytes(&config));
}

static void
test_kinds_are_contiguous_and_complete(void)
{
    /* The order of the enum is what syncache_kind() relies on. */
    static const uint32_t expected[4] = {6, 3, 6, 0};
    uint32_t counts[4] = {0};
    for (uint32_t v = 0; v < SYNCACHE_VERDICT_COUNT; v++)
        counts[syncache_kind((enum syncache_verdict)v)]++;
    for (uint32_t kind = 0; kind < 3; kind++)
        EXPECT_EQ(expected[kind], counts[kind]);
    EXPECT_EQ(SYNCACHE_VERDICT_COUNT - 15, counts[SYNCACHE_DROP]);
    EXPECT_EQ(SYNCACHE_ACCEPT, syncache_kind(SYNCACHE_ACCEPT_FASTOPEN));
    EXPECT_EQ(SYNCACHE_REPLY, syncache_kind(SYNCACHE_REPLY_RST));
}

static void
test_same_seed_and_keys_give_the_same_answers(void)
{
    /* The engine is a function of its inputs; another seed changes it. */
    uint32_t iss[2];
    uint32_t tsval[2];
    for (int i = 0; i < 2; i++) {
        cache_defaults();
        cache_start();
        (void)send_syn(1);
        iss[i] = reply.seq;
        tsval[i] = reply_tsval();
    }
    EXPECT_EQ(iss[0], iss[1]);
    EXPECT_EQ(tsval[0], tsval[1]);
    static const uint8_t ts_key[16] = {1};
    syncache_set_ts_key(cache, ts_key);
    (void)send_syn(1);
    EXPECT_TRUE(reply_tsval() != tsval[0]);
}

static void
test_clock_of_timestamps_that_is_set_never_falls_back_for_a_connection(void)
{
    static const uint32_t bases[] = {5000, 0u - 5000};
    for (uint32_t i = 0; i < 2; i++) {
        cache_defaults();
        cache_start();
        (void)send_syn(1);
        uint32_t tsval = reply_tsval(), iss = reply.seq;
        syncache_set_ts_base(cache, bases[i]);
        (void)send_syn(2);
        now += 1;
        EXPECT_TRUE(SYNCACHE_ACCEPT == syncache_kind(send_ack(1, iss)));
        uint32_t clock = config.ts_base + (uint32_t)now;
        int32_t ahead = (int32_t)(result.conn.ts_offset + clock - (tsval + 1));
        EXPECT_EQ(i == 0 ? 5000 : 0, ahead);
        /* Two lifetimes later nobody can remember. */
        now += 2 * tunables.cookie_lifetime_ms + 1;
        (void)send_syn(3);
        tsval = reply_tsval();
        EXPECT_TRUE(SYNCACHE_ACCEPT == syncache_kind(send_ack(3, reply.seq)));
        clock = config.ts_base + (uint32_t)now;
        EXPECT_EQ(tsval, result.conn.ts_offset + clock);
    }
}

static void
test_epoch_moves_on_with_the_lifetime(void)
{
    /* And says when the next begins. */
    uint64_t next_ms;
    cache_defaults();
    cache_start();
    EXPECT_EQ(0, syncache_epoch(cache, now, &next_ms));
    EXPECT_EQ(now + 32000, next_ms);
    EXPECT_EQ(0, syncache_epoch(cache, next_ms - 1, &next_ms));
    EXPECT_EQ(3, syncache_epoch(cache, now + 96000, &next_ms));
    EXPECT_EQ(now + 128000, next_ms);
}

static void
test_walk_some_looks_at_few_buckets_and_ends_at_never(void)
{
    struct syncache_half_open out[3];
    uint64_t cursor = 0;
    uint32_t total = 0, steps = 0;

    cache_defaults();
    cache_start();
    for (uint32_t peer = 1; peer <= 40; peer++)
        (void)send_syn(peer);
    for (; cursor != SYNCACHE_NEVER && steps < 10000; steps++) {
        uint32_t got = syncache_walk_some(cache, &cursor, 8, out, 3);

        EXPECT_TRUE(got <= 3);
        total += got;
    }
    EXPECT_EQ(40, total);
    EXPECT_TRUE(steps >= config.hashsize / 8);
    EXPECT_EQ(0, syncache_walk_some(cache, &cursor, 8, out, 3));
    EXPECT_EQ(0, syncache_walk(cache, &cursor, out, 3));
}

static void
test_walk_lists_every_entry_once_in_any_portion(void)
{
    /* Statement 60. */
    struct syncache_half_open out[64];
    for (uint32_t portion = 1; portion <= 64; portion *= 4) {
        bool seen[41] = {false};
        uint64_t cursor = 0;
        uint32_t total = 0;
        uint32_t got;
        cache_defaults();
        cache_start();
        for (uint32_t peer = 1; peer <= 40; peer++)
            (void)send_syn(peer);
        now += 250;
        (void)syncache_epoch(cache, now, &(uint64_t){0});
        while ((got = syncache_walk(cache, &cursor, out, portion)) > 0) {
            total += got;
            for (uint32_t i = 0; i < got; i++) {
                uint32_t peer = out[i].irs / 1000;
                struct syncache_tuple tuple = peer_tuple(peer);
                EXPECT_TRUE(!seen[peer]);
                seen[peer] = true;
                EXPECT_BYTES((const uint8_t *)&tuple,
                             (const uint8_t *)&out[i].tuple, sizeof tuple);
                EXPECT_EQ(250, out[i].age_ms);
                EXPECT_EQ(11000, out[i].deadline_ms);
                EXPECT_EQ(1460, out[i].peer_mss);
                EXPECT_EQ(7, out[i].snd_wscale);
                EXPECT_EQ(6, out[i].rcv_wscale);
                EXPECT_EQ(1, out[i].sack_permitted);
                EXPECT_EQ(1, out[i].timestamps);
                EXPECT_EQ(1, out[i].rxmits);
                EXPECT_EQ(endpoint_number, out[i].endpoint);
            }
        }
        EXPECT_EQ(40, total);
    }
}

static void
test_rehash_purges_entries_and_keeps_known_tuples(void)
{
    /* Whoever is half open has a cookie; the established are looked up. */
    static const uint8_t seed[16] = {9};
    struct syncache_tuple tuple;
    cache_defaults();
    cache_start();
    (void)send_syn(1);
    uint32_t iss = reply.seq;
    for (uint32_t peer = 20; peer < 60; peer++) {
        tuple = peer_tuple(peer);
        EXPECT_TRUE(syncache_opened(cache, &tuple, peer));
    }
    syncache_rehash(cache, seed);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->purged);
    for (uint32_t peer = 20; peer < 60; peer++) {
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(peer, 5));
        EXPECT_EQ(peer, result.handle);
        tuple = peer_tuple(peer);
        syncache_closed(cache, &tuple);
    }
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
    expect_balance();
}

static void
test_md5_peer_must_sign_and_is_answered_signed(void)
{
    /* RFC 2385: unsigned with a key, signed without one. */
    static uint8_t options[20] = {19, 18};
    static const uint8_t key[] = "shared";
    struct syncache_tuple tuple = peer_tuple(1);
    struct seg seg = {.peer = 1,
                      .flags = SYN,
                      .seq = 5,
                      .options = options,
                      .options_size = 20};
    cache_defaults();
    cache_start();
    options[18] = 1;
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_seg(seg));
    EXPECT_TRUE(syncache_md5_key(cache, endpoint_number, 4, tuple.faddr, key,
                                 sizeof key));
    EXPECT_TRUE(
        !syncache_md5_key(cache, endpoint_number, 4, tuple.faddr, key, 0));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_syn(1));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_seg(seg));
    for (int step = 0; step < 2; step++) {
        uint32_t size = seg_build(&seg, cache_packet);
        uint8_t *tcp = cache_packet + 20;
        wire_md5(&tuple, true, tcp, size - 20, key, sizeof key, options + 2);
        EXPECT_EQ(step == 0 ? SYNCACHE_REPLY_SYN_ACK : SYNCACHE_ACCEPT_CACHE,
                  send_seg(seg));
        if (step == 0) {
            uint8_t digest[16];
            wire_md5(&tuple, false, result.reply + 20, result.reply_size - 20,
                     key, sizeof key, digest);
            EXPECT_BYTES(digest, reply_option(19), 16);
        }
        seg.flags = ACK;
        seg.seq = 6;
        seg.ack = reply.seq + 1;
    }
    EXPECT_EQ(1, result.conn.md5);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(2));
}

static void
test_listen_refuses_a_place_that_is_taken(void)
{
    /* And more endpoints than endpoint_max. */
    uint32_t number;
    cache_defaults();
    cache_start();
    EXPECT_TRUE(!syncache_listen(cache, &endpoint, &number));
    for (uint16_t port = 81; port < 84; port++) {
        endpoint.lport = port;
        EXPECT_TRUE(syncache_listen(cache, &endpoint, &number));
    }
    endpoint.lport = 84;
    EXPECT_TRUE(!syncache_listen(cache, &endpoint, &number));
}

static void
test_family_that_is_none_is_refused_by_every_call(void)
{
    /* AF_INET and AF_INET6 are other numbers, and so is 0. */
    static const uint8_t none[] = {0, 2, 5, 10, 30, 255};
    uint8_t address[16] = {192, 0, 2, 1}, segment[20] = {0}, syn[128];
    struct syncache_numbers numbers = {0};
    uint32_t number;

    cache_defaults();
    config.established_max = 8;
    config.address_max = config.md5_max = 4;
    cache_start();
    for (size_t i = 0; i < sizeof none; i++) {
        struct syncache_conn conn = {.tuple.family = none[i]};
        const struct syncache_stats *stats = syncache_statistics(cache);
        uint64_t before = stats->verdicts[SYNCACHE_DROP_IP_HEADER];

        EXPECT_EQ(SYNCACHE_DROP_IP_HEADER,
                  syncache_segment(cache, now, none[i], address, address, 0,
                                   segment, sizeof segment, 0, 1, &result));
        EXPECT_EQ(before + 1, stats->verdicts[SYNCACHE_DROP_IP_HEADER]);
        EXPECT_EQ(0, result.reply_size);
        endpoint.family = none[i];
        endpoint.lport = 81;
        EXPECT_TRUE(none[i] == 0 ||
                    !syncache_listen(cache, &endpoint, &number));
        EXPECT_TRUE(!syncache_address(cache, none[i], address));
        EXPECT_TRUE(!syncache_md5_key(cache, 0, none[i], address, segment, 4));
        EXPECT_TRUE(!syncache_opened(cache, &conn.tuple, 1));
        EXPECT_TRUE(!syncache_guard(cache, &conn.tuple, &numbers));
        syncache_closed(cache, &conn.tuple);
        syncache_unreach(cache, now, &conn.tuple, 1);
        syncache_unsent(cache, &conn.tuple, 1);
        syncache_accepted(cache, &conn, 1, true);
        EXPECT_EQ(0, stats->accepts + stats->sc_dropped);
        EXPECT_EQ(0, syncache_syn_packet(&conn, syn));
        EXPECT_EQ(0, syncache_syn_segment(&conn, syn));
    }
}

static void
test_endpoint_that_is_none_changes_nothing(void)
{
    /* Its number would be one beyond the memory. */
    static const uint32_t none[] = {4, 1000, UINT32_MAX};
    struct syncache_conn conn = {.tuple.family = 4,
                                 .via = SYNCACHE_VIA_FASTOPEN};
    uint8_t key[16] = {1};

    cache_defaults();
    config.established_max = 0;
    config.md5_max = 4;
    cache_start();
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        syncache_unlisten(cache, none[i]);
        EXPECT_TRUE(!syncache_md5_key(cache, none[i], 4, key, key, 16));
        conn.endpoint = none[i];
        syncache_accepted(cache, &conn, 1, true);
        syncache_accepted(cache, &conn, 1, false);
    }
    EXPECT_EQ(0, syncache_statistics(cache)->accepts);
    EXPECT_EQ(0, syncache_statistics(cache)->listendrop);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(2));
}

static void
test_key_is_due_until_the_epoch_in_force_has_one(void)
{
    uint64_t epoch = 99;
    uint64_t next_ms;
    uint8_t key[16] = {1};

    cache_defaults();
    cache_start_keyless();
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_TRUE(syncache_key_due(cache, now, &epoch));
        EXPECT_EQ(i, epoch);
        syncache_set_key(cache, epoch, key);
        EXPECT_TRUE(!syncache_key_due(cache, now, &epoch));
        (void)syncache_epoch(cache, now, &next_ms);
        EXPECT_TRUE(syncache_next_deadline(cache) <= next_ms);
        now = next_ms;
    }
}

static const struct test tests[] = {
    TEST(test_config_out_of_range_has_no_size),
    TEST(test_init_refuses_a_block_that_does_not_fit),
    TEST(test_engine_runs_at_the_ends_of_every_size),
    TEST(test_entry_costs_at_most_72_bytes_at_the_default_limit),
    TEST(test_kinds_are_contiguous_and_complete),
    TEST(test_same_seed_and_keys_give_the_same_answers),
    TEST(
        test_clock_of_timestamps_that_is_set_never_falls_back_for_a_connection),
    TEST(test_epoch_moves_on_with_the_lifetime),
    TEST(test_walk_some_looks_at_few_buckets_and_ends_at_never),
    TEST(test_walk_lists_every_entry_once_in_any_portion),
    TEST(test_rehash_purges_entries_and_keeps_known_tuples),
    TEST(test_md5_peer_must_sign_and_is_answered_signed),
    TEST(test_listen_refuses_a_place_that_is_taken),
    TEST(test_family_that_is_none_is_refused_by_every_call),
    TEST(test_endpoint_that_is_none_changes_nothing),
    TEST(test_key_is_due_until_the_epoch_in_force_has_one),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

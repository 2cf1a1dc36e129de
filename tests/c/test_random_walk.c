/*
 * A long random walk over the whole API: whatever packets, times, answers and
 * tunables come, no assert and no sanitizer speaks, each packet counts one
 * verdict, and the entries add up.
 */
#include "cache.h"

#define WALK_STEPS 60000
#define WALK_PEERS 40

static uint32_t iss[WALK_PEERS];
static uint64_t packets;
static uint32_t unanswered;
static struct syncache_conn offered[8];

static uint64_t
below(uint64_t limit)
{
    return test_random_below(limit);
}

/* Tunables of any legal kind; half of the walks keep the defaults. */
static void
random_tunables(void)
{
    syncache_tunables_default(&tunables);
    if (below(2) == 0)
        return;
    tunables.syncookies = (uint32_t)below(2);
    tunables.syncookies_only = below(5) == 0;
    tunables.rexmtlimit = (uint32_t)below(13);
    tunables.rst_on_sock_fail = (uint32_t)below(2);
    tunables.ecn_enable = (uint32_t)below(5);
    tunables.rfc1323 = (uint32_t)below(4);
    tunables.maxsockbuf = 1 + (uint32_t)below(1 << 30);
    tunables.ack_war_cnt = (uint32_t)below(8);
    tunables.blackhole = (uint32_t)below(4);
    tunables.fastopen_server_enable = (uint32_t)below(2);
    tunables.pause_policy = (uint32_t)below(3);
    tunables.cookie_gate = (uint32_t)below(3);
    tunables.offer_timeout_ms = (uint32_t)below(3) * 500;
    tunables.dupsyn_limit = (uint32_t)below(4);
    tunables.cookie_ts = (uint32_t)below(4);
    tunables.cookie_layout = (uint32_t)below(3);
    tunables.rexmit_rate = (uint32_t)below(3);
    tunables.failcookie_rst = (uint32_t)below(2);
    tunables.overflow = below(6) == 0;
    tunables.tolerate_missing_ts = (uint32_t)below(2);
    tunables.clock_skew_ms = (uint32_t)below(501);
    tunables.cookie_lifetime_ms = 1000 + (uint32_t)below(40000);
}

static void
start_walk(void)
{
    cache_defaults();
    config.hashsize = 1u << below(4);
    config.bucketlimit = 1 + (uint32_t)below(6);
    config.cachelimit = 1 + (uint32_t)below(30);
    config.established_max = (uint32_t)below(3) * 5;
    config.replay_entries = (uint32_t)below(2) * 8;
    family = below(2) == 0 ? 4 : 6;
    now = test_random() >> below(64);
    random_tunables();
    endpoint.fastopen = (uint32_t)below(3);
    endpoint.rcv_wnd = (uint32_t)below(2) * 65536;
    cache_start();
    packets = 0;
    unanswered = 0;
}

/* Any segment; numbers are often right. */
static void
step_segment(void)
{
    static uint8_t fastopen[16] = {2, 4, 5, 180, 34, 10};
    uint32_t peer = 1 + (uint32_t)below(WALK_PEERS - 1);
    struct seg seg = {.peer = peer,
                      .flags = below(3) == 0   ? (uint16_t)below(512)
                               : below(2) == 0 ? SYN
                                               : ACK,
                      .seq = peer_irs(peer) + (uint32_t)below(3) - 1,
                      .payload_size = (uint32_t)below(3) * 5,
                      .dport = (uint16_t)(below(20) == 0 ? 81 : 80)};
    if (seg.flags & (ACK | RST))
        seg.seq = peer_irs(peer) + 1 + (uint32_t)(below(5) == 0);
    if (seg.flags & ACK)
        seg.ack = iss[peer] + 1 + (uint32_t)(below(6) == 0);
    if (below(2) == 0) {
        seg.options = syn_options((uint32_t)test_random());
        seg.options_size = 20;
    } else if (below(4) == 0) {
        test_random_bytes(fastopen + 6, 8);
        seg.options = fastopen;
        seg.options_size = 16;
    }
    uint32_t size = seg_build(&seg, cache_packet);
    if (below(10) == 0)
        cache_packet[below(size)] ^= (uint8_t)test_random();
    enum syncache_verdict verdict = send_packet(cache_packet, size);
    packets++;
    if ((reply.flags & (SYN | ACK)) == (SYN | ACK))
        iss[peer] = reply.seq;
    if (syncache_kind(verdict) != SYNCACHE_ACCEPT)
        return;
    if (unanswered < TEST_COUNT(offered))
        offered[unanswered++] = result.conn;
}

static void
step_answer(void)
{
    struct syncache_tuple tuple = peer_tuple(1 + (uint32_t)below(40));
    if (unanswered > 0) {
        unanswered--;
        syncache_accepted(cache, &offered[unanswered], 3, below(3) > 0);
        tuple = offered[unanswered].tuple;
    }
    switch (below(5)) {
    case 0:
        syncache_closed(cache, &tuple);
        break;
    case 1:
        (void)syncache_opened(cache, &tuple, 9);
        break;
    case 2:
        syncache_unreach(cache, now, &tuple, iss[tuple.fport % WALK_PEERS]);
        break;
    default:
        break;
    }
}

static void
step_time(void)
{
    static const uint64_t steps[] = {0, 1, 100, 1000, 16000, 70000, 300000};
    now += below(steps[below(TEST_COUNT(steps))] + 1);
    ring_reset(&tx, 1 + (uint32_t)below(4));
    (void)syncache_poll(cache, now, &tx.ring);
    if (below(2) == 0)
        cache_keys();
}

static void
step_rare(void)
{
    uint8_t seed[16];
    switch (below(5)) {
    case 0:
        test_random_bytes(seed, sizeof seed);
        syncache_rehash(cache, seed);
        break;
    case 1:
        random_tunables();
        cache_tune();
        break;
    case 2:
        syncache_unlisten(cache, endpoint_number);
        endpoint.rcv_wscale = (uint8_t)below(15);
        EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
        break;
    default:
        syncache_unlisten(cache, endpoint_number);
        step_segment();
        step_time();
        EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
        break;
    }
}

static void
expect_consistent(void)
{
    uint64_t verdicts = 0;
    uint64_t held = 0;
    uint64_t listed = 0;
    uint64_t cursor = 0;
    struct syncache_half_open out[7];
    for (size_t i = 0; i < SYNCACHE_VERDICT_COUNT; i++)
        verdicts += stats()->verdicts[i];
    EXPECT_EQ(packets, verdicts);
    for (uint32_t i = 0; i < config.hashsize; i++)
        held += table_bucket_count(&cache->table, i);
    for (uint32_t got; (got = syncache_walk(cache, &cursor, out, 7)) > 0;)
        listed += got;
    EXPECT_EQ(syncache_count(cache), held);
    EXPECT_EQ(syncache_count(cache), listed);
    EXPECT_TRUE(held <= config.cachelimit);
    uint64_t named = 0;
    for (uint32_t i = 0; i < config.endpoint_max; i++)
        named += cache->endpoints.slots[i].entries;
    EXPECT_EQ(held, named);
}

static void
test_random_walk_keeps_the_engine_consistent(void)
{
    /* About two hundred engines of all shapes. */
    for (uint32_t step = 0; step < WALK_STEPS; step++) {
        if (step % 300 == 0)
            start_walk();
        uint64_t choice = below(100);
        if (choice < 75)
            step_segment();
        else if (choice < 87)
            step_answer();
        else if (choice < 99)
            step_time();
        else
            step_rare();
        if (step % 30 == 0)
            expect_consistent();
        if (test_failures > 0)
            return;
    }
}

static const struct test tests[] = {
    TEST(test_random_walk_keeps_the_engine_consistent),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

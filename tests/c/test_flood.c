/*
 * Floods: runs of SYNs in bursts against the same SYNs one by one, in a second
 * engine.  Replies, verdicts, counters and entries are equal after every burst.
 */
#include "cache.h"

#define BURSTS 300
#define LINK_MAX 22

static struct syncache *twin;
static struct cache_ring rx;
static struct syncache_result single[CACHE_RING_SLOTS];
static enum syncache_verdict verdicts[CACHE_RING_SLOTS];
static uint32_t peers;
static uint32_t closed;

static uint32_t
pick(uint32_t below)
{
    return (uint32_t)test_random_below(below);
}

static void
listen_both(uint16_t port, uint32_t *number)
{
    struct syncache_endpoint chosen = endpoint;

    chosen.lport = port;
    EXPECT_TRUE(syncache_listen(cache, &chosen, number));
    EXPECT_TRUE(syncache_listen(twin, &chosen, number));
}

static void
start_both(void)
{
    uint32_t number;

    free(twin);
    cache_start();
    twin = cache;
    cache = NULL;
    cache_start();
    listen_both(81, &number);
    listen_both(82, &closed);
}

static void
key_both(void)
{
    struct syncache *first = cache;

    cache_keys();
    cache = twin;
    cache_keys();
    cache = first;
}

/* A SYN of one of the peers, at times without options, at times no SYN. */
static uint32_t
flood_packet(uint8_t *packet)
{
    struct seg seg = {.peer = 1 + pick(peers),
                      .flags = SYN,
                      .options = syn_options((uint32_t)test_random()),
                      .options_size = pick(20) == 0 ? 4 : 20,
                      .dport = (uint16_t)(80 + pick(3)),
                      .sport = (uint16_t)(1000 + pick(3))};

    seg.seq = peer_irs(seg.peer) + (pick(30) == 0);
    if (pick(40) == 0)
        seg.flags = (uint16_t)(pick(2) ? ACK : RST);
    family = pick(4) == 0 ? 6 : 4;
    uint32_t size = seg_build(&seg, packet);
    if (pick(60) == 0)
        packet[pick(size)] ^= (uint8_t)(1 << pick(8));
    return size;
}

static void
push_flood(uint32_t count)
{
    ring_reset(&rx, CACHE_RING_SLOTS);
    for (uint32_t i = 0; i < count; i++) {
        static const uint16_t sizes[] = {0, 0, 14, 18, LINK_MAX};
        uint16_t link_size = sizes[pick(5)];
        uint8_t *slot = rx.memory + i * CACHE_RING_SLOT_SIZE;
        memset(slot, (int)i, LINK_MAX);
        uint32_t size = flood_packet(slot + link_size);
        rx.slot[i] = (struct syncache_slot){
            .size = size, .link_size = link_size, .checksum = (uint8_t)pick(3)};
        rx.ring.count++;
    }
}

static void
take_one_by_one(void)
{
    for (uint32_t i = 0; i < rx.ring.count; i++)
        verdicts[i] = syncache_packet(
            cache, now,
            rx.memory + i * CACHE_RING_SLOT_SIZE + rx.slot[i].link_size,
            rx.slot[i].size, rx.slot[i].checksum, &single[i]);
}

static void
expect_replies(uint32_t from, uint32_t end)
{
    uint32_t k = 0;

    for (uint32_t i = from; i < end; i++) {
        EXPECT_EQ(verdicts[i], rx.slot[i].verdict);
        if (single[i].reply_size == 0)
            continue;
        uint8_t *slot = tx.memory + k * CACHE_RING_SLOT_SIZE;
        EXPECT_EQ(i, tx.slot[k].request);
        EXPECT_EQ(single[i].reply_size, tx.slot[k].size);
        EXPECT_EQ(rx.slot[i].link_size, tx.slot[k].link_size);
        EXPECT_BYTES(rx.memory + i * CACHE_RING_SLOT_SIZE, slot,
                     tx.slot[k].link_size);
        EXPECT_BYTES(single[i].reply, slot + tx.slot[k].link_size,
                     tx.slot[k].size);
        k++;
    }
    EXPECT_EQ(k, tx.ring.count);
}

static void
take_in_bursts(uint32_t tx_slots)
{
    while (rx.ring.next < rx.ring.count) {
        uint32_t from = rx.ring.next;

        ring_reset(&tx, tx_slots);
        uint32_t done = syncache_burst(twin, now, &rx.ring, &tx.ring);
        EXPECT_TRUE(done > 0);
        EXPECT_TRUE(tx.ring.count <= tx_slots);
        if (done == 0)
            return;
        expect_replies(from, from + done);
    }
}

static void
expect_both_equal(void)
{
    struct syncache_half_open mine[64], other[64];
    uint64_t cursor = 0, twin_cursor = 0;
    uint32_t count;

    EXPECT_BYTES((const uint8_t *)syncache_statistics(cache),
                 (const uint8_t *)syncache_statistics(twin),
                 sizeof(struct syncache_stats));
    EXPECT_EQ(syncache_paused(cache), syncache_paused(twin));
    EXPECT_EQ(syncache_next_deadline(cache), syncache_next_deadline(twin));
    do {
        count = syncache_walk(cache, &cursor, mine, 64);
        EXPECT_EQ(count, syncache_walk(twin, &twin_cursor, other, 64));
        EXPECT_BYTES((const uint8_t *)mine, (const uint8_t *)other,
                     count * sizeof mine[0]);
    } while (count > 0);
}

static void
run_flood(void)
{
    for (uint32_t burst = 0; burst < BURSTS; burst++) {
        push_flood(1 + pick(CACHE_RING_SLOTS));
        take_one_by_one();
        take_in_bursts(pick(4) == 0 ? 5 : CACHE_RING_SLOTS);
        expect_both_equal();
        now += pick(10) == 0 ? pick(3000) : pick(3);
        key_both();
    }
}

static void
test_flood_over_a_full_table_evicts_the_same_entries(void)
{
    /* More peers than entries: almost every SYN makes room for itself. */
    cache_defaults();
    config.hashsize = 4;
    config.bucketlimit = 7;
    config.cachelimit = 28;
    peers = 200;
    start_both();
    run_flood();
    EXPECT_TRUE(stats()->evicted > 1000);
}

static void
test_flood_of_few_peers_meets_its_own_entries(void)
{
    /* Duplicates cut the runs short. */
    cache_defaults();
    peers = 15;
    start_both();
    run_flood();
    EXPECT_TRUE(stats()->sc_dupsyn > 1000);
}

static void
test_flood_at_the_limit_of_the_cache(void)
{
    /* cachelimit is reached before the buckets are full. */
    cache_defaults();
    config.cachelimit = 40;
    peers = 200;
    start_both();
    run_flood();
    EXPECT_TRUE(stats()->sc_cacheoverflow > 0);
}

static void
test_flood_through_pauses_of_either_policy(void)
{
    /* Pauses begin and end between bursts, or in the middle of one. */
    for (uint32_t policy = 0; policy < 3; policy++) {
        cache_defaults();
        config.hashsize = 2;
        config.bucketlimit = 5;
        config.cachelimit = 10;
        tunables.pause_policy = policy;
        peers = 100;
        start_both();
        run_flood();
        EXPECT_EQ(policy == SYNCACHE_PAUSE_NONE, stats()->pauses == 0);
    }
}

static void
test_flood_answered_by_cookies_alone(void)
{
    /* Nothing is looked up; then a known tuple makes it necessary. */
    struct syncache_tuple tuple;

    cache_defaults();
    tunables.syncookies_only = 1;
    peers = 50;
    start_both();
    run_flood();
    family = 4;
    tuple = peer_tuple(3);
    tuple.fport = 1001;
    EXPECT_TRUE(syncache_opened(cache, &tuple, 5));
    EXPECT_TRUE(syncache_opened(twin, &tuple, 5));
    run_flood();
    EXPECT_TRUE(stats()->verdicts[SYNCACHE_PASS_KNOWN] > 0);
    EXPECT_EQ(0, stats()->sc_added);
}

static void
test_flood_turns_away_where_nothing_is_evicted(void)
{
    /* overflow drop-new, and buckets larger than a line of tags. */
    for (uint32_t large = 0; large < 2; large++) {
        cache_defaults();
        config.hashsize = 2;
        config.bucketlimit = large ? 40 : 6;
        config.cachelimit = 2 * config.bucketlimit;
        tunables.overflow =
            large ? SYNCACHE_OVERFLOW_EVICT : SYNCACHE_OVERFLOW_DROP_NEW;
        peers = 300;
        start_both();
        run_flood();
    }
}

static void
test_flood_evicts_entries_of_a_closed_endpoint(void)
{
    /* Its slot is freed with the last of them, in a run too. */
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 12;
    config.cachelimit = 12;
    peers = 100;
    start_both();
    for (uint32_t round = 0; round < 20; round++) {
        push_flood(CACHE_RING_SLOTS);
        take_one_by_one();
        take_in_bursts(CACHE_RING_SLOTS);
        syncache_unlisten(cache, closed);
        syncache_unlisten(twin, closed);
        push_flood(CACHE_RING_SLOTS);
        take_one_by_one();
        take_in_bursts(CACHE_RING_SLOTS);
        expect_both_equal();
        listen_both(82, &closed);
    }
}

static const struct test tests[] = {
    TEST(test_flood_over_a_full_table_evicts_the_same_entries),
    TEST(test_flood_of_few_peers_meets_its_own_entries),
    TEST(test_flood_at_the_limit_of_the_cache),
    TEST(test_flood_through_pauses_of_either_policy),
    TEST(test_flood_answered_by_cookies_alone),
    TEST(test_flood_turns_away_where_nothing_is_evicted),
    TEST(test_flood_evicts_entries_of_a_closed_endpoint),
};

int
main(int argc, char **argv)
{
    int status = test_main(argc, argv, tests, TEST_COUNT(tests));

    free(twin);
    cache_stop();
    return status;
}

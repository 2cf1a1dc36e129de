/*
 * The short way of a SYN and the long way end in the same place.  Packets go by
 * syncache_packet(), which knows the short way, into one engine, and by
 * syncache_segment(), which does not, into its twin.
 */
#include "cache.h"

#define STEPS 6000

static struct syncache *twin;
static struct syncache_result twin_result;
static uint32_t listeners;

static uint32_t
pick(uint32_t below)
{
    return (uint32_t)test_random_below(below);
}

/* Into the engine that is called `cache` at the time. */
static void
listen_on(uint16_t port, uint8_t rcv_wscale, uint16_t mtu)
{
    uint32_t number;

    endpoint.lport = port;
    endpoint.rcv_wscale = rcv_wscale;
    endpoint.mtu = mtu;
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &number));
}

static void
start_one(void)
{
    config.endpoint_max = 40;
    endpoint.lport = CACHE_PORT;
    endpoint.rcv_wscale = SYNCACHE_WSCALE_NONE;
    endpoint.mtu = 1500;
    cache_start();
    for (uint32_t i = 0; i < listeners; i++)
        listen_on((uint16_t)(81 + i), (uint8_t)(i % 15),
                  (uint16_t)(1000 + 100 * i));
}

static void
start_twins(void)
{
    free(twin);
    start_one();
    twin = cache;
    cache = NULL;
    start_one();
}

/* Settings of both engines from here on. */
static void
tune_twins(void)
{
    struct syncache *first = cache;

    cache_tune();
    cache = twin;
    cache_tune();
    cache = first;
}

static void
key_twins(void)
{
    struct syncache *first = cache;

    cache_keys();
    cache = twin;
    cache_keys();
    cache = first;
}

/* A SYN with Linux's options and chance values in them; sometimes spoiled. */
static uint32_t
linux_syn(uint8_t *packet, uint32_t *header)
{
    static const uint16_t mss[] = {0, 1, 215, 216, 536, 1459, 1460, 65535};
    uint8_t options[20];
    uint16_t value = pick(2) ? mss[pick(8)] : (uint16_t)test_random();
    struct seg seg = {.peer = 1 + pick(60),
                      .flags = SYN,
                      .seq = (uint32_t)test_random(),
                      .options = options,
                      .options_size = 20,
                      .window = (uint16_t)test_random(),
                      .tos = (uint8_t)test_random(),
                      .dport = (uint16_t)(80 + pick(listeners + 2))};

    memcpy(options, syn_options((uint32_t)test_random()), 20);
    store16_be(options + 2, value);
    options[19] = (uint8_t)pick(17);
    if (pick(8) == 0)
        seg.sport = (uint16_t)(80 + pick(3));
    family = pick(2) ? 6 : 4;
    *header = family == 6 ? 40 : 20;
    uint32_t size = seg_build(&seg, packet);
    if (pick(10) == 0)
        packet[*header + pick(size - *header)] ^= (uint8_t)(1 << pick(8));
    return size;
}

/* Sends a packet both ways; all that comes of it is equal. */
static enum syncache_verdict
send_both(const uint8_t *packet, uint32_t size, uint32_t header)
{
    uint32_t checksum = pick(3);
    uint8_t faddr[16] = {0}, laddr[16] = {0};
    uint32_t address_size = header == 40 ? 16 : 4;
    uint8_t *copy = test_heap_copy(packet, size);
    uint32_t tos = header == 40 ? load16_be(packet) >> 4 & 255u : packet[1];
    uint32_t data = (packet[header + 12] >> 4) * 4u;

    memcpy(faddr, packet + (header == 40 ? 8 : 12), address_size);
    memcpy(laddr, packet + (header == 40 ? 24 : 16), address_size);
    memset(&result, 0xa5, sizeof result);
    memset(&twin_result, 0xa5, sizeof twin_result);
    enum syncache_verdict verdict =
        syncache_packet(cache, now, copy, size, checksum, &result);
    uint32_t rest = size - header;
    EXPECT_EQ(verdict, syncache_segment(twin, now, header == 40 ? 6 : 4, faddr,
                                        laddr, (uint8_t)tos, copy + header,
                                        rest, data < rest ? rest - data : 0,
                                        checksum, &twin_result));
    free(copy);
    EXPECT_EQ(twin_result.reply_size, result.reply_size);
    EXPECT_EQ(twin_result.handle, result.handle);
    EXPECT_BYTES(twin_result.reply, result.reply, twin_result.reply_size);
    return verdict;
}

static void
expect_twins_equal(void)
{
    struct syncache_half_open mine[64], other[64];
    uint64_t cursor = 0, twin_cursor = 0;
    uint32_t count;

    EXPECT_BYTES((const uint8_t *)syncache_statistics(twin),
                 (const uint8_t *)syncache_statistics(cache),
                 sizeof(struct syncache_stats));
    do {
        count = syncache_walk(cache, &cursor, mine, 64);
        EXPECT_EQ(count, syncache_walk(twin, &twin_cursor, other, 64));
        EXPECT_BYTES((const uint8_t *)other, (const uint8_t *)mine,
                     count * sizeof mine[0]);
    } while (count > 0);
}

static void
run_twins(void)
{
    uint64_t syns = 0;

    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t header;
        uint32_t size = linux_syn(cache_packet, &header);
        enum syncache_verdict verdict = send_both(cache_packet, size, header);
        syns += verdict == SYNCACHE_REPLY_SYN_ACK ||
                verdict == SYNCACHE_REPLY_SYN_COOKIE;
        if (step % 50 == 49) {
            now += pick(700);
            key_twins();
        }
        if (step % 500 == 499)
            expect_twins_equal();
    }
    EXPECT_TRUE(syns > STEPS / 4);
}

static void
test_short_way_equals_the_long_way(void)
{
    /* Stored with evictions, cookies alone, pauses of the bucket policy. */
    for (uint32_t mode = 0; mode < 4; mode++) {
        cache_defaults();
        listeners = 3;
        config.hashsize = 4;
        config.bucketlimit = 5;
        config.cachelimit = mode == 3 ? 12 : 20;
        tunables.syncookies_only = mode == 1;
        tunables.pause_policy =
            mode == 2 ? SYNCACHE_PAUSE_BUCKET : SYNCACHE_PAUSE_AGE;
        start_twins();
        run_twins();
    }
}

static void
test_short_way_follows_every_tunable(void)
{
    /* What the template depends on changes in between. */
    cache_defaults();
    listeners = 2;
    start_twins();
    for (uint32_t round = 0; round < 40; round++) {
        tunables.rfc1323 = pick(2) ? 1 : pick(4);
        tunables.sack_enable = pick(4) != 0;
        tunables.cookie_layout = pick(3);
        tunables.secmod = test_random();
        tunables.ts_offset_per_conn = pick(2);
        tunables.path_mtu_discovery = pick(2);
        tunables.maxsockbuf = 1u << pick(30);
        tunables.minmss = 48 + pick(400);
        tunables.syncookies = pick(4) != 0;
        tunables.syncookies_only = pick(2);
        tunables.ecn_enable = pick(5);
        tunables.overflow = pick(2);
        tune_twins();
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t header;
            uint32_t size = linux_syn(cache_packet, &header);
            (void)send_both(cache_packet, size, header);
        }
        now += 1000;
        key_twins();
        expect_twins_equal();
    }
}

static void
test_short_way_serves_more_endpoints_than_templates(void)
{
    /* Those that find no place for a template go the long way. */
    cache_defaults();
    listeners = 39;
    start_twins();
    run_twins();
    expect_twins_equal();
}

static void
test_short_way_is_left_for_a_signed_endpoint(void)
{
    /* A key for a peer: its unsigned SYN is refused from then on. */
    uint8_t faddr[16];

    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    peer_address(2, faddr);
    EXPECT_TRUE(
        syncache_md5_key(cache, endpoint_number, 4, faddr, cache_seed, 16));
    EXPECT_EQ(SYNCACHE_DROP_MD5, send_syn(2));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
}

static void
test_short_way_ends_with_its_endpoint(void)
{
    /* Closed, nobody listens; opened anew, its new settings count. */
    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    syncache_unlisten(cache, endpoint_number);
    EXPECT_EQ(SYNCACHE_PASS_NOT_OURS, send_syn(2));
    endpoint.hop_limit = 33;
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(3));
    EXPECT_EQ(33, reply.hop_limit);
}

static void
test_short_way_knows_the_tuples_of_connections(void)
{
    /* A SYN of a known tuple is the stack's. */
    struct syncache_tuple tuple;

    cache_defaults();
    cache_start();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    tuple = peer_tuple(2);
    EXPECT_TRUE(syncache_opened(cache, &tuple, 9));
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_syn(2));
    EXPECT_EQ(9, result.handle);
}

static void
test_short_way_tells_addresses_apart_by_each_of_their_bytes(void)
{
    /* A SYN to one, remembered, and then one to its neighbour. */
    for (uint32_t byte = 0; byte < 16; byte++) {
        static const uint32_t windows[] = {8192, 4096};
        uint32_t number;

        cache_defaults();
        family = 6;
        endpoint.family = 6;
        own_address(endpoint.laddr);
        endpoint.rcv_wnd = windows[0];
        cache_start();
        endpoint.laddr[byte] ^= 1;
        endpoint.rcv_wnd = windows[1];
        EXPECT_TRUE(syncache_listen(cache, &endpoint, &number));
        for (uint32_t i = 0; i < 4; i++) {
            struct seg seg = {.peer = 1 + i,
                              .flags = SYN,
                              .options = syn_options(1),
                              .options_size = 20};
            uint32_t size = seg_build(&seg, cache_packet);

            cache_packet[24 + byte] ^= i & 1;
            (void)syncache_packet(cache, now, cache_packet, size,
                                  SYNCACHE_CHECKSUM_VALID, &result);
            reply_read(result.reply, result.reply_size);
            EXPECT_EQ(windows[i & 1], reply.window);
        }
    }
    family = 4;
}

static const struct test tests[] = {
    TEST(test_short_way_equals_the_long_way),
    TEST(test_short_way_follows_every_tunable),
    TEST(test_short_way_serves_more_endpoints_than_templates),
    TEST(test_short_way_is_left_for_a_signed_endpoint),
    TEST(test_short_way_ends_with_its_endpoint),
    TEST(test_short_way_knows_the_tuples_of_connections),
    TEST(test_short_way_tells_addresses_apart_by_each_of_their_bytes),
};

int
main(int argc, char **argv)
{
    int status = test_main(argc, argv, tests, TEST_COUNT(tests));

    free(twin);
    cache_stop();
    return status;
}

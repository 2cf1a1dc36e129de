/* The engine of a stack that looks up its listeners itself: clock, keys, ports,
 * and the calls in their order. */
#include "../../csrc/syncache_host.h"
#include "cache.h"

static _Alignas(64) uint8_t block[32768];
static struct syncache_front front;
static uint32_t clock_ms;
static uint32_t drawn;

static void
draw(void *bytes, size_t size)
{
    memset(bytes, (int)++drawn, size);
}

static void
start(uint32_t now_ms)
{
    drawn = 0;
    clock_ms = now_ms;
    front = (struct syncache_front){
        .endpoint = {.options = SYNCACHE_OPTIONS_ALL,
                     .hop_limit = 64,
                     .rcv_wnd = 65535,
                     .rcv_wscale = SYNCACHE_WSCALE_NONE,
                     .mtu = 1500},
        .entropy = draw,
        /* What was in the memory before does not count. */
        .connecting = (const struct syncache_conn *)(const void *)block,
        .mss_least = 48,
        .clock = {.now_ms = UINT64_C(1) << 40, .started = true},
    };
    EXPECT_TRUE(syncache_front_init(&front, clock_ms, block, sizeof block));
    cache = front.cache;
    EXPECT_EQ(now_ms, front.clock.now_ms);
    EXPECT_TRUE(front.connecting == NULL);
    EXPECT_EQ(50, cache->tunables.rexmit_rate);
    EXPECT_EQ(front.ts_per_tuple, cache->config.ts_per_tuple);
}

/* A segment of peer 1's to this port, without its IP header. */
static enum syncache_verdict
segment(uint8_t version, uint16_t dport, uint16_t flags, uint32_t seq,
        uint32_t ack)
{
    static const uint8_t faddr[2][16] = {{192, 0, 2, 1},
                                         {0x20, 1, 0x0d, 0xb8, [15] = 1}};
    static const uint8_t laddr[2][16] = {{192, 0, 2, 200},
                                         {0x20, 1, 0x0d, 0xb8, [15] = 200}};
    uint8_t tcp[20] = {0};

    store16_be(tcp, 40000);
    store16_be(tcp + 2, dport);
    store32_be(tcp + 4, seq);
    store32_be(tcp + 8, ack);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    store16_be(tcp + 14, 65535);
    return syncache_front_segment(&front, clock_ms, version,
                                  faddr[version == 6], laddr[version == 6], tcp,
                                  sizeof tcp, 0, &result);
}

static uint32_t
iss(void)
{
    return load32_be(result.reply + syncache_tcp_offset(result.reply) + 4);
}

static void
test_first_segment_for_a_port_begins_to_listen(void)
{
    for (uint8_t version = 4; version <= 6; version += 2) {
        start(7);
        for (uint16_t port = 440; port < 444; port++) {
            EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK,
                      segment(version, port, SYN, 1000, 0));
            EXPECT_EQ(SYNCACHE_ACCEPT_CACHE,
                      segment(version, port, ACK, 1001, iss() + 1));
        }
        EXPECT_TRUE(!syncache_front_listen(&front, 440)); /* it does */
    }
}

static void
test_port_without_room_is_the_stacks_own(void)
{
    struct syncache_config fit;

    start(7);
    EXPECT_TRUE(syncache_config_fit(&fit, sizeof block));
    for (uint16_t i = 0; i < fit.endpoint_max; i++)
        EXPECT_TRUE(syncache_front_listen(&front, (uint16_t)(80 + i)));
    EXPECT_EQ(SYNCACHE_PASS_NO_ENDPOINT, segment(4, 9999, SYN, 1000, 0));
}

static void
test_segment_cut_before_its_ports_is_dropped(void)
{
    static const uint8_t address[4] = {192, 0, 2, 1};
    static const uint8_t nothing[1] = {0};

    start(7);
    EXPECT_EQ(SYNCACHE_DROP, syncache_kind(syncache_front_segment(
                                 &front, clock_ms, 4, address, address, nothing,
                                 0, 0, &result)));
}

static void
test_keys_are_drawn_at_the_start_and_for_each_lifetime(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];

    start(UINT32_MAX - 100); /* and the clock wraps */
    EXPECT_EQ(2, drawn);     /* seed and key */
    for (uint32_t second = 1; second <= 320; second++) {
        clock_ms += 1000;
        EXPECT_EQ(0, syncache_front_poll(&front, clock_ms, packet));
    }
    EXPECT_EQ(2 + 10, drawn); /* cookie_lifetime_ms is 32 s */
}

static void
test_poll_sends_the_syn_ack_again(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];

    start(7);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, segment(4, 80, SYN, 1000, 0));
    clock_ms += 2000;
    EXPECT_EQ(result.reply_size, syncache_front_poll(&front, clock_ms, packet));
    EXPECT_EQ(0, syncache_front_poll(&front, clock_ms, packet));
}

static void
test_what_cannot_be_makes_no_engine(void)
{
    /* A block too small or askew, an endpoint that is not valid. */
    start(7);
    EXPECT_TRUE(!syncache_front_init(&front, 0, block, 512));
    EXPECT_TRUE(front.cache == NULL);
    EXPECT_TRUE(!syncache_front_init(&front, 0, block + 1, sizeof block - 64));
    EXPECT_TRUE(front.cache == NULL);
    front.endpoint.hop_limit = 0;
    EXPECT_TRUE(!syncache_front_init(&front, 0, block, sizeof block));
    EXPECT_TRUE(front.cache == NULL);
}

static void
test_without_an_engine_the_stack_is_on_its_own(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];

    start(7);
    EXPECT_TRUE(!syncache_front_init(&front, 0, block, 512));
    result.reply_size = 99;
    EXPECT_EQ(SYNCACHE_PASS_NO_ENDPOINT, segment(4, 80, SYN, 1000, 0));
    EXPECT_EQ(0, result.reply_size);
    EXPECT_EQ(0, syncache_front_poll(&front, clock_ms, packet));
    EXPECT_TRUE(!syncache_front_listen(&front, 80));
}

/* What the front gave its stack. */
static uint8_t sent[SYNCACHE_REPLY_MAX];
static void *sent_by;
static uint32_t sent_count, offered, isn_while_connecting;
static bool has_room;
static struct syncache_conn made;
static char who;

static void
take(const uint8_t *packet, size_t size, void *by)
{
    memcpy(sent, packet, size);
    sent_by = by;
    sent_count++;
}

static const uint8_t peers[2][16] = {{192, 0, 2, 1},
                                     {0x20, 1, 0x0d, 0xb8, [15] = 1}};
static const uint8_t ours[2][16] = {{192, 0, 2, 200},
                                    {0x20, 1, 0x0d, 0xb8, [15] = 200}};

static bool join(const struct syncache_conn *conn, void *by);

static void
begin(void)
{
    start(7);
    front.send = take;
    front.connect = join;
    sent_count = offered = 0;
    has_room = true;
}

/* A segment for the whole front, its options MSS 1460 and SACK. */
static enum syncache_kind
input(uint8_t version, uint16_t flags, uint32_t seq, uint32_t ack,
      size_t first_piece)
{
    uint8_t tcp[28] = {[20] = 2, 4, 5, 0xb4, 4, 2, 1, 1};
    uint8_t wire[sizeof tcp], turned[sizeof tcp];
    enum syncache_kind kind;

    store16_be(tcp, 40000);
    store16_be(tcp + 2, 80);
    store32_be(tcp + 4, seq);
    store32_be(tcp + 8, ack);
    tcp[12] = 7 << 4;
    tcp[13] = (uint8_t)flags;
    store16_be(tcp + 14, 65535);
    if (first_piece == 0)
        return syncache_front_input(&front, clock_ms, version,
                                    peers[version == 6], ours[version == 6],
                                    tcp, sizeof tcp, 0, &who);
    memcpy(wire, tcp, sizeof tcp);
    syncache_tcp_turn(tcp);
    memcpy(turned, tcp, sizeof tcp);
    kind = syncache_front_header(
        &front, clock_ms, version, peers[version == 6], ours[version == 6], tcp,
        first_piece, first_piece < sizeof tcp ? tcp + first_piece : NULL,
        sizeof tcp - first_piece, 0, &who);
    /* The stack's own input takes the one that makes a connection. */
    EXPECT_BYTES(kind == SYNCACHE_ACCEPT ? wire : turned, tcp, sizeof tcp);
    return kind;
}

/* Gives the stack the SYN by the way that all segments take. */
static bool
join(const struct syncache_conn *conn, void *by)
{
    uint32_t sent_before = sent_count;

    EXPECT_TRUE(by == &who);
    isn_while_connecting = syncache_front_isn(&front);
    EXPECT_EQ(SYNCACHE_PASS, input(conn->tuple.family, SYN, 1000, 0, 20));
    EXPECT_EQ(sent_before, sent_count);
    made = *conn;
    offered++;
    return has_room;
}

static uint32_t
sent_iss(void)
{
    return load32_be(sent + syncache_tcp_offset(sent) + 4);
}

static void
test_input_sends_replies_and_makes_connections(void)
{
    static const size_t pieces[] = {0, 20, 24, 28}; /* 0: in one, not turned */

    for (uint8_t version = 4; version <= 6; version += 2) {
        for (size_t i = 0; i < 4; i++) {
            begin();
            EXPECT_EQ(SYNCACHE_REPLY, input(version, SYN, 1000, 0, pieces[i]));
            EXPECT_EQ(1, sent_count);
            EXPECT_TRUE(sent_by == &who);
            EXPECT_EQ(SYNCACHE_ACCEPT,
                      input(version, ACK, 1001, sent_iss() + 1, pieces[i]));
            EXPECT_EQ(1, offered);
            EXPECT_EQ(sent_iss(), isn_while_connecting);
            EXPECT_EQ(version == 4 ? 1460 : 1440, made.peer_mss);
            EXPECT_EQ(1, made.sack_permitted);
            EXPECT_EQ(1, syncache_statistics(front.cache)->accepts);
        }
    }
}

static uint32_t
sent_mss(void)
{
    const uint8_t *options = sent + syncache_tcp_offset(sent) + 20;

    EXPECT_EQ(2, options[0]); /* always the first */
    return load16_be(options + 2);
}

static void
test_mss_is_that_of_each_segments_interface(void)
{
    static const uint16_t of_interface[] = {536, 9000, 0, 88, 1};

    for (uint8_t version = 4; version <= 6; version += 2) {
        begin();
        for (size_t i = 0; i < 5; i++) {
            uint32_t mss = of_interface[i];

            front.mss = of_interface[i];
            EXPECT_EQ(SYNCACHE_REPLY,
                      input(version, SYN, 1000 + (uint32_t)i, 0, 0));
            if (mss == 0) /* the endpoint's mtu of 1500 */
                mss = version == 4 ? 1460 : 1440;
            EXPECT_EQ(mss, sent_mss()); /* below minmss too: its wire's limit */
            EXPECT_EQ(0, cache->front_mss); /* of that call alone */
            EXPECT_EQ(SYNCACHE_ACCEPT, input(version, ACK, 1001 + (uint32_t)i,
                                             sent_iss() + 1, 0));
            EXPECT_EQ(mss < 1460 ? mss : 1460, made.peer_mss);
        }
    }
}

static void
test_syn_ack_sent_again_has_the_least_mss(void)
{
    begin();
    front.mss = 536;
    EXPECT_EQ(SYNCACHE_PASS, input(4, ACK, 7, 7, 0));
    front.mss = 9000;
    EXPECT_EQ(SYNCACHE_REPLY, input(4, SYN, 1000, 0, 0));
    EXPECT_EQ(9000, sent_mss());
    clock_ms += 2000;
    (void)syncache_front_run(&front, clock_ms);
    EXPECT_EQ(2, sent_count);
    EXPECT_EQ(536, sent_mss());
    EXPECT_EQ(0, cache->front_mss);
    EXPECT_TRUE(syncache_front_init(&front, clock_ms, block, sizeof block));
    EXPECT_EQ(0, front.mss_least);
}

static void
test_full_accept_queue_is_answered_by_nothing_and_offered_again(void)
{
    begin();
    EXPECT_EQ(SYNCACHE_REPLY, input(4, SYN, 1000, 0, 0));
    has_room = false;
    EXPECT_EQ(SYNCACHE_DROP, input(4, ACK, 1001, sent_iss() + 1, 0));
    EXPECT_EQ(1, syncache_statistics(front.cache)->listendrop);
    EXPECT_EQ(1, sent_count);
    has_room = true;
    EXPECT_EQ(SYNCACHE_ACCEPT, input(4, ACK, 1001, sent_iss() + 1, 0));
    EXPECT_EQ(2, offered);
}

/* A SYN that asks for a TFO cookie, or has the one of this size, and 5 bytes. */
static enum syncache_kind
input_fastopen(const uint8_t *cookie, uint8_t cookie_size)
{
    uint8_t tcp[37] = {[20] = 34, (uint8_t)(2 + cookie_size)};

    store16_be(tcp, 40000);
    store16_be(tcp + 2, 80);
    store32_be(tcp + 4, 1000);
    tcp[12] = 8 << 4;
    tcp[13] = SYN;
    if (cookie_size > 0)
        memcpy(tcp + 22, cookie, cookie_size);
    return syncache_front_input(&front, ++clock_ms, 4, peers[0], ours[0], tcp,
                                sizeof tcp, 5, &who);
}

static void
test_fastopen_is_answered_once_the_stack_has_the_data(void)
{
    struct syncache_tunables with;
    uint8_t cookie[8];

    begin();
    front.endpoint.fastopen = 4;
    syncache_tunables_host(&with);
    with.fastopen_server_enable = 1;
    EXPECT_TRUE(syncache_set_tunables(cache, &with));
    EXPECT_EQ(SYNCACHE_REPLY, input_fastopen(NULL, 0));
    const uint8_t *option = sent + 20 + 20;
    while (*option != 34)
        option += *option == 1 ? 1 : option[1];
    memcpy(cookie, option + 2, sizeof cookie);
    EXPECT_EQ(SYNCACHE_DROP, input(4, 4, 1001, 0, 0)); /* RST */
    has_room = false;
    EXPECT_EQ(SYNCACHE_DROP, input_fastopen(cookie, 8));
    EXPECT_EQ(1, offered);
    EXPECT_EQ(1, sent_count); /* the data is not acknowledged */
    has_room = true;
    EXPECT_EQ(SYNCACHE_REPLY, input_fastopen(cookie, 8));
    EXPECT_EQ(2, offered);
    EXPECT_EQ(5, made.payload_size);
    EXPECT_EQ(2, sent_count);
    EXPECT_EQ(1000 + 1 + 5, load32_be(sent + 20 + 8));
}

static void
test_stray_segment_is_the_stacks(void)
{
    begin();
    EXPECT_EQ(SYNCACHE_PASS, input(4, ACK, 1001, 77, 0));
    EXPECT_EQ(0, sent_count + offered);
}

/* A SYN of no options but 40 bytes of NOP, in two pieces. */
static enum syncache_kind
header(size_t size, size_t more)
{
    uint8_t bytes[101] = {0x9c, 0x40, 0, 80, [12] = 15 << 4, SYN};

    memset(bytes + 20, 1, sizeof bytes - 20);
    syncache_tcp_turn(bytes);
    return syncache_front_header(&front, 7, 4, peers, ours, bytes, size,
                                 bytes + size, more, 0, &who);
}

static void
test_header_longer_than_tcps_is_dropped(void)
{
    begin();
    EXPECT_EQ(SYNCACHE_DROP, header(61, 0));
    EXPECT_EQ(SYNCACHE_DROP, header(20, 41));
    EXPECT_EQ(SYNCACHE_DROP, header(19, 41));
    EXPECT_EQ(SYNCACHE_REPLY, header(60, 0));
    EXPECT_EQ(SYNCACHE_REPLY, header(20, 40));
}

static void
test_isn_is_random_but_for_the_connection_being_made(void)
{
    uint32_t isn;

    begin();
    memset(&isn, (int)drawn + 1, sizeof isn);
    EXPECT_EQ(isn, syncache_front_isn(&front));
}

static void
test_run_sends_what_is_due_and_tells_when_to_come_back(void)
{
    begin();
    EXPECT_EQ(250, syncache_front_run(&front, clock_ms));
    EXPECT_EQ(SYNCACHE_REPLY, input(6, SYN, 1000, 0, 0));
    EXPECT_EQ(250, syncache_front_run(&front, clock_ms));
    clock_ms += 900;
    EXPECT_EQ(101, syncache_front_run(&front, clock_ms));
    clock_ms += 95;
    EXPECT_EQ(10, syncache_front_run(&front, clock_ms));
    EXPECT_EQ(1, sent_count);
    clock_ms += 10;
    EXPECT_EQ(250, syncache_front_run(&front, clock_ms));
    EXPECT_EQ(2, sent_count);
    EXPECT_TRUE(sent_by == NULL);
}

static void
test_run_without_an_engine_does_nothing(void)
{
    begin();
    EXPECT_TRUE(!syncache_front_init(&front, 0, block, 512));
    EXPECT_EQ(250, syncache_front_run(&front, clock_ms));
    EXPECT_EQ(SYNCACHE_PASS, input(4, SYN, 1000, 0, 0));
    EXPECT_EQ(0, sent_count);
}

static void
test_turned_header_is_in_this_machines_order_and_back(void)
{
    uint8_t tcp[20], wire[20];
    uint16_t two;
    uint32_t four;

    for (uint8_t i = 0; i < sizeof tcp; i++)
        wire[i] = tcp[i] = i;
    syncache_tcp_turn(tcp);
    for (int at = 0; at < 16; at += at == 2 ? 12 : 2) /* ports and window */
        EXPECT_EQ(at << 8 | (at + 1), (memcpy(&two, tcp + at, 2), two));
    for (uint32_t at = 4; at < 12; at += 4)
        EXPECT_EQ(at * 0x01010101 + 0x010203,
                  (memcpy(&four, tcp + at, 4), four));
    EXPECT_EQ(0, memcmp(tcp + 12, wire + 12, 2)); /* flags */
    EXPECT_EQ(0, memcmp(tcp + 16, wire + 16, 4));
    syncache_tcp_turn(tcp);
    EXPECT_EQ(0, memcmp(tcp, wire, sizeof tcp));
}

static const struct test tests[] = {
    TEST(test_first_segment_for_a_port_begins_to_listen),
    TEST(test_port_without_room_is_the_stacks_own),
    TEST(test_segment_cut_before_its_ports_is_dropped),
    TEST(test_keys_are_drawn_at_the_start_and_for_each_lifetime),
    TEST(test_poll_sends_the_syn_ack_again),
    TEST(test_what_cannot_be_makes_no_engine),
    TEST(test_without_an_engine_the_stack_is_on_its_own),
    TEST(test_input_sends_replies_and_makes_connections),
    TEST(test_mss_is_that_of_each_segments_interface),
    TEST(test_syn_ack_sent_again_has_the_least_mss),
    TEST(test_full_accept_queue_is_answered_by_nothing_and_offered_again),
    TEST(test_fastopen_is_answered_once_the_stack_has_the_data),
    TEST(test_stray_segment_is_the_stacks),
    TEST(test_header_longer_than_tcps_is_dropped),
    TEST(test_isn_is_random_but_for_the_connection_being_made),
    TEST(test_run_sends_what_is_due_and_tells_when_to_come_back),
    TEST(test_run_without_an_engine_does_nothing),
    TEST(test_turned_header_is_in_this_machines_order_and_back),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

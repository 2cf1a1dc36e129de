/* Inspection of UDP, DNS and ICMP: P05 to P08, P31. */
#include "world.h"

static void
test_udp_is_half_open_until_the_reply(void)
{
    /* P05. */
    struct world *world = world_inspect(10);

    world_udp(world, &world_ends, false, 10);
    world_udp(world, &world_ends, false, 10);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->incomplete_udp);
    EXPECT_EQ(1, world_stats(world)->requests);
    world_udp(world, &world_ends, true, 10);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->incomplete_udp);
    EXPECT_EQ(1, world_stats(world)->established);
    for (size_t i = 0; i < FLOW_AGES; i++) /* it has no handshake */
        EXPECT_EQ(0, flow_handshake_ages(world->flow)[i]);
    world_free(world);
}

/* The first of two fragments has the ports, and a sum that cannot be known. */
static void
udp_first(struct world *world, uint8_t family, bool from_server)
{
    static struct packet packet;
    static const uint8_t header[8] = {17, 0, 0, 1, 1, 2, 3, 4};
    struct ends ends = world_ends;
    uint8_t *udp;

    ends.family = family;
    packet_ip(&packet, family, 17, 48);
    if (family == 6)
        packet_insert(&packet, header, sizeof header);
    else
        packet.bytes[6] = 0x20;
    world_address(&packet, &ends, from_server);
    udp = packet.bytes + packet.upper;
    store16_be(udp, from_server ? ends.server_port : ends.client_port);
    store16_be(udp + 2, from_server ? ends.client_port : ends.server_port);
    store16_be(udp + 6, 0x1234);
    if (family == 6)
        packet.bytes[6] = 44;
    world_put(world, &packet, from_server ? FLOW_SERVER : FLOW_CLIENT);
}

static void
test_first_fragments_begin_and_answer_sessions(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct world *world = world_inspect(10);

        udp_first(world, family, false);
        EXPECT_EQ(1, world_stats(world)->incomplete);
        udp_first(world, family, true);
        EXPECT_EQ(0, world_stats(world)->incomplete);
        EXPECT_EQ(1, world_stats(world)->established);
        world_free(world);
    }
}

/* An error that quotes a packet with the number `seq`, where TCP has it. */
static void
error_of(struct world *world, uint8_t protocol, uint8_t code, uint32_t side,
         uint32_t seq)
{
    static struct packet packet;
    uint8_t *icmp;

    packet_ip(&packet, 4, 1, 8 + 28);
    world_address(&packet, &world_ends, true);
    icmp = packet.bytes + packet.upper;
    memset(icmp, 0, 36);
    icmp[0] = 3;
    icmp[1] = code;
    icmp[8] = 0x45;
    icmp[17] = protocol;
    store32_be(icmp + 20, world_ends.client);
    store32_be(icmp + 24, world_ends.server);
    store16_be(icmp + 28, world_ends.client_port);
    store16_be(icmp + 30, world_ends.server_port);
    store32_be(icmp + 32, seq);
    packet_seal(&packet, 1, 2);
    world_put(world, &packet, side);
}

/* Port unreachable, or fragmentation needed, of a router or the server. */
static void
udp_error(struct world *world, uint8_t code, uint32_t side)
{
    error_of(world, 17, code, side, 0);
}

static void
test_half_open_udp_is_answered_by_an_error_that_quotes_it(void)
{
    struct world *world = world_inspect(10);

    world_udp(world, &world_ends, false, 10);
    udp_error(world, 4, FLOW_SERVER);
    udp_error(world, 3, FLOW_CLIENT);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    world_wait(world, 5);
    udp_error(world, 3, FLOW_SERVER);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->requests);
    EXPECT_EQ(1, world_stats(world)->established);
    EXPECT_EQ(world->now_ms, session_at(&world->flow->sessions, 0)->last_ms);
    world_free(world);
}

static void
test_half_open_tcp_is_ended_by_an_error_that_quotes_it(void)
{
    struct world *world = world_inspect(10);

    world_syn(world, &world_ends);
    error_of(world, 6, 3, FLOW_SERVER, WORLD_C + 1);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    error_of(world, 6, 3, FLOW_SERVER, WORLD_C);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->established);
    EXPECT_EQ(1, world_stats(world)->ended[FLOW_END_RST]);
    world_free(world);
}

static void
test_udp_ends_when_idle_and_dns_sooner(void)
{
    /* P06: dns_timeout wins over a rule's timeout. */
    struct world *world = world_inspect(10);
    struct ends dns = world_ends;
    struct ends udp = world_ends;

    dns.server_port = 53;
    udp.server_port = 514;
    world->inspect.rule[FLOW_UDP].timeout_ms = 15000;
    world->inspect.rule[FLOW_DNS].timeout_ms = 15000;
    world_set(world);
    world_udp(world, &udp, false, 10);
    world_wait(world, 5000);
    world_udp(world, &udp, false, 10);
    dns.client_port++;
    world_udp(world, &dns, false, 10);
    world_wait(world, 4999);
    EXPECT_TRUE(world_has(world, &dns));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &dns) && world_has(world, &udp));
    world_wait(world, 9999);
    EXPECT_TRUE(world_has(world, &udp));
    world_wait(world, 1);
    EXPECT_TRUE(!world_has(world, &udp));
    world_free(world);
}

static void
test_icmp_reply_passes_to_whom_has_asked(void)
{
    /* P07, both families. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct world *world = world_inspect(10);
        struct ends ends = world_ends;
        struct ends stranger;
        uint8_t request = family == 4 ? 8 : 128;
        uint8_t reply = family == 4 ? 0 : 129;

        ends.family = family;
        stranger = ends;
        stranger.server++;
        world_icmp(world, &ends, false, request);
        EXPECT_EQ(1, world_stats(world)->uncounted);
        world_wait(world, 100);
        world_icmp(world, &stranger, true, reply);
        EXPECT_EQ(FLOW_DROP_ICMP_REPLY, world->verdict);
        world_icmp(world, &ends, true, reply);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        EXPECT_EQ(1, world_stats(world)->established);
        /* Time exceeded, from a router. */
        world_icmp(world, &stranger, true, family == 4 ? 11 : 3);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        world_wait(world, 9999);
        EXPECT_TRUE(world_has(world, &ends));
        world_wait(world, 1);
        EXPECT_TRUE(!world_has(world, &ends));
        world_free(world);
    }
}

static void
test_icmp_counts_when_told_to(void)
{
    /* P08. */
    struct world *world = world_inspect(100);

    for (uint32_t i = 0; i < 20; i++) {
        struct ends ends = world_other(i);

        world_icmp(world, &ends, false, 8);
    }
    EXPECT_EQ(0, world_stats(world)->one_minute);
    EXPECT_EQ(0, world_stats(world)->incomplete);
    world->inspect.count_icmp = 1;
    world_set(world);
    for (uint32_t i = 20; i < 40; i++) {
        struct ends ends = world_other(i);

        world_icmp(world, &ends, false, 13);
    }
    EXPECT_EQ(20, world_stats(world)->one_minute);
    EXPECT_EQ(20, world_stats(world)->incomplete);
    world_free(world);
}

static void
test_ping_with_identifier_zero_or_eight_is_answered(void)
{
    /* The identifier is no port: none of its values means anything. */
    struct world *world = world_inspect(10);

    for (uint16_t id = 0; id < 16; id++) {
        struct ends ends = world_ends;

        ends.client_port = id;
        world_icmp(world, &ends, false, 8);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        world_icmp(world, &ends, true, 0);
        EXPECT_EQ(FLOW_FORWARD, world->verdict);
        world_wait(world, 20000);
    }
    EXPECT_EQ(16, world_stats(world)->completed);
    world_free(world);
}

static void
test_one_way_udp_ceases_to_count_at_its_age(void)
{
    /* P31: a datagram every 10 s counts for ever, or for 60 s. */
    for (uint32_t max_age = 0; max_age <= 60000; max_age += 60000) {
        struct world *world = world_inspect(10);

        world->inspect.udp_halfopen_max_age_ms = max_age;
        world_set(world);
        for (uint32_t s = 0; s < 3600; s += 10) {
            world_udp(world, &world_ends, false, 10);
            EXPECT_EQ(max_age == 0 || s < 60 ? 1 : 0,
                      world_stats(world)->incomplete);
            EXPECT_TRUE(world_has(world, &world_ends));
            world_wait(world, s == 50 ? 9999 : 10000);
            EXPECT_EQ(max_age == 0 || s < 60 ? 1 : 0,
                      world_stats(world)->incomplete);
            world_wait(world, s == 50 ? 1 : 0);
        }
        world_wait(world, 30000);
        EXPECT_TRUE(!world_has(world, &world_ends));
        world_free(world);
    }
}

static void
test_icmp_requests_do_not_fill_the_table(void)
{
    /* Beyond a quarter they pass without a session, and so do replies. */
    struct world *world = world_inspect(100);
    struct ends ends = world_ends;

    for (uint32_t i = 0; i < 200; i++) {
        ends = world_other(i);
        world_icmp(world, &ends, false, 8);
    }
    EXPECT_EQ(26, world_stats(world)->uncounted);
    world_icmp(world, &ends, true, 0);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    world_half_open(world, 300, 70);
    EXPECT_EQ(70, world_stats(world)->incomplete);
    world_wait(world, 10000);
    world_icmp(world, &ends, true, 0);
    EXPECT_EQ(FLOW_DROP_ICMP_REPLY, world->verdict);
    world_free(world);
}

static void
test_reply_from_the_side_of_the_asker_is_none(void)
{
    /* Or a flood could answer itself in its victim's name. */
    struct world *world = world_inspect(10);

    world_udp(world, &world_ends, false, 10);
    world_icmp(world, &world_ends, false, 8);
    world->side = FLOW_SERVER;
    world_udp(world, &world_ends, true, 10);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    world_icmp(world, &world_ends, true, 0);
    EXPECT_EQ(FLOW_DROP_ICMP_REPLY, world->verdict);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(0, world_stats(world)->established);
    world_free(world);
}

static void
test_bad_checksum_makes_no_session(void)
{
    struct world *world = world_inspect(10);
    static struct packet packet;

    packet_ip(&packet, 4, 17, 8);
    packet_seal(&packet, 17, 6);
    packet.bytes[packet.upper + 6] ^= 0x10;
    world_put(world, &packet, FLOW_CLIENT);
    EXPECT_EQ(FLOW_FORWARD, world->verdict);
    EXPECT_EQ(0, world_stats(world)->sessions_created);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_udp_is_half_open_until_the_reply),
    TEST(test_first_fragments_begin_and_answer_sessions),
    TEST(test_half_open_udp_is_answered_by_an_error_that_quotes_it),
    TEST(test_half_open_tcp_is_ended_by_an_error_that_quotes_it),
    TEST(test_udp_ends_when_idle_and_dns_sooner),
    TEST(test_icmp_reply_passes_to_whom_has_asked),
    TEST(test_icmp_counts_when_told_to),
    TEST(test_ping_with_identifier_zero_or_eight_is_answered),
    TEST(test_one_way_udp_ceases_to_count_at_its_age),
    TEST(test_icmp_requests_do_not_fill_the_table),
    TEST(test_reply_from_the_side_of_the_asker_is_none),
    TEST(test_bad_checksum_makes_no_session),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

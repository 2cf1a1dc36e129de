/* Timestamps in the place of a server that refuses them. */
#include "between.h"

#include "../../csrc/flow/proxy_grant.h"
#include "../../csrc/flow/stamp.h"

enum { C_ISN = 5000, S_ISN = 900000, HEADER = 20, ROOM = 100 };

#define ALL                                                     \
    (WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | \
     WIRE_HAS_TIMESTAMPS)

static struct between world;
static uint8_t packet[BETWEEN_SLOT_SIZE];
static struct view view;

/* A segment of the server's with these options; returns its size. */
static size_t
segment(uint8_t family, const uint8_t *options, size_t options_size,
        size_t payload_size, uint32_t checksum)
{
    static uint8_t payload[1024];
    struct syncache_fields fields = {
        .family = family,
        .flags = WIRE_ACK,
        .sport = 80,
        .dport = 40000,
        .seq = 7,
        .options_size = (uint16_t)options_size,
        .payload_size = (uint32_t)payload_size,
    };

    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + 1);
    memcpy(fields.saddr, between_server[family == 6], 16);
    memcpy(fields.daddr, between_client[family == 6], 16);
    size_t size = syncache_build(&fields, options, payload, checksum, packet,
                                 sizeof packet);
    view_parse(packet, size, checksum, &view);
    EXPECT_EQ(VIEW_TCP, view.kind);
    return size;
}

static void
test_segment_grows_by_the_option_and_keeps_the_rest(void)
{
    static const uint8_t sack[12] = {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9};

    for (uint32_t i = 0; i < 3 * 2 * 2 * 2; i++) {
        uint8_t family = i & 1 ? 6 : 4;
        size_t options_size = i & 2 ? sizeof sack : 0;
        size_t payload = i & 4 ? 333 : 0;
        uint32_t checksum = i / 8;
        size_t size = segment(family, sack, options_size, payload, checksum);
        struct wire_segment parsed;
        struct wire_quote quote;
        enum syncache_verdict why;

        EXPECT_TRUE(stamp_segment(&view, ROOM, 0x12345678, 0x9abcdef0));
        EXPECT_EQ(size + STAMP_BYTES, view.size);
        EXPECT_EQ(view.size, (uint32_t)(view.upper - packet) + view.upper_size);
        EXPECT_EQ(HEADER + STAMP_BYTES + options_size, view.header_size);
        if (checksum == SYNCACHE_CHECKSUM_PARTIAL) {
            uint8_t partial[2];
            memcpy(partial, view.upper + WIRE_TCP_CHECKSUM_AT, 2);
            uint8_t made[BETWEEN_SLOT_SIZE];
            memcpy(made, packet, view.size);
            segment(family, sack, options_size, payload + STAMP_BYTES,
                    checksum);
            EXPECT_BYTES(view.upper + WIRE_TCP_CHECKSUM_AT, partial, 2);
            memcpy(packet, made, view.size);
        }
        EXPECT_EQ(WIRE_TCP, wire_parse(packet, view.size, checksum, &parsed,
                                       &quote, &why));
        EXPECT_EQ(payload, parsed.payload_size);
        EXPECT_EQ(0x12345678, parsed.tsval);
        EXPECT_EQ(0x9abcdef0, parsed.tsecr);
        EXPECT_EQ(HEADER + STAMP_BYTES + options_size, parsed.header_size);
        EXPECT_BYTES(sack, parsed.tcp + HEADER + STAMP_BYTES, options_size);
        for (size_t at = 0; at < payload; at++)
            EXPECT_EQ((uint8_t)(at * 7 + 1),
                      parsed.tcp[parsed.header_size + at]);
    }
}

static void
test_oldest_of_four_sack_blocks_makes_room(void)
{
    uint8_t options[36] = {1, 1, 5, 34};

    for (uint8_t i = 4; i < sizeof options; i++)
        options[i] = i;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct view_options read;
        size_t size = segment(family, options, sizeof options, 50,
                              SYNCACHE_CHECKSUM_VERIFY);

        EXPECT_TRUE(stamp_segment(&view, 0, 11, 12));
        EXPECT_EQ(size, view.size);
        view_parse(packet, size, SYNCACHE_CHECKSUM_VERIFY, &view);
        EXPECT_TRUE(view_verify(&view));
        view_options(&view, &read);
        EXPECT_EQ(11, read.tsval);
        EXPECT_EQ(12, read.tsecr);
        EXPECT_BYTES(options + 4, view.upper + HEADER + 12, 24);
        EXPECT_EQ(5, view.upper[HEADER + 10]);
        EXPECT_EQ(26, view.upper[HEADER + 11]);
    }
}

static void
test_segment_without_room_stays_as_it_is(void)
{
    static const uint8_t full[40] = {1, 1, 1, 1, 30, 36};
    uint8_t before[BETWEEN_SLOT_SIZE];

    size_t size = segment(4, full, sizeof full, 9, SYNCACHE_CHECKSUM_VERIFY);
    memcpy(before, packet, size);
    EXPECT_TRUE(!stamp_segment(&view, ROOM, 1, 2));
    EXPECT_BYTES(before, packet, size);
    size = segment(4, full, 0, 9, SYNCACHE_CHECKSUM_VERIFY);
    memcpy(before, packet, size);
    EXPECT_TRUE(!stamp_segment(&view, STAMP_BYTES - 1, 1, 2));
    view.flags |= WIRE_RST;
    EXPECT_TRUE(!stamp_segment(&view, ROOM, 1, 2));
    view.flags = WIRE_ACK;
    store16_be(packet + 2, UINT16_MAX - STAMP_BYTES + 1);
    memcpy(before, packet, size);
    EXPECT_TRUE(!stamp_segment(&view, ROOM, 1, 2));
    EXPECT_BYTES(before, packet, size);
}

/* The client is granted timestamps, and the server has refused them.  Returns
 * p; world.out has what went to the server. */
static uint32_t
refused(uint8_t family)
{
    between_open(&world, 16);
    world.family = family;
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.options = FLOW_OPTIONS_CLIENT;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = ALL;
    syn.mss = 1000;
    syn.tsval = 333;
    EXPECT_EQ(1, between_send(&world, syn));
    uint32_t p = world.out[0].seq;
    struct said ack = between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, p + 1, 0);
    ack.has = WIRE_HAS_TIMESTAMPS;
    ack.tsval = 334;
    EXPECT_EQ(1, between_send(&world, ack));
    EXPECT_EQ(1000, world.out[0].mss);
    struct said syn_ack = between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                       S_ISN - 50, C_ISN + 1, 0);
    EXPECT_EQ(2, between_send(&world, syn_ack));
    return p;
}

static struct said
answered(void)
{
    struct said syn_ack =
        between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK, S_ISN, C_ISN + 1, 0);

    syn_ack.window = 30000;
    EXPECT_EQ(2, between_send(&world, syn_ack));
    EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
    return world.out[0];
}

static void
test_server_that_refuses_is_asked_again_for_smaller_segments(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        (void)refused(family);
        EXPECT_EQ(FLOW_SERVER, world.out[0].side);
        EXPECT_EQ(WIRE_RST, world.out[0].flags);
        EXPECT_EQ(C_ISN + 1, world.out[0].seq);
        EXPECT_EQ(FLOW_SERVER, world.out[1].side);
        EXPECT_EQ(WIRE_SYN, world.out[1].flags);
        EXPECT_EQ(C_ISN, world.out[1].seq);
        EXPECT_EQ(0, world.out[1].has & WIRE_HAS_TIMESTAMPS);
        EXPECT_EQ(1000 - STAMP_BYTES, world.out[1].mss);
        /* The SYN-ACK of what was reset, once more. */
        struct said late = between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                        S_ISN - 50, C_ISN + 1, 0);
        EXPECT_EQ(0, between_send(&world, late));
        EXPECT_EQ(FLOW_DROP_SERVER, world.verdict);
        /* Both are lost, and go out again as they were. */
        world.now_ms += 1000;
        EXPECT_EQ(2, between_poll(&world));
        EXPECT_EQ(WIRE_RST, world.out[0].flags);
        EXPECT_EQ(WIRE_SYN, world.out[1].flags);
        EXPECT_EQ(0, world.out[1].has & WIRE_HAS_TIMESTAMPS);
        EXPECT_EQ(1000 - STAMP_BYTES, world.out[1].mss);
        (void)answered();
        between_close(&world);
        /* A server whose numbers do not change (a cookie). */
        (void)refused(family);
        world.now_ms += 1000;
        EXPECT_EQ(2, between_poll(&world));
        EXPECT_EQ(2, between_send(&world, late));
        EXPECT_EQ(FLOW_ESTAB, between_session(&world)->state);
        between_close(&world);
    }
}

static void
test_client_gets_timestamps_that_go_on_from_ours(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint32_t p = refused(family);
        struct syncache_tuple tuple;

        session_tuple(between_session(&world), &tuple);
        uint32_t now = proxy_ts(world.flow, &tuple);
        struct said window = answered();
        EXPECT_EQ(FLOW_CLIENT, window.side);
        EXPECT_EQ(now, window.tsval);
        EXPECT_EQ(334, window.tsecr);
        world.now_ms += 70;
        struct said said =
            between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, p + 1, 10);
        said.has = WIRE_HAS_TIMESTAMPS;
        said.tsval = 404;
        said.tsecr = now;
        EXPECT_EQ(1, between_send(&world, said));
        EXPECT_EQ(0, world.out[0].has & WIRE_HAS_TIMESTAMPS);
        EXPECT_TRUE(world.out[0].good);
        /* What is ahead of a hole is not what is echoed. */
        said.seq += 500;
        said.tsval = 999;
        EXPECT_EQ(1, between_send(&world, said));
        said = between_said(FLOW_SERVER, WIRE_ACK, S_ISN + 1, C_ISN + 11, 100);
        EXPECT_EQ(1, between_send(&world, said));
        EXPECT_TRUE(world.out[0].forwarded && world.out[0].good);
        EXPECT_EQ(p + 1, world.out[0].seq);
        EXPECT_EQ(100, world.out[0].payload);
        EXPECT_EQ(now + 70, world.out[0].tsval);
        EXPECT_EQ(404, world.out[0].tsecr);
        /* From one that never heard the second SYN: too long for the path. */
        said.seq += 100;
        said.payload = 1000;
        EXPECT_EQ(1, between_send(&world, said));
        EXPECT_EQ(0, world.out[0].has & WIRE_HAS_TIMESTAMPS);
        EXPECT_EQ(1000, world.out[0].payload);
        between_close(&world);
    }
}

static void
test_path_mtu_for_the_server_is_smaller_by_the_option(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint8_t icmp[BETWEEN_SLOT_SIZE] = {0};
        size_t ip = family == 4 ? 20 : 40;

        size_t size = segment(family, NULL, 0, 0, SYNCACHE_CHECKSUM_VERIFY);
        memcpy(icmp, packet, ip);
        memcpy(icmp + ip + 8, packet, size);
        icmp[family == 4 ? 9 : 6] = family == 4 ? 1 : 58;
        store16_be(icmp + (family == 4 ? 2 : 4),
                   (uint16_t)(size + 8 + (family == 4 ? ip : 0)));
        icmp[ip] = family == 4 ? 3 : 2;
        icmp[ip + 1] = family == 4 ? 4 : 0;
        store16_be(icmp + ip + 6, 1400);
        view_parse(icmp, ip + 8 + size, SYNCACHE_CHECKSUM_VERIFY, &view);
        EXPECT_EQ(VIEW_QUOTE, view.kind);
        uint16_t sum = load16_be(icmp + ip + 2);
        EXPECT_TRUE(stamp_lower_mtu(&view));
        EXPECT_EQ(1400 - STAMP_BYTES, load16_be(icmp + ip + 6));
        EXPECT_TRUE(sum != load16_be(icmp + ip + 2));
        store16_be(icmp + ip + 6, STAMP_BYTES - 1);
        EXPECT_TRUE(!stamp_lower_mtu(&view));
        icmp[ip] = family == 4 ? 11 : 3;
        view_parse(icmp, ip + 8 + size, SYNCACHE_CHECKSUM_VERIFY, &view);
        EXPECT_TRUE(!stamp_lower_mtu(&view));
    }
}

/* A router's error to the server, about a segment that it sent. */
static void
test_error_to_the_server_has_its_numbers_and_a_smaller_mtu(void)
{
    for (uint8_t code = 1; code <= 4; code += 3) {
        uint8_t icmp[28 + BETWEEN_SLOT_SIZE] = {0x45};
        uint32_t p = refused(4);
        (void)answered();
        struct said quoted =
            between_said(FLOW_SERVER, WIRE_ACK, p + 1, C_ISN + 1, 0);
        size_t size =
            between_make(&world, &quoted, icmp + 28, SYNCACHE_CHECKSUM_VERIFY);
        store16_be(icmp + 2, (uint16_t)(28 + size));
        icmp[8] = 64;
        icmp[9] = 1;
        memcpy(icmp + 12, "\313\0\161\1", 4);
        memcpy(icmp + 16, icmp + 28 + 12, 4);
        store16_be(icmp + 10, (uint16_t)~wire_sum(0, icmp, 20));
        icmp[20] = 3;
        icmp[21] = code;
        store16_be(icmp + 26, 1400);
        store16_be(icmp + 22, (uint16_t)~wire_sum(0, icmp + 20, 8 + size));
        EXPECT_EQ(1, between_packet(&world, FLOW_CLIENT, icmp, 28 + size,
                                    SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(FLOW_FORWARD_REWRITTEN, world.verdict);
        const uint8_t *left = world.rx.memory;
        EXPECT_EQ(S_ISN + 1, load32_be(left + 28 + 20 + 4));
        EXPECT_EQ(code == 4 ? 1400 - STAMP_BYTES : 1400, load16_be(left + 26));
        EXPECT_EQ(0xffff, wire_sum(0, left + 20, 8 + size));
        between_close(&world);
    }
}

static void
test_next_client_is_granted_no_timestamps(void)
{
    (void)refused(4);
    (void)answered();
    world.cport++;
    struct said syn = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);
    syn.has = ALL;
    EXPECT_EQ(1, between_send(&world, syn));
    EXPECT_EQ(WIRE_HAS_MSS, world.out[0].has);
    between_close(&world);
}

static void
test_stamped_connection_outlives_a_restart(void)
{
    struct flow_splice splice;
    uint64_t cursor = 0;
    uint32_t p = refused(4);
    uint32_t tsval = answered().tsval;

    EXPECT_EQ(1, flow_export(world.flow, world.now_ms, &cursor, &splice, 1));
    between_close(&world);
    between_open(&world, 16);
    world.now_ms -= 5000; /* another clock */
    EXPECT_EQ(1, flow_import(world.flow, world.now_ms, &splice, 1));
    struct said said =
        between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, p + 1, 10);
    said.has = WIRE_HAS_TIMESTAMPS;
    said.tsval = 0xf0000000;
    EXPECT_EQ(1, between_send(&world, said));
    EXPECT_EQ(0, world.out[0].has & WIRE_HAS_TIMESTAMPS);
    said = between_said(FLOW_SERVER, WIRE_ACK, S_ISN + 1, C_ISN + 11, 1000);
    EXPECT_EQ(1, between_send(&world, said));
    EXPECT_EQ(tsval, world.out[0].tsval);
    EXPECT_EQ(0xf0000000, world.out[0].tsecr);
    splice.flags |= SPLICE_TIMESTAMPS;
    splice.tuple.fport++;
    EXPECT_EQ(0, flow_import(world.flow, world.now_ms, &splice, 1));
    between_close(&world);
}

static void
test_carry_of_a_partial_sum_is_added(void)
{
    segment(4, NULL, 0, 10, SYNCACHE_CHECKSUM_PARTIAL);
    store16_be(view.upper + WIRE_TCP_CHECKSUM_AT, 0xfffa);
    EXPECT_TRUE(stamp_segment(&view, ROOM, 1, 2));
    EXPECT_EQ(0xfffa + STAMP_BYTES - 0xffff,
              load16_be(view.upper + WIRE_TCP_CHECKSUM_AT));
}

static const struct test tests[] = {
    TEST(test_error_to_the_server_has_its_numbers_and_a_smaller_mtu),
    TEST(test_segment_grows_by_the_option_and_keeps_the_rest),
    TEST(test_oldest_of_four_sack_blocks_makes_room),
    TEST(test_segment_without_room_stays_as_it_is),
    TEST(test_server_that_refuses_is_asked_again_for_smaller_segments),
    TEST(test_client_gets_timestamps_that_go_on_from_ours),
    TEST(test_path_mtu_for_the_server_is_smaller_by_the_option),
    TEST(test_next_client_is_granted_no_timestamps),
    TEST(test_stamped_connection_outlives_a_restart),
    TEST(test_carry_of_a_partial_sum_is_added),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

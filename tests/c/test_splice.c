/* The splice's arithmetic: each field, at each alignment, sums kept as they
 * were, right or wrong. */
#include "packet.h"

#include "../../csrc/flow/splice.h"

static struct packet packet;
static struct view view;

static void
parse(uint32_t checksum)
{
    view_parse(packet.bytes, packet.size, checksum, &view);
    EXPECT_EQ(VIEW_TCP, view.kind);
}

static bool
sums_right(void)
{
    struct view again;

    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &again);
    return view_verify(&again);
}

static void
test_incremental_sum_is_the_sum_anew_at_either_parity(void)
{
    for (int i = 0; i < 20000; i++) {
        uint8_t data[16], sum[2];
        size_t at = test_random_below(12);
        test_random_bytes(data, sizeof data);
        if (test_random_below(8) == 0)
            memset(data, test_random() & 1 ? 0xff : 0, sizeof data);
        data[0] |= 1; /* a sum of zeros has no complement to speak of */
        store16_be(sum, (uint16_t)~packet_sum(0, data, sizeof data));
        uint32_t before = load32_be(data + at);
        uint32_t after = (uint32_t)test_random();
        store32_be(data + at, after);
        splice_sum32(sum, before, after, (at & 1) != 0);
        EXPECT_EQ(0xffff, packet_sum(load16_be(sum), data, sizeof data));
    }
}

static void
test_carry_of_a_carry_is_added_to_the_sum(void)
{
    /* Each value at the edges, where folding once leaves 17 bits. */
    static const uint16_t edges[] = {0, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff};
    for (size_t i = 0; i < 7 * 7 * 7; i++) {
        uint16_t sum = edges[i / 49], before = edges[i / 7 % 7];
        uint16_t after = edges[i % 7];
        uint32_t total = (0xffffu ^ sum) + (uint32_t)(0xffffu ^ before) + after;
        uint8_t bytes[2];
        while (total > 0xffff)
            total -= 0xffff;
        store16_be(bytes, sum);
        splice_sum16(bytes, before, after, false);
        EXPECT_EQ(0xffff ^ total, load16_be(bytes));
    }
}

static void
test_window_says_the_same_under_another_scale(void)
{
    static const struct {
        uint16_t window;
        int8_t shift;
        uint16_t expected;
    } rows[] = {
        {512, 0, 512},     {512, -2, 128},     {512, 3, 4096},
        {65535, 1, 65535}, {1, -14, 1},        {0, -14, 0},
        {0, 14, 0},        {40000, 14, 65535}, {32767, 1, 65534},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_EQ(rows[i].expected,
                  splice_window(rows[i].window, rows[i].shift));
}

static void
test_constants_wrap_around(void)
{
    /* p = 5, s = 2^32 - 5, so d = 10. */
    struct splice splice = {.delta = 10};
    for (uint8_t family = 4; family <= 6; family += 2) {
        packet_tcp(&packet, family, WIRE_ACK, NULL, 0, 7);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_EQ(0xfffffff0, view.seq);
        EXPECT_TRUE(splice_to_client(&splice, &view));
        EXPECT_EQ(0xfffffffa, load32_be(view.upper + 4));
        EXPECT_TRUE(splice_to_client(&splice, &view));
        EXPECT_EQ(4, load32_be(view.upper + 4));
        EXPECT_EQ(0x01020304, load32_be(view.upper + 8));
        EXPECT_TRUE(sums_right());
        EXPECT_TRUE(splice_to_server(&splice, &view));
        EXPECT_EQ(0x010202fa, load32_be(view.upper + 8));
        EXPECT_EQ(4, load32_be(view.upper + 4));
        EXPECT_TRUE(sums_right());
    }
}

static void
test_ack_is_no_number_without_its_flag(void)
{
    struct splice splice = {.delta = 10};
    packet_tcp(&packet, 4, WIRE_RST, NULL, 0, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_server(&splice, &view));
    EXPECT_EQ(0x01020304, load32_be(view.upper + 8));
}

static void
test_timestamp_is_no_echo_without_ack(void)
{
    /* RFC 7323 3.2: only a segment with ACK echoes. */
    for (uint16_t flags = WIRE_RST; flags <= (WIRE_RST | WIRE_ACK);
         flags |= WIRE_ACK) {
        struct splice splice = {.flags = SPLICE_TIMESTAMPS, .ts_delta = 500};
        uint8_t options[12] = {1, 1, 8, 10};
        store32_be(options + 8, 700);
        packet_tcp(&packet, 4, flags, options, sizeof options, 0);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        (void)splice_to_server(&splice, &view);
        EXPECT_EQ(flags & WIRE_ACK ? 200 : 700, load32_be(view.upper + 28));
        EXPECT_TRUE(sums_right());
        if (flags & WIRE_ACK)
            break;
    }
}

static void
test_every_sack_block_is_translated_at_odd_offsets_too(void)
{
    /* Three NOPs more or fewer move the blocks to each alignment. */
    struct splice splice = {.delta = 1000, .flags = SPLICE_SACK};
    for (size_t nops = 0; nops < 4; nops++) {
        uint8_t options[24];
        memset(options, 1, sizeof options);
        options[nops] = 5;
        options[nops + 1] = 18;
        for (uint8_t i = 0; i < 4; i++)
            store32_be(options + nops + 2 + 4 * i, 5000u + 100u * i);
        packet_tcp(&packet, 4, WIRE_ACK, options, sizeof options, 3);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_TRUE(splice_to_server(&splice, &view));
        for (uint8_t i = 0; i < 4; i++)
            EXPECT_EQ(4000u + 100u * i,
                      load32_be(view.upper + 20 + nops + 2 + 4 * i));
        EXPECT_BYTES(options + nops + 18, view.upper + 20 + nops + 18,
                     6 - nops);
        EXPECT_TRUE(sums_right());
        /* S's own blocks count C's bytes. */
        packet_tcp(&packet, 4, WIRE_ACK, options, sizeof options, 3);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_TRUE(splice_to_client(&splice, &view));
        EXPECT_BYTES(options, view.upper + 20, sizeof options);
    }
}

static void
test_timestamps_follow_at_any_place_down_to_the_floor(void)
{
    for (size_t nops = 0; nops < 3; nops++) {
        struct splice splice = {.flags = SPLICE_TIMESTAMPS | SPLICE_FLOOR,
                                .ts_delta = 500,
                                .ts_floor = 100};
        uint8_t options[12];
        memset(options, 1, sizeof options);
        options[nops] = 8;
        options[nops + 1] = 10;
        store32_be(options + nops + 2, 40);
        store32_be(options + nops + 6, 700);
        packet_tcp(&packet, 6, WIRE_ACK, options, sizeof options, 0);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_TRUE(splice_to_client(&splice, &view));
        EXPECT_EQ(540, load32_be(view.upper + 20 + nops + 2));
        EXPECT_EQ(700, load32_be(view.upper + 20 + nops + 6));
        EXPECT_TRUE(splice_to_server(&splice, &view));
        EXPECT_EQ(540, load32_be(view.upper + 20 + nops + 2));
        EXPECT_EQ(200, load32_be(view.upper + 20 + nops + 6));
        EXPECT_TRUE(splice_to_server(&splice, &view));
        EXPECT_EQ(100, load32_be(view.upper + 20 + nops + 6));
        EXPECT_TRUE(sums_right());
        /* Far above the floor it is forgotten, or it would bite after 2^31. */
        store32_be(options + nops + 6, 600 + 0x40000000);
        packet_tcp(&packet, 6, WIRE_ACK, options, sizeof options, 0);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_TRUE(splice_to_server(&splice, &view));
        EXPECT_EQ(SPLICE_TIMESTAMPS, splice.flags);
    }
}

static void
test_strip_leaves_nops_and_a_right_sum(void)
{
    static const uint8_t options[] = {1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0};
    packet_tcp(&packet, 4, WIRE_ACK, options, sizeof options, 5);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(splice_strip(&view, 5));
    for (size_t i = 0; i < 11; i++)
        EXPECT_EQ(1, view.upper[20 + i]);
    EXPECT_EQ(0, view.upper[31]);
    EXPECT_TRUE(sums_right());
    EXPECT_TRUE(!splice_strip(&view, 5));
}

static void
test_options_that_do_not_add_up_are_left_alone(void)
{
    static const uint8_t bad[][12] = {
        {5, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
        {5, 13, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9},
        {5, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1},
        {8, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1},
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5},
        {0, 5, 10, 9, 9, 9, 9, 9, 9, 9, 9, 9},
    };
    struct splice splice = {
        .delta = 3, .ts_delta = 7, .flags = SPLICE_SACK | SPLICE_TIMESTAMPS};
    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        packet_tcp(&packet, 4, WIRE_ACK, bad[i], 12, 0);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_TRUE(splice_to_server(&splice, &view));
        EXPECT_TRUE(splice_to_client(&splice, &view));
        EXPECT_BYTES(bad[i], view.upper + 20, 12);
        EXPECT_TRUE(sums_right());
    }
}

static void
test_wrong_sum_stays_wrong_and_partial_sum_stays(void)
{
    struct splice splice = {.delta = 77, .shift_to_client = 2};
    packet_tcp(&packet, 4, WIRE_ACK, NULL, 0, 6);
    packet.bytes[packet.upper + 16] ^= 0x10;
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(splice_to_client(&splice, &view));
    EXPECT_TRUE(!sums_right());
    packet.bytes[packet.upper + 16] ^= 0x10;
    uint8_t sum[2];
    memcpy(sum, view.upper + 16, 2);
    parse(SYNCACHE_CHECKSUM_PARTIAL);
    EXPECT_TRUE(splice_to_client(&splice, &view));
    EXPECT_BYTES(sum, view.upper + 16, 2);
}

static void
test_syn_keeps_its_window(void)
{
    /* RFC 7323 2.2: it is never scaled. */
    struct splice splice = {.shift_to_client = -3, .shift_to_server = 3};
    packet_tcp(&packet, 4, WIRE_SYN | WIRE_ACK, NULL, 0, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_client(&splice, &view));
    EXPECT_TRUE(!splice_to_server(&splice, &view));
    EXPECT_EQ(64240, load16_be(view.upper + 14));
}

/* Of a quoted header without payload, all of it there. */
static uint32_t
quoted_sum(uint8_t family)
{
    static const uint8_t tail[4] = {0, 6, 0, 20};
    size_t addresses = family == 4 ? 8 : 32;
    uint32_t sum = packet_sum(0, view.quote, 20);

    sum = packet_sum(sum, view.quote - addresses, addresses);
    return packet_sum(sum, tail, sizeof tail);
}

static void
test_quotes_are_translated_inside_with_both_sums(void)
{
    struct splice splice = {.delta = 0x12345};
    for (uint8_t family = 4; family <= 6; family += 2) {
        size_t header = family == 4 ? 20 : 40;
        for (size_t more = 8; more <= 20; more++) {
            packet_icmp(&packet, family, family == 4 ? 3 : 1, header + more);
            view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY,
                       &view);
            EXPECT_EQ(VIEW_QUOTE, view.kind);
            uint16_t inner = more >= 18 ? load16_be(view.quote + 16) : 0;
            EXPECT_TRUE(splice_quote_to_server(&splice, &view));
            EXPECT_EQ(0xfffffff0 - 0x12345, load32_be(view.quote + 4));
            EXPECT_TRUE(sums_right());
            if (more >= 18)
                EXPECT_TRUE(inner != load16_be(view.quote + 16));
            if (more >= 20)
                EXPECT_EQ(0xffff, quoted_sum(family));
            EXPECT_EQ(more >= 12, splice_quote_to_client(&splice, &view));
            if (more >= 12)
                EXPECT_EQ(0x01020304 + 0x12345, load32_be(view.quote + 8));
            EXPECT_TRUE(sums_right());
        }
    }
}

static void
test_window_alone_is_scaled_and_said_to_be_changed(void)
{
    for (int8_t shift = -1; shift <= 1; shift++) {
        struct splice splice = {.shift_to_client = shift,
                                .shift_to_server = shift};
        for (int client = 0; client <= 1; client++) {
            packet_tcp(&packet, 4, WIRE_ACK, NULL, 0, 0);
            parse(SYNCACHE_CHECKSUM_VERIFY);
            uint16_t window = load16_be(view.upper + 14);
            EXPECT_EQ(shift != 0, client ? splice_to_client(&splice, &view)
                                         : splice_to_server(&splice, &view));
            EXPECT_EQ(splice_window(window, shift), load16_be(view.upper + 14));
            EXPECT_EQ(splice_window(window, shift), view.window);
            EXPECT_TRUE(sums_right());
            /* None is none under any scale. */
            store16_be(view.upper + 14, 0);
            view.window = 0;
            EXPECT_TRUE(client ? !splice_to_client(&splice, &view)
                               : !splice_to_server(&splice, &view));
        }
    }
}

static void
test_smallest_delta_is_one(void)
{
    /* And 0 leaves the bytes as they are. */
    for (uint32_t delta = 0; delta < 2; delta++) {
        struct splice splice = {.delta = delta};
        packet_tcp(&packet, 4, 0x18, NULL, 0, 9);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        uint32_t seq = view.seq;
        EXPECT_EQ(delta != 0, splice_to_client(&splice, &view));
        EXPECT_EQ(seq + delta, load32_be(view.upper + 4));
        EXPECT_TRUE(sums_right());
    }
}

static void
test_quotes_without_a_difference_are_as_they_were(void)
{
    struct splice splice = {.delta = 0};
    packet_icmp(&packet, 4, 3, 40);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    EXPECT_TRUE(!splice_quote_to_server(&splice, &view));
    EXPECT_TRUE(!splice_quote_to_client(&splice, &view));
    EXPECT_EQ(0xfffffff0, load32_be(view.quote + 4));
    EXPECT_EQ(0x01020304, load32_be(view.quote + 8));
}

static void
test_options_that_are_stripped_change_the_segment_and_others_do_not(void)
{
    static const uint8_t usual[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    static const uint8_t sack[12] = {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    static const uint8_t nops[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    for (uint32_t delta = 0; delta < 2; delta++) {
        for (uint8_t which = 0; which < 4; which++) {
            struct splice splice = {.delta = delta,
                                    .flags = which & 1 ? SPLICE_STRIP_SACK
                                                       : SPLICE_STAMP};
            const uint8_t *options = which & 2 ? usual : sack;
            bool goes = (which & 1) == 0 ? options == usual : options == sack;

            packet_tcp(&packet, 4, WIRE_ACK, options, 12, 5);
            parse(SYNCACHE_CHECKSUM_VERIFY);
            EXPECT_EQ(goes || delta != 0, splice_to_server(&splice, &view));
            EXPECT_BYTES(goes ? nops : options, view.upper + 20, 12);
            EXPECT_TRUE(sums_right());
        }
    }
}

static void
test_blocks_that_are_translated_change_the_segment(void)
{
    static const uint8_t sack[12] = {1, 1, 5, 10, 0, 0, 9, 1, 0, 0, 9, 2};
    struct splice splice = {.delta = 1, .flags = SPLICE_SACK};

    packet_tcp(&packet, 4, WIRE_RST, sack, 12, 0); /* its number is not ours */
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(splice_to_server(&splice, &view));
    EXPECT_EQ(0x900, load32_be(view.upper + 24));
    splice.delta = 0;
    EXPECT_TRUE(!splice_to_server(&splice, &view));
    splice.delta = 1;
    packet_tcp(&packet, 4, WIRE_RST, NULL, 0, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_server(&splice, &view));
}

static void
test_echo_changes_the_segment_by_a_difference_alone(void)
{
    static const uint8_t usual[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 9, 2};
    for (uint32_t delta = 0; delta < 2; delta++) {
        struct splice splice = {.flags = SPLICE_TIMESTAMPS, .ts_delta = delta};

        packet_tcp(&packet, 4, WIRE_ACK, usual, 12, 0);
        parse(SYNCACHE_CHECKSUM_VERIFY);
        EXPECT_EQ(delta != 0, splice_to_server(&splice, &view));
        EXPECT_EQ(0x902 - delta, load32_be(view.upper + 28));
        EXPECT_EQ(delta != 0, splice_to_client(&splice, &view));
        EXPECT_EQ(1 + delta, load32_be(view.upper + 24));
        EXPECT_TRUE(sums_right());
    }
    /* One more option, and one byte too few. */
    static const uint8_t more[16] = {1, 1, 8, 10, 0, 0, 0, 1,
                                     0, 0, 9, 2,  5, 2, 1, 1};
    static const uint8_t others[12] = {1, 1, 8, 9, 0, 0, 0, 1, 0, 0, 9, 1};
    struct splice splice = {.flags = SPLICE_TIMESTAMPS, .ts_delta = 1};
    packet_tcp(&packet, 4, WIRE_ACK, more, 16, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(splice_to_server(&splice, &view));
    EXPECT_EQ(0x901, load32_be(view.upper + 28));
    packet_tcp(&packet, 4, WIRE_ACK, others, 12, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_server(&splice, &view));
    EXPECT_TRUE(!splice_to_client(&splice, &view));
}

static void
test_flags_are_set_with_the_sum(void)
{
    packet_tcp(&packet, 6, WIRE_ACK, NULL, 0, 3);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    splice_flags(&view, WIRE_ACK | WIRE_FIN);
    EXPECT_EQ(WIRE_ACK | WIRE_FIN, view.flags);
    EXPECT_EQ(WIRE_ACK | WIRE_FIN, view.upper[13]);
    EXPECT_TRUE(sums_right());
}

static void
test_quote_in_a_message_whose_sum_is_partial_has_its_own_sum_right(void)
{
    struct splice splice = {.delta = 0x12345};
    uint8_t sum[2];
    packet_icmp(&packet, 6, 1, 60);
    memcpy(sum, packet.bytes + packet.upper + 2, 2);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_PARTIAL, &view);
    EXPECT_EQ(VIEW_QUOTE, view.kind);
    EXPECT_TRUE(splice_quote_to_server(&splice, &view));
    EXPECT_EQ(0xffff, quoted_sum(6));
    EXPECT_BYTES(sum, view.upper + 2, 2);
}

static void
test_timestamps_that_are_cut_are_left_alone(void)
{
    static const uint8_t cut[8] = {1, 1, 8, 10, 0, 0, 0, 1};
    struct splice splice = {.flags = SPLICE_TIMESTAMPS, .ts_delta = 7};
    packet_tcp(&packet, 4, WIRE_ACK, cut, sizeof cut, 20);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_client(&splice, &view));
    EXPECT_TRUE(!splice_to_server(&splice, &view));
    EXPECT_BYTES(cut, view.upper + 20, sizeof cut);
}

static void
test_segment_without_blocks_is_as_it_was(void)
{
    static const uint8_t nops[4] = {1, 1, 1, 1};
    struct splice splice = {.delta = 5, .flags = SPLICE_SACK};
    packet_tcp(&packet, 4, WIRE_RST, nops, sizeof nops, 0);
    parse(SYNCACHE_CHECKSUM_VERIFY);
    EXPECT_TRUE(!splice_to_server(&splice, &view));
}

static const struct test tests[] = {
    TEST(test_carry_of_a_carry_is_added_to_the_sum),
    TEST(test_incremental_sum_is_the_sum_anew_at_either_parity),
    TEST(test_window_says_the_same_under_another_scale),
    TEST(test_constants_wrap_around),
    TEST(test_ack_is_no_number_without_its_flag),
    TEST(test_timestamp_is_no_echo_without_ack),
    TEST(test_every_sack_block_is_translated_at_odd_offsets_too),
    TEST(test_timestamps_follow_at_any_place_down_to_the_floor),
    TEST(test_strip_leaves_nops_and_a_right_sum),
    TEST(test_options_that_do_not_add_up_are_left_alone),
    TEST(test_wrong_sum_stays_wrong_and_partial_sum_stays),
    TEST(test_syn_keeps_its_window),
    TEST(test_quotes_are_translated_inside_with_both_sums),
    TEST(test_window_alone_is_scaled_and_said_to_be_changed),
    TEST(test_smallest_delta_is_one),
    TEST(test_quotes_without_a_difference_are_as_they_were),
    TEST(test_options_that_are_stripped_change_the_segment_and_others_do_not),
    TEST(test_blocks_that_are_translated_change_the_segment),
    TEST(test_echo_changes_the_segment_by_a_difference_alone),
    TEST(test_flags_are_set_with_the_sum),
    TEST(test_quote_in_a_message_whose_sum_is_partial_has_its_own_sum_right),
    TEST(test_timestamps_that_are_cut_are_left_alone),
    TEST(test_segment_without_blocks_is_as_it_was),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

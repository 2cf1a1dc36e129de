/* Captures in blocks: interfaces, resolutions, contradictions. */
#include "capture.h"

static void
test_ng_in_both_byte_orders_with_resolution_and_offset(void)
{
    /* 2.5 s in units of 1/1024 s, 10^-9 s and 10^-6 s, a minute later. */
    static const struct {
        uint8_t tsresol;
        uint64_t units;
    } forms[] = {{0x8a, 2560}, {9, UINT64_C(2500000000)}, {6, 2500000}};
    for (int i = 0; i < 6; i++) {
        start(i & 1);
        section();
        interface(101, forms[i / 2].tsresol, 60);
        enhanced(0, forms[i / 2].units, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(62500, rx.slot[0].handle);
        EXPECT_EQ(0, capture.odd_versions);
        EXPECT_EQ(0xee, rx.memory[IP_SIZE - 1]);
    }
}

static void
test_sections_of_unknown_versions_are_counted(void)
{
    /* Once each, although the second comes in parts; the first is of today. */
    start(false);
    section();
    section();
    file[file_size - 16] = 3;
    uint32_t whole = file_size;
    file_size -= 4;
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, capture.odd_versions);
    file_size = whole;
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.odd_versions);
}

static void
test_section_is_judged_by_its_first_bytes(void)
{
    /* The mark of its byte order, as soon as it is there. */
    start(false);
    section();
    file[8] ^= 1;
    file_size = 12;
    EXPECT_EQ(LINK_CAPTURE_CONTRADICTION, parse());
    start(false);
    section();
    file_size = 11;
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    /* One without its length has a version nevertheless. */
    start(false);
    put(0x0a0d0d0a, 4);
    put(20, 4);
    put(0x1a2b3c4d, 4);
    put(3, 4);
    put(20, 4);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.odd_versions);
}

static void
test_ng_block_length_without_its_padding(void)
{
    /* Old writers pad a block and do not count it. */
    for (uint32_t lost = 1; lost < 4; lost++) {
        start(lost & 1);
        section();
        interface(101, 6, 0);
        put(2, 4);
        put(32 + IP_SIZE - lost, 4);
        put(0, 4);
        put(0, 4);
        put(3000000, 4);
        put(IP_SIZE - lost, 4);
        put(IP_SIZE, 4);
        frame(NULL, 0);
        put(32 + IP_SIZE - lost, 4);
        enhanced(0, 4000000, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        /* The first is cut within IP; the second is found behind it. */
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(4000, rx.slot[0].handle);
        EXPECT_EQ(2, capture.packets);
    }
}

static void
test_ng_a_new_section_forgets_interfaces(void)
{
    /* It may also be of the other byte order. */
    start(false);
    section();
    interface(101, 6, 0);
    big = true;
    section();
    enhanced(0, 1, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, rx.ring.count);
    EXPECT_EQ(ENCAP_INTERFACE, capture.passed[0].reason);
}

static void
test_ng_contradictions_are_refused(void)
{
    /* Lengths that do not fit one another. */
    for (int i = 0; i < 2; i++) {
        start(false);
        section();
        interface(101, 6, 0);
        enhanced(0, 1, i == 0 ? IP_SIZE + 4 : IP_SIZE);
        if (i == 1)
            file[28 + 44 + 4] = 8;
        EXPECT_EQ(LINK_CAPTURE_CONTRADICTION, parse());
    }
}

static void
test_ng_options_of_interfaces_that_make_no_sense_are_passed_over(void)
{
    /* A resolution that is none, a length beyond the block: microseconds. */
    for (int i = 0; i < 3; i++) {
        start(false);
        section();
        interface(101, (uint8_t[]){20, 0xc0, 9}[i], 0);
        if (i == 2)
            file[28 + 16 + 2] = 200;
        enhanced(0, 7250000, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, capture.odd_options);
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(7250, rx.slot[0].handle);
    }
}

static void
test_ng_options_of_interfaces_are_read_one_by_one(void)
{
    /* Up to the one that ends them, or the end of the block. */
    static const struct {
        const char *name;
        uint8_t option[24];
        uint32_t size, time_ms, odd;
    } rows[] = {
        {"none", {0}, 0, 7250, 0},
        {"milliseconds", {9, 0, 1, 0, 3, [7] = 0}, 8, 7250000, 0},
        {"a comment first",
         {1, 0, 4, 0, 'n', 'o', 't', 'e', 9, 0, 1, 0, 3},
         16,
         7250000,
         0},
        {"a second later",
         {9, 0, 1, 0, 3, 0, 0, 0, 14, 0, 8, 0, 1},
         24,
         7251000,
         0},
        {"behind the end", {0, 0, 0, 0, 9, 0, 1, 0, 3}, 12, 7250, 0},
        {"no value", {9, 0, 0, 0, 0}, 8, 7250, 1},
        {"no value, at the end", {9, 0, 0, 0}, 4, 7250, 1},
        {"offset of a word", {14, 0, 4, 0, 1}, 8, 7250, 1},
        {"beyond the block", {9, 0, 5, 0, 3}, 8, 7250, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        start(false);
        section();
        put(1, 4);
        put(20 + rows[i].size, 4);
        put(101, 4);
        put(0, 4);
        put_bytes(rows[i].option, rows[i].size);
        put(20 + rows[i].size, 4);
        enhanced(0, 7250000, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(rows[i].time_ms, rx.slot[0].handle);
        EXPECT_EQ(rows[i].odd, capture.odd_options);
    }
    test_row = "";
}

static void
test_ng_finest_resolution_has_nineteen_digits(void)
{
    start(false);
    section();
    interface(101, 19, 0);
    enhanced(0, UINT64_C(12500000000000000000), IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, capture.odd_options);
    EXPECT_EQ(1250, rx.slot[0].handle);
}

static void
test_ng_times_are_bounded(void)
{
    /* What adds to them cannot overflow. */
    start(false);
    section();
    interface(101, 0, -1);
    enhanced(0, 0, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(UINT64_C(1000000000000000), rx.slot[0].handle);
    start(false);
    section();
    interface(101, 3, 0);
    enhanced(0, UINT64_C(1000000000000005), IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(UINT64_C(1000000000000000), capture.first_ms);
}

static void
test_ng_may_have_hundreds_of_interfaces(void)
{
    /* Each with its own link type; joined files have one for each part. */
    static uint8_t large[700 * 20 + 28 + 2 * 72];
    start(false);
    section();
    memcpy(large, file, file_size);
    uint32_t at = file_size;
    for (uint32_t i = 0; i < 700; i++, at += 20) {
        file_size = 0;
        put(1, 4);
        put(20, 4);
        put(i == 699 ? 101 : 105, 2);
        put(0, 2);
        put(0, 4);
        put(20, 4);
        memcpy(large + at, file, 20);
    }
    file_size = 0;
    enhanced(699, 1000000, IP_SIZE);
    enhanced(698, 1000000, IP_SIZE);
    memcpy(large + at, file, file_size);
    at += file_size;
    EXPECT_EQ(LINK_CAPTURE_MORE,
              link_capture_parse(&capture, large, at, &rx.ring));
    EXPECT_EQ(1, rx.ring.count);
    EXPECT_EQ(2, capture.packets);
    EXPECT_EQ(ENCAP_LINKTYPE, capture.passed[0].reason);
}

static void
test_ng_interface_beyond_the_table_is_no_damage(void)
{
    /* Its packets are those of an interface that is not described. */
    start(false);
    section();
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    capture.interface_count = LINK_CAPTURE_INTERFACES_MAX;
    file_size = 0;
    interface(101, 6, 0);
    enhanced(LINK_CAPTURE_INTERFACES_MAX, 0, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(LINK_CAPTURE_INTERFACES_MAX, capture.interface_count);
    EXPECT_EQ(1, capture.packets);
    EXPECT_EQ(ENCAP_INTERFACE, capture.passed[0].reason);
}

static void
test_ng_packet_without_interface_passes_no_filter(void)
{
    /* No program can be asked for: its link type is not known. */
    start(false);
    capture.filtering = 1;
    section();
    enhanced(0, 0, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.filtered);
    EXPECT_EQ(0, capture.packets);
}

static void
test_ng_offset_of_times_has_a_sign_in_both_byte_orders(void)
{
    for (int i = 0; i < 2; i++) {
        start(i & 1);
        section();
        interface(101, 6, -(INT64_C(1) << 32) - 2);
        enhanced(0, ((UINT64_C(1) << 32) + 5) * 1000000 + 500000, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(3500, rx.slot[0].handle);
    }
}

static void
test_ng_packet_without_a_byte_is_a_record(void)
{
    start(false);
    section();
    interface(101, 6, 0);
    put(6, 4);
    put(32, 4);
    put(0, 20);
    put(32, 4);
    enhanced(0, 1000000, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, rx.ring.count);
}

static void
test_ng_times_have_sixty_four_bits(void)
{
    /* The high word comes first; in microseconds it counts 4,294.967296 s. */
    start(false);
    section();
    interface(101, 6, 0);
    enhanced(0, UINT64_C(3) << 32 | 704, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(12884902, rx.slot[0].handle);
}

static void
test_ng_blocks_without_their_heads_are_damage(void)
{
    /* A simple one without the length, an interface without all of its own. */
    for (uint32_t kind = 1; kind < 4; kind += 2) {
        start(false);
        section();
        put(kind, 4);
        put(kind == 1 ? 16 : 12, 4);
        put(101, kind == 1 ? 4 : 0);
        put(kind == 1 ? 16 : 12, 4);
        EXPECT_EQ(LINK_CAPTURE_CONTRADICTION, parse());
    }
}

static void
test_ng_longest_block_is_waited_for(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        section();
        put(6, 4);
        put(LINK_CAPTURE_RECORD_MAX + more, 4);
        EXPECT_EQ(more ? LINK_CAPTURE_TOO_LONG : LINK_CAPTURE_MORE, parse());
    }
}

static void
test_ng_packet_of_an_unknown_interface_has_no_time(void)
{
    start(false);
    section();
    interface(101, 6, 0);
    enhanced(0, 5000000, IP_SIZE);
    enhanced(1, 9000000, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.untimed);
    EXPECT_EQ(1, capture.skipped);
}

static void
test_ng_blocks_without_a_packet_are_counted(void)
{
    static const uint32_t kinds[] = {9, 0x0bad, 0x40000bad, 10, 77, 6};
    for (int i = 0; i < 6; i++) {
        start(false);
        section();
        interface(101, 6, 0);
        put(kinds[i], 4);
        put(32, 4);
        put(0, 20);
        put(32, 4);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(i < 3, capture.notes);
        EXPECT_EQ(i == 5, capture.packets);
    }
}

static const struct test tests[] = {
    TEST(test_ng_in_both_byte_orders_with_resolution_and_offset),
    TEST(test_sections_of_unknown_versions_are_counted),
    TEST(test_section_is_judged_by_its_first_bytes),
    TEST(test_ng_blocks_without_a_packet_are_counted),
    TEST(test_ng_block_length_without_its_padding),
    TEST(test_ng_a_new_section_forgets_interfaces),
    TEST(test_ng_contradictions_are_refused),
    TEST(test_ng_options_of_interfaces_that_make_no_sense_are_passed_over),
    TEST(test_ng_options_of_interfaces_are_read_one_by_one),
    TEST(test_ng_finest_resolution_has_nineteen_digits),
    TEST(test_ng_packet_without_a_byte_is_a_record),
    TEST(test_ng_times_have_sixty_four_bits),
    TEST(test_ng_times_are_bounded),
    TEST(test_ng_may_have_hundreds_of_interfaces),
    TEST(test_ng_interface_beyond_the_table_is_no_damage),
    TEST(test_ng_packet_without_interface_passes_no_filter),
    TEST(test_ng_offset_of_times_has_a_sign_in_both_byte_orders),
    TEST(test_ng_blocks_without_their_heads_are_damage),
    TEST(test_ng_longest_block_is_waited_for),
    TEST(test_ng_packet_of_an_unknown_interface_has_no_time),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

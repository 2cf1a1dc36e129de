/* Classic captures by writers that kept the magic number and changed the rest. */
#include "capture.h"

static void
two_records(uint32_t magic, uint32_t more, uint32_t size)
{
    classic(magic, 101);
    for (uint32_t i = 0; i < 2; i++) {
        record(1700000000 + i, 250000, IP_SIZE, size);
        put(0, more);
        frame(NULL, 0);
    }
}

static void
test_longer_record_heads_are_seen_by_the_second_record(void)
{
    /* As of Red Hat 6.1, Nokia and SuSE 6.3. */
    static const struct {
        uint32_t magic, more;
    } forms[] = {{0xa1b2c3d4, 0},  {0xa1b2c3d4, 8}, {0xa1b2c3d4, 4},
                 {0xa1b2c3d4, 12}, {0xa1b2cd34, 8}, {0xa1b2cd34, 12}};
    for (int i = 0; i < 12; i++) {
        start(i & 1);
        two_records(forms[i / 2].magic, forms[i / 2].more, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(2, rx.ring.count);
        EXPECT_EQ(0, capture.skipped);
        EXPECT_EQ(1700000001250, rx.slot[1].handle);
        EXPECT_EQ(0x45, rx.memory[0]);
    }
}

static void
test_form_is_seen_by_a_second_head_at_the_end(void)
{
    /* All of the usual head is there, and no more. */
    for (uint32_t less = 0; less < 2; less++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1700000000, 250000, IP_SIZE, IP_SIZE);
        put(0, 8);
        frame(NULL, 0);
        record(1700000001, 250000, IP_SIZE, IP_SIZE);
        file_size -= less;
        (void)parse();
        EXPECT_EQ(less ? 16 : 24, capture.record_head);
    }
}

/* The form that is seen where a record of 24 bytes of head and `first` of frame, by
 * its head, has one behind it whose head says this. */
static uint32_t
seen(uint32_t first, uint32_t fraction, uint32_t captured, uint32_t wire)
{
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1700000000, 250000, first, IP_SIZE);
    put(0, 8 + first);
    record(1700000001, fraction, captured, wire);
    put(0, 8);
    (void)parse();
    return capture.record_head;
}

static void
test_form_is_seen_by_heads_that_are_likely(void)
{
    enum { LONG = 262144 };
    EXPECT_EQ(24, seen(IP_SIZE, 999999, IP_SIZE, IP_SIZE));
    EXPECT_EQ(16, seen(IP_SIZE, 1000000, IP_SIZE, IP_SIZE));
    EXPECT_EQ(24, seen(IP_SIZE, 5, LONG, LONG));
    EXPECT_EQ(16, seen(IP_SIZE, 5, LONG + 1, LONG + 1));
    EXPECT_EQ(24, seen(IP_SIZE, 5, 1, IP_SIZE));
    EXPECT_EQ(24, seen(1, 5, IP_SIZE, IP_SIZE));
    EXPECT_EQ(16, seen(0, 5, IP_SIZE, IP_SIZE)); /* says nothing */
}

static void
test_form_is_looked_for_by_lengths_in_the_old_order(void)
{
    /* That on the wire comes first; a frame is as long as what was kept. */
    start(false);
    classic(0xa1b2c3d4, 101);
    file[6] = 3;
    for (uint32_t i = 0; i < 2; i++) {
        record(1700000000 + i, 250000, IP_SIZE + 10, IP_SIZE);
        put(0, 8);
        frame(NULL, 0);
    }
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(24, capture.record_head);
}

static void
test_head_has_one_interface(void)
{
    start(true);
    classic(0xa1b2c3d4, 101);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.interface_count);
    EXPECT_EQ(65535, capture.interface[0].snaplen);
    EXPECT_EQ(101, capture.interface[0].linktype);
}

static void
test_longest_record_is_waited_for(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(1, 0, LINK_CAPTURE_RECORD_MAX + more, UINT32_MAX);
        EXPECT_EQ(more ? LINK_CAPTURE_TOO_LONG : LINK_CAPTURE_MORE, parse());
    }
}

static void
test_form_is_looked_for_once(void)
{
    /* Eight bytes of damage further on are no reason to take another. */
    start(false);
    two_records(0xa1b2c3d4, 0, IP_SIZE);
    record(1700000002, 250000, IP_SIZE, IP_SIZE);
    put(0, 8);
    frame(NULL, 0);
    record(1700000003, 250000, IP_SIZE, IP_SIZE);
    put(0, 8);
    frame(NULL, 0);
    (void)parse();
    EXPECT_EQ(16, capture.record_head);
}

static void
test_records_of_the_usual_form_are_not_taken_for_others(void)
{
    /* One record alone, and a second one that is damaged, change nothing. */
    start(false);
    classic(0xa1b2c3d4, 101);
    record(7, 0, IP_SIZE, IP_SIZE);
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, rx.ring.count);

    start(false);
    classic(0xa1b2c3d4, 101);
    record(7, 0, IP_SIZE, IP_SIZE);
    frame(NULL, 0);
    record(8, 0, UINT32_MAX, IP_SIZE);
    put(0, 64);
    EXPECT_EQ(LINK_CAPTURE_TOO_LONG, parse());
    EXPECT_EQ(1, rx.ring.count);
    EXPECT_EQ(16, capture.record_head);

    start(false);
    two_records(0xa1b2c3d4, 0, IP_SIZE + 1000);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(16, capture.record_head);
}

static void
test_impossible_fraction_or_empty_frame_is_no_other_form(void)
{
    /* What may be read 4 bytes later as the head of a record lies in them. */
    static const struct {
        uint32_t fraction, captured, wire;
    } second[] = {{1000000, 76, 76}, {999999, 0, 262144}};
    for (int i = 0; i < 4; i++) {
        uint32_t captured = second[i / 2].captured;

        start(i & 1);
        classic(0xa1b2c3d4, 113);
        record(1418145369, 999999, 76, 76);
        put(0, 76);
        record(1418145370, second[i / 2].fraction, captured,
               second[i / 2].wire);
        put(131072, captured < 4 ? captured : 4);
        put(0, captured < 4 ? 0 : captured - 4);
        record(1418145371, 0, 76, 76);
        put(0, 76);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(16, capture.record_head);
        EXPECT_EQ(3, capture.packets);
    }
}

static void
test_files_of_aix_have_nanoseconds_and_interface_types(void)
{
    /* Ethernet, token ring, FDDI, loopback; 1 is a link type of any writer. */
    static const struct {
        uint32_t type, linktype;
        uint64_t per_second;
    } rows[] = {{6, 1, 1000000000},
                {9, 6, 1000000000},
                {15, 10, 1000000000},
                {24, 0, 1000000000},
                {1, 1, 1000000}};
    for (int i = 0; i < 10; i++) {
        start(i & 1);
        classic(0xa1b2c3d4, rows[i / 2].type);
        file[big ? 7 : 6] = 2;
        parse();
        EXPECT_EQ(rows[i / 2].linktype, capture.interface[0].linktype);
        EXPECT_EQ(rows[i / 2].per_second, capture.interface[0].per_second);
    }
}

static void
test_numbers_of_aix_are_link_types_in_files_of_others(void)
{
    static const uint32_t types[] = {6, 9, 15, 24};
    for (size_t i = 0; i < TEST_COUNT(types); i++) {
        start(i & 1);
        classic(0xa1b2c3d4, types[i]);
        parse();
        EXPECT_EQ(types[i], capture.interface[0].linktype);
        EXPECT_EQ(1000000, capture.interface[0].per_second);
        start(i & 1);
        classic(0xa1b23c4d, types[i]);
        file[big ? 7 : 6] = 2;
        parse();
        EXPECT_EQ(types[i], capture.interface[0].linktype);
    }
}

/* Bytes of a record's head that are found where it has 24, of which the last 8 in
 * front of the second look like the begin of one of 16. */
static uint32_t
guessed(uint32_t seconds, uint32_t fraction, uint32_t captured, uint32_t wire)
{
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1000000, 250000, IP_SIZE, IP_SIZE);
    put(0, 8);
    frame(NULL, 0);
    file_size -= 8;
    put(seconds, 4);
    put(fraction, 4);
    record(captured, wire, IP_SIZE, IP_SIZE);
    put(0, 8);
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    return capture.record_head;
}

static void
test_second_record_is_looked_for_where_the_first_could_end(void)
{
    /* What an odd writer may have put there: a frame cut to nothing has a
     * fraction of a second and a length; any other frame has lengths in order,
     * and a time within a day. */
    enum { NEVER = 2000000, DAY = 86400, LONG = 262144 };
    EXPECT_EQ(16, guessed(1000000, 999999, 0, 76));
    EXPECT_EQ(24, guessed(1000000, 1000000, 0, 76));
    EXPECT_EQ(24, guessed(1000000, 5, 0, 0));
    EXPECT_EQ(16, guessed(1000000, 5, 0, 1));
    EXPECT_EQ(16, guessed(1000000, 5, 0, LONG));
    EXPECT_EQ(24, guessed(1000000, 5, 0, LONG + 1));
    EXPECT_EQ(16, guessed(1000000, NEVER, LONG, LONG));
    EXPECT_EQ(24, guessed(1000000, NEVER, LONG + 1, LONG + 1));
    EXPECT_EQ(24, guessed(1000000, NEVER, 77, 76));
    EXPECT_EQ(16, guessed(1000000 + DAY - 1, NEVER, 76, 76));
    EXPECT_EQ(24, guessed(1000000 + DAY, NEVER, 76, 76));
    EXPECT_EQ(16, guessed(1000000 - DAY, NEVER, 76, 76));
    EXPECT_EQ(24, guessed(1000000 - DAY - 1, NEVER, 76, 76));
}

static void
test_files_of_unknown_versions_are_counted(void)
{
    for (uint8_t major = 1; major <= 3; major++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        file[4] = major;
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(major != 2, capture.odd_versions);
    }
}

static void
test_capture_behind_another_begins_a_day_later(void)
{
    /* An hour back, to the second. */
    for (uint32_t more = 0; more < 2; more++) {
        start(false);
        classic(0xa1b2c3d4, 101);
        record(10000, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        record(6401 - more, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(2, rx.ring.count);
        EXPECT_EQ(more ? 86400000 : 0, capture.gap_ms);
        EXPECT_EQ(more ? 96400000 : 10000000, rx.slot[1].handle);
    }
}

static void
test_header_alone_is_not_cut(void)
{
    /* A packet of no payload, of a protocol that is not looked into. */
    static const uint8_t head4[20] = {0x45, [3] = 20, [8] = 64, 50};
    static const uint8_t head6[40] = {0x60, [6] = 50, 64};

    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, sizeof head4, sizeof head4);
    put_bytes(head4, sizeof head4);
    record(1, 0, sizeof head6, sizeof head6);
    put_bytes(head6, sizeof head6);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(ENCAP_PROTOCOL, capture.passed[0].reason);
    EXPECT_EQ(2, capture.passed[0].count);
}

static const struct test tests[] = {
    TEST(test_header_alone_is_not_cut),
    TEST(test_longer_record_heads_are_seen_by_the_second_record),
    TEST(test_form_is_seen_by_a_second_head_at_the_end),
    TEST(test_form_is_seen_by_heads_that_are_likely),
    TEST(test_form_is_looked_for_by_lengths_in_the_old_order),
    TEST(test_head_has_one_interface),
    TEST(test_longest_record_is_waited_for),
    TEST(test_form_is_looked_for_once),
    TEST(test_records_of_the_usual_form_are_not_taken_for_others),
    TEST(test_impossible_fraction_or_empty_frame_is_no_other_form),
    TEST(test_files_of_aix_have_nanoseconds_and_interface_types),
    TEST(test_numbers_of_aix_are_link_types_in_files_of_others),
    TEST(test_second_record_is_looked_for_where_the_first_could_end),
    TEST(test_files_of_unknown_versions_are_counted),
    TEST(test_capture_behind_another_begins_a_day_later),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

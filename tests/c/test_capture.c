/* Captures of both kinds, and what no longer is one. */
#include "capture.h"

static void
test_classic_in_both_byte_orders_and_resolutions(void)
{
    /* A time of 7.25 s in each of the forms: the usual two, a patched libpcap's
     * with 8 bytes more in each record, and two with 4 more in the head. */
    static const struct {
        uint32_t magic, fraction, head, record;
    } forms[] = {{0xa1b2c3d4, 250000, 0, 0},
                 {0xa1b23c4d, 250000000, 0, 0},
                 {0xa1b2cd34, 250000, 0, 8},
                 {0x1c0001ac, 250000000, 4, 0},
                 {0x1c0001ab, 250000000, 4, 0}};
    for (int i = 0; i < 10; i++) {
        start(i & 1);
        classic(forms[i / 2].magic, 101);
        put(0, forms[i / 2].head);
        record(7, forms[i / 2].fraction, IP_SIZE, IP_SIZE);
        put(0, forms[i / 2].record);
        frame(NULL, 0);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(7250, rx.slot[0].handle);
        EXPECT_EQ(7250, capture.first_ms);
        EXPECT_EQ(IP_SIZE, rx.slot[0].size);
        EXPECT_EQ(SYNCACHE_CHECKSUM_VALID, rx.slot[0].checksum);
        EXPECT_EQ(0xee, rx.memory[IP_SIZE - 1]);
    }
}

static void
test_link_headers_are_taken_off(void)
{
    /* Each link type's header, and what follows it. */
    static const struct {
        const char *name;
        uint32_t linktype, size;
        uint8_t head[24];
    } rows[] = {
        {"null", 0, 4, {2}},
        {"Ethernet", 1, 14, {[12] = 8}},
        {"one VLAN tag", 1, 18, {[12] = 0x81, [16] = 8}},
        {"two VLAN tags", 1, 22, {[12] = 0x88, 0xa8, [16] = 0x81, [20] = 8}},
        {"raw, BSD", 12, 0, {0}},
        {"raw, OpenBSD", 14, 0, {0}},
        {"loop", 108, 4, {[3] = 2}},
        {"cooked", 113, 16, {[14] = 8}},
        {"IPv4", 228, 0, {0}},
        {"cooked 2", 276, 20, {8}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        start(false);
        classic(0xa1b2c3d4, rows[i].linktype);
        record(1, 0, rows[i].size + IP_SIZE, rows[i].size + IP_SIZE);
        frame(rows[i].head, rows[i].size);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(0x45, rx.memory[0]);
        EXPECT_EQ(IP_SIZE, rx.slot[0].size);
    }
}

static void
test_what_is_not_ip_is_skipped_and_counted(void)
{
    /* ARP, an empty record, a version of 0, cooked headers cut short, a link
     * type that nobody knows. */
    static const uint8_t arp[14 + IP_SIZE] = {[12] = 8, 6};
    static const struct {
        uint32_t type, size, reason, number;
    } rows[] = {{1, sizeof arp, ENCAP_ETHERTYPE, 0x0806},
                {101, 0, ENCAP_CUT, 0},
                {101, 1, ENCAP_VERSION, 0},
                {113, 15, ENCAP_CUT, 0},
                {276, 19, ENCAP_CUT, 0},
                {105, sizeof arp, ENCAP_LINKTYPE, 105}};
    for (int i = 0; i < 6; i++) {
        start(false);
        classic(0xa1b2c3d4, rows[i].type);
        for (int n = 0; n < 2; n++) {
            record(1, 0, rows[i].size, rows[i].size);
            put_bytes(arp, rows[i].size);
        }
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(0, rx.ring.count);
        EXPECT_EQ(2, capture.packets);
        EXPECT_EQ(2, capture.skipped);
        EXPECT_EQ(1, capture.passed_count);
        EXPECT_EQ(rows[i].reason, capture.passed[0].reason);
        EXPECT_EQ(rows[i].number, capture.passed[0].number);
        EXPECT_EQ(2, capture.passed[0].count);
    }
}

/* One raw packet with these first bytes of an IPv4 packet of 40. */
static void
raw(uint8_t fragment, uint8_t protocol, uint8_t offset)
{
    uint8_t packet[IP_SIZE] = {
        0x45, [3] = IP_SIZE, [6] = fragment, [8] = 64, protocol, [32] = offset};
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, IP_SIZE, IP_SIZE);
    put_bytes(packet, sizeof packet);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
}

static void
test_ip_that_is_not_looked_at_is_counted_and_goes_on(void)
{
    /* The engine still counts it as other. */
    raw(0, 89, 0);
    EXPECT_EQ(ENCAP_PROTOCOL, capture.passed[0].reason);
    EXPECT_EQ(89, capture.passed[0].number);
    for (uint8_t i = 0; i < 2; i++) {
        raw(0x20, i == 0 ? 6 : 89, 0x50);
        EXPECT_EQ(ENCAP_FRAGMENT, capture.passed[0].reason);
        EXPECT_EQ(0, capture.passed[0].number);
    }
    raw(0, 6, 0x10);
    EXPECT_EQ(ENCAP_BAD, capture.passed[0].reason);
    EXPECT_EQ(0, capture.passed[0].number);
    EXPECT_EQ(1, rx.ring.count);
    raw(0, 6, 0x50);
    EXPECT_EQ(0, capture.passed_count);
    EXPECT_EQ(1, rx.ring.count);
}

/* A TCP segment in GRE in IP in IP, of which `kept` bytes were captured. */
static void
nested(bool tunnels, uint32_t kept)
{
    static const uint8_t head[44] = {0x45,      [3] = 84,    [8] = 64,
                                     4,         [20] = 0x45, [23] = 64,
                                     [28] = 64, 47,          [42] = 8};
    start(false);
    capture.tunnels = tunnels;
    classic(0xa1b2c3d4, 101);
    record(1, 0, kept, sizeof head + IP_SIZE);
    frame(head, sizeof head);
    file_size -= (uint32_t)sizeof head + IP_SIZE - kept;
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
}

static void
test_tunnels_are_counted_and_by_choice_looked_into(void)
{
    nested(false, 84);
    EXPECT_EQ(ENCAP_TUNNEL, capture.passed[0].reason);
    EXPECT_EQ(TUNNEL_IPIP, capture.passed[0].number);
    EXPECT_EQ(84, rx.slot[0].size);
    nested(true, 84);
    EXPECT_EQ(0, capture.passed_count);
    EXPECT_EQ(1, capture.entered[TUNNEL_IPIP]);
    EXPECT_EQ(1, capture.entered[TUNNEL_GRE]);
    EXPECT_EQ(IP_SIZE, rx.slot[0].size);
    EXPECT_EQ(0xee, rx.memory[IP_SIZE - 1]);
    for (uint32_t kept = 1; kept < 84; kept++) { /* cut anywhere */
        nested(true, kept);
        EXPECT_EQ(1, capture.passed_count);
        EXPECT_EQ(0, rx.ring.count);
    }
}

/* A TCP segment in so many headers of IP in IP. */
static void
in_each_other(uint32_t tunnels)
{
    uint32_t size = 20 * tunnels;

    start(false);
    rx.ring.slots /= 2;
    rx.ring.slot_size *= 2;
    capture.tunnels = true;
    classic(0xa1b2c3d4, 101);
    record(1, 0, size + IP_SIZE, size + IP_SIZE);
    for (uint32_t left = size; left > 0; left -= 20) {
        uint8_t head[20] = {0x45, [3] = (uint8_t)(left + IP_SIZE), [8] = 64, 4};
        put_bytes(head, sizeof head);
    }
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, rx.ring.count);
}

static void
test_tunnels_in_each_other_are_looked_into_eight_deep(void)
{
    /* The ninth is left as it is, and counted. */
    in_each_other(8);
    EXPECT_EQ(8, capture.entered[TUNNEL_IPIP]);
    EXPECT_EQ(0, capture.passed_count);
    EXPECT_EQ(IP_SIZE, rx.slot[0].size);
    in_each_other(9);
    EXPECT_EQ(8, capture.entered[TUNNEL_IPIP]);
    EXPECT_EQ(ENCAP_TUNNEL, capture.passed[0].reason);
    EXPECT_EQ(20 + IP_SIZE, rx.slot[0].size);
}

static void
test_doubles_are_counted_and_by_choice_left_out(void)
{
    for (int dedup = 0; dedup < 2; dedup++) {
        static const uint8_t head[IP_SIZE] = {
            0x45, [3] = IP_SIZE, [5] = 7, [8] = 64, 6, [32] = 0x50, 0x10};
        start(false);
        capture.dedup = dedup != 0;
        classic(0xa1b2c3d4, 101);
        for (int i = 0; i < 3; i++) {
            record(1, 0, IP_SIZE, IP_SIZE);
            put_bytes(head, sizeof head);
        }
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(3, capture.packets);
        EXPECT_EQ(2, capture.doubles);
        EXPECT_EQ(dedup ? 1 : 3, rx.ring.count);
        EXPECT_EQ(dedup ? 2 : 0, capture.skipped);
        if (dedup) {
            EXPECT_EQ(ENCAP_DOUBLE, capture.passed[0].reason);
            EXPECT_EQ(0, capture.passed[0].number);
        }
    }
}

static void
test_records_that_the_filter_refuses_are_counted_apart(void)
{
    /* By the program of their link type; without one it is asked for. */
    static const struct filter_instruction all = {0x06, 0, 0, 1};

    for (int wanted = 0; wanted < 2; wanted++) {
        start(false);
        capture.filtering = 1;
        classic(0xa1b2c3d4, 101);
        record(1, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        EXPECT_EQ(LINK_CAPTURE_FILTER, parse());
        EXPECT_EQ(101, capture.filter_linktype);
        EXPECT_EQ(0, capture.packets + capture.filtered);
        capture.filter[0].linktype = 101;
        capture.filter[0].program = wanted ? &all : NULL;
        capture.filter_count = 1;
        EXPECT_EQ(LINK_CAPTURE_MORE,
                  link_capture_parse(&capture, file + capture.consumed,
                                     file_size - (uint32_t)capture.consumed,
                                     &rx.ring));
        EXPECT_EQ(wanted, capture.packets);
        EXPECT_EQ(wanted, rx.ring.count);
        EXPECT_EQ(!wanted, capture.filtered);
    }
}

static void
test_filter_is_that_of_the_link_type(void)
{
    static const struct filter_instruction all = {0x06, 0, 0, 1};
    static const struct {
        uint32_t linktype[2];
        enum link_capture_status status;
    } rows[] = {{{101, 1}, LINK_CAPTURE_MORE},
                {{1, 101}, LINK_CAPTURE_MORE},
                {{1, 113}, LINK_CAPTURE_FILTER}};

    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        start(false);
        capture.filtering = 1;
        capture.filter_count = 2;
        for (int i = 0; i < 2; i++)
            capture.filter[i] = (struct link_capture_filter){
                .linktype = rows[row].linktype[i],
                .program = rows[row].linktype[i] == 101 ? &all : NULL};
        classic(0xa1b2c3d4, 101);
        record(1, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        EXPECT_EQ(rows[row].status, parse());
        EXPECT_EQ(row < 2, rx.ring.count);
    }
}

static void
test_kinds_beyond_the_table_are_counted_together(void)
{
    /* 64 EtherTypes by themselves, the rest as one. */
    start(false);
    classic(0xa1b2c3d4, 1);
    for (uint32_t i = 0; i < LINK_CAPTURE_PASSED_MAX + 3; i++) {
        uint8_t head[14] = {[12] = 0x90, (uint8_t)(i + 1)};
        record(1, 0, sizeof head, sizeof head);
        put_bytes(head, sizeof head);
    }
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(LINK_CAPTURE_PASSED_MAX, capture.passed_count);
    EXPECT_EQ(3, capture.passed_rest);
}

static void
test_a_full_ring_stops_between_records(void)
{
    /* The rest comes with the next call. */
    start(false);
    classic(0xa1b2c3d4, 101);
    for (uint32_t i = 0; i < RING_SLOTS + 1; i++) {
        record(i, 0, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
    }
    EXPECT_EQ(LINK_CAPTURE_FULL,
              link_capture_parse(&capture, file, file_size, &rx.ring));
    uint32_t at = (uint32_t)capture.consumed;
    EXPECT_EQ(file_size - 16 - IP_SIZE, at);
    rx.ring.count = 0;
    EXPECT_EQ(LINK_CAPTURE_MORE, link_capture_parse(&capture, file + at,
                                                    file_size - at, &rx.ring));
    EXPECT_EQ(RING_SLOTS * 1000, rx.slot[0].handle);
}

static void
test_damage_and_other_files_are_told_apart(void)
{
    /* Each has its own status. */
    start(false);
    put_bytes("GIF89a", 6);
    EXPECT_EQ(LINK_CAPTURE_NO_CAPTURE, parse());
    for (uint32_t size = 3; size < 5; size++) {
        start(false);
        put_bytes("GIF89a", size);
        EXPECT_EQ(size < 4 ? LINK_CAPTURE_MORE : LINK_CAPTURE_NO_CAPTURE,
                  parse());
    }
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, LINK_CAPTURE_RECORD_MAX + 1, 1);
    EXPECT_EQ(LINK_CAPTURE_TOO_LONG, parse());
}

static void
test_zero_bytes_are_no_records(void)
{
    /* Behind the last record and between two, in both formats. */
    for (int ng = 0; ng < 2; ng++) {
        start(false);
        if (ng) {
            section();
            interface(101, 6, 0);
        } else {
            classic(0xa1b2c3d4, 101);
        }
        for (int i = 0; i < 2; i++) {
            if (ng) {
                enhanced(0, 1000000, IP_SIZE);
            } else {
                record(1, 0, IP_SIZE, IP_SIZE);
                frame(NULL, 0);
            }
            for (int n = 0; n < 6; n++)
                put(0, 8);
        }
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(2, rx.ring.count);
        EXPECT_EQ(2, capture.packets);
        EXPECT_TRUE(capture.zeros > 88 && capture.zeros <= 96);
    }
}

static void
test_lengths_of_an_old_file_may_be_exchanged(void)
{
    /* Before version 2.4 some wrote the length on the wire first. */
    start(false);
    classic(0xa1b2c3d4, 101);
    file[6] = 3;
    record(1, 0, IP_SIZE + 60, IP_SIZE);
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, rx.ring.count);
    EXPECT_EQ(IP_SIZE + 60, rx.slot[0].size);
}

static void
test_any_bytes_are_safe(void)
{
    /* Captures spoiled in a few places, cut anywhere. */
    for (int round = 0; round < 20000; round++) {
        start(test_random() & 1);
        if (round & 1) {
            classic(0xa1b2c3d4, (uint32_t[]){1, 101, 113, 276}[round / 2 % 4]);
            for (int i = 0; i < 3; i++) {
                record(1, 1, IP_SIZE, IP_SIZE);
                frame(NULL, 0);
            }
        } else {
            section();
            interface(101, (uint8_t)test_random(), (int64_t)test_random());
            enhanced(0, test_random(), IP_SIZE);
            enhanced(0, test_random(), IP_SIZE);
        }
        for (uint64_t i = test_random_below(6); i > 0; i--)
            file[test_random_below(file_size)] = (uint8_t)test_random();
        file_size = (uint32_t)test_random_below(file_size + 1);
        parse();
        EXPECT_TRUE(capture.skipped <= capture.packets);
    }
}

static void
test_tunnel_without_ip_in_it_is_skipped(void)
{
    /* ARP in GRE. */
    static const uint8_t head[24] = {0x45, [3] = 64, [8] = 64, 47, [22] = 8, 6};
    start(false);
    capture.tunnels = 1;
    classic(0xa1b2c3d4, 101);
    record(1, 0, sizeof head + IP_SIZE, sizeof head + IP_SIZE);
    frame(head, sizeof head);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(0, rx.ring.count);
    EXPECT_EQ(1, capture.skipped);
    EXPECT_EQ(ENCAP_ETHERTYPE, capture.passed[0].reason);
}

static const struct test tests[] = {
    TEST(test_classic_in_both_byte_orders_and_resolutions),
    TEST(test_link_headers_are_taken_off),
    TEST(test_what_is_not_ip_is_skipped_and_counted),
    TEST(test_filter_is_that_of_the_link_type),
    TEST(test_a_full_ring_stops_between_records),
    TEST(test_damage_and_other_files_are_told_apart),
    TEST(test_ip_that_is_not_looked_at_is_counted_and_goes_on),
    TEST(test_tunnels_are_counted_and_by_choice_looked_into),
    TEST(test_tunnels_in_each_other_are_looked_into_eight_deep),
    TEST(test_doubles_are_counted_and_by_choice_left_out),
    TEST(test_records_that_the_filter_refuses_are_counted_apart),
    TEST(test_kinds_beyond_the_table_are_counted_together),
    TEST(test_zero_bytes_are_no_records),
    TEST(test_lengths_of_an_old_file_may_be_exchanged),
    TEST(test_any_bytes_are_safe),
    TEST(test_tunnel_without_ip_in_it_is_skipped),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

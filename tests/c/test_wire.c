/* Packets to values: TCP and its options, addresses; ICMP has its own file. */
#include "packet.h"

#include "../../csrc/core/wire.h"

#define SYN_OPTIONS                                             \
    (WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | \
     WIRE_HAS_FASTOPEN)

static struct packet packet;
static const uint8_t families[] = {4, 6};

/* What wire_parse() says about an exact copy, freed by the next call. */
static struct wire_segment segment;
static struct wire_quote quote;
static enum syncache_verdict why;
static uint8_t *copy;

static enum wire_kind
parse(uint32_t checksum)
{
    free(copy);
    copy = test_heap_copy(packet.bytes, packet.size);
    memset(&segment, 0xff, sizeof segment);
    memset(&quote, 0xff, sizeof quote);
    why = SYNCACHE_VERDICT_COUNT;
    return wire_parse(copy, packet.size, checksum, &segment, &quote, &why);
}

static void
expect_bad(enum syncache_verdict expected)
{
    EXPECT_EQ(WIRE_BAD, parse(SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(expected, why);
}

static void
test_segment_fields_are_read_in_host_order(void)
{
    /* Every field of the fixed headers, in both families. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], WIRE_SYN | WIRE_AE | WIRE_CWR, NULL, 0,
                   5);
        EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(4660, segment.tuple.fport);
        EXPECT_EQ(80, segment.tuple.lport);
        EXPECT_EQ(families[i], segment.tuple.family);
        EXPECT_EQ(0xfffffff0, segment.seg_seq);
        EXPECT_EQ(0x01020304, segment.seg_ack);
        EXPECT_EQ(64240, segment.seg_wnd);
        EXPECT_EQ(99, segment.seg_up);
        EXPECT_EQ(WIRE_SYN | WIRE_AE | WIRE_CWR, segment.flags);
        EXPECT_EQ(5, segment.payload_size);
        EXPECT_EQ(20, segment.header_size);
        EXPECT_EQ(0x2e, segment.tos);
        EXPECT_EQ(57, segment.hop_limit);
        EXPECT_EQ(0, segment.has);
        EXPECT_EQ(0, segment.mss);
        EXPECT_EQ(0, segment.wscale);
        EXPECT_EQ(0, segment.tsval);
        EXPECT_EQ(0, segment.tsecr);
        EXPECT_EQ(0, segment.fastopen_size);
        EXPECT_TRUE(segment.tcp == copy + packet.upper);
    }
}

static void
test_each_flag_bit_is_read_alone(void)
{
    /* AE is the bit that was NS; the three bits above it are reserved. */
    for (unsigned bit = 0; bit < 12; bit++) {
        packet_tcp(&packet, 4, (uint16_t)(1u << bit), NULL, 0, 0);
        EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(bit < 9 ? 1u << bit : 0, segment.flags);
    }
}

static void
test_tcp_header_fault_is_named(void)
{
    /* Data offset below 5, or beyond what the IP length leaves. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        for (uint8_t words = 0; words < 16; words++) {
            packet_tcp(&packet, families[i], WIRE_SYN, NULL, 0, 12);
            packet.bytes[packet.upper + 12] = (uint8_t)(words << 4);
            packet_seal(&packet, 6, 16);
            if (words >= 5 && words <= 8)
                EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
            else
                expect_bad(SYNCACHE_DROP_TCP_HEADER);
        }
        for (size_t size = 0; size < 20; size++) {
            packet_ip(&packet, families[i], 6, size);
            expect_bad(SYNCACHE_DROP_TCP_HEADER);
        }
    }
}

static void
test_checksum_is_verified_unless_the_link_vouches(void)
{
    /* One flipped bit anywhere in the segment, odd sizes too. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], WIRE_SYN, NULL, 0, 7);
        for (size_t at = packet.upper; at < packet.size; at++) {
            /* The data offset is judged before the checksum. */
            if (at == packet.upper + 12)
                continue;
            packet.bytes[at] ^= 0x10;
            expect_bad(SYNCACHE_DROP_CHECKSUM);
            EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VALID));
            EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_PARTIAL));
            packet.bytes[at] ^= 0x10;
        }
        EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
    }
}

static void
test_largest_segments_are_verified(void)
{
    /* The pseudo header's length holds more than 16 bits' worth of IPv6. */
    packet_tcp(&packet, 4, WIRE_ACK, NULL, 0, 65535 - 40);
    EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(65495, segment.payload_size);
    packet_tcp(&packet, 6, WIRE_ACK, NULL, 0, 65535 - 20);
    EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(65515, segment.payload_size);
}

/* Parses a segment with these options and returns which were taken. */
static unsigned
options_taken(uint16_t flags, const uint8_t *options, size_t size)
{
    packet_tcp(&packet, 4, flags, options, size, 0);
    EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
    return segment.has;
}

static void
test_options_of_a_linux_syn_are_read(void)
{
    /* MSS 1460, SACK-permitted, timestamps, NOP, window scale 7. */
    static const uint8_t options[20] = {2,    4,    5,    0xb4, 4,    2, 8,
                                        10,   0xde, 0xad, 0xbe, 0xef, 0, 0,
                                        0x12, 0x34, 1,    3,    3,    7};
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS |
                  WIRE_HAS_WSCALE,
              options_taken(WIRE_SYN, options, sizeof options));
    EXPECT_EQ(1460, segment.mss);
    EXPECT_EQ(0xdeadbeef, segment.tsval);
    EXPECT_EQ(0x1234, segment.tsecr);
    EXPECT_EQ(7, segment.wscale);
    EXPECT_EQ(40, segment.header_size);
}

static void
test_option_of_each_length_is_taken_or_skipped(void)
{
    /* Each kind in each length, followed by a timestamps option that shows
     * that parsing went on. */
    for (unsigned kind = 2; kind < 256; kind++) {
        for (uint8_t size = 2; size <= 30; size++) {
            uint8_t options[40] = {(uint8_t)kind, size};
            unsigned expected = WIRE_HAS_TIMESTAMPS;
            options[size] = 8;
            options[size + 1] = 10;
            if ((kind == 2 && size == 4))
                expected |= WIRE_HAS_MSS;
            if (kind == 3 && size == 3)
                expected |= WIRE_HAS_WSCALE;
            if (kind == 4 && size == 2)
                expected |= WIRE_HAS_SACK_PERMITTED;
            if (kind == 19 && size == 18)
                expected |= WIRE_HAS_MD5;
            if (kind == 29 && size >= 4)
                expected |= WIRE_HAS_AO;
            if (kind == 34 &&
                (size == 2 || (size >= 6 && size <= 18 && size % 2 == 0)))
                expected |= WIRE_HAS_FASTOPEN;
            EXPECT_EQ(expected,
                      options_taken(WIRE_SYN, options, sizeof options));
            EXPECT_EQ(expected & ~(unsigned)SYN_OPTIONS,
                      options_taken(WIRE_ACK, options, sizeof options));
        }
    }
}

static void
test_option_list_stops_where_it_must(void)
{
    /* Timestamps from byte 4 on, behind four bytes that may end the list. */
    static const struct {
        const char *name;
        uint8_t first[4];
        bool goes_on;
    } rows[] = {
        {"no operation", {1, 1, 1, 1}, true},
        {"end of list", {0, 1, 1, 1}, false},
        {"end of list behind NOP", {1, 1, 1, 0}, false},
        {"length 0", {2, 0, 1, 1}, false},
        {"length 1", {2, 1, 1, 1}, false},
        {"length of unknown is 0", {77, 0, 1, 1}, false},
        {"unknown", {77, 4, 1, 1}, true},
        {"SACK blocks with a wrong length", {5, 4, 1, 1}, true},
        {"length beyond the end", {1, 1, 2, 20}, false},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t options[16] = {[4] = 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1};
        memcpy(options, rows[i].first, 4);
        test_row = rows[i].name;
        EXPECT_EQ(rows[i].goes_on ? WIRE_HAS_TIMESTAMPS : 0,
                  options_taken(WIRE_SYN, options, sizeof options));
    }
}

static void
test_option_that_ends_with_the_header_is_read(void)
{
    /* Right up to the end and not beyond: a kind alone stops the list. */
    static const uint8_t exact[4] = {2, 4, 0x12, 0x34};
    static const uint8_t bare[4] = {1, 1, 4, 2};
    static const uint8_t beyond[4] = {1, 2, 4, 0x12};
    static const uint8_t kind_alone[4] = {1, 1, 1, 2};
    EXPECT_EQ(WIRE_HAS_MSS, options_taken(WIRE_SYN, exact, 4));
    EXPECT_EQ(WIRE_HAS_SACK_PERMITTED, options_taken(WIRE_SYN, bare, 4));
    EXPECT_EQ(0, options_taken(WIRE_SYN, beyond, 4));
    EXPECT_EQ(0, options_taken(WIRE_SYN, kind_alone, 4));
}

static void
test_duplicate_option_last_good_one_wins(void)
{
    /* The last MSS has a wrong length and counts as not there. */
    static const uint8_t options[16] = {2, 4, 1, 1, 3, 3, 1, 1,
                                        2, 4, 2, 2, 2, 3, 9, 0};
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE,
              options_taken(WIRE_SYN, options, sizeof options));
    EXPECT_EQ(0x0202, segment.mss);
    EXPECT_EQ(1, segment.wscale);
}

static void
test_window_scale_above_14_is_clipped(void)
{
    /* RFC 7323 2.3. */
    for (unsigned scale = 0; scale < 256; scale++) {
        uint8_t options[4] = {3, 3, (uint8_t)scale, 0};
        options_taken(WIRE_SYN, options, sizeof options);
        EXPECT_EQ(scale < 14 ? scale : 14, segment.wscale);
    }
}

static void
test_fastopen_cookie_is_found_in_the_packet(void)
{
    /* A request is empty; a cookie is where it lies. */
    static const uint8_t request[4] = {34, 2, 0, 0};
    static const uint8_t cookie[12] = {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0};
    EXPECT_EQ(WIRE_HAS_FASTOPEN, options_taken(WIRE_SYN, request, 4));
    EXPECT_EQ(0, segment.fastopen_size);
    EXPECT_EQ(WIRE_HAS_FASTOPEN, options_taken(WIRE_SYN, cookie, 12));
    EXPECT_EQ(8, segment.fastopen_size);
    EXPECT_BYTES(cookie + 2, segment.fastopen, 8);
}

static void
test_parse_tcp_of_a_cut_payload_needs_no_verify(void)
{
    /* A stack that parsed IP may hold back payload, a byte of it or all, but
     * then vouches for the checksum; a signature over it cannot be checked. */
    static const uint8_t md5[20] = {19, 18};
    for (size_t present = 0; present <= 100; present++) {
        bool whole = present == 100;
        packet_tcp(&packet, 6, WIRE_ACK, NULL, 0, 100);
        EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
        uint8_t *tcp = test_heap_copy(packet.bytes + 40, 20 + present);
        EXPECT_TRUE(wire_parse_tcp(tcp, 20 + present, 100,
                                   SYNCACHE_CHECKSUM_VALID, &segment, &why));
        EXPECT_EQ(100, segment.payload_size);
        EXPECT_EQ(whole,
                  wire_parse_tcp(tcp, 20 + present, 100,
                                 SYNCACHE_CHECKSUM_VERIFY, &segment, &why));
        EXPECT_EQ(whole ? SYNCACHE_VERDICT_COUNT : SYNCACHE_DROP_TRUNCATED,
                  why);
        free(tcp);
        packet_tcp(&packet, 6, WIRE_ACK, md5, sizeof md5, 100);
        EXPECT_EQ(WIRE_TCP, parse(SYNCACHE_CHECKSUM_VERIFY));
        tcp = test_heap_copy(packet.bytes + 40, 40 + present);
        EXPECT_EQ(whole,
                  wire_parse_tcp(tcp, 40 + present, 100,
                                 SYNCACHE_CHECKSUM_VALID, &segment, &why));
        EXPECT_EQ(whole ? SYNCACHE_VERDICT_COUNT : SYNCACHE_DROP_TRUNCATED,
                  why);
        free(tcp);
    }
}

static void
test_bad_packet_still_tells_its_addresses(void)
{
    /* Whether it is ours can be asked before its fault is counted. */
    packet_tcp(&packet, 4, WIRE_SYN, NULL, 0, 0);
    packet.bytes[packet.size - 1] ^= 1;
    expect_bad(SYNCACHE_DROP_CHECKSUM);
    EXPECT_EQ(4, segment.tuple.family);
    EXPECT_BYTES(packet_server4, segment.tuple.laddr, 4);
    packet.bytes[0] = 0x35;
    expect_bad(SYNCACHE_DROP_IP_HEADER);
    EXPECT_EQ(0, segment.tuple.family);
}

static void
test_address_fault_is_named(void)
{
    /* The other side of the tuple is 10.0.0.1 or 2001:db8::1, port 1. */
    static const struct {
        const char *name;
        uint8_t family;
        uint8_t address[16];
        bool bad;
    } rows[] = {
        {"unspecified", 4, {0}, true},
        {"multicast, lowest", 4, {224}, true},
        {"multicast, highest", 4, {239, 255, 255, 255}, true},
        {"broadcast", 4, {255, 255, 255, 255}, true},
        {"below multicast", 4, {223, 255, 255, 255}, false},
        {"class E", 4, {240, 0, 0, 1}, false},
        {"almost broadcast", 4, {255, 255, 255, 254}, false},
        {"loopback", 4, {127, 0, 0, 1}, false},
        {"IPv6 unspecified", 6, {0}, true},
        {"IPv6 multicast", 6, {0xff, 2, [15] = 1}, true},
        {"IPv6 loopback", 6, {[15] = 1}, false},
        {"IPv6 link-local", 6, {0xfe, 0x80, [15] = 1}, false},
        {"IPv6 that begins like 224/4", 6, {0xe0, [15] = 1}, false},
        {"IPv6 that begins like broadcast", 6, {0xfe, 255, 255, 255}, false},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct syncache_tuple tuple = {.fport = 1, .lport = 1};
        const uint8_t *other = rows[i].family == 4
                                   ? (const uint8_t[16]){10, 0, 0, 1}
                                   : packet_client6;
        test_row = rows[i].name;
        tuple.family = rows[i].family;
        memcpy(tuple.faddr, rows[i].address, 16);
        memcpy(tuple.laddr, other, 16);
        EXPECT_EQ(rows[i].bad ? SYNCACHE_DROP_SOURCE : SYNCACHE_PASS_KNOWN,
                  wire_address_fault(&tuple));
        memcpy(tuple.faddr, other, 16);
        memcpy(tuple.laddr, rows[i].address, 16);
        EXPECT_EQ(rows[i].bad ? SYNCACHE_DROP_DESTINATION : SYNCACHE_PASS_KNOWN,
                  wire_address_fault(&tuple));
    }
}

static void
test_land_needs_the_same_address_and_port(void)
{
    /* CVE-1999-0016; two ports of one machine may talk. */
    struct syncache_tuple tuple = {.family = 6, .fport = 80, .lport = 80};
    memcpy(tuple.faddr, packet_client6, 16);
    memcpy(tuple.laddr, packet_client6, 16);
    EXPECT_EQ(SYNCACHE_DROP_LAND, wire_address_fault(&tuple));
    tuple.fport = 81;
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, wire_address_fault(&tuple));
    tuple.fport = 80;
    tuple.faddr[15] ^= 1;
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, wire_address_fault(&tuple));
}

static void
test_public_parse_gives_offsets_and_verdicts(void)
{
    /* syncache_parse(): the same reading, with offsets for Python. */
    static const uint8_t options[4] = {2, 4, 5, 0xb4};
    struct syncache_fields fields;
    packet_tcp(&packet, 4, WIRE_SYN, options, sizeof options, 3);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN,
              syncache_parse(packet.bytes, packet.size, 0, &fields));
    EXPECT_EQ(0xbeef, fields.ip_id);
    EXPECT_EQ(1, fields.dont_fragment);
    EXPECT_EQ(40, fields.options_offset);
    EXPECT_EQ(4, fields.options_size);
    EXPECT_EQ(44, fields.payload_offset);
    EXPECT_EQ(3, fields.payload_size);
    packet_tcp(&packet, 6, WIRE_SYN, options, sizeof options, 3);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN,
              syncache_parse(packet.bytes, packet.size, 0, &fields));
    EXPECT_EQ(0x54321, fields.flow_label);
    EXPECT_EQ(60, fields.options_offset);
    packet.bytes[packet.size - 1] ^= 1;
    EXPECT_EQ(SYNCACHE_DROP_CHECKSUM,
              syncache_parse(packet.bytes, packet.size, 0, &fields));
    EXPECT_EQ(0, fields.sport);
    packet_icmp(&packet, 4, 3, 28);
    EXPECT_EQ(SYNCACHE_PASS_ICMP,
              syncache_parse(packet.bytes, packet.size, 0, &fields));
    packet_ip(&packet, 4, 17, 8);
    EXPECT_EQ(SYNCACHE_PASS_NOT_TCP,
              syncache_parse(packet.bytes, packet.size, 0, &fields));
}

static void
test_any_bytes_are_read_within_bounds(void)
{
    /* Good packets with a few bytes changed, cut anywhere, in exact buffers. */
    static const uint8_t options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
                                        0, 1, 0, 0,    0, 2, 1, 3,  3, 7};
    for (int i = 0; i < 60000; i++) {
        uint8_t family = families[test_random_below(2)];
        if (test_random_below(3) == 0)
            packet_icmp(&packet, family, 3, (size_t)test_random_below(61));
        else
            packet_tcp(&packet, family, WIRE_SYN, options,
                       4 * (size_t)test_random_below(6),
                       (size_t)test_random_below(40));
        if (test_random_below(2) == 0)
            packet.size = (size_t)test_random_below(packet.size + 1);
        for (uint64_t n = test_random_below(5); n > 0 && packet.size > 0; n--) {
            uint64_t limit = test_random_below(2) ? packet.size : 1;
            packet.bytes[test_random_below(limit)] = (uint8_t)test_random();
        }
        if (packet.size >= 60 && packet_family(&packet) == 4)
            packet_seal_ip(&packet);
        enum wire_kind kind = parse(SYNCACHE_CHECKSUM_VALID);
        if (kind == WIRE_BAD)
            EXPECT_TRUE(why >= SYNCACHE_DROP_TRUNCATED &&
                        why <= SYNCACHE_DROP_CHECKSUM);
        if (kind == WIRE_TCP)
            EXPECT_TRUE(segment.tcp + segment.header_size +
                            segment.payload_size <=
                        copy + packet.size);
    }
    free(copy);
    copy = NULL;
}

static void
test_sack_without_a_block_is_none(void)
{
    static const uint8_t empty[4] = {1, 1, 5, 2};
    static const uint8_t one[12] = {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9};
    (void)options_taken(WIRE_ACK, empty, sizeof empty);
    EXPECT_EQ(0, segment.sack);
    EXPECT_EQ(0, segment.sack_count);
    (void)options_taken(WIRE_ACK, one, sizeof one);
    EXPECT_EQ(24, segment.sack);
    EXPECT_EQ(1, segment.sack_count);
}

static const struct test tests[] = {
    TEST(test_segment_fields_are_read_in_host_order),
    TEST(test_each_flag_bit_is_read_alone),
    TEST(test_tcp_header_fault_is_named),
    TEST(test_checksum_is_verified_unless_the_link_vouches),
    TEST(test_largest_segments_are_verified),
    TEST(test_options_of_a_linux_syn_are_read),
    TEST(test_option_of_each_length_is_taken_or_skipped),
    TEST(test_option_list_stops_where_it_must),
    TEST(test_option_that_ends_with_the_header_is_read),
    TEST(test_duplicate_option_last_good_one_wins),
    TEST(test_window_scale_above_14_is_clipped),
    TEST(test_fastopen_cookie_is_found_in_the_packet),
    TEST(test_parse_tcp_of_a_cut_payload_needs_no_verify),
    TEST(test_bad_packet_still_tells_its_addresses),
    TEST(test_address_fault_is_named),
    TEST(test_land_needs_the_same_address_and_port),
    TEST(test_public_parse_gives_offsets_and_verdicts),
    TEST(test_any_bytes_are_read_within_bounds),
    TEST(test_sack_without_a_block_is_none),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

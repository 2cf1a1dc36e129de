/* IP headers: which fault each bad one has, and where the good ones lead. */
#include "packet.h"

#include "../../csrc/core/wire_ip.h"

#define OK SYNCACHE_PASS_KNOWN

static struct packet packet;

/* What wire_ip() says about an exact copy of the packet, upper in offsets. */
static enum syncache_verdict
verdict_of(struct syncache_tuple *tuple, size_t *at, struct wire_upper *upper)
{
    uint8_t *copy = test_heap_copy(packet.bytes, packet.size);
    enum syncache_verdict verdict = wire_ip(copy, packet.size, tuple, upper);
    *at = verdict == OK ? (size_t)(upper->data - copy) : 0;
    free(copy);
    return verdict;
}

static void
expect_verdict(enum syncache_verdict expected)
{
    struct syncache_tuple tuple;
    struct wire_upper upper;
    size_t at;
    EXPECT_EQ(expected, verdict_of(&tuple, &at, &upper));
}

static void
expect_upper(uint8_t protocol, size_t offset, size_t size)
{
    struct syncache_tuple tuple;
    struct wire_upper upper;
    size_t at;
    enum syncache_verdict verdict = verdict_of(&tuple, &at, &upper);
    EXPECT_EQ(OK, verdict);
    if (verdict != OK)
        return;
    EXPECT_EQ(protocol, upper.protocol);
    EXPECT_EQ(offset, at);
    EXPECT_EQ(size, upper.size);
}

static void
test_header_sets_addresses_and_pads_with_zeros(void)
{
    /* Foreign is the source; an IPv4 address fills the first four bytes. */
    struct syncache_tuple tuple;
    struct wire_upper upper;
    uint8_t expected[16] = {0};
    size_t at;
    memset(&tuple, 0xff, sizeof tuple);
    packet_tcp(&packet, 4, 2, NULL, 0, 0);
    EXPECT_EQ(OK, verdict_of(&tuple, &at, &upper));
    EXPECT_EQ(4, tuple.family);
    memcpy(expected, packet_client4, 4);
    EXPECT_BYTES(expected, tuple.faddr, 16);
    memcpy(expected, packet_server4, 4);
    EXPECT_BYTES(expected, tuple.laddr, 16);
    packet_tcp(&packet, 6, 2, NULL, 0, 0);
    EXPECT_EQ(OK, verdict_of(&tuple, &at, &upper));
    EXPECT_EQ(6, tuple.family);
    EXPECT_BYTES(packet_client6, tuple.faddr, 16);
    EXPECT_BYTES(packet_server6, tuple.laddr, 16);
}

static void
test_packet_that_was_cut_is_known_by_its_protocol(void)
{
    struct syncache_tuple tuple;
    struct wire_through through;
    for (uint8_t family = 4; family <= 6; family += 2) {
        packet_tcp(&packet, family, 2, NULL, 0, 1);
        through.upper.protocol = 0;
        EXPECT_EQ(WIRE_WAY_BAD, wire_ip_through(packet.bytes, packet.size - 1,
                                                0, &tuple, &through));
        EXPECT_EQ(6, through.upper.protocol);
    }
}

static void
test_packet_longer_than_its_length_is_trimmed(void)
{
    /* Ethernet pads to 60 bytes; padding is no payload. */
    packet_tcp(&packet, 4, 2, NULL, 0, 1);
    packet.size += 5;
    expect_upper(6, 20, 21);
    packet_tcp(&packet, 6, 2, NULL, 0, 1);
    packet.size += 5;
    expect_upper(6, 40, 21);
}

static void
test_packet_shorter_than_its_length_is_truncated(void)
{
    /* Every cut, each in a buffer of exactly that size. */
    static const uint8_t families[] = {4, 6};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], 2, NULL, 0, 3);
        for (packet.size--; packet.size > 0; packet.size--)
            expect_verdict(SYNCACHE_DROP_TRUNCATED);
        expect_verdict(SYNCACHE_DROP_TRUNCATED);
    }
}

static void
test_ipv4_header_fault_is_named(void)
{
    /* One byte changed, the checksum put right again unless it is the fault. */
    static const struct {
        const char *name;
        size_t offset;
        uint8_t value;
        bool sealed;
        enum syncache_verdict expected;
    } rows[] = {
        {"version 0", 0, 0x05, true, SYNCACHE_DROP_IP_HEADER},
        {"version 5", 0, 0x55, true, SYNCACHE_DROP_IP_HEADER},
        {"header of 16 bytes", 0, 0x44, true, SYNCACHE_DROP_IP_HEADER},
        {"total length below the header", 3, 19, true, SYNCACHE_DROP_IP_HEADER},
        {"total length 0", 3, 0, true, SYNCACHE_DROP_IP_HEADER},
        {"total length 1 too many", 3, 41, true, SYNCACHE_DROP_TRUNCATED},
        {"checksum", 10, 0, false, SYNCACHE_DROP_IP_CHECKSUM},
        {"TTL changed on the way", 8, 56, false, SYNCACHE_DROP_IP_CHECKSUM},
        {"more fragments", 6, 0x20, true, SYNCACHE_DROP_FRAGMENT},
        {"highest offset bit", 6, 0x10, true, SYNCACHE_DROP_FRAGMENT},
        {"lowest offset bit", 7, 1, true, SYNCACHE_DROP_FRAGMENT},
        {"do not fragment", 6, 0x40, true, OK},
        {"reserved flag", 6, 0x80, true, OK},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        test_row = rows[i].name;
        packet_tcp(&packet, 4, 2, NULL, 0, 0);
        packet.bytes[rows[i].offset] = rows[i].value;
        if (rows[i].sealed)
            packet_seal_ip(&packet);
        expect_verdict(rows[i].expected);
    }
}

static void
test_ipv4_options_hide_no_source_route(void)
{
    /* Loose and strict routes go; what is harmless stays. */
    static const struct {
        const char *name;
        uint8_t options[8];
        enum syncache_verdict expected;
    } rows[] = {
        {"loose source route",
         {131, 7, 8, 1, 2, 3, 4, 0},
         SYNCACHE_DROP_SOURCE_ROUTE},
        {"strict source route",
         {137, 7, 8, 1, 2, 3, 4, 0},
         SYNCACHE_DROP_SOURCE_ROUTE},
        {"route behind a router alert",
         {148, 4, 0, 0, 131, 3, 4, 0},
         SYNCACHE_DROP_SOURCE_ROUTE},
        {"route behind the end", {0, 131, 7, 8, 1, 2, 3, 4}, OK},
        {"record route", {7, 7, 4, 0, 0, 0, 0, 0}, OK},
        {"no operation", {1, 1, 1, 1, 1, 1, 1, 1}, OK},
        {"length 2", {153, 2, 153, 2, 153, 2, 153, 2}, OK},
        {"length 0", {7, 0, 0, 0, 0, 0, 0, 0}, SYNCACHE_DROP_IP_HEADER},
        {"length 1", {7, 1, 0, 0, 0, 0, 0, 0}, SYNCACHE_DROP_IP_HEADER},
        {"length beyond the end",
         {7, 9, 0, 0, 0, 0, 0, 0},
         SYNCACHE_DROP_IP_HEADER},
        {"length missing", {1, 1, 1, 1, 1, 1, 1, 7}, SYNCACHE_DROP_IP_HEADER},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        test_row = rows[i].name;
        packet_tcp(&packet, 4, 2, NULL, 0, 0);
        packet_insert(&packet, rows[i].options, sizeof rows[i].options);
        expect_verdict(rows[i].expected);
        if (rows[i].expected == OK)
            expect_upper(6, 28, 20);
    }
}

static void
test_other_protocols_pass_in_whatever_shape(void)
{
    /* A stack with UDP reassembles its own fragments. */
    static const uint8_t route[8] = {131, 7, 8, 1, 2, 3, 4, 0};
    static const uint8_t fragment[8] = {17, 0, 0, 1, 0, 0, 0, 1};
    packet_ip(&packet, 4, 17, 8);
    packet.bytes[6] = 0x20;
    packet_seal_ip(&packet);
    expect_upper(17, 20, 8);
    packet_insert(&packet, route, sizeof route);
    expect_upper(17, 28, 8);
    packet_ip(&packet, 6, 44, 8);
    packet_insert(&packet, fragment, sizeof fragment);
    expect_upper(17, 48, 8);
    packet_ip(&packet, 6, 59, 0);
    expect_upper(59, 40, 0);
    packet_ip(&packet, 6, 51, 24);
    expect_upper(51, 40, 24);
}

/* One extension header between IPv6 and TCP, and what becomes of it. */
static const struct {
    const char *name;
    uint8_t type;
    uint8_t header[8];
    enum syncache_verdict expected;
} extensions[] = {
    {"hop-by-hop, PadN", 0, {6, 0, 1, 4, 0, 0, 0, 0}, OK},
    {"hop-by-hop, Pad1", 0, {6, 0, 0, 0, 0, 0, 0, 0}, OK},
    {"hop-by-hop, router alert", 0, {6, 0, 5, 2, 0, 0, 1, 0}, OK},
    {"hop-by-hop, unknown that may be skipped",
     0,
     {6, 0, 0x3e, 4, 1, 2, 3, 4},
     OK},
    {"hop-by-hop, jumbogram",
     0,
     {6, 0, 0xc2, 4, 0, 1, 0, 0},
     SYNCACHE_DROP_IP_HEADER},
    {"hop-by-hop, unknown that must discard",
     0,
     {6, 0, 0x7e, 4, 1, 2, 3, 4},
     SYNCACHE_DROP_IP_HEADER},
    {"hop-by-hop, option beyond the end",
     0,
     {6, 0, 1, 5, 0, 0, 0, 0},
     SYNCACHE_DROP_IP_HEADER},
    {"hop-by-hop, option without length",
     0,
     {6, 0, 0, 0, 0, 0, 0, 1},
     SYNCACHE_DROP_IP_HEADER},
    {"hop-by-hop longer than the packet",
     0,
     {6, 3, 1, 4, 0, 0, 0, 0},
     SYNCACHE_DROP_IP_HEADER},
    {"destination options", 60, {6, 0, 1, 4, 0, 0, 0, 0}, OK},
    {"destination option that must discard",
     60,
     {6, 0, 0x8b, 4, 0, 0, 0, 0},
     SYNCACHE_DROP_IP_HEADER},
    {"routing, no segments left", 43, {6, 0, 4, 0, 0, 0, 0, 0}, OK},
    {"routing, a segment left",
     43,
     {6, 0, 4, 1, 0, 0, 0, 0},
     SYNCACHE_DROP_SOURCE_ROUTE},
    {"first fragment", 44, {6, 0, 0, 1, 0, 0, 0, 1}, SYNCACHE_DROP_FRAGMENT},
    {"last fragment", 44, {6, 0, 0, 8, 0, 0, 0, 1}, SYNCACHE_DROP_FRAGMENT},
    {"fragment header of a whole packet", 44, {6, 7, 0, 6, 0, 0, 0, 1}, OK},
    {"fragment of ICMPv6",
     44,
     {58, 0, 0, 8, 0, 0, 0, 1},
     SYNCACHE_DROP_FRAGMENT},
    {"fragment that hides another header",
     44,
     {60, 0, 0, 1, 0, 0, 0, 1},
     SYNCACHE_DROP_FRAGMENT},
};

static void
test_ipv6_extension_header_is_walked_or_named(void)
{
    /* Options, routes and fragments: each row of the table. */
    for (size_t i = 0; i < TEST_COUNT(extensions); i++) {
        test_row = extensions[i].name;
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        packet.bytes[6] = extensions[i].type;
        /* Zeros are Pad1: who walks too far gets to the end of the buffer. */
        memset(packet.bytes + 40, 0, 20);
        packet_insert(&packet, extensions[i].header,
                      sizeof extensions[i].header);
        expect_verdict(extensions[i].expected);
        if (extensions[i].expected == OK)
            expect_upper(6, 48, 20);
    }
}

static void
test_ipv6_extension_header_of_each_length_is_walked(void)
{
    /* Lengths count 8 bytes beyond the first 8. */
    static const uint8_t types[] = {0, 43, 60};
    uint8_t header[8 * 256] = {6};
    for (size_t i = 0; i < TEST_COUNT(types); i++) {
        for (unsigned length = 0; length < 256; length += 51) {
            packet_tcp(&packet, 6, 2, NULL, 0, 0);
            packet.bytes[6] = types[i];
            header[1] = (uint8_t)length;
            packet_insert(&packet, header, 8 + 8 * length);
            expect_upper(6, 48 + 8 * length, 20);
        }
    }
}

static void
test_ipv6_hop_by_hop_behind_another_header_is_bad(void)
{
    /* RFC 8200 4.1: only directly behind the IPv6 header. */
    static const uint8_t hop_by_hop[8] = {6, 0, 1, 4, 0, 0, 0, 0};
    static const uint8_t destination[8] = {0, 0, 1, 4, 0, 0, 0, 0};
    packet_tcp(&packet, 6, 2, NULL, 0, 0);
    packet.bytes[6] = 60;
    packet_insert(&packet, destination, sizeof destination);
    packet_insert(&packet, hop_by_hop, sizeof hop_by_hop);
    expect_verdict(SYNCACHE_DROP_IP_HEADER);
}

static void
test_ipv6_extension_headers_end_at_the_limit(void)
{
    /* At the limit a packet is read, one more is dropped. */
    uint8_t header[8] = {60, 0, 1, 4, 0, 0, 0, 0};
    for (size_t count = 1; count <= WIRE_EXTENSION_MAX + 1; count++) {
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        packet.bytes[6] = 60;
        for (size_t i = 0; i < count; i++) {
            header[0] = i + 1 < count ? 60 : 6;
            packet_insert(&packet, header, sizeof header);
        }
        if (count <= WIRE_EXTENSION_MAX)
            expect_upper(6, 40 + 8 * count, 20);
        else
            expect_verdict(SYNCACHE_DROP_IP_HEADER);
    }
}

static void
test_ipv6_payload_length_cuts_extension_header(void)
{
    /* The IP length, not the captured one, bounds an extension header. */
    for (size_t length = 0; length < 8; length++) {
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        packet.bytes[6] = 60;
        store16_be(packet.bytes + 4, (uint16_t)length);
        expect_verdict(SYNCACHE_DROP_IP_HEADER);
        packet.size = 40 + length;
        expect_verdict(SYNCACHE_DROP_IP_HEADER);
    }
    /* With nothing behind it, it is still whole. */
    static const uint8_t header[8] = {6, 0, 1, 4, 0, 0, 0, 0};
    packet_ip(&packet, 6, 60, 0);
    packet_insert(&packet, header, sizeof header);
    expect_upper(6, 48, 0);
}

static void
test_largest_packets_are_accepted(void)
{
    /* Super-segments come from links as large as the length field allows. */
    packet_tcp(&packet, 4, 16, NULL, 0, 65535 - 40);
    expect_upper(6, 20, 65515);
    packet_tcp(&packet, 6, 16, NULL, 0, 65535 - 20);
    EXPECT_EQ(65575, packet.size);
    expect_upper(6, 40, 65535);
}

static void
expect_same_as_through(const uint8_t *bytes, size_t size, uint32_t *usual)
{
    struct syncache_tuple tuple, quick_tuple;
    struct wire_through through;
    struct wire_upper upper;
    size_t quick_size;

    if (!wire_ip_usual(bytes, size, &quick_tuple, &upper, &quick_size))
        return;
    ++*usual;
    for (uint32_t how = 0; how < 4; how++) {
        EXPECT_EQ(WIRE_WAY_UPPER,
                  wire_ip_through(bytes, size, how, &tuple, &through));
        EXPECT_EQ(0, memcmp(&tuple, &quick_tuple, sizeof tuple));
        EXPECT_EQ(through.size, quick_size);
        EXPECT_TRUE(through.upper.data == upper.data);
        EXPECT_EQ(through.upper.size, upper.size);
        EXPECT_EQ(through.upper.protocol, upper.protocol);
        EXPECT_TRUE(!through.fragment && !through.sealed);
    }
}

static void
test_usual_packet_is_read_as_any_other(void)
{
    /* Each byte of the headers takes every value, at each length. */
    uint32_t usual = 0;

    for (uint8_t family = 4; family <= 6; family += 2) {
        for (size_t at = 0; at < 48; at++) {
            for (uint32_t value = 0; value < 256; value++) {
                packet_tcp(&packet, family, 16, NULL, 0, 30);
                packet.bytes[at] = (uint8_t)value;
                expect_same_as_through(packet.bytes, packet.size, &usual);
            }
        }
        packet_tcp(&packet, family, 16, NULL, 0, 30);
        for (size_t size = 0; size <= packet.size; size++)
            expect_same_as_through(packet.bytes, size, &usual);
    }
    EXPECT_TRUE(usual > 10000);
}

static const struct test tests[] = {
    TEST(test_header_sets_addresses_and_pads_with_zeros),
    TEST(test_packet_that_was_cut_is_known_by_its_protocol),
    TEST(test_packet_longer_than_its_length_is_trimmed),
    TEST(test_packet_shorter_than_its_length_is_truncated),
    TEST(test_ipv4_header_fault_is_named),
    TEST(test_ipv4_options_hide_no_source_route),
    TEST(test_other_protocols_pass_in_whatever_shape),
    TEST(test_ipv6_extension_header_is_walked_or_named),
    TEST(test_ipv6_extension_header_of_each_length_is_walked),
    TEST(test_ipv6_hop_by_hop_behind_another_header_is_bad),
    TEST(test_ipv6_extension_headers_end_at_the_limit),
    TEST(test_ipv6_payload_length_cuts_extension_header),
    TEST(test_largest_packets_are_accepted),
    TEST(test_usual_packet_is_read_as_any_other),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

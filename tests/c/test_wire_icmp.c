/* Packets to values: ICMP errors and the segments that they quote. */
#include "packet.h"

#include "../../csrc/core/wire_icmp.h"

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
test_icmp_error_quotes_the_segment_from_our_side(void)
{
    /* The quoted source is local, since we are said to have sent it. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        uint8_t family = families[i];
        size_t address_size = family == 4 ? 4 : 16;
        packet_icmp(&packet, family, 3, family == 4 ? 28 : 48);
        EXPECT_EQ(WIRE_QUOTE, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(family, quote.tuple.family);
        EXPECT_EQ(4660, quote.tuple.lport);
        EXPECT_EQ(80, quote.tuple.fport);
        EXPECT_EQ(0xfffffff0, quote.seq);
        EXPECT_EQ(3, quote.type);
        EXPECT_EQ(4, quote.code);
        EXPECT_BYTES(family == 4 ? packet_client4 : packet_client6,
                     quote.tuple.laddr, address_size);
        EXPECT_BYTES(family == 4 ? packet_server4 : packet_server6,
                     quote.tuple.faddr, address_size);
    }
}

static void
test_icmp_type_decides_what_is_an_error(void)
{
    /* Source quench (4), redirect (5), echo and discovery are none. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        for (unsigned type = 0; type < 256; type++) {
            bool error = families[i] == 4
                             ? type == 3 || type == 11 || type == 12
                             : type >= 1 && type <= 4;
            packet_icmp(&packet, families[i], (uint8_t)type,
                        families[i] == 4 ? 28 : 48);
            EXPECT_EQ(error ? WIRE_QUOTE : WIRE_OTHER,
                      parse(SYNCACHE_CHECKSUM_VERIFY));
        }
    }
}

static void
test_icmp_quotation_too_short_is_other(void)
{
    /* Eight bytes of TCP hold ports and sequence number: no less will do. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        size_t enough = families[i] == 4 ? 28 : 48;
        for (size_t size = 0; size <= enough; size++) {
            packet_icmp(&packet, families[i], 3, size);
            EXPECT_EQ(size < enough ? WIRE_OTHER : WIRE_QUOTE,
                      parse(SYNCACHE_CHECKSUM_VERIFY));
        }
    }
}

static void
test_icmp_quotation_that_cannot_be_ours_is_other(void)
{
    /* One byte of a good quotation changed. */
    static const struct {
        const char *name;
        uint8_t family;
        size_t offset;
        uint8_t value;
    } rows[] = {
        {"of another family", 4, 28, 0x65},
        {"of no family", 4, 28, 0x05},
        {"header too short", 4, 28, 0x44},
        {"header beyond the end", 4, 28, 0x4f},
        {"a later fragment", 4, 28 + 7, 1},
        {"UDP", 4, 28 + 9, 17},
        {"another source than the error's target", 4, 28 + 15, 99},
        {"of no family, IPv6", 6, 48, 0x05},
        {"UDP over IPv6", 6, 48 + 6, 17},
        {"fragment header", 6, 48 + 6, 44},
        {"another source, IPv6", 6, 48 + 23, 99},
        {"extension header beyond the end", 6, 48 + 6, 60},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        test_row = rows[i].name;
        packet_icmp(&packet, rows[i].family, 3, rows[i].family == 4 ? 40 : 60);
        packet.bytes[rows[i].offset] = rows[i].value;
        packet_seal(&packet, rows[i].family == 4 ? 1 : 58, 2);
        EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
    }
}

static void
test_icmpv6_quotation_with_extension_header_is_read(void)
{
    /* Routers quote what they saw; 8 bytes of destination options here. */
    static const uint8_t extension[8] = {6, 0, 1, 4, 0, 0, 0, 0};
    packet_icmp(&packet, 6, 1, 60);
    memmove(packet.bytes + 96, packet.bytes + 88, packet.size - 88);
    memcpy(packet.bytes + 88, extension, sizeof extension);
    packet.bytes[48 + 6] = 60;
    packet.size += 8;
    store16_be(packet.bytes + 4, (uint16_t)(packet.size - 40));
    packet_seal(&packet, 58, 2);
    EXPECT_EQ(WIRE_QUOTE, parse(SYNCACHE_CHECKSUM_VERIFY));
    EXPECT_EQ(4660, quote.tuple.lport);
    EXPECT_EQ(0xfffffff0, quote.seq);
}

static void
test_icmp_fault_is_named(void)
{
    /* Also where nothing is quoted: an echo request with a bad checksum. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_icmp(&packet, families[i], 8, 0);
        EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
        packet.bytes[packet.size - 1] ^= 1;
        expect_bad(SYNCACHE_DROP_CHECKSUM);
        packet_ip(&packet, families[i], families[i] == 4 ? 1 : 58, 7);
        expect_bad(SYNCACHE_DROP_TRUNCATED);
    }
    packet_ip(&packet, 4, 58, 8);
    EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
    packet_ip(&packet, 6, 1, 8);
    EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
}

static void
test_icmp_quotation_of_the_other_family_is_other(void)
{
    /* Though whole, TCP, and its source's first four bytes are our address. */
    packet_icmp(&packet, 4, 3, 48);
    uint8_t *quoted = packet.bytes + 28;
    memset(quoted, 0, 48);
    quoted[0] = 0x60;
    quoted[6] = 6;
    memcpy(quoted + 8, packet.bytes + 16, 4);
    packet_seal(&packet, 1, 2);
    EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
}

static void
test_icmp_message_is_described_if_it_is_one(void)
{
    /* Place and size, without padding; of UDP nothing is left over. */
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_icmp(&packet, families[i], families[i] == 4 ? 8 : 128, 3);
        packet.size += 6;
        EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(packet.upper, quote.message - copy);
        EXPECT_EQ(11, quote.size);
        EXPECT_EQ(families[i] == 4 ? 8 : 128, quote.type);
        EXPECT_EQ(4, quote.code);
        packet_ip(&packet, families[i], 17, 8);
        EXPECT_EQ(WIRE_OTHER, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_TRUE(quote.message == NULL);
    }
}

static void
mtu_of(uint8_t family, uint8_t type, uint8_t code, uint32_t reported)
{
    packet_icmp(&packet, family, type, family == 4 ? 28 : 48);
    packet.bytes[packet.upper + 1] = code;
    store32_be(packet.bytes + packet.upper + 4, reported);
    packet_seal(&packet, family == 4 ? 1 : 58, 2);
    EXPECT_EQ(WIRE_QUOTE, parse(SYNCACHE_CHECKSUM_VERIFY));
}

static void
test_icmp_mtu_is_that_of_too_big_alone(void)
{
    /* RFC 1191 4: the low 16 bits; RFC 4443 3.2: all 32. */
    mtu_of(4, 3, 4, 0x12345678);
    EXPECT_EQ(0x5678, wire_icmp_mtu(&quote));
    mtu_of(4, 3, 3, 1400);
    EXPECT_EQ(0, wire_icmp_mtu(&quote));
    mtu_of(4, 12, 4, 1400);
    EXPECT_EQ(0, wire_icmp_mtu(&quote));
    mtu_of(6, 2, 0, 0x12345678);
    EXPECT_EQ(0x12345678, wire_icmp_mtu(&quote));
    mtu_of(6, 3, 4, 1400);
    EXPECT_EQ(0, wire_icmp_mtu(&quote));
    mtu_of(6, 2, 0, 0);
    EXPECT_EQ(0, wire_icmp_mtu(&quote));
}

static void
test_icmp_mtu_of_an_old_router_is_the_next_plateau(void)
{
    /* RFC 1191 7.1, by the length of the quoted packet. */
    static const struct {
        uint16_t size, mtu;
    } rows[] = {{65535, 32000}, {32001, 32000}, {32000, 17914}, {17914, 8166},
                {8166, 4352},   {4352, 2002},   {2002, 1492},   {1500, 1492},
                {1492, 1006},   {1006, 508},    {508, 296},     {297, 296},
                {296, 296},     {40, 296}};

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        packet_icmp(&packet, 4, 3, 28);
        store32_be(packet.bytes + packet.upper + 4, 0);
        store16_be(packet.bytes + packet.upper + 8 + 2, rows[i].size);
        packet_seal(&packet, 1, 2);
        EXPECT_EQ(WIRE_QUOTE, parse(SYNCACHE_CHECKSUM_VERIFY));
        EXPECT_EQ(rows[i].mtu, wire_icmp_mtu(&quote));
    }
}

static const struct test tests[] = {
    TEST(test_icmp_error_quotes_the_segment_from_our_side),
    TEST(test_icmp_type_decides_what_is_an_error),
    TEST(test_icmp_quotation_too_short_is_other),
    TEST(test_icmp_quotation_that_cannot_be_ours_is_other),
    TEST(test_icmpv6_quotation_with_extension_header_is_read),
    TEST(test_icmp_fault_is_named),
    TEST(test_icmp_quotation_of_the_other_family_is_other),
    TEST(test_icmp_message_is_described_if_it_is_one),
    TEST(test_icmp_mtu_is_that_of_too_big_alone),
    TEST(test_icmp_mtu_of_an_old_router_is_the_next_plateau),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Packets to values: ICMP errors and the segments that they quote. */
#include "packet.h"

#include "../../csrc/core/wire.h"

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

static const struct test tests[] = {
    TEST(test_icmp_error_quotes_the_segment_from_our_side),
    TEST(test_icmp_type_decides_what_is_an_error),
    TEST(test_icmp_quotation_too_short_is_other),
    TEST(test_icmp_quotation_that_cannot_be_ours_is_other),
    TEST(test_icmpv6_quotation_with_extension_header_is_read),
    TEST(test_icmp_fault_is_named),
    TEST(test_icmp_quotation_of_the_other_family_is_other),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Values to packets: options byte for byte, checksums, signatures, limits. */
#include "packet.h"

#include "../../csrc/core/wire.h"

static const uint8_t families[] = {4, 6};
static const uint8_t md5_key[] = "correct horse";
static const uint8_t cookie[16] = {0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5,
                                   0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb,
                                   0xcc, 0xcd, 0xce, 0xcf};

/* A SYN-ACK from the server's port 80 to the client's 4660. */
static struct wire_reply
reply_syn_ack(uint8_t family, unsigned has)
{
    struct wire_reply reply = {
        .tuple = {.fport = 4660, .lport = 80, .family = family},
        .seq = 0x11223344,
        .ack = 0x55667788,
        .flags = WIRE_SYN | WIRE_ACK,
        .window = 65535,
        .hop_limit = 64,
        .tos = 0x48,
        .dont_fragment = 1,
        .flow_label = 0x12345,
        .has = (uint8_t)has,
        .mss = 1460,
        .wscale = 6,
        .tsval = 0xa0a1a2a3,
        .tsecr = 0xb0b1b2b3,
        .fastopen = cookie,
        .fastopen_size = 8,
    };
    memcpy(reply.tuple.faddr, family == 4 ? packet_client4 : packet_client6,
           family == 4 ? 4 : 16);
    memcpy(reply.tuple.laddr, family == 4 ? packet_server4 : packet_server6,
           family == 4 ? 4 : 16);
    return reply;
}

/* Builds into an exact-size buffer and gives the packet to the oracle. */
static void
build(const struct wire_reply *reply, struct packet *packet)
{
    uint8_t buffer[SYNCACHE_REPLY_MAX];
    packet->size = wire_build_reply(reply, buffer);
    packet->upper = reply->tuple.family == 4 ? 20 : 40;
    EXPECT_TRUE(packet->size <= sizeof buffer);
    memcpy(packet->bytes, buffer, packet->size);
}

/* The sums over both headers, by the plain loop. */
static void
expect_checksums(const struct packet *packet)
{
    if (packet_family(packet) == 4)
        EXPECT_EQ(0xffff, packet_sum(0, packet->bytes, 20));
    EXPECT_EQ(0xffff, packet_sum(packet_pseudo(packet, 6),
                                 packet->bytes + packet->upper,
                                 packet->size - packet->upper));
}

static void
test_ipv4_reply_without_options_byte_for_byte(void)
{
    /* Identification 0, DF, no options: 40 bytes. */
    static const uint8_t expected[40] = {
        0x45, 0x48, 0,    40,   0,    0,    0x40, 0,    64,   6,
        0x4e, 0x44, 198,  51,   100,  9,    192,  0,    2,    7,
        0,    80,   0x12, 0x34, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
        0x77, 0x88, 0x50, 0x12, 0xff, 0xff, 0x9f, 0xb5, 0,    0};
    static struct packet packet;
    struct wire_reply reply = reply_syn_ack(4, 0);
    build(&reply, &packet);
    EXPECT_EQ(sizeof expected, packet.size);
    EXPECT_BYTES(expected, packet.bytes, sizeof expected);
    reply.dont_fragment = 0;
    build(&reply, &packet);
    EXPECT_EQ(0, load16_be(packet.bytes + 6));
    expect_checksums(&packet);
}

static void
test_ipv6_reply_has_class_label_and_length(void)
{
    /* The flow label is as given; bits beyond 20 do not reach the class. */
    static const uint8_t expected[8] = {0x64, 0x81, 0x23, 0x45, 0, 20, 6, 64};
    static struct packet packet;
    struct wire_reply reply = reply_syn_ack(6, 0);
    reply.flow_label = 0xfff12345;
    build(&reply, &packet);
    EXPECT_EQ(60, packet.size);
    EXPECT_BYTES(expected, packet.bytes, sizeof expected);
    EXPECT_BYTES(packet_server6, packet.bytes + 8, 16);
    EXPECT_BYTES(packet_client6, packet.bytes + 24, 16);
    expect_checksums(&packet);
}

#define MSS 2, 4, 0x05, 0xb4
#define WS 3, 3, 6
#define SACK 4, 2
#define TS 8, 10, 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3
#define TFO 34, 10, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7

static void
test_options_of_each_negotiation_byte_for_byte(void)
{
    /* The field's fixed order and alignment, padded by EOL and zeros. */
    static const struct {
        const char *name;
        unsigned has;
        size_t size;
        uint8_t options[40];
    } rows[] = {
        {"nothing", 0, 4, {MSS}},
        {"WS", WIRE_HAS_WSCALE, 8, {MSS, 1, WS}},
        {"SACK", WIRE_HAS_SACK_PERMITTED, 8, {MSS, SACK, 0, 0}},
        {"WS and SACK",
         WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED,
         12,
         {MSS, 1, WS, SACK, 0, 0}},
        {"TS", WIRE_HAS_TIMESTAMPS, 16, {MSS, 1, 1, TS}},
        {"SACK and TS",
         WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS,
         16,
         {MSS, SACK, TS}},
        {"WS and TS",
         WIRE_HAS_WSCALE | WIRE_HAS_TIMESTAMPS,
         20,
         {MSS, 1, WS, 1, 1, TS}},
        {"WS, SACK and TS",
         WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS,
         20,
         {MSS, 1, WS, SACK, TS}},
        {"all and TFO",
         WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS |
             WIRE_HAS_FASTOPEN,
         32,
         {MSS, 1, WS, SACK, TS, TFO, 0, 0}},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        for (size_t j = 0; j < TEST_COUNT(families); j++) {
            static struct packet packet;
            struct wire_reply reply =
                reply_syn_ack(families[j], WIRE_HAS_MSS | rows[i].has);
            test_row = rows[i].name;
            build(&reply, &packet);
            EXPECT_EQ(packet.upper + 20 + rows[i].size, packet.size);
            EXPECT_EQ((20 + rows[i].size) / 4,
                      packet.bytes[packet.upper + 12] >> 4);
            EXPECT_BYTES(rows[i].options, packet.bytes + packet.upper + 20,
                         rows[i].size);
            expect_checksums(&packet);
        }
    }
}

static void
test_timestamps_alone_are_aligned(void)
{
    /* A challenge ACK carries nothing else: NOP NOP TS. */
    static const uint8_t expected[12] = {1, 1, TS};
    static struct packet packet;
    struct wire_reply reply = reply_syn_ack(4, WIRE_HAS_TIMESTAMPS);
    build(&reply, &packet);
    EXPECT_EQ(52, packet.size);
    EXPECT_BYTES(expected, packet.bytes + 40, sizeof expected);
}

static void
test_signed_reply_fills_all_40_bytes(void)
{
    /* WS, SACK, TS and MD5 fit exactly, in the two forms that 20 takes. */
    static const uint8_t expected[22] = {MSS, 1, WS, SACK, TS, 1, 1};
    static struct packet packet;
    struct wire_reply reply =
        reply_syn_ack(6, WIRE_HAS_MSS | WIRE_HAS_WSCALE |
                             WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS);
    reply.md5_key = md5_key;
    reply.md5_key_size = sizeof md5_key - 1;
    build(&reply, &packet);
    EXPECT_EQ(100, packet.size);
    EXPECT_BYTES(expected, packet.bytes + 60, sizeof expected);
    EXPECT_EQ(19, packet.bytes[82]);
    EXPECT_EQ(18, packet.bytes[83]);
    expect_checksums(&packet);
}

static void
test_fastopen_that_does_not_fit_is_left_out(void)
{
    /* 24 bytes with the digest leave 16: a cookie of 14 fits, 16 does not. */
    for (uint8_t size = 4; size <= 16; size += 2) {
        static struct packet packet;
        struct wire_reply reply =
            reply_syn_ack(4, WIRE_HAS_MSS | WIRE_HAS_FASTOPEN);
        reply.md5_key = md5_key;
        reply.md5_key_size = sizeof md5_key - 1;
        reply.fastopen_size = size;
        build(&reply, &packet);
        size_t used = size <= 14 ? 26u + size : 24u;
        EXPECT_EQ(40 + (used + 3) / 4 * 4, packet.size);
        if (size <= 14)
            EXPECT_BYTES(cookie, packet.bytes + 66, size);
    }
}

static void
test_digest_is_that_of_an_independent_md5(void)
{
    /* Python: hashlib.md5(pseudo header + header without options + key). */
    static const uint8_t expected[2][16] = {
        {0x5c, 0x3b, 0x16, 0xcc, 0x66, 0x44, 0x3b, 0x99, 0xf9, 0x3b, 0x47, 0x65,
         0x23, 0xde, 0xa1, 0x55},
        {0x53, 0xe3, 0x5e, 0xb5, 0xcc, 0x4f, 0x7f, 0x98, 0x43, 0x44, 0xde, 0x7c,
         0x53, 0xf4, 0x8c, 0x96}};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        static struct packet packet;
        struct wire_reply reply = reply_syn_ack(families[i], WIRE_HAS_MSS);
        reply.md5_key = md5_key;
        reply.md5_key_size = sizeof md5_key - 1;
        build(&reply, &packet);
        EXPECT_EQ(packet.upper + 44, packet.size);
        EXPECT_BYTES(expected[i], packet.bytes + packet.upper + 28, 16);
    }
}

static void
test_signature_verifies_only_unchanged(void)
{
    /* The reply's receiver has the reply's source as foreign; payload counts,
     * options do not (RFC 2385 2.0). */
    static struct packet packet;
    struct wire_segment segment;
    struct wire_quote quote;
    enum syncache_verdict why;
    uint8_t options[20] = {1, 1, 19, 18};
    packet_tcp(&packet, 4, WIRE_ACK, options, sizeof options, 9);
    EXPECT_EQ(WIRE_TCP,
              wire_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VALID,
                         &segment, &quote, &why));
    EXPECT_TRUE(!wire_md5_verify(&segment, md5_key, 13));
    wire_md5(&segment.tuple, true, segment.tcp, 49, md5_key, 13,
             packet.bytes + 44);
    EXPECT_TRUE(wire_md5_verify(&segment, md5_key, 13));
    EXPECT_TRUE(!wire_md5_verify(&segment, md5_key, 12));
    for (size_t at = 20; at < packet.size; at++) {
        bool covered = (at < 36 || at >= 38) && (at < 40 || at >= 44);
        /* A changed data offset is another segment altogether. */
        if (at == 32)
            continue;
        packet.bytes[at] ^= 1;
        EXPECT_EQ(!covered, wire_md5_verify(&segment, md5_key, 13));
        packet.bytes[at] ^= 1;
    }
    segment.has = 0;
    EXPECT_TRUE(!wire_md5_verify(&segment, md5_key, 13));
}

static void
test_reply_without_ack_flag_says_ack_0(void)
{
    /* RFC 9293 3.10.7.1: the RST that answers an ACK carries none. */
    static struct packet packet;
    struct wire_reply reply = reply_syn_ack(4, 0);
    reply.flags = WIRE_RST;
    build(&reply, &packet);
    EXPECT_EQ(0, load32_be(packet.bytes + 28));
    EXPECT_EQ(WIRE_RST, load16_be(packet.bytes + 32) & 0x1ff);
    expect_checksums(&packet);
}

static void
test_every_reply_parses_back(void)
{
    /* All sets of options, with and without signature, random values. */
    for (unsigned has = 0; has < 128; has++) {
        static struct packet packet;
        struct wire_segment segment;
        struct wire_quote quote;
        enum syncache_verdict why;
        unsigned options = has & 0x1f;
        struct wire_reply reply = reply_syn_ack(families[has >> 6], options);
        reply.mss = (uint16_t)test_random();
        reply.wscale = (uint8_t)test_random_below(15);
        reply.tsval = (uint32_t)test_random();
        reply.fastopen_size = 4;
        reply.flags |= WIRE_AE | WIRE_ECE;
        if ((has & 0x20) != 0) {
            reply.md5_key = md5_key;
            reply.md5_key_size = 13;
            options |= WIRE_HAS_MD5;
        }
        build(&reply, &packet);
        EXPECT_EQ(WIRE_TCP,
                  wire_parse(packet.bytes, packet.size,
                             SYNCACHE_CHECKSUM_VERIFY, &segment, &quote, &why));
        /* 36 bytes are taken then, and this cookie needs 6. */
        if ((options & WIRE_HAS_MD5) != 0 &&
            (options & WIRE_HAS_TIMESTAMPS) != 0 &&
            (options & (WIRE_HAS_MSS | WIRE_HAS_WSCALE)) != 0)
            options &= ~(unsigned)WIRE_HAS_FASTOPEN;
        EXPECT_EQ(options, segment.has);
        EXPECT_EQ(reply.flags, segment.flags);
        EXPECT_EQ(reply.seq, segment.seg_seq);
        EXPECT_EQ(reply.tos, segment.tos);
        if ((options & WIRE_HAS_MSS) != 0)
            EXPECT_EQ(reply.mss, segment.mss);
        if ((options & WIRE_HAS_TIMESTAMPS) != 0)
            EXPECT_EQ(reply.tsval, segment.tsval);
        if ((options & WIRE_HAS_MD5) != 0)
            EXPECT_TRUE(wire_md5_verify(&segment, md5_key, 13));
    }
}

/* Random fields of a segment of this family. */
static struct syncache_fields
random_fields(uint8_t family)
{
    struct syncache_fields fields = {
        .sport = (uint16_t)test_random(),
        .dport = (uint16_t)test_random(),
        .family = family,
        .hop_limit = (uint8_t)test_random(),
        .tos = (uint8_t)test_random(),
        .dont_fragment = family == 4 ? (uint8_t)test_random_below(2) : 0,
        .flow_label = family == 6 ? (uint32_t)test_random_below(1 << 20) : 0,
        .ip_id = family == 4 ? (uint16_t)test_random() : 0,
        .flags = (uint16_t)test_random_below(0x200),
        .seq = (uint32_t)test_random(),
        .ack = (uint32_t)test_random(),
        .window = (uint16_t)test_random(),
        .urgent = (uint16_t)test_random(),
        .options_size = (uint16_t)(4 * test_random_below(11)),
        .payload_size = (uint32_t)test_random_below(200),
    };
    test_random_bytes(fields.saddr, family == 4 ? 4 : 16);
    test_random_bytes(fields.daddr, family == 4 ? 4 : 16);
    return fields;
}

static void
test_built_segment_parses_to_the_same_fields(void)
{
    /* Build, parse, compare every byte of the fields but the offsets. */
    uint8_t options[40];
    uint8_t payload[200];
    for (int i = 0; i < 2000; i++) {
        static struct packet packet;
        struct syncache_fields parsed;
        struct syncache_fields fields = random_fields(families[i % 2]);
        test_random_bytes(options, sizeof options);
        test_random_bytes(payload, sizeof payload);
        packet.upper = fields.family == 4 ? 20 : 40;
        packet.size =
            syncache_build(&fields, options, payload, SYNCACHE_CHECKSUM_VERIFY,
                           packet.bytes, sizeof packet.bytes);
        expect_checksums(&packet);
        EXPECT_EQ(SYNCACHE_PASS_KNOWN,
                  syncache_parse(packet.bytes, packet.size,
                                 SYNCACHE_CHECKSUM_VERIFY, &parsed));
        EXPECT_BYTES(options, packet.bytes + parsed.options_offset,
                     fields.options_size);
        EXPECT_BYTES(payload, packet.bytes + parsed.payload_offset,
                     fields.payload_size);
        fields.options_offset = parsed.options_offset;
        fields.payload_offset = parsed.payload_offset;
        EXPECT_BYTES((uint8_t *)&fields, (uint8_t *)&parsed, sizeof fields);
    }
}

static void
test_partial_checksum_is_finished_by_adding_the_segment(void)
{
    /* What a device does: sum from the TCP header on, field included. */
    uint8_t payload[200] = {1, 2, 3};
    uint8_t options[40] = {0};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        static struct packet packet;
        struct syncache_fields parsed;
        struct syncache_fields fields = random_fields(families[i]);
        packet.upper = fields.family == 4 ? 20 : 40;
        packet.size =
            syncache_build(&fields, options, payload, SYNCACHE_CHECKSUM_PARTIAL,
                           packet.bytes, sizeof packet.bytes);
        uint8_t *tcp = packet.bytes + packet.upper;
        EXPECT_EQ(packet_pseudo(&packet, 6), load16_be(tcp + 16));
        EXPECT_EQ(SYNCACHE_PASS_KNOWN,
                  syncache_parse(packet.bytes, packet.size,
                                 SYNCACHE_CHECKSUM_PARTIAL, &parsed));
        store16_be(tcp + 16,
                   (uint16_t)~packet_sum(0, tcp, packet.size - packet.upper));
        expect_checksums(&packet);
    }
}

static void
test_build_at_each_limit_fits_or_is_refused(void)
{
    /* The buffer and the length field to the byte; nothing; odd options. */
    static uint8_t payload[UINT16_MAX + 1];
    static struct packet packet;
    uint8_t options[44] = {0};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        struct syncache_fields fields = random_fields(families[i]);
        size_t ip_size = fields.family == 4 ? 20 : 40;
        fields.options_size = 12;
        fields.payload_size = 100;
        size_t size = ip_size + 132;
        uint8_t *exact = test_heap_copy(packet.bytes, size);
        EXPECT_EQ(size,
                  syncache_build(&fields, options, payload, 0, exact, size));
        EXPECT_EQ(
            0, syncache_build(&fields, options, payload, 0, exact, size - 1));
        free(exact);
        fields.payload_size = UINT16_MAX - 32 - (fields.family == 4 ? 20 : 0);
        EXPECT_EQ(fields.payload_size + ip_size + 32,
                  syncache_build(&fields, options, payload, 0, packet.bytes,
                                 sizeof packet.bytes));
        fields.payload_size++;
        EXPECT_EQ(0, syncache_build(&fields, options, payload, 0, packet.bytes,
                                    sizeof packet.bytes));
        fields.payload_size = UINT16_MAX + 1;
        EXPECT_EQ(0, syncache_build(&fields, options, payload, 0, packet.bytes,
                                    sizeof packet.bytes));
        fields.payload_size = 0;
        fields.options_size = 0;
        EXPECT_EQ(ip_size + 20,
                  syncache_build(&fields, NULL, NULL, 0, packet.bytes,
                                 sizeof packet.bytes));
        fields.options_size = 2;
        EXPECT_EQ(0, syncache_build(&fields, options, payload, 0, packet.bytes,
                                    sizeof packet.bytes));
        fields.options_size = 44;
        EXPECT_EQ(0, syncache_build(&fields, options, payload, 0, packet.bytes,
                                    sizeof packet.bytes));
        fields.options_size = 0;
        fields.family = 5;
        EXPECT_EQ(0, syncache_build(&fields, options, payload, 0, packet.bytes,
                                    sizeof packet.bytes));
    }
}

static const struct test tests[] = {
    TEST(test_ipv4_reply_without_options_byte_for_byte),
    TEST(test_ipv6_reply_has_class_label_and_length),
    TEST(test_options_of_each_negotiation_byte_for_byte),
    TEST(test_timestamps_alone_are_aligned),
    TEST(test_signed_reply_fills_all_40_bytes),
    TEST(test_fastopen_that_does_not_fit_is_left_out),
    TEST(test_digest_is_that_of_an_independent_md5),
    TEST(test_signature_verifies_only_unchanged),
    TEST(test_reply_without_ack_flag_says_ack_0),
    TEST(test_every_reply_parses_back),
    TEST(test_built_segment_parses_to_the_same_fields),
    TEST(test_partial_checksum_is_finished_by_adding_the_segment),
    TEST(test_build_at_each_limit_fits_or_is_refused),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

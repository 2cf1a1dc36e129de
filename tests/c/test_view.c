/* Packets on their way through: kinds, fields, quotations, sums on demand. */
#include "packet.h"
#include "test.h"

#include "../../csrc/flow/view.h"

static const uint8_t families[] = {4, 6};

/* Parses a heap copy of exactly this size; the caller frees view->ip. */
static struct view
parse(const struct packet *packet, size_t size)
{
    struct view view;

    view_parse(test_heap_copy(packet->bytes, size), size,
               SYNCACHE_CHECKSUM_VERIFY, &view);
    return view;
}

static void
test_tcp_fields_are_those_of_the_packet(void)
{
    /* Both families, link padding behind the packet. */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], 0x18, NULL, 0, 33);
        memset(packet.bytes + packet.size, 0xee, 8);
        struct view view = parse(&packet, packet.size + 8);
        EXPECT_EQ(VIEW_TCP, view.kind);
        EXPECT_EQ(families[i], view.tuple.family);
        EXPECT_EQ(4660, view.tuple.fport);
        EXPECT_EQ(80, view.tuple.lport);
        EXPECT_EQ(packet.size, view.size);
        EXPECT_EQ(53, view.upper_size);
        EXPECT_EQ(33, view.payload_size);
        EXPECT_EQ(0xfffffff0, view.seq);
        EXPECT_EQ(0x01020304, view.ack);
        EXPECT_EQ(64240, view.window);
        EXPECT_EQ(0x18, view.flags);
        EXPECT_EQ(33, view_seg_len(&view));
        EXPECT_TRUE(view.upper == view.ip + packet.upper);
        EXPECT_TRUE(view_verify(&view));
        free(view.ip);
    }
}

static void
test_a_length_of_zero_is_that_of_the_frame_where_the_link_vouches(void)
{
    /* Both families, IPv6 with and without a jumbo option in front of TCP. */
    static struct packet packet;
    static const uint8_t jumbo[8] = {6, 0, 0xc2, 4, 0, 1, 0x11, 0x84};
    for (int i = 0; i < 6; i++) {
        uint8_t bytes[256] = {0};
        uint8_t family = i < 2 ? 4 : 6, more = i < 4 ? 0 : sizeof jumbo;
        packet_tcp(&packet, family, 0x19, NULL, 0, 33);
        memcpy(bytes, packet.bytes, packet.upper);
        memset(bytes + (family == 4 ? 2 : 4), 0, 2);
        memcpy(bytes + packet.upper, jumbo, more);
        if (more > 0)
            bytes[6] = 0;
        memcpy(bytes + packet.upper + more, packet.bytes + packet.upper,
               packet.size - packet.upper);
        size_t size = packet.size + more;
        uint8_t *copy = test_heap_copy(bytes, size);
        struct view view;
        view_parse(copy, size,
                   i & 1 ? SYNCACHE_CHECKSUM_VERIFY : SYNCACHE_CHECKSUM_VALID,
                   &view);
        EXPECT_EQ(i & 1 ? VIEW_BAD : VIEW_TCP, view.kind);
        if ((i & 1) == 0) {
            EXPECT_EQ(33, view.payload_size);
            EXPECT_EQ(0x19, view.flags);
            EXPECT_EQ(size, view.size);
        }
        free(copy);
    }
}

static void
test_every_cut_packet_is_refused_without_reading_beyond(void)
{
    /* ASan watches; shorter than its own length is never TCP. */
    static struct packet packet;
    static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 3, 3, 7};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], 2, options, sizeof options, 5);
        for (size_t size = 0; size < packet.size; size++) {
            struct view view = parse(&packet, size);
            EXPECT_EQ(size < (families[i] == 4 ? 20 : 40) ? VIEW_OTHER
                                                          : VIEW_BAD,
                      view.kind);
            EXPECT_TRUE(view_verify(&view));
            free(view.ip);
        }
    }
}

static void
test_data_offset_outside_the_segment_is_bad(void)
{
    static struct packet packet;
    packet_tcp(&packet, 4, 0x10, NULL, 0, 3);
    for (unsigned offset = 0; offset < 16; offset++) {
        packet.bytes[32] = (uint8_t)(offset << 4);
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(offset == 5 ? VIEW_TCP : VIEW_BAD, view.kind);
        free(view.ip);
    }
}

static void
test_fragments_of_tcp_are_told_from_those_of_others(void)
{
    /* First, middle and last one; IPv6 by its extension header. */
    static const uint16_t offsets[] = {0x2000, 0x2001, 0x0001};
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(offsets); i++) {
        packet_tcp(&packet, 4, 2, NULL, 0, 0);
        store16_be(packet.bytes + 6, offsets[i]);
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(VIEW_FRAGMENT, view.kind);
        free(view.ip);
        packet.bytes[9] = 17;
        view = parse(&packet, packet.size);
        EXPECT_EQ(i == 0 ? VIEW_UDP : VIEW_OTHER, view.kind);
        free(view.ip);
    }
    for (uint8_t protocol = 6; protocol <= 17; protocol += 11) {
        uint8_t fragment[8] = {protocol, 0, 0, 1, 1, 2, 3, 4};
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        packet_insert(&packet, fragment, sizeof fragment);
        packet.bytes[6] = 44;
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(protocol == 6 ? VIEW_FRAGMENT : VIEW_UDP, view.kind);
        free(view.ip);
    }
}

static void
test_extension_headers_are_walked_to_tcp(void)
{
    static struct packet packet;
    static const uint8_t hop[8] = {6, 0, 1, 4, 0, 0, 0, 0};
    packet_tcp(&packet, 6, 2, NULL, 0, 0);
    packet_insert(&packet, hop, sizeof hop);
    packet.bytes[6] = 0;
    struct view view = parse(&packet, packet.size);
    EXPECT_EQ(VIEW_TCP, view.kind);
    EXPECT_EQ(WIRE_PROTOCOL_TCP, view.protocol);
    EXPECT_TRUE(view_verify(&view));
    free(view.ip);
}

static void
test_who_watches_sees_where_a_routed_packet_arrives(void)
{
    /* Three kinds of routing header with the packet still on its way, and
     * options that its destination may refuse; in line they are bad. */
    static struct packet packet;
    static const uint8_t kinds[] = {0, 2, 4};
    static const uint8_t option[8] = {6, 0, 0xde, 4, 0, 0, 0, 0};
    for (size_t i = 0; i <= TEST_COUNT(kinds); i++) {
        uint8_t routing[24] = {6, 2, 0, 1};
        bool routed = i < TEST_COUNT(kinds);
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        memcpy(routing + 8, packet.bytes + 24, 16);
        routing[2] = routed ? kinds[i] : 0;
        packet_insert(&packet, routed ? routing : option, routed ? 24 : 8);
        packet.bytes[6] = routed ? 43 : 60;
        if (routed)
            memset(packet.bytes + 24, 0x20, 16);
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(VIEW_BAD, view.kind);
        view_parse_passing(view.ip, packet.size, SYNCACHE_CHECKSUM_VERIFY,
                           &view);
        EXPECT_EQ(VIEW_TCP, view.kind);
        EXPECT_EQ(80, view.tuple.lport);
        EXPECT_EQ(0, memcmp(view.tuple.laddr,
                            routed ? routing + 8 : packet.bytes + 24, 16));
        EXPECT_TRUE(view_verify(&view));
        free(view.ip);
    }
}

static void
test_a_route_without_a_known_end_is_bad(void)
{
    /* An unknown type, and a header that is too short for an address. */
    static struct packet packet;
    uint8_t routing[24] = {6, 2, 3, 1}, empty[8] = {6, 0, 4, 1};
    for (int i = 0; i < 2; i++) {
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        packet_insert(&packet, i ? empty : routing, i ? 8 : 24);
        packet.bytes[6] = 43;
        struct view view = parse(&packet, packet.size);
        view_parse_passing(view.ip, packet.size, SYNCACHE_CHECKSUM_VERIFY,
                           &view);
        EXPECT_EQ(VIEW_BAD, view.kind);
        free(view.ip);
    }
}

static void
test_udp_and_icmp_give_what_sessions_need(void)
{
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_ip(&packet, families[i], 17, 20);
        store16_be(packet.bytes + packet.upper, 5353);
        store16_be(packet.bytes + packet.upper + 2, 53);
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(VIEW_UDP, view.kind);
        EXPECT_EQ(5353, view.tuple.fport);
        EXPECT_EQ(53, view.tuple.lport);
        EXPECT_EQ(12, view.payload_size);
        /* RFC 8200 8.1: IPv6 has no datagram without checksum. */
        EXPECT_EQ(families[i] == 4, view_verify(&view));
        free(view.ip);

        packet_ip(&packet, families[i], families[i] == 4 ? 1 : 58, 12);
        packet.bytes[packet.upper] = families[i] == 4 ? 8 : 128;
        store16_be(packet.bytes + packet.upper + 4, 77);
        view = parse(&packet, packet.size);
        EXPECT_EQ(VIEW_ICMP, view.kind);
        EXPECT_EQ(families[i] == 4 ? 8 : 128, view.icmp_type);
        EXPECT_EQ(77, view.icmp_id);
        EXPECT_EQ(0, view.tuple.fport);
        free(view.ip);
    }
}

static void
test_quotation_is_found_with_8_bytes_and_not_with_7(void)
{
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        uint8_t family = families[i];
        size_t header = family == 4 ? 20 : 40;
        for (size_t more = 7; more <= 12; more++) {
            packet_icmp(&packet, family, family == 4 ? 3 : 1, header + more);
            struct view view = parse(&packet, packet.size);
            EXPECT_EQ(more < 8 ? VIEW_ICMP : VIEW_QUOTE, view.kind);
            EXPECT_TRUE(view_verify(&view));
            if (view.kind == VIEW_QUOTE) {
                EXPECT_EQ(4660, view.quoted.fport);
                EXPECT_EQ(80, view.quoted.lport);
                EXPECT_EQ(more, view.quote_size);
                EXPECT_EQ(WIRE_PROTOCOL_TCP, view.quote_protocol);
                EXPECT_TRUE(view.quote == view.upper + 8 + header);
            }
            free(view.ip);
        }
    }
}

static void
test_every_spoiled_byte_that_a_sum_covers_is_seen(void)
{
    /* On demand only, and not where the link vouches for the segment. */
    static struct packet packet;
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        packet_tcp(&packet, families[i], 0x10, NULL, 0, 9);
        for (size_t at = packet.upper; at < packet.size; at++) {
            packet.bytes[at] ^= 0x40;
            struct view view = parse(&packet, packet.size);
            if (view.kind == VIEW_TCP) {
                EXPECT_TRUE(!view_verify(&view));
                view.checksum = SYNCACHE_CHECKSUM_VALID;
                EXPECT_TRUE(view_verify(&view));
            }
            free(view.ip);
            packet.bytes[at] ^= 0x40;
        }
    }
}

static void
test_options_are_read_to_the_first_bad_length(void)
{
    static const uint8_t options[] = {2, 4,  5, 0xb4, 4, 2, 1, 3, 3, 99,
                                      8, 10, 0, 0,    0, 7, 0, 0, 0, 9};
    static const uint8_t bad[] = {4, 2, 3, 9, 2, 4, 5, 0xb4};
    static const uint8_t ao[] = {29, 4, 1, 1};
    static struct packet packet;
    struct view_options read;
    struct view view;

    packet_tcp(&packet, 4, 2, options, sizeof options, 0);
    view = parse(&packet, packet.size);
    view_options(&view, &read);
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED |
                  WIRE_HAS_TIMESTAMPS,
              read.has);
    EXPECT_EQ(1460, read.mss);
    EXPECT_EQ(14, read.wscale);
    EXPECT_EQ(7, read.tsval);
    EXPECT_EQ(9, read.tsecr);
    EXPECT_TRUE(!read.authenticated);
    free(view.ip);

    packet_tcp(&packet, 4, 2, bad, sizeof bad, 0);
    view = parse(&packet, packet.size);
    view_options(&view, &read);
    EXPECT_EQ(WIRE_HAS_SACK_PERMITTED, read.has);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, read.wscale);
    free(view.ip);

    packet_tcp(&packet, 4, 2, ao, sizeof ao, 0);
    view = parse(&packet, packet.size);
    view_options(&view, &read);
    EXPECT_TRUE(read.authenticated);
    free(view.ip);
}

static void
test_options_of_signatures_need_a_legal_length(void)
{
    static const struct {
        uint8_t kind, size;
        bool authenticated;
    } rows[] = {
        {19, 18, true}, {19, 2, false}, {19, 17, false}, {19, 19, false},
        {29, 4, true},  {29, 16, true}, {29, 2, false},  {29, 3, false},
    };
    static struct packet packet;

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t options[20] = {rows[i].kind, rows[i].size};
        struct view_options read;
        struct view view;

        packet_tcp(&packet, 4, 2, options, sizeof options, 0);
        view = parse(&packet, packet.size);
        view_options(&view, &read);
        EXPECT_EQ(rows[i].authenticated, read.authenticated);
        free(view.ip);
    }
}

static void
test_random_bytes_never_reach_outside(void)
{
    /* ASan's exercise; and what is called TCP lies within. */
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[96];
        size_t size = test_random_below(sizeof bytes + 1);
        test_random_bytes(bytes, sizeof bytes);
        bytes[0] = (uint8_t)(test_random() & 1 ? 0x45 : 0x60);
        if (bytes[0] == 0x45) {
            store16_be(bytes + 2, (uint16_t)size);
            bytes[6] = bytes[7] = 0;
            bytes[9] = (uint8_t)(test_random() & 1 ? 6 : 1);
        } else if (size >= 40) {
            store16_be(bytes + 4, (uint16_t)(size - 40));
            bytes[6] = (uint8_t)(test_random() & 1 ? 6 : test_random_below(61));
        }
        uint8_t *copy = test_heap_copy(bytes, size);
        struct view view;
        (i & 1 ? view_parse : view_parse_passing)(
            copy, size, SYNCACHE_CHECKSUM_VERIFY, &view);
        if (view.kind == VIEW_TCP) {
            struct view_options read;
            view_options(&view, &read);
            EXPECT_TRUE(view.upper + view.upper_size <= copy + size);
        }
        (void)view_verify(&view);
        free(copy);
    }
}

static void
test_packet_behind_an_authentication_header_is_sealed(void)
{
    static const uint8_t ah[12] = {6, 1};
    static struct packet packet;
    for (int sealed = 0; sealed < 2; sealed++) {
        packet_tcp(&packet, 6, 2, NULL, 0, 0);
        if (sealed) {
            packet_insert(&packet, ah, sizeof ah);
            packet.bytes[6] = 51;
        }
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(VIEW_TCP, view.kind);
        EXPECT_EQ(sealed, view.sealed);
        free(view.ip);
    }
}

/* TCP over IPv4 behind an AH that says how long it is, in words less two. */
static void
packet_ipv4_ah(struct packet *packet, uint8_t words)
{
    uint8_t ah[12] = {6, words};

    packet_tcp(packet, 4, 2, NULL, 0, 0);
    memmove(packet->bytes + 32, packet->bytes + 20, packet->size - 20);
    memcpy(packet->bytes + 20, ah, sizeof ah);
    packet->size += sizeof ah;
    packet->bytes[9] = 51;
    store16_be(packet->bytes + 2, (uint16_t)packet->size);
    packet_seal_ip(packet);
}

static void
test_ipv4_is_read_behind_an_authentication_header_that_adds_up(void)
{
    static struct packet packet;
    static const uint8_t words[] = {1, 0,
                                    255}; /* right, short, beyond the end */
    for (size_t i = 0; i < TEST_COUNT(words); i++) {
        packet_ipv4_ah(&packet, words[i]);
        struct view view = parse(&packet, packet.size);
        EXPECT_EQ(i == 0 ? VIEW_TCP : VIEW_OTHER, view.kind);
        EXPECT_EQ(i == 0, view.sealed);
        free(view.ip);
    }
    packet_ipv4_ah(&packet, 1);
    packet.size = 28; /* not all of it is there */
    store16_be(packet.bytes + 2, 28);
    packet_seal_ip(&packet);
    struct view view = parse(&packet, packet.size);
    EXPECT_EQ(VIEW_OTHER, view.kind);
    free(view.ip);
    packet_ipv4_ah(&packet, 1);
    store16_be(packet.bytes + 6, 0x2000); /* the first piece */
    packet_seal_ip(&packet);
    view = parse(&packet, packet.size);
    EXPECT_EQ(VIEW_OTHER, view.kind);
    free(view.ip);
}

static void
test_route_that_is_at_its_end_is_passed(void)
{
    /* Segments left: none; the address is the packet's. */
    static struct packet packet;
    static const uint8_t routing[24] = {6, 2, 4, 0};
    packet_tcp(&packet, 6, 2, NULL, 0, 0);
    packet_insert(&packet, routing, sizeof routing);
    packet.bytes[6] = 43;
    struct view view = parse(&packet, packet.size);
    EXPECT_EQ(VIEW_TCP, view.kind);
    EXPECT_EQ(0, memcmp(view.tuple.laddr, packet.bytes + 24, 16));
    free(view.ip);
}

static void
test_chain_without_end_is_bad(void)
{
    /* One extension header more than anybody sends. */
    static struct packet packet;
    static const uint8_t option[8] = {60, 0, 1, 4};
    packet_tcp(&packet, 6, 2, NULL, 0, 0);
    for (int i = 0; i <= WIRE_EXTENSION_MAX; i++)
        packet_insert(&packet, option, sizeof option);
    packet.bytes[6] = 60;
    struct view view = parse(&packet, packet.size);
    view_parse_passing(view.ip, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    EXPECT_EQ(VIEW_BAD, view.kind);
    free(view.ip);
}

static const struct test tests[] = {
    TEST(test_tcp_fields_are_those_of_the_packet),
    TEST(test_a_length_of_zero_is_that_of_the_frame_where_the_link_vouches),
    TEST(test_every_cut_packet_is_refused_without_reading_beyond),
    TEST(test_data_offset_outside_the_segment_is_bad),
    TEST(test_fragments_of_tcp_are_told_from_those_of_others),
    TEST(test_extension_headers_are_walked_to_tcp),
    TEST(test_who_watches_sees_where_a_routed_packet_arrives),
    TEST(test_a_route_without_a_known_end_is_bad),
    TEST(test_udp_and_icmp_give_what_sessions_need),
    TEST(test_quotation_is_found_with_8_bytes_and_not_with_7),
    TEST(test_every_spoiled_byte_that_a_sum_covers_is_seen),
    TEST(test_options_are_read_to_the_first_bad_length),
    TEST(test_options_of_signatures_need_a_legal_length),
    TEST(test_random_bytes_never_reach_outside),
    TEST(test_packet_behind_an_authentication_header_is_sealed),
    TEST(test_ipv4_is_read_behind_an_authentication_header_that_adds_up),
    TEST(test_route_that_is_at_its_end_is_passed),
    TEST(test_chain_without_end_is_bad),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

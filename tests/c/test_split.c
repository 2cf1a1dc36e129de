/*
 * Super-segments of BIG TCP in pieces that an IP length covers.  Each piece is
 * compared with a packet that the engine's own builder makes of the same fields.
 */
#include "test.h"

#include "../../csrc/link/split.h"

enum {
    ETHERNET = 14,
    TAG = 4,
    TCP = 20,
    OPTIONS = 12,
    LONG = 180000,
    SEGMENT = 1448,
    ROOM = 65600,
    MEMORY = 300000,
    FLAGS = 0x99 /* FIN, PSH, ACK, CWR */
};

static uint8_t memory[MEMORY], payload[LONG];
static uint8_t piece[ROOM], built[ROOM];

static struct syncache_fields
fields_of(uint8_t family)
{
    /* Addresses could be taken for the length of a TCP header. */
    return (struct syncache_fields){.saddr = {0x50, 0x50, 0, 1, 0x50, 0x50},
                                    .daddr = {10, 0, 0, 2},
                                    .sport = 1000,
                                    .dport = 80,
                                    .family = family,
                                    .hop_limit = 64,
                                    .ip_id = 65530,
                                    .seq = 0xffff0000,
                                    .flags = FLAGS,
                                    .options_size = OPTIONS};
}

static const uint8_t options[OPTIONS] = {1, 1, 8, 10};
static const uint8_t jumbo[8] = {6, 0, 0xc2, 4, 0, 2, 0xbf, 0x20};

/* Lays a long frame out at `frame`.  Returns its bytes. */
static uint32_t
lay_out(uint32_t frame, uint8_t family, uint32_t tag, bool with_jumbo)
{
    struct syncache_fields fields = fields_of(family);
    uint8_t *at = memory + frame, headers[128];
    size_t size = syncache_build(&fields, options, payload,
                                 SYNCACHE_CHECKSUM_PARTIAL, headers, 128);
    size_t ip = family == 4 ? 20 : 40;
    memset(at, 0, ETHERNET + tag);
    if (tag > 0)
        memcpy(at + 12, (uint8_t[]){0x81, 0}, 2);
    memcpy(at + 12 + tag, family == 4 ? "\x08" : "\x86\xdd", 2);
    at += ETHERNET + tag;
    memcpy(at, headers, ip);
    memset(at + (family == 4 ? 2 : 4), 0, 2); /* no length can say it */
    at += ip;
    if (with_jumbo) {
        memory[frame + ETHERNET + tag + 6] = 0;
        memcpy(at, jumbo, sizeof jumbo);
        at += sizeof jumbo;
    }
    memcpy(at, headers + ip, size - ip);
    memcpy(at + size - ip, payload, LONG);
    return (uint32_t)(at + size - ip + LONG - (memory + frame));
}

static const struct virtio_net_hdr report = {
    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
    .gso_size = SEGMENT};

/* Expects one piece to be the packet with these bytes of the payload. */
static void
expect_piece(uint8_t family, uint32_t tag, uint32_t given, uint32_t size)
{
    struct syncache_fields fields = fields_of(family);
    uint32_t link_size = ETHERNET + tag;
    uint32_t headers = (family == 4 ? 20 : 40) + TCP + OPTIONS;
    uint32_t bytes = size - link_size - headers;
    bool last = given + bytes == LONG;
    fields.seq += given;
    fields.ip_id = (uint16_t)(fields.ip_id + given / SEGMENT);
    fields.payload_size = bytes;
    fields.flags = (uint16_t)(0x10 | (last ? 0x09 : 0) | (given ? 0 : 0x80));
    size_t want =
        syncache_build(&fields, options, payload + given,
                       SYNCACHE_CHECKSUM_PARTIAL, built, sizeof built);
    EXPECT_EQ(want, size - link_size);
    EXPECT_TRUE(memcmp(built, piece + link_size, want) == 0);
    EXPECT_TRUE(last || bytes % SEGMENT == 0);
}

static void
test_pieces_are_packets_with_the_payload_in_order(void)
{
    /* Both families, with a jumbo option and without, with a tag and without. */
    test_random_bytes(payload, LONG);
    for (uint32_t i = 0; i < 6; i++) {
        uint8_t family = i < 2 ? 4 : 6;
        uint32_t tag = i & 1 ? TAG : 0, given = 0, count = 0;
        struct link_split split = {.memory = memory, .memory_size = MEMORY};
        struct virtio_net_hdr offloads;
        uint32_t size = lay_out(100, family, tag, i >= 4);
        EXPECT_TRUE(split_begin(&split, 100, size, tag, ROOM, &report));
        while (split_has_more(&split)) {
            uint32_t got = split_next(&split, piece, ROOM, &offloads);
            expect_piece(family, tag, given, got);
            EXPECT_EQ(SEGMENT, offloads.gso_size);
            EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, offloads.gso_type);
            EXPECT_EQ(ETHERNET + (family == 4 ? 20 : 40), offloads.csum_start);
            EXPECT_EQ(16, offloads.csum_offset);
            EXPECT_EQ(offloads.csum_start + TCP + OPTIONS, offloads.hdr_len);
            given +=
                got - ETHERNET - tag - (family == 4 ? 20 : 40) - TCP - OPTIONS;
            count++;
        }
        EXPECT_EQ(LONG, given);
        EXPECT_EQ(3, count);
        EXPECT_TRUE(split_begin(&split, 100, lay_out(100, 4, 0, false), 0, ROOM,
                                &report));
        EXPECT_EQ(0, split.given);
    }
}

static void
test_piece_fits_where_there_is_less_room(void)
{
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    struct virtio_net_hdr offloads;
    uint32_t size = lay_out(0, 4, 0, false);
    EXPECT_TRUE(!split_begin(&split, 0, size, 0, SEGMENT, &report));
    EXPECT_TRUE(split_begin(&split, 0, size, 0, 10000, &report));
    uint32_t got = split_next(&split, piece, 10000, &offloads);
    EXPECT_TRUE(got <= 10000 && got > 10000 - SEGMENT);
}

static void
test_room_and_length_are_used_to_the_last_byte(void)
{
    /* A piece of one segment has to fit the room, and an IP length. */
    enum { HEADERS = 20 + TCP + OPTIONS };
    struct virtio_net_hdr offloads, large = report;
    uint32_t size = lay_out(0, 4, 0, false);
    for (uint32_t less = 0; less < 2; less++) {
        struct link_split split = {.memory = memory, .memory_size = MEMORY};
        uint32_t room = ETHERNET + HEADERS + SEGMENT - less;
        EXPECT_EQ(!less, split_begin(&split, 0, size, 0, room, &report));
        if (!less)
            EXPECT_EQ(room, split_next(&split, piece, room, &offloads));
    }
    for (uint32_t more = 0; more < 2; more++) {
        struct link_split split = {.memory = memory, .memory_size = MEMORY};
        large.gso_size = (uint16_t)(65535 - HEADERS + more);
        EXPECT_EQ(!more, split_begin(&split, 0, size, 0, ROOM, &large));
        if (!more)
            EXPECT_EQ(ETHERNET + 65535,
                      split_next(&split, piece, ROOM, &offloads));
    }
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    uint32_t three = ETHERNET + HEADERS + 3 * SEGMENT;
    EXPECT_TRUE(split_begin(&split, 0, size, 0, three, &report));
    EXPECT_EQ(three, split_next(&split, piece, three, &offloads));
}

static void
test_only_the_first_piece_says_cwr(void)
{
    /* Were it of one byte. */
    enum { HEADERS = ETHERNET + 20 + TCP + OPTIONS };
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    struct virtio_net_hdr offloads, small = report;
    small.gso_size = 1;
    uint32_t size = lay_out(0, 4, 0, false);
    EXPECT_TRUE(split_begin(&split, 0, size, 0, HEADERS + 1, &small));
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT_EQ(HEADERS + 1,
                  split_next(&split, piece, HEADERS + 1, &offloads));
        EXPECT_EQ(i == 0 ? 0x90 : 0x10, piece[ETHERNET + 20 + 13]);
    }
}

static void
test_header_of_any_length_stands_in_front_of_each_piece(void)
{
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    struct virtio_net_hdr offloads;
    uint32_t size = lay_out(4, 4, 0, false), given = 0;

    /* IP options of four bytes, and no TCP options: those become payload. */
    memmove(memory, memory + 4, ETHERNET + 20);
    memset(memory + ETHERNET + 20, 1, 4);
    memory[ETHERNET] = 0x46;
    memory[ETHERNET + 24 + 12] = 0x50;
    EXPECT_TRUE(split_begin(&split, 0, size + 4, 0, ROOM, &report));
    while (split_has_more(&split)) {
        uint32_t got = split_next(&split, piece, ROOM, &offloads), total = 0;
        uint32_t headers = ETHERNET + 24 + TCP;
        const uint8_t *ip = piece + ETHERNET;
        for (uint32_t i = 0; i < 24; i += 2)
            total += (uint32_t)ip[i] << 8 | ip[i + 1];
        EXPECT_EQ(0xffff, (total & 0xffff) + (total >> 16));
        EXPECT_EQ(got - ETHERNET, (uint32_t)ip[2] << 8 | ip[3]);
        EXPECT_EQ(headers, offloads.hdr_len);
        EXPECT_TRUE(memcmp(piece + headers, memory + headers + given,
                           got - headers) == 0);
        given += got - headers;
    }
    EXPECT_EQ(LONG + OPTIONS, given);
    for (uint32_t words = 0; words < 5; words++) {
        memory[ETHERNET] = (uint8_t)(0x40 | words);
        EXPECT_TRUE(!split_begin(&split, 0, size + 4, 0, ROOM, &report));
        memory[ETHERNET] = 0x46;
        memory[ETHERNET + 24 + 12] = (uint8_t)(words << 4);
        EXPECT_TRUE(!split_begin(&split, 0, size + 4, 0, ROOM, &report));
        memory[ETHERNET + 24 + 12] = 0x50;
    }
}

static void
test_hop_by_hop_header_with_anything_else_is_refused(void)
{
    for (uint32_t at = 0; at < 4; at++) {
        struct link_split split = {.memory = memory, .memory_size = MEMORY};
        uint32_t size = lay_out(0, 6, 0, true);
        EXPECT_TRUE(split_begin(&split, 0, size, 0, ROOM, &report));
        size = lay_out(0, 6, 0, true);
        memory[ETHERNET + 40 + at]++;
        split.headers = 0;
        EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &report));
    }
    /* The same bytes behind another number are no such header. */
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    uint32_t size = lay_out(0, 6, 0, true);
    memory[ETHERNET + 6] = 43;
    EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &report));
}

static void
test_what_is_no_super_segment_of_tcp_is_refused(void)
{
    struct link_split split = {.memory = memory, .memory_size = MEMORY};
    struct virtio_net_hdr other = report;
    uint32_t size = lay_out(0, 4, 0, false);
    uint8_t kept;

    other.gso_size = 0;
    EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &other));
    other = report;
    other.flags = 0;
    EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &other));
    const uint32_t spoiled[] = {12, ETHERNET, ETHERNET + 9, ETHERNET + 32};
    for (uint32_t i = 0; i < 4; i++) {
        kept = memory[spoiled[i]];
        memory[spoiled[i]] = 0x11;
        EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &report));
        memory[spoiled[i]] = kept;
    }
}

static void
test_frame_without_payload_is_refused_wherever_it_ends(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t headers = lay_out(0, i == 0 ? 4 : 6, 0, i == 2) - LONG;
        for (uint32_t size = 0; size <= headers; size++) {
            uint8_t *exact = test_heap_copy(memory, size);
            struct link_split split = {.memory = exact, .memory_size = size};
            EXPECT_TRUE(!split_begin(&split, 0, size, 0, ROOM, &report));
            free(exact);
        }
    }
}

static void
test_any_bytes_are_refused_or_split(void)
{
    struct virtio_net_hdr any = report;
    for (uint32_t round = 0; round < 20000; round++) {
        struct link_split split = {.memory = memory, .memory_size = MEMORY};
        struct virtio_net_hdr offloads;
        uint32_t size = lay_out(0, round & 1 ? 4 : 6, 0, round % 3 == 0);
        size = round % 5 ? 300 : size;
        for (uint32_t i = 0; i < 3; i++) {
            uint8_t random[2];
            test_random_bytes(random, 2);
            memory[random[0] % 100] = random[1];
        }
        uint8_t random[2];
        test_random_bytes(random, 2);
        any.gso_size = (uint16_t)(1 + random[0]) * 64;
        if (!split_begin(&split, 0, size, 0, ROOM, &any))
            continue;
        while (split_has_more(&split))
            EXPECT_TRUE(split_next(&split, piece, ROOM, &offloads) <= ROOM);
        round += size > 300 ? 50 : 0;
    }
}

static const struct test tests[] = {
    TEST(test_pieces_are_packets_with_the_payload_in_order),
    TEST(test_piece_fits_where_there_is_less_room),
    TEST(test_room_and_length_are_used_to_the_last_byte),
    TEST(test_only_the_first_piece_says_cwr),
    TEST(test_header_of_any_length_stands_in_front_of_each_piece),
    TEST(test_hop_by_hop_header_with_anything_else_is_refused),
    TEST(test_what_is_no_super_segment_of_tcp_is_refused),
    TEST(test_frame_without_payload_is_refused_wherever_it_ends),
    TEST(test_any_bytes_are_refused_or_split),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

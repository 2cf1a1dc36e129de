/* Tunnels over IP: each kind leads to the packet in it, and no port alone makes one. */
#include "test.h"

#include "../../csrc/link/tunnel.h"

enum { PACKET_MAX = 160, ROUNDS = 200000 };

#define WLAN_REST 0, 0, MACS, 0, 0, 0, 0, 0, 0, 0, 0
#define SNAP 0xaa, 0xaa, 3, 0, 0, 0, 8, 0
#define MACS 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

/* What lies between the outer IP header and the inner IP packet. */
static const struct row {
    const char *name;
    uint8_t protocol; /* of the outer header */
    uint16_t port;    /* of UDP */
    uint8_t size;
    uint8_t head[48];
    uint32_t kind;
} rows[] = {
    {"IP in IP", 4, 0, 0, {0}, TUNNEL_IPIP},
    {"IPv6 in IPv4", 41, 0, 0, {0}, TUNNEL_6IN4},
    {"GRE", 47, 0, 4, {0, 0, 8, 0}, TUNNEL_GRE},
    {"GRE, all fields",
     47,
     0,
     16,
     {0xb0, 0, 8, 0, 1, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1},
     TUNNEL_GRE},
    {"GRE, Ethernet", 47, 0, 18, {0, 0, 0x65, 0x58, MACS, 8, 0}, TUNNEL_GRE},
    {"PPTP",
     47,
     0,
     20,
     {0x30, 0x81, 0x88, 0x0b, 0, 9, 0,    1, 0, 0,
      0,    1,    0,    0,    0, 2, 0xff, 3, 0, 0x21},
     TUNNEL_GRE},
    {"ERSPAN I", 47, 0, 18, {0, 0, 0x88, 0xbe, MACS, 8, 0}, TUNNEL_ERSPAN},
    {"ERSPAN II",
     47,
     0,
     30,
     {0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0, MACS, 8, 0},
     TUNNEL_ERSPAN},
    {"ERSPAN III",
     47,
     0,
     34,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0,    1, 0x20, 1, 0, 1,
      0,    0, 0,    0,    0, 0, 0x0c, 0, MACS, 8, 0},
     TUNNEL_ERSPAN},
    {"ERSPAN III, IP, platform header",
     47,
     0,
     28,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1,
      0,    1, 0,    0,    0, 0, 0, 0, 0x08, 1},
     TUNNEL_ERSPAN},
    {"ERSPAN III, IP, every other bit",
     47,
     0,
     20,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1,
      0,    1, 0,    0,    0, 0, 0, 0, 0x8b, 0xfe},
     TUNNEL_ERSPAN},
    {"ERSPAN III, Ethernet, platform header",
     47,
     0,
     42,
     {0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 1, 0,    0, 0, 0,
      0,    0, 0x48, 1,    0, 0, 0, 0, 0,    0, 0, 0, MACS, 8, 0},
     TUNNEL_ERSPAN},
    {"EtherIP", 97, 0, 16, {0x30, 0, MACS, 8, 0}, TUNNEL_ETHERIP},
    {"MPLS", 137, 0, 4, {0, 1, 1, 64}, TUNNEL_MPLS},
    {"VXLAN", 17, 4789, 22, {8, 0, 0, 0, 0, 0, 5, 0, MACS, 8, 0}, TUNNEL_VXLAN},
    {"VXLAN, Linux",
     17,
     8472,
     22,
     {8, 0, 0, 0, 0, 0, 5, 0, MACS, 8, 0},
     TUNNEL_VXLAN},
    {"VXLAN-GPE", 17, 4790, 8, {12, 0, 0, 1, 0, 0, 5, 0}, TUNNEL_VXLAN},
    {"Geneve with an option",
     17,
     6081,
     26,
     {1, 0, 0x65, 0x58, 0, 0, 5, 0, 0, 0, 0, 0, MACS, 8, 0},
     TUNNEL_GENEVE},
    {"Geneve, IP", 17, 6081, 8, {0, 0, 8, 0, 0, 0, 5, 0}, TUNNEL_GENEVE},
    {"GTP-U", 17, 2152, 8, {0x30, 255, 0, 40, 0, 0, 0, 1}, TUNNEL_GTPU},
    {"GTP-U, number and extension",
     17,
     2152,
     16,
     {0x36, 255, 0, 48, 0, 0, 0, 1, 0, 1, 0, 0x85, 1, 0, 9, 0},
     TUNNEL_GTPU},
    {"L2TP, length and offset",
     17,
     1701,
     14,
     {0x42, 2, 0, 60, 0, 1, 0, 1, 0, 2, 0, 0, 0, 0x21},
     TUNNEL_L2TP},
    {"L2TP, numbers",
     17,
     1701,
     12,
     {0x08, 2, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0x21},
     TUNNEL_L2TP},
    {"MPLS over UDP", 17, 6635, 4, {0, 1, 1, 64}, TUNNEL_MPLS},
    {"GRE, WCCP 1", 47, 0, 4, {0, 0, 0x88, 0x3e}, TUNNEL_GRE},
    {"GRE, WCCP 2", 47, 0, 8, {0, 0, 0x88, 0x3e, 0, 1, 2, 3}, TUNNEL_GRE},
    {"VXLAN-GPE without a protocol",
     17,
     4790,
     22,
     {9, 0, 0, 1, 0, 0, 5, 0, MACS, 8, 0},
     TUNNEL_VXLAN},
    {"VXLAN-GPE, Ethernet",
     17,
     4790,
     22,
     {12, 0, 0, 3, 0, 0, 5, 0, MACS, 8, 0},
     TUNNEL_VXLAN},
    {"GTP-U, number",
     17,
     2152,
     12,
     {0x32, 255, 0, 44, 0, 0, 0, 1, 0, 1, 0, 7},
     TUNNEL_GTPU},
    {"GTP-U, the number of a PDU, and a byte that looks like an extension",
     17,
     2152,
     12,
     {0x31, 255, 0, 44, 0, 0, 0, 1, 0, 0, 9, 0x85},
     TUNNEL_GTPU},
    {"GTP-U, two extensions",
     17,
     2152,
     24,
     {0x34, 255, 0, 56, 0, 0, 0, 1, 0, 0, 0, 0x85,
      1,    0,   9, 3,  2, 0, 0, 0, 0, 0, 0, 0},
     TUNNEL_GTPU},
    {"L2TP", 17, 1701, 8, {0, 2, 0, 1, 0, 1, 0, 0x21}, TUNNEL_L2TP},
    {"L2TP, numbers",
     17,
     1701,
     12,
     {8, 2, 0, 1, 0, 1, 0, 5, 0, 6, 0, 0x21},
     TUNNEL_L2TP},
    {"L2TP, PPP with its address",
     17,
     1701,
     10,
     {0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21},
     TUNNEL_L2TP},
    {"L2TP, numbers and PPP with its address",
     17,
     1701,
     14,
     {8, 2, 0, 1, 0, 1, 0, 5, 0, 6, 0xff, 3, 0, 0x21},
     TUNNEL_L2TP},
    {"L2TP, an offset and PPP with its address",
     17,
     1701,
     12,
     {2, 2, 0, 1, 0, 1, 0, 0, 0xff, 3, 0, 0x21},
     TUNNEL_L2TP},
    {"GTP-U, an extension that is none",
     17,
     2152,
     12,
     {0x34, 255, 0, 44, 0, 0, 0, 1, 0, 0, 0, 0},
     TUNNEL_GTPU},
    {"L2TP, an offset without padding",
     17,
     1701,
     10,
     {2, 2, 0, 1, 0, 1, 0, 0, 0, 0x21},
     TUNNEL_L2TP},
    {"ERSPAN I of another version",
     47,
     0,
     18,
     {0, 1, 0x88, 0xbe, MACS, 8, 0},
     TUNNEL_ERSPAN},
    {"VXLAN-GPE, IPv6", 17, 4790, 8, {12, 0, 0, 2, 0, 0, 5, 0}, TUNNEL_VXLAN},
    {"VXLAN-GPE, NSH",
     17,
     4790,
     16,
     {12, 0, 0, 4, 0, 0, 5, 0, 0, 2, 1, 1},
     TUNNEL_VXLAN},
    {"Geneve, control and critical options",
     17,
     6081,
     8,
     {0, 0xc0, 8, 0, 0, 0, 5, 0},
     TUNNEL_GENEVE},
    {"Geneve, IPv6", 17, 6081, 8, {0, 0, 0x86, 0xdd}, TUNNEL_GENEVE},
    {"Geneve, MPLS",
     17,
     6081,
     12,
     {0, 0, 0x88, 0x47, 0, 0, 5, 0, 0, 1, 1, 64},
     TUNNEL_GENEVE},
    {"L2TP of priority", 17, 1701, 8, {1, 2, 0, 1, 0, 1, 0, 0x21}, TUNNEL_L2TP},
    {"Teredo", 17, 3544, 0, {0}, TUNNEL_TEREDO},
    {"Teredo, an origin",
     17,
     3544,
     8,
     {0, 0, 0xab, 0xcd, 1, 2, 3, 4},
     TUNNEL_TEREDO},
    {"Teredo, an authentication",
     17,
     3544,
     18,
     {0, 1, 2, 3, 'i', 'd', 'k', 'e', 'y', 1, 2, 3, 4, 5, 6, 7, 8, 0},
     TUNNEL_TEREDO},
    {"Teredo, both",
     17,
     3544,
     21,
     {0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0xab, 0xcd, 1, 2, 3, 4},
     TUNNEL_TEREDO},
    {"LISP", 17, 4341, 8, {0x80, 0, 0, 1, 0, 0, 0, 1}, TUNNEL_LISP},
    {"TZSP",
     17,
     37008,
     23,
     {1, 0, 0, 1, 0, 10, 1, 9, 1, MACS, 8, 0},
     TUNNEL_TZSP},
    {"TZSP of 802.11",
     17,
     37008,
     37,
     {1, 0, 0, 18, 1, 8, 1, WLAN_REST, SNAP},
     TUNNEL_TZSP},
    {"Ethernet in IP", 143, 0, 14, {MACS, 8, 0}, TUNNEL_ETHERIP},
    {"GTP of version 0", 17, 3386, 20, {0x1e, 255}, TUNNEL_GTPU},
    {"AYIYA", 17, 5072, 44, {0x44, 0x52, 0x11, 41}, TUNNEL_AYIYA},
    {"LWAPP",
     17,
     12222,
     38,
     {0, 0, 0, 9, 0, 0, 8, 1, WLAN_REST, SNAP},
     TUNNEL_LWAPP},
    {"PIM register", 103, 0, 8, {0x21}, TUNNEL_PIM},
    {"CAPWAP, Ethernet",
     17,
     5247,
     22,
     {0, 0x10, 2, 0, 0, 0, 0, 0, MACS, 8, 0},
     TUNNEL_CAPWAP},
    {"CAPWAP, 802.11",
     17,
     5247,
     44,
     {0, 0x18, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1, WLAN_REST, SNAP},
     TUNNEL_CAPWAP},
    {"CAPWAP, 802.11 sent again",
     17,
     5247,
     44,
     {0, 0x18, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 8, WLAN_REST, SNAP},
     TUNNEL_CAPWAP},
    {"CAPWAP, 802.11 as Cisco writes it",
     17,
     5247,
     42,
     {0, 0x10, 3, 0, 0, 0, 0, 0, 1, 0x88, WLAN_REST, 0, 0, SNAP},
     TUNNEL_CAPWAP},
};

/* Makes the outer packet and what is in front of the inner one. */
static uint32_t
outer(uint8_t *packet, const struct row *row)
{
    uint32_t at = row->protocol == 17 ? 28 : 20;

    memset(packet, 0, PACKET_MAX);
    memcpy(packet, (uint8_t[]){0x45, [8] = 64, row->protocol}, 10);
    packet[22] = (uint8_t)(row->port >> 8);
    packet[23] = (uint8_t)row->port;
    memcpy(packet + at, row->head, row->size);
    at += row->size;
    packet[at] = row->protocol == 41 ? 0x60 : 0x45;
    packet[2] = (uint8_t)((at + 20) >> 8);
    packet[3] = (uint8_t)(at + 20);
    return at;
}

static uint32_t
find(uint8_t *packet, uint32_t size, struct encap *inside)
{
    struct view view;

    *inside = (struct encap){0};
    view_parse(packet, size, SYNCACHE_CHECKSUM_VALID, &view);
    return tunnel_find(&view, inside);
}

static void
test_each_kind_leads_to_the_packet_in_it(void)
{
    /* And a packet that ends before it never does. */
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t packet[PACKET_MAX];
        struct encap inside;
        test_row = rows[i].name;
        uint32_t at = outer(packet, &rows[i]);
        EXPECT_EQ(rows[i].kind, find(packet, at + 20, &inside));
        EXPECT_EQ(ENCAP_NONE, inside.reason);
        EXPECT_EQ(at, inside.offset);
        for (uint32_t size = 20; size <= at; size++) {
            packet[2] = (uint8_t)(size >> 8);
            packet[3] = (uint8_t)size;
            uint8_t *copy = test_heap_copy(packet, size);
            uint32_t kind = find(copy, size, &inside);
            EXPECT_TRUE(kind == TUNNEL_NONE || inside.reason != ENCAP_NONE);
            free(copy);
        }
    }
}

static void
test_other_packets_are_no_tunnels(void)
{
    /* TCP, a port without the header that belongs to it, a fragment. */
    uint8_t packet[PACKET_MAX];
    struct encap inside;
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        if (rows[i].protocol != 17)
            continue;
        test_row = rows[i].name;
        uint32_t at = outer(packet, &rows[i]);
        memset(packet + 28, 0, PACKET_MAX - 28);
        EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
        at = outer(packet, &rows[i]);
        packet[9] = 6;
        EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
    }
    uint32_t at = outer(packet, &rows[0]);
    packet[7] = 1;
    EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
}

static void
test_any_bytes_are_safe(void)
{
    /* Spoiled in a few places, cut anywhere; ASan watches the ends. */
    for (int n = 0; n < ROUNDS; n++) {
        const struct row *row = &rows[test_random_below(TEST_COUNT(rows))];
        uint8_t packet[PACKET_MAX];
        struct encap inside;
        uint32_t size = outer(packet, row) + 20;
        for (uint64_t k = test_random_below(5); k > 0; k--)
            packet[test_random_below(size)] = (uint8_t)test_random();
        size -= (uint32_t)test_random_below(40);
        packet[2] = (uint8_t)(size >> 8);
        packet[3] = (uint8_t)size;
        uint8_t *copy = test_heap_copy(packet, size);
        if (find(copy, size, &inside) != TUNNEL_NONE &&
            inside.reason == ENCAP_NONE)
            EXPECT_TRUE(inside.offset >= 20 && inside.offset < size);
        free(copy);
    }
}

static void
test_gtp_of_charging_and_of_other_versions_is_no_tunnel(void)
{
    /* GTP' has no PT bit; version 2 carries no packets. */
    static const uint8_t firsts[] = {0x20, 0x10, 0x50, 0x70};
    struct row row = {.protocol = 17, .port = 2152, .size = 8};
    uint8_t packet[PACKET_MAX];
    struct encap inside;

    memcpy(row.head, "\x30\xff\0\x28\0\0\0\1", 8);
    uint32_t at = outer(packet, &row);
    EXPECT_EQ(TUNNEL_GTPU, find(packet, at + 20, &inside));
    for (size_t i = 0; i < TEST_COUNT(firsts); i++) {
        row.head[0] = firsts[i];
        at = outer(packet, &row);
        EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
    }
    row.head[0] = 0x30;
    row.head[1] = 26; /* an error, no data */
    at = outer(packet, &row);
    EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
}

static void
test_header_alone_is_a_tunnel_that_is_cut(void)
{
    /* One byte less of it is none, where a port alone names it. */
    static const struct row headers[] = {
        {"VXLAN", 17, 4789, 8, {8}, TUNNEL_VXLAN},
        {"VXLAN-GPE", 17, 4790, 8, {12, 0, 0, 1}, TUNNEL_VXLAN},
        {"Geneve", 17, 6081, 8, {0, 0, 8, 0}, TUNNEL_GENEVE},
        {"TZSP", 17, 37008, 4, {1, 0, 0, 1}, TUNNEL_TZSP},
    };
    for (size_t i = 0; i < TEST_COUNT(headers); i++) {
        uint8_t packet[PACKET_MAX];
        struct encap inside;
        test_row = headers[i].name;
        uint32_t size = outer(packet, &headers[i]);
        for (uint32_t less = 0; less < 2; less++) {
            packet[3] = (uint8_t)(size - less);
            EXPECT_EQ(less ? TUNNEL_NONE : headers[i].kind,
                      find(packet, size - less, &inside));
            EXPECT_EQ(less ? ENCAP_NONE : ENCAP_CUT, inside.reason);
            EXPECT_EQ(0, inside.number);
        }
    }
}

static void
test_headers_of_other_versions_and_kinds_are_none(void)
{
    static const struct row others[] = {
        {"Geneve of version 1", 17, 6081, 8, {0x40, 0, 8, 0}, 0},
        {"Geneve of version 2", 17, 6081, 8, {0x80, 0, 8, 0}, 0},
        {"Geneve of ARP", 17, 6081, 8, {0, 0, 8, 6}, 0},
        {"VXLAN without a number", 17, 4789, 8, {0xf7}, 0},
        {"VXLAN with a last byte", 17, 4789, 8, {8, [7] = 1}, 0},
        {"L2TP of control", 17, 1701, 8, {0x80, 2, 0, 1, 0, 1, 0, 0x21}, 0},
        {"L2TP of version 3", 17, 1701, 8, {0, 3, 0, 1, 0, 1, 0, 0x21}, 0},
        {"TZSP of version 2", 17, 37008, 5, {2, 0, 0, 1, 1}, 0},
        {"TZSP of 802.15.4", 17, 37008, 5, {1, 0, 0, 19, 1}, 0},
        {"CAPWAP, encrypted", 17, 5247, 8, {1, 0x10, 2}, 0},
        {"CAPWAP, a fragment",
         17,
         5247,
         22,
         {0, 0x10, 2, 0x80, 0, 0, 0, 0, MACS, 8, 0},
         0},
        {"GTP of version 0 of charging", 17, 3386, 20, {0x0e, 255}, 0},
        {"GTP of a port", 17, 2152, 8, {0}, 0},
        {"GTP of charging with a number", 17, 2152, 12, {0x21, 255}, 0},
        {"AYIYA of no packet", 17, 5072, 44, {0x44, 0x52, 0x11, 59}, 0},
    };
    uint8_t packet[PACKET_MAX];
    struct encap inside;
    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        test_row = others[i].name;
        uint32_t at = outer(packet, &others[i]);
        EXPECT_EQ(TUNNEL_NONE, find(packet, at + 20, &inside));
    }
    static const struct row unknown = {"", 17, 4790, 8, {12, 0, 0, 5}, 0};
    test_row = "VXLAN-GPE of an unknown kind";
    uint32_t at = outer(packet, &unknown);
    EXPECT_EQ(TUNNEL_VXLAN, find(packet, at + 20, &inside));
    EXPECT_EQ(ENCAP_ETHERTYPE, inside.reason);
    EXPECT_EQ(0xffff, inside.number);
}

static const struct test tests[] = {
    TEST(test_each_kind_leads_to_the_packet_in_it),
    TEST(test_other_packets_are_no_tunnels),
    TEST(test_any_bytes_are_safe),
    TEST(test_gtp_of_charging_and_of_other_versions_is_no_tunnel),
    TEST(test_header_alone_is_a_tunnel_that_is_cut),
    TEST(test_headers_of_other_versions_and_kinds_are_none),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

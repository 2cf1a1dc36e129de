/* Link headers that are met rarely: nothing is read beyond a frame. */
#include "encap_row.h"

#include "../../csrc/link/encap_rare.h"

enum { ROUNDS = 100000 };

#define MGC 'M', 'G', 'C'
#define SNAP 0xaa, 0xaa, 3, 0, 0, 0, 8, 0
#define CALLS 2, 4, 6, 8, 10, 12, 0x60, 2, 4, 6, 8, 10, 12, 0x61

static const struct row rows[] = {
    {"classical IP", 106, 0, {0}, 4, 0, 0},
    {"classical IP, as 16", 16, 0, {0}, 4, 0, 0},
    {"classical IP, as 18", 18, 0, {0}, 4, 0, 0},
    {"classical IP, as 19", 19, 0, {0}, 4, 0, 0},
    {"classical IPv6", 106, 0, {0}, 6, 0, 0},
    {"frame relay", 180, 8, {MGC, 1, 0x18, 0x41, 3, 0xcc}, 4, 0, 0},
    {"multilink PPP, address",
     130,
     12,
     {MGC, 1, 0x54, 0, 0, 0, 0xff, 3, 0, 0x21},
     4,
     0,
     0},
    {"AX.25, numbered", 3, 16, {CALLS, 0, 0xcc}, 4, 0, 0},
    {"AX.25, no data", 3, 16, {CALLS, 1, 0xcc}, 4, ENCAP_LINKTYPE, 3},
    {"exported, IPv4", 252, 12, {0, 12, 0, 4, 'i', 'p', 'v', '4'}, 4, 0, 0},
    {"exported, name that ends",
     252,
     26,
     {0, 12, 0, 4, 'e', 't', 'h', 0, 0, 0, 0, 0, MACS, 8, 0},
     4,
     0,
     0},
    {"EPON, too late",
     259,
     22,
     {0x55, 0x55, 0x55, 0xd5},
     4,
     ENCAP_LINKTYPE,
     259},
    {"classical IP, LLC", 106, 8, {SNAP}, 4, 0, 0},
    {"old HDLC", 112, 4, {0x0f, 0, 8, 0}, 4, 0, 0},
    {"Symantec", 99, 44, {[6] = 8}, 4, 0, 0},
    {"TZSP", 128, 19, {1, 0, 0, 1, 1, MACS, 8, 0}, 4, 0, 0},
    {"TZSP, tags", 128, 23, {1, 0, 0, 1, 0, 10, 1, 7, 1, MACS, 8, 0}, 4, 0, 0},
    {"TZSP, CAN", 128, 5, {1, 0, 0, 9, 1}, 4, ENCAP_LINKTYPE, 128},
    {"PPPoE", 167, 18, {MGC, 1, MACS, 8, 0}, 4, 0, 0},
    {"PPP", 179, 8, {MGC, 1, 0xff, 3, 0, 0x21}, 4, 0, 0},
    {"HDLC", 181, 8, {MGC, 1, 0x0f, 0, 8, 0}, 4, 0, 0},
    {"ATM 1, LLC", 137, 16, {MGC, 1, 0, 0, 0, 0, SNAP}, 4, 0, 0},
    {"ATM 2, PPP",
     135,
     16,
     {MGC, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0x21},
     4,
     0,
     0},
    {"multilink PPP", 130, 10, {MGC, 1, 0x54, 0, 0, 0, 0, 0x21}, 4, 0, 0},
    {"multilink frame relay", 131, 8, {MGC, 1, 0, 0, 3, 0xcc}, 4, 0, 0},
    {"multilink, no IP", 131, 8, {MGC, 1, 0, 0, 3, 0x81}, 4, ENCAP_LLC, 0x81},
    {"GGSN", 133, 8, {MGC, 1, 0, 0, 0, 2}, 4, 0, 0},
    {"services, no frame", 136, 8, {MGC, 3, 2}, 4, 0, 0},
    {"services", 136, 8, {MGC, 1, 2}, 4, ENCAP_LINKTYPE, 136},
    {"voice", 183, 22, {MGC, 1}, 4, 0, 0},
    {"extension", 179, 11, {MGC, 0x81, 0, 1, 9, 0xff, 3, 0, 0x21}, 4, 0, 0},
    {"not theirs",
     179,
     8,
     {'M', 'G', 'D', 1, 0xff, 3, 0, 0x21},
     4,
     ENCAP_LINKTYPE,
     179},
    {"AX.25", 3, 16, {CALLS, 3, 0xcc}, 4, 0, 0},
    {"KISS", 202, 17, {0, CALLS, 3, 0xcc}, 4, 0, 0},
    {"AX.25, no IP", 3, 16, {CALLS, 3, 0xf0}, 4, ENCAP_LINKTYPE, 3},
    {"ARCNET of old", 7, 3, {1, 2, 0xf0}, 4, 0, 0},
    {"ARCNET", 129, 8, {1, 2, 0, 0, 0xd4, 0, 0, 1}, 4, 0, 0},
    {"ARCNET, exception",
     7,
     10,
     {1, 2, 0xd4, 0xff, 0xff, 0xff, 0xd4, 0, 0, 1},
     4,
     0,
     0},
    {"GFP, Ethernet", 171, 22, {0, 62, 0, 0, 0, 1, 0, 0, MACS, 8, 0}, 4, 0, 0},
    {"GFP, PPP",
     170,
     16,
     {0, 62, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0x21},
     4,
     0,
     0},
    {"exported", 252, 12, {0, 12, 0, 4, 'i', 'p', 0, 0}, 4, 0, 0},
    {"exported, Ethernet",
     252,
     34,
     {0,   12,  0,   12,  'e', 't', 'h', '_', 'w',  'i', 't', 'h',
      'o', 'u', 't', 'f', 0,   0,   0,   0,   MACS, 8,   0},
     4,
     0,
     0},
    {"exported, other",
     252,
     12,
     {0, 12, 0, 4, 'h', 't', 't', 'p'},
     4,
     ENCAP_LINKTYPE,
     252},
    {"EPON",
     259,
     22,
     {0x55, 0x55, 0xd5, 0x55, 0x55, 0, 0, 0, MACS, 8, 0},
     4,
     0,
     0},
    {"EBHSCR", 279, 46, {0x50, [32] = MACS, 8, 0}, 4, 0, 0},
    {"EBHSCR, CAN", 279, 46, {0x53}, 4, ENCAP_LINKTYPE, 279},
    {"jumbo", 1, 22, {MACS, 0x88, 0x70, SNAP}, 4, 0, 0},
    {"multilink, whole",
     9,
     10,
     {0xff, 3, 0, 0x3d, 0xc0, 0, 0, 1, 0, 0x21},
     4,
     0,
     0},
    {"multilink, a part",
     9,
     10,
     {0xff, 3, 0, 0x3d, 0x80, 0, 0, 1, 0, 0x21},
     4,
     ENCAP_PPP,
     0x3d},
    {"bridged", 9, 20, {0xff, 3, 0, 0x31, 0, 1, MACS, 8, 0}, 4, 0, 0},
    {"bridged, LAN",
     9,
     24,
     {0xff, 3, 0, 0x31, 0x40, 1, 0, 0, 0, 7, MACS, 8, 0},
     4,
     0,
     0},
};

static void
test_rows_lead_to_ip_or_say_why_not(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_row(&rows[i]);
}

static void
test_no_bytes_lead_beyond_a_frame(void)
{
    uint8_t frame[FRAME_MAX];

    for (uint32_t round = 0; round < ROUNDS; round++) {
        const struct row *row =
            &rows[test_random() % (sizeof rows / sizeof *rows)];
        uint32_t size = (uint32_t)(test_random() % FRAME_MAX);
        for (uint32_t i = 0; i < size; i++)
            frame[i] = (uint8_t)test_random();
        memcpy(frame, row->head, size < row->size ? size : row->size);
        if (size > 0)
            frame[test_random() % size] = (uint8_t)test_random();
        uint8_t *copy = test_heap_copy(frame, size);
        struct encap found = encap_frame(row->linktype, copy, size, false);
        if (found.reason == ENCAP_NONE)
            EXPECT_TRUE(found.offset < size);
        free(copy);
    }
}

static const struct test tests[] = {
    TEST(test_rows_lead_to_ip_or_say_why_not),
    TEST(test_no_bytes_lead_beyond_a_frame),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

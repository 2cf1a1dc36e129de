/* Captures of both kinds, and what no longer is one. */
#include "ring.h"

#include "../../csrc/link/capture.h"

enum { FILE_MAX = 4096, IP_SIZE = 40 };

static struct test_ring rx;
static struct link_capture capture;
static uint8_t file[FILE_MAX];
static uint32_t file_size;
static bool big;

static void
put(uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t shift = 8 * (big ? size - 1 - i : i);
        file[file_size++] = (uint8_t)(value >> shift);
    }
}

static void
put_bytes(const void *bytes, size_t size)
{
    memcpy(file + file_size, bytes, size);
    file_size += (uint32_t)size;
}

static void
start(bool is_big)
{
    ring_clear(&rx);
    memset(&capture, 0, sizeof capture);
    file_size = 0;
    big = is_big;
}

static void
classic(uint32_t magic, uint32_t linktype)
{
    put(magic, 4);
    put(2, 2);
    put(4, 2);
    put(0, 8);
    put(65535, 4);
    put(linktype, 4);
}

/* A frame: `head` bytes of link header, then an IPv4 packet. */
static void
frame(const uint8_t *head, uint32_t head_size)
{
    uint8_t packet[IP_SIZE] = {0x45};
    packet[IP_SIZE - 1] = 0xee;
    if (head_size > 0)
        put_bytes(head, head_size);
    put_bytes(packet, sizeof packet);
}

static void
record(uint32_t seconds, uint32_t fraction, uint32_t size, uint32_t wire_size)
{
    put(seconds, 4);
    put(fraction, 4);
    put(size, 4);
    put(wire_size, 4);
}

/* Reads all of the file from a copy without a byte to spare. */
static enum link_capture_status
parse(void)
{
    uint8_t *copy = test_heap_copy(file, file_size);
    uint32_t at = 0;
    enum link_capture_status status;
    do {
        status =
            link_capture_parse(&capture, copy + at, file_size - at, &rx.ring);
        at += (uint32_t)capture.consumed;
        if (status == LINK_CAPTURE_FULL)
            rx.ring.count = 0;
    } while (status == LINK_CAPTURE_FULL ||
             (status == LINK_CAPTURE_MORE && capture.consumed > 0));
    free(copy);
    return status;
}

static void
test_classic_in_both_byte_orders_and_resolutions(void)
{
    /* A time of 7.25 s in each of the four forms. */
    static const struct {
        uint32_t magic, fraction;
    } forms[] = {{0xa1b2c3d4, 250000}, {0xa1b23c4d, 250000000}};
    for (int i = 0; i < 4; i++) {
        start(i & 1);
        classic(forms[i / 2].magic, 101);
        record(7, forms[i / 2].fraction, IP_SIZE, IP_SIZE);
        frame(NULL, 0);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(7250, rx.slot[0].handle);
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
    /* ARP, an empty record, a version of 5, cooked headers cut short. */
    static const uint8_t arp[14 + IP_SIZE] = {[12] = 8, 6};
    static const uint32_t types[] = {1, 101, 101, 113, 276};
    static const uint32_t sizes[] = {sizeof arp, 0, 1, 15, 19};
    for (int i = 0; i < 5; i++) {
        start(false);
        classic(0xa1b2c3d4, types[i]);
        record(1, 0, sizes[i], sizes[i]);
        put_bytes(arp, sizes[i]);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(0, rx.ring.count);
        EXPECT_EQ(1, capture.packets);
        EXPECT_EQ(1, capture.skipped);
    }
}

static void
test_a_cut_packet_has_its_length_on_the_wire(void)
{
    /* 20 of 100 bytes were kept; the rest reads as zeros. */
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, 20, 100);
    frame(NULL, 0);
    file_size -= IP_SIZE - 20;
    memset(rx.memory, 0xff, sizeof rx.memory);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(100, rx.slot[0].size);
    EXPECT_EQ(0, rx.memory[20]);
    EXPECT_EQ(0, rx.memory[99]);
    EXPECT_EQ(0xff, rx.memory[100]);
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, IP_SIZE, RING_SLOT_SIZE + 1);
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(1, capture.skipped);
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
    start(false);
    classic(0xa1b2c3d4, 105);
    record(1, 0, IP_SIZE, IP_SIZE);
    frame(NULL, 0);
    EXPECT_EQ(LINK_CAPTURE_LINKTYPE, parse());
    EXPECT_EQ(105, capture.linktype);
    start(false);
    classic(0xa1b2c3d4, 101);
    record(1, 0, LINK_CAPTURE_RECORD_MAX + 1, 1);
    EXPECT_EQ(LINK_CAPTURE_TOO_LONG, parse());
}

static void
section(void)
{
    put(0x0a0d0d0a, 4);
    put(28, 4);
    put(0x1a2b3c4d, 4);
    put(0x00010000, 4);
    put(UINT64_MAX, 8);
    put(28, 4);
}

static void
interface(uint32_t linktype, uint8_t tsresol, int64_t offset)
{
    put(1, 4);
    put(20 + 8 + 12 + 4, 4);
    put(linktype, 2);
    put(0, 2);
    put(0, 4);
    put(9, 2);
    put(1, 2);
    file[file_size++] = tsresol;
    put(0, 3);
    put(14, 2);
    put(8, 2);
    put((uint64_t)offset, 8);
    put(0, 4);
    put(44, 4);
}

static void
enhanced(uint32_t number, uint64_t units, uint32_t size)
{
    put(6, 4);
    put(32 + IP_SIZE, 4);
    put(number, 4);
    put(units >> 32, 4);
    put(units & UINT32_MAX, 4);
    put(size, 4);
    put(size, 4);
    frame(NULL, 0);
    put(32 + IP_SIZE, 4);
}

static void
test_ng_in_both_byte_orders_with_resolution_and_offset(void)
{
    /* 2.5 s in units of 1/1024 s, 10^-9 s and 10^-6 s, a minute later. */
    static const struct {
        uint8_t tsresol;
        uint64_t units;
    } forms[] = {{0x8a, 2560}, {9, UINT64_C(2500000000)}, {6, 2500000}};
    for (int i = 0; i < 6; i++) {
        start(i & 1);
        section();
        interface(101, forms[i / 2].tsresol, 60);
        enhanced(0, forms[i / 2].units, IP_SIZE);
        EXPECT_EQ(LINK_CAPTURE_MORE, parse());
        EXPECT_EQ(1, rx.ring.count);
        EXPECT_EQ(62500, rx.slot[0].handle);
        EXPECT_EQ(0xee, rx.memory[IP_SIZE - 1]);
    }
}

static void
test_ng_simple_and_old_blocks(void)
{
    /* A simple block has no time: it takes that of the packet before. */
    start(false);
    section();
    interface(101, 6, 0);
    put(2, 4);
    put(32 + IP_SIZE, 4);
    put(0, 4);
    put(0, 4);
    put(3000000, 4);
    put(IP_SIZE, 4);
    put(IP_SIZE, 4);
    frame(NULL, 0);
    put(32 + IP_SIZE, 4);
    put(3, 4);
    put(16 + IP_SIZE, 4);
    put(IP_SIZE, 4);
    frame(NULL, 0);
    put(16 + IP_SIZE, 4);
    put(5, 4); /* interface statistics: passed over */
    put(12, 4);
    put(12, 4);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(2, rx.ring.count);
    EXPECT_EQ(3000, rx.slot[0].handle);
    EXPECT_EQ(3000, rx.slot[1].handle);
    EXPECT_EQ(0xee, rx.memory[RING_SLOT_SIZE + IP_SIZE - 1]);
}

static void
test_ng_a_new_section_forgets_interfaces(void)
{
    /* It may also be of the other byte order. */
    start(false);
    section();
    interface(101, 6, 0);
    big = true;
    section();
    enhanced(0, 1, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_CONTRADICTION, parse());
    EXPECT_EQ(0, rx.ring.count);
}

static void
test_ng_contradictions_are_refused(void)
{
    /* Lengths and numbers that do not fit one another. */
    for (int i = 0; i < 6; i++) {
        start(false);
        section();
        if (i < 5)
            interface(101, (uint8_t[]){6, 6, 6, 20, 0xc0}[i], 0);
        enhanced(i == 0 ? 1 : 0, 1, i == 1 ? IP_SIZE + 4 : IP_SIZE);
        if (i == 2)
            file[28 + 44 + 4] = 33 + IP_SIZE;
        EXPECT_EQ(LINK_CAPTURE_CONTRADICTION, parse());
    }
}

static void
test_ng_times_are_bounded(void)
{
    /* What adds to them cannot overflow. */
    start(false);
    section();
    interface(101, 0, -1);
    enhanced(0, 0, IP_SIZE);
    EXPECT_EQ(LINK_CAPTURE_MORE, parse());
    EXPECT_EQ(UINT64_C(1000000000000000), rx.slot[0].handle);
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

static const struct test tests[] = {
    TEST(test_classic_in_both_byte_orders_and_resolutions),
    TEST(test_link_headers_are_taken_off),
    TEST(test_what_is_not_ip_is_skipped_and_counted),
    TEST(test_a_cut_packet_has_its_length_on_the_wire),
    TEST(test_a_full_ring_stops_between_records),
    TEST(test_damage_and_other_files_are_told_apart),
    TEST(test_ng_in_both_byte_orders_with_resolution_and_offset),
    TEST(test_ng_simple_and_old_blocks),
    TEST(test_ng_a_new_section_forgets_interfaces),
    TEST(test_ng_contradictions_are_refused),
    TEST(test_ng_times_are_bounded),
    TEST(test_any_bytes_are_safe),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

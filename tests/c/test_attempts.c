/* The sketches of connection attempts. */
#include "test.h"

#include "../../csrc/core/wire.h"
#include "../../csrc/flow/attempts.h"

#define SLOTS 64
#define SLOT_BYTES 128

static uint8_t memory[SLOTS * SLOT_BYTES];
static struct syncache_slot slots[SLOTS];
static struct syncache_ring ring = {
    .memory = memory, .slot = slots, .slots = SLOTS, .slot_size = SLOT_BYTES};
static struct attempts attempts;
static const uint8_t key[SYNCACHE_KEY_BYTES] = {7};

static uint8_t *
push(uint32_t size)
{
    uint8_t *packet = memory + ring.count * SLOT_BYTES;

    memset(packet, 0, SLOT_BYTES);
    slots[ring.count++] = (struct syncache_slot){.size = size};
    return packet;
}

static uint8_t *
push_v4(uint32_t source, uint32_t destination, uint16_t port, uint8_t flags)
{
    uint8_t *packet = push(40);

    packet[0] = 0x45;
    packet[9] = 6;
    for (int i = 0; i < 4; i++) {
        packet[12 + i] = (uint8_t)(source >> (24 - 8 * i));
        packet[16 + i] = (uint8_t)(destination >> (24 - 8 * i));
    }
    packet[22] = (uint8_t)(port >> 8);
    packet[23] = (uint8_t)port;
    packet[33] = flags;
    return packet;
}

static void
look(void)
{
    attempts_look(&attempts, &ring, 0);
    ring.count = 0;
}

static const struct attempts_place *
top(void)
{
    const struct attempts_place *best = &attempts.place[0];

    for (uint32_t i = 1; i < ATTEMPTS_PLACES; i++)
        if (attempts.place[i].count > best->count)
            best = &attempts.place[i];
    return best;
}

static void
test_syn_counts_for_its_destination_and_prefix(void)
{
    static const uint8_t destination[] = {0xcb, 0x00, 0x71, 0x05};

    attempts_init(&attempts, key);
    push_v4(0xc6336401, 0xcb007105, 443, 0x02);
    push_v4(0xc6336402, 0xcb007105, 443, 0xc2); /* with ECN's bits */
    push_v4(0xc6336403, 0xcb007105, 443, 0x12);
    push_v4(0xc6336403, 0xcb007105, 443, 0x10);
    push_v4(0xc6336403, 0xcb007105, 443, 0x06);
    push_v4(0xc6336403, 0xcb007105, 443, 0x03);
    look();
    EXPECT_EQ(2, attempts.total);
    EXPECT_EQ(2, top()->count);
    EXPECT_EQ(0, top()->excess);
    EXPECT_EQ(443, top()->port);
    EXPECT_EQ(4, top()->family);
    EXPECT_BYTES(destination, top()->address, sizeof destination);
    EXPECT_EQ(2, attempts.prefix[0].count + attempts.prefix[1].count);
    EXPECT_TRUE(attempts.prefix[0].count == 2 || attempts.prefix[1].count == 2);
}

static void
test_syn_of_ipv6_counts_also_behind_extension_headers(void)
{
    attempts_init(&attempts, key);
    for (uint32_t behind = 0; behind < 2; behind++) {
        uint8_t *packet = push(60 + 8 * behind);

        packet[0] = 0x60;
        packet[5] = (uint8_t)(20 + 8 * behind);
        packet[6] = behind ? 60 : 6; /* destination options */
        packet[40] = behind ? 6 : 0;
        packet[8] = packet[24] = 0x20;
        packet[39] = 9;
        uint8_t *tcp = packet + 40 + 8 * behind;
        tcp[3] = 80;
        tcp[13] = 2;
    }
    look();
    EXPECT_EQ(2, top()->count);
    EXPECT_EQ(6, top()->family);
    EXPECT_EQ(80, top()->port);
    EXPECT_EQ(9, top()->address[15]);
}

static void
test_damaged_packets_are_passed_over(void)
{
    attempts_init(&attempts, key);
    slots[0] = (struct syncache_slot){0};
    push(0);
    push_v4(1, 2, 3, 2)[0] = 0x4f; /* a header of 60 bytes is not there */
    push_v4(1, 2, 3, 2)[0] = 0x44;
    push_v4(1, 2, 3, 2)[7] = 9; /* a fragment that is not the first */
    push_v4(1, 2, 3, 2)[9] = 17;
    push_v4(1, 2, 3, 2)[0] = 0x50;
    push_v4(1, 2, 3, 2);
    slots[ring.count - 1].size = 39;
    push(59)[0] = 0x60;
    push(60)[0] = 0x60;
    look();
    EXPECT_EQ(0, attempts.total);
    for (uint32_t round = 0; round < 2000; round++) {
        uint8_t *packet = push((uint32_t)test_random() % (SLOT_BYTES + 1));

        for (uint32_t i = 0; i < SLOT_BYTES; i++)
            packet[i] = (uint8_t)test_random();
        packet[0] = (uint8_t)((packet[0] & 15) | (round & 1 ? 0x40 : 0x60));
        look();
    }
}

static void
test_flooded_port_is_found_among_many(void)
{
    /* Every other SYN is for it, from a prefix of its own each time. */
    attempts_init(&attempts, key);
    for (uint32_t i = 0; i < 20000; i++) {
        push_v4(i << 8, i % 2 ? 0xcb007105 : i, i % 2 ? 25 : (uint16_t)i, 2);
        look();
    }
    EXPECT_EQ(20000, attempts.total);
    EXPECT_EQ(25, top()->port);
    EXPECT_TRUE(top()->count - top()->excess >= 9000);
    /* 10,000 prefixes are 39 for each register: log2 of it, and a bit. */
    uint32_t used = 0, ranks = 0;
    for (uint32_t i = 0; i < ATTEMPTS_REGISTERS; i++) {
        used += top()->registers[i] != 0;
        ranks += top()->registers[i];
    }
    EXPECT_EQ(ATTEMPTS_REGISTERS, used);
    EXPECT_TRUE(ranks > 5 * ATTEMPTS_REGISTERS);
    EXPECT_TRUE(ranks < 8 * ATTEMPTS_REGISTERS);
}

static void
test_clear_begins_anew_with_the_same_secret(void)
{
    attempts_init(&attempts, key);
    push_v4(1, 2, 3, 2);
    look();
    attempts_clear(&attempts);
    EXPECT_EQ(0, attempts.total);
    EXPECT_EQ(0, top()->count);
    EXPECT_BYTES(key, attempts.key, SYNCACHE_KEY_BYTES);
}

static void
test_every_prefix_has_a_count_of_its_own(void)
{
    enum { PREFIXES = 6 };
    attempts_init(&attempts, key);
    for (uint32_t i = 0; i < PREFIXES; i++)
        for (uint32_t n = 0; n <= i; n++)
            push_v4(0xc6336400 + (i << 8) + n, 0xcb007105, 443, 2);
    look();
    for (uint32_t i = 0; i < PREFIXES; i++) {
        uint64_t found = 0;
        for (uint32_t k = 0; k < ATTEMPTS_PREFIXES; k++)
            if (attempts.prefix[k].count > 0 &&
                attempts.prefix[k].address[2] == 0x64 + i)
                found = attempts.prefix[k].count;
        EXPECT_EQ(i + 1, found);
    }
}

static void
test_newcomer_has_the_family_of_its_own(void)
{
    /* In the place of an IPv4 prefix. */
    attempts_init(&attempts, key);
    for (uint32_t i = 0; i < 2 * ATTEMPTS_PREFIXES; i++) {
        (void)push_v4(i << 8, 1, 80, WIRE_SYN);
        look();
    }
    uint8_t *packet = push(60);
    packet[0] = 0x60;
    packet[5] = 20;
    packet[6] = 6;
    packet[8] = 0x20;
    packet[53] = WIRE_SYN;
    look();
    uint32_t found = 0;
    for (uint32_t i = 0; i < ATTEMPTS_PREFIXES; i++)
        if (attempts.prefix[i].address[0] == 0x20) {
            EXPECT_EQ(6, attempts.prefix[i].family);
            found++;
        }
    EXPECT_EQ(1, found);
}

static void
test_newcomer_takes_the_place_of_the_least_with_its_count(void)
{
    attempts_init(&attempts, key);
    for (uint32_t i = 0; i < ATTEMPTS_PLACES; i++) {
        uint32_t times = i == 5 ? 2 : 3;
        for (uint32_t n = 0; n < times; n++) {
            (void)push_v4(1, i, 80, WIRE_SYN);
            look();
        }
    }
    (void)push_v4(0x01020304, 0xcb007105, 443, WIRE_SYN);
    look();
    uint32_t found = 0;
    uint64_t excess = 0;
    for (uint32_t i = 0; i < ATTEMPTS_PLACES; i++) {
        const struct attempts_place *place = &attempts.place[i];
        excess += place->excess;
        if (place->port != 443)
            continue;
        found++;
        EXPECT_EQ(3, place->count);
        EXPECT_EQ(2, place->excess);
        uint32_t registers = 0;
        for (uint32_t n = 0; n < ATTEMPTS_REGISTERS; n++)
            registers += place->registers[n] != 0;
        EXPECT_EQ(1, registers); /* none of those that were here before */
    }
    EXPECT_EQ(1, found);
    EXPECT_EQ(2, excess);
}

static void
test_prefix_that_is_new_takes_the_place_of_the_least(void)
{
    attempts_init(&attempts, key);
    for (uint32_t i = 0; i < ATTEMPTS_PREFIXES; i++) {
        uint32_t times = i == 3 ? 2 : 3;
        for (uint32_t n = 0; n < times; n++) {
            (void)push_v4(i << 8, 1, 80, WIRE_SYN);
            look();
        }
    }
    (void)push_v4(0xcb007105, 1, 80, WIRE_SYN);
    look();
    uint32_t found = 0;
    uint64_t excess = 0;
    for (uint32_t i = 0; i < ATTEMPTS_PREFIXES; i++) {
        excess += attempts.prefix[i].excess;
        if (attempts.prefix[i].address[0] != 0xcb)
            continue;
        found++;
        EXPECT_EQ(3, attempts.prefix[i].count);
        EXPECT_EQ(2, attempts.prefix[i].excess);
    }
    EXPECT_EQ(1, found);
    EXPECT_EQ(2, excess);
}

static void
test_every_register_that_is_used_holds_a_rank_from_1_on(void)
{
    /* Of many numbers half have rank 1, a quarter rank 2. */
    uint32_t ranks[256] = {0};
    for (uint32_t i = 0; i < 400; i++) {
        attempts_init(&attempts, key);
        (void)push_v4(i << 8, 1, 80, WIRE_SYN);
        look();
        for (uint32_t n = 0; n < ATTEMPTS_REGISTERS; n++)
            if (attempts.registers[n] != 0) {
                ranks[attempts.registers[n]]++;
                EXPECT_EQ(attempts.registers[n], top()->registers[n]);
            }
    }
    EXPECT_TRUE(ranks[1] > 160 && ranks[1] < 240);
    EXPECT_TRUE(ranks[2] > 70 && ranks[2] < 130);
}

static const struct test tests[] = {
    TEST(test_every_prefix_has_a_count_of_its_own),
    TEST(test_syn_counts_for_its_destination_and_prefix),
    TEST(test_syn_of_ipv6_counts_also_behind_extension_headers),
    TEST(test_damaged_packets_are_passed_over),
    TEST(test_flooded_port_is_found_among_many),
    TEST(test_clear_begins_anew_with_the_same_secret),
    TEST(test_newcomer_has_the_family_of_its_own),
    TEST(test_newcomer_takes_the_place_of_the_least_with_its_count),
    TEST(test_prefix_that_is_new_takes_the_place_of_the_least),
    TEST(test_every_register_that_is_used_holds_a_rank_from_1_on),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

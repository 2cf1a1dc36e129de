/* Packets that wait for a server: as many as there are places, in any order. */
#include "test.h"

#include "../../csrc/flow/early.h"

static struct early early;
static uint8_t packet[2000];

static void
start(uint32_t sessions_max)
{
    static struct early_packet memory[EARLY_PLACES_MAX];

    EXPECT_TRUE(early_bytes(sessions_max) <= sizeof memory);
    early_init(&early, memory, sessions_max);
}

static void
test_packet_is_kept_as_it_is(void)
{
    start(3);
    for (size_t i = 0; i < sizeof packet; i++)
        packet[i] = (uint8_t)(i * 7);
    uint16_t number = early_keep(&early, packet, 1500, 2);
    EXPECT_TRUE(number != EARLY_NONE);
    EXPECT_EQ(1500, early_at(&early, number)->size);
    EXPECT_EQ(2, early_at(&early, number)->checksum);
    EXPECT_BYTES(packet, early_at(&early, number)->bytes, 1500);
}

static void
test_place_is_taken_again_after_it_was_given_back(void)
{
    uint16_t number[3];

    start(3);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            number[i] = early_keep(&early, packet, 40 + i, 0);
            EXPECT_TRUE(number[i] != EARLY_NONE);
        }
        EXPECT_EQ(EARLY_NONE, early_keep(&early, packet, 40, 0));
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT_EQ(40 + i, early_at(&early, number[i])->size);
            uint32_t back = (i + round) % 3;
            early_release(&early, number[back]);
            EXPECT_EQ(number[back], early_keep(&early, packet, 40 + back, 0));
        }
        for (uint32_t i = 0; i < 3; i++)
            early_release(&early, number[i]);
    }
}

static void
test_packet_that_is_too_large_takes_no_place(void)
{
    start(1);
    EXPECT_EQ(EARLY_NONE, early_keep(&early, packet, EARLY_PACKET_MAX + 1, 0));
    EXPECT_TRUE(EARLY_NONE != early_keep(&early, packet, EARLY_PACKET_MAX, 0));
}

static void
test_number_of_places_follows_the_sessions_up_to_a_bound(void)
{
    EXPECT_EQ(5 * sizeof(struct early_packet), early_bytes(5));
    EXPECT_EQ(EARLY_PLACES_MAX * sizeof(struct early_packet),
              early_bytes(1u << 26));
}

static const struct test tests[] = {
    TEST(test_packet_is_kept_as_it_is),
    TEST(test_place_is_taken_again_after_it_was_given_back),
    TEST(test_packet_that_is_too_large_takes_no_place),
    TEST(test_number_of_places_follows_the_sessions_up_to_a_bound),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

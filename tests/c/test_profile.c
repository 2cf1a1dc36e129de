/* Servers' options: what a SYN-ACK teaches, and who makes room. */
#include "test.h"

#include "../../csrc/core/wire.h"
#include "../../csrc/flow/profile.h"

#define ALL                                                     \
    (WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | \
     WIRE_HAS_TIMESTAMPS)

static struct profile memory[256];
static struct profiles profiles;
static const uint8_t key[16] = {7};

static struct syncache_tuple
server(uint16_t port)
{
    struct syncache_tuple tuple = {.family = 4, .fport = 1, .lport = port};

    tuple.laddr[0] = 10;
    return tuple;
}

static void
test_absence_is_learned_only_of_what_was_offered(void)
{
    struct syncache_tuple tuple = server(80);
    profiles_init(&profiles, memory, 8, key);
    EXPECT_TRUE(profile_find(&profiles, &tuple) == NULL);
    struct profile *profile =
        profile_learn(&profiles, 5, &tuple, 0, WIRE_HAS_MSS, 1400, 255);
    EXPECT_EQ(WIRE_HAS_MSS, profile->known);
    EXPECT_EQ(1400, profile->mss);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, profile->wscale);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, profile->wscale_before);
    profile = profile_learn(&profiles, 6, &tuple, ALL,
                            WIRE_HAS_MSS | WIRE_HAS_WSCALE, 1300, 7);
    EXPECT_TRUE(profile == profile_find(&profiles, &tuple));
    EXPECT_EQ(ALL, profile->known);
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE, profile->has);
    EXPECT_EQ(7, profile->wscale);
    /* A client that offers nothing teaches nothing. */
    profile = profile_learn(&profiles, 7, &tuple, 0, 0, 0, 255);
    EXPECT_EQ(7, profile->wscale);
    EXPECT_EQ(WIRE_HAS_WSCALE, profile->has);
    EXPECT_EQ(1300, profile->mss);
}

static void
test_servers_that_differ_in_timestamps_are_mixed(void)
{
    /* Asked both times, they had them and had not; unasked is no refusal. */
    struct syncache_tuple tuple = server(80);
    profiles_init(&profiles, memory, 8, key);
    struct profile *profile =
        profile_learn(&profiles, 5, &tuple, ALL, ALL, 1400, 7);
    (void)profile_learn(&profiles, 6, &tuple, 0, WIRE_HAS_MSS, 1400, 255);
    EXPECT_EQ(0, profile->mixed);
    (void)profile_learn(&profiles, 7, &tuple, ALL, WIRE_HAS_MSS, 1400, 255);
    EXPECT_EQ(WIRE_HAS_TIMESTAMPS, profile->mixed);
}

static void
test_a_changed_scale_keeps_the_one_before(void)
{
    struct syncache_tuple tuple = server(80);
    profiles_init(&profiles, memory, 8, key);
    profile_learn(&profiles, 10, &tuple, ALL, WIRE_HAS_WSCALE, 0, 7);
    struct profile *profile =
        profile_learn(&profiles, 20, &tuple, ALL, WIRE_HAS_WSCALE, 0, 10);
    EXPECT_EQ(10, profile->wscale);
    EXPECT_EQ(7, profile->wscale_before);
    EXPECT_EQ(20, profile->changed_ms);
    profile = profile_learn(&profiles, 30, &tuple, ALL, 0, 0, 0);
    EXPECT_EQ(SYNCACHE_WSCALE_NONE, profile->wscale);
    EXPECT_EQ(10, profile->wscale_before);
}

static void
test_the_server_longest_not_heard_of_makes_room(void)
{
    /* One set of four: ports 1 to 4, 1 heard again, then 5. */
    profiles_init(&profiles, memory, 4, key);
    for (uint16_t port = 1; port <= 4; port++) {
        struct syncache_tuple tuple = server(port);
        profile_learn(&profiles, port, &tuple, 0, WIRE_HAS_MSS, port, 255);
    }
    struct syncache_tuple first = server(1), second = server(2);
    struct syncache_tuple fifth = server(5);
    profile_learn(&profiles, 5, &first, 0, 0, 0, 255);
    EXPECT_TRUE(profile_learn(&profiles, 6, &fifth, 0, 0, 0, 255) != NULL);
    EXPECT_EQ(1, profile_find(&profiles, &first)->mss);
    EXPECT_TRUE(profile_find(&profiles, &second) == NULL);
    EXPECT_EQ(0, profile_find(&profiles, &fifth)->mss);
}

static void
test_servers_are_spread_over_all_sets(void)
{
    /* 64 sets of four, half as many servers as places: few sets are too small. */
    uint32_t found = 0;

    profiles_init(&profiles, memory, TEST_COUNT(memory), key);
    for (uint16_t port = 1; port <= 128; port++) {
        struct syncache_tuple tuple = server(port);
        profile_learn(&profiles, port, &tuple, 0, WIRE_HAS_MSS, port, 255);
    }
    for (uint16_t port = 1; port <= 128; port++) {
        struct syncache_tuple tuple = server(port);
        found += profile_find(&profiles, &tuple) != NULL;
    }
    EXPECT_TRUE(found >= 110);
}

static void
test_without_room_nothing_is_remembered(void)
{
    struct syncache_tuple tuple = server(80);
    EXPECT_EQ(0, profiles_bytes(0));
    profiles_init(&profiles, NULL, 0, key);
    EXPECT_TRUE(profile_learn(&profiles, 1, &tuple, ALL, ALL, 1, 1) == NULL);
    EXPECT_TRUE(profile_find(&profiles, &tuple) == NULL);
}

static const struct test tests[] = {
    TEST(test_absence_is_learned_only_of_what_was_offered),
    TEST(test_servers_that_differ_in_timestamps_are_mixed),
    TEST(test_a_changed_scale_keeps_the_one_before),
    TEST(test_the_server_longest_not_heard_of_makes_room),
    TEST(test_servers_are_spread_over_all_sets),
    TEST(test_without_room_nothing_is_remembered),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

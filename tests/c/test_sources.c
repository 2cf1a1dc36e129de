/* The sketch of source prefixes. */
#include "test.h"

#include "../../csrc/flow/sources.h"

static void
count(struct sources *sources, uint64_t now_ms, uint32_t network, uint8_t host)
{
    uint8_t address[16] = {(uint8_t)(network >> 16), (uint8_t)(network >> 8),
                           (uint8_t)network, host};

    sources_count(sources, now_ms, address, 4);
}

static void
test_prefix_is_24_bits_of_ipv4_and_48_of_ipv6(void)
{
    struct sources sources;
    uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, 7, 1};

    sources_init(&sources);
    EXPECT_TRUE(sources_top(&sources) == NULL);
    for (uint8_t host = 0; host < 9; host++)
        count(&sources, 0, 0xc63364, host);
    count(&sources, 0, 0xc63365, 1);
    EXPECT_EQ(9, sources_top(&sources)->count);
    EXPECT_EQ(100, sources_top(&sources)->prefix[2]);
    for (uint8_t subnet = 0; subnet < 10; subnet++) {
        v6[6] = subnet;
        sources_count(&sources, 0, v6, 6);
    }
    EXPECT_EQ(10, sources_top(&sources)->count);
    EXPECT_EQ(7, sources_top(&sources)->prefix[5]);
}

static void
test_heavy_prefix_is_found_among_many(void)
{
    /* One request in 20 from it, all others each from a prefix of their own:
     * found, and overestimated by no more than the smallest counter. */
    struct sources sources;
    uint32_t requests = 20000;

    sources_init(&sources);
    for (uint32_t i = 0; i < requests; i++)
        count(&sources, 0, i % 20 == 0 ? 0xc63364 : i, 1);
    EXPECT_EQ(0xc6, sources_top(&sources)->prefix[0]);
    EXPECT_TRUE(sources_top(&sources)->count >= requests / 20);
    EXPECT_TRUE(sources_top(&sources)->count <=
                requests / 20 + requests / SOURCES_MAX);
}

static void
test_the_past_is_halved_every_minute(void)
{
    struct sources sources;

    sources_init(&sources);
    for (uint32_t i = 0; i < 100; i++)
        count(&sources, 1000, 0xc63364, 1);
    count(&sources, 60000, 1, 1);
    EXPECT_EQ(50, sources_top(&sources)->count);
    count(&sources, 180000, 1, 1);
    EXPECT_EQ(12, sources_top(&sources)->count);
    count(&sources, UINT64_MAX, 2, 1);
    EXPECT_EQ(1, sources_top(&sources)->count);
}

static void
test_prefix_is_forgotten_when_its_last_half_is_gone(void)
{
    struct sources sources;

    sources_init(&sources);
    count(&sources, 1000, 0xc63364, 1);
    count(&sources, 1000, 0xc63364, 1);
    sources_count(&sources, 60000, (uint8_t[16]){9}, 6);
    EXPECT_EQ(1, sources_top(&sources)->count);
    count(&sources, 60000, 0xc63364, 1);
    EXPECT_EQ(2, sources_top(&sources)->count);
    EXPECT_EQ(0xc6, sources_top(&sources)->prefix[0]);
}

static void
test_nothing_is_left_of_the_past_after_half_an_hour(void)
{
    struct sources sources;

    for (uint64_t minutes = 31; minutes <= 33; minutes++) {
        sources_init(&sources);
        for (uint32_t i = 0; i < 1000; i++)
            count(&sources, 0, 0xc63364, 1);
        count(&sources, minutes * 60000, 0xc63365, 1);
        EXPECT_EQ(1, sources_top(&sources)->count);
        EXPECT_EQ(101, sources_top(&sources)->prefix[2]);
    }
}

static const struct test tests[] = {
    TEST(test_prefix_is_forgotten_when_its_last_half_is_gone),
    TEST(test_prefix_is_24_bits_of_ipv4_and_48_of_ipv6),
    TEST(test_heavy_prefix_is_found_among_many),
    TEST(test_the_past_is_halved_every_minute),
    TEST(test_nothing_is_left_of_the_past_after_half_an_hour),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

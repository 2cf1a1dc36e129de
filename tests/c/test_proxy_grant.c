/* What a client is granted, and the clock of timestamps. */
#include "between.h"

#include "../../csrc/flow/proxy_grant.h"

static struct between world;

#define THREE (WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS)

static void
start(uint32_t options)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_COOKIE;
    tunables.options = options;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
}

static struct syncache_tuple
tuple_of(uint8_t family)
{
    struct syncache_tuple tuple = {.family = family, .fport = 1, .lport = 80};

    memcpy(tuple.laddr, between_server[family == 6], 16);
    return tuple;
}

static void
test_grants_by_profile_and_by_choice(void)
{
    static const struct {
        uint32_t options;
        uint8_t offered, known, has;
        uint8_t granted, wscale;
    } rows[] = {
        {FLOW_OPTIONS_CISCO, THREE, THREE, THREE, 0, 255},
        {FLOW_OPTIONS_LEARN, THREE, 0, 0, 0, 255},
        {FLOW_OPTIONS_LEARN, THREE, THREE, THREE, THREE, 5},
        {FLOW_OPTIONS_LEARN, THREE, THREE, WIRE_HAS_SACK_PERMITTED,
         WIRE_HAS_SACK_PERMITTED, 255},
        {FLOW_OPTIONS_LEARN, WIRE_HAS_WSCALE, THREE, THREE, WIRE_HAS_WSCALE, 5},
        {FLOW_OPTIONS_CLIENT, THREE, 0, 0, THREE, 7},
        {FLOW_OPTIONS_CLIENT, THREE, THREE, WIRE_HAS_WSCALE, WIRE_HAS_WSCALE,
         5},
        {FLOW_OPTIONS_CLIENT, 0, THREE, THREE, 0, 255},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(rows[i].options);
        struct syncache_tuple tuple = tuple_of(4);
        struct view_options offered = {.has = rows[i].offered, .wscale = 9};
        if (rows[i].known != 0)
            profile_learn(&world.flow->profiles, 1, &tuple, rows[i].known,
                          rows[i].has, 0, 5);
        struct proxy_grant grant = proxy_grant(world.flow, &tuple, &offered);
        EXPECT_EQ(rows[i].granted, grant.has);
        EXPECT_EQ(rows[i].wscale, grant.wscale);
        EXPECT_EQ(536, grant.mss);
        tuple = tuple_of(6);
        EXPECT_EQ(1220, proxy_grant(world.flow, &tuple, &offered).mss);
        between_close(&world);
    }
}

static void
test_timestamps_have_the_group_s_clock_and_key(void)
{
    uint8_t key[16] = {7};
    start(FLOW_OPTIONS_CLIENT);
    struct syncache_tuple tuple = tuple_of(4);
    (void)between_poll(&world);
    flow_set_ts_key(world.flow, key);
    uint32_t before = proxy_ts(world.flow, &tuple);
    flow_set_ts_base(world.flow, 5000);
    EXPECT_EQ(before + 5000, proxy_ts(world.flow, &tuple));
    flow_set_ts_key(world.flow, key);
    EXPECT_EQ(before + 5000, proxy_ts(world.flow, &tuple));
    key[0] = 8;
    flow_set_ts_key(world.flow, key);
    EXPECT_TRUE(before + 5000 != proxy_ts(world.flow, &tuple));
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_grants_by_profile_and_by_choice),
    TEST(test_timestamps_have_the_group_s_clock_and_key),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

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

static void
test_mss_of_ipv6_is_less_by_the_larger_header_down_to_its_least(void)
{
    static const struct {
        uint16_t mss, v4, v6;
    } rows[] = {{536, 536, 1220},
                {1240, 1240, 1220},
                {1241, 1241, 1221},
                {1460, 1460, 1440}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct view_options offered = {0};
        start(FLOW_OPTIONS_LEARN);
        world.flow->proxy.mss = rows[i].mss;
        for (uint8_t family = 4; family <= 6; family += 2) {
            struct syncache_tuple tuple = tuple_of(family);
            EXPECT_EQ(family == 4 ? rows[i].v4 : rows[i].v6,
                      proxy_grant(world.flow, &tuple, &offered).mss);
            profile_learn(&world.flow->profiles, 1, &tuple, 0, WIRE_HAS_MSS,
                          999, 0);
            EXPECT_EQ(999, proxy_grant(world.flow, &tuple, &offered).mss);
        }
        between_close(&world);
    }
}

static void
test_scale_of_a_group_is_one_for_every_server(void)
{
    for (uint32_t shared = 0; shared < 2; shared++) {
        struct view_options offered = {.has = THREE, .wscale = 9};
        struct syncache_tuple tuple = tuple_of(4);
        start(FLOW_OPTIONS_LEARN);
        world.flow->proxy.shared = shared != 0;
        profile_learn(&world.flow->profiles, 1, &tuple, THREE, THREE, 0, 5);
        EXPECT_EQ(shared ? 7 : 5,
                  proxy_grant(world.flow, &tuple, &offered).wscale);
        between_close(&world);
    }
}

static void
test_what_was_granted_is_known_from_the_session(void)
{
    for (uint32_t which = 0; which < 8; which++) {
        struct session session = {
            .wscale_told = which & 1 ? 3 : SYNCACHE_WSCALE_NONE,
            .flags = (uint16_t)((which & 2 ? SESSION_SACK : 0) |
                                (which & 4 ? SESSION_TIMESTAMPS : 0))};
        struct proxy_grant grant = proxy_granted(&session);
        EXPECT_EQ((which & 1 ? WIRE_HAS_WSCALE : 0) |
                      (which & 2 ? WIRE_HAS_SACK_PERMITTED : 0) |
                      (which & 4 ? WIRE_HAS_TIMESTAMPS : 0),
                  grant.has);
        EXPECT_EQ(which & 1 ? 3 : SYNCACHE_WSCALE_NONE, grant.wscale);
    }
}

static void
test_clock_that_was_set_is_back_while_its_stamps_live(void)
{
    start(FLOW_OPTIONS_CLIENT);
    (void)between_poll(&world);
    struct flow *flow = world.flow;
    uint64_t lives_ms =
        2 * (uint64_t)flow->proxy.lifetime_ms + flow->proxy.skew_ms;
    EXPECT_EQ(0, proxy_ts_back(flow));
    flow_set_ts_base(flow, 7000);
    flow_set_ts_base(flow, 5000);
    EXPECT_EQ(2000, proxy_ts_back(flow));
    flow->now_ms = flow->ts_changed_ms + lives_ms;
    EXPECT_EQ(2000, proxy_ts_back(flow));
    flow->now_ms++;
    EXPECT_EQ(0, proxy_ts_back(flow));
    between_close(&world);
}

static const struct test tests[] = {
    TEST(test_grants_by_profile_and_by_choice),
    TEST(test_timestamps_have_the_group_s_clock_and_key),
    TEST(test_mss_of_ipv6_is_less_by_the_larger_header_down_to_its_least),
    TEST(test_scale_of_a_group_is_one_for_every_server),
    TEST(test_what_was_granted_is_known_from_the_session),
    TEST(test_clock_that_was_set_is_back_while_its_stamps_live),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

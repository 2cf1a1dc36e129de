/* Values out of range are refused and change nothing. */
#include "world.h"

/* A member of either struct of tunables, and a value that it cannot have. */
struct wrong {
    size_t member;
    uint32_t value;
};

#define INTERCEPT(name, wrong) \
    {offsetof(struct flow_intercept_tunables, name), wrong}
#define INSPECT(name, wrong) \
    {offsetof(struct flow_inspect_tunables, name), wrong}

static void
test_intercept_refuses_what_is_out_of_range(void)
{
    static const struct wrong wrong[] = {
        INTERCEPT(struct_size, 4),
        INTERCEPT(mode, 2),
        INTERCEPT(drop_mode, 3),
        INTERCEPT(watch_timeout_ms, 0),
        INTERCEPT(finrst_timeout_ms, 0),
        INTERCEPT(connection_timeout_ms, 0),
        INTERCEPT(connection_timeout_ms, 2147483001),
        INTERCEPT(max_incomplete_low, 0),
        INTERCEPT(max_incomplete_low, 1101),
        INTERCEPT(max_incomplete_high, 899),
        INTERCEPT(one_minute_low, 1101),
        INTERCEPT(one_minute_high, 0x80000000),
        INTERCEPT(rexmt_initial_ms, 0),
        INTERCEPT(rexmt_limit, 13),
        INTERCEPT(aggressive_divisor, 0),
        INTERCEPT(rate_method, 3),
        INTERCEPT(evict_rst, 3),
        INTERCEPT(watch_reset, 3),
        INTERCEPT(reset_client_on_giveup, 3),
        INTERCEPT(options, 3),
        INTERCEPT(synack, 3),
        INTERCEPT(synack_window, 65536),
        INTERCEPT(wait_for_data, 1), /* with synack_window 0 */
        INTERCEPT(synack_mss, 47),
        INTERCEPT(unknown, 2),
        INTERCEPT(cookie_lifetime_ms, 999),
        INTERCEPT(clock_skew_ms, 16001),
        INTERCEPT(cookie_gate, 3),
    };
    struct world *world = world_new(FLOW_INTERCEPT, 10);
    struct flow_intercept_tunables tunables, before;

    flow_intercept_default(&before);
    before.synack_window = 0;
    EXPECT_TRUE(flow_set_intercept(world->flow, 0, &before));
    EXPECT_TRUE(!flow_set_inspect(world->flow, 0, &world->inspect));
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        tunables = before;
        memcpy((uint8_t *)&tunables + wrong[i].member, &wrong[i].value, 4);
        EXPECT_TRUE(!flow_set_intercept(world->flow, 0, &tunables));
        EXPECT_BYTES((const uint8_t *)&before,
                     (const uint8_t *)&world->flow->intercept, sizeof before);
    }
    tunables = before;
    tunables.max_incomplete_low = tunables.max_incomplete_high = 5;
    EXPECT_TRUE(flow_set_intercept(world->flow, 0, &tunables));
    EXPECT_EQ(5, world->flow->limits.incomplete_high);
    world_free(world);
}

static void
test_inspect_refuses_what_is_out_of_range(void)
{
    static const struct wrong wrong[] = {
        INSPECT(struct_size, 4),
        INSPECT(tcp_synwait_time_ms, 0),
        INSPECT(tcp_finwait_time_ms, 0),
        INSPECT(tcp_idle_time_ms, 0),
        INSPECT(udp_idle_time_ms, 0),
        INSPECT(dns_timeout_ms, 0),
        INSPECT(icmp_idle_time_ms, 2147483001),
        INSPECT(max_incomplete_low, 501),
        INSPECT(one_minute_low, 501),
        INSPECT(one_minute_high, 0x80000000),
        INSPECT(tcp_block_time_ms, 2147483001),
        INSPECT(block_action, 4),
        INSPECT(aggressive_evict, 3),
        INSPECT(drop_mode, 3),
        INSPECT(udp_halfopen_max_age_ms, 2147483001),
        INSPECT(rate_method, 3),
        INSPECT(calm_check_interval_ms, 0),
        INSPECT(options, 3),
        INSPECT(rexmt_limit, 13),
        INSPECT(cookie_lifetime_ms, 0),
        INSPECT(cookie_gate, 3),
        INSPECT(application_count, FLOW_APPLICATIONS_MAX + 1),
        INSPECT(application_count, 1), /* of protocol 0 */
        INSPECT(by_side, 2),
    };
    struct world *world = world_inspect(10);
    struct flow_inspect_tunables tunables;

    EXPECT_TRUE(!flow_set_intercept(world->flow, 0, &world->flow->intercept));
    for (size_t i = 0; i < TEST_COUNT(wrong); i++) {
        tunables = world->inspect;
        memcpy((uint8_t *)&tunables + wrong[i].member, &wrong[i].value, 4);
        EXPECT_TRUE(!flow_set_inspect(world->flow, 0, &tunables));
        EXPECT_BYTES((const uint8_t *)&world->inspect,
                     (const uint8_t *)&world->flow->inspect, sizeof tunables);
    }
    tunables = world->inspect;
    tunables.rule[1].inspect = 2; /* a byte, unlike the others */
    EXPECT_TRUE(!flow_set_inspect(world->flow, 0, &tunables));
    tunables = world->inspect;
    tunables.server_rule[1].inspect = 2;
    EXPECT_TRUE(!flow_set_inspect(world->flow, 0, &tunables));
    /* 0 in high is unlimited, whatever low says. */
    tunables = world->inspect;
    tunables.max_incomplete_high = 0;
    EXPECT_TRUE(flow_set_inspect(world->flow, 0, &tunables));
    world_free(world);
}

static void
test_greatest_idle_time_of_a_rule_is_taken(void)
{
    struct world *world = world_inspect(10);

    world->inspect.rule[FLOW_TCP].timeout_ms = FLOW_MS_MAX;
    EXPECT_TRUE(flow_set_inspect(world->flow, 0, &world->inspect));
    world->inspect.rule[FLOW_TCP].timeout_ms++;
    EXPECT_TRUE(!flow_set_inspect(world->flow, 0, &world->inspect));
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_greatest_idle_time_of_a_rule_is_taken),
    TEST(test_intercept_refuses_what_is_out_of_range),
    TEST(test_inspect_refuses_what_is_out_of_range),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

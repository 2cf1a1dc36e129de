/* The engine as its caller holds it: size, beginning, listing, deadlines. */
#include "world.h"

static struct flow_config
config_of(uint32_t kind)
{
    return (struct flow_config){
        .struct_size = sizeof(struct flow_config),
        .kind = kind,
        .sessions_max = 10,
        .hosts_max = 10,
        .headers_max = 1,
        .journal_max = 4,
    };
}

static void
test_size_is_zero_for_what_is_out_of_range(void)
{
    struct flow_config good = config_of(FLOW_INSPECT);
    struct flow_config bad;

    EXPECT_TRUE(flow_size(&good) > 0);
    bad = good;
    bad.struct_size--;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.kind = 2;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.sessions_max = 0;
    EXPECT_EQ(0, flow_size(&bad));
    bad.sessions_max = FLOW_SESSIONS_MAX + 1;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.hosts_max = 0;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.headers_max = 0;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.journal_max = 0;
    EXPECT_EQ(0, flow_size(&bad));
    bad = good;
    bad.rules_max = FLOW_RULES_MAX;
    EXPECT_TRUE(flow_size(&bad) > 0);
    bad.rules_max = FLOW_RULES_MAX + 1;
    EXPECT_EQ(0, flow_size(&bad));
}

static void
test_init_refuses_what_does_not_fit(void)
{
    struct flow_config config = config_of(FLOW_INSPECT);
    size_t size = flow_size(&config);
    uint8_t *block = aligned_alloc(64, size + 64);
    uint8_t seed[16] = {0};

    EXPECT_TRUE(flow_init(NULL, size, &config, seed) == NULL);
    EXPECT_TRUE(flow_init(block + 8, size, &config, seed) == NULL);
    EXPECT_TRUE(flow_init(block, size - 1, &config, seed) == NULL);
    EXPECT_TRUE(flow_init(block, size, &config, seed) != NULL);
    config.kind = 9;
    EXPECT_TRUE(flow_init(block, size, &config, seed) == NULL);
    free(block);
}

static void
test_a_session_takes_at_most_256_bytes(void)
{
    struct flow_config config = config_of(FLOW_INSPECT);

    config.sessions_max = 1000000;
    config.hosts_max = 4096;
    EXPECT_TRUE(flow_size(&config) < UINT64_C(256) * 1000000);
}

static void
test_walk_lists_every_session_once(void)
{
    struct world *world = world_inspect(50);
    struct flow_session_view view[7];
    bool seen[20] = {false};
    uint64_t cursor = 0;
    uint32_t count = 0, some;

    world_half_open(world, 0, 20);
    while ((some = flow_walk(world->flow, &cursor, view, 7)) > 0) {
        for (uint32_t i = 0; i < some; i++) {
            uint32_t client = view[i].tuple.fport - 1024u;

            EXPECT_TRUE(client < 20 && !seen[client]);
            seen[client] = true;
            EXPECT_EQ(FLOW_SYNRCVD, view[i].state);
            EXPECT_EQ(1, view[i].counted);
            EXPECT_EQ(client, view[i].id);
            EXPECT_EQ(world->now_ms, view[i].created_ms);
            EXPECT_EQ(world->now_ms + 30000, view[i].deadline_ms);
        }
        count += some;
    }
    EXPECT_EQ(20, count);
    world_free(world);
}

static void
test_walk_in_short_steps_looks_at_no_more_than_asked(void)
{
    struct world *world = world_inspect(50);
    struct flow_session_view view[7];
    uint64_t cursor = 0;
    uint32_t count = 0, steps = 0;

    world_half_open(world, 0, 20);
    while (cursor != SYNCACHE_NEVER) {
        uint32_t some = flow_walk_some(world->flow, &cursor, 3, view, 7);

        EXPECT_TRUE(some <= 3);
        count += some;
        steps++;
    }
    EXPECT_EQ(20, count);
    EXPECT_EQ(7, steps);
    EXPECT_EQ(0, flow_walk_some(world->flow, &cursor, 3, view, 7));
    EXPECT_EQ(0, flow_walk(world->flow, &cursor, view, 7));
    world_free(world);
}

static void
test_icmp_is_listed_by_its_type(void)
{
    struct world *world = world_inspect(50);
    struct flow_session_view view;
    uint64_t cursor = 0;

    world_icmp(world, &world_ends, false, 8);
    EXPECT_EQ(1, flow_walk(world->flow, &cursor, &view, 1));
    EXPECT_EQ(8, view.tuple.fport);
    EXPECT_EQ(0, view.tuple.lport);
    EXPECT_EQ(40000, view.icmp_id);
    world_free(world);
}

static void
test_next_deadline_is_the_earliest_of_all(void)
{
    struct world *world = world_inspect(50);
    uint8_t key[16] = {0};
    struct ends udp = world_ends;
    uint64_t next_ms;

    /* New tunables are judged by the next call, whenever that is. */
    EXPECT_TRUE(flow_next_deadline(world->flow) <= world->now_ms);
    world_wait(world, 0);
    EXPECT_EQ(SYNCACHE_NEVER, flow_next_deadline(world->flow));
    world_syn(world, &world_ends);
    EXPECT_EQ(world->now_ms + 30000, flow_next_deadline(world->flow));
    udp.server_port = 53;
    world_udp(world, &udp, false, 1);
    EXPECT_EQ(world->now_ms + 5000, flow_next_deadline(world->flow));
    flow_set_key(world->flow, 0, key);
    (void)flow_epoch(world->flow, world->now_ms, &next_ms);
    EXPECT_EQ(world->now_ms + 5000, flow_next_deadline(world->flow));
    world_wait(world, 5000);
    EXPECT_EQ(next_ms < world->now_ms + 25000 ? next_ms : world->now_ms + 25000,
              flow_next_deadline(world->flow));
    world_free(world);
}

static void
test_same_seed_and_packets_give_the_same_engine(void)
{
    struct world *one = world_inspect(50);
    struct world *two = world_inspect(50);

    test_random_state = test_seed;
    world_free(one);
    one = world_inspect(50);
    test_random_state = test_seed;
    world_free(two);
    two = world_inspect(50);
    EXPECT_BYTES(one->flow->hash_key, two->flow->hash_key, 16);
    EXPECT_EQ(box_random(one->flow), box_random(two->flow));
    world_free(one);
    world_free(two);
}

static void
test_size_is_exact_or_zero_where_it_does_not_fit(void)
{
    /* Two, four and more GiB: never what is left when 32 bits are full. */
    for (uint32_t n = 1u << 20; n <= FLOW_SESSIONS_MAX; n *= 2) {
        struct flow_config config = config_of(FLOW_INSPECT);
        uint64_t least = (uint64_t)n * sizeof(struct session);

        config.sessions_max = n;
        config.hosts_max = n;
        config.journal_max = n < 1u << 24 ? n : 1u << 24;
        size_t size = flow_size(&config);
        EXPECT_TRUE(size == 0 ? SIZE_MAX / 3 < least * 2 : size > least);
    }
}

static void
test_secrets_of_an_engine_are_its_seeds(void)
{
    /* Those of sessions' places, of victims at random, of timestamps: all of
     * them others with another seed, and none is another's. */
    struct flow_config config = config_of(FLOW_INSPECT);
    size_t size = flow_size(&config);
    uint8_t keys[6][SYNCACHE_KEY_BYTES];

    for (size_t i = 0; i < 2; i++) {
        uint8_t seed[16] = {(uint8_t)i};
        uint8_t *block = aligned_alloc(64, (size + 63) / 64 * 64);
        struct flow *flow = flow_init(block, size, &config, seed);

        EXPECT_TRUE(flow != NULL);
        memcpy(keys[3 * i], flow->hash_key, SYNCACHE_KEY_BYTES);
        memcpy(keys[3 * i + 1], flow->random_key, SYNCACHE_KEY_BYTES);
        memcpy(keys[3 * i + 2], flow->ts_key, SYNCACHE_KEY_BYTES);
        free(block);
    }
    for (size_t i = 0; i < 6; i++)
        for (size_t other = 0; other < i; other++)
            EXPECT_TRUE(memcmp(keys[i], keys[other], sizeof keys[i]) != 0);
}

static void
test_new_engine_has_the_default_tunables(void)
{
    for (uint32_t kind = FLOW_INTERCEPT; kind <= FLOW_INSPECT; kind++) {
        struct world *world = world_new(kind, 10);
        struct flow_inspect_tunables inspect;
        struct flow_intercept_tunables intercept;

        memset(&inspect, 0xa5, sizeof inspect);
        memset(&intercept, 0xa5, sizeof intercept);
        flow_inspect_default(&inspect);
        flow_intercept_default(&intercept);
        EXPECT_EQ(inspect.tcp_synwait_time_ms,
                  world->flow->inspect.tcp_synwait_time_ms);
        EXPECT_EQ(inspect.tcp_idle_time_ms,
                  world->flow->inspect.tcp_idle_time_ms);
        EXPECT_EQ(inspect.one_minute_high,
                  world->flow->inspect.one_minute_high);
        EXPECT_EQ(intercept.connection_timeout_ms,
                  world->flow->intercept.connection_timeout_ms);
        EXPECT_EQ(intercept.one_minute_high,
                  world->flow->intercept.one_minute_high);
        world_free(world);
    }
}

static void
test_walk_tells_the_bytes_of_each_end(void)
{
    struct world *world = world_inspect(10);
    struct flow_session_view view;
    uint64_t cursor = 0;

    world_handshake(world, &world_ends);
    world_tcp(world, &world_ends, false,
              (struct segment){.seq = WORLD_C + 1,
                               .ack = WORLD_S + 1,
                               .flags = WORLD_ACK,
                               .payload = 11});
    world_tcp(world, &world_ends, true,
              (struct segment){.seq = WORLD_S + 1,
                               .ack = WORLD_C + 12,
                               .flags = WORLD_ACK,
                               .payload = 222});
    EXPECT_EQ(1, flow_walk(world->flow, &cursor, &view, 1));
    EXPECT_EQ(11, view.bytes[FLOW_CLIENT]);
    EXPECT_EQ(222, view.bytes[FLOW_SERVER]);
    EXPECT_EQ(FLOW_ESTAB, view.state);
    EXPECT_EQ(FLOW_CLIENT, view.side);
    EXPECT_EQ(world->now_ms, view.last_ms);
    EXPECT_EQ(SYNCACHE_NEVER, cursor);
    world_free(world);
}

static void
test_setting_does_not_begin_the_time_and_moves_it_later(void)
{
    struct world *world = world_new(FLOW_INSPECT, 10);

    world->now_ms = 5000;
    world_set(world);
    EXPECT_EQ(0, world->flow->now_ms);
    world_syn(world, &world_ends);
    world->now_ms = 7000;
    world_set(world);
    EXPECT_EQ(7000, world->flow->now_ms);
    world_free(world);
}

static void
test_rules_begin_the_time_of_learning(void)
{
    struct world *world = world_new(FLOW_INTERCEPT, 10);
    struct flow_rule rule = {.protocol = 6,
                             .permit = 1,
                             .destination_op = FLOW_PORT_EQ,
                             .destination_lo = 80};
    memset(rule.source_wildcard, 0xff, 16);
    memset(rule.destination_wildcard, 0xff, 16);

    world->now_ms = 9000;
    world_syn(world, &world_ends);
    EXPECT_TRUE(flow_set_rules(world->flow, &rule, 1, true));
    EXPECT_EQ(9000, world->flow->learn_ms);
    EXPECT_TRUE(!flow_set_rules(world->flow, &rule, 17, true));
    world_free(world);
}

static void
test_epoch_is_judged_at_the_time_that_is_told(void)
{
    struct world *world = world_new(FLOW_INTERCEPT, 10);
    uint64_t next_ms = 0;

    world_syn(world, &world_ends);
    EXPECT_EQ(0, flow_epoch(world->flow, world->now_ms + 50, &next_ms));
    EXPECT_EQ(world->now_ms + 50, world->flow->now_ms);
    world_free(world);
}

static void
test_tables_are_keyed_by_the_seed_each_by_its_own(void)
{
    static const uint8_t nothing[SYNCACHE_KEY_BYTES];
    struct world *world = world_new(FLOW_INSPECT, 10);
    const uint8_t *keys[] = {nothing,
                             world->flow->hash_key,
                             world->flow->hosts.hash_key,
                             world->flow->headers.hash_key,
                             world->flow->random_key,
                             world->flow->profiles.hash_key};

    for (size_t i = 0; i < TEST_COUNT(keys); i++)
        for (size_t j = 0; j < i; j++)
            EXPECT_TRUE(memcmp(keys[i], keys[j], SYNCACHE_KEY_BYTES) != 0);
    EXPECT_TRUE(
        memcmp(world->flow->silent.hash_key, nothing, SYNCACHE_KEY_BYTES) != 0);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_size_is_exact_or_zero_where_it_does_not_fit),
    TEST(test_size_is_zero_for_what_is_out_of_range),
    TEST(test_init_refuses_what_does_not_fit),
    TEST(test_a_session_takes_at_most_256_bytes),
    TEST(test_walk_lists_every_session_once),
    TEST(test_walk_in_short_steps_looks_at_no_more_than_asked),
    TEST(test_icmp_is_listed_by_its_type),
    TEST(test_next_deadline_is_the_earliest_of_all),
    TEST(test_same_seed_and_packets_give_the_same_engine),
    TEST(test_secrets_of_an_engine_are_its_seeds),
    TEST(test_new_engine_has_the_default_tunables),
    TEST(test_walk_tells_the_bytes_of_each_end),
    TEST(test_setting_does_not_begin_the_time_and_moves_it_later),
    TEST(test_rules_begin_the_time_of_learning),
    TEST(test_epoch_is_judged_at_the_time_that_is_told),
    TEST(test_tables_are_keyed_by_the_seed_each_by_its_own),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

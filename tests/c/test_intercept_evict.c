/* Who makes room in aggressive mode, and who hears of it. */
#include "between.h"

#include "../../csrc/flow/intercept.h"

static struct between world;

#define C_ISN 5000u

static void
start(uint32_t drop_mode, uint32_t options, uint32_t evict_rst)
{
    between_open(&world, 256);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = FLOW_SYNACK_CACHE;
    tunables.drop_mode = drop_mode;
    tunables.options = options;
    tunables.evict_rst = evict_rst;
    between_tune(&world, &tunables);
}

static uint32_t
syn(uint16_t port)
{
    world.cport = port;
    EXPECT_EQ(1, between_send(
                     &world, between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0)));
    return world.out[0].seq;
}

static void
syn_sent(uint16_t port)
{
    uint32_t p = syn(port);
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
}

/* Evicts one; returns how many packets that sends. */
static uint32_t
evict(void)
{
    between_begin(&world);
    world.flow->tx[FLOW_CLIENT] = &world.client.ring;
    world.flow->tx[FLOW_SERVER] = &world.server.ring;
    EXPECT_TRUE(intercept_evict(world.flow, FLOW_END_EVICTED_COUNT));
    box_selfcheck(world.flow);
    between_collect(&world, FLOW_CLIENT);
    return world.out_count;
}

static bool
lives(uint16_t port)
{
    world.cport = port;
    return between_session(&world) != NULL;
}

static void
test_oldest_goes_first_and_synsent_last(void)
{
    start(FLOW_DROP_OLDEST, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
    syn_sent(1);
    syn(2);
    syn(3);
    EXPECT_EQ(0, evict()); /* to an address that proved nothing: silence */
    EXPECT_TRUE(lives(1) && !lives(2) && lives(3));
    EXPECT_EQ(0, evict());
    EXPECT_TRUE(lives(1) && !lives(3));
    EXPECT_EQ(1, evict());
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_EQ(WIRE_RST | WIRE_ACK, world.out[0].flags);
    EXPECT_EQ(3, world.flow->stats.ended[FLOW_END_EVICTED_COUNT]);
    EXPECT_TRUE(!intercept_evict(world.flow, FLOW_END_EVICTED_COUNT));
    between_close(&world);
}

static void
test_cisco_takes_both_halves_alike(void)
{
    start(FLOW_DROP_OLDEST, FLOW_OPTIONS_CISCO, FLOW_EVICT_RST_NONE);
    syn_sent(1);
    syn(2);
    EXPECT_EQ(0, evict());
    EXPECT_TRUE(!lives(1) && lives(2));
    between_close(&world);
}

static void
test_evict_rst_always_and_watched_connections(void)
{
    start(FLOW_DROP_OLDEST, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_ALWAYS);
    uint32_t p = syn(1);
    EXPECT_EQ(1, evict());
    EXPECT_EQ(FLOW_CLIENT, world.out[0].side);
    EXPECT_EQ(p + 1, world.out[0].seq);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.mode = FLOW_MODE_WATCH;
    tunables.evict_rst = FLOW_EVICT_RST_AUTO;
    between_tune(&world, &tunables);
    syn(2);
    EXPECT_EQ(1, evict());
    EXPECT_EQ(FLOW_SERVER, world.out[0].side);
    EXPECT_EQ(C_ISN + 1, world.out[0].seq);
    between_close(&world);
}

static void
test_random_choice_reaches_every_entry(void)
{
    /* 100 entries, one evicted and one made anew, 10,000 times: each place is
     * hit about 100 times. */
    static uint32_t hits[100];
    start(FLOW_DROP_RANDOM, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.one_minute_high = tunables.one_minute_low = 1000000;
    tunables.max_incomplete_high = tunables.max_incomplete_low = 100000;
    between_tune(&world, &tunables);
    memset(hits, 0, sizeof hits);
    for (uint16_t i = 0; i < 100; i++)
        syn((uint16_t)(1000 + i));
    for (int round = 0; round < 10000; round++) {
        EXPECT_EQ(0, evict());
        uint32_t number = world.flow->sessions.free;
        EXPECT_TRUE(number < 100);
        hits[number]++;
        syn((uint16_t)(2000 + round));
    }
    for (int i = 0; i < 100; i++)
        EXPECT_TRUE(hits[i] >= 50 && hits[i] <= 160);
    between_close(&world);
}

static void
test_heaviest_needs_a_quarter_of_all(void)
{
    /* 12 destinations with one each but the last with 3 of 14: no quarter. */
    start(FLOW_DROP_HEAVIEST, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
    static struct session_key key;
    for (uint8_t i = 0; i < 14; i++) {
        key.family = 4;
        key.protocol = 6;
        key.address[0][0] = 9;
        key.address[1][0] = 10;
        key.address[1][3] = i < 11 ? i : 11;
        key.port[0] = i;
        key.port[1] = 80;
        key.hash = session_hash(world.flow->hash_key, &key);
        struct session *session =
            box_open(world.flow, &key, FLOW_CLIENT, FLOW_SYNRCVD, true);
        session->mode = 'I';
        box_arm(world.flow, session, world.now_ms + 60000);
    }
    EXPECT_EQ(3, hosts_heaviest(&world.flow->hosts)->count);
    (void)evict();
    EXPECT_EQ(3, hosts_heaviest(&world.flow->hosts)->count);
    /* 13 left, of which one more: 4 of 14 is a quarter. */
    key.port[0] = 99;
    key.hash = session_hash(world.flow->hash_key, &key);
    struct session *session =
        box_open(world.flow, &key, FLOW_CLIENT, FLOW_SYNRCVD, true);
    session->mode = 'I';
    box_arm(world.flow, session, world.now_ms + 60000);
    (void)evict();
    EXPECT_EQ(3, hosts_heaviest(&world.flow->hosts)->count);
    between_close(&world);
}

static void
test_heaviest_spares_clients_that_proved_their_address(void)
{
    start(FLOW_DROP_HEAVIEST, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
    syn_sent(1);
    syn(2);
    syn(3);
    EXPECT_EQ(0, evict());
    EXPECT_TRUE(lives(1) && !lives(2) && lives(3));
    EXPECT_EQ(0, evict());
    EXPECT_TRUE(lives(1) && !lives(3));
    EXPECT_EQ(1, evict());
    EXPECT_TRUE(!lives(1));
    between_close(&world);
}

static void
test_heaviest_whose_first_ones_proved_their_address_is_looked_at_so_far(void)
{
    /* The sixteenth is looked at, and one behind it is not. */
    for (uint16_t proved = 15; proved <= 16; proved++) {
        start(FLOW_DROP_HEAVIEST, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
        world.sport = 80;
        for (uint16_t i = 1; i <= proved; i++)
            syn_sent(i);
        world.chost = 77; /* another client, and the youngest of all */
        syn(100);
        EXPECT_EQ(0, evict());
        EXPECT_TRUE(!lives(100));
        EXPECT_EQ(proved, world.flow->stats.incomplete);
        between_close(&world);
    }
}

static void
test_nobody_goes_where_nobody_is_half_open(void)
{
    for (uint32_t mode = FLOW_DROP_OLDEST; mode <= FLOW_DROP_HEAVIEST; mode++) {
        start(mode, FLOW_OPTIONS_LEARN, FLOW_EVICT_RST_AUTO);
        EXPECT_TRUE(!intercept_evict(world.flow, FLOW_END_EVICTED_COUNT));
        between_close(&world);
    }
}

static const struct test tests[] = {
    TEST(test_heaviest_spares_clients_that_proved_their_address),
    TEST(test_oldest_goes_first_and_synsent_last),
    TEST(test_cisco_takes_both_halves_alike),
    TEST(test_evict_rst_always_and_watched_connections),
    TEST(test_random_choice_reaches_every_entry),
    TEST(test_heaviest_needs_a_quarter_of_all),
    TEST(
        test_heaviest_whose_first_ones_proved_their_address_is_looked_at_so_far),
    TEST(test_nobody_goes_where_nobody_is_half_open),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

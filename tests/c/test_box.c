/* Sessions in and out of all tables at once, and the timers that move them. */
#include "world.h"

static struct session *
open_session(struct world *world, uint32_t client, enum flow_state state,
             bool counted)
{
    struct session_key key = {.family = 4, .protocol = 6};
    struct session *session;

    store32_be(key.address[0], client);
    key.address[1][0] = 200;
    key.hash = session_hash(world->flow->hash_key, &key);
    session = box_open(world->flow, &key, FLOW_CLIENT, state, counted);
    if (session != NULL)
        box_arm(world->flow, session, world->now_ms + 1000);
    return session;
}

static void
test_each_state_has_its_count(void)
{
    struct world *world = world_inspect(10);
    struct session *session = open_session(world, 1, FLOW_SYNRCVD, true);

    world_check(world);
    EXPECT_EQ(1, world->flow->stats.incomplete);
    box_state(world->flow, session, FLOW_SYNSENT);
    world_check(world);
    EXPECT_EQ(1, world->flow->stats.incomplete);
    EXPECT_EQ(0, world->flow->order.rcvd_count);
    box_state(world->flow, session, FLOW_ESTAB);
    world_check(world);
    EXPECT_EQ(1, world->flow->stats.established);
    EXPECT_EQ(1, world->flow->stats.completed);
    EXPECT_EQ(1, world->flow->handshake_ages[age_counter(0)]);
    box_state(world->flow, session, FLOW_CLOSING);
    world_check(world);
    EXPECT_EQ(1, world->flow->stats.terminating);
    box_end(world->flow, session, FLOW_END_FIN);
    world_check(world);
    EXPECT_EQ(0, world->flow->stats.terminating);
    EXPECT_EQ(1, world->flow->stats.terminating_max);
    EXPECT_EQ(1, world->flow->stats.established_max);
    EXPECT_EQ(1, world->flow->stats.incomplete_max);
    EXPECT_EQ(1, world->flow->stats.ended[FLOW_END_FIN]);
    world_free(world);
}

static void
test_uncounted_session_is_in_no_order(void)
{
    struct world *world = world_inspect(10);
    struct session *session = open_session(world, 1, FLOW_SYNRCVD, true);

    box_uncount(world->flow, session);
    world_check(world);
    EXPECT_EQ(0, world->flow->stats.incomplete);
    EXPECT_EQ(1, world->flow->stats.uncounted);
    EXPECT_EQ(0, world->flow->hosts.count);
    box_state(world->flow, session, FLOW_ESTAB);
    world_check(world);
    EXPECT_EQ(0, world->flow->stats.uncounted);
    world_free(world);
}

static void
test_sessions_beyond_hosts_max_are_counted_apart(void)
{
    struct world *world = world_inspect(3);
    struct ends ends = world_ends;

    EXPECT_EQ(3, world->flow->hosts.max);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t address[16] = {9, 9, 9, i};

        host_block(&world->flow->hosts,
                   host_make(&world->flow->hosts, address, 4, 6), 1);
        due_arm(&world->flow->due, 3u + i, UINT64_MAX - 1);
    }
    world_syn(world, &ends);
    EXPECT_EQ(1, world_stats(world)->incomplete);
    EXPECT_EQ(1, world_stats(world)->hosts_full);
    world_free(world);
}

static void
test_later_deadline_is_kept_lazily(void)
{
    struct world *world = world_inspect(10);
    struct session *session = open_session(world, 1, FLOW_ESTAB, false);

    box_arm(world->flow, session, world->now_ms + 5000);
    EXPECT_EQ(world->now_ms + 1000, due_next_ms(&world->flow->due));
    world_wait(world, 1000);
    EXPECT_EQ(1, world->flow->sessions.count);
    EXPECT_EQ(world->now_ms + 4000, due_next_ms(&world->flow->due));
    box_arm(world->flow, session, world->now_ms + 7);
    EXPECT_EQ(world->now_ms + 7, due_next_ms(&world->flow->due));
    world_wait(world, 7);
    EXPECT_EQ(0, world->flow->sessions.count);
    world_free(world);
}

static void
test_session_that_owes_is_gone_but_for_its_place(void)
{
    struct world *world = world_inspect(10);
    struct session *session;

    world_wait(world, 0);
    session = open_session(world, 1, FLOW_SYNRCVD, true);
    box_owe(world->flow, session, FLOW_END_BLOCKED);
    world_check(world);
    EXPECT_EQ(0, world->flow->stats.incomplete);
    EXPECT_EQ(1, world->flow->sessions.count);
    EXPECT_EQ(world->now_ms, due_next_ms(&world->flow->due));
    world_wait(world, 0);
    EXPECT_EQ(0, world->flow->sessions.count);
    EXPECT_EQ(1, world->server.ring.count);
    world_free(world);
}

static void
test_chance_repeats_with_the_seed_only(void)
{
    struct world *world = world_inspect(10);
    uint64_t first = box_random(world->flow);

    EXPECT_TRUE(first != box_random(world->flow));
    world_free(world);
}

static void
test_new_state_forgets_the_gap_of_the_old_one(void)
{
    struct world *world = world_inspect(10);
    struct session *session = open_session(world, 1, FLOW_SYNRCVD, true);

    session->gap_from = 2;
    box_state(world->flow, session, FLOW_ESTAB);
    EXPECT_EQ(0, session->gap_from);
    world_free(world);
}

static void
test_packets_come_by_the_links_of_their_ends(void)
{
    /* Of the client by that of the SYN; a tap has one for both. */
    static const uint8_t sides[] = {FLOW_CLIENT, FLOW_SERVER, FLOW_TAP};
    for (size_t i = 0; i < 3 * 3 * 2; i++) {
        struct session session = {.side = sides[i / 6]};
        struct arrival arrival = {.side = sides[i / 2 % 3]};
        uint32_t from = i % 2 ? FLOW_SERVER : FLOW_CLIENT;
        bool tap = session.side == FLOW_TAP || arrival.side == FLOW_TAP;
        bool same = session.side == arrival.side;

        EXPECT_EQ(tap || same == (from == FLOW_CLIENT),
                  box_comes_right(&session, from, &arrival));
    }
}

static void
test_uncounted_session_stays_in_no_order_when_its_server_is_asked(void)
{
    struct world *world = world_inspect(10);
    struct session *session = open_session(world, 1, FLOW_SYNRCVD, false);
    struct session *counted = open_session(world, 2, FLOW_SYNRCVD, true);

    box_state(world->flow, session, FLOW_SYNSENT);
    world_check(world);
    EXPECT_EQ(1, world->flow->order.count);
    EXPECT_EQ(1, world->flow->order.rcvd_count);
    box_state(world->flow, counted, FLOW_SYNSENT);
    world_check(world);
    EXPECT_EQ(0, world->flow->order.rcvd_count);
    world_free(world);
}

static void
test_last_session_that_began_is_told_with_its_time(void)
{
    struct world *world = world_inspect(10);

    world_half_open(world, 0, 2);
    EXPECT_EQ(world->now_ms, world->flow->stats.last_created_ms);
    EXPECT_EQ(2, world->flow->stats.last_incomplete);
    world_wait(world, 10);
    world_half_open(world, 2, 1);
    EXPECT_EQ(world->now_ms, world->flow->stats.last_created_ms);
    EXPECT_EQ(3, world->flow->stats.last_incomplete);
    world_free(world);
}

static const struct test tests[] = {
    TEST(test_each_state_has_its_count),
    TEST(test_uncounted_session_is_in_no_order),
    TEST(test_sessions_beyond_hosts_max_are_counted_apart),
    TEST(test_later_deadline_is_kept_lazily),
    TEST(test_session_that_owes_is_gone_but_for_its_place),
    TEST(test_chance_repeats_with_the_seed_only),
    TEST(test_new_state_forgets_the_gap_of_the_old_one),
    TEST(test_packets_come_by_the_links_of_their_ends),
    TEST(test_uncounted_session_stays_in_no_order_when_its_server_is_asked),
    TEST(test_last_session_that_began_is_told_with_its_time),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

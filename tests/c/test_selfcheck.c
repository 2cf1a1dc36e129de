/* The check of everything sees each kind of damage: it is itself right. */
#include "world.h"

/* Ten sessions in all states; the first is half-open. */
static struct world *
busy(void)
{
    struct world *world = world_inspect(20);

    world->inspect.tcp_max_incomplete_host = 5;
    world->inspect.tcp_block_time_ms = 1000;
    world_set(world);
    world_half_open(world, 0, 5);
    for (uint32_t i = 5; i < 8; i++) {
        struct ends ends = world_other(i);

        ends.server++;
        world_handshake(world, &ends);
    }
    world_udp(world, &world_ends, false, 1);
    world_icmp(world, &world_ends, false, 8);
    EXPECT_EQ(0, box_selfcheck(world->flow));
    return world;
}

#define DAMAGE(what)                                      \
    do {                                                  \
        struct world *world = busy();                     \
        struct flow *flow = world->flow;                  \
        struct session *session = flow->sessions.session; \
        (void)session;                                    \
        what;                                             \
        EXPECT_TRUE(box_selfcheck(world->flow) != 0);     \
        world_free(world);                                \
    } while (0)

static void
test_damage_is_seen(void)
{
    DAMAGE(flow->stats.incomplete++);
    DAMAGE(flow->stats.incomplete_udp++);
    DAMAGE(flow->stats.established--);
    DAMAGE(flow->stats.terminating++);
    DAMAGE(flow->stats.uncounted = 0);
    DAMAGE(flow->sessions.count--);
    DAMAGE(due_disarm(&flow->due, 0));
    DAMAGE(session->hash ^= 1);
    DAMAGE(session->port[0] ^= 1);
    DAMAGE(session->state = FLOW_SYNSENT);
    DAMAGE(session->dense++);
    DAMAGE(session->younger = session[1].younger);
    DAMAGE(session->rcvd_younger = SESSION_NONE);
    DAMAGE(session->host_younger = SESSION_NONE);
    DAMAGE(session->flags &= (uint16_t)~SESSION_COUNTED);
    DAMAGE(flow->hosts.heaviest--);
    DAMAGE(flow->hosts.blocked++);
    DAMAGE(flow->hosts.host[0].blocked = 1);
    DAMAGE(flow->hosts.host[0].count--);
    DAMAGE(flow->hosts.host[0].address[0]++);
    DAMAGE(session_hide(&flow->sessions, session));
}

static const struct test tests[] = {
    TEST(test_damage_is_seen),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

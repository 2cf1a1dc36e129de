/* SYN-ACKs that came before their SYN: kept for a moment, found by their SYN. */
#include "world.h"

#include "../../csrc/flow/ahead.h"

static struct ahead ahead;
static struct packet packet;

/* A segment from S to the client of these ends. */
static struct view
answer(const struct ends *ends, uint16_t flags, uint32_t payload)
{
    struct view view;

    world_segment(&packet, ends, true,
                  (struct segment){.seq = 900,
                                   .ack = 101,
                                   .flags = flags,
                                   .payload = (uint16_t)payload});
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return view;
}

static bool
take(uint64_t now_ms, const struct ends *ends, struct view *found)
{
    struct view view = answer(ends, WIRE_SYN | WIRE_ACK, 0);
    struct syncache_tuple tuple = wire_turned(&view.tuple);

    return ahead_take(&ahead, now_ms, ends->client, &tuple, found);
}

static void
test_answer_is_found_once_by_its_syn(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct ends ends = world_ends;
        struct view found, view;

        memset(&ahead, 0, sizeof ahead);
        ends.family = family;
        view = answer(&ends, WIRE_SYN | WIRE_ACK, 0);
        ahead_keep(&ahead, 5000, ends.client, &view);
        EXPECT_TRUE(take(5000 + AHEAD_MS, &ends, &found));
        EXPECT_EQ(900, found.seq);
        EXPECT_EQ(101, found.ack);
        EXPECT_TRUE(view_verify(&found));
        EXPECT_TRUE(!take(5000, &ends, &found));
        ahead_keep(&ahead, 5000, ends.client, &view);
        EXPECT_TRUE(!take(5000 + AHEAD_MS + 1, &ends, &found));
    }
}

static void
test_only_syn_acks_without_payload_are_kept(void)
{
    static const struct {
        uint16_t flags;
        uint32_t payload;
    } rows[] = {{WIRE_SYN, 0},
                {WIRE_ACK, 0},
                {WIRE_SYN | WIRE_ACK, 1},
                {WIRE_SYN | WIRE_ACK | WIRE_RST, 0}};
    struct view found;

    memset(&ahead, 0, sizeof ahead);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct view view = answer(&world_ends, rows[i].flags, rows[i].payload);

        ahead_keep(&ahead, 5000, world_ends.client, &view);
        EXPECT_TRUE(!take(5000, &world_ends, &found));
    }
}

static void
test_oldest_goes_first(void)
{
    struct view found, view;

    memset(&ahead, 0, sizeof ahead);
    for (uint32_t i = 0; i <= AHEAD_PLACES; i++) {
        struct ends ends = world_other(i);

        view = answer(&ends, WIRE_SYN | WIRE_ACK, 0);
        ahead_keep(&ahead, 5000, ends.client, &view);
    }
    for (uint32_t i = 0; i <= AHEAD_PLACES; i++) {
        struct ends ends = world_other(i);

        EXPECT_EQ(i > 0, take(5000, &ends, &found));
    }
}

static void
test_syn_that_began_a_session_is_known_again(void)
{
    struct syncache_tuple tuple = {.fport = 7, .lport = 80, .family = 4};
    struct syncache_tuple other = tuple;

    memset(&ahead, 0, sizeof ahead);
    other.fport = 8;
    EXPECT_TRUE(!ahead_began(&ahead, &tuple, 100));
    EXPECT_TRUE(ahead_began(&ahead, &tuple, 100));
    EXPECT_TRUE(!ahead_began(&ahead, &tuple, 101));
    EXPECT_TRUE(!ahead_began(&ahead, &other, 100));
    EXPECT_TRUE(ahead_began(&ahead, &tuple, 100));
    EXPECT_TRUE(ahead_began(&ahead, &other, 100));
}

static void
test_syn_of_any_other_address_begins_another_session(void)
{
    for (uint32_t i = 0; i < 32; i++) {
        struct syncache_tuple tuple = {.fport = 7, .lport = 80, .family = 6};
        struct syncache_tuple other = tuple;

        memset(&ahead, 0, sizeof ahead);
        (i < 16 ? other.faddr : other.laddr)[i % 16] ^= 1;
        EXPECT_TRUE(!ahead_began(&ahead, &tuple, 100));
        EXPECT_TRUE(!ahead_began(&ahead, &other, 100));
    }
}

static const struct test tests[] = {
    TEST(test_answer_is_found_once_by_its_syn),
    TEST(test_only_syn_acks_without_payload_are_kept),
    TEST(test_oldest_goes_first),
    TEST(test_syn_that_began_a_session_is_known_again),
    TEST(test_syn_of_any_other_address_begins_another_session),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

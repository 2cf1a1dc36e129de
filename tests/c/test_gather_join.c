/* Two arrivals alone: what keeps them apart, and what of the first is kept. */
#include "../../csrc/core/gather.h"
#include "cache.h"

#define NXT 1000u
#define UNA 7000u

static struct cache_ring rx;

/* Two arrivals of ten bytes, in the first two slots, of which the second goes on
 * where the first ends. */
static void
pair(struct syncache_arrival both[2])
{
    ring_reset(&rx, CACHE_RING_SLOTS);
    for (uint32_t i = 0; i < 2; i++)
        both[i] = (struct syncache_arrival){.handle = 1,
                                            .place = i * CACHE_RING_SLOT_SIZE,
                                            .slot = i,
                                            .payload_size = 10,
                                            .flags = ACK,
                                            .seq = NXT + 10 * i,
                                            .ack = UNA};
}

static void
test_each_thing_that_is_said_otherwise_keeps_two_apart(void)
{
    struct syncache_arrival both[2], other[10][2];

    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        pair(other[i]);
    other[0][1].handle = 2;
    other[1][0].flags = ACK | WIRE_FIN;
    other[2][1].flags = ACK | WIRE_FIN;
    other[3][1].flags = 0;
    other[4][1].payload_size = 0; /* a bare ACK from before */
    other[4][1].ack = UNA - 1;
    other[5][1].seq++; /* a hole */
    other[6][1].seq--; /* a part of what was there */
    other[6][1].payload_size = 1;
    other[7][1].timestamps = 1;
    other[8][0].gathered = UINT16_MAX;
    other[9][0].payload_size = 0; /* SACK blocks, and then data */
    other[9][0].seq = other[9][1].seq;
    other[9][0].sack_count = 1;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        memcpy(both, other[i], sizeof both);
        EXPECT_EQ(GATHER_APART, gather_join(&rx.ring, &both[0], &both[1]));
        EXPECT_EQ(0, memcmp(both, other[i], sizeof both));
    }
    pair(both);
    both[1].ack = UNA - 1; /* data is data */
    EXPECT_EQ(GATHER_JOINED, gather_join(&rx.ring, &both[0], &both[1]));
    EXPECT_EQ(20, both[0].payload_size);
    EXPECT_EQ(UNA, both[0].ack);
}

static void
test_bare_ack_without_blocks_leaves_those_before_unless_it_is_higher(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        struct syncache_arrival both[2];
        pair(both);
        both[0].payload_size = both[1].payload_size = 0;
        both[1].seq = both[0].seq;
        both[1].ack = UNA + more;
        both[0].sack_count = 1;
        EXPECT_EQ(GATHER_JOINED, gather_join(&rx.ring, &both[0], &both[1]));
        EXPECT_EQ(1 - more, both[0].sack_count);
        EXPECT_EQ(UNA + more, both[0].ack);
        EXPECT_EQ(1, both[0].gathered);
    }
}

static void
test_room_ends_at_the_slot_of_the_packet_between(void)
{
    for (uint32_t apart = 0; apart < 2; apart++) {
        struct syncache_arrival three[3];
        pair(three);
        three[1 + apart] = three[1];
        three[1 + apart].slot = 2;
        three[0].payload_size = CACHE_RING_SLOT_SIZE - 5;
        three[1 + apart].seq = NXT + three[0].payload_size;
        EXPECT_EQ(apart ? GATHER_FULL : GATHER_JOINED,
                  gather_join(&rx.ring, &three[0], &three[1 + apart]));
    }
}

static void
test_mark_that_was_told_of_is_not_kept_beyond_its_answer(void)
{
    struct syncache_arrival both[2];
    pair(both);
    both[1].flags = ACK | WIRE_CWR;
    both[0].ecn = 2;
    EXPECT_EQ(GATHER_JOINED, gather_join(&rx.ring, &both[0], &both[1]));
    EXPECT_EQ(2, both[0].ecn);
    EXPECT_EQ(ACK | WIRE_CWR, both[0].flags);
}

static const struct test tests[] = {
    TEST(test_each_thing_that_is_said_otherwise_keeps_two_apart),
    TEST(test_bare_ack_without_blocks_leaves_those_before_unless_it_is_higher),
    TEST(test_room_ends_at_the_slot_of_the_packet_between),
    TEST(test_mark_that_was_told_of_is_not_kept_beyond_its_answer),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

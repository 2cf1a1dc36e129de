/* A capture through the engine: packets and timers in the order of their times. */
#include "test.h"

#include "../../csrc/core/wire.h"
#include "../../csrc/flow/flow.h"

#include <stdalign.h>

enum { SLOTS = 8, SLOT_SIZE = 256, BLOCK_SIZE = 1 << 20 };

static alignas(64) uint8_t blocks[2][BLOCK_SIZE];
static uint8_t memory[SLOTS * SLOT_SIZE];
static struct syncache_slot slot[SLOTS];
static uint32_t passed[SLOTS];
static struct syncache_ring rx;
static struct flow *flow;

static struct flow *
engine(uint8_t *block)
{
    static const uint8_t seed[SYNCACHE_KEY_BYTES] = {7};
    struct flow_config config = {
        .struct_size = sizeof config,
        .kind = FLOW_INSPECT,
        .sessions_max = 64,
        .hosts_max = 64,
        .headers_max = 16,
        .journal_max = 64,
    };
    struct flow_inspect_tunables tunables;
    EXPECT_TRUE(flow_size(&config) <= BLOCK_SIZE);
    struct flow *made = flow_init(block, BLOCK_SIZE, &config, seed);
    flow_inspect_default(&tunables);
    tunables.audit_trail = 1;
    tunables.max_incomplete_high = 12;
    tunables.max_incomplete_low = 8;
    EXPECT_TRUE(flow_set_inspect(made, 0, &tunables));
    return made;
}

static void
start(void)
{
    flow = engine(blocks[0]);
    rx = (struct syncache_ring){
        .memory = memory,
        .slot = slot,
        .passed = passed,
        .slots = SLOTS,
        .slot_size = SLOT_SIZE,
    };
}

/* Appends a UDP datagram of a port, captured at a time. */
static void
push(uint64_t time_ms, uint16_t port)
{
    uint8_t *packet = memory + rx.count * SLOT_SIZE;
    static const uint8_t head[28] = {0x45, 0, 0, 28,  0, 0, 0x40, 0,   64,
                                     17,   0, 0, 192, 0, 2, 1,    198, 51,
                                     100,  5, 0, 0,   0, 9, 0,    8};
    uint32_t sum = 0;
    memcpy(packet, head, sizeof head);
    for (uint32_t i = 0; i < 20; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
    packet[20] = (uint8_t)(port >> 8);
    packet[21] = (uint8_t)port;
    slot[rx.count] = (struct syncache_slot){
        .size = sizeof head,
        .checksum = SYNCACHE_CHECKSUM_VALID,
        .handle = time_ms,
    };
    rx.count++;
}

/* The time of the next event, which is of this kind. */
static uint64_t
event(enum flow_event_kind kind)
{
    struct flow_event next;
    EXPECT_EQ(1, flow_events(flow, &next, 1));
    EXPECT_EQ(kind, next.kind);
    return next.time_ms;
}

static void
test_sessions_end_between_packets_at_their_own_time(void)
{
    /* A datagram at 1 s ends at 31 s although the next packet is of 90 s. */
    start();
    push(1000, 1);
    push(90000, 2);
    EXPECT_EQ(2, flow_replay(flow, SYNCACHE_NEVER, &rx));
    EXPECT_EQ(1000, event(FLOW_EVENT_START));
    EXPECT_EQ(31000, event(FLOW_EVENT_STOP));
    EXPECT_EQ(90000, event(FLOW_EVENT_START));
}

static void
test_until_stops_before_its_time_with_all_done_by_then(void)
{
    /* At 31 s the session has ended and the second packet waits. */
    start();
    push(1000, 1);
    push(90000, 2);
    EXPECT_EQ(1, flow_replay(flow, 30999, &rx));
    EXPECT_EQ(1, flow_statistics(flow, 30999)->incomplete);
    EXPECT_EQ(0, flow_replay(flow, 31000, &rx));
    EXPECT_EQ(0, flow_statistics(flow, 31000)->incomplete);
    EXPECT_EQ(0, flow_replay(flow, 90000, &rx));
    EXPECT_EQ(1, flow_replay(flow, 90001, &rx));
    EXPECT_EQ(2, rx.next);
}

static void
test_a_time_that_goes_back_counts_as_the_last(void)
{
    /* Packets of one run share its time. */
    start();
    push(5000, 1);
    push(4000, 2);
    push(5000, 3);
    EXPECT_EQ(3, flow_replay(flow, SYNCACHE_NEVER, &rx));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(5000, event(FLOW_EVENT_START));
}

static void
test_nothing_is_forwarded(void)
{
    /* A capture is beside the traffic. */
    start();
    push(1000, 1);
    flow_replay(flow, SYNCACHE_NEVER, &rx);
    EXPECT_EQ(0, rx.passed_count);
    EXPECT_EQ(0, flow_replay(flow, SYNCACHE_NEVER, &rx));
}

/* Gives the packets in rx one by one, with what is due before each. */
static void
one_by_one(struct flow *other)
{
    uint32_t count = rx.count;

    for (rx.next = 0; rx.next < count;) {
        uint64_t time_ms = slot[rx.next].handle;
        while (flow_statistics(other, 0)->requests > 0 &&
               flow_next_deadline(other) <= time_ms)
            flow_poll(other, flow_next_deadline(other), NULL, NULL);
        rx.count = rx.next + 1;
        flow_burst(other, time_ms, &rx, FLOW_TAP, NULL, NULL);
    }
    rx.count = count;
}

static void
test_a_replay_gives_what_packets_one_by_one_at_their_times_give(void)
{
    struct flow *other;
    uint64_t time_ms = 1000;
    struct flow_event one, two;

    start();
    other = engine(blocks[1]);
    for (int round = 0; round < 2000; round++) {
        rx.count = rx.next = 0;
        for (int i = 0; i < SLOTS; i++) {
            uint32_t step = (uint32_t)test_random_below(4);
            if (step == 1)
                time_ms += test_random_below(400);
            else if (step == 2)
                time_ms += test_random_below(round % 50 == 0 ? 90000 : 9000);
            push(time_ms, (uint16_t)(1 + test_random_below(30)));
        }
        one_by_one(other);
        rx.next = 0;
        EXPECT_EQ(SLOTS, flow_replay(flow, SYNCACHE_NEVER, &rx));
        while (flow_events(flow, &one, 1) == 1) {
            EXPECT_EQ(1, flow_events(other, &two, 1));
            EXPECT_EQ(0, memcmp(&one, &two, sizeof one));
        }
        EXPECT_EQ(0, flow_events(other, &two, 1));
        EXPECT_EQ(0, memcmp(flow_statistics(flow, 0), flow_statistics(other, 0),
                            sizeof(struct flow_stats)));
    }
    /* Calm follows upon each aggressive time but, perhaps, the last. */
    const struct flow_stats *stats = flow_statistics(flow, 0);
    EXPECT_TRUE(stats->calm_count > 5);
    EXPECT_EQ(stats->aggressive_count,
              stats->calm_count + (stats->aggressive != 0));
}

static void
test_list_of_what_passes_is_emptied(void)
{
    start();
    push(1000, 1);
    rx.passed_count = 5;
    EXPECT_EQ(1, flow_replay(flow, SYNCACHE_NEVER, &rx));
    EXPECT_EQ(0, rx.passed_count);
}

static const struct test tests[] = {
    TEST(test_sessions_end_between_packets_at_their_own_time),
    TEST(test_until_stops_before_its_time_with_all_done_by_then),
    TEST(test_a_time_that_goes_back_counts_as_the_last),
    TEST(test_nothing_is_forwarded),
    TEST(test_a_replay_gives_what_packets_one_by_one_at_their_times_give),
    TEST(test_list_of_what_passes_is_emptied),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

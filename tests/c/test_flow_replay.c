/* A capture through the engine: packets and timers in the order of their times. */
#include "test.h"

#include "../../csrc/core/wire.h"
#include "../../csrc/flow/flow.h"

#include <stdalign.h>

enum { SLOTS = 8, SLOT_SIZE = 256, BLOCK_SIZE = 1 << 20 };

static alignas(64) uint8_t block[BLOCK_SIZE];
static uint8_t memory[SLOTS * SLOT_SIZE];
static struct syncache_slot slot[SLOTS];
static uint32_t passed[SLOTS];
static struct syncache_ring rx;
static struct flow *flow;

static void
start(void)
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
    EXPECT_TRUE(flow_size(&config) <= sizeof block);
    flow = flow_init(block, sizeof block, &config, seed);
    flow_inspect_default(&tunables);
    tunables.audit_trail = 1;
    EXPECT_TRUE(flow_set_inspect(flow, 0, &tunables));
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

static const struct test tests[] = {
    TEST(test_sessions_end_between_packets_at_their_own_time),
    TEST(test_until_stops_before_its_time_with_all_done_by_then),
    TEST(test_a_time_that_goes_back_counts_as_the_last),
    TEST(test_nothing_is_forwarded),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Segments of a burst that continue each other are one arrival. */
#include "../../csrc/core/guard.h"
#include "../../csrc/syncache_host.h"
#include "cache.h"

#define NXT 1000u
#define UNA 7000u
#define MAX 9000u

static struct cache_ring rx;
static struct syncache_arrival arrival[CACHE_RING_SLOTS];

/* Peers 1 and 2 are connected; their stacks gather. */
static void
start_family(uint8_t of, uint32_t gathers)
{
    cache_defaults();
    family = of;
    cache_start();
    ring_reset(&rx, CACHE_RING_SLOTS);
    ring_reset(&tx, CACHE_RING_SLOTS);
    rx.ring.arrival = arrival;
    for (uint32_t peer = 1; peer <= 2; peer++) {
        struct syncache_tuple tuple = peer_tuple(peer);
        struct syncache_numbers numbers = {.rcv_nxt = NXT,
                                           .rcv_adv = NXT + 5000,
                                           .snd_una = UNA,
                                           .snd_max = MAX,
                                           .gathers = gathers};
        EXPECT_TRUE(syncache_opened(cache, &tuple, peer));
        EXPECT_TRUE(syncache_guard(cache, &tuple, &numbers));
    }
}

/* What the first peer's connection has. */
static void
tell(uint32_t timestamps, uint32_t window)
{
    struct syncache_tuple tuple = peer_tuple(1);
    struct syncache_numbers numbers = {.rcv_nxt = NXT,
                                       .rcv_adv = NXT + window,
                                       .snd_una = UNA,
                                       .snd_max = MAX,
                                       .ts_recent = 90,
                                       .timestamps = timestamps,
                                       .gathers = 1};
    EXPECT_TRUE(syncache_guard(cache, &tuple, &numbers));
}

static void
start(uint32_t gathers)
{
    start_family(4, gathers);
}

/* A segment whose payload is a letter, again and again. */
static void
push(struct seg seg, char letter)
{
    uint32_t index = rx.ring.count++;
    uint8_t *slot = rx.memory + index * CACHE_RING_SLOT_SIZE + 14;
    uint32_t size = seg_build(&seg, slot);
    memset(slot + size - seg.payload_size, letter, seg.payload_size);
    rx.slot[index] = (struct syncache_slot){
        .size = size, .link_size = 14, .checksum = SYNCACHE_CHECKSUM_VALID};
}

static struct seg
at(uint32_t seq, uint32_t size)
{
    return (struct seg){.peer = 1,
                        .flags = ACK,
                        .seq = NXT + seq,
                        .ack = UNA,
                        .payload_size = size};
}

static uint32_t
burst(void)
{
    EXPECT_EQ(rx.ring.count, syncache_burst(cache, now, &rx.ring, &tx.ring));
    return rx.ring.passed_count;
}

static void
test_data_in_order_is_one_arrival(void)
{
    for (uint8_t of = 4; of <= 6; of += 2) {
        struct seg seg = at(10, 0);
        start_family(of, 1);
        push(at(0, 10), 'a');
        seg.ack = MAX;
        push(seg, 'x');
        seg = at(10, 300);
        seg.ack = MAX;
        seg.window = 77;
        seg.flags = ACK | WIRE_PSH;
        push(seg, 'b');
        push((struct seg){.peer = 2, .flags = ACK, .seq = NXT, .ack = UNA},
             'x');
        EXPECT_EQ(2, burst());
        EXPECT_EQ(0, arrival[0].slot);
        EXPECT_EQ(1, arrival[0].gathered);
        EXPECT_EQ(NXT, arrival[0].seq);
        EXPECT_EQ(MAX, arrival[0].ack);
        EXPECT_EQ(77, arrival[0].window);
        EXPECT_EQ(310, arrival[0].payload_size);
        const uint8_t *payload =
            rx.memory + arrival[0].place + arrival[0].payload;
        EXPECT_EQ('a', payload[9]);
        EXPECT_EQ('b', payload[10]);
        EXPECT_EQ('b', payload[309]);
        EXPECT_EQ(3, arrival[1].slot);
        EXPECT_EQ(0, arrival[1].gathered);
        /* What became of a packet is told of each. */
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, rx.slot[2].verdict);
    }
}

static void
test_segments_of_others_between_are_no_hindrance(void)
{
    start(1);
    for (uint32_t i = 0; i < 20; i++) {
        struct seg seg = at(i, 1);
        seg.peer = 1 + i % 2;
        seg.seq = NXT + i / 2;
        push(seg, 'a');
    }
    EXPECT_EQ(2, burst());
    EXPECT_EQ(10, arrival[0].payload_size);
    EXPECT_EQ(9, arrival[1].gathered);
}

static void
test_next_burst_begins_anew(void)
{
    start(1);
    for (uint32_t i = 0; i < 3; i++) {
        ring_reset(&rx, CACHE_RING_SLOTS);
        rx.ring.arrival = arrival;
        push(at(i, 1), 'a');
        EXPECT_EQ(1, burst());
        EXPECT_EQ(0, arrival[0].gathered);
        EXPECT_EQ(1, arrival[0].payload_size);
    }
}

static void
test_repeated_acks_are_one_arrival_that_counts_them(void)
{
    start(1);
    for (uint32_t i = 0; i < 9; i++)
        push(at(0, 0), 'x');
    /* The first tells a window. */
    EXPECT_EQ(2, burst());
    EXPECT_EQ(0, arrival[0].gathered);
    EXPECT_EQ(7, arrival[1].gathered);
    EXPECT_EQ(0, arrival[1].payload_size);
}

static void
test_what_says_something_else_is_an_arrival_of_its_own(void)
{
    struct seg first = at(0, 10), next = at(10, 10);
    struct seg fin = next, reset = next, ahead = next, stamped = next;
    fin.flags = ACK | FIN;
    reset.flags = RST | ACK;
    reset.payload_size = 0;
    ahead.seq++;
    stamped.options = ts_option(100, 50);
    stamped.options_size = 12;
    struct seg cases[] = {fin, reset, ahead, stamped};
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        start(1);
        push(first, 'a');
        push(cases[i], 'b');
        EXPECT_EQ(2, burst());
        EXPECT_EQ(10, arrival[0].payload_size);
    }
}

static void
test_of_congestion_marks_the_later_one_is_kept_and_all_are_counted(void)
{
    enum { NONE, ECT = 2, CE = 3, CWR = 4 };
    static const struct {
        uint8_t marks[4], ecn, cwr, marked;
    } rows[] = {
        {{NONE, NONE, NONE, NONE}, NONE, 0, 0},
        {{NONE, ECT, NONE, ECT}, ECT, 0, 0},
        {{ECT, CE, NONE, CE}, CE, 0, 2},
        {{CE, CE, CE, CE}, CE, 0, 4},
        {{CE, CWR, NONE, ECT}, ECT, 1, 1},
        {{CE, CE, CWR | ECT, ECT}, ECT, 1, 2},
        {{CWR, ECT, CE, ECT}, CE, 1, 1},
        {{ECT, CWR | CE, ECT, ECT}, CE, 0, 1}, /* its CE is behind its CWR */
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        start(1);
        for (uint32_t j = 0; j < 4; j++) {
            struct seg seg = at(10 * j, 10);
            seg.tos = rows[i].marks[j] & 3;
            if (rows[i].marks[j] & CWR)
                seg.flags |= WIRE_CWR;
            push(seg, 'a');
        }
        EXPECT_EQ(1, burst());
        EXPECT_EQ(40, arrival[0].payload_size);
        EXPECT_EQ(rows[i].ecn, arrival[0].ecn);
        EXPECT_EQ(rows[i].marked, arrival[0].marked);
        if (arrival[0].ecn != CE)
            EXPECT_EQ(rows[i].cwr, (arrival[0].flags & WIRE_CWR) != 0);
    }
}

static void
test_of_what_comes_twice_the_first_is_kept(void)
{
    for (uint32_t back = 1; back <= 10; back++) {
        start(1);
        push(at(0, 10), 'a');
        push(at(10 - back, 20), 'b');
        EXPECT_EQ(1, burst());
        EXPECT_EQ(30 - back, arrival[0].payload_size);
        const uint8_t *payload =
            rx.memory + arrival[0].place + arrival[0].payload;
        EXPECT_EQ('a', payload[9]);
        EXPECT_EQ('b', payload[10]);
    }
    start(1);
    push(at(0, 10), 'a');
    push(at((uint32_t)-1, 20), 'b');
    EXPECT_EQ(2, burst());
}

static void
test_higher_ack_is_kept(void)
{
    start(1);
    struct seg first = at(0, 10), next = at(10, 10);
    first.ack = UNA + 500;
    next.window = 77;
    push(first, 'a');
    push(next, 'b');
    EXPECT_EQ(1, burst());
    EXPECT_EQ(UNA + 500, arrival[0].ack);
    EXPECT_EQ(77, arrival[0].window);
}

/* The letters of an arrival's payload, one for each `size` bytes. */
static void
expect_letters(const struct syncache_arrival *of, const char *letters,
               uint32_t size)
{
    const uint8_t *payload = rx.memory + of->place + of->payload;
    uint32_t wrong = 0;

    EXPECT_EQ(strlen(letters) * size, of->payload_size);
    for (uint32_t i = 0; i < of->payload_size; i++)
        wrong += payload[i] != (uint8_t)letters[i / size];
    EXPECT_EQ(0, wrong);
}

static void
test_data_is_joined_over_the_slots_that_it_came_in(void)
{
    for (uint8_t of = 4; of <= 6; of += 2) {
        start_family(of, 1);
        for (uint32_t i = 0; i < 5; i++) {
            push(at(1000 * i, 1000), (char)('a' + i));
            if (i == 2) /* which is dropped */
                push((struct seg){.peer = 1, .flags = WIRE_RST, .seq = 1}, 'x');
        }
        EXPECT_EQ(1, burst());
        expect_letters(&arrival[0], "abcde", 1000);
        EXPECT_EQ(4, arrival[0].gathered);
    }
}

static void
test_packet_of_the_stack_between_is_not_written_over(void)
{
    start(1);
    push(at(0, 1000), 'a');
    push(at(1000, 900), 'b');
    struct seg seg = at(0, 900);
    seg.peer = 2;
    push(seg, 'x');
    push(at(1900, 200), 'c');
    push(at(2100, 800), 'd');
    seg.seq += 900;
    push(seg, 'y');
    EXPECT_EQ(3, burst());
    EXPECT_EQ(1900, arrival[0].payload_size);
    expect_letters(&arrival[1], "xy", 900);
    EXPECT_EQ(1000, arrival[2].payload_size);
    EXPECT_EQ(3, arrival[2].slot);
}

static void
test_timestamp_is_that_of_the_first_data(void)
{
    start(1);
    for (uint32_t i = 0; i < 3; i++) {
        struct seg seg = at(i == 2 ? 5 : 0, i == 0 ? 0 : 5);
        seg.options = ts_option(100 + i, 50 + i);
        seg.options_size = 12;
        seg.ack = UNA + 1;
        push(seg, 'a');
    }
    EXPECT_EQ(1, burst());
    EXPECT_EQ(101, arrival[0].tsval);
    EXPECT_EQ(52, arrival[0].tsecr);
}

static void
test_older_timestamp_of_a_bare_ack_leaves_nothing(void)
{
    for (uint32_t size = 0; size <= 5; size += 5) {
        struct seg seg = at(5, size);
        struct seg first = at(0, 5);
        start(1);
        first.options = ts_option(100, 1);
        first.options_size = 12;
        first.ack = MAX;
        push(first, 'a');
        seg.options = ts_option(99, 1);
        seg.options_size = 12;
        seg.window = 77;
        seg.ack = MAX;
        push(seg, 'b');
        EXPECT_EQ(size == 0 ? 1 : 2, burst());
        EXPECT_EQ(29200, arrival[0].window);
    }
}

static void
test_data_adds_to_none_that_a_newer_timestamp_has_refused(void)
{
    /* Data in order, perhaps some beyond a hole, then the older one. */
    static const struct {
        uint32_t seq, tsval;
    } rows[] = {{0, 100}, {50, 100}, {5, 99}, {10, 99}, {15, 100}};
    for (uint32_t turn = 0; turn <= 3; turn++) {
        uint32_t hole = turn & 1;
        start_family(4, 1);
        tell(1, 5000);
        for (size_t i = 0; i < TEST_COUNT(rows); i++) {
            struct seg seg = at(rows[i].seq, 5);
            if (i == 1 && !hole)
                continue;
            if (turn >= 2 && i == 0)
                seg.ack = UNA - 1; /* it may be too old */
            seg.options = ts_option(rows[i].tsval, 1);
            seg.options_size = 12;
            push(seg, 'a');
        }
        EXPECT_EQ(4 + hole, burst());
        EXPECT_EQ(5, arrival[3 + hole].payload_size);
        EXPECT_EQ(100, arrival[3 + hole].tsval);
    }
}

static void
test_of_too_many_acks_with_blocks_the_last_is_kept(void)
{
    uint8_t blocks[12] = {1, 1, 5, 10, 0, 0, 0, 2, 0, 0, 0, 0};
    start(1);
    tell(0, 1000000);
    for (uint32_t turn = 0; turn < 8; turn++) {
        rx.ring.count = rx.ring.next = 0;
        for (uint32_t i = 0; i < CACHE_RING_SLOTS; i++) {
            struct seg seg = at(0, 0);
            seg.ack = UNA + turn;
            seg.window = (uint16_t)i;
            blocks[11] = (uint8_t)i;
            seg.options = blocks;
            seg.options_size = sizeof blocks;
            push(seg, 'a');
        }
        (void)burst();
    }
    EXPECT_EQ(GUARD_ALONE_MAX, rx.ring.passed_count);
    const struct syncache_arrival *last = &arrival[GUARD_ALONE_MAX - 1];
    EXPECT_EQ(CACHE_RING_SLOTS - 1, last->window);
    EXPECT_EQ(CACHE_RING_SLOTS - GUARD_ALONE_MAX, last->gathered);
    EXPECT_EQ(CACHE_RING_SLOTS - 1, rx.memory[last->place + last->sack + 7]);
}

static void
test_stack_that_takes_packets_gets_each(void)
{
    start(0);
    push(at(0, 10), 'a');
    push(at(10, 10), 'b');
    EXPECT_EQ(2, burst());
}

static const struct test tests[] = {
    TEST(test_data_in_order_is_one_arrival),
    TEST(test_segments_of_others_between_are_no_hindrance),
    TEST(test_next_burst_begins_anew),
    TEST(test_repeated_acks_are_one_arrival_that_counts_them),
    TEST(test_what_says_something_else_is_an_arrival_of_its_own),
    TEST(test_of_congestion_marks_the_later_one_is_kept_and_all_are_counted),
    TEST(test_of_what_comes_twice_the_first_is_kept),
    TEST(test_higher_ack_is_kept),
    TEST(test_data_is_joined_over_the_slots_that_it_came_in),
    TEST(test_packet_of_the_stack_between_is_not_written_over),
    TEST(test_timestamp_is_that_of_the_first_data),
    TEST(test_older_timestamp_of_a_bare_ack_leaves_nothing),
    TEST(test_data_adds_to_none_that_a_newer_timestamp_has_refused),
    TEST(test_of_too_many_acks_with_blocks_the_last_is_kept),
    TEST(test_stack_that_takes_packets_gets_each),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Which segments of an established connection its stack gets to see. */
#include "cache.h"

#include "../../csrc/core/guard.h"

#define NXT 1000u
#define WND 5000u
#define UNA 7000u
#define MAX 9000u
#define ASIDE (2 * (WND + MAX - UNA))

static struct guard guard;
static struct guard_limits limits;
static uint32_t base; /* the numbers wrap wherever it says */

static void
start(bool timestamps)
{
    struct syncache_numbers numbers = {
        .rcv_nxt = base + NXT,
        .rcv_adv = base + NXT + WND,
        .snd_una = base + UNA,
        .snd_max = base + MAX,
        .ts_recent = base,
        .timestamps = timestamps,
    };
    memset(&guard, 0, sizeof guard);
    limits = (struct guard_limits){
        .now_ms = 5000, .window_ms = 1000, .count = 5, .turn = 1};
    guard_set(&guard, &numbers);
}

static bool
passes(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t size)
{
    struct wire_segment segment = {.flags = flags,
                                   .seg_seq = base + seq,
                                   .seg_ack = base + ack,
                                   .payload_size = size,
                                   .seg_wnd = 500};
    return guard_passes(&guard, &limits, &segment);
}

/* How many of a thousand pass that come in bursts of 32. */
static uint32_t
of_bursts(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t size)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        if (i % 32 == 0)
            limits.turn++;
        count += passes(flags, seq, ack, size);
    }
    return count;
}

/* How many of a thousand within one burst pass. */
static uint32_t
of_thousand(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t size)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 1000; i++)
        count += passes(flags, seq, ack, size);
    return count;
}

static void
test_segment_that_changes_nothing_passes_in_a_bounded_number(void)
{
    static const struct {
        uint16_t flags;
        uint32_t seq, ack, size, passed;
    } rows[] = {
        /* RFC 5961: SYN, RST that is not exact, ACK of what was never sent */
        {SYN, NXT, 0, 0, 5},
        {SYN | ACK, NXT + 9, UNA, 0, 5},
        {RST, NXT + 1, 0, 0, 5},
        {RST, NXT + WND, 0, 0, 5},
        {RST, NXT + WND + 1, 0, 0, 0},
        {RST | ACK, NXT - 1, UNA, 0, 5}, /* of a FIN, perhaps */
        {RST | ACK, NXT - 2, UNA, 0, 0},
        {ACK, NXT, MAX + 1, 10, 5},
        {ACK, NXT, UNA - GUARD_FAR - 1, 10, 5},
        {0, NXT, 0, 10, 5},
        {FIN, NXT, 0, 0, 5},
        /* out of the window */
        {ACK, NXT + WND + 1, UNA, 0, 5},
        {ACK, NXT + WND + 1, UNA, 900, 5},
        {ACK | FIN, NXT + (1u << 30), UNA, 0, 5},
        {ACK, NXT - GUARD_FAR - 900, UNA, 900, 5},
        /* what an honest peer may repeat */
        {ACK, NXT - 900, UNA, 900, GUARD_REPEATED_MAX},
        {ACK | FIN, NXT - 1, UNA, 0, GUARD_REPEATED_MAX},
        {ACK, NXT - 1, UNA, 0, GUARD_REPEATED_MAX},
        {ACK, NXT, MAX, 0, GUARD_REPEATED_MAX + 1}, /* the first is news */
        /* what costs more than it says */
        {ACK, NXT + 1, UNA, 1, GUARD_TINY_MAX},
        {ACK | FIN, NXT + 1, UNA, 0, GUARD_TINY_MAX},
        {ACK, NXT + 1, UNA, GUARD_SMALL_BYTES - 1, GUARD_TINY_MAX},
        {ACK, NXT - 200, UNA, 201, 1 + GUARD_REPEATED_MAX},
    };
    static const uint32_t bases[] = {0, 0xffffffffu - NXT, 0x80000000u - UNA};
    for (size_t i = 0; i < 3 * TEST_COUNT(rows); i++) {
        base = bases[i % 3];
        start(false);
        EXPECT_EQ(rows[i / 3].passed,
                  of_thousand(rows[i / 3].flags, rows[i / 3].seq,
                              rows[i / 3].ack, rows[i / 3].size));
    }
    base = 0;
}

static void
test_what_leads_on_nothing_is_bounded_by_window_and_flight(void)
{
    static const struct {
        uint32_t seq, size, most;
    } rows[] = {
        {NXT, 0, ASIDE / 128}, /* ACKs that repeat one */
        {NXT + 9, 0, ASIDE / 128},
        {NXT + 1, GUARD_SMALL_BYTES, ASIDE / 128}, /* data beyond a hole */
        {NXT + 900, 896, ASIDE / 896},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint32_t most = rows[i].most + GUARD_REPEATED_MAX;
        start(false);
        EXPECT_EQ(most, of_bursts(ACK, rows[i].seq, UNA, rows[i].size));
        limits.now_ms += 1000;
        EXPECT_EQ(most, of_bursts(ACK, rows[i].seq, UNA, rows[i].size));
    }
}

static void
test_progress_makes_room_for_what_leads_on_nothing(void)
{
    /* As many bytes as were acknowledged, or came in order. */
    struct syncache_numbers numbers = {.rcv_nxt = NXT + 1280,
                                       .rcv_adv = NXT + WND + 1280,
                                       .snd_una = UNA + 640,
                                       .snd_max = MAX + 640};
    start(false);
    (void)of_bursts(ACK, NXT, UNA, 0);
    guard_set(&guard, &numbers);
    EXPECT_EQ((1280 + 640) / 128, of_bursts(ACK, NXT + 1280, UNA + 640, 0));
}

/* Whether the stack may take a segment as one with those before it. */
static bool
continues(uint32_t seq, uint32_t ack, uint32_t size, uint16_t window,
          uint8_t sack_count)
{
    struct wire_segment segment = {.flags = ACK,
                                   .seg_seq = seq,
                                   .seg_ack = ack,
                                   .payload_size = size,
                                   .sack_count = sack_count,
                                   .seg_wnd = window};
    EXPECT_TRUE(guard_passes(&guard, &limits, &segment));
    return (guard.is & GUARD_CONTINUES) != 0;
}

static void
test_segment_that_only_adds_continues_the_one_before(void)
{
    /* Data in order, and ACKs of something new; not what is counted singly. */
    start(false);
    EXPECT_TRUE(continues(NXT, UNA, 10, 500, 0));
    EXPECT_TRUE(continues(NXT + 10, UNA + 1, 0, 500, 0));
    EXPECT_TRUE(continues(NXT + 10, UNA + 1, 200, 500, 0));
    EXPECT_TRUE(!continues(NXT + 410, UNA + 1, 200, 500, 0));
    EXPECT_TRUE(continues(NXT + 200, UNA + 1, 100, 500, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 2, 0, 500, 1));
    /* A duplicate continues duplicates alone, and nothing continues it. */
    EXPECT_TRUE(continues(NXT + 300, UNA + 2, 0, 500, 0));
    EXPECT_TRUE(continues(NXT + 300, UNA + 2, 0, 500, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 2, 0, 501, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 2, 0, 501, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 3, 0, 501, 0));
    EXPECT_TRUE(continues(NXT + 300, UNA + 4, 0, 501, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 4, 0, 501, 0));
    EXPECT_TRUE(!continues(NXT + 300, UNA + 4, 5, 501, 0));
    /* Once nothing is under way, an ACK can only tell a window. */
    EXPECT_TRUE(continues(NXT + 305, MAX, 0, 501, 0));
    EXPECT_TRUE(continues(NXT + 305, MAX, 0, 502, 1));
    EXPECT_TRUE(continues(NXT + 305, MAX, 0, 502, 0));
    EXPECT_TRUE(!continues(NXT + 306, MAX, 0, 503, 0));
}

static void
test_segment_that_says_something_new_always_passes(void)
{
    start(false);
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT_TRUE(passes(ACK, NXT, UNA + 1 + i, 0));
        EXPECT_TRUE(passes(RST, NXT, 0, 0));
    }
    /* Data in order, as far as the window goes. */
    start(false);
    for (uint32_t seq = NXT; seq < NXT + WND; seq += 200) {
        EXPECT_TRUE(passes(ACK, seq, UNA, 200));
        EXPECT_TRUE(passes(RST, seq + 200, 0, 0));
    }
}

/* How many of a thousand pass in bursts of 64, none taken as one with another. */
static uint32_t
alone(bool gathers, uint16_t flags, uint32_t step, uint32_t size,
      uint8_t sack_count)
{
    struct wire_segment segment = {.flags = flags,
                                   .seg_seq = NXT,
                                   .seg_ack = UNA + step,
                                   .payload_size = size,
                                   .sack_count = sack_count,
                                   .seg_wnd = 500};
    uint32_t count = 0;

    start(false);
    guard.is |= gathers ? GUARD_GATHERS : 0;
    guard.rcv_adv = NXT + 1000000;
    guard.snd_max = UNA + 1000000;
    for (uint32_t i = 0; i < 1024; i++) {
        if (i % 64 == 0) {
            limits.turn++;
            segment.seg_seq = NXT;
            segment.seg_ack = UNA + step;
        }
        if (guard_passes(&guard, &limits, &segment)) {
            segment.seg_seq += size;
            if (!(guard.is & GUARD_OVER))
                guard_stands_alone(&guard, count++, true);
        }
        segment.seg_ack += step;
    }
    return count;
}

static void
test_small_segments_that_are_not_taken_as_one_pass_in_a_bounded_number(void)
{
    /* For a stack that gathers; one that does not gets them as they come. */
    uint32_t most = 16 * GUARD_ALONE_MAX + GUARD_TINY_MAX;
    for (uint32_t sack = 0; sack <= 1; sack++) {
        EXPECT_EQ(1024, alone(false, ACK, 0, 200, (uint8_t)sack));
        EXPECT_EQ(1024, alone(false, ACK, 1, 0, (uint8_t)sack));
        EXPECT_EQ(1024, alone(true, ACK, 0, 1024, (uint8_t)sack));
    }
    EXPECT_EQ(most, alone(true, ACK, 0, 200, 1));
    EXPECT_EQ(most, alone(true, ACK, 1, 0, 1));
    EXPECT_EQ(most, alone(true, ACK, 1, 10, 1));
    EXPECT_EQ(1024, alone(true, ACK, 1024, 0, 1));
    /* And of those that were to be taken as one and say something else. */
    EXPECT_EQ(most, alone(true, ACK, 0, 200, 0));
}

static void
test_last_of_too_many_acks_with_blocks_may_replace_the_one_before(void)
{
    struct wire_segment segment = {.flags = ACK,
                                   .seg_seq = NXT,
                                   .seg_ack = UNA,
                                   .sack_count = 1,
                                   .seg_wnd = 500};
    start(false);
    guard.is |= GUARD_GATHERS;
    guard.since_ms = limits.now_ms;
    guard.tiny = GUARD_TINY_MAX;
    for (uint32_t i = 0; i < 2 * GUARD_ALONE_MAX; i++) {
        bool over = i >= GUARD_ALONE_MAX;
        EXPECT_TRUE(guard_passes(&guard, &limits, &segment));
        EXPECT_EQ(over, (guard.is & GUARD_OVER) != 0);
        EXPECT_EQ(over, (guard.is & GUARD_CONTINUES) != 0);
        guard_stands_alone(&guard, i, true);
    }
    /* Not behind a hole, or where none came before it in its burst. */
    guard.last = GUARD_NONE;
    EXPECT_TRUE(!guard_passes(&guard, &limits, &segment));
    guard.last = 3;
    segment.seg_seq++;
    EXPECT_TRUE(!guard_passes(&guard, &limits, &segment));
}

static void
test_what_is_dropped_leads_to_nothing(void)
{
    start(false);
    for (uint32_t i = 0; i < GUARD_SMALL_MAX; i++)
        EXPECT_TRUE(passes(ACK, NXT + i, UNA, 1));
    uint32_t seen = guard.seen;
    EXPECT_TRUE(!passes(ACK, NXT + GUARD_SMALL_MAX, MAX, 1));
    EXPECT_EQ(seen, guard.seen);
    EXPECT_EQ(UNA, guard.acked);
    /* A RST at that number is not exact. */
    EXPECT_TRUE(!passes(RST, seen, 0, 0));
    EXPECT_TRUE(passes(RST, NXT, 0, 0));
}

static void
test_nothing_is_taken_as_one_with_what_may_be_refused(void)
{
    /* An ACK of what was never sent, an old one, out of order, PAWS. */
    static const struct {
        uint32_t seq, ack, tsval;
        uint8_t last;
    } rows[] = {{NXT, UNA, 5, 1},
                {NXT, UNA - 1, 5, 0},
                {NXT, MAX + 1, 5, 0},
                {NXT + 1, UNA, 5, 0},
                {NXT, UNA, UINT32_MAX, 0}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct wire_segment segment = {.flags = ACK,
                                       .seg_seq = rows[i].seq,
                                       .seg_ack = rows[i].ack,
                                       .payload_size = 600,
                                       .has = WIRE_HAS_TIMESTAMPS,
                                       .tsval = rows[i].tsval};
        start(true);
        guard.is |= GUARD_GATHERS;
        EXPECT_TRUE(guard_passes(&guard, &limits, &segment));
        guard_stands_alone(&guard, 7, true);
        EXPECT_EQ(rows[i].last ? 7 : GUARD_NONE, guard.last);
    }
}

static void
test_bare_ack_of_an_idle_connection_is_a_repetition_in_every_burst(void)
{
    /* Its first tells a window; the same again is news in no burst. */
    uint32_t count = 0;
    struct syncache_numbers idle = {
        .rcv_nxt = NXT, .rcv_adv = NXT + WND, .snd_una = UNA, .snd_max = UNA};
    start(false);
    guard_set(&guard, &idle);
    for (uint32_t i = 0; i < 1000; i++) {
        limits.turn++;
        count += passes(ACK, NXT, UNA, 0);
    }
    EXPECT_EQ(1 + GUARD_REPEATED_MAX, count);
}

static void
test_data_sent_again_in_one_burst_is_a_repetition(void)
{
    start(false);
    EXPECT_EQ(1 + GUARD_REPEATED_MAX, of_thousand(ACK, NXT, UNA, 900));
    /* The stack did not take it: in the next burst it may be news again. */
    limits.turn++;
    EXPECT_TRUE(passes(ACK, NXT, UNA, 900));
}

static void
test_counts_begin_anew_with_their_time(void)
{
    start(false);
    EXPECT_EQ(5, of_thousand(SYN, NXT, 0, 0));
    EXPECT_EQ(GUARD_REPEATED_MAX, of_thousand(ACK, NXT - 1, UNA, 0));
    EXPECT_EQ(GUARD_TINY_MAX, of_thousand(ACK, NXT + 1, UNA, 1));
    limits.turn++;
    EXPECT_EQ(0, of_thousand(SYN, NXT, 0, 0));
    EXPECT_EQ(GUARD_SMALL_MAX, of_thousand(ACK, NXT, UNA, 0));
    EXPECT_EQ(0, of_thousand(ACK, NXT + 1, UNA, 1));
    limits.now_ms += 999;
    EXPECT_EQ(0, of_thousand(SYN, NXT, 0, 0));
    limits.now_ms += 1;
    EXPECT_EQ(5, of_thousand(SYN, NXT, 0, 0));
    EXPECT_EQ(GUARD_REPEATED_MAX, of_thousand(ACK, NXT - 1, UNA, 0));
    EXPECT_EQ(GUARD_TINY_MAX, of_thousand(ACK, NXT + 1, UNA, 1));
}

static void
test_strange_segments_leave_room_for_honest_repetitions(void)
{
    /* A blind sender's do not use up what the peer needs. */
    start(false);
    EXPECT_EQ(5, of_thousand(ACK, NXT + WND + 7, UNA, 900));
    EXPECT_TRUE(passes(ACK, NXT - 900, UNA, 900));
}

static void
test_old_timestamp_makes_a_repetition(void)
{
    for (uint32_t on = 0; on <= 1; on++) {
        start(on);
        struct wire_segment segment = {.flags = ACK,
                                       .seg_seq = NXT,
                                       .seg_ack = UNA + 1,
                                       .payload_size = 900,
                                       .has = WIRE_HAS_TIMESTAMPS,
                                       .tsval = 0u - 1};
        uint32_t count = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            segment.seg_seq = NXT + i;
            count += guard_passes(&guard, &limits, &segment);
        }
        uint32_t tiny = 1 + GUARD_TINY_MAX;
        /* What is not seen makes the next one larger. */
        tiny += (1000 - tiny) / GUARD_SMALL_BYTES;
        EXPECT_EQ(on ? GUARD_REPEATED_MAX : tiny, count);
    }
}

static void
test_peer_behind_a_closed_window_is_heard(void)
{
    start(false);
    guard.rcv_adv = guard.rcv_nxt;
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_TRUE(passes(ACK, NXT + 1, UNA + 1 + i, 0));
}

static void
test_no_limit_lets_all_pass(void)
{
    for (uint32_t i = 0; i <= 1; i++) {
        start(false);
        *(i ? &limits.count : &limits.window_ms) = 0;
        EXPECT_EQ(1000, of_thousand(SYN, NXT, 0, 0));
    }
    start(false);
    limits.count = 100000;
    EXPECT_EQ(UINT8_MAX, of_thousand(SYN, NXT, 0, 0));
}

/* An engine with one established connection of peer 1. */
static void
established(void)
{
    cache_defaults();
    cache_start();
    struct syncache_tuple tuple = peer_tuple(1);
    struct syncache_numbers numbers = {
        .rcv_nxt = NXT, .rcv_adv = NXT + WND, .snd_una = UNA, .snd_max = UNA};
    EXPECT_TRUE(!syncache_guard(cache, &tuple, &numbers));
    EXPECT_TRUE(syncache_opened(cache, &tuple, 77));
    EXPECT_TRUE(syncache_guard(cache, &tuple, &numbers));
}

static void
test_engine_drops_and_counts_what_is_too_much(void)
{
    established();
    struct seg seg = {.peer = 1, .flags = SYN, .seq = NXT};
    for (uint32_t i = 0; i < 20; i++)
        EXPECT_EQ(i < 5 ? SYNCACHE_PASS_KNOWN : SYNCACHE_DROP_KNOWN_LIMIT,
                  send_seg(seg));
    EXPECT_EQ(15, stats()->verdicts[SYNCACHE_DROP_KNOWN_LIMIT]);
    now += 1000;
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_seg(seg));
    EXPECT_EQ(77, result.handle);
}

static void
test_connection_whose_numbers_were_not_told_gets_all(void)
{
    established();
    struct syncache_tuple tuple = peer_tuple(2);
    EXPECT_TRUE(syncache_opened(cache, &tuple, 78));
    struct seg seg = {.peer = 2, .flags = SYN, .seq = NXT};
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_seg(seg));
    /* And so does the next connection of a tuple. */
    tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_TRUE(syncache_opened(cache, &tuple, 79));
    seg.peer = 1;
    for (uint32_t i = 0; i < 100; i++)
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_seg(seg));
}

static const struct test tests[] = {
    TEST(test_segment_that_changes_nothing_passes_in_a_bounded_number),
    TEST(test_what_leads_on_nothing_is_bounded_by_window_and_flight),
    TEST(test_progress_makes_room_for_what_leads_on_nothing),
    TEST(test_segment_that_only_adds_continues_the_one_before),
    TEST(test_segment_that_says_something_new_always_passes),
    TEST(
        test_small_segments_that_are_not_taken_as_one_pass_in_a_bounded_number),
    TEST(test_last_of_too_many_acks_with_blocks_may_replace_the_one_before),
    TEST(test_what_is_dropped_leads_to_nothing),
    TEST(test_nothing_is_taken_as_one_with_what_may_be_refused),
    TEST(test_bare_ack_of_an_idle_connection_is_a_repetition_in_every_burst),
    TEST(test_data_sent_again_in_one_burst_is_a_repetition),
    TEST(test_counts_begin_anew_with_their_time),
    TEST(test_strange_segments_leave_room_for_honest_repetitions),
    TEST(test_old_timestamp_makes_a_repetition),
    TEST(test_peer_behind_a_closed_window_is_heard),
    TEST(test_no_limit_lets_all_pass),
    TEST(test_engine_drops_and_counts_what_is_too_much),
    TEST(test_connection_whose_numbers_were_not_told_gets_all),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

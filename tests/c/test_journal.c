/* The ring of events. */
#include "test.h"

#include "../../csrc/flow/journal.h"

enum { MAX = 8 };

static void
test_events_come_out_in_order(void)
{
    struct journal journal;
    struct flow_event memory[MAX];
    struct flow_event out[MAX];
    uint32_t in = 0, taken = 0;

    journal_init(&journal, memory, MAX);
    for (uint32_t step = 0; step < 1000; step++) {
        if (test_random_below(2) == 0 && journal.count < MAX) {
            struct flow_event *event =
                journal_add(&journal, in, FLOW_EVENT_BLOCK);

            EXPECT_TRUE(event != NULL && event->limit == 0);
            event->limit = 5;
            in++;
        } else {
            uint32_t got =
                journal_take(&journal, out, (uint32_t)test_random_below(4));

            for (uint32_t i = 0; i < got; i++)
                EXPECT_EQ(taken++, out[i].time_ms);
        }
        EXPECT_EQ(in - taken, journal.count);
    }
    EXPECT_EQ(0, journal.lost);
}

static void
test_debug_and_audit_cannot_crowd_out_alerts(void)
{
    struct journal journal;
    struct flow_event memory[MAX];

    journal_init(&journal, memory, MAX);
    for (uint32_t i = 0; i < MAX; i++)
        (void)journal_add(&journal, i,
                          i % 2 == 0 ? FLOW_EVENT_SYN : FLOW_EVENT_STOP);
    EXPECT_EQ(MAX - MAX / 4, journal.count);
    EXPECT_EQ(MAX / 4, journal.lost);
    for (uint32_t i = 0; i < MAX / 4; i++)
        EXPECT_TRUE(journal_add(&journal, i, FLOW_EVENT_UNBLOCK) != NULL);
    EXPECT_TRUE(journal_add(&journal, 9, FLOW_EVENT_CALM) == NULL);
    EXPECT_EQ(MAX / 4 + 1, journal.lost);
}

static const struct test tests[] = {
    TEST(test_events_come_out_in_order),
    TEST(test_debug_and_audit_cannot_crowd_out_alerts),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

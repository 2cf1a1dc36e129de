/* Half-open sessions by age and by lot, against a list that is searched. */
#include "test.h"

#include "../../csrc/flow/session.h"

enum { MAX = 50 };

struct fixture {
    struct sessions sessions;
    struct order order;
    void *memory;
    uint32_t dense[MAX];
};

static void
begin(struct fixture *f)
{
    f->memory = malloc(sessions_bytes(MAX));
    sessions_init(&f->sessions, f->memory, MAX);
    order_init(&f->order, f->dense, &f->sessions);
}

static uint32_t
add(struct fixture *f, uint32_t client, uint8_t state)
{
    struct session_key key = {.family = 4, .hash = client};
    struct session *session;

    memcpy(key.address[0], &client, sizeof client);
    session = session_insert(&f->sessions, &key);
    session->state = state;
    order_add(&f->order, session);
    return session_number(&f->sessions, session);
}

static void
drop(struct fixture *f, uint32_t number)
{
    struct session *session = session_at(&f->sessions, number);

    order_remove(&f->order, session);
    session_remove(&f->sessions, session);
}

static void
test_oldest_is_taken_from_synrcvd_first(void)
{
    struct fixture f;
    uint32_t a, b, c;

    begin(&f);
    EXPECT_EQ(SESSION_NONE, order_oldest(&f.order, false));
    EXPECT_EQ(SESSION_NONE, order_random(&f.order, false, 1));
    a = add(&f, 1, FLOW_SYNSENT);
    b = add(&f, 2, FLOW_SYNRCVD);
    c = add(&f, 3, FLOW_SYNRCVD);
    EXPECT_EQ(b, order_oldest(&f.order, false));
    EXPECT_EQ(a, order_oldest(&f.order, true));
    drop(&f, b);
    EXPECT_EQ(c, order_oldest(&f.order, false));
    drop(&f, c);
    EXPECT_EQ(a, order_oldest(&f.order, false));
    free(f.memory);
}

static void
test_promotion_keeps_the_age(void)
{
    struct fixture f;
    uint32_t a, b;

    begin(&f);
    a = add(&f, 1, FLOW_SYNRCVD);
    b = add(&f, 2, FLOW_SYNRCVD);
    order_promote(&f.order, session_at(&f.sessions, a));
    session_at(&f.sessions, a)->state = FLOW_SYNSENT;
    EXPECT_EQ(b, order_oldest(&f.order, false));
    EXPECT_EQ(a, order_oldest(&f.order, true));
    EXPECT_EQ(1, f.order.rcvd_count);
    EXPECT_EQ(2, f.order.count);
    EXPECT_EQ(b, order_random(&f.order, false, UINT64_MAX));
    free(f.memory);
}

static void
test_lot_falls_on_everyone_alike(void)
{
    /* I25: 10,000 of 100 each hit between 50 and 160 times; here 50, 200. */
    struct fixture f;
    uint32_t hits[MAX] = {0};

    begin(&f);
    for (uint32_t i = 0; i < MAX; i++)
        add(&f, i, FLOW_SYNRCVD);
    for (uint32_t i = 0; i < 10000; i++)
        hits[order_random(&f.order, false, test_random())]++;
    for (uint32_t i = 0; i < MAX; i++)
        EXPECT_TRUE(hits[i] > 120 && hits[i] < 300);
    free(f.memory);
}

/* The naive order: numbers by age, and their states. */
struct naive {
    uint32_t number[MAX];
    uint32_t count;
};

static uint32_t
naive_oldest(const struct fixture *f, const struct naive *naive, bool together)
{
    for (uint32_t i = 0; i < naive->count; i++) {
        if (together ||
            session_at(&f->sessions, naive->number[i])->state == FLOW_SYNRCVD)
            return naive->number[i];
    }
    return naive->count > 0 ? naive->number[0] : SESSION_NONE;
}

static void
test_random_walk_agrees_with_a_list(void)
{
    struct fixture f;
    struct naive naive = {.count = 0};

    begin(&f);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t at =
            naive.count > 0 ? (uint32_t)test_random_below(naive.count) : 0;
        uint64_t what = test_random_below(4);

        if (what <= 1 && naive.count < MAX) {
            naive.number[naive.count++] =
                add(&f, 1000 + step, what == 0 ? FLOW_SYNRCVD : FLOW_SYNSENT);
        } else if (what == 2 && naive.count > 0) {
            drop(&f, naive.number[at]);
            memmove(naive.number + at, naive.number + at + 1,
                    (--naive.count - at) * sizeof naive.number[0]);
        } else if (what == 3 && naive.count > 0) {
            struct session *session = session_at(&f.sessions, naive.number[at]);

            if (session->state == FLOW_SYNRCVD) {
                order_promote(&f.order, session);
                session->state = FLOW_SYNSENT;
            }
        }
        EXPECT_EQ(naive.count, f.order.count);
        EXPECT_EQ(naive_oldest(&f, &naive, true), order_oldest(&f.order, true));
        EXPECT_EQ(naive_oldest(&f, &naive, false),
                  order_oldest(&f.order, false));
        for (uint32_t i = 0; i < f.order.count; i++)
            EXPECT_EQ(i, session_at(&f.sessions, f.order.dense[i])->dense);
    }
    free(f.memory);
}

static void
test_lot_falls_on_synrcvd_first_and_on_all_where_there_is_none(void)
{
    struct fixture f;
    uint32_t sent, rcvd;

    begin(&f);
    sent = add(&f, 1, FLOW_SYNSENT);
    EXPECT_EQ(sent, order_random(&f.order, false, 0));
    rcvd = add(&f, 2, FLOW_SYNRCVD);
    EXPECT_EQ(rcvd, order_random(&f.order, false, 0));
    EXPECT_EQ(rcvd, order_random(&f.order, false, UINT64_MAX));
    EXPECT_EQ(rcvd, order_random(&f.order, true, 0));
    EXPECT_EQ(sent, order_random(&f.order, true, UINT64_MAX));
    free(f.memory);
}

static const struct test tests[] = {
    TEST(test_oldest_is_taken_from_synrcvd_first),
    TEST(test_promotion_keeps_the_age),
    TEST(test_lot_falls_on_everyone_alike),
    TEST(test_random_walk_agrees_with_a_list),
    TEST(test_lot_falls_on_synrcvd_first_and_on_all_where_there_is_none),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

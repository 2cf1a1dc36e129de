/* Silent sessions by prefix: lists, their oldest, the heaviest. */
#include "../../csrc/core/bytes.h"
#include "../../csrc/flow/host.h"
#include "../../csrc/flow/silent.h"
#include "test.h"

#define MAX 64

static struct sessions sessions;
static struct silent silent;
static _Alignas(64) uint8_t memory[65536];

static void
start(void)
{
    static const uint8_t key[SYNCACHE_KEY_BYTES] = {1};

    EXPECT_TRUE(sessions_bytes(MAX) <= sizeof memory);
    sessions_init(&sessions, memory, MAX);
    silent_init(&silent, &sessions, key);
}

/* An established session of a client; `low` is below every prefix. */
static struct session *
establish(uint8_t family, uint32_t prefix, uint8_t low)
{
    struct session_key key = {.family = family, .protocol = 6, .port = {low}};
    struct session *session;

    store32_be(key.address[0], prefix << 8);
    key.address[0][family == 4 ? 3 : 15] = low;
    key.hash = prefix * 2654435761u + low;
    session = session_insert(&sessions, &key);
    session->state = FLOW_ESTAB;
    silent_add(&silent, session);
    return session;
}

static void
test_oldest_of_a_prefix_goes_beyond_its_limit(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct session *first, *second;

        start();
        first = establish(family, 0x0a0101, 1);
        establish(family, 0x0a0102, 1);
        second = establish(family, 0x0a0101, 2);
        EXPECT_TRUE(silent_beyond(&silent, second, 2, FLOW_SILENT_GRACE_MS) ==
                    NULL);
        EXPECT_TRUE(silent_beyond(&silent, second, 1,
                                  FLOW_SILENT_GRACE_MS - 1) == NULL);
        EXPECT_TRUE(silent_beyond(&silent, second, 1, FLOW_SILENT_GRACE_MS) ==
                    first);
        silent_remove(&silent, first);
        EXPECT_EQ(HOST_NONE, first->host);
        EXPECT_TRUE(silent_beyond(&silent, first, 0, FLOW_SILENT_GRACE_MS) ==
                    NULL);
        EXPECT_TRUE(silent_beyond(&silent, second, 1, FLOW_SILENT_GRACE_MS) ==
                    NULL);
        EXPECT_TRUE(silent_beyond(&silent, second, 0, FLOW_SILENT_GRACE_MS) ==
                    second);
    }
}

static void
test_session_leaves_from_any_place_of_its_list(void)
{
    for (unsigned gone = 0; gone < 3; gone++) {
        struct session *all[3];
        struct session *oldest;

        start();
        for (uint8_t i = 0; i < 3; i++)
            all[i] = establish(4, 0x0a0101, i);
        silent_remove(&silent, all[gone]);
        oldest = all[gone == 0 ? 1 : 0];
        EXPECT_TRUE(silent_heaviest(&silent, 2) == oldest);
        EXPECT_TRUE(silent_heaviest(&silent, 3) == NULL);
        silent_remove(&silent, oldest);
        oldest = all[gone == 2 ? 1 : 2];
        EXPECT_TRUE(silent_heaviest(&silent, 1) == oldest);
        silent_remove(&silent, oldest);
        EXPECT_TRUE(silent_heaviest(&silent, 0) == NULL);
    }
}

static void
test_heaviest_prefix_gives_its_oldest(void)
{
    struct session *first;

    start();
    establish(4, 0x0a0101, 1);
    first = establish(4, 0x0a0102, 1);
    establish(4, 0x0a0102, 2);
    establish(4, 0x0a0103, 1);
    EXPECT_TRUE(silent_heaviest(&silent, 2) == first);
}

static const struct test tests[] = {
    TEST(test_oldest_of_a_prefix_goes_beyond_its_limit),
    TEST(test_session_leaves_from_any_place_of_its_list),
    TEST(test_heaviest_prefix_gives_its_oldest),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

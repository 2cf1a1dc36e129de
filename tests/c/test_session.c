/* Places of sessions and the table that finds them, against a linear search. */
#include "test.h"

#include "../../csrc/flow/session.h"

static const uint8_t hash_key[SYNCACHE_KEY_BYTES] = "sixteen bytes!!";

/* A key with few hashes, so that runs of slots grow long, or its true hash. */
static struct session_key
key_of(uint32_t client, uint8_t family, bool crowded)
{
    struct session_key key = {.family = family, .protocol = 6};

    key.address[0][0] = (uint8_t)(client >> 8);
    key.address[0][15] = family == 6 ? 1 : 0;
    key.address[1][0] = 200;
    key.port[0] = (uint16_t)(client & 0xff);
    key.port[1] = 80;
    key.hash = crowded ? client % 5 : session_hash(hash_key, &key);
    return key;
}

static void
test_each_part_of_a_key_moves_its_hash(void)
{
    /* Addresses, ports and protocol, in both families. */
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct session_key key = {.family = family, .protocol = 6};
        key.address[0][0] = 10;
        key.address[1][0] = 11;
        key.port[0] = 1000;
        key.port[1] = 80;
        uint32_t before = session_hash(hash_key, &key);
        struct session_key other[7] = {key, key, key, key, key, key, key};
        other[0].address[0][3] ^= 1;
        other[1].address[1][3] ^= 1;
        other[2].port[0] ^= 1;
        other[3].port[1] ^= 1;
        other[4].protocol = 17;
        other[5].address[0][0] = 1;
        other[6].address[1][0] = 200;
        for (size_t i = 0; i < TEST_COUNT(other); i++)
            EXPECT_TRUE(before != session_hash(hash_key, &other[i]));
    }
}

static void
test_hash_does_not_depend_on_direction(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        for (uint32_t i = 0; i < 1000; i++) {
            struct session_key key = {.family = family, .protocol = 17};
            struct session_key turned = key;
            size_t size = family == 4 ? 4 : 16;

            test_random_bytes(key.address[0], size);
            test_random_bytes(key.address[1], i % 2 == 0 ? size : 0);
            key.port[0] = (uint16_t)test_random();
            key.port[1] = (uint16_t)test_random();
            memcpy(turned.address[0], key.address[1], 16);
            memcpy(turned.address[1], key.address[0], 16);
            turned.port[0] = key.port[1];
            turned.port[1] = key.port[0];
            EXPECT_EQ(session_hash(hash_key, &key),
                      session_hash(hash_key, &turned));
            turned.protocol = 6;
            EXPECT_TRUE(session_hash(hash_key, &key) !=
                        session_hash(hash_key, &turned));
        }
    }
}

static void
test_session_is_found_from_both_ends(void)
{
    struct sessions sessions;
    void *memory = malloc(sessions_bytes(4));
    struct session_key key = key_of(300, 6, false);
    struct session_key turned = key;
    struct session *session;
    uint32_t from = 9;

    sessions_init(&sessions, memory, 4);
    EXPECT_TRUE(session_find(&sessions, &key, &from) == NULL);
    session = session_insert(&sessions, &key);
    EXPECT_TRUE(session_find(&sessions, &key, &from) == session);
    EXPECT_EQ(FLOW_CLIENT, from);
    memcpy(turned.address[0], key.address[1], 16);
    memcpy(turned.address[1], key.address[0], 16);
    turned.port[0] = key.port[1];
    turned.port[1] = key.port[0];
    EXPECT_TRUE(session_find(&sessions, &turned, &from) == session);
    EXPECT_EQ(FLOW_SERVER, from);
    turned.protocol = 17;
    EXPECT_TRUE(session_find(&sessions, &turned, &from) == NULL);
    free(memory);
}

static void
test_full_table_takes_nobody(void)
{
    struct sessions sessions;
    void *memory = malloc(sessions_bytes(3));
    struct session_key key;
    struct session *first;

    sessions_init(&sessions, memory, 3);
    key = key_of(0, 4, false);
    first = session_insert(&sessions, &key);
    for (uint32_t i = 1; i < 3; i++) {
        key = key_of(i, 4, false);
        EXPECT_TRUE(session_insert(&sessions, &key) != NULL);
    }
    key = key_of(3, 4, false);
    EXPECT_TRUE(session_insert(&sessions, &key) == NULL);
    session_remove(&sessions, first);
    EXPECT_EQ(2, sessions.count);
    EXPECT_TRUE(session_insert(&sessions, &key) != NULL);
    free(memory);
}

static void
test_hidden_session_is_not_found_and_keeps_its_place(void)
{
    struct sessions sessions;
    void *memory = malloc(sessions_bytes(1));
    struct session_key key = key_of(7, 4, false);
    struct session *session;
    uint32_t from;

    sessions_init(&sessions, memory, 1);
    session = session_insert(&sessions, &key);
    session_hide(&sessions, session);
    session->flags |= SESSION_OWES_RST;
    EXPECT_TRUE(session_find(&sessions, &key, &from) == NULL);
    EXPECT_TRUE(session_insert(&sessions, &key) == NULL);
    session_remove(&sessions, session);
    EXPECT_TRUE(session_insert(&sessions, &key) != NULL);
    free(memory);
}

static void
random_walk(bool crowded)
{
    enum { MAX = 60, KEYS = 120 };
    struct sessions sessions;
    void *memory = malloc(sessions_bytes(MAX));
    struct session *held[KEYS] = {NULL};
    uint32_t count = 0;

    sessions_init(&sessions, memory, MAX);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t client = (uint32_t)test_random_below(KEYS);
        struct session_key key = key_of(client * 77, 4, crowded);
        uint32_t from;

        EXPECT_TRUE(session_find(&sessions, &key, &from) == held[client]);
        if (held[client] != NULL) {
            session_remove(&sessions, held[client]);
            held[client] = NULL;
            count--;
        } else if (count < MAX) {
            held[client] = session_insert(&sessions, &key);
            EXPECT_TRUE(held[client] != NULL);
            count++;
        }
        EXPECT_EQ(count, sessions.count);
    }
    for (uint32_t client = 0; client < KEYS; client++) {
        struct session_key key = key_of(client * 77, 4, crowded);
        uint32_t from;

        EXPECT_TRUE(session_find(&sessions, &key, &from) == held[client]);
    }
    free(memory);
}

static void
test_random_walk_finds_what_is_there(void)
{
    random_walk(false);
}

static void
test_random_walk_in_long_runs_finds_what_is_there(void)
{
    /* Five hashes for all: removal shifts runs that wrap around. */
    random_walk(true);
}

static const struct test tests[] = {
    TEST(test_each_part_of_a_key_moves_its_hash),
    TEST(test_hash_does_not_depend_on_direction),
    TEST(test_session_is_found_from_both_ends),
    TEST(test_full_table_takes_nobody),
    TEST(test_hidden_session_is_not_found_and_keeps_its_place),
    TEST(test_random_walk_finds_what_is_there),
    TEST(test_random_walk_in_long_runs_finds_what_is_there),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

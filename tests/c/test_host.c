/* Destinations: counts, oldest, heaviest, blocks; against counting by hand. */
#include "test.h"

#include "../../csrc/flow/host.h"

enum { SESSIONS = 64, HOSTS = 8 };

struct fixture {
    struct sessions sessions;
    struct hosts hosts;
    void *session_memory, *host_memory;
};

static void
begin(struct fixture *f)
{
    static const uint8_t hash_key[SYNCACHE_KEY_BYTES] = {1};

    f->session_memory = malloc(sessions_bytes(SESSIONS));
    f->host_memory = malloc(hosts_bytes(HOSTS, SESSIONS));
    sessions_init(&f->sessions, f->session_memory, SESSIONS);
    hosts_init(&f->hosts, f->host_memory, HOSTS, &f->sessions, hash_key);
}

static void
end(struct fixture *f)
{
    free(f->session_memory);
    free(f->host_memory);
}

static struct host *
make(struct fixture *f, uint8_t number)
{
    uint8_t address[16] = {10, 0, 0, number};

    return host_make(&f->hosts, address, 4, 6);
}

static struct host *
find(struct fixture *f, uint8_t number)
{
    uint8_t address[16] = {10, 0, 0, number};

    return host_find(&f->hosts, address, 4, 6);
}

static struct session *
add(struct fixture *f, uint8_t number)
{
    static uint32_t client;
    struct session_key key = {.family = 4, .hash = ++client};
    struct session *session;

    memcpy(key.address[0], &client, sizeof client);
    session = session_insert(&f->sessions, &key);
    host_add(&f->hosts, make(f, number), session);
    return session;
}

static void
test_host_lives_while_it_has_a_reason(void)
{
    struct fixture f;
    struct session *session;

    begin(&f);
    session = add(&f, 1);
    EXPECT_EQ(1, f.hosts.count);
    host_remove(&f.hosts, session);
    EXPECT_TRUE(find(&f, 1) == NULL);
    session = add(&f, 1);
    host_block(&f.hosts, find(&f, 1), 5000);
    host_alert(find(&f, 1), 7);
    host_remove(&f.hosts, session);
    EXPECT_EQ(1, f.hosts.blocked);
    host_unblock(&f.hosts, find(&f, 1));
    EXPECT_TRUE(find(&f, 1) != NULL);
    host_rearm(&f.hosts, find(&f, 1));
    EXPECT_EQ(0, f.hosts.count);
    end(&f);
}

static void
test_protocols_and_families_are_hosts_of_their_own(void)
{
    struct fixture f;
    uint8_t address[16] = {10};

    begin(&f);
    EXPECT_TRUE(host_make(&f.hosts, address, 4, 6) !=
                host_make(&f.hosts, address, 4, 17));
    host_make(&f.hosts, address, 6, 6);
    EXPECT_EQ(3, f.hosts.count);
    end(&f);
}

static void
test_full_table_makes_no_host(void)
{
    struct fixture f;

    begin(&f);
    for (uint8_t i = 0; i < HOSTS; i++)
        add(&f, i);
    EXPECT_TRUE(make(&f, HOSTS) == NULL);
    EXPECT_TRUE(make(&f, 3) == find(&f, 3));
    end(&f);
}

static void
test_oldest_is_the_first_that_is_left(void)
{
    struct fixture f;
    struct session *first, *second, *third;

    begin(&f);
    first = add(&f, 1);
    second = add(&f, 1);
    third = add(&f, 1);
    host_remove(&f.hosts, second);
    EXPECT_EQ(session_number(&f.sessions, first), find(&f, 1)->oldest);
    host_remove(&f.hosts, first);
    EXPECT_EQ(session_number(&f.sessions, third), find(&f, 1)->oldest);
    EXPECT_EQ(session_number(&f.sessions, third), find(&f, 1)->youngest);
    host_remove(&f.hosts, first);
    EXPECT_EQ(1, find(&f, 1)->count);
    end(&f);
}

static void
test_random_walk_knows_the_heaviest(void)
{
    struct fixture f;
    struct session *held[SESSIONS] = {NULL};
    uint8_t of[SESSIONS];

    begin(&f);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t at = (uint32_t)test_random_below(SESSIONS);
        uint32_t count[HOSTS] = {0};
        uint32_t most = 0;

        if (held[at] != NULL) {
            host_remove(&f.hosts, held[at]);
            session_remove(&f.sessions, held[at]);
            held[at] = NULL;
        } else {
            of[at] = (uint8_t)test_random_below(1 + test_random_below(HOSTS));
            held[at] = add(&f, of[at]);
        }
        for (uint32_t i = 0; i < SESSIONS; i++) {
            if (held[i] != NULL && ++count[of[i]] > most)
                most = count[of[i]];
        }
        EXPECT_EQ(most, f.hosts.heaviest);
        EXPECT_EQ(most == 0, hosts_heaviest(&f.hosts) == NULL);
        if (most > 0)
            EXPECT_EQ(most, hosts_heaviest(&f.hosts)->count);
        for (uint8_t i = 0; i < HOSTS; i++)
            EXPECT_EQ(count[i], find(&f, i) == NULL ? 0 : find(&f, i)->count);
    }
    end(&f);
}

static void
test_block_knows_its_end(void)
{
    struct fixture f;

    begin(&f);
    struct host *host = make(&f, 1);
    host_block(&f.hosts, host, 12345);
    EXPECT_TRUE(host->blocked);
    EXPECT_EQ(12345, host->block_until_ms);
    EXPECT_EQ(1, f.hosts.blocked);
    host_unblock(&f.hosts, host);
    EXPECT_EQ(0, f.hosts.blocked);
    end(&f);
}

static const struct test tests[] = {
    TEST(test_host_lives_while_it_has_a_reason),
    TEST(test_protocols_and_families_are_hosts_of_their_own),
    TEST(test_full_table_makes_no_host),
    TEST(test_oldest_is_the_first_that_is_left),
    TEST(test_random_walk_knows_the_heaviest),
    TEST(test_block_knows_its_end),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* The ring of cookie keys: who mints, who verifies, who is gone from memory. */
#include "test.h"

#include "../../csrc/core/secret.h"

#define LIFETIME 32000u

/* A key whose 16 bytes all tell its epoch. */
static void
make_key(uint8_t key[static SYNCACHE_KEY_BYTES], uint64_t epoch)
{
    memset(key, (int)(0x80 | (epoch & 0x7f)), SYNCACHE_KEY_BYTES);
}

static void
give_key(struct secret *secret, uint64_t epoch)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    make_key(key, epoch);
    secret_set_key(secret, epoch, key);
}

/* A ring in the epoch that began at start_ms, with keys of e-1, e and e+1. */
static void
secret_in_epoch(struct secret *secret, uint64_t epoch, uint64_t start_ms)
{
    memset(secret, 0, sizeof *secret);
    secret_init(secret);
    secret_set_epoch(secret, epoch, start_ms);
    for (uint64_t e = epoch == 0 ? 0 : epoch - 1; e <= epoch + 1; e++)
        give_key(secret, e);
}

static bool
is_key_of(const uint8_t *key, uint64_t epoch)
{
    uint8_t expected[SYNCACHE_KEY_BYTES];
    make_key(expected, epoch);
    return key != NULL && memcmp(expected, key, sizeof expected) == 0;
}

/* Does the key of this epoch verify a cookie at this time? */
static bool
verifies(const struct secret *secret, uint64_t epoch, uint64_t now_ms,
         uint32_t skew_ms)
{
    const uint8_t *keys[SECRET_CANDIDATES];
    uint32_t count = secret_candidates(secret, now_ms, LIFETIME, skew_ms,
                                       (uint32_t)(epoch & 1), keys);
    EXPECT_TRUE(count <= SECRET_CANDIDATES);
    for (uint32_t i = 0; i < count; i++) {
        if (is_key_of(keys[i], epoch))
            return true;
    }
    return false;
}

/* Are four bytes in a row of this epoch's key left in the ring? */
static bool
in_memory(const struct secret *secret, uint64_t epoch)
{
    const uint8_t *bytes = (const uint8_t *)secret;
    uint8_t key[SYNCACHE_KEY_BYTES];
    make_key(key, epoch);
    for (size_t i = 0; i + 4 <= sizeof *secret; i++) {
        if (memcmp(bytes + i, key, 4) == 0)
            return true;
    }
    return false;
}

/* No key in any place, nor a byte of one. */
static bool
is_wiped(const struct secret *secret)
{
    static const uint8_t zero[SYNCACHE_KEY_BYTES];
    for (size_t i = 0; i < SECRET_PLACES; i++) {
        if (secret->place[i].set ||
            memcmp(secret->place[i].key, zero, sizeof zero) != 0)
            return false;
    }
    return true;
}

static void
test_no_time_told_no_end_and_no_key(void)
{
    /* Nothing is in force until told, whatever the memory held before. */
    struct secret secret;
    memset(&secret, 0xa5, sizeof secret);
    secret_init(&secret);
    EXPECT_EQ(SYNCACHE_NEVER, secret_next_ms(&secret, LIFETIME));
    EXPECT_TRUE(secret_mint(&secret) == NULL);
    EXPECT_TRUE(is_wiped(&secret));
    EXPECT_EQ(0, secret.epoch);
}

static void
test_first_time_told_begins_epoch_0(void)
{
    /* Ephemeral keys need no wall time: the first call starts the count. */
    uint64_t starts[] = {0, 5, 1 << 20, UINT64_C(1) << 63};
    for (size_t i = 0; i < TEST_COUNT(starts); i++) {
        struct secret secret;
        secret_init(&secret);
        give_key(&secret, 0);
        secret_advance(&secret, starts[i], LIFETIME, 0);
        EXPECT_EQ(0, secret.epoch);
        EXPECT_EQ(starts[i] + LIFETIME, secret_next_ms(&secret, LIFETIME));
        EXPECT_TRUE(is_key_of(secret_mint(&secret), 0));
        secret_advance(&secret, starts[i] + LIFETIME - 1, LIFETIME, 0);
        EXPECT_EQ(0, secret.epoch);
        secret_advance(&secret, starts[i] + LIFETIME, LIFETIME, 0);
        EXPECT_EQ(1, secret.epoch);
        EXPECT_TRUE(is_key_of(secret_mint(&secret), 0));
    }
}

static void
test_key_not_renewed_stays_in_force_until_the_epoch_after_a_new_one(void)
{
    /* One key, given once: it mints and verifies for as long as it is last. */
    uint64_t skips[] = {1, 3, 1000};
    for (size_t i = 0; i < TEST_COUNT(skips); i++) {
        struct secret secret;
        secret_init(&secret);
        secret_advance(&secret, 0, LIFETIME, 0);
        give_key(&secret, 0);
        uint64_t now = 0;
        for (uint64_t epoch = skips[i]; epoch < 4000; epoch += skips[i]) {
            now = epoch * LIFETIME;
            secret_advance(&secret, now, LIFETIME, 0);
            secret_use(&secret);
            EXPECT_TRUE(is_key_of(secret_mint(&secret), 0));
            EXPECT_EQ(0, secret_parity(&secret));
            EXPECT_TRUE(verifies(&secret, 0, now, 0));
        }
        /* A new one mints at once; cookies of the old one live on a period. */
        uint64_t fresh = secret.epoch;
        give_key(&secret, fresh);
        EXPECT_TRUE(is_key_of(secret_mint(&secret), fresh));
        EXPECT_EQ(fresh & 1, secret_parity(&secret));
        EXPECT_TRUE(verifies(&secret, 0, now, 0));
        give_key(&secret, fresh + 1);
        secret_advance(&secret, now + LIFETIME, LIFETIME, 0);
        EXPECT_TRUE(verifies(&secret, 0, now + LIFETIME, 0));
        give_key(&secret, fresh + 2);
        secret_advance(&secret, now + 2 * LIFETIME, LIFETIME, 0);
        EXPECT_TRUE(!verifies(&secret, 0, now + 2 * LIFETIME, 0));
        EXPECT_TRUE(!in_memory(&secret, 0));
    }
}

static void
test_cookie_dies_with_its_key_two_lifetimes_after_it_began(void)
{
    /* A key mints for one lifetime and verifies for two, not longer. */
    struct secret secret;
    secret_in_epoch(&secret, 7, 1000);
    for (uint64_t now = 1000; now < 1000 + 2 * LIFETIME; now += 999) {
        secret_advance(&secret, now, LIFETIME, 0);
        EXPECT_TRUE(verifies(&secret, 7, now, 0));
    }
    uint64_t end = 1000 + 2 * LIFETIME;
    secret_advance(&secret, end - 1, LIFETIME, 0);
    EXPECT_TRUE(verifies(&secret, 7, end - 1, 0));
    EXPECT_TRUE(in_memory(&secret, 7));
    secret_advance(&secret, end, LIFETIME, 0);
    EXPECT_TRUE(!verifies(&secret, 7, end, 0));
    EXPECT_TRUE(!in_memory(&secret, 7));
}

static void
test_successor_verifies_within_skew_of_the_end(void)
{
    /* Another machine's clock may run ahead by the skew. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    uint32_t skew = 1000;
    secret_advance(&secret, LIFETIME - skew - 1, LIFETIME, skew);
    EXPECT_TRUE(!verifies(&secret, 9, LIFETIME - skew - 1, skew));
    EXPECT_TRUE(verifies(&secret, 9, LIFETIME - skew, skew));
    EXPECT_TRUE(verifies(&secret, 7, LIFETIME - skew, skew));
    EXPECT_TRUE(!verifies(&secret, 9, LIFETIME - 1, 0));
}

static void
test_epoch_as_far_ahead_as_can_be_has_no_successor(void)
{
    /* A caller may have told any time at all. */
    struct secret secret;
    secret_in_epoch(&secret, 8, UINT64_C(1) << 63);
    EXPECT_TRUE(!verifies(&secret, 9, 0, 1000));
    EXPECT_TRUE(verifies(&secret, 7, 0, 1000));
}

static void
test_retired_key_verifies_within_skew_and_is_wiped_then(void)
{
    /* Another machine's clock may run behind by the skew. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    uint32_t skew = 1000;
    secret_advance(&secret, LIFETIME + skew - 1, LIFETIME, skew);
    EXPECT_EQ(9, secret.epoch);
    EXPECT_TRUE(verifies(&secret, 7, LIFETIME + skew - 1, skew));
    secret_advance(&secret, LIFETIME + skew, LIFETIME, skew);
    EXPECT_TRUE(!verifies(&secret, 7, LIFETIME + skew, skew));
    EXPECT_TRUE(!in_memory(&secret, 7));
    EXPECT_TRUE(in_memory(&secret, 8));
}

static void
test_long_gap_keeps_the_last_key_until_another_is_given(void)
{
    /* After a night without a call: who asks first gives a new key in time. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    uint64_t now = UINT64_C(1000) * LIFETIME + 5;
    secret_advance(&secret, now, LIFETIME, 1000);
    EXPECT_EQ(1008, secret.epoch);
    EXPECT_EQ(UINT64_C(1001) * LIFETIME, secret_next_ms(&secret, LIFETIME));
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 9));
    EXPECT_TRUE(!in_memory(&secret, 7) && !in_memory(&secret, 8));
    give_key(&secret, 1008);
    secret_advance(&secret, now, LIFETIME, 1000);
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 1008));
    EXPECT_TRUE(!in_memory(&secret, 9));
}

static void
test_epoch_set_anew_retires_the_keys_of_before(void)
{
    /* From ephemeral epochs to those of wall time. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    give_key(&secret, 1000000);
    secret_set_epoch(&secret, 1000000, 50);
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 1000000));
    EXPECT_TRUE(!in_memory(&secret, 7) && !in_memory(&secret, 9));
    EXPECT_EQ(50 + LIFETIME, secret_next_ms(&secret, LIFETIME));
}

static void
test_epoch_that_began_before_the_clock_ends_in_time(void)
{
    /* Wall time's epoch may have begun 20 s before this clock's zero. */
    struct secret secret;
    secret_in_epoch(&secret, 90, (uint64_t)-20000);
    secret_advance(&secret, 0, LIFETIME, 0);
    EXPECT_EQ(90, secret.epoch);
    EXPECT_EQ(LIFETIME - 20000, secret_next_ms(&secret, LIFETIME));
    secret_advance(&secret, LIFETIME - 20000, LIFETIME, 0);
    EXPECT_EQ(91, secret.epoch);
}

static void
test_shorter_lifetime_acts_on_the_running_period(void)
{
    /* A tunable that changes must not wait for the old period's end. */
    struct secret secret;
    secret_in_epoch(&secret, 0, 0);
    secret_advance(&secret, 14999, LIFETIME, 0);
    EXPECT_EQ(15000, secret_next_ms(&secret, 15000));
    secret_advance(&secret, 15000, 15000, 0);
    EXPECT_EQ(1, secret.epoch);
    EXPECT_EQ(30000, secret_next_ms(&secret, 15000));
}

static void
test_key_of_a_retired_epoch_is_not_taken(void)
{
    /* It would push out the key in force, whose slot it shares. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    give_key(&secret, 4);
    EXPECT_TRUE(!in_memory(&secret, 4));
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 8));
}

static void
test_key_of_the_epoch_before_the_last_serves_for_the_skew(void)
{
    /* A machine that starts just after a rotation is given that key too. */
    struct secret secret;
    uint32_t skew = 1000;
    secret_in_epoch(&secret, 8, 0);
    give_key(&secret, 6);
    EXPECT_TRUE(verifies(&secret, 6, skew - 1, skew));
    EXPECT_TRUE(!verifies(&secret, 6, skew, skew));
    secret_advance(&secret, skew - 1, LIFETIME, skew);
    EXPECT_TRUE(in_memory(&secret, 6));
    secret_advance(&secret, skew, LIFETIME, skew);
    EXPECT_TRUE(!in_memory(&secret, 6));
}

static void
test_replaced_key_is_gone(void)
{
    /* A key set twice leaves nothing of the first. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    uint8_t other[SYNCACHE_KEY_BYTES];
    memset(other, 0x55, sizeof other);
    secret_set_key(&secret, 8, other);
    EXPECT_TRUE(!in_memory(&secret, 8));
    EXPECT_BYTES(other, secret_mint(&secret), sizeof other);
}

/* Epochs as dates: e begins at e lifetimes and lives in its own and the next.
 */
static void
follow_definition(uint32_t skew)
{
    struct secret secret;
    secret_in_epoch(&secret, 0, 0);
    bool given[4096] = {true, true};
    uint64_t now = 0;
    while (now / LIFETIME < 4000) {
        now += test_random_below(3) ? test_random_below(2000)
                                    : test_random_below(2 * LIFETIME);
        secret_advance(&secret, now, LIFETIME, skew);
        uint64_t epoch = now / LIFETIME;
        EXPECT_EQ(epoch, secret.epoch);
        if (test_random_below(4)) {
            uint64_t which = epoch + test_random_below(2);
            give_key(&secret, which);
            given[which] = true;
        }
        uint64_t newest = epoch;
        while (!given[newest])
            newest--; /* what is in force for want of a newer one */
        for (uint64_t e = epoch < 3 ? 0 : epoch - 3; e < epoch + 3; e++) {
            uint64_t begin = e * LIFETIME;
            bool live =
                now + skew >= begin && now < begin + 2 * LIFETIME + skew;
            EXPECT_EQ((live && given[e]) || (!given[epoch] && e == newest),
                      verifies(&secret, e, now, skew));
        }
    }
}

static void
test_random_steps_follow_the_definition(void)
{
    /* Candidates are those whose life, widened by the skew, includes now. */
    follow_definition(0);
    follow_definition(1);
    follow_definition(1000);
}

static void
test_key_of_a_later_epoch_in_the_same_slot_leaves_the_one_in_force(void)
{
    /* A caller four epochs ahead of its own clock. */
    struct secret secret;
    secret_in_epoch(&secret, 8, 0);
    give_key(&secret, 12);
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 8));
    EXPECT_TRUE(verifies(&secret, 8, 0, 0));
    secret_advance(&secret, 4 * LIFETIME, LIFETIME, 0);
    EXPECT_TRUE(is_key_of(secret_mint(&secret), 12));
}

static void
test_key_used_past_its_time_verifies_after_two_successors(void)
{
    /* Key 0 makes cookies in epoch 5, whose own key comes late; epoch 6 gets
     * none, so 5 stays the source: cookies of both are good in epoch 6. */
    struct secret secret;
    secret_init(&secret);
    secret_advance(&secret, 0, LIFETIME, 0);
    give_key(&secret, 0);
    secret_advance(&secret, 5 * LIFETIME, LIFETIME, 0);
    secret_use(&secret);
    give_key(&secret, 5);
    secret_use(&secret);
    for (uint64_t at = 6; at <= 7; at++) {
        secret_advance(&secret, at * LIFETIME, LIFETIME, 0);
        secret_use(&secret);
        EXPECT_TRUE(is_key_of(secret_mint(&secret), 5));
        EXPECT_TRUE(verifies(&secret, 5, at * LIFETIME, 0));
        EXPECT_EQ(at == 6, verifies(&secret, 0, at * LIFETIME, 0));
    }
}

/* Whatever made a cookie verifies it for a lifetime, however keys come. */
static void
follow_cookies(uint32_t skew)
{
    struct {
        uint64_t at, key;
    } made[64] = {{0, 0}};
    struct secret secret;
    uint64_t now = 0;
    secret_init(&secret);
    secret_advance(&secret, now, LIFETIME, skew);
    for (uint32_t step = 0; step < 20000; step++) {
        now += test_random_below(5) ? test_random_below(LIFETIME / 4)
                                    : test_random_below(3 * LIFETIME);
        secret_advance(&secret, now, LIFETIME, skew);
        if (test_random_below(3) == 0) {
            uint64_t back = test_random_below(4);
            if (back <= secret.epoch + 1)
                give_key(&secret, secret.epoch + 1 - back);
        }
        secret_advance(&secret, now, LIFETIME, skew);
        secret_use(&secret);
        for (size_t i = 0; i < TEST_COUNT(made); i++) {
            if (made[i].key != 0 && now - made[i].at < LIFETIME)
                EXPECT_TRUE(verifies(&secret, made[i].key - 1, now, skew));
        }
        if (secret_mint(&secret) == NULL)
            continue;
        made[step % TEST_COUNT(made)].at = now;
        made[step % TEST_COUNT(made)].key =
            secret.place[secret.source].epoch + 1;
        EXPECT_EQ(secret.place[secret.source].epoch & 1,
                  secret_parity(&secret));
    }
}

static void
test_every_cookie_verifies_for_a_lifetime(void)
{
    follow_cookies(0);
    follow_cookies(1000);
}

static void
test_nothing_changes_until_the_time_said(void)
{
    /* A copy that is moved on at each step equals one that is moved on when
     * that is due. */
    struct secret each, due;
    uint64_t now = 5000, settled = 0;

    memset(&each, 0, sizeof each);
    secret_init(&each);
    due = each;
    for (uint32_t step = 0; step < 20000; step++) {
        if (test_random_below(50) == 0) {
            uint64_t epoch = each.epoch + test_random_below(2);
            give_key(&each, epoch);
            give_key(&due, epoch);
            settled = 0;
        }
        now += test_random_below(100) == 0 ? LIFETIME * 3 : 40;
        secret_advance(&each, now, LIFETIME, 1000);
        if (now >= settled) {
            secret_advance(&due, now, LIFETIME, 1000);
            settled = secret_settled_ms(&due, now, LIFETIME, 1000);
        }
        secret_use(&each);
        secret_use(&due);
        EXPECT_TRUE(settled > now);
        EXPECT_EQ(each.epoch, due.epoch);
        EXPECT_EQ(each.source, due.source);
        EXPECT_EQ(0, memcmp(each.place, due.place, sizeof each.place));
    }
}

static const struct test tests[] = {
    TEST(test_no_time_told_no_end_and_no_key),
    TEST(test_key_not_renewed_stays_in_force_until_the_epoch_after_a_new_one),
    TEST(test_first_time_told_begins_epoch_0),
    TEST(test_cookie_dies_with_its_key_two_lifetimes_after_it_began),
    TEST(test_successor_verifies_within_skew_of_the_end),
    TEST(test_epoch_as_far_ahead_as_can_be_has_no_successor),
    TEST(test_retired_key_verifies_within_skew_and_is_wiped_then),
    TEST(test_long_gap_keeps_the_last_key_until_another_is_given),
    TEST(test_epoch_set_anew_retires_the_keys_of_before),
    TEST(test_epoch_that_began_before_the_clock_ends_in_time),
    TEST(test_shorter_lifetime_acts_on_the_running_period),
    TEST(test_key_of_a_retired_epoch_is_not_taken),
    TEST(test_key_of_the_epoch_before_the_last_serves_for_the_skew),
    TEST(test_replaced_key_is_gone),
    TEST(test_random_steps_follow_the_definition),
    TEST(test_key_of_a_later_epoch_in_the_same_slot_leaves_the_one_in_force),
    TEST(test_key_used_past_its_time_verifies_after_two_successors),
    TEST(test_every_cookie_verifies_for_a_lifetime),
    TEST(test_nothing_changes_until_the_time_said),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

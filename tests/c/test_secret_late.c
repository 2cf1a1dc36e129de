/* The ring of cookie keys: keys that come late, epochs that are told late. */
#include "test.h"

#include "../../csrc/core/secret.h"

#define LIFETIME 32000u

static struct secret secret;

/* A key whose 16 bytes all tell its epoch. */
static void
give_key(uint8_t epoch)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    memset(key, epoch, sizeof key);
    secret_set_key(&secret, epoch, key);
}

/* The epoch of the key that makes cookies, 0 without one. */
static uint8_t
minting(void)
{
    const uint8_t *key = secret_mint(&secret);
    return key == NULL ? 0 : key[0];
}

static void
test_late_key_of_the_epoch_before_takes_over(void)
{
    /* From one that made cookies in that epoch for want of it. */
    secret_init(&secret);
    secret_set_epoch(&secret, 9, 0);
    give_key(9);
    secret_advance(&secret, LIFETIME, LIFETIME, 1000);
    secret_use(&secret);
    EXPECT_EQ(9, minting());
    secret_advance(&secret, 2 * LIFETIME, LIFETIME, 1000);
    EXPECT_EQ(9, minting());
    give_key(10);
    EXPECT_EQ(10, minting());
}

static void
test_first_epoch_told_moves_no_key(void)
{
    /* Nothing was made with the key of a later one; or there is none at all. */
    secret_init(&secret);
    secret_set_epoch(&secret, 5, 0);
    secret_set_epoch(&secret, 6, 0);
    EXPECT_EQ(0, minting());
    secret_init(&secret);
    give_key(9);
    secret_set_epoch(&secret, 8, 0);
    EXPECT_TRUE(!secret.place[SECRET_HELD].set);
}

static const struct test tests[] = {
    TEST(test_late_key_of_the_epoch_before_takes_over),
    TEST(test_first_epoch_told_moves_no_key),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* An ACK tried as a cookie: every key and scale that may have made it. */
#include "test.h"

#include "../../csrc/core/cookie.h"

#define LIFETIME 32000u
#define SKEW 1000u
#define IRS 77000u

static struct secret secret;

static const struct syncache_tuple tuple = {
    .faddr = {192, 0, 2, 1},
    .laddr = {198, 51, 100, 9},
    .fport = 40000,
    .lport = 443,
    .family = 4,
};

/* Epochs 4 and 5, the second in force since 100 s. */
static struct cookie_rules
rules_at(uint64_t now_ms)
{
    struct cookie_rules rules = {.secret = &secret,
                                 .now_ms = now_ms,
                                 .lifetime_ms = LIFETIME,
                                 .skew_ms = SKEW,
                                 .layout = SYNCACHE_LAYOUT_WIDE};
    uint8_t key[SYNCACHE_KEY_BYTES] = {4};

    secret_init(&secret);
    secret_set_key(&secret, 4, key);
    key[0] = 5;
    secret_set_key(&secret, 5, key);
    secret_set_epoch(&secret, 5, 100000);
    secret_advance(&secret, now_ms, LIFETIME, SKEW);
    return rules;
}

static uint32_t
cookie_of(uint8_t epoch, uint8_t rcv_wscale)
{
    struct syncache_cookie_options options = {.mss = 1460,
                                              .wscale = 7,
                                              .sack_permitted = 1,
                                              .rcv_wscale = rcv_wscale};
    uint8_t key[SYNCACHE_KEY_BYTES] = {epoch};

    return syncookie_generate(key, &tuple, IRS, &options, epoch & 1, 0,
                              SYNCACHE_LAYOUT_WIDE);
}

static void
test_each_key_and_scale_is_found(void)
{
    static const uint8_t scales[] = {5, 9, SYNCACHE_WSCALE_NONE};
    struct syncache_cookie_options options;
    struct cookie_rules rules = rules_at(101000);

    for (uint8_t epoch = 4; epoch <= 5; epoch++) {
        for (size_t i = 0; i < TEST_COUNT(scales); i++) {
            EXPECT_EQ(COOKIE_GOOD, cookie_verify(&rules, &tuple, IRS,
                                                 cookie_of(epoch, scales[i]),
                                                 scales, 3, &options));
            EXPECT_EQ(scales[i], options.rcv_wscale);
            EXPECT_EQ(1460, options.mss);
            EXPECT_EQ(7, options.wscale);
            EXPECT_EQ(1, options.sack_permitted);
        }
    }
}

static void
test_scale_that_was_not_told_is_another_cookie(void)
{
    static const uint8_t scales[] = {5};
    struct syncache_cookie_options options;
    struct cookie_rules rules = rules_at(101000);

    EXPECT_EQ(COOKIE_OTHER, cookie_verify(&rules, &tuple, IRS, cookie_of(5, 6),
                                          scales, 1, &options));
    EXPECT_EQ(COOKIE_OTHER,
              cookie_verify(&rules, &tuple, IRS + 1, cookie_of(5, 5), scales, 1,
                            &options));
}

static void
test_retired_key_is_no_key(void)
{
    static const uint8_t scales[] = {5};
    struct syncache_cookie_options options;
    struct cookie_rules rules = rules_at(101000);
    uint32_t iss = cookie_of(4, 5);

    rules = rules_at(100000 + 2 * LIFETIME + SKEW + 1);
    EXPECT_EQ(COOKIE_NO_KEY,
              cookie_verify(&rules, &tuple, IRS, iss, scales, 1, &options));
}

static void
test_timestamp_lives_from_the_skew_before_to_two_lifetimes_after(void)
{
    static const struct {
        int64_t age_ms;
        bool timely;
    } rows[] = {
        {-1001, false}, {-1000, true},  {0, true},
        {64000, true},  {64001, false}, {INT32_MIN, false},
    };

    for (size_t i = 0; i < TEST_COUNT(rows); i++)
        EXPECT_EQ(rows[i].timely,
                  cookie_timely(rows[i].age_ms, LIFETIME, SKEW));
}

static const struct test tests[] = {
    TEST(test_each_key_and_scale_is_found),
    TEST(test_scale_that_was_not_told_is_another_cookie),
    TEST(test_retired_key_is_no_key),
    TEST(test_timestamp_lives_from_the_skew_before_to_two_lifetimes_after),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

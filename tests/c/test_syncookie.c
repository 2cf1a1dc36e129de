/* The three cookie layouts: loss, what the MAC covers, the threat's figures. */
#include "test.h"

#include "../../csrc/core/siphash.h"
#include "../../csrc/core/syncookie.h"

#define NONE SYNCACHE_WSCALE_NONE

static const uint8_t golden_keys[2][SYNCACHE_KEY_BYTES] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
};

static const struct syncache_tuple tuple_v4 = {
    .faddr = {192, 0, 2, 1},
    .laddr = {198, 51, 100, 7},
    .fport = 49152,
    .lport = 80,
    .family = 4,
};

static const struct syncache_tuple tuple_v6 = {
    .faddr = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
    .laddr = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    .fport = 49152,
    .lport = 443,
    .family = 6,
};

/* A SYN's options, and our scale as the default buffers have it. */
static struct syncache_cookie_options
options_of(uint16_t mss, uint8_t wscale, bool sack)
{
    return (struct syncache_cookie_options){
        .mss = mss,
        .wscale = wscale,
        .sack_permitted = sack,
        .rcv_wscale = 6,
    };
}

/* Mints under golden key 0 and decodes; mss is 0xffff if that is refused. */
static struct syncache_cookie_options
restored(const struct syncache_tuple *tuple, enum syncache_layout layout,
         struct syncache_cookie_options options)
{
    uint32_t iss =
        syncookie_generate(golden_keys[0], tuple, 77, &options, 0, 0, layout);
    struct syncache_cookie_options back = options_of(0xffff, 0xee, false);
    syncookie_lookup(golden_keys[0], tuple, 77, iss, 0, layout, &back);
    return back;
}

static void
test_mss_comes_back_as_the_largest_entry_below(void)
{
    /* Every MSS at every edge of every table; 0 is a SYN without the option. */
    static const struct {
        enum syncache_layout layout;
        uint8_t family;
        uint16_t none;
        uint16_t table[9];
    } rows[] = {
        {SYNCACHE_LAYOUT_FREEBSD,
         4,
         216,
         {216, 536, 1200, 1360, 1400, 1440, 1452, 1460}},
        {SYNCACHE_LAYOUT_FREEBSD,
         6,
         216,
         {216, 536, 1200, 1360, 1400, 1440, 1452, 1460}},
        {SYNCACHE_LAYOUT_WIDE,
         4,
         536,
         {216, 536, 1300, 1360, 1400, 1452, 1460, 8960}},
        {SYNCACHE_LAYOUT_WIDE,
         6,
         1220,
         {216, 1220, 1360, 1380, 1420, 1432, 1440, 8940}},
        {SYNCACHE_LAYOUT_MSS, 4, 536, {216, 536, 1460, 8960}},
        {SYNCACHE_LAYOUT_MSS, 6, 536, {216, 536, 1460, 8960}},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        const struct syncache_tuple *tuple =
            rows[i].family == 4 ? &tuple_v4 : &tuple_v6;
        EXPECT_EQ(
            rows[i].none,
            restored(tuple, rows[i].layout, options_of(0, NONE, false)).mss);
        uint16_t expected = rows[i].table[0];
        const uint16_t *next = rows[i].table + 1;
        for (uint32_t mss = 1; mss <= 65535; mss += mss < 10000 ? 1 : 997) {
            if (*next != 0 && mss >= *next)
                expected = *next++;
            struct syncache_cookie_options options =
                options_of((uint16_t)mss, NONE, false);
            EXPECT_EQ(expected, restored(tuple, rows[i].layout, options).mss);
        }
        EXPECT_EQ(0, *next);
    }
}

static void
test_wscale_comes_back_as_the_largest_entry_below(void)
{
    /* None stays none, and no offered scale turns into none. */
    static const uint8_t offered[] = {NONE, 0, 1, 2,  3,  4,  5, 6,
                                      7,    8, 9, 10, 11, 13, 14};
    static const uint8_t freebsd[] = {NONE, 0, 1, 2, 2, 4, 4, 6,
                                      7,    8, 8, 8, 8, 8, 8};
    static const uint8_t wide[] = {NONE, 0, 0, 2,  2,  4,  4, 6,
                                   7,    8, 8, 10, 10, 10, 10};
    for (size_t i = 0; i < TEST_COUNT(offered); i++) {
        struct syncache_cookie_options options =
            options_of(1460, offered[i], true);
        EXPECT_EQ(freebsd[i],
                  restored(&tuple_v4, SYNCACHE_LAYOUT_FREEBSD, options).wscale);
        EXPECT_EQ(wide[i],
                  restored(&tuple_v4, SYNCACHE_LAYOUT_WIDE, options).wscale);
        EXPECT_EQ(wide[i],
                  restored(&tuple_v6, SYNCACHE_LAYOUT_WIDE, options).wscale);
        EXPECT_EQ(NONE,
                  restored(&tuple_v4, SYNCACHE_LAYOUT_MSS, options).wscale);
    }
}

static void
test_sack_comes_back_but_for_layout_mss(void)
{
    /* SACK-permitted has a bit of its own, which FreeBSD 4 did not have. */
    for (int sack = 0; sack <= 1; sack++) {
        struct syncache_cookie_options options = options_of(1460, 7, sack);
        EXPECT_EQ(
            sack,
            restored(&tuple_v4, SYNCACHE_LAYOUT_WIDE, options).sack_permitted);
        EXPECT_EQ(
            0,
            restored(&tuple_v4, SYNCACHE_LAYOUT_MSS, options).sack_permitted);
    }
}

/* A handshake in all its parts, to alter one at a time. */
struct attempt {
    struct syncache_tuple tuple;
    struct syncache_cookie_options options;
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint32_t irs;
    uint32_t iss;
    uint64_t secmod;
    enum syncache_layout layout;
};

static struct attempt
random_attempt(enum syncache_layout layout)
{
    struct attempt attempt = {.layout = layout};
    struct syncache_tuple *tuple = &attempt.tuple;
    tuple->family = test_random_below(2) ? 4 : 6;
    test_random_bytes(tuple->faddr, tuple->family == 4 ? 4 : 16);
    test_random_bytes(tuple->laddr, tuple->family == 4 ? 4 : 16);
    tuple->fport = (uint16_t)test_random();
    tuple->lport = (uint16_t)test_random();
    test_random_bytes(attempt.key, sizeof attempt.key);
    attempt.irs = (uint32_t)test_random();
    attempt.secmod = test_random();
    attempt.options = options_of((uint16_t)test_random(),
                                 (uint8_t)test_random_below(15), true);
    attempt.iss = syncookie_generate(
        attempt.key, tuple, attempt.irs, &attempt.options,
        (uint32_t)test_random_below(2), attempt.secmod, layout);
    return attempt;
}

static bool
check(struct attempt attempt)
{
    return syncookie_lookup(attempt.key, &attempt.tuple, attempt.irs,
                            attempt.iss, attempt.secmod, attempt.layout,
                            &attempt.options);
}

/* Alters one part; returns what, NULL when there is none of that number. */
static const char *
alter(struct attempt *attempt, int which)
{
    size_t address_size = attempt->tuple.family == 4 ? 4 : 16;
    uint8_t bit = (uint8_t)(1 << test_random_below(8));
    switch (which) {
    case 0:
        attempt->tuple.faddr[test_random_below(address_size)] ^= bit;
        return "faddr";
    case 1:
        attempt->tuple.laddr[test_random_below(address_size)] ^= bit;
        return "laddr";
    case 2:
        attempt->tuple.fport ^= (uint16_t)(1 << test_random_below(16));
        return "fport";
    case 3:
        attempt->tuple.lport ^= (uint16_t)(1 << test_random_below(16));
        return "lport";
    case 4:
        attempt->irs ^= UINT32_C(1) << test_random_below(32);
        return "irs";
    case 5:
        attempt->iss ^= UINT32_C(1) << test_random_below(32);
        return "iss";
    case 6:
        attempt->key[test_random_below(SYNCACHE_KEY_BYTES)] ^= bit;
        return "key";
    case 7:
        attempt->secmod ^= UINT64_C(1) << test_random_below(64);
        return "secmod";
    case 8:
        attempt->irs += 1;
        attempt->iss += 1;
        return "irs and iss shifted together";
    case 9:
        attempt->tuple.family ^= 4 ^ 6;
        return "family";
    default:
        return NULL;
    }
}

static void
test_one_altered_part_is_refused(void)
{
    /* Whatever names the handshake is in the MAC (by chance 2^-24 passes). */
    for (int round = 0; round < 200; round++) {
        for (int layout = 0; layout < 3; layout++) {
            struct attempt good = random_attempt((enum syncache_layout)layout);
            EXPECT_TRUE(check(good));
            struct attempt bad = good;
            for (int i = 0; (test_row = alter(&bad, i)) != NULL; i++) {
                EXPECT_TRUE(!check(bad));
                bad = good;
            }
            test_row = "";
        }
    }
}

static void
test_own_scale_is_covered_by_wide_alone(void)
{
    /* A changed buffer limit must not shift the windows of old handshakes. */
    static const bool covered[] = {true, false, false};
    for (int layout = 0; layout < 3; layout++) {
        struct attempt attempt = random_attempt((enum syncache_layout)layout);
        attempt.options.rcv_wscale = 7;
        EXPECT_EQ(!covered[layout], check(attempt));
        attempt.options.rcv_wscale = 6;
        EXPECT_TRUE(check(attempt));
    }
}

static void
test_cookie_of_another_layout_is_refused(void)
{
    /* A switch of layout must not read old indices in new tables. */
    for (int from = 0; from < 3; from++) {
        for (int to = 0; to < 3; to++) {
            struct attempt attempt = random_attempt((enum syncache_layout)from);
            attempt.layout = (enum syncache_layout)to;
            EXPECT_EQ(from == to, check(attempt));
        }
    }
}

/*
 * The ISS of tuple_v4 with irs 0x12345678 and secmod 0xbeef under golden key 1,
 * byte by byte as the head comment of syncookie.c draws it.
 */
static uint32_t
iss_by_hand(uint8_t byte, uint8_t rcv_wscale, uint8_t table)
{
    const uint8_t input[28] = {
        192, 0,  2,    1,    198,  51,         100,   7,    0xc0, 0x00,
        0,   80, 0x78, 0x56, 0x34, 0x12,       byte,  0xef, 0xbe, 0,
        0,   0,  0,    0,    0,    rcv_wscale, table, 1,
    };
    uint32_t mac = siphash24_fold(golden_keys[1], input, sizeof input);
    return (mac & 0xffffff00) | (mac >> 24 ^ byte);
}

static void
test_mac_input_has_its_documented_bytes(void)
{
    /* The diagram is a promise: other machines of a fleet rely on it. */
    struct syncache_cookie_options options = options_of(1460, 7, true);
    EXPECT_EQ(iss_by_hand(6 << 5 | 5 << 2 | 2 | 1, 6, 4),
              syncookie_generate(golden_keys[1], &tuple_v4, 0x12345678,
                                 &options, 1, 0xbeef, SYNCACHE_LAYOUT_WIDE));
    EXPECT_EQ(iss_by_hand(2 << 5 | 1, NONE, 1),
              syncookie_generate(golden_keys[1], &tuple_v4, 0x12345678,
                                 &options, 1, 0xbeef, SYNCACHE_LAYOUT_MSS));
}

static void
test_layout_mss_with_a_spare_bit_set_is_refused(void)
{
    /* Five bits of its byte say nothing: set, even a right MAC is refused. */
    struct syncache_cookie_options options = options_of(0, 0, false);
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t iss = iss_by_hand((uint8_t)byte, NONE, 1);
        bool spare = (byte & 0x9e) != 0;
        EXPECT_EQ(!spare,
                  syncookie_lookup(golden_keys[1], &tuple_v4, 0x12345678, iss,
                                   0xbeef, SYNCACHE_LAYOUT_MSS, &options));
    }
}

static void
test_each_cookie_byte_has_one_iss(void)
{
    /* 256 of 2^32 ISS are good, 8 in layout mss: the threat's 2^-24, 2^-29. */
    static const uint16_t mss[] = {216,  536,  1300, 1360,
                                   1400, 1452, 1460, 8960};
    static const uint8_t wscale[] = {NONE, 0, 2, 4, 6, 7, 8, 10};
    static uint32_t good[256];
    for (uint32_t byte = 0; byte < 256; byte++) {
        struct syncache_cookie_options options =
            options_of(mss[byte >> 5], wscale[byte >> 2 & 7], (byte & 2) != 0);
        uint32_t iss =
            syncookie_generate(golden_keys[0], &tuple_v4, 77, &options,
                               byte & 1, 0, SYNCACHE_LAYOUT_WIDE);
        EXPECT_EQ(byte, (iss & 0xff) ^ iss >> 24);
        good[byte] = iss;
    }
    for (uint32_t i = 0; i < 300000; i++) {
        uint32_t byte = i & 0xff;
        uint32_t iss = (uint32_t)test_random() & 0xffffff00;
        iss |= byte ^ iss >> 24;
        struct syncache_cookie_options options = options_of(0, 0, false);
        bool passes = syncookie_lookup(golden_keys[0], &tuple_v4, 77,
                                       i < 256 ? good[byte] : iss, 0,
                                       SYNCACHE_LAYOUT_WIDE, &options);
        EXPECT_EQ(i < 256 || iss == good[byte], passes);
    }
}

static void
test_random_step_keeps_what_the_loss_function_says(void)
{
    /* Decoding what was decoded changes nothing: the loss is a projection. */
    for (int round = 0; round < 2000; round++) {
        enum syncache_layout layout =
            (enum syncache_layout)test_random_below(3);
        const struct syncache_tuple *tuple =
            test_random_below(2) ? &tuple_v4 : &tuple_v6;
        struct syncache_cookie_options options = options_of(
            (uint16_t)test_random(),
            test_random_below(4) ? (uint8_t)test_random_below(15) : NONE,
            test_random_below(2));
        struct syncache_cookie_options once = restored(tuple, layout, options);
        struct syncache_cookie_options twice = restored(tuple, layout, once);
        EXPECT_EQ(once.mss, twice.mss);
        EXPECT_EQ(once.wscale, twice.wscale);
        EXPECT_EQ(once.sack_permitted, twice.sack_permitted);
        EXPECT_TRUE(options.mss < 216 || once.mss <= options.mss);
    }
}

/* Chance that n blind ACKs all fail, by squaring, without libm. */
static double
all_fail(uint64_t n)
{
    double power = 1.0 - 1.0 / 16777216.0;
    double product = 1.0;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            product *= power;
        power *= power;
    }
    return product;
}

static void
test_threat_arithmetic_of_the_head_comment_holds(void)
{
    /* Each figure there is recomputed here. */
    EXPECT_TRUE(all_fail(11629080) <= 0.5 && all_fail(11629079) > 0.5);
    EXPECT_TRUE(all_fail(38650000) < 0.1 && all_fail(38550000) > 0.1);
    EXPECT_EQ(167, 16777216 / 100000);
    /* sqrt(2 ln 2 * 2^24) and sqrt(2 ln 10 * 2^24), rounded. */
    double ln2 = 0.69314718055994531, ln10 = 2.30258509299404568;
    EXPECT_TRUE(4822.5 * 4822.5 < ln2 * 33554432.0 &&
                4823.5 * 4823.5 > ln2 * 33554432.0);
    EXPECT_TRUE(8789.5 * 8789.5 < ln10 * 33554432.0 &&
                8790.5 * 8790.5 > ln10 * 33554432.0);
}

static void
test_public_names_are_the_same_functions(void)
{
    /* The wrappers of syncache.h neither add nor lose an argument. */
    struct syncache_cookie_options options = options_of(1460, 7, true);
    uint32_t iss = syncache_cookie_mint(golden_keys[1], &tuple_v6, 9, &options,
                                        1, 3, SYNCACHE_LAYOUT_WIDE);
    EXPECT_EQ(syncookie_generate(golden_keys[1], &tuple_v6, 9, &options, 1, 3,
                                 SYNCACHE_LAYOUT_WIDE),
              iss);
    options.mss = 0;
    EXPECT_TRUE(syncache_cookie_check(golden_keys[1], &tuple_v6, 9, iss, 3,
                                      SYNCACHE_LAYOUT_WIDE, &options));
    EXPECT_EQ(1440, options.mss);
    EXPECT_EQ(0xa129ca6149be45e5,
              syncache_siphash24(golden_keys[0], golden_keys[0], 15));
}

static void
test_public_names_refuse_what_is_out_of_range(void)
{
    struct syncache_cookie_options options = options_of(1460, 7, true);
    const struct syncache_cookie_options before = options;
    struct syncache_tuple other = tuple_v6;

    EXPECT_EQ(0, syncache_cookie_mint(golden_keys[1], &tuple_v6, 9, &options, 2,
                                      3, SYNCACHE_LAYOUT_WIDE));
    EXPECT_EQ(0, syncache_cookie_mint(golden_keys[1], &tuple_v6, 9, &options, 1,
                                      3, SYNCACHE_LAYOUT_MSS + 1));
    EXPECT_TRUE(!syncache_cookie_check(golden_keys[1], &tuple_v6, 9, 0, 3,
                                       UINT32_MAX, &options));
    for (int family = 0; family < 256; family++) {
        other.family = (uint8_t)family;
        if (family == 4 || family == 6)
            continue;
        EXPECT_EQ(0, syncache_cookie_mint(golden_keys[1], &other, 9, &options,
                                          1, 3, SYNCACHE_LAYOUT_WIDE));
        EXPECT_TRUE(!syncache_cookie_check(golden_keys[1], &other, 9, 0, 3,
                                           SYNCACHE_LAYOUT_WIDE, &options));
    }
    EXPECT_EQ(0, memcmp(&before, &options, sizeof options));
}

static const struct test tests[] = {
    TEST(test_public_names_refuse_what_is_out_of_range),
    TEST(test_mss_comes_back_as_the_largest_entry_below),
    TEST(test_wscale_comes_back_as_the_largest_entry_below),
    TEST(test_sack_comes_back_but_for_layout_mss),
    TEST(test_one_altered_part_is_refused),
    TEST(test_own_scale_is_covered_by_wide_alone),
    TEST(test_cookie_of_another_layout_is_refused),
    TEST(test_mac_input_has_its_documented_bytes),
    TEST(test_each_cookie_byte_has_one_iss),
    TEST(test_layout_mss_with_a_spare_bit_set_is_refused),
    TEST(test_random_step_keeps_what_the_loss_function_says),
    TEST(test_threat_arithmetic_of_the_head_comment_holds),
    TEST(test_public_names_are_the_same_functions),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

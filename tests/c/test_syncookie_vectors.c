/* Layout freebsd against cookies that FreeBSD's own code made. */
#include "test.h"

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

static const struct syncache_tuple tuple_v4_edge = {
    .faddr = {203, 0, 113, 9},
    .laddr = {198, 51, 100, 7},
    .fport = 1,
    .lport = 65535,
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

static void
test_golden_vectors_give_their_iss(void)
{
    /* The seven cookies that the specification spells out, both ways. */
    static const struct {
        const struct syncache_tuple *tuple;
        uint32_t irs;
        uint16_t mss;
        uint8_t wscale, sack, parity;
        uint64_t secmod;
        uint32_t iss;
        uint16_t mss_back;
        uint8_t wscale_back;
    } rows[] = {
        {&tuple_v4, 0x12345678, 1460, 7, 1, 0, 0, 0xa86b1952, 1460, 7},
        {&tuple_v4, 0x12345678, 1460, 7, 1, 1, 0, 0x007e21fb, 1460, 7},
        {&tuple_v4, 0x12345678, 1460, NONE, 0, 0, 5, 0x3ff6c9df, 1460, NONE},
        {&tuple_v4, 0xffffffff, 0, 0, 1, 0, 5, 0x71a62977, 216, 0},
        {&tuple_v4_edge, 0, 8960, 14, 1, 1, 511, 0x251b81da, 1460, 8},
        {&tuple_v6, 0x12345678, 1440, 9, 1, 0, 0, 0x018ff3bf, 1440, 8},
        {&tuple_v6, 0x12345678, 1220, 3, 0, 1, 7, 0x6d600220, 1200, 2},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct syncache_cookie_options options =
            options_of(rows[i].mss, rows[i].wscale, rows[i].sack);
        const uint8_t *key = golden_keys[rows[i].parity];
        EXPECT_EQ(rows[i].iss,
                  syncookie_generate(key, rows[i].tuple, rows[i].irs, &options,
                                     rows[i].parity, rows[i].secmod,
                                     SYNCACHE_LAYOUT_FREEBSD));
        EXPECT_EQ(rows[i].parity, syncookie_parity(rows[i].iss));
        EXPECT_TRUE(syncookie_lookup(key, rows[i].tuple, rows[i].irs,
                                     rows[i].iss, rows[i].secmod,
                                     SYNCACHE_LAYOUT_FREEBSD, &options));
        EXPECT_EQ(rows[i].mss_back, options.mss);
        EXPECT_EQ(rows[i].wscale_back, options.wscale);
        EXPECT_EQ(rows[i].sack, options.sack_permitted);
    }
}

/* One line of vectors/syncookie_freebsd.txt. */
struct vector {
    struct syncache_tuple tuple;
    uint8_t keys[2][SYNCACHE_KEY_BYTES];
    uint64_t secmod;
    uint32_t irs;
    uint32_t iss;
};

static bool
read_hex(FILE *file, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (fscanf(file, i == 0 ? " %2" SCNx8 : "%2" SCNx8, &bytes[i]) != 1)
            return false;
    }
    return true;
}

static bool
read_vector(FILE *file, struct vector *vector)
{
    memset(vector, 0, sizeof *vector);
    struct syncache_tuple *tuple = &vector->tuple;
    return fscanf(file, "%" SCNu8, &tuple->family) == 1 &&
           read_hex(file, tuple->faddr, 16) &&
           read_hex(file, tuple->laddr, 16) &&
           fscanf(file, "%" SCNu16 " %" SCNu16, &tuple->fport, &tuple->lport) ==
               2 &&
           read_hex(file, vector->keys[0], SYNCACHE_KEY_BYTES) &&
           read_hex(file, vector->keys[1], SYNCACHE_KEY_BYTES) &&
           fscanf(file, "%" SCNu64 " %" SCNu32 " %" SCNu32, &vector->secmod,
                  &vector->irs, &vector->iss) == 3;
}

static void
expect_minted(FILE *file, const struct vector *vector)
{
    struct syncache_cookie_options options = options_of(0, 0, false);
    struct syncache_cookie_options back = options_of(0, 0, false);
    uint32_t parity;
    EXPECT_EQ(7, fscanf(file,
                        "%" SCNu32 " %" SCNu16 " %" SCNu8 " %" SCNu8 " %" SCNu16
                        " %" SCNu8 " %" SCNu8,
                        &parity, &options.mss, &options.wscale,
                        &options.sack_permitted, &back.mss, &back.wscale,
                        &back.sack_permitted));
    const uint8_t *key = vector->keys[parity & 1];
    EXPECT_EQ(vector->iss, syncookie_generate(key, &vector->tuple, vector->irs,
                                              &options, parity, vector->secmod,
                                              SYNCACHE_LAYOUT_FREEBSD));
    EXPECT_EQ(parity, syncookie_parity(vector->iss));
    EXPECT_TRUE(syncookie_lookup(key, &vector->tuple, vector->irs, vector->iss,
                                 vector->secmod, SYNCACHE_LAYOUT_FREEBSD,
                                 &options));
    EXPECT_EQ(back.mss, options.mss);
    EXPECT_EQ(back.wscale, options.wscale);
    EXPECT_EQ(back.sack_permitted, options.sack_permitted);
}

static void
test_freebsd_vectors_are_minted_restored_and_refused(void)
{
    /* 300 cookies of FreeBSD's own code both ways, and 100 ACKs to refuse. */
    FILE *file = fopen(TEST_VECTORS "/syncookie_freebsd.txt", "r");
    EXPECT_TRUE(file != NULL);
    if (file == NULL)
        return;
    char kind[8];
    struct vector vector;
    size_t minted = 0;
    size_t refused = 0;
    while (fscanf(file, "%7s", kind) == 1 && read_vector(file, &vector)) {
        if (strcmp(kind, "mint") == 0) {
            expect_minted(file, &vector);
            minted++;
            continue;
        }
        struct syncache_cookie_options options = options_of(0, 0, false);
        const uint8_t *key = vector.keys[syncookie_parity(vector.iss)];
        EXPECT_TRUE(!syncookie_lookup(key, &vector.tuple, vector.irs,
                                      vector.iss, vector.secmod,
                                      SYNCACHE_LAYOUT_FREEBSD, &options));
        refused++;
    }
    EXPECT_EQ(300, minted);
    EXPECT_EQ(100, refused);
    fclose(file);
}

static const struct test tests[] = {
    TEST(test_golden_vectors_give_their_iss),
    TEST(test_freebsd_vectors_are_minted_restored_and_refused),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* A shield's tables and keys, of which its programs mint: the core would mint the same. */
#include "../../csrc/core/bytes.h"
#include "../../csrc/core/siphash.h"
#include "../../csrc/core/syncookie.h"
#include "../../csrc/core/syncookie_pack.h"
#include "../../csrc/link/shield.h"
#include "test.h"

#define SECMOD UINT64_C(0x1122334455667788)
#define RCV_WSCALE 9

static const uint8_t key[SYNCACHE_KEY_BYTES] = "sixteen bytes..";
static struct shield_config config;

static const struct shield_family *
shaped(enum syncache_layout layout, uint8_t family)
{
    memset(&config, 0xee, sizeof config);
    config.rcv_wscale = RCV_WSCALE;
    shield_shape(&config, layout, SECMOD);
    return &config.family[family == 6];
}

/* As csrc/bpf/mint.h does it: words of the packet, then of the configuration. */
static uint32_t
minted(const struct shield_family *family, const struct syncache_tuple *tuple,
       uint32_t irs, uint32_t byte)
{
    uint64_t state[4];
    uint8_t words[40];
    uint32_t size = tuple->family == 4 ? 4 : 16;

    shield_key(state, key);
    struct siphash_state s = {state[0], state[1], state[2], state[3]};
    memcpy(words, tuple->faddr, size);
    memcpy(words + size, tuple->laddr, size);
    store16_be(words + 2 * size, tuple->fport);
    store16_be(words + 2 * size + 2, tuple->lport);
    store32_le(words + 2 * size + 4, irs);
    for (uint32_t at = 0; at < 2 * size + 8; at += 8)
        siphash_absorb(&s, load64_le(words + at));
    siphash_absorb(&s, family->tail[0] | byte);
    siphash_absorb(&s, family->tail[1]);
    uint64_t hash = siphash_end(&s);
    uint32_t mac = (uint32_t)(hash >> 32) ^ (uint32_t)hash;
    return syncookie_pack(mac, byte);
}

static void
expect_as_the_core(enum syncache_layout layout, uint8_t version, uint16_t mss,
                   uint8_t wscale)
{
    const struct shield_family *family = shaped(layout, version);
    struct syncache_tuple tuple = {.family = version};
    struct syncache_cookie_options options = {
        .mss = mss, .wscale = wscale, .rcv_wscale = RCV_WSCALE};
    uint32_t index = family->mss_none;
    uint32_t scale = 0;

    for (size_t i = 0; i < sizeof tuple.faddr; i++) {
        tuple.faddr[i] = (uint8_t)test_random();
        tuple.laddr[i] = (uint8_t)test_random();
    }
    tuple.fport = (uint16_t)test_random();
    tuple.lport = (uint16_t)test_random();
    uint32_t irs = (uint32_t)test_random();
    if (mss != 0)
        index = syncookie_index(family->mss, 0, 7, mss);
    if (wscale != SYNCACHE_WSCALE_NONE)
        scale = family->wscale_index >> 4 * wscale & 15;
    uint32_t byte =
        index << SYNCOOKIE_MSS_SHIFT | scale << SYNCOOKIE_WSCALE_SHIFT;
    EXPECT_EQ(syncookie_generate(key, &tuple, irs, &options, 0, SECMOD, layout),
              minted(family, &tuple, irs, byte));
}

static void
test_tables_and_keys_give_the_cookies_of_the_core(void)
{
    /* Both layouts and families; around every MSS of a table, and every scale. */
    static const uint16_t mss[] = {0,    215,  216,  217,  536,  1220, 1300,
                                   1360, 1440, 1459, 1460, 1461, 8940, 65535};

    for (int i = 0; i < 4; i++) {
        enum syncache_layout layout =
            i & 1 ? SYNCACHE_LAYOUT_WIDE : SYNCACHE_LAYOUT_FREEBSD;
        uint8_t version = i & 2 ? 6 : 4;
        for (size_t j = 0; j < sizeof mss / sizeof *mss; j++)
            expect_as_the_core(layout, version, mss[j], SYNCACHE_WSCALE_NONE);
        for (uint8_t scale = 0; scale <= SYNCACHE_WSCALE_MAX; scale++)
            expect_as_the_core(layout, version, 1460, scale);
    }
}

static void
test_the_floor_is_that_of_the_layouts(void)
{
    /* Which the rows of a shape leave out: they begin with index 1. */
    static const uint16_t v4[] = {216, 536, 1300, 1360, 1400, 1452, 1460, 8960};
    static const uint16_t v6[] = {216,  1220, 1360, 1380,
                                  1420, 1432, 1440, 8940};
    static const uint16_t scales[] = {0, 0, 2, 4, 6, 7, 8, 10};
    const struct shield_family *family = shaped(SYNCACHE_LAYOUT_WIDE, 4);

    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(v4[i], family[0].mss[i]);
        EXPECT_EQ(v6[i], family[1].mss[i]);
        EXPECT_EQ(scales[i], family[0].wscale[i]);
        EXPECT_EQ(scales[i], family[1].wscale[i]);
    }
}

static const struct test tests[] = {
    TEST(test_tables_and_keys_give_the_cookies_of_the_core),
    TEST(test_the_floor_is_that_of_the_layouts),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Bytes of a tuple, and keys of a seed. */
#include "cache.h"

#include "../../csrc/core/derive.h"

static void
test_pack_holds_each_field_once_in_network_order(void)
{
    /* No padding, no family byte: the lengths differ. */
    static const uint8_t v4[12] = {192, 0, 2,    1, 198, 51,
                                   100, 9, 0xc0, 0, 0,   80};
    uint8_t packed[DERIVE_TUPLE_MAX];
    cache_defaults();
    struct syncache_tuple tuple = peer_tuple(1);
    EXPECT_EQ(12, derive_tuple(&tuple, packed));
    EXPECT_BYTES(v4, packed, sizeof v4);
    family = 6;
    tuple = peer_tuple(1);
    EXPECT_EQ(36, derive_tuple(&tuple, packed));
    EXPECT_BYTES(tuple.laddr, packed + 16, 16);
    EXPECT_EQ(CACHE_PORT, load16_be(packed + 34));
}

static void
test_subkeys_differ_by_label_and_seed(void)
{
    /* One seed, keys that say nothing about each other. */
    uint8_t keys[3][16];
    static const uint8_t other[16] = {1};
    derive_subkey(cache_seed, "hash", keys[0]);
    derive_subkey(cache_seed, "iss ", keys[1]);
    derive_subkey(other, "hash", keys[2]);
    EXPECT_TRUE(memcmp(keys[0], keys[1], 16) != 0);
    EXPECT_TRUE(memcmp(keys[0], keys[2], 16) != 0);
    EXPECT_TRUE(memcmp(keys[0], keys[0] + 8, 8) != 0);
}

static const struct test tests[] = {
    TEST(test_pack_holds_each_field_once_in_network_order),
    TEST(test_subkeys_differ_by_label_and_seed),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

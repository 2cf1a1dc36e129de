/* SipHash-2-4 against the paper and against vectors/siphash24.txt; SipHash-1-3. */
#include "test.h"

#include "../../csrc/core/siphash.h"

/* The vectors' key and data: 00 01 02 .. */
static void
count_up(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)i;
}

static void
test_paper_example_gives_its_hash(void)
{
    /* Appendix A of the paper: 15 bytes. */
    uint8_t key[SIPHASH_KEY_BYTES];
    uint8_t data[15];
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    EXPECT_EQ(0xa129ca6149be45e5, siphash24(key, data, sizeof data));
}

static void
test_every_size_gives_the_vector(void)
{
    /* All 64 official sizes, so each position of the last word is met. */
    uint8_t key[SIPHASH_KEY_BYTES];
    uint8_t data[64];
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    FILE *file = fopen(TEST_VECTORS "/siphash24.txt", "r");
    EXPECT_TRUE(file != NULL);
    if (file == NULL)
        return;
    size_t size;
    uint64_t hash;
    size_t count = 0;
    while (count < 64 && fscanf(file, "%zu %" SCNx64, &size, &hash) == 2) {
        EXPECT_EQ(count, size);
        uint8_t *copy = test_heap_copy(data, count);
        EXPECT_EQ(hash, siphash24(key, copy, count));
        free(copy);
        count++;
    }
    EXPECT_EQ(64, count);
    fclose(file);
}

static void
test_unaligned_data_gives_the_same_hash(void)
{
    /* A hash is of bytes, wherever they lie. */
    uint8_t key[SIPHASH_KEY_BYTES];
    uint8_t data[40];
    uint8_t shifted[48];
    test_random_bytes(key, sizeof key);
    test_random_bytes(data, sizeof data);
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(shifted + shift, data, sizeof data);
        EXPECT_EQ(siphash24(key, data, sizeof data),
                  siphash24(key, shifted + shift, sizeof data));
    }
}

static void
test_fold_is_the_xor_of_the_halves(void)
{
    /* The 32-bit form that cookies and timestamp offsets use. */
    uint8_t key[SIPHASH_KEY_BYTES];
    uint8_t data[15];
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    EXPECT_EQ(0xa129ca61u ^ 0x49be45e5u,
              siphash24_fold(key, data, sizeof data));
}

static void
test_hash_of_tables_is_siphash_1_3(void)
{
    /* The published vector of no data, and two of whole words made by hand. */
    uint8_t key[SIPHASH_KEY_BYTES], data[16];
    const uint64_t expected[] = {UINT64_C(0xabac0158050fc4dc),
                                 UINT64_C(0x369095118d299a8e),
                                 UINT64_C(0xcc4fdd1a7d908b66)};
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    for (size_t words = 0; words < TEST_COUNT(expected); words++) {
        struct siphash_state s = siphash_begin(key);
        for (size_t i = 0; i < words; i++)
            siphash13_absorb(&s, load64_le(data + 8 * i));
        siphash13_absorb(&s, (uint64_t)words * 8 << 56);
        EXPECT_EQ(expected[words], siphash13_end(&s));
    }
}

static const struct test tests[] = {
    TEST(test_paper_example_gives_its_hash),
    TEST(test_every_size_gives_the_vector),
    TEST(test_hash_of_tables_is_siphash_1_3),
    TEST(test_unaligned_data_gives_the_same_hash),
    TEST(test_fold_is_the_xor_of_the_halves),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

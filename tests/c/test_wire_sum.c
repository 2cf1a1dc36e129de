/* The Internet checksum against RFC 1071's example and a 16-bit loop. */
#include "test.h"

#include "../../csrc/core/wire.h"

/* RFC 1071 1, word by word, as slow as it is clear. */
static uint32_t
plain_sum(uint32_t sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void
test_rfc_1071_example_gives_its_sum(void)
{
    /* RFC 1071 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03,
                                   0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(0xddf2, wire_sum(0, data, sizeof data));
}

static void
test_every_size_gives_the_plain_sum(void)
{
    /* All sizes that reach each tail of the loop, at all alignments. */
    uint8_t data[160];
    test_random_bytes(data, sizeof data);
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t size = 0; size <= sizeof data - 8; size++) {
            uint8_t *copy = test_heap_copy(data + shift, size);
            uint32_t start = (uint32_t)test_random_below(0x10000);
            EXPECT_EQ(plain_sum(start, copy, size),
                      wire_sum(start, copy, size));
            EXPECT_EQ(plain_sum(start, data + shift, size),
                      wire_sum(start, data + shift, size));
            free(copy);
        }
    }
}

static void
test_largest_packet_of_ones_does_not_overflow(void)
{
    /* The carries of a super-segment full of 0xff fold to 0xffff. */
    static uint8_t data[65575];
    memset(data, 0xff, sizeof data);
    EXPECT_EQ(plain_sum(0xffff, data, sizeof data),
              wire_sum(0xffff, data, sizeof data));
    EXPECT_EQ(0xffff, wire_sum(0, data, sizeof data - 1));
}

static void
test_pseudo_header_sums_in_both_directions_alike(void)
{
    /* A reply has the request's pseudo header but for the size. */
    static const uint8_t families[] = {4, 6};
    for (size_t i = 0; i < TEST_COUNT(families); i++) {
        uint8_t family = families[i];
        size_t address_size = family == 4 ? 4 : 16;
        uint8_t addresses[32];
        test_random_bytes(addresses, sizeof addresses);
        uint32_t expected = plain_sum(0, addresses, address_size);
        expected = plain_sum(expected, addresses + 16, address_size);
        uint8_t tail[8] = {0, 0, 0xff, 0xec, 0, 0, 0, 6};
        expected = plain_sum(expected, tail, sizeof tail);
        EXPECT_EQ(expected, wire_sum_pseudo(family, addresses, addresses + 16,
                                            6, 0xffec));
        EXPECT_EQ(expected, wire_sum_pseudo(family, addresses + 16, addresses,
                                            6, 0xffec));
    }
}

static const struct test tests[] = {
    TEST(test_rfc_1071_example_gives_its_sum),
    TEST(test_every_size_gives_the_plain_sum),
    TEST(test_largest_packet_of_ones_does_not_overflow),
    TEST(test_pseudo_header_sums_in_both_directions_alike),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Link headers: kept once, turned round, refused when there is no room. */
#include "test.h"

#include "../../csrc/flow/header.h"

static const uint8_t key[16] = {9};

/* Ethernet, optionally one VLAN tag; the last MAC byte is told. */
static void
ethernet(uint8_t link[static 18], uint8_t last)
{
    static const uint8_t sample[18] = {2, 0, 0, 0,    0, 1, 2, 0, 0,
                                       0, 0, 2, 0x81, 0, 0, 5, 8, 0};
    memcpy(link, sample, 18);
    link[11] = last;
}

static void
test_equal_headers_share_a_number(void)
{
    struct headers headers;
    uint8_t link[18], out[FLOW_LINK_MAX];
    uint8_t *memory = calloc(1, headers_bytes(3));
    headers_init(&headers, memory, 3, key);
    ethernet(link, 2);
    uint16_t tagged = header_number(&headers, link, 18);
    uint16_t plain = header_number(&headers, link, 14);
    EXPECT_TRUE(tagged != HEADER_NONE && plain != HEADER_NONE);
    EXPECT_TRUE(tagged != plain);
    EXPECT_EQ(tagged, header_number(&headers, link, 18));
    EXPECT_EQ(18, header_write(&headers, tagged, out));
    EXPECT_BYTES(link, out, 18);
    EXPECT_EQ(14, header_write(&headers, plain, out));
    free(memory);
}

static void
test_turned_header_exchanges_addresses_and_keeps_the_tag(void)
{
    struct headers headers;
    uint8_t link[18], out[FLOW_LINK_MAX];
    uint8_t *memory = calloc(1, headers_bytes(3));
    headers_init(&headers, memory, 3, key);
    ethernet(link, 2);
    uint16_t turned = header_number_turned(&headers, link, 18);
    EXPECT_EQ(18, header_write(&headers, turned, out));
    EXPECT_BYTES(link + 6, out, 6);
    EXPECT_BYTES(link, out + 6, 6);
    EXPECT_BYTES(link + 12, out + 12, 6);
    header_turn(out, 18);
    EXPECT_BYTES(link, out, 18);
    /* What is no Ethernet has no addresses. */
    header_turn(out, 13);
    EXPECT_BYTES(link, out, 18);
    free(memory);
}

static void
test_no_header_full_table_and_long_header_are_number_none(void)
{
    struct headers headers;
    uint8_t link[FLOW_LINK_MAX + 1] = {1}, out[FLOW_LINK_MAX];
    uint8_t *memory = calloc(1, headers_bytes(2));
    headers_init(&headers, memory, 2, key);
    EXPECT_EQ(HEADER_NONE, header_number(&headers, link, 0));
    EXPECT_EQ(HEADER_NONE, header_number_turned(&headers, NULL, 0));
    EXPECT_EQ(0, headers.refused);
    EXPECT_EQ(HEADER_NONE, header_number(&headers, link, sizeof link));
    EXPECT_EQ(HEADER_NONE, header_number_turned(&headers, link, sizeof link));
    EXPECT_EQ(2, headers.refused);
    EXPECT_EQ(1, header_number(&headers, link, 14));
    EXPECT_EQ(2, header_number(&headers, link, FLOW_LINK_MAX));
    EXPECT_EQ(HEADER_NONE, header_number(&headers, link, 15));
    EXPECT_EQ(3, headers.refused);
    EXPECT_EQ(1, header_number(&headers, link, 14));
    EXPECT_EQ(0, header_write(&headers, HEADER_NONE, out));
    free(memory);
}

static void
test_longest_header_is_turned_as_any_other(void)
{
    struct headers headers;
    uint8_t link[FLOW_LINK_MAX + 1], out[FLOW_LINK_MAX];
    uint8_t *memory = calloc(1, headers_bytes(3));
    headers_init(&headers, memory, 3, key);
    for (uint8_t i = 0; i < sizeof link; i++)
        link[i] = i;
    uint16_t turned = header_number_turned(&headers, link, FLOW_LINK_MAX);
    EXPECT_TRUE(turned != HEADER_NONE);
    EXPECT_EQ(FLOW_LINK_MAX, header_write(&headers, turned, out));
    EXPECT_BYTES(link + 6, out, 6);
    EXPECT_EQ(HEADER_NONE,
              header_number_turned(&headers, link, FLOW_LINK_MAX + 1));
    free(memory);
}

static const struct test tests[] = {
    TEST(test_equal_headers_share_a_number),
    TEST(test_turned_header_exchanges_addresses_and_keeps_the_tag),
    TEST(test_no_header_full_table_and_long_header_are_number_none),
    TEST(test_longest_header_is_turned_as_any_other),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

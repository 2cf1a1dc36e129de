/* Endpoints and addresses that share a hash chain: the hash is an XOR of the
 * bytes, so {1, 2} and {2, 1} meet. */
#include "test.h"

#include "../../csrc/core/endpoint.h"

#define PORT 80

static const uint8_t one[16] = {1, 2};
static const uint8_t two[16] = {2, 1};
static struct endpoints endpoints;

static void *
start(void)
{
    void *memory = aligned_alloc(64, endpoints_bytes(4, 4, 0));
    if (memory == NULL)
        abort();
    endpoints_init(&endpoints, memory, 4, 4, 0);
    return memory;
}

static bool
listen_at(const uint8_t laddr[static 16], uint8_t family, uint32_t *slot)
{
    struct syncache_endpoint config = {
        .lport = PORT,
        .family = family,
        .hop_limit = 64,
        .rcv_wscale = SYNCACHE_WSCALE_NONE,
    };
    memcpy(config.laddr, laddr, sizeof config.laddr);
    return endpoints_listen(&endpoints, &config, slot);
}

/* The slot that takes a segment to laddr, or UINT32_MAX. */
static uint32_t
slot_at(const uint8_t laddr[static 16])
{
    struct syncache_tuple tuple = {.lport = PORT, .family = 4};
    memcpy(tuple.laddr, laddr, sizeof tuple.laddr);
    struct endpoint *endpoint = endpoints_find(&endpoints, &tuple);
    return endpoint == NULL ? UINT32_MAX : endpoints_slot(&endpoints, endpoint);
}

static void
test_addresses_of_one_chain_are_told_apart(void)
{
    /* To listen on one is not to listen on the other. */
    uint32_t first, second;
    void *memory = start();
    EXPECT_TRUE(listen_at(one, 4, &first));
    EXPECT_TRUE(endpoints_ours(&endpoints, 4, one));
    EXPECT_TRUE(!endpoints_ours(&endpoints, 4, two));
    EXPECT_EQ(UINT32_MAX, slot_at(two));
    EXPECT_TRUE(listen_at(two, 4, &second));
    EXPECT_TRUE(first != second);
    EXPECT_EQ(first, slot_at(one));
    EXPECT_EQ(second, slot_at(two));
    free(memory);
}

static void
test_closed_endpoint_of_both_families_has_no_successor_of_one(void)
{
    /* Its entries of the other family would pass to who did not ask. */
    static const uint8_t any[16];
    uint32_t first, second;
    void *memory = start();
    EXPECT_TRUE(listen_at(any, 0, &first));
    endpoints_entry_added(&endpoints, first);
    endpoints_unlisten(&endpoints, first);
    EXPECT_TRUE(listen_at(any, 4, &second));
    EXPECT_TRUE(first != second);
    free(memory);
}

static void
test_options_are_none_all_or_a_sum_with_the_mss(void)
{
    for (uint32_t options = 0; options < 256; options++) {
        struct syncache_endpoint config = {
            .lport = 80, .hop_limit = 64, .options = (uint8_t)options};

        EXPECT_EQ(options < 2 || (options & 0xe3) == 2,
                  endpoints_valid(&config));
    }
}

static const struct test tests[] = {
    TEST(test_addresses_of_one_chain_are_told_apart),
    TEST(test_closed_endpoint_of_both_families_has_no_successor_of_one),
    TEST(test_options_are_none_all_or_a_sum_with_the_mss),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Listening endpoints, local addresses, MD5 keys. */
#include "test.h"

#include "../../csrc/core/endpoint.h"

struct endpoints_block {
    struct endpoints endpoints;
    void *memory;
};

static struct endpoints_block
endpoints_new(uint32_t endpoint_max, uint32_t address_max, uint32_t md5_max)
{
    struct endpoints_block block;
    size_t size = endpoints_bytes(endpoint_max, address_max, md5_max);
    block.memory = aligned_alloc(64, size);
    if (block.memory == NULL)
        abort();
    memset(block.memory, 0xa5, size);
    memset(&block.endpoints, 0xa5, sizeof block.endpoints);
    endpoints_init(&block.endpoints, block.memory, endpoint_max, address_max,
                   md5_max);
    return block;
}

/* Address number n of a family; 0 is the wildcard. */
static struct syncache_endpoint
config_of(uint8_t family, uint8_t n, uint16_t lport)
{
    return (struct syncache_endpoint){
        .laddr = {n},
        .lport = lport,
        .family = family,
        .hop_limit = 64,
        .rcv_wscale = SYNCACHE_WSCALE_NONE,
    };
}

static struct syncache_tuple
tuple_to(uint8_t family, uint8_t n, uint16_t lport)
{
    return (struct syncache_tuple){
        .faddr = {99},
        .laddr = {n},
        .fport = 1024,
        .lport = lport,
        .family = family,
    };
}

static bool
listen_on(struct endpoints *endpoints, uint8_t family, uint8_t n,
          uint16_t lport, uint32_t *slot)
{
    struct syncache_endpoint config = config_of(family, n, lport);
    return endpoints_listen(endpoints, &config, slot);
}

/* The slot that takes a segment, or UINT32_MAX. */
static uint32_t
slot_for(const struct endpoints *endpoints, uint8_t family, uint8_t n,
         uint16_t lport)
{
    struct syncache_tuple tuple = tuple_to(family, n, lport);
    struct endpoint *endpoint = endpoints_find(endpoints, &tuple);
    return endpoint == NULL ? UINT32_MAX : endpoints_slot(endpoints, endpoint);
}

static bool
ours(const struct endpoints *endpoints, uint8_t family, uint8_t n)
{
    uint8_t laddr[16] = {n};
    return endpoints_ours(endpoints, family, laddr);
}

static void
test_out_of_range_field_is_refused(void)
{
    /* The caller's mistakes end here, and change nothing. */
    struct syncache_endpoint good = config_of(4, 1, 80);
    EXPECT_TRUE(endpoints_valid(&good));
    struct syncache_endpoint bad[10];
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        bad[i] = good;
    bad[0].family = 0;
    bad[1].family = 5;
    bad[2].lport = 0;
    bad[3].hop_limit = 0;
    bad[4].rcv_wscale = 15;
    bad[5].rcv_wscale = 254;
    bad[6].laddr[4] = 1;
    bad[7].laddr[15] = 1;
    bad[8].family = 1;
    bad[9].family = 255;
    struct endpoints_block block = endpoints_new(2, 0, 0);
    uint32_t slot = 77;
    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        EXPECT_TRUE(!endpoints_valid(&bad[i]));
        EXPECT_TRUE(!endpoints_listen(&block.endpoints, &bad[i], &slot));
    }
    EXPECT_EQ(77, slot);
    EXPECT_EQ(0, block.endpoints.open_count);
    good.rcv_wscale = 14;
    good.family = 6;
    good.laddr[15] = 1;
    EXPECT_TRUE(endpoints_valid(&good));
    struct syncache_endpoint both = config_of(0, 0, 80);
    EXPECT_TRUE(endpoints_valid(&both));
    free(block.memory);
}

static void
test_exact_address_wins_over_the_wildcard(void)
{
    /* Also when it opened later, and until it closes. */
    struct endpoints_block block = endpoints_new(4, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    uint32_t any, exact;
    EXPECT_TRUE(listen_on(endpoints, 4, 0, 80, &any));
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &exact));
    EXPECT_EQ(exact, slot_for(endpoints, 4, 1, 80));
    EXPECT_EQ(any, slot_for(endpoints, 4, 2, 80));
    EXPECT_EQ(UINT32_MAX, slot_for(endpoints, 4, 1, 81));
    EXPECT_EQ(UINT32_MAX, slot_for(endpoints, 6, 1, 80));
    endpoints_unlisten(endpoints, exact);
    EXPECT_EQ(any, slot_for(endpoints, 4, 1, 80));
    endpoints_unlisten(endpoints, any);
    EXPECT_EQ(UINT32_MAX, slot_for(endpoints, 4, 1, 80));
    free(block.memory);
}

static void
test_family_0_takes_both(void)
{
    /* One endpoint for IPv4 and IPv6, as most servers want. */
    struct endpoints_block block = endpoints_new(4, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    uint32_t slot;
    EXPECT_TRUE(!ours(endpoints, 4, 3));
    EXPECT_TRUE(listen_on(endpoints, 0, 0, 80, &slot));
    EXPECT_EQ(slot, slot_for(endpoints, 4, 1, 80));
    EXPECT_EQ(slot, slot_for(endpoints, 6, 1, 80));
    EXPECT_TRUE(ours(endpoints, 4, 3) && ours(endpoints, 6, 3));
    endpoints_unlisten(endpoints, slot);
    EXPECT_TRUE(!ours(endpoints, 4, 3) && !ours(endpoints, 6, 3));
    free(block.memory);
}

static void
test_taken_address_and_port_is_refused(void)
{
    /* Two endpoints may not take the same segment with equal right. */
    static const struct {
        uint8_t first_family, first, second_family, second;
        bool fits;
    } rows[] = {
        {4, 1, 4, 1, false}, {4, 1, 4, 2, true},  {4, 1, 6, 1, true},
        {4, 0, 4, 0, false}, {4, 0, 6, 0, true},  {0, 0, 4, 0, false},
        {6, 0, 0, 0, false}, {0, 0, 0, 0, false}, {0, 0, 4, 1, true},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct endpoints_block block = endpoints_new(4, 0, 0);
        struct endpoints *endpoints = &block.endpoints;
        uint32_t slot;
        EXPECT_TRUE(listen_on(endpoints, rows[i].first_family, rows[i].first,
                              80, &slot));
        EXPECT_EQ(rows[i].fits, listen_on(endpoints, rows[i].second_family,
                                          rows[i].second, 80, &slot));
        EXPECT_TRUE(listen_on(endpoints, rows[i].second_family, rows[i].second,
                              81, &slot));
        free(block.memory);
    }
}

static void
test_slots_run_out_and_come_back(void)
{
    /* endpoint_max endpoints, not one more; a closed one makes room. */
    struct endpoints_block block = endpoints_new(3, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    uint32_t slot;
    for (uint8_t n = 1; n <= 3; n++)
        EXPECT_TRUE(listen_on(endpoints, 4, n, 80, &slot));
    EXPECT_TRUE(!listen_on(endpoints, 4, 4, 80, &slot));
    EXPECT_EQ(3, endpoints->open_count);
    endpoints_unlisten(endpoints, 1);
    endpoints_unlisten(endpoints, 1);
    EXPECT_EQ(2, endpoints->open_count);
    EXPECT_TRUE(listen_on(endpoints, 4, 4, 80, &slot));
    EXPECT_EQ(1, slot);
    free(block.memory);
}

static void
test_closed_endpoint_keeps_its_slot_for_its_entries(void)
{
    /* Their retransmissions still need its window; no SYN finds it. */
    struct endpoints_block block = endpoints_new(1, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    uint32_t slot;
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &slot));
    endpoints_entry_added(endpoints, slot);
    endpoints_entry_added(endpoints, slot);
    endpoints->slots[slot].config.rcv_wnd = 1234;
    endpoints_unlisten(endpoints, slot);
    EXPECT_EQ(UINT32_MAX, slot_for(endpoints, 4, 1, 80));
    EXPECT_EQ(1234, endpoints->slots[slot].config.rcv_wnd);
    uint32_t other;
    EXPECT_TRUE(!listen_on(endpoints, 4, 2, 80, &other));
    endpoints_entry_removed(endpoints, slot);
    EXPECT_TRUE(!listen_on(endpoints, 4, 2, 80, &other));
    endpoints_entry_removed(endpoints, slot);
    EXPECT_TRUE(listen_on(endpoints, 4, 2, 80, &other));
    free(block.memory);
}

static void
test_successor_inherits_entries_and_gate_but_no_keys(void)
{
    /* A server that restarts its listener goes on with its handshakes. */
    struct endpoints_block block = endpoints_new(2, 0, 2);
    struct endpoints *endpoints = &block.endpoints;
    struct syncache_tuple tuple = tuple_to(4, 1, 80);
    uint8_t key[3] = {1, 2, 3};
    uint32_t slot, next;
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &slot));
    EXPECT_TRUE(
        endpoints_md5_key(endpoints, slot, 4, tuple.faddr, key, sizeof key));
    endpoints_entry_added(endpoints, slot);
    endpoints->slots[slot].gate_ms = 55;
    endpoints->slots[slot].gate_stamped = true;
    endpoints_unlisten(endpoints, slot);
    EXPECT_TRUE(endpoints_md5_find(endpoints, slot, &tuple) != NULL);
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &next));
    EXPECT_EQ(slot, next);
    EXPECT_EQ(1, endpoints->slots[slot].entries);
    EXPECT_TRUE(endpoints->slots[slot].gate_stamped);
    EXPECT_TRUE(endpoints_md5_find(endpoints, slot, &tuple) == NULL);
    endpoints_entry_removed(endpoints, slot);
    EXPECT_EQ(slot, slot_for(endpoints, 4, 1, 80));
    free(block.memory);
}

static void
test_endpoint_opened_again_knows_the_one_before(void)
{
    /* Its cookies are still under way: their gate, their window scale. */
    struct endpoints_block block = endpoints_new(3, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    struct syncache_endpoint config = config_of(4, 2, 80);
    config.rcv_wscale = 5;
    uint32_t first, slot;
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &first));
    EXPECT_TRUE(endpoints_listen(endpoints, &config, &slot));
    EXPECT_TRUE(!endpoints->slots[slot].succeeds);
    endpoints->slots[slot].gate_ms = 77;
    endpoints->slots[slot].gate_stamped = true;
    endpoints_unlisten(endpoints, slot);
    endpoints_unlisten(endpoints, first);
    EXPECT_TRUE(listen_on(endpoints, 4, 2, 80, &first));
    EXPECT_EQ(slot, first);
    EXPECT_TRUE(endpoints->slots[slot].succeeds);
    EXPECT_EQ(5, endpoints->slots[slot].wscale_before);
    EXPECT_TRUE(endpoints->slots[slot].gate_stamped);
    EXPECT_EQ(77, endpoints->slots[slot].gate_ms);
    free(block.memory);
}

static void
test_slot_of_another_endpoint_remembers_nothing(void)
{
    /* A place differs by address, port or family; all take the slot anew. */
    static const struct {
        uint8_t family, n;
        uint16_t lport;
    } rows[] = {{4, 3, 80}, {4, 2, 81}, {6, 2, 80}, {4, 0, 80}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct endpoints_block block = endpoints_new(1, 0, 0);
        struct endpoints *endpoints = &block.endpoints;
        uint32_t slot;
        EXPECT_TRUE(listen_on(endpoints, 4, 2, 80, &slot));
        endpoints->slots[slot].gate_stamped = true;
        endpoints_unlisten(endpoints, slot);
        EXPECT_TRUE(listen_on(endpoints, rows[i].family, rows[i].n,
                              rows[i].lport, &slot));
        EXPECT_TRUE(!endpoints->slots[slot].gate_stamped);
        EXPECT_TRUE(!endpoints->slots[slot].succeeds);
        EXPECT_EQ(UINT32_MAX, slot_for(endpoints, 4, 2, 82));
        free(block.memory);
    }
}

static void
test_address_is_ours_by_endpoint_or_by_name(void)
{
    /* Counted, so that one endpoint's end does not take another's address. */
    struct endpoints_block block = endpoints_new(4, 1, 0);
    struct endpoints *endpoints = &block.endpoints;
    uint8_t laddr[16] = {7};
    uint32_t first, second;
    EXPECT_TRUE(listen_on(endpoints, 4, 7, 80, &first));
    EXPECT_TRUE(listen_on(endpoints, 4, 7, 81, &second));
    EXPECT_TRUE(ours(endpoints, 4, 7));
    EXPECT_TRUE(!ours(endpoints, 6, 7));
    endpoints_unlisten(endpoints, first);
    EXPECT_TRUE(ours(endpoints, 4, 7));
    EXPECT_TRUE(endpoints_address(endpoints, 4, laddr));
    EXPECT_TRUE(endpoints_address(endpoints, 4, laddr));
    endpoints_unlisten(endpoints, second);
    EXPECT_TRUE(ours(endpoints, 4, 7));
    laddr[0] = 8;
    EXPECT_TRUE(!endpoints_address(endpoints, 4, laddr));
    EXPECT_TRUE(!ours(endpoints, 4, 8));
    free(block.memory);
}

static void
test_all_parts_fill_up_without_touching_each_other(void)
{
    /* Endpoints, addresses and keys lie in one block, each to its limit. */
    struct endpoints_block block = endpoints_new(5, 9, 7);
    struct endpoints *endpoints = &block.endpoints;
    uint32_t slot;
    for (uint8_t n = 1; n <= 5; n++)
        EXPECT_TRUE(listen_on(endpoints, 6, n, 80, &slot));
    for (uint8_t n = 101; n <= 109; n++) {
        uint8_t laddr[16] = {n};
        EXPECT_TRUE(endpoints_address(endpoints, 4, laddr));
    }
    for (uint8_t n = 1; n <= 7; n++) {
        uint8_t faddr[16] = {n};
        EXPECT_TRUE(endpoints_md5_key(endpoints, 3, 6, faddr, &n, 1));
    }
    for (uint8_t n = 1; n <= 9; n++) {
        struct syncache_tuple tuple = tuple_to(6, n, 80);
        EXPECT_EQ(n <= 5 ? n - 1u : UINT32_MAX, slot_for(endpoints, 6, n, 80));
        EXPECT_TRUE(ours(endpoints, 4, (uint8_t)(100 + n)));
        tuple.faddr[0] = n;
        const struct endpoint_md5_key *key =
            endpoints_md5_find(endpoints, 3, &tuple);
        EXPECT_EQ(n <= 7, key != NULL && key->key[0] == n);
    }
    free(block.memory);
}

static void
test_md5_key_belongs_to_endpoint_peer_and_family(void)
{
    /* A second key of the same peer replaces the first. */
    struct endpoints_block block = endpoints_new(2, 0, 2);
    struct endpoints *endpoints = &block.endpoints;
    struct syncache_tuple tuple = tuple_to(4, 1, 80);
    struct syncache_tuple tuple_v6 = tuple_to(6, 1, 80);
    uint8_t key[SYNCACHE_MD5_KEY_MAX + 1];
    memset(key, 0x5a, sizeof key);
    uint32_t slot, other;
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 80, &slot));
    EXPECT_TRUE(listen_on(endpoints, 4, 1, 81, &other));
    EXPECT_TRUE(endpoints_md5_find(endpoints, slot, &tuple) == NULL);
    static const size_t bad[] = {0, SYNCACHE_MD5_KEY_MAX + 1};
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        EXPECT_TRUE(
            !endpoints_md5_key(endpoints, slot, 4, tuple.faddr, key, bad[i]));
    EXPECT_TRUE(!endpoints_md5_key(endpoints, 2, 4, tuple.faddr, key, 5));
    EXPECT_TRUE(endpoints_md5_key(endpoints, slot, 4, tuple.faddr, key, 5));
    EXPECT_TRUE(endpoints_md5_key(endpoints, slot, 4, tuple.faddr, key,
                                  SYNCACHE_MD5_KEY_MAX));
    const struct endpoint_md5_key *found =
        endpoints_md5_find(endpoints, slot, &tuple);
    EXPECT_EQ(SYNCACHE_MD5_KEY_MAX, found->key_size);
    EXPECT_BYTES(key, found->key, SYNCACHE_MD5_KEY_MAX);
    EXPECT_TRUE(endpoints_md5_find(endpoints, slot, &tuple_v6) == NULL);
    EXPECT_TRUE(endpoints_md5_find(endpoints, other, &tuple) == NULL);
    EXPECT_TRUE(endpoints_md5_key(endpoints, other, 4, tuple.faddr, key, 5));
    uint8_t faddr[16] = {1};
    EXPECT_TRUE(!endpoints_md5_key(endpoints, other, 4, faddr, key, 5));
    EXPECT_EQ(1, endpoints->slots[slot].md5_count);
    endpoints_unlisten(endpoints, slot);
    EXPECT_TRUE(endpoints_md5_find(endpoints, other, &tuple) != NULL);
    EXPECT_TRUE(!endpoints_md5_key(endpoints, slot, 4, faddr, key, 5));
    EXPECT_TRUE(endpoints_md5_key(endpoints, other, 4, faddr, key, 5));
    free(block.memory);
}

#define SLOTS 40
#define PORTS 3
#define ADDRESSES 12

/* Open endpoints as an array of what may be asked for. */
static uint32_t model[3][ADDRESSES][PORTS];

static uint32_t
model_find(uint8_t family, uint8_t n, uint16_t port)
{
    uint8_t row = family == 4 ? 1 : 2;
    if (n > 0 && model[row][n][port] != UINT32_MAX)
        return model[row][n][port];
    if (model[row][0][port] != UINT32_MAX)
        return model[row][0][port];
    return model[0][0][port];
}

static bool
model_ours(uint8_t family, uint8_t n)
{
    bool found = false;
    uint8_t row = family == 4 ? 1 : 2;
    for (uint16_t port = 0; port < PORTS; port++) {
        found |= model[row][n][port] != UINT32_MAX;
        found |= model[row][0][port] != UINT32_MAX;
        found |= model[0][0][port] != UINT32_MAX;
    }
    return found;
}

/* Would this endpoint take a segment that another one takes already? */
static bool
model_taken(uint8_t row, uint8_t n, uint16_t port)
{
    if (n > 0)
        return model[row][n][port] != UINT32_MAX;
    bool both =
        model[1][0][port] != UINT32_MAX || model[2][0][port] != UINT32_MAX;
    return model[row][0][port] != UINT32_MAX ||
           model[0][0][port] != UINT32_MAX || (row == 0 && both);
}

static void
expect_lookups(const struct endpoints *endpoints)
{
    for (uint8_t n = 1; n < ADDRESSES; n++) {
        for (uint8_t family = 4; family <= 6; family += 2) {
            EXPECT_EQ(model_ours(family, n), ours(endpoints, family, n));
            for (uint16_t port = 0; port < PORTS; port++)
                EXPECT_EQ(
                    model_find(family, n, port),
                    slot_for(endpoints, family, n, (uint16_t)(80 + port)));
        }
    }
}

static void
test_random_steps_follow_an_array(void)
{
    /* Open and close at random; every lookup as an array answers it. */
    static const uint8_t families[] = {0, 4, 6};
    struct endpoints_block block = endpoints_new(SLOTS, 0, 0);
    struct endpoints *endpoints = &block.endpoints;
    memset(model, 0xff, sizeof model);
    uint32_t open = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t row = (uint8_t)test_random_below(3);
        uint8_t n = row == 0 ? 0 : (uint8_t)test_random_below(ADDRESSES);
        uint16_t port = (uint16_t)test_random_below(PORTS);
        uint32_t *held = &model[row][n][port];
        if (*held != UINT32_MAX) {
            endpoints_unlisten(endpoints, *held);
            *held = UINT32_MAX;
            open--;
        } else {
            uint32_t slot = UINT32_MAX;
            bool fits = !model_taken(row, n, port) && open < SLOTS;
            EXPECT_EQ(fits, listen_on(endpoints, families[row], n,
                                      (uint16_t)(80 + port), &slot));
            *held = slot;
            open += fits;
        }
        EXPECT_EQ(open, endpoints->open_count);
        if (i % 32 == 0)
            expect_lookups(endpoints);
    }
    free(block.memory);
}

static const struct test tests[] = {
    TEST(test_out_of_range_field_is_refused),
    TEST(test_exact_address_wins_over_the_wildcard),
    TEST(test_family_0_takes_both),
    TEST(test_taken_address_and_port_is_refused),
    TEST(test_slots_run_out_and_come_back),
    TEST(test_closed_endpoint_keeps_its_slot_for_its_entries),
    TEST(test_successor_inherits_entries_and_gate_but_no_keys),
    TEST(test_endpoint_opened_again_knows_the_one_before),
    TEST(test_slot_of_another_endpoint_remembers_nothing),
    TEST(test_address_is_ours_by_endpoint_or_by_name),
    TEST(test_all_parts_fill_up_without_touching_each_other),
    TEST(test_md5_key_belongs_to_endpoint_peer_and_family),
    TEST(test_random_steps_follow_an_array),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

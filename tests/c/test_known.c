/* The table of known tuples against an array; its FIFOs against queues. */
#include "test.h"

#include "../../csrc/core/known.h"

struct known_block {
    struct known known;
    void *memory;
};

static struct known_block
known_new(uint32_t nodes_max)
{
    struct known_block block = {.memory = NULL};
    memset(&block.known, 0xa5, sizeof block.known);
    size_t size = known_bytes(nodes_max);
    if (size > 0) {
        block.memory = aligned_alloc(64, size);
        if (block.memory == NULL)
            abort();
        memset(block.memory, 0xa5, size);
    }
    known_init(&block.known, block.memory, nodes_max);
    return block;
}

static struct syncache_tuple
tuple_number(uint32_t n)
{
    return (struct syncache_tuple){
        .faddr = {10, 0, (uint8_t)(n >> 8), (uint8_t)n},
        .laddr = {192, 0, 2, 1},
        .fport = 1024,
        .lport = 80,
        .family = 4,
    };
}

/* Few different hashes, so that chains grow long. */
static uint64_t
hash_number(uint32_t n)
{
    return n % 5;
}

static struct known_node *
add_number(struct known *known, uint32_t n, enum known_state state,
           uint64_t now_ms)
{
    struct syncache_tuple tuple = tuple_number(n);
    struct known_node *node =
        known_add(known, hash_number(n), &tuple, state, now_ms);
    if (node != NULL)
        node->handle = n;
    return node;
}

static struct known_node *
find_number(const struct known *known, uint32_t n)
{
    struct syncache_tuple tuple = tuple_number(n);
    return known_find(known, hash_number(n), &tuple);
}

static void
test_size_0_finds_and_takes_nothing(void)
{
    /* established_max 0: the stack looks up its own tuples. */
    struct known_block block = known_new(0);
    EXPECT_EQ(0, known_bytes(0));
    EXPECT_TRUE(find_number(&block.known, 1) == NULL);
    EXPECT_TRUE(add_number(&block.known, 1, KNOWN_OFFERED, 0) == NULL);
    EXPECT_TRUE(known_oldest_offer(&block.known) == NULL);
    EXPECT_TRUE(known_oldest_owed(&block.known) == NULL);
}

static void
test_memory_is_a_chain_a_node_rounded_up_to_lines(void)
{
    /* Heads: the least power of two that is not below the nodes. */
    static const struct {
        uint32_t nodes, heads;
        size_t bytes;
    } rows[] = {
        {1, 1, 64 + 128},     {2, 2, 64 + 256},
        {3, 4, 64 + 384},     {16, 16, 64 + 2048},
        {17, 32, 128 + 2176}, {65536, 65536, 262144 + 8388608},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct known_block block = known_new(rows[i].nodes);
        EXPECT_EQ(rows[i].heads - 1, block.known.heads_mask);
        EXPECT_EQ(rows[i].bytes, known_bytes(rows[i].nodes));
        free(block.memory);
    }
#if SIZE_MAX > UINT32_MAX /* syncache_size() refuses it elsewhere */
    EXPECT_EQ((UINT64_C(1) << 33) + ((UINT64_C(128) << 32) - 128),
              known_bytes(UINT32_MAX));
#endif
}

static void
test_full_table_refuses_and_keeps_what_it_has(void)
{
    /* An established connection is never pushed out. */
    for (uint32_t size = 1; size <= 9; size++) {
        struct known_block block = known_new(size);
        for (uint32_t n = 0; n < size; n++)
            EXPECT_TRUE(add_number(&block.known, n, KNOWN_ESTABLISHED, 0) !=
                        NULL);
        EXPECT_TRUE(add_number(&block.known, size, KNOWN_ESTABLISHED, 0) ==
                    NULL);
        EXPECT_EQ(size, block.known.count);
        for (uint32_t n = 0; n < size; n++)
            EXPECT_EQ(n, find_number(&block.known, n)->handle);
        known_remove(&block.known, hash_number(0),
                     find_number(&block.known, 0));
        EXPECT_TRUE(add_number(&block.known, size, KNOWN_ESTABLISHED, 0) !=
                    NULL);
        free(block.memory);
    }
}

static void
test_new_node_holds_only_what_was_given(void)
{
    /* Nothing of a node's previous connection is left. */
    struct known_block block = known_new(1);
    struct known_node *node = add_number(&block.known, 3, KNOWN_OFFERED, 55);
    node->iss = 1;
    node->irs = 2;
    node->endpoint = 3;
    node->via = 1;
    node->pending = 1;
    known_remove(&block.known, hash_number(3), node);
    struct known_node expected = {
        .tuple = tuple_number(8),
        .handle = 8,
        .offered_ms = 77,
        .state = KNOWN_ESTABLISHED,
    };
    node = add_number(&block.known, 8, KNOWN_ESTABLISHED, 77);
    EXPECT_BYTES((uint8_t *)&expected, (uint8_t *)node, sizeof expected);
    free(block.memory);
}

static void
test_each_part_of_the_tuple_counts(void)
{
    /* Equal hashes are settled by the tuple; its padding says nothing. */
    struct known_block block = known_new(4);
    struct syncache_tuple tuple = tuple_number(1);
    known_add(&block.known, 1, &tuple, KNOWN_ESTABLISHED, 0);
    for (size_t i = 0; i < sizeof tuple; i++) {
        struct syncache_tuple other = tuple;
        ((uint8_t *)&other)[i] ^= 1;
        bool same = i >= offsetof(struct syncache_tuple, reserved);
        EXPECT_EQ(same, known_find(&block.known, 1, &other) != NULL);
    }
    free(block.memory);
}

static void
test_offers_and_owed_rsts_come_oldest_first(void)
{
    /* Each state has its queue; a change of state is a move to the other. */
    struct known_block block = known_new(8);
    struct known *known = &block.known;
    for (uint32_t n = 0; n < 4; n++)
        add_number(known, n, KNOWN_OFFERED, 100 + n);
    EXPECT_EQ(0, known_oldest_offer(known)->handle);
    EXPECT_EQ(100, known_oldest_offer(known)->offered_ms);
    known_set_state(known, find_number(known, 0), KNOWN_ESTABLISHED);
    EXPECT_EQ(1, known_oldest_offer(known)->handle);
    known_set_state(known, find_number(known, 2), KNOWN_RST_OWED);
    known_set_state(known, find_number(known, 1), KNOWN_RST_OWED);
    EXPECT_EQ(3, known_oldest_offer(known)->handle);
    EXPECT_EQ(2, known_oldest_owed(known)->handle);
    known_remove(known, hash_number(2), find_number(known, 2));
    EXPECT_EQ(1, known_oldest_owed(known)->handle);
    known_remove(known, hash_number(3), find_number(known, 3));
    EXPECT_TRUE(known_oldest_offer(known) == NULL);
    free(block.memory);
}

static void
test_new_hash_finds_the_same_nodes(void)
{
    /* A redrawn bucket hash moves every chain and no queue. */
    struct known_block block = known_new(40);
    struct known *known = &block.known;
    for (uint32_t n = 0; n < 40; n++)
        add_number(known, n, n % 2 ? KNOWN_OFFERED : KNOWN_ESTABLISHED, n);
    known_remove(known, hash_number(7), find_number(known, 7));
    known_unchain(known);
    for (uint32_t i = 0; i < known->unused; i++) {
        struct known_node *node = &known->nodes[i];
        if (node->state != KNOWN_FREE)
            known_chain(known, node->handle % 4, node);
    }
    for (uint32_t n = 0; n < 40; n++) {
        struct syncache_tuple tuple = tuple_number(n);
        struct known_node *node = known_find(known, n % 4, &tuple);
        EXPECT_EQ(n != 7, node != NULL && node->handle == n);
    }
    EXPECT_EQ(1, known_oldest_offer(known)->handle);
    struct known_block one = known_new(1);
    add_number(&one.known, 0, KNOWN_ESTABLISHED, 0);
    known_unchain(&one.known);
    EXPECT_TRUE(find_number(&one.known, 0) == NULL);
    free(one.memory);
    struct known_block none = known_new(0);
    known_unchain(&none.known);
    EXPECT_EQ(0, none.known.count);
    free(block.memory);
}

#define PEERS 300

/* The table as an array: a state and the time of joining its queue. */
struct model {
    uint8_t state[PEERS];
    uint64_t joined[PEERS];
    uint32_t count;
};

static uint32_t
model_oldest(const struct model *model, enum known_state state)
{
    uint32_t oldest = PEERS;
    for (uint32_t n = 0; n < PEERS; n++) {
        if (model->state[n] == state &&
            (oldest == PEERS || model->joined[n] < model->joined[oldest]))
            oldest = n;
    }
    return oldest;
}

static void
expect_oldest(const struct model *model, enum known_state state,
              const struct known_node *node)
{
    uint32_t oldest = model_oldest(model, state);
    EXPECT_EQ(oldest == PEERS, node == NULL);
    if (node != NULL)
        EXPECT_EQ(oldest, node->handle);
}

static void
step(struct known *known, struct model *model, uint64_t now)
{
    uint32_t n = (uint32_t)test_random_below(PEERS);
    enum known_state state = (enum known_state)(1 + test_random_below(3));
    struct known_node *node = find_number(known, n);
    EXPECT_EQ(model->state[n] != KNOWN_FREE, node != NULL);
    if (node == NULL) {
        bool room = model->count < known->nodes_max;
        EXPECT_EQ(room, add_number(known, n, state, now) != NULL);
        if (!room)
            return;
        model->count++;
    } else if (test_random_below(2)) {
        known_remove(known, hash_number(n), node);
        model->count--;
        state = KNOWN_FREE;
    } else {
        EXPECT_EQ(n, node->handle);
        EXPECT_EQ(model->state[n], node->state);
        known_set_state(known, node, state);
    }
    model->state[n] = (uint8_t)state;
    model->joined[n] = now;
}

static void
test_random_steps_follow_an_array(void)
{
    /* Add, move, remove: contents and both queues as an array has them. */
    struct known_block block = known_new(120);
    struct model model = {.count = 0};
    for (uint64_t now = 1; now <= 100000; now++) {
        step(&block.known, &model, now);
        EXPECT_EQ(model.count, block.known.count);
        if (now % 16 == 0) {
            expect_oldest(&model, KNOWN_OFFERED,
                          known_oldest_offer(&block.known));
            expect_oldest(&model, KNOWN_RST_OWED,
                          known_oldest_owed(&block.known));
        }
    }
    free(block.memory);
}

static void
test_offer_is_found_in_its_place_with_the_hash_of_its_chain(void)
{
    /* No other state, no other tuple, no place that was never used. */
    struct known_block block = known_new(4);
    struct known *known = &block.known;
    struct syncache_tuple tuple = tuple_number(2);
    struct known_node *other = add_number(known, 1, KNOWN_OFFERED, 0);
    struct known_node *node = add_number(known, 2, KNOWN_OFFERED, 0);
    uint32_t place = known_place(known, node);
    EXPECT_EQ(2, place);
    EXPECT_TRUE(known_offer_at(known, place, &tuple) == node);
    EXPECT_EQ(hash_number(2), known_join(node->offer.hash));
    for (uint32_t wrong = 0; wrong < 6; wrong++) {
        if (wrong != place)
            EXPECT_TRUE(known_offer_at(known, wrong, &tuple) == NULL);
    }
    known_unchain(known);
    known_chain(known, UINT64_C(0x123456789a), node);
    known_chain(known, 5, other);
    EXPECT_EQ(UINT64_C(0x123456789a), known_join(node->offer.hash));
    EXPECT_EQ(5, known_join(other->offer.hash));
    known_set_state(known, node, KNOWN_ESTABLISHED);
    EXPECT_TRUE(known_offer_at(known, place, &tuple) == NULL);
    EXPECT_EQ(0, node->guard.rcv_nxt | node->guard.rcv_adv);
    known_unchain(known);
    known_chain(known, 7, node);
    EXPECT_EQ(0, node->guard.rcv_nxt);
    known_remove(known, 7, node);
    EXPECT_TRUE(known_offer_at(known, place, &tuple) == NULL);
    free(block.memory);
}

static const struct test tests[] = {
    TEST(test_offer_is_found_in_its_place_with_the_hash_of_its_chain),
    TEST(test_size_0_finds_and_takes_nothing),
    TEST(test_memory_is_a_chain_a_node_rounded_up_to_lines),
    TEST(test_full_table_refuses_and_keeps_what_it_has),
    TEST(test_new_node_holds_only_what_was_given),
    TEST(test_each_part_of_the_tuple_counts),
    TEST(test_offers_and_owed_rsts_come_oldest_first),
    TEST(test_new_hash_finds_the_same_nodes),
    TEST(test_random_steps_follow_an_array),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* The compiled access list: first match, wildcards, ports, both families. */
#include "test.h"

#include "../../csrc/flow/rules.h"

enum { LINES = 4 };

static struct flow_rule memory[2 * LINES]; /* and the index */

static struct rules
list(const struct flow_rule *rule, uint32_t count)
{
    struct rules rules;

    EXPECT_TRUE(rules_bytes(LINES) <= sizeof memory);
    rules_init(&rules, memory, LINES);
    EXPECT_TRUE(rules_set(&rules, rule, count, true));
    return rules;
}

static struct syncache_tuple
tuple4(uint8_t from, uint16_t fport, uint8_t to, uint16_t lport)
{
    struct syncache_tuple tuple = {.family = 4, .fport = fport, .lport = lport};

    tuple.faddr[0] = tuple.laddr[0] = 10;
    tuple.faddr[3] = from;
    tuple.laddr[3] = to;
    return tuple;
}

/* permit tcp any host 10.0.0.<to> eq <port> */
static struct flow_rule
permit_host(uint8_t to, uint16_t port)
{
    struct flow_rule rule = {.protocol = 6,
                             .family = 4,
                             .permit = 1,
                             .destination = {10, 0, 0, to},
                             .destination_op = FLOW_PORT_EQ,
                             .destination_lo = port};

    memset(rule.source_wildcard, 0xff, sizeof rule.source_wildcard);
    return rule;
}

static struct flow_rule
any(uint8_t permit)
{
    struct flow_rule rule = {.permit = permit};

    memset(rule.source_wildcard, 0xff, sizeof rule.source_wildcard);
    memset(rule.destination_wildcard, 0xff, sizeof rule.destination_wildcard);
    return rule;
}

static void
test_first_matching_line_decides(void)
{
    /* deny host 10.0.0.7; permit to 10.0.0.1:80; nothing else. */
    struct flow_rule lines[2] = {any(0), permit_host(1, 80)};
    lines[0].family = 4;
    memcpy(lines[0].source, "\x0a\x00\x00\x07", 4);
    memset(lines[0].source_wildcard, 0, 16);
    struct rules rules = list(lines, 2);
    struct syncache_tuple tuple = tuple4(7, 1000, 1, 80);
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
    tuple = tuple4(8, 1000, 1, 80);
    EXPECT_TRUE(rules_permit(&rules, &tuple, 6));
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 17));
    tuple = tuple4(8, 1000, 1, 81);
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
    EXPECT_TRUE(rules_may_permit(&rules, &tuple, 6));
    tuple = tuple4(8, 1000, 2, 80);
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
    EXPECT_TRUE(!rules_may_permit(&rules, &tuple, 6));
    tuple = tuple4(7, 1000, 1, 80);
    EXPECT_TRUE(!rules_may_permit(&rules, &tuple, 6));
    tuple.family = 6;
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
}

static void
test_no_list_permits_nothing_and_any_permits_both_families(void)
{
    struct flow_rule line = any(1);
    struct rules rules = list(&line, 1);
    struct syncache_tuple tuple = tuple4(1, 2, 3, 4);
    EXPECT_TRUE(rules_permit(&rules, &tuple, 6));
    tuple.family = 6;
    EXPECT_TRUE(rules_permit(&rules, &tuple, 6));
    EXPECT_TRUE(rules_set(&rules, &line, 1, false));
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
    EXPECT_TRUE(!rules_may_permit(&rules, &tuple, 6));
    EXPECT_TRUE(rules_set(&rules, NULL, 0, true));
    EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
}

static void
test_every_port_operator_at_its_edges(void)
{
    static const struct {
        uint8_t op;
        uint16_t lo, hi, port;
        bool match;
    } rows[] = {
        {FLOW_PORT_EQ, 80, 0, 80, true},    {FLOW_PORT_EQ, 80, 0, 81, false},
        {FLOW_PORT_NEQ, 80, 0, 80, false},  {FLOW_PORT_NEQ, 80, 0, 81, true},
        {FLOW_PORT_LT, 80, 0, 79, true},    {FLOW_PORT_LT, 80, 0, 80, false},
        {FLOW_PORT_GT, 80, 0, 81, true},    {FLOW_PORT_GT, 80, 0, 80, false},
        {FLOW_PORT_RANGE, 5, 9, 4, false},  {FLOW_PORT_RANGE, 5, 9, 5, true},
        {FLOW_PORT_RANGE, 5, 9, 9, true},   {FLOW_PORT_RANGE, 5, 9, 10, false},
        {FLOW_PORT_ANY, 0, 0, 65535, true},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct flow_rule line = any(1);
        struct syncache_tuple tuple = tuple4(1, 1, 2, rows[i].port);
        line.destination_op = rows[i].op;
        line.destination_lo = rows[i].lo;
        line.destination_hi = rows[i].hi;
        struct rules rules = list(&line, 1);
        EXPECT_EQ(rows[i].match, rules_permit(&rules, &tuple, 6));
        line = any(1);
        tuple = tuple4(1, rows[i].port, 2, 1);
        line.source_op = rows[i].op;
        line.source_lo = rows[i].lo;
        line.source_hi = rows[i].hi;
        rules = list(&line, 1);
        EXPECT_EQ(rows[i].match, rules_permit(&rules, &tuple, 6));
    }
}

static void
test_range_of_one_port_is_one_and_none_runs_backwards(void)
{
    struct flow_rule rule = permit_host(1, 80);
    struct rules rules = list(NULL, 0);

    rule.destination_op = FLOW_PORT_RANGE;
    rule.destination_hi = 80;
    EXPECT_TRUE(rules_set(&rules, &rule, 1, true));
    rule.destination_hi = 79;
    EXPECT_TRUE(!rules_set(&rules, &rule, 1, true));
}

static void
test_senseless_lists_are_refused_and_change_nothing(void)
{
    struct flow_rule good = permit_host(1, 80);
    struct rules rules = list(&good, 1);
    struct flow_rule bad[5] = {good};
    EXPECT_TRUE(!rules_set(&rules, bad, 5, true));
    bad[0].family = 5;
    EXPECT_TRUE(!rules_set(&rules, bad, 1, true));
    bad[0] = good;
    bad[0].source_op = FLOW_PORT_RANGE + 1;
    EXPECT_TRUE(!rules_set(&rules, bad, 1, true));
    bad[0] = good;
    bad[0].destination_op = FLOW_PORT_RANGE;
    bad[0].destination_lo = 2;
    bad[0].destination_hi = 1;
    EXPECT_TRUE(!rules_set(&rules, bad, 1, true));
    bad[0] = good;
    bad[0].family = 0;
    EXPECT_TRUE(!rules_set(&rules, bad, 1, true));
    struct syncache_tuple tuple = tuple4(9, 9, 1, 80);
    EXPECT_TRUE(rules_permit(&rules, &tuple, 6));
}

static void
test_every_bit_of_an_address_counts_unless_a_wildcard_covers_it(void)
{
    for (uint32_t i = 0; i < 4 * 160; i++) {
        bool source = i & 1, wild = i & 2;
        uint32_t bit = i / 4 % 160, at = bit / 8 % 16;
        struct syncache_tuple tuple = {.family = bit < 128 ? 6 : 4};
        struct flow_rule line = {.permit = 1, .family = tuple.family};
        uint8_t *address = source ? tuple.faddr : tuple.laddr;
        uint8_t *wildcard =
            source ? line.source_wildcard : line.destination_wildcard;
        struct rules rules = list(&line, 1);

        EXPECT_TRUE(rules_permit(&rules, &tuple, 6));
        address[at] = (uint8_t)(1u << bit % 8);
        EXPECT_TRUE(!rules_permit(&rules, &tuple, 6));
        wildcard[at] = wild ? address[at] : (uint8_t)~address[at];
        rules = list(&line, 1);
        EXPECT_EQ(wild, rules_permit(&rules, &tuple, 6));
    }
}

static void
test_list_in_used_memory_is_empty(void)
{
    struct rules rules, again;

    memset(&rules, 0xff, sizeof rules);
    memset(&again, 0, sizeof again);
    rules_init(&rules, memory, LINES);
    rules_init(&again, memory, LINES);
    EXPECT_BYTES((const uint8_t *)&again, (const uint8_t *)&rules,
                 sizeof rules);
    EXPECT_EQ(0, rules.count);
}

static void
test_addresses_of_no_family_have_to_be_any_in_every_byte(void)
{
    struct rules rules;

    rules_init(&rules, memory, LINES);
    for (uint32_t i = 0; i < 32; i++) {
        struct flow_rule rule = any(1);
        uint8_t *wildcard =
            i < 16 ? rule.source_wildcard : rule.destination_wildcard;

        EXPECT_TRUE(rules_set(&rules, &rule, 1, true));
        wildcard[i % 16] = 0xfe;
        EXPECT_TRUE(!rules_set(&rules, &rule, 1, true));
        rule.family = 6;
        EXPECT_TRUE(rules_set(&rules, &rule, 1, true));
    }
}

static const struct test tests[] = {
    TEST(test_every_bit_of_an_address_counts_unless_a_wildcard_covers_it),
    TEST(test_range_of_one_port_is_one_and_none_runs_backwards),
    TEST(test_first_matching_line_decides),
    TEST(test_no_list_permits_nothing_and_any_permits_both_families),
    TEST(test_every_port_operator_at_its_edges),
    TEST(test_senseless_lists_are_refused_and_change_nothing),
    TEST(test_list_in_used_memory_is_empty),
    TEST(test_addresses_of_no_family_have_to_be_any_in_every_byte),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

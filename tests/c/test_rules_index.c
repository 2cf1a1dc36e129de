/* A long access list: its index and a walk over its lines find the same one. */
#include "test.h"

#include "../../csrc/flow/rules.h"
#include "../../csrc/flow/rules_line.h"

enum { LINES = 300 };

static uint32_t memory[LINES * 32];
static struct flow_rule line[LINES];
static struct rules rules;

static uint32_t
dice(uint32_t sides)
{
    return (uint32_t)test_random_below(sides);
}

/* A few values each, so that most packets match something. */
static void
random_address(uint8_t address[16], uint8_t family)
{
    memset(address, 0, 16);
    for (int i = 0; i < (family == 4 ? 4 : 16); i++)
        address[i] = i % 4 == 3 ? (uint8_t)dice(4) : 10;
}

/* From a host to all, one in eight with holes. */
static void
random_wildcard(uint8_t wildcard[16], uint8_t family, uint32_t masks)
{
    uint32_t kind = dice(masks);

    memset(wildcard, kind == 0 || family == 0 ? 0xff : 0, 16);
    if (family != 0 && kind > 1)
        wildcard[family == 4 ? 3 : 15] = (uint8_t)kind;
}

static uint8_t
random_ports(uint16_t *lo, uint16_t *hi)
{
    static const uint8_t ops[] = {FLOW_PORT_ANY, FLOW_PORT_ANY,  FLOW_PORT_EQ,
                                  FLOW_PORT_EQ,  FLOW_PORT_NEQ,  FLOW_PORT_LT,
                                  FLOW_PORT_GT,  FLOW_PORT_RANGE};

    *lo = (uint16_t)dice(4);
    *hi = (uint16_t)(*lo + dice(3));
    return ops[dice(TEST_COUNT(ops))];
}

static void
random_list(uint32_t masks)
{
    static const uint8_t families[] = {0, 4, 4, 6};

    for (uint32_t i = 0; i < LINES; i++) {
        struct flow_rule *one = &line[i];

        memset(one, 0, sizeof *one);
        one->family = families[i % 32 == 31 ? 0 : 1 + dice(3)];
        one->protocol = dice(3) ? 6 : dice(2) ? 17 : 0;
        one->permit = (uint8_t)dice(2);
        random_address(one->source, one->family);
        random_address(one->destination, one->family);
        random_wildcard(one->source_wildcard, one->family, masks);
        random_wildcard(one->destination_wildcard, one->family, masks);
        one->source_op = random_ports(&one->source_lo, &one->source_hi);
        one->destination_op =
            random_ports(&one->destination_lo, &one->destination_hi);
    }
}

static struct syncache_tuple
random_tuple(void)
{
    struct syncache_tuple tuple = {.family = dice(2) ? 4 : 6,
                                   .fport = (uint16_t)dice(6),
                                   .lport = (uint16_t)dice(6)};

    random_address(tuple.faddr, tuple.family);
    random_address(tuple.laddr, tuple.family);
    return tuple;
}

/* As one reads the list. */
static bool
walked(const struct syncache_tuple *tuple, uint8_t protocol, bool ports,
       uint32_t *deciding)
{
    for (*deciding = 0; *deciding < LINES; ++*deciding) {
        const struct flow_rule *one = &line[*deciding];

        if (rules_line_matches(one, tuple, protocol) &&
            (ports ? rules_line_ports(one, tuple) : rules_line_decides(one)))
            return one->permit;
    }
    return false;
}

static void
agrees(uint32_t masks)
{
    uint32_t late = 0;

    random_list(masks);
    EXPECT_TRUE(rules_set(&rules, line, LINES, true));
    for (int i = 0; i < 2000; i++) {
        struct syncache_tuple tuple = random_tuple();
        uint8_t protocol = dice(2) ? 6 : 17;
        uint32_t at;

        EXPECT_EQ(walked(&tuple, protocol, true, &at),
                  rules_permit(&rules, &tuple, protocol));
        late += at > RULES_SCANNED && at < LINES;
        EXPECT_EQ(walked(&tuple, protocol, false, &at),
                  rules_may_permit(&rules, &tuple, protocol));
    }
    EXPECT_TRUE(late > 0);
}

static void
test_first_line_is_that_of_a_walk(void)
{
    EXPECT_TRUE(rules_bytes(LINES) <= sizeof memory);
    rules_init(&rules, memory, LINES);
    for (int i = 0; i < 50; i++)
        agrees(3);
}

static void
test_lists_of_more_masks_than_there_are_groups_are_as_right(void)
{
    rules_init(&rules, memory, LINES);
    agrees(200);
    EXPECT_EQ(RULES_GROUPS_MAX, rules.with_ports.groups);
    EXPECT_TRUE(rules.with_ports.rest != RULES_NONE);
    agrees(3); /* nothing of the list before is left */
    EXPECT_TRUE(rules.with_ports.rest == RULES_NONE ||
                rules.with_ports.groups == RULES_GROUPS_MAX);
}

static void
test_lists_of_hosts_or_of_ports_are_one_group_and_many_chains(void)
{
    for (int ports = 0; ports < 2; ports++) {
        uint32_t used = 0;

        memset(line, 0, sizeof line);
        for (uint32_t i = 0; i < LINES; i++) {
            line[i].family = 4;
            line[i].permit = 1;
            line[i].destination_op = FLOW_PORT_EQ;
            line[i].destination_lo = (uint16_t)(ports ? i : 80);
            line[i].destination[2] = (uint8_t)(ports ? 0 : i >> 8);
            line[i].destination[3] = (uint8_t)(ports ? 0 : i);
            memset(line[i].source_wildcard, 0xff, 16);
        }
        rules_init(&rules, memory, LINES);
        EXPECT_TRUE(rules_set(&rules, line, LINES, true));
        EXPECT_EQ(1, rules.with_ports.groups);
        for (uint32_t i = 0; i <= rules.with_ports.mask; i++)
            used += rules.with_ports.bucket[i] != RULES_NONE;
        EXPECT_TRUE(used > LINES / 2);
    }
}

static const struct test tests[] = {
    TEST(test_first_line_is_that_of_a_walk),
    TEST(test_lists_of_more_masks_than_there_are_groups_are_as_right),
    TEST(test_lists_of_hosts_or_of_ports_are_one_group_and_many_chains),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

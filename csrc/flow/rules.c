/*
 * The access list: the first of its lines, as its author wrote them, decides.
 * Most lists have a few lines and are scanned; only packets without a session
 * come here.
 */
#include "rules.h"

#include "rules_line.h"

#include <assert.h>
#include <string.h>

size_t
rules_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct flow_rule) + 2 * rules_index_bytes(max);
}

void
rules_init(struct rules *rules, void *memory, uint32_t max)
{
    assert(memory != NULL || max == 0);
    memset(rules, 0, sizeof *rules);
    rules->rule = memory;
    rules->max = max;
    if (max == 0)
        return;
    uint8_t *behind = (uint8_t *)(rules->rule + max);
    rules_index_init(&rules->with_ports, behind, max, true);
    rules_index_init(&rules->without, behind + rules_index_bytes(max), max,
                     false);
}

static bool
rules_ports_valid(uint8_t op, uint16_t lo, uint16_t hi)
{
    return op <= FLOW_PORT_RANGE && (op != FLOW_PORT_RANGE || lo <= hi);
}

static bool
rules_valid(const struct flow_rule *rule)
{
    if (rule->family != 0 && rule->family != 4 && rule->family != 6)
        return false;
    if (!rules_ports_valid(rule->source_op, rule->source_lo, rule->source_hi) ||
        !rules_ports_valid(rule->destination_op, rule->destination_lo,
                           rule->destination_hi))
        return false;
    /* Addresses of no family say nothing. */
    if (rule->family == 0)
        for (int i = 0; i < 16; i++)
            if ((rule->source_wildcard[i] & rule->destination_wildcard[i]) !=
                0xff)
                return false;
    return true;
}

bool
rules_set(struct rules *rules, const struct flow_rule *rule, uint32_t count,
          bool on)
{
    if (count > rules->max)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!rules_valid(&rule[i]))
            return false;
    if (count > 0)
        memcpy(rules->rule, rule, count * sizeof *rule);
    rules->count = count;
    rules->on = on;
    if (count > RULES_SCANNED) {
        rules_index_set(&rules->with_ports, rules->rule, count);
        rules_index_set(&rules->without, rules->rule, count);
    }
    return true;
}

/* The first line that matches, or RULES_NONE. */
static uint32_t
rules_first(const struct rules *rules, const struct syncache_tuple *tuple,
            uint8_t protocol, bool ports)
{
    if (!rules->on)
        return RULES_NONE;
    if (rules->count > RULES_SCANNED)
        return rules_index_first(ports ? &rules->with_ports : &rules->without,
                                 rules->rule, tuple, protocol);
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct flow_rule *rule = &rules->rule[i];

        if (rules_line_matches(rule, tuple, protocol) &&
            (ports ? rules_line_ports(rule, tuple) : rules_line_decides(rule)))
            return i;
    }
    return RULES_NONE;
}

bool
rules_permit(const struct rules *rules, const struct syncache_tuple *tuple,
             uint8_t protocol)
{
    uint32_t line = rules_first(rules, tuple, protocol, true);

    return line != RULES_NONE && rules->rule[line].permit != 0;
}

bool
rules_may_permit(const struct rules *rules, const struct syncache_tuple *tuple,
                 uint8_t protocol)
{
    uint32_t line = rules_first(rules, tuple, protocol, false);

    return line != RULES_NONE && rules->rule[line].permit != 0;
}

/*
 * The access list: a scan in the order of its lines, as its author wrote them.
 * Lists have tens of lines; only packets without a session come here.
 */
#include "rules.h"

#include <assert.h>
#include <string.h>

size_t
rules_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct flow_rule);
}

void
rules_init(struct rules *rules, void *memory, uint32_t max)
{
    assert(memory != NULL || max == 0);
    memset(rules, 0, sizeof *rules);
    rules->rule = memory;
    rules->max = max;
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
    return true;
}

static bool
rules_port(uint8_t op, uint16_t lo, uint16_t hi, uint16_t port)
{
    switch ((enum flow_port_op)op) {
    case FLOW_PORT_ANY:
        break;
    case FLOW_PORT_EQ:
        return port == lo;
    case FLOW_PORT_NEQ:
        return port != lo;
    case FLOW_PORT_LT:
        return port < lo;
    case FLOW_PORT_GT:
        return port > lo;
    case FLOW_PORT_RANGE:
        return lo <= port && port <= hi;
    }
    return true;
}

static bool
rules_address(uint8_t family, const uint8_t *pattern, const uint8_t *wildcard,
              const uint8_t *address)
{
    size_t size = family == 4 ? 4 : 16;
    unsigned differ = 0;

    for (size_t i = 0; i < size; i++)
        differ |= (pattern[i] ^ (unsigned)address[i]) & ~(unsigned)wildcard[i];
    return (differ & 0xff) == 0;
}

/* All that a line says but for ports. */
static bool
rules_match(const struct flow_rule *rule, const struct syncache_tuple *tuple,
            uint8_t protocol)
{
    if (rule->protocol != 0 && rule->protocol != protocol)
        return false;
    if (rule->family == 0)
        return true;
    return rule->family == tuple->family &&
           rules_address(rule->family, rule->source, rule->source_wildcard,
                         tuple->faddr) &&
           rules_address(rule->family, rule->destination,
                         rule->destination_wildcard, tuple->laddr);
}

bool
rules_permit(const struct rules *rules, const struct syncache_tuple *tuple,
             uint8_t protocol)
{
    if (!rules->on)
        return false;
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct flow_rule *rule = &rules->rule[i];

        if (rules_match(rule, tuple, protocol) &&
            rules_port(rule->source_op, rule->source_lo, rule->source_hi,
                       tuple->fport) &&
            rules_port(rule->destination_op, rule->destination_lo,
                       rule->destination_hi, tuple->lport))
            return rule->permit != 0;
    }
    return false;
}

bool
rules_may_permit(const struct rules *rules, const struct syncache_tuple *tuple,
                 uint8_t protocol)
{
    if (!rules->on)
        return false;
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct flow_rule *rule = &rules->rule[i];

        if (!rules_match(rule, tuple, protocol))
            continue;
        if (rule->permit)
            return true;
        /* A denial of every port ends it; one of some ports does not. */
        if (rule->source_op == FLOW_PORT_ANY &&
            rule->destination_op == FLOW_PORT_ANY)
            return false;
    }
    return false;
}

/*
 * One line of an access list: whether it matches.  The order of lines, and what a match means, are rules.c's affair.
 */
#ifndef SYNCACHE_FLOW_RULES_LINE_H
#define SYNCACHE_FLOW_RULES_LINE_H

#include "flow.h"

/* Bytes of an address that a line of this family compares; of no family: none. */
static inline size_t
rules_line_size(uint8_t family)
{
    return family == 0 ? 0 : family == 4 ? 4 : 16;
}

static inline bool
rules_line_port(uint8_t op, uint16_t lo, uint16_t hi, uint16_t port)
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

static inline bool
rules_line_ports(const struct flow_rule *rule,
                 const struct syncache_tuple *tuple)
{
    return rules_line_port(rule->source_op, rule->source_lo, rule->source_hi,
                           tuple->fport) &&
           rules_line_port(rule->destination_op, rule->destination_lo,
                           rule->destination_hi, tuple->lport);
}

static inline bool
rules_line_address(size_t size, const uint8_t *pattern, const uint8_t *wildcard,
                   const uint8_t *address)
{
    unsigned differ = 0;

    for (size_t i = 0; i < size; i++)
        differ |= (pattern[i] ^ (unsigned)address[i]) & ~(unsigned)wildcard[i];
    return (differ & 0xff) == 0;
}

/* All that a line says but for ports. */
static inline bool
rules_line_matches(const struct flow_rule *rule,
                   const struct syncache_tuple *tuple, uint8_t protocol)
{
    size_t size = rules_line_size(rule->family);

    if (rule->protocol != 0 && rule->protocol != protocol)
        return false;
    if (rule->family != 0 && rule->family != tuple->family)
        return false;
    return rules_line_address(size, rule->source, rule->source_wildcard,
                              tuple->faddr) &&
           rules_line_address(size, rule->destination,
                              rule->destination_wildcard, tuple->laddr);
}

/* Whether it is the last word on a packet of unknown ports: a denial of some ports is not. */
static inline bool
rules_line_decides(const struct flow_rule *rule)
{
    return rule->permit || (rule->source_op == FLOW_PORT_ANY &&
                            rule->destination_op == FLOW_PORT_ANY);
}

#endif

/*
 * An access list, compiled: lines in order, the first that matches decides, falling off the end is a denial.  Knows
 * addresses, ports and protocols of tuples; whose list it is, and the meaning of a permission, are intercept.c's
 * affair.
 */
#ifndef SYNCACHE_FLOW_RULES_H
#define SYNCACHE_FLOW_RULES_H

#include "flow.h"
#include "rules_index.h"

enum { RULES_SCANNED = 16 };          /* up to so many lines a scan is as fast as an index */

struct rules {
    struct flow_rule *rule;
    uint32_t max;
    uint32_t count;
    bool on;                          /* false: there is no list, and nothing is permitted */
    struct rules_index with_ports, without;
};

size_t rules_bytes(uint32_t max);
void rules_init(struct rules *rules, void *memory, uint32_t max);

/* Replaces all lines.  Returns false, and changes nothing, if there are too many or one makes no sense. */
bool rules_set(struct rules *rules, const struct flow_rule *rule, uint32_t count, bool on);

/* The verdict on a packet from `tuple`'s foreign to its local side. */
bool rules_permit(const struct rules *rules, const struct syncache_tuple *tuple, uint8_t protocol);

/* Whether a packet between these addresses might be permitted with other ports: for those whose ports are not known. */
bool rules_may_permit(const struct rules *rules, const struct syncache_tuple *tuple, uint8_t protocol);

#endif

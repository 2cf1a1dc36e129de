/*
 * Inspection's rules: which one a session is under, its settings for alerts, audit trail and idle time, which fall back
 * to the global tunables; and the audit trail itself.
 */
#ifndef SYNCACHE_FLOW_INSPECT_RULE_H
#define SYNCACHE_FLOW_INSPECT_RULE_H

#include "box.h"

/* The number of the rule for a session begun on a side, as struct session holds it, and its settings. */
uint8_t inspect_rule_number(const struct flow *flow, uint8_t side, uint8_t protocol, uint16_t port);
const struct flow_inspect_rule *inspect_rule_at(const struct flow *flow, uint8_t number);
bool inspect_rule_alerts(const struct flow *flow, uint8_t number);
/* How long a session of this kind lives after its last packet. */
uint32_t inspect_rule_idle_ms(const struct flow *flow, const struct session *session);

/* A session was made, is about to end: its rule, its lines of the audit trail. */
void inspect_rule_opened(struct flow *flow, struct session *session);
void inspect_rule_ended(struct flow *flow, const struct session *session, enum flow_end end);

#endif

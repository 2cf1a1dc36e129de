/*
 * Inspection's rules: which one a session is under, its settings for alerts, audit trail and idle time, which fall back
 * to the global tunables; and the audit trail itself.
 */
#ifndef SYNCACHE_FLOW_INSPECT_RULE_H
#define SYNCACHE_FLOW_INSPECT_RULE_H

#include "box.h"

#define INSPECT_DNS_PORT 53

/* The number of the rule for a session begun on a side, as struct session holds it, and its settings. */
uint8_t inspect_rule_number(const struct flow *flow, uint8_t side, uint8_t protocol, uint16_t port);
const struct flow_inspect_rule *inspect_rule_at(const struct flow *flow, uint8_t number);
bool inspect_rule_alerts(const struct flow *flow, uint8_t number);
/* The time-out of a session's own rule; 0: it has none. */
uint32_t inspect_rule_timeout_ms(const struct flow *flow, const struct session *session);

/* How long a session of this kind lives after its last packet. */
static inline uint32_t
inspect_rule_idle_ms(const struct flow *flow, const struct session *session)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;
    bool udp = session->protocol == WIRE_PROTOCOL_UDP;
    uint32_t own_ms;

    /* dns_timeout is above the rules. */
    if (udp && session->port[FLOW_SERVER] == INSPECT_DNS_PORT)
        return tunables->dns_timeout_ms;
    own_ms = session->rule < FLOW_INSPECTED_COUNT ? tunables->rule[session->rule].timeout_ms
                                                  : inspect_rule_timeout_ms(flow, session);
    if (own_ms != 0)
        return own_ms;
    if (session->protocol == WIRE_PROTOCOL_TCP)
        return tunables->tcp_idle_time_ms;
    return udp ? tunables->udp_idle_time_ms : tunables->icmp_idle_time_ms;
}

/* A session was made, is about to end: its rule, its lines of the audit trail. */
void inspect_rule_opened(struct flow *flow, struct session *session);
void inspect_rule_ended(struct flow *flow, const struct session *session, enum flow_end end);

#endif

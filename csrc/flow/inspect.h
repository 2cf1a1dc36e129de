/*
 * What the files of Inspection share.
 *
 *   inspect.c        attempts: block, rate, limits, eviction; deletion; timers     inspect_tcp.c   TCP
 *   inspect_host.c   the limit of a destination, and its block                     inspect_udp.c   UDP, DNS, ICMP
 */
#ifndef SYNCACHE_FLOW_INSPECT_H
#define SYNCACHE_FLOW_INSPECT_H

#include "engine.h"

enum flow_verdict inspect_tcp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_udp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_icmp(struct flow *flow, struct arrival *arrival);

/* Is packets' way through ours to judge, or do we only look? */
bool inspect_acts(const struct flow *flow);
/* What becomes of a packet that is refused: it passes if we only look. */
enum flow_verdict inspect_refuse(const struct flow *flow, enum flow_verdict verdict);

/* The rule for a new session, as struct session holds it, and what it says. */
uint8_t inspect_rule_number(const struct flow *flow, uint8_t protocol, uint16_t port);
const struct flow_inspect_rule *inspect_rule(const struct flow *flow, uint8_t number);
bool inspect_alerts(const struct flow *flow, uint8_t rule_number);
/* How long a session of this kind lives after its last packet. */
uint32_t inspect_idle_ms(const struct flow *flow, const struct session *session);

/*
 * An attempt: counts it, judges, makes room, makes the session, judges again (spec section 5).
 *
 *   in       arrival    its packet, from the initiator, checksum verified
 *   in       counted    it counts in the thresholds
 *   returns  true: it has a session, which the caller completes by *session.  The second judgement is the caller's
 *            (engine_judge), after it armed the session.  false: there is none, *verdict says what becomes of the packet
 */
bool inspect_attempt(struct flow *flow, const struct arrival *arrival, uint8_t rule_number, bool counted,
                     struct session **session, enum flow_verdict *verdict);

/* Deletes a half-open session: resets to both ends if it is TCP, at once or when there is room. */
void inspect_delete(struct flow *flow, struct session *session, enum flow_end end);
/* Ends a session, with its line of the audit trail. */
void inspect_end(struct flow *flow, struct session *session, enum flow_end end);

/* inspect_host.c: what the destination's limit says to one more attempt. */
enum inspect_limit { INSPECT_ADMIT, INSPECT_ADMIT_EVICTED, INSPECT_REFUSE };
enum inspect_limit inspect_host_limit(struct flow *flow, const struct arrival *arrival, uint8_t rule_number);
/* Is the destination of a SYN blocked? */
bool inspect_host_blocked(const struct flow *flow, const struct arrival *arrival);

#endif

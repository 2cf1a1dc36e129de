/*
 * What the files of Inspection share.
 *
 *   inspect.c        attempts: block, rate, limits; victims, deletion, timers    inspect_tcp.c   TCP
 *   inspect_rule.c   what the rules say; the audit trail                         inspect_udp.c   UDP, DNS, ICMP
 *   inspect_host.c   the limit of a destination, its block, challenges
 */
#ifndef SYNCACHE_FLOW_INSPECT_H
#define SYNCACHE_FLOW_INSPECT_H

#include "engine.h"

enum flow_verdict inspect_tcp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_udp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_icmp(struct flow *flow, struct arrival *arrival);
/* A half-open session of UDP or ICMP has an answer. */
void inspect_answered(struct flow *flow, struct session *session);
/* An ICMP error: what it says of a challenged client's connection is translated; to a half-open session it is an answer
 * if it is UDP's, the end if it is TCP's. */
enum flow_verdict inspect_quote(struct flow *flow, struct arrival *arrival);

/* Is packets' way through ours to judge, or do we only look? */
bool inspect_acts(const struct flow *flow);
/* In line, an end's packets come on its own link; others are somebody else's. */
bool inspect_comes_right(const struct session *session, const struct arrival *arrival, uint32_t from);
/* What becomes of a packet that is refused: it passes if we only look. */
enum flow_verdict inspect_refuse(const struct flow *flow, enum flow_verdict verdict);

/* The rule for a session begun on a side, as struct session holds it, and what it says. */
uint8_t inspect_rule_number(const struct flow *flow, uint8_t side, uint8_t protocol, uint16_t port);
const struct flow_inspect_rule *inspect_rule(const struct flow *flow, uint8_t number);
bool inspect_alerts(const struct flow *flow, uint8_t rule_number);
/* How long a session of this kind lives after its last packet. */
uint32_t inspect_idle_ms(const struct flow *flow, const struct session *session);

/*
 * An attempt: counts it, judges, makes room, makes the session.
 *
 *   in       arrival    its packet, from the initiator, checksum verified
 *   in       counted    it counts in the thresholds
 *   returns  the session, which the caller completes, arms, and then judges again (engine_judge); or NULL, and
 *            *verdict says what becomes of the packet
 */
struct session *inspect_attempt(struct flow *flow, const struct arrival *arrival, bool counted,
                                enum flow_verdict *verdict);

/* Deletes a half-open session: resets to both ends if it is TCP, at once or when there is room. */
void inspect_delete(struct flow *flow, struct session *session, enum flow_end end);
/* Makes way for a new session if the mode asks for it: one victim goes. */
void inspect_make_way(struct flow *flow);

/* inspect_host.c: what the destination's limit says to one more attempt. */
enum inspect_limit { INSPECT_ADMIT, INSPECT_ADMIT_EVICTED, INSPECT_REFUSE };
enum inspect_limit inspect_host_limit(struct flow *flow, const struct arrival *arrival);
/* Is the destination of a SYN blocked?  What becomes of a SYN that is refused: block_action. */
bool inspect_host_blocked(const struct flow *flow, const struct arrival *arrival);
enum flow_verdict inspect_host_refuse(struct flow *flow, const struct arrival *arrival);
/* A segment of no session: perhaps the ACK of a challenge. */
enum flow_verdict inspect_host_redeem(struct flow *flow, const struct arrival *arrival);

#endif

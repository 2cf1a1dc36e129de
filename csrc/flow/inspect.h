/*
 * Inspection (CBAC): declarations shared by its files.  Calls go down:
 *
 *   inspect_packet.c          packets by their kind, sessions whose time has come
 *   inspect_tcp.c      TCP                inspect_udp.c    UDP, DNS, ICMP
 *   inspect_attempt.c  attempts: block, rate, limits
 *   inspect_host.c     the limit of a destination, its block, challenges
 *   inspect_evict.c    who makes room, deletion
 *   inspect_rule.c     the rules, the audit trail
 */
#ifndef SYNCACHE_FLOW_INSPECT_H
#define SYNCACHE_FLOW_INSPECT_H

#include "box.h"
#include "inspect_rule.h"

enum flow_verdict inspect_packet(struct flow *flow, struct arrival *arrival);
/* A session whose deadline has come: it is no longer armed.  A host whose block is over. */
void inspect_due(struct flow *flow, struct session *session);
void inspect_host_due(struct flow *flow, struct host *host);

enum flow_verdict inspect_tcp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_udp(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_icmp(struct flow *flow, struct arrival *arrival);
/* A half-open session of UDP or ICMP has an answer. */
void inspect_answered(struct flow *flow, struct session *session);

/*
 * An attempt: counts it, judges, makes room, makes the session.
 *
 *   in       arrival    its packet, from the initiator, checksum verified
 *   in       counted    it counts in the thresholds
 *   returns  the session, which the caller completes, arms, and then judges again (inspect_judge); or NULL, and
 *            *verdict is the packet's
 */
struct session *inspect_attempt(struct flow *flow, const struct arrival *arrival, bool counted,
                                enum flow_verdict *verdict);

/* inspect_host.c: whether the destination's limit allows one more attempt. */
enum inspect_limit { INSPECT_ADMIT, INSPECT_ADMIT_EVICTED, INSPECT_REFUSE };
enum inspect_limit inspect_host_limit(struct flow *flow, const struct arrival *arrival);
/* Is the destination of a SYN blocked?  A SYN that is refused meets block_action. */
bool inspect_host_blocked(const struct flow *flow, const struct arrival *arrival);
enum flow_verdict inspect_host_refuse(struct flow *flow, const struct arrival *arrival);
/* A segment of no session: perhaps the ACK of a challenge. */
enum flow_verdict inspect_host_redeem(struct flow *flow, const struct arrival *arrival);

/* Judges the thresholds; if aggressive mode begins and sweeps, half-open sessions go until the count is below low. */
void inspect_judge(struct flow *flow);
/* Deletes a half-open session: resets to both ends if it is TCP, at once or when there is room. */
void inspect_delete(struct flow *flow, struct session *session, enum flow_end end);
/* Sends the resets that a deleted session owes, and forgets it. */
void inspect_pay(struct flow *flow, struct session *session);
/* Makes way for a new session if the mode asks for it: one victim goes.  In a full table; false: nobody can. */
void inspect_make_way(struct flow *flow);
bool inspect_make_room(struct flow *flow);

/* True if packets may be dropped or answered; false with a tap or `detect_only`. */
static inline bool
inspect_acts(const struct flow *flow)
{
    return !flow->tap && flow->inspect.detect_only == 0;
}

/* A packet that is refused passes all the same where nothing may be dropped. */
static inline enum flow_verdict
inspect_refuse(const struct flow *flow, enum flow_verdict verdict)
{
    return inspect_acts(flow) ? verdict : FLOW_FORWARD;
}

#endif

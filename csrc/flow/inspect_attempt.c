/*
 * An attempt to open a session (TCP and UDP, ICMP if it counts):
 *
 *   1  is the destination blocked?  the attempt counts in the rate all the same
 *   2  the rate grows by one        3  the thresholds are judged
 *   4  the destination's limit: its oldest goes, or its block begins
 *   5  while aggressive, if 4 took nobody, one victim goes
 *   6  the session is made          7  the thresholds are judged again
 *
 * Step 7 is the caller's, who completes the session first.
 */
#include "inspect.h"

#include "proxy_half.h"

/* Step 6, in a full table too. */
static struct session *
attempt_open(struct flow *flow, const struct arrival *arrival, bool counted)
{
    struct session *session =
        box_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD, counted);

    if (session == NULL && inspect_make_room(flow))
        session =
            box_open(flow, &arrival->key, arrival->side, FLOW_SYNRCVD, counted);
    if (session == NULL) {
        flow->stats.table_full++;
        return NULL;
    }
    proxy_headers(flow, session, arrival);
    return session;
}

struct session *
inspect_attempt(struct flow *flow, const struct arrival *arrival, bool counted,
                enum flow_verdict *verdict)
{
    bool blocked = inspect_host_blocked(flow, arrival);
    enum inspect_limit limit = INSPECT_ADMIT;

    if (counted) {
        box_request(flow, &arrival->key);
        inspect_judge(flow);
    }
    if (counted && !blocked)
        limit = inspect_host_limit(flow, arrival);
    if (blocked || limit == INSPECT_REFUSE) {
        *verdict = inspect_host_refuse(flow, arrival);
        return NULL;
    }
    if (counted && limit == INSPECT_ADMIT)
        inspect_make_way(flow);
    *verdict = FLOW_FORWARD;
    return attempt_open(flow, arrival, counted);
}

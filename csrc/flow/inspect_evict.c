/*
 * Who makes room in aggressive mode and in a full table, and how a half-open
 * session is deleted: with a RST to both ends if it is TCP.
 */
#include "inspect.h"

#include "answer.h"
#include "report.h"

#include <assert.h>

/* A destination that holds this share of all half-open sessions or more is
 * evicted from under drop_mode heaviest; one that holds less is perhaps only
 * the honest server among many attacked ones. */
#define EVICT_HEAVY_SHARE 4

/* There is a half-open session that counts. */
static struct session *
inspect_victim(struct flow *flow)
{
    assert(flow->order.count > 0);
    uint32_t number = order_oldest(&flow->order, false);
    const struct host *heaviest = hosts_heaviest(&flow->hosts);

    if (flow->inspect.drop_mode == FLOW_DROP_RANDOM)
        number = order_random(&flow->order, false, box_random(flow));
    else if (flow->inspect.drop_mode == FLOW_DROP_HEAVIEST &&
             heaviest != NULL &&
             heaviest->count >=
                 (flow->stats.incomplete - 1) / EVICT_HEAVY_SHARE + 1)
        number = heaviest->oldest;
    return session_at(&flow->sessions, number);
}

static void
evict_one(struct flow *flow)
{
    inspect_delete(flow, inspect_victim(flow),
                   flow->threshold.reason == FLOW_REASON_RATE
                       ? FLOW_END_EVICTED_RATE
                       : FLOW_END_EVICTED_COUNT);
}

/* A low mark of 0 is no bound: any count is below it. */
static bool
is_below_low(const struct flow *flow, uint32_t count)
{
    uint32_t low = flow->limits.incomplete_low;

    return low == 0 || count < low;
}

void
inspect_judge(struct flow *flow)
{
    if (!box_judge(flow) || !flow->threshold.aggressive ||
        flow->inspect.aggressive_evict != FLOW_EVICT_SWEEP)
        return;
    while (!is_below_low(flow, flow->order.count))
        evict_one(flow);
}

void
inspect_make_way(struct flow *flow)
{
    /* A sweep keeps the count below low, the new session included. */
    bool room = flow->inspect.aggressive_evict == FLOW_EVICT_NOBODY ||
                (flow->inspect.aggressive_evict == FLOW_EVICT_SWEEP &&
                 is_below_low(flow, flow->order.count + 1));

    if (flow->threshold.aggressive && !room && flow->order.count > 0)
        evict_one(flow);
}

bool
inspect_make_room(struct flow *flow)
{
    struct session *silent = silent_heaviest(&flow->silent, FLOW_SILENT_FEW);

    if (silent != NULL)
        box_end(flow, silent, FLOW_END_EVICTED_FULL);
    if (silent != NULL || flow->order.count == 0)
        return silent != NULL;
    inspect_delete(flow, inspect_victim(flow), FLOW_END_EVICTED_FULL);
    return true;
}

/*
 * To S its RCV.NXT, to C what its SYN or the SYN-ACK makes acceptable.  Of a
 * challenged client's session S knows once the client has proved itself; before
 * that a RST would only be reflected.
 */
static void
inspect_reset_ends(struct flow *flow, const struct session *session)
{
    bool challenged = session->mode == 'I';
    uint32_t ack = session->c + 1;
    uint32_t seq = 0;

    if (challenged && session->state == FLOW_SYNRCVD)
        return;
    if (challenged)
        seq = session->p + 1;
    else if ((session->flags & SESSION_SYNACK) != 0)
        seq = session->s + 1;
    answer_reset(flow, session, FLOW_CLIENT, seq, &ack);
    answer_reset(flow, session, FLOW_SERVER, session->c + 1, NULL);
}

/* Who is forgotten for want of room goes on without a session: no reset. */
void
inspect_delete(struct flow *flow, struct session *session, enum flow_end end)
{
    bool resets = session->protocol == WIRE_PROTOCOL_TCP &&
                  (end != FLOW_END_EVICTED_FULL || session->mode == 'I') &&
                  flow->inspect.detect_only == 0 &&
                  (!flow->tap || flow->inspect.tap_reset != 0);
    struct flow_event *event;

    assert(session->state <= FLOW_SYNSENT);
    event = report_event(flow, session, FLOW_EVENT_EVICTED);
    if (event != NULL)
        event->reason = (uint8_t)end;
    if (resets && !box_room(flow)) {
        box_owe(flow, session, end);
        return;
    }
    if (resets)
        inspect_reset_ends(flow, session);
    box_end(flow, session, end);
}

void
inspect_pay(struct flow *flow, struct session *session)
{
    if (session->state <= FLOW_SYNSENT)
        inspect_reset_ends(flow, session);
    else
        answer_reset_silent(flow, session);
    box_forget(flow, session);
}

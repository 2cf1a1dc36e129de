/*
 * Who makes room in aggressive mode, and when the table is full.
 *
 * Victims come from SYNRCVD, whose clients proved nothing; from SYNSENT only
 * when none is left.  options=cisco takes both alike, as the original does.
 *
 * `heaviest` takes from the destination that holds most half-open sessions, if
 * that is a quarter of all; else an attacker who spreads over many addresses
 * would steer evictions to one honest server.
 */
#include "intercept.h"

#include "proxy_send.h"
#include "report.h"

#include <assert.h>

#define EVICT_SHARE 4     /* a quarter */
#define EVICT_LOOK_MAX 16 /* entries of a host that are looked at */

/* The heaviest host's oldest entry in SYNRCVD, its oldest at all if none of the
 * first few is. */
static uint32_t
evict_heaviest(const struct flow *flow, bool together)
{
    const struct host *host = hosts_heaviest(&flow->hosts);

    if (host == NULL || host->count == 0 ||
        (uint64_t)host->count * EVICT_SHARE < flow->order.count)
        return SESSION_NONE;
    uint32_t number = host->oldest;
    for (int i = 0; !together && i < EVICT_LOOK_MAX && number != SESSION_NONE;
         i++) {
        const struct session *session = session_at(&flow->sessions, number);
        if (session->state == FLOW_SYNRCVD)
            return number;
        number = session->host_younger;
    }
    return together || flow->order.rcvd_count == 0 ? host->oldest
                                                   : SESSION_NONE;
}

static uint32_t
intercept_victim(struct flow *flow)
{
    bool together = flow->intercept.options == FLOW_OPTIONS_CISCO;
    uint32_t number = SESSION_NONE;

    if (flow->order.count == 0)
        return SESSION_NONE;
    if (flow->intercept.drop_mode == FLOW_DROP_RANDOM)
        return order_random(&flow->order, together, box_random(flow));
    if (flow->intercept.drop_mode == FLOW_DROP_HEAVIEST)
        number = evict_heaviest(flow, together);
    if (number == SESSION_NONE)
        number = order_oldest(&flow->order, together);
    return number;
}

/* Whom a RST can be of use: a client that proved its address, a server that
 * keeps a backlog. */
static void
intercept_reset_end(struct flow *flow, struct session *session)
{
    bool always = flow->intercept.evict_rst == FLOW_EVICT_RST_ALWAYS;

    if (flow->intercept.evict_rst == FLOW_EVICT_RST_NONE)
        return;
    if (session->mode == 'W')
        (void)proxy_reset_server(flow, session);
    else if (always || session->state == FLOW_SYNSENT ||
             session->flags & SESSION_VALIDATED)
        (void)proxy_reset_client(flow, session);
}

bool
intercept_evict(struct flow *flow, enum flow_end end)
{
    uint32_t number = intercept_victim(flow);

    if (number == SESSION_NONE)
        return false;
    struct session *session = session_at(&flow->sessions, number);
    assert(session->state <= FLOW_SYNSENT);
    struct flow_event *event = report_event(flow, session, FLOW_EVENT_EVICTED);
    if (event != NULL)
        event->reason = (uint8_t)end;
    intercept_reset_end(flow, session);
    /* Its client has a cookie in hand. */
    if (session->mode == 'I' && session->state == FLOW_SYNRCVD) {
        flow->gate_ms = flow->now_ms;
        flow->gate_stamped = true;
    }
    box_end(flow, session, end);
    return true;
}

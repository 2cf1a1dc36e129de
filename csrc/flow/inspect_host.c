/*
 * The limit of half-open TCP sessions to one destination address, and its block.
 *
 * An attempt that would be number N + 1 is challenged, if block_action says so
 * and we may; else it costs the host its oldest half-open session.  If there is
 * a block time, a block begins, which may cost all of them, and the attempt and
 * those that follow are refused until the time is over.  A block does not grow.
 *
 * Refused: dropped, or challenged.  A client that answers the challenge, with a
 * cookie or by an entry of the SYN proxy, is let in although the host is
 * blocked, so a flood does not shut out those who are real.
 */
#include "inspect.h"

#include "proxy.h"
#include "proxy_cookie.h"
#include "proxy_grant.h"
#include "report.h"

#include <assert.h>
#include <string.h>

static struct host *
inspect_host_at(const struct flow *flow, const struct arrival *arrival)
{
    return host_find(&flow->hosts, arrival->key.address[1], arrival->key.family,
                     WIRE_PROTOCOL_TCP);
}

bool
inspect_host_blocked(const struct flow *flow, const struct arrival *arrival)
{
    const struct host *host;

    if (flow->hosts.blocked == 0 || arrival->key.protocol != WIRE_PROTOCOL_TCP)
        return false;
    host = inspect_host_at(flow, arrival);
    return host != NULL && host->blocked;
}

static struct flow_event *
inspect_host_event(struct flow *flow, const struct host *host,
                   enum flow_event_kind kind)
{
    struct flow_event *event = report_event(flow, NULL, kind);

    if (event == NULL)
        return NULL;
    box_circumstances(flow, event);
    event->protocol = host->protocol;
    event->reason = FLOW_REASON_HOST;
    event->limit = flow->inspect.tcp_max_incomplete_host;
    memcpy(event->tuple.laddr, host->address, 16);
    event->tuple.family = host->family;
    return event;
}

/* Once per excursion: again only when it was armed again, or is long past. */
static void
inspect_host_exceeded(struct flow *flow, struct host *host, bool alerts)
{
    if (host->alerted &&
        flow->now_ms - host->alert_ms < flow->inspect.host_alert_again_ms)
        return;
    host_alert(host, flow->now_ms);
    flow->stats.host_alerts++;
    if (alerts)
        inspect_host_event(flow, host, FLOW_EVENT_HOST_ALERT);
}

static void
inspect_host_begin_block(struct flow *flow, struct host *host, bool alerts)
{
    uint64_t until_ms = flow->now_ms + flow->inspect.tcp_block_time_ms;
    uint32_t number = host_number(&flow->hosts, host);
    struct flow_event *event;

    host_block(&flow->hosts, host, until_ms);
    due_arm(&flow->due, flow->sessions.max + number, until_ms);
    flow->stats.blocks++;
    /* Blocked, the host is kept although its last session goes. */
    while (flow->inspect.block_clears != 0 && host->count > 0)
        inspect_delete(flow, session_at(&flow->sessions, host->oldest),
                       FLOW_END_BLOCKED);
    host->reported = alerts;
    if (!alerts)
        return;
    event = inspect_host_event(flow, host, FLOW_EVENT_BLOCK);
    if (event != NULL)
        event->number = flow->inspect.tcp_block_time_ms;
}

/* A SYN that we may answer in the server's name. */
static bool
inspect_host_may_challenge(const struct flow *flow,
                           const struct arrival *arrival)
{
    const struct view *view = &arrival->view;

    return inspect_acts(flow) && arrival->side != FLOW_TAP &&
           wire_address_fault(&view->tuple) == SYNCACHE_PASS_KNOWN &&
           !proxy_untouchable(view);
}

/* Without a block time, those above the limit are challenged one by one. */
static bool
inspect_host_challenges(const struct flow *flow, const struct arrival *arrival)
{
    uint32_t action = flow->inspect.block_action;

    if (flow->inspect.tcp_block_time_ms != 0 ||
        !inspect_host_may_challenge(flow, arrival))
        return false;
    return action == FLOW_BLOCK_INTERCEPT ||
           (action == FLOW_BLOCK_COOKIE && proxy_mints(flow));
}

enum inspect_limit
inspect_host_limit(struct flow *flow, const struct arrival *arrival)
{
    uint32_t limit = flow->inspect.tcp_max_incomplete_host;
    bool alerts = inspect_rule_alerts(
        flow, inspect_rule_number(flow, arrival->side, WIRE_PROTOCOL_TCP,
                                  arrival->key.port[1]));
    struct host *host;

    if (limit == 0 || arrival->key.protocol != WIRE_PROTOCOL_TCP)
        return INSPECT_ADMIT;
    host = inspect_host_at(flow, arrival);
    if (host == NULL || host->count < limit)
        return INSPECT_ADMIT;
    inspect_host_exceeded(flow, host, alerts);
    if (flow->inspect.tcp_block_time_ms != 0 &&
        flow->inspect.block_action != FLOW_BLOCK_EVICT) {
        inspect_host_begin_block(flow, host, alerts);
        return INSPECT_REFUSE;
    }
    if (inspect_host_challenges(flow, arrival))
        return INSPECT_REFUSE;
    /* One goes and one comes: the excursion is not over. */
    host->kept = 1;
    inspect_delete(flow, session_at(&flow->sessions, host->oldest),
                   FLOW_END_EVICTED_HOST);
    host->kept = 0;
    if (host->oldest != SESSION_NONE)
        box_prefetch(flow, host->oldest,
                     session_at(&flow->sessions, host->oldest)->host_younger);
    return INSPECT_ADMIT_EVICTED;
}

void
inspect_host_due(struct flow *flow, struct host *host)
{
    assert(host->blocked && host->block_until_ms <= flow->now_ms);
    if (host->reported)
        inspect_host_event(flow, host, FLOW_EVENT_UNBLOCK);
    host_unblock(&flow->hosts, host);
}

enum flow_verdict
inspect_host_refuse(struct flow *flow, const struct arrival *arrival)
{
    enum flow_verdict verdict = inspect_refuse(flow, FLOW_DROP_BLOCKED);

    if (!inspect_host_may_challenge(flow, arrival))
        return verdict;
    if (flow->inspect.block_action == FLOW_BLOCK_COOKIE)
        return proxy_mints(flow) ? proxy_cookie(flow, arrival)
                                 : inspect_refuse(flow, FLOW_DROP_NO_KEY);
    if (flow->inspect.block_action != FLOW_BLOCK_INTERCEPT)
        return verdict;
    inspect_make_way(flow);
    if (proxy_begin(flow, arrival) == NULL)
        return verdict;
    inspect_judge(flow);
    return FLOW_CONSUMED;
}

enum flow_verdict
inspect_host_redeem(struct flow *flow, const struct arrival *arrival)
{
    struct proxy_redeemed redeemed;
    enum flow_verdict verdict;

    if (flow->inspect.block_action != FLOW_BLOCK_COOKIE ||
        !inspect_acts(flow) || arrival->side == FLOW_TAP)
        return FLOW_FORWARD;
    if (!proxy_redeem(flow, arrival, &redeemed))
        return FLOW_FORWARD;
    verdict = proxy_redeemed(flow, arrival, &redeemed);
    inspect_judge(flow);
    return verdict;
}

/*
 * What both policies do with sessions: in and out of every table at once, so
 * that no count can differ from what it counts.  Time, chance, timers, and the
 * judging of thresholds.
 *
 * Not here: generated packets and events (answer.c); when to do any of it
 * (intercept.c, inspect_packet.c).
 */
#include "box.h"

#include "inspect_rule.h"
#include "report.h"
#include "track.h"

#include "../core/bytes.h"
#include "../core/siphash.h"

#include <assert.h>
#include <string.h>

/* Which cookie key is in force, and until when that holds. */
static void
box_advance_keys(struct flow *flow)
{
    const struct proxy_limits *limits = &flow->proxy;

    secret_advance(&flow->secret, flow->now_ms, limits->lifetime_ms,
                   limits->skew_ms);
    flow->settled_ms = secret_settled_ms(&flow->secret, flow->now_ms,
                                         limits->lifetime_ms, limits->skew_ms);
}

void
box_tell_time(struct flow *flow, uint64_t now_ms)
{
    if (!flow->started) {
        flow->started = true;
        flow->started_ms = flow->now_ms = flow->learn_ms = now_ms;
        flow->sources.halved_ms = now_ms;
    }
    if (now_ms > flow->now_ms)
        flow->now_ms = now_ms;
    if (flow->now_ms >= flow->settled_ms)
        box_advance_keys(flow);
}

uint64_t
box_random(struct flow *flow)
{
    uint8_t counter[8];

    store64_le(counter, flow->random++);
    return siphash24(flow->random_key, counter, sizeof counter);
}

static bool
box_ring_room(const struct syncache_ring *tx)
{
    return tx == NULL || tx->slots - tx->count >= FLOW_TX_ROOM;
}

bool
box_room(const struct flow *flow)
{
    return box_ring_room(flow->tx[FLOW_CLIENT]) &&
           box_ring_room(flow->tx[FLOW_SERVER]);
}

uint32_t
box_rate(struct flow *flow)
{
    return threshold_rate(&flow->threshold, &flow->limits, flow->now_ms);
}

void
box_request(struct flow *flow, const struct session_key *key)
{
    uint32_t rate;

    threshold_count(&flow->threshold, flow->now_ms);
    sources_count(&flow->sources, flow->now_ms, key->address[0], key->family);
    flow->stats.requests++;
    rate = box_rate(flow);
    if (rate > flow->stats.one_minute_max)
        flow->stats.one_minute_max = rate;
}

static void
box_raise(uint32_t *count, uint32_t *max)
{
    ++*count;
    if (*count > *max)
        *max = *count;
}

/* Counts a session in by its state, and out. */
static void
box_enter(struct flow *flow, struct session *session)
{
    struct flow_stats *stats = &flow->stats;

    if (session->state == FLOW_ESTAB) {
        box_raise(&stats->established, &stats->established_max);
    } else if (session->state == FLOW_CLOSING) {
        box_raise(&stats->terminating, &stats->terminating_max);
    } else if ((session->flags & SESSION_COUNTED) == 0) {
        stats->uncounted++;
    } else {
        struct host *host =
            host_make(&flow->hosts, session->address[FLOW_SERVER],
                      session->family, session->protocol);

        order_add(&flow->order, session);
        box_raise(&stats->incomplete, &stats->incomplete_max);
        stats->incomplete_udp += session->protocol == WIRE_PROTOCOL_UDP;
        if (host != NULL)
            host_add(&flow->hosts, host, session);
        else
            stats->hosts_full++;
    }
}

/* An alert may come again when half of the excursion is over. */
static void
box_rearm_host(struct flow *flow, uint32_t number)
{
    struct host *host = &flow->hosts.host[number];

    if (host->alerted && !host->kept &&
        host->count <= flow->inspect.tcp_max_incomplete_host / 2)
        host_rearm(&flow->hosts, host);
}

static void
box_leave(struct flow *flow, struct session *session)
{
    struct flow_stats *stats = &flow->stats;

    if (session->state == FLOW_ESTAB) {
        stats->established--;
        if (session->host != HOST_NONE)
            silent_remove(&flow->silent, session);
    } else if (session->state == FLOW_CLOSING) {
        stats->terminating--;
    } else if ((session->flags & SESSION_COUNTED) == 0) {
        stats->uncounted--;
    } else {
        uint32_t host = session->host;

        order_remove(&flow->order, session);
        session->flags &= (uint16_t)~SESSION_COUNTED;
        stats->incomplete--;
        stats->incomplete_udp -= session->protocol == WIRE_PROTOCOL_UDP;
        if (host != HOST_NONE) {
            host_remove(&flow->hosts, session);
            box_rearm_host(flow, host);
        }
    }
}

struct session *
box_open(struct flow *flow, const struct session_key *key, uint8_t side,
         enum flow_state state, bool counted)
{
    struct session *session = session_insert(&flow->sessions, key);

    if (session == NULL)
        return NULL;
    session->state = (uint8_t)state;
    session->side = side;
    session->created_ms = session->last_ms = flow->now_ms;
    session->wscale[0] = session->wscale[1] = SYNCACHE_WSCALE_NONE;
    session->wscale_told = SYNCACHE_WSCALE_NONE;
    if (counted && state <= FLOW_SYNSENT)
        session->flags |= SESSION_COUNTED;
    box_enter(flow, session);
    flow->stats.sessions_created++;
    flow->stats.last_created_ms = flow->now_ms;
    flow->stats.last_incomplete = flow->stats.incomplete;
    if (flow->config.kind == FLOW_INSPECT)
        inspect_rule_opened(flow, session);
    return session;
}

/* Nobody acts beside the traffic, and a tap may miss what a client says. */
static void
box_list_silent(struct flow *flow, struct session *session)
{
    bool inspect = flow->config.kind == FLOW_INSPECT;
    uint32_t limit =
        inspect ? flow->inspect.tcp_silent_max : flow->intercept.silent_max;
    struct session *oldest;

    if (limit == 0 || flow->tap || session->bytes[FLOW_CLIENT] > 0 ||
        (inspect && flow->inspect.detect_only != 0))
        return;
    silent_add(&flow->silent, session);
    oldest = silent_beyond(&flow->silent, session, limit, flow->now_ms);
    if (oldest != NULL && oldest != session)
        box_owe(flow, oldest, FLOW_END_SILENT);
}

void
box_heard(struct flow *flow, struct session *session)
{
    if (session->state == FLOW_ESTAB && session->host != HOST_NONE &&
        session->bytes[FLOW_CLIENT] > 0)
        silent_remove(&flow->silent, session);
}

void
box_state(struct flow *flow, struct session *session, enum flow_state state)
{
    bool half_open = session->state <= FLOW_SYNSENT;

    assert(state > session->state);
    if (state == FLOW_SYNSENT) {
        if ((session->flags & SESSION_COUNTED) != 0)
            order_promote(&flow->order, session);
        session->state = FLOW_SYNSENT;
        return;
    }
    box_leave(flow, session);
    if (half_open && state == FLOW_ESTAB) {
        flow->stats.completed++;
        if (session->protocol == WIRE_PROTOCOL_TCP)
            flow->handshake_ages[age_counter(flow->now_ms -
                                             session->created_ms)]++;
    }
    session->state = (uint8_t)state;
    session->gap_from = 0;
    box_enter(flow, session);
    if (half_open && state == FLOW_ESTAB &&
        session->protocol == WIRE_PROTOCOL_TCP)
        box_list_silent(flow, session);
}

void
box_uncount(struct flow *flow, struct session *session)
{
    assert((session->flags & SESSION_COUNTED) != 0);
    box_leave(flow, session);
    box_enter(flow, session);
}

/* What the client said for a server that has not answered goes with it. */
static void
box_drop_early(struct flow *flow, struct session *session)
{
    if (session->flags & SESSION_SPLICED || session->half_early == EARLY_NONE)
        return;
    early_release(&flow->early, session->half_early);
    session->half_early = EARLY_NONE;
}

/* What ending means to all counts and to the audit trail. */
static void
box_account(struct flow *flow, struct session *session, enum flow_end end)
{
    if (flow->config.kind == FLOW_INSPECT)
        inspect_rule_ended(flow, session, end);
    box_drop_early(flow, session);
    box_leave(flow, session);
    flow->stats.ended[end]++;
}

void
box_end(struct flow *flow, struct session *session, enum flow_end end)
{
    box_account(flow, session, end);
    due_disarm(&flow->due, session_number(&flow->sessions, session));
    session_remove(&flow->sessions, session);
}

void
box_owe(struct flow *flow, struct session *session, enum flow_end end)
{
    box_account(flow, session, end);
    session_hide(&flow->sessions, session);
    session->flags |= SESSION_OWES_RST;
    box_arm(flow, session, flow->now_ms);
}

void
box_forget(struct flow *flow, struct session *session)
{
    assert((session->flags & SESSION_OWES_RST) != 0);
    due_disarm(&flow->due, session_number(&flow->sessions, session));
    session_remove(&flow->sessions, session);
}

void
box_renew_begin(struct flow *flow, struct session *session,
                struct box_renewal *renewal)
{
    const struct session *before = &renewal->before;
    struct session_key *key = &renewal->key;

    renewal->before = *session;
    *key = (struct session_key){.family = before->family,
                                .protocol = before->protocol,
                                .hash = before->hash};
    memcpy(key->address, before->address, sizeof key->address);
    memcpy(key->port, before->port, sizeof key->port);
    box_end(flow, session, FLOW_END_REPLACED);
    box_request(flow, key);
}

struct session *
box_renew(struct flow *flow, const struct box_renewal *renewal,
          const struct view *view)
{
    const struct session *before = &renewal->before;
    struct session *session =
        box_open(flow, &renewal->key, before->side, FLOW_SYNRCVD, true);

    assert(session != NULL); /* its place has just become free */
    memcpy(session->header, before->header, sizeof session->header);
    track_renew(session, before, view);
    return session;
}

void
box_arm(struct flow *flow, struct session *session, uint64_t deadline_ms)
{
    uint32_t number = session_number(&flow->sessions, session);
    bool later = deadline_ms >= session->deadline_ms;

    session->deadline_ms = deadline_ms;
    if (deadline_ms == SYNCACHE_NEVER)
        due_disarm(&flow->due, number);
    else if (!later)
        due_arm(&flow->due, number, deadline_ms);
}

void
box_prefetch(const struct flow *flow, uint32_t next, uint32_t behind)
{
    uint32_t max = flow->sessions.max; /* hosts have the numbers above */

    if (next < max)
        session_prefetch_slot(&flow->sessions,
                              session_at(&flow->sessions, next)->hash);
    if (behind >= max)
        return;
    __builtin_prefetch(session_at(&flow->sessions, behind), 1);
    __builtin_prefetch(&session_at(&flow->sessions, behind)->older, 1);
}

bool
box_admits(struct flow *flow, const struct session *session,
           const struct view *view, uint32_t from)
{
    uint32_t weight = track_useless(session, view, from);

    return weight == 0 ||
           strays_repeat(&flow->strays, flow->now_ms, session->hash, weight);
}

/* Inspection may be told to be silent; what it does stays the same.  An end is
 * told of if its beginning was, whatever was said or lost since: they alternate.
 */
static bool
box_alerts(const struct flow *flow, enum flow_event_kind kind)
{
    if (kind == FLOW_EVENT_CALM)
        return flow->announced;
    return flow->config.kind == FLOW_INTERCEPT || flow->inspect.alert != 0;
}

static void
box_report(struct flow *flow, enum flow_event_kind kind)
{
    struct flow_event *event = NULL;

    if (box_alerts(flow, kind))
        event = report_event(flow, NULL, kind);
    flow->announced = event != NULL && kind == FLOW_EVENT_AGGRESSIVE;
    if (event == NULL)
        return;
    box_circumstances(flow, event);
    event->reason = flow->threshold.reason;
    if (kind == FLOW_EVENT_CALM)
        event->limit = flow->limits.incomplete_low;
    else if (event->reason == FLOW_REASON_RATE)
        event->number = flow->limits.rate_high;
    else
        event->number = flow->limits.incomplete_high;
    if (kind == FLOW_EVENT_AGGRESSIVE)
        event->limit = flow->limits.incomplete_high;
}

bool
box_judge(struct flow *flow)
{
    struct flow_stats *stats = &flow->stats;
    enum threshold_move move;

    flow->judged_incomplete = box_incomplete(flow);
    if (threshold_stays(&flow->threshold, &flow->limits, flow->now_ms,
                        flow->judged_incomplete))
        return false;
    move = threshold_judge(&flow->threshold, &flow->limits, flow->now_ms,
                           flow->judged_incomplete);
    if (move == THRESHOLD_STAYS)
        return false;
    stats->aggressive = move == THRESHOLD_BEGINS;
    if (move == THRESHOLD_BEGINS) {
        stats->aggressive_count++;
        stats->aggressive_reason = flow->threshold.reason;
        stats->aggressive_since_ms = flow->now_ms;
        box_report(flow, FLOW_EVENT_AGGRESSIVE);
    } else {
        stats->calm_count++;
        box_report(flow, FLOW_EVENT_CALM);
    }
    return true;
}

void
box_circumstances(struct flow *flow, struct flow_event *event)
{
    const struct host *top = hosts_heaviest(&flow->hosts);
    const struct source *source = sources_top(&flow->sources);

    event->incomplete = box_incomplete(flow);
    event->udp = flow->stats.incomplete_udp;
    event->rate = box_rate(flow);
    if (top != NULL) {
        memcpy(event->top_address, top->address, 16);
        event->top_family = top->family;
        event->top_count = top->count;
        event->top_port =
            session_at(&flow->sessions, top->youngest)->port[FLOW_SERVER];
    }
    if (source != NULL) {
        memcpy(event->source_prefix, source->prefix, sizeof source->prefix);
        event->source_family = source->family;
        event->source_count = source->count;
    }
}

bool
box_comes_right(const struct session *session, uint32_t from,
                const struct arrival *arrival)
{
    if (arrival->side == FLOW_TAP || session->side == FLOW_TAP)
        return true;
    return (arrival->side == session->side) == (from == FLOW_CLIENT);
}

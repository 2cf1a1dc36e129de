/*
 * What both policies do with sessions: in and out of every table at once, so
 * that no count can differ from what it counts.  Time, chance, timers, and the
 * judging of thresholds.
 *
 * Not here: packets of ours and events (answer.c); when to do any of it
 * (intercept.c, inspect.c).
 */
#include "engine.h"

#include "proxy.h"
#include "track.h"

#include "../core/bytes.h"
#include "../core/siphash.h"

#include <assert.h>
#include <string.h>

void
engine_begin(struct flow *flow, uint64_t now_ms)
{
    engine_tell_time(flow, now_ms);
    secret_use(&flow->secret);
}

/* Which cookie key is in force, and until when that holds. */
static void
engine_advance_keys(struct flow *flow)
{
    bool inspect = flow->config.kind == FLOW_INSPECT;
    uint32_t lifetime_ms = inspect ? flow->inspect.cookie_lifetime_ms
                                   : flow->intercept.cookie_lifetime_ms;
    uint32_t skew_ms =
        inspect ? flow->inspect.clock_skew_ms : flow->intercept.clock_skew_ms;

    secret_advance(&flow->secret, flow->now_ms, lifetime_ms, skew_ms);
    flow->settled_ms =
        secret_settled_ms(&flow->secret, flow->now_ms, lifetime_ms, skew_ms);
}

void
engine_tell_time(struct flow *flow, uint64_t now_ms)
{
    if (!flow->started) {
        flow->started = true;
        flow->started_ms = flow->now_ms = flow->learn_ms = now_ms;
        flow->sources.halved_ms = now_ms;
    }
    if (now_ms > flow->now_ms)
        flow->now_ms = now_ms;
    if (flow->now_ms >= flow->settled_ms)
        engine_advance_keys(flow);
}

uint64_t
engine_random(struct flow *flow)
{
    uint8_t counter[8];

    store64_le(counter, flow->random++);
    return siphash24(flow->random_key, counter, sizeof counter);
}

static bool
engine_ring_room(const struct syncache_ring *tx)
{
    return tx == NULL || tx->slots - tx->count >= FLOW_TX_ROOM;
}

bool
engine_room(const struct flow *flow)
{
    return engine_ring_room(flow->tx[FLOW_CLIENT]) &&
           engine_ring_room(flow->tx[FLOW_SERVER]);
}

uint32_t
engine_rate(struct flow *flow)
{
    return threshold_rate(&flow->threshold, &flow->limits, flow->now_ms);
}

void
engine_request(struct flow *flow, const struct session_key *key)
{
    uint32_t rate;

    threshold_count(&flow->threshold, flow->now_ms);
    sources_count(&flow->sources, flow->now_ms, key->address[0], key->family);
    flow->stats.requests++;
    rate = engine_rate(flow);
    if (rate > flow->stats.one_minute_max)
        flow->stats.one_minute_max = rate;
}

static void
engine_raise(uint32_t *count, uint32_t *max)
{
    ++*count;
    if (*count > *max)
        *max = *count;
}

/* Counts a session in by its state, and out. */
static void
engine_enter(struct flow *flow, struct session *session)
{
    struct flow_stats *stats = &flow->stats;

    if (session->state == FLOW_ESTAB) {
        engine_raise(&stats->established, &stats->established_max);
    } else if (session->state == FLOW_CLOSING) {
        engine_raise(&stats->terminating, &stats->terminating_max);
    } else if ((session->flags & SESSION_COUNTED) == 0) {
        stats->uncounted++;
    } else {
        struct host *host =
            host_make(&flow->hosts, session->address[FLOW_SERVER],
                      session->family, session->protocol);

        order_add(&flow->order, session);
        engine_raise(&stats->incomplete, &stats->incomplete_max);
        stats->incomplete_udp += session->protocol == VIEW_PROTOCOL_UDP;
        if (host != NULL)
            host_add(&flow->hosts, host, session);
        else
            stats->hosts_full++;
    }
}

/* An alert may come again when half of the excursion is over. */
static void
engine_rearm_host(struct flow *flow, uint32_t number)
{
    struct host *host = &flow->hosts.host[number];

    if (host->alerted && !host->kept &&
        host->count <= flow->inspect.tcp_max_incomplete_host / 2)
        host_rearm(&flow->hosts, host);
}

static void
engine_leave(struct flow *flow, struct session *session)
{
    struct flow_stats *stats = &flow->stats;

    if (session->state == FLOW_ESTAB) {
        stats->established--;
    } else if (session->state == FLOW_CLOSING) {
        stats->terminating--;
    } else if ((session->flags & SESSION_COUNTED) == 0) {
        stats->uncounted--;
    } else {
        uint32_t host = session->host;

        order_remove(&flow->order, session);
        session->flags &= (uint16_t)~SESSION_COUNTED;
        stats->incomplete--;
        stats->incomplete_udp -= session->protocol == VIEW_PROTOCOL_UDP;
        if (host != HOST_NONE) {
            host_remove(&flow->hosts, session);
            engine_rearm_host(flow, host);
        }
    }
}

struct session *
engine_open(struct flow *flow, const struct session_key *key, uint8_t side,
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
    engine_enter(flow, session);
    flow->stats.sessions_created++;
    flow->stats.last_created_ms = flow->now_ms;
    flow->stats.last_incomplete = flow->stats.incomplete;
    if (flow->config.kind == FLOW_INSPECT)
        inspect_opened(flow, session);
    return session;
}

void
engine_state(struct flow *flow, struct session *session, enum flow_state state)
{
    bool half_open = session->state <= FLOW_SYNSENT;

    assert(state > session->state);
    if (state == FLOW_SYNSENT) {
        if ((session->flags & SESSION_COUNTED) != 0)
            order_promote(&flow->order, session);
        session->state = FLOW_SYNSENT;
        return;
    }
    engine_leave(flow, session);
    if (half_open && state == FLOW_ESTAB) {
        flow->stats.completed++;
        if (session->protocol == WIRE_PROTOCOL_TCP)
            flow->handshake_ages[measure_age(flow->now_ms -
                                             session->created_ms)]++;
    }
    session->state = (uint8_t)state;
    session->gap_from = 0;
    engine_enter(flow, session);
}

void
engine_uncount(struct flow *flow, struct session *session)
{
    assert((session->flags & SESSION_COUNTED) != 0);
    engine_leave(flow, session);
    engine_enter(flow, session);
}

/* What the client said for a server that has not answered goes with it. */
static void
engine_drop_early(struct flow *flow, struct session *session)
{
    if (session->flags & SESSION_SPLICED || session->half_early == EARLY_NONE)
        return;
    early_release(&flow->early, session->half_early);
    session->half_early = EARLY_NONE;
}

/* What ending means to all counts and to the audit trail. */
static void
engine_account(struct flow *flow, struct session *session, enum flow_end end)
{
    if (flow->config.kind == FLOW_INSPECT)
        inspect_ended(flow, session, end);
    engine_drop_early(flow, session);
    engine_leave(flow, session);
    flow->stats.ended[end]++;
}

void
engine_end(struct flow *flow, struct session *session, enum flow_end end)
{
    engine_account(flow, session, end);
    due_disarm(&flow->due, session_number(&flow->sessions, session));
    session_remove(&flow->sessions, session);
}

void
engine_owe(struct flow *flow, struct session *session, enum flow_end end)
{
    engine_account(flow, session, end);
    session_hide(&flow->sessions, session);
    session->flags |= SESSION_OWES_RST;
    engine_arm(flow, session, flow->now_ms);
}

void
engine_forget(struct flow *flow, struct session *session)
{
    assert((session->flags & SESSION_OWES_RST) != 0);
    due_disarm(&flow->due, session_number(&flow->sessions, session));
    session_remove(&flow->sessions, session);
}

struct session *
engine_renew(struct flow *flow, struct session *session,
             const struct view *view)
{
    struct session before = *session;
    struct session_key key = {.family = before.family,
                              .protocol = before.protocol,
                              .hash = before.hash};

    memcpy(key.address, before.address, sizeof key.address);
    memcpy(key.port, before.port, sizeof key.port);
    engine_end(flow, session, FLOW_END_REPLACED);
    engine_request(flow, &key);
    engine_judge(flow);
    session = engine_open(flow, &key, before.side, FLOW_SYNRCVD, true);
    assert(session != NULL); /* its place has just become free */
    memcpy(session->header, before.header, sizeof session->header);
    track_renew(session, &before, view);
    return session;
}

void
engine_arm(struct flow *flow, struct session *session, uint64_t deadline_ms)
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
engine_prefetch(const struct flow *flow, uint32_t next, uint32_t behind)
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

static void
engine_due(struct flow *flow, uint32_t number)
{
    struct session *session;
    uint64_t deadline_ms;

    if (number >= flow->sessions.max) {
        number -= flow->sessions.max;
        inspect_host_due(flow, &flow->hosts.host[number]);
        return;
    }
    session = session_at(&flow->sessions, number);
    deadline_ms = session->deadline_ms;
    session->deadline_ms = SYNCACHE_NEVER;
    if (deadline_ms > flow->now_ms)
        engine_arm(flow, session, deadline_ms);
    else if (flow->config.kind == FLOW_INSPECT)
        inspect_due(flow, session);
    else
        intercept_due(flow, session);
}

bool
engine_timers(struct flow *flow)
{
    while (engine_room(flow)) {
        uint32_t number = due_pop(&flow->due, flow->now_ms);

        uint32_t next, behind;

        if (number == SESSION_NONE)
            return true;
        due_peek(&flow->due, &next, &behind);
        engine_prefetch(flow, next, behind);
        engine_due(flow, number);
    }
    return due_next_ms(&flow->due) > flow->now_ms;
}

/* Cookies that nobody answers are half-open connections too; without them
 * aggressive mode would end whenever cookies take the entries' place. */
uint32_t
engine_incomplete(struct flow *flow)
{
    if (flow->config.kind != FLOW_INTERCEPT ||
        flow->intercept.synack != FLOW_SYNACK_AUTO)
        return flow->stats.incomplete;
    return flow->stats.incomplete + proxy_unanswered(flow);
}

/* Inspection may be told to be silent; what it does stays the same.  An end is
 * told of if its beginning was, whatever was said or lost since: they alternate.
 */
static bool
engine_alerts(const struct flow *flow, enum flow_event_kind kind)
{
    if (kind == FLOW_EVENT_CALM)
        return flow->announced;
    return flow->config.kind == FLOW_INTERCEPT || flow->inspect.alert != 0;
}

static void
engine_report(struct flow *flow, enum flow_event_kind kind)
{
    struct flow_event *event = NULL;

    if (engine_alerts(flow, kind))
        event = engine_event(flow, NULL, kind);
    flow->announced = event != NULL && kind == FLOW_EVENT_AGGRESSIVE;
    if (event == NULL)
        return;
    engine_event_circumstances(flow, event);
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

void
engine_judge(struct flow *flow)
{
    struct flow_stats *stats = &flow->stats;
    enum threshold_move move;

    flow->judged_incomplete = engine_incomplete(flow);
    move = threshold_judge(&flow->threshold, &flow->limits, flow->now_ms,
                           flow->judged_incomplete);
    if (move == THRESHOLD_STAYS)
        return;
    stats->aggressive = move == THRESHOLD_BEGINS;
    if (move == THRESHOLD_BEGINS) {
        stats->aggressive_count++;
        stats->aggressive_reason = flow->threshold.reason;
        stats->aggressive_since_ms = flow->now_ms;
        engine_report(flow, FLOW_EVENT_AGGRESSIVE);
    } else {
        stats->calm_count++;
        engine_report(flow, FLOW_EVENT_CALM);
    }
    if (flow->config.kind == FLOW_INSPECT)
        inspect_judged(flow);
    else
        intercept_judged(flow);
}

/*
 * The engine as its caller holds it: how large it is, how it begins, its keys
 * and tunables, its statistics.
 *
 * Not here: packets and timers (flow_burst.c), defaults and ranges of tunables
 * (flow_tunables.c, flow_range.c).
 */
#include "box.h"
#include "flow_range.h"

#include "../core/derive.h"
#include "../core/rows.h"

#include <assert.h>
#include <string.h>

#define FLOW_PARTS 64
/* Told by Inspection's challenges: a segment, kept until the server answers. */
#define FLOW_CHALLENGE_WINDOW 1460
#define FLOW_LINE 64 /* alignment of the block and of its parts */

_Static_assert(sizeof(struct flow_rule) == 80, "no hidden padding");
_Static_assert(sizeof(struct flow_event) % 8 == 0, "no hidden padding");

/* Where the parts of a block begin, and where it ends. */
struct flow_layout {
    size_t sessions;
    size_t order;
    size_t due;
    size_t hosts;
    size_t journal;
    size_t rules;
    size_t profiles;
    size_t headers;
    size_t early;
    size_t strays;
    size_t end;
};

static bool
flow_config_valid(const struct flow_config *row_of)
{
    static const struct row intercept[] = {FLOW_INTERCEPT_CONFIG(ROW)};
    static const struct row inspect[] = {FLOW_INSPECT_CONFIG(ROW)};
    size_t at = offsetof(struct flow_config, sessions_max);

    if (row_of->struct_size != sizeof *row_of)
        return false;
    if (row_of->kind == FLOW_INTERCEPT)
        return FLOW_INTERCEPT_CONFIG(ROW_LARGE_IN_RANGE) rows_in_range(
            row_of, at, intercept, sizeof intercept / sizeof *intercept);
    return row_of->kind == FLOW_INSPECT &&
           row_of->rules_max <= FLOW_RULES_MAX &&
           FLOW_INSPECT_CONFIG(ROW_LARGE_IN_RANGE) rows_in_range(
               row_of, at, inspect, sizeof inspect / sizeof *inspect);
}

static size_t
flow_round(size_t bytes)
{
    return (bytes + FLOW_LINE - 1) & ~(size_t)(FLOW_LINE - 1);
}

static void
flow_layout(const struct flow_config *config, struct flow_layout *layout)
{
    uint32_t sessions = config->sessions_max;

    layout->sessions = flow_round(sizeof(struct flow));
    layout->order = layout->sessions + flow_round(sessions_bytes(sessions));
    layout->due = layout->order + flow_round(order_bytes(sessions));
    layout->hosts =
        layout->due + flow_round(due_bytes(sessions + config->hosts_max));
    layout->journal =
        layout->hosts + flow_round(hosts_bytes(config->hosts_max, sessions));
    layout->rules =
        layout->journal + flow_round(journal_bytes(config->journal_max));
    layout->profiles =
        layout->rules + flow_round(rules_bytes(config->rules_max));
    layout->headers =
        layout->profiles + flow_round(profiles_bytes(config->profiles_max));
    layout->early =
        layout->headers + flow_round(headers_bytes(config->headers_max));
    layout->strays = layout->early + flow_round(early_bytes(sessions));
    layout->end = layout->strays + flow_round(strays_bytes(sessions));
}

/*
 * Sums of size_t wrap on a 32-bit machine.  A configuration of a 64th, rounded
 * up, cannot wrap at the limits of flow.h, and 64 times its size is no less
 * than the whole.
 */
static bool
flow_fits(const struct flow_config *config)
{
    struct flow_config part = *config;
    struct flow_layout layout;

    part.sessions_max = config->sessions_max / FLOW_PARTS + 1;
    part.hosts_max = config->hosts_max / FLOW_PARTS + 1;
    part.headers_max = config->headers_max / FLOW_PARTS + 1;
    part.journal_max = config->journal_max / FLOW_PARTS + 1;
    part.rules_max = config->rules_max / FLOW_PARTS + 1;
    part.profiles_max = config->profiles_max / FLOW_PARTS + 1;
    flow_layout(&part, &layout);
    return layout.end <= SIZE_MAX / 2 / FLOW_PARTS;
}

size_t
flow_size(const struct flow_config *config)
{
    struct flow_layout layout;

    if (!flow_config_valid(config) || !flow_fits(config))
        return 0;
    flow_layout(config, &layout);
    return layout.end;
}

static struct proxy_limits
flow_proxy_limits(const struct flow *flow)
{
    const struct flow_intercept_tunables *intercept = &flow->intercept;
    const struct flow_inspect_tunables *inspect = &flow->inspect;

    if (flow->config.kind == FLOW_INTERCEPT)
        return (struct proxy_limits){
            .initial_ms = intercept->rexmt_initial_ms,
            .rexmt_limit = intercept->rexmt_limit,
            .options = intercept->options,
            .mss = intercept->synack_mss,
            .window = intercept->synack_window,
            .giveup = intercept->reset_client_on_giveup,
            .closing_ms = intercept->finrst_timeout_ms,
            .idle_ms = intercept->connection_timeout_ms,
            .lifetime_ms = intercept->cookie_lifetime_ms,
            .skew_ms = intercept->clock_skew_ms,
            .divisor = intercept->aggressive_divisor,
            .wait_for_data = intercept->wait_for_data != 0,
            .bad_ack_rst = intercept->bad_ack_rst != 0,
            .shared = intercept->cookie_gate == SYNCACHE_GATE_ALWAYS,
        };
    return (struct proxy_limits){
        .initial_ms = inspect->rexmt_initial_ms,
        .rexmt_limit = inspect->rexmt_limit,
        .options = inspect->options,
        .mss = inspect->synack_mss,
        .window = FLOW_CHALLENGE_WINDOW,
        .giveup = FLOW_GIVEUP_VALIDATED,
        .closing_ms = inspect->tcp_finwait_time_ms,
        .idle_ms = inspect->tcp_idle_time_ms,
        .lifetime_ms = inspect->cookie_lifetime_ms,
        .skew_ms = inspect->clock_skew_ms,
        .divisor = 1,
        .shared = inspect->cookie_gate == SYNCACHE_GATE_ALWAYS,
    };
}

static void
flow_limits(struct flow *flow)
{
    const struct flow_intercept_tunables *intercept = &flow->intercept;
    const struct flow_inspect_tunables *inspect = &flow->inspect;

    flow->proxy = flow_proxy_limits(flow);
    if (flow->config.kind == FLOW_INTERCEPT) {
        flow->limits = (struct threshold_limits){
            .incomplete_low = intercept->max_incomplete_low,
            .incomplete_high = intercept->max_incomplete_high,
            .rate_low = intercept->one_minute_low,
            .rate_high = intercept->one_minute_high,
            .rate_method = intercept->rate_method,
            .check_ms = intercept->calm_check_interval_ms,
        };
        flow->debug = intercept->debug != 0;
    } else {
        flow->limits = (struct threshold_limits){
            .incomplete_low = inspect->max_incomplete_low,
            .incomplete_high = inspect->max_incomplete_high,
            .rate_low = inspect->one_minute_low,
            .rate_high = inspect->one_minute_high,
            .rate_method = inspect->rate_method,
            .check_ms = inspect->calm_check_interval_ms,
            .min_active_ms = inspect->min_active_ms,
        };
        flow->debug = inspect->debug != 0;
    }
}

/* The parts of the block, each with what it was derived from the seed. */
static void
flow_parts(struct flow *flow, const struct flow_layout *layout,
           const uint8_t seed[static SYNCACHE_KEY_BYTES])
{
    const struct flow_config *config = &flow->config;
    uint8_t *bytes = (uint8_t *)flow;
    uint8_t key[SYNCACHE_KEY_BYTES];

    derive_subkey(seed, "flow", flow->hash_key);
    derive_subkey(seed, "rand", flow->random_key);
    derive_subkey(seed, "ts  ", flow->ts_key);
    sessions_init(&flow->sessions, bytes + layout->sessions,
                  config->sessions_max);
    order_init(&flow->order, bytes + layout->order, &flow->sessions);
    due_init(&flow->due, bytes + layout->due,
             config->sessions_max + config->hosts_max);
    journal_init(&flow->journal, bytes + layout->journal, config->journal_max);
    rules_init(&flow->rules, bytes + layout->rules, config->rules_max);
    derive_subkey(seed, "host", key);
    hosts_init(&flow->hosts, bytes + layout->hosts, config->hosts_max,
               &flow->sessions, key);
    derive_subkey(seed, "prof", key);
    profiles_init(&flow->profiles, bytes + layout->profiles,
                  config->profiles_max, key);
    derive_subkey(seed, "mute", key);
    silent_init(&flow->silent, &flow->sessions, key);
    derive_subkey(seed, "link", key);
    headers_init(&flow->headers, bytes + layout->headers, config->headers_max,
                 key);
    early_init(&flow->early, bytes + layout->early, config->sessions_max);
    strays_init(&flow->strays, bytes + layout->strays, config->sessions_max);
}

struct flow *
flow_init(void *block, size_t size, const struct flow_config *config,
          const uint8_t seed[SYNCACHE_KEY_BYTES])
{
    struct flow *flow = block;
    struct flow_layout layout;

    if (block == NULL || (uintptr_t)block % FLOW_LINE != 0 ||
        !flow_config_valid(config) || !flow_fits(config))
        return NULL;
    flow_layout(config, &layout);
    if (size < layout.end)
        return NULL;
    memset(flow, 0, sizeof *flow);
    flow->config = *config;
    flow_parts(flow, &layout, seed);
    threshold_init(&flow->threshold);
    sources_init(&flow->sources);
    secret_init(&flow->secret);
    flow_intercept_default(&flow->intercept);
    flow_inspect_default(&flow->inspect);
    flow_limits(flow);
    return flow;
}

/* The next call that can send something judges by them.  Before the first call
 * with packets there is no time yet, and setting tunables does not start it. */
static void
flow_changed(struct flow *flow, uint64_t now_ms)
{
    flow_limits(flow);
    flow->settled_ms = 0;
    if (flow->started)
        box_begin(flow, now_ms);
    flow->changed = true;
}

bool
flow_set_intercept(struct flow *flow, uint64_t now_ms,
                   const struct flow_intercept_tunables *tunables)
{
    if (flow->config.kind != FLOW_INTERCEPT || !flow_intercept_valid(tunables))
        return false;
    flow->intercept = *tunables;
    flow_changed(flow, now_ms);
    return true;
}

bool
flow_set_inspect(struct flow *flow, uint64_t now_ms,
                 const struct flow_inspect_tunables *tunables)
{
    if (flow->config.kind != FLOW_INSPECT || !flow_inspect_valid(tunables))
        return false;
    flow->inspect = *tunables;
    flow_changed(flow, now_ms);
    return true;
}

bool
flow_set_rules(struct flow *flow, const struct flow_rule *rules, uint32_t count,
               bool on)
{
    if (!rules_set(&flow->rules, rules, count, on))
        return false;
    flow->learn_ms = flow->now_ms;
    return true;
}

void
flow_set_key(struct flow *flow, uint64_t epoch,
             const uint8_t key[SYNCACHE_KEY_BYTES])
{
    flow->keyed = true;
    flow->settled_ms = 0;
    secret_set_key(&flow->secret, epoch, key);
}

void
flow_set_epoch(struct flow *flow, uint64_t epoch, uint64_t start_ms)
{
    flow->epoch_told = true;
    flow->settled_ms = 0;
    secret_set_epoch(&flow->secret, epoch, start_ms);
}

void
flow_set_ts_key(struct flow *flow, const uint8_t key[SYNCACHE_KEY_BYTES])
{
    memcpy(flow->ts_key, key, SYNCACHE_KEY_BYTES);
}

void
flow_set_redeemed(struct flow *flow, struct flow_redeemed *redeemed)
{
    flow->redeemed = redeemed;
}

void
flow_set_ts_base(struct flow *flow, uint32_t base_ms)
{
    if (base_ms == flow->ts_base)
        return;
    flow->ts_base_before = flow->ts_base;
    flow->ts_base = base_ms;
    flow->ts_changed_ms = flow->started ? flow->now_ms : 0;
}

uint64_t
flow_epoch(struct flow *flow, uint64_t now_ms, uint64_t *next_ms)
{
    box_tell_time(flow, now_ms);
    *next_ms = secret_next_ms(&flow->secret, flow->proxy.lifetime_ms);
    return flow->secret.epoch;
}

uint64_t
flow_next_deadline(struct flow *flow)
{
    uint64_t next_ms = due_next_ms(&flow->due);
    uint64_t check_ms = threshold_next_ms(&flow->threshold);

    if (flow->changed)
        return flow->now_ms;
    if (check_ms < next_ms)
        next_ms = check_ms;
    if (flow->keyed) {
        uint64_t key_ms =
            secret_next_ms(&flow->secret, flow->proxy.lifetime_ms);

        if (key_ms < next_ms)
            next_ms = key_ms;
    }
    return next_ms;
}

static void
flow_view(const struct flow *flow, const struct session *session,
          struct flow_session_view *view)
{
    memset(view, 0, sizeof *view);
    session_tuple(session, &view->tuple);
    view->protocol = session->protocol;
    view->state = session->state;
    view->mode = session->mode;
    view->counted = (session->flags & SESSION_COUNTED) != 0;
    view->side = session->side;
    view->rule = session->rule;
    view->rexmts = session->rexmts;
    view->client_wscale = session->wscale[FLOW_CLIENT];
    view->server_wscale = session->wscale[FLOW_SERVER];
    view->told_wscale = session->wscale_told;
    view->delta = session->splice.delta;
    view->id = session_number(&flow->sessions, session);
    view->created_ms = session->created_ms;
    view->last_ms = session->last_ms;
    view->deadline_ms = session->deadline_ms;
    view->bytes[0] = session->bytes[0];
    view->bytes[1] = session->bytes[1];
    if (session->protocol == WIRE_PROTOCOL_ICMP ||
        session->protocol == WIRE_PROTOCOL_ICMPV6) {
        view->icmp_id = view->tuple.fport;
        view->tuple.fport = view->tuple.lport;
        view->tuple.lport = 0;
    }
}

uint32_t
flow_walk_some(struct flow *flow, uint64_t *cursor, uint32_t look_max,
               struct flow_session_view *out, uint32_t out_max)
{
    uint32_t written = 0;

    while (look_max-- > 0 && written < out_max &&
           *cursor < flow->sessions.fresh) {
        const struct session *session =
            session_at(&flow->sessions, (uint32_t)*cursor);

        ++*cursor;
        if (session->family != 0 && (session->flags & SESSION_OWES_RST) == 0)
            flow_view(flow, session, &out[written++]);
    }
    if (*cursor >= flow->sessions.fresh)
        *cursor = SYNCACHE_NEVER;
    return written;
}

uint32_t
flow_walk(struct flow *flow, uint64_t *cursor, struct flow_session_view *out,
          uint32_t out_max)
{
    return flow_walk_some(flow, cursor, UINT32_MAX, out, out_max);
}

uint32_t
flow_events(struct flow *flow, struct flow_event *out, uint32_t out_max)
{
    return journal_take(&flow->journal, out, out_max);
}

const struct flow_stats *
flow_statistics(struct flow *flow, uint64_t now_ms)
{
    if (flow->started)
        box_begin(flow, now_ms);
    flow_counters(flow, &flow->stats);
    return &flow->stats;
}

void
flow_counters(const struct flow *flow, struct flow_stats *out)
{
    struct threshold threshold = flow->threshold; /* asking moves its minute */

    if (out != &flow->stats)
        *out = flow->stats;
    out->one_minute = threshold_rate(&threshold, &flow->limits, flow->now_ms);
    /* A copy made while another thread moves the minute may be uneven. */
    if (out->one_minute > out->one_minute_max)
        out->one_minute = out->one_minute_max;
    out->headers_full = flow->headers.refused;
    out->hosts = flow->hosts.count;
    out->hosts_blocked = flow->hosts.blocked;
}

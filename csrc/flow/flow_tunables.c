/*
 * Defaults of all tunables (Cisco's, where Cisco has one), and which values are
 * in range.
 */
#include "engine.h"

#include <string.h>

#define MS_PER_SECOND 1000
#define SECONDS_MAX_MS ((uint32_t)FLOW_SECONDS_MAX * MS_PER_SECOND)
#define MSS_MIN 48 /* as net.inet.tcp.minmss */
#define WINDOW_DEFAULT 1460
#define MSS_DEFAULT 536 /* RFC 9293 MUST-15: what any server takes */
#define LIFETIME_MIN_MS 1000
#define LIFETIME_MAX_MS 3600000
#define DIVISOR_MAX 100
#define REXMT_INITIAL_MAX_MS 60000

void
flow_intercept_default(struct flow_intercept_tunables *tunables)
{
    *tunables = (struct flow_intercept_tunables){
        .struct_size = sizeof *tunables,
        .watch_timeout_ms = 30000,
        .finrst_timeout_ms = 5000,
        .connection_timeout_ms = 86400000,
        .max_incomplete_low = 900,
        .max_incomplete_high = 1100,
        .one_minute_low = 900,
        .one_minute_high = 1100,
        .rexmt_initial_ms = 1000,
        .rexmt_limit = 4,
        .aggressive_divisor = 2,
        .evict_rst = FLOW_EVICT_RST_AUTO,
        .reset_client_on_giveup = FLOW_GIVEUP_VALIDATED,
        .options = FLOW_OPTIONS_LEARN,
        .synack = FLOW_SYNACK_CACHE,
        .synack_window = WINDOW_DEFAULT,
        .synack_mss = MSS_DEFAULT,
        .learn_time_ms = 60000,
        .calm_check_interval_ms = 1000,
        .cookie_lifetime_ms = 32000,
        .clock_skew_ms = 1000,
    };
}

void
flow_inspect_default(struct flow_inspect_tunables *tunables)
{
    *tunables = (struct flow_inspect_tunables){
        .struct_size = sizeof *tunables,
        .tcp_synwait_time_ms = 30000,
        .tcp_finwait_time_ms = 5000,
        .tcp_idle_time_ms = 3600000,
        .udp_idle_time_ms = 30000,
        .dns_timeout_ms = 5000,
        .icmp_idle_time_ms = 10000,
        .max_incomplete_low = 400,
        .max_incomplete_high = 500,
        .one_minute_low = 400,
        .one_minute_high = 500,
        .tcp_max_incomplete_host = 50,
        .block_action = FLOW_BLOCK_COOKIE,
        .aggressive_evict = FLOW_EVICT_NOBODY,
        .calm_check_interval_ms = 1000,
        .alert = 1,
        .host_alert_again_ms = 60000,
        .rexmt_initial_ms = 1000,
        .rexmt_limit = 4,
        .synack_mss = MSS_DEFAULT,
        .options = FLOW_OPTIONS_LEARN,
        .cookie_lifetime_ms = 32000,
        .clock_skew_ms = 1000,
    };
    for (int i = 0; i < FLOW_INSPECTED_COUNT; i++) {
        tunables->rule[i] = (struct flow_inspect_rule){
            .inspect = 1, .alert = FLOW_INHERIT, .audit = FLOW_INHERIT};
        tunables->server_rule[i] = tunables->rule[i];
    }
}

static bool
tunables_within(uint32_t value, uint32_t low, uint32_t high)
{
    return low <= value && value <= high;
}

static bool
tunables_seconds(uint32_t ms)
{
    return tunables_within(ms, 1, SECONDS_MAX_MS);
}

/* Keys and retransmission: what challenging a client needs in either mode. */
static bool
tunables_challenge(uint32_t lifetime_ms, uint32_t skew_ms, uint32_t initial_ms,
                   uint32_t limit, uint32_t mss, uint32_t gate)
{
    return gate <= SYNCACHE_GATE_BUCKET &&
           tunables_within(lifetime_ms, LIFETIME_MIN_MS, LIFETIME_MAX_MS) &&
           skew_ms <= lifetime_ms / 2 &&
           tunables_within(initial_ms, 1, REXMT_INITIAL_MAX_MS) &&
           limit <= FLOW_REXMT_MAX && tunables_within(mss, MSS_MIN, UINT16_MAX);
}

static bool
tunables_intercept_valid(const struct flow_intercept_tunables *of)
{
    return of->struct_size == sizeof *of && of->mode <= FLOW_MODE_WATCH &&
           of->drop_mode <= FLOW_DROP_HEAVIEST &&
           tunables_seconds(of->watch_timeout_ms) &&
           tunables_seconds(of->finrst_timeout_ms) &&
           tunables_seconds(of->connection_timeout_ms) &&
           tunables_within(of->max_incomplete_low, 1,
                           of->max_incomplete_high) &&
           of->max_incomplete_high <= FLOW_COUNT_MAX &&
           tunables_within(of->one_minute_low, 1, of->one_minute_high) &&
           of->one_minute_high <= FLOW_COUNT_MAX &&
           tunables_within(of->aggressive_divisor, 1, DIVISOR_MAX) &&
           of->rate_method <= FLOW_RATE_EWMA &&
           of->evict_rst <= FLOW_EVICT_RST_ALWAYS &&
           of->watch_reset <= FLOW_RESET_NONE &&
           of->reset_client_on_giveup <= FLOW_GIVEUP_ALWAYS &&
           of->options <= FLOW_OPTIONS_CLIENT &&
           of->synack <= FLOW_SYNACK_AUTO && of->synack_window <= UINT16_MAX &&
           (of->wait_for_data == 0 || of->synack_window > 0) &&
           of->unknown <= FLOW_UNKNOWN_FORWARD &&
           of->learn_time_ms <= SECONDS_MAX_MS &&
           of->calm_check_interval_ms <= SECONDS_MAX_MS &&
           tunables_challenge(of->cookie_lifetime_ms, of->clock_skew_ms,
                              of->rexmt_initial_ms, of->rexmt_limit,
                              of->synack_mss, of->cookie_gate);
}

static bool
tunables_rule_valid(const struct flow_inspect_rule *rule)
{
    return rule->inspect <= 1 && rule->alert <= FLOW_INHERIT &&
           rule->audit <= FLOW_INHERIT && rule->timeout_ms <= SECONDS_MAX_MS;
}

static bool
tunables_rules_valid(const struct flow_inspect_tunables *of)
{
    for (uint32_t i = 0; i < FLOW_INSPECTED_COUNT; i++) {
        if (!tunables_rule_valid(&of->rule[i]) ||
            !tunables_rule_valid(&of->server_rule[i]))
            return false;
    }
    if (of->by_side > 1 || of->application_count > FLOW_APPLICATIONS_MAX)
        return false;
    for (uint32_t i = 0; i < of->application_count; i++) {
        if (!tunables_rule_valid(&of->application[i].rule) ||
            of->application[i].side > FLOW_RULE_INSIDE ||
            (of->application[i].protocol != WIRE_PROTOCOL_TCP &&
             of->application[i].protocol != VIEW_PROTOCOL_UDP))
            return false;
    }
    return true;
}

/* 0 in `high` is unlimited, whatever `low` says. */
static bool
tunables_pair(uint32_t low, uint32_t high)
{
    return low <= FLOW_COUNT_MAX && high <= FLOW_COUNT_MAX &&
           (high == 0 || low <= high);
}

static bool
tunables_inspect_valid(const struct flow_inspect_tunables *of)
{
    return of->struct_size == sizeof *of &&
           tunables_seconds(of->tcp_synwait_time_ms) &&
           tunables_seconds(of->tcp_finwait_time_ms) &&
           tunables_seconds(of->tcp_idle_time_ms) &&
           tunables_seconds(of->udp_idle_time_ms) &&
           tunables_seconds(of->dns_timeout_ms) &&
           tunables_seconds(of->icmp_idle_time_ms) &&
           tunables_pair(of->max_incomplete_low, of->max_incomplete_high) &&
           tunables_pair(of->one_minute_low, of->one_minute_high) &&
           of->tcp_block_time_ms <= SECONDS_MAX_MS &&
           of->block_action <= FLOW_BLOCK_EVICT &&
           of->aggressive_evict <= FLOW_EVICT_NOBODY &&
           of->drop_mode <= FLOW_DROP_HEAVIEST &&
           of->udp_halfopen_max_age_ms <= SECONDS_MAX_MS &&
           of->rate_method <= FLOW_RATE_EWMA &&
           tunables_seconds(of->calm_check_interval_ms) &&
           of->min_active_ms <= SECONDS_MAX_MS &&
           of->host_alert_again_ms <= SECONDS_MAX_MS &&
           of->options <= FLOW_OPTIONS_CLIENT &&
           tunables_challenge(of->cookie_lifetime_ms, of->clock_skew_ms,
                              of->rexmt_initial_ms, of->rexmt_limit,
                              of->synack_mss, of->cookie_gate) &&
           tunables_rules_valid(of);
}

void
flow_limits(struct flow *flow)
{
    const struct flow_intercept_tunables *intercept = &flow->intercept;
    const struct flow_inspect_tunables *inspect = &flow->inspect;

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

/* The next call that can send something judges by them.  Before the first call
 * with packets there is no time yet, and setting tunables does not start it. */
static void
tunables_changed(struct flow *flow, uint64_t now_ms)
{
    if (flow->started)
        engine_begin(flow, now_ms);
    flow_limits(flow);
    flow->changed = true;
    flow->settled_ms = 0;
}

bool
flow_set_intercept(struct flow *flow, uint64_t now_ms,
                   const struct flow_intercept_tunables *tunables)
{
    if (flow->config.kind != FLOW_INTERCEPT ||
        !tunables_intercept_valid(tunables))
        return false;
    flow->intercept = *tunables;
    tunables_changed(flow, now_ms);
    intercept_judged(flow);
    return true;
}

bool
flow_set_inspect(struct flow *flow, uint64_t now_ms,
                 const struct flow_inspect_tunables *tunables)
{
    if (flow->config.kind != FLOW_INSPECT || !tunables_inspect_valid(tunables))
        return false;
    flow->inspect = *tunables;
    tunables_changed(flow, now_ms);
    return true;
}

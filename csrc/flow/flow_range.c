/* Which values of tunables are in range: see flow_range.h. */
#include "flow_range.h"

#include "view.h"

#define MS_PER_SECOND 1000
#define SECONDS_MAX_MS ((uint32_t)FLOW_SECONDS_MAX * MS_PER_SECOND)
#define MSS_MIN 48 /* as net.inet.tcp.minmss */
#define LIFETIME_MIN_MS 1000
#define LIFETIME_MAX_MS 3600000
#define DIVISOR_MAX 100
#define REXMT_INITIAL_MAX_MS 60000

static bool
range_within(uint32_t value, uint32_t low, uint32_t high)
{
    return low <= value && value <= high;
}

static bool
range_seconds(uint32_t ms)
{
    return range_within(ms, 1, SECONDS_MAX_MS);
}

/* Keys and retransmission: what challenging a client needs in either mode. */
static bool
range_challenge(uint32_t lifetime_ms, uint32_t skew_ms, uint32_t initial_ms,
                uint32_t limit, uint32_t mss, uint32_t gate)
{
    return gate <= SYNCACHE_GATE_BUCKET &&
           range_within(lifetime_ms, LIFETIME_MIN_MS, LIFETIME_MAX_MS) &&
           skew_ms <= lifetime_ms / 2 &&
           range_within(initial_ms, 1, REXMT_INITIAL_MAX_MS) &&
           limit <= FLOW_REXMT_MAX && range_within(mss, MSS_MIN, UINT16_MAX);
}

bool
flow_intercept_valid(const struct flow_intercept_tunables *of)
{
    return of->struct_size == sizeof *of && of->mode <= FLOW_MODE_WATCH &&
           of->drop_mode <= FLOW_DROP_HEAVIEST &&
           range_seconds(of->watch_timeout_ms) &&
           range_seconds(of->finrst_timeout_ms) &&
           range_seconds(of->connection_timeout_ms) &&
           range_within(of->max_incomplete_low, 1, of->max_incomplete_high) &&
           of->max_incomplete_high <= FLOW_COUNT_MAX &&
           range_within(of->one_minute_low, 1, of->one_minute_high) &&
           of->one_minute_high <= FLOW_COUNT_MAX &&
           range_within(of->aggressive_divisor, 1, DIVISOR_MAX) &&
           of->rate_method <= FLOW_RATE_EWMA &&
           of->evict_rst <= FLOW_EVICT_RST_ALWAYS &&
           of->watch_reset <= FLOW_RESET_NONE &&
           of->reset_client_on_giveup <= FLOW_GIVEUP_ALWAYS &&
           of->options <= FLOW_OPTIONS_CLIENT &&
           of->synack <= FLOW_SYNACK_AUTO && of->synack_window <= UINT16_MAX &&
           (of->wait_for_data == 0 || of->synack_window > 0) &&
           of->unknown <= FLOW_UNKNOWN_FORWARD &&
           of->learn_time_ms <= SECONDS_MAX_MS &&
           of->learn_limit <= FLOW_COUNT_MAX &&
           of->silent_max <= FLOW_COUNT_MAX &&
           of->calm_check_interval_ms <= SECONDS_MAX_MS &&
           range_challenge(of->cookie_lifetime_ms, of->clock_skew_ms,
                           of->rexmt_initial_ms, of->rexmt_limit,
                           of->synack_mss, of->cookie_gate);
}

static bool
range_rule_valid(const struct flow_inspect_rule *rule)
{
    return rule->inspect <= 1 && rule->alert <= FLOW_INHERIT &&
           rule->audit <= FLOW_INHERIT && rule->timeout_ms <= SECONDS_MAX_MS;
}

static bool
range_rules_valid(const struct flow_inspect_tunables *of)
{
    for (uint32_t i = 0; i < FLOW_INSPECTED_COUNT; i++) {
        if (!range_rule_valid(&of->rule[i]) ||
            !range_rule_valid(&of->server_rule[i]))
            return false;
    }
    if (of->by_side > 1 || of->application_count > FLOW_APPLICATIONS_MAX)
        return false;
    for (uint32_t i = 0; i < of->application_count; i++) {
        if (!range_rule_valid(&of->application[i].rule) ||
            of->application[i].side > FLOW_RULE_INSIDE ||
            (of->application[i].protocol != WIRE_PROTOCOL_TCP &&
             of->application[i].protocol != VIEW_PROTOCOL_UDP))
            return false;
    }
    return true;
}

/* 0 in `high` is unlimited, whatever `low` says. */
static bool
range_pair(uint32_t low, uint32_t high)
{
    return low <= FLOW_COUNT_MAX && high <= FLOW_COUNT_MAX &&
           (high == 0 || low <= high);
}

bool
flow_inspect_valid(const struct flow_inspect_tunables *of)
{
    return of->struct_size == sizeof *of &&
           range_seconds(of->tcp_synwait_time_ms) &&
           range_seconds(of->tcp_finwait_time_ms) &&
           range_seconds(of->tcp_idle_time_ms) &&
           range_seconds(of->udp_idle_time_ms) &&
           range_seconds(of->dns_timeout_ms) &&
           range_seconds(of->icmp_idle_time_ms) &&
           range_pair(of->max_incomplete_low, of->max_incomplete_high) &&
           range_pair(of->one_minute_low, of->one_minute_high) &&
           of->tcp_block_time_ms <= SECONDS_MAX_MS &&
           of->tcp_stray_limit <= FLOW_COUNT_MAX &&
           of->tcp_silent_max <= FLOW_COUNT_MAX &&
           of->block_action <= FLOW_BLOCK_EVICT &&
           of->aggressive_evict <= FLOW_EVICT_NOBODY &&
           of->drop_mode <= FLOW_DROP_HEAVIEST &&
           of->udp_halfopen_max_age_ms <= SECONDS_MAX_MS &&
           of->rate_method <= FLOW_RATE_EWMA &&
           range_seconds(of->calm_check_interval_ms) &&
           of->min_active_ms <= SECONDS_MAX_MS &&
           of->host_alert_again_ms <= SECONDS_MAX_MS &&
           of->options <= FLOW_OPTIONS_CLIENT &&
           range_challenge(of->cookie_lifetime_ms, of->clock_skew_ms,
                           of->rexmt_initial_ms, of->rexmt_limit,
                           of->synack_mss, of->cookie_gate) &&
           range_rules_valid(of);
}

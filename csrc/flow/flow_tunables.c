/* Defaults of all tunables: Cisco's, where Cisco has one. */
#include "flow.h"

#define WINDOW_DEFAULT 1460
#define STRAY_LIMIT_DEFAULT 1000 /* a second */
#define SILENT_DEFAULT 1024
#define MSS_DEFAULT 536 /* RFC 9293 MUST-15: what any server takes */

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
        .silent_max = SILENT_DEFAULT,
        .learn_limit = STRAY_LIMIT_DEFAULT,
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
        .tcp_silent_max = SILENT_DEFAULT,
        .tcp_stray_limit = STRAY_LIMIT_DEFAULT,
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

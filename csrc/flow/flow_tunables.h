/*
 * The tunables of the two middlebox modes, one row each; ../syncache_tunables.h says what a row is.
 *
 * Not here: access lists (struct flow_rule).
 */
#ifndef SYNCACHE_FLOW_FLOW_TUNABLES_H
#define SYNCACHE_FLOW_FLOW_TUNABLES_H

#include "../syncache_tunables.h"

#include <stdint.h>

/* Fixed for the life of an engine: struct flow_config, of either kind. */
#define FLOW_INTERCEPT_CONFIG(ROW) \
    ROW(sessions_max, "net.inet.tcp.intercept.sessions_max", number, 262144, 1, FLOW_SESSIONS_MAX, "", \
        "connections in all, half-open ones included") \
    ROW(hosts_max, "net.inet.tcp.intercept.hosts_max", number, 4096, 1, FLOW_SESSIONS_MAX, "", \
        "destinations whose half-open connections are counted apart") \
    ROW(profiles_max, "net.inet.tcp.intercept.profiles_max", number, 1024, 0, FLOW_PROFILES_MAX, "", \
        "servers (address and port) whose options are remembered") \
    ROW(headers_max, "net.inet.tcp.intercept.headers_max", number, 4096, 1, FLOW_HEADERS_MAX, "", \
        "link headers (pairs of MAC addresses) that are remembered") \
    ROW(journal_max, "net.inet.tcp.intercept.journal_max", number, 16384, 1, FLOW_JOURNAL_MAX, "", \
        "events kept until they are taken") \
    ROW(rules_max, "net.inet.tcp.intercept.rules_max", number, 1024, 1, FLOW_RULES_MAX, "", \
        "rules of an access list")

#define FLOW_INSPECT_CONFIG(ROW) \
    ROW(sessions_max, "net.inet.inspect.sessions_max", number, 262144, 1, FLOW_SESSIONS_MAX, "", \
        "sessions in all, half-open ones included") \
    ROW(hosts_max, "net.inet.inspect.hosts_max", number, 65536, 1, FLOW_SESSIONS_MAX, "", \
        "destinations whose half-open sessions are counted apart") \
    ROW(profiles_max, "net.inet.inspect.profiles_max", number, 1024, 0, FLOW_PROFILES_MAX, "", \
        "servers (address and port) whose options are remembered") \
    ROW(headers_max, "net.inet.inspect.headers_max", number, 4096, 1, FLOW_HEADERS_MAX, "", \
        "link headers (pairs of stations) that are remembered for resets") \
    ROW(journal_max, "net.inet.inspect.journal_max", number, 16384, 1, FLOW_JOURNAL_MAX, "", \
        "messages kept until they are fetched")

#define FLOW_INTERCEPT_ORDER(ORDER) \
    ORDER(max_incomplete_low, 1, max_incomplete_high, 1) \
    ORDER(one_minute_low, 1, one_minute_high, 1)

#define FLOW_INSPECT_ORDER(ORDER) FLOW_INTERCEPT_ORDER(ORDER)

/*
 * net.inet.tcp.intercept.*: Cisco's commands with Cisco's defaults, then what Cisco hard-codes or leaves open.
 */
#define FLOW_INTERCEPT_TUNABLES(ROW) \
    ROW(mode, "net.inet.tcp.intercept.mode", flow_mode, FLOW_MODE_INTERCEPT, 0, FLOW_MODE_WATCH, "", \
        "answer in the server's place, or let pass and watch") \
    ROW(drop_mode, "net.inet.tcp.intercept.drop_mode", flow_drop, FLOW_DROP_OLDEST, 0, FLOW_DROP_HEAVIEST, "", \
        "which incomplete connection a new one replaces in aggressive mode") \
    ROW(watch_timeout_ms, "net.inet.tcp.intercept.watch_timeout", number, 30000, 1, FLOW_MS_MAX, "s", \
        "time that a watched connection has to become established") \
    ROW(finrst_timeout_ms, "net.inet.tcp.intercept.finrst_timeout", number, 5000, 1, FLOW_MS_MAX, "s", \
        "how long a connection is kept after a RST or both FINs") \
    ROW(connection_timeout_ms, "net.inet.tcp.intercept.connection_timeout", number, 86400000, 1, FLOW_MS_MAX, "s", \
        "how long a silent established connection is kept") \
    ROW(max_incomplete_low, "net.inet.tcp.intercept.max_incomplete.low", number, 900, 1, FLOW_COUNT_MAX, "", \
        "incomplete connections below which aggressive mode may end") \
    ROW(max_incomplete_high, "net.inet.tcp.intercept.max_incomplete.high", number, 1100, 1, FLOW_COUNT_MAX, "", \
        "incomplete connections above which aggressive mode begins") \
    ROW(one_minute_low, "net.inet.tcp.intercept.one_minute.low", number, 900, 1, FLOW_COUNT_MAX, "", \
        "requests of the last minute below which aggressive mode may end") \
    ROW(one_minute_high, "net.inet.tcp.intercept.one_minute.high", number, 1100, 1, FLOW_COUNT_MAX, "", \
        "requests of the last minute above which aggressive mode begins") \
    ROW(rexmt_initial_ms, "net.inet.tcp.intercept.rexmt_initial_ms", number, 1000, 1, 60000, "ms", \
        "first retransmission timeout of either half, doubled each time") \
    ROW(rexmt_limit, "net.inet.tcp.intercept.rexmt_limit", number, 4, 0, FLOW_REXMT_MAX, "", \
        "retransmissions in either half before it is given up") \
    ROW(aggressive_divisor, "net.inet.tcp.intercept.aggressive_divisor", number, 2, 1, 100, "", \
        "what aggressive mode divides the first timeout and watch_timeout by") \
    ROW(rate_method, "net.inet.tcp.intercept.rate_method", flow_rate, FLOW_RATE_SLIDING, 0, FLOW_RATE_EWMA, "", \
        "how the one-minute rate is counted") \
    ROW(evict_rst, "net.inet.tcp.intercept.evict_rst", \
        flow_evict_rst, FLOW_EVICT_RST_AUTO, 0, FLOW_EVICT_RST_ALWAYS, "", \
        "RST for an evicted connection; auto: to whom it can be of use") \
    ROW(watch_reset, "net.inet.tcp.intercept.watch_reset", \
        flow_watch_reset, FLOW_RESET_SERVER, 0, FLOW_RESET_NONE, "", \
        "whom the expiry of a watched connection resets") \
    ROW(reset_client_on_giveup, "net.inet.tcp.intercept.reset_client_on_giveup", \
        flow_giveup_reset, FLOW_GIVEUP_VALIDATED, 0, FLOW_GIVEUP_ALWAYS, "", \
        "RST to a client whose handshake is given up") \
    ROW(options, "net.inet.tcp.intercept.options", flow_options, FLOW_OPTIONS_LEARN, 0, FLOW_OPTIONS_CLIENT, "", \
        "options offered to clients: MSS only, the server's last, the client's own") \
    ROW(synack, "net.inet.tcp.intercept.synack", flow_synack, FLOW_SYNACK_CACHE, 0, FLOW_SYNACK_AUTO, "", \
        "answer SYNs with an entry, with a cookie, or with a cookie while aggressive") \
    ROW(synack_window, "net.inet.tcp.intercept.synack_window", number, 1460, 0, UINT16_MAX, "bytes", \
        "window of our SYN-ACK, a segment at most, which is kept; 0: nothing is kept") \
    ROW(wait_for_data, "net.inet.tcp.intercept.wait_for_data", flag, 0, 0, 1, "", \
        "open the server's side with the client's first data; needs synack_window") \
    ROW(synack_mss, "net.inet.tcp.intercept.synack_mss", number, 536, 48, UINT16_MAX, "bytes", \
        "MSS told to clients of a server not yet heard; IPv6: less 20, 1220 at least") \
    ROW(unknown, "net.inet.tcp.intercept.unknown", flow_unknown, FLOW_UNKNOWN_DROP, 0, FLOW_UNKNOWN_FORWARD, "", \
        "a segment to a protected server that belongs to no known connection") \
    ROW(learn_time_ms, "net.inet.tcp.intercept.learn_time", number, 60000, 0, FLOW_MS_MAX, "s", \
        "how long after the start unknown connections are adopted") \
    ROW(silent_max, "net.inet.tcp.intercept.silent_max", number, 1024, 0, FLOW_COUNT_MAX, "", \
        "connections of a /24 or /48 without a word of the client; 0: all") \
    ROW(learn_limit, "net.inet.tcp.intercept.learn_limit", number, 1000, 0, FLOW_COUNT_MAX, "", \
        "packets a second of clients' unknown connections that pass meanwhile; 0: all") \
    ROW(bad_ack_rst, "net.inet.tcp.intercept.bad_ack_rst", flag, 0, 0, 1, "", \
        "answer an ACK that completes nothing with a RST, as RFC 9293 would") \
    ROW(calm_check_interval_ms, "net.inet.tcp.intercept.calm_check_interval", number, 1000, 1, 3600000, "s", \
        "how often the end of aggressive mode is looked for") \
    ROW(debug, "net.inet.tcp.intercept.debug", flag, 0, 0, 1, "", \
        "report every step of every handshake")

/*
 * net.inet.inspect.*: likewise, with the defaults of IOS up to 12.4.  What deletes sessions or refuses clients does an
 * attacker's work, so the defaults report, and answer with cookies where there are too many; the preset cbac-classic is
 * the original.
 */
#define FLOW_INSPECT_TUNABLES(ROW) \
    ROW(tcp_synwait_time_ms, "net.inet.inspect.tcp.synwait_time", number, 30000, 1, FLOW_MS_MAX, "s", \
        "how long a TCP session may stay half-open") \
    ROW(tcp_finwait_time_ms, "net.inet.inspect.tcp.finwait_time", number, 5000, 1, FLOW_MS_MAX, "s", \
        "how long a TCP session is kept after both FINs") \
    ROW(tcp_idle_time_ms, "net.inet.inspect.tcp.idle_time", number, 3600000, 1, FLOW_MS_MAX, "s", \
        "how long a silent TCP session is kept") \
    ROW(udp_idle_time_ms, "net.inet.inspect.udp.idle_time", number, 30000, 1, FLOW_MS_MAX, "s", \
        "how long a silent UDP session is kept") \
    ROW(dns_timeout_ms, "net.inet.inspect.dns_timeout", number, 5000, 1, FLOW_MS_MAX, "s", \
        "how long a silent DNS session is kept, whatever other timeouts say") \
    ROW(icmp_idle_time_ms, "net.inet.inspect.icmp.idle_time", number, 10000, 1, FLOW_MS_MAX, "s", \
        "how long a silent ICMP session is kept") \
    ROW(max_incomplete_low, "net.inet.inspect.max_incomplete.low", zero_unlimited, 400, 0, FLOW_COUNT_MAX, "", \
        "half-open TCP and UDP sessions below which aggressive mode may end") \
    ROW(max_incomplete_high, "net.inet.inspect.max_incomplete.high", zero_unlimited, 500, 0, FLOW_COUNT_MAX, "", \
        "half-open TCP and UDP sessions above which aggressive mode begins") \
    ROW(one_minute_low, "net.inet.inspect.one_minute.low", zero_unlimited, 400, 0, FLOW_COUNT_MAX, "", \
        "new sessions of the last minute below which aggressive mode may end") \
    ROW(one_minute_high, "net.inet.inspect.one_minute.high", zero_unlimited, 500, 0, FLOW_COUNT_MAX, "", \
        "new sessions of the last minute above which aggressive mode begins") \
    ROW(tcp_max_incomplete_host, "net.inet.inspect.tcp.max_incomplete_host", \
        zero_unlimited, 50, 0, FLOW_COUNT_MAX, "", \
        "half-open TCP sessions to one destination") \
    ROW(tcp_silent_max, "net.inet.inspect.tcp.silent_max", zero_unlimited, 1024, 0, FLOW_COUNT_MAX, "", \
        "TCP sessions of a /24 or /48 whose clients said nothing; the oldest goes") \
    ROW(tcp_stray_limit, "net.inet.inspect.tcp.stray_limit", zero_unlimited, 1000, 0, FLOW_COUNT_MAX, "", \
        "TCP packets a second and side of no session that pass unless both ends speak") \
    ROW(tcp_block_time_ms, "net.inet.inspect.tcp.block_time_s", number, 0, 0, FLOW_MS_MAX, "s", \
        "as tcp.block_time, in seconds; unless 0 it is used instead") \
    ROW(block_action, "net.inet.inspect.block_action", \
        flow_block_action, FLOW_BLOCK_COOKIE, 0, FLOW_BLOCK_EVICT, "", \
        "what new connections to a destination above its limit meet; evict: no block") \
    ROW(block_clears, "net.inet.inspect.block_clears", flag, 0, 0, 1, "", \
        "a block begins with deleting the destination's half-open sessions") \
    ROW(aggressive_evict, "net.inet.inspect.aggressive_evict", \
        flow_aggressive_evict, FLOW_EVICT_NOBODY, 0, FLOW_EVICT_NOBODY, "", \
        "delete one half-open session per new one, at once down to the low mark, none") \
    ROW(drop_mode, "net.inet.inspect.drop_mode", flow_drop, FLOW_DROP_OLDEST, 0, FLOW_DROP_HEAVIEST, "", \
        "which half-open session goes; heaviest: of whom holds most, from 25 % on") \
    ROW(udp_halfopen_max_age_ms, "net.inet.inspect.udp_halfopen_max_age", number, 0, 0, FLOW_MS_MAX, "s", \
        "how long a one-way UDP session counts as half-open; 0: as long as it lives") \
    ROW(count_icmp, "net.inet.inspect.count_icmp", flag, 0, 0, 1, "", \
        "ICMP sessions count in the thresholds too") \
    ROW(rate_method, "net.inet.inspect.rate_method", flow_rate, FLOW_RATE_SLIDING, 0, FLOW_RATE_EWMA, "", \
        "how the one-minute rate is counted") \
    ROW(calm_check_interval_ms, "net.inet.inspect.calm_check_interval", number, 1000, 1, 3600000, "s", \
        "how often the end of aggressive mode is looked for") \
    ROW(min_active_ms, "net.inet.inspect.min_active", number, 0, 0, FLOW_MS_MAX, "s", \
        "aggressive mode lasts at least this long") \
    ROW(alert, "net.inet.inspect.alert", flag, 1, 0, 1, "", \
        "report thresholds crossed and hosts blocked") \
    ROW(audit_trail, "net.inet.inspect.audit_trail", flag, 0, 0, 1, "", \
        "report every session's beginning and end") \
    ROW(detect_only, "net.inet.inspect.detect_only", flag, 0, 0, 1, "", \
        "judge and report everything, touch nothing") \
    ROW(tap_reset, "net.inet.inspect.tap_reset", flag, 0, 0, 1, "", \
        "beside the traffic: send the resets that deletions ask for") \
    ROW(host_alert_again_ms, "net.inet.inspect.host_alert_again", number, 60000, 1, FLOW_MS_MAX, "s", \
        "how soon a destination that stays above its limit is reported again") \
    ROW(rexmt_initial_ms, "net.inet.inspect.rexmt_initial_ms", number, 1000, 1, 60000, "ms", \
        "block_action cookie and intercept: first retransmission timeout") \
    ROW(rexmt_limit, "net.inet.inspect.rexmt_limit", number, 4, 0, FLOW_REXMT_MAX, "", \
        "block_action cookie and intercept: retransmissions before giving up") \
    ROW(synack_mss, "net.inet.inspect.synack_mss", number, 536, 48, UINT16_MAX, "bytes", \
        "block_action cookie and intercept: MSS where the server's is not known") \
    ROW(options, "net.inet.inspect.options", flow_options, FLOW_OPTIONS_LEARN, 0, FLOW_OPTIONS_CLIENT, "", \
        "block_action cookie and intercept: options offered to clients") \
    ROW(debug, "net.inet.inspect.debug", flag, 0, 0, 1, "", \
        "report every step of every challenge")

/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

#define FLOW_MS_MAX 2147483000        /* 2^31 - 1, in whole seconds: the timers of the original can hold this */
#define FLOW_SESSIONS_MAX 67108864    /* 2^26: 16 GiB of sessions */
#define FLOW_JOURNAL_MAX 16777216
#define FLOW_PROFILES_MAX 65535
#define FLOW_HEADERS_MAX 65535
#define FLOW_RULES_MAX 65535
#define FLOW_COUNT_MAX 2147483647
#define FLOW_REXMT_MAX 12
#define FLOW_APPLICATIONS_MAX 32

enum flow_mode { FLOW_MODE_INTERCEPT, FLOW_MODE_WATCH };
enum flow_drop { FLOW_DROP_OLDEST, FLOW_DROP_RANDOM, FLOW_DROP_HEAVIEST };
enum flow_rate { FLOW_RATE_SLIDING, FLOW_RATE_FIXED, FLOW_RATE_EWMA };
enum flow_evict_rst { FLOW_EVICT_RST_NONE, FLOW_EVICT_RST_AUTO, FLOW_EVICT_RST_ALWAYS };
enum flow_watch_reset { FLOW_RESET_SERVER, FLOW_RESET_BOTH, FLOW_RESET_NONE };
enum flow_giveup_reset { FLOW_GIVEUP_NEVER, FLOW_GIVEUP_VALIDATED, FLOW_GIVEUP_ALWAYS };
enum flow_options { FLOW_OPTIONS_CISCO, FLOW_OPTIONS_LEARN, FLOW_OPTIONS_CLIENT };
enum flow_synack { FLOW_SYNACK_CACHE, FLOW_SYNACK_COOKIE, FLOW_SYNACK_AUTO };
enum flow_unknown { FLOW_UNKNOWN_DROP, FLOW_UNKNOWN_FORWARD };

struct flow_intercept_tunables {
    uint32_t struct_size;            /* sizeof(struct flow_intercept_tunables) */
    FLOW_INTERCEPT_TUNABLES(SYNCACHE_MEMBER)
    SYNCACHE_KEY_TUNABLES(SYNCACHE_MEMBER)
};

enum flow_aggressive_evict { FLOW_EVICT_PER_NEW, FLOW_EVICT_SWEEP, FLOW_EVICT_NOBODY };
enum flow_block_action { FLOW_BLOCK_DROP, FLOW_BLOCK_COOKIE, FLOW_BLOCK_INTERCEPT, FLOW_BLOCK_EVICT };
enum flow_inspected { FLOW_TCP, FLOW_UDP, FLOW_DNS, FLOW_ICMP, FLOW_INSPECTED_COUNT };
enum flow_switch { FLOW_OFF, FLOW_ON, FLOW_INHERIT };
/* On which side the sessions begin that a rule is for: outside is the clients' side. */
enum flow_rule_side { FLOW_RULE_EITHER, FLOW_RULE_OUTSIDE, FLOW_RULE_INSIDE };

/* A rule's settings for a protocol, which override the global ones. */
struct flow_inspect_rule {
    uint8_t inspect;                 /* 0: packets pass without a session */
    uint8_t alert;                   /* enum flow_switch */
    uint8_t audit;                   /* enum flow_switch */
    uint8_t reserved;
    uint32_t timeout_ms;             /* of an idle session; 0: the global one */
};

/* A rule for an application: a responder's port of TCP or UDP.  Its name is the caller's affair. */
struct flow_application {
    uint16_t port;
    uint8_t protocol;                /* 6 or 17 */
    uint8_t side;                    /* enum flow_rule_side; matters with by_side */
    struct flow_inspect_rule rule;
};

struct flow_inspect_tunables {
    uint32_t struct_size;            /* sizeof(struct flow_inspect_tunables) */
    FLOW_INSPECT_TUNABLES(SYNCACHE_MEMBER)
    SYNCACHE_KEY_TUNABLES(SYNCACHE_MEMBER)
    struct flow_inspect_rule rule[FLOW_INSPECTED_COUNT];
    uint32_t by_side;                /* 1: `rule` is for sessions begun outside, `server_rule` for the others */
    struct flow_inspect_rule server_rule[FLOW_INSPECTED_COUNT];
    uint32_t application_count;      /* 0 to FLOW_APPLICATIONS_MAX */
    struct flow_application application[FLOW_APPLICATIONS_MAX];
};

/* cffi: end. */

#endif

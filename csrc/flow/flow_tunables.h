/*
 * The settings of the two middlebox modes that may change while they run.  Names are those of the tunables
 * net.inet.tcp.intercept.* and net.inet.inspect.*; seconds and minutes of the tunables are milliseconds here.  Where a
 * tunable is a word, its number is its place in the enumeration below.
 *
 * Not here: settings fixed for the life of an engine (struct flow_config), access lists (struct flow_rule).
 */
#ifndef SYNCACHE_FLOW_FLOW_TUNABLES_H
#define SYNCACHE_FLOW_FLOW_TUNABLES_H

#include <stdint.h>

/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

#define FLOW_SECONDS_MAX 2147483      /* 2^31 - 1 ms: the range of the original's timers */
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

/* net.inet.tcp.intercept.* */
struct flow_intercept_tunables {
    uint32_t struct_size;
    uint32_t mode;                   /* enum flow_mode */
    uint32_t drop_mode;              /* enum flow_drop */
    uint32_t watch_timeout_ms;
    uint32_t finrst_timeout_ms;
    uint32_t connection_timeout_ms;
    uint32_t max_incomplete_low;     /* 1 to FLOW_COUNT_MAX, as the three below; low <= high */
    uint32_t max_incomplete_high;
    uint32_t one_minute_low;
    uint32_t one_minute_high;
    uint32_t rexmt_initial_ms;       /* first wait, doubled each time */
    uint32_t rexmt_limit;            /* 0 to FLOW_REXMT_MAX */
    uint32_t aggressive_divisor;     /* of rexmt_initial_ms and watch_timeout_ms; 1 to 100 */
    uint32_t rate_method;            /* enum flow_rate */
    uint32_t evict_rst;              /* enum flow_evict_rst */
    uint32_t watch_reset;            /* enum flow_watch_reset */
    uint32_t reset_client_on_giveup; /* enum flow_giveup_reset */
    uint32_t options;                /* enum flow_options */
    uint32_t synack;                 /* enum flow_synack */
    uint32_t synack_window;          /* 0 to 65535 */
    uint32_t wait_for_data;          /* open the server's side with the client's data; needs synack_window > 0 */
    uint32_t synack_mss;             /* announced to clients where no profile says more; 48 to 65535 */
    uint32_t unknown;                /* enum flow_unknown */
    uint32_t learn_time_ms;
    uint32_t silent_max;             /* established connections of one prefix without a word of the client; 0: all */
    uint32_t learn_limit;            /* packets a second that pass to protected servers meanwhile; 0: all */
    uint32_t bad_ack_rst;
    uint32_t calm_check_interval_ms; /* how often the end of aggressive mode is looked for */
    uint32_t cookie_lifetime_ms;
    uint32_t clock_skew_ms;
    uint32_t cookie_gate;            /* enum syncache_gate; ALWAYS: other machines make cookies too */
    uint32_t debug;
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

/* net.inet.inspect.*  A threshold of 0 is unlimited. */
struct flow_inspect_tunables {
    uint32_t struct_size;
    uint32_t tcp_synwait_time_ms;
    uint32_t tcp_finwait_time_ms;
    uint32_t tcp_idle_time_ms;
    uint32_t udp_idle_time_ms;
    uint32_t dns_timeout_ms;
    uint32_t icmp_idle_time_ms;
    uint32_t max_incomplete_low;     /* 0 to FLOW_COUNT_MAX, as the three below; low <= high unless high is 0 */
    uint32_t max_incomplete_high;
    uint32_t one_minute_low;
    uint32_t one_minute_high;
    uint32_t tcp_max_incomplete_host; /* half-open TCP sessions to one address; 0: unlimited */
    uint32_t tcp_silent_max;         /* established sessions of one prefix without a word of the client; 0: all */
    uint32_t tcp_stray_limit;        /* TCP packets a second and side that belong to no session; 0: unlimited */
    uint32_t tcp_block_time_ms;      /* 0: a host above its limit loses its oldest instead */
    uint32_t block_action;           /* enum flow_block_action */
    uint32_t block_clears;           /* a block begins by deleting the host's half-open sessions */
    uint32_t aggressive_evict;       /* enum flow_aggressive_evict */
    uint32_t drop_mode;              /* enum flow_drop */
    uint32_t udp_halfopen_max_age_ms; /* a one-way UDP session counts as half-open this long; 0: for ever */
    uint32_t count_icmp;             /* ICMP counts in the thresholds */
    uint32_t rate_method;            /* enum flow_rate */
    uint32_t calm_check_interval_ms; /* how often the end of aggressive mode is looked for; 1 at least */
    uint32_t min_active_ms;          /* aggressive mode lasts at least this long */
    uint32_t alert;
    uint32_t audit_trail;
    uint32_t detect_only;            /* judge and report everything, touch nothing */
    uint32_t tap_reset;              /* beside the traffic: send the resets that deletion asks for */
    uint32_t host_alert_again_ms;    /* an alert of a host may come again after this long; 60 s */
    uint32_t rexmt_initial_ms;       /* block_action intercept, as the three below */
    uint32_t rexmt_limit;
    uint32_t synack_mss;
    uint32_t options;                /* enum flow_options */
    uint32_t cookie_lifetime_ms;     /* block_action cookie, as the one below */
    uint32_t clock_skew_ms;
    uint32_t cookie_gate;            /* enum syncache_gate; ALWAYS: other machines make cookies too */
    uint32_t debug;
    struct flow_inspect_rule rule[FLOW_INSPECTED_COUNT];
    uint32_t by_side;                /* 1: `rule` is for sessions begun outside, `server_rule` for the others */
    struct flow_inspect_rule server_rule[FLOW_INSPECTED_COUNT];
    uint32_t application_count;      /* 0 to FLOW_APPLICATIONS_MAX */
    struct flow_application application[FLOW_APPLICATIONS_MAX];
};

/* cffi: end. */

#endif

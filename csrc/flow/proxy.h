/*
 * The SYN proxy: the half-handshake with the client, the one with its server, and the splice of the two.  For both
 * policies: Intercept's, and Inspection's challenge of clients.
 *
 *   proxy.c          the two halves: packets and timers     proxy_knit.c    the splice, and packets through it
 *   proxy_cookie.c   ISNs, cookies made and redeemed        proxy_send.c    packets of ours
 *
 * Notation as everywhere: C client, S server; c and s their ISNs, p the one that we tell C; d = p - s.  The SYN to S
 * carries C's own c.  p is a cookie whenever there is a key, so that the ACK of an entry that was evicted can still
 * be taken.
 *
 * Not here: which SYNs are answered (intercept.c, inspect.c), evicting, thresholds.
 */
#ifndef SYNCACHE_FLOW_PROXY_H
#define SYNCACHE_FLOW_PROXY_H

#include "engine.h"

#define PROXY_WINDOW_UPDATES 3        /* repeated after 0.2, 0.6 and 1.4 s until the client sends */
#define PROXY_WINDOW_UPDATE_MS 200
#define PROXY_WINDOW 1460             /* told by Inspection's challenges: a segment, kept until the server answers */
#define PROXY_WSCALE 7                /* told while the server's is not known, and where it may not matter: Linux's */

/* What the two kinds of tunables say about half-handshakes. */
struct proxy_limits {
    uint32_t initial_ms;
    uint32_t rexmt_limit;
    uint32_t options;                 /* enum flow_options */
    uint32_t mss;
    uint32_t window;
    uint32_t giveup;                  /* enum flow_giveup_reset */
    uint32_t closing_ms;
    uint32_t lifetime_ms;
    uint32_t skew_ms;
    uint32_t divisor;
    bool wait_for_data;
    bool bad_ack_rst;
    bool shared;                      /* cookies may be another machine's */
};

struct proxy_limits proxy_limits(const struct flow *flow);

/* The one that every packet asks for. */
static inline uint32_t
proxy_idle_ms(const struct flow *flow)
{
    return flow->config.kind == FLOW_INTERCEPT ? flow->intercept.connection_timeout_ms : flow->inspect.tcp_idle_time_ms;
}

/* What a client is granted: WIRE_HAS_* out of what it offered, and what it is told. */
struct proxy_grant {
    uint8_t has;
    uint8_t wscale;                   /* told, or SYNCACHE_WSCALE_NONE */
    uint16_t mss;                     /* told */
};

/*
 * Answers a SYN.  proxy_begin() makes a session in SYNRCVD, proxy_cookie() holds no state; neither counts the request.
 *
 *   in       arrival   a SYN whose checksum and addresses are right, and not proxy_untouchable()
 *   returns  NULL: there is no room
 */
struct session *proxy_begin(struct flow *flow, const struct arrival *arrival);
enum flow_verdict proxy_cookie(struct flow *flow, const struct arrival *arrival);

/* A SYN whose packets nobody may rewrite: MD5, AO or AH. */
bool proxy_untouchable(const struct view *view);

/* Cookies can be made: there is a key. */
bool proxy_mints(const struct flow *flow);

/*
 * Tries an ACK that no session explains as a cookie; on success its session is made and the server is opened.
 *
 *   returns  FLOW_CONSUMED; FLOW_DROP_BAD_ACK: not a cookie of ours; FLOW_DROP_NO_ROOM: the caller may evict one
 */
enum flow_verdict proxy_redeem(struct flow *flow, const struct arrival *arrival);
/* Only looks.  Where a session stands in the way. */
bool proxy_is_cookie(struct flow *flow, const struct arrival *arrival);

/*
 * May its SEQ be the ISN itself?  A client whose ACK was lost, and that has data for the closed window it was told,
 * asks about it by an ACK of one less than what it sends next (RFC 9293 3.8.6.1).
 */
bool proxy_asks_window(const struct flow *flow, const struct view *view);

/* A packet of a session in mode 'I'.  `from` is the end that sent it. */
enum flow_verdict proxy_packet(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
/* An ICMP error that quotes one: `from` is the end that sent what is quoted. */
enum flow_verdict proxy_quote(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
/* Its deadline has come. */
void proxy_due(struct flow *flow, struct session *session);

/* Cookies sent in the last seconds without a redeemed one against them. */
uint32_t proxy_unanswered(struct flow *flow);

/* Of the rooms of the proxy among themselves. */
struct proxy_grant proxy_grant(struct flow *flow, const struct syncache_tuple *tuple,
                               const struct view_options *offered);
struct proxy_grant proxy_granted(const struct session *session);
uint32_t proxy_isn(struct flow *flow, const struct syncache_tuple *tuple, uint32_t c,
                   const struct view_options *offered, const struct proxy_grant *grant);
uint32_t proxy_ts(const struct flow *flow, const struct syncache_tuple *tuple);
void proxy_headers(struct flow *flow, struct session *session, const struct arrival *arrival);
/* Keeps what a client that proved its address says before its server answers: its first segment, and the FIN behind. */
bool proxy_keep(struct flow *flow, struct session *session, const struct view *view);
void proxy_open_server(struct flow *flow, struct session *session);
void proxy_knit(struct flow *flow, struct session *session, const struct view *view);
enum flow_verdict proxy_spliced(struct flow *flow, struct session *session, uint32_t from, struct arrival *arrival);
void proxy_spliced_due(struct flow *flow, struct session *session);

void proxy_send_syn_ack(struct flow *flow, const struct session *session);
void proxy_send_cookie(struct flow *flow, const struct arrival *arrival, const struct view_options *offered);
void proxy_send_syn(struct flow *flow, const struct session *session);
void proxy_send_ack(struct flow *flow, const struct session *session);
void proxy_send_window(struct flow *flow, const struct session *session);
/* RST to the client, seq p+1 and ack c+1: what it accepts in either half. */
bool proxy_reset_client(struct flow *flow, const struct session *session);
bool proxy_reset_server(struct flow *flow, const struct session *session);
/* Answers a segment by the RST of RFC 9293 3.10.7.1: seq is its ACK. */
void proxy_refuse(struct flow *flow, const struct arrival *arrival);

/*
 * Asks a server about all options at once, in the name of a client that proved its address and from another port of
 * its: the SYN of a spliced connection may offer only what its client was granted, so it teaches nothing new.  Holds
 * no state; the SYN-ACK is known by its ACK.
 */
void proxy_probe(struct flow *flow, const struct session *session);
/* Whether a SYN-ACK answers a probe; if so, it is learned from and the server is told to forget it. */
bool proxy_probed(struct flow *flow, const struct arrival *arrival);

#endif

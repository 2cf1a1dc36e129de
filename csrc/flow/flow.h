/*
 * flow.h: the public contract of the two middlebox modes, Intercept and Inspection, on one engine.
 *
 * Packets come in rings from two sides and the time with them.  Packets to forward are listed, rewritten in place where
 * need be; packets of the engine's own go into a ring per side.  Nothing else happens: as in syncache.h there is no
 * allocator, clock, entropy, lock or callback, and the same conventions hold.
 *
 * Order of a call: time moves, due timers act while the tx rings have room, then the packets in order of arrival.
 *
 * Not here: links, the text of log lines, access lists as text.  See docs/intercept.md, docs/inspection.md.
 */
#ifndef SYNCACHE_FLOW_FLOW_H
#define SYNCACHE_FLOW_FLOW_H

#include "../syncache.h"
#include "flow_tunables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

#define FLOW_TX_ROOM 4                /* free slots per tx ring that flow_burst() and flow_poll() need to go on */
#define FLOW_PACKET_MAX 256           /* bytes of a generated packet with its link header: tx slots have at least these;
                                         a client's early data needs an MTU's, and is lost where they are fewer */
#define FLOW_LINK_MAX 64              /* longest link header; longer ones are not kept */
#define FLOW_SILENT_FEW 64            /* silent sessions: a prefix with fewer is no attack; evicted last */
#define FLOW_SILENT_GRACE_MS 3000     /* a younger one is not too many: its client's first words may be lost, and are
                                         sent again.  Both are those of Stack, too */

enum flow_kind { FLOW_INTERCEPT, FLOW_INSPECT };

/*
 * The link that a packet came on.  Intercept: the client side is the outside.  Inspection: likewise, and sessions may
 * begin on both.  FLOW_TAP: both directions come on one ring and nothing is forwarded; packets to the side that began a
 * session go to client_tx, packets to the other end go to server_tx.
 */
enum flow_side { FLOW_CLIENT, FLOW_SERVER, FLOW_TAP };

/* Of a session.  The first two are half-open; Inspection knows no FLOW_SYNSENT but that of a challenged client. */
enum flow_state { FLOW_SYNRCVD, FLOW_SYNSENT, FLOW_ESTAB, FLOW_CLOSING, FLOW_STATE_COUNT };

/* The fate of a packet: slot.verdict.  flow_stats.verdicts counts each; below FLOW_CONSUMED: it goes on. */
enum flow_verdict {
    FLOW_FORWARD,                 /* as it came */
    FLOW_FORWARD_REWRITTEN,       /* as a part of a spliced connection */
    FLOW_CONSUMED,                /* answered or absorbed by a half-handshake */
    FLOW_DROP_EARLY,              /* from a client whose server has not answered yet */
    FLOW_DROP_BAD_ACK,            /* an ACK that completes nothing */
    FLOW_DROP_OTHER_ISN,          /* a SYN that does not replace the entry of its tuple */
    FLOW_DROP_RST,                /* a RST for a half-handshake of ours */
    FLOW_DROP_BAD_CHECKSUM,       /* of a packet that would have changed something */
    FLOW_DROP_UNKNOWN,            /* no SYN, and of no known connection, to a protected server */
    FLOW_DROP_NO_ROOM,            /* a cookie was good and there is no room for its session */
    FLOW_DROP_BLOCKED,            /* a SYN to a host that is blocked */
    FLOW_DROP_SERVER,             /* a server's packet that no half-handshake can use */
    FLOW_DROP_ICMP_REPLY,         /* a reply that nobody asked for */
    FLOW_DROP_ICMP_QUOTE,         /* an ICMP error whose quoted packet cannot be translated */
    FLOW_DROP_RECLAIMED,          /* an imported connection whose numbers do not fit */
    FLOW_DROP_NO_KEY,             /* it takes a cookie to answer this SYN, and the engine has no key */
    FLOW_DROP_LIMIT,              /* of no session, or without use to it, and beyond the limit of these a second */
    FLOW_VERDICT_COUNT
};

/* Why a session ended, or a half-open one was deleted. */
enum flow_end {
    FLOW_END_TIMEOUT,             /* idle, or finwait after its end */
    FLOW_END_SYNWAIT,             /* half-open for too long */
    FLOW_END_RST,
    FLOW_END_FIN,
    FLOW_END_GIVEUP_CLIENT,       /* retransmissions of the first half ran out */
    FLOW_END_GIVEUP_SERVER,       /* of the second */
    FLOW_END_EVICTED_COUNT,       /* aggressive because of the count of incompletes */
    FLOW_END_EVICTED_RATE,        /* aggressive because of the rate */
    FLOW_END_EVICTED_HOST,        /* its host had too many */
    FLOW_END_BLOCKED,             /* its host's block began */
    FLOW_END_EVICTED_FULL,        /* the table was full */
    FLOW_END_REPLACED,            /* a new connection of the same tuple */
    FLOW_END_SILENT,              /* its client had said nothing, and its prefix had too many of these */
    FLOW_END_COUNT
};

/* Fixed for the life of an engine. */
struct flow_config {
    uint32_t struct_size;         /* sizeof(struct flow_config) */
    uint32_t kind;                /* enum flow_kind */
    FLOW_INTERCEPT_CONFIG(SYNCACHE_MEMBER)
};

enum flow_port_op { FLOW_PORT_ANY, FLOW_PORT_EQ, FLOW_PORT_NEQ, FLOW_PORT_LT, FLOW_PORT_GT, FLOW_PORT_RANGE };

/* A line of an access list.  Bits set in a wildcard do not matter. */
struct flow_rule {
    uint8_t protocol;             /* 0: any */
    uint8_t family;               /* 4, 6; 0: any, with all-ones wildcards */
    uint8_t permit;
    uint8_t source_op;            /* enum flow_port_op */
    uint8_t destination_op;
    uint8_t reserved[3];
    uint8_t source[16];
    uint8_t source_wildcard[16];
    uint8_t destination[16];
    uint8_t destination_wildcard[16];
    uint16_t source_lo, source_hi;
    uint16_t destination_lo, destination_hi;
};

/* Events.  Behind each stand the fields of struct flow_event that it uses. */
enum flow_event_kind {
    /* State changes: always reported (inspection: unless alerts are off). */
    FLOW_EVENT_AGGRESSIVE,        /* reason, incomplete, limit (its high one), rate, number: mark crossed, top... */
    FLOW_EVENT_CALM,              /* incomplete, limit (the low one), rate, udp */
    FLOW_EVENT_HOST_ALERT,        /* tuple.laddr, limit, incomplete, sources */
    FLOW_EVENT_BLOCK,             /* tuple.laddr, limit, number: block time in ms */
    FLOW_EVENT_UNBLOCK,           /* tuple.laddr */
    /* Audit trail of inspection. */
    FLOW_EVENT_START,             /* tuple, protocol */
    FLOW_EVENT_STOP,              /* tuple, protocol, bytes, reason: enum flow_end */
    /* Debug lines: only if debug is on.  `ours`: the box sends it. */
    FLOW_EVENT_NEW,               /* tuple */
    FLOW_EVENT_SYN_ACK,           /* tuple, ours */
    FLOW_EVENT_FIRST_HALF,        /* tuple */
    FLOW_EVENT_SYN,               /* tuple, ours */
    FLOW_EVENT_SECOND_HALF,       /* tuple */
    FLOW_EVENT_ACK,               /* tuple, ours */
    FLOW_EVENT_WINDOW,            /* tuple */
    FLOW_EVENT_EARLY,             /* tuple: client packet not passed in SYNSENT */
    FLOW_EVENT_REXMT_SYN_ACK,     /* tuple, number: 1 is the first */
    FLOW_EVENT_REXMT_SYN,         /* tuple, number */
    FLOW_EVENT_TOO_LONG_SYNRCVD,  /* tuple */
    FLOW_EVENT_TOO_LONG_SYNSENT,  /* tuple */
    FLOW_EVENT_RST_CLIENT,        /* tuple */
    FLOW_EVENT_RST_SERVER,        /* tuple */
    FLOW_EVENT_PASSED_SYNRCVD,    /* tuple: server packet passed in SYNRCVD */
    FLOW_EVENT_TIMING_OUT,        /* tuple: a watched connection */
    FLOW_EVENT_EVICTED,           /* tuple, reason: enum flow_end; the alerts of either mode do not name it */
    FLOW_EVENT_COUNT
};

enum flow_reason { FLOW_REASON_NONE, FLOW_REASON_INCOMPLETE, FLOW_REASON_RATE, FLOW_REASON_HOST };

struct flow_event {
    uint64_t time_ms;
    uint8_t kind;                 /* enum flow_event_kind */
    uint8_t protocol;             /* 6, 17, 1, 58 */
    uint8_t reason;               /* enum flow_reason or enum flow_end */
    uint8_t ours;
    uint32_t number;
    uint32_t incomplete;          /* at the time of the event */
    uint32_t udp;                 /* of them */
    uint32_t limit;               /* the threshold that was crossed */
    uint32_t rate;                /* requests of the last minute */
    struct syncache_tuple tuple;  /* foreign is the client or initiator, local the server or responder */
    uint64_t bytes[2];            /* payload sent by initiator and responder */
    uint8_t top_address[16];      /* destination that holds most half-open sessions */
    uint16_t top_port;            /* of one of them */
    uint8_t top_family;           /* 0: there is none */
    uint8_t source_family;        /* 0: there is none */
    uint32_t top_count;
    uint8_t source_prefix[16];    /* /24 or /48 that most requests of the last minutes came from */
    uint32_t source_count;
    uint32_t reserved;
};

/* A session, as listed. */
struct flow_session_view {
    struct syncache_tuple tuple;  /* foreign is the client or initiator; ICMP: fport is its type, lport 0 */
    uint8_t protocol;             /* 6, 17, 1, 58 */
    uint8_t state;                /* enum flow_state */
    uint8_t mode;                 /* 'I' or 'W'; inspection: 0, or 'I' if it was challenged */
    uint8_t counted;              /* it counts as half-open */
    uint8_t side;                 /* enum flow_side of the initiator */
    uint8_t rule;                 /* enum flow_inspected, or FLOW_INSPECTED_COUNT + its application */
    uint8_t rexmts;               /* of the half-handshake that runs */
    uint8_t client_wscale, server_wscale, told_wscale;   /* or SYNCACHE_WSCALE_NONE */
    uint8_t reserved[2];
    uint32_t delta;               /* server's ISN as the client knows it minus the real one */
    uint32_t id;                  /* of its place in memory: names it as long as it lives */
    uint32_t icmp_id;
    uint64_t created_ms;
    uint64_t last_ms;             /* last packet */
    uint64_t deadline_ms;
    uint64_t bytes[2];            /* payload from client and server */
};

/* Counters are monotone; the first block tells how things stand. */
struct flow_stats {
    uint32_t incomplete;          /* half-open sessions that count */
    uint32_t incomplete_udp;      /* of them */
    uint32_t uncounted;           /* half-open ones that do not: ICMP, aged UDP */
    uint32_t established;
    uint32_t terminating;
    uint32_t one_minute;          /* requests of the last minute */
    uint32_t aggressive;          /* 1: now */
    uint32_t aggressive_reason;   /* enum flow_reason of the last beginning */
    uint32_t hosts;               /* destinations known */
    uint32_t hosts_blocked;
    uint32_t incomplete_max;      /* since the start: Maxever */
    uint32_t established_max;
    uint32_t terminating_max;
    uint32_t one_minute_max;
    uint32_t last_incomplete;     /* half-open total at the last creation */
    uint32_t sessions_again;      /* created beside the traffic by the SYN of one that had ended */
    uint32_t syns_other;          /* beside the traffic, of a session's client with another ISN: part of its attempt */
    uint32_t syns_odd;            /* beside the traffic, with FIN or RST: no requests */
    uint64_t aggressive_since_ms; /* if aggressive */
    uint64_t last_created_ms;     /* of the last session */
    uint64_t sessions_created;
    uint64_t requests;            /* what the rate counts */
    uint64_t completed;           /* half-open sessions that became established */
    uint64_t ended[FLOW_END_COUNT];
    uint64_t aggressive_count;    /* beginnings */
    uint64_t calm_count;          /* ends */
    uint64_t packets_tcp;
    uint64_t packets_udp;
    uint64_t packets_icmp;
    uint64_t packets_other;
    uint64_t resets_client;       /* RSTs sent to clients or initiators */
    uint64_t resets_server;
    uint64_t syn_acks;            /* sent to clients, cookies included */
    uint64_t cookies_sent;
    uint64_t cookies_redeemed;
    uint64_t cookies_failed;
    uint64_t collateral;          /* redeemed while entries were kept: the cost of eviction */
    uint64_t rexmts_client;
    uint64_t rexmts_server;
    uint64_t bad_ack;
    uint64_t client_dropped_synsent; /* clients' segments that did not go on, the server being silent; one is kept */
    uint64_t host_alerts;
    uint64_t blocks;
    uint64_t table_full;          /* no room for a session although something half-open was evicted, or none was */
    uint64_t hosts_full;          /* half-open sessions that no host counts */
    uint64_t headers_full;        /* link headers not kept */
    uint64_t resets_withheld;     /* RSTs not sent, too many being due to one connection in this second */
    uint64_t journal_lost;        /* events that found the journal full */
    uint64_t tx_lost;             /* generated packets that found no room */
    uint64_t verdicts[FLOW_VERDICT_COUNT];
};

/* A spliced connection as it is kept over a restart.  Its bytes may have lain in a file: nothing is trusted. */
struct flow_splice {
    struct syncache_tuple tuple;  /* foreign is the client */
    uint32_t delta;               /* of server's SEQ */
    uint32_t ts_delta;            /* of server's TSval */
    uint32_t ts_floor;            /* below which no TSecr goes to the server, if flags say so */
    uint32_t seq[2];              /* SND.NXT of client and server, in their own numbers */
    uint32_t idle_ms;             /* since the last packet */
    uint8_t flags;                /* SPLICE_* of splice.h */
    uint8_t state;                /* FLOW_ESTAB or FLOW_CLOSING */
    uint8_t client_wscale, server_wscale, told_wscale;   /* or SYNCACHE_WSCALE_NONE */
    uint8_t reserved[3];          /* zero */
};

/* What is known of a connection that comes back from a program of the kernel. */
enum flow_known {
    FLOW_KNOWN_NOT,
    FLOW_KNOWN,                   /* flow_handed_seen(): it goes on */
    FLOW_KNOWN_BY_NAME            /* of its tuple the family, both ports and the last word of the client's address */
};

/* A spliced connection that a program of the kernel carries.  Numbers are those that the server uses. */
struct flow_handed_session {
    struct syncache_tuple tuple;  /* foreign is the client */
    uint32_t delta;               /* of server's SEQ */
    uint32_t ts_delta;            /* of server's TSval */
    uint32_t ts_floor;
    uint8_t flags;                /* SPLICE_* of splice_words.h */
    int8_t shift_to_client;       /* of windows: left if positive */
    int8_t shift_to_server;
    uint8_t known;                /* enum flow_known; FLOW_KNOWN_NOT: the engine has no such session any more */
    uint64_t bytes[2];            /* payload from client and server */
    uint32_t nxt[2];              /* SND.NXT of client and server */
    uint32_t ack[2];              /* the highest ACK of each */
    uint32_t age_ms;              /* since the last packet */
    uint32_t number;              /* names the session: flow_session_view.id */
};

struct flow;                       /* lives in the caller's block */

/* Tells how many bytes an engine of this configuration needs; 0 if a field is out of range. */
size_t flow_size(const struct flow_config *config);

/*
 * Makes an engine in the caller's block, with default tunables, no rules and no key.
 *
 *   in       block[0 .. size)   aligned to 64 bytes, size at least flow_size(config)
 *   in       seed               of hashes, random choice and timestamps
 *   returns  NULL if the configuration, the size or the alignment is not right
 */
struct flow *flow_init(void *block, size_t size, const struct flow_config *config,
                       const uint8_t seed[SYNCACHE_KEY_BYTES]);

void flow_intercept_default(struct flow_intercept_tunables *tunables);
void flow_inspect_default(struct flow_inspect_tunables *tunables);

/* Replaces all tunables of a kind.  Returns false, and changes nothing, if one is out of range or of the other kind. */
bool flow_set_intercept(struct flow *flow, uint64_t now_ms, const struct flow_intercept_tunables *tunables);
bool flow_set_inspect(struct flow *flow, uint64_t now_ms, const struct flow_inspect_tunables *tunables);

/* Cookie keys: as syncache_set_key(), syncache_set_epoch() and syncache_epoch(). */
void flow_set_key(struct flow *flow, uint64_t epoch, const uint8_t key[SYNCACHE_KEY_BYTES]);
void flow_set_epoch(struct flow *flow, uint64_t epoch, uint64_t start_ms);
uint64_t flow_epoch(struct flow *flow, uint64_t now_ms, uint64_t *next_ms);

/*
 * TSval of our SYN-ACKs = base_ms + now_ms + offset of the tuple, as of syncache_init().  The key: before the first
 * packet.  The base at any time, as syncache_set_ts_base().
 */
void flow_set_ts_key(struct flow *flow, const uint8_t key[SYNCACHE_KEY_BYTES]);
void flow_set_ts_base(struct flow *flow, uint32_t base_ms);

/*
 * Replaces the access list.  Known connections go on.
 *
 *   in       on   false: there is no list, no new connection is intercepted
 *   returns  false, and changes nothing, if there are more than rules_max or one makes no sense
 */
bool flow_set_rules(struct flow *flow, const struct flow_rule *rules, uint32_t count, bool on);

/*
 * Takes the packets rx->next .. rx->count in order.  Packets to forward are listed in rx->passed, rewritten in place
 * where need be; generated packets are appended to client_tx and server_tx.  Stops before the first packet for which
 * one of them has fewer than FLOW_TX_ROOM free slots.
 *
 *   in       rx         conn is not used; a slot of size 0 (a frame without IP) is forwarded
 *   in       side       enum flow_side; with FLOW_TAP nothing is rewritten and nothing refused
 *   in       *_tx       packets bound for the link of that side; NULL: nothing can be sent there
 *   out      rx->slot[].verdict   enum flow_verdict
 *   returns  packets consumed; rx->next advances by as many
 *   limit    constant work a packet, but for the deletions that inspection's sweep and block ask for
 */
uint32_t flow_burst(struct flow *flow, uint64_t now_ms, struct syncache_ring *rx, uint32_t side,
                    struct syncache_ring *client_tx, struct syncache_ring *server_tx);

/*
 * Takes a capture: the packets rx->next .. rx->count, each at the time in ms that its slot's handle holds, and runs the
 * timers between them at their times.  As FLOW_TAP, and nothing is sent.
 *
 *   in       until_ms   stops before the first packet of this time or later, with everything done that is due by then;
 *                       SYNCACHE_NEVER: takes all
 *   returns  packets consumed
 */
uint32_t flow_replay(struct flow *flow, uint64_t until_ms, struct syncache_ring *rx);

/* Runs the timers that are due.  Returns packets appended; call again while a ring was filled. */
uint32_t flow_poll(struct flow *flow, uint64_t now_ms, struct syncache_ring *client_tx,
                   struct syncache_ring *server_tx);

/* Returns the earliest time at which flow_poll() or a new key is due, or SYNCACHE_NEVER; never too late. */
uint64_t flow_next_deadline(struct flow *flow);

/* Lists sessions from *cursor (0 at first) on.  Returns how many were written; 0: the end. */
uint32_t flow_walk(struct flow *flow, uint64_t *cursor, struct flow_session_view *out, uint32_t out_max);

/* As flow_walk(), but looks at no more than look_max places, so that a large table is read in short steps.  Returns
 * how many were written, 0 perhaps; *cursor is SYNCACHE_NEVER at the end. */
uint32_t flow_walk_some(struct flow *flow, uint64_t *cursor, uint32_t look_max, struct flow_session_view *out,
                        uint32_t out_max);

/* Takes events out of the journal, oldest first.  Returns how many. */
uint32_t flow_events(struct flow *flow, struct flow_event *out, uint32_t out_max);

/* Lists spliced connections from *cursor (0 at first) on.  Returns how many were written; 0: the end. */
uint32_t flow_export(struct flow *flow, uint64_t now_ms, uint64_t *cursor, struct flow_splice *out, uint32_t out_max);

/*
 * Takes up connections that another engine exported.  The first packet each way must be within 2^20 of the exported
 * SEQ, else the connection is dropped (FLOW_DROP_RECLAIMED): it went on too long without us.
 *
 *   returns  how many were taken; the others make no sense, are known already or find no room
 */
uint32_t flow_import(struct flow *flow, uint64_t now_ms, const struct flow_splice *in, uint32_t count);

/* Offer connections to flow_handed(), or not; Intercept only.  Off does not take back those that are out. */
void flow_hand_over(struct flow *flow, bool on);

/*
 * Gives away connections whose client was heard since they were spliced.  Packets of theirs that come all the same are
 * translated as ever; a FIN or RST that should count has to come behind flow_handed_back().
 *
 *   returns  how many were written; 0: there are none now
 */
uint32_t flow_handed(struct flow *flow, uint64_t now_ms, struct flow_handed_session *out, uint32_t out_max);

/* Updates connections that were given away from the carrier's state, and sets `known`. */
void flow_handed_seen(struct flow *flow, uint64_t now_ms, struct flow_handed_session *in, uint32_t count);

/* As that, and they are the engine's again; they are offered anew after their next packet. */
void flow_handed_back(struct flow *flow, uint64_t now_ms, const struct flow_handed_session *in, uint32_t count);

/* All that are out were told to flow_handed_seen() since begun_ms; none ends idle without being looked at. */
void flow_handed_looked(struct flow *flow, uint64_t begun_ms);

#define FLOW_REDEEMED_FILTERS 4096  /* of 64 seconds, by as many other machines */
#define FLOW_REDEEMED_BYTES 2048    /* of a filter */
#define FLOW_REDEEMED_NUMBERS 32    /* of a handshake */
#define FLOW_REDEEMED_FRESH 512
#define FLOW_REDEEMED_PACKED 45     /* bytes that a handshake is known by */

/* Handshakes that the machines of a group have completed (redeemed.h).  The memory is the caller's, zeroed. */
struct flow_redeemed {
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t refused;             /* ACKs of good cookies that another machine had redeemed */
    uint32_t fresh_count;         /* completed here; the caller takes them and sets it to 0 */
    uint32_t first, count;        /* filters of others, the oldest first */
    uint32_t reserved;
    uint16_t fresh[FLOW_REDEEMED_FRESH][FLOW_REDEEMED_NUMBERS];
    uint16_t size[FLOW_REDEEMED_FILTERS];    /* in bytes */
    uint64_t end_ms[FLOW_REDEEMED_FILTERS];  /* until when a filter counts */
    uint8_t bits[FLOW_REDEEMED_FILTERS][FLOW_REDEEMED_BYTES];
};

/* Cookies are redeemed once in a group; NULL: once at each machine.  The block has to outlive the engine. */
void flow_set_redeemed(struct flow *flow, struct flow_redeemed *redeemed);

/* Writes the numbers of a handshake, data of up to 64 bytes. */
void flow_redeemed_numbers(const uint8_t key[SYNCACHE_KEY_BYTES], const uint8_t *data, size_t data_size,
                           uint16_t numbers[FLOW_REDEEMED_NUMBERS]);

/* Keeps a filter of another machine, of 1 to FLOW_REDEEMED_BYTES bytes, for so long; the oldest may have to go. */
void flow_redeemed_hear(struct flow_redeemed *redeemed, uint64_t now_ms, uint64_t lives_ms, const uint8_t *bits,
                        uint32_t size);

/* Counters.  `now_ms` brings those that depend on time (one_minute) up to date. */
const struct flow_stats *flow_statistics(struct flow *flow, uint64_t now_ms);

/* Copies the counters as they stand at the time of the last call.  Changes nothing: another thread may ask, whatever
 * call runs meanwhile, and finds each counter as it was before or after that call's step. */
void flow_counters(const struct flow *flow, struct flow_stats *out);

#define FLOW_AGES 64

/* How things stand at one time. */
struct flow_sample {
    uint64_t time_ms;
    uint32_t incomplete;          /* half-open sessions that count */
    uint32_t incomplete_udp;      /* of them */
    uint32_t established;
    uint32_t one_minute;          /* requests of the last minute */
    uint32_t aggressive;
    uint32_t host_count;          /* half-open TCP sessions of the destination that has most */
    uint8_t host_address[16];     /* that destination */
    uint8_t host_family;          /* 0: there is none */
    uint8_t reserved[7];
};

/* Returns the engine's time: the latest of its calls; 0 before the first. */
uint64_t flow_now_ms(const struct flow *flow);

/*
 * Takes a sample.
 *
 *   limit    the number of destinations with more half-open UDP sessions than any has of TCP
 */
void flow_measure(struct flow *flow, uint64_t now_ms, struct flow_sample *sample);

/*
 * Returns the earliest time at which a sample may differ from one of now_ms, if no packet comes; SYNCACHE_NEVER: never.
 * Never too late.  Keys do not count: a sample does not show them.
 */
uint64_t flow_measure_change_ms(struct flow *flow, uint64_t now_ms);

/*
 * Returns how many TCP handshakes have completed at which age, FLOW_AGES counters, four to an octave: the first four
 * are of 0 to 3 ms, and counter 4 * e + q is of ages from (4 + q) << (e - 1) ms up to the next; the last takes all
 * that are older.
 */
const uint64_t *flow_handshake_ages(const struct flow *flow);

/* cffi: end. */

#ifdef __cplusplus
}
#endif

#endif

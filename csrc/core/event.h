/*
 * The events of a half-open connection, of which input.c chooses one.  A struct event carries a packet and the state
 * looked up for it into an event function, and the answer out of it.
 */
#ifndef SYNCACHE_CORE_EVENT_H
#define SYNCACHE_CORE_EVENT_H

#include "engine.h"

/* No verdict yet: the next test decides. */
#define EVENT_UNDECIDED SYNCACHE_VERDICT_COUNT

#define EVENT_FASTOPEN_COOKIE_BYTES 8

struct event {
    const struct wire_segment *segment;
    uint64_t hash;                    /* engine_hash() of its tuple */
    struct endpoint *endpoint;        /* listens on its local side; NULL: nobody does */
    struct table_ref ref;             /* its half-open entry, if there is one that may be used */
    struct syncache_conn *conn;       /* out: ACCEPT_* */
    uint64_t handle;                  /* out: PASS_KNOWN */
    struct guard *guard;              /* out: PASS_KNOWN of a connection whose stack takes segments as one, or NULL */
    uint64_t fingerprint;             /* engine_fingerprint() of a handshake that a cookie has completed */
    uint8_t *reply;                   /* out: SYNCACHE_REPLY_MAX bytes */
    uint32_t reply_size;              /* out: 0 if there is no reply */
};

/* A packet after parsing. */
struct parsed {
    struct wire_segment segment;
    struct wire_quote quote;
    uint64_t hash;                    /* of the segment's or the quotation's tuple */
    enum wire_kind kind;
    enum syncache_verdict why;        /* WIRE_BAD */
};

/* input.c: reads a packet; its tuple, if one is to be looked up, else NULL.  `hash` is the caller's to fill in. */
const struct syncache_tuple *input_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum,
                                         struct parsed *parsed);
/* The verdict of a parsed packet, which is counted here. */
enum syncache_verdict input_parsed(struct syncache *cache, const struct parsed *parsed, struct event *event);
/* Could it draw a reply?  Errs on the side of yes. */
bool input_may_reply(const struct syncache *cache, const struct parsed *parsed);

/* add.c: a SYN. */
enum syncache_verdict syncache_add(struct syncache *cache, struct event *event);
/* Where a new SYN goes: into the table, nowhere but its cookie, or away. */
enum add_place { ADD_STORE, ADD_STATELESS, ADD_REFUSE };
/* Decides it, and makes room by one eviction if need be.  Counts the SYN for the pauses. */
enum add_place add_place(struct syncache *cache, uint64_t hash);
/* The options that a SYN negotiates, as the entry that would be stored; no ISS yet. */
void add_fill(const struct syncache *cache, const struct event *event, struct table_entry *entry);

/* The result of a TFO option. */
struct fastopen {
    uint8_t cookie[EVENT_FASTOPEN_COOKIE_BYTES];
    uint32_t acked;                   /* bytes of SYN data that the SYN-ACK acknowledges */
    bool hand_out;                    /* send `cookie` in the SYN-ACK */
};

/* fastopen.c: ACCEPT_FASTOPEN, or undecided: the handshake takes the ordinary way. */
enum syncache_verdict fastopen_add(struct syncache *cache, struct event *event, struct fastopen *fastopen);
/* A pending request ends: acknowledged or refused; or its connection is gone, and it counts for a while yet. */
void fastopen_settle(struct syncache *cache, uint32_t endpoint);
void fastopen_abandon(struct syncache *cache, uint32_t endpoint);

/* expand.c: an ACK. */
enum syncache_verdict syncache_expand(struct syncache *cache, struct event *event);
/* An ACK that belongs to nothing: the stack's, or a RST. */
enum syncache_verdict expand_refuse(struct syncache *cache, struct event *event);

/* How an ACK fared as a cookie. */
enum redeem {
    REDEEM_GOOD,                      /* the restored options are in *restored */
    REDEEM_OFF,                       /* not tried: cookies are off or the gate is closed */
    REDEEM_OTHER,                     /* no cookie of ours with this SEQ; with another it may be one */
    REDEEM_FAILED,                    /* whatever its SEQ, it comes too late, or without the timestamp it needs */
    REDEEM_REPLAYED                   /* ours, and redeemed before */
};

/* redeem.c: tries an ACK as a cookie. */
enum redeem redeem_cookie(struct syncache *cache, struct event *event, struct table_entry *restored);

/* offer.c: makes the offer of a handshake; ACCEPT_* or DROP_KNOWN_FULL. */
enum syncache_verdict offer_make(struct syncache *cache, struct event *event, const struct table_entry *entry,
                                 enum syncache_via via);
/* Refuses the offers that nobody answered. */
void offer_expire(struct syncache *cache);

/* chkrst.c: a RST; a challenge ACK within its limit; an ICMP error, true if it met an entry. */
enum syncache_verdict syncache_chkrst(struct syncache *cache, struct event *event);
enum syncache_verdict chkrst_challenge(struct syncache *cache, struct event *event);
bool chkrst_unreach(struct syncache *cache, uint64_t hash, const struct syncache_tuple *tuple, uint32_t seq);

/* respond.c: is the segment signed with the right key (RFC 2385)? */
bool respond_signature_good(const struct syncache *cache, const struct event *event);
/* Each writes one packet, counts it, and returns its size. */
uint32_t respond_syn_ack(struct syncache *cache, const struct table_entry *entry, const struct fastopen *fastopen,
                         uint8_t packet[static SYNCACHE_REPLY_MAX]);
/* The SYN-ACK of an entry, not counted. */
uint32_t respond_template(const struct syncache *cache, const struct table_entry *entry,
                          uint8_t packet[static SYNCACHE_REPLY_MAX]);
uint32_t respond_challenge_ack(struct syncache *cache, const struct table_entry *entry,
                               uint8_t packet[static SYNCACHE_REPLY_MAX]);
/*
 * The RST that a segment of no connection deserves, while its prefix has any left in this second.
 *
 *   in       blackhole  value of that tunable from which on it gets none
 *   returns  SYNCACHE_REPLY_RST, SYNCACHE_DROP_BLACKHOLE or SYNCACHE_DROP_RST_LIMIT
 */
enum syncache_verdict respond_refuse(struct syncache *cache, struct event *event, uint32_t blackhole);
uint32_t respond_rst_owed(struct syncache *cache, const struct syncache_tuple *tuple, uint32_t seq,
                          uint8_t packet[static SYNCACHE_REPLY_MAX]);

#endif

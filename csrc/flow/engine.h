/*
 * The memory block of an engine, and what its rooms share.  Who calls whom:
 *
 *   flow.c        size, init, setters, walk, deadline, statistics
 *   flow_burst.c  packets in stages, poll
 *   intercept.c   policy of Intercept        proxy.c   half-handshakes of ours
 *   inspect*.c    policy of Inspection       track.c   handshakes of others, passing
 *   flow_engine.c sessions in and out of all tables at once, timers, judging
 *   answer.c      packets of ours, events    handed.c  connections in the kernel's hands
 *   session*.c host.c threshold.c journal.c rules.c profile.c header.c early.c ahead.c view.c
 *   splice.c: leaves
 */
#ifndef SYNCACHE_FLOW_ENGINE_H
#define SYNCACHE_FLOW_ENGINE_H

#include "../core/secret.h"
#include "../core/wire.h"
#include "ahead.h"
#include "early.h"
#include "flow.h"
#include "handed.h"
#include "header.h"
#include "host.h"
#include "journal.h"
#include "measure.h"
#include "profile.h"
#include "rules.h"
#include "session.h"
#include "sources.h"
#include "threshold.h"
#include "view.h"

#define UNANSWERED_SECONDS 32         /* more than a handshake may take */

/* Cookies sent and not yet redeemed, by seconds: half-open connections that nobody stores. */
struct unanswered {
    uint32_t sent[UNANSWERED_SECONDS];
    uint64_t now_s;                   /* of the youngest second */
    uint32_t count;                   /* sum of them */
};

struct flow {
    struct flow_config config;
    struct flow_intercept_tunables intercept;
    struct flow_inspect_tunables inspect;
    struct threshold_limits limits;   /* from the tunables of the kind */
    struct sessions sessions;
    struct order order;
    struct hosts hosts;
    struct due due;                   /* sessions, then hosts */
    struct threshold threshold;
    struct journal journal;
    struct sources sources;
    struct rules rules;
    struct profiles profiles;
    struct headers headers;
    struct early early;
    struct ahead ahead;
    struct unanswered unanswered;
    struct handing handing;
    uint64_t learn_ms;                /* when the access list was last replaced: learn_time counts from there */
    struct secret secret;
    struct syncache_ring *tx[2];      /* of the call that runs; NULL: nothing can be sent there */
    uint64_t now_ms;                  /* of the last call; never goes back */
    uint64_t started_ms;              /* of the first */
    uint64_t settled_ms;              /* until then no cookie key changes its part */
    uint64_t gate_ms;                 /* last time a cookie was sent or a half-open entry evicted */
    uint64_t random;                  /* counter of engine_random() */
    bool started;
    bool gate_stamped;
    bool tap;                         /* of the call that runs: FLOW_TAP */
    bool debug;
    bool keyed;                       /* a cookie key was given */
    bool epoch_told;                  /* keys may be older than this engine, and so may cookies */
    uint32_t ts_base;                 /* of the clock of timestamps, in ms */
    uint32_t judged_incomplete;       /* half-open sessions when the thresholds were judged */
    bool changed;                     /* tunables, since the thresholds were judged */
    bool announced;                   /* aggressive mode, when it began: so its end is told too, and no other */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
    uint8_t random_key[SYNCACHE_KEY_BYTES];
    uint8_t ts_key[SYNCACHE_KEY_BYTES];
    struct flow_stats stats;
    uint64_t handshake_ages[FLOW_AGES];
};

/* flow_tunables.c: what follows from the tunables of the kind. */
void flow_limits(struct flow *flow);

/* Takes the time of a call; cookie keys retire. */
void engine_begin(struct flow *flow, uint64_t now_ms);

/* As that, for a caller that asks which key is due: no packet follows before it could give one. */
void engine_tell_time(struct flow *flow, uint64_t now_ms);
uint64_t engine_random(struct flow *flow);

/* Room for what one packet or one timer can make. */
bool engine_room(const struct flow *flow);
/* Lets due timers act.  Returns false if the rings were too full for all of them. */
bool engine_timers(struct flow *flow);

/* Counts an attempt: the rate, and where it comes from. */
void engine_request(struct flow *flow, const struct session_key *key);
uint32_t engine_rate(struct flow *flow);

/*
 * Makes a session and counts it: created, and if it is half-open and `counted`, in the order and at its host.  The
 * caller has called engine_request() and arms the deadline.
 *
 *   returns  NULL if there is no room; the caller may evict one and try again
 */
struct session *engine_open(struct flow *flow, const struct session_key *key, uint8_t side, enum flow_state state,
                            bool counted);
/*
 * A session gives way to a new connection of the same two ends, whose SYN and SYN-ACK both passed: it counts as an
 * attempt, and is half-open until the client's ACK.
 *
 *   in       view   the SYN-ACK, for which track_is_anew() holds
 *   returns  the new session, which is passive; the caller sets its mode and arms it
 */
struct session *engine_renew(struct flow *flow, struct session *session, const struct view *view);
/* From one state to another, with all counts.  Half-open to established counts as completed. */
void engine_state(struct flow *flow, struct session *session, enum flow_state state);
/* A half-open session no longer counts. */
void engine_uncount(struct flow *flow, struct session *session);
/* Of sessions that will end one after the other: what ending the next needs goes on its way into the cache, and what
 * that needs of the one behind it.  SESSION_NONE: there is none. */
void engine_prefetch(const struct flow *flow, uint32_t next, uint32_t behind);
/* Takes it out of everything; sends nothing. */
void engine_end(struct flow *flow, struct session *session, enum flow_end end);
/* The same for one whose resets must wait for room: nobody finds it, it is due at once, engine_forget() frees it. */
void engine_owe(struct flow *flow, struct session *session, enum flow_end end);
void engine_forget(struct flow *flow, struct session *session);
/* Sets the deadline, SYNCACHE_NEVER: none.  A later one costs nothing, an earlier one moves in the wheel. */
void engine_arm(struct flow *flow, struct session *session, uint64_t deadline_ms);

/*
 * Sends a packet of ours to one end of a session, with its link header, if there is a ring and room.
 *
 *   in       to      FLOW_CLIENT or FLOW_SERVER: the end of the session
 *   in       reply   all but the tuple, which is the session's
 *   returns  true if it went into a ring
 */
bool engine_send(struct flow *flow, const struct session *session, uint32_t to, struct wire_reply *reply);
/* Sends a packet of the client's that was kept to the server, likewise. */
bool engine_send_packet(struct flow *flow, const struct session *session, const struct early_packet *packet);
/* RST to one end, seq as that end expects it; RST|ACK unless `ack` is NULL. */
bool engine_reset(struct flow *flow, const struct session *session, uint32_t to, uint32_t seq, const uint32_t *ack);

/* Adds an event about a session; NULL if it is lost or of debug level and debug is off. */
struct flow_event *engine_event(struct flow *flow, const struct session *session, enum flow_event_kind kind);
/* Fills in what alerts tell: counts, rate, top destination, top source prefix. */
void engine_event_circumstances(struct flow *flow, struct flow_event *event);

/* Half-open sessions as the thresholds see them. */
uint32_t engine_incomplete(struct flow *flow);
/* Judges the thresholds, reports a transition and tells the policy, which may then end any half-open session. */
void engine_judge(struct flow *flow);

/*
 * A packet of a burst, parsed and hashed; the policies take it from there.
 *
 *   returns  what becomes of it: slot.verdict.  It was rewritten in place if FLOW_FORWARD_REWRITTEN
 */
struct arrival {
    struct view view;
    struct session_key key;           /* of the packet, or for VIEW_QUOTE of the packet that it quotes, as quoted */
    const uint8_t *link;              /* link_size bytes in front of the packet */
    uint16_t link_size;
    uint8_t side;                     /* enum flow_side */
};

/*
 * flow_burst.c: the stages of a burst, for packets rx->next on.
 *
 *   in       count    at most SYNCACHE_BURST_MAX
 *   out      arrival  parsed, hashed, their sessions on the way into the cache
 */
void burst_stage(const struct flow *flow, const struct syncache_ring *rx, uint32_t side, uint32_t count,
                 struct arrival *arrival);
/* The policy for `count` packets that were staged, at flow->now_ms.  Returns how many were consumed. */
uint32_t burst_packets(struct flow *flow, struct syncache_ring *rx, uint32_t count, struct arrival *arrival);
/* What every call begins with.  False: due timers still wait for room. */
bool burst_begin(struct flow *flow, uint64_t now_ms, struct syncache_ring *client_tx, struct syncache_ring *server_tx);

/* Answers the sender of a packet without a session: out of the link that it came on, behind its header turned. */
bool engine_answer(struct flow *flow, const struct arrival *arrival, struct wire_reply *reply);

enum flow_verdict intercept_packet(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_packet(struct flow *flow, struct arrival *arrival);
/* After tunables changed or engine_judge() said that the mode did: deadlines of watched connections follow. */
void intercept_judged(struct flow *flow);
void inspect_judged(struct flow *flow);
/* engine_renew(), and what the policy has to do then. */
void watch_renew(struct flow *flow, struct session *session, const struct view *view);
void inspect_renew(struct flow *flow, struct session *session, const struct view *view);
/* A session of inspection was made, is about to end: its rule, its lines of the audit trail. */
void inspect_opened(struct flow *flow, struct session *session);
void inspect_ended(struct flow *flow, const struct session *session, enum flow_end end);

/* A session whose deadline has come: it is no longer armed.  A host whose block is over. */
void intercept_due(struct flow *flow, struct session *session);
void inspect_due(struct flow *flow, struct session *session);
void inspect_host_due(struct flow *flow, struct host *host);

/* selfcheck.c: 0 if all holds that has to hold between calls, else the line there of what does not.  For tests. */
uint32_t engine_selfcheck(struct flow *flow);

#endif

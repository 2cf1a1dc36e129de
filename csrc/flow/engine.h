/*
 * The memory block of an engine, and what its rooms share.  Who calls whom:
 *
 *   flow.c        size, init, setters, walk, deadline, statistics
 *   flow_burst.c  packets in stages, poll
 *   intercept.c   policy of Intercept        proxy.c   half-handshakes of ours
 *   inspect*.c    policy of Inspection       track.c   handshakes of others, passing
 *   engine.c      sessions in and out of all tables at once, sending, events
 *   session*.c host.c threshold.c journal.c rules.c profile.c header.c packet.c splice.c: leaves
 */
#ifndef SYNCACHE_FLOW_ENGINE_H
#define SYNCACHE_FLOW_ENGINE_H

#include "../core/secret.h"
#include "../core/wire.h"
#include "flow.h"
#include "host.h"
#include "journal.h"
#include "session.h"
#include "sources.h"
#include "threshold.h"
#include "view.h"

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
    struct secret secret;
    struct syncache_ring *tx[2];      /* of the call that runs; NULL: nothing can be sent there */
    uint64_t now_ms;                  /* of the last call; never goes back */
    uint64_t started_ms;              /* of the first */
    uint64_t gate_ms;                 /* last time a cookie was sent or a half-open entry evicted */
    uint64_t random;                  /* counter of engine_random() */
    bool started;
    bool gate_stamped;
    bool tap;                         /* of the call that runs: FLOW_TAP */
    bool debug;
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
    uint8_t random_key[SYNCACHE_KEY_BYTES];
    uint8_t ts_key[SYNCACHE_KEY_BYTES];
    struct flow_stats stats;
};

/* Takes the time of a call; cookie keys retire. */
void engine_advance(struct flow *flow, uint64_t now_ms);
uint64_t engine_random(struct flow *flow);

/* Room for what one packet or one timer can make. */
bool engine_room(const struct flow *flow);

/*
 * Makes a session and counts it: created, and half-open if `counted`, in the order, at its host, in the rate's
 * sources.  The caller has made sure by engine_make_room() that there is a place, counts the request and arms the
 * deadline.
 */
struct session *engine_open(struct flow *flow, const struct session_key *key, enum flow_state state, bool counted);
/* From one state to another, with all counts.  Half-open to established counts as completed. */
void engine_state(struct flow *flow, struct session *session, enum flow_state state);
/* A half-open session no longer counts. */
void engine_uncount(struct flow *flow, struct session *session);
/* Takes it out of everything; sends nothing. */
void engine_end(struct flow *flow, struct session *session, enum flow_end end);
/* Sets the deadline.  Later ones cost nothing, an earlier one moves in the wheel. */
void engine_arm(struct flow *flow, struct session *session, uint64_t deadline_ms);

/*
 * Sends a packet of ours to one end of a session, with its link header, if there is a ring and room.
 *
 *   in       to      FLOW_CLIENT or FLOW_SERVER: the end of the session
 *   in       reply   all but the tuple, which is the session's
 *   returns  true if it went into a ring
 */
bool engine_send(struct flow *flow, const struct session *session, uint32_t to, struct wire_reply *reply);
/* RST to one end.  RST|ACK to the client where the handshake allows it. */
bool engine_reset(struct flow *flow, const struct session *session, uint32_t to, uint32_t seq, uint32_t ack,
                  bool with_ack);

/* Adds an event about a session; NULL if it is lost or of debug level and debug is off. */
struct flow_event *engine_event(struct flow *flow, const struct session *session, enum flow_event_kind kind);
/* Fills in what alerts tell: counts, rate, top destination, top source prefix. */
void engine_event_circumstances(struct flow *flow, struct flow_event *event);

/* Judges the thresholds and reports transitions.  Returns true if the mode changed. */
bool engine_judge(struct flow *flow);

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

enum flow_verdict intercept_packet(struct flow *flow, struct arrival *arrival);
enum flow_verdict inspect_packet(struct flow *flow, struct arrival *arrival);
/* After tunables changed or engine_judge() said that the mode did: deadlines of watched connections follow. */
void intercept_judged(struct flow *flow);

/* Timers: a session whose deadline has come; every call with a new time; a judged change of mode. */
void intercept_due(struct flow *flow, struct session *session);
void inspect_due(struct flow *flow, struct session *session);
void inspect_host_due(struct flow *flow, struct host *host);

#endif

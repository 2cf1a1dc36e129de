/*
 * A middlebox: the memory block of an engine, and sessions in and out of all its tables at once.  Calls go down:
 *
 *   flow_api.c      size, init, setters, walk, deadline, statistics
 *   flow_burst.c    packets in stages, timers, poll      flow_measure.c  samples      flow_replay.c  captures
 *   flow_state.c    splices over a restart               flow_handed.c   connections that the kernel carries
 *   intercept*.c    policy of Intercept                  watch.c         its connections that only pass
 *   inspect*.c      policy of Inspection
 *   proxy*.c        half-handshakes of ours              knit.c          the two spliced
 *   box.c           sessions, time, chance, judging      answer.c        generated packets
 *   inspect_rule.c  Inspection's rules, audit trail      report.c        events
 *   session.c order.c due.c host.c threshold.c journal.c sources.c rules.c profile.c header.c early.c ahead.c
 *   strays.c silent.c unanswered.c redeemed.c track.c view.c splice.c: leaves
 */
#ifndef SYNCACHE_FLOW_BOX_H
#define SYNCACHE_FLOW_BOX_H

#include "../core/secret.h"
#include "../core/wire.h"
#include "ahead.h"
#include "early.h"
#include "flow.h"
#include "handed.h"
#include "header.h"
#include "host.h"
#include "journal.h"
#include "age.h"
#include "profile.h"
#include "rules.h"
#include "session.h"
#include "silent.h"
#include "sources.h"
#include "strays.h"
#include "threshold.h"
#include "unanswered.h"
#include "view.h"

/* The tunables of either kind that half-handshakes and spliced connections follow. */
struct proxy_limits {
    uint32_t initial_ms;
    uint32_t rexmt_limit;
    uint32_t options;                 /* enum flow_options */
    uint32_t mss;
    uint32_t window;
    uint32_t giveup;                  /* enum flow_giveup_reset */
    uint32_t closing_ms;
    uint32_t idle_ms;                 /* of an established connection */
    uint32_t lifetime_ms;
    uint32_t skew_ms;
    uint32_t divisor;
    bool wait_for_data;
    bool bad_ack_rst;
    bool shared;                      /* cookies may be another machine's */
};

struct flow {
    struct flow_config config;
    struct flow_intercept_tunables intercept;
    struct flow_inspect_tunables inspect;
    struct threshold_limits limits;   /* from the tunables of the kind, as the next */
    struct proxy_limits proxy;
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
    struct strays strays;
    struct silent silent;
    struct unanswered unanswered;
    struct handing handing;
    struct flow_redeemed *redeemed;   /* of the group; NULL: there is none */
    uint64_t learn_ms;                /* when the access list was last replaced: learn_time counts from there */
    struct secret secret;
    uint64_t settled_ms;              /* until then no cookie key changes its part */
    struct syncache_ring *tx[2];      /* of the call that runs; NULL: nothing can be sent there */
    uint64_t now_ms;                  /* of the last call; never goes back */
    uint64_t started_ms;              /* of the first */
    uint64_t gate_ms;                 /* last time a cookie was sent or a half-open entry evicted */
    uint64_t random;                  /* counter of box_random() */
    bool started;
    bool gate_stamped;
    bool tap;                         /* of the call that runs: FLOW_TAP */
    bool debug;
    bool keyed;                       /* a cookie key was given */
    bool epoch_told;                  /* keys may be older than this engine, and so may cookies */
    uint32_t ts_base;                 /* of the clock of timestamps, in ms */
    uint32_t ts_base_before;
    uint64_t ts_changed_ms;           /* when ts_base took its place; 0: never */
    uint32_t judged_incomplete;       /* half-open sessions when the thresholds were judged */
    bool changed;                     /* tunables, since the thresholds were judged */
    bool announced;                   /* aggressive mode, when it began: so its end is told too, and no other */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
    uint8_t random_key[SYNCACHE_KEY_BYTES];
    uint8_t ts_key[SYNCACHE_KEY_BYTES];
    struct flow_stats stats;
    uint64_t handshake_ages[FLOW_AGES];
};

/* As box_begin(), for a caller that asks which key is due: no packet follows before it could give one. */
void box_tell_time(struct flow *flow, uint64_t now_ms);

/* Takes the time of a call; cookie keys retire. */
static inline void
box_begin(struct flow *flow, uint64_t now_ms)
{
    uint64_t later_ms = now_ms > flow->now_ms ? now_ms : flow->now_ms;

    if (flow->started && later_ms < flow->settled_ms)
        flow->now_ms = later_ms;
    else
        box_tell_time(flow, now_ms);
    secret_use(&flow->secret);
}

uint64_t box_random(struct flow *flow);

/* Room for the packets that one packet or one timer can make. */
bool box_room(const struct flow *flow);

/* Counts an attempt: the rate, and where it comes from. */
void box_request(struct flow *flow, const struct session_key *key);
uint32_t box_rate(struct flow *flow);

/*
 * Makes a session and counts it: created, and if it is half-open and `counted`, in the order and at its host.  The
 * caller has called box_request() and arms the deadline.
 *
 *   returns  NULL if there is no room; the caller may evict one and try again
 */
struct session *box_open(struct flow *flow, const struct session_key *key, uint8_t side, enum flow_state state,
                            bool counted);
/*
 * A session gives way to a new connection of the same two ends, whose SYN and SYN-ACK both passed: it counts as an
 * attempt, and is half-open until the client's ACK.  First the old session ends and the attempt is counted; then the
 * policy judges; then the new session is made.
 *
 *   in       view   the SYN-ACK, for which track_is_anew() holds
 *   returns  the new session, which is passive; the caller sets its mode and arms it
 */
struct box_renewal {
    struct session before;
    struct session_key key;
};

void box_renew_begin(struct flow *flow, struct session *session, struct box_renewal *renewal);
struct session *box_renew(struct flow *flow, const struct box_renewal *renewal, const struct view *view);
/* From one state to another, with all counts.  Half-open to established counts as completed. */
void box_state(struct flow *flow, struct session *session, enum flow_state state);
/* A half-open session no longer counts. */
void box_uncount(struct flow *flow, struct session *session);
/* Takes it out of everything; sends nothing. */
void box_end(struct flow *flow, struct session *session, enum flow_end end);
/* The same for one whose resets must wait for room: nobody finds it, it is due at once, box_forget() frees it. */
void box_owe(struct flow *flow, struct session *session, enum flow_end end);
void box_forget(struct flow *flow, struct session *session);
/* The client of an established session has spoken, perhaps: it is no longer one of the silent ones then. */
void box_heard(struct flow *flow, struct session *session);
/* Sets the deadline, SYNCACHE_NEVER: none.  A later one costs nothing, an earlier one moves in the wheel. */
void box_arm(struct flow *flow, struct session *session, uint64_t deadline_ms);

/* A segment of a session, in line: may it pass, or has its tuple had enough of its kind this second? */
bool box_admits(struct flow *flow, const struct session *session, const struct view *view, uint32_t from);

/* Fills in the fields that alerts report: counts, rate, top destination, top source prefix. */
void box_circumstances(struct flow *flow, struct flow_event *event);

/* Of sessions that will end one after the other: what ending the next needs goes on its way into the cache, and what
 * that needs of the one behind it.  SESSION_NONE: there is none. */
void box_prefetch(const struct flow *flow, uint32_t next, uint32_t behind);

/* Half-open sessions as the thresholds see them: cookies that nobody answers are half-open connections too. */
static inline uint32_t
box_incomplete(struct flow *flow)
{
    if (flow->config.kind != FLOW_INTERCEPT || flow->intercept.synack != FLOW_SYNACK_AUTO)
        return flow->stats.incomplete;
    return flow->stats.incomplete + unanswered_count(&flow->unanswered, flow->now_ms);
}

/* Judges the thresholds and reports a transition.  True: the mode has changed, and the policy acts on it. */
bool box_judge(struct flow *flow);

/*
 * A packet of a burst, parsed and hashed; the policies take it from there.
 *
 *   returns  its verdict: slot.verdict.  It was rewritten in place if FLOW_FORWARD_REWRITTEN
 */
struct arrival {
    struct view view;
    struct session_key key;           /* of the packet, or for VIEW_QUOTE of the packet that it quotes, as quoted */
    const uint8_t *link;              /* link_size bytes in front of the packet */
    uint16_t link_size;
    uint16_t gso_size;                /* of a super-segment, else 0 */
    uint32_t room;                    /* bytes of the slot behind the packet, without padding of the link */
    uint8_t side;                     /* enum flow_side */
    bool longer;                      /* the packet grew: its slot has the size of the view */
};

/* Did the packet come on the link that this end of the session is on?  On a tap nobody knows. */
bool box_comes_right(const struct session *session, uint32_t from, const struct arrival *arrival);

/* selfcheck.c: 0 if every invariant holds between calls, else the line there of one that does not.  For tests. */
uint32_t box_selfcheck(struct flow *flow);

#endif

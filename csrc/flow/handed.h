/*
 * Spliced connections that somebody else translates, a program of the kernel: which are ready for it, and its reports
 * of them.  The engine keeps each session, its time and its place all the while, and translates the packets that still
 * come to it, by the same splice.
 *
 *   HANDED_NOT       the engine's; after the client was heard it is offered: HANDED_WAITING
 *   HANDED_WAITING   flow_handed() (flow_handed.c) will give it away: HANDED_OVER
 *   HANDED_OVER      flow_handed_seen() brings numbers and times; an idle one ends only by a look that came later;
 *                    flow_handed_back() makes it the engine's again: HANDED_NOT
 *
 * Not here: who carries it and how (csrc/link/carried.h).
 */
#ifndef SYNCACHE_FLOW_HANDED_H
#define SYNCACHE_FLOW_HANDED_H

#include "session.h"

#define HANDED_WAITING_MAX 1024       /* more than one turn of a driver completes; the others come a packet later */
#define HANDED_LOOK_MS 250            /* when an idle one is asked for again */

enum handed { HANDED_NOT, HANDED_WAITING, HANDED_OVER };

/* Those that wait, by number. */
struct handing {
    bool on;
    uint32_t count;
    uint32_t waiting[HANDED_WAITING_MAX];
    uint64_t seen_ms;                 /* when the last look at all of them began */
};

/* A packet of a spliced session went through.  A silent one (host) stays while it has not even taken data of the
 * server's: its prefix may have too many of them. */
static inline void
handed_offer(struct handing *handing, const struct sessions *sessions, struct session *session)
{
    uint16_t unfit = SESSION_UNCHECKED | SESSION_UNCHECKED_S;

    if (session->state != FLOW_ESTAB || !(session->flags & SESSION_HEARD) || session->flags & unfit ||
        session->splice.flags & SPLICE_STAMP ||
        (session->host != SESSION_NONE && session->ack[0] == session->s + 1) || handing->count == HANDED_WAITING_MAX)
        return;
    session->splice.handed = HANDED_WAITING;
    handing->waiting[handing->count++] = session_number(sessions, session);
}

/* May a session that was silent until now_ms end?  Nobody else may know better. */
static inline bool
handed_may_end(const struct handing *handing, const struct session *session, uint64_t idle_ms)
{
    return session->splice.handed != HANDED_OVER || handing->seen_ms >= idle_ms;
}

#endif

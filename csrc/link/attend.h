/*
 * Waiting for events, and answering what a link has then before anything
 * else is done: a SYN that comes in a quiet moment is answered by code that
 * fits into a processor's caches, not behind an interpreter that has left them.
 *
 * Not here: what belongs to connections, which the ring then still holds.
 */
#ifndef SYNCACHE_LINK_ATTEND_H
#define SYNCACHE_LINK_ATTEND_H

#include "../flow/attempts.h"
#include "../syncache.h"
#include "link.h"

/* cffi: begin. */

/* An event, as epoll has it. */
struct link_event {
    int32_t fd;
    uint32_t events;
};

#define LINK_EVENTS_MAX 64

/* The monotonic clock, in seconds. */
double link_now(void);

/* Waits for events, until a time of link_now().  Returns how many there are, or -errno; *now is the time behind it. */
int32_t link_wait(int32_t epoll, double until, struct link_event event[LINK_EVENTS_MAX], double *now);

/* A host at rest: both rings are empty.  The pointers are the caller's. */
struct link_attend {
    struct link_packet *packet; /* one of the links; the others are NULL */
    struct link_xdp *xdp;
    struct link_tun *tun;
    struct attempts *attempts;  /* counts SYNs; NULL: nobody does */
    struct syncache_ring *rx;
    struct syncache_ring *tx;
    double quiet;               /* seconds without an event before one is answered at once */
    int32_t fd;                 /* of the link, as it is waited for */
    int32_t received;           /* packets that the engine has judged; or -errno, as the link's receive() */
    int32_t sent;               /* replies that left; or -errno, as the link's send() */
    uint32_t reserved;
};

/*
 * Receives from the link, lets the engine judge the packets, sends its replies.
 *
 *   out      attend   received and sent, added to what the caller has not taken
 *   returns  packets received now, which rx holds; or -errno
 *   limit    one ring
 */
int32_t link_attend(struct link_attend *attend, struct syncache *cache, uint64_t now_ms);

/* cffi: end. */

#endif

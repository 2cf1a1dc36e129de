/*
 * SYN-ACKs that come before the SYN they answer: a capture of two interfaces, or a tap, reorders by microseconds.  The
 * last few are kept for a moment, and given to the session as soon as its SYN is seen; without it the connection would
 * count as half-open until its time is over.
 *
 * Known here too are the SYNs that began a session: beside the traffic a client's second try looks like the first.
 *
 * Only for taps: in line nothing comes before its cause.
 */
#ifndef SYNCACHE_FLOW_AHEAD_H
#define SYNCACHE_FLOW_AHEAD_H

#include "view.h"

#define AHEAD_PLACES 64
#define AHEAD_PACKET_MAX 104          /* IPv6 40, TCP 20, options 40, rounded up; no payload */
#define AHEAD_MS 1000
#define AHEAD_BEGAN 2048              /* SYNs that began a session and are known again */

struct ahead_packet {
    uint64_t kept_ms;
    uint32_t hash;                    /* of the session */
    uint16_t size;                    /* 0: none */
    uint8_t checksum;                 /* enum syncache_checksum */
    uint8_t reserved;
    uint8_t bytes[AHEAD_PACKET_MAX];
};

struct ahead {
    struct ahead_packet packet[AHEAD_PLACES];
    uint32_t next;                    /* the oldest */
    uint64_t last_ms;                 /* when the youngest was kept */
    uint64_t began[AHEAD_BEGAN];      /* of ends and number; without a key: the same in each run */
};

/* Keeps a packet, in the place of the oldest, if it is a SYN-ACK without payload. */
void ahead_keep(struct ahead *ahead, uint64_t now_ms, uint32_t hash, const struct view *view);

/*
 * Takes the SYN-ACK of a session whose SYN has come.
 *
 *   in       tuple   the SYN's
 *   out      view    of the SYN-ACK; it points into `ahead`
 *   returns  false if there is none
 */
bool ahead_take(struct ahead *ahead, uint64_t now_ms, uint32_t hash, const struct syncache_tuple *tuple,
                struct view *view);

/*
 * Did this SYN begin a session before?  That one has ended: it was refused, or not answered for too long, and its
 * client tries again.
 */
bool ahead_began(struct ahead *ahead, const struct syncache_tuple *tuple, uint32_t seq);

#endif

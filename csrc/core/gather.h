/*
 * Several segments of one connection as one arrival, for a stack that takes them so: each that continues the one before
 * it costs the stack nothing of its own.
 *
 * Not here: which segments continue another in their numbers (guard.c), parsing.
 */
#ifndef SYNCACHE_CORE_GATHER_H
#define SYNCACHE_CORE_GATHER_H

#include "../syncache_host.h"

enum gather {
    GATHER_JOINED,
    GATHER_FULL,                      /* there is no room for more behind it */
    GATHER_APART,                     /* the two say something else */
    GATHER_OLD                        /* its timestamp may have it refused: none adds to it */
};

/*
 * Adds a segment to an arrival of the same connection in the same burst, behind which none of it came.
 *
 *   in       next   a segment that `guard` says continues what came in order; in the ring's memory as well
 *   out      last   says both: its payload is that of both, which is copied behind it within its slot and, if it is the
 *                   arrival before `next`, over the slots behind it; what both have is the first's.  The window is the
 *                   later one, the ACK the higher one, the timestamp that of the last that begins where the first with
 *                   data does; an ACK whose timestamp is older than the last (RFC 7323 5.3) leaves nothing
 *   returns  unless GATHER_JOINED nothing has changed
 */
enum gather gather_join(const struct syncache_ring *rx, struct syncache_arrival *last,
                        const struct syncache_arrival *next);

#endif

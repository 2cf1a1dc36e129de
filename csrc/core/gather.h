/*
 * Several segments of one connection as one arrival, for a stack that takes them so: each that continues the one before
 * it costs the stack nothing of its own.
 *
 * Not here: which segments continue another in their numbers (guard.c), parsing.
 */
#ifndef SYNCACHE_CORE_GATHER_H
#define SYNCACHE_CORE_GATHER_H

#include "../syncache_host.h"

/*
 * Adds a segment to an arrival of the same connection in the same burst, behind which none of it came.
 *
 *   in       next   a segment that `guard` says continues what came in order; in the ring's memory as well
 *   out      last   says both: its payload is that of both, which is copied behind it within its slot; the window is
 *                   the later one, the timestamp that of the first with data; an ACK whose timestamp is older than
 *                   the last (RFC 7323 5.3) leaves nothing
 *   returns  false, and nothing has changed, if the two do not say the same otherwise, or if there is no room
 */
bool gather_join(const struct syncache_ring *rx, struct syncache_arrival *last, const struct syncache_arrival *next);

#endif

/*
 * Timestamps in a server's place: for a client that was granted them by a server that refuses them after all, and that
 * may drop whatever comes without (RFC 7323 3.2).  Segments to the client get the option, 12 bytes with its padding;
 * the server is told an MSS, and a path MTU, that is smaller by as much.
 *
 * Not here: which connections need it, and what time it is (knit.c).
 *
 * See RFC 7323 3.2 and appendix A.
 */
#ifndef SYNCACHE_FLOW_STAMP_H
#define SYNCACHE_FLOW_STAMP_H

#include "view.h"

#define STAMP_BYTES 12

/*
 * Puts timestamps into a segment.  One whose SACK blocks leave no room loses the oldest of four; a RST needs none; one
 * that would become too long stays as it is.
 *
 *   in       view   its fields follow
 *   in       room   bytes that may be written behind the packet
 *   returns  whether a byte changed; view->size has the new size
 */
bool stamp_segment(struct view *view, size_t room, uint32_t tsval, uint32_t tsecr);

/* The TSval of a segment.  Returns false if it has none. */
bool stamp_read(const struct view *view, uint32_t *tsval);

/* Lowers the MTU of a message "packet too big" by what segments have grown.  Returns whether a byte changed. */
bool stamp_lower_mtu(struct view *view);

#endif

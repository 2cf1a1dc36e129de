/* Many messages to a socket with one system call.  See batch.c. */
#ifndef SYNCACHE_LINK_BATCH_H
#define SYNCACHE_LINK_BATCH_H

#include <errno.h>

#include "link.h"

#define BATCH_MAX 64

struct mmsghdr;

/* True if errno says that the descriptor leads to no device any more. */
static inline bool
batch_is_gone(int error)
{
    return error == ENODEV || error == ENXIO || error == EBADF;
}

/*
 * True if errno is about one packet: there is no way to its destination, say.  The link goes on sending, and says
 * nothing: whoever sends from addresses that nobody can reach would fill the log.
 */
static inline bool
batch_is_of_one(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EMSGSIZE;
}

/* Sends messages in order.  Returns how many went out, or -errno of the first; never blocks. */
int32_t batch_send(int fd, struct mmsghdr *message, uint32_t count);

/*
 * Sends slots without link header from tx->next on, at most BATCH_MAX packets, and advances tx->next.
 *
 *   out      sent, refused   counts of slots, added to
 *   returns  0, or the errno of the last refusal; the packet stays if the kernel takes no more now (EAGAIN), or the
 *            interface is gone
 */
int route_send(struct link_route *route, struct syncache_ring *tx, uint64_t *sent, uint64_t *refused);

#endif

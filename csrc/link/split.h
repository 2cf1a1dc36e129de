/* Super-segments longer than an IP length can say, as several that are not.  See split.c. */
#ifndef SYNCACHE_LINK_SPLIT_H
#define SYNCACHE_LINK_SPLIT_H

#include <linux/virtio_net.h>
#include <stdbool.h>

#include "link.h"

/* Where in `memory` the bytes lie that a slot had no room for; those in front of them are put before it. */
#define SPLIT_MARGIN 0x10400u

/*
 * Takes a frame of `size` bytes at split->memory + frame.
 *
 *   in       tag       bytes of a VLAN tag in it, which the offsets of the kernel's report do not count
 *   in       room      bytes that a piece may have
 *   returns  false if it is no super-segment of TCP, does not add up, or has segments that need more room
 */
bool split_begin(struct link_split *split, uint32_t frame, uint32_t size, uint32_t tag, uint32_t room,
                 const struct virtio_net_hdr *offloads);

/* Is there a piece left? */
static inline bool
split_has_more(const struct link_split *split)
{
    return split->headers > 0;
}

/*
 * Writes the next piece, a frame with a checksum of the pseudo header alone.
 *
 *   in       room      bytes at `to`: as many as were told, or more
 *   out      offloads  as the kernel would report it
 *   returns  its bytes
 */
uint32_t split_next(struct link_split *split, uint8_t *to, uint32_t room, struct virtio_net_hdr *offloads);

#endif

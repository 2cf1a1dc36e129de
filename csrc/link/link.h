/*
 * Links: fill a ring from a device with one call, empty a ring into it with one
 * call.  The only C of this library that makes system calls.
 *
 * A link knows no engine: it sets each slot's size, checksum state and gso_size
 * and looks no further into a packet than its offloads need.  Opening, naming
 * and configuring a device is Python's work (syncache/links).
 *
 * Results are counts; a negative one is -errno of a device that is gone.  A
 * single packet that does not fit or that the kernel refuses is counted and
 * passed over, because a network may lose packets and a server must go on.
 *
 * See Linux Documentation/networking/tuntap.rst; virtio 1.2 section 5.1.6.
 */
#ifndef SYNCACHE_LINK_LINK_H
#define SYNCACHE_LINK_LINK_H

#include "../syncache.h"

/* cffi: begin. */

/* An open TUN device (IFF_NO_PI).  The descriptor stays the caller's. */
struct link_tun {
    int32_t fd;         /* non-blocking */
    int32_t send_error; /* errno of the last packet refused; 0: it went out */
    uint32_t vnet_hdr;  /* 1: IFF_VNET_HDR, so super-segments may come and go */
    uint32_t reserved;
    uint64_t received;    /* packets put into a ring */
    uint64_t sent;        /* packets that the kernel took */
    uint64_t too_large;   /* packets dropped: longer than a slot */
    uint64_t send_failed; /* packets dropped: the kernel refused them */
};

/*
 * Appends packets to rx until the device has no more or rx is full.
 *
 *   out      rx       slots from rx->count on; checksum PARTIAL where the
 *                     kernel left the transport checksum to us, VALID where
 *                     it vouches for it; gso_size of a super-segment;
 *                     link_size is 0
 *   returns  packets appended (0: none now, also while the device is down),
 *            or -EBADFD when the device was removed, -errno of any other
 *            failure; a failure after some packets is reported by the next
 *            call
 *   limit    one read per packet; a packet longer than a slot is dropped
 */
int32_t link_tun_receive(struct link_tun *tun, struct syncache_ring *rx);

/*
 * Sends the packets tx->next .. tx->count in order and advances tx->next.
 *
 *   in       tx       a slot with checksum PARTIAL or with a gso_size needs
 *                     vnet_hdr and a TCP header; else it counts as refused
 *   returns  packets consumed, refused ones included; fewer than there are: the
 *            device takes no more now, wait until it is writable.  -EBADFD when
 *            the device was removed.  While it is down the kernel refuses every
 *            packet (EIO), which send_error tells
 *   limit    one write per packet
 */
int32_t link_tun_send(struct link_tun *tun, struct syncache_ring *tx);

/*
 * Copies the packets from->next .. from->count with their checksum states to
 * the end of `to`, and advances from->next.  Makes no system call.
 *
 *   out      dropped  packets that no slot of `to` can hold, passed over
 *   returns  packets consumed, dropped ones included; fewer than there are:
 * `to` is full
 */
uint32_t link_copy(struct syncache_ring *from, struct syncache_ring *to,
                   uint32_t *dropped);

/* cffi: end. */

#endif

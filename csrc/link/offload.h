/* Checksums and segmentation left to the link: between slots and virtio_net_hdr.  See offload.c. */
#ifndef SYNCACHE_LINK_OFFLOAD_H
#define SYNCACHE_LINK_OFFLOAD_H

#include <linux/virtio_net.h>

#include "../syncache.h"

/* The most that a packet's IP, extension and TCP headers measure where we cut or finish one. */
#define OFFLOAD_HEADERS_MAX 128

/* The kernel's report on a packet.  `in_front` is how much of the frame it counts before the IP header. */
void offload_read(const struct virtio_net_hdr *header, uint32_t in_front, struct syncache_slot *slot);

/*
 * Describes a packet to the kernel, likewise.
 *
 *   returns  false if it cannot be described: PARTIAL or a super-segment, but neither TCP nor UDP
 */
bool offload_write(const struct syncache_slot *slot, const uint8_t *packet, uint32_t in_front,
                   struct virtio_net_hdr *header);

/* A PARTIAL packet as ordinary ones with complete checksums. */
struct offload_cut {
    const uint8_t *packet;
    uint32_t headers;      /* bytes of IP and transport header */
    uint32_t transport;    /* offset of the transport header */
    uint32_t sum_offset;   /* of the checksum in it */
    uint32_t payload;      /* bytes */
    uint32_t segment;      /* bytes of payload in each but the last */
    uint32_t count;        /* segments, 1 at least */
};

/* Begins.  Returns false if the packet cannot be cut: neither TCP nor UDP, or a super-segment of UDP. */
bool offload_cut(const struct syncache_slot *slot, const uint8_t *packet, struct offload_cut *cut);

/* Writes the headers of segment `i`.  Returns the size of its payload, which begins at cut->headers + i * segment. */
uint32_t offload_segment(const struct offload_cut *cut, uint32_t i, uint8_t headers[OFFLOAD_HEADERS_MAX]);

#endif

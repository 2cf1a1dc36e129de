/*
 * Offloads: what a kernel leaves to a network card, it leaves to a link.
 *
 * A struct virtio_net_hdr in front of a packet says that its transport checksum
 * covers the pseudo header only, and that it is a TCP super-segment of up to
 * 64 KiB.  Links that can carry one (TUN, AF_PACKET) pass it on; where none can
 * go (raw sockets, AF_XDP) the packet is cut into ordinary ones here and their
 * checksums are finished.
 *
 * The packets are the kernel's or our own, yet frames that another machine made
 * take this path too, so nothing is read beyond a slot.
 *
 * See virtio 1.2 section 5.1.6; RFC 9293 3.1; RFC 8200 8.1.
 */
#include "offload.h"

#include "../core/wire_ip.h"
#include "../core/wire_tcp.h"

#include <assert.h>
#include <string.h>

enum {
    TCP_FIN_PSH = WIRE_FIN | WIRE_PSH,
    GSO_UDP = 5 /* VIRTIO_NET_HDR_GSO_UDP_L4, younger than some headers */
};

void
offload_read(const struct virtio_net_hdr *header, uint32_t in_front,
             struct syncache_slot *slot)
{
    slot->checksum = SYNCACHE_CHECKSUM_VERIFY;
    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
        if (header->csum_start > in_front) {
            slot->csum_start = (uint16_t)(header->csum_start - in_front);
            slot->csum_offset = header->csum_offset;
        }
    } else if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
        slot->checksum = SYNCACHE_CHECKSUM_VALID;
    }
    bool gso = header->gso_type != VIRTIO_NET_HDR_GSO_NONE;
    slot->gso_size = gso ? header->gso_size : 0;
}

/* Where a packet's transport header begins and its checksum lies in it. */
struct transport {
    uint32_t start;
    uint32_t sum_offset;
    uint32_t headers; /* bytes up to the payload */
};

/* Returns false if there is none, or not all of it. */
static bool
transport_find(const struct syncache_slot *slot, const uint8_t *packet,
               struct transport *found)
{
    uint32_t start = slot->csum_start;
    uint32_t sum_offset = slot->csum_offset;
    if (start == 0) {
        struct wire_upper upper;
        if (!wire_ip_plain(packet, slot->size, &upper) ||
            (upper.protocol != WIRE_PROTOCOL_TCP &&
             upper.protocol != WIRE_PROTOCOL_UDP))
            return false;
        start = (uint32_t)(upper.data - packet);
        sum_offset = upper.protocol == WIRE_PROTOCOL_TCP ? WIRE_TCP_CHECKSUM_AT
                                                         : WIRE_UDP_CHECKSUM_AT;
    }
    uint32_t header_min = sum_offset == WIRE_TCP_CHECKSUM_AT
                              ? WIRE_TCP_HEADER_BYTES
                              : sum_offset + 2;
    if (start + header_min > slot->size)
        return false;
    size_t header_size = WIRE_UDP_HEADER_BYTES;
    if (sum_offset == WIRE_TCP_CHECKSUM_AT)
        header_size = wire_tcp_offset(packet + start);
    *found =
        (struct transport){start, sum_offset, start + (uint32_t)header_size};
    return true;
}

bool
offload_write(const struct syncache_slot *slot, const uint8_t *packet,
              uint32_t in_front, struct virtio_net_hdr *header)
{
    *header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (slot->checksum != SYNCACHE_CHECKSUM_PARTIAL)
        return slot->gso_size == 0;
    struct transport at;
    if (!transport_find(slot, packet, &at))
        return false;
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->csum_start = (uint16_t)(in_front + at.start);
    header->csum_offset = (uint16_t)at.sum_offset;
    if (slot->gso_size == 0 || slot->size <= at.headers + slot->gso_size)
        return true;
    if (at.sum_offset == WIRE_UDP_CHECKSUM_AT) {
        header->gso_type = GSO_UDP;
    } else if (at.sum_offset != WIRE_TCP_CHECKSUM_AT) {
        return false;
    } else {
        header->gso_type = wire_ip_family(packet) == 4
                               ? VIRTIO_NET_HDR_GSO_TCPV4
                               : VIRTIO_NET_HDR_GSO_TCPV6;
        /* Only the first segment may say CWR (RFC 3168 6.1.2). */
        if (packet[at.start + WIRE_TCP_FLAGS_AT] & WIRE_CWR)
            header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    }
    header->gso_size = slot->gso_size;
    header->hdr_len = (uint16_t)(in_front + at.headers);
    return true;
}

/* The headers are made anew as IP's, whatever place was told: a guest's or a
 * tap's word may be anything. */
static bool
is_behind_ip(const struct syncache_slot *slot, const uint8_t *packet,
             uint32_t start)
{
    uint8_t version = wire_ip_version(packet, slot->size);
    size_t header_size = WIRE_IPV6_HEADER_BYTES;

    if (version == 4)
        header_size = wire_ipv4_header_size(packet);
    return version != 0 && header_size >= WIRE_IPV4_HEADER_BYTES &&
           start >= header_size;
}

bool
offload_cut(const struct syncache_slot *slot, const uint8_t *packet,
            struct offload_cut *cut)
{
    struct transport at;
    if (!transport_find(slot, packet, &at) || at.headers > slot->size ||
        at.headers > OFFLOAD_HEADERS_MAX ||
        !is_behind_ip(slot, packet, at.start))
        return false;
    if (at.sum_offset != WIRE_TCP_CHECKSUM_AT &&
        at.sum_offset != WIRE_UDP_CHECKSUM_AT)
        return false;
    uint32_t header_min = at.sum_offset == WIRE_TCP_CHECKSUM_AT
                              ? WIRE_TCP_HEADER_BYTES
                              : WIRE_UDP_HEADER_BYTES;
    if (at.headers < at.start + header_min)
        return false;
    uint32_t payload = slot->size - at.headers;
    bool whole = slot->gso_size == 0 || payload <= slot->gso_size;
    if (!whole && at.sum_offset != WIRE_TCP_CHECKSUM_AT)
        return false;
    uint32_t segment = whole ? payload : slot->gso_size;
    *cut = (struct offload_cut){
        .packet = packet,
        .headers = at.headers,
        .transport = at.start,
        .sum_offset = at.sum_offset,
        .payload = payload,
        .segment = segment,
        .count = whole ? 1 : (payload + segment - 1) / segment};
    return true;
}

/* Writes what of TCP differs between the segments of one packet. */
static void
cut_tcp(const struct offload_cut *cut, uint32_t i, uint8_t *tcp)
{
    store32_be(tcp + WIRE_TCP_SEQ_AT,
               load32_be(tcp + WIRE_TCP_SEQ_AT) + i * cut->segment);
    if (i + 1 < cut->count)
        tcp[WIRE_TCP_FLAGS_AT] &= (uint8_t)~TCP_FIN_PSH;
    if (i > 0)
        tcp[WIRE_TCP_FLAGS_AT] &= (uint8_t)~WIRE_CWR;
}

uint32_t
offload_segment(const struct offload_cut *cut, uint32_t i,
                uint8_t headers[OFFLOAD_HEADERS_MAX])
{
    assert(i < cut->count);
    uint32_t first = i * cut->segment;
    uint32_t rest = cut->payload - first;
    uint32_t payload = rest < cut->segment ? rest : cut->segment;
    uint32_t size = cut->headers + payload;
    uint32_t covered = size - cut->transport;
    bool tcp = cut->sum_offset == WIRE_TCP_CHECKSUM_AT;
    uint8_t family = wire_ip_family(cut->packet) == 4 ? 4 : 6;
    memcpy(headers, cut->packet, cut->headers);
    uint8_t *transport = headers + cut->transport;
    uint32_t sum;

    if (family == 4) {
        uint8_t *checksum = headers + WIRE_IPV4_CHECKSUM_AT;
        store16_be(headers + WIRE_IPV4_TOTAL_AT, (uint16_t)size);
        store16_be(headers + WIRE_IPV4_ID_AT,
                   (uint16_t)(wire_ipv4_id(headers) + i));
        store16_be(checksum, 0);
        sum = wire_sum(0, headers, wire_ipv4_header_size(headers));
        store16_be(checksum, (uint16_t)~sum);
    } else {
        store16_be(headers + WIRE_IPV6_PAYLOAD_AT,
                   (uint16_t)(size - WIRE_IPV6_HEADER_BYTES));
    }
    if (tcp)
        cut_tcp(cut, i, transport);
    store16_be(transport + cut->sum_offset, 0);
    sum = wire_sum_pseudo(family, wire_ip_source(headers),
                          wire_ip_destination(headers),
                          tcp ? WIRE_PROTOCOL_TCP : WIRE_PROTOCOL_UDP, covered);
    sum = wire_sum(sum, transport, cut->headers - cut->transport);
    /* The headers are a whole number of words, so the payload goes on evenly. */
    sum = ~wire_sum(sum, cut->packet + cut->headers + first, payload) & 0xffff;
    if (sum == 0 && !tcp)
        sum = 0xffff; /* RFC 768: zero would say that there is none */
    store16_be(transport + cut->sum_offset, (uint16_t)sum);
    return payload;
}

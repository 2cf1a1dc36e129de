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

#include <assert.h>
#include <string.h>

enum {
    IPV4_TOTAL_LENGTH = 2,
    IPV4_ID = 4,
    IPV4_PROTOCOL = 9,
    IPV4_CHECKSUM = 10,
    IPV4_ADDRESSES = 12,
    IPV4_HEADER_MIN = 20,
    IPV6_PAYLOAD_LENGTH = 4,
    IPV6_NEXT_HEADER = 6,
    IPV6_ADDRESSES = 8,
    IPV6_HEADER = 40,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TCP_HEADER_MIN = 20,
    TCP_SEQ = 4,
    TCP_DATA_OFFSET = 12, /* header length in words, high four bits */
    TCP_FLAGS = 13,
    TCP_CHECKSUM = 16,
    TCP_FIN_PSH = 0x09,
    TCP_CWR = 0x80,
    UDP_HEADER = 8,
    UDP_CHECKSUM = 6,
    GSO_UDP = 5 /* VIRTIO_NET_HDR_GSO_UDP_L4, younger than some headers */
};

static uint16_t
load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void
store16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

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
        uint8_t protocol;
        if (slot->size >= IPV4_HEADER_MIN && packet[0] >> 4 == 4) {
            start = (uint32_t)(packet[0] & 0x0f) * 4;
            protocol = packet[IPV4_PROTOCOL];
        } else if (slot->size >= IPV6_HEADER && packet[0] >> 4 == 6) {
            start = IPV6_HEADER;
            protocol = packet[IPV6_NEXT_HEADER];
        } else {
            return false;
        }
        if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
            return false;
        sum_offset = protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
    }
    uint32_t header_min =
        sum_offset == TCP_CHECKSUM ? TCP_HEADER_MIN : sum_offset + 2;
    if (start + header_min > slot->size)
        return false;
    uint32_t header_size = UDP_HEADER;
    if (sum_offset == TCP_CHECKSUM)
        header_size = (uint32_t)(packet[start + TCP_DATA_OFFSET] >> 4) * 4;
    *found = (struct transport){start, sum_offset, start + header_size};
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
    if (at.sum_offset == UDP_CHECKSUM) {
        header->gso_type = GSO_UDP;
    } else {
        header->gso_type = packet[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
                                               : VIRTIO_NET_HDR_GSO_TCPV6;
        /* Only the first segment may say CWR (RFC 3168 6.1.2). */
        if (packet[at.start + TCP_FLAGS] & TCP_CWR)
            header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    }
    header->gso_size = slot->gso_size;
    header->hdr_len = (uint16_t)(in_front + at.headers);
    return true;
}

/* Adds bytes, as 16-bit words in memory order, to a sum. */
static uint64_t
sum_add(uint64_t sum, const uint8_t *data, uint32_t size)
{
    uint32_t i = 0;
    for (; i + 4 <= size; i += 4) {
        uint32_t word;
        memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, data + i, size - i);
    return sum + rest;
}

/* Returns the checksum in memory order. */
static uint16_t
sum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

bool
offload_cut(const struct syncache_slot *slot, const uint8_t *packet,
            struct offload_cut *cut)
{
    struct transport at;
    if (!transport_find(slot, packet, &at) || at.headers > slot->size ||
        at.headers > OFFLOAD_HEADERS_MAX)
        return false;
    if (at.sum_offset != TCP_CHECKSUM && at.sum_offset != UDP_CHECKSUM)
        return false;
    uint32_t header_min =
        at.sum_offset == TCP_CHECKSUM ? TCP_HEADER_MIN : UDP_HEADER;
    if (at.headers < at.start + header_min)
        return false;
    uint32_t payload = slot->size - at.headers;
    bool whole = slot->gso_size == 0 || payload <= slot->gso_size;
    if (!whole && at.sum_offset != TCP_CHECKSUM)
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
segment_tcp(const struct offload_cut *cut, uint32_t i, uint8_t *tcp)
{
    uint32_t seq =
        (uint32_t)load16(tcp + TCP_SEQ) << 16 | load16(tcp + TCP_SEQ + 2);
    seq += i * cut->segment;
    store16(tcp + TCP_SEQ, seq >> 16);
    store16(tcp + TCP_SEQ + 2, seq);
    if (i + 1 < cut->count)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_FIN_PSH;
    if (i > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
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
    bool v4 = cut->packet[0] >> 4 == 4;
    memcpy(headers, cut->packet, cut->headers);
    uint8_t *transport = headers + cut->transport;
    uint16_t sum;

    if (v4) {
        store16(headers + IPV4_TOTAL_LENGTH, size);
        store16(headers + IPV4_ID, load16(headers + IPV4_ID) + i);
        memset(headers + IPV4_CHECKSUM, 0, 2);
        sum = sum_fold(sum_add(0, headers, (uint32_t)(headers[0] & 15) * 4));
        memcpy(headers + IPV4_CHECKSUM, &sum, sizeof sum);
    } else {
        store16(headers + IPV6_PAYLOAD_LENGTH, size - IPV6_HEADER);
    }
    bool tcp = cut->sum_offset == TCP_CHECKSUM;
    if (tcp)
        segment_tcp(cut, i, transport);
    uint8_t pseudo[4] = {0, tcp ? PROTOCOL_TCP : PROTOCOL_UDP};
    store16(pseudo + 2, covered);
    memset(transport + cut->sum_offset, 0, 2);
    uint64_t words = sum_add(0, pseudo, sizeof pseudo);
    words = v4 ? sum_add(words, headers + IPV4_ADDRESSES, 8)
               : sum_add(words, headers + IPV6_ADDRESSES, 32);
    words = sum_add(words, transport, cut->headers - cut->transport);
    /* The headers are a whole number of words, so the payload goes on evenly. */
    words = sum_add(words, cut->packet + cut->headers + first, payload);
    sum = sum_fold(words);
    if (sum == 0 && !tcp)
        sum = 0xffff; /* RFC 768: zero would say that there is none */
    memcpy(transport + cut->sum_offset, &sum, sizeof sum);
    return payload;
}

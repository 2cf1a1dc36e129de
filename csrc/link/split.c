/*
 * BIG TCP: where an interface's gso_max_size or gro_max_size is above 64 KiB,
 * the kernel hands over TCP super-segments of up to half a megabyte.
 *
 * No IP header can say such a length.  IPv4's total length is 0; IPv6's payload
 * length is 0, and in front of TCP there may be a jumbo payload option (RFC
 * 2675), which no ordinary packet has.  So the frame is cut into super-segments
 * of whole segments that an IP length does cover, without the option.
 *
 * The frame is the kernel's own, yet its bytes are a peer's: nothing is read
 * beyond it.
 */
#include "split.h"

#include <assert.h>
#include <string.h>

#include "encap.h"
#include "frame.h"

enum {
    IP_PACKET_MAX = 65535,
    IPV4_HEADER_MIN = 20,
    IPV6_HEADER = 40,
    JUMBO_HEADER = 8, /* hop-by-hop with the one option */
    JUMBO_OPTION = 0xc2,
    PROTOCOL_TCP = 6,
    TCP_HEADER_MIN = 20,
    TCP_CHECKSUM = 16,
    TCP_FLAGS = 13,
    TCP_FIN_PSH = 0x09,
    TCP_CWR = 0x80,
    HEADERS_MAX = 22 + 60 + 60
};

static uint32_t
split_load(const uint8_t *p, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static void
split_store(uint8_t *p, uint32_t bytes, uint32_t value)
{
    for (uint32_t i = bytes; i-- > 0; value >>= 8)
        p[i] = (uint8_t)value;
}

/* The sum of 16-bit words, folded. */
static uint32_t
sum(uint32_t begin, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i + 2 <= size; i += 2)
        begin += split_load(data + i, 2);
    while (begin >> 16)
        begin = (begin & 0xffff) + (begin >> 16);
    return begin;
}

/* The family, by the Ethernet header; frame_ip_offset() found one of two. */
static bool
is_ipv4(const uint8_t *frame, uint32_t link_size)
{
    return split_load(frame + link_size - 2, 2) == ENCAP_IPV4;
}

/* Takes the jumbo option out of a packet.  Returns how far its header moved. */
static uint32_t
without_jumbo(uint8_t *frame, uint32_t link_size, uint32_t size)
{
    uint8_t *ip = frame + link_size;
    const uint8_t *hop = ip + IPV6_HEADER;
    if (size < link_size + IPV6_HEADER + JUMBO_HEADER || ip[6] != 0 ||
        hop[1] != 0 || hop[2] != JUMBO_OPTION || hop[3] != 4)
        return 0;
    ip[6] = hop[0];
    memmove(frame + JUMBO_HEADER, frame, link_size + IPV6_HEADER);
    return JUMBO_HEADER;
}

/* Returns where the TCP header begins behind the Ethernet header, or 0. */
static uint32_t
tcp_offset(const uint8_t *ip, uint32_t size, bool v4)
{
    uint32_t header = IPV6_HEADER;
    if (size < (v4 ? IPV4_HEADER_MIN : IPV6_HEADER) ||
        ip[v4 ? 9 : 6] != PROTOCOL_TCP)
        return 0;
    if (v4)
        header = (uint32_t)(ip[0] & 15) * 4;
    if (v4 && header < IPV4_HEADER_MIN)
        return 0;
    return size < header + TCP_HEADER_MIN ? 0 : header;
}

bool
split_begin(struct link_split *split, uint32_t frame, uint32_t size,
            uint32_t tag, uint32_t room, const struct virtio_net_hdr *offloads)
{
    uint8_t *bytes = split->memory + frame;
    uint32_t link_size = frame_ip_offset(bytes, size);

    assert(frame + size <= split->memory_size && split->headers == 0);
    if (link_size == 0 || offloads->gso_size == 0 ||
        !(offloads->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return false;
    bool v4 = is_ipv4(bytes, link_size);
    uint32_t moved = v4 ? 0 : without_jumbo(bytes, link_size, size);
    bytes += moved;
    size -= moved;
    uint32_t header = tcp_offset(bytes + link_size, size - link_size, v4);
    if (header == 0)
        return false;
    uint32_t tcp = link_size + header;
    uint32_t words = bytes[tcp + 12] >> 4;
    uint32_t headers = tcp + words * 4;
    if (words < 5 || headers >= size)
        return false;
    if (headers + offloads->gso_size > room ||
        headers - link_size + offloads->gso_size > IP_PACKET_MAX)
        return false;
    split->link_size = link_size;
    split->tag = tag;
    split->tcp = tcp;
    split->frame = frame + moved;
    split->payload = size - headers;
    split->given = 0;
    split->gso_size = offloads->gso_size;
    split->gso_type = offloads->gso_type;
    split->headers = headers;
    return true;
}

/* Of whole segments as much as an IP length covers, or the rest. */
static uint32_t
piece_payload(const struct link_split *split, uint32_t room)
{
    uint32_t most = IP_PACKET_MAX + split->link_size;
    uint32_t left = split->payload - split->given;
    if (room < most)
        most = room;
    most = (most - split->headers) / split->gso_size * split->gso_size;
    assert(most > 0);
    return left < most ? left : most;
}

/* What differs from piece to piece: lengths, IPv4's number and checksum. */
static void
split_write_ip(const struct link_split *split, uint8_t *ip, uint32_t size,
               bool v4)
{
    if (!v4) {
        split_store(ip + 4, 2, size - IPV6_HEADER);
        return;
    }
    split_store(ip + 2, 2, size);
    split_store(ip + 4, 2,
                split_load(ip + 4, 2) + split->given / split->gso_size);
    split_store(ip + 10, 2, 0);
    uint32_t header = (uint32_t)(ip[0] & 15) * 4;
    split_store(ip + 10, 2, ~sum(0, ip, header) & 0xffff);
}

uint32_t
split_next(struct link_split *split, uint8_t *to, uint32_t room,
           struct virtio_net_hdr *offloads)
{
    const uint8_t *frame = split->memory + split->frame;
    uint32_t payload = piece_payload(split, room);
    uint32_t size = split->headers + payload;
    uint8_t *ip = to + split->link_size;
    uint8_t *tcp = to + split->tcp;
    bool v4;

    assert(split_has_more(split) && split->headers <= HEADERS_MAX);
    memcpy(to, frame, split->headers);
    memcpy(to + split->headers, frame + split->headers + split->given, payload);
    v4 = is_ipv4(frame, split->link_size);
    split_write_ip(split, ip, size - split->link_size, v4);
    split_store(tcp + 4, 4, split_load(tcp + 4, 4) + split->given);
    if (split->given > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    if (split->given + payload < split->payload)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_FIN_PSH;
    uint32_t pseudo = PROTOCOL_TCP + size - split->tcp;
    pseudo = v4 ? sum(pseudo, ip + 12, 8) : sum(pseudo, ip + 8, 32);
    split_store(tcp + TCP_CHECKSUM, 2, pseudo);
    *offloads = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = (uint8_t)split->gso_type,
        .gso_size = split->gso_size,
        .hdr_len = (uint16_t)(split->headers - split->tag),
        .csum_start = (uint16_t)(split->tcp - split->tag),
        .csum_offset = TCP_CHECKSUM};
    split->given += payload;
    if (split->given == split->payload)
        split->headers = 0;
    return size;
}

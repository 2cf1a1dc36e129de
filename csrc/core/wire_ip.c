/*
 * IP headers.  Every bound comes from the captured length; lengths in headers
 * may only make it smaller.
 *
 * Policy in this file: fragments of TCP and ICMP are dropped, atomic ones too
 * (RFC 8021: nobody needs them); so is what was source-routed.  What carries
 * neither TCP nor ICMP is none of our business, fragment or not.
 */
#include "wire_ip.h"

#include "bytes.h"

#include <string.h>

/* IPv6 extension headers that are read; others count as an upper layer. */
#define EXTENSION_HOP_BY_HOP 0
#define EXTENSION_ROUTING 43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_DESTINATION 60

static bool
wire_is_ours(uint8_t protocol)
{
    return protocol == WIRE_PROTOCOL_TCP || protocol == WIRE_PROTOCOL_ICMP ||
           protocol == WIRE_PROTOCOL_ICMPV6;
}

void
wire_set_addresses(struct syncache_tuple *tuple, uint8_t family,
                   const uint8_t *faddr, const uint8_t *laddr)
{
    memset(tuple, 0, sizeof *tuple);
    tuple->family = family;
    /* Sizes that the compiler knows make this a few moves. */
    if (family == 4) {
        memcpy(tuple->faddr, faddr, 4);
        memcpy(tuple->laddr, laddr, 4);
    } else {
        memcpy(tuple->faddr, faddr, 16);
        memcpy(tuple->laddr, laddr, 16);
    }
}

/*
 * Looks for source routes among IPv4 options (RFC 791 3.1).  Options that do
 * not add up are a bad header: they might hide one.
 */
static enum syncache_verdict
wire_ipv4_options(const uint8_t *options, size_t size)
{
    while (size > 0 && options[0] != 0) {
        size_t step = 1;
        if (options[0] != 1) {
            if (size < 2 || options[1] < 2 || options[1] > size)
                return SYNCACHE_DROP_IP_HEADER;
            if (options[0] == 131 || options[0] == 137)
                return SYNCACHE_DROP_SOURCE_ROUTE;
            step = options[1];
        }
        options += step;
        size -= step;
    }
    return SYNCACHE_PASS_KNOWN;
}

static enum syncache_verdict
wire_ipv4(const uint8_t *packet, size_t packet_size,
          struct syncache_tuple *tuple, struct wire_upper *upper)
{
    if (packet_size < WIRE_IPV4_HEADER_BYTES)
        return SYNCACHE_DROP_TRUNCATED;
    size_t header_size = (packet[0] & 15u) * 4u;
    size_t total_size = load16_be(packet + 2);
    if (header_size < WIRE_IPV4_HEADER_BYTES || total_size < header_size)
        return SYNCACHE_DROP_IP_HEADER;
    if (total_size > packet_size)
        return SYNCACHE_DROP_TRUNCATED;
    if (wire_sum(0, packet, header_size) != 0xffff)
        return SYNCACHE_DROP_IP_CHECKSUM;
    wire_set_addresses(tuple, 4, packet + 12, packet + 16);
    upper->data = packet + header_size;
    upper->size = total_size - header_size;
    upper->protocol = packet[9];
    if (!wire_is_ours(upper->protocol))
        return SYNCACHE_PASS_KNOWN;
    enum syncache_verdict fault = wire_ipv4_options(
        packet + WIRE_IPV4_HEADER_BYTES, header_size - WIRE_IPV4_HEADER_BYTES);
    if (fault != SYNCACHE_PASS_KNOWN)
        return fault;
    /* More fragments, or an offset. */
    if ((load16_be(packet + 6) & 0x3fff) != 0)
        return SYNCACHE_DROP_FRAGMENT;
    return SYNCACHE_PASS_KNOWN;
}

static bool
wire_is_extension(uint8_t protocol)
{
    return protocol == EXTENSION_HOP_BY_HOP || protocol == EXTENSION_ROUTING ||
           protocol == EXTENSION_FRAGMENT || protocol == EXTENSION_DESTINATION;
}

/*
 * Judges hop-by-hop or destination options.  RFC 8200 4.2: an option that we do
 * not know and whose type begins with other bits than 00 discards the packet;
 * we know none that does.
 */
static bool
wire_ipv6_options(const uint8_t *options, size_t size)
{
    while (size > 0) {
        size_t step = 1;
        if (options[0] != 0) {
            if (size < 2 || size < 2u + options[1] || options[0] >> 6 != 0)
                return false;
            step = 2u + options[1];
        }
        options += step;
        size -= step;
    }
    return true;
}

/* Judges one extension header; `first` if it follows the IPv6 header. */
static enum syncache_verdict
wire_ipv6_extension(uint8_t type, const uint8_t *header, size_t header_size,
                    bool first)
{
    switch (type) {
    case EXTENSION_HOP_BY_HOP:
        /* RFC 8200 4.1: nowhere but in front. */
        if (!first || !wire_ipv6_options(header + 2, header_size - 2))
            return SYNCACHE_DROP_IP_HEADER;
        return SYNCACHE_PASS_KNOWN;
    case EXTENSION_DESTINATION:
        if (!wire_ipv6_options(header + 2, header_size - 2))
            return SYNCACHE_DROP_IP_HEADER;
        return SYNCACHE_PASS_KNOWN;
    default:
        /* Routing: with segments left, it is not yet where it goes. */
        if (header[3] != 0)
            return SYNCACHE_DROP_SOURCE_ROUTE;
        return SYNCACHE_PASS_KNOWN;
    }
}

enum syncache_verdict
wire_ipv6_upper(const uint8_t *packet, size_t packet_size,
                struct wire_upper *upper)
{
    uint8_t type = packet[6];
    size_t at = WIRE_IPV6_HEADER_BYTES;
    for (int left = WIRE_EXTENSION_MAX; wire_is_extension(type); left--) {
        /* The smallest header has 8 bytes; all are multiples of 8. */
        if (left == 0 || packet_size - at < 8)
            return SYNCACHE_DROP_IP_HEADER;
        const uint8_t *header = packet + at;
        if (type == EXTENSION_FRAGMENT) {
            if (wire_is_ours(header[0]) || wire_is_extension(header[0]))
                return SYNCACHE_DROP_FRAGMENT;
            type = header[0];
            at += 8;
            break;
        }
        size_t header_size = 8 + 8 * (size_t)header[1];
        if (header_size > packet_size - at)
            return SYNCACHE_DROP_IP_HEADER;
        enum syncache_verdict fault = wire_ipv6_extension(
            type, header, header_size, at == WIRE_IPV6_HEADER_BYTES);
        if (fault != SYNCACHE_PASS_KNOWN)
            return fault;
        type = header[0];
        at += header_size;
    }
    upper->data = packet + at;
    upper->size = packet_size - at;
    upper->protocol = type;
    return SYNCACHE_PASS_KNOWN;
}

static enum syncache_verdict
wire_ipv6(const uint8_t *packet, size_t packet_size,
          struct syncache_tuple *tuple, struct wire_upper *upper)
{
    if (packet_size < WIRE_IPV6_HEADER_BYTES)
        return SYNCACHE_DROP_TRUNCATED;
    size_t total_size = WIRE_IPV6_HEADER_BYTES + (size_t)load16_be(packet + 4);
    if (total_size > packet_size)
        return SYNCACHE_DROP_TRUNCATED;
    wire_set_addresses(tuple, 6, packet + 8, packet + 24);
    return wire_ipv6_upper(packet, total_size, upper);
}

enum syncache_verdict
wire_ip(const uint8_t *packet, size_t packet_size, struct syncache_tuple *tuple,
        struct wire_upper *upper)
{
    tuple->family = 0;
    if (packet_size == 0)
        return SYNCACHE_DROP_TRUNCATED;
    switch (packet[0] >> 4) {
    case 4:
        return wire_ipv4(packet, packet_size, tuple, upper);
    case 6:
        return wire_ipv6(packet, packet_size, tuple, upper);
    default:
        return SYNCACHE_DROP_IP_HEADER;
    }
}

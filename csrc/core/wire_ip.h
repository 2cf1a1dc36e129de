/*
 * IP headers: fields, lengths, extension headers, fragments, and which checksums hold.
 *
 * There are three ways to the transport header, and each has its caller: wire_ip() judges a packet that is to us;
 * wire_ip_through() one that is merely forwarded or watched; wire_ip_cut() reads one that is not all there.
 *
 * See RFC 791, RFC 8200.
 */
#ifndef SYNCACHE_CORE_WIRE_IP_H
#define SYNCACHE_CORE_WIRE_IP_H

#include "bytes.h"
#include "wire.h"

#include <string.h>

/* The result of an IP header. */
struct wire_upper {
    const uint8_t *data;
    size_t size;                      /* to the end of the IP packet */
    uint8_t protocol;
};

/* Fills in a tuple but for the ports. */
static inline void
wire_set_addresses(struct syncache_tuple *tuple, uint8_t family, const uint8_t *faddr, const uint8_t *laddr)
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

/* Turns a tuple round. */
struct syncache_tuple wire_turned(const struct syncache_tuple *tuple);

/*
 * Reads an IP header with all that belongs to it.
 *
 *   in       packet[0 .. packet_size)  untrusted
 *   out      tuple    family and addresses; family is 0 if not reached
 *   out      upper    if the verdict is PASS_KNOWN
 *   returns  PASS_KNOWN, or the SYNCACHE_DROP_* that names the fault
 */
enum syncache_verdict wire_ip(const uint8_t *packet, size_t packet_size, struct syncache_tuple *tuple,
                              struct wire_upper *upper);

/*
 * Walks from an IPv6 header to the upper layer, in packets and in quotations.
 *
 *   in       packet[0 .. packet_size)  at least an IPv6 header
 *   limit    WIRE_EXTENSION_MAX extension headers
 */
enum syncache_verdict wire_ipv6_upper(const uint8_t *packet, size_t packet_size, struct wire_upper *upper);

/* A packet on its way through. */
struct wire_through {
    struct wire_upper upper;          /* data NULL: not reached */
    size_t size;                      /* of the IP packet, without padding of the link */
    bool fragment;                    /* one of several: its transport checksum cannot be known */
    bool sealed;                      /* by AH (RFC 4302): nobody may rewrite it */
};

/* How wire_ip_through() reads. */
#define WIRE_VOUCHED 1                /* a link vouches for it: a length of 0 is the frame's, of a super-segment */
#define WIRE_WATCHED 2                /* see there */

enum wire_way {
    WIRE_WAY_NONE,                    /* not IP; family is 0 */
    WIRE_WAY_UPPER,
    WIRE_WAY_PIECE,                   /* a fragment in which nothing is to be read: of TCP, or a later one */
    WIRE_WAY_BAD                      /* IP, but it does not add up */
};

/*
 * Reads the IP header of a packet that gets through even if it is not understood.  An IPv6 fragment header on a whole
 * packet is passed over (RFC 6946), and so is AH; of UDP and ICMP the first fragment has what sessions are known by.
 *
 * For who only watches, a packet on its way along a source route (RFC 8200 4.4, RFC 8754, RFC 6275 6.4) has the
 * destination that it will arrive at, and options that its destination may refuse are passed over.
 *
 *   in       packet[0 .. packet_size)  untrusted
 *   in       how      WIRE_VOUCHED, WIRE_WATCHED
 *   out      tuple    family and addresses
 *   out      through  size, unless WAY_BAD; upper.protocol, unless WAY_NONE
 *   limit    WIRE_EXTENSION_MAX extension headers
 */
enum wire_way wire_ip_through(const uint8_t *packet, size_t packet_size, uint32_t how, struct syncache_tuple *tuple,
                              struct wire_through *through);

/* 4 or 6 if the fixed header of that family is there, or 0. */
static inline uint8_t
wire_ip_version(const uint8_t *packet, size_t packet_size)
{
    if (packet_size >= WIRE_IPV4_HEADER_BYTES && packet[0] >> 4 == 4)
        return 4;
    return packet_size >= WIRE_IPV6_HEADER_BYTES && packet[0] >> 4 == 6 ? 6 : 0;
}

/* Fields, of a packet that has a version. */
static inline uint8_t
wire_ip_family(const uint8_t *packet)
{
    return packet[0] >> 4;
}

static inline const uint8_t *
wire_ip_source(const uint8_t *packet)
{
    return packet + (wire_ip_family(packet) == 4 ? 12 : 8);
}

static inline const uint8_t *
wire_ip_destination(const uint8_t *packet)
{
    return packet + (wire_ip_family(packet) == 4 ? 16 : 24);
}

static inline uint8_t
wire_ip_hop_limit(const uint8_t *packet, uint8_t family)
{
    return packet[family == 4 ? 8 : 7];
}

/* TOS or traffic class, ECN included. */
static inline uint8_t
wire_ip_tos(const uint8_t *packet, uint8_t family)
{
    return family == 4 ? packet[1] : (uint8_t)(load16_be(packet) >> 4);
}

static inline uint32_t
wire_ip_flow_label(const uint8_t *packet, uint8_t family)
{
    return family == 4 ? 0 : load32_be(packet) & 0xfffff;
}

/* Bytes of the whole packet, by its header. */
static inline size_t
wire_ip_total(const uint8_t *packet)
{
    return wire_ip_family(packet) == 4 ? load16_be(packet + WIRE_IPV4_TOTAL_AT)
                                       : WIRE_IPV6_HEADER_BYTES + (size_t)load16_be(packet + WIRE_IPV6_PAYLOAD_AT);
}

static inline uint16_t
wire_ipv4_id(const uint8_t *packet)
{
    return load16_be(packet + WIRE_IPV4_ID_AT);
}

/* As it says; below WIRE_IPV4_HEADER_BYTES it is none. */
static inline size_t
wire_ipv4_header_size(const uint8_t *packet)
{
    return (packet[0] & 15u) * 4u;
}

/* Is it one of several: more fragments, or an offset?  Is it not the first? */
static inline bool
wire_ipv4_is_fragment(const uint8_t *packet)
{
    return (load16_be(packet + 6) & 0x3fff) != 0;
}

static inline bool
wire_ipv4_is_later(const uint8_t *packet)
{
    return (load16_be(packet + 6) & 0x1fff) != 0;
}

/*
 * wire_ip_through() of what most packets are, in the fewest steps: whole, no fragment, the transport header right
 * behind the fixed one.
 *
 *   out      tuple, upper, size  as there, if it is one
 *   returns  false if it is not one, and nothing else is known of it
 */
static inline bool
wire_ip_usual(const uint8_t *packet, size_t packet_size, struct syncache_tuple *tuple, struct wire_upper *upper,
              size_t *size)
{
    bool v4 = packet_size >= WIRE_IPV4_HEADER_BYTES && packet[0] == 0x45;
    size_t fixed = v4 ? WIRE_IPV4_HEADER_BYTES : WIRE_IPV6_HEADER_BYTES;

    if (!v4 && wire_ip_version(packet, packet_size) != 6)
        return false;
    upper->protocol = packet[v4 ? 9 : 6];
    if (upper->protocol != WIRE_PROTOCOL_TCP && upper->protocol != WIRE_PROTOCOL_UDP)
        return false;
    *size = wire_ip_total(packet);
    if (*size <= fixed || *size > packet_size || (v4 && wire_ipv4_is_fragment(packet)))
        return false;
    upper->data = packet + fixed;
    upper->size = *size - fixed;
    wire_set_addresses(tuple, v4 ? 4 : 6, wire_ip_source(packet), wire_ip_destination(packet));
    return true;
}

/* Goes past a header without extension headers, of a packet of this machine's; its length is not looked at. */
static inline bool
wire_ip_plain(const uint8_t *packet, size_t packet_size, struct wire_upper *upper)
{
    uint8_t version = wire_ip_version(packet, packet_size);
    size_t header_size = version == 4 ? wire_ipv4_header_size(packet) : WIRE_IPV6_HEADER_BYTES;

    if (version == 0 || header_size < WIRE_IPV4_HEADER_BYTES || header_size > packet_size)
        return false;
    upper->data = packet + header_size;
    upper->size = packet_size - header_size;
    upper->protocol = packet[version == 4 ? 9 : 6];
    return true;
}

/* Goes past the headers of a packet that may be cut, so that neither length nor sum can be judged; not of a later
 * fragment. */
static inline bool
wire_ip_cut(const uint8_t *packet, size_t packet_size, struct wire_upper *upper)
{
    switch (wire_ip_version(packet, packet_size)) {
    case 4:
        return wire_ip_plain(packet, packet_size, upper) && !wire_ipv4_is_later(packet);
    case 6:
        return wire_ipv6_upper(packet, packet_size, upper) == SYNCACHE_PASS_KNOWN;
    default:
        return false;
    }
}

/* Do checksums hold: of an IPv4 header; of TCP, UDP, ICMP or ICMPv6 from its header to the end of the packet? */
static inline bool
wire_ipv4_sum_good(const uint8_t *packet)
{
    return wire_sum(0, packet, wire_ipv4_header_size(packet)) == 0xffff;
}

static inline bool
wire_sum_good(const struct syncache_tuple *tuple, uint8_t protocol, const uint8_t *upper, size_t size)
{
    uint32_t sum = 0;

    /* RFC 768: 0 says that there is none; RFC 8200 8.1: IPv6 has no such UDP. */
    if (protocol == WIRE_PROTOCOL_UDP && load16_be(upper + WIRE_UDP_CHECKSUM_AT) == 0)
        return tuple->family == 4;
    if (protocol != WIRE_PROTOCOL_ICMP)
        sum = wire_sum_pseudo(tuple->family, tuple->faddr, tuple->laddr, protocol, size);
    return wire_sum(sum, upper, size) == 0xffff;
}

#endif

/*
 * IP headers.  Every bound comes from the captured length; lengths in headers
 * may only make it smaller.
 *
 * Of packets to us, fragments of TCP and ICMP are dropped; so is what was
 * source-routed.  The fragment header of a whole packet is passed over (RFC 8200
 * 4.5, RFC 6946).  What carries neither TCP nor ICMP is none of our business,
 * fragment or not.  Of packets on their way through, all that can be read is
 * read.
 */
#include "wire_ip.h"

#include "wire_tcp.h"

#include <string.h>

/* IPv6 extension headers that are read; others count as an upper layer.  AH is
 * read only on the way through. */
#define EXTENSION_HOP_BY_HOP 0
#define EXTENSION_ROUTING 43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_AH 51
#define EXTENSION_DESTINATION 60
#define EXTENSION_BYTES_MIN 8
#define AH_BYTES_MIN 12

#define ROUTING_SOURCE 0
#define ROUTING_MOBILE 2
#define ROUTING_SEGMENTS 4

static bool
wire_is_ours(uint8_t protocol)
{
    return protocol == WIRE_PROTOCOL_TCP || protocol == WIRE_PROTOCOL_ICMP ||
           protocol == WIRE_PROTOCOL_ICMPV6;
}

struct syncache_tuple
wire_turned(const struct syncache_tuple *tuple)
{
    struct syncache_tuple turned = *tuple;

    memcpy(turned.faddr, tuple->laddr, sizeof turned.faddr);
    memcpy(turned.laddr, tuple->faddr, sizeof turned.laddr);
    turned.fport = tuple->lport;
    turned.lport = tuple->fport;
    return turned;
}

/*
 * Looks for source routes among IPv4 options (RFC 791 3.1).  Options that do
 * not add up are a bad header: they might hide one.
 */
static enum syncache_verdict
wire_ipv4_options(const uint8_t *options, size_t size)
{
    const uint8_t *end = options + size;
    const uint8_t *option;

    while ((option = wire_next_option(&options, end)) != NULL)
        if (option[0] == 131 || option[0] == 137)
            return SYNCACHE_DROP_SOURCE_ROUTE;
    return wire_options_broken(options, end) ? SYNCACHE_DROP_IP_HEADER
                                             : SYNCACHE_PASS_KNOWN;
}

static enum syncache_verdict
wire_ipv4(const uint8_t *packet, size_t packet_size,
          struct syncache_tuple *tuple, struct wire_upper *upper)
{
    if (packet_size < WIRE_IPV4_HEADER_BYTES)
        return SYNCACHE_DROP_TRUNCATED;
    size_t header_size = wire_ipv4_header_size(packet);
    size_t total_size = load16_be(packet + WIRE_IPV4_TOTAL_AT);
    if (header_size < WIRE_IPV4_HEADER_BYTES || total_size < header_size)
        return SYNCACHE_DROP_IP_HEADER;
    if (total_size > packet_size)
        return SYNCACHE_DROP_TRUNCATED;
    if (!wire_ipv4_sum_good(packet))
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
    return wire_ipv4_is_fragment(packet) ? SYNCACHE_DROP_FRAGMENT
                                         : SYNCACHE_PASS_KNOWN;
}

static bool
wire_is_extension(uint8_t protocol)
{
    return protocol == EXTENSION_HOP_BY_HOP || protocol == EXTENSION_ROUTING ||
           protocol == EXTENSION_FRAGMENT || protocol == EXTENSION_DESTINATION;
}

/* Size of the extension header of a type, of which the first 8 bytes are there.
 */
static size_t
wire_extension_size(const uint8_t *header, uint8_t type)
{
    if (type == EXTENSION_FRAGMENT)
        return EXTENSION_BYTES_MIN;
    if (type == EXTENSION_AH)
        return (header[1] + (size_t)2) * 4;
    return EXTENSION_BYTES_MIN + 8 * (size_t)header[1];
}

/* Is this the fragment header of one of several: an offset, or more fragments?
 */
static bool
wire_ipv6_is_piece(const uint8_t *header)
{
    return (load16_be(header + 2) & 0xfff9) != 0;
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
    case EXTENSION_FRAGMENT:
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
        if (left == 0 || packet_size - at < EXTENSION_BYTES_MIN)
            return SYNCACHE_DROP_IP_HEADER;
        const uint8_t *header = packet + at;
        size_t header_size = wire_extension_size(header, type);
        if (header_size > packet_size - at)
            return SYNCACHE_DROP_IP_HEADER;
        bool piece = type == EXTENSION_FRAGMENT && wire_ipv6_is_piece(header);
        if (piece && (wire_is_ours(header[0]) || wire_is_extension(header[0])))
            return SYNCACHE_DROP_FRAGMENT;
        enum syncache_verdict fault = wire_ipv6_extension(
            type, header, header_size, at == WIRE_IPV6_HEADER_BYTES);
        if (fault != SYNCACHE_PASS_KNOWN)
            return fault;
        type = header[0];
        at += header_size;
        if (piece)
            break;
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
    size_t total_size = WIRE_IPV6_HEADER_BYTES +
                        (size_t)load16_be(packet + WIRE_IPV6_PAYLOAD_AT);
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

/* Is there nothing to read in this fragment? */
static bool
wire_is_piece(const struct wire_through *through, bool later)
{
    uint8_t protocol = through->upper.protocol;

    return through->fragment &&
           (later || protocol == WIRE_PROTOCOL_TCP || protocol == EXTENSION_AH);
}

/* Goes past the AH that is the upper layer of IPv4, if it adds up. */
static void
wire_ipv4_ah(struct wire_through *through)
{
    struct wire_upper *upper = &through->upper;
    size_t size = 0;

    if (upper->size >= AH_BYTES_MIN)
        size = wire_extension_size(upper->data, EXTENSION_AH);
    if (size < AH_BYTES_MIN || size > upper->size)
        return;
    upper->protocol = upper->data[0];
    upper->data += size;
    upper->size -= size;
    through->sealed = true;
}

static enum wire_way
wire_ipv4_through(const uint8_t *packet, struct wire_through *through)
{
    size_t header_size = wire_ipv4_header_size(packet);

    through->upper.protocol = packet[9];
    if (header_size < WIRE_IPV4_HEADER_BYTES || through->size < header_size)
        return WIRE_WAY_BAD;
    through->fragment = wire_ipv4_is_fragment(packet);
    if (wire_is_piece(through, wire_ipv4_is_later(packet)))
        return WIRE_WAY_PIECE;
    through->upper.data = packet + header_size;
    through->upper.size = through->size - header_size;
    if (through->upper.protocol == EXTENSION_AH)
        wire_ipv4_ah(through);
    return WIRE_WAY_UPPER;
}

/* Where the last stop of a routing header lies in it; 0: not known. */
static size_t
wire_last_stop(const uint8_t *header, size_t size)
{
    size_t at = 0;

    if (header[2] == ROUTING_SOURCE)
        at = 8 + ((size - 8) / 16 - 1) * 16;
    else if (header[2] == ROUTING_MOBILE || header[2] == ROUTING_SEGMENTS)
        at = 8; /* the list of RFC 8754 is in reverse */
    return size < 24 ? 0 : at;
}

/* A routing header.  False: nobody knows where the packet arrives. */
static bool
wire_ipv6_route(const uint8_t *header, size_t size, bool watched,
                struct syncache_tuple *tuple)
{
    size_t stop = wire_last_stop(header, size);

    if (header[3] == 0)
        return true;
    if (!watched || stop == 0)
        return false;
    memcpy(tuple->laddr, header + stop, sizeof tuple->laddr);
    return true;
}

static enum wire_way
wire_ipv6_at(const uint8_t *packet, size_t at, uint8_t type, bool later,
             struct wire_through *through)
{
    through->upper.protocol = type;
    if (wire_is_piece(through, later))
        return WIRE_WAY_PIECE;
    through->upper.data = packet + at;
    through->upper.size = through->size - at;
    return WIRE_WAY_UPPER;
}

/*
 * Goes over the extension headers as they come.  WAY_BAD: they do not add up,
 * or nothing but a destination's own is there, which wire_ipv6_upper() judges.
 *
 *   in       lenient  over those too
 */
static enum wire_way
wire_ipv6_chain(const uint8_t *packet, bool lenient, bool watched,
                struct syncache_tuple *tuple, struct wire_through *through)
{
    size_t at = WIRE_IPV6_HEADER_BYTES;
    uint8_t type = packet[6];

    for (int left = WIRE_EXTENSION_MAX + 1; left > 0; left--) {
        const uint8_t *header = packet + at;
        size_t room = through->size - at;
        bool later = false;

        if (room < EXTENSION_BYTES_MIN ||
            (!wire_is_extension(type) && type != EXTENSION_AH))
            return lenient ? wire_ipv6_at(packet, at, type, false, through)
                           : WIRE_WAY_BAD;
        size_t size = wire_extension_size(header, type);
        if (size > room || (type == EXTENSION_ROUTING &&
                            !wire_ipv6_route(header, size, watched, tuple)))
            return WIRE_WAY_BAD;
        if (type == EXTENSION_FRAGMENT) {
            later = (load16_be(header + 2) & 0xfff8) != 0;
            through->fragment = wire_ipv6_is_piece(header);
        }
        if (type == EXTENSION_AH)
            through->sealed = true;
        lenient |= type == EXTENSION_FRAGMENT || type == EXTENSION_AH;
        type = header[0];
        at += size;
        if (later)
            return wire_ipv6_at(packet, at, type, true, through);
    }
    return WIRE_WAY_BAD;
}

static enum wire_way
wire_ipv6_through(const uint8_t *packet, bool lenient, bool watched,
                  struct syncache_tuple *tuple, struct wire_through *through)
{
    enum wire_way way;

    if (!wire_is_extension(packet[6]) && packet[6] != EXTENSION_AH)
        return wire_ipv6_at(packet, WIRE_IPV6_HEADER_BYTES, packet[6], false,
                            through);
    way = wire_ipv6_chain(packet, lenient, watched, tuple, through);
    if (way != WIRE_WAY_BAD)
        return way;
    through->upper.protocol = packet[6];
    return wire_ipv6_upper(packet, through->size, &through->upper) ==
                   SYNCACHE_PASS_KNOWN
               ? WIRE_WAY_UPPER
               : WIRE_WAY_BAD;
}

enum wire_way
wire_ip_through(const uint8_t *packet, size_t packet_size, uint32_t how,
                struct syncache_tuple *tuple, struct wire_through *through)
{
    uint8_t version = wire_ip_version(packet, packet_size);
    enum wire_way way;

    through->upper.data = NULL;
    through->size = packet_size;
    through->fragment = through->sealed = false;
    tuple->family = 0;
    if (version == 0)
        return WIRE_WAY_NONE;
    wire_set_addresses(tuple, version, wire_ip_source(packet),
                       wire_ip_destination(packet));
    size_t fixed = version == 4 ? 0 : WIRE_IPV6_HEADER_BYTES;
    size_t total_size = wire_ip_total(packet);
    /* RFC 2675: a jumbo's length is in an option, and the frame's all the same.
     */
    bool lengthless = total_size == fixed && (how & WIRE_VOUCHED) != 0;
    if (lengthless)
        total_size = packet_size;
    if (total_size > packet_size) {
        through->upper.protocol = packet[version == 4 ? 9 : 6];
        return WIRE_WAY_BAD;
    }
    through->size = total_size;
    if (version == 4)
        return wire_ipv4_through(packet, through);
    way = wire_ipv6_through(packet, lengthless, false, tuple, through);
    if (way != WIRE_WAY_BAD || !(how & WIRE_WATCHED))
        return way;
    through->fragment = through->sealed = false;
    return wire_ipv6_through(packet, true, true, tuple, through);
}

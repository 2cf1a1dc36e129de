/*
 * Packets to views.  Every bound comes from the captured length; lengths in
 * headers may only make it smaller; nothing asserts on a packet's bytes.
 *
 * Fragments of TCP are a kind of their own: what splices a connection cannot
 * let them past, and what only watches must.  Of UDP and ICMP the first one has
 * what sessions are known by.  An IPv6 fragment header on a whole packet is
 * passed over (RFC 6946), and so is AH.
 */
#include "view.h"

#include "../core/bytes.h"
#include "../core/wire_ip.h"

#include <assert.h>
#include <string.h>

#define ICMP_HEADER_BYTES 8
#define UDP_HEADER_BYTES 8
#define UDP_CHECKSUM_OFFSET 6
#define AH_BYTES_MIN 12
#define EXTENSION_ROUTING 43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_AH 51
#define ROUTING_SOURCE 0
#define ROUTING_MOBILE 2
#define ROUTING_SEGMENTS 4

static void view_ipv4(struct view *view, size_t packet_size);
static void view_ipv6(struct view *view, size_t packet_size, bool passing);
static void view_upper(struct view *view);

static void
view_begin(struct view *view, uint8_t *packet, size_t packet_size,
           uint32_t checksum)
{
    view->kind = VIEW_OTHER;
    view->ip = packet;
    view->upper = NULL;
    view->size = (uint32_t)packet_size;
    view->checksum = (uint8_t)checksum;
    view->tuple.family = 0;
    view->fragment = view->sealed = 0;
}

void
view_parse(uint8_t *packet, size_t packet_size, uint32_t checksum,
           struct view *view)
{
    assert(packet != NULL || packet_size == 0);
    view_begin(view, packet, packet_size, checksum);
    if (packet_size >= WIRE_IPV4_HEADER_BYTES && packet[0] >> 4 == 4)
        view_ipv4(view, packet_size);
    else if (packet_size >= WIRE_IPV6_HEADER_BYTES && packet[0] >> 4 == 6)
        view_ipv6(view, packet_size, false);
}

void
view_parse_passing(uint8_t *packet, size_t packet_size, uint32_t checksum,
                   struct view *view)
{
    view_parse(packet, packet_size, checksum, view);
    if (view->kind != VIEW_BAD || view->tuple.family != 6)
        return;
    view_begin(view, packet, packet_size, checksum);
    view_ipv6(view, packet_size, true);
}

/* A fragment in which nothing is to be read: of TCP, or a later one. */
static bool
view_is_piece(struct view *view, bool later)
{
    if (!view->fragment)
        return false;
    if (view->protocol == WIRE_PROTOCOL_TCP)
        view->kind = VIEW_FRAGMENT;
    return later || view->protocol == WIRE_PROTOCOL_TCP ||
           view->protocol == EXTENSION_AH;
}

/* Goes past the AH at upper, if it adds up. */
static void
view_ipv4_ah(struct view *view)
{
    size_t size = 0;

    if (view->upper_size >= AH_BYTES_MIN)
        size = (view->upper[1] + (size_t)2) * 4;
    if (size < AH_BYTES_MIN || size > view->upper_size)
        return;
    view->protocol = view->upper[0];
    view->upper += size;
    view->upper_size -= (uint32_t)size;
    view->sealed = 1;
}

/*
 * A length of 0 is that of a super-segment which a host left to its card, and
 * which a link that vouches for checksums saw before it was cut.
 */
static bool
view_has_no_length(const struct view *view, size_t length)
{
    return length == 0 && view->checksum != SYNCACHE_CHECKSUM_VERIFY;
}

static void
view_ipv4(struct view *view, size_t packet_size)
{
    uint8_t *ip = view->ip;
    size_t header_size = (ip[0] & 15u) * 4u;
    size_t total_size = load16_be(ip + 2);

    wire_set_addresses(&view->tuple, 4, ip + 12, ip + 16);
    view->protocol = ip[9];
    if (view_has_no_length(view, total_size))
        total_size = packet_size;
    if (header_size < WIRE_IPV4_HEADER_BYTES || total_size < header_size ||
        total_size > packet_size) {
        view->kind = VIEW_BAD;
        return;
    }
    view->size = (uint32_t)total_size;
    /* More fragments, or an offset. */
    view->fragment = (load16_be(ip + 6) & 0x3fff) != 0;
    if (view_is_piece(view, (load16_be(ip + 6) & 0x1fff) != 0))
        return;
    view->upper = ip + header_size;
    view->upper_size = (uint32_t)(total_size - header_size);
    if (view->protocol == EXTENSION_AH)
        view_ipv4_ah(view);
    view_upper(view);
}

/* Where a chain of IPv6 extension headers leads. */
struct view_chain {
    size_t at;
    uint8_t type; /* of what is there */
    bool passed;  /* over a fragment header, AH or a jumbo's options */
    bool passing; /* whoever asks only watches */
    bool later;   /* it is not the first fragment, so `at` says nothing */
};

/* Size of the extension header at an offset; 0: it is none. */
static size_t
view_extension_size(const uint8_t *header, uint8_t type)
{
    switch (type) {
    case 0:
    case EXTENSION_ROUTING:
    case 60:
        return 8 + 8 * (size_t)header[1];
    case EXTENSION_FRAGMENT:
        return 8;
    case EXTENSION_AH:
        return (header[1] + (size_t)2) * 4;
    default:
        return 0;
    }
}

/* Where the last stop of a routing header lies in it; 0: not known. */
static size_t
view_last_stop(const uint8_t *header, size_t size)
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
view_ipv6_route(struct view *view, const struct view_chain *chain,
                const uint8_t *header, size_t size)
{
    size_t stop = view_last_stop(header, size);

    if (header[3] == 0)
        return true;
    if (!chain->passing || stop == 0)
        return false;
    memcpy(view->tuple.laddr, header + stop, sizeof view->tuple.laddr);
    return true;
}

/* False: it has neither a fragment header nor AH, or does not add up. */
static bool
view_ipv6_chain(struct view *view, struct view_chain *chain)
{
    const uint8_t *ip = view->ip;

    chain->at = WIRE_IPV6_HEADER_BYTES;
    chain->type = ip[6];
    chain->later = false;
    /* RFC 2675: the length is in an option, and the frame's all the same. */
    chain->passed =
        chain->passing || view_has_no_length(view, load16_be(ip + 4));
    for (int left = WIRE_EXTENSION_MAX + 1; left > 0; left--) {
        const uint8_t *header = ip + chain->at;
        size_t room = view->size - chain->at;
        size_t size = room < 8 ? 0 : view_extension_size(header, chain->type);

        if (size == 0)
            return chain->passed;
        if (size > room || (chain->type == EXTENSION_ROUTING &&
                            !view_ipv6_route(view, chain, header, size)))
            return false;
        if (chain->type == EXTENSION_FRAGMENT) {
            chain->later = (load16_be(header + 2) & 0xfff8) != 0;
            view->fragment = (load16_be(header + 2) & 0xfff9) != 0;
        }
        if (chain->type == EXTENSION_AH)
            view->sealed = 1;
        chain->passed |=
            chain->type == EXTENSION_FRAGMENT || chain->type == EXTENSION_AH;
        chain->type = header[0];
        chain->at += size;
        if (chain->later)
            return true;
    }
    return false;
}

static void
view_ipv6(struct view *view, size_t packet_size, bool passing)
{
    uint8_t *ip = view->ip;
    size_t total_size = WIRE_IPV6_HEADER_BYTES + (size_t)load16_be(ip + 4);
    struct wire_upper upper;
    struct view_chain chain = {.passing = passing};

    wire_set_addresses(&view->tuple, 6, ip + 8, ip + 24);
    view->protocol = ip[6];
    if (view_has_no_length(view, load16_be(ip + 4)))
        total_size = packet_size;
    if (total_size > packet_size) {
        view->kind = VIEW_BAD;
        return;
    }
    view->size = (uint32_t)total_size;
    if (view_ipv6_chain(view, &chain)) {
        view->protocol = chain.type;
        if (view_is_piece(view, chain.later))
            return;
        view->upper = ip + chain.at;
        view->upper_size = (uint32_t)(total_size - chain.at);
        view_upper(view);
        return;
    }
    if (wire_ipv6_upper(ip, total_size, &upper) != SYNCACHE_PASS_KNOWN) {
        view->kind = VIEW_BAD;
        return;
    }
    view->protocol = upper.protocol;
    view->upper = ip + (upper.data - ip);
    view->upper_size = (uint32_t)upper.size;
    view_upper(view);
}

static void
view_tcp(struct view *view)
{
    const uint8_t *tcp = view->upper;
    size_t header_size;

    view->kind = VIEW_BAD;
    if (view->upper_size < WIRE_TCP_HEADER_BYTES)
        return;
    header_size = (tcp[12] >> 4) * 4u;
    if (header_size < WIRE_TCP_HEADER_BYTES || header_size > view->upper_size)
        return;
    view->kind = VIEW_TCP;
    view->tuple.fport = load16_be(tcp);
    view->tuple.lport = load16_be(tcp + 2);
    view->seq = load32_be(tcp + 4);
    view->ack = load32_be(tcp + 8);
    view->flags = load16_be(tcp + 12) & (WIRE_AE | 0xff);
    view->window = load16_be(tcp + 14);
    view->header_size = (uint8_t)header_size;
    view->payload_size = view->upper_size - (uint32_t)header_size;
}

static bool
view_icmp_is_error(const struct view *view)
{
    if (view->protocol == WIRE_PROTOCOL_ICMP) /* RFC 792; RFC 6633: not 4 */
        return view->icmp_type == 3 || view->icmp_type == 11 ||
               view->icmp_type == 12;
    return view->icmp_type >= 1 && view->icmp_type <= 4; /* RFC 4443 2.1 */
}

/* Finds the quoted transport header; needs its ports and sequence number. */
static void
view_quote(struct view *view)
{
    uint8_t *inner = view->upper + ICMP_HEADER_BYTES;
    size_t size = view->upper_size - ICMP_HEADER_BYTES;
    struct wire_upper upper;

    if (size >= WIRE_IPV4_HEADER_BYTES && inner[0] >> 4 == 4) {
        size_t header_size = (inner[0] & 15u) * 4u;
        /* Only the first fragment has the ports. */
        if (header_size < WIRE_IPV4_HEADER_BYTES || header_size > size ||
            (load16_be(inner + 6) & 0x1fff) != 0)
            return;
        upper.data = inner + header_size;
        upper.size = size - header_size;
        upper.protocol = inner[9];
        wire_set_addresses(&view->quoted, 4, inner + 12, inner + 16);
    } else if (size >= WIRE_IPV6_HEADER_BYTES && inner[0] >> 4 == 6) {
        if (wire_ipv6_upper(inner, size, &upper) != SYNCACHE_PASS_KNOWN)
            return;
        wire_set_addresses(&view->quoted, 6, inner + 8, inner + 24);
    } else {
        return;
    }
    if (upper.size < 8 || view->quoted.family != view->tuple.family ||
        (upper.protocol != WIRE_PROTOCOL_TCP &&
         upper.protocol != VIEW_PROTOCOL_UDP))
        return;
    view->kind = VIEW_QUOTE;
    view->quote = inner + (upper.data - inner);
    view->quote_size = (uint32_t)upper.size;
    view->quote_protocol = upper.protocol;
    view->quoted.fport = load16_be(view->quote);
    view->quoted.lport = load16_be(view->quote + 2);
}

static void
view_icmp(struct view *view)
{
    view->kind = VIEW_BAD;
    if (view->upper_size < ICMP_HEADER_BYTES)
        return;
    view->kind = VIEW_ICMP;
    view->icmp_type = view->upper[0];
    view->icmp_code = view->upper[1];
    view->icmp_id = load16_be(view->upper + 4);
    if (view_icmp_is_error(view) && !view->fragment)
        view_quote(view);
}

static void
view_upper(struct view *view)
{
    if (view->protocol == WIRE_PROTOCOL_TCP) {
        view_tcp(view);
    } else if (view->protocol == VIEW_PROTOCOL_UDP) {
        view->kind = VIEW_BAD;
        if (view->upper_size < UDP_HEADER_BYTES)
            return;
        view->kind = VIEW_UDP;
        view->tuple.fport = load16_be(view->upper);
        view->tuple.lport = load16_be(view->upper + 2);
        view->payload_size = view->upper_size - UDP_HEADER_BYTES;
    } else if (view->protocol == (view->tuple.family == 4
                                      ? WIRE_PROTOCOL_ICMP
                                      : WIRE_PROTOCOL_ICMPV6)) {
        view_icmp(view);
    }
}

bool
view_verify(const struct view *view)
{
    const struct syncache_tuple *tuple = &view->tuple;
    uint32_t sum = 0;

    if (view->upper == NULL)
        return true;
    if (tuple->family == 4 && view->checksum != SYNCACHE_CHECKSUM_VALID &&
        wire_sum(0, view->ip, (view->ip[0] & 15u) * 4u) != 0xffff)
        return false;
    if (view->checksum != SYNCACHE_CHECKSUM_VERIFY || view->fragment)
        return true;
    switch (view->kind) {
    case VIEW_UDP: /* RFC 768: 0 says that there is none */
        if (load16_be(view->upper + UDP_CHECKSUM_OFFSET) == 0)
            return tuple->family == 4;
        break;
    case VIEW_TCP:
    case VIEW_ICMP:
    case VIEW_QUOTE:
        break;
    default:
        return true;
    }
    if (view->protocol != WIRE_PROTOCOL_ICMP)
        sum = wire_sum_pseudo(tuple->family, tuple->faddr, tuple->laddr,
                              view->protocol, view->upper_size);
    return wire_sum(sum, view->upper, view->upper_size) == 0xffff;
}

static void
view_option(const uint8_t *option, struct view_options *options)
{
    uint8_t size = option[1];

    switch (option[0]) {
    case 2: /* RFC 9293 3.2 */
        if (size == 4) {
            options->has |= WIRE_HAS_MSS;
            options->mss = load16_be(option + 2);
        }
        break;
    case 3: /* RFC 7323 2.2 */
        if (size == 3) {
            options->has |= WIRE_HAS_WSCALE;
            options->wscale =
                option[2] < WIRE_WSCALE_MAX ? option[2] : WIRE_WSCALE_MAX;
        }
        break;
    case 4: /* RFC 2018 2 */
        if (size == 2)
            options->has |= WIRE_HAS_SACK_PERMITTED;
        break;
    case 8: /* RFC 7323 3.2 */
        if (size == 10) {
            options->has |= WIRE_HAS_TIMESTAMPS;
            options->tsval = load32_be(option + 2);
            options->tsecr = load32_be(option + 6);
        }
        break;
    case 19: /* RFC 2385 3: a digest of 16 bytes */
        options->authenticated |= size == 18;
        break;
    case 29: /* RFC 5925 2.2: two key numbers, then a MAC */
        options->authenticated |= size >= 4;
        break;
    default:
        break;
    }
}

void
view_options(const struct view *view, struct view_options *options)
{
    assert(view->kind == VIEW_TCP);
    const uint8_t *at = view->upper + WIRE_TCP_HEADER_BYTES;
    size_t size = view->header_size - (size_t)WIRE_TCP_HEADER_BYTES;

    memset(options, 0, sizeof *options);
    options->wscale = SYNCACHE_WSCALE_NONE;
    while (size > 0 && at[0] != 0) {
        size_t step = 1;
        if (at[0] != 1) {
            if (size < 2 || at[1] < 2 || at[1] > size)
                return;
            view_option(at, options);
            step = at[1];
        }
        at += step;
        size -= step;
    }
}

/*
 * Packets to values: TCP, its options, and what the other files find.  Every
 * bound comes from the captured length; nothing asserts on a packet's bytes.
 *
 * The experimental Fast Open option (kind 254, magic 0xf989) is not read:
 * clients of today send kind 34 (RFC 7413).
 */
#include "wire.h"

#include "bytes.h"
#include "wire_icmp.h"
#include "wire_ip.h"
#include "wire_tcp.h"

#include <assert.h>
#include <string.h>

_Static_assert(WIRE_IPV6_HEADER_BYTES + WIRE_EXTENSION_MAX * 8 * 256 +
                       WIRE_TCP_HEADER_BYTES <=
                   UINT16_MAX,
               "syncache_fields.options_offset holds any offset");

/* Takes note of one option.  A wrong length for its kind: as if not there. */
static void
wire_tcp_option(struct wire_segment *segment, const uint8_t *option)
{
    bool syn = (segment->flags & WIRE_SYN) != 0;
    uint8_t size = option[1];
    switch (option[0]) {
    case 2: /* RFC 9293 3.2; MUST-65: only with SYN */
        if (size == 4 && syn) {
            segment->has |= WIRE_HAS_MSS;
            segment->mss = load16_be(option + 2);
        }
        break;
    case 3: /* RFC 7323 2.2 */
        if (size == 3 && syn) {
            segment->has |= WIRE_HAS_WSCALE;
            segment->wscale = option[2] < SYNCACHE_WSCALE_MAX
                                  ? option[2]
                                  : SYNCACHE_WSCALE_MAX;
        }
        break;
    case 4: /* RFC 2018 2 */
        if (size == 2 && syn)
            segment->has |= WIRE_HAS_SACK_PERMITTED;
        break;
    case WIRE_OPTION_SACK: /* RFC 2018 3 */
        if (size > 2 && (size - 2) % 8 == 0) {
            segment->sack = (uint8_t)(option + 2 - segment->tcp);
            segment->sack_count = (uint8_t)((size - 2) / 8);
        }
        break;
    case WIRE_OPTION_TIMESTAMPS: /* RFC 7323 3.2 */
        if (size == WIRE_OPTION_TIMESTAMPS_BYTES) {
            segment->has |= WIRE_HAS_TIMESTAMPS;
            segment->tsval = load32_be(option + 2);
            segment->tsecr = load32_be(option + 6);
        }
        break;
    case 29: /* RFC 5925 2.2: two key numbers, then a MAC */
        if (size >= 4)
            segment->has |= WIRE_HAS_AO;
        break;
    case 19: /* RFC 2385 3.0 */
        if (size == 2 + WIRE_MD5_BYTES) {
            segment->has |= WIRE_HAS_MD5;
            segment->md5 = option + 2;
        }
        break;
    case 34: /* RFC 7413 4.1.1: empty, or 4 to 16 bytes and even */
        if (syn && (size == 2 || (size >= 6 && size <= 18 && size % 2 == 0))) {
            segment->has |= WIRE_HAS_FASTOPEN;
            segment->fastopen = option + 2;
            segment->fastopen_size = (uint8_t)(size - 2);
        }
        break;
    default: /* RFC 9293 MUST-6: skipped by its length */
        break;
    }
}

static inline void
wire_options(const uint8_t *tcp, size_t header_size,
             struct wire_segment *segment)
{
    const uint8_t *at = tcp + WIRE_TCP_HEADER_BYTES;
    const uint8_t *option;

    segment->header_size = (uint8_t)header_size;
    segment->tcp = tcp;
    segment->has = 0;
    segment->mss = 0;
    segment->wscale = 0;
    segment->tsval = 0;
    segment->tsecr = 0;
    segment->md5 = NULL;
    segment->fastopen = NULL;
    segment->fastopen_size = 0;
    segment->sack = 0;
    segment->sack_count = 0;
    while ((option = wire_next_option(&at, tcp + header_size)) != NULL)
        wire_tcp_option(segment, option);
}

void
wire_parse_options(const uint8_t *tcp, size_t header_size,
                   struct wire_segment *segment)
{
    wire_options(tcp, header_size, segment);
}

bool
wire_parse_tcp(const uint8_t *tcp, size_t tcp_size, size_t payload_size,
               uint32_t checksum, struct wire_segment *segment,
               enum syncache_verdict *why)
{
    const struct syncache_tuple *tuple = &segment->tuple;
    size_t header_size = wire_tcp_header_size(tcp, tcp_size);
    if (header_size == 0) {
        *why = SYNCACHE_DROP_TCP_HEADER;
        return false;
    }
    bool whole = payload_size <= tcp_size - header_size;
    if (checksum == SYNCACHE_CHECKSUM_VERIFY) {
        if (!whole) {
            *why = SYNCACHE_DROP_TRUNCATED;
            return false;
        }
        if (!wire_sum_good(tuple, WIRE_PROTOCOL_TCP, tcp,
                           header_size + payload_size)) {
            *why = SYNCACHE_DROP_CHECKSUM;
            return false;
        }
    }
    struct wire_tcp header = wire_tcp_read(tcp);
    segment->tuple.fport = header.source;
    segment->tuple.lport = header.destination;
    segment->seg_seq = header.seq;
    segment->seg_ack = header.ack;
    segment->flags = header.flags;
    segment->seg_wnd = header.window;
    segment->seg_up = header.urgent;
    segment->payload_size = (uint32_t)payload_size;
    wire_options(tcp, header_size, segment);
    if (!whole && segment->md5 != NULL) {
        *why = SYNCACHE_DROP_TRUNCATED;
        return false;
    }
    return true;
}

enum wire_kind
wire_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum,
           struct wire_segment *segment, struct wire_quote *quote,
           enum syncache_verdict *why)
{
    assert(packet != NULL || packet_size == 0);
    assert(segment != NULL && quote != NULL && why != NULL);
    struct syncache_tuple *tuple = &segment->tuple;
    struct wire_upper upper;
    enum syncache_verdict fault = wire_ip(packet, packet_size, tuple, &upper);
    if (fault != SYNCACHE_PASS_KNOWN) {
        *why = fault;
        return WIRE_BAD;
    }
    if (upper.protocol == WIRE_PROTOCOL_TCP) {
        size_t header_size = wire_tcp_header_size(upper.data, upper.size);
        segment->tos = wire_ip_tos(packet, tuple->family);
        segment->hop_limit = wire_ip_hop_limit(packet, tuple->family);
        return wire_parse_tcp(upper.data, upper.size, upper.size - header_size,
                              checksum, segment, why)
                   ? WIRE_TCP
                   : WIRE_BAD;
    }
    if (upper.protocol ==
        (tuple->family == 4 ? WIRE_PROTOCOL_ICMP : WIRE_PROTOCOL_ICMPV6))
        return wire_icmp(&upper, checksum, tuple, quote, why);
    quote->message = NULL;
    return WIRE_OTHER;
}

static bool
wire_is_multicast(uint8_t family, const uint8_t *address)
{
    return family == 4 ? address[0] >> 4 == 14 : address[0] == 0xff;
}

/* 0.0.0.0 and :: are nobody's, and so are IPv4 addresses mapped into IPv6, which
 * are for sockets, not for the wire; 255.255.255.255 is everybody's. */
static bool
wire_is_nobody(uint8_t family, const uint8_t *address)
{
    if (family == 4) {
        uint32_t word = load32_be(address);
        return word == 0 || word == UINT32_MAX;
    }
    return load64_le(address) == 0 &&
           (load32_be(address + 8) == 0xffff || load64_le(address + 8) == 0);
}

enum syncache_verdict
wire_address_fault(const struct syncache_tuple *tuple)
{
    uint8_t family = tuple->family;
    assert(family == 4 || family == 6);
    if (wire_is_multicast(family, tuple->faddr) ||
        wire_is_nobody(family, tuple->faddr))
        return SYNCACHE_DROP_SOURCE;
    if (wire_is_multicast(family, tuple->laddr) ||
        wire_is_nobody(family, tuple->laddr))
        return SYNCACHE_DROP_DESTINATION;
    if (tuple->fport == tuple->lport &&
        memcmp(tuple->faddr, tuple->laddr, sizeof tuple->faddr) == 0)
        return SYNCACHE_DROP_LAND;
    return SYNCACHE_PASS_KNOWN;
}

enum syncache_verdict
syncache_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum,
               struct syncache_fields *fields)
{
    struct wire_segment segment = {.has = 0};
    struct wire_quote quote;
    enum syncache_verdict why = SYNCACHE_PASS_NOT_TCP;
    memset(fields, 0, sizeof *fields);
    switch (wire_parse(packet, packet_size, checksum, &segment, &quote, &why)) {
    case WIRE_TCP:
        break;
    case WIRE_QUOTE:
        return SYNCACHE_PASS_ICMP;
    case WIRE_OTHER:
        return SYNCACHE_PASS_NOT_TCP;
    case WIRE_BAD:
    default:
        return why;
    }
    const struct syncache_tuple *tuple = &segment.tuple;
    memcpy(fields->saddr, tuple->faddr, sizeof fields->saddr);
    memcpy(fields->daddr, tuple->laddr, sizeof fields->daddr);
    fields->sport = tuple->fport;
    fields->dport = tuple->lport;
    fields->family = tuple->family;
    fields->hop_limit = segment.hop_limit;
    fields->tos = segment.tos;
    if (tuple->family == 4) {
        fields->ip_id = wire_ipv4_id(packet);
        fields->dont_fragment = packet[6] >> 6 & 1;
    } else {
        fields->flow_label = wire_ip_flow_label(packet, tuple->family);
    }
    fields->flags = segment.flags;
    fields->seq = segment.seg_seq;
    fields->ack = segment.seg_ack;
    fields->window = segment.seg_wnd;
    fields->urgent = segment.seg_up;
    size_t tcp_offset = (size_t)(segment.tcp - packet);
    fields->options_offset = (uint16_t)(tcp_offset + WIRE_TCP_HEADER_BYTES);
    fields->options_size =
        (uint16_t)(segment.header_size - WIRE_TCP_HEADER_BYTES);
    fields->payload_offset = (uint32_t)(tcp_offset + segment.header_size);
    fields->payload_size = segment.payload_size;
    return SYNCACHE_PASS_KNOWN;
}

/*
 * Packets to views: what core/wire.h reads of a packet on its way through, as a
 * kind and pointers that may be written through.
 *
 * Fragments of TCP are a kind of their own: what splices a connection cannot
 * let them past, and what only watches must.
 */
#include "view.h"

#include "../core/wire_icmp.h"
#include "../core/wire_tcp.h"

#include <assert.h>

static void
view_tcp(struct view *view)
{
    size_t header_size = wire_tcp_header_size(view->upper, view->upper_size);

    view->kind = VIEW_BAD;
    if (header_size == 0)
        return;
    struct wire_tcp tcp = wire_tcp_read(view->upper);
    view->kind = VIEW_TCP;
    view->tuple.fport = tcp.source;
    view->tuple.lport = tcp.destination;
    view->seq = tcp.seq;
    view->ack = tcp.ack;
    view->flags = tcp.flags;
    view->window = tcp.window;
    view->header_size = (uint8_t)header_size;
    view->payload_size = view->upper_size - (uint32_t)header_size;
}

static void
view_udp(struct view *view)
{
    view->kind = VIEW_BAD;
    if (view->upper_size < WIRE_UDP_HEADER_BYTES)
        return;
    view->kind = VIEW_UDP;
    view->tuple.fport = load16_be(view->upper);
    view->tuple.lport = load16_be(view->upper + 2);
    view->payload_size = view->upper_size - WIRE_UDP_HEADER_BYTES;
}

static void
view_icmp(struct view *view)
{
    struct wire_upper quoted;

    view->kind = VIEW_BAD;
    if (view->upper_size < WIRE_ICMP_HEADER_BYTES)
        return;
    view->kind = VIEW_ICMP;
    view->icmp_type = view->upper[0];
    view->icmp_code = view->upper[1];
    view->icmp_id = load16_be(view->upper + 4);
    if (view->fragment ||
        !wire_icmp_is_error(view->protocol, view->icmp_type) ||
        !wire_quoted(view->upper + WIRE_ICMP_HEADER_BYTES,
                     view->upper_size - WIRE_ICMP_HEADER_BYTES, &view->quoted,
                     &quoted) ||
        view->quoted.family != view->tuple.family)
        return;
    view->kind = VIEW_QUOTE;
    view->quote = view->upper + (quoted.data - view->upper);
    view->quote_size = (uint32_t)quoted.size;
    view->quote_protocol = quoted.protocol;
}

static void
view_upper(struct view *view)
{
    if (view->protocol == WIRE_PROTOCOL_TCP)
        view_tcp(view);
    else if (view->protocol == WIRE_PROTOCOL_UDP)
        view_udp(view);
    else if (view->protocol == (view->tuple.family == 4 ? WIRE_PROTOCOL_ICMP
                                                        : WIRE_PROTOCOL_ICMPV6))
        view_icmp(view);
}

/* What is not as most packets are: see wire_ip_usual(). */
static bool
view_read_any(uint32_t how, struct view *view)
{
    struct wire_through through;
    enum wire_way way =
        wire_ip_through(view->ip, view->size, how, &view->tuple, &through);

    view->size = (uint32_t)through.size;
    view->fragment = through.fragment;
    view->sealed = through.sealed;
    if (way == WIRE_WAY_NONE)
        return false;
    view->protocol = through.upper.protocol;
    if (way == WIRE_WAY_BAD)
        view->kind = VIEW_BAD;
    else if (way == WIRE_WAY_PIECE && view->protocol == WIRE_PROTOCOL_TCP)
        view->kind = VIEW_FRAGMENT;
    if (way != WIRE_WAY_UPPER)
        return false;
    view->upper = view->ip + (through.upper.data - view->ip);
    view->upper_size = (uint32_t)through.upper.size;
    return true;
}

static inline void
view_read(uint8_t *packet, size_t packet_size, uint32_t checksum, uint32_t how,
          struct view *view)
{
    struct wire_upper upper;
    size_t size;

    assert(packet != NULL || packet_size == 0);
    view->kind = VIEW_OTHER;
    view->ip = packet;
    view->upper = NULL;
    view->size = (uint32_t)packet_size;
    view->checksum = (uint8_t)checksum;
    view->fragment = view->sealed = false;
    if (wire_ip_usual(packet, packet_size, &view->tuple, &upper, &size)) {
        view->size = (uint32_t)size;
        view->protocol = upper.protocol;
        view->upper = packet + (upper.data - packet);
        view->upper_size = (uint32_t)upper.size;
    } else {
        if (checksum != SYNCACHE_CHECKSUM_VERIFY)
            how |= WIRE_VOUCHED;
        if (!view_read_any(how, view))
            return;
    }
    view_upper(view);
}

void
view_parse(uint8_t *packet, size_t packet_size, uint32_t checksum,
           struct view *view)
{
    view_read(packet, packet_size, checksum, 0, view);
}

void
view_parse_passing(uint8_t *packet, size_t packet_size, uint32_t checksum,
                   struct view *view)
{
    view_read(packet, packet_size, checksum, WIRE_WATCHED, view);
}

bool
view_verify(const struct view *view)
{
    if (view->upper == NULL)
        return true;
    if (view->tuple.family == 4 && view->checksum != SYNCACHE_CHECKSUM_VALID &&
        !wire_ipv4_sum_good(view->ip))
        return false;
    if (view->checksum != SYNCACHE_CHECKSUM_VERIFY || view->fragment)
        return true;
    switch (view->kind) {
    case VIEW_UDP:
    case VIEW_TCP:
    case VIEW_ICMP:
    case VIEW_QUOTE:
        return wire_sum_good(&view->tuple, view->protocol, view->upper,
                             view->upper_size);
    default:
        return true;
    }
}

void
view_options(const struct view *view, struct view_options *options)
{
    /* As if of a SYN, so that none is passed over. */
    struct wire_segment segment = {.flags = WIRE_SYN};

    assert(view->kind == VIEW_TCP);
    wire_parse_options(view->upper, view->header_size, &segment);
    options->has =
        segment.has & (WIRE_HAS_MSS | WIRE_HAS_WSCALE |
                       WIRE_HAS_SACK_PERMITTED | WIRE_HAS_TIMESTAMPS);
    options->wscale =
        segment.has & WIRE_HAS_WSCALE ? segment.wscale : SYNCACHE_WSCALE_NONE;
    options->mss = segment.mss;
    options->tsval = segment.tsval;
    options->tsecr = segment.tsecr;
    options->authenticated = (segment.has & (WIRE_HAS_MD5 | WIRE_HAS_AO)) != 0;
}

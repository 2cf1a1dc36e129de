/*
 * One IP packet on its way through: what it is, whose it is, and where its fields lie, so that they can be rewritten
 * in place.  Unlike core/wire.h it judges little, since what it does not understand must get through unharmed, and it
 * sums nothing until asked: merely forwarded bytes are their receiver's to verify.
 *
 * See RFC 791, RFC 8200, RFC 9293 3.1, RFC 792, RFC 4443.
 */
#ifndef SYNCACHE_FLOW_VIEW_H
#define SYNCACHE_FLOW_VIEW_H

#include "../core/wire_ip.h"

#define VIEW_ICMP_ECHO_REPLY 0      /* RFC 792 */
#define VIEW_ICMP_ECHO 8
#define VIEW_ICMP_TIMESTAMP 13
#define VIEW_ICMP_TIMESTAMP_REPLY 14
#define VIEW_ICMPV6_ECHO 128        /* RFC 4443 4.1 */
#define VIEW_ICMPV6_ECHO_REPLY 129

enum view_kind {
    VIEW_OTHER,                     /* not IP, or a protocol that is not looked into */
    VIEW_TCP,
    VIEW_UDP,
    VIEW_ICMP,                      /* ICMP or ICMPv6, not an error with a usable quotation */
    VIEW_QUOTE,                     /* an ICMP error that quotes TCP or UDP: `quoted` is its tuple */
    VIEW_FRAGMENT,                  /* of TCP; first ones of UDP and ICMP are read, the others are OTHER */
    VIEW_BAD                        /* IP, but it does not add up: lengths, TCP header */
};

struct view {
    struct syncache_tuple tuple;      /* foreign = source, local = destination; ICMP: ports are 0 */
    uint8_t *ip;                      /* the packet */
    uint8_t *upper;                   /* its transport header; NULL if it was not reached */
    uint32_t size;                    /* of the IP packet, without padding of the link */
    uint32_t upper_size;              /* from the transport header to the end */
    uint8_t kind;                     /* enum view_kind */
    uint8_t protocol;
    uint8_t checksum;                 /* enum syncache_checksum, of the transport checksum */
    uint8_t header_size;              /* TCP: header with options */
    uint16_t flags;                   /* TCP: WIRE_FIN .. WIRE_AE */
    uint16_t window;                  /* TCP: as written */
    uint32_t seq;
    uint32_t ack;
    uint32_t payload_size;            /* TCP and UDP: bytes of data */
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint16_t icmp_id;                 /* echo and timestamp messages */
    uint8_t *quote;                   /* QUOTE: first byte of the quoted transport header, 8 bytes at least */
    uint32_t quote_size;              /* QUOTE: bytes of it that are there */
    uint8_t quote_protocol;
    uint8_t fragment;                 /* the first of several: its transport checksum cannot be known */
    uint8_t sealed;                   /* by AH (RFC 4302): nobody may rewrite it */
    uint8_t reserved[1];
    struct syncache_tuple quoted;     /* QUOTE: foreign = the quoted source, local = the quoted destination */
};

/* The options of a TCP header, and where those lie that are rewritten. */
struct view_options {
    uint8_t has;                      /* WIRE_HAS_*; MSS, window scale, SACK-permitted whether or not it is a SYN */
    uint8_t wscale;                   /* clipped to 14 */
    uint16_t mss;
    uint32_t tsval;
    uint32_t tsecr;
    bool authenticated;               /* MD5 (RFC 2385) or AO (RFC 5925): nobody may rewrite it */
};

/*
 * Reads one packet.
 *
 *   in       packet[0 .. packet_size)  untrusted; view points into it
 *   in       checksum                  enum syncache_checksum
 *   out      view                      kind says which fields are set
 *   limit    WIRE_EXTENSION_MAX extension headers; options are not walked
 */
void view_parse(uint8_t *packet, size_t packet_size, uint32_t checksum, struct view *view);

/*
 * As view_parse(), for who only watches.  A packet on its way along a source route (RFC 8200 4.4, RFC 8754, RFC 6275
 * 6.4) has the destination that it will arrive at, and options that its destination may refuse are passed over.
 */
void view_parse_passing(uint8_t *packet, size_t packet_size, uint32_t checksum, struct view *view);

/*
 * Sums what view_parse() took on trust: the IPv4 header, and the transport checksum where the link did not vouch
 * for it.  For packets that change a state or are answered.
 *
 *   returns  false if one is wrong; true for kinds without a checksum that is known here
 */
bool view_verify(const struct view *view);

/* Reads the options of a TCP segment.  An option of a wrong length ends the walk (RFC 9293 MUST-7). */
void view_options(const struct view *view, struct view_options *options);

/* SEG.LEN of RFC 9293 3.3.1: payload, and one each for SYN and FIN. */
static inline uint32_t
view_seg_len(const struct view *view)
{
    return view->payload_size + ((view->flags & WIRE_SYN) != 0) + ((view->flags & WIRE_FIN) != 0);
}

/* What its sender wrote into the IP header: hop limit, traffic class without ECN, flow label. */
static inline uint8_t
view_hop_limit(const struct view *view)
{
    return wire_ip_hop_limit(view->ip, view->tuple.family);
}

static inline uint32_t
view_flow_label(const struct view *view)
{
    return wire_ip_flow_label(view->ip, view->tuple.family);
}

static inline uint8_t
view_class(const struct view *view)
{
    return wire_ip_tos(view->ip, view->tuple.family) & 0xfc;
}

#endif

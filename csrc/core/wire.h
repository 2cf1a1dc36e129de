/*
 * Bytes to values and values to bytes: IPv4, IPv6 with extension headers, TCP with all options, the ICMP errors
 * that quote TCP.  After this file nothing indexes a packet.  Knows no cookies and no cache.
 */
#ifndef SYNCACHE_CORE_WIRE_H
#define SYNCACHE_CORE_WIRE_H

#include "../syncache.h"

#define WIRE_FIN 0x001
#define WIRE_SYN 0x002
#define WIRE_RST 0x004
#define WIRE_PSH 0x008
#define WIRE_ACK 0x010
#define WIRE_URG 0x020
#define WIRE_ECE 0x040
#define WIRE_CWR 0x080
#define WIRE_AE  0x100

/* Which options were present and well formed.  MSS, WSCALE, SACK_PERMITTED and FASTOPEN only on a SYN. */
#define WIRE_HAS_MSS 0x01
#define WIRE_HAS_WSCALE 0x02
#define WIRE_HAS_SACK_PERMITTED 0x04
#define WIRE_HAS_TIMESTAMPS 0x08
#define WIRE_HAS_MD5 0x10
#define WIRE_HAS_FASTOPEN 0x20

/* A TCP segment that has come in.  seg_ values are the peer's word. */
struct wire_segment {
    struct syncache_tuple tuple;      /* foreign = the packet's source */
    uint32_t seg_seq;
    uint32_t seg_ack;
    uint32_t payload_size;            /* IP length minus headers */
    uint16_t seg_wnd;                 /* unscaled */
    uint16_t seg_up;
    uint16_t flags;                   /* WIRE_FIN .. WIRE_AE */
    uint8_t tos;                      /* with the ECN bits */
    uint8_t hop_limit;
    uint32_t tsval;
    uint32_t tsecr;
    uint16_t mss;
    uint8_t has;                      /* WIRE_HAS_* */
    uint8_t wscale;                   /* clipped to 14 (RFC 7323 2.3) */
    uint8_t fastopen_size;            /* bytes of cookie; 0: a request */
    uint8_t header_size;              /* of the TCP header with options */
    uint8_t reserved[2];
    const uint8_t *tcp;               /* TCP header in the packet */
    const uint8_t *md5;               /* 16 bytes of digest in the packet */
    const uint8_t *fastopen;          /* cookie in the packet */
};

/* An ICMP error's quotation of a segment that we are said to have sent. */
struct wire_quote {
    struct syncache_tuple tuple;      /* foreign = the quoted destination */
    uint32_t seq;
    uint8_t type;                     /* of the ICMP or ICMPv6 message */
    uint8_t code;
};

enum wire_kind {
    WIRE_TCP,                         /* segment is filled */
    WIRE_QUOTE,                       /* an ICMP error with a usable quotation; quote is filled */
    WIRE_OTHER,                       /* well formed, neither */
    WIRE_BAD                          /* *why says which SYNCACHE_DROP_* */
};

/*
 * Reads one packet.  Order of tests: length, IP header and its checksum, source route, fragment, TCP header,
 * transport checksum.  Addresses are judged by wire_address_fault(), later, since only packets to us matter.
 *
 *   in       has_syn_only   nothing; options are judged by the segment's own SYN flag
 */
enum wire_kind wire_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum, struct wire_segment *segment,
                          struct wire_quote *quote, enum syncache_verdict *why);

/* The same from the TCP header on.  `segment->tuple` addresses and family and `tos` are set by the caller. */
bool wire_parse_tcp(const uint8_t *tcp, size_t tcp_size, size_t payload_size, uint32_t checksum,
                    struct wire_segment *segment, enum syncache_verdict *why);

/* Returns DROP_LAND, DROP_SOURCE or DROP_DESTINATION, or PASS_KNOWN if nothing is wrong with the addresses. */
enum syncache_verdict wire_address_fault(const struct syncache_tuple *tuple);

/* What a reply says.  Written by the events, read by wire_build_reply(). */
struct wire_reply {
    struct syncache_tuple tuple;      /* foreign = the reply's destination */
    uint32_t seq;
    uint32_t ack;                     /* sent as 0 without WIRE_ACK */
    uint16_t flags;
    uint16_t window;
    uint8_t hop_limit;
    uint8_t tos;
    uint8_t dont_fragment;
    uint8_t has;                      /* WIRE_HAS_* options to write, fixed order of spec 3.2 */
    uint32_t flow_label;              /* IPv6, 20 bits */
    uint16_t mss;
    uint8_t wscale;
    uint8_t fastopen_size;
    uint32_t tsval;
    uint32_t tsecr;
    const uint8_t *fastopen;          /* cookie to hand out */
    const uint8_t *md5_key;           /* NULL: no signature */
    uint32_t md5_key_size;
};

/*
 * Writes the packet.  MSS, window scale, SACK-permitted, timestamps, MD5, TFO in this order with FreeBSD's
 * alignment; an option that no longer fits is left out; the end is padded by EOL and zeros.
 * IPv4 identification is 0.
 *
 *   returns  bytes written, at most SYNCACHE_REPLY_MAX
 */
size_t wire_build_reply(const struct wire_reply *reply, uint8_t packet[static SYNCACHE_REPLY_MAX]);

/* RFC 2385 digest of a segment. `tcp[0 .. tcp_size)` is header, options and payload. */
void wire_md5(const struct syncache_tuple *tuple, bool from_foreign, const uint8_t *tcp, size_t header_size,
              size_t tcp_size, const uint8_t *key, size_t key_size, uint8_t digest[static 16]);

/* RFC 1071 sum over data, folded, not complemented; `sum` is a start value. */
uint32_t wire_sum(uint32_t sum, const uint8_t *data, size_t data_size);

#endif

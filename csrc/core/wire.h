/*
 * Bytes to values and values to bytes: IPv4, IPv6 with extension headers, TCP
 * with all options, the ICMP errors that quote TCP.  Nothing else interprets a
 * packet, but for the programs of csrc/bpf/, which run in the kernel, and
 * csrc/simd/, which compares whole SYNs with templates.  Knows no cookies and no
 * cache.
 *
 *   wire.c       packets to values         wire_build.c  values to packets
 *   wire_ip.c    IP headers, for packets to us and for those on their way through
 *   wire_icmp.c  errors and their quotations
 *   wire_sum.c   RFC 1071 checksums        wire_tcp.h    the TCP header, and the walk over options
 */
#ifndef SYNCACHE_CORE_WIRE_H
#define SYNCACHE_CORE_WIRE_H

#include "../syncache.h"

#define WIRE_PROTOCOL_ICMP 1
#define WIRE_PROTOCOL_TCP 6
#define WIRE_PROTOCOL_UDP 17
#define WIRE_PROTOCOL_ICMPV6 58

#define WIRE_IPV4_HEADER_BYTES 20
#define WIRE_IPV6_HEADER_BYTES 40
#define WIRE_TCP_HEADER_BYTES 20
#define WIRE_TCP_OPTIONS_MAX 40 /* data offset 15 of 32-bit words */
#define WIRE_UDP_HEADER_BYTES 8
#define WIRE_ICMP_HEADER_BYTES 8
#define WIRE_MD5_BYTES 16

/* RFC 8200 4.1 names six orders' worth; more is a packet made to cost work. */
#define WIRE_EXTENSION_MAX 8

_Static_assert(WIRE_IPV6_HEADER_BYTES + WIRE_TCP_HEADER_BYTES +
                       WIRE_TCP_OPTIONS_MAX <=
                   SYNCACHE_REPLY_MAX,
               "the longest reply fits");

/* Where fields lie in their headers that are rewritten in place. */
#define WIRE_IPV4_TOTAL_AT 2
#define WIRE_IPV4_ID_AT 4
#define WIRE_IPV4_CHECKSUM_AT 10
#define WIRE_IPV6_PAYLOAD_AT 4
#define WIRE_TCP_SEQ_AT 4
#define WIRE_TCP_ACK_AT 8
#define WIRE_TCP_FLAGS_AT 13
#define WIRE_TCP_WINDOW_AT 14
#define WIRE_TCP_CHECKSUM_AT 16
#define WIRE_UDP_CHECKSUM_AT 6
#define WIRE_ICMP_CHECKSUM_AT 2

#define WIRE_FIN 0x001
#define WIRE_SYN 0x002
#define WIRE_RST 0x004
#define WIRE_PSH 0x008
#define WIRE_ACK 0x010
#define WIRE_URG 0x020
#define WIRE_ECE 0x040
#define WIRE_CWR 0x080
#define WIRE_AE 0x100

/* Which options are there, well formed.  The first four only on a SYN. */
#define WIRE_HAS_MSS 0x01
#define WIRE_HAS_WSCALE 0x02
#define WIRE_HAS_SACK_PERMITTED 0x04
#define WIRE_HAS_FASTOPEN 0x08
#define WIRE_HAS_TIMESTAMPS 0x10
#define WIRE_HAS_MD5 0x20
#define WIRE_HAS_AO 0x40

/* A TCP segment that has come in.  seg_ values are the peer's word. */
struct wire_segment {
    struct syncache_tuple tuple; /* foreign = the packet's source */
    uint32_t seg_seq;
    uint32_t seg_ack;
    uint32_t payload_size; /* IP length minus headers */
    uint16_t seg_wnd;      /* unscaled */
    uint16_t seg_up;
    uint16_t flags; /* WIRE_FIN .. WIRE_AE */
    uint8_t tos;    /* with the ECN bits */
    uint8_t hop_limit;
    uint32_t tsval;
    uint32_t tsecr;
    uint16_t mss;
    uint8_t has;           /* WIRE_HAS_* */
    uint8_t wscale;        /* clipped to 14 (RFC 7323 2.3) */
    uint8_t fastopen_size; /* bytes of cookie; 0: a request */
    uint8_t header_size;   /* of the TCP header with options */
    uint8_t sack;          /* first block, counted from the TCP header */
    uint8_t sack_count;    /* SACK blocks; 0: none */
    const uint8_t *tcp;      /* TCP header in the packet */
    const uint8_t *md5;      /* 16 bytes of digest in the packet */
    const uint8_t *fastopen; /* cookie in the packet */
};

/*
 * An ICMP or ICMPv6 message; tuple and seq only of an error that quotes a segment
 * which we are said to have sent.
 */
struct wire_quote {
    struct syncache_tuple tuple; /* foreign = the quoted destination */
    uint32_t seq;
    uint32_t size;          /* of the message, its header included */
    const uint8_t *message; /* in the packet; NULL: it is not ICMP */
    uint8_t type;
    uint8_t code;
};

enum wire_kind {
    WIRE_TCP,   /* segment is filled */
    WIRE_QUOTE, /* an ICMP error with a usable quotation; quote is filled */
    WIRE_OTHER, /* well formed, neither */
    WIRE_BAD    /* *why says which SYNCACHE_DROP_* */
};

/*
 * Reads one packet.  Order of tests: length, IP header and its checksum, source
 * route, fragment, TCP header, transport checksum.  Only headers of TCP and
 * ICMP are judged beyond the IP header: a fragment of UDP is WIRE_OTHER.
 * Addresses are judged by wire_address_fault(), later, since only packets to us
 * matter.
 *
 *   in       packet[0 .. packet_size)  untrusted; bytes beyond the IP length
 *                                      are link padding and are ignored
 *   in       checksum  enum syncache_checksum; anything but VERIFY trusts the
 *                      transport checksum
 *   out      segment   WIRE_TCP; its pointers point into packet.  Otherwise
 *                      only the tuple's family and addresses; family is 0 if
 *                      the IP header is bad
 *   out      quote     WIRE_QUOTE; WIRE_OTHER: its message, type and code
 *   out      why       WIRE_BAD
 *   limit    WIRE_EXTENSION_MAX extension headers, one pass over the bytes
 *   see      RFC 791, 792, 4443, 8200, 9293 3.1; RFC 5927 for quotations
 */
enum wire_kind wire_parse(const uint8_t *packet, size_t packet_size,
                          uint32_t checksum, struct wire_segment *segment,
                          struct wire_quote *quote, enum syncache_verdict *why);

/*
 * The same from the TCP header on.
 *
 *   in       tcp[0 .. tcp_size)  header with options, and the bytes at hand of the
 *                                payload; VERIFY needs all of it
 *   in       payload_size        bytes of payload, also if tcp is cut short
 *   in       segment             the addresses, the family, tos and hop_limit
 *   out      segment             all else
 *   returns  false, and *why, if the header, its length or checksum is bad, or
 *            if a signature cannot be checked because payload is missing
 *   limit    one pass over the options, each step at least one byte
 */
bool wire_parse_tcp(const uint8_t *tcp, size_t tcp_size, size_t payload_size,
                    uint32_t checksum, struct wire_segment *segment,
                    enum syncache_verdict *why);

/*
 * Reads the options of a TCP header.
 *
 *   in       segment   flags: those of a SYN are read only with WIRE_SYN
 *   in       tcp[0 .. header_size)  a header that wire_tcp_header_size() has measured
 *   out      segment   header_size, has and all that options say
 */
void wire_parse_options(const uint8_t *tcp, size_t header_size, struct wire_segment *segment);

/*
 * Judges the addresses and ports of a tuple whose foreign side sent a packet.
 *
 *   returns  DROP_LAND, DROP_SOURCE or DROP_DESTINATION, or PASS_KNOWN if
 *            nothing is wrong with them; loopback addresses are not wrong here
 *   see      RFC 9293 MUST-46, MUST-57, MUST-63; CVE-1999-0016
 */
enum syncache_verdict wire_address_fault(const struct syncache_tuple *tuple);

/* The fields of a reply.  Written by the events, read by wire_build_reply(). */
struct wire_reply {
    struct syncache_tuple tuple; /* foreign = the reply's destination */
    uint32_t seq;
    uint32_t ack; /* sent as 0 without WIRE_ACK */
    uint16_t flags;
    uint16_t window;
    uint8_t hop_limit;
    uint8_t tos;
    uint8_t dont_fragment;
    uint8_t has; /* WIRE_HAS_* options to write, in the order of FreeBSD's tcp_addoptions() */
    uint32_t flow_label; /* IPv6, 20 bits */
    uint16_t mss;
    uint8_t wscale;
    uint8_t fastopen_size;
    uint32_t tsval;
    uint32_t tsecr;
    const uint8_t *fastopen; /* cookie to hand out */
    const uint8_t *md5_key;  /* NULL: no signature */
    uint32_t md5_key_size;
};

/*
 * Writes the packet.  MSS, window scale, SACK-permitted, timestamps, MD5, TFO
 * in this order with FreeBSD's alignment; an option that no longer fits is left
 * out; the end is padded by EOL and zeros.  IPv4 identification is 0.
 *
 *   out      packet   the first returned bytes
 *   returns  bytes written, at most SYNCACHE_REPLY_MAX
 */
size_t wire_build_reply(const struct wire_reply *reply,
                        uint8_t packet[static SYNCACHE_REPLY_MAX]);

/*
 * Computes the RFC 2385 digest of a segment, its checksum taken as zero.
 *
 *   in       from_foreign        the segment goes from foreign to local
 *   in       tcp[0 .. tcp_size)  header, options and payload; the data offset
 *                                is at least 5 and lies within
 *   out      digest
 */
void wire_md5(const struct syncache_tuple *tuple, bool from_foreign,
              const uint8_t *tcp, size_t tcp_size, const uint8_t *key,
              size_t key_size, uint8_t digest[static WIRE_MD5_BYTES]);

/*
 * Tells whether a segment that came in carries the right RFC 2385 digest.
 *
 *   returns  false also if there is no MD5 option
 */
bool wire_md5_verify(const struct wire_segment *segment, const uint8_t *key,
                     size_t key_size);

/*
 * RFC 1071 sum over data: folded to 16 bits, not complemented.
 *
 *   in       sum  of the bytes before, which were even in number
 */
uint32_t wire_sum(uint32_t sum, const uint8_t *data, size_t data_size);

/* Sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1); same both ways. */
uint32_t wire_sum_pseudo(uint8_t family, const uint8_t *faddr,
                         const uint8_t *laddr, uint8_t protocol, size_t size);

#endif

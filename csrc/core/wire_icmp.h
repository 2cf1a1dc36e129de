/* ICMP and ICMPv6 errors: which messages are some, and what they quote.  See RFC 792, RFC 4443, RFC 5927. */
#ifndef SYNCACHE_CORE_WIRE_ICMP_H
#define SYNCACHE_CORE_WIRE_ICMP_H

#include "wire_ip.h"

/* Does a message of this type report what became of a packet? */
bool wire_icmp_is_error(uint8_t protocol, uint8_t type);

/*
 * Reads the packet that an error quotes, which may be cut.
 *
 *   in       packet[0 .. packet_size)  behind the ICMP header
 *   out      tuple    as quoted, ports too: foreign = the quoted source
 *   out      upper    its transport header, 8 bytes at least
 *   returns  false if that cannot be read, or is neither TCP nor UDP
 */
bool wire_quoted(const uint8_t *packet, size_t packet_size, struct syncache_tuple *tuple, struct wire_upper *upper);

/*
 * Reads a message to us, of addresses `outer`.
 *
 *   out      quote    unless WIRE_BAD: message, size, type and code; WIRE_QUOTE: all of it
 *   returns  WIRE_QUOTE: it quotes a TCP segment that we are said to have sent; WIRE_OTHER; WIRE_BAD, and *why
 */
enum wire_kind wire_icmp(const struct wire_upper *icmp, uint32_t checksum, const struct syncache_tuple *outer,
                         struct wire_quote *quote, enum syncache_verdict *why);

/* The MTU that a WIRE_QUOTE reports because the segment was too big for it; 0: that is not the error. */
uint32_t wire_icmp_mtu(const struct wire_quote *quote);

#endif

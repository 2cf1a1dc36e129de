/* IP headers, as far as wire.c needs them to reach the upper layer: RFC 791, RFC 8200. */
#ifndef SYNCACHE_CORE_WIRE_IP_H
#define SYNCACHE_CORE_WIRE_IP_H

#include "wire.h"

/* The result of an IP header. */
struct wire_upper {
    const uint8_t *data;
    size_t size; /* to the end of the IP packet */
    uint8_t protocol;
};

/* Fills in a tuple but for the ports. */
void wire_set_addresses(struct syncache_tuple *tuple, uint8_t family,
                        const uint8_t *faddr, const uint8_t *laddr);

/*
 * Reads an IP header with all that belongs to it.
 *
 *   in       packet[0 .. packet_size)  untrusted
 *   out      tuple    family and addresses; family is 0 if not reached
 *   out      upper    if the verdict is PASS_KNOWN
 *   returns  PASS_KNOWN, or the SYNCACHE_DROP_* that names the fault
 */
enum syncache_verdict wire_ip(const uint8_t *packet, size_t packet_size,
                              struct syncache_tuple *tuple,
                              struct wire_upper *upper);

/*
 * Walks from an IPv6 header to the upper layer, in packets and in quotations.
 *
 *   in       packet[0 .. packet_size)  at least an IPv6 header
 *   limit    WIRE_EXTENSION_MAX extension headers
 */
enum syncache_verdict wire_ipv6_upper(const uint8_t *packet, size_t packet_size,
                                      struct wire_upper *upper);

#endif

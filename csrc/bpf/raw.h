/*
 * Numbers in packets as the programs need them, from their owners: those of the core's parser and of the links'.
 *
 * "Raw" is as it is loaded from a packet, on the little-endian machines that kernel.h names.
 */
#ifndef SYNCACHE_BPF_RAW_H
#define SYNCACHE_BPF_RAW_H

#include "../core/wire.h"
#include "../link/encap.h"

#define RAW_TYPE(type) ((type) >> 8 | ((type)&0xff) << 8)
#define TYPE_IPV4 RAW_TYPE(ENCAP_IPV4)
#define TYPE_IPV6 RAW_TYPE(ENCAP_IPV6)
#define TYPE_VLAN RAW_TYPE(ENCAP_VLAN)
#define TYPE_QINQ RAW_TYPE(ENCAP_SERVICE_VLAN)
#define TYPE_QINQ_OLD RAW_TYPE(ENCAP_OLD_SERVICE_VLAN)

#define LINK_SIZE FRAME_HEADER_MIN
#define TAG_SIZE FRAME_TAG
#define TAGS_MAX FRAME_TAGS_MAX

#define PROTOCOL_TCP WIRE_PROTOCOL_TCP
#define IPV4_SIZE WIRE_IPV4_HEADER_BYTES
#define IPV6_SIZE WIRE_IPV6_HEADER_BYTES
#define TCP_SIZE WIRE_TCP_HEADER_BYTES
#define OPTIONS_MAX WIRE_TCP_OPTIONS_MAX

#define HOP_LIMIT_MAX 255 /* of who asks for TTL security (RFC 5082), and gets the same */

#define FLAGS_SYN WIRE_SYN
#define FLAGS_OF_A_SYN (WIRE_FIN | WIRE_SYN | WIRE_RST | WIRE_ACK)

static inline uint32_t
swap16(uint32_t x)
{
    return __builtin_bswap16((uint16_t)x);
}

static inline uint32_t
swap32(uint32_t x)
{
    return __builtin_bswap32(x);
}

#endif

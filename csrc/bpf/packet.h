/*
 * Numbers in packets as the programs need them, from their owners: those of the core's parser and of the links'.
 *
 * "Raw" is as it is loaded from a packet, on the little-endian machines that kernel.h names.
 */
#ifndef SYNCACHE_BPF_PACKET_H
#define SYNCACHE_BPF_PACKET_H

#include "../core/wire.h"
#include "../link/encap.h"

#define PACKET_RAW(type) ((type) >> 8 | ((type)&0xff) << 8)
#define TYPE_IPV4 PACKET_RAW(ENCAP_IPV4)
#define TYPE_IPV6 PACKET_RAW(ENCAP_IPV6)
#define TYPE_VLAN PACKET_RAW(ENCAP_VLAN)
#define TYPE_QINQ PACKET_RAW(ENCAP_SERVICE_VLAN)
#define TYPE_QINQ_OLD PACKET_RAW(ENCAP_OLD_SERVICE_VLAN)

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

#endif

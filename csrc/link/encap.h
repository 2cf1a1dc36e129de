/*
 * The layers between a link header and an IP packet: the sizes of link headers, the EtherTypes of tags, and the
 * protocols that carry IP one in another (VLAN, PPPoE, PPP, MPLS, LLC and SNAP).  Captures and live links share it.
 *
 * Not here: IP itself (core/wire.h, flow/view.h), and tunnels over IP (tunnel.h).
 *
 * See <https://www.tcpdump.org/linktypes.html>; IEEE 802.3, 802.1Q, 802.1ah; RFC 1042, 1661, 2516, 3032.
 */
#ifndef SYNCACHE_LINK_ENCAP_H
#define SYNCACHE_LINK_ENCAP_H

#include <stdbool.h>
#include <stdint.h>

/* cffi: begin. */

/* EtherTypes that are looked through or carry IP. */
#define ENCAP_IPV4 0x0800
#define ENCAP_IPV6 0x86dd
#define ENCAP_VLAN 0x8100             /* 802.1Q */
#define ENCAP_SERVICE_VLAN 0x88a8     /* 802.1ad */
#define ENCAP_OLD_SERVICE_VLAN 0x9100 /* in use before 802.1ad */

/* The reason why no IP packet was found, or why one is not looked at.  In brackets: its number. */
enum encap_reason {
    ENCAP_NONE,                 /* it is looked at */
    ENCAP_LINKTYPE,             /* unknown link type [link type] */
    ENCAP_ETHERTYPE,            /* not IP [EtherType] */
    ENCAP_LLC,                  /* 802.2 without IP [DSAP] */
    ENCAP_SNAP,                 /* of a vendor [protocol of its own] */
    ENCAP_PPP,                  /* not IP [PPP protocol] */
    ENCAP_MPLS,                 /* no IP below the bottom of the stack */
    ENCAP_VERSION,              /* neither IPv4 nor IPv6 where IP was announced [version] */
    ENCAP_CUT,                  /* the capture ends within the headers */
    ENCAP_LONG,                 /* longer than a slot */
    ENCAP_INTERFACE,            /* of an interface that the file does not describe */
    ENCAP_PROTOCOL,             /* IP, but not TCP, UDP or ICMP [protocol] */
    ENCAP_FRAGMENT,             /* of IP: of TCP, or not the first */
    ENCAP_BAD,                  /* IP or TCP headers that contradict themselves */
    ENCAP_TUNNEL,               /* a tunnel that was not looked into [enum link_tunnel] */
    ENCAP_DOUBLE,               /* recorded before, where doubles are left out */
    ENCAP_REASON_COUNT
};

/* cffi: end. */

/* Ethernet: an address, the header without tags, a tag, and how many of them live links look through. */
#define FRAME_MAC 6
#define FRAME_HEADER_MIN 14
#define FRAME_TAG 4
#define FRAME_TAGS_MAX 2

/* Where the IP packet of a frame begins; `reason` is ENCAP_NONE, or says why there is none. */
struct encap {
    uint32_t offset;
    uint32_t reason;            /* enum encap_reason */
    uint32_t number;
};

static inline struct encap
encap_nothing(enum encap_reason reason, uint32_t number)
{
    return (struct encap){.reason = reason, .number = number};
}

/*
 * Finds the IP packet in a frame of a link type.
 *
 *   in       frame[0 .. size)  untrusted
 *   in       big_endian        of the machine that captured: NFLOG's lengths are in its byte order
 *   limit    every step consumes bytes of the frame
 */
struct encap encap_frame(uint32_t linktype, const uint8_t *frame, uint32_t size, bool big_endian);

/* Finds it behind an EtherType: data[at .. size) is of the type that it announces. */
struct encap encap_ethertype(const uint8_t *data, uint32_t size, uint32_t at, uint32_t type);

/* Finds it behind a PPP header at data[at .. size). */
struct encap encap_ppp(const uint8_t *data, uint32_t size, uint32_t at);

/* Is it the EtherType of a VLAN tag? */
static inline bool
encap_is_tag(uint32_t type)
{
    return type == ENCAP_VLAN || type == ENCAP_SERVICE_VLAN || type == ENCAP_OLD_SERVICE_VLAN;
}

#endif

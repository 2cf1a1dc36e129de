/*
 * Tunnels over IP: the packets that an IP packet carries.
 *
 * Not here: the layers between a link header and IP (encap.h), and the headers of IP (flow/view.h).
 *
 * See RFC 2003, 2473, 2784, 2890, 2637, 3378, 4023, 4213, 7348, 7510, 8926, 2661; 3GPP TS 29.281;
 * draft-foschiano-erspan.
 */
#ifndef SYNCACHE_LINK_TUNNEL_H
#define SYNCACHE_LINK_TUNNEL_H

#include "../flow/view.h"
#include "encap.h"

/* cffi: begin. */

enum link_tunnel {
    TUNNEL_NONE,
    TUNNEL_GRE,
    TUNNEL_ERSPAN,
    TUNNEL_IPIP,                /* IP in IP: all four pairs but the next */
    TUNNEL_6IN4,
    TUNNEL_ETHERIP,             /* and Ethernet behind segment routing */
    TUNNEL_MPLS,                /* over IP or UDP */
    TUNNEL_VXLAN,
    TUNNEL_GENEVE,
    TUNNEL_GTPU,
    TUNNEL_L2TP,
    TUNNEL_TEREDO,
    TUNNEL_LISP,
    TUNNEL_TZSP,
    TUNNEL_CAPWAP,
    TUNNEL_AYIYA,
    TUNNEL_LWAPP,
    TUNNEL_PIM,                 /* register messages */
    TUNNEL_COUNT
};

/* cffi: end. */

/*
 * Says which tunnel a packet belongs to, and where the IP packet in it begins.
 *
 *   in       view     of the outer packet
 *   out      inside   offset from view->ip, or the reason why there is none; not set for TUNNEL_NONE
 *   returns  enum link_tunnel
 */
uint32_t tunnel_find(const struct view *view, struct encap *inside);

#endif

/*
 * Tunnels over IP.  See tunnel.h.
 *
 * A tunnel's own header ends in an EtherType, in an Ethernet frame, in PPP or
 * in IP; encap.c goes on from there.  Those over UDP are known by their ports
 * and by bits that their headers must have.
 */
#include "tunnel.h"

#include "../core/bytes.h"
#include "encap_more.h"
#include "encap_rare.h"

enum {
    PROTOCOL_IPV4 = 4,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_GRE = 47,
    PROTOCOL_ETHERIP = 97,
    PROTOCOL_PIM = 103,
    PROTOCOL_MPLS = 137,
    PROTOCOL_ETHERNET = 143, /* RFC 8986 */
    PORT_L2TP = 1701,
    PORT_GTPU = 2152,
    PORT_GTP_0 = 3386,
    PORT_TEREDO = 3544,
    PORT_LISP = 4341,
    PORT_VXLAN = 4789,
    PORT_VXLAN_GPE = 4790,
    PORT_AYIYA = 5072,
    PORT_CAPWAP = 5247,
    PORT_GENEVE = 6081,
    PORT_MPLS = 6635,
    PORT_VXLAN_LINUX = 8472, /* in use before there was a number */
    PORT_LWAPP = 12222,
    PORT_TZSP = 37008,
    TYPE_BRIDGE = ENCAP_ETHERNET,
    TYPE_PPP = 0x880b,
    TYPE_MPLS = ENCAP_MPLS_TYPE,
    TYPE_WCCP = 0x883e,
    TYPE_ERSPAN = 0x88be, /* I and II */
    TYPE_ERSPAN_III = 0x22eb,
    UDP_BYTES = 8,
    GTPU_DATA = 255,
    PIM_REGISTER = 0x21,
    PIM_BYTES = 8,
};

/* What follows a tunnel's header: data[at .. size), of an EtherType or, if it is
 * not 0, of a link type. */
struct inner {
    const uint8_t *data;
    uint32_t size;
    uint32_t at;
    uint32_t type;
    uint32_t linktype;
};

/* RFC 2784 and 2890; version 1 is PPTP's (RFC 2637 4.1). */
static uint32_t
tunnel_gre(struct inner *inner)
{
    const uint8_t *gre = inner->data;

    inner->at = UINT32_MAX; /* behind the end: it is cut */
    if (inner->size < 4)
        return TUNNEL_GRE;
    uint32_t flags = load16_be(gre), at = 4;
    at += flags & 0x8000 ? 4 : 0;
    at += flags & 0x2000 ? 4 : 0;
    at += flags & 0x1000 ? 4 : 0;
    at += (flags & 7) == 1 && (flags & 0x0080) ? 4 : 0;
    inner->type = load16_be(gre + 2);
    if (flags & 0x4000) /* source routes, which nobody has */
        return TUNNEL_GRE;
    inner->at = at;
    if (inner->type == TYPE_WCCP) { /* a word of redirection, in version 2 */
        inner->type = ENCAP_IPV4;
        inner->at += inner->size > at && gre[at] >> 4 != 4 ? 4 : 0;
    }
    if (inner->type == TYPE_ERSPAN) {
        inner->at += flags & 0x1000 ? 8 : 0;
        inner->type = TYPE_BRIDGE;
        return TUNNEL_ERSPAN;
    }
    if (inner->type != TYPE_ERSPAN_III)
        return TUNNEL_GRE;
    if (inner->size < at + 12) {
        inner->at = UINT32_MAX;
        return TUNNEL_ERSPAN;
    }
    inner->at += gre[at + 11] & 1 ? 20 : 12;
    bool is_ip = (gre[at + 10] >> 2 & 0x1f) == 2;
    inner->type = is_ip ? ENCAP_IPV4 : TYPE_BRIDGE;
    return TUNNEL_ERSPAN;
}

/* 3GPP TS 29.281 5.1 and 5.2: a chain of extension headers may follow. */
static bool
tunnel_gtpu(struct inner *inner)
{
    const uint8_t *gtp = inner->data;

    if (inner->size < 8 || gtp[0] >> 5 != 1 || (gtp[0] & 0x10) == 0 ||
        gtp[1] != GTPU_DATA)
        return false;
    uint32_t at = gtp[0] & 7 ? 12 : 8;
    bool more = (gtp[0] & 4) != 0 && inner->size >= 12 && gtp[11] != 0;
    while (more && at < inner->size && gtp[at] != 0) {
        at += gtp[at] * 4u;
        more = at <= inner->size && gtp[at - 1] != 0;
    }
    inner->at = at;
    inner->type = ENCAP_IPV4;
    return true;
}

/* 3GPP TS 29.060 of Release 98, of which GTP-U is the successor. */
static bool
tunnel_gtp_0(struct inner *inner)
{
    const uint8_t *gtp = inner->data;

    inner->at = 20;
    inner->type = ENCAP_IPV4;
    return inner->size >= 20 && gtp[0] >> 4 == 1 && gtp[1] == GTPU_DATA;
}

/*
 * RFC 5415 4.3, of an access point to its controller: frames of Ethernet or of
 * 802.11, whose frame control Cisco's write in the other order (the type of
 * data is told by the low four bits).
 */
static bool
tunnel_capwap(struct inner *inner)
{
    const uint8_t *capwap = inner->data;

    if (inner->size < 8 || capwap[0] != 0 || (capwap[3] & 0x80) != 0)
        return false; /* encrypted, or a fragment */
    inner->at = (capwap[1] >> 3) * 4u;
    inner->type = TYPE_BRIDGE;
    if ((capwap[2] & 1) == 0)
        return true;
    bool exchanged = inner->size > inner->at + 1 &&
                     (capwap[inner->at] & 0x0f) != 0x08 &&
                     (capwap[inner->at + 1] & 0x0f) == 0x08;
    inner->linktype = exchanged ? ENCAP_WLAN_EXCHANGED : ENCAP_WLAN;
    return true;
}

/* RFC 8926 3.4. */
static bool
tunnel_geneve(struct inner *inner)
{
    if (inner->size < 8 || inner->data[0] >> 6 != 0)
        return false;
    inner->at = 8 + (inner->data[0] & 0x3fu) * 4;
    inner->type = load16_be(inner->data + 2);
    return inner->type == TYPE_BRIDGE || inner->type == ENCAP_IPV4 ||
           inner->type == ENCAP_IPV6 || inner->type == TYPE_MPLS;
}

/* RFC 7348 5: of the flags only I is set. */
static bool
tunnel_vxlan(struct inner *inner)
{
    if (inner->size < 8 || (inner->data[0] & 0x08) == 0 || inner->data[7] != 0)
        return false;
    inner->at = 8;
    inner->type = TYPE_BRIDGE;
    return true;
}

/* draft-ietf-nvo3-vxlan-gpe: the last byte of the first word says what. */
static bool
tunnel_gpe(struct inner *inner)
{
    static const uint16_t types[] = {0, ENCAP_IPV4, ENCAP_IPV6, TYPE_BRIDGE,
                                     ENCAP_NSH};

    if (!tunnel_vxlan(inner))
        return false;
    uint32_t next = inner->data[0] & 0x04 ? inner->data[3] : 3;
    inner->type = next < sizeof types / sizeof *types ? types[next] : 0xffff;
    return true;
}

/* RFC 2661 3.1: data messages of version 2. */
static bool
tunnel_l2tp(struct inner *inner)
{
    const uint8_t *l2tp = inner->data;
    uint32_t at = 6;

    if (inner->size < at || (l2tp[0] & 0x80) != 0 || (l2tp[1] & 15) != 2)
        return false;
    at += l2tp[0] & 0x40 ? 2 : 0;
    at += l2tp[0] & 0x08 ? 4 : 0;
    if (l2tp[0] & 0x02) {
        if (inner->size < at + 2)
            return false;
        at += 2 + load16_be(l2tp + at);
    }
    inner->at = at;
    inner->type = TYPE_PPP;
    return true;
}

/* RFC 4380 5.1.1: an authentication and an origin may come first. */
static bool
tunnel_teredo(struct inner *inner)
{
    const uint8_t *data = inner->data;
    uint32_t at = 0;

    if (inner->size >= 13 && load16_be(data) == 1)
        at = 13u + data[2] + data[3];
    if (at + 8 <= inner->size && load16_be(data + at) == 0)
        at += 8;
    inner->at = at;
    inner->type = ENCAP_IPV6;
    return true;
}

/* RFC 9300 5.3. */
static bool
tunnel_lisp(struct inner *inner)
{
    inner->at = 8;
    inner->type = ENCAP_IPV4;
    return true;
}

/* What sniffers send to a collector. */
static bool
tunnel_tzsp(struct inner *inner)
{
    inner->at = encap_tzsp(inner->data, inner->size, &inner->linktype);
    return inner->at > 0;
}

/* An old client of IPv6 brokers: an identity and a signature, whose lengths the
 * first two bytes give. */
static bool
tunnel_ayiya(struct inner *inner)
{
    if (inner->size < 8)
        return false;
    uint32_t next = inner->data[3];
    inner->at = 8 + (1u << (inner->data[0] >> 4)) + (inner->data[1] >> 4) * 4u;
    inner->type = ENCAP_IPV6;
    return next == PROTOCOL_IPV4 || next == PROTOCOL_IPV6;
}

/* RFC 5412 4.2, before CAPWAP: frames of 802.11 that are not split. */
static bool
tunnel_lwapp(struct inner *inner)
{
    inner->at = 6;
    inner->linktype = ENCAP_WLAN;
    return inner->size > 6 && (inner->data[0] & 0xc7) == 0;
}

/* Those that only what is in them can prove. */
static uint32_t
tunnel_unproved(uint32_t to, uint32_t from, struct inner *inner)
{
    if (to == PORT_GTPU || from == PORT_GTPU)
        return tunnel_gtpu(inner) ? TUNNEL_GTPU : TUNNEL_NONE;
    if (to == PORT_GTP_0 || from == PORT_GTP_0)
        return tunnel_gtp_0(inner) ? TUNNEL_GTPU : TUNNEL_NONE;
    if (to == PORT_CAPWAP || from == PORT_CAPWAP)
        return tunnel_capwap(inner) ? TUNNEL_CAPWAP : TUNNEL_NONE;
    if (to == PORT_L2TP || from == PORT_L2TP)
        return tunnel_l2tp(inner) ? TUNNEL_L2TP : TUNNEL_NONE;
    if (to == PORT_AYIYA || from == PORT_AYIYA)
        return tunnel_ayiya(inner) ? TUNNEL_AYIYA : TUNNEL_NONE;
    if (to == PORT_LWAPP || from == PORT_LWAPP)
        return tunnel_lwapp(inner) ? TUNNEL_LWAPP : TUNNEL_NONE;
    if (to == PORT_TEREDO || from == PORT_TEREDO)
        return tunnel_teredo(inner) ? TUNNEL_TEREDO : TUNNEL_NONE;
    if (to == PORT_LISP)
        return tunnel_lisp(inner) ? TUNNEL_LISP : TUNNEL_NONE;
    inner->type = TYPE_MPLS;
    return to == PORT_MPLS ? TUNNEL_MPLS : TUNNEL_NONE;
}

static uint32_t
tunnel_udp(const struct view *view, struct inner *inner)
{
    uint32_t to = view->tuple.lport;

    inner->data = view->upper + UDP_BYTES;
    inner->size = view->upper_size - UDP_BYTES;
    inner->at = 0;
    if (to == PORT_VXLAN || to == PORT_VXLAN_LINUX)
        return tunnel_vxlan(inner) ? TUNNEL_VXLAN : TUNNEL_NONE;
    if (to == PORT_VXLAN_GPE)
        return tunnel_gpe(inner) ? TUNNEL_VXLAN : TUNNEL_NONE;
    if (to == PORT_GENEVE)
        return tunnel_geneve(inner) ? TUNNEL_GENEVE : TUNNEL_NONE;
    if (to == PORT_TZSP)
        return tunnel_tzsp(inner) ? TUNNEL_TZSP : TUNNEL_NONE;
    return tunnel_unproved(to, view->tuple.fport, inner);
}

static uint32_t
tunnel_ip(const struct view *view, struct inner *inner)
{
    inner->data = view->upper;
    inner->size = view->upper_size;
    inner->at = 0;
    switch (view->protocol) {
    case PROTOCOL_IPV4:
        inner->type = ENCAP_IPV4;
        return TUNNEL_IPIP;
    case PROTOCOL_IPV6:
        inner->type = ENCAP_IPV6;
        return view->tuple.family == 4 ? TUNNEL_6IN4 : TUNNEL_IPIP;
    case PROTOCOL_GRE:
        return tunnel_gre(inner);
    case PROTOCOL_ETHERIP: /* RFC 3378 3 */
        inner->at = 2;
        inner->type = TYPE_BRIDGE;
        return TUNNEL_ETHERIP;
    case PROTOCOL_PIM: /* RFC 7761 4.9.3: what its source sends to a group */
        if (inner->size < PIM_BYTES || inner->data[0] != PIM_REGISTER)
            return TUNNEL_NONE;
        inner->at = PIM_BYTES;
        inner->type = ENCAP_IPV4;
        return inner->size > PIM_BYTES ? TUNNEL_PIM : TUNNEL_NONE;
    case PROTOCOL_ETHERNET:
        inner->type = TYPE_BRIDGE;
        return TUNNEL_ETHERIP;
    case PROTOCOL_MPLS:
        inner->type = TYPE_MPLS;
        return TUNNEL_MPLS;
    default:
        return TUNNEL_NONE;
    }
}

static struct encap
tunnel_inside(const struct inner *inner)
{
    if (inner->at >= inner->size)
        return encap_nothing(ENCAP_CUT, 0);
    if (inner->linktype == 0)
        return encap_ethertype(inner->data, inner->size, inner->at,
                               inner->type);
    struct encap found = encap_frame(inner->linktype, inner->data + inner->at,
                                     inner->size - inner->at, true);
    found.offset += inner->at;
    return found;
}

uint32_t
tunnel_find(const struct view *view, struct encap *inside)
{
    struct inner inner = {.linktype = 0};
    uint32_t kind = TUNNEL_NONE;

    if (view->upper == NULL || view->fragment)
        return TUNNEL_NONE;
    if (view->kind == VIEW_UDP)
        kind = tunnel_udp(view, &inner);
    else if (view->kind == VIEW_OTHER)
        kind = tunnel_ip(view, &inner);
    if (kind == TUNNEL_NONE)
        return TUNNEL_NONE;
    *inside = tunnel_inside(&inner);
    /* A port proves nothing; an IP packet where it must be does. */
    bool proved =
        kind != TUNNEL_GTPU && kind != TUNNEL_L2TP && kind != TUNNEL_TEREDO &&
        kind != TUNNEL_LISP && kind != TUNNEL_CAPWAP && kind != TUNNEL_AYIYA &&
        kind != TUNNEL_LWAPP && (kind != TUNNEL_MPLS || view->kind != VIEW_UDP);
    if (!proved && inside->reason != ENCAP_NONE)
        return TUNNEL_NONE;
    inside->offset += (uint32_t)(inner.data - view->ip);
    return kind;
}

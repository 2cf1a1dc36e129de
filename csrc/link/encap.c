/*
 * From link headers to IP packets.  See encap.h.
 *
 * A frame is a chain of headers, each of which names the next: linktypes[] says
 * how it begins, encap_ethertype() and its kind follow it.  Every step checks
 * that its bytes are there and moves on by one at least.
 */
#include "encap_more.h"

#include "../core/bytes.h"

enum {
    ETHERNET_HEADER = 14,
    MACS = 12,
    ISL_HEADER = 26,
    LENGTH_MAX = 1535, /* a smaller EtherType is the length of an LLC frame */
    TYPE_TEB = ENCAP_ETHERNET,
    TYPE_TRILL = 0x22f3,
    TYPE_PPP = 0x880b,
    TYPE_MPLS = ENCAP_MPLS_TYPE,
    TYPE_MPLS_MULTICAST = 0x8848,
    TYPE_PPPOE = 0x8864,
    TYPE_BACKBONE = 0x88e7, /* 802.1ah: a tag, then the customer's frame */
    TYPE_CISCO_META = 0x8909,
    TYPE_FABRIC_PATH = 0x8903, /* a tag, then the frame that a switch took */
    TYPE_VN_TAG = 0x8926,
    TYPE_JUMBO = 0x8870,  /* 802.2 in frames too long for a length */
    TYPE_MACSEC = 0x88e5, /* 802.1AE */
    TYPE_EDSA = 0xdada,   /* a switch chip's tag */
    TYPE_BATMAN = 0x4305,
    TYPE_HSR = 0x892f,            /* and PRP, IEC 62439-3 */
    TYPE_BRIDGE_TAG = 0x893f,     /* 802.1BR */
    TYPE_REDUNDANCY_TAG = 0xf1c1, /* 802.1CB */
    TYPE_NSH = ENCAP_NSH,
    TYPE_TAG_9200 = 0x9200,
    TYPE_TAG_9300 = 0x9300,
    LENGTH_ANY = 0, /* of an LLC frame that does not give its length */
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,
    PPP_BRIDGED = 0x0031,   /* RFC 3518 */
    PPP_MULTILINK = 0x003d, /* RFC 1990 */
    PPP_MPLS = 0x0281,
    PPP_MPLS_MULTICAST = 0x0283,
    LLC_SNAP = 0xaa,
    LLC_OSI = 0xfe,
    LLC_IP = 0x06,
    LLC_UI = 0x03,
    SNAP_BYTES = 8,
    NLPID_IPV4 = 0xcc,
    NLPID_IPV6 = 0x8e,
    NFLOG_PAYLOAD = 9,
};

/* How the frames of a link type begin. */
enum linktype_first {
    FIRST_IP,
    FIRST_TYPE, /* an EtherType at `type_at` */
    FIRST_LLC,
    FIRST_PPP,
    FIRST_COOKED, /* an EtherType at `type_at`, or one of Linux's own */
    FIRST_PFLOG,
    FIRST_NFLOG
};

struct linktype {
    uint16_t number;
    uint8_t header; /* bytes */
    uint8_t type_at;
    uint8_t first; /* enum linktype_first */
};

/* The commonest come first. */
static const struct linktype linktypes[] = {
    {1, ETHERNET_HEADER, MACS, FIRST_TYPE}, /* Ethernet */
    {101, 0, 0, FIRST_IP},                  /* raw IP */
    {113, 16, 14, FIRST_COOKED},            /* Linux cooked */
    {276, 20, 0, FIRST_COOKED},             /* Linux cooked 2 */
    {0, 4, 0, FIRST_IP},                    /* BSD loopback */
    {8, 16, 0, FIRST_IP},                   /* SLIP */
    {9, 0, 0, FIRST_PPP},                   /* PPP */
    {10, 13, 0, FIRST_LLC},                 /* FDDI */
    {11, 0, 0, FIRST_LLC},                  /* RFC 1483 ATM of BSDs */
    {12, 0, 0, FIRST_IP},                   /* raw IP of most systems */
    {14, 0, 0, FIRST_IP},                   /* raw IP of OpenBSD */
    {50, 0, 0, FIRST_PPP},                  /* PPP in HDLC-like framing */
    {51, 6, 0, FIRST_PPP},                  /* PPPoE session */
    {99, 44, 6, FIRST_TYPE},                /* Symantec's firewall */
    {100, 0, 0, FIRST_LLC},                 /* RFC 1483 ATM */
    {104, 4, 2, FIRST_TYPE},                /* Cisco HDLC */
    {108, 4, 0, FIRST_IP},                  /* OpenBSD loopback */
    {109, 12, 0, FIRST_IP},                 /* OpenBSD encapsulated IP */
    {112, 4, 2, FIRST_TYPE},                /* Cisco HDLC, before 104 */
    {117, 1, 0, FIRST_PFLOG},               /* OpenBSD's and FreeBSD's pf log */
    {122, 16, 0, FIRST_LLC},                /* IP over Fibre Channel */
    {123, 4, 0, FIRST_LLC},                 /* SunATM */
    {138, 18, 16, FIRST_TYPE},              /* IP over IEEE 1394 */
    {166, 0, 0, FIRST_PPP},                 /* PPP of pppd */
    {204, 1, 0, FIRST_PPP},                 /* PPP with direction */
    {205, 5, 3, FIRST_TYPE},                /* Cisco HDLC with direction */
    {226, 24, 0, FIRST_IP},                 /* Solaris' IPNET */
    {228, 0, 0, FIRST_IP},                  /* IPv4 */
    {229, 0, 0, FIRST_IP},                  /* IPv6 */
    {239, 4, 0, FIRST_NFLOG},               /* Linux netfilter log */
    {240, 18, 16, FIRST_TYPE},              /* netANALYZER */
    {241, 26, 24, FIRST_TYPE},              /* netANALYZER with preamble */
    {242, 44, 40, FIRST_TYPE},              /* IP over InfiniBand */
    {274, 22, 20, FIRST_TYPE},              /* mPackets, with preamble */
    {281, 18, 16, FIRST_TYPE},              /* a tag of Broadcom's switches */
    {282, 18, 16, FIRST_TYPE},              /* the same in front */
    {284, 18, 16, FIRST_TYPE},              /* a tag of Marvell's switches */
    {285, ETHERNET_HEADER, MACS, FIRST_TYPE}, /* behind an EtherType */
};

/* IP was announced at an offset: is it there? */
static struct encap
encap_ip(const uint8_t *data, uint32_t size, uint32_t at)
{
    if (at >= size)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t version = data[at] >> 4;
    if (version != 4 && version != 6)
        return encap_nothing(ENCAP_VERSION, version);
    return (struct encap){.offset = at};
}

/* An Ethernet frame at an offset that leads to IP (RFC 4448); what an MPLS
 * label stands for is known to its ends only. */
static bool
encap_is_ethernet(const uint8_t *data, uint32_t size, uint32_t at,
                  struct encap *found)
{
    uint32_t type = ENCAP_VLAN;

    for (at += MACS; encap_is_tag(type) && at + 2 <= size; at += 4)
        type = load16_be(data + at);
    if (type != ENCAP_IPV4 && type != ENCAP_IPV6)
        return false;
    *found = encap_ip(data, size, at - 2);
    return found->reason == ENCAP_NONE;
}

static struct encap
encap_mpls(const uint8_t *data, uint32_t size, uint32_t at)
{
    bool bottom = false;

    while (!bottom) {
        if (at + 4 > size)
            return encap_nothing(ENCAP_CUT, 0);
        bottom = (data[at + 2] & 1) != 0;
        at += 4;
    }
    struct encap found = encap_ip(data, size, at);
    if (found.reason != ENCAP_VERSION)
        return found;
    /* With a control word, whose first four bits are zero, or without. */
    if ((found.number == 0 && encap_is_ethernet(data, size, at + 4, &found)) ||
        encap_is_ethernet(data, size, at, &found))
        return found;
    return encap_nothing(ENCAP_MPLS, 0);
}

/* A frame that was not split, behind a long sequence number; or a bridged one
 * of Ethernet.  `found` stays if it is neither. */
static void
encap_ppp_more(const uint8_t *data, uint32_t size, uint32_t at,
               uint32_t protocol, struct encap *found)
{
    if (size - at < 4)
        return;
    if (protocol == PPP_MULTILINK && (data[at] & 0xc0) == 0xc0)
        *found = encap_ppp(data, size, at + 4);
    else if (protocol == PPP_BRIDGED && data[at + 1] == 1)
        *found = encap_ethertype(
            data, size, at + ((data[at] & 0x40) != 0 ? 6 : 2), TYPE_TEB);
}

struct encap
encap_ppp(const uint8_t *data, uint32_t size, uint32_t at)
{
    if (at + 2 <= size && data[at] == 0xff && data[at + 1] == 0x03)
        at += 2; /* address and control of RFC 1662 3.1 */
    else if (at + 4 <= size && (data[at] & 0x7f) == 0x0f && data[at + 1] == 0)
        return encap_ethertype(data, size, at + 4, /* Cisco HDLC */
                               load16_be(data + at + 2));
    if (at + 1 > size)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t protocol = data[at]; /* compressed: RFC 1661 6.5 */
    if ((protocol & 1) == 0) {
        if (at + 2 > size)
            return encap_nothing(ENCAP_CUT, 0);
        protocol = load16_be(data + at);
        at++;
    }
    at++;
    if (protocol == PPP_IPV4 || protocol == PPP_IPV6)
        return encap_ip(data, size, at);
    if (protocol == PPP_MPLS || protocol == PPP_MPLS_MULTICAST)
        return encap_mpls(data, size, at);
    struct encap found = encap_nothing(ENCAP_PPP, protocol);
    encap_ppp_more(data, size, at, protocol, &found);
    return found;
}

/* Bytes of a header that only names the next EtherType, which ends it; 0: it
 * is another. */
static uint32_t
encap_tag_size(uint32_t type)
{
    switch (type) {
    case ENCAP_VLAN:
    case ENCAP_SERVICE_VLAN:
    case ENCAP_OLD_SERVICE_VLAN:
    case TYPE_TAG_9200:
    case TYPE_TAG_9300:
        return 4;
    case TYPE_HSR:
    case TYPE_REDUNDANCY_TAG:
    case TYPE_VN_TAG:
        return 6;
    case TYPE_BRIDGE_TAG:
    case TYPE_CISCO_META:
    case TYPE_EDSA:
        return 8;
    case TYPE_FABRIC_PATH:
        return 2 + ETHERNET_HEADER;
    case TYPE_BACKBONE:
        return 4 + ETHERNET_HEADER;
    case TYPE_TEB:
        return ETHERNET_HEADER;
    default:
        return 0;
    }
}

/* RFC 8300: a service path in front of a packet or a frame. */
static uint32_t
encap_nsh(const uint8_t *nsh, uint32_t *type)
{
    static const uint16_t types[] = {0,        ENCAP_IPV4, ENCAP_IPV6,
                                     TYPE_TEB, TYPE_NSH,   TYPE_MPLS};

    *type = nsh[3] < sizeof types / sizeof *types ? types[nsh[3]] : 0;
    return *type == 0 ? 0 : (nsh[1] & 0x3fu) * 4;
}

/* RFC 6325 3: a frame on its way between bridges. */
static uint32_t
encap_trill(const uint8_t *trill, uint32_t *type)
{
    *type = TYPE_TEB;
    return 6 + ((trill[0] & 7u) << 2 | trill[1] >> 6) * 4;
}

/* 802.1AE: a frame that is protected from changes and not encrypted. */
static uint32_t
encap_macsec(const uint8_t *macsec, uint32_t size, uint32_t *type)
{
    uint32_t header = (macsec[0] & 0x20) != 0 ? 14 : 6;

    if ((macsec[0] & 0x8c) != 0 || size < header + 2)
        return 0;
    *type = load16_be(macsec + header);
    return header + 2;
}

/* A frame between hosts of a batman-adv mesh, of today's version. */
static uint32_t
encap_batman(const uint8_t *batman, uint32_t *type)
{
    bool unicast = batman[0] == 0x40 && batman[1] == 15;

    *type = TYPE_TEB;
    return unicast ? 10 : 0;
}

/* Goes past a header that says its length; false: it is none of these. */
static bool
encap_path(const uint8_t *data, uint32_t size, uint32_t *at, uint32_t *type)
{
    uint32_t step = 0, next = *type;

    if (*at + 8 > size)
        return false;
    if (*type == TYPE_NSH)
        step = encap_nsh(data + *at, &next);
    else if (*type == TYPE_TRILL)
        step = encap_trill(data + *at, &next);
    else if (*type == TYPE_MACSEC)
        step = encap_macsec(data + *at, size - *at, &next);
    else if (*type == TYPE_BATMAN)
        step = encap_batman(data + *at, &next);
    if (step == 0 || step > size - *at)
        return false;
    *at += step;
    *type = next;
    return true;
}

/*
 * 802.2.  True: SNAP, whose EtherType is in found->number and leads on behind
 * these SNAP_BYTES.
 */
static bool
encap_llc(const uint8_t *data, uint32_t size, uint32_t at, struct encap *found)
{
    *found = encap_nothing(ENCAP_CUT, 0);
    if (at + 4 > size)
        return false;
    uint32_t sap = data[at];
    if (sap == LLC_IP && data[at + 1] == LLC_IP && data[at + 2] == LLC_UI)
        *found = encap_ip(data, size, at + 3);
    else if (sap == LLC_OSI && data[at + 2] == LLC_UI &&
             (data[at + 3] == NLPID_IPV4 || data[at + 3] == NLPID_IPV6))
        *found = encap_ip(data, size, at + 4);
    else if (sap != LLC_SNAP || data[at + 2] != LLC_UI)
        *found = encap_nothing(ENCAP_LLC, sap);
    else if (at + SNAP_BYTES <= size) {
        uint32_t oui = (uint32_t)data[at + 3] << 16 | load16_be(data + at + 4);
        /* RFC 1042, and 802.1H's bridge tunnel; else it is the vendor's. */
        *found = encap_nothing(ENCAP_SNAP, load16_be(data + at + 6));
        return (oui == 0 || oui == 0xf8) && found->number > LENGTH_MAX;
    }
    return false;
}

struct encap
encap_ethertype(const uint8_t *data, uint32_t size, uint32_t at, uint32_t type)
{
    for (;;) {
        struct encap found;
        uint32_t tag = encap_tag_size(type);

        if (tag > 0) {
            if (at + tag > size)
                return encap_nothing(ENCAP_CUT, 0);
            at += tag;
            type = load16_be(data + at - 2);
        } else if (type <= LENGTH_MAX || type == TYPE_JUMBO) {
            if (!encap_llc(data, size, at, &found))
                return found;
            at += SNAP_BYTES;
            type = found.number;
        } else if (!encap_path(data, size, &at, &type)) {
            break;
        }
    }
    switch (type) {
    case ENCAP_IPV4:
    case ENCAP_IPV6:
        return encap_ip(data, size, at);
    case TYPE_MPLS:
    case TYPE_MPLS_MULTICAST:
        return encap_mpls(data, size, at);
    case TYPE_PPPOE:
        return encap_ppp(data, size, at + 6);
    case TYPE_PPP:
        return encap_ppp(data, size, at);
    default:
        return encap_nothing(ENCAP_ETHERTYPE, type);
    }
}

/* Is there an EtherType of IP at an offset, and such a packet behind it? */
static bool
encap_is_ip(const uint8_t *data, uint32_t size, uint32_t at)
{
    if (at + 2 >= size)
        return false;
    uint32_t type = load16_be(data + at), version = data[at + 2] >> 4;
    return (type == ENCAP_IPV4 && version == 4) ||
           (type == ENCAP_IPV6 && version == 6);
}

/* Cisco's ISL: a header of 26 bytes in front of a frame.  What would be the
 * type is its length. */
static bool
encap_is_isl(const uint8_t *frame, uint32_t size)
{
    return size >= ISL_HEADER + ETHERNET_HEADER && (frame[0] & ~2u) == 1 &&
           frame[1] == 0 && frame[2] == 0x0c && load16_be(frame + 3) == 0 &&
           load16_be(frame + 14) == 0xaaaa;
}

static struct encap
encap_by_type(const uint8_t *frame, uint32_t size, const struct linktype *link)
{
    uint32_t type = load16_be(frame + link->type_at), at = link->header;

    if (type <= LENGTH_MAX && link->type_at == MACS &&
        encap_is_isl(frame, size)) {
        at += ISL_HEADER;
        type = load16_be(frame + ISL_HEADER + MACS);
    }
    return encap_ethertype(frame, size, at, type);
}

/*
 * Linux cooked headers.  A capture library that puts a VLAN tag back put it two
 * bytes too early in some versions, so that the tag lies where the EtherType
 * should be and the EtherType two or four bytes later.
 */
static struct encap
encap_cooked(const uint8_t *frame, uint32_t size, const struct linktype *link)
{
    uint32_t type = load16_be(frame + link->type_at);

    struct encap found = encap_ethertype(frame, size, link->header, type);
    if (found.reason == ENCAP_NONE || encap_is_tag(type))
        return found;
    if (encap_is_ip(frame, size, link->header))
        return (struct encap){.offset = link->header + 2u};
    if (encap_is_ip(frame, size, link->header + 2u))
        return (struct encap){.offset = link->header + 4u};
    return found;
}

/* The first byte is the header's length, which is padded to words. */
static struct encap
encap_pflog(const uint8_t *frame, uint32_t size)
{
    return encap_ip(frame, size, (frame[0] + 3u) & ~3u);
}

/* Attributes of length, type and value; the packet is the value of one. */
static struct encap
encap_nflog(const uint8_t *frame, uint32_t size, uint32_t at, bool big_endian)
{
    while (at + 4 <= size) {
        uint32_t low = frame[at + (big_endian ? 1 : 0)];
        uint32_t high = frame[at + (big_endian ? 0 : 1)];
        uint32_t length = high << 8 | low;
        uint32_t type = frame[at + (big_endian ? 3 : 2)];

        if (type == NFLOG_PAYLOAD)
            return encap_ip(frame, size, at + 4);
        if (length < 4)
            break;
        at += (length + 3) & ~3u;
    }
    return encap_nothing(ENCAP_CUT, 0);
}

static const struct linktype *
encap_linktype(uint32_t number)
{
    for (uint32_t i = 0; i < sizeof linktypes / sizeof *linktypes; i++)
        if (linktypes[i].number == number)
            return &linktypes[i];
    return 0;
}

struct encap
encap_frame(uint32_t linktype, const uint8_t *frame, uint32_t size,
            bool big_endian)
{
    const struct linktype *link = encap_linktype(linktype);

    if (link == 0)
        return encap_more(linktype, frame, size, big_endian);
    if (size < link->header)
        return encap_nothing(ENCAP_CUT, 0);
    switch ((enum linktype_first)link->first) {
    case FIRST_TYPE:
        return encap_by_type(frame, size, link);
    case FIRST_LLC:
        return encap_ethertype(frame, size, link->header, LENGTH_ANY);
    case FIRST_PPP:
        return encap_ppp(frame, size, link->header);
    case FIRST_COOKED:
        return encap_cooked(frame, size, link);
    case FIRST_PFLOG:
        return encap_pflog(frame, size);
    case FIRST_NFLOG:
        return encap_nflog(frame, size, link->header, big_endian);
    case FIRST_IP:
        break;
    }
    return encap_ip(frame, size, link->header);
}

/*
 * Link headers that take more than a row of a table: IEEE 802.11 and what
 * drivers put in front of it, headers that name another link type, frame relay,
 * token ring and ERF.  See encap.h.
 *
 * Frames of 802.11 that are encrypted, or no data, are not looked at.
 */
#include "encap_more.h"

#include "../core/bytes.h"
#include "encap_rare.h"

enum {
    TOKEN_RING = 6,
    FRAME_RELAY = 107,
    WLAN_PRISM = 119,
    WLAN_RADIOTAP = 127,
    WLAN_AVS = 163,
    PPI = 192,
    ERF = 197,
    FRAME_RELAY_DIRECTION = 206,
    MPLS = 219,
    PKTAP = 258,
    WLAN_HEADER = 24,
    FLAGS_PADDED = 0x20, /* of radiotap */
    SNAP = 0x80,         /* NLPID */
    NLPID_IPV4 = 0xcc,
    NLPID_IPV6 = 0x8e,
    BRIDGED = 0x0080c2,
    LENGTH_UNKNOWN = 0,
};

static uint32_t
le16(const uint8_t *at)
{
    return (uint32_t)at[1] << 8 | at[0];
}

/* A data frame of 802.11 at an offset; its header may be padded to words. */
static struct encap
more_wlan(const uint8_t *frame, uint32_t size, uint32_t at, bool padded,
          uint32_t linktype)
{
    uint32_t header = WLAN_HEADER;

    if (at > size || size - at < WLAN_HEADER)
        return encap_nothing(ENCAP_CUT, 0);
    const uint8_t *wlan = frame + at;
    bool exchanged = linktype == ENCAP_WLAN_EXCHANGED;
    uint8_t type = wlan[exchanged ? 1 : 0], flags = wlan[exchanged ? 0 : 1];
    bool qos = (type & 0x80) != 0;
    /* Data, with a payload, and not encrypted. */
    if ((type & 0x4f) != 0x08 || (flags & 0x40) != 0)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    header += (flags & 3) == 3 ? 6 : 0; /* between access points */
    uint32_t control = header;
    header += qos ? 2 : 0;
    header += qos && (flags & 0x80) != 0 ? 4 : 0;
    if (padded)
        header = (header + 3) & ~3u;
    if (size - at < header)
        return encap_nothing(ENCAP_CUT, 0);
    if (qos && (wlan[control] & 0x80) != 0)
        header += 14; /* several in one: the first of them */
    return encap_ethertype(frame, size, at + header, LENGTH_UNKNOWN);
}

/* Flags lie behind the words that say what is present, and a time. */
static struct encap
more_radiotap(const uint8_t *frame, uint32_t size)
{
    uint32_t at = 4;

    if (size < 8)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t header = le16(frame + 2), present = load32_le(frame + 4);
    if (header < 8 || header > size)
        return encap_nothing(ENCAP_CUT, 0);
    while (at + 4 <= header && (frame[at + 3] & 0x80) != 0)
        at += 4;
    at += 4;
    if ((present & 1) != 0)
        at = ((at + 7) & ~7u) + 8;
    bool padded =
        (present & 2) != 0 && at < header && (frame[at] & FLAGS_PADDED) != 0;
    return more_wlan(frame, size, header, padded, WLAN_RADIOTAP);
}

/*
 * Both kinds of header occur under both numbers.  The length of AVS is in network
 * order, that of Prism in the host's: of the two readings one is too long.
 */
static struct encap
more_prism(const uint8_t *frame, uint32_t size, uint32_t linktype)
{
    if (size < 8)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t header = load32_le(frame + 4);
    if (header > 4096)
        header = load16_be(frame + 6);
    return more_wlan(frame, size, header, false, linktype);
}

/* A header that gives its size and the link type of the frame behind it. */
static struct encap
more_inner(const uint8_t *frame, uint32_t size, uint32_t header,
           uint32_t linktype, bool big_endian)
{
    if (header > size)
        return encap_nothing(ENCAP_CUT, 0);
    if (header == 0 || linktype == PPI || linktype == PKTAP)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    struct encap found =
        encap_frame(linktype, frame + header, size - header, big_endian);
    found.offset += header;
    return found;
}

/* RFC 2427, or Cisco's: an EtherType behind the address. */
static struct encap
more_frame_relay(const uint8_t *frame, uint32_t size, uint32_t at)
{
    uint32_t end = at + 4;

    while (at < size && at < end && (frame[at] & 1) == 0)
        at++;
    at++;
    if (size < 4 || at > size - 4)
        return encap_nothing(ENCAP_CUT, 0);
    if (frame[at] != 0x03)
        return encap_ethertype(frame, size, at + 2, load16_be(frame + at));
    at += frame[at + 1] == 0 ? 2 : 1;
    uint32_t nlpid = frame[at];
    if (nlpid == NLPID_IPV4)
        return encap_ethertype(frame, size, at + 1, ENCAP_IPV4);
    if (nlpid == NLPID_IPV6)
        return encap_ethertype(frame, size, at + 1, ENCAP_IPV6);
    if (nlpid != SNAP || size - at < 6)
        return encap_nothing(ENCAP_LLC, nlpid);
    uint32_t oui = (uint32_t)frame[at + 1] << 16 | load16_be(frame + at + 2);
    uint32_t type = load16_be(frame + at + 4);
    if (oui == 0)
        return encap_ethertype(frame, size, at + 6, type);
    if (oui == BRIDGED && (type == 1 || type == 7))
        return encap_ethertype(frame, size, at + 6, ENCAP_ETHERNET);
    return encap_nothing(ENCAP_SNAP, type);
}

/* Its source address says whether a route follows (IEEE 802.5). */
static struct encap
more_token_ring(const uint8_t *frame, uint32_t size)
{
    uint32_t header = 14;

    if (size <= header)
        return encap_nothing(ENCAP_CUT, 0);
    if ((frame[8] & 0x80) != 0)
        header += frame[header] & 0x1fu;
    return encap_ethertype(frame, size, header, LENGTH_UNKNOWN);
}

/*
 * Endace's cards: a time, a type, flags and lengths, then headers of 8 bytes as
 * long as the first byte of each says that more follow.
 */
static struct encap
more_erf(const uint8_t *frame, uint32_t size)
{
    uint32_t at = 16;

    if (size < at)
        return encap_nothing(ENCAP_CUT, 0);
    for (uint32_t more = frame[8]; (more & 0x80) != 0; at += 8) {
        if (size - at < 8)
            return encap_nothing(ENCAP_CUT, 0);
        more = frame[at];
    }
    switch (frame[8] & 0x7f) {
    case 1: /* HDLC */
    case 10:
    case 15:
    case 19:
        return encap_ppp(frame, size, at);
    case 2: /* Ethernet behind two bytes */
    case 11:
    case 16:
    case 20:
        return encap_ethertype(frame, size, at + 2, ENCAP_ETHERNET);
    case 22:
        return encap_ethertype(frame, size, at, ENCAP_IPV4);
    case 23:
        return encap_ethertype(frame, size, at, ENCAP_IPV6);
    default:
        return encap_nothing(ENCAP_LINKTYPE, ERF);
    }
}

struct encap
encap_more(uint32_t linktype, const uint8_t *frame, uint32_t size,
           bool big_endian)
{
    switch (linktype) {
    case TOKEN_RING:
        return more_token_ring(frame, size);
    case ENCAP_WLAN:
    case ENCAP_WLAN_EXCHANGED:
        return more_wlan(frame, size, 0, false, linktype);
    case WLAN_RADIOTAP:
        return more_radiotap(frame, size);
    case WLAN_PRISM:
    case WLAN_AVS:
        return more_prism(frame, size, linktype);
    case FRAME_RELAY:
        return more_frame_relay(frame, size, 0);
    case FRAME_RELAY_DIRECTION:
        return more_frame_relay(frame, size, 1);
    case MPLS:
        return encap_ethertype(frame, size, 0, ENCAP_MPLS_TYPE);
    case ERF:
        return more_erf(frame, size);
    case PPI:
        if (size < 8)
            return encap_nothing(ENCAP_CUT, 0);
        return more_inner(frame, size, le16(frame + 2), load32_le(frame + 4),
                          big_endian);
    case PKTAP:
        if (size < 12)
            return encap_nothing(ENCAP_CUT, 0);
        return more_inner(frame, size, load32_le(frame), load32_le(frame + 8),
                          big_endian);
    default:
        return encap_rare(linktype, frame, size);
    }
}

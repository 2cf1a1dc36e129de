/*
 * Link headers that are met rarely.  See encap_rare.h.
 *
 * Of Juniper's there is no specification; what is read here is what Wireshark
 * reads: a magic number, flags, an extension, and a cookie of the card's.
 */
#include "encap_rare.h"

#include "../core/bytes.h"
#include "encap_more.h"

enum {
    ETHERNET = 1,
    AX25 = 3,
    ARCNET_BSD = 7,
    CLIP_OLD = 16, /* as some systems numbered it, up to 19 */
    CLIP_LAST = 19,
    CLIP = 106,
    TZSP = 128,
    ARCNET_LINUX = 129,
    JUNIPER_MLPPP = 130,
    JUNIPER_MLFR = 131,
    JUNIPER_GGSN = 133,
    JUNIPER_ATM2 = 135,
    JUNIPER_SERVICES = 136,
    JUNIPER_ATM1 = 137,
    JUNIPER_PPPOE = 167,
    JUNIPER_PPPOE_ATM = 168,
    GFP_T = 170,
    GFP_F = 171,
    JUNIPER_ETHERNET = 178,
    JUNIPER_PPP = 179,
    JUNIPER_FRAME_RELAY = 180,
    JUNIPER_HDLC = 181,
    JUNIPER_VOICE = 183,
    AX25_KISS = 202,
    EXPORTED = 252,
    EPON = 259,
    EBHSCR = 279,
    FRAME_RELAY = 107,
    AX25_ADDRESS = 7,
    AX25_IP = 0xcc,
    ARCNET_IP_OLD = 0xf0, /* RFC 1051 */
    ARCNET_IP = 0xd4,     /* RFC 1201 */
    ARCNET_IPV6 = 0xc4,
    GFP_ETHERNET = 1,
    GFP_PPP = 2,
    EXPORTED_END = 0,
    EXPORTED_NAME = 12,
    EPON_START = 0xd5,
    EBHSCR_ETHERNET = 0x50,
    EBHSCR_HEADER = 32,
    TZSP_ETHERNET = 1,
    TZSP_WLAN = 18,
    LENGTH_UNKNOWN = 0,
};

/* IP of either version at an offset. */
static struct encap
rare_ip(const uint8_t *frame, uint32_t size, uint32_t at)
{
    return encap_ethertype(frame, size, at, ENCAP_IPV4);
}

/* A frame of another link type at an offset. */
static struct encap
rare_inner(const uint8_t *frame, uint32_t size, uint32_t at, uint32_t linktype)
{
    if (at >= size)
        return encap_nothing(ENCAP_CUT, 0);
    struct encap found = encap_frame(linktype, frame + at, size - at, true);
    found.offset += at;
    return found;
}

/* Behind an ATM cell's header: 802.2, PPP or IP without anything. */
static struct encap
rare_atm(const uint8_t *frame, uint32_t size, uint32_t at)
{
    if (at >= size)
        return encap_nothing(ENCAP_CUT, 0);
    if (frame[at] >> 4 == 4 || frame[at] >> 4 == 6)
        return rare_ip(frame, size, at);
    if (frame[at] == 0xff || frame[at] == 0)
        return encap_ppp(frame, size, at);
    return encap_ethertype(frame, size, at, LENGTH_UNKNOWN);
}

/* Past a card's cookie in front of a multilink's frame. */
static uint32_t
rare_cookie(const uint8_t *frame, uint32_t size, uint32_t at)
{
    return at + (at < size && frame[at] == 0x54 ? 4 : 2);
}

/* Frame relay without its address: RFC 2427 3. */
static struct encap
rare_nlpid(const uint8_t *frame, uint32_t size, uint32_t at)
{
    if (at + 2 > size)
        return encap_nothing(ENCAP_CUT, 0);
    if (frame[at] == 0x03 && (frame[at + 1] == 0xcc || frame[at + 1] == 0x8e))
        return rare_ip(frame, size, at + 2);
    return encap_nothing(ENCAP_LLC, frame[at + 1]);
}

static struct encap
rare_juniper(uint32_t linktype, const uint8_t *frame, uint32_t size)
{
    uint32_t at = 4;

    if (size < 6)
        return encap_nothing(ENCAP_CUT, 0);
    if (load16_be(frame) != 0x4d47 || frame[2] != 0x43)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    if ((frame[3] & 0x80) != 0)
        at += 2 + load16_be(frame + 4);
    if ((frame[3] & 2) != 0) /* no frame: the protocol in a number of theirs */
        return rare_ip(frame, size, at + 4);
    switch (linktype) {
    case JUNIPER_MLPPP:
        return encap_ppp(frame, size, rare_cookie(frame, size, at));
    case JUNIPER_MLFR:
        return rare_nlpid(frame, size, rare_cookie(frame, size, at));
    case JUNIPER_GGSN:
        return rare_ip(frame, size, at + 4);
    case JUNIPER_ATM1:
        return rare_atm(frame, size, at + 4);
    case JUNIPER_ATM2:
        return rare_atm(frame, size, at + 8);
    case JUNIPER_PPPOE:
    case JUNIPER_PPPOE_ATM:
    case JUNIPER_ETHERNET:
        return encap_ethertype(frame, size, at, ENCAP_ETHERNET);
    case JUNIPER_PPP:
    case JUNIPER_HDLC:
        return encap_ppp(frame, size, at);
    case JUNIPER_FRAME_RELAY:
        return rare_inner(frame, size, at, FRAME_RELAY);
    case JUNIPER_VOICE:
        return rare_ip(frame, size, at + 18);
    default:
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    }
}

/* Two to ten addresses, of which the last has its lowest bit set. */
static struct encap
rare_ax25(const uint8_t *frame, uint32_t size, uint32_t at, uint32_t linktype)
{
    uint32_t addresses = 1;

    for (at += AX25_ADDRESS; addresses < 10; addresses++, at += AX25_ADDRESS) {
        if (at > size)
            return encap_nothing(ENCAP_CUT, 0);
        if ((frame[at - 1] & 1) != 0)
            break;
    }
    if (at + 2 > size)
        return encap_nothing(ENCAP_CUT, 0);
    if ((frame[at] & 1) != 0 && frame[at] != 0x03)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    if (frame[at + 1] != AX25_IP)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    return rare_ip(frame, size, at + 2);
}

static struct encap
rare_arcnet(const uint8_t *frame, uint32_t size, uint32_t at, uint32_t linktype)
{
    if (at + 2 > size)
        return encap_nothing(ENCAP_CUT, 0);
    if (frame[at] == ARCNET_IP_OLD)
        return rare_ip(frame, size, at + 1);
    if (frame[at] != ARCNET_IP && frame[at] != ARCNET_IPV6)
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    /* A flag that says whether it is split, and a number; an exception has
     * both twice. */
    return rare_ip(frame, size, at + (frame[at + 1] == 0xff ? 8 : 4));
}

/* ITU-T G.7041: a length, a type, and an extension of one of its kinds. */
static struct encap
rare_gfp(const uint8_t *frame, uint32_t size, uint32_t linktype)
{
    if (size < 8)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t at = (frame[4] & 0x0f) == 0 ? 8 : 12;
    if (frame[5] == GFP_ETHERNET)
        return encap_ethertype(frame, size, at, ENCAP_ETHERNET);
    if (frame[5] == GFP_PPP)
        return encap_ppp(frame, size, at);
    return encap_nothing(ENCAP_LINKTYPE, linktype);
}

/* Of Wireshark's dissectors, by name: which link type their packets have. */
static uint32_t
rare_dissector(const uint8_t *name, uint32_t size)
{
    if (size >= 2 && name[0] == 'i' && name[1] == 'p' &&
        (size == 2 || name[2] == 0 || (name[2] == 'v' && size > 3)))
        return 101;
    return size >= 4 && name[0] == 'e' && name[1] == 't' && name[2] == 'h' &&
                   (name[3] == '_' || name[3] == 0)
               ? ETHERNET
               : 0;
}

/* What Wireshark wrote of packets inside others: tags, then the packet. */
static struct encap
rare_exported(const uint8_t *frame, uint32_t size)
{
    uint32_t at = 0, linktype = 0;

    while (at + 4 <= size) {
        uint32_t tag = load16_be(frame + at),
                 length = load16_be(frame + at + 2);

        at += 4;
        if (tag == EXPORTED_END) {
            if (linktype == 0)
                return encap_nothing(ENCAP_LINKTYPE, EXPORTED);
            return rare_inner(frame, size, at + length, linktype);
        }
        if (length > size - at)
            break;
        if (tag == EXPORTED_NAME)
            linktype = rare_dissector(frame + at, length);
        at += length;
    }
    return encap_nothing(ENCAP_CUT, 0);
}

/* IEEE 802.3 65.1.3.2: of a preamble of eight bytes the first may be missing. */
static struct encap
rare_epon(const uint8_t *frame, uint32_t size)
{
    for (uint32_t at = 0; at < 3 && at < size; at++)
        if (frame[at] == EPON_START)
            return encap_ethertype(frame, size, at + 6, ENCAP_ETHERNET);
    return size < 3 ? encap_nothing(ENCAP_CUT, 0)
                    : encap_nothing(ENCAP_LINKTYPE, EPON);
}

uint32_t
encap_tzsp(const uint8_t *data, uint32_t size, uint32_t *linktype)
{
    uint32_t at = 4;

    if (size < at || data[0] != 1 ||
        (load16_be(data + 2) != TZSP_ETHERNET &&
         load16_be(data + 2) != TZSP_WLAN))
        return 0;
    *linktype = load16_be(data + 2) == TZSP_WLAN ? ENCAP_WLAN : ETHERNET;
    while (at < size && data[at] != 1)
        at += data[at] == 0 ? 1 : at + 1 < size ? 2u + data[at + 1] : size;
    return at < size ? at + 1 : size;
}

static struct encap
rare_tzsp(const uint8_t *frame, uint32_t size)
{
    uint32_t linktype = 0;

    if (size < 4)
        return encap_nothing(ENCAP_CUT, 0);
    uint32_t at = encap_tzsp(frame, size, &linktype);
    if (at == 0)
        return encap_nothing(ENCAP_LINKTYPE, TZSP);
    return rare_inner(frame, size, at, linktype);
}

struct encap
encap_rare(uint32_t linktype, const uint8_t *frame, uint32_t size)
{
    switch (linktype) {
    case AX25:
        return rare_ax25(frame, size, 0, linktype);
    case AX25_KISS:
        return rare_ax25(frame, size, 1, linktype);
    case ARCNET_BSD:
        return rare_arcnet(frame, size, 2, linktype);
    case ARCNET_LINUX:
        return rare_arcnet(frame, size, 4, linktype);
    case CLIP_OLD:
    case CLIP_OLD + 2:
    case CLIP_LAST:
    case CLIP:
        return rare_atm(frame, size, 0);
    case TZSP:
        return rare_tzsp(frame, size);
    case GFP_T:
    case GFP_F:
        return rare_gfp(frame, size, linktype);
    case EXPORTED:
        return rare_exported(frame, size);
    case EPON:
        return rare_epon(frame, size);
    case EBHSCR:
        if (size == 0)
            return encap_nothing(ENCAP_CUT, 0);
        if (frame[0] != EBHSCR_ETHERNET)
            return encap_nothing(ENCAP_LINKTYPE, linktype);
        return encap_ethertype(frame, size, EBHSCR_HEADER, ENCAP_ETHERNET);
    case JUNIPER_MLPPP:
    case JUNIPER_MLFR:
    case JUNIPER_GGSN:
    case JUNIPER_ATM2:
    case JUNIPER_SERVICES:
    case JUNIPER_ATM1:
    case JUNIPER_PPPOE:
    case JUNIPER_PPPOE_ATM:
    case JUNIPER_ETHERNET:
    case JUNIPER_PPP:
    case JUNIPER_FRAME_RELAY:
    case JUNIPER_HDLC:
    case JUNIPER_VOICE:
        return rare_juniper(linktype, frame, size);
    default:
        return encap_nothing(ENCAP_LINKTYPE, linktype);
    }
}

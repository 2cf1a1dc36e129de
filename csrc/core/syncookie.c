/*
 * SYN cookies: the options of a SYN in the ISS of its SYN-ACK, under a MAC.
 *
 * Not here: which key is in force (secret.c), whether a cookie may be tried at
 * all (the gate, expand.c), timestamps.  See RFC 4987 3.6 and appendix A.
 *
 *     31                                8 7                      0
 *    +-----------------------------------+------------------------+
 *    |        H[31:8], 24 bits of MAC    |  byte XOR H[31:24]     |
 *    +-----------------------------------+------------------------+
 *                                           7   5 4     2  1   0
 *                                    byte: |MSS  |wscale|SACK|parity|
 *
 * H is SipHash-2-4 under the epoch's 128-bit key, its halves XORed, over
 *
 *     faddr 4 or 16 | laddr 4 or 16 | fport 2 | lport 2   network order
 *     irs 4                                               little endian
 *     byte 1
 *     secmod 8                                            little endian
 *     rcv_wscale 1 | table 1 | version 1                  not in freebsd
 *
 * 25 or 49 bytes in layout freebsd, 28 or 52 in the others: 4 or 7 words of
 * SipHash either way.  The two families differ in size, so no separator is
 * needed.  XORing H[31:24] onto the byte only keeps an ISS from showing the
 * options in clear; the byte's protection is that the MAC covers it.
 *
 * Loss.  What a peer offers comes back as the largest entry of a table that is
 * not above it; below the first MSS, the first.  A window scale is never taken
 * for absent nor absence for a scale.  Gone altogether: ECN, the exact MSS, a
 * SYN-ACK's retransmissions, the round-trip time of the handshake.  Layout mss
 * keeps the MSS alone: window scale and SACK come back as not offered.
 *
 * Threat.  One blind ACK is right with probability 2^-24, whatever its low
 * byte, since every byte value is legal (in layout mss one in 32 is, hence
 * 2^-29).  Each try is on its own: a forger who reaches 50 % has sent
 * ln 2 * 2^24 = 11,629,080 ACKs, for 90 % ln 10 * 2^24 = 38.6 million, at a
 * million packets a second one forged connection every 16.8 s.  The birthday
 * numbers 4,823 and 8,790 that are sometimes quoted count collisions among the
 * forger's own guesses, which gain him nothing.  Observed cookies do not help:
 * the tuple and the IRS are in the MAC, so an ISS is good for its own
 * handshake only, and shifting SEQ and ACK together changes the IRS.
 *
 * Life.  The parity bit names the epoch's parity.  A key mints for one lifetime
 * and verifies for two, so a cookie lives one to two lifetimes (secret.c).
 */
#include "syncookie.h"

#include "../simd/simd.h"
#include "bytes.h"
#include "siphash.h"
#include "syncookie_pack.h"

#include <assert.h>
#include <string.h>

#define SYNCOOKIE_INPUT_MAX 52
#define SYNCOOKIE_VERSION 1 /* of layouts wide and mss; part of the MAC */

_Static_assert(SYNCOOKIE_SACK << 1 == 1 << SYNCOOKIE_WSCALE_SHIFT &&
                   SYNCOOKIE_WSCALE_SHIFT + 3 == SYNCOOKIE_MSS_SHIFT &&
                   SYNCOOKIE_MSS_SHIFT + 3 == 8,
               "parity, SACK, scale and MSS fill the byte without a gap");

/* What a layout says to one family. */
struct syncookie_table {
    uint16_t mss[8];
    uint8_t mss_none;   /* index for a SYN without MSS option */
    uint8_t mss_count;  /* entries in use */
    uint8_t bits;       /* of the cookie byte that carry something */
    uint8_t id;         /* in the MAC; 0: rcv_wscale, id and version are not */
    uint16_t wscale[8]; /* index 0: no option */
};

/*
 * FreeBSD since 2013.  MSS values by their share in "An Analysis of TCP Maximum
 * Segment Sizes" (Alcock and Nelson, 2011), scales by a histogram of Allman's
 * (2012).  A SYN without MSS option gets the floor.
 */
static const struct syncookie_table syncookie_freebsd = {
    .mss = {216, 536, 1200, 1360, 1400, 1440, 1452, 1460},
    .mss_none = 0,
    .mss_count = 8,
    .bits = 0xff,
    .id = 0,
    .wscale = {0, 0, 1, 2, 4, 6, 7, 8},
};

/*
 * Ours for IPv4: the floor (minmss), RFC 9293 3.7.1's default, which is also
 * what a SYN without the option means, tunnels (1300, 1360, 1400), PPPoE 1452,
 * Ethernet 1460, jumbo frames 8960.  FreeBSD's 1200 and 1440 made room for 1300
 * and 8960.  Scales: Linux offers 7 and now also 10, which 1 gave way to.
 */
static const struct syncookie_table syncookie_wide_v4 = {
    .mss = {216, 536, 1300, 1360, 1400, 1452, 1460, 8960},
    .mss_none = 1,
    .mss_count = 8,
    .bits = 0xff,
    .id = 4,
    .wscale = {0, 0, 2, 4, 6, 7, 8, 10},
};

/* The same with IPv6's 20 bytes more of header: 1220 is its default. */
static const struct syncookie_table syncookie_wide_v6 = {
    .mss = {216, 1220, 1360, 1380, 1420, 1432, 1440, 8940},
    .mss_none = 1,
    .mss_count = 8,
    .bits = 0xff,
    .id = 6,
    .wscale = {0, 0, 2, 4, 6, 7, 8, 10},
};

/*
 * What cookies kept in FreeBSD 4.x: two bits of MSS {0, 536, 1460, 8960}.  An
 * entry of 0 made its stack assume the default MSS, right for a SYN without
 * the option and too much for one that offered less than 536.  So no option is
 * 536 here, and what is below 536 is 216, which no path fails to carry.  The
 * MAC is today's: 32 MD5 secrets of 32 bits were broken (SA-03:03).
 */
static const struct syncookie_table syncookie_mss = {
    .mss = {216, 536, 1460, 8960},
    .mss_none = 1,
    .mss_count = 4,
    .bits = 3 << SYNCOOKIE_MSS_SHIFT | SYNCOOKIE_PARITY,
    .id = 1,
    .wscale = {0},
};

static const struct syncookie_table *
syncookie_table(enum syncache_layout layout, uint8_t family)
{
    assert(family == 4 || family == 6);
    switch (layout) {
    case SYNCACHE_LAYOUT_FREEBSD:
        return &syncookie_freebsd;
    case SYNCACHE_LAYOUT_MSS:
        return &syncookie_mss;
    case SYNCACHE_LAYOUT_WIDE:
        break;
    }
    assert(layout == SYNCACHE_LAYOUT_WIDE);
    return family == 4 ? &syncookie_wide_v4 : &syncookie_wide_v6;
}

/* The cookie byte of these options; options are public, so it may branch. */
static uint32_t
syncookie_byte(const struct syncookie_table *table,
               const struct syncache_cookie_options *options, uint32_t parity)
{
    uint32_t mss = table->mss_none;
    if (options->mss != 0)
        mss =
            syncookie_index(table->mss, 0, table->mss_count - 1u, options->mss);
    uint32_t wscale = 0;
    if (options->wscale != SYNCACHE_WSCALE_NONE)
        wscale = syncookie_index(table->wscale, 1, SYNCOOKIE_INDICES - 1,
                                 options->wscale);
    uint32_t sack = options->sack_permitted ? SYNCOOKIE_SACK : 0;
    return (mss << SYNCOOKIE_MSS_SHIFT | wscale << SYNCOOKIE_WSCALE_SHIFT |
            sack | parity) &
           table->bits;
}

/* H of the diagram above. */
static uint32_t
syncookie_mac(const uint8_t key[static SYNCACHE_KEY_BYTES],
              const struct syncookie_table *table,
              const struct syncache_tuple *tuple, const uint8_t tail[static 16])
{
    size_t address_size = tuple->family == 4 ? 4 : 16;
    uint8_t input[SYNCOOKIE_INPUT_MAX];
    uint8_t *end = input;
    memcpy(end, tuple->faddr, address_size);
    end += address_size;
    memcpy(end, tuple->laddr, address_size);
    end += address_size;
    store16_be(end, tuple->fport);
    store16_be(end + 2, tuple->lport);
    end += 4;
    size_t tail_size = table->id == 0 ? 13 : 16;
    memcpy(end, tail, tail_size);
    end += tail_size;
    assert(end <= input + sizeof input);
    return siphash24_fold(key, input, (size_t)(end - input));
}

/* The part of the MAC input behind the tuple. */
static void
syncookie_tail(uint8_t tail[static 16], const struct syncookie_table *table,
               uint32_t irs, uint32_t byte, uint64_t secmod, uint8_t rcv_wscale)
{
    assert(byte <= 0xff);
    bool scales = (table->bits & 7 << SYNCOOKIE_WSCALE_SHIFT) != 0;
    store32_le(tail, irs);
    tail[4] = (uint8_t)byte;
    store64_le(tail + 5, secmod);
    tail[13] = scales ? rcv_wscale : SYNCACHE_WSCALE_NONE;
    tail[14] = table->id;
    tail[15] = SYNCOOKIE_VERSION;
}

uint32_t
syncookie_generate(const uint8_t key[static SYNCACHE_KEY_BYTES],
                   const struct syncache_tuple *tuple, uint32_t irs,
                   const struct syncache_cookie_options *options,
                   uint32_t parity, uint64_t secmod,
                   enum syncache_layout layout)
{
    assert(parity <= 1);
    const struct syncookie_table *table =
        syncookie_table(layout, tuple->family);
    uint32_t byte = syncookie_byte(table, options, parity);
    uint8_t tail[16];
    syncookie_tail(tail, table, irs, byte, secmod, options->rcv_wscale);
    uint32_t mac = syncookie_mac(key, table, tuple, tail);
    return syncookie_pack(mac, byte);
}

void
syncookie_shape(enum syncache_layout layout, uint8_t family, uint64_t secmod,
                struct simd_shape *shape)
{
    const struct syncookie_table *table = syncookie_table(layout, family);
    uint64_t size = family == 4 ? 25 : 49;

    assert(table->mss_count == 8 && table->bits == 0xff);
    for (size_t i = 0; i < 7; i++) {
        shape->mss_floor[i] = table->mss[i + 1];
        shape->wscale_floor[i] = table->wscale[i + 1];
    }
    shape->mss_none = table->mss_none;
    shape->tail[0] = secmod << 8;
    shape->tail[1] = secmod >> 56;
    if (table->id != 0) {
        size += 3;
        shape->tail[1] |=
            (uint64_t)table->id << 16 | (uint64_t)SYNCOOKIE_VERSION << 24;
    }
    shape->tail[1] |= size << 56;
}

uint32_t
syncookie_scale(enum syncache_layout layout, uint8_t family, uint8_t rcv_wscale)
{
    return syncookie_table(layout, family)->id == 0 ? 0
                                                    : (uint32_t)rcv_wscale << 8;
}

bool
syncookie_lookup(const uint8_t key[static SYNCACHE_KEY_BYTES],
                 const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss,
                 uint64_t secmod, enum syncache_layout layout,
                 struct syncache_cookie_options *options)
{
    const struct syncookie_table *table =
        syncookie_table(layout, tuple->family);
    uint32_t byte = syncookie_claimed(iss);
    uint8_t tail[16];
    syncookie_tail(tail, table, irs, byte, secmod, options->rcv_wscale);
    uint32_t wscale = byte >> SYNCOOKIE_WSCALE_SHIFT & SYNCOOKIE_INDEX_MASK;
    options->mss = table->mss[byte >> SYNCOOKIE_MSS_SHIFT];
    options->wscale =
        wscale == 0 ? SYNCACHE_WSCALE_NONE : (uint8_t)table->wscale[wscale];
    options->sack_permitted = (byte & SYNCOOKIE_SACK) != 0;
    /* Nothing here branches on the key; what is left is the verdict. */
    uint32_t mac = syncookie_mac(key, table, tuple, tail);
    uint32_t differ = (mac ^ iss) & SYNCOOKIE_MAC_MASK;
    differ |= byte & ~(uint32_t)table->bits;
    return differ == 0;
}

static bool
syncookie_legal(const struct syncache_tuple *tuple, uint32_t layout)
{
    return (tuple->family == 4 || tuple->family == 6) &&
           layout <= SYNCACHE_LAYOUT_MSS;
}

uint32_t
syncache_cookie_mint(const uint8_t key[SYNCACHE_KEY_BYTES],
                     const struct syncache_tuple *tuple, uint32_t irs,
                     const struct syncache_cookie_options *options,
                     uint32_t parity, uint64_t secmod, uint32_t layout)
{
    if (!syncookie_legal(tuple, layout) || parity > 1)
        return 0;
    return syncookie_generate(key, tuple, irs, options, parity, secmod,
                              (enum syncache_layout)layout);
}

bool
syncache_cookie_check(const uint8_t key[SYNCACHE_KEY_BYTES],
                      const struct syncache_tuple *tuple, uint32_t irs,
                      uint32_t iss, uint64_t secmod, uint32_t layout,
                      struct syncache_cookie_options *options)
{
    return syncookie_legal(tuple, layout) &&
           syncookie_lookup(key, tuple, irs, iss, secmod,
                            (enum syncache_layout)layout, options);
}

uint64_t
syncache_siphash24(const uint8_t key[SYNCACHE_KEY_BYTES], const uint8_t *data,
                   size_t data_size)
{
    return siphash24(key, data, data_size);
}

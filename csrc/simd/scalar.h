/*
 * The kernels on one lane, in portable C: the reference for every level.  portable.c loops over them; a single packet
 * is lane 0 (core/quick.c).  Inline, so that one packet pays for no call.
 *
 * Checksums: the one's complement sum does not care for byte order (RFC 1071 2), so 32-bit little-endian words go
 * into a 64-bit sum, which is reduced once.  The bytes that come out are those of core/wire_sum.c.
 */
#ifndef SYNCACHE_SIMD_SCALAR_H
#define SYNCACHE_SIMD_SCALAR_H

#include "simd.h"

#include "../core/bytes.h"
#include "../core/siphash.h"

#include <string.h>

/* Pseudo header of a segment of 40 bytes: protocol 6 and the size, as little-endian readings of 16 bits. */
#define SCALAR_PSEUDO (0x0600u + 0x2800u)

/* TCP header and options of the template, as masked little-endian words from the data offset on. */
#define SCALAR_FLAGS_MASK UINT64_C(0x0000ffff)
#define SCALAR_FLAGS UINT64_C(0x000002a0)             /* 10 words, SYN and nothing else */
#define SCALAR_OPTIONS_MASK UINT64_C(0xffffffff0000ffff)
#define SCALAR_OPTIONS UINT64_C(0x0a08020400000402)   /* 2 4 MSS, 4 2, 8 10 */
#define SCALAR_SCALE_MASK UINT32_C(0x00ffffff)
#define SCALAR_SCALE UINT32_C(0x00030301)             /* 1, 3 3 scale */

static inline uint32_t
scalar_swap32(uint32_t x)
{
    return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
}

static inline uint64_t
scalar_halves(uint64_t x)
{
    return (x & UINT32_MAX) + (x >> 32);
}

/* 2^16 is 1 modulo 65535, so folding is the remainder; a sum that is divisible is right. */
static inline bool
scalar_summed(uint64_t sum)
{
    return sum % 0xffff == 0;
}

/* The checksum of a header whose other words sum to this: never 0xffff, since the rest is not all zero. */
static inline uint32_t
scalar_check(uint64_t sum)
{
    uint32_t rest = (uint32_t)(sum % 0xffff);

    return rest == 0 ? 0 : 0xffff - rest;
}

static inline void
scalar_store16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

/* Nobody's address, a group's, or the other end's own: core/wire.c says which fault it is. */
static inline bool
scalar_address_v4_bad(uint32_t raw)
{
    return raw == 0 || raw == UINT32_MAX || (raw & 0xf0) == 0xe0;
}

/* The TCP header and its options; `tcp` points at 40 bytes.  *sum is to be added to the addresses' sum. */
static inline bool
scalar_match_tcp(struct simd_lanes *lanes, uint32_t lane, const uint8_t *tcp, uint64_t *sum)
{
    uint32_t ports = load32_le(tcp);
    uint32_t seq = load32_le(tcp + 4);
    uint64_t ack = load64_le(tcp + 8);
    uint64_t check = load64_le(tcp + 16);
    uint64_t option = load64_le(tcp + 20);
    uint32_t tsval = load32_le(tcp + 28);
    uint64_t rest = load64_le(tcp + 32);
    uint32_t scale = (uint32_t)(rest >> 56);

    /* check and option share the word with the urgent pointer's successor, hence its low half alone. */
    *sum = (uint64_t)ports + seq + scalar_halves(ack) + (check & UINT32_MAX) + scalar_halves(option) + tsval +
           scalar_halves(rest) + SCALAR_PSEUDO;
    lanes->ports[lane] = ports;
    lanes->irs[lane] = scalar_swap32(seq);
    lanes->tsval[lane] = tsval;
    lanes->mss[lane] = (uint32_t)(option >> 8 & 0xff00) | (uint32_t)(option >> 24 & 0xff);
    lanes->wscale[lane] = scale < SYNCACHE_WSCALE_MAX ? scale : SYNCACHE_WSCALE_MAX;
    return ((ack >> 32 & SCALAR_FLAGS_MASK) == SCALAR_FLAGS) & ((option & SCALAR_OPTIONS_MASK) == SCALAR_OPTIONS) &
           ((rest >> 32 & SCALAR_SCALE_MASK) == SCALAR_SCALE);
}

static inline bool
scalar_match_v4(struct simd_lanes *lanes, uint32_t lane)
{
    const uint8_t *packet = lanes->packet[lane];
    uint64_t first = load64_le(packet);
    uint32_t third = load32_le(packet + 8);
    uint32_t faddr = load32_le(packet + 12);
    uint32_t laddr = load32_le(packet + 16);
    uint64_t addresses = (uint64_t)faddr + laddr;
    uint64_t tcp;
    /* 4, 5 words; 60 bytes; neither more fragments nor an offset; TCP. */
    bool good = ((first & UINT64_C(0xff3f0000ffff00ff)) == UINT64_C(0x000000003c000045)) & ((third & 0xff00) == 0x0600);

    lanes->faddr[0][lane] = faddr;
    lanes->laddr[0][lane] = laddr;
    good &= scalar_match_tcp(lanes, lane, packet + 20, &tcp);
    good &= scalar_summed(scalar_halves(first) + third + addresses);
    good &= (lanes->trusted >> lane & 1) | scalar_summed(tcp + addresses);
    return good && !scalar_address_v4_bad(faddr) && !scalar_address_v4_bad(laddr) && faddr != laddr;
}

static inline bool
scalar_match_v6(struct simd_lanes *lanes, uint32_t lane)
{
    const uint8_t *packet = lanes->packet[lane];
    uint64_t first = load64_le(packet);
    uint64_t f0 = load64_le(packet + 8);
    uint64_t f1 = load64_le(packet + 16);
    uint64_t l0 = load64_le(packet + 24);
    uint64_t l1 = load64_le(packet + 32);
    uint64_t addresses = scalar_halves(f0) + scalar_halves(f1) + scalar_halves(l0) + scalar_halves(l1);
    uint64_t tcp;
    /* 6; 40 bytes of TCP. */
    bool good = (first & UINT64_C(0x00ffffff000000f0)) == UINT64_C(0x0006280000000060);

    for (uint32_t i = 0; i < 2; i++) {
        uint64_t f = i == 0 ? f0 : f1;
        uint64_t l = i == 0 ? l0 : l1;

        lanes->faddr[2 * i][lane] = (uint32_t)f;
        lanes->faddr[2 * i + 1][lane] = (uint32_t)(f >> 32);
        lanes->laddr[2 * i][lane] = (uint32_t)l;
        lanes->laddr[2 * i + 1][lane] = (uint32_t)(l >> 32);
    }
    good &= scalar_match_tcp(lanes, lane, packet + 40, &tcp);
    good &= (lanes->trusted >> lane & 1) | scalar_summed(tcp + addresses);
    /* In ::/64 are nobody's and IPv4's, which core/wire.c refuses, and few others. */
    good &= (f0 != 0) & (l0 != 0) & ((f0 & 0xff) != 0xff) & ((l0 & 0xff) != 0xff);
    return good && ((f0 ^ l0) | (f1 ^ l1)) != 0;
}

/* SipHash of the two addresses and, unless `ports` is false, the two ports. */
static inline uint64_t
scalar_tuple_hash(const struct simd_lanes *lanes, uint32_t lane, const uint8_t key[static SYNCACHE_KEY_BYTES],
                  bool ports)
{
    struct siphash_state s = siphash_begin(key);
    uint64_t pair = ports ? lanes->ports[lane] : 0;
    uint64_t size = (lanes->v6 ? 32u : 8u) + (ports ? 4u : 0u);

    if (lanes->v6) {
        siphash_absorb(&s, (uint64_t)lanes->faddr[1][lane] << 32 | lanes->faddr[0][lane]);
        siphash_absorb(&s, (uint64_t)lanes->faddr[3][lane] << 32 | lanes->faddr[2][lane]);
        siphash_absorb(&s, (uint64_t)lanes->laddr[1][lane] << 32 | lanes->laddr[0][lane]);
        siphash_absorb(&s, (uint64_t)lanes->laddr[3][lane] << 32 | lanes->laddr[2][lane]);
    } else {
        siphash_absorb(&s, (uint64_t)lanes->laddr[0][lane] << 32 | lanes->faddr[0][lane]);
    }
    siphash_absorb(&s, size << 56 | pair);
    return siphash_end(&s);
}

static inline uint32_t
scalar_xor_halves(uint64_t hash)
{
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/* How many of the seven ascending floors are not above a value: its index in a table whose entry 0 has none. */
static inline uint32_t
scalar_index(const uint32_t floor[static 7], uint32_t value)
{
    uint32_t index = (uint32_t)(floor[3] <= value) << 2;

    index += (uint32_t)(floor[index + 1] <= value) << 1;
    return index + (floor[index] <= value);
}

/* The cookie's byte, and the cookie: core/syncookie.c draws both. */
static inline uint32_t
scalar_cookie(const struct simd_shape *shape, const struct simd_lanes *lanes, uint32_t lane)
{
    struct siphash_state s = siphash_begin(shape->cookie_key);
    uint32_t mss = lanes->mss[lane];
    uint32_t index = mss == 0 ? shape->mss_none : scalar_index(shape->mss_floor, mss);
    uint32_t byte = index << 5 | scalar_index(shape->wscale_floor, lanes->wscale[lane]) << 2 | 2 | shape->parity;

    if (lanes->v6) {
        siphash_absorb(&s, (uint64_t)lanes->faddr[1][lane] << 32 | lanes->faddr[0][lane]);
        siphash_absorb(&s, (uint64_t)lanes->faddr[3][lane] << 32 | lanes->faddr[2][lane]);
        siphash_absorb(&s, (uint64_t)lanes->laddr[1][lane] << 32 | lanes->laddr[0][lane]);
        siphash_absorb(&s, (uint64_t)lanes->laddr[3][lane] << 32 | lanes->laddr[2][lane]);
    } else {
        siphash_absorb(&s, (uint64_t)lanes->laddr[0][lane] << 32 | lanes->faddr[0][lane]);
    }
    siphash_absorb(&s, (uint64_t)lanes->irs[lane] << 32 | lanes->ports[lane]);
    siphash_absorb(&s, shape->tail[0] | byte);
    siphash_absorb(&s, shape->tail[1] | lanes->template[lane]->scale);

    uint32_t mac = scalar_xor_halves(siphash_end(&s));
    return (mac & 0xffffff00u) | (byte ^ mac >> 24);
}

static inline void
scalar_cookies(const struct simd_shape *shape, struct simd_lanes *lanes, uint32_t lane)
{
    lanes->iss[lane] = scalar_cookie(shape, lanes, lane);
    lanes->ts_offset[lane] =
        shape->ts_per_tuple ? scalar_xor_halves(scalar_tuple_hash(lanes, lane, shape->ts_key, shape->ts_ports)) : 0;
}

/* Writes the part of a SYN-ACK from TCP on; `addresses` is the sum of both. */
static inline void
scalar_reply_tcp(const struct simd_shape *shape, const struct simd_lanes *lanes, uint32_t lane, uint64_t addresses,
                 uint8_t *tcp)
{
    uint32_t ports = lanes->ports[lane] << 16 | lanes->ports[lane] >> 16;
    uint32_t iss = scalar_swap32(lanes->iss[lane]);
    uint32_t ack = scalar_swap32(lanes->irs[lane] + 1);
    uint32_t tsval = scalar_swap32(shape->ts_clock + lanes->ts_offset[lane]);
    uint32_t tsecr = lanes->tsval[lane];
    uint64_t sum = addresses + lanes->template[lane]->tcp_sum + ports + iss + ack + tsval + tsecr;

    store64_le(tcp, (uint64_t)iss << 32 | ports);
    store32_le(tcp + 8, ack);
    scalar_store16(tcp + 16, scalar_check(sum));
    store64_le(tcp + 32, (uint64_t)tsecr << 32 | tsval);
}

static inline void
scalar_reply_v4(const struct simd_shape *shape, const struct simd_lanes *lanes, uint32_t lane)
{
    uint8_t *out = lanes->out[lane];
    uint32_t faddr = lanes->faddr[0][lane];
    uint32_t laddr = lanes->laddr[0][lane];
    uint64_t addresses = (uint64_t)faddr + laddr;

    memcpy(out, lanes->template[lane]->reply, SIMD_V4_SYN);
    scalar_store16(out + 10, scalar_check(addresses + lanes->template[lane]->ip_sum));
    store64_le(out + 12, (uint64_t)faddr << 32 | laddr);
    scalar_reply_tcp(shape, lanes, lane, addresses, out + 20);
}

static inline void
scalar_reply_v6(const struct simd_shape *shape, const struct simd_lanes *lanes, uint32_t lane)
{
    uint8_t *out = lanes->out[lane];
    uint64_t addresses = 0;

    memcpy(out, lanes->template[lane]->reply, SIMD_V6_SYN);
    /* The flow label is the low 20 bits of the ISS. */
    store32_le(out, load32_le(out) | scalar_swap32(lanes->iss[lane] & 0xfffff));
    for (uint32_t i = 0; i < 4; i++) {
        store32_le(out + 8 + 4 * i, lanes->laddr[i][lane]);
        store32_le(out + 24 + 4 * i, lanes->faddr[i][lane]);
        addresses += (uint64_t)lanes->faddr[i][lane] + lanes->laddr[i][lane];
    }
    scalar_reply_tcp(shape, lanes, lane, addresses, out + 40);
}

#endif

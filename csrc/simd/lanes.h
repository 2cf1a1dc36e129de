/*
 * The kernels over vectors of 32-bit lanes, in terms of primitives that avx2.c, avx512.c and neon.c define before they
 * include this file: LANES (8, 16 or 4), LANES_FN, LANES_KERNEL, `vec` and the lane_ one-liners.
 *
 * Layout.  A packet is read in chunks of 16 bytes, four words w0 .. w3.  Row j = 0 .. 3 takes a chunk of the packets
 * 4i + j, i counting the 128-bit parts of a vector:
 *
 *     row j   | packet j    | packet 4+j  | packet 8+j  | packet 12+j |
 *             | w0 w1 w2 w3 | w0 w1 w2 w3 | w0 w1 w2 w3 | w0 w1 w2 w3 |
 *
 * and a 4 by 4 transposition within each part makes one vector per word, with the packets in order:
 *
 *     word k  | p0 p1 p2 p3 | p4 p5 p6 p7 | p8 ...      | p12 ...     |
 *
 * Replies go the same way back.  The 64-bit words of a hash are unpacked from two fields of 32: `low` has the packets
 * 4i and 4i + 1, `high` 4i + 2 and 4i + 3.  The two run side by side, which hides the latency of the rounds, and
 * taking every even word of both restores the order.
 *
 * The steps are those of scalar.h, one for one.  Lanes beyond the last packet repeat the first one.
 */
#include "scalar.h"

_Static_assert(SIMD_LANES % LANES == 0, "groups are whole");

/* Reads one chunk of LANES packets as four fields. */
LANES_FN void
lanes_read(const uint8_t *const *packet, size_t offset, vec word[static 4])
{
    vec row0 = lane_rows(packet, offset);
    vec row1 = lane_rows(packet + 1, offset);
    vec row2 = lane_rows(packet + 2, offset);
    vec row3 = lane_rows(packet + 3, offset);
    vec a = lane_unpack_low32(row0, row1);
    vec b = lane_unpack_low32(row2, row3);
    vec c = lane_unpack_high32(row0, row1);
    vec d = lane_unpack_high32(row2, row3);

    word[0] = lane_unpack_low64(a, b);
    word[1] = lane_unpack_high64(a, b);
    word[2] = lane_unpack_low64(c, d);
    word[3] = lane_unpack_high64(c, d);
}

/* Where the replies of a group go, and the templates' that they are written over; `same`: one for all. */
struct lanes_group {
    uint8_t *const *out;
    const uint8_t *under[LANES];
    bool same;
};

/* Writes four fields, over those of the templates, as one chunk of LANES replies. */
LANES_FN void
lanes_write(const struct lanes_group *group, size_t offset, const vec word[static 4])
{
    vec a = lane_unpack_low32(word[0], word[1]);
    vec b = lane_unpack_low32(word[2], word[3]);
    vec c = lane_unpack_high32(word[0], word[1]);
    vec d = lane_unpack_high32(word[2], word[3]);
    vec row[4] = {lane_unpack_low64(a, b), lane_unpack_high64(a, b), lane_unpack_low64(c, d),
                  lane_unpack_high64(c, d)};
    vec under = lane_chunks(group->under[0] + offset);

    for (size_t i = 0; i < 4; i++) {
        if (!group->same)
            under = lane_rows(&group->under[i], offset);
        lane_put_rows(&group->out[i], offset, lane_or(row[i], under));
    }
}

#ifndef lane_add_halves
/* Both halves of every word, as a sum and added to one. */
#define lanes_halves(word) lane_add32(lane_and(word, lane_all32(0xffff)), lane_right32(word, 16))
#define lane_add_halves(sum, word) lane_add32(sum, lanes_halves(word))
#endif

/* To 16 bits: the first sum of halves is 2^17 - 2 at most, and where it is above 2^16 - 1 its lower half is not all. */
LANES_FN vec
lanes_fold(vec sum)
{
    return lanes_halves(lanes_halves(sum));
}

/* Adds the bits that differ from `value` under `mask` to `differ`. */
LANES_FN vec
lanes_differ(vec differ, vec word, uint32_t mask, uint32_t value)
{
    return lane_or(differ, lane_xor(lane_and(word, lane_all32(mask)), lane_all32(value)));
}

struct lanes_verdict {
    vec differ;                       /* not zero: not the template's */
    vec sum;                          /* of the TCP segment and its pseudo header without addresses */
};

/* The TCP header and its options, ten words; stores a SYN's fields. */
LANES_FN struct lanes_verdict
lanes_match_tcp(struct simd_lanes *lanes, uint32_t at, const vec word[static 10])
{
    vec mss = lane_swap32(word[5]);
    vec scale = lane_right32(word[9], 24);
    vec sum = lane_all32(SCALAR_PSEUDO);
    vec differ = lane_all32(0);

    for (size_t i = 0; i < 10; i++)
        sum = lane_add_halves(sum, word[i]);
    differ = lanes_differ(differ, word[3], (uint32_t)SCALAR_FLAGS_MASK, (uint32_t)SCALAR_FLAGS);
    differ = lanes_differ(differ, word[5], (uint32_t)SCALAR_OPTIONS_MASK, (uint32_t)SCALAR_OPTIONS);
    differ = lanes_differ(differ, word[6], (uint32_t)(SCALAR_OPTIONS_MASK >> 32), (uint32_t)(SCALAR_OPTIONS >> 32));
    differ = lanes_differ(differ, word[9], SCALAR_SCALE_MASK, SCALAR_SCALE);
    lane_store(&lanes->ports[at], word[0]);
    lane_store(&lanes->irs[at], lane_swap32(word[1]));
    lane_store(&lanes->tsval[at], word[7]);
    lane_store(&lanes->mss[at], lane_and(mss, lane_all32(0xffff)));
    lane_store(&lanes->wscale[at], lane_min32(scale, lane_all32(SYNCACHE_WSCALE_MAX)));
    return (struct lanes_verdict){differ, sum};
}

/* Lanes whose address is nobody's, everybody's or a group's. */
LANES_FN lane_mask
lanes_address_v4_bad(vec raw)
{
    lane_mask none = lane_either(lane_equal32(raw, lane_all32(0)), lane_equal32(raw, lane_all32(UINT32_MAX)));

    return lane_either(none, lane_equal32(lane_and(raw, lane_all32(0xf0)), lane_all32(0xe0)));
}

/* Bits of good lanes; the TCP checksum counts where it is not trusted. */
LANES_FN uint32_t
lanes_good(const struct simd_lanes *lanes, uint32_t at, struct lanes_verdict tcp, lane_mask bad)
{
    lane_mask summed = lane_equal32(lanes_fold(tcp.sum), lane_all32(0xffff));
    lane_mask fits = lane_but(lane_equal32(tcp.differ, lane_all32(0)), bad);

    if (lanes->trusted == 0)
        return lane_bits(lane_both(fits, summed));
    return lane_bits(fits) & (lane_bits(summed) | (uint32_t)(lanes->trusted >> at));
}

LANES_FN uint32_t
lanes_match_v4(struct simd_lanes *lanes, uint32_t at)
{
    vec word[16];

    for (size_t i = 0; i < 4; i++)
        lanes_read(&lanes->packet[at], i * SIMD_CHUNK, &word[4 * i]);

    struct lanes_verdict tcp = lanes_match_tcp(lanes, at, &word[5]);
    vec addresses = lane_add_halves(lanes_halves(word[3]), word[4]);
    vec ip = lane_add_halves(lane_add_halves(lane_add_halves(addresses, word[0]), word[1]), word[2]);
    tcp.differ = lanes_differ(tcp.differ, word[0], 0xffff00ffu, 0x3c000045u);
    tcp.differ = lanes_differ(tcp.differ, word[1], 0xff3f0000u, 0);
    tcp.differ = lanes_differ(tcp.differ, word[2], 0x0000ff00u, 0x00000600u);
    lane_store(&lanes->faddr[0][at], word[3]);
    lane_store(&lanes->laddr[0][at], word[4]);
    tcp.differ = lane_or(tcp.differ, lane_xor(lanes_fold(ip), lane_all32(0xffff)));
    tcp.sum = lane_add32(tcp.sum, addresses);
    lane_store(&lanes->sum[at], addresses);
    return lanes_good(lanes, at, tcp,
                      lane_either(lane_equal32(word[3], word[4]),
                                  lane_either(lanes_address_v4_bad(word[3]), lanes_address_v4_bad(word[4]))));
}

/* 0 where the address is a group's or in ::/64, where nobody's is and mapped ones are. */
LANES_FN vec
lanes_address_v6_good(const vec word[static 4])
{
    vec any = lane_or(word[0], word[1]);

    return lane_min32(any, lane_xor(lane_and(word[0], lane_all32(0xff)), lane_all32(0xff)));
}

LANES_FN uint32_t
lanes_match_v6(struct simd_lanes *lanes, uint32_t at)
{
    vec word[20];
    vec addresses = lane_all32(0);
    vec apart = lane_all32(0);

    for (size_t i = 0; i < 5; i++)
        lanes_read(&lanes->packet[at], i * SIMD_CHUNK, &word[4 * i]);

    struct lanes_verdict tcp = lanes_match_tcp(lanes, at, &word[10]);
    for (size_t i = 0; i < 4; i++) {
        addresses = lane_add_halves(lane_add_halves(addresses, word[2 + i]), word[6 + i]);
        apart = lane_or(apart, lane_xor(word[2 + i], word[6 + i]));
        lane_store(&lanes->faddr[i][at], word[2 + i]);
        lane_store(&lanes->laddr[i][at], word[6 + i]);
    }
    tcp.differ = lanes_differ(tcp.differ, word[0], 0x000000f0u, 0x00000060u);
    tcp.differ = lanes_differ(tcp.differ, word[1], 0x00ffffffu, 0x00062800u);
    tcp.sum = lane_add32(tcp.sum, addresses);
    lane_store(&lanes->sum[at], addresses);
    vec good = lane_min32(apart, lane_min32(lanes_address_v6_good(&word[2]), lanes_address_v6_good(&word[6])));
    return lanes_good(lanes, at, tcp, lane_equal32(good, lane_all32(0)));
}

/* Makes the lanes from the last to the end of its group repeat the first one. */
LANES_KERNEL void
lanes_fill(struct simd_lanes *lanes)
{
    for (uint32_t lane = lanes->syns; lane % LANES != 0; lane++) {
        lanes->packet[lane] = lanes->packet[0];
        lanes->template[lane] = lanes->template[0];
    }
    for (uint32_t lane = 0; lane < lanes->syns; lane += LANES)
        lane_store64((uint64_t *)(void *)&lanes->out[lane], lane_all64((uint64_t)(uintptr_t)lanes->nowhere),
                     lane_all64((uint64_t)(uintptr_t)lanes->nowhere));
}

/* Under a flood the lanes of a group have one template. */
LANES_FN bool
lanes_one_template(const struct simd_lanes *lanes, uint32_t at)
{
    return lane_same64((const uint64_t *)(const void *)&lanes->template[at]);
}

/* A number of each lane's template, found `offset` bytes into it. */
LANES_FN vec
lanes_of_template(const struct simd_lanes *lanes, uint32_t at, size_t offset, bool same)
{
    _Alignas(64) uint32_t number[LANES];

    if (same) {
        memcpy(number, (const uint8_t *)lanes->template[at] + offset, sizeof(number[0]));
        return lane_all32(number[0]);
    }
    for (uint32_t i = 0; i < LANES; i++)
        memcpy(&number[i], (const uint8_t *)lanes->template[at + i] + offset, sizeof(number[0]));
    return lane_load(number);
}

LANES_KERNEL uint64_t
lanes_match(struct simd_lanes *lanes)
{
    uint64_t good = 0;

    lanes_fill(lanes);
    for (uint32_t at = 0; at < lanes->syns; at += LANES) {
        uint32_t bits = lanes->v6 ? lanes_match_v6(lanes, at) : lanes_match_v4(lanes, at);
        good |= (uint64_t)(bits & LANES_BITS) << at;
    }
    return lanes->syns == SIMD_LANES ? good : good & ((UINT64_C(1) << lanes->syns) - 1);
}

#include "lanes_sip.h"

/*
 * The cookies' bytes, where their ISS will be: all before the first hash, so that what they are compared with stays in
 * registers.  scalar_index() of both fields at once, the MSS in the lower half of a word and the scale in the upper.
 */
LANES_FN void
lanes_cookie_bytes(const struct simd_shape *shape, struct simd_lanes *lanes)
{
    vec none = lane_all32(shape->mss_none);
    vec rest = lane_all32(2 | shape->parity);
    uint32_t floor[7];

    for (size_t i = 0; i < 7; i++)
        floor[i] = shape->mss_floor[i] | shape->wscale_floor[i] << 16;
    for (uint32_t at = 0; at < lanes->syns; at += LANES) {
        vec mss = lane_load(&lanes->mss[at]);
        vec both = lane_or(mss, lane_left32(lane_load(&lanes->wscale[at]), 16));
        vec index = lane_if_zero(mss, none, lane_all32(0));

        for (size_t i = 0; i < 7; i++)
            index = lane_count_from16(index, both, floor[i]);
        vec byte = lane_or(lane_or(lane_left32(index, 5), lane_right32(index, 14)), rest);
        lane_store(&lanes->iss[at], lane_and(byte, lane_all32(0xff)));
    }
}

LANES_FN void
lanes_cookies_at(const struct simd_shape *shape, const struct lanes_key key[static 2], struct simd_lanes *lanes,
                 uint32_t at, bool v6)
{
    vec byte = lane_load(&lanes->iss[at]);
    vec offset = lane_all32(0);
    struct lanes_addresses addresses;
    struct lanes_sip s;

    lanes_addresses_at(&addresses, lanes, at, v6);
    lanes_sip_addresses(&s, &key[0], &addresses, v6);
    lanes_sip_absorb(&s, lane_load(&lanes->ports[at]), lane_load(&lanes->irs[at]));
    lanes_sip_absorb(&s, lane_or(byte, lane_all32((uint32_t)shape->tail[0])),
                     lane_all32((uint32_t)(shape->tail[0] >> 32)));
    vec scale = lanes_of_template(lanes, at, offsetof(struct simd_template, scale), lanes_one_template(lanes, at));
    lanes_sip_absorb(&s, lane_or(scale, lane_all32((uint32_t)shape->tail[1])),
                     lane_all32((uint32_t)(shape->tail[1] >> 32)));

    vec mac = lanes_sip_xor_halves(&s);
    vec low = lane_xor(byte, lane_right32(mac, 24));
    lane_store(&lanes->iss[at], lane_or(lane_and(mac, lane_all32(0xffffff00u)), low));

    if (shape->ts_per_tuple) {
        lanes_sip_tuple(&s, &key[1], &addresses, v6, shape->ts_ports ? &lanes->ports[at] : NULL);
        offset = lanes_sip_xor_halves(&s);
    }
    lane_store(&lanes->ts_offset[at], offset);
}

LANES_KERNEL void
lanes_cookies(const struct simd_shape *shape, struct simd_lanes *lanes)
{
    struct lanes_key key[2] = {lanes_key_of(shape->cookie_key), lanes_key_of(shape->ts_key)};

    lanes_cookie_bytes(shape, lanes);
    for (uint32_t at = 0; at < lanes->syns; at += LANES) {
        if (lanes->v6)
            lanes_cookies_at(shape, key, lanes, at, true);
        else
            lanes_cookies_at(shape, key, lanes, at, false);
    }
}

LANES_KERNEL void
lanes_hashes(const uint8_t key[static SYNCACHE_KEY_BYTES], struct simd_lanes *lanes)
{
    struct lanes_key begun = lanes_key_of(key);

    for (uint32_t at = 0; at < lanes->count; at += LANES) {
        struct lanes_addresses addresses;
        struct lanes_sip s;

        lanes_addresses_at(&addresses, lanes, at, lanes->v6);
        if (lanes->v6)
            lanes_sip_tuple(&s, &begun, &addresses, true, &lanes->ports[at]);
        else
            lanes_sip_tuple(&s, &begun, &addresses, false, &lanes->ports[at]);
        lanes_sip_end(&s);
        lane_store64(&lanes->hash[at], s.low[0], s.high[0]);
    }
}

/* The ten words of a reply from TCP on. */
LANES_FN void
lanes_reply_tcp(const struct simd_shape *shape, const struct simd_lanes *lanes, uint32_t at, vec word[static 10],
                bool same)
{
    vec ports = lane_load(&lanes->ports[at]);
    vec addresses = lane_load(&lanes->sum[at]);
    vec sum = lane_add32(addresses, lanes_of_template(lanes, at, offsetof(struct simd_template, tcp_sum), same));

    for (size_t i = 0; i < 10; i++)
        word[i] = lane_all32(0);
    word[0] = lane_or(lane_left32(ports, 16), lane_right32(ports, 16));
    word[1] = lane_swap32(lane_load(&lanes->iss[at]));
    word[2] = lane_swap32(lane_add32(lane_load(&lanes->irs[at]), lane_all32(1)));
    word[8] = lane_swap32(lane_add32(lane_load(&lanes->ts_offset[at]), lane_all32(shape->ts_clock)));
    word[9] = lane_load(&lanes->tsval[at]);
    sum = lane_add_halves(lane_add_halves(sum, word[0]), word[1]);
    sum = lane_add_halves(lane_add_halves(lane_add_halves(sum, word[2]), word[8]), word[9]);
    word[4] = lane_xor(lanes_fold(sum), lane_all32(0xffff));
}

LANES_FN void
lanes_reply_v4(const struct simd_shape *shape, const struct lanes_group *group, struct simd_lanes *lanes,
               uint32_t at)
{
    vec sum = lanes_of_template(lanes, at, offsetof(struct simd_template, ip_sum), group->same);
    vec check = lanes_fold(lane_add32(lane_load(&lanes->sum[at]), sum));
    vec word[16];

    word[0] = word[1] = word[15] = lane_all32(0);
    word[2] = lane_left32(lane_xor(check, lane_all32(0xffff)), 16);
    word[3] = lane_load(&lanes->laddr[0][at]);
    word[4] = lane_load(&lanes->faddr[0][at]);
    lanes_reply_tcp(shape, lanes, at, &word[5], group->same);
    for (size_t i = 0; i < 4; i++)
        lanes_write(group, i * SIMD_CHUNK, &word[4 * i]);
}

LANES_FN void
lanes_reply_v6(const struct simd_shape *shape, const struct lanes_group *group, struct simd_lanes *lanes,
               uint32_t at)
{
    vec word[20];

    word[0] = lane_swap32(lane_and(lane_load(&lanes->iss[at]), lane_all32(0xfffff)));
    word[1] = lane_all32(0);
    for (size_t i = 0; i < 4; i++) {
        word[2 + i] = lane_load(&lanes->laddr[i][at]);
        word[6 + i] = lane_load(&lanes->faddr[i][at]);
    }
    lanes_reply_tcp(shape, lanes, at, &word[10], group->same);
    for (size_t i = 0; i < 5; i++)
        lanes_write(group, i * SIMD_CHUNK, &word[4 * i]);
}

LANES_FN void
lanes_replies_at(const struct simd_shape *shape, struct simd_lanes *lanes, uint32_t at, bool same)
{
    struct lanes_group group = {.out = &lanes->out[at], .same = same};
    uint8_t *out[LANES];

    for (uint32_t i = 0; i < (same ? 1 : LANES); i++)
        group.under[i] = lanes->template[at + i]->reply;
    if (LANES == 4) { /* so few stay in registers, whatever is written meanwhile */
        memcpy(out, group.out, sizeof out);
        group.out = out;
    }
    if (lanes->v6)
        lanes_reply_v6(shape, &group, lanes, at);
    else
        lanes_reply_v4(shape, &group, lanes, at);
}

LANES_KERNEL void
lanes_replies(const struct simd_shape *shape, struct simd_lanes *lanes)
{
    for (uint32_t at = 0; at < lanes->syns; at += LANES) {
        if (lanes_one_template(lanes, at))
            lanes_replies_at(shape, lanes, at, true);
        else
            lanes_replies_at(shape, lanes, at, false);
    }
}

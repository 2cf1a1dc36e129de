/*
 * Random lanes for the kernels of csrc/simd/, and a level's results held
 * against those of the portable one.
 */
#ifndef SYNCACHE_TEST_KERNELS_H
#define SYNCACHE_TEST_KERNELS_H

#include "test.h"

#include "../../csrc/core/bytes.h"
#include "../../csrc/core/syncookie.h"
#include "../../csrc/simd/simd.h"

#define KERNELS_ROUNDS 400
#define KERNELS_TEMPLATES 3

/* Kernels under test, or NULL: the machine has them not. */
static const struct simd_kernels *kernels_tested;
static struct simd_lanes kernels_lanes, kernels_twin;
static struct simd_shape kernels_shape;
static struct simd_template kernels_template[KERNELS_TEMPLATES];
static uint8_t kernels_packet[SIMD_LANES][SYNCACHE_REPLY_MAX];
static uint8_t kernels_reply[2][SIMD_LANES][SYNCACHE_REPLY_MAX];
static uint8_t kernels_key[3][16];

static inline uint32_t
kernels_pick(uint32_t below)
{
    return (uint32_t)test_random_below(below);
}

static inline void
kernels_random_bytes(void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)test_random();
}

/* A SYN of the template's form from chance values. */
static inline void
kernels_syn(uint8_t *packet, bool v6)
{
    static const uint8_t options[20] = {2, 4, [4] = 4, 2, 8, 10, [16] = 1, 3, 3};
    struct syncache_fields fields = {.family = v6 ? 6 : 4,
                                     .flags = 2,
                                     .options_size = 20,
                                     .hop_limit = 64};
    uint8_t chosen[20];

    memcpy(chosen, options, 20);
    kernels_random_bytes(fields.saddr, v6 ? 16 : 4);
    kernels_random_bytes(fields.daddr, v6 ? 16 : 4);
    fields.sport = (uint16_t)test_random();
    fields.dport = (uint16_t)test_random();
    fields.tos = (uint8_t)test_random();
    fields.flow_label = (uint32_t)test_random();
    fields.ip_id = (uint16_t)test_random();
    fields.dont_fragment = (uint8_t)kernels_pick(2);
    fields.seq = (uint32_t)test_random();
    fields.ack = (uint32_t)test_random();
    fields.window = (uint16_t)test_random();
    fields.urgent = (uint16_t)test_random();
    kernels_random_bytes(chosen + 8, 8);
    store16_be(chosen + 2, (uint16_t)(kernels_pick(2) ? kernels_pick(1500)
                                                      : test_random()));
    chosen[19] = (uint8_t)kernels_pick(17);
    EXPECT_EQ(v6 ? 80 : 60,
              syncache_build(&fields, chosen, NULL, SYNCACHE_CHECKSUM_VERIFY,
                             packet, SYNCACHE_REPLY_MAX));
}

/* Spoils a packet: a bit anywhere, or an address that is no peer's. */
static inline void
kernels_spoil(uint8_t *packet, bool v6)
{
    uint32_t address = v6 ? 8 + 16 * kernels_pick(2) : 12 + 4 * kernels_pick(2);
    uint32_t size = v6 ? 16 : 4;

    switch (kernels_pick(6)) {
    case 0:
        memset(packet + address, 0, size);
        break;
    case 1:
        packet[address] = v6 ? 0xff : (uint8_t)(0xe0 | kernels_pick(16));
        break;
    case 2:
        memset(packet + address, 0xff, size);
        break;
    case 3:
        memcpy(packet + (v6 ? 8 : 12), packet + (v6 ? 24 : 16), size);
        break;
    default:
        packet[kernels_pick(v6 ? 80 : 60)] ^= (uint8_t)(1 << kernels_pick(8));
        break;
    }
}

static inline void
kernels_shape_of(bool v6)
{
    kernels_random_bytes(kernels_key, sizeof kernels_key);
    syncookie_shape(kernels_pick(2) ? SYNCACHE_LAYOUT_WIDE
                                    : SYNCACHE_LAYOUT_FREEBSD,
                    v6 ? 6 : 4, test_random(), &kernels_shape);
    kernels_shape.cookie_key = kernels_key[0];
    kernels_shape.ts_key = kernels_key[1];
    kernels_shape.parity = kernels_pick(2);
    kernels_shape.ts_clock = (uint32_t)test_random();
    kernels_shape.ts_per_tuple = kernels_pick(4) != 0;
    kernels_shape.ts_ports = kernels_pick(4) != 0;
    for (size_t i = 0; i < KERNELS_TEMPLATES; i++) {
        uint8_t *reply = kernels_template[i].reply;
        uint8_t *tcp = reply + (v6 ? 40 : 20);

        kernels_random_bytes(reply, SIMD_V6_SYN);
        if (v6)
            memset(reply + 8, 0, 32);
        else
            memset(reply + 10, 0, 10);
        reply[1] &= 0xf0;
        reply[2] = v6 ? 0 : reply[2];
        reply[3] = v6 ? 0 : reply[3];
        memset(tcp, 0, 12);
        memset(tcp + 16, 0, 2);
        memset(tcp + 32, 0, 8);
        kernels_template[i].ip_sum = 1 + kernels_pick(600000);
        kernels_template[i].tcp_sum = 1 + kernels_pick(600000);
        kernels_template[i].scale = kernels_pick(15) << 8;
    }
}

/* Fills the lanes; a few packets are spoiled, a few checksums trusted. */
static inline void
kernels_fill(uint32_t syns, uint32_t count, bool v6)
{
    struct simd_lanes *lanes = &kernels_lanes;
    bool alike = kernels_pick(2) != 0;

    memset(lanes, 0xa5, sizeof *lanes);
    lanes->syns = syns;
    lanes->count = count;
    lanes->v6 = v6;
    lanes->trusted = 0;
    for (uint32_t lane = 0; lane < syns; lane++) {
        kernels_syn(kernels_packet[lane], v6);
        if (kernels_pick(3) == 0)
            kernels_spoil(kernels_packet[lane], v6);
        lanes->packet[lane] = kernels_packet[lane];
        lanes->template[lane] =
            &kernels_template[alike ? 0 : kernels_pick(KERNELS_TEMPLATES)];
        lanes->trusted |= (uint64_t)(kernels_pick(4) == 0) << lane;
    }
    kernels_twin = *lanes;
}

static inline void
expect_lanes(const char *field, const void *expected, const void *actual,
             uint32_t count, size_t size)
{
    test_row = field;
    EXPECT_BYTES((const uint8_t *)expected, (const uint8_t *)actual,
                 count * size);
    test_row = "";
}

#define EXPECT_FIELD(field, count)                                           \
    expect_lanes(#field, kernels_twin.field, kernels_lanes.field, count,      \
                 sizeof kernels_twin.field[0])

static inline void
expect_match_like_portable(void)
{
    struct simd_lanes *lanes = &kernels_lanes;
    uint32_t syns = lanes->syns;

    EXPECT_EQ(simd_portable.match(&kernels_twin), kernels_tested->match(lanes));
    for (uint32_t i = 0; i < (lanes->v6 ? 4 : 1); i++) {
        EXPECT_FIELD(faddr[i], syns);
        EXPECT_FIELD(laddr[i], syns);
    }
    EXPECT_FIELD(ports, syns);
    EXPECT_FIELD(irs, syns);
    EXPECT_FIELD(tsval, syns);
    EXPECT_FIELD(mss, syns);
    EXPECT_FIELD(wscale, syns);
    for (uint32_t lane = 0; lane < syns; lane++)
        EXPECT_TRUE(lanes->out[lane] == lanes->nowhere);
}

static inline void
expect_hashes_like_portable(void)
{
    uint32_t syns = kernels_lanes.syns;

    /* Tuples of other packets come behind the SYNs. */
    for (uint32_t lane = syns; lane < kernels_lanes.count; lane++) {
        for (uint32_t i = 0; i < 4; i++) {
            kernels_lanes.faddr[i][lane] = (uint32_t)test_random();
            kernels_lanes.laddr[i][lane] = (uint32_t)test_random();
            kernels_twin.faddr[i][lane] = kernels_lanes.faddr[i][lane];
            kernels_twin.laddr[i][lane] = kernels_lanes.laddr[i][lane];
        }
        kernels_lanes.ports[lane] = (uint32_t)test_random();
        kernels_twin.ports[lane] = kernels_lanes.ports[lane];
    }
    simd_portable.hashes(kernels_key[2], &kernels_twin);
    kernels_tested->hashes(kernels_key[2], &kernels_lanes);
    EXPECT_FIELD(hash, kernels_lanes.count);
    simd_portable.cookies(&kernels_shape, &kernels_twin);
    kernels_tested->cookies(&kernels_shape, &kernels_lanes);
    EXPECT_FIELD(iss, syns);
    EXPECT_FIELD(ts_offset, syns);
}

static inline void
expect_replies_like_portable(void)
{
    uint32_t syns = kernels_lanes.syns;
    uint32_t size = kernels_lanes.v6 ? SIMD_V6_SYN : SIMD_V4_SYN;

    memset(kernels_reply, 0, sizeof kernels_reply);
    for (uint32_t lane = 0; lane < syns; lane++) {
        if (kernels_pick(5) == 0)
            continue; /* it has no reply */
        kernels_twin.out[lane] = kernels_reply[0][lane];
        kernels_lanes.out[lane] = kernels_reply[1][lane];
    }
    for (uint32_t lane = 0; lane < syns; lane++) {
        if (kernels_lanes.out[lane] == kernels_lanes.nowhere)
            kernels_twin.out[lane] = kernels_twin.nowhere;
    }
    simd_portable.replies(&kernels_shape, &kernels_twin);
    kernels_tested->replies(&kernels_shape, &kernels_lanes);
    for (uint32_t lane = 0; lane < SIMD_LANES; lane++)
        EXPECT_BYTES(kernels_reply[0][lane], kernels_reply[1][lane], size);
}

/* All four kernels, every number of lanes, both families. */
static inline void
expect_kernels_like_portable(void)
{
    for (uint32_t round = 0; round < KERNELS_ROUNDS; round++) {
        uint32_t syns = 1 + round % SIMD_LANES;
        uint32_t count = syns + kernels_pick(SIMD_LANES - syns + 1);

        for (uint32_t v6 = 0; v6 < 2; v6++) {
            kernels_shape_of(v6);
            kernels_fill(syns, count, v6);
            expect_match_like_portable();
            expect_hashes_like_portable();
            expect_replies_like_portable();
        }
    }
}

#endif

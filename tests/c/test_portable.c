/*
 * The portable kernels against the code that knows all packets: wire.c reads
 * what they match, siphash.c and syncookie.c hash what they hash.
 */
#include "kernels.h"

#include "../../csrc/core/siphash.h"
#include "../../csrc/core/wire.h"

#define ROUNDS 300

static void
expect_lane_as_parsed(uint32_t lane, bool matched)
{
    struct wire_segment segment;
    struct wire_quote quote;
    enum syncache_verdict why;
    const uint8_t *packet = kernels_lanes.packet[lane];
    uint32_t size = kernels_lanes.v6 ? SIMD_V6_SYN : SIMD_V4_SYN;
    bool trusted = kernels_lanes.trusted >> lane & 1;
    enum wire_kind kind =
        wire_parse(packet, size,
                   trusted ? SYNCACHE_CHECKSUM_VALID : SYNCACHE_CHECKSUM_VERIFY,
                   &segment, &quote, &why);
    uint8_t bytes[4];

    if (!matched)
        return; /* it goes the long way, whatever it is */
    EXPECT_EQ(WIRE_TCP, kind);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, wire_address_fault(&segment.tuple));
    EXPECT_EQ(WIRE_SYN, segment.flags);
    EXPECT_EQ(WIRE_HAS_MSS | WIRE_HAS_WSCALE | WIRE_HAS_SACK_PERMITTED |
                  WIRE_HAS_TIMESTAMPS,
              segment.has);
    EXPECT_EQ(0, segment.payload_size);
    EXPECT_EQ(segment.seg_seq, kernels_lanes.irs[lane]);
    EXPECT_EQ(segment.mss, kernels_lanes.mss[lane]);
    EXPECT_EQ(segment.wscale, kernels_lanes.wscale[lane]);
    store32_le(bytes, kernels_lanes.tsval[lane]);
    EXPECT_EQ(segment.tsval, load32_be(bytes));
    store32_le(bytes, kernels_lanes.ports[lane]);
    EXPECT_EQ(segment.tuple.fport, load16_be(bytes));
    EXPECT_EQ(segment.tuple.lport, load16_be(bytes + 2));
    for (uint32_t i = 0; i < (kernels_lanes.v6 ? 4 : 1); i++) {
        store32_le(bytes, kernels_lanes.faddr[i][lane]);
        EXPECT_BYTES(segment.tuple.faddr + 4 * i, bytes, 4);
        store32_le(bytes, kernels_lanes.laddr[i][lane]);
        EXPECT_BYTES(segment.tuple.laddr + 4 * i, bytes, 4);
    }
}

static void
test_match_reads_what_the_parser_reads(void)
{
    /* Most lanes match; what matches is a SYN without fault. */
    uint32_t matched = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        kernels_fill(SIMD_LANES, SIMD_LANES, round % 2);
        uint64_t good = simd_portable.match(&kernels_lanes);
        for (uint32_t lane = 0; lane < SIMD_LANES; lane++) {
            expect_lane_as_parsed(lane, good >> lane & 1);
            matched += (uint32_t)(good >> lane & 1);
        }
    }
    EXPECT_TRUE(matched > ROUNDS * SIMD_LANES / 2);
}

static void
test_unspoiled_syn_always_matches(void)
{
    /* The short way is taken by what it is made for. */
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bool v6 = round % 2 != 0;
        kernels_fill(1, 1, v6);
        kernels_syn(kernels_packet[0], v6);
        kernels_packet[0][v6 ? 8 : 12] = 0x20;
        kernels_packet[0][v6 ? 24 : 16] = 0x30;
        if (!v6) /* the sum that kernels_syn() wrote is not this one's */
            memset(kernels_packet[0] + 10, 0, 2);
        uint32_t sum = v6 ? 0 : wire_sum(0, kernels_packet[0], 20);
        if (!v6)
            store16_be(kernels_packet[0] + 10, (uint16_t)~sum);
        kernels_lanes.trusted = 1;
        EXPECT_EQ(1, simd_portable.match(&kernels_lanes));
    }
}

static void
test_hashes_are_siphash_of_the_tuple(void)
{
    /* Addresses, then ports; the offset folded, and keyed as it is asked. */
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bool v6 = round % 2 != 0;
        uint32_t size = v6 ? 32 : 8;
        uint8_t message[36];

        kernels_shape_of(v6);
        kernels_fill(1, 1, v6);
        (void)simd_portable.match(&kernels_lanes);
        memcpy(message, kernels_packet[0] + (v6 ? 8 : 12), size);
        memcpy(message + size, kernels_packet[0] + (v6 ? 40 : 20), 4);
        simd_portable.hashes(kernels_key[2], &kernels_lanes);
        EXPECT_EQ(siphash24(kernels_key[2], message, size + 4),
                  kernels_lanes.hash[0]);
        simd_portable.cookies(&kernels_shape, &kernels_lanes);
        size += kernels_shape.ts_ports ? 4 : 0;
        EXPECT_EQ(kernels_shape.ts_per_tuple
                      ? siphash24_fold(kernels_key[1], message, size)
                      : 0,
                  kernels_lanes.ts_offset[0]);
    }
}

static const struct test tests[] = {
    TEST(test_match_reads_what_the_parser_reads),
    TEST(test_unspoiled_syn_always_matches),
    TEST(test_hashes_are_siphash_of_the_tuple),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/*
 * Burst kernels: the work on a flood's SYNs that is the same for each, for up to 64 of them side by side.
 *
 *   isa.c       which level this machine can, and which one is asked for
 *   portable.c  one lane after the other, by the functions of scalar.h, which single packets take too
 *   avx2.c      8 lanes at a time   }
 *   avx512.c    16 lanes at a time  } lanes.h, in terms of some thirty one-line primitives
 *   neon.c, neon_sha3.c: 4 lanes    }
 *
 * All levels give the same bytes.  Not here: the effects of a SYN (core/quick.c), packets of any other form.
 *
 * A lane is one packet; a field is an array over the lanes, so that a vector register is a field of 8 or 16 lanes.
 * Fields that are echoed or hashed as they lie in the packet ("raw") are little-endian readings of their bytes,
 * numbers are in host order.  Families have lanes of their own, since their headers differ in size.
 */
#ifndef SYNCACHE_SIMD_SIMD_H
#define SYNCACHE_SIMD_SIMD_H

#include "../syncache.h"

#if defined(__aarch64__) && defined(__GNUC__) && !defined(__AARCH64EB__)
#define SIMD_NEON                     /* there are neon.c and neon_sha3.c */
#endif

#define SIMD_LANES SYNCACHE_BURST_MAX
#define SIMD_V4_SYN 60                /* IPv4 20, TCP 20, options 20: MSS, SACK, timestamps, NOP, window scale */
#define SIMD_V6_SYN 80
#define SIMD_V4_READ 64               /* bytes of a slot that a vector reads of an IPv4 SYN */
#define SIMD_CHUNK 16                 /* packets are read and written in chunks of this size */

/* A SYN-ACK of one endpoint with zeros where peers differ, and its one's complement sums. */
struct simd_template {
    _Alignas(16) uint8_t reply[SIMD_V6_SYN];
    uint32_t ip_sum;                  /* of the IPv4 header */
    uint32_t tcp_sum;                 /* of TCP header, options, and the pseudo header's protocol and size */
    uint32_t scale;                   /* our window scale's bits of the cookie's MAC input, in their place */
};

/* State common to all lanes of a family: keys and the cookie's tables (core/syncookie.c). */
struct simd_shape {
    const uint8_t *cookie_key;
    const uint8_t *ts_key;
    uint64_t tail[2];                 /* last two words of the MAC input, without the byte and without the scale */
    uint32_t mss_floor[7];            /* MSS of index 1 to 7, ascending */
    uint32_t mss_none;                /* index for no MSS option */
    uint32_t wscale_floor[7];
    uint32_t parity;
    uint32_t ts_clock;
    bool ts_per_tuple;
    bool ts_ports;                    /* the offset is keyed on the ports too */
};

struct simd_lanes {
    uint32_t syns;                    /* lanes 0 .. syns - 1 hold candidates for the template */
    uint32_t count;                   /* lanes .. count - 1 hold tuples of other packets, to be hashed */
    bool v6;
    uint64_t trusted;                 /* bit per lane: the TCP checksum need not be verified */

    /* Set by the caller for lanes < syns; match() sets `out` to `nowhere`, the caller who has a reply changes it. */
    _Alignas(64) const uint8_t *packet[SIMD_LANES];
    _Alignas(64) const struct simd_template *template[SIMD_LANES];
    _Alignas(64) uint8_t *out[SIMD_LANES];

    /* From the packet: match(); of tuples only, the caller. */
    _Alignas(64) uint32_t faddr[4][SIMD_LANES];   /* raw; IPv4 has [0] */
    _Alignas(64) uint32_t laddr[4][SIMD_LANES];   /* raw */
    _Alignas(64) uint32_t ports[SIMD_LANES];      /* raw: foreign in the low half */
    _Alignas(64) uint32_t irs[SIMD_LANES];
    _Alignas(64) uint32_t tsval[SIMD_LANES];      /* raw */
    _Alignas(64) uint32_t mss[SIMD_LANES];
    _Alignas(64) uint32_t wscale[SIMD_LANES];     /* at most 14 */
    _Alignas(64) uint32_t sum[SIMD_LANES];        /* of the addresses, as the kernels sum: for replies() */

    /* Results of cookies() and hashes(). */
    _Alignas(64) uint32_t iss[SIMD_LANES];
    _Alignas(64) uint32_t ts_offset[SIMD_LANES];
    _Alignas(64) uint64_t hash[SIMD_LANES];

    uint8_t nowhere[SYNCACHE_REPLY_MAX];
};

struct simd_kernels {
    enum syncache_isa isa;
    /*
     * Reads the candidates.  Returns a bit for each lane whose packet is, byte for byte but for what differs between
     * peers, a SYN with Linux's options, to and from addresses without fault, its checksums right.
     */
    uint64_t (*match)(struct simd_lanes *lanes);
    /* Fills iss and ts_offset of the SYNs. */
    void (*cookies)(const struct simd_shape *shape, struct simd_lanes *lanes);
    /* Fills hash of every lane: SipHash of the tuple under the key. */
    void (*hashes)(const uint8_t key[static SYNCACHE_KEY_BYTES], struct simd_lanes *lanes);
    /* Writes the SYN-ACKs. */
    void (*replies)(const struct simd_shape *shape, struct simd_lanes *lanes);
};

extern const struct simd_kernels simd_portable;
extern const struct simd_kernels simd_avx2;
extern const struct simd_kernels simd_avx512;
extern const struct simd_kernels simd_neon;
extern const struct simd_kernels simd_neon_sha3;

/* The kernels of the best level that machine and environment allow; see syncache_isa(). */
const struct simd_kernels *simd_kernels(void);
/* The same for a level that is asked for by its name; NULL: none is. */
const struct simd_kernels *simd_kernels_named(const char *name);

#endif

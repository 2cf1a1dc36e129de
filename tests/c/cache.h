/*
 * An engine under test and the peers that talk to it: packets are made by
 * syncache_build(), and answers read by syncache_parse(), both of which have
 * tests of their own.  Time is `now`, in milliseconds, moved by the tests
 * alone.
 *
 * Peer n has the address 192.0.2.n or 2001:db8::n, port 49152, and irs 1000 *
 * n.
 */
#ifndef SYNCACHE_TEST_CACHE_H
#define SYNCACHE_TEST_CACHE_H

#include "test.h"

#include "../../csrc/core/bytes.h"
#include "../../csrc/core/engine.h"

#define CACHE_PORT 80
#define CACHE_PEER_PORT 49152
#define CACHE_PACKET_MAX 2048
#define CACHE_RING_SLOTS 64
#define CACHE_RING_SLOT_SIZE 2048

#define FIN WIRE_FIN
#define SYN WIRE_SYN
#define RST WIRE_RST
#define PSH WIRE_PSH
#define ACK WIRE_ACK

static struct syncache *cache;
static struct syncache_config config;
static struct syncache_tunables tunables;
static struct syncache_endpoint endpoint;
static struct syncache_result result;
static uint32_t endpoint_number;
static uint64_t now;
static uint8_t family;
static const uint8_t cache_seed[16] = "a seed for tests";

/* A segment of a peer's; what is 0 is as in an ordinary segment. */
struct seg {
    uint32_t peer;
    uint16_t flags;
    uint32_t seq;
    uint32_t ack;
    const uint8_t *options;
    uint16_t options_size;
    uint32_t payload_size;
    uint16_t sport;
    uint16_t dport;
    uint8_t tos;
    uint16_t window;
};

/* The answer to the last segment, or the last one taken from `tx`. */
static struct syncache_fields reply;
static uint8_t reply_options[40];
static uint8_t cache_packet[CACHE_PACKET_MAX];

static inline void
cache_key_of(uint64_t epoch, uint8_t key[static 16])
{
    memset(key, 0x5a, 16);
    store64_le(key, epoch * 7 + 1);
}

/* Defaults, small: 16 buckets of 30; the test may change them before start. */
static inline void
cache_defaults(void)
{
    config = (struct syncache_config){
        .struct_size = sizeof config,
        .hashsize = 16,
        .bucketlimit = 30,
        .cachelimit = 480,
        .established_max = 64,
        .replay_entries = 64,
        .endpoint_max = 4,
        .address_max = 4,
        .md5_max = 4,
        .ts_hz = 1000,
        .ts_per_tuple = 1,
    };
    endpoint = (struct syncache_endpoint){
        .lport = CACHE_PORT,
        .options = 1,
        .ecn = 1,
        .hop_limit = 61,
        .tos = 0x28,
        .rcv_wscale = SYNCACHE_WSCALE_NONE,
        .rcv_wnd = 65536,
        .mtu = 1500,
    };
    syncache_tunables_default(&tunables);
    now = 10000;
    family = 4;
}

static inline void
cache_tune(void)
{
    EXPECT_TRUE(syncache_set_tunables(cache, &tunables));
}

/* Gives the engine the key of the epoch in force, and the next one. */
static inline void
cache_keys(void)
{
    uint64_t next_ms;
    uint64_t epoch = syncache_epoch(cache, now, &next_ms);
    uint8_t key[16];
    cache_key_of(epoch, key);
    syncache_set_key(cache, epoch, key);
}

static inline void
cache_stop(void)
{
    free(cache);
    cache = NULL;
}

static inline void
cache_start_keyless(void)
{
    size_t size = syncache_size(&config);
    cache_stop();
    void *block = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (block == NULL)
        abort();
    memset(block, 0xa5, size); /* nothing may rely on zeroed memory */
    cache = syncache_init(block, size, &config, cache_seed);
    if (cache == NULL)
        abort();
    cache_tune();
    EXPECT_TRUE(syncache_listen(cache, &endpoint, &endpoint_number));
}

static inline void
cache_start(void)
{
    cache_start_keyless();
    cache_keys();
}

static inline const struct syncache_stats *
stats(void)
{
    return syncache_statistics(cache);
}

static inline uint32_t
peer_irs(uint32_t peer)
{
    return 1000 * peer;
}

static inline void
peer_address(uint32_t peer, uint8_t address[static 16])
{
    memset(address, 0, 16);
    if (family == 4) {
        store32_be(address, 0xc0000200 + peer);
    } else {
        store32_be(address, 0x20010db8);
        store32_be(address + 12, peer);
    }
}

static inline void
own_address(uint8_t address[static 16])
{
    memset(address, 0, 16);
    if (family == 4) {
        store32_be(address, 0xc6336409);
    } else {
        store32_be(address, 0x20010db8);
        address[15] = 1;
        address[8] = 1;
    }
}

static inline struct syncache_tuple
peer_tuple(uint32_t peer)
{
    struct syncache_tuple tuple = {
        .fport = CACHE_PEER_PORT, .lport = CACHE_PORT, .family = family};
    peer_address(peer, tuple.faddr);
    own_address(tuple.laddr);
    return tuple;
}

/* Writes a segment as a packet; returns its size. */
static inline uint32_t
seg_build(const struct seg *seg, uint8_t *packet)
{
    static const uint8_t payload[1400];
    struct syncache_fields fields = {
        .sport = seg->sport != 0 ? seg->sport : CACHE_PEER_PORT,
        .dport = seg->dport != 0 ? seg->dport : CACHE_PORT,
        .family = family,
        .hop_limit = 55,
        .tos = seg->tos,
        .flags = seg->flags,
        .seq = seg->seq,
        .ack = seg->ack,
        .window = seg->window != 0 ? seg->window : 29200,
        .options_size = seg->options_size,
        .payload_size = seg->payload_size,
    };
    peer_address(seg->peer, fields.saddr);
    own_address(fields.daddr);
    return (uint32_t)syncache_build(&fields, seg->options, payload,
                                    SYNCACHE_CHECKSUM_VALID, packet,
                                    CACHE_PACKET_MAX);
}

/* Reads an answer into `reply`; its checksums are verified on the way. */
static inline void
reply_read(const uint8_t *packet, size_t size)
{
    EXPECT_EQ(SYNCACHE_PASS_KNOWN,
              syncache_parse(packet, size, SYNCACHE_CHECKSUM_VERIFY, &reply));
    memset(reply_options, 0xee, sizeof reply_options);
    memcpy(reply_options, packet + reply.options_offset, reply.options_size);
}

static inline enum syncache_verdict
send_packet(const uint8_t *packet, size_t size)
{
    uint8_t *copy = test_heap_copy(packet, size);
    memset(&result, 0xa5, sizeof result);
    enum syncache_verdict verdict = syncache_packet(
        cache, now, copy, size, SYNCACHE_CHECKSUM_VERIFY, &result);
    free(copy);
    memset(&reply, 0, sizeof reply);
    if (result.reply_size > 0)
        reply_read(result.reply, result.reply_size);
    return verdict;
}

static inline enum syncache_verdict
send_seg(struct seg seg)
{
    return send_packet(cache_packet, seg_build(&seg, cache_packet));
}

/* MSS 1460, SACK-permitted, timestamps with tsval, NOP, window scale 7. */
static inline const uint8_t *
syn_options(uint32_t tsval)
{
    static uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, [16] = 1, 3, 3, 7};
    store32_be(options + 8, tsval);
    return options;
}

/* NOP, NOP, timestamps. */
static inline const uint8_t *
ts_option(uint32_t tsval, uint32_t tsecr)
{
    static uint8_t option[12] = {1, 1, 8, 10};
    store32_be(option + 4, tsval);
    store32_be(option + 8, tsecr);
    return option;
}

/* An option-rich SYN of a peer; 500 is its TSval. */
static inline enum syncache_verdict
send_syn(uint32_t peer)
{
    return send_seg((struct seg){.peer = peer,
                                 .flags = SYN,
                                 .seq = peer_irs(peer),
                                 .options = syn_options(500),
                                 .options_size = 20});
}

/* A SYN with no option but MSS 1460. */
static inline enum syncache_verdict
send_syn_plain(uint32_t peer)
{
    return send_seg((struct seg){.peer = peer,
                                 .flags = SYN,
                                 .seq = peer_irs(peer),
                                 .options = syn_options(0),
                                 .options_size = 4});
}

static inline enum syncache_verdict
send_ack(uint32_t peer, uint32_t iss)
{
    return send_seg((struct seg){
        .peer = peer, .flags = ACK, .seq = peer_irs(peer) + 1, .ack = iss + 1});
}

static inline enum syncache_verdict
send_rst(uint32_t peer, uint32_t seq)
{
    return send_seg((struct seg){.peer = peer, .flags = RST, .seq = seq});
}

/* Does the option of this kind stand in the last reply?  Its value, or NULL. */
static inline const uint8_t *
reply_option(uint8_t kind)
{
    for (size_t i = 0; i < reply.options_size;) {
        if (reply_options[i] == kind)
            return reply_options + i + 2;
        if (reply_options[i] == 0)
            return NULL;
        i += reply_options[i] == 1 ? 1 : reply_options[i + 1];
    }
    return NULL;
}

static inline uint32_t
reply_tsval(void)
{
    const uint8_t *value = reply_option(8);
    return value == NULL ? 0 : load32_be(value);
}

/* A ring of the test's own. */
struct cache_ring {
    struct syncache_ring ring;
    struct syncache_slot slot[CACHE_RING_SLOTS];
    struct syncache_conn conn[CACHE_RING_SLOTS];
    uint32_t passed[CACHE_RING_SLOTS];
    uint8_t memory[CACHE_RING_SLOTS * CACHE_RING_SLOT_SIZE];
};

static struct cache_ring tx;

static inline void
ring_reset(struct cache_ring *ring, uint32_t slots)
{
    ring->ring = (struct syncache_ring){
        .memory = ring->memory,
        .slot = ring->slot,
        .conn = ring->conn,
        .passed = ring->passed,
        .slots = slots,
        .slot_size = CACHE_RING_SLOT_SIZE,
    };
}

/* Polls at `now`; returns how many packets left, the last one in `reply`. */
static inline uint32_t
poll_now(void)
{
    ring_reset(&tx, CACHE_RING_SLOTS);
    uint32_t sent = syncache_poll(cache, now, &tx.ring);
    EXPECT_EQ(sent, tx.ring.count);
    memset(&reply, 0, sizeof reply);
    for (uint32_t i = 0; i < sent; i++) {
        EXPECT_EQ(SYNCACHE_CHECKSUM_VALID, tx.slot[i].checksum);
        EXPECT_EQ(65535, tx.slot[i].request);
        reply_read(tx.memory + i * CACHE_RING_SLOT_SIZE, tx.slot[i].size);
    }
    return sent;
}

/* The first entry in the listing. */
static inline struct syncache_half_open
first_entry(void)
{
    struct syncache_half_open entry = {.iss = 0};
    uint64_t cursor = 0;
    EXPECT_TRUE(syncache_walk(cache, &cursor, &entry, 1) <= 1);
    return entry;
}

/*
 * Every entry that came is accounted for, once; holds as long as each offer is
 * answered at once.
 */
static inline void
expect_balance(void)
{
    const struct syncache_stats *s = stats();
    uint64_t gone = s->sc_completed + s->sc_stale + s->sc_reset +
                    s->sc_unreach + s->sc_aborted + s->evicted + s->purged +
                    s->cookie_over_entry;
    uint64_t held = 0;
    for (uint32_t i = 0; i < config.hashsize; i++)
        held += table_bucket_count(&cache->table, i);
    EXPECT_EQ(held, syncache_count(cache));
    EXPECT_EQ(s->sc_added, gone + syncache_count(cache));
}

#endif

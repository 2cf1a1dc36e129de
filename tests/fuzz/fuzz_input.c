/*
 * Whatever comes, in whatever order and at whatever time, an engine stays
 * within its memory and its limits; and the one-packet path and the burst path
 * agree in every verdict, every reply byte and every counter.
 *
 * The input is a list of steps.  A step's first byte chooses what it is, the
 * next ones fill it in; what is missing at the end of the input is zero:
 *
 * - 0..7: a segment of one of 16 peers, its fields from 7 bytes; ACKs
 *   acknowledge what the engine last sent to that peer, off by a little
 * - 8: a packet made of the bytes that follow, as they are
 * - 9: time goes on by up to 65 s
 * - 10: time goes on by up to 2^40 ms, or back
 * - 11: the stack answers the last offer: yes, no, or closes
 * - 12: what is due is sent
 * - 13: a tunable changes
 */
#include "syncache.h"

#include <stdlib.h>
#include <string.h>

#define PEERS 16
#define SLOT_SIZE 256
#define PACKET_MAX 200
#define STEPS_MAX 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, place;
};

struct twin {
    struct syncache *single, *burst; /* the same engine, driven two ways */
    struct syncache_ring rx, tx;
    struct syncache_result result;
    uint64_t now_ms;
    uint32_t iss[PEERS];   /* what the engine last said to a peer */
    uint32_t tsval[PEERS]; /* and its timestamp */
    bool offered;
};

static const uint8_t seed[SYNCACHE_KEY_BYTES] = "a fuzzer's seed";

/* Not assert(): this must also hold with NDEBUG. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

static uint64_t
take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value =
            value << 8 | (in->place < in->size ? in->data[in->place++] : 0u);
    return value;
}

static struct syncache_ring
make_ring(void)
{
    struct syncache_ring ring = {.slots = 1, .slot_size = SLOT_SIZE};
    ring.memory = aligned_alloc(64, SLOT_SIZE);
    ring.slot = calloc(1, sizeof *ring.slot);
    ring.conn = calloc(1, sizeof *ring.conn);
    ring.passed = calloc(1, sizeof *ring.passed);
    return ring;
}

static struct syncache *
make_engine(uint8_t **block)
{
    /* Small, so that every limit is reached. */
    struct syncache_config config = {.struct_size = sizeof config,
                                     .hashsize = 2,
                                     .bucketlimit = 3,
                                     .cachelimit = 5,
                                     .established_max = 8,
                                     .replay_entries = 8,
                                     .endpoint_max = 4,
                                     .address_max = 2,
                                     .md5_max = 1,
                                     .ts_hz = 1000,
                                     .ts_per_tuple = 1};
    struct syncache_endpoint endpoint = {.lport = 80,
                                         .options = 1,
                                         .ecn = 1,
                                         .hop_limit = 64,
                                         .rcv_wscale = SYNCACHE_WSCALE_NONE,
                                         .rcv_wnd = 65535,
                                         .mtu = 1500,
                                         .fastopen = 2};
    uint32_t number;
    size_t size = syncache_size(&config);
    *block = aligned_alloc(64, (size + 63) / 64 * 64);
    struct syncache *cache = syncache_init(*block, size, &config, seed);
    require(cache != NULL && syncache_listen(cache, &endpoint, &number));
    return cache;
}

/* Gives both engines the key that this time needs, as a stack would. */
static void
set_keys(struct twin *twin)
{
    uint64_t next_ms;
    uint64_t epoch = syncache_epoch(twin->single, twin->now_ms, &next_ms);
    uint8_t key[SYNCACHE_KEY_BYTES] = {0};

    require(epoch == syncache_epoch(twin->burst, twin->now_ms, &next_ms));
    memcpy(key, &epoch, sizeof epoch);
    syncache_set_key(twin->single, epoch, key);
    syncache_set_key(twin->burst, epoch, key);
}

/* Sends one packet through both engines and compares what comes of it. */
static void
both(struct twin *twin, const uint8_t *packet, size_t packet_size)
{
    struct syncache_ring *rx = &twin->rx, *tx = &twin->tx;

    set_keys(twin);
    enum syncache_verdict verdict =
        syncache_packet(twin->single, twin->now_ms, packet, packet_size,
                        SYNCACHE_CHECKSUM_VERIFY, &twin->result);
    memcpy(rx->memory, packet, packet_size);
    memset(rx->slot, 0, sizeof *rx->slot);
    rx->slot[0].size = (uint32_t)packet_size;
    rx->count = 1;
    rx->next = tx->count = 0;
    require(syncache_burst(twin->burst, twin->now_ms, rx, tx) == 1);
    require(rx->slot[0].verdict == verdict);

    bool replied = syncache_kind(verdict) == SYNCACHE_REPLY ||
                   verdict == SYNCACHE_ACCEPT_FASTOPEN;
    require(tx->count == (replied && twin->result.reply_size != 0));
    if (tx->count == 1) {
        require(tx->slot[0].size == twin->result.reply_size);
        require(memcmp(tx->memory, twin->result.reply, tx->slot[0].size) == 0);
    }
    if (syncache_kind(verdict) == SYNCACHE_ACCEPT) {
        require(memcmp(&twin->result.conn, &rx->conn[0],
                       sizeof twin->result.conn) == 0);
        twin->offered = true;
    }
}

/* Remembers the sequence number of a reply, so that a peer can acknowledge it.
 */
static void
learn(struct twin *twin, uint32_t peer)
{
    struct syncache_fields fields;

    if (twin->tx.count == 1 &&
        syncache_parse(twin->tx.memory, twin->tx.slot[0].size,
                       SYNCACHE_CHECKSUM_VERIFY,
                       &fields) == SYNCACHE_PASS_KNOWN)
        twin->iss[peer] = fields.seq;
    if (twin->tx.count == 0)
        return;
    for (uint32_t i = 0; i + 6 < twin->tx.slot[0].size; i++)
        if (twin->tx.memory[i] == 8 && twin->tx.memory[i + 1] == 10)
            memcpy(&twin->tsval[peer], twin->tx.memory + i + 2, 4);
}

/* Makes options: good ones of a client, or whatever the input says. */
static uint16_t
take_options(struct twin *twin, struct input *in, uint32_t peer,
             uint8_t options[static 40])
{
    static const uint8_t good[24] = {2, 4, 5, 180, 4, 2, 8, 10, 0,  0, 0, 1,
                                     0, 0, 0, 0,   1, 3, 3, 7,  34, 2, 1, 1};
    /* None; MSS; SACK and timestamps too; scale too; Fast Open too. */
    static const uint16_t sizes[8] = {0, 4, 16, 20, 24, 20, 16, 20};
    uint64_t how = take(in, 1);

    memset(options, 0, 40);
    if (how >= 128) {
        for (unsigned i = 0; i < how % 11 * 4; i++)
            options[i] = (uint8_t)take(in, 1);
        return (uint16_t)(how % 11 * 4);
    }
    memcpy(options, good, sizeof good);
    options[11] = (uint8_t)(how / 8); /* TSval, for PAWS */
    memcpy(options + 12, &twin->tsval[peer], 4);
    return sizes[how % 8];
}

static void
step_segment(struct twin *twin, struct input *in, uint64_t kind)
{
    static const uint16_t flags[8] = {0x02, 0x10, 0x04, 0x18,
                                      0x12, 0xc2, 0x14, 0x01};
    uint8_t packet[PACKET_MAX], options[40];
    uint32_t peer = (uint32_t)take(in, 1) % PEERS;
    struct syncache_fields fields = {
        .sport = (uint16_t)(1024 + peer),
        .dport = (uint16_t)(peer == 15 ? 81 : 80),
        .family = (uint8_t)(peer % 4 == 3 ? 6 : 4),
        .hop_limit = 64,
        .flags = (uint16_t)(flags[kind] ^ (take(in, 1) & 0xc1)),
        .window = (uint16_t)take(in, 1),
        .seq = 1000 * peer + (uint32_t)(int32_t)(int8_t)take(in, 1),
        .ack = twin->iss[peer] + 1 + (uint32_t)(int32_t)(int8_t)take(in, 1),
        .payload_size = (uint32_t)take(in, 1) % (sizeof seed + 1)};

    fields.saddr[0] = fields.daddr[0] = fields.family == 4 ? 10 : 0x20;
    fields.saddr[3] = (uint8_t)(1 + peer % 2);
    fields.daddr[3] = 9;
    if ((fields.flags & 0x12) != 0x02)
        fields.seq++; /* after its SYN */
    fields.options_size = take_options(twin, in, peer, options);
    size_t packet_size =
        syncache_build(&fields, options, seed, SYNCACHE_CHECKSUM_VERIFY, packet,
                       sizeof packet);
    require(packet_size != 0);
    both(twin, packet, packet_size);
    learn(twin, peer);
}

static void
step_answer(struct twin *twin, uint64_t how)
{
    if (!twin->offered)
        return;
    if (how % 3 == 2) {
        syncache_closed(twin->single, &twin->result.conn.tuple);
        syncache_closed(twin->burst, &twin->rx.conn[0].tuple);
        return;
    }
    syncache_accepted(twin->single, &twin->result.conn, 7, how % 3 == 0);
    syncache_accepted(twin->burst, &twin->rx.conn[0], 7, how % 3 == 0);
}

static void
step_poll(struct twin *twin)
{
    uint8_t mine[SLOT_SIZE];
    uint32_t count;

    set_keys(twin);
    do {
        twin->tx.count = 0;
        count = syncache_poll(twin->single, twin->now_ms, &twin->tx);
        uint32_t mine_size = count == 1 ? twin->tx.slot[0].size : 0;
        memcpy(mine, twin->tx.memory, mine_size);
        twin->tx.count = 0;
        require(syncache_poll(twin->burst, twin->now_ms, &twin->tx) == count);
        require(count == 0 || twin->tx.slot[0].size == mine_size);
        require(memcmp(mine, twin->tx.memory, mine_size) == 0);
    } while (count != 0);
}

static void
step_tunables(struct twin *twin, struct input *in)
{
    struct syncache_tunables tunables;

    syncache_tunables_default(&tunables);
    tunables.syncookies = (uint32_t)take(in, 1) % 2;
    tunables.syncookies_only = (uint32_t)take(in, 1) % 2;
    tunables.pause_policy = (uint32_t)take(in, 1) % 3;
    tunables.cookie_gate = (uint32_t)take(in, 1) % 3;
    tunables.cookie_layout = (uint32_t)take(in, 1) % 3;
    tunables.cookie_ts = (uint32_t)take(in, 1) % 4;
    tunables.overflow = (uint32_t)take(in, 1) % 2;
    tunables.dupsyn_limit = (uint32_t)take(in, 1) % 3;
    tunables.offer_timeout_ms = (uint32_t)take(in, 1) % 2 * 5000;
    tunables.rst_on_sock_fail = (uint32_t)take(in, 1) % 2;
    tunables.fastopen_server_enable = (uint32_t)take(in, 1) % 2;
    tunables.rexmtlimit = (uint32_t)take(in, 1) % 13;
    require(syncache_set_tunables(twin->single, &tunables) ==
            syncache_set_tunables(twin->burst, &tunables));
}

static void
step(struct twin *twin, struct input *in)
{
    uint8_t packet[PACKET_MAX];
    uint64_t kind = take(in, 1) % 14;

    if (kind < 8) {
        step_segment(twin, in, kind);
    } else if (kind == 8) {
        size_t packet_size = take(in, 1) % sizeof packet;
        for (size_t i = 0; i < packet_size; i++)
            packet[i] = (uint8_t)take(in, 1);
        both(twin, packet, packet_size);
    } else if (kind == 9) {
        twin->now_ms += take(in, 2);
    } else if (kind == 10) {
        uint64_t by = take(in, 5);
        twin->now_ms = by % 2 != 0 ? twin->now_ms + by
                                   : twin->now_ms - by % (twin->now_ms + 1);
    } else if (kind == 11) {
        step_answer(twin, take(in, 1));
    } else if (kind == 12) {
        step_poll(twin);
    } else {
        step_tunables(twin, in);
    }
    require(syncache_count(twin->single) <= 5);
    require(syncache_count(twin->single) == syncache_count(twin->burst));
    require(memcmp(syncache_statistics(twin->single),
                   syncache_statistics(twin->burst),
                   sizeof(struct syncache_stats)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size, 0};
    struct twin twin = {.rx = make_ring(), .tx = make_ring(), .now_ms = 1000};
    uint8_t *blocks[2];

    twin.single = make_engine(&blocks[0]);
    twin.burst = make_engine(&blocks[1]);
    for (int i = 0; i < STEPS_MAX && in.place < size; i++)
        step(&twin, &in);
    free(blocks[0]);
    free(blocks[1]);
    for (struct syncache_ring *ring = &twin.rx; ring != NULL;
         ring = ring == &twin.rx ? &twin.tx : NULL) {
        free(ring->memory);
        free(ring->slot);
        free(ring->conn);
        free(ring->passed);
    }
    return 0;
}

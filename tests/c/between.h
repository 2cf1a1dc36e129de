/*
 * A client, a server and the SYN proxy between them, for units of csrc/flow:
 * segments go in from a side, one at a time, and what came out on either side
 * is read as values.  (world.h speaks in packets and bursts.)
 *
 * C is 192.0.2.10:40000 or 2001:db8::a, S 198.51.100.5:80 or 2001:db8::5.
 */
#ifndef SYNCACHE_TEST_BETWEEN_H
#define SYNCACHE_TEST_BETWEEN_H

#include "test.h"

#include "../../csrc/core/bytes.h"
#include "../../csrc/core/wire.h"
#include "../../csrc/flow/box.h"

enum { BETWEEN_SLOTS = 64, BETWEEN_SLOT_SIZE = 2048 };

struct between_ring {
    struct syncache_ring ring;
    struct syncache_slot slot[BETWEEN_SLOTS];
    uint32_t passed[BETWEEN_SLOTS];
    uint8_t memory[BETWEEN_SLOTS * BETWEEN_SLOT_SIZE];
};

/* What a segment says; taken from a packet, or to be made into one. */
struct said {
    uint8_t side; /* in: where it comes from; out: which link it left by */
    bool forwarded;
    bool good;        /* checksums are right */
    bool from_client; /* its addresses say so */
    uint16_t sport, dport;
    uint16_t flags;
    uint16_t window;
    uint32_t seq, ack;
    uint32_t payload;
    uint8_t has;
    uint8_t wscale;
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint32_t sack[2]; /* one block, if they differ */
    uint32_t link_size;
    uint8_t hop_limit, tos; /* of a packet that left */
};

struct between {
    struct flow *flow;
    void *block;
    uint64_t now_ms;
    uint8_t family;
    uint8_t chost; /* last byte of C's address */
    uint8_t link_size;
    uint16_t cport, sport;
    enum flow_verdict verdict; /* of the last packet */
    struct said out[BETWEEN_SLOTS];
    uint32_t out_count;
    struct between_ring rx, client, server;
};

static const uint8_t between_client[2][16] = {
    {192, 0, 2, 10}, {0x20, 0x01, 0x0d, 0xb8, [15] = 10}};
static const uint8_t between_server[2][16] = {
    {198, 51, 100, 5}, {0x20, 0x01, 0x0d, 0xb8, [15] = 5}};

static inline void
between_clear(struct between_ring *of)
{
    memset(&of->ring, 0, sizeof of->ring);
    of->ring.memory = of->memory;
    of->ring.slot = of->slot;
    of->ring.passed = of->passed;
    of->ring.slots = BETWEEN_SLOTS;
    of->ring.slot_size = BETWEEN_SLOT_SIZE;
}

/* permit tcp any any eq 80, both families */
static inline void
between_protect(struct between *world)
{
    struct flow_rule rule = {.protocol = 6,
                             .permit = 1,
                             .destination_op = FLOW_PORT_EQ,
                             .destination_lo = 80};
    memset(rule.source_wildcard, 0xff, 16);
    memset(rule.destination_wildcard, 0xff, 16);
    EXPECT_TRUE(flow_set_rules(world->flow, &rule, 1, true));
}

static inline void
between_tune(struct between *world,
             const struct flow_intercept_tunables *tunables)
{
    EXPECT_TRUE(flow_set_intercept(world->flow, world->now_ms, tunables));
}

static inline void
between_open(struct between *world, uint32_t sessions_max)
{
    static const uint8_t seed[16] = {1, 2, 3};
    uint8_t key[16] = {4, 5, 6};
    struct flow_config config = {.struct_size = sizeof config,
                                 .kind = FLOW_INTERCEPT,
                                 .sessions_max = sessions_max,
                                 .hosts_max = 64,
                                 .profiles_max = 16,
                                 .headers_max = 16,
                                 .journal_max = 1024,
                                 .rules_max = 8};
    size_t size = flow_size(&config);
    memset(world, 0, sizeof *world);
    world->block = aligned_alloc(64, (size + 63) / 64 * 64);
    world->flow = flow_init(world->block, size, &config, seed);
    EXPECT_TRUE(world->flow != NULL);
    for (uint8_t epoch = 0; epoch < 4; epoch++) {
        key[15] = epoch;
        flow_set_key(world->flow, epoch, key);
    }
    world->now_ms = 1000000;
    flow_set_epoch(world->flow, 0, world->now_ms);
    world->family = 4;
    world->cport = 40000;
    world->sport = 80;
    world->chost = 10;
    between_protect(world);
}

static inline void
between_close(struct between *world)
{
    free(world->block);
}

/* One SACK block, wherever it lies. */
static inline void
between_read_sack(struct said *said, const struct wire_segment *segment)
{
    for (size_t at = 20; at + 9 < segment->header_size;) {
        const uint8_t *option = segment->tcp + at;
        if (option[0] == 0)
            break;
        if (option[0] == 5) {
            said->sack[0] = load32_be(option + 2);
            said->sack[1] = load32_be(option + 6);
        }
        at += option[0] == 1 ? 1 : option[1];
    }
}

/* Reads one packet that left. */
static inline struct said
between_read(const struct between *world, const uint8_t *packet, size_t size,
             uint32_t checksum)
{
    struct said said = {.good = true};
    struct wire_segment segment;
    struct wire_quote quote;
    enum syncache_verdict why;
    if (wire_parse(packet, size, checksum, &segment, &quote, &why) !=
        WIRE_TCP) {
        said.good = false;
        if (wire_parse(packet, size, SYNCACHE_CHECKSUM_VALID, &segment, &quote,
                       &why) != WIRE_TCP)
            return said;
    }
    said.from_client = segment.tuple.lport == world->sport;
    said.hop_limit = world->family == 6 ? packet[7] : packet[8];
    said.tos = world->family == 6
                   ? (uint8_t)(load16_be(packet) >> 4)
                   : packet[1];
    said.sport = segment.tuple.fport;
    said.dport = segment.tuple.lport;
    said.flags = segment.flags;
    said.window = segment.seg_wnd;
    said.seq = segment.seg_seq;
    said.ack = segment.seg_ack;
    said.payload = segment.payload_size;
    said.has = segment.has;
    said.mss = segment.mss;
    said.wscale = segment.wscale;
    said.tsval = segment.tsval;
    said.tsecr = segment.tsecr;
    between_read_sack(&said, &segment);
    return said;
}

static inline void
between_take(struct between *world, struct between_ring *from, uint8_t side,
             bool forwarded, uint32_t index)
{
    const struct syncache_slot *slot = &from->slot[index];
    const uint8_t *packet =
        from->memory + index * BETWEEN_SLOT_SIZE + slot->link_size;
    struct said *said = &world->out[world->out_count++];
    *said = between_read(world, packet, slot->size,
                         forwarded ? slot->checksum : SYNCACHE_CHECKSUM_VERIFY);
    said->side = side;
    said->forwarded = forwarded;
    said->link_size = slot->link_size;
    /* MAC addresses end in 2 for C and in 1 for S. */
    if (!forwarded && slot->link_size >= 14) {
        EXPECT_EQ(side == FLOW_CLIENT ? 2 : 1, packet[-slot->link_size + 5]);
        EXPECT_EQ(side == FLOW_CLIENT ? 1 : 2, packet[-slot->link_size + 11]);
    }
}

static inline void
between_collect(struct between *world, uint8_t from_side)
{
    world->out_count = 0;
    for (uint32_t i = 0; i < world->rx.ring.passed_count; i++)
        between_take(world, &world->rx, 1 - from_side, true,
                     world->rx.passed[i]);
    for (uint32_t i = 0; i < world->client.ring.count; i++)
        between_take(world, &world->client, FLOW_CLIENT, false, i);
    for (uint32_t i = 0; i < world->server.ring.count; i++)
        between_take(world, &world->server, FLOW_SERVER, false, i);
}

static inline void
between_begin(struct between *world)
{
    between_clear(&world->rx);
    between_clear(&world->client);
    between_clear(&world->server);
}

/* Lets what is due act.  Returns how many packets left. */
static inline uint32_t
between_poll(struct between *world)
{
    between_begin(world);
    flow_poll(world->flow, world->now_ms, &world->client.ring,
              &world->server.ring);
    box_selfcheck(world->flow);
    between_collect(world, FLOW_CLIENT);
    return world->out_count;
}

/* Gives a packet to the engine.  Returns how many left. */
static inline uint32_t
between_packet(struct between *world, uint8_t side, const uint8_t *packet,
               size_t size, uint32_t checksum)
{
    between_begin(world);
    uint8_t *slot = world->rx.memory;
    memset(slot, 0, world->link_size);
    if (world->link_size >= 14) {
        slot[5] = side == FLOW_CLIENT ? 1 : 2;
        slot[11] = side == FLOW_CLIENT ? 2 : 1;
    }
    memcpy(slot + world->link_size, packet, size);
    world->rx.slot[0].size = (uint32_t)size;
    world->rx.slot[0].link_size = world->link_size;
    world->rx.slot[0].checksum = (uint8_t)checksum;
    world->rx.ring.count = 1;
    EXPECT_EQ(1, flow_burst(world->flow, world->now_ms, &world->rx.ring, side,
                            &world->client.ring, &world->server.ring));
    box_selfcheck(world->flow);
    world->verdict = world->rx.slot[0].verdict;
    between_collect(world, side);
    return world->out_count;
}

/* Writes the options of a segment; returns their size. */
static inline uint16_t
between_options(const struct said *said, uint8_t options[static 40])
{
    uint16_t size = 0;
    if (said->has & WIRE_HAS_MSS) {
        memcpy(options, "\2\4", 2);
        store16_be(options + 2, said->mss);
        size = 4;
    }
    if (said->has & WIRE_HAS_WSCALE) {
        memcpy(options + size, "\1\3\3", 3);
        options[size + 3] = said->wscale;
        size = (uint16_t)(size + 4);
    }
    if (said->has & WIRE_HAS_SACK_PERMITTED) {
        memcpy(options + size, "\1\1\4\2", 4);
        size = (uint16_t)(size + 4);
    }
    if (said->has & WIRE_HAS_TIMESTAMPS) {
        memcpy(options + size, "\1\1\10\12", 4);
        store32_be(options + size + 4, said->tsval);
        store32_be(options + size + 8, said->tsecr);
        size = (uint16_t)(size + 12);
    }
    if (said->sack[0] != said->sack[1]) {
        memcpy(options + size, "\1\1\5\12", 4);
        store32_be(options + size + 4, said->sack[0]);
        store32_be(options + size + 8, said->sack[1]);
        size = (uint16_t)(size + 12);
    }
    return size;
}

/* Makes a packet from what it says; returns its size. */
static inline size_t
between_make(const struct between *world, const struct said *said,
             uint8_t packet[static BETWEEN_SLOT_SIZE], uint32_t checksum)
{
    static const uint8_t payload[1024];
    uint8_t options[40];
    int v6 = world->family == 6;
    bool client = said->side == FLOW_CLIENT;
    struct syncache_fields fields = {
        .family = world->family,
        .hop_limit = 60,
        .flags = said->flags,
        .seq = said->seq,
        .ack = said->ack,
        .window = said->window,
        .options_size = between_options(said, options),
        .payload_size = said->payload,
    };
    memcpy(client ? fields.saddr : fields.daddr, between_client[v6], 16);
    memcpy(client ? fields.daddr : fields.saddr, between_server[v6], 16);
    (client ? fields.saddr : fields.daddr)[v6 ? 15 : 3] = world->chost;
    fields.sport = client ? world->cport : world->sport;
    fields.dport = client ? world->sport : world->cport;
    return syncache_build(&fields, options, payload, checksum, packet,
                          BETWEEN_SLOT_SIZE);
}

/* Sends a segment from said.side.  Returns how many packets left. */
static inline uint32_t
between_send(struct between *world, struct said said)
{
    uint8_t packet[BETWEEN_SLOT_SIZE];
    size_t size = between_make(world, &said, packet, SYNCACHE_CHECKSUM_VERIFY);
    return between_packet(world, said.side, packet, size,
                          SYNCACHE_CHECKSUM_VERIFY);
}

/* A segment without options. */
static inline struct said
between_said(uint8_t side, uint16_t flags, uint32_t seq, uint32_t ack,
             uint32_t payload)
{
    return (struct said){.side = side,
                         .flags = flags,
                         .seq = seq,
                         .ack = ack,
                         .window = 600,
                         .payload = payload};
}

/* The session of C and S, or NULL. */
static inline struct session *
between_session(const struct between *world)
{
    for (uint32_t i = 0; i < world->flow->sessions.fresh; i++) {
        struct session *session = session_at(&world->flow->sessions, i);
        if (session->family != 0 &&
            session->port[FLOW_CLIENT] == world->cport &&
            session->address[FLOW_CLIENT][world->family == 6 ? 15 : 3] ==
                world->chost)
            return session;
    }
    return NULL;
}

#endif

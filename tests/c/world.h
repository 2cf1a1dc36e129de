/*
 * A middlebox engine with rings on both sides, a clock, and hosts that speak
 * through it: the harness of the tests of csrc/flow that need a whole engine.
 *
 * Packets are put together here, byte by byte, with sums of packet.h.  After
 * every call the engine is checked by box_selfcheck().
 */
#ifndef SYNCACHE_TEST_WORLD_H
#define SYNCACHE_TEST_WORLD_H

#include "packet.h"

#include "../../csrc/flow/box.h"

enum { WORLD_SLOTS = 512, WORLD_SLOT_SIZE = 2048, WORLD_EVENTS = 4096 };

#define WORLD_FIN WIRE_FIN
#define WORLD_SYN WIRE_SYN
#define WORLD_RST WIRE_RST
#define WORLD_ACK WIRE_ACK

struct world_ring {
    struct syncache_ring ring;
    struct syncache_slot slot[WORLD_SLOTS];
    uint32_t passed[WORLD_SLOTS];
    uint8_t *memory;
};

struct world {
    struct flow *flow;
    void *block;
    uint64_t now_ms;
    uint32_t side; /* of client packets; FLOW_TAP: of all */
    struct world_ring rx, client, server;
    struct flow_inspect_tunables inspect;
    struct flow_event event[WORLD_EVENTS]; /* taken so far */
    uint32_t events;
    uint8_t verdict; /* of the last packet */
};

/* Two ends of a connection. */
struct ends {
    uint32_t client, server; /* IPv4 addresses, or numbers within 2001:db8:: */
    uint16_t client_port, server_port;
    uint8_t family;
};

#define WORLD_CLIENT 0xc000020au /* 192.0.2.10 */
#define WORLD_SERVER 0xc6336405u /* 198.51.100.5 */

static const struct ends world_ends = {WORLD_CLIENT, WORLD_SERVER, 40000, 80,
                                       4};

static inline void
world_ring_clear(struct world_ring *ring)
{
    ring->ring = (struct syncache_ring){
        .memory = ring->memory,
        .slot = ring->slot,
        .passed = ring->passed,
        .slots = WORLD_SLOTS,
        .slot_size = WORLD_SLOT_SIZE,
    };
}

static inline void
world_ring_make(struct world_ring *ring)
{
    ring->memory = calloc(WORLD_SLOTS, WORLD_SLOT_SIZE);
    if (ring->memory == NULL)
        abort();
    world_ring_clear(ring);
}

static inline struct world *
world_new(uint32_t kind, uint32_t sessions_max)
{
    struct world *world = calloc(1, sizeof *world);
    struct flow_config config = {
        .struct_size = sizeof config,
        .kind = kind,
        .sessions_max = sessions_max,
        .hosts_max = sessions_max,
        .profiles_max = 16,
        .headers_max = 16,
        .journal_max = WORLD_EVENTS,
        .rules_max = 16,
    };
    size_t size = flow_size(&config);
    uint8_t seed[16];

    if (world == NULL || size == 0)
        abort();
    world->block = aligned_alloc(64, size);
    if (world->block == NULL)
        abort();
    memset(world->block, 0xa5, size);
    test_random_bytes(seed, sizeof seed);
    world->flow = flow_init(world->block, size, &config, seed);
    if (world->flow == NULL)
        abort();
    world_ring_make(&world->rx);
    world_ring_make(&world->client);
    world_ring_make(&world->server);
    world->now_ms = 1000000;
    flow_inspect_default(&world->inspect);
    /* The original, which deletes; our defaults report. */
    world->inspect.block_action = FLOW_BLOCK_DROP;
    world->inspect.block_clears = 1;
    world->inspect.aggressive_evict = FLOW_EVICT_PER_NEW;
    return world;
}

static inline void
world_free(struct world *world)
{
    free(world->rx.memory);
    free(world->client.memory);
    free(world->server.memory);
    free(world->block);
    free(world);
}

static inline void
world_check(struct world *world)
{
    EXPECT_EQ(0, box_selfcheck(world->flow));
    world->events += flow_events(world->flow, world->event + world->events,
                                 WORLD_EVENTS - world->events);
}

/* Makes the tunables of inspection what world->inspect says. */
static inline void
world_set(struct world *world)
{
    EXPECT_TRUE(flow_set_inspect(world->flow, world->now_ms, &world->inspect));
}

/* Inspection with defaults but no limit per host. */
static inline struct world *
world_inspect(uint32_t sessions_max)
{
    struct world *world = world_new(FLOW_INSPECT, sessions_max);

    world->inspect.tcp_max_incomplete_host = 0;
    world_set(world);
    return world;
}

/* Lets the time pass, and what is due happen at its time. */
static inline void
world_wait(struct world *world, uint64_t ms)
{
    uint64_t end_ms = world->now_ms + ms;

    for (;;) {
        uint64_t next_ms = flow_next_deadline(world->flow);

        if (next_ms > end_ms)
            break;
        flow_poll(world->flow, next_ms, &world->client.ring,
                  &world->server.ring);
        if (flow_next_deadline(world->flow) <= next_ms &&
            world->client.ring.count + FLOW_TX_ROOM >= WORLD_SLOTS)
            break;
    }
    world->now_ms = end_ms;
    flow_poll(world->flow, end_ms, &world->client.ring, &world->server.ring);
    world_check(world);
}

/* The packet that is at hand goes in, on a side. */
static inline void
world_put(struct world *world, const struct packet *packet, uint32_t side)
{
    struct syncache_ring *rx = &world->rx.ring;

    world_ring_clear(&world->rx);
    memcpy(rx->memory, packet->bytes, packet->size);
    rx->slot[0] = (struct syncache_slot){.size = (uint32_t)packet->size};
    rx->count = 1;
    EXPECT_EQ(1, flow_burst(world->flow, world->now_ms, rx, side,
                            &world->client.ring, &world->server.ring));
    world->verdict = rx->slot[0].verdict;
    world_check(world);
}

static inline void
world_address(struct packet *packet, const struct ends *ends, bool from_server)
{
    uint32_t source = from_server ? ends->server : ends->client;
    uint32_t destination = from_server ? ends->client : ends->server;

    if (ends->family == 4) {
        store32_be(packet->bytes + 12, source);
        store32_be(packet->bytes + 16, destination);
        packet_seal_ip(packet);
    } else {
        store32_be(packet->bytes + 8 + 12, source);
        store32_be(packet->bytes + 24 + 12, destination);
    }
}

/* A TCP segment of a connection. */
struct segment {
    uint32_t seq, ack;
    uint16_t flags;
    uint16_t window;
    uint16_t payload;
    bool bad; /* checksum */
};

static inline void
world_segment(struct packet *packet, const struct ends *ends, bool from_server,
              struct segment segment)
{
    uint8_t *tcp;

    packet_tcp(packet, ends->family, segment.flags, NULL, 0, segment.payload);
    world_address(packet, ends, from_server);
    tcp = packet->bytes + packet->upper;
    store16_be(tcp, from_server ? ends->server_port : ends->client_port);
    store16_be(tcp + 2, from_server ? ends->client_port : ends->server_port);
    store32_be(tcp + 4, segment.seq);
    store32_be(tcp + 8, segment.ack);
    store16_be(tcp + 14, segment.window != 0 ? segment.window : 64240);
    packet_seal(packet, 6, 16);
    if (segment.bad)
        tcp[16] ^= 0x55;
}

static inline void
world_tcp(struct world *world, const struct ends *ends, bool from_server,
          struct segment segment)
{
    static struct packet packet;
    uint32_t side = world->side;

    if (side != FLOW_TAP && from_server)
        side = 1 - side;
    world_segment(&packet, ends, from_server, segment);
    world_put(world, &packet, side);
}

static inline void
world_udp(struct world *world, const struct ends *ends, bool from_server,
          uint16_t payload)
{
    static struct packet packet;
    uint8_t *udp;
    uint32_t side = world->side;

    if (side != FLOW_TAP && from_server)
        side = 1 - side;
    packet_ip(&packet, ends->family, 17, 8u + payload);
    world_address(&packet, ends, from_server);
    udp = packet.bytes + packet.upper;
    store16_be(udp, from_server ? ends->server_port : ends->client_port);
    store16_be(udp + 2, from_server ? ends->client_port : ends->server_port);
    store16_be(udp + 4, (uint16_t)(8 + payload));
    packet_seal(&packet, 17, 6);
    world_put(world, &packet, side);
}

/* ICMP echo and the like; the client's port is the identifier. */
static inline void
world_icmp(struct world *world, const struct ends *ends, bool from_server,
           uint8_t type)
{
    static struct packet packet;
    uint8_t protocol = ends->family == 4 ? 1 : 58;
    uint8_t *icmp;
    uint32_t side = world->side;

    if (side != FLOW_TAP && from_server)
        side = 1 - side;
    packet_ip(&packet, ends->family, protocol, 8 + 56);
    world_address(&packet, ends, from_server);
    icmp = packet.bytes + packet.upper;
    icmp[0] = type;
    store16_be(icmp + 4, ends->client_port);
    packet_seal(&packet, protocol, 2);
    world_put(world, &packet, side);
}

/* What the tests of connections say again and again.  c and s are ISNs. */
#define WORLD_C 1000u
#define WORLD_S 5000u

static inline void
world_syn(struct world *world, const struct ends *ends)
{
    world_tcp(world, ends, false,
              (struct segment){.seq = WORLD_C, .flags = WORLD_SYN});
}

static inline void
world_syn_ack(struct world *world, const struct ends *ends)
{
    world_tcp(world, ends, true,
              (struct segment){.seq = WORLD_S,
                               .ack = WORLD_C + 1,
                               .flags = WORLD_SYN | WORLD_ACK});
}

static inline void
world_ack(struct world *world, const struct ends *ends)
{
    world_tcp(world, ends, false,
              (struct segment){
                  .seq = WORLD_C + 1, .ack = WORLD_S + 1, .flags = WORLD_ACK});
}

static inline void
world_handshake(struct world *world, const struct ends *ends)
{
    world_syn(world, ends);
    world_syn_ack(world, ends);
    world_ack(world, ends);
}

/* Another client of the same server: its number is the low part of both. */
static inline struct ends
world_other(uint32_t number)
{
    struct ends ends = world_ends;

    ends.client += number >> 14 << 8;
    ends.client_port = (uint16_t)(1024 + (number & 0x3fff));
    return ends;
}

/* Half-opens from so many other clients, beginning with `first`. */
static inline void
world_half_open(struct world *world, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ends ends = world_other(first + i);

        world_syn(world, &ends);
    }
}

static inline const struct flow_stats *
world_stats(struct world *world)
{
    return flow_statistics(world->flow, world->now_ms);
}

/* Does a session of these ends exist? */
static inline bool
world_has(struct world *world, const struct ends *ends)
{
    struct flow_session_view view;
    uint64_t cursor = 0;

    while (flow_walk(world->flow, &cursor, &view, 1) == 1) {
        uint32_t client =
            load32_be(view.tuple.faddr + (ends->family == 4 ? 0 : 12));

        if (client == ends->client &&
            (view.tuple.fport == ends->client_port ||
             view.icmp_id == ends->client_port) &&
            view.tuple.family == ends->family)
            return true;
    }
    return false;
}

/* How many events of a kind were reported; *last is the last of them. */
static inline uint32_t
world_reported(const struct world *world, enum flow_event_kind kind,
               const struct flow_event **last)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->events; i++) {
        if (world->event[i].kind != kind)
            continue;
        count++;
        if (last != NULL)
            *last = &world->event[i];
    }
    return count;
}

/* A packet of ours, as values. */
static inline struct syncache_fields
world_sent(const struct world_ring *ring, uint32_t index)
{
    struct syncache_fields fields = {0};
    const struct syncache_slot *slot = &ring->slot[index];

    EXPECT_TRUE(index < ring->ring.count);
    if (index < ring->ring.count)
        EXPECT_EQ(SYNCACHE_PASS_KNOWN,
                  syncache_parse(
                      ring->memory + index * WORLD_SLOT_SIZE + slot->link_size,
                      slot->size, SYNCACHE_CHECKSUM_VERIFY, &fields));
    return fields;
}

#endif

/*
 * Whatever comes on either side, in whatever order and at whatever time, a
 * middlebox engine stays within its memory, its counts are those of what it
 * holds, what it makes are well-formed packets, and when it has done what is
 * due nothing is due.
 *
 * The first bytes choose the mode and the sizes.  The rest is a list of steps;
 * a step's first byte chooses what it is, the next ones fill it in, and what is
 * missing at the end of the input is zero:
 *
 * - 0..9: a TCP segment between one of 8 clients and one of 4 servers, with
 *   numbers near those that the other end, or the engine in its name, has sent
 * - 10: a UDP datagram     11: an ICMP message      12: an ICMP error quoting TCP
 * - 13: a packet made of the bytes that follow, as they are
 * - 14: time goes on by up to 65 s     15: by up to 2^40 ms, or back
 * - 16: what is due is done            17: the tunables change
 * - 18: a cookie key                   19: the rings are emptied
 */
#include "../c/packet.h"

#include "../../csrc/flow/box.h"

#define CLIENTS 8
#define SERVERS 4
#define SLOTS 16
#define SLOT_SIZE 512
#define RAW_MAX 120
#define STEPS_MAX 300
#define STEP_KINDS 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, place;
};

struct world {
    struct flow *flow;
    struct syncache_ring rx, tx[2];
    uint64_t now_ms;
    uint32_t next[CLIENTS][SERVERS][2]; /* what each end is to send */
    bool tap;
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
        value = value << 8 | (in->place < in->size ? in->data[in->place++] : 0);
    return value;
}

static void
make_ring(struct syncache_ring *ring)
{
    memset(ring, 0, sizeof *ring);
    ring->memory = malloc((size_t)SLOTS * SLOT_SIZE);
    ring->slot = calloc(SLOTS, sizeof *ring->slot);
    ring->passed = calloc(SLOTS, sizeof *ring->passed);
    require(ring->memory != NULL && ring->slot != NULL && ring->passed != NULL);
    ring->slots = SLOTS;
    ring->slot_size = SLOT_SIZE;
}

static void
free_ring(struct syncache_ring *ring)
{
    free(ring->memory);
    free(ring->slot);
    free(ring->passed);
}

/* Takes note of a TCP packet: what its sender will send next. */
static void
note(struct world *world, const struct syncache_fields *fields)
{
    uint32_t client = fields->saddr[3];
    uint32_t server = fields->daddr[3];
    uint32_t end = fields->seq + fields->payload_size +
                   ((fields->flags & (WIRE_SYN | WIRE_FIN)) != 0);
    uint32_t who = FLOW_CLIENT;

    if (fields->saddr[0] == 198) {
        who = FLOW_SERVER;
        server = client;
        client = fields->daddr[3];
    }
    if (client < CLIENTS && server < SERVERS && fields->family == 4)
        world->next[client][server][who] = end;
}

static void
empty(struct world *world)
{
    for (uint32_t side = 0; side < 2; side++) {
        struct syncache_ring *tx = &world->tx[side];

        for (uint32_t i = 0; i < tx->count; i++) {
            struct syncache_fields fields;
            const uint8_t *packet =
                tx->memory + (size_t)i * SLOT_SIZE + tx->slot[i].link_size;

            require(SYNCACHE_PASS_KNOWN ==
                    syncache_parse(packet, tx->slot[i].size,
                                   SYNCACHE_CHECKSUM_VERIFY, &fields));
            note(world, &fields);
        }
        tx->count = 0;
    }
}

static void
put(struct world *world, struct input *in, const struct packet *packet)
{
    struct syncache_ring *rx = &world->rx;
    uint8_t how = (uint8_t)take(in, 1);
    uint16_t link_size = how & 4 ? 14 : 0;
    uint32_t side = world->tap ? FLOW_TAP : how & 1u;
    uint32_t room = SLOTS - FLOW_TX_ROOM;
    uint32_t consumed;

    if (packet->size + link_size > SLOT_SIZE)
        return;
    memset(rx->memory, how, link_size);
    memcpy(rx->memory + link_size, packet->bytes, packet->size);
    rx->slot[0] = (struct syncache_slot){
        .size = (uint32_t)packet->size,
        .link_size = link_size,
        .checksum =
            how >> 3 & 3 ? SYNCACHE_CHECKSUM_VERIFY : SYNCACHE_CHECKSUM_PARTIAL,
    };
    rx->count = 1;
    rx->next = 0;
    consumed = flow_burst(world->flow, world->now_ms, rx, side, &world->tx[0],
                          &world->tx[1]);
    require(consumed == 1 || world->tx[0].count > room ||
            world->tx[1].count > room);
    require(rx->passed_count <= consumed);
    require(consumed == 0 || rx->slot[0].verdict < FLOW_VERDICT_COUNT);
}

/* The addresses say who it is: 192.0.2.client, 198.51.100.server. */
static void
address(struct packet *packet, uint32_t client, uint32_t server, bool turned)
{
    uint8_t *source = packet->bytes + (turned ? 16 : 12);
    uint8_t *destination = packet->bytes + (turned ? 12 : 16);

    if (packet_family(packet) == 6) {
        packet->bytes[turned ? 39 : 23] = (uint8_t)client;
        packet->bytes[turned ? 23 : 39] = (uint8_t)(0x80 + server);
        return;
    }
    store32_be(source, 0xc0000200 + client);
    store32_be(destination, 0xc6336400 + server);
    packet_seal_ip(packet);
}

static void
segment(struct world *world, struct input *in, struct packet *packet)
{
    static const uint8_t common[8] = {0x02, 0x12, 0x10, 0x18,
                                      0x11, 0x04, 0x14, 0x02};
    /* MSS 1460, SACK-permitted, timestamps, window scale. */
    static const uint8_t options[20] = {2, 4, 5,   180, 4, 2, 8, 10, 0, 0,
                                        1, 1, 0x1, 9,   0, 7, 1, 3,  3, 7};
    uint8_t who = (uint8_t)take(in, 1);
    uint32_t client = who & 7, server = who >> 3 & 3;
    bool turned = (who & 0x20) != 0;
    uint8_t what = (uint8_t)take(in, 1);
    uint16_t flags = what & 8 ? (uint16_t)(take(in, 1)) : common[what & 7];
    int8_t off = (int8_t)take(in, 1);
    uint32_t *next = world->next[client][server];
    bool far = (what & 0xc0) == 0xc0;
    struct syncache_fields fields;
    uint8_t *tcp;

    packet_tcp(packet, who & 0x40 ? 6 : 4, flags, options,
               what & 0x10 ? sizeof options : 0, what & 0x20 ? 9 : 0);
    address(packet, client, server, turned);
    tcp = packet->bytes + packet->upper;
    store16_be(tcp, turned ? 80 : (uint16_t)(1000 + client));
    store16_be(tcp + 2, turned ? (uint16_t)(1000 + client) : 80);
    store32_be(tcp + 4, next[turned] + (far ? (uint32_t)(off / 64) : 0));
    store32_be(tcp + 8, next[!turned] + (far ? (uint32_t)(off % 64) : 0));
    if (off & 1)
        store16_be(tcp + 14, (uint16_t)(uint8_t)off);
    packet_seal(packet, 6, 16);
    if (off == 77)
        tcp[17] ^= 1;
    if (syncache_parse(packet->bytes, packet->size, SYNCACHE_CHECKSUM_VERIFY,
                       &fields) == SYNCACHE_PASS_KNOWN)
        note(world, &fields);
}

static void
datagram(struct input *in, struct packet *packet)
{
    uint8_t who = (uint8_t)take(in, 1);
    bool turned = (who & 0x20) != 0;
    uint16_t port = who & 0x80 ? 53 : 514;
    uint8_t *udp;

    packet_ip(packet, who & 0x40 ? 6 : 4, 17, 12);
    address(packet, who & 7, who >> 3 & 3, turned);
    udp = packet->bytes + packet->upper;
    store16_be(udp, turned ? port : 1000);
    store16_be(udp + 2, turned ? 1000 : port);
    store16_be(udp + 4, 12);
    packet_seal(packet, 17, 6);
}

static void
icmp(struct input *in, struct packet *packet)
{
    uint8_t who = (uint8_t)take(in, 1);
    uint8_t family = who & 0x40 ? 6 : 4;
    uint8_t protocol = family == 4 ? 1 : 58;
    uint8_t *message;

    packet_ip(packet, family, protocol, 8);
    address(packet, who & 7, who >> 3 & 3, (who & 0x20) != 0);
    message = packet->bytes + packet->upper;
    message[0] = (uint8_t)take(in, 1);
    store16_be(message + 4, (uint16_t)take(in, 1));
    packet_seal(packet, protocol, 2);
}

static void
quote(struct world *world, struct input *in, struct packet *packet)
{
    static struct packet quoted;
    uint8_t who = (uint8_t)take(in, 1);
    uint8_t protocol = who & 0x40 ? 58 : 1;

    segment(world, in, &quoted);
    packet_ip(packet, packet_family(&quoted), protocol, 8 + quoted.size);
    address(packet, who & 7, who >> 3 & 3, (who & 0x20) != 0);
    memcpy(packet->bytes + packet->upper + 8, quoted.bytes, quoted.size);
    packet->bytes[packet->upper] = protocol == 1 ? 3 : 1;
    packet->bytes[packet->upper + 1] = 4;
    packet_seal(packet, protocol, 2);
}

static void
raw(struct input *in, struct packet *packet)
{
    packet->size = take(in, 1) % RAW_MAX;
    for (size_t i = 0; i < packet->size; i++)
        packet->bytes[i] = (uint8_t)take(in, 1);
}

static void
retune_intercept(struct world *world, struct input *in)
{
    struct flow_intercept_tunables tunables;
    uint32_t bits = (uint32_t)take(in, 4);

    flow_intercept_default(&tunables);
    tunables.mode = bits & 1;
    tunables.drop_mode = (bits >> 1) % 3;
    tunables.max_incomplete_low = 1 + (bits >> 3) % 4;
    tunables.max_incomplete_high = tunables.max_incomplete_low + bits % 3;
    tunables.one_minute_low = 1 + (bits >> 5) % 8;
    tunables.one_minute_high = tunables.one_minute_low + bits % 9;
    tunables.rate_method = (bits >> 8) % 3;
    tunables.evict_rst = (bits >> 10) % 3;
    tunables.watch_reset = (bits >> 12) % 3;
    tunables.reset_client_on_giveup = (bits >> 14) % 3;
    tunables.options = (bits >> 16) % 3;
    tunables.synack = (bits >> 18) % 3;
    tunables.synack_window = bits >> 20 & 1 ? 1000 : 0;
    tunables.wait_for_data = bits >> 20 & bits >> 21 & 1;
    tunables.unknown = bits >> 22 & 1;
    tunables.learn_time_ms = bits >> 23 & 1 ? 60000 : 0;
    tunables.bad_ack_rst = bits >> 24 & 1;
    tunables.debug = bits >> 25 & 1;
    tunables.rexmt_limit = bits >> 26 & 3;
    require(flow_set_intercept(world->flow, world->now_ms, &tunables));
}

static void
retune_inspect(struct world *world, struct input *in)
{
    struct flow_inspect_tunables tunables;
    uint32_t bits = (uint32_t)take(in, 4);

    flow_inspect_default(&tunables);
    tunables.drop_mode = bits % 3;
    tunables.aggressive_evict = (bits >> 2 & 3) % 3;
    tunables.max_incomplete_low = (bits >> 3) % 4;
    tunables.max_incomplete_high =
        bits >> 5 & 1 ? tunables.max_incomplete_low + bits % 3 : 0;
    tunables.one_minute_low = (bits >> 6) % 8;
    tunables.one_minute_high =
        bits >> 9 & 1 ? tunables.one_minute_low + bits % 9 : 0;
    tunables.rate_method = (bits >> 10) % 3;
    tunables.tcp_max_incomplete_host = (bits >> 12) % 4;
    tunables.tcp_block_time_ms = bits >> 14 & 1 ? 20000 : 0;
    tunables.block_action = (bits >> 15) % 4;
    tunables.block_clears = bits >> 17 & 1;
    tunables.udp_halfopen_max_age_ms = bits >> 18 & 1 ? 20000 : 0;
    tunables.count_icmp = bits >> 19 & 1;
    tunables.alert = bits >> 20 & 1;
    tunables.audit_trail = bits >> 21 & 1;
    tunables.detect_only = bits >> 22 & bits >> 23 & 1;
    tunables.tap_reset = bits >> 24 & 1;
    tunables.calm_check_interval_ms = bits >> 25 & 1 ? 30000 : 1000;
    tunables.min_active_ms = bits >> 26 & 1 ? 5000 : 0;
    tunables.options = (bits >> 27) % 3;
    tunables.debug = bits >> 29 & 1;
    tunables.application_count = bits >> 30 & 1;
    tunables.application[0] = (struct flow_application){
        .port = 80,
        .protocol = 6,
        .rule = {.inspect = 1, .alert = bits & 1, .timeout_ms = 9000}};
    require(flow_set_inspect(world->flow, world->now_ms, &tunables));
}

static void
retune(struct world *world, struct input *in)
{
    if (world->flow->config.kind == FLOW_INTERCEPT)
        retune_intercept(world, in);
    else
        retune_inspect(world, in);
}

/* Everything that is due happens, then nothing is. */
static void
settle(struct world *world)
{
    struct flow_event event[4];
    struct flow_session_view view[3];
    uint64_t cursor = 0;
    uint32_t sessions = 0, some;

    do {
        empty(world);
        flow_poll(world->flow, world->now_ms, &world->tx[0], &world->tx[1]);
    } while (world->tx[0].count + FLOW_TX_ROOM > SLOTS ||
             world->tx[1].count + FLOW_TX_ROOM > SLOTS);
    require(flow_next_deadline(world->flow) > world->flow->now_ms);
    while (flow_events(world->flow, event, 4) > 0)
        require(event[0].kind < FLOW_EVENT_COUNT);
    while ((some = flow_walk(world->flow, &cursor, view, 3)) > 0)
        sessions += some;
    require(sessions == world->flow->sessions.count);
}

static void
step(struct world *world, struct input *in)
{
    static struct packet packet;
    uint8_t kind = (uint8_t)(take(in, 1) % STEP_KINDS);
    uint8_t key[16] = {kind};

    packet.size = 0;
    if (kind < 10)
        segment(world, in, &packet);
    else if (kind == 10)
        datagram(in, &packet);
    else if (kind == 11)
        icmp(in, &packet);
    else if (kind == 12)
        quote(world, in, &packet);
    else if (kind == 13)
        raw(in, &packet);
    if (kind < 14)
        put(world, in, &packet);
    else if (kind == 14)
        world->now_ms += take(in, 2);
    else if (kind == 15)
        world->now_ms = take(in, 5);
    else if (kind == 16)
        settle(world);
    else if (kind == 17)
        retune(world, in);
    else if (kind == 18)
        flow_set_key(world->flow, take(in, 1) % 4, key);
    else
        empty(world);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size, 0};
    uint8_t kind = (uint8_t)take(&in, 1);
    struct flow_config config = {
        .struct_size = sizeof config,
        .kind = kind & 1,
        .sessions_max = 1 + (uint32_t)take(&in, 1) % 24,
        .hosts_max = 1 + (uint32_t)take(&in, 1) % 8,
        .profiles_max = (kind >> 1 & 3) * 4,
        .headers_max = 1 + (kind >> 3 & 3),
        .journal_max = 1 + (uint32_t)take(&in, 1) % 32,
        .rules_max = 4,
    };
    size_t bytes = flow_size(&config);
    struct flow_rule any = {.permit = 1};
    struct world world = {.tap = (kind & 0xe0) == 0xe0};
    void *block = aligned_alloc(64, bytes);

    require(block != NULL);
    memset(block, 0xa5, bytes);
    world.flow = flow_init(block, bytes, &config, seed);
    require(world.flow != NULL);
    memset(any.source_wildcard, 0xff, 16);
    memset(any.destination_wildcard, 0xff, 16);
    make_ring(&world.rx);
    make_ring(&world.tx[0]);
    make_ring(&world.tx[1]);
    require(flow_set_rules(world.flow, &any, 1, true));
    for (int i = 0; in.place < in.size && i < STEPS_MAX; i++) {
        step(&world, &in);
        require(box_selfcheck(world.flow) == 0);
    }
    free_ring(&world.rx);
    free_ring(&world.tx[0]);
    free_ring(&world.tx[1]);
    free(block);
    return 0;
}

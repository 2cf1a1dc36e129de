/* See world.h. */
#include "world.h"

#include "core/bytes.h"

#include <stdlib.h>
#include <string.h>

#define WORLD_LPORT 80
#define WORLD_SYN 0x02
#define WORLD_TSVAL 12345

static const uint8_t world_seed[SYNCACHE_KEY_BYTES] = "sixteen bytes !";
static const uint8_t world_address[2][16] = {
    {198, 18, 0, 2}, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

static struct syncache_ring
world_ring(uint32_t slots)
{
    struct syncache_ring ring = {.slots = slots, .slot_size = WORLD_SLOT_SIZE};

    ring.memory = bench_memory((size_t)slots * WORLD_SLOT_SIZE);
    ring.slot = calloc(slots, sizeof *ring.slot);
    ring.conn = calloc(slots, sizeof *ring.conn);
    ring.passed = calloc(slots, sizeof *ring.passed);
    if (!ring.slot || !ring.conn || !ring.passed)
        bench_fail("no memory");
    return ring;
}

static void
world_ring_free(struct syncache_ring *ring)
{
    bench_memory_free(ring->memory, (size_t)ring->slots * WORLD_SLOT_SIZE);
    free(ring->slot);
    free(ring->conn);
    free(ring->passed);
}

static uint32_t
world_sum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i += 2)
        sum += load16_be(bytes + i);
    return sum;
}

static uint16_t
world_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* A SYN with Linux's options and zeros where its peer will be. */
static void
world_model(struct world *world, uint8_t family)
{
    static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                        0, 0, 0, 0,   0, 0, 1, 3,  3, 7};
    bool v6 = family == 6;
    size_t ip_size = v6 ? 40 : 20;
    uint8_t *packet = world->syn[v6];
    struct syncache_fields fields = {.dport = WORLD_LPORT,
                                     .family = family,
                                     .hop_limit = 64,
                                     .dont_fragment = !v6,
                                     .flags = WORLD_SYN,
                                     .window = 64240,
                                     .options_size = sizeof options};

    memcpy(fields.saddr, world_address[v6], v6 ? 12 : 0);
    memcpy(fields.daddr, world_address[v6], 16);
    (void)syncache_build(&fields, options, NULL, SYNCACHE_CHECKSUM_VERIFY,
                         packet, sizeof world->syn[v6]);
    if (!v6)
        store16_be(packet + 10, 0);
    store16_be(packet + ip_size + 16, 0);
    world->sums[v6][0] = v6 ? 0 : world_sum(packet, 20);
    world->sums[v6][1] = world_sum(packet + ip_size, 40) + 6 + 40 +
                         world_sum(fields.saddr, 16) +
                         world_sum(fields.daddr, 16);
}

/* Makes the SYN of a peer out of the model. */
static uint32_t
world_syn(const struct world *world, uint64_t serial, uint8_t *packet)
{
    bool v6 = world->family == 6;
    uint8_t *tcp = packet + (v6 ? 40 : 20);
    struct syncache_tuple tuple;
    uint8_t *source = packet + (v6 ? 20 : 12);
    uint32_t sum;

    bench_tuple(&serial, &tuple);
    memcpy(packet, world->syn[v6], v6 ? 80 : 60);
    memcpy(source, tuple.faddr, 4);
    /* Not a group, not this host. */
    if (!v6)
        source[0] = (uint8_t)(1 + tuple.faddr[0] % 100);
    store16_be(tcp, tuple.fport);
    store32_be(tcp + 4, (uint32_t)serial);
    store32_be(tcp + 28, WORLD_TSVAL);
    sum = world_sum(source, 4);
    if (!v6)
        store16_be(packet + 10, world_fold(world->sums[0][0] + sum));
    sum += world->sums[v6][1] + world_sum(tcp, 2) + world_sum(tcp + 4, 4) +
           world_sum(tcp + 28, 4);
    store16_be(tcp + 16, world_fold(sum));
    return v6 ? 80 : 60;
}

void
world_syns(struct world *world, uint32_t count, uint32_t checksum)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size =
            world_syn(world, world->serial++,
                      world->rx.memory + (size_t)i * WORLD_SLOT_SIZE);

        world->rx.slot[i] =
            (struct syncache_slot){.size = size, .checksum = (uint8_t)checksum};
    }
    world->rx.count = count;
}

void
world_segments(struct world *world, uint64_t serial, uint32_t count,
               uint16_t flags)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *packet = world->rx.memory + (size_t)i * WORLD_SLOT_SIZE;
        struct syncache_slot *slot = &world->rx.slot[i];
        struct syncache_fields fields;
        uint8_t options[12] = {1, 1, 8, 10};

        slot->size = world_syn(world, serial + i, packet);
        syncache_parse(packet, slot->size, SYNCACHE_CHECKSUM_VALID, &fields);
        fields.flags = flags;
        fields.seq++;
        fields.ack = world->iss[i] + 1;
        fields.options_size = sizeof options;
        store32_be(options + 4, WORLD_TSVAL + 1);
        /* TSecr: no timestamp of ours is known here, and none is checked. */
        slot->size = (uint32_t)syncache_build(&fields, options, NULL,
                                              SYNCACHE_CHECKSUM_VERIFY, packet,
                                              WORLD_SLOT_SIZE);
        slot->checksum = SYNCACHE_CHECKSUM_VERIFY;
    }
    world->rx.count = count;
}

void
world_tick(struct world *world, uint64_t ms)
{
    world->now_ms += ms;
    world->path.now_ms = world->now_ms;
    if (world->cache == NULL || world->now_ms < world->epoch_ends_ms)
        return;
    syncache_set_key(
        world->cache,
        syncache_epoch(world->cache, world->now_ms, &world->epoch_ends_ms),
        world_seed);
}

/* A window of rx. */
static struct syncache_ring
world_window(const struct world *world, uint32_t first, uint32_t count)
{
    struct syncache_ring ring = world->rx;

    ring.memory += (size_t)first * WORLD_SLOT_SIZE;
    ring.slot += first;
    ring.conn += first;
    ring.passed += first;
    ring.slots = ring.count = count;
    ring.next = 0;
    return ring;
}

uint64_t
world_burst(struct world *world, uint32_t count, uint32_t size)
{
    uint64_t start = bench_ns();

    for (uint32_t i = 0; i < count; i += size) {
        uint32_t burst = count - i < size ? count - i : size;
        struct syncache_ring rx = world_window(world, i, burst);

        world->tx.count = 0;
        if (syncache_burst(world->cache, world->now_ms, &rx, &world->tx) !=
            burst)
            bench_fail("a burst stopped early");
    }
    return bench_ns() - start;
}

uint64_t
world_single(struct world *world, uint32_t count)
{
    static struct syncache_result result;
    uint64_t start = bench_ns();

    for (uint32_t i = 0; i < count; i++)
        (void)syncache_packet(world->cache, world->now_ms,
                              world->rx.memory + (size_t)i * WORLD_SLOT_SIZE,
                              world->rx.slot[i].size, SYNCACHE_CHECKSUM_VERIFY,
                              &result);
    return bench_ns() - start;
}

uint64_t
world_path(struct world *world, uint32_t count)
{
    static uint8_t reply[PATH_REPLY_MAX];
    uint64_t start = bench_ns();
    size_t replies = 0;

    for (uint32_t i = 0; i < count; i++)
        replies += path_syn(&world->path,
                            world->rx.memory + (size_t)i * WORLD_SLOT_SIZE,
                            world->rx.slot[i].size, reply) > 0;
    if (replies < count)
        bench_fail("the rival did not answer a SYN");
    return bench_ns() - start;
}

void
world_open(struct world *world, uint32_t count)
{
    uint32_t at = world->family == 6 ? 44 : 24;

    for (uint32_t i = 0; i < count; i += SYNCACHE_BURST_MAX) {
        uint32_t burst =
            count - i < SYNCACHE_BURST_MAX ? count - i : SYNCACHE_BURST_MAX;
        struct syncache_ring rx = world_window(world, i, burst);

        world->tx.count = 0;
        syncache_burst(world->cache, world->now_ms, &rx, &world->tx);
        if (world->tx.count != burst)
            bench_fail("a SYN went unanswered");
        for (uint32_t k = 0; k < burst; k++)
            world->iss[i + k] =
                load32_be(world->tx.memory + (size_t)k * WORLD_SLOT_SIZE + at);
    }
}

static void
world_engine(struct world *world, const struct world_plan *plan)
{
    uint32_t hashsize = plan->entries / WORLD_BUCKETLIMIT;
    struct syncache_config config = {.struct_size = sizeof config,
                                     .hashsize = hashsize > 0 ? hashsize : 512,
                                     .bucketlimit = WORLD_BUCKETLIMIT,
                                     .established_max = 65536,
                                     .replay_entries = 65536,
                                     .endpoint_max = 8,
                                     .ts_hz = 1000,
                                     .ts_per_tuple = 1};
    struct syncache_endpoint endpoint = {.lport = WORLD_LPORT,
                                         .family = plan->family,
                                         .options = 1,
                                         .ecn = 1,
                                         .hop_limit = 64,
                                         .rcv_wscale = SYNCACHE_WSCALE_NONE,
                                         .rcv_wnd = 65535,
                                         .mtu = 1500};
    struct syncache_tunables tunables;
    uint32_t number;

    config.cachelimit = config.hashsize * WORLD_BUCKETLIMIT;
    world->block_bytes = syncache_size(&config);
    world->block = bench_memory(world->block_bytes);
    world->cache =
        syncache_init(world->block, world->block_bytes, &config, world_seed);
    memcpy(endpoint.laddr, world_address[plan->family == 6], 16);
    if (world->cache == NULL ||
        !syncache_listen(world->cache, &endpoint, &number))
        bench_fail("no engine");
    syncache_tunables_default(&tunables);
    tunables.syncookies_only = plan->entries == 0;
    tunables.pause_policy = SYNCACHE_PAUSE_NONE;
    tunables.cookie_ts = SYNCACHE_TS_OFF;
    if (!syncache_set_tunables(world->cache, &tunables))
        bench_fail("tunables");
}

void
world_rival(struct path *path, uint32_t entries, uint32_t bucketlimit,
            bool pauses)
{
    *path = (struct path){
        .lport = WORLD_LPORT,
        .mss = 1460,
        .window = 65535,
        .wscale = 6,
        .ttl = 64,
    };
    memcpy(path->laddr, world_address[0], 4);
    memcpy(path->key[0], world_seed, 16);
    memcpy(path->key[1], world_seed, 16);
    memcpy(path->ts_key, world_seed, 16);
    if (entries > 0)
        path->list = list_make(entries / bucketlimit, bucketlimit, pauses);
}

/* Three times its capacity leaves no bucket with a free slot. */
static void
world_fill(struct world *world, const struct world_plan *plan)
{
    for (uint64_t wanted = (uint64_t)plan->entries * 3; wanted > 0;) {
        uint32_t count = wanted < WORLD_SLOTS ? (uint32_t)wanted : WORLD_SLOTS;

        wanted -= count;
        if (world->cache != NULL) {
            world_syns(world, count, SYNCACHE_CHECKSUM_VALID);
            (void)world_burst(world, count, SYNCACHE_BURST_MAX);
            continue;
        }
        /* Of the rival's lists, without looking for peers that are new. */
        for (uint32_t i = 0; i < count; i++) {
            struct syncache_tuple tuple;
            struct list_ends ends;
            uint32_t bucket;

            bench_tuple(&world->serial, &tuple);
            list_ends_of(&tuple, &ends);
            bucket = list_hash(world->path.list, &ends);
            bucket &= world->path.list->mask;
            if (list_insert(world->path.list,
                            &world->path.list->buckets[bucket], &ends,
                            world->now_ms) == NULL)
                bench_fail("no memory");
        }
    }
}

struct world *
world_make(const struct bench_case *self, const struct world_plan *plan)
{
    struct world *world = bench_memory(sizeof *world);

    world->self = self;
    world->family = plan->family;
    world->rx = world_ring(WORLD_SLOTS);
    world->tx = world_ring(256);
    world_model(world, 4);
    world_model(world, 6);
    if (plan->rival)
        world_rival(&world->path, plan->entries, WORLD_BUCKETLIMIT,
                    plan->pauses);
    else
        world_engine(world, plan);
    world_tick(world, 1000);
    if (plan->full)
        world_fill(world, plan);
    return world;
}

void
world_free(void *opaque)
{
    struct world *world = opaque;

    if (world->path.list != NULL)
        list_free(world->path.list);
    if (world->block != NULL)
        bench_memory_free(world->block, world->block_bytes);
    world_ring_free(&world->rx);
    world_ring_free(&world->tx);
    bench_memory_free(world, sizeof *world);
}

/*
 * follow STEPS [SEED]: the engine and its twin side by side for so many random
 * steps.  Exit status 0 if they never disagreed.
 *
 * A world is a configuration, a preset and up to some thousand steps; each has
 * its own stream of random numbers, made of the seed and its number.  After
 * each step verdicts, replies, connections, counters and the listing have to be
 * equal.
 */
#include "follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (UINT64_C(1) << 18)

uint64_t
follow_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t
follow_below(struct world *world, uint32_t limit)
{
    return limit == 0 ? 0 : (uint32_t)(follow_random(world) >> 32) % limit;
}

bool
follow_chance(struct world *world, uint32_t percent)
{
    return follow_below(world, 100) < percent;
}

static void
random_config(struct world *world, struct syncache_config *config)
{
    uint32_t slots;
    *config = (struct syncache_config){
        .struct_size = sizeof *config,
        .hashsize = FOLLOW_PICK(world, 1, 1, 2, 4, 16),
        .bucketlimit = FOLLOW_PICK(world, 1, 2, 3, 30, 31),
        .established_max = FOLLOW_PICK(world, 0, 0, 1, 5, 16, TWIN_KNOWN_MAX),
        .replay_entries = FOLLOW_PICK(world, 0, 8, 20, TWIN_REPLAY_MAX),
        .endpoint_max = FOLLOW_PICK(world, 1, 3, TWIN_ENDPOINTS_MAX),
        .address_max = follow_below(world, TWIN_ADDRESSES_MAX + 1),
        .md5_max = FOLLOW_PICK(world, 0, 1, TWIN_MD5_MAX),
        .ts_base = (uint32_t)follow_random(world),
        .ts_hz = FOLLOW_PICK(world, 1000, 1000, 1000, 1, 100, 1000000),
        .ts_per_tuple = FOLLOW_PICK(world, 1, 1, 1, 0),
    };
    slots = config->hashsize * config->bucketlimit;
    config->cachelimit = slots;
    if (follow_chance(world, 30))
        config->cachelimit = 1 + follow_below(world, slots);
    if (slots > 100 && follow_chance(world, 60))
        config->cachelimit = 1 + follow_below(world, 60);
}

static void
give_key(struct world *world, uint64_t epoch)
{
    uint8_t key[16];
    for (uint32_t i = 0; i < 16; i++)
        key[i] = (uint8_t)((epoch * 31 + world->number) >> 2 * i ^ i);
    syncache_set_key(world->cache, epoch, key);
    twin_set_key(&world->twin, epoch, key);
}

/* A caller that is told the epoch, and may be slow to give its key. */
static void
keys(struct world *world)
{
    uint64_t next_ms;
    uint64_t epoch = syncache_epoch(world->cache, world->now, &next_ms);
    twin_keys_asked(&world->twin, world->now);
    follow_equal(world, "epoch", world->twin.epoch, epoch);
    follow_equal(world, "end of epoch",
                 world->twin.epoch_start + world->tune.cookie_lifetime_ms,
                 next_ms);
    if (follow_chance(world, 92))
        give_key(world, epoch);
    if (follow_chance(world, 10))
        give_key(world, epoch + 1);
    if (follow_chance(world, 5) && epoch >= 3)
        give_key(world, epoch - 1 - follow_below(world, 3));
}

static void
one_listener(struct world *world, uint8_t family, bool any)
{
    uint32_t twin = 0, core = 0;
    struct syncache_endpoint endpoint = {
        .lport = (uint16_t)FOLLOW_PICK(world, 80, 80, 80, 81),
        .family = family,
        .options = (uint8_t)FOLLOW_PICK(world, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 6,
                                        10, 18, 14, 30),
        .ecn = !follow_chance(world, 5),
        .hop_limit = (uint8_t)FOLLOW_PICK(world, 64, 1, 255),
        .tos = (uint8_t)FOLLOW_PICK(world, 0, 0x28, 0xff),
        .rcv_wscale = (uint8_t)FOLLOW_PICK(world, SYNCACHE_WSCALE_NONE,
                                           SYNCACHE_WSCALE_NONE, 0, 3, 14),
        .rcv_wnd = FOLLOW_PICK(world, 65536, 65536, 65535, 1000, 0),
        .mtu = (uint16_t)FOLLOW_PICK(world, 1500, 1500, 1280, 0, 9000, 30),
        .mss_max = (uint16_t)FOLLOW_PICK(world, 0, 0, 1000, 100),
        .fastopen = FOLLOW_PICK(world, 0, 0, 1, 100),
    };
    if (!any)
        follow_local(follow_below(world, 3), family, endpoint.laddr);
    bool made = twin_listen(&world->twin, &endpoint, &twin);
    follow_equal(world, "listen", made,
                 syncache_listen(world->cache, &endpoint, &core));
    follow_equal(world, "endpoint", twin, core);
}

static void
listen_somewhere(struct world *world)
{
    bool any = follow_chance(world, 60);
    uint8_t family = (uint8_t)FOLLOW_PICK(world, 4, 6, 0);
    world->doing = "listen";
    one_listener(world, any || family != 0 ? family : 4, any);
}

static void
unlisten(struct world *world)
{
    uint32_t number = follow_below(world, world->config.endpoint_max);
    world->doing = "unlisten";
    syncache_unlisten(world->cache, number);
    twin_unlisten(&world->twin, number);
}

static void
sign(struct world *world)
{
    uint32_t number = follow_below(world, world->config.endpoint_max);
    struct syncache_tuple tuple =
        follow_tuple(world, follow_below(world, world->crowd));
    static const uint8_t key[] = "a key of two peers";
    world->doing = "md5_key";
    if (!world->keyed)
        return;
    follow_equal(world, "md5_key",
                 twin_md5_key(&world->twin, number, tuple.family, tuple.faddr,
                              key, sizeof key),
                 syncache_md5_key(world->cache, number, tuple.family,
                                  tuple.faddr, key, sizeof key));
}

static void
own_address(struct world *world)
{
    uint8_t laddr[16];
    uint8_t family = (uint8_t)FOLLOW_PICK(world, 4, 6);
    follow_local(follow_below(world, 3), family, laddr);
    follow_equal(world, "address", twin_address(&world->twin, family, laddr),
                 syncache_address(world->cache, family, laddr));
}

static void
begin_world(struct world *world, void *block, uint64_t seed, uint64_t number)
{
    uint8_t bytes[16] = {1, 2, 3};
    *world = (struct world){.number = number, .doing = "begin"};
    world->random = seed * UINT64_C(0xd1342543de82ef95) + number;
    random_config(world, &world->config);
    twin_put(bytes + 8, 8, follow_random(world));
    memset(block, 0xa5, BLOCK_BYTES);
    world->cache = syncache_init(block, BLOCK_BYTES, &world->config, bytes);
    if (world->cache == NULL)
        abort();
    twin_init(&world->twin, &world->config, bytes);
    follow_preset(world);
    world->crowd = FOLLOW_PICK(world, 3, 12, 45, 45, 300);
    world->keyed = follow_chance(world, 10);
    world->now = follow_random(world) >> FOLLOW_PICK(world, 1, 20, 32, 63);
    if (follow_chance(world, 20))
        world->now = 0xffffff00u - follow_below(world, 100000);
    if (follow_chance(world, 30)) {
        uint64_t epoch = 3 + follow_below(world, 1000);
        uint64_t start = world->now - follow_below(world, 40000) + 2000;
        syncache_set_epoch(world->cache, epoch, start);
        twin_set_epoch(&world->twin, epoch, start);
        give_key(world, epoch - 1);
    }
    keys(world);
    one_listener(world, 0, true);
    if (follow_chance(world, 20))
        unlisten(world);
    for (int i = 0; i < 3; i++)
        if (follow_chance(world, 40))
            listen_somewhere(world);
    if (follow_chance(world, 20))
        own_address(world);
    sign(world);
}

static void
move_clock(struct world *world)
{
    uint64_t next = syncache_next_deadline(world->cache);
    world->doing = "clock";
    switch (follow_below(world, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (next != SYNCACHE_NEVER && next + 1 > world->now)
            world->now = next + follow_below(world, 3) - (next > 0);
        break;
    case 4:
        world->now += follow_below(world, 60000);
        break;
    case 5:
        world->now += FOLLOW_PICK(world, 15000, 29999, 30000, 32000, 64000,
                                  65535, 65536, 124000, 131072, 262140);
        break;
    case 6:
        world->now += follow_below(world, 400000);
        break;
    case 7:
        if (follow_chance(world, 10))
            world->now += follow_random(world) >> 32;
        break;
    case 8:
        world->now -= world->now > 5000 ? follow_below(world, 5000) : 0;
        break;
    case 9:
    case 10:
    case 11:
        world->now += follow_below(world, 1500);
        break;
    default:
        world->now += follow_below(world, 20);
        break;
    }
    keys(world);
}

/* One packet, whole or with its IP header parsed ahead. */
static void
one_packet(struct world *world)
{
    static struct sent sent;
    struct syncache_result core;
    struct twin_result twin;
    enum syncache_verdict verdict;
    follow_packet(world, &sent);
    bool v4 = sent.bytes[0] >> 4 == 4;
    uint32_t header = v4 ? 20 : 40;
    bool tcp = sent.bytes[v4 ? 9 : 6] == 6;
    memset(&core, 0xa5, sizeof core);
    memset(&twin, 0xa5, sizeof twin);
    world->doing = "packet";
    if (sent.plain && tcp && follow_chance(world, 15)) {
        const uint8_t *tcp_header = sent.bytes + header;
        struct twin_parsed parsed;
        twin_parse(sent.bytes, sent.size, SYNCACHE_CHECKSUM_VALID, &parsed);
        world->doing = "segment";
        verdict = syncache_segment(
            world->cache, world->now, v4 ? 4 : 6, parsed.segment.tuple.faddr,
            parsed.segment.tuple.laddr, parsed.segment.tos, tcp_header,
            sent.size - header, parsed.segment.payload_size,
            SYNCACHE_CHECKSUM_VERIFY, &core);
    } else {
        verdict = syncache_packet(world->cache, world->now, sent.bytes,
                                  sent.size, sent.checksum, &core);
    }
    twin_packet(&world->twin, world->now, sent.bytes, sent.size, sent.checksum,
                &twin);
    follow_equal(world, "verdict", twin.verdict, verdict);
    follow_equal(world, "handle", twin.handle, core.handle);
    follow_equal_bytes(world, "reply", twin.reply, twin.reply_size, core.reply,
                       core.reply_size);
    if (world->failed)
        return;
    if (syncache_kind(verdict) == SYNCACHE_ACCEPT) {
        follow_equal_conn(world, &twin.conn, &core.conn);
        world->conns[world->conn_count++ % FOLLOW_CONNS] = core.conn;
    }
    if (core.reply_size > 0)
        follow_note_reply(world, core.reply, core.reply_size);
}

/* What the stack says about its connections. */
static void
stack_speaks(struct world *world)
{
    uint32_t held =
        world->conn_count < FOLLOW_CONNS ? world->conn_count : FOLLOW_CONNS;
    uint64_t handle = follow_random(world);
    struct syncache_tuple tuple =
        follow_tuple(world, follow_below(world, world->crowd));
    const struct syncache_conn *conn =
        &world->conns[(world->conn_count - 1 -
                       follow_below(world,
                                    follow_chance(world, 70) ? 1 : held)) %
                      FOLLOW_CONNS];
    uint32_t kind = follow_below(world, 10);
    world->doing = "the stack";
    if (held == 0 || kind == 0) {
        follow_equal(world, "opened", twin_opened(&world->twin, &tuple, handle),
                     syncache_opened(world->cache, &tuple, handle));
    } else if (kind < 7) {
        bool ok = follow_chance(world, 65);
        world->doing = ok ? "accepted" : "refused";
        twin_accepted(&world->twin, conn, handle, ok);
        syncache_accepted(world->cache, conn, handle, ok);
    } else {
        if (kind < 9)
            tuple = conn->tuple;
        world->doing = "closed";
        twin_closed(&world->twin, &tuple);
        syncache_closed(world->cache, &tuple);
    }
}

/* What stacks say that parse for themselves. */
static void
stack_reports(struct world *world)
{
    const struct recent *recent = follow_recent(world);
    if (recent == NULL)
        return;
    uint32_t seq = recent->iss + follow_chance(world, 20);
    world->doing = "unsent";
    if (follow_chance(world, 50)) {
        syncache_unsent(world->cache, &recent->tuple, seq);
        twin_unsent(&world->twin, &recent->tuple, seq);
        return;
    }
    world->doing = "unreach";
    twin_advance(&world->twin, world->now);
    syncache_unreach(world->cache, world->now, &recent->tuple, seq);
    (void)twin_unreach(&world->twin, &recent->tuple, seq);
}

/* More cookies fail within a second than x.cookie_ts auto bears. */
static void
flood_of_acks(struct world *world)
{
    struct twin_segment segment = {.tuple = follow_tuple(world, 0), .ttl = 64};
    struct syncache_result core;
    struct twin_result twin;
    uint8_t packet[64];
    world->doing = "flood of ACKs";
    memcpy(segment.tuple.laddr, follow_tuple(world, 0).faddr, 16);
    memcpy(segment.tuple.faddr, follow_tuple(world, 0).laddr, 16);
    segment.tuple.fport = 80;
    segment.flags = TWIN_ACK;
    for (uint32_t i = 0; i < 1003 && !world->failed; i++) {
        segment.ack = (uint32_t)follow_random(world);
        uint32_t size = twin_build(&segment, packet);
        twin_packet(&world->twin, world->now, packet, size, 0, &twin);
        follow_equal(
            world, "verdict", twin.verdict,
            syncache_packet(world->cache, world->now, packet, size, 0, &core));
    }
}

static void
rehash(struct world *world)
{
    uint8_t seed[16] = {9};
    world->doing = "rehash";
    twin_put(seed + 8, 8, follow_random(world));
    syncache_rehash(world->cache, seed);
    twin_rehash(&world->twin, seed);
}

static void
step(struct world *world)
{
    uint32_t kind = follow_below(world, 1000);
    if (kind < 640)
        one_packet(world);
    else if (kind < 660)
        follow_burst(world);
    else if (kind < 770)
        move_clock(world);
    else if (kind < 850)
        follow_poll(world);
    else if (kind < 920)
        stack_speaks(world);
    else if (kind < 930)
        stack_reports(world);
    else if (kind < 965)
        follow_tune(world);
    else if (kind < 980)
        listen_somewhere(world);
    else if (kind < 993)
        unlisten(world);
    else if (kind < 997)
        sign(world);
    else if (follow_chance(world, 30))
        rehash(world);
    else if (follow_chance(world, 10))
        flood_of_acks(world);
    else
        own_address(world);
    follow_compare(world);
}

int
main(int argc, char **argv)
{
    static struct world world;
    uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    void *block = aligned_alloc(64, BLOCK_BYTES);
    uint64_t done = 0;
    if (block == NULL)
        abort();
    for (uint64_t number = 0; done < steps && !world.failed; number++) {
        begin_world(&world, block, seed, number);
        follow_compare(&world);
        uint64_t length = 200 + follow_below(&world, 2000);
        for (world.step = 0; world.step < length && !world.failed; world.step++)
            step(&world);
        done += world.step;
    }
    printf("seed %" PRIu64 ": %" PRIu64 " steps, %s\n", seed, done,
           world.failed ? "and here they differ" : "no difference");
    free(block);
    return world.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

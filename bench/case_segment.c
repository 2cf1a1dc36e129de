/*
 * What follows a SYN, in bursts of 64: the SYN again, the ACK that completes
 * the handshake from its entry or its cookie, a RST, a segment of a connection
 * that the stack has accepted, and packets that are nobody's.  Only those are
 * timed; what leads to them is not.
 */
#include "world.h"

#include "core/bytes.h"

#include <string.h>

#define SYN 0x02
#define RST 0x04
#define ACK 0x10

enum segment_kind { DUPLICATE, ACK_CACHE, ACK_COOKIE, RESET, KNOWN, JUNK };

#define FLAVOUR(kind, family) ((uint32_t)(kind) << 8 | (uint32_t)(family))

static enum segment_kind
segment_kind(const struct bench_case *self)
{
    return (enum segment_kind)(self->flavour >> 8);
}

/* Accepts what the rings of a chunk completed, or gives it up again. */
static void
segment_settle(struct world *world, uint32_t count, bool keep)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct syncache_conn *conn = &world->rx.conn[i];

        if (syncache_kind(world->rx.slot[i].verdict) != SYNCACHE_ACCEPT)
            bench_fail("a handshake did not complete");
        syncache_accepted(world->cache, conn, i + 1, true);
        if (!keep)
            syncache_closed(world->cache, &conn->tuple);
    }
}

/* Wrong checksums, other protocols, fragments and pieces, by turns. */
static void
segment_spoil(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *packet = world->rx.memory + (size_t)i * WORLD_SLOT_SIZE;
        bool v6 = world->family == 6;
        uint8_t *protocol = packet + (v6 ? 6 : 9);

        switch (i % 3) {
        case 0: /* UDP, the header's sum as it has to be */
            *protocol = 17;
            if (!v6)
                store16_be(packet + 10,
                           (uint16_t)(load16_be(packet + 10) - 11));
            break;
        case 1:
            packet[v6 ? 56 : 36] ^= 1;
            break;
        case 2:
            world->rx.slot[i].size -= 1 + i % 30;
            break;
        }
    }
}

static void *
segment_make(const struct bench_case *self)
{
    enum segment_kind kind = segment_kind(self);
    struct world_plan plan = {
        .entries = kind == ACK_COOKIE ? 0 : self->entries,
        .family = (uint8_t)self->flavour,
    };
    struct world *world = world_make(self, &plan);

    if (kind == KNOWN) {
        world_syns(world, WORLD_SLOTS, SYNCACHE_CHECKSUM_VERIFY);
        world_open(world, WORLD_SLOTS);
        world_segments(world, 0, WORLD_SLOTS, ACK);
        (void)world_burst(world, WORLD_SLOTS, self->burst);
        segment_settle(world, WORLD_SLOTS, true);
    }
    return world;
}

/* Whatever each packet led to, it was meant. */
static void
segment_expect(const struct world *world, uint32_t count,
               enum syncache_verdict verdict)
{
    for (uint32_t i = 0; i < count; i++)
        if (world->rx.slot[i].verdict != verdict)
            bench_fail("a segment had another verdict");
}

static uint64_t
segment_chunk(struct world *world, uint32_t count)
{
    uint32_t size = world->self->burst;
    uint64_t serial = world->serial;
    uint64_t ns;

    if (segment_kind(world->self) == KNOWN) {
        ns = world_burst(world, count, size);
        segment_expect(world, count, SYNCACHE_PASS_KNOWN);
        return ns;
    }
    world_syns(world, count, SYNCACHE_CHECKSUM_VERIFY);
    if (segment_kind(world->self) == JUNK) {
        segment_spoil(world, count);
        return world_burst(world, count, size);
    }
    world_open(world, count);
    if (segment_kind(world->self) == DUPLICATE) {
        ns = world_burst(world, count, size);
        segment_expect(world, count, SYNCACHE_REPLY_DUPSYN);
        world_segments(world, serial, count, RST);
        (void)world_burst(world, count, size);
        return ns;
    }
    world_segments(world, serial, count,
                   segment_kind(world->self) == RESET ? RST : ACK);
    ns = world_burst(world, count, size);
    if (segment_kind(world->self) == RESET)
        segment_expect(world, count, SYNCACHE_DROP_RST);
    else
        segment_settle(world, count, false);
    return ns;
}

static uint64_t
segment_run(void *opaque, uint32_t ops)
{
    struct world *world = opaque;
    uint64_t ns = 0;

    for (uint32_t left = ops; left > 0;) {
        uint32_t count = left < WORLD_SLOTS ? left : WORLD_SLOTS;

        ns += segment_chunk(world, count);
        world_tick(world, 1 + count / WORLD_SYNS_PER_MS);
        left -= count;
    }
    return ns;
}

#define K15 (512 * WORLD_BUCKETLIMIT)
#define M1 (32768 * WORLD_BUCKETLIMIT)

#define SEGMENT(case_name, kind, family, size, case_what) \
    {.name = (case_name),                                 \
     .what = (case_what),                                 \
     .unit = "packet",                                    \
     .entries = (size),                                   \
     .burst = 64,                                         \
     .ops = 32768,                                        \
     .mib = 160,                                          \
     .flavour = FLAVOUR(kind, family),                    \
     .make = segment_make,                                \
     .run = segment_run,                                  \
     .unmake = world_free}

#define BOTH(first, rest, kind, size, what)       \
    SEGMENT(first "_" rest, kind, 4, size, what), \
        SEGMENT(first "6_" rest, kind, 6, size, what ", IPv6")

static const struct bench_case cases[] = {
    BOTH("duplicate", "burst64", DUPLICATE, K15, "a SYN again"),
    BOTH("ack", "cache_burst64", ACK_CACHE, K15, "ACK completing an entry"),
    BOTH("ack", "cache_burst64_1m", ACK_CACHE, M1,
         "ACK completing an entry, table of 1 million"),
    BOTH("ack", "cookie_burst64", ACK_COOKIE, 0, "ACK completing by cookie"),
    BOTH("rst", "burst64", RESET, K15, "RST of a half-open connection"),
    BOTH("known", "burst64", KNOWN, K15, "segment of a known connection"),
    BOTH("junk", "burst64", JUNK, K15, "packets that are nobody's"),
};

const struct bench_group bench_segments = BENCH_GROUP(cases);

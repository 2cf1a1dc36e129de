/*
 * What a packet costs inspection, and how that grows with the sessions.
 *
 *   make -C csrc CFLAGS='-O3 -DNDEBUG'
 *   cc -O3 -DNDEBUG -std=c11 -Icsrc -o build/flow bench/flow.c \
 *       build/c/libsyncache.a
 *   build/flow
 *
 * `tracked`: segments of established connections chosen at random.  `flood`: SYNs
 * from ever new addresses into a table full of half-open sessions, in aggressive
 * mode, so that each costs the oldest and both its ends a RST.  In bursts of 64,
 * CPU time of this thread, median of the rounds; sizes take turns.
 */
#define _GNU_SOURCE
#include "flow/flow.h"
#include "core/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS 9
#define BURST 64
#define BURSTS 4096 /* of a round */
#define SLOT 256
#define HUGE_PAGE (2u << 20)
#define SIZES 3

enum { CLIENT_ISN = 1000, SERVER_ISN = 5000 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum what { TRACKED, FLOOD, WHATS };

struct world {
    struct flow *flow;
    struct syncache_ring rx, tx[2];
    uint32_t sessions;
    uint64_t random;
    uint32_t next; /* client of the flood */
    double ns[ROUNDS];
};

static void
fail(const char *why)
{
    fprintf(stderr, "flow: %s\n", why);
    exit(1);
}

static uint64_t
cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *
memory(size_t bytes)
{
    void *at;

    bytes = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    at = aligned_alloc(HUGE_PAGE, bytes);
    if (at == NULL)
        fail("out of memory");
    madvise(at, bytes, MADV_HUGEPAGE);
    memset(at, 0, bytes);
    return at;
}

static void
make_ring(struct syncache_ring *ring)
{
    ring->slots = 4 * BURST;
    ring->slot_size = SLOT;
    ring->memory = memory((size_t)ring->slots * SLOT);
    ring->slot = memory(ring->slots * sizeof *ring->slot);
    ring->passed = memory(ring->slots * sizeof *ring->passed);
}

static uint64_t
next_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A segment of client number i, or of the server to it, into slot `at`. */
static void
segment(struct world *world, uint32_t at, uint32_t i, bool from_server,
        uint16_t flags)
{
    static const uint8_t payload[100];
    struct syncache_fields fields = {
        .family = 4,
        .hop_limit = 64,
        .flags = flags,
        .seq = from_server ? SERVER_ISN : CLIENT_ISN,
        .ack = flags & ACK ? from_server ? CLIENT_ISN + 1 : SERVER_ISN + 1 : 0,
        .window = 64240,
        .payload_size = flags & SYN ? 0 : sizeof payload,
    };
    uint8_t *client = from_server ? fields.daddr : fields.saddr;
    uint8_t *server = from_server ? fields.saddr : fields.daddr;
    uint16_t port = (uint16_t)(1024 + i % 60000);

    if (!(flags & SYN))
        fields.seq++;
    client[0] = 10;
    store16_be(client + 1, (uint16_t)(i / 60000));
    memcpy(server, "\300\0\2\1", 4);
    fields.sport = from_server ? 80 : port;
    fields.dport = from_server ? port : 80;
    world->rx.slot[at] = (struct syncache_slot){
        .size = (uint32_t)syncache_build(
            &fields, NULL, payload, SYNCACHE_CHECKSUM_VERIFY,
            world->rx.memory + (size_t)at * SLOT, SLOT)};
}

/* Returns the time that the burst in rx took. */
static uint64_t
burst(struct world *world, uint32_t count, uint32_t side)
{
    struct syncache_ring *rx = &world->rx;
    uint64_t ns;

    rx->count = count;
    rx->next = 0;
    world->tx[0].count = world->tx[1].count = 0;
    ns = cpu_ns();
    if (flow_burst(world->flow, 1000000, rx, side, &world->tx[0],
                   &world->tx[1]) != count)
        fail("a burst was not taken whole");
    return cpu_ns() - ns;
}

static void
fill(struct world *world, bool establish)
{
    for (uint32_t i = 0; i < world->sessions; i += BURST) {
        uint32_t count =
            world->sessions - i < BURST ? world->sessions - i : BURST;

        for (uint32_t k = 0; k < count; k++)
            segment(world, k, i + k, false, SYN);
        (void)burst(world, count, FLOW_CLIENT);
        for (uint32_t k = 0; establish && k < count; k++)
            segment(world, k, i + k, true, SYN | ACK);
        if (establish)
            (void)burst(world, count, FLOW_SERVER);
        for (uint32_t k = 0; establish && k < count; k++)
            segment(world, k, i + k, false, ACK);
        if (establish)
            (void)burst(world, count, FLOW_CLIENT);
    }
    world->next = world->sessions;
}

static void
make_world(struct world *world, enum what what, uint32_t sessions)
{
    static const uint8_t seed[16] = {1};
    struct flow_config config = {
        .struct_size = sizeof config,
        .kind = FLOW_INSPECT,
        .sessions_max = sessions,
        .hosts_max = 1024,
        .headers_max = 1,
        .journal_max = 1024,
    };
    struct flow_inspect_tunables tunables;
    size_t bytes = flow_size(&config);
    const struct flow_stats *stats;

    memset(world, 0, sizeof *world);
    world->sessions = sessions;
    world->flow = flow_init(memory(bytes), bytes, &config, seed);
    make_ring(&world->rx);
    make_ring(&world->tx[0]);
    make_ring(&world->tx[1]);
    flow_inspect_default(&tunables);
    tunables.tcp_max_incomplete_host = 0;
    tunables.one_minute_high = 0;
    tunables.max_incomplete_low = what == FLOOD;
    tunables.max_incomplete_high = what == FLOOD ? sessions - 1 : 0;
    tunables.aggressive_evict = FLOW_EVICT_PER_NEW;
    if (!flow_set_inspect(world->flow, 0, &tunables))
        fail("tunables are out of range");
    fill(world, what == TRACKED);
    stats = flow_statistics(world->flow, 1000000);
    if (what == TRACKED ? stats->established != sessions
                        : stats->incomplete != sessions || !stats->aggressive)
        fail("the sessions are not what they should be");
}

static double
round_of(struct world *world, enum what what)
{
    uint64_t ns = 0;

    for (uint32_t i = 0; i < BURSTS; i++) {
        for (uint32_t k = 0; k < BURST; k++) {
            if (what == FLOOD)
                segment(world, k, world->next++, false, SYN);
            else
                segment(world, k,
                        (uint32_t)(next_random(world) % world->sessions), false,
                        ACK);
        }
        ns += burst(world, BURST, FLOW_CLIENT);
        if (what == FLOOD && world->tx[1].count != BURST)
            fail("not every SYN cost a session");
    }
    return (double)ns / (BURSTS * BURST);
}

static int
by_size(const void *a, const void *b)
{
    double one = *(const double *)a;
    double two = *(const double *)b;

    return (one > two) - (one < two);
}

int
main(void)
{
    static const uint32_t sizes[SIZES] = {1000, 100000, 1000000};
    static const char *const names[WHATS] = {"tracked", "flood"};
    struct flow_config config = {.struct_size = sizeof config,
                                 .kind = FLOW_INSPECT,
                                 .sessions_max = 1000000,
                                 .hosts_max = 1024,
                                 .headers_max = 1,
                                 .journal_max = 1024};

    printf("%.1f bytes a session\n",
           (double)flow_size(&config) / config.sessions_max);
    for (enum what what = TRACKED; what < WHATS; what++) {
        static struct world worlds[SIZES];
        double small = 0;

        for (uint32_t i = 0; i < SIZES; i++)
            make_world(&worlds[i], what, sizes[i]);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            for (uint32_t i = 0; i < SIZES; i++)
                worlds[i].ns[round] = round_of(&worlds[i], what);
        }
        for (uint32_t i = 0; i < SIZES; i++) {
            double *ns = worlds[i].ns;

            qsort(ns, ROUNDS, sizeof *ns, by_size);
            if (i == 0)
                small = ns[ROUNDS / 2];
            printf("%-8s %8u sessions  %6.1f ns a packet (%.1f-%.1f)  %.2fx\n",
                   names[what], sizes[i], ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1],
                   ns[ROUNDS / 2] / small);
        }
    }
    return 0;
}

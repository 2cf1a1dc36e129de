/*
 * input.c: what one packet costs the core, case by case.
 *
 *     input CASE ROUNDS [alone | group]
 *
 * Prints packets and nanoseconds.  Under callgrind the same program counts
 * instructions, which repeat exactly; see bench/__main__.py.
 *
 * A round is 64 packets from new peers, in a burst, as a link hands them over.
 * Cases: syn (stored, evicting once the cache is full), syn_single (the same,
 * one packet a call), syn_cookie (nothing stored), syn_again (duplicates),
 * ack_cache and ack_cookie (completed handshakes, the SYN not timed), rst (in
 * the window), known (segments of an established connection), memory (bytes of
 * an entry).  With `alone` the engine is in its second epoch; with `group` it is a
 * fleet's member: keys of the epochs around, the skew of clocks, the gate open.
 */
#include "syncache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 64
#define SLOT_SIZE 128
#define MS_PER_ROUND 1
#define EPOCH_AGE_MS 10000 /* at the start; the skew of clocks is over */

static const uint8_t local_address[16] = {198, 18, 0, 2};

struct bench {
    struct syncache *cache;
    struct syncache_ring rx, tx;
    uint64_t now_ms, spent_ns, packets;
    uint32_t serial; /* names the next peer */
};

static void
fail(const char *what)
{
    fprintf(stderr, "input: %s\n", what);
    exit(1);
}

static struct syncache_ring
make_ring(void)
{
    struct syncache_ring ring = {.slots = BATCH, .slot_size = SLOT_SIZE};

    ring.memory = aligned_alloc(64, BATCH * SLOT_SIZE);
    ring.slot = calloc(BATCH, sizeof *ring.slot);
    ring.conn = calloc(BATCH, sizeof *ring.conn);
    ring.passed = calloc(BATCH, sizeof *ring.passed);
    if (!ring.memory || !ring.slot || !ring.conn || !ring.passed)
        fail("no memory");
    return ring;
}

static const uint8_t seed[SYNCACHE_KEY_BYTES] = "sixteen bytes !";

static struct syncache *
make_cache(bool cookies_only, bool group)
{
    struct syncache_config config = {.struct_size = sizeof config,
                                     .hashsize = 512,
                                     .bucketlimit = 30,
                                     .cachelimit = 15360,
                                     .established_max = 65536,
                                     .replay_entries = 65536,
                                     .endpoint_max = 8,
                                     .ts_hz = 1000,
                                     .ts_per_tuple = 1};
    struct syncache_tunables tunables;
    struct syncache_endpoint endpoint = {.lport = 80,
                                         .family = 4,
                                         .options = 1,
                                         .ecn = 1,
                                         .hop_limit = 64,
                                         .rcv_wscale = SYNCACHE_WSCALE_NONE,
                                         .rcv_wnd = 65535,
                                         .mtu = 1500};
    uint32_t number;
    size_t size = syncache_size(&config);
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);
    struct syncache *cache =
        block ? syncache_init(block, size, &config, seed) : NULL;

    memcpy(endpoint.laddr, local_address, sizeof endpoint.laddr);
    if (cache == NULL || !syncache_listen(cache, &endpoint, &number))
        fail("no engine");
    syncache_tunables_default(&tunables);
    tunables.syncookies_only = cookies_only;
    if (group) {
        tunables.cookie_gate = SYNCACHE_GATE_ALWAYS;
        tunables.clock_skew_ms = 1250;
    }
    if (!syncache_set_tunables(cache, &tunables))
        fail("tunables");
    return cache;
}

/* The keys of a machine alone, some time into its second epoch. */
static void
give_own_keys(struct bench *bench, uint64_t *next_ms)
{
    for (int i = 0; i < 2; i++) {
        bench->now_ms += (uint64_t)i * *next_ms;
        syncache_set_key(bench->cache,
                         syncache_epoch(bench->cache, bench->now_ms, next_ms),
                         seed);
    }
    bench->now_ms += EPOCH_AGE_MS;
}

/* Keys as `--fleet` gives them. */
static void
give_group_keys(struct bench *bench, uint64_t *next_ms)
{
    const uint64_t epoch = 56250000;

    (void)syncache_epoch(bench->cache, bench->now_ms, next_ms);
    bench->now_ms += *next_ms; /* as old as a machine alone */
    syncache_set_epoch(bench->cache, epoch, bench->now_ms);
    for (uint64_t of = epoch - 2; of <= epoch + 1; of++)
        syncache_set_key(bench->cache, of, seed);
    bench->now_ms += EPOCH_AGE_MS;
    (void)syncache_epoch(bench->cache, bench->now_ms, next_ms);
}

/* Appends a segment of a peer to the rx ring. */
static void
push(struct bench *bench, uint32_t peer, uint16_t flags, uint32_t seq,
     uint32_t ack)
{
    static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 1,
                                        0, 0, 0, 0,   0, 0, 1, 3,  3, 7};
    struct syncache_fields fields = {.sport = (uint16_t)(1024 + peer % 60000),
                                     .dport = 80,
                                     .family = 4,
                                     .hop_limit = 64,
                                     .dont_fragment = 1,
                                     .flags = flags,
                                     .seq = seq,
                                     .ack = ack,
                                     .window = 65535};
    struct syncache_ring *rx = &bench->rx;
    struct syncache_slot *slot = &rx->slot[rx->count];

    memset(slot, 0, sizeof *slot);
    fields.saddr[0] = 10;
    fields.saddr[1] = (uint8_t)(peer >> 16);
    fields.saddr[2] = (uint8_t)(peer >> 8);
    fields.saddr[3] = (uint8_t)peer;
    memcpy(fields.daddr, local_address, 16);
    fields.options_size = (flags & 2) != 0 ? sizeof options : 0;
    slot->size = (uint32_t)syncache_build(
        &fields, options, NULL, SYNCACHE_CHECKSUM_VERIFY,
        rx->memory + (size_t)rx->count * SLOT_SIZE, SLOT_SIZE);
    rx->count++;
}

static uint64_t
nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Runs the ring through the engine; only then does the clock count. */
static void
burst(struct bench *bench, bool timed)
{
    bench->rx.next = 0;
    bench->tx.count = 0;
    uint64_t start = nanoseconds();
    uint32_t consumed =
        syncache_burst(bench->cache, bench->now_ms, &bench->rx, &bench->tx);
    if (timed) {
        bench->spent_ns += nanoseconds() - start;
        bench->packets += consumed;
    }
    if (consumed != bench->rx.count)
        fail("a burst stopped early");
}

static void
one_by_one(struct bench *bench)
{
    static struct syncache_result result;
    uint64_t start = nanoseconds();

    for (uint32_t i = 0; i < bench->rx.count; i++)
        syncache_packet(bench->cache, bench->now_ms,
                        bench->rx.memory + (size_t)i * SLOT_SIZE,
                        bench->rx.slot[i].size, SYNCACHE_CHECKSUM_VERIFY,
                        &result);
    bench->spent_ns += nanoseconds() - start;
    bench->packets += bench->rx.count;
}

static void
push_syns(struct bench *bench)
{
    bench->rx.count = 0;
    for (uint32_t i = 0; i < BATCH; i++)
        push(bench, bench->serial + i, 0x02, bench->serial + i, 0);
}

/* Turns the SYN-ACKs in tx into what the peers say next. */
static void
push_answers(struct bench *bench, uint16_t flags)
{
    uint32_t iss[BATCH] = {0};

    if (bench->tx.count != BATCH)
        fail("a SYN went unanswered");
    for (uint32_t i = 0; i < BATCH; i++) {
        struct syncache_fields fields;
        syncache_parse(bench->tx.memory + (size_t)i * SLOT_SIZE,
                       bench->tx.slot[i].size, SYNCACHE_CHECKSUM_VALID,
                       &fields);
        iss[i] = fields.seq;
    }
    bench->rx.count = 0;
    for (uint32_t i = 0; i < BATCH; i++)
        push(bench, bench->serial + i, flags, bench->serial + i + 1,
             iss[i] + 1);
}

/* Accepts what the last burst offered, and forgets it again if told to. */
static void
accept_all(struct bench *bench, bool keep)
{
    if (bench->rx.passed_count != BATCH)
        fail("a handshake did not complete");
    for (uint32_t i = 0; i < BATCH; i++) {
        const struct syncache_conn *conn = &bench->rx.conn[bench->rx.passed[i]];
        syncache_accepted(bench->cache, conn, i + 1, true);
        if (!keep)
            syncache_closed(bench->cache, &conn->tuple);
    }
}

/* Completes 64 handshakes once; later rounds send the last ACK of each again.
 */
static void
round_of_known(struct bench *bench)
{
    if (bench->packets == 0) {
        push_syns(bench);
        burst(bench, false);
        push_answers(bench, 0x10);
        burst(bench, false);
        accept_all(bench, true);
    }
    burst(bench, true);
}

static void
round_of(struct bench *bench, const char *name)
{
    push_syns(bench);
    if (strcmp(name, "syn_single") == 0) {
        one_by_one(bench);
    } else if (strncmp(name, "ack", 3) == 0 || strcmp(name, "rst") == 0) {
        burst(bench, false);
        push_answers(bench, name[0] == 'r' ? 0x04 : 0x10);
        burst(bench, true);
        if (name[0] == 'a')
            accept_all(bench, false);
    } else {
        if (strcmp(name, "syn_again") == 0)
            burst(bench, false);
        burst(bench, true);
    }
    bench->serial += BATCH;
}

static void
print_memory(void)
{
    struct syncache_config config = {.struct_size = sizeof config,
                                     .hashsize = 512,
                                     .bucketlimit = 30,
                                     .cachelimit = 15360,
                                     .endpoint_max = 8,
                                     .ts_hz = 1000};
    printf("%u 1000\n", syncache_entry_millibytes(&config));
}

int
main(int argc, char **argv)
{
    struct bench bench = {.now_ms = 1000, .rx = make_ring(), .tx = make_ring()};

    uint64_t next_ms = 0;

    bool group = argc == 4 && strcmp(argv[3], "group") == 0;
    bool alone = argc == 4 && strcmp(argv[3], "alone") == 0;
    if (argc < 3 || argc > 4 || (argc == 4 && !group && !alone))
        fail("usage: input CASE ROUNDS [alone | group]");
    if (strcmp(argv[1], "memory") == 0) {
        print_memory();
        return 0;
    }
    bench.cache = make_cache(strstr(argv[1], "cookie") != NULL, group);
    if (group)
        give_group_keys(&bench, &next_ms);
    if (alone)
        give_own_keys(&bench, &next_ms);
    for (long i = atol(argv[2]); i > 0; i--) {
        if (bench.now_ms >= next_ms)
            syncache_set_key(
                bench.cache,
                syncache_epoch(bench.cache, bench.now_ms, &next_ms), seed);
        if (strcmp(argv[1], "known") == 0)
            round_of_known(&bench);
        else
            round_of(&bench, argv[1]);
        bench.now_ms += MS_PER_ROUND;
    }
    printf("%llu %llu\n", (unsigned long long)bench.packets,
           (unsigned long long)bench.spent_ns);
    return 0;
}

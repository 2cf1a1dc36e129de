/*
 * What a packet of a spliced connection costs, alone and in the engine.
 *
 *   make -C csrc CFLAGS='-O3 -DNDEBUG'
 *   cc -O3 -std=c11 -Icsrc -o build/splice bench/splice.c \
 *       build/c/libsyncache.a
 *   build/splice
 *
 * Best of several rounds, CPU time of this thread.  `burst`: bursts of 64
 * segments of as many connections, lookups, tracking, deadlines and splicing
 * included; `plain` are the same packets with no list set, so only parsed,
 * hashed and looked up.
 */
#define _GNU_SOURCE
#include "core/bytes.h"
#include "flow/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 9
#define BURST 64
#define SLOT 2048
#define PAYLOAD 1400
#define STEP 50 /* new bytes of each of a server's segments */

static uint64_t
cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A segment of connection number i, from the server or its client. */
static uint32_t
segment(uint8_t *packet, uint32_t i, bool from_client, uint32_t seq,
        uint32_t ack)
{
    static const uint8_t payload[PAYLOAD];
    uint8_t options[12] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 2, 0};
    struct syncache_fields fields = {
        .family = 4,
        .hop_limit = 64,
        .flags = WIRE_ACK,
        .seq = seq,
        .ack = ack,
        .window = 5000,
        .options_size = sizeof options,
        .payload_size = from_client ? 0 : PAYLOAD,
    };
    uint8_t *client = from_client ? fields.saddr : fields.daddr;
    uint8_t *server = from_client ? fields.daddr : fields.saddr;

    client[0] = 10;
    store16_be(client + 1, (uint16_t)(i >> 12));
    client[3] = 1;
    memcpy(server, "\300\0\2\1", 4);
    fields.sport = from_client ? (uint16_t)(1024 + (i & 4095)) : 80;
    fields.dport = from_client ? 80 : (uint16_t)(1024 + (i & 4095));
    return (uint32_t)syncache_build(&fields, options, payload,
                                    SYNCACHE_CHECKSUM_VERIFY, packet, SLOT);
}

static struct flow *
engine(uint32_t connections, void **block, bool protected)
{
    static const uint8_t seed[16] = {1};
    struct flow_config config = {
        .struct_size = sizeof config,
        .kind = FLOW_INTERCEPT,
        .sessions_max = connections,
        .hosts_max = 16,
        .profiles_max = 16,
        .headers_max = 16,
        .journal_max = 16,
        .rules_max = 16,
    };
    size_t size = (flow_size(&config) + 63) / 64 * 64;
    struct flow *flow;

    *block = aligned_alloc(64, size);
    flow = *block == NULL ? NULL : flow_init(*block, size, &config, seed);
    if (flow == NULL)
        exit(1);
    for (uint32_t i = 0; protected && i < connections; i++) {
        struct flow_splice splice = {
            .tuple = {.family = 4,
                      .faddr = {10, (uint8_t)(i >> 20), (uint8_t)(i >> 12), 1},
                      .laddr = {192, 0, 2, 1},
                      .fport = (uint16_t)(1024 + (i & 4095)),
                      .lport = 80},
            .delta = 12345 + i,
            .ts_delta = 777,
            .flags = SPLICE_TIMESTAMPS | SPLICE_SACK,
            .state = FLOW_ESTAB,
            .client_wscale = 7,
            .server_wscale = 7,
            .told_wscale = 7,
        };
        if (flow_import(flow, 1000, &splice, 1) != 1)
            exit(1);
    }
    printf("%u connections: %.0f bytes each\n", connections,
           (double)size / connections);
    return flow;
}

struct rings {
    struct syncache_ring rx;
    struct syncache_slot slot[BURST];
    uint32_t passed[BURST];
    uint8_t *memory;
};

/* Nanoseconds a packet, best of ROUNDS. */
static double
bursts(struct flow *flow, struct rings *rings, uint32_t connections,
       bool from_client, uint32_t packets)
{
    double best = 1e9;
    uint32_t next = 0;
    uint64_t visits = 0;
    static uint64_t now_ms = 2000; /* goes on from call to call */

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t spent = 0;
        for (uint32_t done = 0; done < packets; done += BURST) {
            for (uint32_t i = 0; i < BURST; i++) {
                /* A stride that visits all, and no two neighbours. */
                next = (uint32_t)((next + UINT64_C(40503)) % connections);
                uint32_t new = (uint32_t)(visits++ / connections) * STEP;
                rings->slot[i] = (struct syncache_slot){
                    .size = from_client
                                ? segment(rings->memory + i * SLOT, next, true,
                                          100, 100 + 12345 + next + new)
                                : segment(rings->memory + i * SLOT, next, false,
                                          100 + new, 100)};
            }
            rings->rx.count = BURST;
            rings->rx.next = 0;
            uint64_t begin = cpu_ns();
            flow_burst(flow, now_ms, &rings->rx,
                       from_client ? FLOW_CLIENT : FLOW_SERVER, NULL, NULL);
            spent += cpu_ns() - begin;
            if (rings->rx.passed_count != BURST)
                exit(1);
            now_ms += 4; /* repeats are limited by the second */
        }
        if ((double)spent / packets < best)
            best = (double)spent / packets;
    }
    return best;
}

static void
rewriting(void)
{
    static uint8_t packet[SLOT];
    struct splice splice = {.delta = 12345,
                            .ts_delta = 777,
                            .flags = SPLICE_TIMESTAMPS | SPLICE_SACK};
    struct view view;

    for (int to_client = 0; to_client < 2; to_client++) {
        double best = 1e9;
        uint32_t size = segment(packet, 0, !to_client, 1, 2);
        view_parse(packet, size, SYNCACHE_CHECKSUM_VERIFY, &view);
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t begin = cpu_ns();
            for (int i = 0; i < 1000000; i++) {
                if (to_client)
                    splice_to_client(&splice, &view);
                else
                    splice_to_server(&splice, &view);
            }
            double ns = (double)(cpu_ns() - begin) / 1e6;
            best = ns < best ? ns : best;
        }
        printf("rewriting alone, to the %s: %.1f ns\n",
               to_client ? "client" : "server", best);
    }
}

int
main(void)
{
    static const uint32_t sizes[] = {1000, 100000, 1000000};
    struct rings *rings = calloc(1, sizeof *rings);

    if (rings == NULL ||
        (rings->memory = aligned_alloc(64, BURST * SLOT)) == NULL)
        return 1;
    rings->rx = (struct syncache_ring){.memory = rings->memory,
                                       .slot = rings->slot,
                                       .passed = rings->passed,
                                       .slots = BURST,
                                       .slot_size = SLOT};
    rewriting();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int spliced = 0; spliced < 2; spliced++) {
            void *block;
            struct flow *flow = engine(sizes[i], &block, spliced != 0);
            double to_client = bursts(flow, rings, sizes[i], false, 64000);
            double to_server = bursts(flow, rings, sizes[i], true, 64000);
            printf("  burst, %s: to client %.1f ns, to server %.1f ns\n",
                   spliced ? "spliced" : "plain", to_client, to_server);
            free(block);
        }
    }
    free(rings->memory);
    free(rings);
    return 0;
}

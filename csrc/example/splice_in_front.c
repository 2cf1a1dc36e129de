/*
 * A stack that chooses its own initial sequence numbers, behind Intercept's
 * splice in the same process: a whole program.  docs/hosts.md says when.
 *
 *     cc splice_in_front.c $(pkg-config --cflags --libs syncache) && ./a.out
 *
 *     client --- SYN, ACK, data --> flow_burst() --- SYN, data --> stack
 *            <-- SYN-ACK, data ---              <-- SYN-ACK, data
 *
 * Both ends are functions that answer a packet with at most one.  Put your
 * interface in the place of client(), and your stack in that of stack().
 */
#include "flow/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYN = 2, PSH = 8, ACK = 16, SLOTS = 16, SLOT_SIZE = 2048 };

/* A ring of packets, as the engine fills and reads it. */
struct link {
    struct syncache_ring ring;
    struct syncache_slot slot[SLOTS];
    uint32_t passed[SLOTS];
    uint8_t memory[SLOTS * SLOT_SIZE];
};

static struct flow *flow;
static struct link rx, to_client, to_stack;
static unsigned stack_syns;

/* What an end has sent and the engine has not seen. */
static struct {
    uint32_t from; /* enum flow_side */
    size_t size;
    uint8_t bytes[SLOT_SIZE];
} sent[SLOTS];
static unsigned sent_count, sent_taken;

/* Answers a segment: its ends turned, these flags and this payload. */
static size_t
answer(const struct syncache_fields *to, uint16_t flags, uint32_t seq,
       const char *payload, uint8_t *out)
{
    struct syncache_fields fields = {.family = to->family,
                                     .sport = to->dport,
                                     .dport = to->sport,
                                     .hop_limit = 64,
                                     .window = 65535,
                                     .flags = flags,
                                     .seq = seq,
                                     .ack = to->seq + to->payload_size +
                                            ((to->flags & SYN) != 0),
                                     .payload_size = (uint32_t)strlen(payload)};

    memcpy(fields.saddr, to->daddr, sizeof fields.saddr);
    memcpy(fields.daddr, to->saddr, sizeof fields.daddr);
    return syncache_build(&fields, NULL, (const uint8_t *)payload,
                          SYNCACHE_CHECKSUM_VERIFY, out, SLOT_SIZE);
}

/* The stack: it sees no SYN of a client that has not proved its address. */
static size_t
stack(const struct syncache_fields *got, uint8_t *out)
{
    if (got->flags & SYN) {
        stack_syns++;
        return answer(got, SYN | ACK, 7000000, "", out); /* its own ISS */
    }
    if (got->payload_size > 0)
        return answer(got, PSH | ACK, got->ack, "hello, client", out);
    return 0;
}

static size_t
client(const struct syncache_fields *got, const uint8_t *packet, uint8_t *out)
{
    if ((got->flags & (SYN | ACK)) == (SYN | ACK))
        return answer(got, PSH | ACK, got->ack, "hello, server", out);
    if (got->payload_size > 0)
        printf("%.*s\n", (int)got->payload_size,
               (const char *)packet + got->payload_offset);
    return 0;
}

/* Gives a packet to one of the ends, which may answer. */
static void
deliver(uint32_t to, const uint8_t *packet, size_t size)
{
    struct syncache_fields got;

    if (syncache_parse(packet, size, SYNCACHE_CHECKSUM_VALID, &got) !=
            SYNCACHE_PASS_KNOWN ||
        sent_count == SLOTS)
        return;
    sent[sent_count].from = to;
    sent[sent_count].size = to == FLOW_SERVER
                                ? stack(&got, sent[sent_count].bytes)
                                : client(&got, packet, sent[sent_count].bytes);
    sent_count += sent[sent_count].size > 0;
}

static void
clear(struct link *link)
{
    link->ring = (struct syncache_ring){.memory = link->memory,
                                        .slot = link->slot,
                                        .passed = link->passed,
                                        .slots = SLOTS,
                                        .slot_size = SLOT_SIZE};
}

/* Takes a packet from one of the ends; what comes of it is delivered. */
static void
take(uint32_t from, const uint8_t *packet, size_t size, uint64_t now_ms)
{
    clear(&rx), clear(&to_client), clear(&to_stack);
    memcpy(rx.memory, packet, size);
    rx.slot[0] = (struct syncache_slot){.size = (uint32_t)size};
    rx.ring.count = 1;
    flow_burst(flow, now_ms, &rx.ring, from, &to_client.ring, &to_stack.ring);
    for (uint32_t i = 0; i < rx.ring.passed_count; i++)
        deliver(from == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT,
                rx.memory + rx.passed[i] * SLOT_SIZE,
                rx.slot[rx.passed[i]].size);
    for (uint32_t i = 0; i < to_client.ring.count; i++)
        deliver(FLOW_CLIENT, to_client.memory + i * SLOT_SIZE,
                to_client.slot[i].size);
    for (uint32_t i = 0; i < to_stack.ring.count; i++)
        deliver(FLOW_SERVER, to_stack.memory + i * SLOT_SIZE,
                to_stack.slot[i].size);
}

/* Makes the engine: everything to port 80 is protected. */
static bool
begin(void)
{
    struct flow_config config = {.struct_size = sizeof config,
                                 .kind = FLOW_INTERCEPT,
                                 .sessions_max = 1024,
                                 .hosts_max = 16,
                                 .headers_max = 1,
                                 .journal_max = 16,
                                 .rules_max = 1};
    struct flow_rule rule = {.protocol = 6,
                             .permit = 1,
                             .destination_op = FLOW_PORT_EQ,
                             .destination_lo = 80};
    uint8_t seed[SYNCACHE_KEY_BYTES] = {1}; /* draw both at random, and a new */
    uint8_t key[SYNCACHE_KEY_BYTES] = {2};  /* key for each flow_epoch() */
    size_t size = flow_size(&config);
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);

    memset(rule.source_wildcard, 255, sizeof rule.source_wildcard);
    memset(rule.destination_wildcard, 255, sizeof rule.destination_wildcard);
    flow = block == NULL ? NULL : flow_init(block, size, &config, seed);
    if (flow == NULL || !flow_set_rules(flow, &rule, 1, true))
        return false;
    flow_set_key(flow, 0, key);
    return true;
}

/* A SYN to the server, of a client that exists or of one that does not. */
static void
syn(uint8_t from, uint64_t now_ms)
{
    struct syncache_fields fields = {.family = 4,
                                     .saddr = {192, 0, 2, from},
                                     .daddr = {198, 51, 100, 7},
                                     .sport = 40000,
                                     .dport = 80,
                                     .hop_limit = 64,
                                     .window = 65535,
                                     .flags = SYN,
                                     .seq = 1000};
    uint8_t packet[SLOT_SIZE];
    size_t size = syncache_build(&fields, NULL, NULL, SYNCACHE_CHECKSUM_VERIFY,
                                 packet, sizeof packet);

    take(FLOW_CLIENT, packet, size, now_ms);
}

int
main(void)
{
    uint64_t now_ms = 1000;

    if (!begin())
        return 1;
    for (uint8_t i = 100; i < 200; i++) {
        syn(i, now_ms);
        sent_count = 0; /* nobody is there to take the SYN-ACK */
    }
    printf("after 100 spoofed SYNs the stack has seen %u\n", stack_syns);
    syn(1, now_ms);
    while (sent_taken < sent_count) {
        uint8_t packet[SLOT_SIZE];
        size_t size = sent[sent_taken].size;
        uint32_t from = sent[sent_taken].from;

        memcpy(packet, sent[sent_taken++].bytes, size);
        take(from, packet, size, ++now_ms);
    }
    printf("and %u of a client that answered\n", stack_syns);
    return 0;
}

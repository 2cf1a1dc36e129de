/*
 * Intercept's splice for a binding of another language: splice_in_java.c,
 * splice_in_perl.xs and splice_in_tcl.c are made of it.
 */
#ifndef SPLICE_IN_FRONT_H
#define SPLICE_IN_FRONT_H

#include "flow/flow.h"

#include <stdlib.h>
#include <string.h>

enum { SPLICE_SLOTS = 16, SPLICE_SIZE = 2048 };

/* A ring of packets, as the engine fills and reads it. */
struct splice_link {
    struct syncache_ring ring;
    struct syncache_slot slot[SPLICE_SLOTS];
    uint32_t passed[SPLICE_SLOTS];
    uint8_t memory[SPLICE_SLOTS * SPLICE_SIZE];
};

/* Is given each packet that goes to a side; `by` is the caller's. */
typedef void splice_deliver(void *by, uint32_t to, const uint8_t *packet,
                            uint32_t size);

static struct flow *splice_flow;
static struct splice_link splice_rx, splice_to_client, splice_to_stack;

static void
splice_clear(struct splice_link *link)
{
    link->ring = (struct syncache_ring){.memory = link->memory,
                                        .slot = link->slot,
                                        .passed = link->passed,
                                        .slots = SPLICE_SLOTS,
                                        .slot_size = SPLICE_SIZE};
}

/* Protects everything to a port.  False: there is no memory.  A program that
   runs longer gives a new key for each flow_epoch(). */
static bool
splice_begin(uint16_t port, const uint8_t random[2 * SYNCACHE_KEY_BYTES])
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
                             .destination_lo = port};
    size_t size = flow_size(&config);
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);

    memset(rule.source_wildcard, 255, sizeof rule.source_wildcard);
    memset(rule.destination_wildcard, 255, sizeof rule.destination_wildcard);
    if (block == NULL)
        return false;
    splice_flow = flow_init(block, size, &config, random);
    if (splice_flow == NULL || !flow_set_rules(splice_flow, &rule, 1, true))
        return false;
    flow_set_key(splice_flow, 0, random + SYNCACHE_KEY_BYTES);
    return true;
}

/* Takes an IP packet of one side, FLOW_CLIENT or FLOW_SERVER; one that is
   longer than a slot is dropped. */
static void
splice_take(uint32_t from, const void *packet, size_t size, uint64_t now_ms,
            splice_deliver *deliver, void *by)
{
    struct splice_link *rx = &splice_rx;
    struct splice_link *made[] = {&splice_to_client, &splice_to_stack};
    const uint32_t to[] = {FLOW_CLIENT, FLOW_SERVER};

    if (size > SPLICE_SIZE || from > FLOW_SERVER || splice_flow == NULL)
        return;
    splice_clear(rx), splice_clear(made[0]), splice_clear(made[1]);
    memcpy(rx->memory, packet, size);
    rx->slot[0] = (struct syncache_slot){.size = (uint32_t)size};
    rx->ring.count = 1;
    flow_burst(splice_flow, now_ms, &rx->ring, from, &made[0]->ring,
               &made[1]->ring);
    for (uint32_t i = 0; i < rx->ring.passed_count; i++)
        deliver(by, from == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT,
                rx->memory + rx->passed[i] * SPLICE_SIZE,
                rx->slot[rx->passed[i]].size);
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < made[side]->ring.count; i++)
            deliver(by, to[side], made[side]->memory + i * SPLICE_SIZE,
                    made[side]->slot[i].size);
}

#endif

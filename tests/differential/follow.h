/*
 * The driver: worlds of random size and tunables in which an engine and its
 * twin see the same packets at the same times, and random steps in them.
 *
 *   follow.c           the steps in turn          follow_packet.c  packets
 *   follow_compare.c   what has to be equal       follow_ring.c    rings
 *   follow_tunables.c  presets, random values
 */
#ifndef SYNCACHE_TEST_FOLLOW_H
#define SYNCACHE_TEST_FOLLOW_H

#include "twin.h"

#define FOLLOW_RECENT 48 /* SYN-ACKs that are remembered, to be answered */
#define FOLLOW_CONNS 8   /* handshakes that are remembered, to be accepted */
#define FOLLOW_PACKET_MAX 2048
#define FOLLOW_SLOTS 80 /* of a ring; more than a burst takes at once */

/* One of our SYN-ACKs. */
struct recent {
    struct syncache_tuple tuple;
    uint32_t iss, rcv_nxt;
    bool ts;
    uint32_t tsval;
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint32_t size;
};

struct world {
    struct syncache *cache;
    struct twin twin;
    struct syncache_config config;
    struct syncache_tunables preset, tune;
    uint64_t random, now, number;
    uint32_t crowd; /* tuples in use */
    bool keyed;     /* RFC 2385 keys are about */
    const char *doing;
    uint64_t step;
    bool failed;
    struct recent recent[FOLLOW_RECENT];
    uint32_t recent_count; /* ever; the ring holds the last ones */
    struct syncache_conn conns[FOLLOW_CONNS];
    uint32_t conn_count;
};

/* A packet on its way to both. */
struct sent {
    uint8_t bytes[FOLLOW_PACKET_MAX];
    uint32_t size;
    uint32_t checksum;
    bool plain; /* nothing was done to it: the header may be parsed ahead */
};

uint64_t follow_random(struct world *world);
uint32_t follow_below(struct world *world, uint32_t limit);
bool follow_chance(struct world *world, uint32_t percent);
/* One of a list of values. */
#define FOLLOW_PICK(world, ...)                    \
    ((const uint32_t[]){__VA_ARGS__}[follow_below( \
        world, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))])

/* follow_packet.c */
void follow_packet(struct world *world, struct sent *sent);
void follow_note_reply(struct world *world, const uint8_t *packet,
                       uint32_t size);
const struct recent *follow_recent(struct world *world);
struct syncache_tuple follow_tuple(struct world *world, uint32_t index);
void follow_local(uint32_t index, uint8_t family, uint8_t laddr[16]);

/* follow_tunables.c */
void follow_preset(struct world *world);
void follow_tune(struct world *world);

/* follow_ring.c */
void follow_burst(struct world *world);
void follow_poll(struct world *world);

/* follow_compare.c: each prints what differs, and sets world->failed. */
void follow_differ(struct world *world, const char *what, uint64_t twin,
                   uint64_t core);
void follow_equal(struct world *world, const char *what, uint64_t twin,
                  uint64_t core);
void follow_equal_bytes(struct world *world, const char *what,
                        const uint8_t *twin, uint32_t twin_size,
                        const uint8_t *core, uint32_t core_size);
void follow_equal_conn(struct world *world, const struct syncache_conn *twin,
                       const struct syncache_conn *core);
void follow_compare(struct world *world);

#endif

/*
 * An engine with packets around it: what the packet cases run in.  The packets of one chunk lie in one memory; bursts
 * of any size are windows on it.
 */
#ifndef SYNCACHE_BENCH_WORLD_H
#define SYNCACHE_BENCH_WORLD_H

#include "bench.h"
#include "rival_path.h"

#define WORLD_SLOTS 4096u
#define WORLD_SLOT_SIZE 128u
#define WORLD_BUCKETLIMIT 30u
#define WORLD_SYNS_PER_MS 1024u       /* how fast its clock goes */

struct world {
    struct syncache *cache;           /* NULL: a rival */
    void *block;
    size_t block_bytes;
    struct path path;                 /* the rival; path.list may be NULL */
    struct syncache_ring rx, tx;
    const struct bench_case *self;
    uint64_t now_ms, epoch_ends_ms;
    uint64_t serial;                  /* of the next new peer */
    uint8_t family;
    uint8_t syn[2][128];              /* a SYN without its peer, IPv4 and IPv6 */
    uint32_t sums[2][2];              /* one's complement sums of it: IP header, TCP and pseudo header */
    uint32_t iss[WORLD_SLOTS];        /* of the last chunk's SYN-ACKs */
};

/* How a world's table is: how many entries, and what happens to SYNs. */
struct world_plan {
    uint32_t entries;                 /* 0: nothing is stored */
    uint8_t family;
    bool full;                        /* filled before anything else, so that each SYN evicts */
    bool rival;
    bool pauses;                      /* the rival's */
};

struct world *world_make(const struct bench_case *self, const struct world_plan *plan);
void world_free(void *world);
/* A straightforward path for the same local side; entries 0: cookies only. */
void world_rival(struct path *path, uint32_t entries, uint32_t bucketlimit, bool pauses);
/* Gives the engine the time and the key of its epoch. */
void world_tick(struct world *world, uint64_t ms);

/* Writes `count` SYNs of new peers into rx; their numbers go on from world->serial. */
void world_syns(struct world *world, uint32_t count, uint32_t checksum);
/* Writes what peer number `serial + i` says with these flags, having got the SYN-ACKs. */
void world_segments(struct world *world, uint64_t serial, uint32_t count, uint16_t flags);

/* Runs the first `count` packets of rx through the engine in bursts, or one a call.  Returns nanoseconds. */
uint64_t world_burst(struct world *world, uint32_t count, uint32_t size);
uint64_t world_single(struct world *world, uint32_t count);
/* The same through the rival. */
uint64_t world_path(struct world *world, uint32_t count);
/* As world_burst(), keeping the ISNs of the SYN-ACKs, which must be as many as packets. */
void world_open(struct world *world, uint32_t count);

#endif

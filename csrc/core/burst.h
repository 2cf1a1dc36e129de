/*
 * A burst while it is worked on: shared by burst.c, which has its stages, and flood.c, which has the events of runs of
 * SYNs.  Nobody else includes this.
 */
#ifndef SYNCACHE_CORE_BURST_H
#define SYNCACHE_CORE_BURST_H

#include "event.h"
#include "ring.h"

#include <string.h>

/* Where a packet of the burst is: in a lane, or parsed. */
struct burst_place {
    struct simd_lanes *lanes;         /* NULL: nothing is to be looked up */
    uint8_t lane;
    bool syn;                         /* matched: `parsed` is not filled */
};

struct burst {
    struct syncache *cache;
    struct syncache_ring *rx, *tx;
    const struct simd_kernels *kernels; /* of its size: a few packets are not worth a vector */
    uint32_t first;                   /* index of the first packet in rx */
    uint32_t count;
    uint32_t run_max;                 /* SYNs that are tried to be stored together, */
    uint32_t run_from;                /* from this packet on; */
    uint32_t run_wait;                /* how many were let by when the last try failed at its first */
    bool hashed;                      /* every lane has the hash of its tuple */
    struct burst_place place[SYNCACHE_BURST_MAX];
    struct parsed parsed[SYNCACHE_BURST_MAX];
};

/* Counts a reply into tx, behind the link header of its request. */
static inline void
burst_append(const struct burst *burst, uint32_t index, uint32_t size)
{
    uint16_t link_size = burst->rx->slot[index].link_size;

    if (link_size > 0)
        memcpy(ring_slot(burst->tx, burst->tx->count), ring_slot(burst->rx, index), link_size);
    ring_append(burst->tx, size, link_size, index);
}

/*
 * Notes a SYN's verdict and the place of its SYN-ACK, which there is room for; the reply kernel writes it at the end of
 * the burst.
 */
static inline void
burst_answer(struct burst *burst, uint32_t i, enum syncache_verdict verdict)
{
    struct simd_lanes *lanes = burst->place[i].lanes;
    uint32_t index = burst->first + i;
    struct syncache_slot *slot = &burst->rx->slot[index];

    slot->verdict = (uint8_t)verdict;
    slot->handle = 0;
    lanes->out[burst->place[i].lane] = ring_reply(burst->tx, slot->link_size);
    burst_append(burst, index, quick_reply_size(lanes));
}

/*
 * flood.c: the events of SYNs one after the other from packet i on, as far as all of them end alike.  Returns the first
 * packet that is left to be taken by itself; nothing has happened to it.
 */
uint32_t flood_run(struct burst *burst, uint32_t i);

#endif

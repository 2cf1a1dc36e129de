/* A ring's slots as the engine fills them.  See struct syncache_ring. */
#ifndef SYNCACHE_CORE_RING_H
#define SYNCACHE_CORE_RING_H

#include "../syncache.h"


static inline uint8_t *
ring_slot(const struct syncache_ring *ring, uint32_t index)
{
    return ring->memory + (size_t)index * ring->slot_size;
}

/* Is there a free slot for a reply behind link_size bytes of link header? */
static inline bool
ring_has_room(const struct syncache_ring *tx, uint32_t link_size)
{
    return tx->count < tx->slots &&
           link_size + SYNCACHE_REPLY_MAX <= tx->slot_size;
}

/* Where that reply goes. */
static inline uint8_t *
ring_reply(const struct syncache_ring *tx, uint32_t link_size)
{
    return ring_slot(tx, tx->count) + link_size;
}

/* Says that a slot holds a reply; its checksums are complete. */
static inline void
ring_fill(struct syncache_slot *slot, uint32_t size, uint16_t link_size, uint32_t request)
{
    *slot = (struct syncache_slot){
        .size = size,
        .link_size = link_size,
        .checksum = SYNCACHE_CHECKSUM_VALID,
        .request = (uint16_t)request,
    };
}

/* Counts the reply in. */
static inline void
ring_append(struct syncache_ring *tx, uint32_t size, uint16_t link_size,
            uint32_t request)
{
    ring_fill(&tx->slot[tx->count], size, link_size, request);
    tx->count++;
}

#endif

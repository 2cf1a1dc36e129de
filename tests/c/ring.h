/* Rings of small slots for the tests of links. */
#ifndef SYNCACHE_TEST_RING_H
#define SYNCACHE_TEST_RING_H

#include "test.h"

#include "../../csrc/link/link.h"

enum { RING_SLOTS = 4, RING_SLOT_SIZE = 128 };

struct test_ring {
    struct syncache_ring ring;
    struct syncache_slot slot[RING_SLOTS];
    uint8_t memory[RING_SLOTS * RING_SLOT_SIZE];
};

/* An empty ring.  It points into itself, so it is not to be copied. */
static inline void
ring_clear(struct test_ring *of)
{
    memset(of, 0, sizeof *of);
    of->ring.memory = of->memory;
    of->ring.slot = of->slot;
    of->ring.slots = RING_SLOTS;
    of->ring.slot_size = RING_SLOT_SIZE;
}

/* Appends a packet and returns its slot. */
static inline struct syncache_slot *
ring_push(struct test_ring *to, const uint8_t *packet, size_t size)
{
    uint32_t i = to->ring.count++;
    memcpy(to->memory + i * RING_SLOT_SIZE, packet, size);
    to->slot[i].size = (uint32_t)size;
    return &to->slot[i];
}

#endif

/* Ethernet headers with VLAN tags.  See frame.c. */
#ifndef SYNCACHE_LINK_FRAME_H
#define SYNCACHE_LINK_FRAME_H

#include "../syncache.h"
#include "encap.h"

/*
 * Finds the IP packet in a frame.
 *
 *   returns  bytes of Ethernet header in front of it, tags included: 14, 18 or 22; 0 if the frame carries no IP,
 *            is shorter than its header or has more than two tags
 */
uint32_t frame_ip_offset(const uint8_t *frame, size_t frame_size);

/*
 * Sets a slot's size and link_size for the frame in it.
 *
 *   in       any      whether a frame that carries no IP is wanted, as all link header
 *   returns  false if the frame is not wanted
 */
bool frame_describe(const uint8_t *frame, size_t frame_size, bool any, struct syncache_slot *slot);

/* Exchanges the two MAC addresses of a frame. */
void frame_turn_round(uint8_t *frame);

/* Where the frame of a slot begins. */
static inline uint8_t *
frame_of(const struct syncache_ring *ring, uint32_t i)
{
    return ring->memory + (size_t)i * ring->slot_size;
}

static inline uint32_t
frame_size(const struct syncache_slot *slot)
{
    return slot->link_size + slot->size;
}

#endif

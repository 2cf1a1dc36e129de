/*
 * What takes rings without an engine: the wire of the memory link, where packets
 * go from one ring into another, and the forwarder that lets everything through.
 */
#include "link.h"

#include <assert.h>
#include <string.h>

uint32_t
link_copy(struct syncache_ring *from, struct syncache_ring *to,
          uint32_t *dropped)
{
    assert(from->next <= from->count && from->count <= from->slots);
    assert(to->count <= to->slots);
    uint32_t before = from->next;
    *dropped = 0;
    while (from->next < from->count && to->count < to->slots) {
        uint32_t i = from->next;
        const struct syncache_slot *slot = &from->slot[i];
        from->next++;
        if (slot->size > to->slot_size) {
            (*dropped)++;
            continue;
        }
        uint32_t j = to->count;
        memcpy(to->memory + (size_t)j * to->slot_size,
               from->memory + (size_t)i * from->slot_size + slot->link_size,
               slot->size);
        to->slot[j] = (struct syncache_slot){.size = slot->size,
                                             .checksum = slot->checksum,
                                             .gso_size = slot->gso_size,
                                             .csum_start = slot->csum_start,
                                             .csum_offset = slot->csum_offset,
                                             .request = UINT16_MAX};
        to->count++;
    }
    return from->next - before;
}

void
link_pass(struct syncache_ring *rx)
{
    assert(rx->next <= rx->count && rx->count <= rx->slots);
    rx->passed_count = 0;
    while (rx->next < rx->count)
        rx->passed[rx->passed_count++] = rx->next++;
}

/* Places for packets that wait for a server: a list of free ones. */
#include "early.h"

#include <assert.h>
#include <string.h>

static uint32_t
early_count(uint32_t sessions_max)
{
    return sessions_max < EARLY_PLACES_MAX ? sessions_max : EARLY_PLACES_MAX;
}

size_t
early_bytes(uint32_t sessions_max)
{
    return early_count(sessions_max) * sizeof(struct early_packet);
}

void
early_init(struct early *early, void *memory, uint32_t sessions_max)
{
    early->packet = memory;
    early->count = (uint16_t)early_count(sessions_max);
    early->used = 0;
    early->free = EARLY_NONE;
}

struct early_packet *
early_at(const struct early *early, uint16_t number)
{
    assert(number != EARLY_NONE && number <= early->used);
    return &early->packet[number - 1];
}

uint16_t
early_keep(struct early *early, const uint8_t *packet, size_t size,
           uint8_t checksum)
{
    uint16_t number = early->free;

    if (size > EARLY_PACKET_MAX)
        return EARLY_NONE;
    if (number != EARLY_NONE)
        early->free = early_at(early, number)->size;
    else if (early->used < early->count)
        number = ++early->used;
    else
        return EARLY_NONE;
    struct early_packet *place = early_at(early, number);
    place->size = (uint16_t)size;
    place->checksum = checksum;
    memcpy(place->bytes, packet, size);
    return number;
}

void
early_release(struct early *early, uint16_t number)
{
    early_at(early, number)->size = early->free;
    early->free = number;
}

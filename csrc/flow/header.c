/* Link headers by number: a table with open addressing that only grows. */
#include "header.h"

#include "../core/siphash.h"

#include <assert.h>
#include <string.h>

#define HEADER_MAC_BYTES 6
#define HEADER_ETHERNET_BYTES 14

static uint32_t
headers_slots(uint32_t max)
{
    uint32_t slots = 2;

    while (slots < 2 * max)
        slots *= 2;
    return slots;
}

size_t
headers_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct header) +
           (size_t)headers_slots(max) * sizeof(uint16_t);
}

void
headers_init(struct headers *headers, void *memory, uint32_t max,
             const uint8_t hash_key[static SYNCACHE_KEY_BYTES])
{
    assert(memory != NULL && max >= 1 && max <= UINT16_MAX);
    memset(headers, 0, sizeof *headers);
    memset(memory, 0, headers_bytes(max));
    headers->header = memory;
    headers->slot = (uint16_t *)(void *)(headers->header + max);
    headers->max = max;
    headers->mask = headers_slots(max) - 1;
    memcpy(headers->hash_key, hash_key, SYNCACHE_KEY_BYTES);
}

void
header_turn(uint8_t *link, size_t link_size)
{
    uint8_t mac[HEADER_MAC_BYTES];

    if (link_size < HEADER_ETHERNET_BYTES)
        return;
    memcpy(mac, link, sizeof mac);
    memcpy(link, link + HEADER_MAC_BYTES, sizeof mac);
    memcpy(link + HEADER_MAC_BYTES, mac, sizeof mac);
}

uint16_t
header_number(struct headers *headers, const uint8_t *link, size_t link_size)
{
    if (link_size == 0)
        return HEADER_NONE;
    if (link_size > FLOW_LINK_MAX) {
        headers->refused++;
        return HEADER_NONE;
    }
    uint32_t hash = siphash24_fold(headers->hash_key, link, link_size);
    uint32_t at = hash & headers->mask;
    while (headers->slot[at] != HEADER_NONE) {
        const struct header *header = &headers->header[headers->slot[at] - 1u];
        if (header->hash == hash && header->size == link_size &&
            memcmp(header->bytes, link, link_size) == 0)
            return headers->slot[at];
        at = (at + 1) & headers->mask;
    }
    if (headers->count == headers->max) {
        headers->refused++;
        return HEADER_NONE;
    }
    struct header *header = &headers->header[headers->count++];
    memcpy(header->bytes, link, link_size);
    header->size = (uint32_t)link_size;
    header->hash = hash;
    headers->slot[at] = (uint16_t)headers->count;
    return headers->slot[at];
}

uint16_t
header_number_turned(struct headers *headers, const uint8_t *link,
                     size_t link_size)
{
    uint8_t turned[FLOW_LINK_MAX];

    if (link_size > sizeof turned)
        return header_number(headers, link, link_size);
    if (link_size > 0)
        memcpy(turned, link, link_size);
    header_turn(turned, link_size);
    return header_number(headers, turned, link_size);
}

size_t
header_write(const struct headers *headers, uint16_t number,
             uint8_t link[static FLOW_LINK_MAX])
{
    if (number == HEADER_NONE)
        return 0;
    assert(number <= headers->count);
    const struct header *header = &headers->header[number - 1u];
    memcpy(link, header->bytes, header->size);
    return header->size;
}

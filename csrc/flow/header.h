/*
 * Link headers, kept once each: the bytes in front of packets (Ethernet, VLAN tags), so that packets which timers
 * make can be sent on links that want one.  Numbers are 16 bits; 0 is no header, for links without and for headers
 * that found no room.
 *
 * Towards the server goes the header of the client's packets as it is, since we are a bump in the wire; towards the
 * client the same with its two MAC addresses exchanged.
 *
 * Kept for ever: there are as many as neighbours on the wire, and only packets that open a session are looked at.
 */
#ifndef SYNCACHE_FLOW_HEADER_H
#define SYNCACHE_FLOW_HEADER_H

#include "flow.h"

#define HEADER_NONE 0

struct header {
    uint8_t bytes[FLOW_LINK_MAX];
    uint32_t hash;
    uint32_t size;
};

struct headers {
    struct header *header;            /* numbers 1 .. max at 0 .. max - 1 */
    uint16_t *slot;                   /* number, HEADER_NONE: empty; mask + 1 of them, at least 2 * max */
    uint32_t max;
    uint32_t mask;
    uint32_t count;
    uint64_t refused;                 /* headers that found no room, or were too long */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
};

size_t headers_bytes(uint32_t max);
void headers_init(struct headers *headers, void *memory, uint32_t max,
                  const uint8_t hash_key[static SYNCACHE_KEY_BYTES]);

/* The number of a header, kept if it was not yet. */
uint16_t header_number(struct headers *headers, const uint8_t *link, size_t link_size);
/* The number of the header that answers this one. */
uint16_t header_number_turned(struct headers *headers, const uint8_t *link, size_t link_size);

/* Writes a header and returns its size. */
size_t header_write(const struct headers *headers, uint16_t number, uint8_t link[static FLOW_LINK_MAX]);

/* Exchanges the two MAC addresses of an Ethernet header; shorter headers have none. */
void header_turn(uint8_t *link, size_t link_size);

#endif

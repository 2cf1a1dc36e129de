/*
 * Packets of clients whose servers have not answered yet: one packet each, kept until it can go on.  A client that was
 * told a window of one segment sends that much with its ACK; without it, it would wait for the window to open.
 *
 * A fixed number of places: a client that proved its address may take one for as long as its server does not answer.
 * Where there is none, the packet is dropped and its sender sends it again.
 *
 * Not here: which packets are kept, and when they go on (proxy.c, knit.c).
 */
#ifndef SYNCACHE_FLOW_EARLY_H
#define SYNCACHE_FLOW_EARLY_H

#include <stddef.h>
#include <stdint.h>

#define EARLY_PLACES_MAX 1024
#define EARLY_PACKET_MAX 1596         /* an Ethernet MTU and some; a place is 25 lines of 64 bytes */
#define EARLY_NONE 0                  /* no place; they are numbered from 1 */

struct early_packet {
    uint16_t size;                    /* of the IP packet; free: number of the next free place */
    uint8_t checksum;                 /* enum syncache_checksum */
    uint8_t reserved;
    uint8_t bytes[EARLY_PACKET_MAX];
};

_Static_assert(sizeof(struct early_packet) == 1600, "whole cache lines");

struct early {
    struct early_packet *packet;
    uint16_t count;                   /* places */
    uint16_t used;                    /* places that were ever taken */
    uint16_t free;                    /* first of those that were given back */
};

size_t early_bytes(uint32_t sessions_max);
void early_init(struct early *early, void *memory, uint32_t sessions_max);

/* Copies a packet.  EARLY_NONE: there is no place, or it is too large. */
uint16_t early_keep(struct early *early, const uint8_t *packet, size_t size, uint8_t checksum);
struct early_packet *early_at(const struct early *early, uint16_t number);
void early_release(struct early *early, uint16_t number);

#endif

/*
 * echo.c: the ceiling of a link: a SYN comes back as a SYN-ACK, and that is all.
 *
 * One function for the loop that otherwise calls the engine: same rings, same
 * link header, same size of answer, but nothing is parsed, hashed, verified or
 * remembered.  What the loop reaches with it is what the link allows.
 *
 * Only for packets of flood.c: IPv4 without options, TCP.
 */
#include "syncache.h"

#include <arpa/inet.h>
#include <string.h>

#define IPV4_SIZE 20

uint32_t echo(struct syncache_ring *rx, struct syncache_ring *tx);

static void
swap(uint8_t *one, uint8_t *other, size_t size)
{
    uint8_t kept[4];

    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

/* Turns a SYN into its SYN-ACK.  Swapping changes no sum; two words do. */
static void
answer(uint8_t *packet)
{
    uint8_t *tcp = packet + IPV4_SIZE;
    uint32_t seq, ack;
    uint16_t sum;

    swap(packet + 12, packet + 16, 4);
    swap(tcp, tcp + 2, 2);
    memcpy(&seq, tcp + 4, sizeof seq);
    ack = htonl(ntohl(seq) + 1);
    memcpy(tcp + 8, &ack, sizeof ack);
    tcp[13] |= 0x10;
    /* RFC 1624 3: HC' = ~(~HC + ~m + m'), where m was 0 but for the flags. */
    memcpy(&sum, tcp + 16, sizeof sum);
    uint32_t folded =
        (uint16_t)~sum + (ack & 0xffff) + (ack >> 16) + htons(0x0010);
    folded = (folded & 0xffff) + (folded >> 16);
    folded = (folded & 0xffff) + (folded >> 16);
    sum = (uint16_t)~folded;
    memcpy(tcp + 16, &sum, sizeof sum);
}

/* Answers what rx holds while tx has room; returns how many. */
uint32_t
echo(struct syncache_ring *rx, struct syncache_ring *tx)
{
    uint32_t first = rx->next;

    for (; rx->next < rx->count && tx->count < tx->slots; rx->next++) {
        const struct syncache_slot *slot = &rx->slot[rx->next];
        size_t size = (size_t)slot->link_size + slot->size;
        uint8_t *reply = tx->memory + (size_t)tx->count * tx->slot_size;

        if (size > tx->slot_size || slot->size < 2 * IPV4_SIZE)
            continue;
        memcpy(reply, rx->memory + (size_t)rx->next * rx->slot_size, size);
        answer(reply + slot->link_size);
        tx->slot[tx->count++] =
            (struct syncache_slot){.size = slot->size,
                                   .link_size = slot->link_size,
                                   .checksum = SYNCACHE_CHECKSUM_VALID,
                                   .request = (uint16_t)rx->next};
    }
    return rx->next - first;
}

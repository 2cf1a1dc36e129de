/*
 * What two segments have to say alike: ACK, congestion marks, options.  A push
 * is the data's end, wherever that is; an urgent pointer says nothing.
 *
 * RFC 7323 4.3 echoes the timestamp of the segment at the left edge, so data
 * keeps that of its first segment; an ACK before it says less than its data.
 */
#include "gather.h"

#include <string.h>

#include "ring.h"
#include "seq.h"
#include "wire.h"

#define GATHER_FLAGS (WIRE_FIN | WIRE_SYN | WIRE_RST | WIRE_ACK | WIRE_CWR)
#define GATHER_CE 3

static bool
gather_alike(const struct syncache_arrival *last,
             const struct syncache_arrival *next)
{
    return last->handle == next->handle &&
           ((last->flags ^ next->flags) & GATHER_FLAGS) == 0 &&
           (next->flags & (GATHER_FLAGS ^ WIRE_CWR)) == WIRE_ACK &&
           seq_leq(last->ack, next->ack) &&
           last->seq + last->payload_size == next->seq &&
           (last->ecn == GATHER_CE) == (next->ecn == GATHER_CE) &&
           (last->ecn == 0) == (next->ecn == 0) &&
           last->timestamps == next->timestamps && last->gathered < UINT16_MAX;
}

bool
gather_join(const struct syncache_ring *rx, struct syncache_arrival *last,
            const struct syncache_arrival *next)
{
    uint64_t end = last->place + last->payload + last->payload_size;
    uint64_t room = (uint64_t)(last->slot + 1) * rx->slot_size - end;

    if (!gather_alike(last, next) || next->payload_size > room)
        return false;
    if (seq_lt(next->tsval, last->tsval))
        return next->payload_size == 0; /* PAWS */
    if (next->payload_size != 0)
        memcpy(rx->memory + end, rx->memory + next->place + next->payload,
               next->payload_size);
    if (last->payload_size == 0)
        last->tsval = next->tsval;
    last->tsecr = next->tsecr;
    last->payload_size += next->payload_size;
    last->ack = next->ack;
    last->window = next->window;
    last->gathered++;
    return true;
}

/*
 * What two segments have to say alike: flags and options.  A push is the data's
 * end, wherever that is; an urgent pointer says nothing.
 *
 * RFC 7323 4.3 echoes the timestamp of the segment at the left edge, so data
 * keeps that of its first segment; an ACK before it says less than its data.
 *
 * RFC 2018 4: an ACK repeats the blocks of those before it, the newest first.
 *
 * RFC 3168 6.1.3 echoes CE until a CWR that came behind it: of both the later one
 * is kept.  RFC 9768 3.2 counts CE.
 */
#include "gather.h"

#include <string.h>

#include "ring.h"
#include "seq.h"
#include "wire.h"

#define GATHER_FLAGS (WIRE_FIN | WIRE_SYN | WIRE_RST | WIRE_ACK)
#define GATHER_ECT 2
#define GATHER_CE 3

/* How many bytes of the next one are there already. */
static uint32_t
gather_overlap(const struct syncache_arrival *last,
               const struct syncache_arrival *next)
{
    return last->seq + last->payload_size - next->seq;
}

static bool
gather_alike(const struct syncache_arrival *last,
             const struct syncache_arrival *next)
{
    uint32_t overlap = gather_overlap(last, next);

    return last->handle == next->handle &&
           (last->flags & GATHER_FLAGS) == WIRE_ACK &&
           (next->flags & GATHER_FLAGS) == WIRE_ACK &&
           (next->payload_size != 0 || seq_leq(last->ack, next->ack)) &&
           overlap <= last->payload_size &&
           (overlap == 0 || overlap < next->payload_size) &&
           last->timestamps == next->timestamps && last->gathered < UINT16_MAX;
}

static void
gather_marks(struct syncache_arrival *last, const struct syncache_arrival *next)
{
    if (next->ecn == GATHER_CE) {
        last->ecn = GATHER_CE;
    } else if (next->flags & WIRE_CWR) {
        last->flags |= WIRE_CWR;
        if (last->ecn == GATHER_CE)
            last->ecn = GATHER_ECT;
    }
    if (last->ecn == 0)
        last->ecn = next->ecn;
    last->marked = (uint16_t)(last->marked + next->marked);
}

static void
gather_data(const struct syncache_ring *rx, struct syncache_arrival *last,
            const struct syncache_arrival *next)
{
    uint32_t overlap = gather_overlap(last, next);
    uint64_t end = last->place + last->payload + last->payload_size;
    uint32_t size = next->payload_size - overlap;

    /* Those with data count, without any those without. */
    if (size != 0 && last->payload_size == 0)
        last->gathered = 0;
    else if ((size != 0) == (last->payload_size != 0))
        last->gathered++;
    if (size != 0)
        memmove(rx->memory + end,
                rx->memory + next->place + next->payload + overlap, size);
    last->payload_size += size;
}

/* Bare ACKs, of which the later one's SACK blocks say what has come by now. */
static enum gather
gather_blocks(struct syncache_arrival *last,
              const struct syncache_arrival *next)
{
    struct syncache_arrival both = *last;

    if (next->payload_size != 0)
        return GATHER_APART;
    gather_marks(&both, next);
    if (next->sack_count != 0 || seq_lt(last->ack, next->ack))
        *last = *next;
    last->window = next->window;
    last->flags = both.flags;
    last->ecn = both.ecn;
    last->marked = both.marked;
    last->gathered = (uint16_t)(both.gathered + 1);
    return GATHER_JOINED;
}

/* Behind the data of an arrival: to its slot's end, or, if no other packet
 * between the two is the stack's, to that of the next one's. */
static uint64_t
gather_room(const struct syncache_ring *rx, const struct syncache_arrival *last,
            const struct syncache_arrival *next)
{
    uint64_t end = last->place + last->payload + last->payload_size;
    uint32_t slot = last + 1 == next ? next->slot : last->slot;
    uint64_t stop = ((uint64_t)slot + 1) * rx->slot_size;

    return stop < end ? 0 : stop - end;
}

enum gather
gather_join(const struct syncache_ring *rx, struct syncache_arrival *last,
            const struct syncache_arrival *next)
{
    uint64_t room = gather_room(rx, last, next);

    if (!gather_alike(last, next))
        return GATHER_APART;
    if (seq_lt(next->tsval, last->tsval)) /* PAWS */
        return next->payload_size == 0 ? GATHER_JOINED : GATHER_OLD;
    if (last->payload_size == 0 && (last->sack_count | next->sack_count) != 0)
        return gather_blocks(last, next);
    if (next->payload_size - gather_overlap(last, next) > room)
        return GATHER_FULL;
    if (gather_overlap(last, next) == last->payload_size)
        last->tsval = next->tsval;
    gather_data(rx, last, next);
    gather_marks(last, next);
    if (seq_leq(last->ack, next->ack)) {
        last->ack = next->ack;
        last->tsecr = next->tsecr;
    }
    last->window = next->window;
    return GATHER_JOINED;
}

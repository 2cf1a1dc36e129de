/*
 * Half-open sessions in the order of their creation, and in an array from which
 * one can be drawn at random; both in constant time.  Sessions in SYNRCVD have a
 * second list, and lie in front in the array: victims come from them first,
 * since the others have shown that they exist.
 */
#include "session.h"

#include <assert.h>
#include <string.h>

size_t
order_bytes(uint32_t max)
{
    return (size_t)max * sizeof(uint32_t);
}

void
order_init(struct order *order, void *memory, struct sessions *sessions)
{
    memset(order, 0, sizeof *order);
    order->sessions = sessions;
    order->dense = memory;
    order->oldest = order->youngest = SESSION_NONE;
    order->rcvd_oldest = order->rcvd_youngest = SESSION_NONE;
}

static void
order_place(struct order *order, uint32_t at, uint32_t number)
{
    order->dense[at] = number;
    session_at(order->sessions, number)->dense = at;
}

void
order_add(struct order *order, struct session *session)
{
    uint32_t number = session_number(order->sessions, session);

    assert(session->state <= FLOW_SYNSENT);
    session->younger = SESSION_NONE;
    session->older = order->youngest;
    if (order->youngest == SESSION_NONE)
        order->oldest = number;
    else
        session_at(order->sessions, order->youngest)->younger = number;
    order->youngest = number;
    order_place(order, order->count++, number);
    if (session->state != FLOW_SYNRCVD)
        return;
    session->rcvd_younger = SESSION_NONE;
    session->rcvd_older = order->rcvd_youngest;
    if (order->rcvd_youngest == SESSION_NONE)
        order->rcvd_oldest = number;
    else
        session_at(order->sessions, order->rcvd_youngest)->rcvd_younger =
            number;
    order->rcvd_youngest = number;
    /* The first of the others makes room at the end of the front part. */
    order_place(order, session->dense, order->dense[order->rcvd_count]);
    order_place(order, order->rcvd_count++, number);
}

/* Takes it out of the SYNRCVD list and the front part of the array. */
static void
order_leave_rcvd(struct order *order, struct session *session)
{
    uint32_t number = session_number(order->sessions, session);
    uint32_t last = --order->rcvd_count;

    if (session->rcvd_older == SESSION_NONE)
        order->rcvd_oldest = session->rcvd_younger;
    else
        session_at(order->sessions, session->rcvd_older)->rcvd_younger =
            session->rcvd_younger;
    if (session->rcvd_younger == SESSION_NONE)
        order->rcvd_youngest = session->rcvd_older;
    else
        session_at(order->sessions, session->rcvd_younger)->rcvd_older =
            session->rcvd_older;
    order_place(order, session->dense, order->dense[last]);
    order_place(order, last, number);
}

void
order_promote(struct order *order, struct session *session)
{
    assert(session->state == FLOW_SYNRCVD);
    order_leave_rcvd(order, session);
}

void
order_remove(struct order *order, struct session *session)
{
    assert(order->count > 0 && session->state <= FLOW_SYNSENT);
    if (session->state == FLOW_SYNRCVD)
        order_leave_rcvd(order, session);
    order_place(order, session->dense, order->dense[--order->count]);
    if (session->older == SESSION_NONE)
        order->oldest = session->younger;
    else
        session_at(order->sessions, session->older)->younger = session->younger;
    if (session->younger == SESSION_NONE)
        order->youngest = session->older;
    else
        session_at(order->sessions, session->younger)->older = session->older;
}

uint32_t
order_oldest(const struct order *order, bool together)
{
    if (together || order->rcvd_count == 0)
        return order->oldest;
    return order->rcvd_oldest;
}

uint32_t
order_random(const struct order *order, bool together, uint64_t random)
{
    uint32_t among = order->rcvd_count;

    if (together || among == 0)
        among = order->count;
    if (among == 0)
        return SESSION_NONE;
    /* The high half of a product: no bias worth a loop at 2^26 of 2^64. */
    return order->dense[(uint32_t)((random >> 32) * among >> 32)];
}

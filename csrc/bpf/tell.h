/*
 * What the process is told of a service as it happens.  Each is told seldom, whatever comes in; what finds no room is
 * counted, and the process finds the service's state a moment later by itself.
 */
#ifndef SYNCACHE_BPF_TELL_H
#define SYNCACHE_BPF_TELL_H

#include "maps.h"

#define TELL_FULL_NS 1000000000

/* An address and a port as they lie in a packet; `size` of the address is 4 or 16. */
static inline void
tell(struct shield_counters *counters, enum shield_event_kind kind, const uint32_t *address, uint32_t size,
     uint16_t port, uint32_t number, uint64_t now_ns)
{
    struct shield_event event = {now_ns, kind, number, {address[0], 0, 0, 0}, port, size != 4, 0};

    if (size != 4)
        for (int i = 1; i < 4; i++)
            event.address[i] = address[i];
    if (ring_output(&events, &event, sizeof event, 0) != 0)
        counters->events_lost++;
}

/* A packet was dropped because the accept queue is full. */
static inline void
tell_full(struct shield_counters *counters, struct shield_service *service, const uint32_t *address, uint32_t size,
          uint16_t port, uint32_t number, uint64_t now_ns)
{
    if (now_ns - service->full_ns < TELL_FULL_NS)
        return;
    service->full_ns = now_ns;
    tell(counters, SHIELD_EVENT_FULL, address, size, port, number, now_ns);
}

#endif

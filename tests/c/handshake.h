/* Hosts whose numbers are known, and their handshakes: for the units of TCP Intercept. */
#ifndef SYNCACHE_TEST_HANDSHAKE_H
#define SYNCACHE_TEST_HANDSHAKE_H

#include "between.h"

static struct between world;

#define C_ISN 5000u
#define S_ISN 900000u

static inline void
handshake_start(uint32_t synack, uint32_t high)
{
    between_open(&world, 32);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = synack;
    tunables.max_incomplete_low = high > 1 ? high - 1 : 1;
    tunables.max_incomplete_high = high;
    between_tune(&world, &tunables);
}

static inline uint32_t
handshake_syn(uint16_t port)
{
    world.cport = port;
    return between_send(&world,
                        between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0));
}

/* The whole handshake of a port; returns p. */
static inline uint32_t
handshake_whole(uint16_t port)
{
    EXPECT_EQ(1, handshake_syn(port));
    uint32_t p = world.out[0].seq;
    EXPECT_EQ(1, between_send(&world, between_said(FLOW_CLIENT, WIRE_ACK,
                                                   C_ISN + 1, p + 1, 0)));
    EXPECT_EQ(
        2, between_send(&world, between_said(FLOW_SERVER, WIRE_SYN | WIRE_ACK,
                                             S_ISN, C_ISN + 1, 0)));
    return p;
}

#endif

/*
 * An ACK as tc sees it: read from a packet, and the service that it is for.
 */
#ifndef SYNCACHE_BPF_ACK_H
#define SYNCACHE_BPF_ACK_H

#include "maps.h"
#include "mint.h"
#include "raw.h"

/* An ACK, and what is known of it. */
struct ack {
    struct tuple tuple;
    uint32_t irs;
    uint32_t iss;
    uint32_t header; /* bytes of TCP header and options */
    bool is_reset;
    bool is_bare; /* a RST without ACK, as probes and closed sockets send */
    uint64_t now_ns;
};

/* Reads IP and TCP headers; false if it is neither ACK nor RST. */
static inline bool
read_ack(struct __sk_buff *skb, struct scratch *scratch, struct ack *ack)
{
    const uint32_t *ip = scratch->ip, *tcp = scratch->ip + 5;

    ack->tuple.v6 = skb->protocol == TYPE_IPV6;
    if (!ack->tuple.v6) {
        if (skb->protocol != TYPE_IPV4 ||
            skb_load(skb, LINK_SIZE, scratch->ip, 40) < 0)
            return false;
        if ((ip[0] & 0xff) != 0x45 || (ip[1] >> 16 & 0xff3f) != 0 ||
            (ip[2] >> 8 & 0xff) != PROTOCOL_TCP)
            return false;
        ack->tuple.address[0] = ip[3] | (uint64_t)ip[4] << 32;
    } else {
        tcp = scratch->tcp;
        if (skb_load(skb, LINK_SIZE, scratch->ip, 40) < 0 ||
            skb_load(skb, LINK_SIZE + 40, scratch->tcp, 20) < 0)
            return false;
        if ((ip[0] & 0xf0) != 0x60 || (ip[1] >> 16 & 0xff) != PROTOCOL_TCP)
            return false;
        for (int i = 0; i < 4; i++)
            ack->tuple.address[i] = ip[2 + 2 * i] | (uint64_t)ip[3 + 2 * i]
                                                        << 32;
    }
    ack->tuple.ports = tcp[0];
    ack->irs = swap32(tcp[1]) - 1;
    ack->iss = swap32(tcp[2]) - 1;
    ack->header = (tcp[3] >> 4 & 15) * 4;
    uint32_t flags = tcp[3] >> 8 & (WIRE_SYN | WIRE_ACK | WIRE_RST);
    ack->is_reset = (flags & WIRE_RST) != 0;
    ack->is_bare = flags == WIRE_RST;
    return ack->is_bare || (flags & (WIRE_SYN | WIRE_ACK)) == WIRE_ACK;
}

static inline struct shield_service *
ack_service(const struct scratch *scratch, const struct ack *ack)
{
    uint16_t port = (uint16_t)(ack->tuple.ports >> 16);

    return ack->tuple.v6 ? service_of_v6(scratch->ip + 6, port)
                         : service_of_v4(scratch->ip[4], port);
}

#endif

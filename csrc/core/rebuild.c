/*
 * A connection back to the SYN that asked for it, for stacks that can only be
 * given SYNs.
 *
 * It offers what was agreed: a stack that can do more must not hear of it, and
 * one that is told of it answers with the same.
 *
 * Not here: when to use it (docs/hosts.md).
 */
#include "../syncache_host.h"
#include "wire_ip.h"

#include <assert.h>
#include <string.h>

#define REBUILD_HOP_LIMIT 64

uint32_t
syncache_syn_packet(const struct syncache_conn *conn,
                    uint8_t packet[SYNCACHE_REPLY_MAX])
{
    const struct syncache_tuple *tuple = &conn->tuple;
    struct wire_reply syn;

    if (tuple->family != 4 && tuple->family != 6)
        return 0;
    memset(&syn, 0, sizeof syn);
    /* The peer sends it: its address is the local one of this packet. */
    syn.tuple = *tuple;
    memcpy(syn.tuple.laddr, tuple->faddr, sizeof tuple->faddr);
    memcpy(syn.tuple.faddr, tuple->laddr, sizeof tuple->laddr);
    syn.tuple.lport = tuple->fport;
    syn.tuple.fport = tuple->lport;
    syn.hop_limit = REBUILD_HOP_LIMIT;
    syn.dont_fragment = 1;
    syn.seq = conn->irs;
    syn.flags = WIRE_SYN;
    if (conn->ecn == SYNCACHE_ECN_CLASSIC)
        syn.flags |= WIRE_ECE | WIRE_CWR;
    syn.window = (uint16_t)(conn->snd_wnd < 65535 ? conn->snd_wnd : 65535);
    syn.has = WIRE_HAS_MSS;
    syn.mss = conn->peer_mss;
    if (conn->snd_wscale != SYNCACHE_WSCALE_NONE) {
        syn.has |= WIRE_HAS_WSCALE;
        syn.wscale = conn->snd_wscale;
    }
    if (conn->sack_permitted)
        syn.has |= WIRE_HAS_SACK_PERMITTED;
    if (conn->timestamps) {
        syn.has |= WIRE_HAS_TIMESTAMPS;
        syn.tsval = conn->ts_recent;
    }
    return (uint32_t)wire_build_reply(&syn, packet);
}

uint32_t
syncache_tcp_offset(const uint8_t *packet)
{
    return wire_ip_family(packet) == 6 ? WIRE_IPV6_HEADER_BYTES
                                       : WIRE_IPV4_HEADER_BYTES;
}

uint8_t
syncache_destination(const uint8_t *packet, void *address)
{
    uint8_t family = wire_ip_family(packet);

    memcpy(address, wire_ip_destination(packet), family == 6 ? 16 : 4);
    return family;
}

uint8_t
syncache_source(const uint8_t *packet, void *address)
{
    uint8_t family = wire_ip_family(packet);

    memcpy(address, wire_ip_source(packet), family == 6 ? 16 : 4);
    return family;
}

uint32_t
syncache_syn_segment(const struct syncache_conn *conn,
                     uint8_t segment[SYNCACHE_REPLY_MAX])
{
    uint32_t size = syncache_syn_packet(conn, segment);
    uint32_t offset = syncache_tcp_offset(segment);

    if (size == 0)
        return 0;
    memmove(segment, segment + offset, size - offset);
    return size - offset;
}

/*
 * The maps of an offloaded splice, and how its two programs read a packet.
 *
 * A packet is seen twice: by the filter of the process's own socket (offload_take.c), and directly behind it, on the
 * same processor, in tc (offload_splice.c).  The filter decides, and leaves word for tc, so that a packet has exactly
 * one of the two ways however the map changes in between.
 */
#ifndef SYNCACHE_BPF_OFFLOAD_MAPS_H
#define SYNCACHE_BPF_OFFLOAD_MAPS_H

#include "kernel.h"
#include "offload_abi.h"
#include "offload_name.h"
#include "raw.h"

#include "../flow/splice_words.h"

#define HEADERS_WORDS 15 /* IPv6 and TCP without options */

/* The loader puts the table's size in the place of the first two. */
#define OFFLOAD_CONNECTIONS 65536
#define OFFLOAD_EVENTS 16384

/* A copy of a segment's options, before and after. */
struct offload_scratch {
    uint8_t before[OPTIONS_MAX];
    uint8_t after[72]; /* 64, and what a part word reaches beyond */
    uint32_t at;
    uint32_t left;     /* bytes of an option that is being overwritten, or of its blocks */
    uint32_t stamped;
    uint32_t to_client;
    uint32_t ack;      /* the segment has one */
    uint32_t flags;    /* of the entry */
    uint32_t reserved;
};

MAP(config_map, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct offload_config), 1, 0);
MAP(processor_map, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct offload_processor), 1, 0);
MAP(scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct offload_scratch), 1, 0);
MAP(carried4, BPF_MAP_TYPE_HASH, sizeof(struct offload_key4), sizeof(struct offload_entry), OFFLOAD_CONNECTIONS,
    BPF_F_NO_PREALLOC);
MAP(carried6, BPF_MAP_TYPE_HASH, sizeof(struct offload_name6), sizeof(struct offload_entry), OFFLOAD_CONNECTIONS,
    BPF_F_NO_PREALLOC);
MAP(events, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct offload_event), OFFLOAD_EVENTS, 0);

static inline uint32_t
offload_now(void)
{
    return (uint32_t)(ktime_tick_ns() >> OFFLOAD_TICK_SHIFT);
}

/* A TCP segment without IP options, extension headers or fragments; `words` are its IP and TCP headers. */
struct segment {
    uint32_t words[HEADERS_WORDS];
    uint32_t layer3;
    uint32_t layer4;
    bool v6;
};

/* Finds the IP header behind the tags that are in the frame; the outer one lies beside it. */
static inline uint32_t
segment_type(const void *skb, uint32_t type, uint32_t *layer3)
{
    *layer3 = LINK_SIZE;
#pragma clang loop unroll(full)
    for (int i = 0; i < TAGS_MAX; i++) {
        uint16_t inner = 0;

        if (type != TYPE_VLAN && type != TYPE_QINQ)
            break;
        if (skb_load(skb, *layer3 + 2, &inner, sizeof inner) < 0)
            return 0;
        *layer3 += TAG_SIZE;
        type = inner;
    }
    return type;
}

static inline bool
segment_is_v4(const uint32_t *ip)
{
    return (ip[0] & 0xff) == 0x45 && (ip[1] >> 16 & 0xff3f) == 0 && (ip[2] >> 8 & 0xff) == PROTOCOL_TCP;
}

static inline bool
segment_is_v6(const uint32_t *ip)
{
    return (ip[0] & 0xf0) == 0x60 && (ip[1] >> 16 & 0xff) == PROTOCOL_TCP;
}

/* Reads the headers; false if it is no such segment. */
static inline bool
segment_read(const void *skb, uint32_t type, struct segment *segment)
{
    type = segment_type(skb, type, &segment->layer3);
    segment->v6 = type == TYPE_IPV6;
    if (type == TYPE_IPV4) {
        segment->layer4 = segment->layer3 + IPV4_SIZE;
        if (skb_load(skb, segment->layer3, segment->words, IPV4_SIZE + TCP_SIZE) < 0)
            return false;
        return segment_is_v4(segment->words);
    }
    segment->layer4 = segment->layer3 + IPV6_SIZE;
    if (type != TYPE_IPV6 || skb_load(skb, segment->layer3, segment->words, IPV6_SIZE + TCP_SIZE) < 0)
        return false;
    return segment_is_v6(segment->words);
}

static inline const uint32_t *
segment_tcp(const struct segment *segment)
{
    return segment->words + (segment->v6 ? IPV6_SIZE : IPV4_SIZE) / 4;
}

static inline uint32_t
segment_flags(const uint32_t *tcp)
{
    return tcp[3] >> 8 & 0xff;
}

static inline uint32_t
segment_header_size(const uint32_t *tcp)
{
    return (tcp[3] >> 4 & 15) * 4;
}

/* Its ends: client, server. */
static inline void
segment_ports(const struct segment *segment, bool from_client, uint16_t port[2])
{
    uint32_t ports = segment_tcp(segment)[0];
    uint16_t source = (uint16_t)ports, target = (uint16_t)(ports >> 16);

    port[0] = from_client ? source : target;
    port[1] = from_client ? target : source;
}

static inline void
segment_key4(const struct segment *segment, bool from_client, struct offload_key4 *key)
{
    const uint32_t *ip = segment->words;

    key->address[0] = from_client ? ip[3] : ip[4];
    key->address[1] = from_client ? ip[4] : ip[3];
    segment_ports(segment, from_client, key->port);
}

static inline void
segment_key6(const struct segment *segment, bool from_client, struct offload_key6 *key)
{
    const uint32_t *ip = segment->words;

    for (int i = 0; i < 4; i++) {
        key->address[i] = from_client ? ip[2 + i] : ip[6 + i];
        key->address[4 + i] = from_client ? ip[6 + i] : ip[2 + i];
    }
    segment_ports(segment, from_client, key->port);
}

/* Its connection's entry, carried or taken. */
static inline struct offload_entry *
segment_entry(const struct offload_config *config, const struct segment *segment, bool from_client)
{
    if (segment->v6) {
        struct offload_key6 key;

        struct offload_name6 name;

        segment_key6(segment, from_client, &key);
        offload_name(config->key, &key, &name);
        return map_lookup(&carried6, &name);
    }
    struct offload_key4 key;

    segment_key4(segment, from_client, &key);
    return map_lookup(&carried4, &key);
}

/* Which end a packet comes from; false: from neither. */
static inline bool
offload_side(const struct offload_config *config, uint32_t ifindex, bool *from_client)
{
    *from_client = ifindex == config->outside;
    return *from_client || ifindex == config->inside;
}

#endif

/*
 * tc ingress of both interfaces: the packets of a connection that the process has handed over are translated and leave
 * by the other interface; the process never sees them.  The rules are those of csrc/flow/splice.c.
 *
 * Super-segments come as one packet, and a checksum that is left to the device stays so: the difference is put in by
 * the kernel's own helper, which knows.
 *
 * Noted of each packet, as csrc/flow/track.c does it: bytes, the time, and the numbers by which a RST is measured.
 * Those move by packets that fit to both ends, within OFFLOAD_NEAR, so that no blind sender moves them.
 */
#include "offload_rewrite.h"

#define TC_NEXT (-1)
#define OFFLOAD_NEAR 0x400000u
#define USUAL 0x0a080101u /* NOP NOP timestamps, raw */
#define USUAL_SIZE 32

static int64_t (*const skb_pull)(void *skb, uint32_t size) = (void *)
    BPF_FUNC_skb_pull_data;
static int64_t (*const sum_replace)(void *skb, uint32_t offset, uint64_t from,
                                    uint64_t to, uint64_t flags) = (void *)
    BPF_FUNC_l4_csum_replace;
static int64_t (*const redirect)(uint32_t ifindex,
                                 uint64_t flags) = (void *)BPF_FUNC_redirect;

static inline bool
is_near(uint32_t a, uint32_t b)
{
    return a - b + OFFLOAD_NEAR <= 2 * OFFLOAD_NEAR;
}

/* Bytes of data; the frame may be longer than the packet. */
static inline uint32_t
payload_size(const struct __sk_buff *skb, const struct segment *segment,
             uint32_t header_size)
{
    const uint32_t *ip = segment->words;
    uint32_t size =
        segment->v6 ? IPV6_SIZE + swap16(ip[1]) : swap16(ip[0] >> 16);

    /* A packet that is too long for its field (BIG TCP) says 0. */
    if (size == (segment->v6 ? IPV6_SIZE : 0))
        size = skb->len - segment->layer3;
    size -= segment->layer4 - segment->layer3 + header_size;
    return (int32_t)size > 0 ? size : 0;
}

static inline void
follow(struct offload_entry *entry, bool from_client, uint32_t seq,
       uint32_t ack, bool has_ack, uint32_t size)
{
    uint32_t me = from_client ? OFFLOAD_CLIENT : OFFLOAD_SERVER,
             now = offload_now();

    entry->bytes[me] += size;
    if (entry->last != now)
        entry->last = now;
    if (!has_ack || !is_near(seq, entry->nxt[me]) ||
        !is_near(ack, entry->ack[me]))
        return;
    if ((int32_t)(seq + size - entry->nxt[me]) > 0)
        entry->nxt[me] = seq + size;
    if ((int32_t)(ack - entry->ack[me]) > 0)
        entry->ack[me] = ack;
}

static inline void
put_summed(uint32_t *field, uint32_t value, uint64_t *difference)
{
    *difference += (uint64_t)(uint32_t)~*field + value;
    *field = value;
}

/* Rewrites the fixed part, and the usual options; true if there are others. */
static inline bool
rewrite(uint32_t *tcp, const uint32_t *end, const struct rewriting *how,
        uint32_t header_size, uint64_t *difference)
{
    struct offload_entry *entry = how->entry;
    int8_t shift =
        how->to_client ? entry->shift_to_client : entry->shift_to_server;
    bool stamps = entry->flags & SPLICE_TIMESTAMPS;

    if (how->to_client)
        put_summed(tcp + 1, swap32(swap32(tcp[1]) + entry->delta), difference);
    else if (how->ack)
        put_summed(tcp + 2, swap32(swap32(tcp[2]) - entry->delta), difference);
    if (shift != 0) {
        uint32_t window = splice_window((uint16_t)swap16(tcp[3] >> 16), shift);

        put_summed(tcp + 3, (tcp[3] & 0xffff) | swap16(window) << 16,
                   difference);
    }
    if (header_size == TCP_SIZE)
        return false;
    if (header_size != USUAL_SIZE || tcp + USUAL_SIZE / 4 > end ||
        tcp[5] != USUAL)
        return stamps || (!how->to_client &&
                          entry->flags & (SPLICE_SACK | SPLICE_STRIP_SACK));
    if (stamps && how->to_client)
        put_summed(tcp + 6, swap32(swap32(tcp[6]) + entry->ts_delta),
                   difference);
    else if (stamps && how->ack)
        put_summed(tcp + 7,
                   swap32(splice_echo_word(entry->ts_delta, entry->ts_floor,
                                           &entry->flags, swap32(tcp[7]))),
                   difference);
    return false;
}

/* The TCP header where it lies; NULL if it cannot be had in one piece. */
static inline uint32_t *
segment_place(struct __sk_buff *skb, uint32_t layer4, const uint32_t **end)
{
    uint8_t *data = (void *)(uintptr_t)skb->data;

    *end = (void *)(uintptr_t)skb->data_end;
    if (layer4 > LINK_SIZE + TAGS_MAX * TAG_SIZE + IPV6_SIZE)
        return NULL;
    if ((const uint8_t *)(data + layer4 + TCP_SIZE) > (const uint8_t *)*end)
        return NULL;
    return (uint32_t *)(void *)(data + layer4);
}

static inline int
carry(struct __sk_buff *skb, const struct segment *segment,
      struct offload_entry *entry, bool from_client, uint32_t to,
      struct offload_processor *processor)
{
    const uint32_t *seen = segment_tcp(segment), *end;
    uint32_t header_size = segment_header_size(seen), layer4 = segment->layer4;
    bool has_ack = segment_flags(seen) & WIRE_ACK;
    struct rewriting how = {entry, !from_client, has_ack};
    uint64_t difference = 0;

    if (header_size < TCP_SIZE)
        return TC_NEXT;
    uint32_t *tcp = segment_place(skb, layer4, &end);
    if (tcp == NULL || tcp + header_size / 4 > end) {
        if (skb_pull(skb, layer4 + header_size) < 0)
            return TC_NEXT;
        tcp = segment_place(skb, layer4, &end);
        if (tcp == NULL)
            return TC_NEXT;
    }
    follow(entry, from_client, swap32(seen[1]),
           swap32(seen[2]) - (from_client ? entry->delta : 0), has_ack,
           payload_size(skb, segment, header_size));
    if (rewrite(tcp, end, &how, header_size, &difference) &&
        !rewrite_options(skb, &how, layer4, header_size - TCP_SIZE,
                         &difference))
        return TC_NEXT;
    difference = (difference & UINT32_MAX) + (difference >> 32);
    difference = (difference & UINT32_MAX) + (difference >> 32);
    if (difference != 0)
        sum_replace(skb, layer4 + 16, 0, difference, 0);
    processor->carried[from_client ? OFFLOAD_CLIENT : OFFLOAD_SERVER]++;
    return (int)redirect(to, 0);
}

/* What nearly all packets are, read where they lie: IPv4 or IPv6 right behind the Ethernet header. */
static inline bool
segment_here(const struct __sk_buff *skb, struct segment *segment)
{
    const uint8_t *data = (void *)(uintptr_t)skb->data,
                  *end = (void *)(uintptr_t)skb->data_end;
    const uint32_t *ip = (const void *)(data + LINK_SIZE);

    segment->layer3 = LINK_SIZE;
    if (skb->protocol == TYPE_IPV4) {
        segment->v6 = false;
        segment->layer4 = LINK_SIZE + IPV4_SIZE;
        if (data + LINK_SIZE + IPV4_SIZE + TCP_SIZE > end)
            return false;
        for (int i = 0; i < (IPV4_SIZE + TCP_SIZE) / 4; i++)
            segment->words[i] = ip[i];
        return segment_is_v4(segment->words);
    }
    segment->v6 = true;
    segment->layer4 = LINK_SIZE + IPV6_SIZE;
    if (skb->protocol != TYPE_IPV6 ||
        data + LINK_SIZE + IPV6_SIZE + TCP_SIZE > end)
        return false;
    for (int i = 0; i < (IPV6_SIZE + TCP_SIZE) / 4; i++)
        segment->words[i] = ip[i];
    return segment_is_v6(segment->words);
}

static inline int
splice(struct __sk_buff *skb, const struct offload_config *config,
       struct segment *segment, bool from_client, uint32_t to,
       struct offload_processor *processor)
{
    struct offload_entry *entry = segment_entry(config, segment, from_client);

    if (entry == NULL)
        return TC_NEXT;
    /* From here on the verifier goes one way for all places of the headers. */
    KERNEL_OPAQUE(segment->layer3);
    KERNEL_OPAQUE(segment->layer4);
    return carry(skb, segment, entry, from_client, to, processor);
}

SECTION("tc")
int
offload_splice(struct __sk_buff *skb)
{
    struct offload_processor *processor = map_first(&processor_map);
    const struct offload_config *config = map_first(&config_map);
    struct segment segment;
    bool from_client;

    if (processor == NULL || config == NULL)
        return TC_NEXT;
    uint64_t taken = processor->taken;
    processor->taken = 0;
    if (taken || !offload_side(config, skb->ifindex, &from_client) ||
        (!segment_here(skb, &segment) &&
         !segment_read(skb, skb->protocol, &segment)))
        return TC_NEXT;
    if (from_client)
        return splice(skb, config, &segment, true, config->inside, processor);
    return splice(skb, config, &segment, false, config->outside, processor);
}

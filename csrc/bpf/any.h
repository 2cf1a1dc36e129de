/*
 * Answers any SYN: any options, IPv4 and IPv6.  Headers are copied to scratch memory, the answer is built there and
 * stored over the packet, so the same text serves a frame of XDP (shield_any.c) and a packet of tc (shield_skb.c),
 * which define the frame_ names.
 *
 * Passed to the kernel: IPv4 options, IPv6 extension headers, fragments, signed SYNs.
 */
#ifndef SYNCACHE_BPF_ANY_H
#define SYNCACHE_BPF_ANY_H

#include "listener.h"
#include "mint.h"
#include "maps.h"
#include "options.h"
#include "raw.h"
#include "samples.h"
#include "sums.h"

#define CHUNK_SIZE 256u
#define CHUNKS 6 /* 1,536 bytes: an Ethernet frame */

/* Where things are in the frame, and the findings. */
struct packet {
    uint32_t size;      /* of the frame */
    uint32_t layer3;    /* offset */
    uint32_t layer4;    /* offset */
    uint32_t segment;   /* bytes of TCP, options and data */
    uint32_t header;    /* bytes of TCP header and options */
    uint64_t addresses; /* sum of their words */
    struct announced announced; /* of the SYN-ACK */
    struct tuple tuple;
};

static inline bool frame_is_unfinished(frame_context *frame, struct packet *packet);

static inline uint32_t
raw16(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline bool
read_v4(frame_context *frame, struct scratch *scratch, struct packet *packet)
{
    const uint32_t *ip = scratch->ip;
    uint32_t size;

    if (frame_load(frame, packet->layer3, scratch->ip, 20) < 0)
        return false;
    size = swap16(ip[0] >> 16);
    if ((ip[0] & 0xff) != 0x45 || (ip[1] >> 16 & 0xff3f) != 0 ||
        (ip[2] >> 8 & 0xff) != PROTOCOL_TCP || size < 40)
        return false;
    packet->layer4 = packet->layer3 + 20;
    packet->segment = size - 20;
    packet->addresses = (uint64_t)ip[3] + ip[4];
    packet->tuple.address[0] = ip[3] | (uint64_t)ip[4] << 32;
    packet->tuple.v6 = 0;
    return true;
}

static inline bool
read_v6(frame_context *frame, struct scratch *scratch, struct packet *packet)
{
    const uint32_t *ip = scratch->ip;

    if (frame_load(frame, packet->layer3, scratch->ip, 40) < 0)
        return false;
    if ((ip[0] & 0xf0) != 0x60 || (ip[1] >> 16 & 0xff) != PROTOCOL_TCP)
        return false;
    packet->layer4 = packet->layer3 + 40;
    packet->segment = swap16(ip[1] & 0xffff);
    packet->addresses = 0;
    for (int i = 0; i < 4; i++) {
        packet->tuple.address[i] = ip[2 + 2 * i] | (uint64_t)ip[3 + 2 * i]
                                                       << 32;
        packet->addresses += (uint64_t)ip[2 + 2 * i] + ip[3 + 2 * i];
    }
    packet->tuple.v6 = 1;
    return true;
}

/* Reads the TCP header; false if it is no SYN, or not whole. */
static inline bool
read_tcp(frame_context *frame, struct scratch *scratch, struct packet *packet)
{
    uint32_t options;

    if (packet->segment < TCP_SIZE ||
        packet->layer4 + packet->segment > packet->size)
        return false;
    if (frame_load(frame, packet->layer4, scratch->tcp, TCP_SIZE) < 0)
        return false;
    packet->tuple.ports = scratch->tcp[0];
    packet->header = (scratch->tcp[3] >> 4 & 15) * 4;
    if ((scratch->tcp[3] >> 8 & 0x17) != 0x02 || packet->header < TCP_SIZE ||
        packet->header > packet->segment)
        return false;
    for (int i = 5; i < 16; i++)
        scratch->tcp[i] = 0;
    options = packet->header - TCP_SIZE;
    if (options == 0)
        return true;
    if (options > 40)
        return false;
    return frame_load(frame, packet->layer4 + TCP_SIZE, scratch->tcp + 5,
                    options) == 0;
}

/* Adds the data of a SYN, if it has any; UINT64_MAX if it is too much. */
static inline uint64_t
add_data(frame_context *frame, struct scratch *scratch,
         const struct packet *packet, uint64_t sum)
{
    uint32_t place = packet->layer4 + packet->header;
    uint32_t left = packet->segment - packet->header;

#pragma clang loop unroll(disable)
    for (int i = 0; i < CHUNKS && left > 0; i++) {
        uint32_t size = left < CHUNK_SIZE ? left : CHUNK_SIZE;

        /* A part word is padded with zeros. */
        *(uint32_t *)(void *)(scratch->chunk + (size & 252)) = 0;
        KERNEL_OPAQUE(size);
        if (size == 0 || size > CHUNK_SIZE ||
            frame_load(frame, place, scratch->chunk, size) < 0)
            return UINT64_MAX;
        sum +=
            (uint32_t)csum_diff(NULL, 0, scratch->chunk, (size + 3) & 508, 0);
        place += size;
        left -= size;
    }
    return left == 0 ? sum : UINT64_MAX;
}

static inline bool
packet_is_checked(frame_context *frame, struct scratch *scratch,
           const struct packet *packet, struct shield_counters *counters)
{
    const uint32_t *ip = scratch->ip, *tcp = scratch->tcp;
    uint64_t pseudo = packet->addresses + sums_pseudo(packet->segment);
    uint64_t sum = pseudo;

    if (!packet->tuple.v6 &&
        !sums_is_zero((uint64_t)ip[0] + ip[1] + ip[2] + ip[3] + ip[4])) {
        counters->bad_ip_checksum++;
        return false;
    }
    for (int i = 0; i < 15; i++)
        sum += tcp[i];
    sum = add_data(frame, scratch, packet, sum);
    scratch->finished = sums_is_zero(sum);
    if (sum == UINT64_MAX || !sums_right(sum, pseudo, tcp[4] & 0xffff)) {
        counters->bad_checksum++;
        return false;
    }
    return true;
}

static inline struct shield_service *
packet_service(const struct scratch *scratch, const struct packet *packet)
{
    uint16_t port = (uint16_t)(scratch->tcp[0] >> 16);

    return packet->tuple.v6 ? service_of_v6(scratch->ip + 6, port) : service_of_v4(scratch->ip[4], port);
}

/* A group's address, ::/96 and with it nobody's, an IPv4 address in IPv6's clothes, or our own. */
static inline bool
is_odd_v6(const struct scratch *scratch, const struct packet *packet)
{
    const uint64_t *address = packet->tuple.address;

    return (scratch->ip[2] & 0xff) == 0xff ||
           (address[0] == 0 && (scratch->ip[4] == 0 || scratch->ip[4] == 0xffff0000)) ||
           (address[0] == address[2] && address[1] == address[3]);
}

/*
 * Packets that only the kernel can judge: sources of no host, other machines' frames, signatures, a small MSS, and more
 * data than is summed up here.
 */
static inline bool
is_unfit(const struct scratch *scratch, const struct packet *packet,
         const struct shield_config *config)
{
    const struct shield_family *family = mint_family(config, &packet->tuple);
    uint32_t source = scratch->ip[3] & 0xff;
    uint32_t mac0 = raw16(scratch->link) | raw16(scratch->link + 2) << 16;

    if (mac0 != config->mac[0] || raw16(scratch->link + 4) != config->mac[1])
        return true;
    if (packet->segment - packet->header > CHUNKS * CHUNK_SIZE)
        return true;
    if (packet->tuple.v6 ? is_odd_v6(scratch, packet)
                         : source == 0 || source == 127 || source >= 224 ||
                               scratch->ip[3] == scratch->ip[4])
        return true;
    return scratch->strange != 0 ||
           (scratch->mss != 0 && scratch->mss < family->mss_least);
}

/* Writes the SYN-ACK's options; how many words. */
static inline uint32_t
write_options(struct scratch *scratch, uint32_t *options,
              const struct shield_config *config, const struct packet *packet,
              uint32_t tsval)
{
    uint32_t count = 1;

    options[0] = 0x00000402 |
                 swap16(packet->announced.mss) << 16;
    if (scratch->wscale != SYNCACHE_WSCALE_NONE)
        options[count++] = 0x00030301 | config->rcv_wscale << 24;
    if (scratch->timestamps != 0) {
        options[count & 3] = scratch->sack != 0 ? 0x0a080204 : 0x0a080101;
        options[(count + 1) & 3] = swap32(tsval);
        options[(count + 2) & 7] = scratch->tsval;
        return count + 3;
    }
    if (scratch->sack != 0)
        options[count++ & 3] = 0x00000204;
    return count;
}

/* Writes TCP's part of the SYN-ACK; its size. */
static inline uint32_t
write_tcp(struct scratch *scratch, uint32_t *tcp,
          const struct shield_config *config, const struct packet *packet,
          uint32_t iss, uint32_t tsval)
{
    uint32_t words;
    uint64_t sum = packet->addresses;

    for (int i = 5; i < 10; i++)
        tcp[i] = 0;
    words = 5 + write_options(scratch, tcp + 5, config, packet, tsval);
    tcp[0] = packet->tuple.ports << 16 | packet->tuple.ports >> 16;
    tcp[1] = swap32(iss);
    tcp[2] = swap32(swap32(scratch->tcp[1]) + 1);
    tcp[3] = words << 4 | 0x1200 | swap16(packet->announced.window) << 16;
    tcp[4] = 0;
    sum += sums_pseudo(words * 4);
    if (FRAME_FINISHED_LATER && scratch->finished == 0) {
        tcp[4] = sums_fold(sum);
        return words * 4;
    }
    for (int i = 0; i < 10; i++)
        sum += tcp[i];
    tcp[4] = ~sums_fold(sum) & 0xffff;
    return words * 4;
}

static inline uint32_t
hop_limit(uint32_t theirs, const struct shield_family *family)
{
    return theirs == HOP_LIMIT_MAX ? HOP_LIMIT_MAX : family->hop_limit;
}

/* Writes the IP header of a SYN-ACK with so many bytes of TCP. */
static inline void
write_ip(const struct scratch *scratch, uint32_t *ip,
         const struct shield_config *config, const struct packet *packet,
         uint32_t tcp_size, uint32_t iss)
{
    if (packet->tuple.v6) {
        ip[0] = swap32(0x60000000 | packet->announced.tos << 20 | (iss & 0xfffff));
        ip[1] = swap16(tcp_size) | PROTOCOL_TCP << 16 | hop_limit(scratch->ip[1] >> 24, &config->family[1]) << 24;
        for (int i = 0; i < 4; i++) {
            ip[2 + i] = scratch->ip[6 + i];
            ip[6 + i] = scratch->ip[2 + i];
        }
        return;
    }
    ip[0] = 0x45 | packet->announced.tos << 8 | swap16(20 + tcp_size) << 16;
    ip[1] = 0x00400000; /* DF */
    ip[2] = hop_limit(scratch->ip[2] & 0xff, &config->family[0]) | PROTOCOL_TCP << 8;
    ip[3] = scratch->ip[4];
    ip[4] = scratch->ip[3];
    ip[2] |=
        (~sums_fold((uint64_t)ip[0] + ip[1] + ip[2] + ip[3] + ip[4]) & 0xffff)
        << 16;
}

/* Puts the SYN-ACK in the place of the SYN.  Until the frame has its size nothing in it is changed. */
static inline int
send(frame_context *frame, struct scratch *scratch, const struct packet *packet,
     uint32_t reply_size)
{
    uint32_t link_size = packet->layer3;

    for (int i = 0; i < 6; i++) {
        uint8_t to = scratch->link[i];
        scratch->link[i] = scratch->link[6 + i];
        scratch->link[6 + i] = to;
    }
    if (frame_resize(frame, packet->size, link_size + reply_size) < 0)
        return FRAME_NO_ROOM;
    KERNEL_OPAQUE(reply_size);
    if (reply_size < 40 || reply_size > 88 ||
        frame_store(frame, link_size, scratch->reply, reply_size) < 0)
        return FRAME_DROP;
    if (frame_store(frame, 0, scratch->link, 12) < 0)
        return FRAME_DROP;
    return frame_send(frame);
}

/*
 * Is a checksum that equals the sum of its pseudo header left to be finished, or is it that by chance (one in 65,536)?
 * The answer's is left or not as the SYN's is.  False: it is neither, but wrong.
 */
static inline bool
is_clear(frame_context *frame, struct scratch *scratch, struct packet *packet, const struct shield_config *config)
{
    uint64_t pseudo = packet->addresses + sums_pseudo(packet->segment);
    bool right = scratch->finished != 0 || (config->flags & SHIELD_VERIFY) == 0;

    if (!FRAME_FINISHED_LATER || sums_fold(pseudo) != (scratch->tcp[4] & 0xffff))
        return true;
    scratch->finished = !frame_is_unfinished(frame, packet);
    return scratch->finished == 0 || right;
}

static inline int
answer_syn(frame_context *frame, struct scratch *scratch,
           const struct packet *packet, const struct shield_config *config,
           struct shield_state *state, const struct shield_processor *processor,
           uint64_t epoch, const struct shield_key *key)
{
    const struct shield_family *family = mint_family(config, &packet->tuple);
    uint32_t byte = mint_byte(family, scratch->mss, scratch->wscale,
                                scratch->sack != 0, epoch);
    uint32_t mac =
        mint_mac(key, family, &packet->tuple, swap32(scratch->tcp[1]), byte);
    uint32_t iss = syncookie_pack(mac, byte);
    uint32_t tsval = scratch->timestamps != 0
                         ? mint_timestamp(config, &packet->tuple, processor->tick_ms)
                         : 0;
    uint32_t tcp_size;
    uint32_t ip_size = packet->tuple.v6 ? 40 : 20;

    if (packet->tuple.v6)
        tcp_size =
            write_tcp(scratch, scratch->reply + 10, config, packet, iss, tsval);
    else
        tcp_size =
            write_tcp(scratch, scratch->reply + 5, config, packet, iss, tsval);
    write_ip(scratch, scratch->reply, config, packet, tcp_size, iss);
    if (packet->tuple.v6)
        samples_add(mac, scratch->ip + 2, scratch->ip + 6, 16, scratch->tcp[0]);
    else
        samples_add(mac, scratch->ip + 3, scratch->ip + 4, 4, scratch->tcp[0]);
    listener_minted(state, processor->tick_ns);
    return send(frame, scratch, packet, ip_size + tcp_size);
}

/* Looks for the socket, and decides. */
static inline enum listener_choice
decide(frame_context *frame, const struct scratch *scratch,
       struct packet *packet, const struct shield_config *config,
       struct shield_service *service, struct shield_counters *counters,
       uint64_t now_ns)
{
    uint32_t tuple[9];

    if (packet->tuple.v6) {
        for (int i = 0; i < 8; i++)
            tuple[i] = scratch->ip[2 + i];
        tuple[8] = packet->tuple.ports;
        return listener_decide(frame, config, service, counters, tuple, 36, now_ns, &packet->announced);
    }
    tuple[0] = scratch->ip[3];
    tuple[1] = scratch->ip[4];
    tuple[2] = packet->tuple.ports;
    return listener_decide(frame, config, service, counters, tuple, 12, now_ns, &packet->announced);
}

/* The verdict on a frame. */
static inline int
answer_any(frame_context *frame)
{
    struct packet packet = {.size = (uint32_t)frame_length(frame)};
    const struct shield_config *config = map_first(&config_map);
    struct shield_processor *processor = map_first(&counters_map);
    struct shield_state *state = map_first(&state_map);
    struct scratch *scratch = map_first(&scratches);
    uint64_t epoch;

    if (config == NULL || processor == NULL || state == NULL || scratch == NULL)
        return FRAME_PASS;
    struct shield_counters *counters = &processor->counters;
    uint64_t now_ns = tick_ns(processor);
    uint32_t type = frame_link(frame, scratch, &packet.layer3);
    if (type == 0x0008 ? !read_v4(frame, scratch, &packet)
                       : type != 0xdd86 || !read_v6(frame, scratch, &packet))
        return FRAME_PASS;
    if (!read_tcp(frame, scratch, &packet))
        return FRAME_PASS;
    struct shield_service *service = packet_service(scratch, &packet);
    if (service == NULL)
        return FRAME_PASS;
    counters->syn++;
    counters->generic++;
    options_read(scratch, packet.header);
    const struct shield_key *key = mint_key(config, now_ns, &epoch);
    if (is_unfit(scratch, &packet, config)) {
        counters->unfit++;
        return FRAME_PASS;
    }
    if (key == NULL) {
        counters->no_key++;
        return FRAME_PASS;
    }
    if (packet.tuple.v6 ? samples_blocked(config, scratch->ip + 2, 16)
                        : samples_blocked(config, scratch->ip + 3, 4)) {
        counters->blocked++;
        return FRAME_DROP;
    }
    scratch->finished =
        sums_fold(packet.addresses + sums_pseudo(packet.segment)) != (scratch->tcp[4] & 0xffff);
    if ((config->flags & SHIELD_VERIFY) &&
        !packet_is_checked(frame, scratch, &packet, counters))
        return FRAME_DROP;
    packet.announced.mss = mint_family(config, &packet.tuple)->mss_ours;
    packet.announced.window = config->window;
    enum listener_choice decided =
        decide(frame, scratch, &packet, config, service, counters, now_ns);
    if (decided != LISTENER_COOKIE)
        return decided == LISTENER_DROP ? FRAME_DROP : FRAME_PASS;
    if (!is_clear(frame, scratch, &packet, config)) {
        counters->bad_checksum++;
        return FRAME_DROP;
    }
    int action =
        answer_syn(frame, scratch, &packet, config, state, processor, epoch, key);
    counters->synack += action == FRAME_SENT;
    counters->unfit += action == FRAME_PASS;
    return action;
}

#endif

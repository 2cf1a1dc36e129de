/*
 * XDP: answers a SYN by a SYN-ACK whose ISS is a cookie, in the frame that the SYN came in.
 *
 * Here: untagged IPv4 with the options of Linux (MSS, SACK-permitted, timestamps, NOP, window scale), which is nearly
 * everything.  All else that may be a SYN goes on to shield_any.c by a tail call, because the two together would need
 * more stack than there is.  What is no SYN, or none of a protected service, passes.
 */
#include "listener.h"
#include "maps.h"
#include "mint.h"
#include "raw.h"
#include "samples.h"
#include "sums.h"

#define TYPE_AT 12
#define FLAGS_AT 47    /* Ethernet 14, IPv4 20 */
#define V6_SIZE_MIN 74 /* Ethernet 14, IPv6 40, TCP 20 */
#define V6_NEXT_AT 20
#define V6_FLAGS_AT 67
#define FRAGMENT_BITS 0xff3f /* raw: offset, more fragments */
#define FRAME_SIZE 74
#define SEGMENT_SIZE 40

/* IPv4 and TCP with their options, in words. */
struct syn {
    uint32_t ip[5];
    uint32_t tcp[10];
};

static inline bool
is_template(const struct syn *syn)
{
    return (syn->ip[0] & 0xffff00ff) == 0x3c000045 && /* no options, 60 bytes */
           (syn->tcp[3] & 0x0000ffff) == 0x000002a0 && /* 10 words, SYN */
           (syn->tcp[5] & 0x0000ffff) == 0x00000402 && /* MSS */
           syn->tcp[6] == 0x0a080204 && /* SACK-permitted, timestamps */
           (syn->tcp[9] & 0x00ffffff) == 0x00030301; /* NOP, window scale */
}

static inline bool
syn_is_checked(const struct syn *syn, struct shield_counters *counters)
{
    const uint32_t *ip = syn->ip, *tcp = syn->tcp;
    uint64_t pseudo = (uint64_t)ip[3] + ip[4] + sums_pseudo(SEGMENT_SIZE);
    uint64_t sum = pseudo;

    for (int i = 0; i < 10; i++)
        sum += tcp[i];
    if (!sums_is_zero((uint64_t)ip[0] + ip[1] + ip[2] + ip[3] + ip[4])) {
        counters->bad_ip_checksum++;
        return false;
    }
    if (!sums_right(sum, pseudo, tcp[4] & 0xffff)) {
        counters->bad_checksum++;
        return false;
    }
    return true;
}

/* Nobody's address, the other end's own, or a group's. */
static inline bool
is_odd(uint32_t address)
{
    uint32_t first = address & 0xff;

    return first == 0 || first == 127 || first >= 224;
}

static inline void
turn_link(uint32_t *link)
{
    /* 12 bytes: two addresses of 6. */
    uint32_t a = link[0], b = link[1], c = link[2];

    link[0] = b >> 16 | c << 16;
    link[1] = c >> 16 | a << 16;
    link[2] = a >> 16 | b << 16;
}

/* Turns the SYN into its SYN-ACK, whose options are as many bytes. */
static inline void
write_reply(struct syn *syn, const struct shield_config *config,
            const struct tuple *tuple, uint32_t iss, uint32_t tsval,
            const struct announced *announced)
{
    uint32_t *ip = syn->ip, *tcp = syn->tcp;
    uint64_t addresses;
    uint64_t sum;

    ip[0] = 0x3c000045 | announced->tos << 8;
    ip[1] = 0x00400000; /* DF */
    ip[2] = (ip[2] & 0xff) == HOP_LIMIT_MAX ? HOP_LIMIT_MAX
                                            : config->family[0].hop_limit;
    ip[2] |= PROTOCOL_TCP << 8;
    ip[3] = (uint32_t)(tuple->address[0] >> 32);
    ip[4] = (uint32_t)tuple->address[0];
    addresses = (uint64_t)ip[3] + ip[4];
    ip[2] |= (~sums_fold(addresses + ip[0] + ip[1] + ip[2]) & 0xffff) << 16;
    tcp[0] = tuple->ports << 16 | tuple->ports >> 16;
    tcp[2] = swap32(swap32(tcp[1]) + 1);
    tcp[1] = swap32(iss);
    tcp[3] = 0x000012a0 | swap16(announced->window) << 16;
    tcp[4] = 0;
    tcp[5] = 0x00000402 | swap16(announced->mss) << 16;
    tcp[9] = tcp[7]; /* TSval becomes TSecr */
    tcp[6] = 0x00030301 | config->rcv_wscale << 24;
    tcp[7] = 0x0a080204;
    tcp[8] = swap32(tsval);
    sum = addresses + sums_pseudo(SEGMENT_SIZE);
    for (int i = 0; i < 10; i++)
        sum += tcp[i];
    tcp[4] = ~sums_fold(sum) & 0xffff;
}

/* A SYN of the template, to a protected service. */
static inline int
answer_template(struct xdp_md *frame, uint32_t *link, struct syn *syn,
                const struct shield_config *config,
                struct shield_service *service,
                struct shield_processor *processor)
{
    struct tuple tuple = {
        {syn->ip[3] | (uint64_t)syn->ip[4] << 32}, syn->tcp[0], 0};
    uint32_t sockets[3] = {syn->ip[3], syn->ip[4], syn->tcp[0]};
    uint32_t mss = swap32(syn->tcp[5]) & 0xffff;
    uint32_t wscale = syn->tcp[9] >> 24;
    struct shield_state *state = map_first(&state_map);
    struct shield_counters *counters = &processor->counters;
    uint64_t now_ns = tick_ns(processor);
    uint64_t epoch;
    const struct shield_key *key = mint_key(config, now_ns, &epoch);

    if (state == NULL)
        return XDP_PASS;
    counters->syn++;
    if (mss - 1 < config->family[0].mss_least - 1u || is_odd(syn->ip[3]) ||
        syn->ip[3] == syn->ip[4] || link[0] != config->mac[0] ||
        (link[1] & 0xffff) != config->mac[1]) {
        counters->unfit++;
        return XDP_PASS;
    }
    if (key == NULL) {
        counters->no_key++;
        return XDP_PASS;
    }
    if (samples_blocked(config, &syn->ip[3], 4)) {
        counters->blocked++;
        return XDP_DROP;
    }
    if ((config->flags & SHIELD_VERIFY) && !syn_is_checked(syn, counters))
        return XDP_DROP;
    struct announced announced = {config->family[0].mss_ours, config->window,
                                  0};
    enum listener_choice decided =
        listener_decide(frame, config, service, counters, sockets,
                        sizeof sockets, now_ns, &announced);
    if (decided != LISTENER_COOKIE)
        return decided == LISTENER_DROP ? XDP_DROP : XDP_PASS;
    if (wscale > SYNCACHE_WSCALE_MAX)
        wscale = SYNCACHE_WSCALE_MAX;
    uint32_t byte = mint_byte(&config->family[0], mss, wscale, true, epoch);
    uint32_t mac =
        mint_mac(key, &config->family[0], &tuple, swap32(syn->tcp[1]), byte);
    uint32_t tsval = mint_timestamp(config, &tuple, processor->tick_ms);
    samples_add(mac, &syn->ip[3], &syn->ip[4], 4, syn->tcp[0]);
    turn_link(link);
    write_reply(syn, config, &tuple, syncookie_pack(mac, byte), tsval,
                &announced);
    listener_minted(state, now_ns);
    counters->synack++;
    return XDP_TX;
}

/* Without extension headers, which are the kernel's. */
static inline bool
may_be_syn_v6(const uint8_t *data, const uint8_t *end)
{
    return data + V6_SIZE_MIN <= end && data[V6_NEXT_AT] == PROTOCOL_TCP &&
           (data[V6_FLAGS_AT] & FLAGS_OF_A_SYN) == FLAGS_SYN;
}

SECTION("xdp")
int
shield_syn(struct xdp_md *frame)
{
    uint8_t *data = (void *)(uintptr_t)frame->data,
            *end = (void *)(uintptr_t)frame->data_end;
    struct syn *syn = (void *)(data + 14);

    if (data + 54 > end)
        return XDP_PASS;
    uint32_t type = *(uint16_t *)(data + TYPE_AT);
    if (type != TYPE_IPV4) {
        if (type == TYPE_IPV6 ? may_be_syn_v6(data, end)
                              : type == TYPE_VLAN || type == TYPE_QINQ ||
                                    type == TYPE_QINQ_OLD)
            tail_call(frame, &pieces, 0);
        return XDP_PASS;
    }
    if (data[23] != PROTOCOL_TCP || (syn->ip[1] >> 16 & FRAGMENT_BITS) != 0)
        return XDP_PASS;
    if (data[14] != 0x45 || (data[FLAGS_AT] & FLAGS_OF_A_SYN) != FLAGS_SYN) {
        return XDP_PASS;
    }
    struct shield_service *service =
        service_of_v4(syn->ip[4], (uint16_t)(syn->tcp[0] >> 16));
    if (service == NULL)
        return XDP_PASS;
    if (data + FRAME_SIZE > end || !is_template(syn)) {
        tail_call(frame, &pieces, 0);
        return XDP_PASS;
    }
    const struct shield_config *config = map_first(&config_map);
    struct shield_processor *processor = map_first(&counters_map);
    if (config == NULL || processor == NULL)
        return XDP_PASS;
    return answer_template(frame, (uint32_t *)(void *)data, syn, config,
                           service, processor);
}

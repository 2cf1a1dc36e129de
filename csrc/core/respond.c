/*
 * The packets that the events send: SYN-ACK, challenge ACK, RST; and
 * the RFC 2385 key that signs them and checks what they answer.
 *
 * Not here: whether to send.  See RFC 9293 3.10.7, RFC 3168 6.1.1, RFC
 * 9768 3.1.
 */
#include <assert.h>
#include <string.h>

#include "event.h"

/* Without an endpoint there is nobody to say otherwise. */
#define RESPOND_HOP_LIMIT 64

#define RESPOND_FLOW_LABEL_MASK 0xfffffu
#define RESPOND_ECN_BITS 3u /* of the TOS field: what we send is never ECT */

static void
respond_begin(const struct syncache *cache, const struct endpoint *endpoint,
              const struct syncache_tuple *tuple, struct wire_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    reply->tuple = *tuple;
    reply->hop_limit = RESPOND_HOP_LIMIT;
    reply->dont_fragment = cache->tunables.path_mtu_discovery != 0;
    if (endpoint != NULL) {
        reply->hop_limit = endpoint->config.hop_limit;
        reply->tos = endpoint->config.tos & (uint8_t)~RESPOND_ECN_BITS;
    }
}

static void
respond_sign(const struct syncache *cache, uint32_t endpoint,
             struct wire_reply *reply)
{
    const struct endpoint_md5_key *key =
        endpoints_md5_find(&cache->endpoints, endpoint, &reply->tuple);

    if (key == NULL)
        return;
    reply->has |= WIRE_HAS_MD5;
    reply->md5_key = key->key;
    reply->md5_key_size = key->key_size;
}

static void
respond_timestamps(const struct syncache *cache,
                   const struct table_entry *entry, struct wire_reply *reply)
{
    if (!(entry->flags & ENTRY_TIMESTAMP))
        return;
    reply->has |= WIRE_HAS_TIMESTAMPS;
    reply->tsval =
        engine_ts_clock(cache) + engine_ts_offset(cache, &reply->tuple);
    reply->tsecr = entry->tsreflect;
}

/* The ECN bits of a SYN-ACK. */
static uint16_t
respond_ecn(const struct table_entry *entry)
{
    /* RFC 9768 3.1.1, by the IP-ECN field of the SYN: Not-ECT, ECT(1), ECT(0),
     * CE. */
    static const uint16_t accurate[4] = {WIRE_CWR, WIRE_CWR | WIRE_ECE, WIRE_AE,
                                         WIRE_AE | WIRE_CWR};
    uint32_t ecn = (entry->flags & ENTRY_ECN_MASK) >> ENTRY_ECN_SHIFT;

    if (ecn == 0)
        return 0;
    return ecn == 1 ? WIRE_ECE : accurate[(ecn - 2) & 3];
}

static void
respond_options(const struct syncache *cache, const struct table_entry *entry,
                const struct fastopen *fastopen, struct wire_reply *reply)
{
    reply->has |= WIRE_HAS_MSS;
    reply->mss =
        engine_mss_announced(cache, entry->endpoint, reply->tuple.family);
    if (entry->flags & ENTRY_WINSCALE) {
        reply->has |= WIRE_HAS_WSCALE;
        reply->wscale = entry->scales & 15;
    }
    if (entry->flags & ENTRY_SACK)
        reply->has |= WIRE_HAS_SACK_PERMITTED;
    respond_timestamps(cache, entry, reply);
    if (fastopen != NULL && fastopen->hand_out) {
        reply->has |= WIRE_HAS_FASTOPEN;
        reply->fastopen = fastopen->cookie;
        reply->fastopen_size = EVENT_FASTOPEN_COOKIE_BYTES;
    }
}

static void
respond_fill(const struct syncache *cache, const struct table_entry *entry,
             const struct fastopen *fastopen, struct wire_reply *reply)
{
    const struct endpoint *endpoint = &cache->endpoints.slots[entry->endpoint];
    struct syncache_tuple tuple;

    engine_entry_tuple(entry, &tuple);
    respond_begin(cache, endpoint, &tuple, reply);
    reply->seq = entry->iss;
    reply->ack = entry->irs + 1;
    if (fastopen != NULL)
        reply->ack += fastopen->acked;
    reply->flags = WIRE_SYN | WIRE_ACK | respond_ecn(entry);
    reply->window = (uint16_t)engine_rcv_wnd(cache, entry->endpoint);
    reply->flow_label = entry->iss & RESPOND_FLOW_LABEL_MASK;
    if (entry->flags & ENTRY_UNREACH)
        reply->dont_fragment = 0;
    if (endpoint->config.options)
        respond_options(cache, entry, fastopen, reply);
    if (entry->flags & ENTRY_SIGNATURE)
        respond_sign(cache, entry->endpoint, reply);
}

uint32_t
respond_template(const struct syncache *cache, const struct table_entry *entry,
                 uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    struct wire_reply reply;

    respond_fill(cache, entry, NULL, &reply);
    return (uint32_t)wire_build_reply(&reply, packet);
}

uint32_t
respond_syn_ack(struct syncache *cache, const struct table_entry *entry,
                const struct fastopen *fastopen,
                uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    struct wire_reply reply;

    respond_fill(cache, entry, fastopen, &reply);
    cache->stats.sndacks++;
    cache->stats.sndtotal++;
    if ((entry->flags & ENTRY_ECN_MASK) != 0)
        cache->stats.ecn_shs++;
    return (uint32_t)wire_build_reply(&reply, packet);
}

uint32_t
respond_challenge_ack(struct syncache *cache, const struct table_entry *entry,
                      uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    struct syncache_tuple tuple;
    struct wire_reply reply;

    engine_entry_tuple(entry, &tuple);
    respond_begin(cache, &cache->endpoints.slots[entry->endpoint], &tuple,
                  &reply);
    reply.seq = entry->iss + 1;
    reply.ack = entry->irs + 1;
    reply.flags = WIRE_ACK;
    reply.window = (uint16_t)engine_rcv_wnd(cache, entry->endpoint);
    reply.flow_label = entry->iss & RESPOND_FLOW_LABEL_MASK;
    if (entry->flags & ENTRY_UNREACH)
        reply.dont_fragment = 0;
    respond_timestamps(cache, entry, &reply);
    if (entry->flags & ENTRY_SIGNATURE)
        respond_sign(cache, entry->endpoint, &reply);
    cache->stats.sndacks++;
    cache->stats.sndtotal++;
    cache->stats.challenge_acks++;
    return (uint32_t)wire_build_reply(&reply, packet);
}

uint32_t
respond_rst(struct syncache *cache, const struct endpoint *endpoint,
            const struct wire_segment *segment,
            uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    struct wire_reply reply;

    assert(!(segment->flags & WIRE_RST));
    respond_begin(cache, endpoint, &segment->tuple, &reply);
    if (segment->flags & WIRE_ACK) {
        /* RFC 9293 3.10.7.1: <SEQ=SEG.ACK><CTL=RST> */
        reply.seq = segment->seg_ack;
        reply.flags = WIRE_RST;
    } else {
        /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; SYN and FIN count. */
        reply.ack = segment->seg_seq + segment->payload_size;
        reply.ack += (segment->flags & WIRE_SYN) != 0;
        reply.ack += (segment->flags & WIRE_FIN) != 0;
        reply.flags = WIRE_RST | WIRE_ACK;
    }
    if (endpoint != NULL)
        respond_sign(cache, endpoints_slot(&cache->endpoints, endpoint),
                     &reply);
    cache->stats.sndtotal++;
    cache->stats.rst_sent++;
    return (uint32_t)wire_build_reply(&reply, packet);
}

uint32_t
respond_rst_owed(struct syncache *cache, const struct syncache_tuple *tuple,
                 uint32_t seq, uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    const struct endpoint *endpoint = endpoints_find(&cache->endpoints, tuple);
    struct wire_reply reply;

    respond_begin(cache, endpoint, tuple, &reply);
    reply.seq = seq;
    reply.flags = WIRE_RST;
    if (endpoint != NULL)
        respond_sign(cache, endpoints_slot(&cache->endpoints, endpoint),
                     &reply);
    cache->stats.sndtotal++;
    cache->stats.rst_sent++;
    return (uint32_t)wire_build_reply(&reply, packet);
}

bool
respond_signature_good(const struct syncache *cache, const struct event *event)
{
    const struct endpoint_md5_key *key = endpoints_md5_find(
        &cache->endpoints, endpoints_slot(&cache->endpoints, event->endpoint),
        &event->segment->tuple);

    return key != NULL &&
           wire_md5_verify(event->segment, key->key, key->key_size);
}

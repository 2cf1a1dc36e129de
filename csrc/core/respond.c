/*
 * The packets that the events send: SYN-ACK, challenge ACK, RST; and
 * the RFC 2385 key that signs them and checks what they answer.
 *
 * Not here: whether to send.  See RFC 9293 3.10.7, RFC 3168 6.1.1, RFC
 * 9768 3.1.
 */
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "event.h"
#include "siphash.h"

#define RESPOND_JITTER_SHIFT 28 /* of 32 bits: up to 15 RSTs a second more */
#define RESPOND_PREFIX 6 /* bytes: a /48; of IPv4 those of a /24, then 0 */

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

/* What every segment that stands for an entry has. */
static void
respond_stand(const struct syncache *cache, const struct table_entry *entry,
              struct wire_reply *reply)
{
    struct syncache_tuple tuple;

    engine_entry_tuple(entry, &tuple);
    respond_begin(cache, &cache->endpoints.slots[entry->endpoint], &tuple,
                  reply);
    reply->seq = entry->iss;
    reply->ack = entry->irs + 1;
    reply->window = (uint16_t)engine_rcv_wnd(cache, entry->endpoint);
    reply->flow_label = entry->iss & RESPOND_FLOW_LABEL_MASK;
    if (entry->flags & ENTRY_UNREACH)
        reply->dont_fragment = 0;
    if (entry->flags & ENTRY_SIGNATURE)
        respond_sign(cache, entry->endpoint, reply);
}

static void
respond_fill(const struct syncache *cache, const struct table_entry *entry,
             const struct fastopen *fastopen, struct wire_reply *reply)
{
    respond_stand(cache, entry, reply);
    if (fastopen != NULL)
        reply->ack += fastopen->acked;
    reply->flags = WIRE_SYN | WIRE_ACK | respond_ecn(entry);
    if (cache->endpoints.slots[entry->endpoint].config.options)
        respond_options(cache, entry, fastopen, reply);
}

static uint32_t
respond_send(struct syncache *cache, const struct wire_reply *reply,
             uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    cache->stats.sndtotal++;
    return (uint32_t)wire_build_reply(reply, packet);
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
    if ((entry->flags & ENTRY_ECN_MASK) != 0)
        cache->stats.ecn_shs++;
    return respond_send(cache, &reply, packet);
}

uint32_t
respond_challenge_ack(struct syncache *cache, const struct table_entry *entry,
                      uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    struct wire_reply reply;

    respond_stand(cache, entry, &reply);
    reply.seq++;
    reply.flags = WIRE_ACK;
    respond_timestamps(cache, entry, &reply);
    cache->stats.sndacks++;
    cache->stats.challenge_acks++;
    return respond_send(cache, &reply, packet);
}

/* Apart, for the sake of small hosts. */
static __attribute__((noinline)) uint32_t
respond_reset(struct syncache *cache, const struct endpoint *endpoint,
              struct wire_reply *reply,
              uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    reply->flags |= WIRE_RST;
    if (endpoint != NULL)
        respond_sign(cache, endpoints_slot(&cache->endpoints, endpoint), reply);
    cache->stats.rst_sent++;
    return respond_send(cache, reply, packet);
}

static uint32_t
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
    } else {
        /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; SYN and FIN count. */
        reply.ack = segment->seg_seq + segment->payload_size;
        reply.ack += (segment->flags & WIRE_SYN) != 0;
        reply.ack += (segment->flags & WIRE_FIN) != 0;
        reply.flags = WIRE_ACK;
    }
    return respond_reset(cache, endpoint, &reply, packet);
}

/*
 * A source prefix's place in this second, and how many RSTs it may have, are
 * drawn anew each second: who counts those that are left, to learn whether
 * segments in another's name drew some, has to share the prefix or to be lucky,
 * and then counts chance (CVE-2016-5696's kind).
 */
enum syncache_verdict
respond_refuse(struct syncache *cache, struct event *event, uint32_t blackhole)
{
    const struct wire_segment *segment = event->segment;
    struct refusals *refusals = &cache->refusals;
    uint32_t second = (uint32_t)(cache->now_ms >> 10);
    uint32_t limit = cache->tunables.rst_limit;
    uint8_t bytes[RESPOND_PREFIX + 2];
    uint16_t *count;
    uint32_t hash;

    if (cache->tunables.blackhole >= blackhole)
        return SYNCACHE_DROP_BLACKHOLE;
    if (refusals->second != second) {
        memset(refusals, 0, sizeof *refusals);
        refusals->second = second;
    }
    memcpy(bytes, segment->tuple.faddr, RESPOND_PREFIX);
    if (segment->tuple.family == 4)
        bytes[3] = 0;
    bytes[6] = (uint8_t)second;
    bytes[7] = (uint8_t)(second >> 8);
    hash = siphash24_fold(cache->replay_key, bytes, sizeof bytes);
    count = &refusals->count[hash % REFUSALS_PLACES];
    if (limit != 0 && *count >= limit + (hash >> RESPOND_JITTER_SHIFT))
        return SYNCACHE_DROP_RST_LIMIT;
    ++*count;
    event->reply_size =
        respond_rst(cache, event->endpoint, segment, event->reply);
    return SYNCACHE_REPLY_RST;
}

uint32_t
respond_rst_owed(struct syncache *cache, const struct syncache_tuple *tuple,
                 uint32_t seq, uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    const struct endpoint *endpoint = endpoints_find(&cache->endpoints, tuple);
    struct wire_reply reply;

    respond_begin(cache, endpoint, tuple, &reply);
    reply.seq = seq;
    return respond_reset(cache, endpoint, &reply, packet);
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

/* What is answered (RFC 9293 3.10.7.1). */
#include "twin.h"

#include <string.h>

uint32_t
twin_ts_offset(const struct twin *twin, const struct syncache_tuple *tuple)
{
    uint8_t data[36];
    size_t size = twin_pack(tuple, data);
    if (!twin->config.ts_per_tuple)
        return 0;
    if (!twin->tune.ts_offset_per_conn)
        size -= 4; /* the ports */
    return twin_fold(twin_siphash(twin->ts_key, data, size));
}

uint32_t
twin_ts_clock(const struct twin *twin)
{
    uint64_t second = twin->now / 1000 * twin->config.ts_hz;
    uint64_t part = twin->now % 1000 * twin->config.ts_hz / 1000;
    return twin->config.ts_base + (uint32_t)(second + part);
}

/* MSS for the path, 0 if unknown. */
static uint32_t
path_mss(const struct twin_endpoint *endpoint, uint8_t family)
{
    uint32_t headers = family == 4 ? 40 : 60;
    uint32_t mtu = endpoint->config.mtu;
    return mtu == 0 ? 0 : mtu <= headers ? 1 : mtu - headers;
}

static uint32_t
bounded_mss(const struct twin_endpoint *endpoint, uint32_t mss)
{
    uint32_t most = endpoint->config.mss_max;
    return most != 0 && mss > most ? most : mss;
}

static uint32_t
default_mss(const struct twin *twin, uint8_t family)
{
    return family == 4 ? twin->tune.mssdflt : twin->tune.v6mssdflt;
}

static uint16_t
announced_mss(const struct twin *twin, uint32_t number, uint8_t family)
{
    const struct twin_endpoint *endpoint = &twin->endpoints[number];
    uint32_t mss = path_mss(endpoint, family);
    if (mss == 0)
        mss = default_mss(twin, family);
    return (uint16_t)bounded_mss(endpoint, mss);
}

uint16_t
twin_usable_mss(const struct twin *twin, uint32_t number, uint8_t family,
                uint16_t offered)
{
    const struct twin_endpoint *endpoint = &twin->endpoints[number];
    uint32_t path = path_mss(endpoint, family);
    uint32_t mss = offered == 0 ? default_mss(twin, family) : offered;
    if (mss < twin->tune.minmss)
        mss = twin->tune.minmss;
    if (path != 0 && path < mss)
        mss = path;
    return (uint16_t)bounded_mss(endpoint, mss);
}

static struct twin_segment
begin(const struct twin *twin, const struct twin_endpoint *endpoint,
      const struct syncache_tuple *tuple)
{
    struct twin_segment reply = {.tuple = *tuple, .ttl = 64};
    reply.df = twin->tune.path_mtu_discovery != 0;
    if (endpoint != NULL) {
        reply.ttl = endpoint->config.hop_limit;
        reply.tos = endpoint->config.tos & 0xfc;
    }
    return reply;
}

static void
sign(const struct twin *twin, uint32_t endpoint, struct twin_segment *reply)
{
    const struct twin_md5_key *key = twin_key_of(twin, endpoint, &reply->tuple);
    if (key == NULL)
        return;
    reply->options.md5 = true;
    reply->options.key = key->key;
    reply->options.key_size = key->key_size;
}

/* What SYN-ACKs and challenge ACKs of an entry have in common. */
static struct twin_segment
from_entry(const struct twin *twin, const struct twin_entry *entry)
{
    struct twin_segment reply =
        begin(twin, &twin->endpoints[entry->endpoint], &entry->tuple);
    reply.ack = entry->irs + 1;
    reply.window = (uint16_t)twin_window(twin, entry->endpoint);
    reply.flow_label = entry->iss & 0xfffff;
    if (entry->unreach)
        reply.df = false;
    if (entry->ts) {
        reply.options.ts = true;
        reply.options.tsval =
            twin_ts_clock(twin) + twin_ts_offset(twin, &entry->tuple);
        reply.options.tsecr = entry->tsreflect;
    }
    if (entry->md5)
        sign(twin, entry->endpoint, &reply);
    return reply;
}

/* RFC 3168 6.1.1, RFC 9768 3.1.1: the SYN's IP-ECN field comes back. */
static uint16_t
ecn_flags(uint8_t ecn)
{
    switch (ecn) {
    case 0:
        return 0;
    case 1:
        return TWIN_ECE;
    case 2:
        return TWIN_CWR;
    case 3:
        return TWIN_CWR | TWIN_ECE;
    case 4:
        return TWIN_AE;
    default:
        return TWIN_AE | TWIN_CWR;
    }
}

uint32_t
twin_syn_ack(struct twin *twin, const struct twin_entry *entry,
             const uint8_t *tfo_cookie, uint32_t acked, uint8_t *out)
{
    struct twin_segment reply = from_entry(twin, entry);
    reply.seq = entry->iss;
    reply.ack += acked;
    reply.flags = TWIN_SYN | TWIN_ACK | ecn_flags(entry->ecn);
    if (twin->endpoints[entry->endpoint].config.options) {
        reply.options.mss = true;
        reply.options.mss_value =
            announced_mss(twin, entry->endpoint, entry->tuple.family);
        reply.options.ws = entry->ws != SYNCACHE_WSCALE_NONE;
        reply.options.ws_value = entry->rcv_ws;
        reply.options.sack = entry->sack;
        reply.options.tfo = tfo_cookie != NULL;
        reply.options.cookie = tfo_cookie;
        reply.options.cookie_size = 8;
    } else {
        reply.options.ts = false;
    }
    twin->stats.sndacks++;
    twin->stats.sndtotal++;
    twin->stats.ecn_shs += entry->ecn != 0;
    return twin_build(&reply, out);
}

enum syncache_verdict
twin_challenge(struct twin *twin, struct twin_event *event)
{
    struct twin_entry *entry = event->entry;
    uint64_t limit = twin->tune.ack_war_cnt;
    uint64_t window = twin->tune.ack_war_timewindow_ms;
    struct twin_segment reply;
    if (limit != 0 && window != 0) {
        if (entry->challenges == 0 ||
            twin->now - entry->challenge_start >= window) {
            entry->challenges = 0;
            entry->challenge_start = twin->now;
        }
        if (entry->challenges >= limit)
            return SYNCACHE_DROP_CHALLENGE_LIMIT;
        if (entry->challenges < TWIN_COUNTED)
            entry->challenges++;
    }
    reply = from_entry(twin, entry);
    reply.seq = entry->iss + 1;
    reply.flags = TWIN_ACK;
    twin->stats.sndacks++;
    twin->stats.sndtotal++;
    twin->stats.challenge_acks++;
    event->result->reply_size = twin_build(&reply, event->result->reply);
    return SYNCACHE_REPLY_CHALLENGE_ACK;
}

/* May the prefix of a peer have another RST in this second? */
static bool
reset_allowed(struct twin *twin, const struct syncache_tuple *tuple)
{
    uint8_t bytes[8] = {0};
    uint64_t second = twin->now / 1024, limit = twin->tune.rst_limit;
    if (twin->reset_second != (uint32_t)second)
        memset(twin->resets, 0, sizeof twin->resets);
    twin->reset_second = (uint32_t)second;
    for (int i = 0; i < (tuple->family == 4 ? 3 : 6); i++)
        bytes[i] = tuple->faddr[i];
    bytes[6] = (uint8_t)second;
    bytes[7] = (uint8_t)(second >> 8);
    uint64_t whole = twin_siphash(twin->seen_key, bytes, sizeof bytes);
    uint32_t hash = (uint32_t)(whole ^ whole >> 32);
    if (limit != 0 && twin->resets[hash % 1024] >= limit + hash / 0x10000000)
        return false;
    twin->resets[hash % 1024]++;
    return true;
}

enum syncache_verdict
twin_reset(struct twin *twin, struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    if (!reset_allowed(twin, &segment->tuple))
        return SYNCACHE_DROP_RST_LIMIT;
    struct twin_segment reply = begin(twin, event->endpoint, &segment->tuple);
    if (segment->flags & TWIN_ACK) {
        reply.seq = segment->ack;
        reply.flags = TWIN_RST;
    } else {
        reply.ack = segment->seq + segment->payload_size;
        reply.ack += (segment->flags & TWIN_SYN) != 0;
        reply.ack += (segment->flags & TWIN_FIN) != 0;
        reply.flags = TWIN_RST | TWIN_ACK;
    }
    if (event->endpoint != NULL)
        sign(twin, twin_number(twin, event->endpoint), &reply);
    twin->stats.sndtotal++;
    twin->stats.rst_sent++;
    event->result->reply_size = twin_build(&reply, event->result->reply);
    return SYNCACHE_REPLY_RST;
}

uint32_t
twin_bare_reset(struct twin *twin, const struct syncache_tuple *tuple,
                uint32_t seq, uint8_t *out)
{
    const struct twin_endpoint *endpoint = twin_listener(twin, tuple);
    struct twin_segment reply = begin(twin, endpoint, tuple);
    reply.seq = seq;
    reply.flags = TWIN_RST;
    if (endpoint != NULL)
        sign(twin, twin_number(twin, endpoint), &reply);
    twin->stats.sndtotal++;
    twin->stats.rst_sent++;
    return twin_build(&reply, out);
}

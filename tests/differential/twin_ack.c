/* ACKs, cookies, RSTs, and which of them a segment is. */
#include "twin.h"

#include <string.h>

enum redeem { GOOD, OFF, OTHER, FAILED, REPLAYED };

/* departure 3: may this ACK be tried as a cookie? */
static bool
gate_open(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_endpoint *endpoint = event->endpoint;
    uint64_t lifetime = twin->tune.cookie_lifetime_ms;
    uint32_t bucket = twin_bucket(twin, &event->segment->tuple);
    if (twin->tune.cookie_gate == SYNCACHE_GATE_ALWAYS)
        return true;
    if (twin->tune.cookie_gate == SYNCACHE_GATE_BUCKET)
        return twin->overflowed[bucket] &&
               twin_second(twin) - twin->overflow_second[bucket] <=
                   lifetime / 1000;
    if (twin->told && twin->now - twin->init <= lifetime)
        return true;
    return endpoint->stamped && twin->now - endpoint->stamp <= 2 * lifetime;
}

/* Our scales that its SYN-ACK may have had; the one in force comes first. */
static uint32_t
scales_of(const struct twin *twin, const struct twin_endpoint *endpoint,
          uint8_t scales[4])
{
    uint64_t lifetime = twin->tune.cookie_lifetime_ms;
    bool fixed = endpoint->config.rcv_wscale != SYNCACHE_WSCALE_NONE;
    uint32_t count = 0;
    scales[count++] = twin_scale(twin, endpoint);
    if (twin->tune.cookie_layout != SYNCACHE_LAYOUT_WIDE)
        return count;
    if (endpoint->succeeds && twin->now - endpoint->succeeded <= lifetime) {
        if (endpoint->ws_before == SYNCACHE_WSCALE_NONE)
            fixed = false;
        else
            scales[count++] = endpoint->ws_before;
    }
    if (!fixed)
        scales[count++] = twin->ws;
    if (!fixed && twin->ws_before != SYNCACHE_WSCALE_NONE &&
        twin->now - twin->ws_changed <= lifetime)
        scales[count++] = twin->ws_before;
    return count;
}

static enum redeem
verifies(struct twin *twin, const struct twin_event *event,
         struct twin_entry *entry)
{
    const uint8_t *keys[3];
    uint8_t scales[4];
    uint32_t scale_count = scales_of(twin, event->endpoint, scales);
    uint32_t count =
        twin_verify_keys(twin, (entry->iss ^ entry->iss >> 24) & 1, keys);
    if (count == 0) {
        twin->stats.cookie_no_key++;
        return FAILED;
    }
    for (uint32_t s = 0; s < scale_count; s++)
        for (uint32_t k = 0; k < count; k++)
            if (twin_check(twin, keys[k], entry, scales[s]))
                return GOOD;
    twin->stats.cookie_bad_mac++;
    return OTHER;
}

static bool
timestamps_on(const struct twin *twin, const struct twin_event *event)
{
    uint32_t rfc1323 = twin->tune.rfc1323;
    uint8_t can = event->endpoint->config.options;
    return (can == 1 || (can & 16) != 0) && (rfc1323 & 1) != 0;
}

/* departure 8: is the echoed timestamp of our time? */
static bool
in_time(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    uint32_t policy = twin->tune.cookie_ts;
    if (policy == SYNCACHE_TS_OFF || !timestamps_on(twin, event))
        return true;
    if (!segment->options.ts)
        return policy == SYNCACHE_TS_CHECK ||
               (policy == SYNCACHE_TS_AUTO && !twin_many_failed(twin));
    uint32_t ours = twin_ts_clock(twin) + twin_ts_offset(twin, &segment->tuple);
    int64_t ticks = (int32_t)(ours - segment->options.tsecr);
    int64_t age = ticks * 1000 / (int64_t)twin->config.ts_hz;
    return age >= -(int64_t)twin->tune.clock_skew_ms &&
           age <= 2 * (int64_t)twin->tune.cookie_lifetime_ms;
}

static enum redeem
redeem(struct twin *twin, const struct twin_event *event,
       struct twin_entry *entry)
{
    const struct twin_segment *segment = event->segment;
    enum redeem how;
    if (!twin_cookies_only(twin) &&
        (!twin->tune.syncookies || !gate_open(twin, event)))
        return OFF;
    *entry = (struct twin_entry){
        .tuple = segment->tuple,
        .endpoint = twin_number(twin, event->endpoint),
        .irs = segment->seq - 1,
        .iss = segment->ack - 1,
    };
    how = verifies(twin, event, entry);
    if (how == GOOD && !in_time(twin, event)) {
        twin->stats.ts_refused++;
        how = FAILED;
    }
    if (how != GOOD) {
        twin_failed(twin);
        return how;
    }
    if (twin_seen(twin, &entry->tuple, entry->irs, entry->iss)) {
        twin->stats.replayed++;
        return REPLAYED;
    }
    entry->ts = segment->options.ts && timestamps_on(twin, event);
    entry->tsreflect = segment->options.tsval;
    entry->md5 = segment->options.md5;
    return GOOD;
}

/* Offers what a cookie restored, in the place of the entry of its tuple. */
static enum syncache_verdict
take(struct twin *twin, struct twin_event *event,
     const struct twin_entry *restored)
{
    bool keyed = twin_key_of(twin, twin_number(twin, event->endpoint),
                             &event->segment->tuple) != NULL;
    if ((restored->md5 || keyed) && !twin_signed_well(twin, event))
        return SYNCACHE_DROP_MD5;
    enum syncache_verdict verdict =
        twin_offer(twin, event, restored, SYNCACHE_VIA_COOKIE);
    if (verdict != SYNCACHE_ACCEPT_COOKIE)
        return verdict;
    twin->stats.sc_recvcookie++;
    if (event->entry != NULL) {
        twin_remove(twin, event->entry);
        twin->stats.cookie_over_entry++;
    }
    return verdict;
}

/* departure 12: what its peer sent before may still come, with a cookie. */
static bool
lost_data(const struct twin *twin, const struct twin_event *event,
          enum redeem how)
{
    bool repeated = event->segment->payload_size > 0 ||
                    (event->segment->flags & TWIN_FIN) != 0;
    return (how == OTHER || (how == FAILED && repeated)) &&
           !twin->tune.failcookie_rst;
}

static enum syncache_verdict
without_entry(struct twin *twin, struct twin_event *event)
{
    struct twin_entry restored;
    enum redeem how = redeem(twin, event, &restored);
    if (how == GOOD)
        return take(twin, event, &restored);
    twin->stats.sc_spurcookie += how == OFF;
    if (lost_data(twin, event, how))
        return SYNCACHE_DROP_COOKIE_DATA;
    if (twin->config.established_max == 0)
        return SYNCACHE_PASS_NO_ENDPOINT;
    return twin->tune.blackhole >= 3 ? SYNCACHE_DROP_BLACKHOLE
                                     : twin_reset(twin, event);
}

/* What the timestamps of an ACK are refused by, or ACCEPT_CACHE. */
static enum syncache_verdict
outdated(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_options *has = &event->segment->options;
    const struct twin_entry *entry = event->entry;
    if (entry->ts && has->ts && (int32_t)(has->tsval - entry->tsreflect) < 0)
        return SYNCACHE_DROP_PAWS;
    if (entry->ts && !has->ts && !twin->tune.tolerate_missing_ts)
        return SYNCACHE_DROP_MISSING_TS;
    return SYNCACHE_ACCEPT_CACHE;
}

static enum syncache_verdict
mismatch(struct twin *twin, struct twin_event *event, bool in_window)
{
    struct twin_entry restored;
    enum redeem how = OFF;
    if (twin->tune.dupsyn_limit != 0)
        how = redeem(twin, event, &restored);
    if (how == GOOD)
        return take(twin, event, &restored);
    if (outdated(twin, event) != SYNCACHE_ACCEPT_CACHE)
        return outdated(twin, event);
    if (!in_window)
        return twin_challenge(twin, event);
    if (lost_data(twin, event, how))
        return SYNCACHE_DROP_COOKIE_DATA;
    return twin->tune.blackhole >= 3 ? SYNCACHE_DROP_BLACKHOLE
                                     : twin_reset(twin, event);
}

enum syncache_verdict
twin_expand(struct twin *twin, struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    const struct twin_options *has = &segment->options;
    struct twin_entry *entry = event->entry;
    enum syncache_verdict verdict;
    if (entry == NULL)
        return without_entry(twin, event);
    if ((has->md5 || entry->md5) && !twin_signed_well(twin, event))
        return SYNCACHE_DROP_MD5;
    uint32_t behind = segment->seq - entry->irs;
    bool in_window =
        behind >= 1 && behind <= twin_window(twin, entry->endpoint);
    if (!in_window || segment->ack != entry->iss + 1)
        return mismatch(twin, event, in_window);
    verdict = outdated(twin, event);
    if (verdict != SYNCACHE_ACCEPT_CACHE)
        return verdict;
    verdict = twin_offer(twin, event, entry, SYNCACHE_VIA_CACHE);
    if (verdict != SYNCACHE_ACCEPT_CACHE)
        return verdict;
    if (twin->tune.offer_timeout_ms == 0)
        twin_remove(twin, entry);
    else
        entry->offered = twin->config.established_max > 0;
    return verdict;
}

enum syncache_verdict
twin_chkrst(struct twin *twin, struct twin_event *event)
{
    struct twin_entry *entry = event->entry;
    if (twin_cookies_only(twin))
        return SYNCACHE_DROP_RST_NO_ENTRY;
    if (entry == NULL) {
        twin->stats.badrst++;
        return SYNCACHE_DROP_RST_NO_ENTRY;
    }
    if (entry->md5 && !twin_signed_well(twin, event))
        return SYNCACHE_DROP_MD5;
    uint32_t offset = event->segment->seq - (entry->irs + 1);
    if (offset == 0 || (twin->tune.insecure_rst &&
                        offset < twin_window(twin, entry->endpoint))) {
        twin->stats.sc_reset++;
        twin_remove(twin, entry);
        return SYNCACHE_DROP_RST;
    }
    twin->stats.badrst++;
    if (offset >= twin_window(twin, entry->endpoint))
        return SYNCACHE_DROP_RST_OUTSIDE;
    return twin_challenge(twin, event);
}

bool
twin_unreach(struct twin *twin, const struct syncache_tuple *tuple,
             uint32_t seq)
{
    struct twin_entry *entry = twin_find(twin, tuple);
    if (twin_cookies_only(twin) || entry == NULL)
        return false;
    if (entry->iss != seq)
        return true;
    if (entry->unreach && entry->rxmits >= 4) {
        twin->stats.sc_unreach++;
        twin_remove(twin, entry);
        return true;
    }
    entry->unreach = true;
    return true;
}

/* RFC 9293 3.10.7.1. */
static enum syncache_verdict
closed_port(struct twin *twin, struct twin_event *event)
{
    uint16_t flags = event->segment->flags;
    bool syn = (flags & (TWIN_SYN | TWIN_ACK)) == TWIN_SYN;
    if (twin->config.established_max == 0)
        return SYNCACHE_PASS_NO_ENDPOINT;
    if (flags & TWIN_RST)
        return SYNCACHE_DROP_RST_NO_ENTRY;
    if (twin->tune.blackhole >= 2 || (syn && twin->tune.blackhole == 1))
        return SYNCACHE_DROP_BLACKHOLE;
    return twin_reset(twin, event);
}

static enum syncache_verdict
listener_event(struct twin *twin, struct twin_event *event)
{
    uint16_t flags = event->segment->flags;
    if ((flags & (TWIN_RST | TWIN_SYN)) == 0 && (flags & TWIN_ACK) != 0)
        return twin_expand(twin, event);
    if (flags & TWIN_RST)
        return twin_chkrst(twin, event);
    if ((flags & (TWIN_SYN | TWIN_ACK)) == TWIN_SYN &&
        !((flags & TWIN_FIN) && twin->tune.drop_synfin))
        return twin_add(twin, event);
    twin->stats.badsyn++;
    if (!(flags & TWIN_SYN))
        return SYNCACHE_DROP_NO_SYN;
    return flags & TWIN_ACK ? SYNCACHE_DROP_SYN_ACK : SYNCACHE_DROP_SYN_FIN;
}

static bool
group(const uint8_t *address, uint8_t family)
{
    return family == 4 ? address[0] >= 224 && address[0] < 240
                       : address[0] == 255;
}

static bool
nobody(const uint8_t *address, uint8_t family)
{
    uint32_t any = 0, all = 0xff;
    for (int i = 0; i < (family == 4 ? 4 : 16); i++) {
        any |= address[i];
        all &= address[i];
    }
    bool mapped = family == 6 && address[10] == 0xff && address[11] == 0xff;
    for (int i = 0; mapped && i < 10; i++)
        mapped = address[i] == 0;
    return any == 0 || mapped || (family == 4 && all == 0xff);
}

/* PASS_KNOWN if the segment is for us and its addresses are proper. */
static enum syncache_verdict
address_verdict(const struct twin *twin, const struct syncache_tuple *tuple)
{
    uint8_t family = tuple->family;
    bool source = group(tuple->faddr, family) || nobody(tuple->faddr, family);
    bool target = group(tuple->laddr, family) || nobody(tuple->laddr, family);
    if (target && !source)
        return SYNCACHE_DROP_DESTINATION;
    if (!twin_ours(twin, tuple))
        return SYNCACHE_PASS_NOT_OURS;
    if (source)
        return SYNCACHE_DROP_SOURCE;
    if (tuple->fport == tuple->lport &&
        memcmp(tuple->faddr, tuple->laddr, 16) == 0)
        return SYNCACHE_DROP_LAND;
    return SYNCACHE_PASS_KNOWN;
}

/* PASS_NOT_TCP if the tuple is not known: go on. */
static enum syncache_verdict
known_event(struct twin *twin, struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    struct twin_known *known = twin_known_of(twin, &segment->tuple);
    uint16_t flags = segment->flags & (TWIN_RST | TWIN_SYN | TWIN_ACK);
    if (known == NULL)
        return SYNCACHE_PASS_NOT_TCP;
    if (known->state == TWIN_OWED) {
        uint32_t seq = known->iss + 1;
        if (flags == 0 || flags == (TWIN_SYN | TWIN_ACK))
            return SYNCACHE_PASS_NOT_TCP;
        twin_forget(twin, known);
        if (flags & TWIN_RST)
            return SYNCACHE_DROP_RST;
        if (flags == TWIN_SYN)
            return SYNCACHE_PASS_NOT_TCP;
        event->result->reply_size =
            twin_bare_reset(twin, &segment->tuple, seq, event->result->reply);
        return SYNCACHE_REPLY_RST;
    }
    /* RFC 7413: once the SYN-ACK is acknowledged the request is not pending.
     * The first ACK is of SYN, 65535 bytes and FIN at most. */
    if (known->pending && !(flags & TWIN_RST) && (flags & TWIN_ACK) &&
        segment->ack - known->iss - 1 < 65537) {
        known->pending = false;
        twin_settle(twin, known->endpoint);
    }
    if (known->state == TWIN_OFFERED)
        return SYNCACHE_PASS_OFFERED;
    event->result->handle = known->handle;
    return SYNCACHE_PASS_KNOWN;
}

static enum syncache_verdict
segment_event(struct twin *twin, struct twin_event *event)
{
    const struct syncache_tuple *tuple = &event->segment->tuple;
    enum syncache_verdict verdict = address_verdict(twin, tuple);
    twin->stats.rcvtotal++;
    if (verdict != SYNCACHE_PASS_KNOWN)
        return verdict;
    verdict = known_event(twin, event);
    if (verdict != SYNCACHE_PASS_NOT_TCP)
        return verdict;
    event->endpoint = twin_listener(twin, tuple);
    if (event->endpoint == NULL)
        return closed_port(twin, event);
    event->entry = twin_cookies_only(twin) ? NULL : twin_find(twin, tuple);
    return listener_event(twin, event);
}

void
twin_packet(struct twin *twin, uint64_t now, const uint8_t *packet, size_t size,
            uint32_t checksum, struct twin_result *result)
{
    struct twin_parsed parsed;
    struct twin_event event = {.segment = &parsed.segment, .result = result};
    twin_advance(twin, now);
    twin_parse(packet, size, checksum, &parsed);
    result->reply_size = 0;
    result->handle = 0;
    if (parsed.kind == TWIN_TCP)
        result->verdict = segment_event(twin, &event);
    else if (parsed.kind == TWIN_QUOTE)
        result->verdict =
            twin_known_of(twin, &parsed.quoted) == NULL &&
                    twin_unreach(twin, &parsed.quoted, parsed.quoted_seq)
                ? SYNCACHE_DROP_ICMP
                : SYNCACHE_PASS_ICMP;
    else
        result->verdict =
            parsed.kind == TWIN_BAD ? parsed.why : SYNCACHE_PASS_NOT_TCP;
    twin->stats.verdicts[result->verdict]++;
}

/* SYNs (departures 2, 4 and 6). */
#include "twin.h"

#include <string.h>

/* RFC 2385: signed if and only if there is a key for the peer. */
static bool
signed_as_required(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    if (twin_key_of(twin, twin_number(twin, event->endpoint),
                    &segment->tuple) == NULL)
        return !segment->options.md5;
    return twin_signed_well(twin, event);
}

static uint8_t
ecn_asked(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    uint16_t bits = segment->flags & (TWIN_AE | TWIN_CWR | TWIN_ECE);
    uint32_t enable = twin->tune.ecn_enable;
    if (enable == 0 || !event->endpoint->config.ecn || bits == 0)
        return 0;
    if (bits == (TWIN_CWR | TWIN_ECE))
        return 1;
    if (enable >= 3)
        return (uint8_t)(2 + (segment->tos & 3));
    return bits == (TWIN_AE | TWIN_CWR | TWIN_ECE);
}

static struct twin_entry
negotiated(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    const struct twin_options *has = &segment->options;
    uint32_t rfc1323 = twin->tune.rfc1323;
    struct twin_entry entry = {
        .tuple = segment->tuple,
        .bucket = twin_bucket(twin, &segment->tuple),
        .endpoint = twin_number(twin, event->endpoint),
        .irs = segment->seq,
        .mss = has->mss ? has->mss_value : 0,
        .ws = SYNCACHE_WSCALE_NONE,
        .rcv_ws = SYNCACHE_WSCALE_NONE,
        .ecn = ecn_asked(twin, event),
        .md5 = has->md5,
        .born = twin->now,
    };
    uint8_t can = event->endpoint->config.options;
    if (can == SYNCACHE_OPTIONS_ALL)
        can = 0xff;
    if (has->ts && (can & 16) != 0 && (rfc1323 == 1 || rfc1323 == 3)) {
        entry.ts = true;
        entry.tsreflect = has->tsval;
    }
    if (has->ws && (can & 4) != 0 && (rfc1323 == 1 || rfc1323 == 2)) {
        entry.ws = has->ws_value;
        entry.rcv_ws = twin_scale(twin, event->endpoint);
    }
    entry.sack = has->sack && (can & 8) != 0 && twin->tune.sack_enable;
    return entry;
}

/* A cookie wherever one can be made, else RFC 6528. */
static void
number(struct twin *twin, const struct twin_event *event,
       struct twin_entry *entry)
{
    if (twin_mints(twin)) {
        entry->iss = twin_mint(twin, entry, twin_scale(twin, event->endpoint));
        twin->stats.sc_sendcookie++;
    } else {
        uint8_t data[36];
        size_t size = twin_pack(&entry->tuple, data);
        uint64_t hash = twin_siphash(twin->iss_key, data, size);
        twin->stats.syn_no_key += twin_keyless(twin);
        entry->iss = (uint32_t)(twin->now * 250 + hash);
    }
}

static enum syncache_verdict
answer_only(struct twin *twin, struct twin_event *event,
            struct twin_entry *entry, const uint8_t *tfo)
{
    if (!twin->tune.ecn_in_cookie)
        entry->ecn = 0;
    if (twin->tune.cookie_layout == SYNCACHE_LAYOUT_MSS) {
        entry->ws = SYNCACHE_WSCALE_NONE;
        entry->sack = false;
    }
    number(twin, event, entry);
    twin_stamp(twin, event->endpoint);
    twin->stats.cookie_only_synacks++;
    event->result->reply_size =
        twin_syn_ack(twin, entry, tfo, 0, event->result->reply);
    return SYNCACHE_REPLY_SYN_COOKIE;
}

static void
overflow(struct twin *twin)
{
    if (twin->tune.pause_policy == SYNCACHE_PAUSE_BUCKET &&
        twin->tune.syncookies && twin_mints(twin)) {
        if (!twin_pause_begin(twin, twin->now))
            return;
        twin->stats.pauses++;
    }
    twin->stats.sc_bucketoverflow++;
}

static void
evict(struct twin *twin, uint32_t bucket)
{
    struct twin_entry *victim = twin_oldest(twin, bucket);
    twin->pause.victims++;
    twin->pause.young += twin->now - victim->born < twin->tune.pause_age_ms;
    twin->overflowed[bucket] = true;
    twin->overflow_second[bucket] = twin_second(twin);
    twin_remove_unanswered(twin, victim);
    twin->stats.evicted++;
}

static bool
make_room(struct twin *twin, uint32_t bucket)
{
    bool drop_new = twin->tune.overflow == SYNCACHE_OVERFLOW_DROP_NEW;
    bool freebsd = twin->tune.pause_policy == SYNCACHE_PAUSE_BUCKET;
    uint32_t neighbours = twin_bucket_count(twin, bucket);
    bool full = neighbours >= twin->config.bucketlimit;
    bool exhausted = twin->count >= twin->config.cachelimit;
    /* FreeBSD allocates before it looks at the bucket. */
    if (full && !(exhausted && freebsd)) {
        if (drop_new)
            twin->stats.sc_bucketoverflow++;
        else
            overflow(twin);
    } else if (exhausted) {
        if (freebsd)
            twin->stats.sc_zonefail++;
        else
            twin->stats.sc_cacheoverflow++;
        if (!drop_new && neighbours == 0) {
            twin->pause.unplaced++;
            return false;
        }
        if (!drop_new && freebsd)
            overflow(twin);
    } else {
        return true;
    }
    if (!drop_new)
        evict(twin, bucket);
    return !drop_new;
}

static enum syncache_verdict
store(struct twin *twin, struct twin_event *event, struct twin_entry *entry,
      const uint8_t *tfo)
{
    number(twin, event, entry);
    entry->rxmits = 1;
    twin_arm(twin, entry, twin->tune.rexmit_initial_ms);
    twin->entries[twin->count++] = *entry;
    twin->stats.sc_added++;
    event->result->reply_size =
        twin_syn_ack(twin, entry, tfo, 0, event->result->reply);
    return SYNCACHE_REPLY_SYN_ACK;
}

static enum syncache_verdict
duplicate(struct twin *twin, struct twin_event *event)
{
    struct twin_entry *entry = event->entry;
    const struct twin_options *has = &event->segment->options;
    uint32_t limit = twin->tune.dupsyn_limit;
    bool other = event->segment->seq != entry->irs;
    twin->stats.sc_dupsyn++;
    if (limit != 0 && other && twin_mints(twin)) {
        struct twin_entry fresh = negotiated(twin, event);
        answer_only(twin, event, &fresh, NULL);
        return SYNCACHE_REPLY_OTHER_ISN;
    }
    if (limit != 0 && entry->dup_answers >= limit)
        return SYNCACHE_DROP_DUPSYN_LIMIT;
    if (entry->dup_answers < TWIN_COUNTED)
        entry->dup_answers++;
    /* Our way, another ISN never touches the entry (departure 6). */
    if (limit == 0 || !other) {
        entry->ts = entry->ts && has->ts;
        if (entry->ts)
            entry->tsreflect = has->tsval;
        if (entry->ecn != 0)
            entry->ecn = ecn_asked(twin, event);
    }
    event->result->reply_size =
        twin_syn_ack(twin, entry, NULL, 0, event->result->reply);
    if (limit == 0) {
        entry->rxmits = 1;
        twin_arm(twin, entry, twin->tune.rexmit_initial_ms);
    }
    return SYNCACHE_REPLY_DUPSYN;
}

/* RFC 7413: a good cookie is an accepted connection; else one is handed out. */
static bool
fast_open(struct twin *twin, struct twin_event *event, uint8_t cookie[8],
          bool *hand_out)
{
    const struct twin_segment *segment = event->segment;
    const struct twin_options *has = &segment->options;
    struct twin_endpoint *endpoint = event->endpoint;
    size_t size = segment->tuple.family == 4 ? 4 : 16;
    uint64_t hash = twin_siphash(twin->tfo_key, segment->tuple.faddr, size);
    if (!has->tfo || endpoint->config.fastopen == 0 ||
        !endpoint->config.options || !twin->tune.fastopen_server_enable)
        return false;
    for (int i = 0; i < 8; i++)
        cookie[i] = (uint8_t)(hash >> 8 * i);
    if (has->cookie_size == 8) {
        if (twin->now - endpoint->abandoned_at >= 60000) {
            endpoint->pending -= endpoint->abandoned;
            endpoint->abandoned = 0;
        }
        if (endpoint->pending >= endpoint->config.fastopen)
            return false;
        if (memcmp(has->cookie, cookie, 8) == 0) {
            struct twin_entry entry = negotiated(twin, event);
            number(twin, event, &entry);
            entry.rxmits = 1;
            if (twin_offer(twin, event, &entry, SYNCACHE_VIA_FASTOPEN) !=
                SYNCACHE_ACCEPT_FASTOPEN)
                return false;
            endpoint->pending++;
            event->result->reply_size =
                twin_syn_ack(twin, &entry, NULL, segment->payload_size,
                             event->result->reply);
            return true;
        }
        twin->stats.fastopen_refused++;
    }
    *hand_out = true;
    twin->stats.fastopen_cookies++;
    return false;
}

/* Nothing can be stored: a key would have helped, or nothing. */
static enum syncache_verdict
refused(struct twin *twin)
{
    if (!twin_keyless(twin))
        return SYNCACHE_DROP_CACHE_FULL;
    twin->stats.syn_no_key++;
    return SYNCACHE_DROP_NO_KEY;
}

enum syncache_verdict
twin_add(struct twin *twin, struct twin_event *event)
{
    uint8_t cookie[8];
    bool hand_out = false;
    if (!signed_as_required(twin, event))
        return SYNCACHE_DROP_MD5;
    if (event->entry != NULL)
        return duplicate(twin, event);
    if (fast_open(twin, event, cookie, &hand_out))
        return SYNCACHE_ACCEPT_FASTOPEN;
    const uint8_t *tfo = hand_out ? cookie : NULL;
    struct twin_entry entry = negotiated(twin, event);
    twin->pause.syns[0]++;
    if (twin_cookies_only(twin) || (twin_mints(twin) && twin->pause.paused))
        return twin_mints(twin) ? answer_only(twin, event, &entry, tfo)
                                : refused(twin);
    if (make_room(twin, entry.bucket))
        return store(twin, event, &entry, tfo);
    if (twin_mints(twin) && twin->tune.overflow == SYNCACHE_OVERFLOW_EVICT)
        return answer_only(twin, event, &entry, tfo);
    if (twin->tune.overflow == SYNCACHE_OVERFLOW_EVICT)
        return refused(twin);
    return SYNCACHE_DROP_CACHE_FULL;
}

/* Completed handshakes and the stack's own tuples (departures 5 and 7). */
#include "twin.h"

#include <string.h>

struct twin_known *
twin_known_of(struct twin *twin, const struct syncache_tuple *tuple)
{
    for (uint32_t i = 0; i < twin->known_count; i++)
        if (twin_same(&twin->known[i].tuple, tuple))
            return &twin->known[i];
    return NULL;
}

/* The tuple that has been longest in this state. */
struct twin_known *
twin_first(struct twin *twin, enum twin_known_state state)
{
    struct twin_known *first = NULL;
    for (uint32_t i = 0; i < twin->known_count; i++) {
        struct twin_known *known = &twin->known[i];
        if (known->state == state &&
            (first == NULL || known->order < first->order))
            first = known;
    }
    return first;
}

void
twin_forget(struct twin *twin, struct twin_known *known)
{
    *known = twin->known[--twin->known_count];
}

static struct twin_known *
know(struct twin *twin, const struct syncache_tuple *tuple,
     enum twin_known_state state)
{
    if (twin->known_count >= twin->config.established_max)
        return NULL;
    struct twin_known *known = &twin->known[twin->known_count++];
    *known = (struct twin_known){.tuple = *tuple,
                                 .state = state,
                                 .order = twin->tick++,
                                 .since = twin->now};
    return known;
}

/* A TFO request is no longer pending. */
void
twin_settle(struct twin *twin, uint32_t endpoint)
{
    struct twin_endpoint *of = &twin->endpoints[endpoint];
    if (of->pending > of->abandoned)
        of->pending--;
}

/* Its connection is gone before it was acknowledged: RFC 7413 5.1. */
static void
abandon(struct twin *twin, uint32_t endpoint)
{
    struct twin_endpoint *of = &twin->endpoints[endpoint];
    if (of->pending > of->abandoned) {
        of->abandoned++;
        of->abandoned_at = twin->now;
    }
}

static uint8_t
ecn_of(const struct twin *twin, const struct twin_event *event,
       const struct twin_entry *entry, enum syncache_via via)
{
    if (via != SYNCACHE_VIA_COOKIE)
        return entry->ecn == 0   ? SYNCACHE_ECN_NONE
               : entry->ecn == 1 ? SYNCACHE_ECN_CLASSIC
                                 : SYNCACHE_ECN_ACCURATE;
    if (twin->tune.ecn_in_cookie || !twin->tune.ecn_enable ||
        !event->endpoint->config.ecn)
        return SYNCACHE_ECN_NONE;
    return SYNCACHE_ECN_ECHO;
}

static void
fill(const struct twin *twin, const struct twin_event *event,
     const struct twin_entry *entry, enum syncache_via via,
     struct syncache_conn *conn)
{
    const struct twin_segment *segment = event->segment;
    bool scaled = entry->ws != SYNCACHE_WSCALE_NONE;
    memset(conn, 0, sizeof *conn);
    conn->tuple = segment->tuple;
    conn->iss = entry->iss;
    conn->irs = entry->irs;
    conn->rcv_wnd = twin_window(twin, entry->endpoint);
    conn->snd_wnd = segment->window;
    if (scaled && via != SYNCACHE_VIA_FASTOPEN)
        conn->snd_wnd <<= entry->ws;
    conn->snd_wscale = entry->ws;
    conn->rcv_wscale = scaled ? entry->rcv_ws : SYNCACHE_WSCALE_NONE;
    if (entry->ts) {
        conn->timestamps = 1;
        conn->ts_offset = twin_ts_offset(twin, &segment->tuple);
        conn->ts_recent = entry->tsreflect;
        if (segment->options.ts &&
            (int32_t)(segment->seq - (entry->irs + 1)) <= 0)
            conn->ts_recent = segment->options.tsval;
    }
    conn->endpoint = twin_number(twin, event->endpoint);
    conn->payload_size = segment->payload_size;
    conn->peer_mss = twin_usable_mss(twin, entry->endpoint,
                                     segment->tuple.family, entry->mss);
    conn->sack_permitted = entry->sack;
    conn->ecn = ecn_of(twin, event, entry, via);
    conn->via = (uint8_t)via;
    conn->rxmits = (uint8_t)entry->rxmits;
    conn->md5 = entry->md5;
    conn->syn_tos = segment->tos;
}

enum syncache_verdict
twin_offer(struct twin *twin, struct twin_event *event,
           const struct twin_entry *entry, enum syncache_via via)
{
    static const enum syncache_verdict verdicts[] = {SYNCACHE_ACCEPT_CACHE,
                                                     SYNCACHE_ACCEPT_COOKIE,
                                                     SYNCACHE_ACCEPT_FASTOPEN};
    if (twin->config.established_max > 0) {
        struct twin_known *known =
            know(twin, &event->segment->tuple, TWIN_OFFERED);
        if (known == NULL)
            return SYNCACHE_DROP_KNOWN_FULL;
        known->irs = entry->irs;
        known->iss = entry->iss;
        known->endpoint = twin_number(twin, event->endpoint);
        known->via = (uint8_t)via;
        known->pending = via == SYNCACHE_VIA_FASTOPEN;
    }
    fill(twin, event, entry, via, &event->result->conn);
    return verdicts[via];
}

/* The entry of this very handshake. */
static struct twin_entry *
entry_of(struct twin *twin, const struct syncache_tuple *tuple, uint32_t irs,
         uint32_t iss)
{
    struct twin_entry *entry = twin_find(twin, tuple);
    return entry != NULL && entry->irs == irs && entry->iss == iss ? entry
                                                                   : NULL;
}

static void
refuse(struct twin *twin, const struct syncache_conn *conn,
       struct twin_known *known)
{
    struct twin_entry *entry =
        entry_of(twin, &conn->tuple, conn->irs, conn->iss);
    bool fastopen = conn->via == SYNCACHE_VIA_FASTOPEN;
    bool reset = twin->tune.rst_on_sock_fail || fastopen;
    twin->stats.listendrop++;
    if (known != NULL ? known->pending : fastopen)
        twin_settle(twin, conn->endpoint);
    if (reset || twin->tune.offer_timeout_ms == 0) {
        twin->stats.sc_aborted++;
        if (entry != NULL)
            twin_remove(twin, entry);
    } else if (entry != NULL) {
        entry->offered = false;
        entry->validated = true;
    }
    if (known == NULL)
        return;
    if (reset) {
        known->state = TWIN_OWED;
        known->order = twin->tick++;
    } else {
        twin_forget(twin, known);
    }
}

/* An offer that ends without its own answer. */
static void
leave(struct twin *twin, const struct twin_known *known)
{
    struct twin_entry *entry = twin_find(twin, &known->tuple);
    if (known->state == TWIN_OFFERED && entry != NULL)
        entry->offered = false;
}

void
twin_accepted(struct twin *twin, const struct syncache_conn *conn,
              uint64_t handle, bool ok)
{
    struct twin_known *known = twin_known_of(twin, &conn->tuple);
    struct twin_entry *entry =
        entry_of(twin, &conn->tuple, conn->irs, conn->iss);
    if (!ok) {
        bool offered = known != NULL && known->state == TWIN_OFFERED &&
                       known->irs == conn->irs && known->iss == conn->iss;
        if (offered || (known == NULL && twin->config.established_max == 0))
            refuse(twin, conn, known);
        return;
    }
    if (known == NULL)
        known = know(twin, &conn->tuple, TWIN_ESTABLISHED);
    if (known != NULL) {
        leave(twin, known);
        known->state = TWIN_ESTABLISHED;
        known->handle = handle;
    } else if (conn->via == SYNCACHE_VIA_FASTOPEN) {
        twin_settle(twin, conn->endpoint);
    }
    if (entry != NULL)
        twin_remove(twin, entry);
    twin->stats.accepts++;
    twin->stats.sc_completed += conn->via == SYNCACHE_VIA_CACHE;
    twin_remember(twin, &conn->tuple, conn->irs, conn->iss);
}

void
twin_expire_offers(struct twin *twin)
{
    struct twin_known *known;
    uint64_t timeout = twin->tune.offer_timeout_ms;
    while (timeout != 0 && (known = twin_first(twin, TWIN_OFFERED)) != NULL &&
           twin->now - known->since >= timeout) {
        struct syncache_conn conn = {.tuple = known->tuple,
                                     .iss = known->iss,
                                     .irs = known->irs,
                                     .endpoint = known->endpoint,
                                     .via = known->via};
        twin->stats.offer_timeout++;
        refuse(twin, &conn, known);
    }
}

bool
twin_opened(struct twin *twin, const struct syncache_tuple *tuple,
            uint64_t handle)
{
    struct twin_known *known = twin_known_of(twin, tuple);
    if (known == NULL)
        known = know(twin, tuple, TWIN_ESTABLISHED);
    if (known == NULL)
        return false;
    leave(twin, known);
    known->state = TWIN_ESTABLISHED;
    known->handle = handle;
    return true;
}

void
twin_closed(struct twin *twin, const struct syncache_tuple *tuple)
{
    struct twin_known *known = twin_known_of(twin, tuple);
    if (known == NULL || known->state == TWIN_OWED)
        return;
    leave(twin, known);
    if (known->pending)
        abandon(twin, known->endpoint);
    twin_forget(twin, known);
}

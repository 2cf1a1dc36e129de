/*
 * What ends or questions a half-open connection from outside: a RST, an ICMP
 * error, a SYN-ACK that could not be sent; and the challenge ACK with its limit.
 *
 * The limit is counted in the entry.  A limit shared by peers would tell one of
 * them about another (CVE-2016-5696).
 *
 * See RFC 5961 3.2 and 7, RFC 9293 3.10.7.4, RFC 5927.
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "seq.h"

#define CHKRST_CHALLENGES_COUNTED 255 /* `challenges` is a byte */

/* An ICMP error removes an entry whose SYN-ACK was sent this often (3.7). */
#define UNREACH_RXMITS 4

enum syncache_verdict
syncache_chkrst(struct syncache *cache, struct event *event)
{
    struct table_entry *entry = event->ref.entry;
    uint32_t rcv_nxt;
    uint32_t rcv_wnd;

    /* Cookies-only: nothing was looked up, so nothing is known to be bad. */
    if (engine_cookies_only(cache))
        return SYNCACHE_DROP_RST_NO_ENTRY;
    if (entry == NULL) {
        cache->stats.badrst++;
        return SYNCACHE_DROP_RST_NO_ENTRY;
    }
    /* RFC 2385 2.0: an unsigned segment has no effect. */
    if ((entry->flags & ENTRY_SIGNATURE) &&
        !respond_signature_good(cache, event))
        return SYNCACHE_DROP_MD5;
    rcv_nxt = entry->irs + 1;
    rcv_wnd = engine_rcv_wnd(cache, entry->endpoint);
    if (event->segment->seg_seq != rcv_nxt &&
        !seq_in_window(event->segment->seg_seq, rcv_nxt, rcv_wnd)) {
        cache->stats.badrst++;
        return SYNCACHE_DROP_RST_OUTSIDE;
    }
    if (event->segment->seg_seq == rcv_nxt || cache->tunables.insecure_rst) {
        cache->stats.sc_reset++;
        engine_remove(cache, event->ref);
        return SYNCACHE_DROP_RST;
    }
    /* RFC 5961 3.2: in the window but not exact, so challenge. */
    cache->stats.badrst++;
    return chkrst_challenge(cache, event);
}

/* Counts one challenge ACK of an entry; false: too many in this window. */
static bool
chkrst_challenge_allowed(struct syncache *cache, struct table_ref ref)
{
    uint32_t limit = cache->tunables.ack_war_cnt;
    uint32_t window_ms = cache->tunables.ack_war_timewindow_ms;
    struct table_entry *entry = ref.entry;
    uint16_t now_ms = (uint16_t)cache->now_ms;

    if (limit == 0 || window_ms == 0)
        return true;
    if (entry->challenges == 0 ||
        (uint16_t)(now_ms - entry->challenge_ms) >= window_ms) {
        entry->challenge_ms = now_ms;
        entry->challenges = 0;
    }
    if (entry->challenges >= limit)
        return false;
    if (entry->challenges < CHKRST_CHALLENGES_COUNTED)
        entry->challenges++;
    table_mark_challenge(&cache->table, ref);
    return true;
}

enum syncache_verdict
chkrst_challenge(struct syncache *cache, struct event *event)
{
    assert(event->ref.entry != NULL);
    if (!chkrst_challenge_allowed(cache, event->ref))
        return SYNCACHE_DROP_CHALLENGE_LIMIT;
    event->reply_size =
        respond_challenge_ack(cache, event->ref.entry, event->reply);
    return SYNCACHE_REPLY_CHALLENGE_ACK;
}

bool
chkrst_unreach(struct syncache *cache, uint64_t hash,
               const struct syncache_tuple *tuple, uint32_t seq)
{
    struct table_ref ref;

    if (engine_cookies_only(cache))
        return false;
    ref = table_find(&cache->table, hash, tuple);
    if (ref.entry == NULL)
        return false;
    /* RFC 5927 4.1: only who saw our SYN-ACK can quote its number. */
    if (ref.entry->iss != seq)
        return true;
    if (!(ref.entry->flags & ENTRY_UNREACH) ||
        ref.entry->rxmits < UNREACH_RXMITS) {
        ref.entry->flags |= ENTRY_UNREACH;
        return true;
    }
    cache->stats.sc_unreach++;
    engine_remove(cache, ref);
    return true;
}

void
syncache_unreach(struct syncache *cache, uint64_t now_ms,
                 const struct syncache_tuple *tuple, uint32_t seq)
{
    engine_advance(cache, now_ms);
    if (engine_tuple_legal(tuple))
        (void)chkrst_unreach(cache, engine_hash(cache, tuple), tuple, seq);
}

void
syncache_unsent(struct syncache *cache, const struct syncache_tuple *tuple,
                uint32_t seq)
{
    struct table_ref ref;

    if (!engine_tuple_legal(tuple))
        return;
    ref = table_find(&cache->table, engine_hash(cache, tuple), tuple);
    cache->stats.sc_dropped++;
    if (ref.entry == NULL || ref.entry->iss != seq)
        return;
    if (ref.entry->rxmits == 1 && ref.entry->dup_answers == 0)
        cache->stats.sc_added--; /* the first one: as if it had never been */
    engine_remove(cache, ref);
}

/* What time alone makes due (departure 5). */
#include "twin.h"

#include <string.h>

static uint64_t
back_off(const struct twin *twin, uint32_t sent)
{
    static const uint64_t factors[] = {1,   2,   4,   8,   16,  32, 64,
                                       128, 256, 512, 512, 512, 512};
    uint64_t wait =
        twin->tune.rexmit_initial_ms * factors[sent < 12 ? sent : 12];
    wait += twin->tune.rexmit_slop_ms;
    if (wait > twin->tune.rexmit_max_ms)
        wait = twin->tune.rexmit_max_ms;
    if (wait < twin->tune.rexmit_min_ms)
        wait = twin->tune.rexmit_min_ms;
    return wait;
}

/* Is this one of the first so many of its second? */
static bool
repeats(struct twin *twin)
{
    uint64_t second = twin_second(twin);
    if (second != twin->repeat_second) {
        twin->repeat_second = second;
        twin->repeats = 0;
    }
    if (twin->tune.rexmit_rate != 0 && twin->repeats >= twin->tune.rexmit_rate)
        return false;
    twin->repeats++;
    return true;
}

/* One due entry; returns the size of what is sent. */
static uint32_t
serve(struct twin *twin, struct twin_entry *entry, uint8_t *out)
{
    uint32_t size = 0;
    if (entry->offered) {
        twin_arm(twin, entry, twin->tune.rexmit_initial_ms);
        return 0;
    }
    if (entry->rxmits > twin->tune.ecn_maxretries)
        entry->ecn = 0;
    if (entry->rxmits > twin->tune.rexmtlimit) {
        if (entry->validated)
            size = twin_bare_reset(twin, &entry->tuple, entry->iss + 1, out);
        twin->stats.sc_stale++;
        twin_remove(twin, entry);
        return size;
    }
    if (repeats(twin)) {
        size = twin_syn_ack(twin, entry, NULL, 0, out);
        twin->stats.sc_retransmitted++;
    } else {
        twin->stats.rexmit_withheld++;
    }
    twin_arm(twin, entry, back_off(twin, entry->rxmits));
    entry->rxmits++;
    return size;
}

static void
purge(struct twin *twin, uint32_t bucket)
{
    struct twin_entry *entry;
    while ((entry = twin_oldest(twin, bucket)) != NULL) {
        twin->stats.purged++;
        twin_remove_unanswered(twin, entry);
    }
}

static struct twin_entry *
next_due(struct twin *twin, uint32_t bucket)
{
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->entries[i].bucket == bucket &&
            twin->entries[i].deadline <= twin->now)
            return &twin->entries[i];
    return NULL;
}

/*
 * Buckets in turn, from where a poll that filled its ring stopped; such a poll
 * then goes round once more, since time has passed for those before.
 */
static uint32_t
poll_entries(struct twin *twin, uint32_t max,
             uint8_t (*packets)[SYNCACHE_REPLY_MAX], uint32_t *sizes)
{
    bool freebsd =
        twin->pause.paused && twin->tune.pause_policy == SYNCACHE_PAUSE_BUCKET;
    bool whole = twin->cursor == 0;
    uint32_t bucket = twin->cursor;
    uint32_t sent = 0;
    while (sent < max) {
        struct twin_entry *entry = NULL;
        while (bucket < twin->config.hashsize &&
               (entry = next_due(twin, bucket)) == NULL)
            bucket++;
        if (entry == NULL) {
            bucket = twin->cursor = 0;
            if (whole)
                break;
            whole = true;
            continue;
        }
        twin->cursor = bucket;
        if (freebsd) {
            purge(twin, bucket);
            continue;
        }
        sizes[sent] = serve(twin, entry, packets[sent]);
        sent += sizes[sent] != 0;
    }
    return sent;
}

uint32_t
twin_poll(struct twin *twin, uint64_t now, uint32_t max,
          uint8_t (*packets)[SYNCACHE_REPLY_MAX], uint32_t *sizes)
{
    uint32_t sent = 0;
    struct twin_known *known;
    twin_advance(twin, now);
    twin_expire_offers(twin);
    while (sent < max && (known = twin_first(twin, TWIN_OWED)) != NULL) {
        sizes[sent] =
            twin_bare_reset(twin, &known->tuple, known->iss + 1, packets[sent]);
        sent++;
        twin_forget(twin, known);
    }
    return sent + poll_entries(twin, max - sent, packets + sent, sizes + sent);
}

void
twin_unsent(struct twin *twin, const struct syncache_tuple *tuple, uint32_t seq)
{
    struct twin_entry *entry = twin_find(twin, tuple);
    twin->stats.sc_dropped++;
    if (entry == NULL || entry->iss != seq)
        return;
    if (entry->rxmits == 1 && entry->dup_answers == 0)
        twin->stats.sc_added--;
    twin_remove(twin, entry);
}

/* The earliest time at which something is to be done. */
uint64_t
twin_deadline(const struct twin *twin)
{
    uint64_t earliest = SYNCACHE_NEVER;
    if (twin->epoch_known)
        earliest = twin->epoch_start + twin->tune.cookie_lifetime_ms;
    if (twin->pause.paused && twin->pause.until < earliest)
        earliest = twin->pause.until;
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->entries[i].deadline < earliest)
            earliest = twin->entries[i].deadline;
    for (uint32_t i = 0; i < twin->known_count; i++) {
        const struct twin_known *known = &twin->known[i];
        uint64_t due = SYNCACHE_NEVER;
        if (known->state == TWIN_OWED)
            due = twin->now;
        else if (known->state == TWIN_OFFERED && twin->tune.offer_timeout_ms)
            due = known->since + twin->tune.offer_timeout_ms;
        if (due < earliest)
            earliest = due;
    }
    return earliest;
}

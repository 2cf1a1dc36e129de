/*
 * The engine as its caller holds it: how large it is, how it begins, its keys,
 * its endpoints, and what it can tell about itself.
 *
 * Not here: packets (input.c, burst.c), time (timer.c), offers (offer.c),
 * tunables (tunables.c).
 */
#include <assert.h>
#include <string.h>

#include "../syncache_host.h"
#include "derive.h"
#include "event.h"
#include "rows.h"

#define API_LINE 64      /* alignment of the block and of its parts */
#define API_ENTRY_MAX 80 /* bytes a table needs for an entry, all told */
#define API_RANK_BITS 8  /* of a cursor: bucket << 8 | rank */

_Static_assert(SYNCACHE_BUCKETLIMIT_MAX < 1 << API_RANK_BITS,
               "a rank fits into a cursor");
_Static_assert(sizeof(struct syncache_conn) == 88, "no hidden padding");
_Static_assert(sizeof(struct syncache_slot) == 24, "no hidden padding");
_Static_assert(sizeof(struct table_entry) == 64, "one cache line");

/* Where the parts of a block begin, and where it ends. */
struct api_layout {
    size_t table;
    size_t known;
    size_t replay;
    size_t endpoints;
    size_t end;
};

enum syncache_kind
syncache_kind(enum syncache_verdict verdict)
{
    if (verdict < SYNCACHE_ACCEPT_CACHE)
        return SYNCACHE_PASS;
    if (verdict < SYNCACHE_REPLY_SYN_ACK)
        return SYNCACHE_ACCEPT;
    return verdict < SYNCACHE_DROP_TRUNCATED ? SYNCACHE_REPLY : SYNCACHE_DROP;
}

static bool
api_config_valid(const struct syncache_config *row_of)
{
    static const struct row rows[] = {SYNCACHE_CONFIG(ROW)};
    uint32_t hashsize = row_of->hashsize;

    return row_of->struct_size == sizeof *row_of &&
           rows_in_range(row_of, offsetof(struct syncache_config, hashsize),
                         rows, sizeof rows / sizeof *rows) &&
           SYNCACHE_CONFIG(ROW_LARGE_IN_RANGE) row_of->ts_hz >= 1 &&
           row_of->ts_hz <= SYNCACHE_TS_HZ_MAX &&
           (hashsize & (hashsize - 1)) == 0;
}

static size_t
api_round(size_t bytes)
{
    return (bytes + API_LINE - 1) & ~(size_t)(API_LINE - 1);
}

/* Returns false if the sizes do not fit into this machine's memory. */
static bool
api_layout(const struct syncache_config *config, struct api_layout *layout)
{
    /* An upper bound in 64 bits, so that no sum below can overflow. */
    uint64_t bound =
        (uint64_t)config->hashsize * (config->bucketlimit + 4) * API_ENTRY_MAX +
        (uint64_t)config->established_max * sizeof(struct known_node) * 2 +
        (uint64_t)config->replay_entries * 16 +
        (uint64_t)config->address_max * sizeof(struct endpoint_address) +
        (uint64_t)config->md5_max * sizeof(struct endpoint_md5_key) +
        (uint64_t)config->endpoint_max * sizeof(struct endpoint) * 2;

    if (bound > SIZE_MAX / 2)
        return false;
    layout->table = api_round(sizeof(struct syncache));
    layout->known = layout->table + api_round(table_bytes(config->hashsize,
                                                          config->bucketlimit));
    layout->replay =
        layout->known + api_round(known_bytes(config->established_max));
    layout->endpoints =
        layout->replay + api_round(replay_bytes(config->replay_entries));
    layout->end =
        layout->endpoints +
        api_round(endpoints_bytes(config->endpoint_max, config->address_max,
                                  config->md5_max));
    return true;
}

size_t
syncache_size(const struct syncache_config *config)
{
    struct api_layout layout;

    if (!api_config_valid(config) || !api_layout(config, &layout))
        return 0;
    return layout.end;
}

struct syncache *
syncache_init(void *block, size_t size, const struct syncache_config *config,
              const uint8_t seed[SYNCACHE_KEY_BYTES])
{
    struct syncache *cache = block;
    uint8_t *bytes = block;
    struct api_layout layout;

    if (block == NULL || (uintptr_t)block % API_LINE != 0 ||
        !api_config_valid(config) || !api_layout(config, &layout) ||
        size < layout.end)
        return NULL;
    memset(cache, 0, sizeof(*cache));
    cache->config = *config;
    table_init(&cache->table, bytes + layout.table, config->hashsize,
               config->bucketlimit, config->cachelimit);
    known_init(&cache->known, bytes + layout.known, config->established_max);
    replay_init(&cache->replay, bytes + layout.replay, config->replay_entries);
    endpoints_init(&cache->endpoints, bytes + layout.endpoints,
                   config->endpoint_max, config->address_max, config->md5_max);
    secret_init(&cache->secret);
    pause_init(&cache->pause);
    syncache_tunables_default(&cache->tunables);
    cache->wscale = engine_wscale_of(cache->tunables.maxsockbuf);
    cache->wscale_before = SYNCACHE_WSCALE_NONE;
    cache->ts_base = config->ts_base;
    derive_subkey(seed, "hash", cache->hash_key);
    derive_subkey(seed, "iss ", cache->iss_key);
    derive_subkey(seed, "ts  ", cache->ts_key);
    derive_subkey(seed, "seen", cache->replay_key);
    derive_subkey(seed, "tfo ", cache->fastopen_key);
    quick_init(cache);
    return cache;
}

void
syncache_set_key(struct syncache *cache, uint64_t epoch,
                 const uint8_t key[SYNCACHE_KEY_BYTES])
{
    secret_set_key(&cache->secret, epoch, key);
    cache->keys_ms = 0;
    cache->settled = false;
}

void
syncache_set_epoch(struct syncache *cache, uint64_t epoch, uint64_t start_ms)
{
    cache->epoch_told = true;
    secret_set_epoch(&cache->secret, epoch, start_ms);
    cache->keys_ms = 0;
    cache->settled = false;
}

uint64_t
syncache_epoch(struct syncache *cache, uint64_t now_ms, uint64_t *next_ms)
{
    engine_tell(cache, now_ms);
    cache->settled = false;
    *next_ms =
        secret_next_ms(&cache->secret, cache->tunables.cookie_lifetime_ms);
    return cache->secret.epoch;
}

bool
syncache_key_due(struct syncache *cache, uint64_t now_ms, uint64_t *epoch)
{
    uint64_t next_ms;

    *epoch = syncache_epoch(cache, now_ms, &next_ms);
    return !secret_keyed(&cache->secret);
}

void
syncache_set_ts_key(struct syncache *cache,
                    const uint8_t key[SYNCACHE_KEY_BYTES])
{
    memcpy(cache->ts_key, key, SYNCACHE_KEY_BYTES);
}

void
syncache_set_ts_base(struct syncache *cache, uint32_t ts_base)
{
    if (ts_base == cache->ts_base)
        return;
    cache->ts_base_before = cache->ts_base;
    cache->ts_base = ts_base;
    cache->ts_changed_ms = cache->started ? cache->now_ms : 0;
    cache->settled = false;
}

void
syncache_rehash(struct syncache *cache, const uint8_t seed[SYNCACHE_KEY_BYTES])
{
    struct table_ref ref;

    for (uint32_t bucket = 0; bucket < cache->config.hashsize; bucket++) {
        while ((ref = table_oldest(&cache->table, bucket)).entry != NULL) {
            cache->stats.purged++;
            engine_remove_unanswered(cache, ref);
        }
    }
    assert(cache->table.count == 0);
    derive_subkey(seed, "hash", cache->hash_key);
    known_unchain(&cache->known);
    for (uint32_t number = 0; number < cache->known.unused; number++) {
        struct known_node *node = &cache->known.nodes[number];

        if (node->state != KNOWN_FREE)
            known_chain(&cache->known, engine_hash(cache, &node->tuple), node);
    }
}

bool
syncache_listen(struct syncache *cache,
                const struct syncache_endpoint *endpoint, uint32_t *number)
{
    if (!endpoints_listen(&cache->endpoints, endpoint, number))
        return false;
    cache->endpoints.slots[*number].succeeded_ms = cache->now_ms;
    quick_forget(cache);
    return true;
}

void
syncache_unlisten(struct syncache *cache, uint32_t number)
{
    if (number >= cache->config.endpoint_max)
        return;
    endpoints_unlisten(&cache->endpoints, number);
    quick_forget(cache);
}

bool
syncache_md5_key(struct syncache *cache, uint32_t number, uint8_t family,
                 const uint8_t faddr[16], const uint8_t *key, size_t key_size)
{
    quick_forget(cache);
    return endpoints_md5_key(&cache->endpoints, number, family, faddr, key,
                             key_size);
}

bool
syncache_address(struct syncache *cache, uint8_t family,
                 const uint8_t laddr[16])
{
    return endpoints_address(&cache->endpoints, family, laddr);
}

static void
api_list(const struct syncache *cache, struct table_ref ref,
         struct syncache_half_open *out)
{
    const struct table_entry *entry = ref.entry;
    uint32_t ecn = (entry->flags & ENTRY_ECN_MASK) >> ENTRY_ECN_SHIFT;

    memset(out, 0, sizeof(*out));
    engine_entry_tuple(entry, &out->tuple);
    out->iss = entry->iss;
    out->irs = entry->irs;
    out->endpoint = entry->endpoint;
    out->age_ms = table_age_ms(entry, cache->now_ms);
    out->deadline_ms = table_deadline_ms(&cache->table, ref, cache->now_ms);
    out->peer_mss = entry->peer_mss;
    out->snd_wscale = SYNCACHE_WSCALE_NONE;
    out->rcv_wscale = SYNCACHE_WSCALE_NONE;
    if (entry->flags & ENTRY_WINSCALE) {
        out->snd_wscale = entry->scales >> 4;
        out->rcv_wscale = entry->scales & 15;
    }
    out->sack_permitted = (entry->flags & ENTRY_SACK) != 0;
    out->timestamps = (entry->flags & ENTRY_TIMESTAMP) != 0;
    out->ecn = SYNCACHE_ECN_NONE;
    if (ecn != 0)
        out->ecn = ecn == 1 ? SYNCACHE_ECN_CLASSIC : SYNCACHE_ECN_ACCURATE;
    out->rxmits = entry->rxmits;
}

uint32_t
syncache_walk_some(struct syncache *cache, uint64_t *cursor, uint32_t look_max,
                   struct syncache_half_open *out, uint32_t out_max)
{
    uint64_t bucket = *cursor >> API_RANK_BITS;
    uint32_t rank = *cursor & ((1u << API_RANK_BITS) - 1);
    uint32_t written = 0;

    for (; bucket < cache->config.hashsize && look_max > 0;
         bucket++, rank = 0, look_max--) {
        uint32_t count = table_bucket_count(&cache->table, (uint32_t)bucket);

        for (; rank < count && written < out_max; rank++)
            api_list(cache,
                     table_by_rank(&cache->table, (uint32_t)bucket, rank),
                     &out[written++]);
        if (rank < count)
            break;
    }
    *cursor = bucket < cache->config.hashsize ? bucket << API_RANK_BITS | rank
                                              : SYNCACHE_NEVER;
    return written;
}

uint32_t
syncache_walk(struct syncache *cache, uint64_t *cursor,
              struct syncache_half_open *out, uint32_t out_max)
{
    return syncache_walk_some(cache, cursor, UINT32_MAX, out, out_max);
}

uint32_t
syncache_count(const struct syncache *cache)
{
    return cache->table.count;
}

bool
syncache_paused(const struct syncache *cache)
{
    return cache->pause.paused;
}

enum syncache_isa
syncache_isa(const struct syncache *cache)
{
    return (enum syncache_isa)cache->table.isa;
}

const struct syncache_stats *
syncache_statistics(const struct syncache *cache)
{
    return &cache->stats;
}

uint32_t
syncache_entry_millibytes(const struct syncache_config *config)
{
    uint64_t capacity = (uint64_t)config->hashsize * config->bucketlimit;
    struct api_layout layout;
    uint64_t millibytes;

    if (!api_config_valid(config) || !api_layout(config, &layout))
        return 0;
    if (config->cachelimit < capacity)
        capacity = config->cachelimit;
    millibytes = table_bytes(config->hashsize, config->bucketlimit) *
                 UINT64_C(1000) / capacity;
    return millibytes < UINT32_MAX ? (uint32_t)millibytes : UINT32_MAX;
}

/*
 * Sizes and settings for hosts: the largest engine for a given piece of memory,
 * and the tunables of a stack to which sending is dear.
 *
 * Not here: what a field means (syncache.h), Python's presets of the same names
 * (syncache/presets).
 */
#include "../syncache_host.h"

#include <assert.h>
#include <string.h>

#define PRESET_ENDPOINTS 4u
#define PRESET_ENDPOINTS_SHARE 4096u /* bytes for each further one */
#define PRESET_ENDPOINTS_MAX 256u
#define PRESET_REPLAY_SHARE 128u /* bytes for each handshake remembered */
#define PRESET_BUCKET_MAX 62u    /* two cache lines of tags */
#define PRESET_REXMIT_RATE 50u

/* The largest bucket that fits with so many of them; 0 if none does. */
static uint32_t
preset_bucket(struct syncache_config config, size_t bytes)
{
    for (uint32_t limit = PRESET_BUCKET_MAX; limit > 0; limit--) {
        config.bucketlimit = limit;
        size_t size = syncache_size(&config);
        if (size != 0 && size <= bytes)
            return limit;
    }
    return 0;
}

bool
syncache_config_fit(struct syncache_config *config, size_t bytes)
{
    assert(config != NULL);
    size_t endpoints = bytes / PRESET_ENDPOINTS_SHARE;
    size_t replay = bytes / PRESET_REPLAY_SHARE;
    uint32_t entries = 0;

    memset(config, 0, sizeof *config);
    config->struct_size = sizeof *config;
    config->cachelimit = 1;
    config->endpoint_max = PRESET_ENDPOINTS;
    if (endpoints > PRESET_ENDPOINTS)
        config->endpoint_max = endpoints < PRESET_ENDPOINTS_MAX
                                   ? (uint32_t)endpoints
                                   : PRESET_ENDPOINTS_MAX;
    config->replay_entries =
        replay < UINT32_MAX / 16 ? (uint32_t)replay : UINT32_MAX / 16;
    config->ts_hz = 1000;
    config->ts_per_tuple = 1;
    struct syncache_config best = *config;
    for (uint32_t n = 1; n <= SYNCACHE_HASHSIZE_MAX; n *= 2) {
        config->hashsize = n;
        uint32_t limit = preset_bucket(*config, bytes);
        if (limit == 0)
            break;
        if (n * limit < entries)
            continue;
        entries = n * limit;
        best.hashsize = n;
        best.bucketlimit = limit;
        best.cachelimit = entries;
    }
    *config = best;
    return entries > 0;
}

void
syncache_tunables_host(struct syncache_tunables *tunables)
{
    syncache_tunables_default(tunables);
    tunables->rexmit_rate = PRESET_REXMIT_RATE;
}

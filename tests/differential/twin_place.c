/* Endpoints, addresses, RFC 2385 keys, and the list of entries. */
#include "twin.h"

#include <string.h>

static const uint8_t nowhere[16];

bool
twin_same(const struct syncache_tuple *a, const struct syncache_tuple *b)
{
    return a->family == b->family && a->fport == b->fport &&
           a->lport == b->lport && memcmp(a->faddr, b->faddr, 16) == 0 &&
           memcmp(a->laddr, b->laddr, 16) == 0;
}

struct twin_entry *
twin_find(struct twin *twin, const struct syncache_tuple *tuple)
{
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin_same(&twin->entries[i].tuple, tuple))
            return &twin->entries[i];
    return NULL;
}

struct twin_entry *
twin_oldest(struct twin *twin, uint32_t bucket)
{
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->entries[i].bucket == bucket)
            return &twin->entries[i];
    return NULL;
}

uint32_t
twin_bucket_count(const struct twin *twin, uint32_t bucket)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < twin->count; i++)
        count += twin->entries[i].bucket == bucket;
    return count;
}

uint32_t
twin_number(const struct twin *twin, const struct twin_endpoint *endpoint)
{
    return (uint32_t)(endpoint - twin->endpoints);
}

/* A closed endpoint that no entry names is free; its name is remembered. */
static void
release(struct twin *twin, uint32_t number)
{
    struct twin_endpoint *endpoint = &twin->endpoints[number];
    if (endpoint->open || !endpoint->used)
        return;
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->entries[i].endpoint == number)
            return;
    for (uint32_t i = 0; i < TWIN_MD5_MAX; i++)
        if (twin->md5[i].endpoint == number)
            twin->md5[i].used = false;
    endpoint->used = endpoint->succeeds = false;
    endpoint->pending = endpoint->abandoned = 0;
}

void
twin_remove(struct twin *twin, struct twin_entry *entry)
{
    uint32_t number = entry->endpoint;
    uint32_t at = (uint32_t)(entry - twin->entries);
    twin->count--;
    memmove(entry, entry + 1, (twin->count - at) * sizeof *entry);
    release(twin, number);
}

void
twin_stamp(struct twin *twin, struct twin_endpoint *endpoint)
{
    endpoint->stamped = true;
    endpoint->stamp = twin->now;
}

void
twin_remove_unanswered(struct twin *twin, struct twin_entry *entry)
{
    struct twin_endpoint *endpoint = &twin->endpoints[entry->endpoint];
    struct twin_endpoint *heir = twin_listener(twin, &entry->tuple);
    /* Who is closed remembers, for when he opens again. */
    if (!endpoint->open && heir != NULL)
        endpoint = heir;
    twin_stamp(twin, endpoint);
    twin_remove(twin, entry);
}

/* Deadlines are rounded up to 4 ms, and at most 64 s away. */
void
twin_arm(const struct twin *twin, struct twin_entry *entry, uint64_t wait)
{
    if (wait > SYNCACHE_REXMIT_MAX_MS)
        wait = SYNCACHE_REXMIT_MAX_MS;
    entry->deadline = (twin->now + wait + 3) / 4 * 4;
}

static bool
overlap(uint8_t a, uint8_t b)
{
    return a == b || a == 0 || b == 0;
}

struct twin_endpoint *
twin_listener(struct twin *twin, const struct syncache_tuple *tuple)
{
    const uint8_t *places[2] = {tuple->laddr, nowhere};
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < twin->config.endpoint_max; i++) {
            struct twin_endpoint *endpoint = &twin->endpoints[i];
            if (endpoint->open && endpoint->config.lport == tuple->lport &&
                overlap(endpoint->config.family, tuple->family) &&
                memcmp(endpoint->config.laddr, places[k], 16) == 0)
                return endpoint;
        }
    }
    return NULL;
}

bool
twin_ours(const struct twin *twin, const struct syncache_tuple *tuple)
{
    for (uint32_t i = 0; i < twin->config.endpoint_max; i++) {
        const struct syncache_endpoint *config = &twin->endpoints[i].config;
        bool any = memcmp(config->laddr, nowhere, 16) == 0;
        if (twin->endpoints[i].open && overlap(config->family, tuple->family) &&
            (any || memcmp(config->laddr, tuple->laddr, 16) == 0))
            return true;
    }
    for (uint32_t i = 0; i < twin->address_count; i++)
        if (twin->addresses[i].family == tuple->family &&
            memcmp(twin->addresses[i].laddr, tuple->laddr, 16) == 0)
            return true;
    return false;
}

bool
twin_address(struct twin *twin, uint8_t family, const uint8_t laddr[16])
{
    for (uint32_t i = 0; i < twin->address_count; i++)
        if (twin->addresses[i].family == family &&
            memcmp(twin->addresses[i].laddr, laddr, 16) == 0)
            return true;
    if (twin->address_count == twin->config.address_max)
        return false;
    struct syncache_tuple *row = &twin->addresses[twin->address_count++];
    row->family = family;
    memcpy(row->laddr, laddr, 16);
    return true;
}

static bool
same_place(const struct syncache_endpoint *a, const struct syncache_endpoint *b)
{
    return a->lport == b->lport && a->family == b->family &&
           memcmp(a->laddr, b->laddr, 16) == 0;
}

/*
 * The slot of a new endpoint: the closed one whose entries it inherits, else a
 * free one that remembers its place, else the first free one.
 */
static struct twin_endpoint *
slot_for(struct twin *twin, const struct syncache_endpoint *config)
{
    struct twin_endpoint *found = NULL;
    int best = 0;
    for (uint32_t i = 0; i < twin->config.endpoint_max; i++) {
        struct twin_endpoint *slot = &twin->endpoints[i];
        bool here = same_place(&slot->config, config);
        int rank = slot->open ? 0 : slot->used ? 3 * here : here ? 2 : 1;
        if (rank > best) {
            best = rank;
            found = slot;
        }
    }
    return found;
}

bool
twin_listen(struct twin *twin, const struct syncache_endpoint *config,
            uint32_t *number)
{
    for (uint32_t i = 0; i < twin->config.endpoint_max; i++) {
        const struct twin_endpoint *other = &twin->endpoints[i];
        if (other->open && other->config.lport == config->lport &&
            overlap(other->config.family, config->family) &&
            memcmp(other->config.laddr, config->laddr, 16) == 0)
            return false;
    }
    struct twin_endpoint *slot = slot_for(twin, config);
    if (slot == NULL)
        return false;
    *number = twin_number(twin, slot);
    slot->succeeds = same_place(&slot->config, config);
    if (!slot->succeeds) {
        memset(slot, 0, sizeof *slot);
    }
    slot->ws_before = slot->config.rcv_wscale;
    slot->succeeded = twin->now;
    slot->config = *config;
    slot->open = slot->used = true;
    for (uint32_t i = 0; i < TWIN_MD5_MAX; i++)
        if (twin->md5[i].endpoint == *number)
            twin->md5[i].used = false;
    return true;
}

void
twin_unlisten(struct twin *twin, uint32_t number)
{
    twin->endpoints[number].open = false;
    release(twin, number);
}

bool
twin_md5_key(struct twin *twin, uint32_t number, uint8_t family,
             const uint8_t faddr[16], const uint8_t *key, size_t size)
{
    struct twin_md5_key *row = NULL;
    if (!twin->endpoints[number].open || size == 0 ||
        size > SYNCACHE_MD5_KEY_MAX)
        return false;
    for (uint32_t i = twin->config.md5_max; i-- > 0;)
        if (!twin->md5[i].used)
            row = &twin->md5[i];
    for (uint32_t i = 0; i < twin->config.md5_max; i++) {
        struct twin_md5_key *other = &twin->md5[i];
        if (other->used && other->endpoint == number &&
            other->family == family && memcmp(other->faddr, faddr, 16) == 0)
            row = other;
    }
    if (row == NULL)
        return false;
    row->used = true;
    row->endpoint = number;
    row->family = family;
    memcpy(row->faddr, faddr, 16);
    memcpy(row->key, key, size);
    row->key_size = size;
    return true;
}

const struct twin_md5_key *
twin_key_of(const struct twin *twin, uint32_t endpoint,
            const struct syncache_tuple *tuple)
{
    for (uint32_t i = 0; i < TWIN_MD5_MAX; i++) {
        const struct twin_md5_key *key = &twin->md5[i];
        if (key->used && key->endpoint == endpoint &&
            key->family == tuple->family &&
            memcmp(key->faddr, tuple->faddr, 16) == 0)
            return key;
    }
    return NULL;
}

bool
twin_signed_well(const struct twin *twin, const struct twin_event *event)
{
    const struct twin_segment *segment = event->segment;
    const struct twin_md5_key *key =
        twin_key_of(twin, twin_number(twin, event->endpoint), &segment->tuple);
    uint8_t digest[16];
    if (key == NULL || !segment->options.md5)
        return false;
    twin_digest(&segment->tuple, true, segment->tcp, segment->tcp_size,
                key->key, key->key_size, digest);
    return memcmp(digest, segment->options.digest, 16) == 0;
}

/* Our window scale, and window, where an endpoint listens. */

uint8_t
twin_scale(const struct twin *twin, const struct twin_endpoint *endpoint)
{
    uint8_t scale = endpoint->config.rcv_wscale;
    return scale == SYNCACHE_WSCALE_NONE ? twin->ws : scale;
}

uint32_t
twin_window(const struct twin *twin, uint32_t endpoint)
{
    uint32_t window = twin->endpoints[endpoint].config.rcv_wnd;
    return window > 65535 ? 65535 : window;
}

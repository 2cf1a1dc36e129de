/*
 * Listening endpoints, local addresses and RFC 2385 keys.
 *
 * Endpoints are chained by a hash of address and port, so a lookup walks the
 * chain of the exact address, then that of the wildcard.  Addresses are a table
 * of their own, counted, so that "is it ours" does not depend on how many
 * endpoints there are.  Neither hash is keyed: only the operator chooses what
 * is in the chains.  MD5 keys are searched one by one, since a key belongs to a
 * peer that was configured; an endpoint without keys is not searched.
 */
#include "endpoint.h"

#include <assert.h>
#include <string.h>

#define ENDPOINT_LINE 64

static const uint8_t endpoint_any[16] = {0};

static size_t
endpoint_round(size_t bytes)
{
    return (bytes + ENDPOINT_LINE - 1) & ~(size_t)(ENDPOINT_LINE - 1);
}

static bool
endpoint_same_address(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, sizeof endpoint_any) == 0;
}

static bool
endpoint_is_wildcard(const struct syncache_endpoint *config)
{
    return endpoint_same_address(config->laddr, endpoint_any);
}

static uint32_t
endpoint_hash(const uint8_t laddr[static 16], uint16_t lport)
{
    uint32_t hash = (uint32_t)lport ^ (uint32_t)lport >> 8;
    for (size_t i = 0; i < 16; i++)
        hash ^= laddr[i];
    return hash & (ENDPOINT_HEADS - 1);
}

static struct endpoint *
endpoint_at(const struct endpoints *endpoints, uint32_t link)
{
    assert(link <= endpoints->slot_max);
    return link == 0 ? NULL : &endpoints->slots[link - 1];
}

/* Do two families have one in common, where 0 is both? */
static bool
endpoint_overlap(uint8_t a, uint8_t b)
{
    return a == b || a == 0 || b == 0;
}

size_t
endpoints_bytes(uint32_t endpoint_max, uint32_t address_max, uint32_t md5_max)
{
    size_t rows = (size_t)endpoint_max + address_max;
    return endpoint_round(endpoint_max * sizeof(struct endpoint)) +
           endpoint_round(rows * sizeof(struct endpoint_address)) +
           endpoint_round(md5_max * sizeof(struct endpoint_md5_key));
}

void
endpoints_init(struct endpoints *endpoints, void *memory, uint32_t endpoint_max,
               uint32_t address_max, uint32_t md5_max)
{
    assert(endpoints != NULL);
    assert((uintptr_t)memory % ENDPOINT_LINE == 0);
    memset(endpoints, 0, sizeof *endpoints);
    memset(memory, 0, endpoints_bytes(endpoint_max, address_max, md5_max));
    uint8_t *bytes = memory;
    endpoints->slot_max = endpoint_max;
    endpoints->address_max = address_max;
    endpoints->row_max = endpoint_max + address_max;
    endpoints->md5_max = md5_max;
    endpoints->slots = (void *)bytes;
    bytes += endpoint_round(endpoint_max * sizeof(struct endpoint));
    endpoints->addresses = (void *)bytes;
    bytes +=
        endpoint_round(endpoints->row_max * sizeof(struct endpoint_address));
    endpoints->md5 = (void *)bytes;
}

static bool
endpoint_options_valid(uint8_t options)
{
    return options <= SYNCACHE_OPTIONS_ALL ||
           ((options & SYNCACHE_OPTION_MSS) != 0 &&
            (options & ~ENDPOINT_OPTIONS) == 0);
}

bool
endpoints_valid(const struct syncache_endpoint *config)
{
    bool wildcard = endpoint_is_wildcard(config);
    bool scale =
        config->rcv_wscale <= 14 || config->rcv_wscale == SYNCACHE_WSCALE_NONE;
    switch (config->family) {
    case 0:
        if (!wildcard)
            return false;
        break;
    case 4:
        if (memcmp(config->laddr + 4, endpoint_any, 12) != 0)
            return false;
        break;
    case 6:
        break;
    default:
        return false;
    }
    return config->lport != 0 && config->hop_limit != 0 && scale &&
           endpoint_options_valid(config->options);
}

static struct endpoint_address *
endpoint_address_find(const struct endpoints *endpoints, uint8_t family,
                      const uint8_t laddr[static 16])
{
    uint32_t link = endpoints->address_heads[endpoint_hash(laddr, 0)];
    while (link != 0) {
        struct endpoint_address *row = &endpoints->addresses[link - 1];
        if (row->family == family && endpoint_same_address(row->laddr, laddr))
            return row;
        link = row->hash_next;
    }
    return NULL;
}

/* The row of an address, made if it is not there; there is always room. */
static struct endpoint_address *
endpoint_address_row(struct endpoints *endpoints, uint8_t family,
                     const uint8_t laddr[static 16])
{
    struct endpoint_address *row =
        endpoint_address_find(endpoints, family, laddr);
    if (row != NULL)
        return row;
    uint32_t number = 0;
    while (endpoints->addresses[number].family != 0) {
        number++;
        assert(number < endpoints->row_max);
    }
    uint32_t *head = &endpoints->address_heads[endpoint_hash(laddr, 0)];
    row = &endpoints->addresses[number];
    *row = (struct endpoint_address){.family = family, .hash_next = *head};
    memcpy(row->laddr, laddr, sizeof row->laddr);
    *head = number + 1;
    return row;
}

/* Frees a row that nobody names any more. */
static void
endpoint_address_release(struct endpoints *endpoints,
                         struct endpoint_address *row)
{
    if (row->endpoint_count > 0 || row->added)
        return;
    uint32_t wanted = (uint32_t)(row - endpoints->addresses) + 1;
    uint32_t *link = &endpoints->address_heads[endpoint_hash(row->laddr, 0)];
    while (*link != wanted) {
        assert(*link != 0);
        link = &endpoints->addresses[*link - 1].hash_next;
    }
    *link = row->hash_next;
    row->family = 0;
}

/* Counts an endpoint that opens (by 1) or closes (by -1). */
static void
endpoint_count_open(struct endpoints *endpoints,
                    const struct syncache_endpoint *config, int by)
{
    endpoints->open_count += (uint32_t)by;
    if (!endpoint_is_wildcard(config)) {
        struct endpoint_address *row =
            endpoint_address_row(endpoints, config->family, config->laddr);
        row->endpoint_count += (uint32_t)by;
        endpoint_address_release(endpoints, row);
        return;
    }
    if (config->family != 6)
        endpoints->wildcard_v4 += (uint32_t)by;
    if (config->family != 4)
        endpoints->wildcard_v6 += (uint32_t)by;
}

static void
endpoint_drop_md5_keys(struct endpoints *endpoints, uint32_t slot)
{
    for (uint32_t i = 0; i < endpoints->md5_max; i++) {
        struct endpoint_md5_key *key = &endpoints->md5[i];
        if (key->used && key->endpoint == slot)
            memset(key, 0, sizeof *key);
    }
    endpoints->slots[slot].md5_count = 0;
}

/* Takes a slot out of its chain; nothing names it, but it is remembered. */
static void
endpoint_free(struct endpoints *endpoints, struct endpoint *endpoint)
{
    assert(!endpoint->open && endpoint->entries == 0);
    uint32_t slot = endpoints_slot(endpoints, endpoint);
    uint32_t hash =
        endpoint_hash(endpoint->config.laddr, endpoint->config.lport);
    uint32_t *link = &endpoints->heads[hash];
    while (*link != slot + 1) {
        assert(*link != 0);
        link = &endpoint_at(endpoints, *link)->hash_next;
    }
    *link = endpoint->hash_next;
    endpoint_drop_md5_keys(endpoints, slot);
    *endpoint = (struct endpoint){
        .config = endpoint->config,
        .gate_ms = endpoint->gate_ms,
        .gate_stamped = endpoint->gate_stamped,
    };
}

static bool
endpoint_same_place(const struct syncache_endpoint *a,
                    const struct syncache_endpoint *b)
{
    return a->lport == b->lport && a->family == b->family &&
           endpoint_same_address(a->laddr, b->laddr);
}

/* Takes an unused slot into the chain, or returns NULL. */
static struct endpoint *
endpoint_take(struct endpoints *endpoints,
              const struct syncache_endpoint *config)
{
    struct endpoint *endpoint = NULL;
    for (uint32_t slot = 0; slot < endpoints->slot_max; slot++) {
        struct endpoint *other = &endpoints->slots[slot];
        if (other->used)
            continue;
        bool before = endpoint_same_place(&other->config, config);
        if (endpoint == NULL || before)
            endpoint = other;
        if (before)
            break;
    }
    if (endpoint == NULL)
        return NULL;
    if (!endpoint_same_place(&endpoint->config, config))
        *endpoint = (struct endpoint){.used = false};
    uint32_t *head =
        &endpoints->heads[endpoint_hash(config->laddr, config->lport)];
    endpoint->used = true;
    endpoint->hash_next = *head;
    *head = endpoints_slot(endpoints, endpoint) + 1;
    return endpoint;
}

bool
endpoints_listen(struct endpoints *endpoints,
                 const struct syncache_endpoint *config, uint32_t *slot)
{
    if (!endpoints_valid(config))
        return false;
    uint32_t link =
        endpoints->heads[endpoint_hash(config->laddr, config->lport)];
    struct endpoint *closed = NULL;
    for (struct endpoint *other = endpoint_at(endpoints, link); other != NULL;
         other = endpoint_at(endpoints, other->hash_next)) {
        if (other->config.lport != config->lport ||
            !endpoint_same_address(other->config.laddr, config->laddr) ||
            !endpoint_overlap(other->config.family, config->family))
            continue;
        if (other->open)
            return false;
        if (other->config.family == config->family)
            closed = other;
    }
    /* Entries of a closed endpoint pass on to its successor; keys do not. */
    struct endpoint *endpoint =
        closed != NULL ? closed : endpoint_take(endpoints, config);
    if (endpoint == NULL)
        return false;
    *slot = endpoints_slot(endpoints, endpoint);
    endpoint_drop_md5_keys(endpoints, *slot);
    endpoint->succeeds = endpoint_same_place(&endpoint->config, config);
    endpoint->wscale_before = endpoint->config.rcv_wscale;
    endpoint->config = *config;
    endpoint->open = true;
    endpoint_count_open(endpoints, config, 1);
    return true;
}

void
endpoints_unlisten(struct endpoints *endpoints, uint32_t slot)
{
    assert(slot < endpoints->slot_max);
    struct endpoint *endpoint = &endpoints->slots[slot];
    if (!endpoint->open)
        return;
    endpoint->open = false;
    endpoint_count_open(endpoints, &endpoint->config, -1);
    if (endpoint->entries == 0)
        endpoint_free(endpoints, endpoint);
}

bool
endpoints_address(struct endpoints *endpoints, uint8_t family,
                  const uint8_t laddr[static 16])
{
    if (family != 4 && family != 6)
        return false;
    struct endpoint_address *row =
        endpoint_address_find(endpoints, family, laddr);
    if (row != NULL && row->added)
        return true;
    if (endpoints->address_count == endpoints->address_max)
        return false;
    endpoint_address_row(endpoints, family, laddr)->added = true;
    endpoints->address_count++;
    return true;
}

static struct endpoint_md5_key *
endpoint_md5_search(const struct endpoints *endpoints, uint32_t slot,
                    uint8_t family, const uint8_t faddr[static 16])
{
    if (endpoints->slots[slot].md5_count == 0)
        return NULL;
    for (uint32_t i = 0; i < endpoints->md5_max; i++) {
        struct endpoint_md5_key *key = &endpoints->md5[i];
        if (key->used && key->endpoint == slot && key->family == family &&
            endpoint_same_address(key->faddr, faddr))
            return key;
    }
    return NULL;
}

bool
endpoints_md5_key(struct endpoints *endpoints, uint32_t slot, uint8_t family,
                  const uint8_t faddr[static 16], const uint8_t *key,
                  size_t key_size)
{
    if (slot >= endpoints->slot_max || !endpoints->slots[slot].open ||
        key_size == 0 || key_size > SYNCACHE_MD5_KEY_MAX ||
        (family != 4 && family != 6))
        return false;
    struct endpoint_md5_key *row =
        endpoint_md5_search(endpoints, slot, family, faddr);
    if (row == NULL) {
        uint32_t i = 0;
        while (i < endpoints->md5_max && endpoints->md5[i].used)
            i++;
        if (i == endpoints->md5_max)
            return false;
        row = &endpoints->md5[i];
        endpoints->slots[slot].md5_count++;
    }
    *row = (struct endpoint_md5_key){
        .key_size = (uint8_t)key_size,
        .family = family,
        .endpoint = (uint16_t)slot,
        .used = true,
    };
    memcpy(row->faddr, faddr, sizeof row->faddr);
    memcpy(row->key, key, key_size);
    return true;
}

static bool
endpoint_takes(const struct endpoint *endpoint, const uint8_t laddr[static 16],
               uint16_t lport, uint8_t family)
{
    return endpoint->open && endpoint->config.lport == lport &&
           endpoint_overlap(endpoint->config.family, family) &&
           endpoint_same_address(endpoint->config.laddr, laddr);
}

/* The open endpoint on exactly this address that takes this family. */
static struct endpoint *
endpoint_find_at(const struct endpoints *endpoints,
                 const uint8_t laddr[static 16], uint16_t lport, uint8_t family)
{
    uint32_t link = endpoints->heads[endpoint_hash(laddr, lport)];
    struct endpoint *endpoint = endpoint_at(endpoints, link);
    while (endpoint != NULL && !endpoint_takes(endpoint, laddr, lport, family))
        endpoint = endpoint_at(endpoints, endpoint->hash_next);
    return endpoint;
}

struct endpoint *
endpoints_find(const struct endpoints *endpoints,
               const struct syncache_tuple *tuple)
{
    struct endpoint *exact =
        endpoint_find_at(endpoints, tuple->laddr, tuple->lport, tuple->family);
    if (exact != NULL)
        return exact;
    return endpoint_find_at(endpoints, endpoint_any, tuple->lport,
                            tuple->family);
}

bool
endpoints_ours(const struct endpoints *endpoints, uint8_t family,
               const uint8_t laddr[static 16])
{
    uint32_t wildcards =
        family == 4 ? endpoints->wildcard_v4 : endpoints->wildcard_v6;
    return wildcards > 0 ||
           endpoint_address_find(endpoints, family, laddr) != NULL;
}

const struct endpoint_md5_key *
endpoints_md5_find(const struct endpoints *endpoints, uint32_t slot,
                   const struct syncache_tuple *tuple)
{
    assert(slot < endpoints->slot_max);
    return endpoint_md5_search(endpoints, slot, tuple->family, tuple->faddr);
}

void
endpoints_entry_added(struct endpoints *endpoints, uint32_t slot)
{
    assert(slot < endpoints->slot_max && endpoints->slots[slot].used);
    endpoints->slots[slot].entries++;
}

void
endpoints_entry_removed(struct endpoints *endpoints, uint32_t slot)
{
    assert(slot < endpoints->slot_max);
    struct endpoint *endpoint = &endpoints->slots[slot];
    assert(endpoint->used && endpoint->entries > 0);
    endpoint->entries--;
    if (endpoint->entries == 0 && !endpoint->open)
        endpoint_free(endpoints, endpoint);
}

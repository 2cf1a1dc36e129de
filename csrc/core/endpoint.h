/*
 * Listening endpoints and local addresses.  An exact address wins over the wildcard.  A closed endpoint's slot is
 * kept while entries name it, since their retransmissions still need its hop limit, window and MSS.  Even then the
 * slot remembers it until another endpoint takes the slot, so that one which is closed and opened again still knows
 * earlier cookies: their gate and their window scale.
 */
#ifndef SYNCACHE_CORE_ENDPOINT_H
#define SYNCACHE_CORE_ENDPOINT_H

#include "../syncache.h"

#include <assert.h>

/* Every option that a stack can have. */
#define ENDPOINT_OPTIONS \
    (SYNCACHE_OPTION_MSS | SYNCACHE_OPTION_SCALE | SYNCACHE_OPTION_SACK | SYNCACHE_OPTION_TIMESTAMPS)

struct endpoint {
    struct syncache_endpoint config;
    uint64_t gate_ms;                 /* last time it evicted, purged or answered without storing; see gate_open */
    uint64_t fastopen_pending;        /* TFO requests, abandoned ones included */
    uint64_t fastopen_abandoned;      /* of them, whose connection is gone */
    uint64_t fastopen_abandoned_ms;   /* when the last one went */
    uint32_t entries;                 /* half-open entries that name it */
    uint32_t hash_next;               /* slot + 1 of the next endpoint with this port's hash; 0: end */
    bool open;
    bool used;
    bool gate_stamped;                /* false: never */
    bool succeeds;                    /* it has taken the place of one of the same address and port */
    uint32_t md5_count;               /* RFC 2385 keys */
    uint64_t succeeded_ms;            /* when; the caller of endpoints_listen() sets it */
    uint8_t wscale_before;            /* rcv_wscale of that one */
    uint8_t reserved[7];
};

struct endpoint_address {
    uint8_t laddr[16];
    uint32_t endpoint_count;          /* open endpoints on it */
    uint32_t hash_next;               /* number + 1 of the next address with this hash; 0: end */
    uint8_t family;                   /* 0: the row is free */
    bool added;                       /* by endpoints_address(), stays */
    uint8_t reserved[6];
};

struct endpoint_md5_key {
    uint8_t faddr[16];
    uint8_t key[SYNCACHE_MD5_KEY_MAX];
    uint8_t key_size;
    uint8_t family;
    uint16_t endpoint;
    bool used;
    uint8_t reserved[3];
};

#ifdef SYNCACHE_SMALL
#define ENDPOINT_HEADS 8
#else
#define ENDPOINT_HEADS 256            /* hashes have 8 bits */
#endif

struct endpoints {
    struct endpoint *slots;
    struct endpoint_address *addresses;
    struct endpoint_md5_key *md5;
    uint32_t heads[ENDPOINT_HEADS];   /* slot + 1, by address and port */
    uint32_t address_heads[ENDPOINT_HEADS]; /* row + 1, by address */
    uint32_t slot_max, address_max, md5_max;
    uint32_t row_max;                 /* of addresses: slot_max + address_max */
    uint32_t open_count, address_count;
    uint32_t wildcard_v4, wildcard_v6; /* open endpoints on any address */
};

size_t endpoints_bytes(uint32_t endpoint_max, uint32_t address_max, uint32_t md5_max);
void endpoints_init(struct endpoints *endpoints, void *memory, uint32_t endpoint_max, uint32_t address_max,
                    uint32_t md5_max);
bool endpoints_valid(const struct syncache_endpoint *config);
bool endpoints_listen(struct endpoints *endpoints, const struct syncache_endpoint *config, uint32_t *slot);
void endpoints_unlisten(struct endpoints *endpoints, uint32_t slot);
bool endpoints_address(struct endpoints *endpoints, uint8_t family, const uint8_t laddr[static 16]);
bool endpoints_md5_key(struct endpoints *endpoints, uint32_t slot, uint8_t family, const uint8_t faddr[static 16],
                       const uint8_t *key, size_t key_size);

/* Can the stack behind this endpoint do an option? */
static inline bool
endpoint_can(const struct endpoint *endpoint, enum syncache_options option)
{
    uint32_t options = endpoint->config.options;
    return options == SYNCACHE_OPTIONS_ALL || (options & (uint32_t)option) != 0;
}

/* The open endpoint for a tuple's local side, or NULL. */
struct endpoint *endpoints_find(const struct endpoints *endpoints, const struct syncache_tuple *tuple);
static inline uint32_t
endpoints_slot(const struct endpoints *endpoints, const struct endpoint *endpoint)
{
    assert(endpoint >= endpoints->slots);
    assert(endpoint < endpoints->slots + endpoints->slot_max);
    return (uint32_t)(endpoint - endpoints->slots);
}

/* Is this local address one of ours: of an open endpoint, covered by a wildcard, or added. */
bool endpoints_ours(const struct endpoints *endpoints, uint8_t family, const uint8_t laddr[static 16]);
const struct endpoint_md5_key *endpoints_md5_find(const struct endpoints *endpoints, uint32_t slot,
                                                  const struct syncache_tuple *tuple);
/* Counts entries in and out; frees a closed endpoint's slot with its last entry. */
void endpoints_entry_added(struct endpoints *endpoints, uint32_t slot);
void endpoints_entry_removed(struct endpoints *endpoints, uint32_t slot);

#endif

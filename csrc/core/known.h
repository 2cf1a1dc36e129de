/*
 * The table of known tuples: established connections and offered handshakes, exact, of fixed size.
 * Chained hash over a node pool, so nothing is ever lost; a FIFO of offers, oldest first.
 */
#ifndef SYNCACHE_CORE_KNOWN_H
#define SYNCACHE_CORE_KNOWN_H

#include "../syncache.h"
#include "guard.h"

enum known_state {
    KNOWN_FREE,
    KNOWN_OFFERED,                    /* in the FIFO of offers */
    KNOWN_ESTABLISHED,
    KNOWN_RST_OWED                    /* refused with rst_on_sock_fail: poll sends a RST and frees it; in a FIFO */
};

/* KNOWN_OFFERED: hashes that the end of the offer needs again, in halves. */
struct known_offer {
    uint32_t hash[2];                 /* of the tuple */
    uint32_t fingerprint[2];          /* of the handshake, made from a cookie */
};

struct known_node {
    struct syncache_tuple tuple;
    uint32_t iss;
    uint32_t irs;
    uint64_t handle;
    uint64_t offered_ms;
    uint32_t hash_next;               /* node number + 1; 0: end */
    uint32_t fifo_prev;
    uint32_t fifo_next;
    uint16_t endpoint;
    uint8_t state;                    /* enum known_state */
    uint8_t via;                      /* enum syncache_via */
    uint8_t pending;                  /* a TFO request that counts as pending on its endpoint */
    uint8_t reserved[3];
    union {
        struct guard guard;           /* KNOWN_ESTABLISHED */
        struct known_offer offer;     /* KNOWN_OFFERED */
    };
};

struct known {
    uint32_t *heads;                  /* a power of two of them, at least nodes_max */
    struct known_node *nodes;
    uint32_t heads_mask;
    uint32_t nodes_max;
    uint32_t count;
    uint32_t free_head;               /* node number + 1 */
    uint32_t unused;                  /* nodes never handed out start here: memory is touched only when needed */
    uint32_t offers_head, offers_tail;
    uint32_t owed_head, owed_tail;
};

size_t known_bytes(uint32_t nodes_max);
void known_init(struct known *known, void *memory, uint32_t nodes_max);
struct known_node *known_find(const struct known *known, uint64_t hash, const struct syncache_tuple *tuple);

/* Adds a tuple in a state; the caller knows that it is not there.  Returns NULL if the table is full. */
struct known_node *known_add(struct known *known, uint64_t hash, const struct syncache_tuple *tuple,
                             enum known_state state, uint64_t now_ms);
/* Moves a node to another state and into or out of the FIFOs. */
void known_set_state(struct known *known, struct known_node *node, enum known_state state);
void known_remove(struct known *known, uint64_t hash, struct known_node *node);

/* A node's place, 1 or more, for who finds the offer again without a hash. */
uint32_t known_place(const struct known *known, const struct known_node *node);
/* The offer of a tuple at a place, whatever number that is; NULL: it is not there. */
struct known_node *known_offer_at(const struct known *known, uint32_t place, const struct syncache_tuple *tuple);

static inline uint64_t
known_join(const uint32_t half[static 2])
{
    return (uint64_t)half[1] << 32 | half[0];
}

static inline void
known_halve(uint64_t hash, uint32_t half[static 2])
{
    half[0] = (uint32_t)hash;
    half[1] = (uint32_t)(hash >> 32);
}

/* For a new hash: empties all chains, then each node that is not free has to be put into its new one. */
void known_unchain(struct known *known);
void known_chain(struct known *known, uint64_t hash, struct known_node *node);

struct known_node *known_oldest_offer(const struct known *known);
struct known_node *known_oldest_owed(const struct known *known);

#endif

/*
 * The table of known tuples: a chained hash over a pool of nodes.
 *
 * Nodes are handed out from the pool's start on and come back through a free
 * list, so that a large table costs memory only as it fills.  Links are node
 * numbers plus 1, so that zeroed memory is an empty chain.  Two FIFOs share the
 * links of a node, since a node is offered or owes a RST, never both.
 */
#include "known.h"

#include <assert.h>
#include <string.h>

#define KNOWN_LINE 64

_Static_assert(sizeof(struct known_node) == 128, "no hidden padding");
_Static_assert(offsetof(struct syncache_tuple, reserved) == 37,
               "a tuple's key is what comes before reserved");

/* A FIFO's two ends. */
struct known_fifo {
    uint32_t *head;
    uint32_t *tail;
};

static uint32_t
known_heads_count(uint32_t nodes_max)
{
    uint32_t count = 1;
    while (count < nodes_max && count < UINT32_C(1) << 31)
        count <<= 1;
    return count;
}

static size_t
known_round(size_t bytes)
{
    return (bytes + KNOWN_LINE - 1) & ~(size_t)(KNOWN_LINE - 1);
}

static size_t
known_heads_bytes(uint32_t nodes_max)
{
    return known_round(known_heads_count(nodes_max) * sizeof(uint32_t));
}

static struct known_node *
known_node_at(const struct known *known, uint32_t link)
{
    assert(link <= known->nodes_max);
    return link == 0 ? NULL : &known->nodes[link - 1];
}

static uint32_t
known_link(const struct known *known, const struct known_node *node)
{
    assert(node >= known->nodes && node < known->nodes + known->nodes_max);
    return (uint32_t)(node - known->nodes) + 1;
}

/* The FIFO of a state, or one without ends. */
static struct known_fifo
known_fifo_of(struct known *known, uint8_t state)
{
    if (state == KNOWN_OFFERED)
        return (struct known_fifo){&known->offers_head, &known->offers_tail};
    if (state == KNOWN_RST_OWED)
        return (struct known_fifo){&known->owed_head, &known->owed_tail};
    return (struct known_fifo){NULL, NULL};
}

static void
known_fifo_append(struct known *known, struct known_node *node)
{
    struct known_fifo fifo = known_fifo_of(known, node->state);
    if (fifo.head == NULL)
        return;
    uint32_t link = known_link(known, node);
    struct known_node *last = known_node_at(known, *fifo.tail);
    node->fifo_prev = *fifo.tail;
    node->fifo_next = 0;
    *(last == NULL ? fifo.head : &last->fifo_next) = link;
    *fifo.tail = link;
}

static void
known_fifo_unlink(struct known *known, struct known_node *node)
{
    struct known_fifo fifo = known_fifo_of(known, node->state);
    if (fifo.head == NULL)
        return;
    struct known_node *prev = known_node_at(known, node->fifo_prev);
    struct known_node *next = known_node_at(known, node->fifo_next);
    *(prev == NULL ? fifo.head : &prev->fifo_next) = node->fifo_next;
    *(next == NULL ? fifo.tail : &next->fifo_prev) = node->fifo_prev;
}

static bool
known_is_of(const struct known_node *node, const struct syncache_tuple *tuple)
{
    return memcmp(&node->tuple, tuple,
                  offsetof(struct syncache_tuple, reserved)) == 0;
}

size_t
known_bytes(uint32_t nodes_max)
{
    size_t heads_bytes = known_heads_bytes(nodes_max);
    if (nodes_max == 0)
        return 0;
    return heads_bytes + known_round(nodes_max * sizeof(struct known_node));
}

void
known_init(struct known *known, void *memory, uint32_t nodes_max)
{
    assert(known != NULL);
    assert((uintptr_t)memory % KNOWN_LINE == 0);
    memset(known, 0, sizeof *known);
    if (nodes_max == 0)
        return;
    size_t heads_bytes = known_heads_bytes(nodes_max);
    known->heads = memory;
    known->nodes = (void *)((uint8_t *)memory + heads_bytes);
    known->heads_mask = known_heads_count(nodes_max) - 1;
    known->nodes_max = nodes_max;
    memset(known->heads, 0, heads_bytes);
}

struct known_node *
known_find(const struct known *known, uint64_t hash,
           const struct syncache_tuple *tuple)
{
    if (known->count == 0)
        return NULL;
    uint32_t link = known->heads[hash & known->heads_mask];
    struct known_node *node = known_node_at(known, link);
    while (node != NULL && !known_is_of(node, tuple))
        node = known_node_at(known, node->hash_next);
    return node;
}

struct known_node *
known_add(struct known *known, uint64_t hash,
          const struct syncache_tuple *tuple, enum known_state state,
          uint64_t now_ms)
{
    assert(state != KNOWN_FREE);
    assert(known_find(known, hash, tuple) == NULL);
    if (known->count == known->nodes_max)
        return NULL;
    struct known_node *node = known_node_at(known, known->free_head);
    if (node != NULL)
        known->free_head = node->hash_next;
    else
        node = &known->nodes[known->unused++];
    assert(known->unused <= known->nodes_max);
    uint32_t *head = &known->heads[hash & known->heads_mask];
    *node = (struct known_node){
        .tuple = *tuple,
        .offered_ms = now_ms,
        .hash_next = *head,
        .state = (uint8_t)state,
    };
    if (state == KNOWN_OFFERED)
        known_halve(hash, node->offer.hash);
    *head = known_link(known, node);
    known->count++;
    known_fifo_append(known, node);
    return node;
}

uint32_t
known_place(const struct known *known, const struct known_node *node)
{
    return known_link(known, node);
}

struct known_node *
known_offer_at(const struct known *known, uint32_t place,
               const struct syncache_tuple *tuple)
{
    struct known_node *node;

    /* What lies beyond was never written. */
    if (place == 0 || place > known->unused)
        return NULL;
    node = known_node_at(known, place);
    return node->state == KNOWN_OFFERED && known_is_of(node, tuple) ? node
                                                                    : NULL;
}

void
known_set_state(struct known *known, struct known_node *node,
                enum known_state state)
{
    assert(node->state != KNOWN_FREE && state != KNOWN_FREE);
    known_fifo_unlink(known, node);
    if (node->state == KNOWN_OFFERED)
        node->guard = (struct guard){0};
    node->state = (uint8_t)state;
    known_fifo_append(known, node);
}

void
known_remove(struct known *known, uint64_t hash, struct known_node *node)
{
    assert(node->state != KNOWN_FREE && known->count > 0);
    uint32_t wanted = known_link(known, node);
    uint32_t *link = &known->heads[hash & known->heads_mask];
    while (*link != wanted) {
        assert(*link != 0);
        link = &known_node_at(known, *link)->hash_next;
    }
    known_fifo_unlink(known, node);
    *link = node->hash_next;
    node->hash_next = known->free_head;
    node->state = KNOWN_FREE;
    known->free_head = wanted;
    known->count--;
}

void
known_unchain(struct known *known)
{
    if (known->nodes_max > 0)
        memset(known->heads, 0, known_heads_bytes(known->nodes_max));
}

void
known_chain(struct known *known, uint64_t hash, struct known_node *node)
{
    assert(node->state != KNOWN_FREE);
    uint32_t *head = &known->heads[hash & known->heads_mask];
    if (node->state == KNOWN_OFFERED)
        known_halve(hash, node->offer.hash);
    node->hash_next = *head;
    *head = known_link(known, node);
}

struct known_node *
known_oldest_offer(const struct known *known)
{
    return known_node_at(known, known->offers_head);
}

struct known_node *
known_oldest_owed(const struct known *known)
{
    return known_node_at(known, known->owed_head);
}

/* What the two table units share: a table in dirty memory, tuples by number. */
#ifndef SYNCACHE_TEST_TABLE_MODEL_H
#define SYNCACHE_TEST_TABLE_MODEL_H

#include "test.h"

#include "../../csrc/core/table.h"

struct table_block {
    struct table table;
    void *memory;
};

/* The memory is dirty before table_init(), as a caller's block may be. */
static inline struct table_block
table_new(uint32_t hashsize, uint32_t bucketlimit, uint32_t cachelimit)
{
    struct table_block block;
    size_t size = table_bytes(hashsize, bucketlimit);
    block.memory = aligned_alloc(64, size);
    if (block.memory == NULL)
        abort();
    memset(block.memory, 0xa5, size);
    memset(&block.table, 0xa5, sizeof block.table);
    table_init(&block.table, block.memory, hashsize, bucketlimit, cachelimit);
    return block;
}

/* Peer number n; even ones are IPv4, and n and n + 1 differ in family alone. */
static inline struct syncache_tuple
tuple_number(uint32_t n)
{
    uint32_t peer = n >> 1;
    return (struct syncache_tuple){
        .faddr = {10, (uint8_t)(peer >> 16), (uint8_t)(peer >> 8),
                  (uint8_t)peer},
        .laddr = {192, 0, 2, 1},
        .fport = (uint16_t)(1024 + peer % 7),
        .lport = 80,
        .family = n % 2 == 0 ? 4 : 6,
    };
}

/* A hash with few tags, so that tags collide, 0xff (as of empty slots) too. */
static inline uint64_t
hash_number(uint32_t n)
{
    static const uint8_t tags[] = {0x00, 0x01, 0x7f, 0xff};
    uint64_t tag = tags[n * 2654435761u >> 28 & 3];
    return tag << 56 | (n * UINT32_C(2246822519) >> 7);
}

static inline struct table_ref
insert_number(struct table *table, uint32_t n)
{
    struct syncache_tuple tuple = tuple_number(n);
    struct table_ref ref = table_insert(table, hash_number(n), &tuple);
    ref.entry->irs = n;
    return ref;
}

static inline struct table_ref
find_number(const struct table *table, uint32_t n)
{
    struct syncache_tuple tuple = tuple_number(n);
    return table_find(table, hash_number(n), &tuple);
}

#endif

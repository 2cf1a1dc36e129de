/*
 * The searches of core/table_ops.h where a line of 32 tags is one register.  core/table.c chooses between them and its
 * own by table->isa; results are the same.
 */
#ifndef SYNCACHE_SIMD_TABLE_AVX512_H
#define SYNCACHE_SIMD_TABLE_AVX512_H

#include "../core/table.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(SYNCACHE_PORTABLE)
#define TABLE_AVX512

uint32_t table_find_avx512(const struct table *table, uint32_t bucket, uint32_t tag,
                           const struct syncache_tuple *tuple);
uint32_t table_scan_avx512(const struct table *table, uint32_t bucket, uint32_t mask, uint32_t value);
uint32_t table_prefetch_avx512(const struct table *table, uint32_t bucket, uint32_t tag);
uint32_t table_store_avx512(struct table *table, struct table_burst *burst, uint32_t due);
#endif

#endif

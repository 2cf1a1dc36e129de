/*
 * MD5 (RFC 1321), for the TCP signature option of RFC 2385 and nothing else: it
 * is broken as a hash, and kept because BGP speakers still ask for it.
 */
#ifndef SYNCACHE_CORE_MD5_H
#define SYNCACHE_CORE_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_DIGEST_BYTES 16
#define MD5_BLOCK_BYTES 64

/* Lives on the caller's stack; md5_final() wipes it, since a key went in. */
struct md5 {
    uint64_t size;                  /* bytes taken so far */
    uint32_t state[4];              /* A, B, C, D */
    uint8_t block[MD5_BLOCK_BYTES]; /* its first size % 64 bytes wait */
};

void md5_init(struct md5 *md5);

void md5_update(struct md5 *md5, const uint8_t *data, size_t data_size);

void md5_final(struct md5 *md5, uint8_t digest[static MD5_DIGEST_BYTES]);

#endif

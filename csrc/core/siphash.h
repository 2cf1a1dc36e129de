/* SipHash-2-4 with a 128-bit key and 64-bit output (Aumasson and Bernstein,
 * 2012).  Knows nothing of TCP. */
#ifndef SYNCACHE_CORE_SIPHASH_H
#define SYNCACHE_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

uint64_t siphash24(const uint8_t key[static SIPHASH_KEY_BYTES],
                   const uint8_t *data, size_t data_size);

/* Folds to 32 bits by XOR of the halves, as FreeBSD does for cookies and
 * timestamp offsets. */
uint32_t siphash24_fold(const uint8_t key[static SIPHASH_KEY_BYTES],
                        const uint8_t *data, size_t data_size);

#endif

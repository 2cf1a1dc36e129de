/*
 * Unaligned loads and stores in a named byte order.  Written with shifts, which
 * compilers turn into single instructions; right on hosts of either order.
 */
#ifndef SYNCACHE_CORE_BYTES_H
#define SYNCACHE_CORE_BYTES_H

#include <stdint.h>

static inline uint16_t
load16_be(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t
load32_be(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline uint32_t
load32_le(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[1] << 8 | bytes[0];
}

static inline uint64_t
load64_le(const uint8_t *bytes)
{
    return (uint64_t)load32_le(bytes + 4) << 32 | load32_le(bytes);
}

static inline void
store16_be(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline void
store32_be(uint8_t *bytes, uint32_t value)
{
    store16_be(bytes, (uint16_t)(value >> 16));
    store16_be(bytes + 2, (uint16_t)value);
}

static inline void
store32_le(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

static inline void
store64_le(uint8_t *bytes, uint64_t value)
{
    store32_le(bytes, (uint32_t)value);
    store32_le(bytes + 4, (uint32_t)(value >> 32));
}

#endif

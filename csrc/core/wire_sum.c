/*
 * The Internet checksum.  The one's complement sum does not care for the size
 * of the words it is taken over, nor for their byte order (RFC 1071 2), so
 * 32-bit words in the host's order go into 64-bit sums, and the carries and the
 * order are put right once, at the end.
 */
#include "wire.h"

#include "bytes.h"

#include <assert.h>
#include <string.h>

#ifdef __OPTIMIZE_SIZE__ /* where code is scarce: half a kilobyte less */

uint32_t
wire_sum(uint32_t sum, const uint8_t *data, size_t data_size)
{
    assert(data != NULL || data_size == 0);
    for (; data_size > 1; data_size -= 2, data += 2)
        sum = (sum & 0xffff) + (sum >> 16) + load16_be(data);
    /* The last byte counts as if a zero came after it. */
    if (data_size > 0)
        sum = (sum & 0xffff) + (sum >> 16) + (uint32_t)(*data << 8);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

uint32_t
wire_sum_pseudo(uint8_t family, const uint8_t *faddr, const uint8_t *laddr,
                uint8_t protocol, size_t size)
{
    assert(family == 4 || family == 6);
    size_t address_size = family == 4 ? 4 : 16;
    uint32_t sum = wire_sum((uint32_t)size, faddr, address_size);
    return wire_sum(sum + protocol, laddr, address_size);
}

#else

/* Adds carries back until 16 bits are left: at most four times from 64. */
static uint32_t
wire_sum_fold(uint64_t sum)
{
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

uint32_t
wire_sum(uint32_t sum, const uint8_t *data, size_t data_size)
{
    assert(data != NULL || data_size == 0);
    /* Four sums that do not wait for each other.  None can overflow: that would
     * take 2^31 turns. */
    uint64_t lane[4] = {0};
    uint32_t word[8];
    for (; data_size >= sizeof word; data_size -= sizeof word) {
        memcpy(word, data, sizeof word);
        for (size_t i = 0; i < 4; i++)
            lane[i] += (uint64_t)word[i] + word[i + 4];
        data += sizeof word;
    }
    uint64_t total = lane[0] + lane[1] + lane[2] + lane[3];
    for (; data_size >= 4; data_size -= 4) {
        memcpy(word, data, 4);
        total += word[0];
        data += 4;
    }
    if (data_size > 0) {
        /* The last bytes count as if zeros came after them. */
        uint8_t last[4] = {0};
        for (size_t i = 0; i < data_size; i++)
            last[i] = data[i];
        memcpy(word, last, sizeof last);
        total += word[0];
    }
    uint16_t folded = (uint16_t)wire_sum_fold(total);
    uint8_t bytes[2];
    memcpy(bytes, &folded, sizeof bytes);
    return wire_sum_fold((uint64_t)sum + load16_be(bytes));
}

uint32_t
wire_sum_pseudo(uint8_t family, const uint8_t *faddr, const uint8_t *laddr,
                uint8_t protocol, size_t size)
{
    assert(family == 4 || family == 6);
    size_t address_size = family == 4 ? 4 : 16;
    /* The size as the 32 bits that IPv6 has; those above 16 are 0 in IPv4. */
    uint64_t sum = (uint64_t)protocol + (uint32_t)size;
    for (size_t i = 0; i < address_size; i += 4)
        sum += (uint64_t)load32_be(faddr + i) + load32_be(laddr + i);
    return wire_sum_fold(sum);
}

#endif

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

uint32_t
wire_sum(uint32_t sum, const uint8_t *data, size_t data_size)
{
    assert(data != NULL || data_size == 0);
    /* Four sums that do not wait for each other.  None can overflow: that would
     * take 2^32 words. */
    uint64_t lane[4] = {0};
    uint32_t word[8];
    for (; data_size >= sizeof word; data_size -= sizeof word) {
        memcpy(word, data, sizeof word);
        for (size_t i = 0; i < 4; i++)
            lane[i] += (uint64_t)word[i] + word[i + 4];
        data += sizeof word;
    }
    uint64_t total = lane[0] + lane[1] + lane[2] + lane[3];
    for (; data_size >= sizeof word[0]; data_size -= sizeof word[0]) {
        memcpy(word, data, sizeof word[0]);
        total += word[0];
        data += sizeof word[0];
    }
    /* The last bytes count as if zeros came after them. */
    word[0] = 0;
    for (size_t i = 0; i < data_size; i++)
        memcpy((uint8_t *)word + i, data + i, 1);
    total += word[0];
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    uint16_t folded = (uint16_t)total;
    uint8_t bytes[2];
    memcpy(bytes, &folded, sizeof bytes);
    sum += load16_be(bytes);
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
    uint8_t tail[8] = {0};
    store32_be(tail, (uint32_t)size);
    tail[7] = protocol;
    uint32_t sum = wire_sum(0, tail, sizeof tail);
    sum = wire_sum(sum, faddr, address_size);
    return wire_sum(sum, laddr, address_size);
}

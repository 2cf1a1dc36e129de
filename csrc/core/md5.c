/*
 * MD5, written from RFC 1321.  Names of the steps are those of its section 3.4.
 */
#include "md5.h"

#include "bytes.h"

#include <assert.h>
#include <string.h>

/* RFC 1321 3.4: T[i] is the integer part of 2^32 times |sin(i + 1)|. */
static const uint32_t md5_sine[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

/* Rotation of each step: a row for a round, repeated four times in it. */
static const uint8_t md5_shift[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static void
md5_block(uint32_t state[static 4], const uint8_t block[static MD5_BLOCK_BYTES])
{
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t mix;
        unsigned word;
        switch (i / 16) {
        case 0:
            mix = (b & c) | (~b & d);
            word = i;
            break;
        case 1:
            mix = (b & d) | (c & ~d);
            word = 5 * i + 1;
            break;
        case 2:
            mix = b ^ c ^ d;
            word = 3 * i + 5;
            break;
        default:
            mix = c ^ (b | ~d);
            word = 7 * i;
            break;
        }
        mix += a + md5_sine[i] + load32_le(block + 4 * (word % 16));
        unsigned shift = md5_shift[i / 16][i % 4];
        a = d;
        d = c;
        c = b;
        b += mix << shift | mix >> (32 - shift);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void
md5_init(struct md5 *md5)
{
    *md5 = (struct md5){
        .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
    };
}

void
md5_update(struct md5 *md5, const uint8_t *data, size_t data_size)
{
    assert(data != NULL || data_size == 0);
    size_t held = md5->size % MD5_BLOCK_BYTES;
    md5->size += data_size;
    while (data_size > 0) {
        size_t room = MD5_BLOCK_BYTES - held;
        size_t taken = data_size < room ? data_size : room;
        memcpy(md5->block + held, data, taken);
        data += taken;
        data_size -= taken;
        held += taken;
        if (held == MD5_BLOCK_BYTES) {
            md5_block(md5->state, md5->block);
            held = 0;
        }
    }
}

void
md5_final(struct md5 *md5, uint8_t digest[static MD5_DIGEST_BYTES])
{
    static const uint8_t padding[MD5_BLOCK_BYTES] = {0x80};
    uint8_t size_bits[8];
    store64_le(size_bits, md5->size * 8);
    /* Pad to 56 mod 64, at least one byte, so that the size ends a block. */
    size_t held = md5->size % MD5_BLOCK_BYTES;
    md5_update(md5, padding, held < 56 ? 56 - held : 120 - held);
    md5_update(md5, size_bits, sizeof size_bits);
    assert(md5->size % MD5_BLOCK_BYTES == 0);
    for (size_t i = 0; i < 4; i++)
        store32_le(digest + 4 * i, md5->state[i]);
    /* Through volatile, or the compiler drops stores to a dying object. */
    volatile uint8_t *bytes = (volatile uint8_t *)md5;
    for (size_t i = 0; i < sizeof *md5; i++)
        bytes[i] = 0;
}

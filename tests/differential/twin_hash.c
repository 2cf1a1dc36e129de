/* SipHash-2-4, MD5 (RFC 1321), and the cookies (docs/cookies.md; departure 10). */
#include "twin.h"

#include <string.h>

static uint64_t
turn64(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[1] = turn64(v[1], 13) ^ v[0];
        v[0] = turn64(v[0], 32);
        v[2] += v[3];
        v[3] = turn64(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = turn64(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = turn64(v[1], 17) ^ v[2];
        v[2] = turn64(v[2], 32);
    }
}

/* Little-endian word of what there is, the rest zero. */
static uint64_t
sip_word(const uint8_t *data, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size && i < 8; i++)
        word |= (uint64_t)data[i] << 8 * i;
    return word;
}

uint64_t
twin_siphash(const uint8_t key[16], const uint8_t *data, size_t size)
{
    uint64_t k0 = sip_word(key, 8);
    uint64_t k1 = sip_word(key + 8, 8);
    uint64_t v[4] = {
        k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    for (size_t at = 0; at <= size; at += 8) {
        uint64_t word = sip_word(data + at, size - at);
        if (size - at < 8)
            word |= (uint64_t)(size & 0xff) << 56;
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t
twin_fold(uint64_t hash)
{
    return (uint32_t)hash ^ (uint32_t)(hash >> 32);
}

static const uint32_t md5_sines[64] = {
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
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static void
md5_block(uint32_t state[4], const uint8_t block[64])
{
    static const int turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t mixed, from;
        if (i < 16) {
            mixed = (b & c) | (~b & d);
            from = i;
        } else if (i < 32) {
            mixed = (d & b) | (~d & c);
            from = (5 * i + 1) % 16;
        } else if (i < 48) {
            mixed = b ^ c ^ d;
            from = (3 * i + 5) % 16;
        } else {
            mixed = c ^ (b | ~d);
            from = 7 * i % 16;
        }
        int bits = turns[i / 16][i % 4];
        uint32_t word = (uint32_t)sip_word(block + 4 * from, 4);
        uint32_t sum = a + mixed + md5_sines[i] + word;
        a = d;
        d = c;
        c = b;
        b += sum << bits | sum >> (32 - bits);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void
twin_md5_of(const uint8_t *data, size_t size, uint8_t digest[16])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t block[64];
    size_t padded = (size + 8) / 64 * 64 + 64;
    for (size_t at = 0; at < padded; at += 64) {
        for (size_t i = 0; i < 64; i++) {
            size_t place = at + i;
            block[i] = place < size ? data[place] : place == size ? 0x80 : 0;
            if (place >= padded - 8)
                block[i] = (uint8_t)(size * 8 >> 8 * (place - (padded - 8)));
        }
        md5_block(state, block);
    }
    for (size_t i = 0; i < 16; i++)
        digest[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}

size_t
twin_pack(const struct syncache_tuple *tuple, uint8_t packed[36])
{
    size_t size = tuple->family == 4 ? 4 : 16;
    memcpy(packed, tuple->faddr, size);
    memcpy(packed + size, tuple->laddr, size);
    twin_put(packed + 2 * size, 2, tuple->fport);
    twin_put(packed + 2 * size + 2, 2, tuple->lport);
    return 2 * size + 4;
}

/* What a layout says to a family; a mss of 0 ends the list. */
struct cookie_table {
    uint16_t mss[8];
    uint32_t mss_none; /* index */
    uint8_t ws[8];     /* [0] stands for none; [1] is 255: no scales at all */
    uint8_t ident;     /* 0: FreeBSD's */
};

static const struct cookie_table *
cookie_table(uint32_t layout, uint8_t family)
{
    static const struct cookie_table freebsd = {
        {216, 536, 1200, 1360, 1400, 1440, 1452, 1460},
        0,
        {0, 0, 1, 2, 4, 6, 7, 8},
        0};
    static const struct cookie_table wide4 = {
        {216, 536, 1300, 1360, 1400, 1452, 1460, 8960},
        1,
        {0, 0, 2, 4, 6, 7, 8, 10},
        4};
    static const struct cookie_table wide6 = {
        {216, 1220, 1360, 1380, 1420, 1432, 1440, 8940},
        1,
        {0, 0, 2, 4, 6, 7, 8, 10},
        6};
    static const struct cookie_table mss = {
        {216, 536, 1460, 8960}, 1, {0, 255}, 1};
    if (layout == SYNCACHE_LAYOUT_FREEBSD)
        return &freebsd;
    if (layout == SYNCACHE_LAYOUT_MSS)
        return &mss;
    return family == 4 ? &wide4 : &wide6;
}

static bool
cookie_scales(const struct cookie_table *table)
{
    return table->ws[1] != 255;
}

/* The MAC's 32-bit word; the cookie shows its upper 24 bits. */
static uint32_t
cookie_mac(const struct twin *twin, const uint8_t key[16],
           const struct twin_entry *entry, uint32_t byte, uint8_t scale)
{
    const struct cookie_table *table =
        cookie_table(twin->tune.cookie_layout, entry->tuple.family);
    uint8_t data[64];
    size_t size = twin_pack(&entry->tuple, data);
    for (int i = 0; i < 4; i++)
        data[size++] = (uint8_t)(entry->irs >> 8 * i);
    data[size++] = (uint8_t)byte;
    for (int i = 0; i < 8; i++)
        data[size++] = (uint8_t)(twin->tune.secmod >> 8 * i);
    if (table->ident != 0) {
        data[size++] = cookie_scales(table) ? scale : SYNCACHE_WSCALE_NONE;
        data[size++] = table->ident;
        data[size++] = 1; /* version of the layout */
    }
    return twin_fold(twin_siphash(key, data, size));
}

uint32_t
twin_mint(const struct twin *twin, const struct twin_entry *entry,
          uint8_t scale)
{
    const struct cookie_table *table =
        cookie_table(twin->tune.cookie_layout, entry->tuple.family);
    uint32_t mss = entry->mss == 0 ? table->mss_none : 0;
    uint32_t ws = 0;
    for (uint32_t i = 0; entry->mss != 0 && i < 8 && table->mss[i] != 0; i++)
        if (table->mss[i] <= entry->mss)
            mss = i;
    for (uint32_t i = 1; entry->ws != SYNCACHE_WSCALE_NONE && i < 8; i++)
        if (cookie_scales(table) && table->ws[i] <= entry->ws)
            ws = i;
    uint32_t sack = entry->sack && cookie_scales(table);
    uint32_t byte = mss << 5 | ws << 2 | sack << 1 | twin_parity(twin);
    uint32_t mac = cookie_mac(twin, twin_mint_key(twin), entry, byte, scale);
    return (mac & 0xffffff00) | (byte ^ mac >> 24);
}

/* Reads entry->irs and iss; on success MSS, scales and SACK are set. */
bool
twin_check(const struct twin *twin, const uint8_t key[16],
           struct twin_entry *entry, uint8_t scale)
{
    const struct cookie_table *table =
        cookie_table(twin->tune.cookie_layout, entry->tuple.family);
    uint32_t byte = (entry->iss ^ entry->iss >> 24) & 0xff;
    uint32_t ws = byte >> 2 & 7;
    if (cookie_mac(twin, key, entry, byte, scale) >> 8 != entry->iss >> 8)
        return false;
    if (table->mss[byte >> 5] == 0)
        return false;
    if (!cookie_scales(table) && (byte & 0x1e) != 0)
        return false;
    entry->mss = table->mss[byte >> 5];
    entry->ws = ws == 0 ? SYNCACHE_WSCALE_NONE : table->ws[ws];
    entry->rcv_ws = scale;
    entry->sack = (byte & 2) != 0;
    return true;
}

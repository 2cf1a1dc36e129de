/*
 * loop.c: what python_side.py is compared with: its own loop, in C.
 *
 * The engine, the rings and the packets are those of the Python side, handed
 * over as pointers, so the loops differ in their language and in nothing else.
 * Filling the rings is a link's work and is not timed on either side.
 */
#include "syncache.h"

#include <arpa/inet.h>
#include <string.h>

#define SYN_SIZE 60 /* IPv4 20, TCP 20, options 20 */

typedef uint32_t burst_function(struct syncache *cache, uint64_t now_ms,
                                struct syncache_ring *rx,
                                struct syncache_ring *tx);

void fill(struct syncache_ring *const *rings, uint32_t rings_count,
          uint64_t *state);
void loop(burst_function *burst, struct syncache *cache, uint64_t now_ms,
          struct syncache_ring *const *rings, uint32_t rings_count,
          struct syncache_ring *tx);

/* To 198.18.0.2 port 80, all but source, ISN, TSval and checksums. */
static const uint8_t template[SYN_SIZE] = {
    0x45, 0,   0,    SYN_SIZE, 0,    0,    0x40, 0, 64, 6, 0, 0, 10,   0,    0,
    0,    198, 18,   0,        2,    0,    0,    0, 80, 0, 0, 0, 0,    0,    0,
    0,    0,   0xa0, 0x02,     0xfa, 0xf0, 0,    0, 0,  0, 2, 4, 0x05, 0xb4, 4,
    2,    8,   10,   0,        0,    0,    0,    0, 0,  0, 0, 1, 3,    3,    7};

static uint64_t
random_next(uint64_t *state)
{
    /* splitmix64: every value once in 2^64. */
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* The Internet checksum of words that follow one another, as it is stored. */
static uint16_t
checksum(const uint8_t *bytes, size_t bytes_size, uint32_t sum)
{
    uint16_t word;

    for (size_t i = 0; i < bytes_size; i += 2) {
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void
make_syn(uint8_t *packet, uint64_t *state)
{
    uint64_t who = random_next(state), what = random_next(state);
    uint16_t sum;

    memcpy(packet, template, SYN_SIZE);
    memcpy(packet + 13, &who, 3);
    memcpy(packet + 20, (uint8_t *)&who + 4, 2);
    memcpy(packet + 24, &what, 4);
    memcpy(packet + 48, (uint8_t *)&what + 4, 4);
    sum = checksum(packet, 20, 0);
    memcpy(packet + 10, &sum, sizeof sum);
    sum = checksum(packet + 12, SYN_SIZE - 12,
                   htons(6) + (uint32_t)htons(SYN_SIZE - 20));
    memcpy(packet + 36, &sum, sizeof sum);
}

/* Fills every ring with SYNs of peers that were never there before. */
void
fill(struct syncache_ring *const *rings, uint32_t rings_count, uint64_t *state)
{
    for (uint32_t i = 0; i < rings_count; i++) {
        struct syncache_ring *ring = rings[i];
        for (uint32_t slot = 0; slot < ring->slots; slot++) {
            make_syn(ring->memory + (size_t)slot * ring->slot_size, state);
            ring->slot[slot] = (struct syncache_slot){.size = SYN_SIZE};
        }
        ring->count = ring->slots;
        ring->next = 0;
    }
}

void
loop(burst_function *burst, struct syncache *cache, uint64_t now_ms,
     struct syncache_ring *const *rings, uint32_t rings_count,
     struct syncache_ring *tx)
{
    for (uint32_t i = 0; i < rings_count; i++) {
        struct syncache_ring *rx = rings[i];
        burst(cache, now_ms, rx, tx);
        rx->count = rx->next = rx->passed_count = 0;
        tx->count = tx->next = tx->passed_count = 0;
    }
}

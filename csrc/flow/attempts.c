/* The sketches of attempts.h.  A packet that is no SYN costs a few comparisons of
 * bytes that the engine reads next anyway. */
#include "attempts.h"

#include "../core/bytes.h"
#include "../core/siphash.h"
#include "../core/wire_ip.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define ATTEMPTS_V4_BYTES 3 /* a /24 */
#define ATTEMPTS_V6_BYTES 6 /* a /48 */
#define ATTEMPTS_RANK_MAX 48
#define ATTEMPTS_TCP 6
#define ATTEMPTS_FLAGS 13
#define ATTEMPTS_TCP_BYTES 20
#define ATTEMPTS_SYN 0x02
#define ATTEMPTS_JUDGED 0x17 /* FIN, SYN, RST, ACK */

_Static_assert(ATTEMPTS_REGISTERS == 256, "a register is named by a byte");

/* One SYN. */
struct attempt {
    uint8_t place[20];  /* address, port, family */
    uint8_t prefix[17]; /* address, family */
};

void
attempts_init(struct attempts *attempts, const uint8_t key[SYNCACHE_KEY_BYTES])
{
    memset(attempts, 0, sizeof *attempts);
    memcpy(attempts->key, key, SYNCACHE_KEY_BYTES);
}

void
attempts_clear(struct attempts *attempts)
{
    memset(attempts, 0, offsetof(struct attempts, key));
}

/* The TCP header of a packet with one that is whole, or NULL. */
static const uint8_t *
attempts_tcp(const uint8_t *packet, uint32_t size)
{
    struct wire_upper upper;

    if (size >= 40 && packet[0] >> 4 == 4) {
        uint32_t header = (uint32_t)(packet[0] & 15) * 4;
        bool is_first = (load16_be(packet + 6) & 0x1fff) == 0;

        return packet[9] == ATTEMPTS_TCP && is_first && header >= 20 &&
                       size - 20 >= header
                   ? packet + header
                   : NULL;
    }
    if (size < 60 || packet[0] >> 4 != 6)
        return NULL;
    if (packet[6] == ATTEMPTS_TCP)
        return packet + 40;
    if (wire_ipv6_upper(packet, size, &upper) != SYNCACHE_PASS_KNOWN ||
        upper.protocol != ATTEMPTS_TCP || upper.size < ATTEMPTS_TCP_BYTES)
        return NULL;
    return upper.data;
}

static bool
attempts_read(const uint8_t *packet, uint32_t size, struct attempt *attempt)
{
    const uint8_t *tcp = attempts_tcp(packet, size);

    if (tcp == NULL || (tcp[ATTEMPTS_FLAGS] & ATTEMPTS_JUDGED) != ATTEMPTS_SYN)
        return false;
    memset(attempt, 0, sizeof *attempt);
    if (packet[0] >> 4 == 4) {
        memcpy(attempt->prefix, packet + 12, ATTEMPTS_V4_BYTES);
        memcpy(attempt->place, packet + 16, 4);
        attempt->place[18] = attempt->prefix[16] = 4;
    } else {
        memcpy(attempt->prefix, packet + 8, ATTEMPTS_V6_BYTES);
        memcpy(attempt->place, packet + 24, 16);
        attempt->place[18] = attempt->prefix[16] = 6;
    }
    memcpy(attempt->place + 16, tcp + 2, 2);
    return true;
}

/* The place of a key, or that of the least count, which is the newcomer's. */
static uint32_t
attempts_find(const uint64_t *keys, uint32_t count, uint64_t key)
{
    uint32_t i = 0;

    while (i < count && keys[i] != key)
        i++;
    return i;
}

static struct attempts_place *
attempts_place(struct attempts *attempts, uint64_t key,
               const struct attempt *attempt)
{
    uint32_t i = attempts_find(attempts->place_key, ATTEMPTS_PLACES, key);
    uint32_t least = 0;

    if (i < ATTEMPTS_PLACES)
        return &attempts->place[i];
    for (i = 1; i < ATTEMPTS_PLACES; i++)
        if (attempts->place[i].count < attempts->place[least].count)
            least = i;
    struct attempts_place *place = &attempts->place[least];

    /* The newcomer takes over the count of whom it replaces. */
    attempts->place_key[least] = key;
    place->excess = place->count;
    memcpy(place->address, attempt->place, sizeof place->address);
    place->port = load16_be(attempt->place + 16);
    place->family = attempt->place[18];
    memset(place->registers, 0, sizeof place->registers);
    return place;
}

static struct attempts_prefix *
attempts_prefix(struct attempts *attempts, uint64_t key,
                const struct attempt *attempt)
{
    uint32_t i = attempts_find(attempts->prefix_key, ATTEMPTS_PREFIXES, key);
    uint32_t least = 0;

    if (i < ATTEMPTS_PREFIXES)
        return &attempts->prefix[i];
    for (i = 1; i < ATTEMPTS_PREFIXES; i++)
        if (attempts->prefix[i].count < attempts->prefix[least].count)
            least = i;
    struct attempts_prefix *prefix = &attempts->prefix[least];

    attempts->prefix_key[least] = key;
    prefix->excess = prefix->count;
    memcpy(prefix->address, attempt->prefix, sizeof prefix->address);
    prefix->family = attempt->prefix[16];
    return prefix;
}

/* The register keeps the longest run of zeroes that it has seen. */
static void
attempts_register(uint8_t registers[static ATTEMPTS_REGISTERS], uint64_t hash)
{
    uint8_t *place = &registers[hash & 0xff];
    uint8_t rank = 1;

    for (hash >>= 8; (hash & 1) == 0 && rank < ATTEMPTS_RANK_MAX; hash >>= 1)
        rank++;
    if (rank > *place)
        *place = rank;
}

static void
attempts_count(struct attempts *attempts, const struct attempt *attempt)
{
    uint64_t at = siphash24(attempts->key, attempt->place, 20);
    uint64_t from = siphash24(attempts->key, attempt->prefix, 17);
    /* 0 is an empty place's. */
    struct attempts_place *place = attempts_place(attempts, at | 1, attempt);

    place->count++;
    attempts_register(place->registers, from);
    attempts_register(attempts->registers, from);
    attempts_prefix(attempts, from | 1, attempt)->count++;
    attempts->total++;
}

void
attempts_look(struct attempts *attempts, const struct syncache_ring *ring,
              uint32_t first)
{
    struct attempt attempt;

    assert(ring->count <= ring->slots);
    for (uint32_t i = first; i < ring->count; i++) {
        const struct syncache_slot *slot = &ring->slot[i];
        const uint8_t *packet =
            ring->memory + (size_t)i * ring->slot_size + slot->link_size;

        if (attempts_read(packet, slot->size, &attempt))
            attempts_count(attempts, &attempt);
    }
}

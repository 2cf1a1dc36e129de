/* The sketches of attempts.h.  A packet that is no SYN costs a few comparisons of
 * bytes that the engine reads next anyway. */
#include "attempts.h"

#include "../core/siphash.h"
#include "../core/wire_ip.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define ATTEMPTS_V4_BYTES 3 /* a /24 */
#define ATTEMPTS_V6_BYTES 6 /* a /48 */
#define ATTEMPTS_RANK_MAX 48
#define ATTEMPTS_JUDGED (WIRE_FIN | WIRE_SYN | WIRE_RST | WIRE_ACK)

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

static bool
attempts_read(const uint8_t *packet, uint32_t size, struct attempt *attempt)
{
    struct wire_upper upper;
    uint8_t family;

    if (!wire_ip_cut(packet, size, &upper) ||
        upper.protocol != WIRE_PROTOCOL_TCP ||
        upper.size < WIRE_TCP_HEADER_BYTES ||
        (upper.data[WIRE_TCP_FLAGS_AT] & ATTEMPTS_JUDGED) != WIRE_SYN)
        return false;
    memset(attempt, 0, sizeof *attempt);
    family = wire_ip_family(packet);
    memcpy(attempt->prefix, wire_ip_source(packet),
           family == 4 ? ATTEMPTS_V4_BYTES : ATTEMPTS_V6_BYTES);
    memcpy(attempt->place, wire_ip_destination(packet), family == 4 ? 4 : 16);
    attempt->place[18] = attempt->prefix[16] = family;
    memcpy(attempt->place + 16, upper.data + 2, 2);
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

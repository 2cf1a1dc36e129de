/*
 * The maps of the shield.  Every object that includes this has all of them; the loader makes each once, by its name.
 */
#ifndef SYNCACHE_BPF_MAPS_H
#define SYNCACHE_BPF_MAPS_H

#include "kernel.h"
#include "mint.h"
#include "shield_abi.h"

#define MAPS_SERVICES 4096
#define MAPS_REDEEMED 65536 /* the loader puts x.replay_entries in its place */

/* Room for one packet's headers and its answer, which the stack has not; one for each processor. */
struct scratch {
    uint8_t link[24]; /* Ethernet and up to two tags, or what follows them */
    uint32_t ip[10];
    uint32_t tcp[16]; /* a header has at most 15 */
    uint32_t reply[22]; /* IP, TCP and at most 20 bytes of options */
    uint8_t chunk[260]; /* 256, and what a part word is padded with */
    uint32_t mss;
    uint32_t wscale;
    uint32_t sack;
    uint32_t timestamps;
    uint32_t tsval; /* raw */
    uint32_t tsecr; /* raw */
    uint32_t strange; /* signed, or more options than are counted */
    uint32_t finished; /* the SYN's checksum is right as it is */
    uint32_t place; /* of the option that is looked at */
    uint64_t packet_ns; /* the last packet that tc saw while the gate was open */
    uint64_t batch_ns; /* the first one of its batch */
    uint32_t taken; /* connections made on this processor in this batch */
    uint64_t taken_ns; /* the last packet that might have made one */
    uint16_t numbers[SHIELD_NUMBERS]; /* of a handshake; see elsewhere.h */
};

MAP(config_map, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct shield_config), 1, 0);
MAP(state_map, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct shield_state), 1, 0);
MAP(counters_map, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct shield_processor), 1, 0);
MAP(places, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct shield_place), SHIELD_PLACES, 0);
MAP(services4, BPF_MAP_TYPE_HASH, sizeof(struct shield_service4), sizeof(struct shield_service), MAPS_SERVICES, 0);
MAP(services6, BPF_MAP_TYPE_HASH, sizeof(struct shield_service6), sizeof(struct shield_service), MAPS_SERVICES, 0);
MAP(redeemed, BPF_MAP_TYPE_LRU_HASH, sizeof(struct shield_redeemed), 8, MAPS_REDEEMED, 0);
MAP(scratches, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct scratch), 1, 0);
MAP(events, BPF_MAP_TYPE_RINGBUF, 0, 0, SHIELD_EVENTS_BYTES, 0);
MAP(samples_map, BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct shield_samples), 1, 0);
MAP(blocked, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct shield_network), 4, SHIELD_BLOCKED_MAX, BPF_F_NO_PREALLOC);
MAP(shared_map, BPF_MAP_TYPE_ARRAY, 4, sizeof(struct shield_shared), 1, 0);
MAP(filters, BPF_MAP_TYPE_HASH, 4, sizeof(struct shield_filter), SHIELD_FILTERS, BPF_F_NO_PREALLOC);
MAP(fresh, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct shield_redeemed), SHIELD_FRESH, 0);
MAP(pieces, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);

/* The time as of the last tick.  To ask the clock costs ten times what it costs to see that there was no tick. */
static inline uint64_t
tick_ns(struct shield_processor *processor)
{
    uint64_t tick = jiffies();

    if (tick != processor->tick) {
        processor->tick_ns = ktime_tick_ns();
        processor->tick_ms = processor->tick_ns / MINT_NS_A_MS;
        processor->tick = tick;
    }
    return processor->tick_ns;
}

static inline struct shield_service *
service_of_v4(uint32_t address, uint16_t port)
{
    uint32_t at = (uint32_t)((address ^ port) * SHIELD_PLACE_FACTOR) >> SHIELD_PLACE_SHIFT;
    struct shield_place *place = map_lookup(&places, &at);

    if (place != NULL && place->key.address == address && place->key.port == port)
        return &place->service;
    struct shield_service4 key = {address, port, 0};
    return map_lookup(&services4, &key);
}

static inline struct shield_service *
service_of_v6(const uint32_t address[static 4], uint16_t port)
{
    struct shield_service6 key = {{address[0], address[1], address[2], address[3]}, port, 0};

    return map_lookup(&services6, &key);
}

#endif

/* Connections in the kernel's hands: see carried.h. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include "carried.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <time.h>

#include "../bpf/offload_abi.h"
#include "../bpf/offload_name.h"
#include "link.h"

#define NS_A_MS 1000000u

/* Records of one family, as the kernel takes them. */
struct carried_batch {
    uint8_t keys[LINK_CARRIED_MAX * sizeof(struct offload_name6)];
    struct offload_entry entries[LINK_CARRIED_MAX];
    uint32_t index[LINK_CARRIED_MAX]; /* of the caller's records */
    uint32_t count;
};

static uint32_t
carried_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return (uint32_t)(ns >> OFFLOAD_TICK_SHIFT);
}

/* Writes how the map calls a connection; the size of that. */
static size_t
carried_key(const struct link_carried *maps, const struct syncache_tuple *tuple,
            uint8_t *out)
{
    struct offload_key4 key4;
    struct offload_key6 key6;
    struct offload_name6 name;
    uint16_t port[2] = {htons(tuple->fport), htons(tuple->lport)};

    if (tuple->family == 4) {
        memcpy(&key4.address[0], tuple->faddr, 4);
        memcpy(&key4.address[1], tuple->laddr, 4);
        memcpy(key4.port, port, sizeof port);
        memcpy(out, &key4, sizeof key4);
        return sizeof key4;
    }
    memcpy(key6.address, tuple->faddr, 16);
    memcpy(key6.address + 4, tuple->laddr, 16);
    memcpy(key6.port, port, sizeof port);
    offload_name(maps->key, &key6, &name);
    memcpy(out, &name, sizeof name);
    return sizeof name;
}

/* The same of one that was looked at. */
static size_t
carried_name(const struct syncache_tuple *tuple, uint8_t *out)
{
    struct offload_name6 name = {
        .port = {htons(tuple->fport), htons(tuple->lport)}};

    memcpy(&name.hash, tuple->laddr, sizeof name.hash);
    memcpy(&name.client, tuple->faddr + 12, sizeof name.client);
    memcpy(out, &name, sizeof name);
    return sizeof name;
}

static void
carried_tuple(uint32_t family, const uint8_t *key, struct syncache_tuple *tuple)
{
    size_t size = family == 4 ? 4 : 16;
    uint16_t port[2];

    memcpy(tuple->faddr, key, size);
    memcpy(tuple->laddr, key + size, size);
    memcpy(port, key + 2 * size, sizeof port);
    tuple->fport = ntohs(port[0]);
    tuple->lport = ntohs(port[1]);
    tuple->family = (uint8_t)family;
}

static void
carried_entry(const struct flow_handed_session *in, struct offload_entry *entry)
{
    uint64_t age_ns = (uint64_t)in->age_ms * NS_A_MS;

    *entry = (struct offload_entry){
        .delta = in->delta,
        .ts_delta = in->ts_delta,
        .ts_floor = in->ts_floor,
        .flags = in->flags,
        .shift_to_client = in->shift_to_client,
        .shift_to_server = in->shift_to_server,
        .state = OFFLOAD_ON,
        .bytes = {in->bytes[0], in->bytes[1]},
        .nxt = {in->nxt[0], in->nxt[1]},
        .ack = {in->ack[0], in->ack[1]},
        .last = carried_now() - (uint32_t)(age_ns >> OFFLOAD_TICK_SHIFT),
        .number = in->number,
    };
}

static void
carried_fill(const struct offload_entry *entry, struct flow_handed_session *out)
{
    uint32_t ticks = carried_now() - entry->last;

    if (ticks > INT32_MAX) /* the kernel's clock is ahead */
        ticks = 0;
    memset(out, 0, sizeof *out);
    out->delta = entry->delta;
    out->ts_delta = entry->ts_delta;
    out->ts_floor = entry->ts_floor;
    out->flags = entry->flags;
    out->shift_to_client = entry->shift_to_client;
    out->shift_to_server = entry->shift_to_server;
    for (uint32_t end = 0; end < 2; end++) {
        out->bytes[end] = entry->bytes[end];
        out->nxt[end] = entry->nxt[end];
        out->ack[end] = entry->ack[end];
    }
    out->age_ms = (uint32_t)(((uint64_t)ticks << OFFLOAD_TICK_SHIFT) / NS_A_MS);
    out->number = entry->number;
}

static void
carried_record(uint32_t family, const uint8_t *key,
               const struct offload_entry *entry,
               struct flow_handed_session *out)
{
    carried_fill(entry, out);
    carried_tuple(family, key, &out->tuple);
}

/* A connection of which the map has the name; see carried_name(). */
static void
carried_named(const uint8_t *key, const struct offload_entry *entry,
              struct flow_handed_session *out)
{
    struct offload_name6 name;

    memcpy(&name, key, sizeof name);
    carried_fill(entry, out);
    memcpy(out->tuple.laddr, &name.hash, sizeof name.hash);
    memcpy(out->tuple.faddr + 12, &name.client, sizeof name.client);
    out->tuple.fport = ntohs(name.port[0]);
    out->tuple.lport = ntohs(name.port[1]);
    out->tuple.family = 6;
    out->known = FLOW_KNOWN_BY_NAME;
}

/* Puts those of one family; marks by `known` which of them are there. */
static void
carried_put(const struct link_carried *maps, uint32_t family,
            struct flow_handed_session *records, uint32_t count)
{
    struct carried_batch batch;
    int32_t map = family == 4 ? maps->map4 : maps->map6;
    size_t used = 0;

    batch.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].tuple.family != family)
            continue;
        used += carried_key(maps, &records[i].tuple, batch.keys + used);
        carried_entry(&records[i], &batch.entries[batch.count]);
        batch.index[batch.count++] = i;
    }
    uint32_t put = batch.count;
    if (put > 0 &&
        link_bpf_batch(BPF_MAP_UPDATE_BATCH, map, NULL, NULL, batch.keys,
                       (uint8_t *)batch.entries, &put) < 0 &&
        put == batch.count) /* it did not even begin */
        put = 0;
    for (uint32_t i = 0; i < put; i++)
        records[batch.index[i]].known = 1;
}

uint32_t
link_carried_put(const struct link_carried *maps,
                 struct flow_handed_session *records, uint32_t count)
{
    uint32_t left = 0;

    assert(count <= LINK_CARRIED_MAX);
    for (uint32_t i = 0; i < count; i++)
        records[i].known = 0;
    carried_put(maps, 4, records, count);
    carried_put(maps, 6, records, count);
    for (uint32_t i = 0; i < count; i++)
        if (records[i].known == 0)
            records[left++] = records[i];
    return left;
}

uint32_t
link_carried_events(const struct link_carried *maps,
                    struct flow_handed_session *out, uint32_t out_max)
{
    uint32_t count = 0;
    struct offload_event event;

    while (count < out_max &&
           link_bpf_element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, maps->events, NULL,
                            (uint8_t *)&event) == 0) {
        uint8_t key[sizeof event.key];
        memcpy(key, &event.key, sizeof key);
        if (event.family == 4) {
            memcpy(key + 4, event.key.address + 4, 4);
            memcpy(key + 8, event.key.port, sizeof event.key.port);
        }
        carried_record(event.family, key, &event.entry, &out[count++]);
    }
    return count;
}

int32_t
link_carried_look(const struct link_carried *maps, uint32_t family,
                  struct link_carried_walk *walk,
                  struct flow_handed_session *out, uint32_t out_max)
{
    struct carried_batch batch;
    size_t key_size = family == 4 ? sizeof(struct offload_key4)
                                  : sizeof(struct offload_name6);
    uint32_t count = out_max, next = 0;

    assert(out_max <= LINK_CARRIED_MAX);
    int32_t result = link_bpf_batch(
        BPF_MAP_LOOKUP_BATCH, family == 4 ? maps->map4 : maps->map6,
        walk->begun ? &walk->cursor : NULL, &next, batch.keys,
        (uint8_t *)batch.entries, &count);
    if (result < 0 && result != -ENOENT)
        return result;
    walk->done = result < 0;
    walk->begun = 1;
    walk->cursor = next;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *key = batch.keys + i * key_size;

        if (family == 4)
            carried_record(family, key, &batch.entries[i], &out[i]);
        else
            carried_named(key, &batch.entries[i], &out[i]);
    }
    return (int32_t)count;
}

uint32_t
link_carried_drop(const struct link_carried *maps,
                  const struct flow_handed_session *records, uint32_t count,
                  uint32_t age_ms)
{
    uint32_t dropped = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct syncache_tuple *tuple = &records[i].tuple;
        uint8_t key[sizeof(struct offload_name6)];

        if (records[i].known == FLOW_KNOWN || records[i].age_ms < age_ms)
            continue;
        if (tuple->family == 4)
            (void)carried_key(maps, tuple, key);
        else
            (void)carried_name(tuple, key);
        dropped +=
            link_bpf_element(BPF_MAP_DELETE_ELEM,
                             tuple->family == 4 ? maps->map4 : maps->map6, key,
                             NULL) == 0;
    }
    return dropped;
}

uint32_t
link_carried_catch_up(const struct link_carried *maps,
                      struct flow_splice *splices, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct flow_splice *splice = &splices[i];
        bool v4 = splice->tuple.family == 4;
        uint8_t key[sizeof(struct offload_name6)];
        struct offload_entry entry;
        struct flow_handed_session record;

        if (!v4 && splice->tuple.family != 6)
            continue;
        (void)carried_key(maps, &splice->tuple, key);
        if (link_bpf_element(BPF_MAP_LOOKUP_ELEM, v4 ? maps->map4 : maps->map6,
                             key, (uint8_t *)&entry) < 0 ||
            entry.delta != splice->delta)
            continue;
        carried_fill(&entry, &record);
        splice->seq[FLOW_CLIENT] = entry.ack[OFFLOAD_SERVER];
        splice->seq[FLOW_SERVER] = entry.ack[OFFLOAD_CLIENT];
        splice->flags &= entry.flags;
        splice->idle_ms = record.age_ms;
        found++;
    }
    return found;
}

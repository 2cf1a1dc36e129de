/*
 * Destinations.  The table probes linearly over numbers, at most half full.
 * Hosts of one count are a list, so the heaviest is found at once; its count
 * moves by one at a time, so it is kept by looking one step down.
 */
#include "host.h"

#include "../core/bytes.h"
#include "../core/siphash.h"

#include <assert.h>
#include <string.h>

static uint32_t
hosts_slots(uint32_t max)
{
    uint32_t slots = 2;

    while (slots < 2 * max)
        slots *= 2;
    return slots;
}

size_t
hosts_bytes(uint32_t max, uint32_t sessions_max)
{
    return (size_t)max * sizeof(struct host) +
           ((size_t)hosts_slots(max) + sessions_max + 1) * sizeof(uint32_t);
}

void
hosts_init(struct hosts *hosts, void *memory, uint32_t max,
           struct sessions *sessions,
           const uint8_t hash_key[static SYNCACHE_KEY_BYTES])
{
    size_t bytes = (size_t)max * sizeof(struct host);
    uint32_t slots = hosts_slots(max);

    memset(hosts, 0, sizeof *hosts);
    hosts->sessions = sessions;
    hosts->host = memory;
    hosts->slot = (uint32_t *)(void *)((uint8_t *)memory + bytes);
    hosts->by_count = hosts->slot + slots;
    memset(hosts->slot, 0, (size_t)slots * sizeof *hosts->slot);
    memset(hosts->by_count, 0xff,
           ((size_t)sessions->max + 1) * sizeof *hosts->by_count);
    hosts->max = max;
    hosts->mask = slots - 1;
    hosts->free = HOST_NONE;
    memcpy(hosts->hash_key, hash_key, SYNCACHE_KEY_BYTES);
}

static uint32_t
host_hash(const struct hosts *hosts, const uint8_t address[static 16],
          uint8_t family, uint8_t protocol)
{
    uint8_t packed[18];

    memcpy(packed, address, 16);
    packed[16] = family;
    packed[17] = protocol;
    return (uint32_t)siphash24(hosts->hash_key, packed, sizeof packed);
}

static bool
host_is(const struct host *host, const uint8_t address[static 16],
        uint8_t family, uint8_t protocol)
{
    return host->family == family && host->protocol == protocol &&
           memcmp(host->address, address, 16) == 0;
}

/* The recent one, if it is of this address; one forgotten has no family. */
static struct host *
host_again(const struct hosts *hosts, const uint8_t address[static 16],
           uint8_t family, uint8_t protocol)
{
    struct host *host = &hosts->host[hosts->recent];

    if (hosts->fresh == 0 || !host_is(host, address, family, protocol))
        return NULL;
    return host;
}

static struct host *
host_look(const struct hosts *hosts, const uint8_t address[static 16],
          uint8_t family, uint8_t protocol, uint32_t *at)
{
    uint32_t hash = host_hash(hosts, address, family, protocol);

    for (*at = hash & hosts->mask; hosts->slot[*at] != 0;
         *at = (*at + 1) & hosts->mask) {
        struct host *host = &hosts->host[hosts->slot[*at] - 1];

        if (host->hash == hash && host_is(host, address, family, protocol))
            return host;
    }
    return NULL;
}

struct host *
host_find(const struct hosts *hosts, const uint8_t address[static 16],
          uint8_t family, uint8_t protocol)
{
    struct host *host = host_again(hosts, address, family, protocol);
    uint32_t at;

    if (host != NULL)
        return host;
    return host_look(hosts, address, family, protocol, &at);
}

/* Into the list of its count, and out of it. */
static void
host_link(struct hosts *hosts, struct host *host)
{
    uint32_t number = host_number(hosts, host);
    uint32_t first = hosts->by_count[host->count];

    host->above = HOST_NONE;
    host->below = first;
    if (first != HOST_NONE)
        hosts->host[first].above = number;
    hosts->by_count[host->count] = number;
    if (host->count > hosts->heaviest)
        hosts->heaviest = host->count;
}

static void
host_unlink(struct hosts *hosts, struct host *host)
{
    if (host->above == HOST_NONE)
        hosts->by_count[host->count] = host->below;
    else
        hosts->host[host->above].below = host->below;
    if (host->below != HOST_NONE)
        hosts->host[host->below].above = host->above;
    /* It comes back one step away, or it had none. */
    if (host->count == hosts->heaviest && host->count > 0 &&
        hosts->by_count[host->count] == HOST_NONE)
        hosts->heaviest--;
}

struct host *
host_make(struct hosts *hosts, const uint8_t address[static 16], uint8_t family,
          uint8_t protocol)
{
    struct host *host = host_again(hosts, address, family, protocol);
    uint32_t at, number;

    if (host != NULL)
        return host;
    host = host_look(hosts, address, family, protocol, &at);
    if (host != NULL) {
        hosts->recent = host_number(hosts, host);
        return host;
    }
    if (hosts->free != HOST_NONE) {
        number = hosts->free;
        hosts->free = hosts->host[number].above;
    } else if (hosts->fresh < hosts->max) {
        number = hosts->fresh++;
    } else {
        return NULL;
    }
    host = &hosts->host[number];
    memset(host, 0, sizeof *host);
    memcpy(host->address, address, 16);
    host->family = family;
    host->protocol = protocol;
    host->hash = host_hash(hosts, address, family, protocol);
    host->oldest = host->youngest = SESSION_NONE;
    host_link(hosts, host);
    hosts->slot[at] = number + 1;
    hosts->recent = number;
    hosts->count++;
    return host;
}

static void
host_forget(struct hosts *hosts, struct host *host)
{
    uint32_t wanted = host_number(hosts, host) + 1;
    uint32_t hole = host->hash & hosts->mask;

    while (hosts->slot[hole] != wanted) {
        assert(hosts->slot[hole] != 0);
        hole = (hole + 1) & hosts->mask;
    }
    for (uint32_t at = (hole + 1) & hosts->mask; hosts->slot[at] != 0;
         at = (at + 1) & hosts->mask) {
        uint32_t home = hosts->host[hosts->slot[at] - 1].hash;

        if (((at - home) & hosts->mask) >= ((at - hole) & hosts->mask)) {
            hosts->slot[hole] = hosts->slot[at];
            hole = at;
        }
    }
    hosts->slot[hole] = 0;
    host_unlink(hosts, host);
    host->family = 0;
    host->above = hosts->free;
    hosts->free = wanted - 1;
    hosts->count--;
}

static void
host_forget_idle(struct hosts *hosts, struct host *host)
{
    if (host->count == 0 && !host->blocked && !host->alerted && !host->kept)
        host_forget(hosts, host);
}

void
host_add(struct hosts *hosts, struct host *host, struct session *session)
{
    uint32_t number = session_number(hosts->sessions, session);

    session->host = host_number(hosts, host);
    session->host_younger = SESSION_NONE;
    session->host_older = host->youngest;
    if (host->youngest == SESSION_NONE)
        host->oldest = number;
    else
        session_at(hosts->sessions, host->youngest)->host_younger = number;
    host->youngest = number;
    host_unlink(hosts, host);
    host->count++;
    host_link(hosts, host);
}

void
host_remove(struct hosts *hosts, struct session *session)
{
    struct host *host;

    if (session->host == HOST_NONE)
        return;
    host = &hosts->host[session->host];
    assert(host->count > 0);
    if (session->host_older == SESSION_NONE)
        host->oldest = session->host_younger;
    else
        session_at(hosts->sessions, session->host_older)->host_younger =
            session->host_younger;
    if (session->host_younger == SESSION_NONE)
        host->youngest = session->host_older;
    else
        session_at(hosts->sessions, session->host_younger)->host_older =
            session->host_older;
    session->host = HOST_NONE;
    host_unlink(hosts, host);
    host->count--;
    host_link(hosts, host);
    host_forget_idle(hosts, host);
}

void
host_block(struct hosts *hosts, struct host *host, uint64_t until_ms)
{
    assert(!host->blocked);
    host->blocked = 1;
    host->block_until_ms = until_ms;
    hosts->blocked++;
}

void
host_unblock(struct hosts *hosts, struct host *host)
{
    assert(host->blocked && hosts->blocked > 0);
    host->blocked = 0;
    hosts->blocked--;
    host_forget_idle(hosts, host);
}

void
host_alert(struct host *host, uint64_t now_ms)
{
    host->alerted = 1;
    host->alert_ms = now_ms;
}

void
host_rearm(struct hosts *hosts, struct host *host)
{
    host->alerted = 0;
    host_forget_idle(hosts, host);
}

struct host *
hosts_heaviest(const struct hosts *hosts)
{
    uint32_t number = hosts->by_count[hosts->heaviest];

    if (hosts->heaviest == 0 || number == HOST_NONE)
        return NULL;
    return &hosts->host[number];
}

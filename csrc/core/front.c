/*
 * The engine in front of a stack that looks up its connections and listeners
 * itself: one object with the clock, the keys, the ports and the order of calls
 * that every such stack would keep beside the engine.
 *
 * Not here: sending, and making connections, which are the stack's.
 */
#include "../syncache_host.h"
#include "bytes.h"
#include "endpoint.h"
#include "engine.h"

#include <assert.h>
#include <string.h>

#define FRONT_WAIT_MIN_MS 10
#define FRONT_WAIT_MAX_MS 250
#define FRONT_HEADER_MAX 60 /* a TCP header with all its options */

/* Gives the epoch in force a key, if it has none. */
static void
front_renew(const struct syncache_front *front, uint64_t now_ms)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t epoch;

    if (!syncache_key_due(front->cache, now_ms, &epoch))
        return;
    front->entropy(key, sizeof key);
    syncache_set_key(front->cache, epoch, key);
}

bool
syncache_front_init(struct syncache_front *front, uint32_t now_ms, void *block,
                    size_t size)
{
    struct syncache_config config;
    struct syncache_tunables tunables;
    struct syncache_endpoint endpoint = front->endpoint;
    uint8_t seed[SYNCACHE_KEY_BYTES];

    assert(front != NULL && front->entropy != NULL);
    front->cache = NULL;
    front->connecting = NULL;
    front->mss_least = 0;
    front->clock = (struct syncache_clock_state){0};
    endpoint.lport = 1; /* any */
    if (!endpoints_valid(&endpoint) || !syncache_config_fit(&config, size))
        return false;
    config.ts_per_tuple = front->ts_per_tuple;
    front->entropy(seed, sizeof seed);
    front->cache = syncache_init(block, size, &config, seed);
    if (front->cache == NULL)
        return false;
    syncache_tunables_host(&tunables);
    (void)syncache_set_tunables(front->cache, &tunables);
    front_renew(front, syncache_clock(&front->clock, now_ms));
    return true;
}

bool
syncache_front_listen(struct syncache_front *front, uint16_t lport)
{
    struct syncache_endpoint endpoint = front->endpoint;
    uint32_t number;

    endpoint.lport = lport;
    return front->cache != NULL &&
           syncache_listen(front->cache, &endpoint, &number);
}

/* The MSS of the packet's interface holds for its call; repeats go by any. */
static void
front_tell_mss(struct syncache_front *front)
{
    front->cache->front_mss = front->mss;
    if (front->mss_least == 0 || front->mss < front->mss_least)
        front->mss_least = front->mss;
}

enum syncache_verdict
syncache_front_segment(struct syncache_front *front, uint32_t now_ms,
                       uint8_t family, const void *faddr, const void *laddr,
                       const uint8_t *segment, size_t segment_size,
                       size_t payload_size, struct syncache_result *result)
{
    uint64_t now = syncache_clock(&front->clock, now_ms);
    enum syncache_verdict verdict;

    result->reply_size = 0;
    if (front->cache == NULL)
        return SYNCACHE_PASS_NO_ENDPOINT;
    front_tell_mss(front);
    verdict = syncache_segment(front->cache, now, family, faddr, laddr, 0,
                               segment, segment_size, payload_size,
                               SYNCACHE_CHECKSUM_VALID, result);
    if ((verdict == SYNCACHE_PASS_NOT_OURS ||
         verdict == SYNCACHE_PASS_NO_ENDPOINT) &&
        syncache_front_listen(front, (uint16_t)(segment[2] << 8 | segment[3])))
        verdict = syncache_segment(front->cache, now, family, faddr, laddr, 0,
                                   segment, segment_size, payload_size,
                                   SYNCACHE_CHECKSUM_VALID, result);
    front->cache->front_mss = 0;
    return verdict;
}

uint32_t
syncache_front_poll(struct syncache_front *front, uint32_t now_ms,
                    uint8_t packet[SYNCACHE_REPLY_MAX])
{
    uint64_t now = syncache_clock(&front->clock, now_ms);
    uint32_t size;

    if (front->cache == NULL)
        return 0;
    front_renew(front, now);
    front->cache->front_mss = front->mss_least;
    size = syncache_poll_one(front->cache, now, packet);
    front->cache->front_mss = 0;
    return size;
}

/*
 * Offers the connection to the stack; returns whether it has it now.  The
 * parentheses here and below: connect() and send() are macros of many stacks.
 */
static bool
front_connect(struct syncache_front *front, const struct syncache_conn *conn,
              void *by)
{
    bool made;

    front->connecting = conn;
    made = (front->connect)(conn, by);
    front->connecting = NULL;
    syncache_accepted(front->cache, conn, 0, made);
    return made;
}

enum syncache_kind
syncache_front_input(struct syncache_front *front, uint32_t now_ms,
                     uint8_t family, const void *faddr, const void *laddr,
                     const uint8_t *segment, size_t segment_size,
                     size_t payload_size, void *by)
{
    struct syncache_result result;
    enum syncache_verdict verdict;
    enum syncache_kind kind;

    if (front->connecting != NULL)
        return SYNCACHE_PASS;
    verdict =
        syncache_front_segment(front, now_ms, family, faddr, laddr, segment,
                               segment_size, payload_size, &result);
    kind = syncache_kind(verdict);
    if (kind == SYNCACHE_ACCEPT && !front_connect(front, &result.conn, by))
        return SYNCACHE_DROP; /* nor may a SYN's data be acknowledged */
    if (verdict == SYNCACHE_ACCEPT_FASTOPEN)
        kind = SYNCACHE_REPLY;
    if (result.reply_size > 0)
        (front->send)(result.reply, result.reply_size, by);
    return kind;
}

enum syncache_kind
syncache_front_header(struct syncache_front *front, uint32_t now_ms,
                      uint8_t family, const void *faddr, const void *laddr,
                      void *header, size_t header_size, const void *more,
                      size_t more_size, size_t payload_size, void *by)
{
    uint8_t whole[FRONT_HEADER_MAX];
    enum syncache_kind kind;

    if (header_size < 20 || header_size > sizeof whole ||
        more_size > sizeof whole - header_size)
        return SYNCACHE_DROP;
    memcpy(whole, header, header_size);
    if (more_size > 0)
        memcpy(whole + header_size, more, more_size);
    syncache_tcp_turn(whole);
    kind = syncache_front_input(front, now_ms, family, faddr, laddr, whole,
                                header_size + more_size, payload_size, by);
    if (kind == SYNCACHE_ACCEPT)
        syncache_tcp_turn(header);
    return kind;
}

uint32_t
syncache_front_isn(const struct syncache_front *front)
{
    uint32_t isn;

    if (front->connecting != NULL)
        return front->connecting->iss;
    front->entropy(&isn, sizeof isn);
    return isn;
}

uint32_t
syncache_front_run(struct syncache_front *front, uint32_t now_ms)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint64_t due, now;
    uint32_t size;

    while ((size = syncache_front_poll(front, now_ms, packet)) > 0)
        (front->send)(packet, size, NULL);
    if (front->cache == NULL)
        return FRONT_WAIT_MAX_MS;
    due = syncache_next_deadline(front->cache);
    now = front->clock.now_ms;
    if (due <= now + FRONT_WAIT_MIN_MS)
        return FRONT_WAIT_MIN_MS;
    return due - now < FRONT_WAIT_MAX_MS ? (uint32_t)(due - now)
                                         : FRONT_WAIT_MAX_MS;
}

/* memcpy() has no alignment, and the compiler makes one instruction of it. */
static void
front_turn16(uint8_t *bytes)
{
    uint16_t value = load16_be(bytes);

    memcpy(bytes, &value, sizeof value);
}

static void
front_turn32(uint8_t *bytes)
{
    uint32_t value = load32_be(bytes);

    memcpy(bytes, &value, sizeof value);
}

void
syncache_tcp_turn(void *header)
{
    uint8_t *bytes = header;

    front_turn16(bytes); /* ports */
    front_turn16(bytes + 2);
    front_turn32(bytes + 4); /* SEQ and ACK */
    front_turn32(bytes + 8);
    front_turn16(bytes + 14); /* window */
}

/*
 * No order of the C library's calls and no argument crashes it, and what it
 * hands out is what its header says.
 *
 * The input is read as calls: a byte chooses one, the bytes behind it are its
 * arguments, numbers mostly powers of two and those beside them.  Packets are built
 * from few addresses and ports, or answer the last reply, so that handshakes
 * come about.  A packet lies in a block of exactly its size.
 */
#include "../../csrc/syncache_host.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_LEAST (1u << 14) /* that a host with few clients has */
#define BLOCK_MAX (1u << 18)
#define CONNS 8u
#define HALF_OPEN 300u
#define FLAG_SYN 2u
#define FLAG_ACK 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): this must also hold with NDEBUG. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* The rest of the input, from which everything is taken; 0 behind its end. */
static const uint8_t *rest;
static size_t rest_size;

static void
take(void *to, size_t size)
{
    size_t there = size < rest_size ? size : rest_size;
    memset(to, 0, size);
    memcpy(to, rest, there);
    rest += there;
    rest_size -= there;
}

static uint32_t
byte(void)
{
    uint8_t value;
    take(&value, 1);
    return value;
}

/* One of so many numbers. */
static uint32_t
one_of(uint32_t count)
{
    return byte() % count;
}

static bool
seldom(void)
{
    return byte() > 240;
}

/* A power of two, or beside one, or any number. */
static uint64_t
number(void)
{
    uint32_t which = byte();
    uint64_t any;
    if (which < 192)
        return (UINT64_C(1) << (which & 63)) + (which >> 6) - 1;
    take(&any, sizeof any);
    return any >> (which & 63);
}

static uint8_t
family(void)
{
    return seldom() ? (uint8_t)number() : byte() & 1 ? 6 : 4;
}

/* What the library and its caller have between them. */
static struct syncache *cache;
static struct syncache_config config;
static struct syncache_result result;
static struct syncache_conn conns[CONNS];
static uint64_t now_ms;

static uint64_t
when(void)
{
    uint32_t step = byte();
    if (step > 252)
        return number();
    now_ms += step < 128 ? 0 : step < 240 ? step & 63 : 20000;
    return now_ms;
}

static void
some_address(uint8_t address[16])
{
    memset(address, 0, 16);
    address[0] = 10;
    address[3] = (uint8_t)one_of(4);
    if (seldom())
        take(address, 16);
}

static struct syncache_tuple
some_tuple(void)
{
    struct syncache_tuple tuple;
    memset(&tuple, 0, sizeof tuple);
    some_address(tuple.faddr);
    some_address(tuple.laddr);
    tuple.fport = (uint16_t)(1000 + one_of(8));
    tuple.lport = (uint16_t)(seldom() ? number() : 80 + one_of(3));
    tuple.family = family();
    return tuple;
}

static struct syncache_tuple
any_tuple(void)
{
    uint32_t which = one_of(2 * CONNS);
    return which < CONNS ? conns[which].tuple : some_tuple();
}

static void
call_tune(void)
{
    struct syncache_tunables tunables;
    uint32_t *words = (uint32_t *)(void *)&tunables;
    syncache_tunables_default(&tunables);
    if (byte() & 1)
        syncache_tunables_host(&tunables);
    for (uint32_t i = one_of(4); i > 0; i--) {
        uint32_t which = one_of(sizeof tunables / sizeof *words);
        if (which != 0) /* the size of the structure */
            words[which] = (uint32_t)number();
    }
    syncache_set_tunables(cache, &tunables);
}

static void
call_keys(void)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t epoch, next_ms;
    take(key, sizeof key);
    if (!seldom()) {
        if (syncache_key_due(cache, when(), &epoch))
            syncache_set_key(cache, epoch, key);
        return;
    }
    uint32_t which = one_of(6);
    if (which == 0)
        syncache_set_key(cache, number(), key);
    else if (which == 1)
        syncache_set_epoch(cache, number(), number());
    else if (which == 2)
        syncache_set_ts_key(cache, key);
    else if (which == 3)
        syncache_set_ts_base(cache, (uint32_t)number());
    else if (which == 4)
        syncache_rehash(cache, key);
    else
        syncache_epoch(cache, when(), &next_ms);
}

static void
call_listen(void)
{
    struct syncache_endpoint endpoint;
    uint32_t at = 0;
    memset(&endpoint, 0, sizeof endpoint);
    if (byte() > 200) {
        syncache_unlisten(cache, seldom() ? (uint32_t)number() : one_of(8));
        return;
    }
    endpoint.lport = (uint16_t)(80 + one_of(3));
    endpoint.family = byte() & 1 ? 0 : family();
    if (endpoint.family != 0)
        some_address(endpoint.laddr);
    endpoint.options = seldom() ? (uint8_t)number() : 15;
    endpoint.ecn = (uint8_t)one_of(2);
    endpoint.hop_limit = seldom() ? (uint8_t)number() : 64;
    endpoint.rcv_wscale = (uint8_t)one_of(16);
    endpoint.rcv_wnd = (uint32_t)number();
    endpoint.mtu = byte() & 1 ? 1500 : (uint16_t)number();
    endpoint.mss_max = byte() & 1 ? 0 : (uint16_t)number();
    endpoint.fastopen = seldom() ? (uint32_t)number() : 0;
    syncache_listen(cache, &endpoint, &at);
}

static void
call_peers(void)
{
    struct syncache_tuple tuple = some_tuple();
    uint8_t key[300];
    if (byte() & 1) {
        syncache_address(cache, tuple.family, tuple.laddr);
        return;
    }
    take(key, 16);
    memset(key + 16, 7, sizeof key - 16);
    syncache_md5_key(cache, seldom() ? (uint32_t)number() : one_of(4),
                     tuple.family, tuple.faddr, key,
                     byte() & 1 ? 16 : number() % (sizeof key + 1));
}

/* A segment of the peer's, maybe the answer to the last reply; its size. */
static size_t
some_packet(uint8_t *packet, size_t room)
{
    struct syncache_fields fields, last;
    uint8_t options[40], payload[300];
    struct syncache_tuple tuple = some_tuple();
    memset(&fields, 0, sizeof fields);
    memcpy(fields.saddr, tuple.faddr, 16);
    memcpy(fields.daddr, tuple.laddr, 16);
    fields.sport = tuple.fport;
    fields.dport = tuple.lport;
    fields.family = tuple.family == 6 ? 6 : 4;
    fields.hop_limit = 64;
    fields.flags = seldom() ? (uint16_t)number() : FLAG_SYN;
    fields.seq = byte() & 1 ? 1000 : (uint32_t)number();
    fields.ack = (uint32_t)number();
    fields.window = (uint16_t)number();
    if (result.reply_size > 0 && byte() < 160 &&
        syncache_parse(result.reply, result.reply_size,
                       SYNCACHE_CHECKSUM_VERIFY,
                       &last) == SYNCACHE_PASS_KNOWN) {
        memcpy(fields.saddr, last.daddr, 16);
        memcpy(fields.daddr, last.saddr, 16);
        fields.sport = last.dport;
        fields.dport = last.sport;
        fields.family = last.family;
        fields.seq = last.ack;
        fields.ack = last.seq + 1;
        fields.flags = seldom() ? (uint16_t)number() : FLAG_ACK;
    }
    fields.options_size = (uint16_t)(one_of(11) * 4);
    take(options, fields.options_size);
    fields.payload_size = seldom() ? (uint32_t)number() % sizeof payload : 0;
    memset(payload, 5, sizeof payload);
    return syncache_build(&fields, options, payload, SYNCACHE_CHECKSUM_VERIFY,
                          packet, room);
}

static void
check_reply(void)
{
    struct syncache_fields fields;
    uint8_t address[16];
    require(result.reply_size <= SYNCACHE_REPLY_MAX);
    if (result.reply_size == 0)
        return;
    require(syncache_parse(result.reply, result.reply_size,
                           SYNCACHE_CHECKSUM_VERIFY,
                           &fields) == SYNCACHE_PASS_KNOWN);
    require(syncache_destination(result.reply, address) == fields.family);
    require(memcmp(address, fields.daddr, fields.family == 6 ? 16 : 4) == 0);
}

static void
check_syn(const struct syncache_conn *conn)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint32_t size = syncache_syn_packet(conn, packet);
    require(size <= sizeof packet && syncache_tcp_offset(packet) < size);
    require(syncache_syn_segment(conn, packet) <= sizeof packet);
}

static void
call_packet(void)
{
    uint8_t room[2048];
    size_t size = some_packet(room, seldom() ? byte() : sizeof room);
    if (size > 0 && seldom())
        room[number() % size] ^= (uint8_t)(1u << one_of(8));
    if (size > 0 && seldom())
        size = number() % size;
    uint8_t *packet = malloc(size > 0 ? size : 1);
    require(packet != NULL);
    memcpy(packet, room, size);
    size_t offset = size > 0 && packet[0] >> 4 == 6 ? 40 : 20;
    enum syncache_verdict verdict;
    if (byte() < 192 || size < offset) {
        uint32_t sums = seldom() ? one_of(4) : SYNCACHE_CHECKSUM_VERIFY;
        verdict = syncache_packet(cache, when(), packet, size, sums, &result);
    } else {
        struct syncache_tuple tuple = some_tuple();
        size_t rest_of_it = size - offset;
        verdict = syncache_segment(cache, when(), offset == 40 ? 6 : 4,
                                   tuple.faddr, tuple.laddr, (uint8_t)byte(),
                                   packet + offset, rest_of_it,
                                   seldom()          ? (size_t)number()
                                   : rest_of_it > 20 ? rest_of_it - 20
                                                     : 0,
                                   SYNCACHE_CHECKSUM_VERIFY, &result);
    }
    free(packet);
    require(syncache_verdict_name(verdict) != NULL);
    check_reply();
    if (syncache_kind(verdict) != SYNCACHE_ACCEPT)
        return;
    check_syn(&result.conn);
    conns[one_of(CONNS)] = result.conn;
    if (byte() & 3)
        syncache_accepted(cache, &result.conn, number(), byte() & 1);
}

/* A connection that the caller has spoiled, or keeps for too long. */
static void
call_accepted(void)
{
    struct syncache_conn conn = conns[one_of(CONNS)];
    if (seldom())
        conn.endpoint = (uint32_t)number();
    if (seldom())
        conn.offer = (uint32_t)number();
    syncache_accepted(cache, &conn, number(), byte() & 1);
}

static void
call_state(void)
{
    struct syncache_tuple tuple = any_tuple();
    struct syncache_numbers numbers;
    uint32_t which = one_of(5);
    take(&numbers, sizeof numbers);
    if (which == 0)
        syncache_opened(cache, &tuple, number());
    else if (which == 1)
        syncache_closed(cache, &tuple);
    else if (which == 2)
        syncache_unsent(cache, &tuple, (uint32_t)number());
    else if (which == 3)
        syncache_unreach(cache, when(), &tuple, (uint32_t)number());
    else
        syncache_guard(cache, &tuple, &numbers);
}

static void
call_time(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];
    for (uint32_t i = one_of(5); i > 0; i--)
        require(syncache_poll_one(cache, when(), packet) <= sizeof packet);
    uint64_t due_ms = syncache_next_deadline(cache);
    if (due_ms > now_ms && due_ms - now_ms < 1000000 && byte() & 1)
        now_ms = due_ms;
}

static void
call_look(void)
{
    static struct syncache_half_open found[HALF_OPEN];
    uint64_t cursor = byte() & 1 ? 0 : number();
    uint32_t room = (uint32_t)(number() % (HALF_OPEN + 1));
    if (byte() & 1)
        require(syncache_walk(cache, &cursor, found, room) <= room);
    else
        require(syncache_walk_some(cache, &cursor, (uint32_t)number(), found,
                                   room) <= room);
    require(syncache_count(cache) <= config.cachelimit);
    (void)syncache_paused(cache);
    require(syncache_statistics(cache) != NULL);
}

/* Those that need no engine. */
static void
call_alone(void)
{
    uint8_t key[SYNCACHE_KEY_BYTES];
    struct syncache_cookie_options options;
    struct syncache_tuple tuple = some_tuple();
    struct syncache_clock_state clock = {number(), byte() & 1};
    struct syncache_ticks_state ticks = {number(), byte() & 1};
    take(key, sizeof key);
    take(&options, sizeof options);
    uint32_t layout = (uint32_t)number(), irs = (uint32_t)number();
    uint32_t iss = syncache_cookie_mint(key, &tuple, irs, &options, one_of(3),
                                        number(), layout);
    syncache_cookie_check(key, &tuple, irs, iss, number(), layout, &options);
    syncache_clock(&clock, (uint32_t)number());
    syncache_ticks(&ticks, (uint32_t)number(), (uint32_t)number(),
                   (uint32_t)number());
}

static void
call_one(void)
{
    static void (*const calls[])(void) = {
        call_packet, call_packet, call_packet, call_packet,   call_tune,
        call_keys,   call_listen, call_peers,  call_accepted, call_state,
        call_time,   call_look,   call_alone};
    calls[one_of(sizeof calls / sizeof *calls)]();
}

/* A configuration that fits into so many bytes, or one that may be refused. */
static bool
choose_config(void)
{
    uint32_t bytes;
    memset(&config, 0, sizeof config);
    take(&bytes, sizeof bytes);
    bytes = (seldom() ? 0 : BLOCK_LEAST) + bytes % (BLOCK_MAX - BLOCK_LEAST);
    if (!syncache_config_fit(&config, bytes))
        return false;
    if (byte() & 1) {
        config.established_max = one_of(20);
        config.md5_max = one_of(4);
        config.address_max = one_of(4);
        config.ts_per_tuple = one_of(2);
    }
    if (seldom())
        config.ts_hz = (uint32_t)number();
    if (seldom())
        config.bucketlimit = (uint32_t)number();
    if (seldom())
        config.hashsize = (uint32_t)number();
    if (seldom())
        config.cachelimit = (uint32_t)number();
    (void)syncache_entry_millibytes(&config);
    return true;
}

/* A host that does all that it has to, most of the time. */
static void
begin(void)
{
    const struct syncache_endpoint web = {.lport = 80,
                                          .options = 15,
                                          .hop_limit = 64,
                                          .rcv_wscale = 7,
                                          .rcv_wnd = 65535,
                                          .mtu = 1500};
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t epoch;
    uint32_t at;
    if (seldom())
        return;
    take(key, sizeof key);
    syncache_listen(cache, &web, &at);
    if (syncache_key_due(cache, now_ms, &epoch))
        syncache_set_key(cache, epoch, key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t seed[SYNCACHE_KEY_BYTES];
    rest = data;
    rest_size = size;
    memset(&result, 0, sizeof result);
    memset(conns, 0, sizeof conns);
    if (!choose_config())
        return 0;
    size_t bytes = syncache_size(&config);
    if (bytes == 0 || bytes > BLOCK_MAX)
        return 0;
    void *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
    require(block != NULL);
    take(seed, sizeof seed);
    cache = syncache_init(block, bytes, &config, seed);
    require(cache != NULL);
    now_ms = number() >> 2;
    begin();
    while (rest_size > 0)
        call_one();
    free(block);
    return 0;
}

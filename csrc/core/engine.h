/*
 * The engine's memory block, and the declarations that its rooms share.  Who calls whom:
 *
 *   api.c     size, init, setters, listing           tunables.c  defaults and ranges
 *   input.c   one packet: classify, choose the event burst.c     a ring of packets, in stages
 *   add.c       a SYN: add, duplicate                fastopen.c  a SYN with a TFO option
 *   expand.c  a final ACK                            redeem.c    a final ACK as a cookie
 *   offer.c   completed handshakes and the stack     engine.c    time, hashes, removal, the gate
 *   chkrst.c  RST, ICMP, failures to send           timer.c     retransmission, purge, poll, deadline
 *   guard.c   segments of known connections that change nothing
 *   respond.c the packets that the events send   quick.c      the short way of most SYNs
 */
#ifndef SYNCACHE_CORE_ENGINE_H
#define SYNCACHE_CORE_ENGINE_H

#include "../syncache.h"
#include "endpoint.h"
#include "entry.h"
#include "known.h"
#include "pause.h"
#include "quick.h"
#include "replay.h"
#include "secret.h"
#include "table.h"
#include "wire.h"

/* More cookies than this refused within a second: x.cookie_ts auto asks for timestamps (departure 8). */
#define ENGINE_FAILCOOKIE_MAX 1000

/* Cookies that failed, by seconds of the engine's life: of the one that runs and of the one before. */
struct cookie_failures {
    uint32_t second;
    uint32_t count;
    uint32_t count_before;
};

/* SYN-ACKs sent again in a second of the engine's life. */
struct repeats {
    uint32_t second;
    uint32_t count;
};

/*
 * RSTs to segments of no connection in a second (of 1,024 ms), by source prefix.  Prefixes that share a place share its
 * count; which these are is drawn anew each second.
 */
#ifdef SYNCACHE_SMALL
#define REFUSALS_PLACES 32
#else
#define REFUSALS_PLACES 1024
#endif
struct refusals {
    uint32_t second;
    uint16_t count[REFUSALS_PLACES];
};

/* What is counted lies near the front, where small processors reach 64 bits by one instruction. */
struct syncache {
    struct syncache_config config;
    struct syncache_tunables tunables;
    uint64_t now_ms;                  /* of the last call; never goes back */
    uint64_t keys_ms;                 /* until then no cookie key changes its part */
    uint64_t init_ms;                 /* first time told */
    struct syncache_stats stats;
    struct table table;
    struct known known;
    struct replay replay;
    struct endpoints endpoints;
    struct secret secret;
    struct pause pause;
    uint64_t tunables_ms;             /* when they last changed */
    uint64_t wscale_changed_ms;       /* when wscale took the place of wscale_before */
    uint64_t ts_changed_ms;           /* when ts_base took the place of ts_base_before, for syncache_set_ts_base() */
    uint32_t ts_base;                 /* of the clock of timestamps: config.ts_base, or as set since */
    uint32_t ts_base_before;
    struct cookie_failures failures;
    struct repeats repeats;
    struct refusals refusals;
    uint32_t poll_cursor;             /* bucket where a poll that filled its ring goes on */
    uint16_t turn;                    /* counts the calls with packets: what known tuples may bring to one */
    uint16_t front_mss;               /* announced and used in this call of a front; 0: the endpoint's */
    uint8_t wscale;                   /* ours, from maxsockbuf, where the endpoint does not say */
    uint8_t wscale_before;
    bool started;
    bool settled;                     /* engine_advance() has been here at now_ms, and nothing was set since */
    bool epoch_told;                  /* keys may be older than this engine: see engine_gate_open() */
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
    uint8_t iss_key[SYNCACHE_KEY_BYTES];
    uint8_t ts_key[SYNCACHE_KEY_BYTES];
    uint8_t replay_key[SYNCACHE_KEY_BYTES];
    uint8_t fastopen_key[SYNCACHE_KEY_BYTES];
    struct quick quick;
};

#ifdef SYNCACHE_SMALL
static inline void
quick_init(const struct syncache *cache)
{
    (void)cache;
}

static inline void
quick_forget(struct syncache *cache)
{
    cache->settled = false;
}

static inline void
quick_refresh(const struct syncache *cache)
{
    (void)cache;
}
#endif

/*
 * Takes the time of a call and does everything that time alone causes: keys retire, a pause begins or ends, old
 * deadlines are kept unambiguous.  Every call that tells a time makes it once, before anything else.
 */
void engine_advance(struct syncache *cache, uint64_t now_ms);

/* As that, for a caller that asks which key is due: no packet follows before it could give one. */
void engine_tell(struct syncache *cache, uint64_t now_ms);

/* May a caller name it?  Other families, such as an operating system's own numbers, are no tuples. */
static inline bool
engine_tuple_legal(const struct syncache_tuple *tuple)
{
    return tuple->family == 4 || tuple->family == 6;
}

/* The hash that names bucket, tag and chain of a tuple. */
uint64_t engine_hash(const struct syncache *cache, const struct syncache_tuple *tuple);

/* Offset of a tuple's timestamps, and the clock that it is added to. */
uint32_t engine_ts_offset(const struct syncache *cache, const struct syncache_tuple *tuple);
uint32_t engine_ts_clock(const struct syncache *cache);

/*
 * The previous base, while a SYN-ACK of its time may be answered; else the one in force.  A connection whose SYN-ACK
 * had the larger of the two does not fall behind it.
 */
uint32_t engine_ts_base_before(const struct syncache *cache);
uint32_t engine_ts_base_larger(const struct syncache *cache);

/* Name of a handshake in the replay table. */
uint64_t engine_fingerprint(const struct syncache *cache, const struct syncache_tuple *tuple, uint32_t irs,
                            uint32_t iss);

/* Our window scale on an endpoint, and the window that its SYN-ACKs announce. */
uint8_t engine_wscale(const struct syncache *cache, const struct syncache_endpoint *endpoint);
uint8_t engine_wscale_of(uint32_t maxsockbuf);
uint32_t engine_rcv_wnd(const struct syncache *cache, uint32_t endpoint);

/* MSS of an endpoint: the value announced, and the one for a peer that offered peer_mss. */
uint16_t engine_mss_announced(const struct syncache *cache, uint32_t endpoint, uint8_t family);
uint16_t engine_mss_usable(const struct syncache *cache, uint32_t endpoint, uint8_t family, uint16_t peer_mss);

/* Nothing is looked up or stored: syncookies_only, or a pause of the bucket policy. */
static inline bool
engine_cookies_only(const struct syncache *cache)
{
    return cache->tunables.syncookies_only ||
           (cache->tunables.syncookies && cache->pause.paused &&
            cache->tunables.pause_policy == SYNCACHE_PAUSE_BUCKET);
}

/* An ISS can and should be a cookie: cookies are on and the epoch in force has a key. */
bool engine_mints(const struct syncache *cache);

/* Would it mint, had it ever been given a key? */
bool engine_keyless(const struct syncache *cache);
/* How far apart machines with common keys may think a period ends; keys of our own have no other reader. */
uint32_t engine_skew_ms(const struct syncache *cache);
uint32_t engine_cookie(const struct syncache *cache, const struct syncache_tuple *tuple,
                       const struct table_entry *entry);

/* May an ACK without an entry be tried as a cookie (departure 3)? */
bool engine_gate_open(const struct syncache *cache, const struct endpoint *endpoint, uint64_t hash);
static inline void
engine_stamp_gate(struct syncache *cache, struct endpoint *endpoint)
{
    endpoint->gate_ms = cache->now_ms;
    endpoint->gate_stamped = true;
}

/* Makes the tuple of an entry. */
void engine_entry_tuple(const struct table_entry *entry, struct syncache_tuple *tuple);

/* Takes an entry out, for whatever reason; the caller counts the reason. */
void engine_remove(struct syncache *cache, struct table_ref ref);
/* The same for one that makes room or is purged: its peer may come back by its cookie. */
void engine_remove_unanswered(struct syncache *cache, struct table_ref ref);
/* What that means for its endpoint, the entry being out of the table already. */
void engine_leave_unanswered(struct syncache *cache, const struct table_entry *entry);

/* Whole seconds since the first call, the unit of FreeBSD's rule of recency. */
uint32_t engine_uptime_s(const struct syncache *cache);

#endif

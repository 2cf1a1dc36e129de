/*
 * The tunables of the SYN cache, one row each, which syncache.h includes.
 *
 * A row is all that is said of a tunable.  Members of structures, defaults and range checks are made of it
 * (core/tunables.c), and so are Python's registry, `syncache sysctl` and docs/tunables.md (registry.h):
 *
 *     ROW(member, name, kind, default, lowest, highest, unit, meaning)
 *
 * Values are those of the member, a uint32_t.  If the member counts milliseconds (_ms) and the unit is "s", the name
 * counts whole seconds.  The kind is flag, number, power_of_two, zero_unlimited (a number, where 0 is no bound), or
 * the tag of an enumeration whose words are legal, up to its last enumerator.
 *
 * An ORDER(member, times, member, times) is a relation: so many times the first may not exceed so many times the
 * second unless the kind of the second is zero_unlimited and it is 0.
 *
 * Not here: what the stack in Python has on top (syncache/tunables), the middlebox modes (flow/flow_tunables.h).
 */
#ifndef SYNCACHE_TUNABLES_H
#define SYNCACHE_TUNABLES_H

#include <stdint.h>

/* A row as a member of a structure; csrc/build_ffi.py does the same for Python. */
#define SYNCACHE_MEMBER(member, ...) uint32_t member;
#define SYNCACHE_MEMBER_64(member, ...) uint64_t member;

/* Fixed for the life of an engine: struct syncache_config. */
#define SYNCACHE_CONFIG(ROW) \
    ROW(hashsize, "net.inet.tcp.syncache.hashsize", power_of_two, 512, 1, SYNCACHE_HASHSIZE_MAX, "", \
        "buckets of the cache") \
    ROW(bucketlimit, "net.inet.tcp.syncache.bucketlimit", number, 30, 1, SYNCACHE_BUCKETLIMIT_MAX, "", \
        "entries in one bucket") \
    ROW(cachelimit, "net.inet.tcp.syncache.cachelimit", number, 15360, 1, UINT32_MAX, "", \
        "entries in all; unless set it is hashsize times bucketlimit") \
    ROW(replay_entries, "net.inet.tcp.syncache.x.replay_entries", number, 65536, 0, 268435456, "", \
        "completed handshakes that are remembered; 0: none") \
    ROW(endpoint_max, "net.inet.tcp.syncache.x.endpoint_max", number, 1024, 1, SYNCACHE_ENDPOINT_MAX, "", \
        "listening endpoints") \
    ROW(address_max, "net.inet.tcp.syncache.x.address_max", number, 256, 0, SYNCACHE_ADDRESS_MAX, "", \
        "local addresses beside those of endpoints") \
    ROW(md5_max, "net.inet.tcp.syncache.x.md5_max", number, 64, 0, UINT16_MAX, "", \
        "RFC 2385 keys of all endpoints")

/* May change at any time, as a whole: struct syncache_tunables. */
#define SYNCACHE_TUNABLES(ROW) \
    ROW(syncookies, "net.inet.tcp.syncookies", flag, 1, 0, 1, "", \
        "answer with a SYN cookie what the cache cannot hold; every ISS is then one") \
    ROW(syncookies_only, "net.inet.tcp.syncookies_only", flag, 0, 0, 1, "", \
        "store no half-open connection at all") \
    ROW(rexmtlimit, "net.inet.tcp.syncache.rexmtlimit", number, 3, 0, SYNCACHE_REXMTLIMIT_MAX, "", \
        "retransmissions of a SYN-ACK before its entry is removed") \
    ROW(rst_on_sock_fail, "net.inet.tcp.syncache.rst_on_sock_fail", flag, 0, 0, 1, "", \
        "answer with a RST a handshake for which the stack has no room") \
    ROW(rexmit_initial_ms, "net.inet.tcp.rexmit_initial", number, 1000, 1, SYNCACHE_REXMIT_MAX_MS, "ms", \
        "first retransmission timeout and base of the back-off") \
    ROW(rexmit_slop_ms, "net.inet.tcp.rexmit_slop", number, 200, 0, SYNCACHE_REXMIT_MAX_MS, "ms", \
        "added to every retransmission timeout but the first") \
    ROW(rexmit_min_ms, "net.inet.tcp.rexmit_min", number, 30, 1, SYNCACHE_REXMIT_MAX_MS, "ms", \
        "shortest retransmission timeout") \
    ROW(rexmit_max_ms, "net.inet.tcp.rexmit_max", number, SYNCACHE_REXMIT_MAX_MS, 1, SYNCACHE_REXMIT_MAX_MS, "ms", \
        "longest retransmission timeout") \
    ROW(rexmit_rate, "net.inet.tcp.syncache.x.rexmit_rate", number, 0, 0, UINT32_MAX, "segments", \
        "SYN-ACKs sent again per second at most; 0: no bound") \
    ROW(ecn_enable, "net.inet.tcp.ecn.enable", number, 2, 0, 4, "", \
        "ECN: 0 never, 1 and 2 if the peer asks, 3 and 4 accurate ECN as well") \
    ROW(ecn_maxretries, "net.inet.tcp.ecn.maxretries", number, 1, 0, SYNCACHE_REXMTLIMIT_MAX, "", \
        "SYN-ACK retransmissions that still say ECN") \
    ROW(rfc1323, "net.inet.tcp.rfc1323", number, 1, 0, 3, "", \
        "0 neither, 1 window scaling and timestamps, 2 scaling, 3 timestamps") \
    ROW(sack_enable, "net.inet.tcp.sack.enable", flag, 1, 0, 1, "", \
        "honour SACK-permitted") \
    ROW(mssdflt, "net.inet.tcp.mssdflt", number, 536, 48, UINT16_MAX, "bytes", \
        "IPv4 MSS that is announced where no MTU is known") \
    ROW(v6mssdflt, "net.inet.tcp.v6mssdflt", number, 1220, 48, UINT16_MAX, "bytes", \
        "IPv6 MSS that is announced where no MTU is known") \
    ROW(minmss, "net.inet.tcp.minmss", number, 216, 48, UINT16_MAX, "bytes", \
        "smallest MSS of a peer that is believed") \
    ROW(maxsockbuf, "kern.ipc.maxsockbuf", number, 2097152, 1, 1073741824, "bytes", \
        "largest socket buffer; it decides our window scale") \
    ROW(tolerate_missing_ts, "net.inet.tcp.tolerate_missing_ts", flag, 1, 0, 1, "", \
        "accept a segment without timestamps although they were negotiated") \
    ROW(ts_offset_per_conn, "net.inet.tcp.ts_offset_per_conn", flag, 1, 0, 1, "", \
        "key the timestamp offset on the ports as well as on the addresses") \
    ROW(insecure_rst, "net.inet.tcp.insecure_rst", flag, 0, 0, 1, "", \
        "let any RST in the window reset, as before RFC 5961") \
    ROW(ack_war_cnt, "net.inet.tcp.ack_war_cnt", number, 5, 0, UINT16_MAX, "", \
        "challenge ACKs per entry and time window; 0: unlimited") \
    ROW(ack_war_timewindow_ms, "net.inet.tcp.ack_war_timewindow", \
        number, 1000, 0, SYNCACHE_CHALLENGE_MAX_MS, "ms", \
        "the time window of ack_war_cnt; 0: unlimited") \
    ROW(drop_synfin, "net.inet.tcp.drop_synfin", flag, 0, 0, 1, "", \
        "drop segments with both SYN and FIN") \
    ROW(blackhole, "net.inet.tcp.blackhole", number, 0, 0, 3, "", \
        "no RST for: 1 SYNs to closed ports, 2 anything there, 3 listeners too") \
    ROW(fastopen_server_enable, "net.inet.tcp.fastopen.server_enable", flag, 0, 0, 1, "", \
        "TCP Fast Open for endpoints that ask for it") \
    ROW(path_mtu_discovery, "net.inet.ip.path_mtu_discovery", flag, 1, 0, 1, "", \
        "set DF on what we send") \
    ROW(pause_policy, "net.inet.tcp.syncache.x.pause_policy", \
        syncache_pause_policy, SYNCACHE_PAUSE_AGE, 0, SYNCACHE_PAUSE_NONE, "", \
        "when to stop inserting: victims too young, FreeBSD's full bucket, never") \
    ROW(pause_age_ms, "net.inet.tcp.syncache.x.pause_age_ms", number, 1000, 1, 60000, "ms", \
        "age below which a victim counts as young") \
    ROW(ecn_in_cookie, "net.inet.tcp.syncache.x.ecn_in_cookie", flag, 0, 0, 1, "", \
        "offer ECN in a SYN-ACK without entry") \
    ROW(offer_timeout_ms, "net.inet.tcp.syncache.x.offer_timeout", number, 5000, 0, 60000, "s", \
        "how long an offer may go unanswered; 0: the offer ends the entry") \
    ROW(rst_limit, "net.inet.tcp.syncache.x.rst_limit", number, 200, 0, 65000, "segments", \
        "RSTs a second, about, to stray segments of a /24 or /48; 0: unlimited") \
    ROW(dupsyn_limit, "net.inet.tcp.syncache.x.dupsyn_limit", number, 8, 0, 255, "", \
        "answers to duplicate SYNs per entry; 0: no limit, budget refilled") \
    ROW(cookie_ts, "net.inet.tcp.syncache.x.cookie_ts", \
        syncache_cookie_ts, SYNCACHE_TS_CHECK, 0, SYNCACHE_TS_OFF, "", \
        "what the TSecr of a cookie's ACK must show") \
    ROW(cookie_layout, "net.inet.tcp.syncache.x.cookie_layout", \
        syncache_layout, SYNCACHE_LAYOUT_WIDE, 0, SYNCACHE_LAYOUT_MSS, "", \
        "what a cookie keeps, and what its MAC covers") \
    ROW(failcookie_rst, "net.inet.tcp.syncache.x.failcookie_rst", flag, 0, 0, 1, "", \
        "answer with a RST what may have overtaken its cookie") \
    ROW(overflow, "net.inet.tcp.syncache.x.overflow", \
        syncache_overflow, SYNCACHE_OVERFLOW_EVICT, 0, SYNCACHE_OVERFLOW_DROP_NEW, "", \
        "what a full cache does with a new SYN")

/* Of the keys of cookies: in the structures of the middlebox modes too, which have the values of these names. */
#define SYNCACHE_KEY_TUNABLES(ROW) \
    ROW(cookie_gate, "net.inet.tcp.syncache.x.cookie_gate", \
        syncache_gate, SYNCACHE_GATE_ENDPOINT, 0, SYNCACHE_GATE_BUCKET, "", \
        "whose recent overflow lets a cookie in; always: other machines' too") \
    ROW(clock_skew_ms, "net.inet.tcp.syncache.x.clock_skew_ms", number, 1000, 0, 1800000, "ms", \
        "by how much clocks of machines with common keys may differ") \
    ROW(cookie_lifetime_ms, "net.inet.tcp.syncache.x.cookie_lifetime", number, 32000, 1000, 3600000, "s", \
        "key period: a cookie lives this long to twice as long")

/* The one member of 64 bits, each value of which is legal. */
#define SYNCACHE_TUNABLES_64(ROW) \
    ROW(secmod, "net.inet.tcp.syncache.x.secmod", number, 0, 0, UINT64_MAX, "", \
        "last field of the cookie's MAC input")

#define SYNCACHE_TUNABLES_ORDER(ORDER) \
    ORDER(rexmit_min_ms, 1, rexmit_max_ms, 1) \
    ORDER(minmss, 1, mssdflt, 1) \
    ORDER(minmss, 1, v6mssdflt, 1)

/* Within the skew of either edge of a key period a neighbour's key is tried too: the two spans must not meet. */
#define SYNCACHE_KEY_ORDER(ORDER) \
    ORDER(clock_skew_ms, 2, cookie_lifetime_ms, 1)

/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

#define SYNCACHE_HASHSIZE_MAX 4194304   /* 2^22 buckets: 8 GiB at bucketlimit 30 */
#define SYNCACHE_BUCKETLIMIT_MAX 240    /* ranks and slots fit into a byte */
#define SYNCACHE_REXMTLIMIT_MAX 12      /* TCP_MAXRXTSHIFT: the back-off table ends there */
#define SYNCACHE_REXMIT_MAX_MS 64000    /* the 16-bit deadlines span 131 s either way */
#define SYNCACHE_CHALLENGE_MAX_MS 30000 /* longest ack_war_timewindow: table_due.c says why */
#define SYNCACHE_ENDPOINT_MAX 65535     /* endpoint numbers are 16 bits in an entry */
#define SYNCACHE_ADDRESS_MAX 65535      /* local addresses beside those of endpoints */
#define SYNCACHE_TS_HZ_MAX 1000000

enum syncache_pause_policy { SYNCACHE_PAUSE_AGE, SYNCACHE_PAUSE_BUCKET, SYNCACHE_PAUSE_NONE };
enum syncache_gate { SYNCACHE_GATE_ENDPOINT, SYNCACHE_GATE_ALWAYS, SYNCACHE_GATE_BUCKET };
enum syncache_layout { SYNCACHE_LAYOUT_WIDE, SYNCACHE_LAYOUT_FREEBSD, SYNCACHE_LAYOUT_MSS };
enum syncache_cookie_ts { SYNCACHE_TS_CHECK, SYNCACHE_TS_AUTO, SYNCACHE_TS_REQUIRE, SYNCACHE_TS_OFF };
enum syncache_overflow { SYNCACHE_OVERFLOW_EVICT, SYNCACHE_OVERFLOW_DROP_NEW };

/* Fixed for the life of an engine. */
struct syncache_config {
    uint32_t struct_size;      /* sizeof(struct syncache_config) */
    SYNCACHE_CONFIG(SYNCACHE_MEMBER)
    uint32_t established_max;  /* known tuples; 0: the stack looks up its own */
    uint32_t ts_base;          /* TSval = ts_base + now_ms * ts_hz / 1000 + offset of the tuple */
    uint32_t ts_hz;            /* 1 to SYNCACHE_TS_HZ_MAX */
    uint32_t ts_per_tuple;     /* 0: every tuple's offset is 0 */
};

/* May change at any time, as a whole. */
struct syncache_tunables {
    uint32_t struct_size;      /* sizeof(struct syncache_tunables) */
    SYNCACHE_TUNABLES(SYNCACHE_MEMBER)
    SYNCACHE_KEY_TUNABLES(SYNCACHE_MEMBER)
    SYNCACHE_TUNABLES_64(SYNCACHE_MEMBER_64)
};

/* cffi: end. */

#endif

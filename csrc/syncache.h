/*
 * syncache.h: the public contract of the SYN cache and SYN cookie engine.
 *
 * An IP packet and the time go in; a verdict and at most one reply packet come out; nothing else happens.
 * The engine is a pure function of its memory block, the packets, `now_ms` and the keys: it has no allocator,
 * no clock, no entropy, no lock, no callback and no global.  One engine serves one thread at a time.
 *
 * Conventions: scalars are in host order; addresses and packet bytes are in network order.  An IPv4 address
 * occupies the first 4 of 16 bytes, the other 12 are zero.  Time is a 64-bit count of milliseconds of one
 * monotonic clock of the caller's; any start value works, and a time before the last one counts as the last.
 * A number that is out of range, a family other than 4 and 6 among them, is refused or changes nothing; pointers are
 * never NULL, but that of a packet or an array of size 0, and what is written overlaps nothing that is read.
 *
 * Not here: links, connections, policy.  Long because one header is all that a C stack needs.  RFC 9293, 4987, 5961.
 */
#ifndef SYNCACHE_H
#define SYNCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syncache_tunables.h"

#ifdef __cplusplus
extern "C" {
#endif
/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

#define SYNCACHE_ABI_VERSION 1

#define SYNCACHE_BURST_MAX 64           /* packets a stage of the burst path keeps in L1 */
#define SYNCACHE_REPLY_MAX 128          /* IPv6 40 + TCP 20 + 40 of options, rounded up to two cache lines */
#define SYNCACHE_KEY_BYTES 16
#define SYNCACHE_MD5_KEY_MAX 80         /* TCP_KEYLEN_MAX of the field */
#define SYNCACHE_FASTOPEN_COOKIE_MAX 16 /* RFC 7413 4.1.1: 4 to 16 bytes */
#define SYNCACHE_WSCALE_MAX 14          /* RFC 7323 2.3 */
#define SYNCACHE_WSCALE_NONE 255        /* no window scale option was negotiated */
#define SYNCACHE_SLOTS_MAX 65535        /* of a ring: their indices fit 16 bits, */
#define SYNCACHE_NO_REQUEST 65535       /* and this is none of them */
#define SYNCACHE_NEVER UINT64_MAX       /* no deadline */

/*
 * The fate of a packet.  The four kinds are contiguous, see syncache_kind().  Each value has a counter of
 * its own in syncache_stats.verdicts.
 */
enum syncache_verdict {
    /* PASS: the packet belongs to the stack. */
    SYNCACHE_PASS_NOT_TCP = 0,     /* neither TCP nor an ICMP error */
    SYNCACHE_PASS_ICMP,            /* an ICMP error that quotes no half-open tuple */
    SYNCACHE_PASS_NOT_OURS,        /* to an address that no endpoint listens on */
    SYNCACHE_PASS_NO_ENDPOINT,     /* established_max is 0, so the stack answers unknown segments */
    SYNCACHE_PASS_KNOWN,           /* tuple of an established connection; result.handle is the stack's */
    SYNCACHE_PASS_OFFERED,         /* tuple of a handshake that was offered and is not yet accepted */
    /* ACCEPT: the handshake is complete; result.conn is filled.  The payload is the stack's. */
    SYNCACHE_ACCEPT_CACHE,         /* from an entry */
    SYNCACHE_ACCEPT_COOKIE,        /* from a cookie */
    SYNCACHE_ACCEPT_FASTOPEN,      /* by a TFO cookie: SYN-RECEIVED, the reply is the SYN-ACK (RFC 7413) */
    /* REPLY: result.reply holds one packet. */
    SYNCACHE_REPLY_SYN_ACK,        /* a new entry's first SYN-ACK */
    SYNCACHE_REPLY_SYN_COOKIE,     /* nothing was stored */
    SYNCACHE_REPLY_DUPSYN,         /* an entry's SYN-ACK again */
    SYNCACHE_REPLY_OTHER_ISN,      /* SYN with another ISN than its entry's: stateless cookie of that ISN */
    SYNCACHE_REPLY_CHALLENGE_ACK,  /* RFC 5961 3.2, 4.2 and RFC 9293 3.10.7.4 */
    SYNCACHE_REPLY_RST,            /* RFC 9293 3.10.7.1, 3.10.7.2 */
    /* DROP: consumed without an answer. */
    SYNCACHE_DROP_TRUNCATED,       /* shorter than its headers say */
    SYNCACHE_DROP_IP_HEADER,       /* version, header length, total length, extension headers */
    SYNCACHE_DROP_IP_CHECKSUM,     /* of the IPv4 header */
    SYNCACHE_DROP_FRAGMENT,        /* reassembly is the stack's; none is needed for a SYN */
    SYNCACHE_DROP_SOURCE_ROUTE,    /* LSRR, SSRR, IPv6 routing header with segments left */
    SYNCACHE_DROP_TCP_HEADER,      /* data offset below 5 or beyond the packet */
    SYNCACHE_DROP_CHECKSUM,        /* TCP or ICMP checksum */
    SYNCACHE_DROP_LAND,            /* source and destination address and port are the same */
    SYNCACHE_DROP_SOURCE,          /* source unspecified, multicast, broadcast or loopback of a wrong kind */
    SYNCACHE_DROP_DESTINATION,     /* destination multicast or broadcast */
    SYNCACHE_DROP_NO_SYN,          /* to a listener: null, FIN only, URG only */
    SYNCACHE_DROP_SYN_ACK,         /* to a listener */
    SYNCACHE_DROP_SYN_FIN,         /* drop_synfin */
    SYNCACHE_DROP_DUPSYN_LIMIT,    /* x.dupsyn_limit */
    SYNCACHE_DROP_CACHE_FULL,      /* no room and no cookies, or x.overflow is drop-new */
    SYNCACHE_DROP_MD5,             /* RFC 2385: missing, unexpected or wrong signature */
    SYNCACHE_DROP_PAWS,            /* RFC 7323 5.3 */
    SYNCACHE_DROP_MISSING_TS,      /* tolerate_missing_ts is 0 */
    SYNCACHE_DROP_COOKIE_DATA,     /* gate open, no valid cookie: what its sender repeats may carry one */
    SYNCACHE_DROP_RST,             /* a valid RST removed the entry */
    SYNCACHE_DROP_RST_NO_ENTRY,    /* a RST for a tuple without entry */
    SYNCACHE_DROP_RST_OUTSIDE,     /* out of the window */
    SYNCACHE_DROP_CHALLENGE_LIMIT, /* ack_war_cnt challenge ACKs left within ack_war_timewindow */
    SYNCACHE_DROP_ICMP,            /* an ICMP error for a half-open tuple, taken note of or ignored */
    SYNCACHE_DROP_BLACKHOLE,       /* blackhole suppressed a RST */
    SYNCACHE_DROP_KNOWN_FULL,      /* the table of known tuples is full: nothing can be offered */
    SYNCACHE_DROP_NO_KEY,          /* it takes a cookie to answer this SYN, and the engine has no key */
    SYNCACHE_DROP_KNOWN_LIMIT,     /* it changes nothing on its connection, and enough of its kind have passed */
    SYNCACHE_DROP_RST_LIMIT,       /* it deserves a RST, and its source prefix has had x.rst_limit in this second */
    SYNCACHE_VERDICT_COUNT
};

enum syncache_kind { SYNCACHE_PASS, SYNCACHE_ACCEPT, SYNCACHE_REPLY, SYNCACHE_DROP };

enum syncache_checksum {
    SYNCACHE_CHECKSUM_VERIFY = 0,  /* nobody looked: verify */
    SYNCACHE_CHECKSUM_VALID = 1,   /* the link vouches for it */
    SYNCACHE_CHECKSUM_PARTIAL = 2  /* pseudo header only; the bytes never left this machine */
};

enum syncache_via { SYNCACHE_VIA_CACHE, SYNCACHE_VIA_COOKIE, SYNCACHE_VIA_FASTOPEN };
enum syncache_ecn { SYNCACHE_ECN_NONE, SYNCACHE_ECN_CLASSIC, SYNCACHE_ECN_ACCURATE, SYNCACHE_ECN_ECHO };
/* NONE is FreeBSD's TF_NOOPT, ALL those that the tunables allow; of a sum, OPTION_MSS is always a part. */
enum syncache_options { SYNCACHE_OPTIONS_NONE, SYNCACHE_OPTIONS_ALL, SYNCACHE_OPTION_MSS, SYNCACHE_OPTION_SCALE = 4,
                        SYNCACHE_OPTION_SACK = 8, SYNCACHE_OPTION_TIMESTAMPS = 16 };
enum syncache_isa { SYNCACHE_ISA_PORTABLE, SYNCACHE_ISA_AVX2, SYNCACHE_ISA_AVX512, SYNCACHE_ISA_NEON,
                    SYNCACHE_ISA_NEON_SHA3 };

/* Counters, monotone, never reset by the engine.  sc_ names are FreeBSD's tcps_sc_*. */
struct syncache_stats {
    uint64_t sc_added;             /* entries made */
    uint64_t sc_retransmitted;     /* SYN-ACKs sent again by the timer */
    uint64_t sc_dupsyn;            /* SYNs for a tuple that has an entry */
    uint64_t sc_dropped;           /* SYN-ACKs that could not be sent; the entry is gone */
    uint64_t sc_completed;         /* handshakes completed from an entry */
    uint64_t sc_bucketoverflow;    /* full buckets: pauses or evictions, by policy */
    uint64_t sc_cacheoverflow;     /* evictions and refusals at cachelimit */
    uint64_t sc_reset;             /* entries removed by a valid RST */
    uint64_t sc_stale;             /* entries whose retransmissions ran out */
    uint64_t sc_aborted;           /* completed handshakes that the stack refused */
    uint64_t sc_badack;            /* entries removed by a SYN-ACK; FreeBSD's name, always 0 */
    uint64_t sc_unreach;           /* entries removed by an ICMP error */
    uint64_t sc_zonefail;          /* SYNs that found cachelimit reached (policy bucket) */
    uint64_t sc_sendcookie;        /* cookies made: every SYN-ACK while cookies are on */
    uint64_t sc_recvcookie;        /* cookies that verified */
    uint64_t sc_spurcookie;        /* ACKs that no open gate let be tried as cookies */
    uint64_t sc_failcookie;        /* cookies that did not verify */
    uint64_t sndacks;              /* SYN-ACKs and challenge ACKs */
    uint64_t sndtotal;             /* all segments sent */
    uint64_t rcvtotal;             /* TCP segments looked at */
    uint64_t accepts;              /* handshakes that the stack accepted */
    uint64_t listendrop;           /* accepted(ok = false) */
    uint64_t badrst;               /* RSTs that match no entry or miss its window */
    uint64_t badsyn;               /* segments to a listener that are no proper SYN */
    uint64_t ecn_shs;              /* ECN was negotiated on a SYN-ACK */
    uint64_t evicted;              /* entries removed to make room */
    uint64_t purged;               /* entries removed by a pause */
    uint64_t cookie_only_synacks;  /* SYN-ACKs of SYNs that were not stored */
    uint64_t pauses;               /* pauses of insertion */
    uint64_t paused_ms;            /* their length so far */
    uint64_t challenge_acks;       /* RFC 5961 answers sent */
    uint64_t rst_sent;             /* RSTs sent */
    uint64_t replayed;             /* handshakes refused because they were redeemed before */
    uint64_t ts_refused;           /* cookies refused for their TSecr */
    uint64_t offer_timeout;        /* offers that the stack did not answer in time */
    uint64_t cookie_over_entry;    /* a cookie won over the entry of its tuple */
    uint64_t cookie_no_key;        /* cookies refused because no live key has their parity */
    uint64_t cookie_bad_mac;       /* cookies refused because no key gives their MAC */
    uint64_t fastopen_cookies;     /* TFO cookies handed out */
    uint64_t fastopen_refused;     /* TFO cookies that did not verify */
    uint64_t syn_no_key;           /* SYNs that got no cookie, although cookies are on: the engine has no key */
    uint64_t rexmit_withheld;      /* SYN-ACKs that were due again but for x.rexmit_rate */
    uint64_t verdicts[SYNCACHE_VERDICT_COUNT];
};

/* The four-tuple as the engine sees it: foreign is the peer, local is us. */
struct syncache_tuple {
    uint8_t faddr[16], laddr[16];
    uint16_t fport, lport;
    uint8_t family;                /* 4 or 6 */
    uint8_t reserved[3];           /* zero */
};

/* A completed handshake: all that a stack needs to make the connection. */
struct syncache_conn {
    struct syncache_tuple tuple;
    uint32_t iss;
    uint32_t irs;
    uint32_t rcv_wnd;              /* bytes, as our SYN-ACK announced it (unscaled) */
    uint32_t snd_wnd;              /* bytes, the ACK's window shifted by snd_wscale; SYN's for fastopen */
    uint32_t ts_recent;            /* peer's latest TSval; 0 if !timestamps */
    uint32_t ts_offset;            /* our TSval minus the clock part, config.ts_base + now_ms * ts_hz / 1000 */
    uint32_t endpoint;             /* number from syncache_listen() */
    uint32_t payload_size;         /* bytes of data on the completing segment */
    uint16_t peer_mss;             /* MSS that the peer may be sent, defaults and minmss applied */
    uint8_t snd_wscale;            /* peer's, or SYNCACHE_WSCALE_NONE */
    uint8_t rcv_wscale;            /* ours, or SYNCACHE_WSCALE_NONE */
    uint8_t sack_permitted, timestamps;
    uint8_t ecn;                   /* enum syncache_ecn */
    uint8_t via;                   /* enum syncache_via */
    uint8_t rxmits;                /* SYN-ACKs sent; above 1 the initial window is one segment (RFC 5681 3.1) */
    uint8_t md5;                   /* segments of this connection are signed (RFC 2385) */
    uint8_t syn_tos;               /* TOS or traffic class of the completing packet */
    uint8_t reserved;
    uint32_t offer;                /* where the engine keeps the offer; 0: it has to look */
};

/* A listening endpoint. */
struct syncache_endpoint {
    uint8_t laddr[16];             /* all zero: any address of the family */
    uint16_t lport;
    uint8_t family;                /* 4 or 6; 0: both, laddr must be zero */
    uint8_t options;               /* SYNCACHE_OPTIONS_*, or a sum of SYNCACHE_OPTION_*: this stack's abilities */
    uint8_t ecn;                   /* 0: ECN is not allowed here */
    uint8_t hop_limit;             /* TTL or hop limit of replies, 1 to 255 */
    uint8_t tos;                   /* TOS or traffic class of replies; its ECN bits are ignored */
    uint8_t rcv_wscale;            /* 0 to SYNCACHE_WSCALE_MAX, or SYNCACHE_WSCALE_NONE: from maxsockbuf */
    uint32_t rcv_wnd;              /* receive buffer in bytes; the SYN-ACK says min(this, 65535) */
    uint16_t mtu;                  /* of the path, however small; 0: unknown, announce mssdflt */
    uint16_t mss_max;              /* upper bound of the MSS announced and used; 0: none */
    uint32_t fastopen;             /* TFO requests that may be pending; 0: off */
};

/* A half-open entry, as listed. */
struct syncache_half_open {
    struct syncache_tuple tuple;
    uint32_t iss, irs;
    uint32_t endpoint;
    uint32_t age_ms;               /* 12 days (2^30) at most */
    uint64_t deadline_ms;          /* of the next retransmission or removal */
    uint16_t peer_mss;             /* as in the SYN; 0: none */
    uint8_t snd_wscale;            /* as in the SYN, or SYNCACHE_WSCALE_NONE */
    uint8_t rcv_wscale;
    uint8_t sack_permitted, timestamps;
    uint8_t ecn;
    uint8_t rxmits;                /* SYN-ACKs sent so far */
};

/* The result of one packet.  Only the fields that the verdict names are set. */
struct syncache_result {
    struct syncache_conn conn;     /* ACCEPT_* */
    uint64_t handle;               /* PASS_KNOWN: as given to syncache_accepted() or syncache_opened() */
    uint32_t reply_size;           /* bytes of reply, 0: none */
    uint32_t reserved;
    uint8_t reply[SYNCACHE_REPLY_MAX];
};

/*
 * A ring slot.  The packet (IP header first) lies at memory + i * slot_size + link_size, behind the link header.
 * The engine copies that header to the reply unchanged; the link swaps the addresses.
 */
struct syncache_slot {
    uint32_t size;                 /* bytes of the IP packet */
    uint16_t link_size;            /* bytes of link header in front of it */
    uint8_t checksum;              /* in: enum syncache_checksum of the transport checksum */
    uint8_t verdict;               /* out: enum syncache_verdict */
    uint16_t gso_size;             /* bytes of payload in each segment of a super-segment; 0: an ordinary packet */
    uint16_t request;              /* tx: rx slot that this one answers, or SYNCACHE_NO_REQUEST */
    uint16_t csum_start, csum_offset; /* PARTIAL: from the IP header; 0: as its TCP or UDP has it */
    uint64_t handle;               /* out, PASS_KNOWN */
};

/* Caller-owned memory, filled by links, walked by the engine.  A linear buffer, not circular. */
struct syncache_ring {
    uint8_t *memory;               /* slots * slot_size bytes */
    struct syncache_slot *slot;    /* slots of them */
    struct syncache_conn *conn;    /* slots of them (rx), or NULL (tx); conn[i] is filled for ACCEPT_* in slot i */
    uint32_t *passed;              /* slots of them (rx), or NULL (tx): indices of PASS and ACCEPT packets */
    struct syncache_arrival *arrival; /* slots of them, or NULL: passed[i] as values, for a stack (syncache_host.h) */
    uint32_t slots;                /* capacity, 1 to SYNCACHE_SLOTS_MAX */
    uint32_t slot_size;            /* bytes, a multiple of 64; tx needs SYNCACHE_REPLY_MAX + link_size */
    uint32_t count;                /* slots filled: 0 .. count - 1 */
    uint32_t next;                 /* first slot not yet consumed */
    uint32_t passed_count;         /* of the last burst */
    uint32_t reserved;
};

struct syncache;                   /* lives in the caller's block */

/* Returns the kind of a verdict. */
enum syncache_kind syncache_kind(enum syncache_verdict verdict);

/* Tells how many bytes an engine of this configuration needs: 0 if a field of it is out of range. */
size_t syncache_size(const struct syncache_config *config);

/*
 * Makes an engine in the caller's block, with FreeBSD's names at our defaults and no key.
 *
 *   in       block[0 .. size)   aligned to 64 bytes, size at least syncache_size(config)
 *   in       seed               bucket hash, ISS without cookies and timestamp offsets are derived from it
 *   returns  NULL if the configuration, the size or the alignment is not right
 */
struct syncache *syncache_init(void *block, size_t size, const struct syncache_config *config,
                               const uint8_t seed[SYNCACHE_KEY_BYTES]);

/* Fills in the defaults of every tunable. */
void syncache_tunables_default(struct syncache_tunables *tunables);

/* Replaces all tunables.  Returns false, and changes nothing, if one is out of range. */
bool syncache_set_tunables(struct syncache *cache, const struct syncache_tunables *tunables);

/*
 * Gives the engine the cookie key of an epoch; without one there are no cookies, and syn_no_key counts.  Give one for
 * each epoch, when syncache_epoch() says that it began: one that is not renewed stays in force, with its cookies.
 *
 *   in       epoch   see syncache_epoch(), syncache_key_due(); its lowest bit is the cookie's parity bit
 */
void syncache_set_key(struct syncache *cache, uint64_t epoch, const uint8_t key[SYNCACHE_KEY_BYTES]);

/*
 * Says which epoch is in force from which time on.  Without it, epoch 0 begins at the first call that tells a time;
 * each later epoch begins cookie_lifetime_ms after the one before.  Callers with derived keys say it once.
 */
void syncache_set_epoch(struct syncache *cache, uint64_t epoch, uint64_t start_ms);

/* Returns the epoch in force at `now_ms`, whose key the caller should have set.  `next_ms` is when it ends. */
uint64_t syncache_epoch(struct syncache *cache, uint64_t now_ms, uint64_t *next_ms);

/* Replaces the timestamp key, so that machines with a common key give a tuple the same offset; and config.ts_base. */
void syncache_set_ts_key(struct syncache *cache, const uint8_t key[SYNCACHE_KEY_BYTES]);
void syncache_set_ts_base(struct syncache *cache, uint32_t ts_base);

/* Draws the bucket hash anew from `seed`; entries are rehashed in place by removing all of them (counted as purged). */
void syncache_rehash(struct syncache *cache, const uint8_t seed[SYNCACHE_KEY_BYTES]);

/*
 * Begins to listen.
 *
 *   out      number   names the endpoint in connections and in syncache_unlisten()
 *   returns  false if a field is out of range, the same address and port is taken, or endpoint_max is reached
 */
bool syncache_listen(struct syncache *cache, const struct syncache_endpoint *endpoint, uint32_t *number);

/* Ends listening.  Entries stay until they expire; a later endpoint of the same address and port inherits them. */
void syncache_unlisten(struct syncache *cache, uint32_t number);

/* Adds an RFC 2385 key of a peer to an endpoint.  Returns false if size is 0 or too large, or there is no room. */
bool syncache_md5_key(struct syncache *cache, uint32_t number, uint8_t family, const uint8_t faddr[16],
                      const uint8_t *key, size_t key_size);

/* Makes an address ours although no endpoint names it.  Returns false if address_max is reached. */
bool syncache_address(struct syncache *cache, uint8_t family, const uint8_t laddr[16]);

/*
 * Takes one IPv4 or IPv6 packet and does everything that a half-open entry can need.
 *
 *   in       packet[0 .. packet_size)    untrusted; read only, never kept
 *   in       checksum                    enum syncache_checksum
 *   out      result                      see enum syncache_verdict
 *   limit    constant work: one bucket, one eviction
 *   see      RFC 9293 3.10.7.2 and 3.10.7.4; RFC 5961 3 and 4; RFC 7323 5.3
 */
enum syncache_verdict syncache_packet(struct syncache *cache, uint64_t now_ms, const uint8_t *packet,
                                      size_t packet_size, uint32_t checksum, struct syncache_result *result);

/*
 * The same for a stack that parsed, and verified, the IP header itself.
 *
 *   in       segment[0 .. segment_size)  TCP header with options, and as much of the payload as there is
 *   in       payload_size                bytes of payload, also if not all of it lies in segment
 *   in       checksum                    VERIFY needs the whole payload
 *   in       tos                         of the IP header; its two ECN bits count
 */
enum syncache_verdict syncache_segment(struct syncache *cache, uint64_t now_ms, uint8_t family,
                                       const uint8_t faddr[16], const uint8_t laddr[16], uint8_t tos,
                                       const uint8_t *segment, size_t segment_size, size_t payload_size,
                                       uint32_t checksum, struct syncache_result *result);

/*
 * Takes the packets rx->next .. rx->count in order, appends the replies to tx, and lists packets for the stack in
 * rx->passed.  Stops before the first packet whose reply does not fit into tx.
 *
 *   returns  packets consumed; rx->next advances by as many
 */
uint32_t syncache_burst(struct syncache *cache, uint64_t now_ms, struct syncache_ring *rx, struct syncache_ring *tx);

/*
 * Tells how the offer of a handshake ended.  ok: established, later segments of the tuple are PASS_KNOWN with `handle`.
 * Not ok: the stack had no room; see rst_on_sock_fail and offer_timeout.
 */
void syncache_accepted(struct syncache *cache, const struct syncache_conn *conn, uint64_t handle, bool ok);

/* Registers an active open.  Returns false if the table of known tuples is full or disabled. */
bool syncache_opened(struct syncache *cache, const struct syncache_tuple *tuple, uint64_t handle);

/* Forgets a known tuple. */
void syncache_closed(struct syncache *cache, const struct syncache_tuple *tuple);

/* Says that a SYN-ACK with this sequence number could not be sent: its entry, if any, is removed (sc_dropped). */
void syncache_unsent(struct syncache *cache, const struct syncache_tuple *tuple, uint32_t seq);

/* Takes an ICMP error whose quoted segment, sent by us, had this tuple and sequence number. */
void syncache_unreach(struct syncache *cache, uint64_t now_ms, const struct syncache_tuple *tuple, uint32_t seq);

/* Sends due packets: SYN-ACKs again, RSTs owed.  Returns packets appended to tx; call again while tx was filled. */
uint32_t syncache_poll(struct syncache *cache, uint64_t now_ms, struct syncache_ring *tx);

/* Returns the earliest time at which syncache_poll() or a new key is due, or SYNCACHE_NEVER; never too late. */
uint64_t syncache_next_deadline(struct syncache *cache);

/* Lists entries from *cursor (0 at first) on.  Returns how many were written; 0: the end. */
uint32_t syncache_walk(struct syncache *cache, uint64_t *cursor, struct syncache_half_open *out, uint32_t out_max);

uint32_t syncache_count(const struct syncache *cache);   /* entries now */
bool syncache_paused(const struct syncache *cache);      /* insertion is paused */
enum syncache_isa syncache_isa(const struct syncache *cache); /* bursts'; SYNCACHE_ISA of the environment bounds it */
const struct syncache_stats *syncache_statistics(const struct syncache *cache);
/* Bytes per entry at capacity, all metadata of buckets and timers included, times 1000. */
uint32_t syncache_entry_millibytes(const struct syncache_config *config);

/* A peer's SYN options as a cookie keeps them. */
struct syncache_cookie_options {
    uint16_t mss;                  /* 0: no MSS option */
    uint8_t wscale;                /* or SYNCACHE_WSCALE_NONE */
    uint8_t sack_permitted;
    uint8_t rcv_wscale;            /* ours; covered by the MAC of layout wide */
    uint8_t reserved[3];
};

/* Makes a cookie.  `parity` is the key's; `layout` is an enum syncache_layout.  Returns the ISS, 0 if one of them is
   out of range. */
uint32_t syncache_cookie_mint(const uint8_t key[SYNCACHE_KEY_BYTES], const struct syncache_tuple *tuple, uint32_t irs,
                              const struct syncache_cookie_options *options, uint32_t parity, uint64_t secmod,
                              uint32_t layout);

/* Checks a cookie under one key.  `options->rcv_wscale` is read, the rest is filled if the return value is true. */
bool syncache_cookie_check(const uint8_t key[SYNCACHE_KEY_BYTES], const struct syncache_tuple *tuple, uint32_t irs,
                           uint32_t iss, uint64_t secmod, uint32_t layout, struct syncache_cookie_options *options);

/* Returns SipHash-2-4 of data, for tests and tools. */
uint64_t syncache_siphash24(const uint8_t key[SYNCACHE_KEY_BYTES], const uint8_t *data, size_t data_size);

/* A TCP segment with its addresses, as values: syncache_parse() reads it, syncache_build() writes it. */
struct syncache_fields {
    uint8_t saddr[16], daddr[16];
    uint16_t sport, dport;
    uint8_t family;
    uint8_t hop_limit;
    uint8_t tos;
    uint8_t dont_fragment;
    uint32_t flow_label;
    uint16_t ip_id;
    uint16_t flags;                /* bit 0 FIN .. bit 7 CWR, bit 8 AE */
    uint32_t seq, ack;
    uint16_t window;
    uint16_t urgent;
    uint16_t options_offset;       /* into the packet */
    uint16_t options_size;
    uint32_t payload_offset;       /* into the packet */
    uint32_t payload_size;
};

/* Reads a packet.  Returns PASS_KNOWN if it is a good TCP segment, else the verdict that names the fault. */
enum syncache_verdict syncache_parse(const uint8_t *packet, size_t packet_size, uint32_t checksum,
                                     struct syncache_fields *fields);

/*
 * Writes IP and TCP header, options and payload with their checksums.
 *
 *   in       options[0 .. fields->options_size)  a multiple of 4, at most 40
 *   in       payload[0 .. fields->payload_size)
 *   in       checksum                            PARTIAL: leave the pseudo header's sum for the link to finish
 *   returns  bytes written, 0 if packet_max is too small
 */
size_t syncache_build(const struct syncache_fields *fields, const uint8_t *options, const uint8_t *payload,
                      uint32_t checksum, uint8_t *packet, size_t packet_max);

/* cffi: end. */
#ifdef __cplusplus
}
#endif

#endif

/*
 * The twin: what the engine does, written a second time and as plainly as can
 * be.  Arrays, linear search, 64-bit times; no rank, tag, ring of deadlines or
 * chain.  It follows the specification and its model in Python (tests/model),
 * and shares nothing with csrc/core but the public structs and enums, so that a
 * mistake has to be made twice before nobody sees it.
 *
 *   twin_hash.c    SipHash, MD5, cookies      twin_syn.c    SYNs
 *   twin_packet.c  packets in and out         twin_ack.c    ACKs, cookies, RSTs
 *   twin_ip.c      IP headers                 twin_offer.c  offers, known
 * tuples twin_state.c   time, keys, pause          twin_timer.c  polling,
 * deadlines twin_place.c   endpoints, entries         twin_reply.c  what is
 * answered
 *
 * What no packet can tell it takes from the engine's documented derivations:
 * the labels of subkeys, the order of the bytes that are hashed.
 */
#ifndef SYNCACHE_TEST_TWIN_H
#define SYNCACHE_TEST_TWIN_H

#include "../../csrc/syncache.h"

#define TWIN_ENTRIES_MAX 512
#define TWIN_KNOWN_MAX 64
#define TWIN_ENDPOINTS_MAX 8
#define TWIN_ADDRESSES_MAX 4
#define TWIN_BUCKETS_MAX 16
#define TWIN_REPLAY_MAX 64
#define TWIN_MD5_MAX 4
#define TWIN_KEYS 8
#define TWIN_COUNTED 255 /* answers and challenges are counted up to here */

enum {
    TWIN_FIN = 0x001,
    TWIN_SYN = 0x002,
    TWIN_RST = 0x004,
    TWIN_PSH = 0x008,
    TWIN_ACK = 0x010,
    TWIN_URG = 0x020,
    TWIN_ECE = 0x040,
    TWIN_CWR = 0x080,
    TWIN_AE = 0x100
};

/* Options: what a segment has, and what a reply is to have. */
struct twin_options {
    bool mss, ws, sack, ts, md5, tfo;
    uint16_t mss_value;
    uint8_t ws_value;
    uint32_t tsval, tsecr;
    const uint8_t *digest; /* in a segment that came */
    const uint8_t *key;    /* of a reply */
    size_t key_size;
    const uint8_t *cookie;
    size_t cookie_size;
};

struct twin_segment {
    struct syncache_tuple tuple; /* foreign: the other side */
    uint32_t seq, ack;
    uint32_t payload_size;
    uint16_t flags, window;
    uint8_t tos, ttl;
    bool df;
    uint32_t flow_label;
    struct twin_options options;
    const uint8_t *tcp;
    size_t tcp_size, header_size;
};

enum twin_kind { TWIN_TCP, TWIN_QUOTE, TWIN_OTHER, TWIN_BAD };

struct twin_parsed {
    enum twin_kind kind;
    enum syncache_verdict why;
    struct twin_segment segment;
    struct syncache_tuple quoted;
    uint32_t quoted_seq;
};

struct twin_entry {
    struct syncache_tuple tuple;
    uint32_t bucket, endpoint;
    uint32_t irs, iss;
    uint16_t mss;   /* 0: no option */
    uint8_t ws;     /* or SYNCACHE_WSCALE_NONE */
    uint8_t rcv_ws; /* ours, if ws is a scale */
    uint8_t ecn;    /* 0 none, 1 classic, 2 + the SYN's IP-ECN field */
    bool sack, ts, md5, unreach, validated, offered;
    uint32_t tsreflect;
    uint32_t rxmits, dup_answers, challenges;
    uint64_t challenge_start, born, deadline;
};

enum twin_known_state { TWIN_OFFERED, TWIN_ESTABLISHED, TWIN_OWED };

struct twin_known {
    struct syncache_tuple tuple;
    enum twin_known_state state;
    uint64_t order; /* when it came into its state */
    uint64_t since, handle;
    uint32_t irs, iss, endpoint;
    uint8_t via;
    bool pending;
};

struct twin_endpoint {
    struct syncache_endpoint config;
    bool open, used, stamped, succeeds;
    uint64_t stamp, succeeded;
    uint8_t ws_before;
    uint64_t pending, abandoned, abandoned_at;
};

struct twin_md5_key {
    bool used;
    uint32_t endpoint;
    uint8_t family;
    uint8_t faddr[16];
    uint8_t key[SYNCACHE_MD5_KEY_MAX];
    size_t key_size;
};

struct twin_pause {
    bool paused, ever, running;
    uint32_t backoff;
    uint64_t window, started, until;
    uint64_t syns[5]; /* of the window that runs, and of four before it */
    uint64_t victims, young, unplaced;
};

struct twin {
    struct syncache_config config;
    struct syncache_tunables tune;
    struct syncache_stats stats;
    uint64_t now, init, tick;
    bool started, told;
    uint8_t hash_key[16], iss_key[16], ts_key[16], seen_key[16], tfo_key[16];
    uint64_t epoch, epoch_start;
    bool epoch_known;
    struct twin_key {
        bool set;
        uint64_t epoch, last; /* last: in which it may have minted */
        uint8_t key[16];
    } keys[TWIN_KEYS], *minting;
    struct twin_pause pause;
    uint64_t repeat_second, repeats;
    uint64_t reset_second;
    uint16_t resets[1024]; /* by place of a source prefix */
    uint8_t ws, ws_before;
    uint64_t ws_changed;
    uint64_t failed_second, failed, failed_before;
    struct twin_entry entries[TWIN_ENTRIES_MAX]; /* oldest first */
    uint32_t count;
    struct twin_known known[TWIN_KNOWN_MAX];
    uint32_t known_count;
    struct twin_endpoint endpoints[TWIN_ENDPOINTS_MAX];
    struct twin_md5_key md5[TWIN_MD5_MAX];
    struct syncache_tuple addresses[TWIN_ADDRESSES_MAX]; /* laddr, family */
    uint32_t address_count;
    bool overflowed[TWIN_BUCKETS_MAX];
    uint64_t overflow_second[TWIN_BUCKETS_MAX];
    uint64_t seen[TWIN_REPLAY_MAX / 8][8];
    uint32_t cursor;
};

struct twin_result {
    enum syncache_verdict verdict;
    struct syncache_conn conn;
    uint64_t handle;
    uint8_t reply[SYNCACHE_REPLY_MAX];
    uint32_t reply_size;
};

/* One event: the segment, who listens, the entry that may be used. */
struct twin_event {
    const struct twin_segment *segment;
    struct twin_endpoint *endpoint;
    struct twin_entry *entry;
    struct twin_result *result;
};

/* The same calls as the engine's, by the same rules. */
void twin_init(struct twin *twin, const struct syncache_config *config,
               const uint8_t seed[16]);
void twin_set_tunables(struct twin *twin,
                       const struct syncache_tunables *tunables);
void twin_set_key(struct twin *twin, uint64_t epoch, const uint8_t key[16]);
void twin_set_epoch(struct twin *twin, uint64_t epoch, uint64_t start);
void twin_rehash(struct twin *twin, const uint8_t seed[16]);
bool twin_listen(struct twin *twin, const struct syncache_endpoint *config,
                 uint32_t *number);
void twin_unlisten(struct twin *twin, uint32_t number);
bool twin_address(struct twin *twin, uint8_t family, const uint8_t laddr[16]);
bool twin_md5_key(struct twin *twin, uint32_t number, uint8_t family,
                  const uint8_t faddr[16], const uint8_t *key, size_t size);
void twin_packet(struct twin *twin, uint64_t now, const uint8_t *packet,
                 size_t size, uint32_t checksum, struct twin_result *result);
void twin_accepted(struct twin *twin, const struct syncache_conn *conn,
                   uint64_t handle, bool ok);
bool twin_opened(struct twin *twin, const struct syncache_tuple *tuple,
                 uint64_t handle);
void twin_closed(struct twin *twin, const struct syncache_tuple *tuple);
void twin_unsent(struct twin *twin, const struct syncache_tuple *tuple,
                 uint32_t seq);
bool twin_unreach(struct twin *twin, const struct syncache_tuple *tuple,
                  uint32_t seq);
/* Writes up to `max` packets, one after the other, with their sizes. */
uint32_t twin_poll(struct twin *twin, uint64_t now, uint32_t max,
                   uint8_t (*packets)[SYNCACHE_REPLY_MAX], uint32_t *sizes);
uint64_t twin_deadline(const struct twin *twin);

/* twin_state.c */
void twin_advance(struct twin *twin, uint64_t now);
void twin_keys_asked(struct twin *twin, uint64_t now);
bool twin_keyless(const struct twin *twin);
uint32_t twin_parity(const struct twin *twin);
const uint8_t *twin_mint_key(const struct twin *twin);
uint32_t twin_verify_keys(const struct twin *twin, uint32_t parity,
                          const uint8_t *keys[3]);
bool twin_mints(const struct twin *twin);
bool twin_cookies_only(const struct twin *twin);
bool twin_pause_begin(struct twin *twin, uint64_t now);
uint64_t twin_second(const struct twin *twin);
void twin_failed(struct twin *twin);
bool twin_many_failed(const struct twin *twin);
bool twin_seen(const struct twin *twin, const struct syncache_tuple *tuple,
               uint32_t irs, uint32_t iss);
void twin_remember(struct twin *twin, const struct syncache_tuple *tuple,
                   uint32_t irs, uint32_t iss);
uint32_t twin_bucket(const struct twin *twin,
                     const struct syncache_tuple *tuple);

/* twin_place.c */
bool twin_same(const struct syncache_tuple *a, const struct syncache_tuple *b);
struct twin_entry *twin_find(struct twin *twin,
                             const struct syncache_tuple *tuple);
struct twin_entry *twin_oldest(struct twin *twin, uint32_t bucket);
uint32_t twin_bucket_count(const struct twin *twin, uint32_t bucket);
void twin_remove(struct twin *twin, struct twin_entry *entry);
void twin_remove_unanswered(struct twin *twin, struct twin_entry *entry);
void twin_arm(const struct twin *twin, struct twin_entry *entry, uint64_t wait);
struct twin_endpoint *twin_listener(struct twin *twin,
                                    const struct syncache_tuple *tuple);
bool twin_ours(const struct twin *twin, const struct syncache_tuple *tuple);
uint32_t twin_number(const struct twin *twin,
                     const struct twin_endpoint *endpoint);
uint8_t twin_scale(const struct twin *twin,
                   const struct twin_endpoint *endpoint);
uint32_t twin_window(const struct twin *twin, uint32_t endpoint);
const struct twin_md5_key *twin_key_of(const struct twin *twin,
                                       uint32_t endpoint,
                                       const struct syncache_tuple *tuple);
bool twin_signed_well(const struct twin *twin, const struct twin_event *event);
void twin_stamp(struct twin *twin, struct twin_endpoint *endpoint);

/* twin_packet.c, twin_ip.c */
void twin_parse(const uint8_t *packet, size_t size, uint32_t checksum,
                struct twin_parsed *parsed);
bool twin_parse_ip(const uint8_t *packet, size_t size,
                   struct twin_parsed *parsed, const uint8_t **upper,
                   size_t *upper_size, uint8_t *protocol);
bool twin_upper6(const uint8_t *packet, size_t size, size_t *at,
                 uint8_t *protocol, enum syncache_verdict *why);
void twin_pair(struct syncache_tuple *tuple, uint8_t family,
               const uint8_t *faddr, const uint8_t *laddr);
uint32_t twin_get(const uint8_t *bytes, size_t size); /* big endian */
void twin_put(uint8_t *bytes, size_t size, uint64_t value);
uint32_t twin_sum(uint32_t sum, const uint8_t *data, size_t size);
uint32_t twin_sum_pseudo(const struct syncache_tuple *tuple, uint8_t protocol,
                         size_t size);
/* Writes a segment to its tuple's foreign side, options laid out by 3.2. */
uint32_t twin_build(const struct twin_segment *segment, uint8_t *packet);
size_t twin_layout(const struct twin_options *options, uint8_t bytes[40],
                   size_t *digest);
/* RFC 2385 digest of a segment between two addresses. */
void twin_digest(const struct syncache_tuple *tuple, bool inward,
                 const uint8_t *tcp, size_t tcp_size, const uint8_t *key,
                 size_t key_size, uint8_t digest[16]);

/* twin_hash.c */
uint64_t twin_siphash(const uint8_t key[16], const uint8_t *data, size_t size);
uint32_t twin_fold(uint64_t hash);
void twin_md5_of(const uint8_t *data, size_t size, uint8_t digest[16]);
size_t twin_pack(const struct syncache_tuple *tuple, uint8_t packed[36]);
uint32_t twin_mint(const struct twin *twin, const struct twin_entry *entry,
                   uint8_t scale);
bool twin_check(const struct twin *twin, const uint8_t key[16],
                struct twin_entry *entry, uint8_t scale);

/* twin_reply.c */
uint32_t twin_ts_offset(const struct twin *twin,
                        const struct syncache_tuple *tuple);
uint32_t twin_ts_clock(const struct twin *twin);
uint16_t twin_usable_mss(const struct twin *twin, uint32_t endpoint,
                         uint8_t family, uint16_t offered);
uint32_t twin_syn_ack(struct twin *twin, const struct twin_entry *entry,
                      const uint8_t *tfo_cookie, uint32_t acked, uint8_t *out);
enum syncache_verdict twin_challenge(struct twin *twin,
                                     struct twin_event *event);
enum syncache_verdict twin_reset(struct twin *twin, struct twin_event *event);
uint32_t twin_bare_reset(struct twin *twin, const struct syncache_tuple *tuple,
                         uint32_t seq, uint8_t *out);

/* twin_syn.c, twin_ack.c, twin_offer.c */
enum syncache_verdict twin_add(struct twin *twin, struct twin_event *event);
enum syncache_verdict twin_expand(struct twin *twin, struct twin_event *event);
enum syncache_verdict twin_chkrst(struct twin *twin, struct twin_event *event);
enum syncache_verdict twin_offer(struct twin *twin, struct twin_event *event,
                                 const struct twin_entry *entry,
                                 enum syncache_via via);
struct twin_known *twin_known_of(struct twin *twin,
                                 const struct syncache_tuple *tuple);
struct twin_known *twin_first(struct twin *twin, enum twin_known_state state);
void twin_forget(struct twin *twin, struct twin_known *known);
void twin_settle(struct twin *twin, uint32_t endpoint);
void twin_expire_offers(struct twin *twin);

#endif

/*
 * Shared by the shield's programs and the process that loads them: the configuration that it writes, the counters and
 * the states that it reads.  Native byte order but for fields that lie as in a packet ("raw").
 */
#ifndef SYNCACHE_BPF_SHIELD_ABI_H
#define SYNCACHE_BPF_SHIELD_ABI_H

#include <stdint.h>

/* cffi: begin. */

#define SHIELD_KEYS 4
#define SHIELD_SAMPLED 64
#define SHIELD_SAMPLES 256
#define SHIELD_BLOCKED_MAX 64
#define SHIELD_EVENTS_BYTES 65536 /* room for 1,365 */
#define SHIELD_FRESH 512
#define SHIELD_FILTERS 4096 /* those of a middlebox: FLOW_REDEEMED_FILTERS and so on */
#define SHIELD_FILTER_BYTES 2048
#define SHIELD_NUMBERS 32 /* of a handshake */
#define SHIELD_NUMBERS_USED 30
#define SHIELD_TRIAL 2 /* connections of cookies that a service gets until the kernel is seen to have one */
#define SHIELD_MSS_FLOOR 216 /* of every layout: below it, and where a peer offers less than any entry */

enum shield_mode { SHIELD_OFF, SHIELD_WATCH, SHIELD_AUTO, SHIELD_ALWAYS };

enum shield_flag {
    SHIELD_TS_PORTS = 1,    /* the offset of a timestamp is keyed on the ports too */
    SHIELD_TS_CHECK = 2,    /* a TSecr must be one of ours, not too old */
    SHIELD_TS_REQUIRED = 4, /* an ACK without timestamps proves nothing */
    SHIELD_GATE_OPEN = 8,   /* others mint with these keys: ACKs are tried at any time */
    SHIELD_VERIFY = 16,     /* checksums of SYNs are verified */
    SHIELD_REPLAY = 32,     /* a handshake makes one connection */
    SHIELD_BLOCKED = 64,    /* there are networks whose SYNs are dropped */
    SHIELD_SHARED = 128,    /* machines of a group tell each other which handshakes they have completed */
    SHIELD_ONLY = 256       /* the kernel keeps nothing half-open: no listener is calm */
};

/* SipHash with the key mixed in, where a message begins. */
struct shield_key {
    uint64_t state[4];
    uint64_t epoch;      /* UINT64_MAX: no key */
};

/* A layout for one family; see struct simd_shape and syncookie.c. */
struct shield_family {
    uint64_t tail[2];    /* last words of the MAC input, without the byte */
    uint16_t mss[8];
    uint16_t wscale[8];
    uint64_t wscale_index; /* of a scale of 0 to 14: four bits each */
    uint16_t mss_none;   /* index for no MSS option */
    uint16_t mss_least;  /* a peer that offers less is the kernel's */
    uint16_t mss_ours;   /* announced in SYN-ACKs, if the listener has no lower one */
    uint16_t hop_limit;  /* of SYN-ACKs */
};

struct shield_config {
    struct shield_key key[SHIELD_KEYS]; /* by epoch modulo SHIELD_KEYS */
    uint64_t ts_key[4];
    uint64_t epoch;
    uint64_t start_ns;   /* of that epoch, on CLOCK_MONOTONIC, modulo 2^64 */
    uint64_t lifetime_ns;
    uint64_t skew_ns;
    uint64_t hold_ns;    /* how long a listener counts as flooded */
    struct shield_family family[2]; /* IPv4, IPv6 */
    uint32_t mode;       /* enum shield_mode, of SYNs */
    uint32_t flags;      /* enum shield_flag */
    uint32_t ts_base;    /* added to the clock in milliseconds */
    uint32_t rcv_wscale; /* ours */
    uint32_t window;     /* of SYN-ACKs */
    uint32_t qlen;       /* half-open connections of a listener that are a flood */
    uint32_t mac[2];     /* the interface's address, raw: 4 and 2 bytes */
    uint64_t former_ns;  /* until then cookies of these keys are good too, of another clock */
    struct shield_key former[SHIELD_KEYS];
};

/* A protected address and port, raw. */
struct shield_service4 {
    uint32_t address;
    uint16_t port;
    uint16_t reserved;
};
struct shield_service6 {
    uint32_t address[4];
    uint16_t port;
    uint16_t reserved;
};
struct shield_trial {   /* a connection that was made of a cookie */
    uint32_t tuple[9];   /* addresses and ports, raw; of IPv4 the first three */
    uint32_t iss;
    uint32_t irs;
};
struct shield_service {
    uint64_t flood_ns;   /* until then SYNs get cookies in mode auto */
    uint64_t refused;    /* cookies that the kernel refused; from the first on SYNs are its own */
    uint64_t full_ns;    /* when the process was last told that the accept queue is full */
    uint32_t made;       /* connections made of cookies since one was seen, and the process took note of it */
    uint32_t seen;       /* packets of such connections, which the kernel has */
    uint32_t trusted;    /* 1: it had some before */
    uint32_t reserved;
    struct shield_trial trial[SHIELD_TRIAL]; /* the last ones that were made, until one was seen */
};

/*
 * Where a service of IPv4 lies if nobody else does, so that most are found without a search: the place of an address
 * and a port is SHIELD_PLACE of the word of either, raw.  Address 0: nobody.
 */
#define SHIELD_PLACES 4096
#define SHIELD_PLACE_FACTOR 0x9e3779b1
#define SHIELD_PLACE_SHIFT 20
struct shield_place {
    struct shield_service4 key;
    struct shield_service service;
};

struct shield_state {
    uint64_t minted_ns;  /* last cookie, to about 100 ms; 0: none yet */
};

/* Each only rises. */
struct shield_counters {
    uint64_t syn;         /* SYNs to a protected service */
    uint64_t synack;      /* answered by a cookie */
    uint64_t generic;     /* of syn: not untagged IPv4 with Linux's options */
    uint64_t would;       /* mode watch: would have been answered */
    uint64_t calm;        /* passed: the listener has room */
    uint64_t known;       /* passed: the tuple has a connection */
    uint64_t no_listener; /* passed: nobody listens */
    uint64_t mptcp;       /* passed: an MPTCP listener */
    uint64_t signing;     /* passed: a listener with keys of TCP-MD5 or TCP-AO */
    uint64_t steered;     /* passed: a full listener, where a program chooses among several */
    uint64_t off;         /* passed: the service or the namespace is the kernel's */
    uint64_t unfit;       /* passed: MSS too small, MD5 or AO, odd addresses */
    uint64_t no_key;      /* passed: no key for this time */
    uint64_t queue_full;  /* dropped: the accept queue is full */
    uint64_t bad_ip_checksum; /* dropped */
    uint64_t bad_checksum;    /* dropped */
    uint64_t ack;         /* ACKs to a protected service while the gate was open */
    uint64_t cookie_bad;  /* of ack: no cookie, most of them of established connections */
    uint64_t cookie_good;
    uint64_t redeemed;    /* made a connection */
    uint64_t again;       /* redeemed in the same batch; passed if there is room */
    uint64_t replayed;    /* dropped: redeemed before */
    uint64_t elsewhere;   /* passed: another machine of the group has redeemed it */
    uint64_t ts_refused;  /* dropped */
    uint64_t ack_established; /* passed: the tuple has a connection by now */
    uint64_t ack_no_listener; /* passed */
    uint64_t ack_hops;        /* passed: a hop limit that the listener does not take */
    uint64_t ack_queue_full;  /* dropped: the accept queue is full */
    uint64_t refused;     /* passed: the kernel did not take the connection */
    uint64_t events_lost; /* of struct shield_event: no room */
    uint64_t blocked;     /* dropped: SYNs of a network that is to be blocked */
};

/* A network whose SYNs are dropped; the key of a trie.  Of IPv4 as ::ffff:0:0/96 has it, here and below. */
struct shield_network {
    uint32_t bits;
    uint32_t address[4]; /* raw */
};

/* An answered SYN, one of SHIELD_SAMPLED; each processor keeps its last ones. */
struct shield_sample {
    uint32_t source[4];  /* raw */
    uint32_t target[4];
    uint16_t port;       /* raw, of the target */
    uint16_t reserved[3];
};
struct shield_samples {
    uint64_t count;      /* ever; the next goes to this place, modulo SHIELD_SAMPLES */
    struct shield_network asked; /* room for a key */
    uint32_t reserved;
    struct shield_sample sample[SHIELD_SAMPLES];
};

/* A handshake that was redeemed, raw but for the ISNs; IPv4 addresses in the first two words. */
struct shield_redeemed {
    uint32_t address[8];
    uint32_t ports;
    uint32_t iss;
    uint32_t irs;
};

/* What other machines have redeemed: filters `first` to `first + count - 1`, modulo 2^32. */
struct shield_shared {
    uint64_t key[4];     /* of the group, as that of a struct shield_key */
    uint32_t first;
    uint32_t count;
};
struct shield_filter {
    uint64_t end_ns;     /* until when it counts, CLOCK_MONOTONIC */
    uint32_t size;       /* in bytes */
    uint32_t reserved;
    uint8_t bits[SHIELD_FILTER_BYTES];
};

/* One for each processor. */
struct shield_processor {
    struct shield_counters counters;
    uint64_t tick;        /* the last one that was seen, and the time then */
    uint64_t tick_ns;
    uint64_t tick_ms;
};

enum shield_event_kind {
    SHIELD_EVENT_FLOOD,   /* number: half-open connections of the listener */
    SHIELD_EVENT_FULL,    /* number: connections that nobody accepts */
    SHIELD_EVENT_REFUSED  /* number: the kernel's errno */
};

/* What the process is told of a service at once, by a ring buffer. */
struct shield_event {
    uint64_t time_ns;    /* CLOCK_MONOTONIC */
    uint32_t kind;       /* enum shield_event_kind */
    uint32_t number;
    uint32_t address[4]; /* raw; of IPv4 the first */
    uint16_t port;       /* raw */
    uint16_t v6;         /* 0 or 1 */
    uint32_t reserved;
};

/* cffi: end. */

#endif

/*
 * The sessions: 192 bytes each, in the caller's memory, found by their tuple in either orientation, in the order of
 * their creation while they are half-open, and by their deadline.  Knows no packets and no policy.
 *
 *   session.c        places, the hash table     order.c  half-open ones: oldest, random
 *   due.c    deadlines
 *
 * A session is named by its number (u32), SESSION_NONE is none.  `own[side]` arrays: [FLOW_CLIENT] is the end that
 * began the session, [FLOW_SERVER] the other, whichever links they are on.
 */
#ifndef SYNCACHE_FLOW_SESSION_H
#define SYNCACHE_FLOW_SESSION_H

#include "../core/bytes.h"
#include "../core/siphash.h"
#include "flow.h"
#include "splice.h"

#include <string.h>

#define SESSION_NONE UINT32_MAX

/* session.flags */
#define SESSION_SYNACK 0x0001u        /* the server's SYN-ACK was seen, so `s` is known */
#define SESSION_FIN_CLIENT 0x0002u
#define SESSION_FIN_SERVER 0x0004u
#define SESSION_COUNTED 0x0008u       /* half-open and in the order, so it counts */
#define SESSION_SPLICED 0x0010u       /* packets are rewritten */
#define SESSION_TIMESTAMPS 0x0020u    /* granted to the client */
#define SESSION_SACK 0x0040u          /* granted to the client */
#define SESSION_VALIDATED 0x0080u     /* the client proved its address, and the server is not yet asked */
#define SESSION_OTHER_ISN 0x0100u     /* a SYN with ISN `p` passed beside that with `c` */
#define SESSION_UNCHECKED 0x0200u     /* imported, first packet of the client's not yet seen */
#define SESSION_UNCHECKED_S 0x0400u   /* likewise of the server's */
#define SESSION_COOKIE 0x0800u        /* made from a cookie */
#define SESSION_AGGRESSIVE 0x1000u    /* its half-handshake began in aggressive mode */
#define SESSION_HEARD 0x2000u         /* the client has sent something since the splice */
#define SESSION_OWES_RST 0x4000u      /* deleted; its resets wait for room, nobody finds it */
#define SESSION_ADOPTED 0x8000u       /* first seen in the middle */

struct session {
    /* Line 0: its key, and the fields that every packet touches. */
    uint8_t address[2][16];
    uint16_t port[2];                 /* ICMP: identifier and request type */
    uint8_t family;
    uint8_t protocol;                 /* 6, 17, 1, 58 */
    uint8_t state;                    /* enum flow_state */
    uint8_t mode;                     /* 'I', 'W' or 0 */
    uint64_t deadline_ms;             /* SYNCACHE_NEVER: none.  The wheel may know an earlier one */
    uint64_t last_ms;                 /* last packet */
    uint32_t hash;
    uint16_t flags;                   /* SESSION_* */
    uint8_t side;                     /* enum flow_side of the link that its first packet came on */
    uint8_t rule;                     /* enum flow_inspected, or FLOW_INSPECTED_COUNT + its application */
    /* Line 1: TCP as it passes, and the splice. */
    uint64_t bytes[2];                /* payload sent by each end */
    uint32_t nxt[2];                  /* SND.NXT of each end, in its own numbers */
    uint32_t ack[2];                  /* highest ACK that each end sent, in the numbers of that end's packets */
    uint32_t wnd[2];                  /* bytes from that ACK to the highest edge of a window that it announced */
    union {
        struct splice splice;         /* if SESSION_SPLICED */
        struct {                      /* before */
            uint64_t half_ms;         /* when the half-handshake of ours that runs began */
            uint32_t half_label;      /* IPv6 flow label of the client's */
            uint16_t half_early;      /* place of the client's early packet (early.h) */
            uint8_t half_again;       /* SYNs of the client that were answered again */
            uint8_t half_stamps;      /* the server refused timestamps that the client was granted */
        };
    };
    uint8_t hop_limit;                /* of the client's first packet; 0: not known */
    uint8_t tos;                      /* likewise, without ECN */
    union {
        uint8_t window_updates;       /* sent again */
        uint8_t again;                /* before the splice: the SYN to the server went out again before its time */
    };
    uint8_t offered;                  /* WIRE_HAS_* of the client's SYN; from a cookie: unknown, all */
    uint8_t wscale[2];                /* each end's own, or SYNCACHE_WSCALE_NONE */
    uint8_t wscale_told;              /* the scale that we announced in the server's place */
    uint8_t rexmts;                   /* of the half-handshake that runs */
    /* Line 2: half-open order, and the state of a half-handshake. */
    uint32_t older, younger;          /* all half-open sessions, by creation */
    union {
        struct {
            uint32_t rcvd_older, rcvd_younger; /* those in SYNRCVD */
        };
        struct {                      /* established: data of one end behind a gap (track.c) */
            uint32_t gap_lo, gap_end;
        };
    };
    uint32_t host;                    /* HOST_NONE: not counted there */
    union {
        struct {
            uint32_t host_older, host_younger;
        };
        struct {                      /* established: and its ACK */
            uint32_t gap_ack;
            uint32_t gap_from;        /* which end + 1, 0: none; GAP_FIN: a FIN was there */
        };
    };
    union {
        uint32_t dense;               /* half-open: place in the array from which one is drawn */
        uint32_t flow_label;          /* if SESSION_SPLICED: the client's */
    };
    uint32_t c;                       /* client's ISN */
    uint32_t p;                       /* ISN of our SYN-ACK; passive or spliced: that of another SYN on this tuple */
    uint32_t s;                       /* server's ISN */
    uint32_t client_tsval;            /* latest of the client's */
    union {
        uint16_t mss;                 /* of the client's SYN, 0: none */
        uint16_t other_wscale;        /* if SESSION_OTHER_ISN: of that SYN */
    };
    uint16_t client_window;           /* last unscaled window of the client */
    uint16_t header[2];               /* link headers (header.h): of packets to client and to server */
    uint64_t created_ms;
};

_Static_assert(sizeof(struct session) == 192, "three cache lines");

/* Two ends and a protocol in one order, whichever sent the packet. */
struct session_key {
    uint8_t address[2][16];           /* [0]: source of the packet, [1]: destination */
    uint16_t port[2];
    uint8_t family;
    uint8_t protocol;
    uint32_t hash;                    /* session_hash() */
};

/* A place in the hash table: the session's number + 1, 0: empty. */
struct session_slot {
    uint32_t hash;
    uint32_t number;
};

struct sessions {
    struct session *session;          /* max of them, numbers 0 .. max - 1 */
    struct session_slot *slot;        /* mask + 1, at least 2 * max */
    uint32_t max;
    uint32_t mask;
    uint32_t count;
    uint32_t free;                    /* list through `older` */
    uint32_t fresh;                   /* numbers from here on were never used */
};

size_t sessions_bytes(uint32_t max);
void sessions_init(struct sessions *sessions, void *memory, uint32_t max);

/* An end of an IPv4 session as one number. */
static inline uint64_t
session_end(const struct session_key *key, uint32_t end)
{
    return (uint64_t)load32_be(key->address[end]) << 16 | key->port[end];
}

/* Hash of a key; the same if source and destination change places. */
static inline uint32_t
session_hash(const uint8_t hash_key[static SYNCACHE_KEY_BYTES], const struct session_key *key)
{
    struct siphash_state s = siphash_begin(hash_key);

    /* The last word has the size in its top byte. */
    if (key->family == 4) {
        uint64_t one = session_end(key, 0);
        uint64_t two = session_end(key, 1);
        uint64_t low = one < two ? one : two;

        siphash13_absorb(&s, low | (uint64_t)key->protocol << 48);
        siphash13_absorb(&s, (one ^ two ^ low) | UINT64_C(14) << 56);
    } else {
        int order = memcmp(key->address[0], key->address[1], 16);
        uint32_t first = order > 0 || (order == 0 && key->port[0] > key->port[1]);

        siphash13_absorb(&s, load64_le(key->address[first]));
        siphash13_absorb(&s, load64_le(key->address[first] + 8));
        siphash13_absorb(&s, load64_le(key->address[1 - first]));
        siphash13_absorb(&s, load64_le(key->address[1 - first] + 8));
        siphash13_absorb(&s, key->port[first] | (uint64_t)key->port[1 - first] << 16 | (uint64_t)key->protocol << 32 |
                                 UINT64_C(37) << 56);
    }
    uint64_t hash = siphash13_end(&s);
    return (uint32_t)(hash ^ hash >> 32);
}

static inline struct session *
session_at(const struct sessions *sessions, uint32_t number)
{
    return &sessions->session[number];
}

static inline uint32_t
session_number(const struct sessions *sessions, const struct session *session)
{
    return (uint32_t)(session - sessions->session);
}

static inline void
session_prefetch_slot(const struct sessions *sessions, uint32_t hash)
{
    __builtin_prefetch(&sessions->slot[hash & sessions->mask]);
}

/* The session that a lookup would look at first. */
static inline void
session_prefetch(const struct sessions *sessions, uint32_t hash)
{
    const struct session_slot *slot = &sessions->slot[hash & sessions->mask];

    if (slot->number != 0 && slot->hash == hash) {
        const struct session *session = session_at(sessions, slot->number - 1);

        __builtin_prefetch(session, 1);
        __builtin_prefetch(session->bytes, 1);
    }
}

static inline bool
session_is(const struct session *session, const struct session_key *key, uint32_t first)
{
    return session->port[0] == key->port[first] && session->port[1] == key->port[1 - first] &&
           session->protocol == key->protocol && session->family == key->family &&
           memcmp(session->address[0], key->address[first], 16) == 0 &&
           memcmp(session->address[1], key->address[1 - first], 16) == 0;
}

/*
 * Finds a session.
 *
 *   out      from   which end sent the packet: FLOW_CLIENT or FLOW_SERVER
 *   returns  NULL if there is none
 */
static inline struct session *
session_find(const struct sessions *sessions, const struct session_key *key, uint32_t *from)
{
    for (uint32_t at = key->hash & sessions->mask; sessions->slot[at].number != 0; at = (at + 1) & sessions->mask) {
        struct session *session;

        if (sessions->slot[at].hash != key->hash)
            continue;
        session = session_at(sessions, sessions->slot[at].number - 1);
        for (*from = FLOW_CLIENT; *from <= FLOW_SERVER; ++*from) {
            if (session_is(session, key, *from))
                return session;
        }
    }
    return NULL;
}

/* Takes a place for a session whose client is the key's source.  All else is zero.  NULL if there is no room. */
struct session *session_insert(struct sessions *sessions, const struct session_key *key);
void session_remove(struct sessions *sessions, struct session *session);
/* Takes it out of the hash table only, so that nobody finds it; session_remove() is still due. */
void session_hide(struct sessions *sessions, struct session *session);
/* Tuple with the client as foreign. */
void session_tuple(const struct session *session, struct syncache_tuple *tuple);

/* order.c: half-open sessions. */
struct order {
    struct sessions *sessions;
    uint32_t *dense;                  /* SYNRCVD ones first, then the others */
    uint32_t count;                   /* of all */
    uint32_t rcvd_count;
    uint32_t oldest, youngest;        /* of all */
    uint32_t rcvd_oldest, rcvd_youngest;
};

size_t order_bytes(uint32_t max);
void order_init(struct order *order, void *memory, struct sessions *sessions);
/* Adds the youngest session; its state says to which class it belongs. */
void order_add(struct order *order, struct session *session);
/* From SYNRCVD to SYNSENT; the caller sets the state. */
void order_promote(struct order *order, struct session *session);
void order_remove(struct order *order, struct session *session);
/* The oldest in SYNRCVD, or if there is none or `together`, of all.  SESSION_NONE: there is none. */
uint32_t order_oldest(const struct order *order, bool together);
/* One at random, of the same class. */
uint32_t order_random(const struct order *order, bool together, uint64_t random);

/*
 * due.c: a wheel of deadlines, 11 levels of 64 slots.  Items are numbers below max; the caller divides them
 * among its kinds (sessions, then hosts).  An item is in the wheel at most once.  A deadline of d is due at
 * now >= d.  Adding, moving and removing cost constant time, an item moves down at most 10 levels.
 *
 * Lazy: the wheel may hold an earlier time than the item's true deadline; when that time comes, due_pop() gives the
 * item to the caller, who arms it anew.
 */
#define DUE_LEVELS 11
#define DUE_SLOTS 64

struct due_item {
    uint64_t key_ms;
    uint32_t next, previous;          /* SESSION_NONE: the end; both SESSION_NONE - 1: not in the wheel */
};

struct due {
    struct due_item *item;
    uint64_t now_ms;                  /* of the wheel */
    uint64_t filled[DUE_LEVELS];      /* a bit for each slot */
    uint32_t head[DUE_LEVELS][DUE_SLOTS];
    uint32_t max;
    uint32_t count;
};

size_t due_bytes(uint32_t max);
void due_init(struct due *due, void *memory, uint32_t max);
bool due_armed(const struct due *due, uint32_t number);
/* Puts an item in, or moves it.  One in the past is due at once. */
void due_arm(struct due *due, uint32_t number, uint64_t key_ms);
void due_disarm(struct due *due, uint32_t number);
/* Takes out an item whose time has come, earliest first; SESSION_NONE: there is none. */
uint32_t due_pop(struct due *due, uint64_t now_ms);
/* Time of the first item, exact if few items share its slot, else a lower bound; SYNCACHE_NEVER: empty. */
uint64_t due_next_ms(const struct due *due);
/* The item that due_pop() returns next, if due within DUE_SLOTS ms and nothing is armed meanwhile; or SESSION_NONE. */
void due_peek(const struct due *due, uint32_t *next, uint32_t *behind);
/* due_next_ms() in less time, and perhaps too early. */
uint64_t due_not_before_ms(const struct due *due);

#endif

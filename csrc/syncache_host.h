/*
 * syncache_host.h: helpers for a TCP stack that puts the engine in front of its own input.
 *
 * All of it can be written with syncache.h alone; it is here because every host needs it: packets one at a time
 * without a ring, a 32-bit clock, keys in time, and a SYN for a stack that can only be given SYNs.
 *
 * Not here: the calls that make the engine work.  See docs/hosts.md.
 */
#ifndef SYNCACHE_HOST_H
#define SYNCACHE_HOST_H

#include "syncache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/*
 * A packet for the stack, as the burst read it: the stack need not parse it again.  Written for ring.passed[i] to
 * ring.arrival[i].  Places are bytes from the IP header on; 0: not there.
 */
struct syncache_arrival {
    struct syncache_tuple tuple;   /* foreign is the packet's source; unless is_tcp, the ports are 0.
                                      PASS_ICMP: of the quoted segment, foreign is its destination */
    uint64_t handle;               /* PASS_KNOWN */
    uint64_t place;                /* of the IP header in the ring's memory */
    uint32_t slot;                 /* passed[i] */
    uint32_t size;                 /* bytes in the slot, a link's padding included */
    uint32_t payload_size;         /* bounded by the IP header's length; of ICMP, that of the message */
    uint32_t seq;                  /* PASS_ICMP: of the quoted segment */
    uint32_t ack;
    uint32_t tsval;                /* 0 if !timestamps */
    uint32_t tsecr;
    uint32_t mtu;                  /* PASS_ICMP: the segment was too big for it; 0: that is not the error */
    uint16_t tcp;                  /* place of the TCP header */
    uint16_t payload;              /* place of the payload; of ICMP, of the message from its header on */
    uint16_t md5;                  /* place of the 16 bytes of an RFC 2385 signature */
    uint16_t sack;                 /* place of the first SACK block, 8 bytes each */
    uint16_t flags;                /* FIN 1 to CWR 0x80, AE 0x100 */
    uint16_t window;               /* unscaled */
    uint8_t sack_count;
    uint8_t timestamps;
    uint8_t ecn;                   /* the two ECN bits of the IP header */
    uint8_t verdict;               /* enum syncache_verdict */
    uint8_t is_tcp;                /* 0: nothing of TCP is there, but for PASS_ICMP */
    uint8_t icmp_type;             /* of ICMP or ICMPv6, if it is one and payload is there */
    uint8_t icmp_code;
    uint8_t reserved;
    uint16_t gathered;             /* further segments that this one stands for, see `gathers`: those with data, or
                                      without if none has any */
    uint16_t marked;               /* how many of all have the mark CE; the last of them, or a later CWR, is in ecn and
                                      flags */
};

/*
 * Lists entries as syncache_walk(), but looks at no more than look_max buckets, so that a large table is read in short
 * steps.  Returns how many were written, 0 perhaps; *cursor is SYNCACHE_NEVER at the end.
 */
uint32_t syncache_walk_some(struct syncache *cache, uint64_t *cursor, uint32_t look_max, struct syncache_half_open *out,
                            uint32_t out_max);

/* cffi: end */

/* The acceptable numbers of an established connection: RCV.NXT, the announced right edge, SND.UNA and SND.NXT. */
struct syncache_numbers {
    uint32_t rcv_nxt;
    uint32_t rcv_adv;
    uint32_t snd_una;
    uint32_t snd_max;
    uint32_t ts_recent;
    uint32_t timestamps;           /* 1: they were negotiated, and ts_recent counts (RFC 7323 5.3) */
    uint32_t gathers;              /* 1: the stack reads ring.arrival, where segments of a burst that continue each
                                      other are one: the payload of all is behind the first's, over the slots of the
                                      others, and ring.passed does not have these */
};

/*
 * Tells the numbers of an established connection, whenever they have changed, at the latest before the next packets
 * after the stack sent something.  From then on only a bounded number of those segments passes that change nothing:
 * for an answer each, ack_war_cnt within ack_war_timewindow; where that is 0, all of them.  Not in an engine that is
 * built with SYNCACHE_SMALL.
 *
 *   returns  false if the tuple is not an established one; nothing has changed
 */
bool syncache_guard(struct syncache *cache, const struct syncache_tuple *tuple,
                    const struct syncache_numbers *numbers);

/*
 * Fills in the largest configuration that fits into `bytes`, for a host that looks up its own connections
 * (established_max 0): most of it entries, some of it remembered handshakes and endpoints.
 *
 *   returns  false if not one entry fits
 */
bool syncache_config_fit(struct syncache_config *config, size_t bytes);

/*
 * Fills in the defaults for a host to which each packet is dear: those of syncache_tunables_default(), with at most 50
 * SYN-ACKs sent again per second.  A flood makes that many of them due for nobody; an honest peer that misses one
 * sends its SYN again.
 */
void syncache_tunables_host(struct syncache_tunables *tunables);

/*
 * Sends the next packet that is due, as syncache_poll() does, without a ring.
 *
 *   out      packet[0 .. returned)
 *   returns  bytes of the packet; 0: nothing more is due before syncache_next_deadline()
 */
uint32_t syncache_poll_one(struct syncache *cache, uint64_t now_ms, uint8_t packet[SYNCACHE_REPLY_MAX]);

/*
 * Returns whether the epoch in force has no key of its own, so that the caller should give one with
 * syncache_set_key().  Call it before the first packet and whenever syncache_next_deadline() is due.
 *
 *   out      epoch   the one in force
 */
bool syncache_key_due(struct syncache *cache, uint64_t now_ms, uint64_t *epoch);

/* A clock of 64 bits made of one of 32: all zero at first. */
struct syncache_clock_state {
    uint64_t now_ms;
    bool started;
};

/*
 * Extends a 32-bit count of milliseconds that wraps after 49.7 days.  A time that is up to 24.8 days before the last
 * one counts as the last.
 *
 *   limit    two calls may be up to 24.8 days apart
 *   returns  now_ms for every other call
 */
uint64_t syncache_clock(struct syncache_clock_state *clock, uint32_t now_ms);

/* A clock of 64 bits made of a counter of ticks: all zero at first. */
struct syncache_ticks_state {
    uint64_t ticks;
    bool started;
};

/*
 * Tells the milliseconds of a counter of ticks: converted by the stack, in 32 bits, they would wrap somewhere else than
 * at 2^32.  A time before the last one counts as the last.
 *
 *   in       bits   that the counter has, 8 to 32
 *   in       hz     ticks per second, 1 at least
 *   limit    two calls may be half the counter's span apart: 4 minutes, of 16 bits at 128 Hz
 *   returns  now_ms for every other call, cut to 32 bits for those of a front; 0 if bits or hz is out of range
 */
uint64_t syncache_ticks(struct syncache_ticks_state *clock, uint32_t ticks, uint32_t bits, uint32_t hz);

/*
 * The engine, and the state that a stack with its own connections and listeners would keep beside it: a clock of 64
 * bits, keys in time, the ports, and the order of the calls.  The caller fills in the fields from `mss` on and
 * leaves the others to syncache_front_init(); `cache` may be used with every call of syncache.h.
 */
struct syncache_front {
    struct syncache *cache;
    struct syncache_clock_state clock;
    const struct syncache_conn *connecting;        /* that of connect(), as long as it runs */
    uint16_t mss_least;                            /* of all `mss`, for SYN-ACKs that are sent again */
    uint16_t mss;                                  /* announced and used by the next call: the interface's;
                                                      0: by the endpoint's mtu and mss_max */
    struct syncache_endpoint endpoint;             /* every port's, but for lport */
    bool ts_per_tuple;                             /* false: timestamps are `now_ms` itself */
    void (*entropy)(void *bytes, size_t size);     /* fills in bytes that nobody can guess */
    /* Of syncache_front_input() and syncache_front_run().  `by` is the caller's; NULL: the timer sends. */
    void (*send)(const uint8_t *packet, size_t size, void *by);
    bool (*connect)(const struct syncache_conn *conn, void *by); /* returns false if there is no room */
};

/*
 * Makes the largest engine that fits into the block, with the tunables of syncache_tunables_host() and a key.
 *
 *   in       block[0 .. size)   aligned to 64 bytes
 *   in       now_ms             as syncache_clock() has it, here and below
 *   returns  false if not one entry fits, the block is not aligned or the endpoint is not valid; cache is NULL then,
 *            and the stack on its own: nothing is listened on, and every segment is PASS_NO_ENDPOINT
 */
bool syncache_front_init(struct syncache_front *front, uint32_t now_ms, void *block, size_t size);

/* Begins to listen on a port.  Returns false if it is listened on, there is no room, or the endpoint is not valid. */
bool syncache_front_listen(struct syncache_front *front, uint16_t lport);

/*
 * syncache_segment() for a segment whose checksum is good and for which the stack has a listener, but no connection:
 * its port is listened on from then on.
 *
 *   in       faddr, laddr   4 or 16 bytes, as the IP header has them
 */
enum syncache_verdict syncache_front_segment(struct syncache_front *front, uint32_t now_ms, uint8_t family,
                                             const void *faddr, const void *laddr, const uint8_t *segment,
                                             size_t segment_size, size_t payload_size,
                                             struct syncache_result *result);

/*
 * syncache_front_segment() and all that follows from its verdict: send() gets the reply, connect() a handshake that is
 * complete, and the engine what connect() returned.
 *
 *   returns  PASS: the stack goes on with the segment, as if the engine were not there; so with all that connect()
 *            gives to the stack, such as the SYN, should it come by here;
 *            ACCEPT: the stack has the connection now, and its own input takes the segment;
 *            otherwise the segment is done with
 */
enum syncache_kind syncache_front_input(struct syncache_front *front, uint32_t now_ms, uint8_t family,
                                        const void *faddr, const void *laddr, const uint8_t *segment,
                                        size_t segment_size, size_t payload_size, void *by);

/*
 * The same for a stack that has turned the header's fields in place (syncache_tcp_turn()), and whose options may go on
 * in another buffer.
 *
 *   in out   header[0 .. header_size)   20 bytes, and options.  ACCEPT: turned back, for the stack's own input
 *   in       more[0 .. more_size)       the options' rest; NULL if it is 0
 */
enum syncache_kind syncache_front_header(struct syncache_front *front, uint32_t now_ms, uint8_t family,
                                         const void *faddr, const void *laddr, void *header,
                                         size_t header_size, const void *more, size_t more_size,
                                         size_t payload_size, void *by);

/*
 * The initial sequence number for a stack that asks for one with each connection: while connect() runs the one that
 * the peer knows, otherwise a random one.
 */
uint32_t syncache_front_isn(const struct syncache_front *front);

/* syncache_poll_one(), which gives the engine a key when one is due.  Call it at least once a second until it is 0. */
uint32_t syncache_front_poll(struct syncache_front *front, uint32_t now_ms, uint8_t packet[SYNCACHE_REPLY_MAX]);

/* Gives send() all that is due.  Returns after how many milliseconds it should be called again: 10 to 250. */
uint32_t syncache_front_run(struct syncache_front *front, uint32_t now_ms);

/*
 * Writes the peer's SYN as the handshake kept it, for a stack that can only be given SYNs: it makes its connection
 * of it, with conn->iss as its initial sequence number, discards its own SYN-ACK, and is then given the completing
 * packet.  TTL 64, TSecr 0, no payload; ECN if classic ECN was agreed.
 *
 *   returns  bytes written, at most SYNCACHE_REPLY_MAX; 0 if conn's family is neither 4 nor 6
 */
uint32_t syncache_syn_packet(const struct syncache_conn *conn, uint8_t packet[SYNCACHE_REPLY_MAX]);

/* The same without its IP header, its checksum in it. */
uint32_t syncache_syn_segment(const struct syncache_conn *conn, uint8_t segment[SYNCACHE_REPLY_MAX]);

/* Returns where the TCP header begins in a packet that the engine made: for a stack whose IP layer adds its own. */
uint32_t syncache_tcp_offset(const uint8_t *packet);

/* Writes the destination of a packet that the engine made, 4 or 16 bytes; returns its family, 4 or 6. */
uint8_t syncache_destination(const uint8_t *packet, void *address);

/* The same of its source, which decides the way of a packet to a link-local address. */
uint8_t syncache_source(const uint8_t *packet, void *address);

/* An endpoint's options, of what a stack was built with: each 0 or 1. */
#define SYNCACHE_OPTIONS_OF(scale, sack, timestamps)                                                                  \
    (SYNCACHE_OPTION_MSS | SYNCACHE_OPTION_SCALE * (scale) | SYNCACHE_OPTION_SACK * (sack) |                          \
     SYNCACHE_OPTION_TIMESTAMPS * (timestamps))

/* Turns a TCP header's ports, numbers and window, in place, between the wire's byte order and this machine's. */
void syncache_tcp_turn(void *header);

#define SYNCACHE_LINE_MAX 48

/*
 * Writes the next line of the counters of verdicts, "NAME: count", those that are 0 left out.
 *
 *   in       at       0 at first
 *   returns  false: that was all
 */
bool syncache_report(const struct syncache *cache, uint32_t *at, char line[SYNCACHE_LINE_MAX]);

struct syncache_line {
    uint32_t at;
    char text[SYNCACHE_LINE_MAX];
};

/* A loop over all of them: its statement sees `line.text`. */
#define SYNCACHE_EACH_LINE(cache, line)                                                                               \
    for (struct syncache_line line = {0, {0}}; syncache_report(cache, &line.at, line.text);)

/* Returns the verdict's name without SYNCACHE_, such as "DROP_NO_KEY"; NULL if it is not a verdict. */
const char *syncache_verdict_name(enum syncache_verdict verdict);

#ifdef __cplusplus
}
#endif

#endif

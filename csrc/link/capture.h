/*
 * Captures: fill a ring from the bytes of a pcap or pcapng file, a whole buffer at a time.
 *
 * Not here: reading the file (syncache/links/replay.py), link headers (encap.h), and the meaning of packets.  The
 * bytes are untrusted; no length in them is believed before it is compared with the bytes at hand.
 *
 * A packet that the capture cut off is filled up with zeros, so that its length is the one on the wire.  Whatever is
 * not looked at is counted by reason and number.
 *
 * See draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
#ifndef SYNCACHE_LINK_CAPTURE_H
#define SYNCACHE_LINK_CAPTURE_H

#include "../syncache.h"
#include "encap.h"
#include "filter.h"
#include "tunnel.h"

/* cffi: begin. */

#define LINK_CAPTURE_INTERFACES_MAX 65536 /* of one pcapng section; joined files have hundreds */
#define LINK_CAPTURE_RECORD_MAX 16777216 /* a longer record or block is damage, not data */
#define LINK_CAPTURE_PASSED_MAX 64 /* reasons and numbers that are counted apart */
#define LINK_CAPTURE_FILTERS_MAX 8 /* link types that a filter is compiled for */
#define LINK_CAPTURE_TUNNELS_MAX 8 /* one in another */
#define LINK_CAPTURE_STEP_MS 1000 /* times this far back are of packets out of order */
#define LINK_CAPTURE_JOIN_MS 3600000 /* a step this far back is a capture behind another */
#define LINK_CAPTURE_DOUBLES 1024 /* packets among which doubles are looked for, by hash */
#define LINK_CAPTURE_DOUBLE_MS 20 /* one that comes again so soon was recorded twice */
#define LINK_CAPTURE_JOIN_GAP_MS 86400000 /* put between them, so that all state of the first ends */

enum link_capture_status {
    LINK_CAPTURE_MORE,          /* all whole records are consumed */
    LINK_CAPTURE_FULL,          /* rx is full */
    LINK_CAPTURE_STEP,          /* time steps back before the next record; `shift_ms` has changed */
    LINK_CAPTURE_FILTER,        /* a program for `filter_linktype` is needed before the next record */
    LINK_CAPTURE_NO_CAPTURE,    /* neither pcap nor pcapng */
    LINK_CAPTURE_TOO_LONG,      /* a record or block of more than LINK_CAPTURE_RECORD_MAX bytes */
    LINK_CAPTURE_CONTRADICTION, /* a block whose lengths do not fit one another */
};

struct link_capture_interface {
    uint32_t linktype;
    uint32_t snaplen;           /* bytes kept of each packet; 0: no limit */
    uint64_t per_second;        /* units of its timestamps */
    int64_t offset_s;           /* added to its timestamps */
};

/* Packets that were not looked at, for one reason. */
struct link_capture_passed {
    uint32_t reason;            /* enum encap_reason */
    uint32_t number;
    uint64_t count;
};

/* A filter for the frames of a link type. */
struct link_capture_filter {
    uint32_t linktype;
    uint32_t reserved;
    const struct filter_instruction *program; /* the caller's, as long as the capture is read; filter_valid() */
};

/*
 * Packets among which several captures look for doubles, all zero at first.  Of files that are merged one is read
 * ahead of the others by a ring's packets, so they are more than one capture needs.
 */
#define LINK_CAPTURE_SHARED 65536

struct link_capture_shared {
    uint64_t hash[LINK_CAPTURE_SHARED];
    uint64_t time_ms[LINK_CAPTURE_SHARED];
    uint32_t number[LINK_CAPTURE_SHARED]; /* of the capture that had it first */
};

/* The state of reading a capture.  All zero at first but for the fields marked `in`; the rest is of this file. */
struct link_capture {
    uint32_t format;            /* 0: not yet known, 1 pcap, 2 pcapng */
    uint32_t big_endian;        /* 1: numbers have their first byte first */
    uint32_t record_head;       /* pcap: bytes in front of each frame */
    uint32_t old_order;         /* pcap before 2.4: 1: the two lengths of a record may be exchanged */
    uint32_t interface_count;
    uint32_t passed_count;      /* of passed[] */
    uint32_t tunnels;           /* in: 1: look into tunnels */
    uint32_t dedup;             /* in: 1: leave out packets that were recorded before */
    uint32_t number;            /* in: of this capture among those that share */
    uint32_t filtering;         /* in: 1: only frames that filter[] accepts */
    uint32_t filter_count;      /* in: of filter[] */
    uint32_t filter_linktype;   /* the one that a program is needed for */
    uint32_t guessed;           /* pcap: 1: record_head was compared with the first two records */
    uint64_t consumed;          /* bytes, by the last call */
    uint64_t packets;           /* records read */
    uint64_t skipped;           /* of them: not put into a ring */
    uint64_t first_ms;          /* captured time of the first packet */
    uint64_t last_ms;           /* latest time put into a slot */
    uint64_t shift_ms;          /* times put into slots minus captured times, from here on */
    uint64_t steps;             /* times that time stepped back */
    uint64_t step_ms;           /* the largest of them */
    uint64_t gap_ms;            /* LINK_CAPTURE_JOIN_GAP_MS put between captures, in all */
    uint64_t untimed;           /* packets without a time, which have that of the one before */
    uint64_t notes;             /* blocks that hold no packet: custom ones and journald's */
    uint64_t zeros;             /* bytes of zero where a record should be */
    uint64_t odd_versions;      /* files and sections of a format version that is not known */
    uint64_t odd_options;       /* of interfaces, whose values cannot be: they were passed over */
    uint64_t passed_rest;       /* packets not looked at for other reasons than passed[] has */
    uint64_t doubles;           /* packets that were recorded before: by two interfaces, by a mirror of both ways */
    uint64_t filtered;          /* records that the filter refused; not in `packets` */
    uint64_t entered[TUNNEL_COUNT]; /* tunnels looked into, by enum link_tunnel */
    uint64_t recent[LINK_CAPTURE_DOUBLES]; /* hashes of packets; 0: none */
    uint64_t recent_ms[LINK_CAPTURE_DOUBLES];
    struct link_capture_shared *shared; /* in: the caller's, instead of recent[]; NULL: of this capture alone */
    struct link_capture_filter filter[LINK_CAPTURE_FILTERS_MAX];
    struct link_capture_passed passed[LINK_CAPTURE_PASSED_MAX];
    struct link_capture_interface interface[LINK_CAPTURE_INTERFACES_MAX];
};

/*
 * Appends the packets of the whole records in data to rx.
 *
 *   in       data[0 .. size)  untrusted; the bytes behind those that earlier calls consumed
 *   out      rx       slots from rx->count on; checksum VALID, since a capture of a sending host has them unfinished;
 *                     handle is the time in ms since 1970, plus shift_ms
 *   out      capture  `consumed`; a record that is not whole is left to the next call, with more data
 *   returns  why it stopped; the packets before are in rx in any case
 */
enum link_capture_status link_capture_parse(struct link_capture *capture, const uint8_t *data, uint32_t size,
                                            struct syncache_ring *rx);

/* cffi: end. */

/* A time beyond the year 30,000 is damage; engines may add to what they get. */
#define CAPTURE_SECONDS_MAX UINT64_C(1000000000000)

/* One record, wherever it came from. */
struct link_capture_record {
    const struct link_capture_interface *interface; /* NULL: one that the file does not describe */
    const uint8_t *frame;
    uint32_t size;              /* bytes captured */
    uint32_t wire_size;         /* bytes that were on the wire */
    uint64_t time_ms;           /* as captured; CAPTURE_SECONDS_MAX at most */
};

/* The result of one record or block. */
enum link_capture_step { CAPTURE_STEP_PACKET, CAPTURE_STEP_OTHER, CAPTURE_STEP_SHORT, CAPTURE_STEP_FAILED };

/* A record or block that is being read. */
struct link_capture_block {
    const uint8_t *data;
    uint32_t size;
    uint32_t used;
    enum link_capture_status status;
};

/*
 * Reads the pcapng block at block->data, or the classic record.
 *
 *   out      record   filled for CAPTURE_STEP_PACKET
 *   out      used     bytes of the block, for _PACKET and _OTHER
 *   out      status   why, for CAPTURE_STEP_FAILED
 */
enum link_capture_step link_capture_ng(struct link_capture *capture, struct link_capture_block *block,
                                       struct link_capture_record *record);
enum link_capture_step link_capture_classic(struct link_capture *capture, struct link_capture_block *block,
                                            struct link_capture_record *record);

/* Reads the head of a classic file.  Returns its bytes: 0: too few yet, UINT32_MAX: it is another kind of file. */
uint32_t link_capture_classic_head(struct link_capture *capture, const uint8_t *data, uint32_t size);

/* Counts a packet that is not looked at. */
void link_capture_pass(struct link_capture *capture, uint32_t reason, uint32_t number);

/*
 * Was this packet recorded a moment ago?
 *
 *   in       captured   bytes of it that are there
 */
bool link_capture_double(struct link_capture *capture, const struct view *view, uint32_t captured, uint64_t time_ms);

/* Are these bytes all zero? */
static inline bool
link_capture_is_zero(const uint8_t *at, uint32_t size)
{
    uint32_t any = 0;
    for (uint32_t i = 0; i < size; i++)
        any |= at[i];
    return any == 0;
}

/* Reads a number in the capture's byte order. */
static inline uint32_t
link_capture_u32(const struct link_capture *capture, const uint8_t *at)
{
    uint32_t little = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    uint32_t big = (uint32_t)at[3] | (uint32_t)at[2] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[0] << 24;
    return capture->big_endian ? big : little;
}

static inline uint32_t
link_capture_u16(const struct link_capture *capture, const uint8_t *at)
{
    return capture->big_endian ? (uint32_t)at[0] << 8 | at[1] : (uint32_t)at[1] << 8 | at[0];
}

#endif

/*
 * Captures: fill a ring from the bytes of a pcap or pcapng file, a whole buffer at a time.
 *
 * Not here: reading the file (syncache/links/replay.py), and what the packets mean.  The bytes are untrusted; no
 * length in them is believed before it is compared with what is there.
 *
 * Taken off are the link headers of Ethernet (two VLAN tags), Linux cooked 1 and 2, loopback and raw IP.  A packet
 * that the capture cut off is filled up with zeros behind what is there, so that its length is the one on the wire.
 *
 * See draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; <https://www.tcpdump.org/linktypes.html>.
 */
#ifndef SYNCACHE_LINK_CAPTURE_H
#define SYNCACHE_LINK_CAPTURE_H

#include "../syncache.h"

/* cffi: begin. */

#define LINK_CAPTURE_INTERFACES_MAX 64 /* of one pcapng section; a host has a few */
#define LINK_CAPTURE_RECORD_MAX 16777216 /* a longer record or block is damage, not data */

enum link_capture_status {
    LINK_CAPTURE_MORE,          /* all whole records are consumed */
    LINK_CAPTURE_FULL,          /* rx is full */
    LINK_CAPTURE_NO_CAPTURE,    /* neither pcap nor pcapng */
    LINK_CAPTURE_TOO_LONG,      /* a record or block of more than LINK_CAPTURE_RECORD_MAX bytes */
    LINK_CAPTURE_CONTRADICTION, /* a block whose lengths do not fit one another */
    LINK_CAPTURE_LINKTYPE,      /* one that nobody here understands; see `linktype` */
};

struct link_capture_interface {
    uint32_t linktype;
    uint32_t snaplen;           /* bytes kept of each packet; 0: no limit */
    uint64_t per_second;        /* units of its timestamps */
    int64_t offset_s;           /* added to its timestamps */
};

/* What is known of a capture so far.  All zero at first; the rest is of this file. */
struct link_capture {
    uint32_t format;            /* 0: not yet known, 1 pcap, 2 pcapng */
    uint32_t big_endian;        /* 1: numbers have their first byte first */
    uint32_t linktype;          /* of the last packet */
    uint32_t interface_count;
    uint64_t consumed;          /* bytes, by the last call */
    uint64_t packets;           /* records read */
    uint64_t skipped;           /* of them: not IP, or longer than a slot */
    uint64_t last_ms;           /* time of the last packet */
    struct link_capture_interface interface[LINK_CAPTURE_INTERFACES_MAX];
};

/*
 * Appends the packets of the whole records in data to rx.
 *
 *   in       data[0 .. size)  untrusted; what follows the bytes that all calls before consumed
 *   out      rx       slots from rx->count on; checksum VALID, since a capture of a sending host has them unfinished;
 *                     handle is the time in ms since 1970
 *   out      capture  `consumed`; a record that is not whole is left to the next call, with more data
 *   returns  why it stopped; the packets before are in rx in any case
 */
enum link_capture_status link_capture_parse(struct link_capture *capture, const uint8_t *data, uint32_t size,
                                            struct syncache_ring *rx);

/* cffi: end. */

/* One record, wherever it came from. */
struct link_capture_record {
    const struct link_capture_interface *interface;
    const uint8_t *frame;
    uint32_t size;              /* bytes captured */
    uint32_t wire_size;         /* bytes that were on the wire */
    uint64_t time_ms;
};

/* What one record or block came to. */
enum link_capture_step { CAPTURE_STEP_PACKET, CAPTURE_STEP_OTHER, CAPTURE_STEP_SHORT, CAPTURE_STEP_FAILED };

/*
 * Reads the pcapng block at data.
 *
 *   out      record   filled for CAPTURE_STEP_PACKET
 *   out      used     bytes of the block, for _PACKET and _OTHER
 *   out      status   why, for CAPTURE_STEP_FAILED
 */
struct link_capture_block {
    const uint8_t *data;
    uint32_t size;
    uint32_t used;
    enum link_capture_status status;
};
enum link_capture_step link_capture_block(struct link_capture *capture, struct link_capture_block *block,
                                          struct link_capture_record *record);

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

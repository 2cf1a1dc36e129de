/*
 * Captures: classic pcap and its relatives.  See capture.h;
 * draft-ietf-opsawg-pcap.
 *
 * Besides the two magic numbers of today there are a patched libpcap's, whose
 * records have 8 bytes more, and those of IXIA's devices, whose head has 4.
 * Some old writers added to the heads of records and kept the magic number;
 * which they are is seen by where the second record begins.
 */
#include "capture.h"

enum {
    HEAD = 24,
    HEAD_IXIA = 28,
    RECORD = 16,
    RECORD_PATCHED = 24,
    MS = 1000,
    MICRO = 1000000,
    NANO = 1000000000,
    VERSION = 2,
    VERSION_AIX = 2,    /* the minor one */
    USUAL_MAX = 262144, /* bytes of a record, in a guess */
    DAY = 86400,        /* seconds */
};

static const struct magic {
    uint32_t number;
    uint32_t head;
    uint32_t record;
    uint32_t per_second;
} magics[] = {
    {UINT32_C(0xa1b2c3d4), HEAD, RECORD, MICRO},
    {UINT32_C(0xa1b23c4d), HEAD, RECORD, NANO},
    {UINT32_C(0xa1b2cd34), HEAD, RECORD_PATCHED, MICRO},
    {UINT32_C(0x1c0001ac), HEAD_IXIA, RECORD, NANO},
    {UINT32_C(0x1c0001ab), HEAD_IXIA, RECORD, NANO},
};

static const struct magic *
classic_magic(struct link_capture *capture, const uint8_t *data)
{
    for (uint32_t big = 0; big < 2; big++) {
        capture->big_endian = big;
        uint32_t number = link_capture_u32(capture, data);
        for (uint32_t i = 0; i < sizeof magics / sizeof *magics; i++)
            if (magics[i].number == number)
                return &magics[i];
    }
    return NULL;
}

/*
 * AIX has nanoseconds, and numbers of interface types (RFC 1573) in place of
 * link types: both in version 2.2, which no other writer of today has.
 */
static void
classic_aix(struct link_capture_interface *interface)
{
    static const struct aix {
        uint32_t interface_type;
        uint32_t linktype;
    } types[] = {{6, 1}, {9, 6}, {15, 10}, {24, 0}};

    for (uint32_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].interface_type == interface->linktype) {
            interface->linktype = types[i].linktype;
            interface->per_second = NANO;
            return;
        }
}

uint32_t
link_capture_classic_head(struct link_capture *capture, const uint8_t *data,
                          uint32_t size)
{
    const struct magic *magic = classic_magic(capture, data);

    if (magic == NULL)
        return UINT32_MAX;
    if (size < magic->head)
        return 0;
    uint32_t major = link_capture_u16(capture, data + 4);
    uint32_t minor = link_capture_u16(capture, data + 6);
    capture->record_head = magic->record;
    capture->odd_versions += major != VERSION;
    capture->old_order = major == VERSION && minor <= 3;
    capture->interface_count = 1;
    capture->interface[0] = (struct link_capture_interface){
        /* Above it are flags: the length of a frame check sequence. */
        .linktype = link_capture_u32(capture, data + 20) & 0xffff,
        .snaplen = link_capture_u32(capture, data + 16),
        .per_second = magic->per_second,
    };
    if (magic == magics && major == VERSION && minor == VERSION_AIX)
        classic_aix(&capture->interface[0]);
    return magic->head;
}

/* Is this the head of a record?  Its frame's bytes, 0: hardly. */
static uint32_t
classic_likely(const struct link_capture *capture, const uint8_t *at)
{
    uint32_t fraction = link_capture_u32(capture, at + 4);
    uint32_t captured = link_capture_u32(capture, at + 8);
    uint32_t wire = link_capture_u32(capture, at + 12);

    if (capture->old_order && captured > wire)
        captured = wire; /* the two are exchanged */
    return fraction < capture->interface[0].per_second && captured <= wire &&
                   captured <= USUAL_MAX
               ? captured
               : 0;
}

/*
 * Is this the head of a record that follows another?  Told more kindly than
 * that of an odd writer: its fraction of a second may be impossible, or its
 * frame cut to nothing.
 */
static bool
classic_follows(const struct link_capture *capture, const uint8_t *first,
                const uint8_t *at)
{
    uint32_t later =
        link_capture_u32(capture, at) - link_capture_u32(capture, first);
    uint32_t fraction = link_capture_u32(capture, at + 4);
    uint32_t captured = link_capture_u32(capture, at + 8);
    uint32_t wire = link_capture_u32(capture, at + 12);

    if (captured == 0)
        return fraction < capture->interface[0].per_second && wire > 0 &&
               wire <= USUAL_MAX;
    return captured <= wire && captured <= USUAL_MAX && later + DAY < 2 * DAY;
}

/*
 * Finds how long the heads of records are, by the first two, if those of the
 * magic number make no sense.
 */
static void
classic_guess(struct link_capture *capture, const uint8_t *data, uint32_t size)
{
    static const uint32_t more[] = {0, 8, 4, 12};

    if (size < RECORD)
        return;
    capture->guessed = 1;
    uint32_t frame = classic_likely(capture, data);
    for (uint32_t i = 0; frame > 0 && i < sizeof more / sizeof *more; i++) {
        uint32_t second = capture->record_head + more[i] + frame;
        /* One packet alone says nothing. */
        if (size < second + RECORD)
            return;
        if (classic_likely(capture, data + second) > 0 ||
            (i == 0 && classic_follows(capture, data, data + second))) {
            capture->record_head += more[i];
            return;
        }
    }
}

enum link_capture_step
link_capture_classic(struct link_capture *capture,
                     struct link_capture_block *block,
                     struct link_capture_record *record)
{
    const struct link_capture_interface *interface = &capture->interface[0];
    const uint8_t *at = block->data;

    if (capture->guessed == 0)
        classic_guess(capture, at, block->size);
    uint32_t head = capture->record_head;
    if (block->size < head)
        return CAPTURE_STEP_SHORT;
    uint64_t fraction = link_capture_u32(capture, at + 4);
    uint32_t captured = link_capture_u32(capture, at + 8);
    uint32_t wire = link_capture_u32(capture, at + 12);
    if (wire == 0 && captured == 0 && link_capture_is_zero(at, head)) {
        capture->zeros += head;
        block->used = head;
        return CAPTURE_STEP_OTHER;
    }
    if (capture->old_order && captured > wire) {
        uint32_t exchanged = captured;
        captured = wire;
        wire = exchanged;
    }
    if (captured > LINK_CAPTURE_RECORD_MAX) {
        block->status = LINK_CAPTURE_TOO_LONG;
        return CAPTURE_STEP_FAILED;
    }
    if (block->size - head < captured)
        return CAPTURE_STEP_SHORT;
    *record = (struct link_capture_record){
        .interface = interface,
        .frame = at + head,
        .size = captured,
        .wire_size = wire,
        .time_ms = (uint64_t)link_capture_u32(capture, at) * MS +
                   fraction / (interface->per_second / MS),
    };
    block->used = head + captured;
    return CAPTURE_STEP_PACKET;
}

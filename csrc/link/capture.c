/*
 * Captures: classic pcap, and what both formats have in common once a record is
 * found: its link header taken off, its bytes in a slot.  See capture.h; blocks
 * of pcapng are read by capture_ng.c.
 */
#include "capture.h"
#include "frame.h"

#include <assert.h>
#include <string.h>

enum {
    FORMAT_UNKNOWN,
    FORMAT_CLASSIC,
    FORMAT_NG,
    CLASSIC_HEAD = 24,
    CLASSIC_RECORD = 16,
    CUT_HEADERS = 128, /* zeros behind what a cut capture has of a packet */
    MS = 1000,
    MICRO = 1000000,
    NANO = 1000000000,
};

enum {
    LINKTYPE_NULL = 0,
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RAW_BSD = 12,
    LINKTYPE_RAW_OPENBSD = 14,
    LINKTYPE_RAW = 101,
    LINKTYPE_LOOP = 108,
    LINKTYPE_SLL = 113,
    LINKTYPE_IPV4 = 228,
    LINKTYPE_IPV6 = 229,
    LINKTYPE_SLL2 = 276,
};

#define MAGIC_MICRO UINT32_C(0xa1b2c3d4)
#define MAGIC_NANO UINT32_C(0xa1b23c4d)
#define MAGIC_NG UINT32_C(0x0a0d0d0a) /* the same in both byte orders */

static enum link_capture_status
capture_begin(struct link_capture *capture, const uint8_t *data, uint32_t size)
{
    if (size < 4)
        return LINK_CAPTURE_MORE;
    if (link_capture_u32(capture, data) == MAGIC_NG) {
        capture->format = FORMAT_NG; /* its first block is read as any other */
        return LINK_CAPTURE_MORE;
    }
    uint64_t per_second = 0;
    for (uint32_t big = 0; big < 2 && per_second == 0; big++) {
        capture->big_endian = big;
        uint32_t magic = link_capture_u32(capture, data);
        per_second = magic == MAGIC_MICRO  ? MICRO
                     : magic == MAGIC_NANO ? NANO
                                           : 0;
    }
    if (per_second == 0)
        return LINK_CAPTURE_NO_CAPTURE;
    if (size < CLASSIC_HEAD)
        return LINK_CAPTURE_MORE;
    capture->format = FORMAT_CLASSIC;
    capture->interface_count = 1;
    capture->interface[0] = (struct link_capture_interface){
        .linktype = link_capture_u32(capture, data + 20) & 0xffff,
        .snaplen = link_capture_u32(capture, data + 16),
        .per_second = per_second,
    };
    capture->consumed = CLASSIC_HEAD;
    return LINK_CAPTURE_MORE;
}

/* Reads the classic record at data; its bytes in `used`. */
static enum link_capture_step
capture_classic(const struct link_capture *capture,
                struct link_capture_block *block,
                struct link_capture_record *record)
{
    if (block->size < CLASSIC_RECORD)
        return CAPTURE_STEP_SHORT;
    const uint8_t *at = block->data;
    uint32_t captured = link_capture_u32(capture, at + 8);
    if (captured > LINK_CAPTURE_RECORD_MAX) {
        block->status = LINK_CAPTURE_TOO_LONG;
        return CAPTURE_STEP_FAILED;
    }
    if (block->size - CLASSIC_RECORD < captured)
        return CAPTURE_STEP_SHORT;
    const struct link_capture_interface *interface = &capture->interface[0];
    uint64_t fraction = link_capture_u32(capture, at + 4);
    *record = (struct link_capture_record){
        .interface = interface,
        .frame = at + CLASSIC_RECORD,
        .size = captured,
        .wire_size = link_capture_u32(capture, at + 12),
        .time_ms = (uint64_t)link_capture_u32(capture, at) * MS +
                   fraction / (interface->per_second / MS),
    };
    block->used = CLASSIC_RECORD + captured;
    return CAPTURE_STEP_PACKET;
}

/* Where the IP packet begins; UINT32_MAX: nowhere. */
static uint32_t
capture_ip_offset(const struct link_capture_record *record, bool *known)
{
    const uint8_t *frame = record->frame;
    uint32_t offset = UINT32_MAX;
    *known = true;
    switch (record->interface->linktype) {
    case LINKTYPE_RAW:
    case LINKTYPE_RAW_BSD:
    case LINKTYPE_RAW_OPENBSD:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
        return 0;
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
        return 4;
    case LINKTYPE_ETHERNET:
        offset = frame_ip_offset(frame, record->size);
        return offset == 0 ? UINT32_MAX : offset;
    case LINKTYPE_SLL:
        if (record->size >= 16)
            offset = (uint32_t)frame[14] << 8 | frame[15];
        return offset == 0x0800 || offset == 0x86dd ? 16 : UINT32_MAX;
    case LINKTYPE_SLL2:
        if (record->size >= 20)
            offset = (uint32_t)frame[0] << 8 | frame[1];
        return offset == 0x0800 || offset == 0x86dd ? 20 : UINT32_MAX;
    default:
        *known = false;
        return UINT32_MAX;
    }
}

/* Puts the packet of a record into rx; false if it is none that fits. */
static bool
capture_append(const struct link_capture_record *record, uint32_t offset,
               struct syncache_ring *rx)
{
    if (offset >= record->size)
        return false;
    uint32_t size = record->size - offset;
    uint32_t version = record->frame[offset] >> 4;
    if (size > rx->slot_size || (version != 4 && version != 6))
        return false;
    uint8_t *slot = rx->memory + (size_t)rx->count * rx->slot_size;
    memcpy(slot, record->frame + offset, size);
    if (record->wire_size > record->size) {
        uint32_t cut = record->wire_size - record->size;
        if (cut > rx->slot_size - size)
            return false;
        memset(slot + size, 0, cut < CUT_HEADERS ? cut : CUT_HEADERS);
        size += cut;
    }
    rx->slot[rx->count] = (struct syncache_slot){
        .size = size,
        .checksum = SYNCACHE_CHECKSUM_VALID,
        .request = UINT16_MAX,
        .handle = record->time_ms,
    };
    rx->count++;
    return true;
}

static enum link_capture_status
capture_packet(struct link_capture *capture,
               const struct link_capture_record *record,
               struct syncache_ring *rx)
{
    bool known;
    uint32_t offset = capture_ip_offset(record, &known);
    capture->linktype = record->interface->linktype;
    if (!known)
        return LINK_CAPTURE_LINKTYPE;
    capture->packets++;
    capture->last_ms = record->time_ms;
    if (!capture_append(record, offset, rx))
        capture->skipped++;
    return LINK_CAPTURE_MORE;
}

enum link_capture_status
link_capture_parse(struct link_capture *capture, const uint8_t *data,
                   uint32_t size, struct syncache_ring *rx)
{
    assert(rx->count <= rx->slots);
    capture->consumed = 0;
    if (capture->format == FORMAT_UNKNOWN) {
        enum link_capture_status begun = capture_begin(capture, data, size);
        if (capture->format == FORMAT_UNKNOWN)
            return begun;
    }
    while (rx->count < rx->slots) {
        struct link_capture_record record;
        struct link_capture_block block = {
            .data = data + capture->consumed,
            .size = size - (uint32_t)capture->consumed,
        };
        enum link_capture_step step =
            capture->format == FORMAT_NG
                ? link_capture_block(capture, &block, &record)
                : capture_classic(capture, &block, &record);
        if (step == CAPTURE_STEP_SHORT)
            return LINK_CAPTURE_MORE;
        if (step == CAPTURE_STEP_FAILED)
            return block.status;
        assert(block.used <= block.size);
        if (step == CAPTURE_STEP_PACKET) {
            enum link_capture_status status =
                capture_packet(capture, &record, rx);
            if (status != LINK_CAPTURE_MORE)
                return status;
        }
        capture->consumed += block.used;
    }
    return LINK_CAPTURE_FULL;
}

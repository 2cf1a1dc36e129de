/*
 * Captures: the blocks of pcapng.  See capture.h; draft-ietf-opsawg-pcapng
 * sections 3 and 4.
 */
#include "capture.h"

enum {
    BLOCK_INTERFACE = 1,
    BLOCK_OLD_PACKET = 2,
    BLOCK_SIMPLE = 3,
    BLOCK_ENHANCED = 6,
    BLOCK_JOURNAL = 9,
    BLOCK_CUSTOM = 0x0bad,
    BLOCK_MIN = 12, /* type, length, and length again */
    BLOCK_HEAD = 8, /* before the body */
    BLOCK_ALIGNMENT = 4,
    VERSION = 1,
    SECTION_HEAD = 8,   /* of its body: byte order, version */
    INTERFACE_HEAD = 8, /* of its body, before the options */
    PACKET_HEAD = 20,
    OPTION_END = 0,
    OPTION_TSRESOL = 9,
    OPTION_TSOFFSET = 14,
    MS = 1000,
    MICRO = 1000000,
};

#define BLOCK_SECTION UINT32_C(0x0a0d0d0a)
#define BLOCK_CUSTOM_KEPT UINT32_C(0x40000bad) /* not to be copied on */
#define BYTE_ORDER_MARK UINT32_C(0x1a2b3c4d)

struct body {
    const uint8_t *at;
    uint32_t size;
};

/* Begins a section: its byte order, and no interface yet. */
static enum link_capture_step
ng_section(struct link_capture *capture, struct link_capture_block *block)
{
    if (block->size < BLOCK_MIN)
        return CAPTURE_STEP_SHORT;
    for (uint32_t big = 0; big < 2; big++) {
        capture->big_endian = big;
        if (link_capture_u32(capture, block->data + 8) == BYTE_ORDER_MARK) {
            capture->interface_count = 0;
            return CAPTURE_STEP_OTHER;
        }
    }
    block->status = LINK_CAPTURE_CONTRADICTION;
    return CAPTURE_STEP_FAILED;
}

/* Units per second of if_tsresol: a power of 10 or, with the top bit, of 2;
 * 0: none that a 64-bit time can have. */
static uint64_t
ng_per_second(uint8_t resolution)
{
    uint32_t power = resolution & 0x7f;
    uint64_t per_second = 1;
    if (resolution & 0x80)
        return power < 64 ? per_second << power : 0;
    if (power > 19)
        return 0;
    while (power-- > 0)
        per_second *= 10;
    return per_second;
}

static int64_t
ng_i64(const struct link_capture *capture, const uint8_t *at)
{
    uint32_t low =
        link_capture_u32(capture, at + (capture->big_endian ? 4 : 0));
    uint32_t high =
        link_capture_u32(capture, at + (capture->big_endian ? 0 : 4));
    return (int64_t)((uint64_t)high << 32 | low);
}

/* Takes an option that matters here.  False: its value cannot be. */
static bool
ng_option(const struct link_capture *capture, uint32_t code, struct body value,
          struct link_capture_interface *interface)
{
    if (code == OPTION_TSRESOL) {
        uint64_t per_second = value.size < 1 ? 0 : ng_per_second(*value.at);
        if (per_second == 0)
            return false;
        interface->per_second = per_second;
    }
    if (code == OPTION_TSOFFSET) {
        if (value.size != 8)
            return false;
        interface->offset_s = ng_i64(capture, value.at);
    }
    return true;
}

/* One more than there is room for counts as one that is not described. */
static bool
ng_interface(struct link_capture *capture, struct body body)
{
    if (body.size < INTERFACE_HEAD)
        return false;
    if (capture->interface_count == LINK_CAPTURE_INTERFACES_MAX)
        return true;
    struct link_capture_interface *interface =
        &capture->interface[capture->interface_count];
    *interface = (struct link_capture_interface){
        .linktype = link_capture_u16(capture, body.at),
        .snaplen = link_capture_u32(capture, body.at + 4),
        .per_second = MICRO,
    };
    for (uint32_t at = INTERFACE_HEAD; body.size - at >= 4;) {
        uint32_t code = link_capture_u16(capture, body.at + at);
        uint32_t size = link_capture_u16(capture, body.at + at + 2);
        uint32_t padded = (size + 3) & ~UINT32_C(3);
        at += 4;
        if (code == OPTION_END)
            break;
        if (padded > body.size - at) {
            capture->odd_options++;
            break;
        }
        if (!ng_option(capture, code, (struct body){body.at + at, size},
                       interface))
            capture->odd_options++;
        at += padded;
    }
    capture->interface_count++;
    return true;
}

static uint64_t
ng_time_ms(const struct link_capture_interface *interface, uint64_t units)
{
    uint64_t per_second = interface->per_second;
    uint64_t rest = units % per_second;
    uint64_t ms = per_second <= UINT64_MAX / MS ? rest * MS / per_second
                                                : rest / (per_second / MS);
    uint64_t seconds = units / per_second + (uint64_t)interface->offset_s;
    return seconds < CAPTURE_SECONDS_MAX ? seconds * MS + ms
                                         : CAPTURE_SECONDS_MAX * MS;
}

/* The interface of a number; NULL: the section does not describe it. */
static const struct link_capture_interface *
ng_describes(const struct link_capture *capture, uint32_t number)
{
    return number < capture->interface_count ? &capture->interface[number]
                                             : NULL;
}

static bool
ng_simple(const struct link_capture *capture, struct body body,
          struct link_capture_record *record)
{
    if (body.size < 4)
        return false;
    const struct link_capture_interface *interface = ng_describes(capture, 0);
    uint32_t size = link_capture_u32(capture, body.at);
    uint32_t snaplen = interface == NULL ? 0 : interface->snaplen;
    *record = (struct link_capture_record){
        .interface = interface,
        .frame = body.at + 4,
        .size = snaplen > 0 && size > snaplen ? snaplen : size,
        .wire_size = size, /* and no time */
    };
    return record->size <= body.size - 4;
}

static bool
ng_packet(const struct link_capture *capture, uint32_t kind, struct body body,
          struct link_capture_record *record)
{
    if (body.size < PACKET_HEAD)
        return false;
    uint32_t number = kind == BLOCK_OLD_PACKET
                          ? link_capture_u16(capture, body.at)
                          : link_capture_u32(capture, body.at);
    const struct link_capture_interface *interface =
        ng_describes(capture, number);
    uint64_t units = (uint64_t)link_capture_u32(capture, body.at + 4) << 32 |
                     link_capture_u32(capture, body.at + 8);
    *record = (struct link_capture_record){
        .interface = interface,
        .frame = body.at + PACKET_HEAD,
        .size = link_capture_u32(capture, body.at + 12),
        .wire_size = link_capture_u32(capture, body.at + 16),
        .time_ms = interface == NULL ? 0 : ng_time_ms(interface, units),
    };
    return record->size <= body.size - PACKET_HEAD;
}

enum link_capture_step
link_capture_ng(struct link_capture *capture, struct link_capture_block *block,
                struct link_capture_record *record)
{
    if (block->size < BLOCK_HEAD)
        return CAPTURE_STEP_SHORT;
    uint32_t kind = link_capture_u32(capture, block->data);
    if (kind == 0) { /* reserved: a hole, which ends at any word */
        capture->zeros += BLOCK_ALIGNMENT;
        block->used = BLOCK_ALIGNMENT;
        return CAPTURE_STEP_OTHER;
    }
    if (kind == BLOCK_SECTION) {
        enum link_capture_step step = ng_section(capture, block);
        if (step != CAPTURE_STEP_OTHER)
            return step;
    }
    uint32_t size = link_capture_u32(capture, block->data + 4);
    if (size > LINK_CAPTURE_RECORD_MAX)
        block->status = LINK_CAPTURE_TOO_LONG;
    else if (size < BLOCK_MIN)
        block->status = LINK_CAPTURE_CONTRADICTION;
    if (block->status != LINK_CAPTURE_MORE)
        return CAPTURE_STEP_FAILED;
    /* Old writers padded a block and did not say so in its length. */
    uint32_t padded = (size + BLOCK_ALIGNMENT - 1) & ~(BLOCK_ALIGNMENT - 1u);
    if (block->size < padded)
        return CAPTURE_STEP_SHORT;
    block->used = padded;
    struct body body = {block->data + BLOCK_HEAD, size - BLOCK_MIN};
    bool packet = true, sound = true;
    if (kind == BLOCK_ENHANCED || kind == BLOCK_OLD_PACKET)
        sound = ng_packet(capture, kind, body, record);
    else if (kind == BLOCK_SIMPLE)
        sound = ng_simple(capture, body, record);
    else
        packet = false;
    capture->notes += kind == BLOCK_JOURNAL || kind == BLOCK_CUSTOM ||
                      kind == BLOCK_CUSTOM_KEPT;
    if (kind == BLOCK_SECTION && body.size >= SECTION_HEAD)
        capture->odd_versions +=
            link_capture_u16(capture, body.at + 4) != VERSION;
    if (kind == BLOCK_INTERFACE)
        sound = ng_interface(capture, body);
    if (!sound) {
        block->status = LINK_CAPTURE_CONTRADICTION;
        return CAPTURE_STEP_FAILED;
    }
    return packet ? CAPTURE_STEP_PACKET : CAPTURE_STEP_OTHER;
}

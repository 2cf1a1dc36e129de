/*
 * Captures: what all formats have in common once a record is found: its time,
 * its link header taken off, its bytes in a slot.  See capture.h; records are
 * found by capture_classic.c and capture_ng.c.
 */
#include "capture.h"

#include "../flow/view.h"

#include <assert.h>
#include <string.h>

enum {
    FORMAT_UNKNOWN,
    FORMAT_CLASSIC,
    FORMAT_NG,
    CUT_HEADERS = 128, /* zeros behind what a cut capture has of a packet */
    UPPER_BYTES = 8,   /* of UDP and ICMP that are needed */
};

#define MAGIC_NG UINT32_C(0x0a0d0d0a) /* the same in both byte orders */
#define TIME_MAX_MS (CAPTURE_SECONDS_MAX * 1000)

static enum link_capture_status
capture_begin(struct link_capture *capture, const uint8_t *data, uint32_t size)
{
    if (size < 4)
        return LINK_CAPTURE_MORE;
    if (link_capture_u32(capture, data) == MAGIC_NG) {
        capture->format = FORMAT_NG; /* its first block is read as any other */
        return LINK_CAPTURE_MORE;
    }
    uint32_t head = link_capture_classic_head(capture, data, size);
    if (head == UINT32_MAX)
        return LINK_CAPTURE_NO_CAPTURE;
    if (head > 0)
        capture->format = FORMAT_CLASSIC;
    capture->consumed = head;
    return LINK_CAPTURE_MORE;
}

void
link_capture_pass(struct link_capture *capture, uint32_t reason,
                  uint32_t number)
{
    struct link_capture_passed *passed = capture->passed;
    struct link_capture_passed *end = passed + capture->passed_count;

    while (passed < end &&
           (passed->reason != reason || passed->number != number))
        passed++;
    if (passed < end) {
        passed->count++;
    } else if (capture->passed_count < LINK_CAPTURE_PASSED_MAX) {
        *passed = (struct link_capture_passed){reason, number, 1};
        capture->passed_count++;
    } else {
        capture->passed_rest++;
    }
}

/*
 * The time of a record on a clock that does not step back: small steps are
 * packets out of order, and stay as they are; a large one begins anew where
 * the clock stands.
 *
 *   returns  false if it steps back: shift_ms has changed, ask again
 */
static bool
capture_time(struct link_capture *capture,
             const struct link_capture_record *record, uint64_t *time_ms)
{
    uint64_t captured = record->time_ms;

    *time_ms = captured + capture->shift_ms;
    if (*time_ms > TIME_MAX_MS)
        *time_ms = TIME_MAX_MS;
    if (capture->packets == 0) {
        capture->first_ms = captured;
        return true;
    }
    if (captured == 0 && capture->last_ms > 0) {
        *time_ms = capture->last_ms;
        capture->untimed++;
        return true;
    }
    if (*time_ms + LINK_CAPTURE_STEP_MS >= capture->last_ms)
        return true;
    uint64_t step_ms = capture->last_ms - *time_ms;
    capture->steps++;
    if (step_ms > capture->step_ms)
        capture->step_ms = step_ms;
    capture->shift_ms += step_ms;
    if (step_ms >= LINK_CAPTURE_JOIN_MS) {
        capture->shift_ms += LINK_CAPTURE_JOIN_GAP_MS;
        capture->gap_ms += LINK_CAPTURE_JOIN_GAP_MS;
    }
    return false;
}

/* A packet on its way into a slot. */
struct capture_packet {
    uint8_t *slot;
    uint32_t captured; /* bytes that are there */
    uint32_t cut;      /* bytes that were on the wire behind them */
    struct view view;
};

/* One that has been counted as such. */
static bool
capture_is_tunnel(const struct view *view)
{
    struct encap inside;
    return tunnel_find(view, &inside) != TUNNEL_NONE;
}

/* Counts what of IP is not looked at.  False: its headers are not all there. */
static bool
capture_survey(struct link_capture *capture,
               const struct capture_packet *packet)
{
    const struct view *view = &packet->view;
    uint32_t captured = packet->captured;
    uint32_t needed =
        view->kind == VIEW_TCP ? WIRE_TCP_HEADER_BYTES : UPPER_BYTES;
    bool upper = view->kind == VIEW_TCP || view->kind == VIEW_UDP ||
                 view->kind == VIEW_ICMP || view->kind == VIEW_QUOTE;

    if (captured < (wire_ip_family(view->ip) == 4 ? WIRE_IPV4_HEADER_BYTES
                                                  : WIRE_IPV6_HEADER_BYTES) ||
        (packet->cut > 0 && view->kind == VIEW_BAD) ||
        (upper && (size_t)(view->upper - view->ip) + needed > captured)) {
        link_capture_pass(capture, ENCAP_CUT, 0);
        return false;
    }
    if (view->kind == VIEW_BAD)
        link_capture_pass(capture, ENCAP_BAD, 0);
    else if (view->kind == VIEW_FRAGMENT ||
             (view->kind == VIEW_OTHER && view->fragment))
        link_capture_pass(capture, ENCAP_FRAGMENT, 0);
    else if (view->kind == VIEW_OTHER && !capture_is_tunnel(view))
        link_capture_pass(capture, ENCAP_PROTOCOL, view->protocol);
    return true;
}

static void
capture_view(struct capture_packet *packet)
{
    uint32_t cut = packet->cut;

    if (cut > 0)
        memset(packet->slot + packet->captured, 0,
               cut < CUT_HEADERS ? cut : CUT_HEADERS);
    view_parse_passing(packet->slot, packet->captured + cut,
                       SYNCACHE_CHECKSUM_VALID, &packet->view);
}

/* Replaces the packet by the one that begins at an offset in it. */
static void
capture_enter(struct capture_packet *packet, uint32_t offset)
{
    uint32_t size = packet->view.size - offset; /* without link padding */

    packet->captured =
        packet->captured > offset ? packet->captured - offset : 0;
    if (packet->captured > size)
        packet->captured = size;
    packet->cut = size - packet->captured;
    memmove(packet->slot, packet->slot + offset, packet->captured);
    capture_view(packet);
}

/*
 * Counts the tunnel that a packet belongs to, or goes through it.
 *
 *   returns  false: there is no IP in it
 */
static bool
capture_tunnels(struct link_capture *capture, struct capture_packet *packet)
{
    struct encap inside;

    for (uint32_t depth = 0;; depth++) {
        uint32_t kind = tunnel_find(&packet->view, &inside);

        if (kind == TUNNEL_NONE)
            return true;
        if (!capture->tunnels || depth == LINK_CAPTURE_TUNNELS_MAX) {
            link_capture_pass(capture, ENCAP_TUNNEL, kind);
            return true;
        }
        capture->entered[kind]++;
        if (inside.reason != ENCAP_NONE) {
            link_capture_pass(capture, inside.reason, inside.number);
            return false;
        }
        capture_enter(packet, inside.offset);
    }
}

/* Puts the packet of a record into rx; false if it is none that fits. */
static bool
capture_append(struct link_capture *capture,
               const struct link_capture_record *record, uint32_t offset,
               struct syncache_ring *rx)
{
    uint32_t captured = record->size - offset;
    uint32_t cut =
        record->wire_size > record->size ? record->wire_size - record->size : 0;
    if (captured > rx->slot_size || cut > rx->slot_size - captured) {
        link_capture_pass(capture, ENCAP_LONG, 0);
        return false;
    }
    struct capture_packet packet = {
        .slot = rx->memory + (size_t)rx->count * rx->slot_size,
        .captured = captured,
        .cut = cut,
    };
    memcpy(packet.slot, record->frame + offset, captured);
    capture_view(&packet);
    if (packet.view.kind != VIEW_TCP && !capture_tunnels(capture, &packet))
        return false;
    if (!capture_survey(capture, &packet))
        return false;
    if (link_capture_double(capture, &packet.view, packet.captured,
                            record->time_ms)) {
        capture->doubles++;
        if (capture->dedup) {
            link_capture_pass(capture, ENCAP_DOUBLE, 0);
            return false;
        }
    }
    rx->slot[rx->count] = (struct syncache_slot){
        .size = packet.captured + packet.cut,
        .checksum = SYNCACHE_CHECKSUM_VALID,
        .request = UINT16_MAX,
        .handle = record->time_ms,
    };
    rx->count++;
    return true;
}

/* Where the filter of a link type lies, `filter_count` if there is none. */
static uint32_t
capture_filter(const struct link_capture *capture, uint32_t linktype)
{
    uint32_t i = 0;

    while (i < capture->filter_count && capture->filter[i].linktype != linktype)
        i++;
    return i;
}

/*
 * Judges a record by the filter of its link type.
 *
 *   returns  false if a program is needed for it first
 */
static bool
capture_wants(struct link_capture *capture,
              const struct link_capture_record *record, bool *wanted)
{
    *wanted = true;
    if (!capture->filtering)
        return true;
    *wanted = false;
    if (record->interface == NULL)
        return true;
    uint32_t linktype = record->interface->linktype;
    uint32_t i = capture_filter(capture, linktype);
    if (i == capture->filter_count) {
        capture->filter_linktype = linktype;
        return false;
    }
    if (capture->filter[i].program != NULL)
        *wanted = filter_run(capture->filter[i].program, record->frame,
                             record->size, record->wire_size);
    return true;
}

static void
capture_packet(struct link_capture *capture,
               const struct link_capture_record *record,
               struct syncache_ring *rx)
{
    struct encap found = {.reason = ENCAP_INTERFACE};

    if (record->interface != NULL)
        found = encap_frame(record->interface->linktype, record->frame,
                            record->size, capture->big_endian);
    capture->packets++;
    if (record->time_ms > capture->last_ms)
        capture->last_ms = record->time_ms;
    if (found.reason != ENCAP_NONE) {
        link_capture_pass(capture, found.reason, found.number);
        capture->skipped++;
    } else if (!capture_append(capture, record, found.offset, rx)) {
        capture->skipped++;
    }
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
                ? link_capture_ng(capture, &block, &record)
                : link_capture_classic(capture, &block, &record);
        if (step == CAPTURE_STEP_SHORT)
            return LINK_CAPTURE_MORE;
        if (step == CAPTURE_STEP_FAILED)
            return block.status;
        assert(block.used <= block.size);
        bool wanted = step == CAPTURE_STEP_PACKET;
        if (wanted && !capture_wants(capture, &record, &wanted))
            return LINK_CAPTURE_FILTER;
        if (step == CAPTURE_STEP_PACKET && !wanted)
            capture->filtered++;
        if (wanted) {
            uint64_t time_ms;
            if (!capture_time(capture, &record, &time_ms))
                return LINK_CAPTURE_STEP;
            record.time_ms = time_ms;
            capture_packet(capture, &record, rx);
        }
        capture->consumed += block.used;
    }
    return LINK_CAPTURE_FULL;
}

/*
 * Packets that a capture has twice: of two interfaces (a bond and its VLAN), or
 * of a mirror of both directions.  They are counted, and looked at all the same
 * unless they are to be left out.
 *
 * What a router changes (hop limit, header checksum) does not tell two apart.
 * A packet that its sender may have sent again in the same form at once is not
 * taken for one: an ACK without data that has no identification, and unless
 * doubles are to be left out, a datagram that has none.
 */
#include "../core/wire_ip.h"
#include "capture.h"

#include <string.h>

enum { LOOKED_AT = 128, V4_VOLATILE = 8, TAKES_ROOM = WIRE_SYN | WIRE_FIN };

#define DOUBLE_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static uint64_t
double_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * DOUBLE_FACTOR;
    return hash ^ hash >> 29;
}

/* Its headers and what follows, without hop limit and header checksum. */
static uint64_t
double_hash(const struct view *view, uint32_t captured)
{
    uint32_t size = captured < LOOKED_AT ? captured : LOOKED_AT, at = 0;
    uint64_t hash = view->size;
    uint8_t rest[8] = {0};

    for (; at + 8 <= size; at += 8) {
        uint64_t word = load64_le(view->ip + at);

        if (at == V4_VOLATILE && view->tuple.family == 4)
            word &= UINT64_C(0xffffffff0000ff00);
        else if (at == 0 && view->tuple.family == 6)
            word &= UINT64_C(0x00ffffffffffffff);
        hash = double_mix(hash, word);
    }
    memcpy(rest, view->ip + at, size - at);
    return double_mix(hash, load64_le(rest)) | 1;
}

/* May its sender not have sent it twice? */
static bool
double_is_known(const struct view *view)
{
    if (view->tuple.family == 4 && wire_ipv4_id(view->ip) != 0)
        return true;
    return view->kind == VIEW_TCP &&
           (view->payload_size > 0 || (view->flags & TAKES_ROOM) != 0);
}

/* A datagram whose checksum vouches for what is not looked at. */
static bool
double_is_datagram(const struct view *view)
{
    return view->kind == VIEW_UDP && load16_be(view->upper + 6) != 0;
}

bool
link_capture_double(struct link_capture *capture, const struct view *view,
                    uint32_t captured, uint64_t time_ms)
{
    if (view->upper == NULL || !(double_is_known(view) ||
                                 (capture->dedup && double_is_datagram(view))))
        return false;
    uint64_t hash = double_hash(view, captured);
    uint32_t place = (uint32_t)(hash >> 32) % LINK_CAPTURE_DOUBLES;
    bool again =
        capture->recent[place] == hash &&
        time_ms + LINK_CAPTURE_DOUBLE_MS >= capture->recent_ms[place] &&
        time_ms <= capture->recent_ms[place] + LINK_CAPTURE_DOUBLE_MS;

    capture->recent[place] = hash;
    capture->recent_ms[place] = time_ms;
    return again;
}

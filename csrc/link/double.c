/*
 * Packets that a capture has twice: of two interfaces (a bond and its VLAN), or
 * of a mirror of both directions.  They are counted, and looked at all the same
 * unless they are to be left out.
 *
 * What a router changes (hop limit, header checksum) does not tell two apart.
 * A packet that its sender may have sent again in the same form at once is not
 * taken for one: an ACK without data that has no identification, and unless
 * doubles are to be left out, a datagram that has none.  Two captures of one
 * packet are its doubles whatever it is.
 */
#include "../core/wire_ip.h"
#include "capture.h"

#include <string.h>

enum {
    SHARED_WAYS = 4,
    LOOKED_AT = 128,
    V4_VOLATILE = 8,
    TAKES_ROOM = WIRE_SYN | WIRE_FIN
};

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

    if (size > view->size)
        size = view->size; /* behind it is what pads a frame */

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

static bool
double_is_near(uint64_t time_ms, uint64_t other_ms)
{
    return time_ms + LINK_CAPTURE_DOUBLE_MS >= other_ms &&
           time_ms <= other_ms + LINK_CAPTURE_DOUBLE_MS;
}

/* Among the packets of all captures.  The first stays, so that one that was
 * really sent again is held against what its own capture had. */
static bool
double_among(const struct link_capture *capture, uint64_t hash, bool known,
             uint64_t time_ms)
{
    struct link_capture_shared *shared = capture->shared;
    uint32_t place = (uint32_t)(hash >> 32) %
                     (LINK_CAPTURE_SHARED / SHARED_WAYS) * SHARED_WAYS;

    for (uint32_t way = place, end = place + SHARED_WAYS; way < end; way++) {
        if (shared->hash[way] == hash &&
            double_is_near(time_ms, shared->time_ms[way]) &&
            (known || shared->number[way] != capture->number))
            return true;
        if (shared->time_ms[way] < shared->time_ms[place])
            place = way; /* the oldest gives room */
    }
    shared->hash[place] = hash;
    shared->time_ms[place] = time_ms;
    shared->number[place] = capture->number;
    return false;
}

bool
link_capture_double(struct link_capture *capture, const struct view *view,
                    uint32_t captured, uint64_t time_ms)
{
    if (view->upper == NULL)
        return false;
    bool known =
        double_is_known(view) || (capture->dedup && double_is_datagram(view));
    if (capture->shared != NULL)
        return double_among(capture, double_hash(view, captured), known,
                            time_ms);
    if (!known)
        return false;
    uint64_t hash = double_hash(view, captured);
    uint32_t place = (uint32_t)(hash >> 32) % LINK_CAPTURE_DOUBLES;
    bool again = capture->recent[place] == hash &&
                 double_is_near(time_ms, capture->recent_ms[place]);

    capture->recent[place] = hash;
    capture->recent_ms[place] = time_ms;
    return again;
}

/* A connection that passes, with known numbers, for the units of track.c. */
#ifndef SYNCACHE_TEST_TRACKED_H
#define SYNCACHE_TEST_TRACKED_H

#include "world.h"

#include "../../csrc/core/seq.h"
#include "../../csrc/flow/track.h"

enum { C = 100, S = 900 };

static inline struct view
parsed(bool from_server, struct segment segment)
{
    static struct packet packet;
    struct view view;

    world_segment(&packet, &world_ends, from_server, segment);
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY, &view);
    return view;
}

static inline enum track_change
pass(struct session *session, bool from_server, struct segment segment)
{
    struct view view = parsed(from_server, segment);

    return track_segment(session, &view,
                         from_server ? FLOW_SERVER : FLOW_CLIENT);
}

/* Each end has said nothing yet, and told a window of 1,000 bytes. */
static inline struct session
open_on_a_tap(void)
{
    return (struct session){
        .state = FLOW_ESTAB,
        .protocol = 6,
        .side = FLOW_TAP,
        .flags = SESSION_SYNACK,
        .c = C,
        .s = S,
        .nxt = {C + 1, S + 1},
        .ack = {S + 1, C + 1},
        .wnd = {1000, 1000},
        .wscale = {SYNCACHE_WSCALE_NONE, SYNCACHE_WSCALE_NONE}};
}

#endif

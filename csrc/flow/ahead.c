/* A few places, the oldest of which is taken for the next. */
#include "ahead.h"

#include <assert.h>
#include <string.h>

static bool
ahead_is_answer(const struct view *view)
{
    return view->kind == VIEW_TCP && view->payload_size == 0 &&
           view->size <= AHEAD_PACKET_MAX &&
           (view->flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN)) ==
               (WIRE_SYN | WIRE_ACK);
}

void
ahead_keep(struct ahead *ahead, uint64_t now_ms, uint32_t hash,
           const struct view *view)
{
    struct ahead_packet *place = &ahead->packet[ahead->next];

    if (!ahead_is_answer(view))
        return;
    ahead->next = (ahead->next + 1) % AHEAD_PLACES;
    place->kept_ms = ahead->last_ms = now_ms;
    place->hash = hash;
    place->size = (uint16_t)view->size;
    place->checksum = view->checksum;
    memcpy(place->bytes, view->ip, view->size);
}

bool
ahead_take(struct ahead *ahead, uint64_t now_ms, uint32_t hash,
           const struct syncache_tuple *tuple, struct view *view)
{
    if (now_ms - ahead->last_ms > AHEAD_MS)
        return false;
    for (uint32_t i = 0; i < AHEAD_PLACES; i++) {
        struct ahead_packet *place = &ahead->packet[i];

        if (place->size == 0 || place->hash != hash ||
            now_ms - place->kept_ms > AHEAD_MS)
            continue;
        view_parse(place->bytes, place->size, place->checksum, view);
        assert(view->kind == VIEW_TCP);
        struct syncache_tuple turned = wire_turned(&view->tuple);
        if (memcmp(&turned, tuple, sizeof turned) != 0)
            continue;
        place->size = 0;
        return true;
    }
    return false;
}

static uint64_t
ahead_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

bool
ahead_began(struct ahead *ahead, const struct syncache_tuple *tuple,
            uint32_t seq)
{
    uint64_t syn = ahead_mix(seq, (uint64_t)tuple->fport << 16 | tuple->lport);

    for (uint32_t i = 0; i < 16; i += 8) {
        syn = ahead_mix(syn, load64_le(tuple->faddr + i));
        syn = ahead_mix(syn, load64_le(tuple->laddr + i));
    }
    uint64_t *place = &ahead->began[(syn >> 32) % AHEAD_BEGAN];
    bool again = *place == syn;
    *place = syn;
    return again;
}

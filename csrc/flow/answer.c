/* Packets of ours: see answer.h. */
#include "answer.h"

#include "../core/ring.h"

#include <assert.h>
#include <string.h>

#define ANSWER_HOP_LIMIT 64
/* TTL security (RFC 5082): who sends with 255 takes nothing less. */
#define ANSWER_HOP_LIMIT_MAX 255

_Static_assert(SYNCACHE_REPLY_MAX + FLOW_LINK_MAX <= FLOW_PACKET_MAX,
               "the longest answer fits behind the longest link header");

/* The ring for one end of a session: that of the link which the end is on. */
static struct syncache_ring *
answer_ring(const struct flow *flow, const struct session *session, uint32_t to)
{
    if (flow->tap || session->side == FLOW_TAP)
        return flow->tx[to];
    return flow->tx[to == FLOW_CLIENT ? session->side : 1u - session->side];
}

/*
 * The IP header of a generated packet.  What goes to the server goes in the
 * client's name, and with what the client wrote there; the server's own is not
 * known, but for the hop limit that a client with TTL security asks for.
 */
static void
answer_ip(const struct session *session, uint32_t to, struct wire_reply *reply)
{
    reply->dont_fragment = 1;
    reply->hop_limit = ANSWER_HOP_LIMIT;
    if (session->hop_limit == 0)
        return;
    if (to == FLOW_CLIENT) {
        if (session->hop_limit == ANSWER_HOP_LIMIT_MAX)
            reply->hop_limit = ANSWER_HOP_LIMIT_MAX;
        return;
    }
    reply->hop_limit = session->hop_limit;
    reply->tos = session->tos;
    if (session->mode == 'I')
        reply->flow_label = session->flags & SESSION_SPLICED
                                ? session->flow_label
                                : session->half_label;
}

bool
answer_send(struct flow *flow, const struct session *session, uint32_t to,
            struct wire_reply *reply)
{
    struct syncache_ring *tx = answer_ring(flow, session, to);
    uint16_t link_size;
    uint8_t link[FLOW_LINK_MAX];

    assert(to <= FLOW_SERVER);
    link_size =
        (uint16_t)header_write(&flow->headers, session->header[to], link);
    if (tx == NULL || !ring_has_room(tx, link_size)) {
        flow->stats.tx_lost++;
        return false;
    }
    memcpy(ring_slot(tx, tx->count), link, link_size);
    session_tuple(session, &reply->tuple);
    if (to == FLOW_SERVER)
        reply->tuple = wire_turned(&reply->tuple);
    answer_ip(session, to, reply);
    ring_append(tx,
                (uint32_t)wire_build_reply(reply, ring_reply(tx, link_size)),
                link_size, SYNCACHE_NO_REQUEST);
    return true;
}

bool
answer_packet(struct flow *flow, const struct session *session,
              const struct early_packet *packet)
{
    struct syncache_ring *tx = answer_ring(flow, session, FLOW_SERVER);
    uint16_t link_size;
    uint8_t link[FLOW_LINK_MAX];

    link_size = (uint16_t)header_write(&flow->headers,
                                       session->header[FLOW_SERVER], link);
    if (tx == NULL || tx->count == tx->slots ||
        (size_t)link_size + packet->size > tx->slot_size) {
        flow->stats.tx_lost++;
        return false;
    }
    memcpy(ring_slot(tx, tx->count), link, link_size);
    memcpy(ring_reply(tx, link_size), packet->bytes, packet->size);
    ring_append(tx, packet->size, link_size, SYNCACHE_NO_REQUEST);
    tx->slot[tx->count - 1].checksum = packet->checksum;
    return true;
}

bool
answer_arrival(struct flow *flow, const struct arrival *arrival,
               struct wire_reply *reply)
{
    struct syncache_ring *tx =
        arrival->side == FLOW_TAP ? NULL : flow->tx[arrival->side];

    if (tx == NULL || !ring_has_room(tx, arrival->link_size)) {
        flow->stats.tx_lost++;
        return false;
    }
    memcpy(ring_slot(tx, tx->count), arrival->link, arrival->link_size);
    header_turn(ring_slot(tx, tx->count), arrival->link_size);
    reply->tuple = arrival->view.tuple;
    reply->hop_limit = view_hop_limit(&arrival->view) == ANSWER_HOP_LIMIT_MAX
                           ? ANSWER_HOP_LIMIT_MAX
                           : ANSWER_HOP_LIMIT;
    reply->dont_fragment = 1;
    ring_append(
        tx,
        (uint32_t)wire_build_reply(reply, ring_reply(tx, arrival->link_size)),
        arrival->link_size, SYNCACHE_NO_REQUEST);
    return true;
}

bool
answer_reset(struct flow *flow, const struct session *session, uint32_t to,
             uint32_t seq, const uint32_t *ack)
{
    struct wire_reply reply = {.seq = seq, .flags = WIRE_RST};

    if (ack != NULL) {
        reply.flags |= WIRE_ACK;
        reply.ack = *ack;
    }
    if (!answer_send(flow, session, to, &reply))
        return false;
    if (to == FLOW_CLIENT)
        flow->stats.resets_client++;
    else
        flow->stats.resets_server++;
    return true;
}

void
answer_reset_silent(struct flow *flow, const struct session *session)
{
    uint32_t seq = session->nxt[FLOW_SERVER];
    uint32_t ack = session->nxt[FLOW_CLIENT];

    if (session->flags & SESSION_SPLICED)
        seq += session->splice.delta;
    (void)answer_reset(flow, session, FLOW_CLIENT, seq, &ack);
    (void)answer_reset(flow, session, FLOW_SERVER, ack, NULL);
}

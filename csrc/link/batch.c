/*
 * sendmmsg(2), and what is sent by it without a link header: IP packets to raw
 * sockets bound to the interface, so that route and neighbour are the kernel's
 * to find.  A raw socket takes ordinary packets with complete checksums, so
 * super-segments are cut and partial checksums finished on the way.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "batch.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../core/wire_ip.h"
#include "offload.h"

union address {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Messages to one of the two sockets, and which of them ends its slot. */
struct batch {
    struct mmsghdr message[BATCH_MAX];
    struct iovec vector[BATCH_MAX][2];
    union address to[BATCH_MAX];
    uint8_t headers[BATCH_MAX][OFFLOAD_HEADERS_MAX];
    bool last[BATCH_MAX];
    uint32_t count;
};

int32_t
batch_send(int fd, struct mmsghdr *message, uint32_t count)
{
    int sent;
    do {
        sent = sendmmsg(fd, message, count, MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* Appends a message of two pieces, the second of which may be empty. */
static void
batch_add(struct batch *batch, const union address *to, struct iovec head,
          struct iovec tail)
{
    uint32_t i = batch->count++;
    batch->vector[i][0] = head;
    batch->vector[i][1] = tail;
    batch->to[i] = *to;
    bool v4 = to->v4.sin_family == AF_INET;
    batch->message[i].msg_hdr =
        (struct msghdr){.msg_name = &batch->to[i],
                        .msg_namelen = v4 ? sizeof to->v4 : sizeof to->v6,
                        .msg_iov = batch->vector[i],
                        .msg_iovlen = tail.iov_len > 0 ? 2 : 1};
    batch->last[i] = true;
}

/* Where a packet goes, as its IP header says.  Returns false if it is none. */
static bool
destination(const struct link_route *route, const struct syncache_slot *slot,
            const uint8_t *packet, union address *to)
{
    *to = (union address){0};
    uint8_t version = wire_ip_version(packet, slot->size);
    if (version == 4) {
        to->v4.sin_family = AF_INET;
        memcpy(&to->v4.sin_addr, wire_ip_destination(packet), 4);
        return route->fd4 >= 0;
    }
    if (version != 6)
        return false;
    to->v6.sin6_family = AF_INET6;
    memcpy(&to->v6.sin6_addr, wire_ip_destination(packet), 16);
    if (IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr))
        to->v6.sin6_scope_id = route->ifindex;
    return route->fd6 >= 0;
}

/*
 * Appends what is left of a packet, from segment route->cut on, while there is
 * room.  Returns false if it cannot be sent.
 */
static bool
add_packet(const struct link_route *route, const struct syncache_slot *slot,
           uint8_t *packet, uint32_t first, struct batch *batch)
{
    union address to;
    if (!destination(route, slot, packet, &to))
        return false;
    if (slot->checksum != SYNCACHE_CHECKSUM_PARTIAL) {
        if (slot->gso_size > 0)
            return false;
        batch_add(batch, &to, (struct iovec){packet, slot->size},
                  (struct iovec){0});
        return true;
    }
    struct offload_cut cut;
    if (!offload_cut(slot, packet, &cut))
        return false;
    for (uint32_t i = first; i < cut.count && batch->count < BATCH_MAX; i++) {
        uint8_t *headers = batch->headers[batch->count];
        uint32_t payload = offload_segment(&cut, i, headers);
        uint8_t *data = packet + cut.headers + (size_t)i * cut.segment;
        batch_add(batch, &to, (struct iovec){headers, cut.headers},
                  (struct iovec){data, payload});
        batch->last[batch->count - 1] = i + 1 == cut.count;
    }
    return true;
}

/* Fills a batch with packets of one family.  Returns its socket. */
static int
fill(const struct link_route *route, const struct syncache_ring *tx,
     struct batch *batch)
{
    uint32_t first = route->cut;
    uint8_t version = 0;
    batch->count = 0;
    for (uint32_t i = tx->next; i < tx->count; i++, first = 0) {
        const struct syncache_slot *slot = &tx->slot[i];
        uint8_t *packet = tx->memory + (size_t)i * tx->slot_size;
        if (slot->link_size > 0 || batch->count == BATCH_MAX)
            break;
        if (version != 0 && wire_ip_family(packet) != version)
            break;
        version = wire_ip_family(packet);
        if (!add_packet(route, slot, packet, first, batch))
            break;
    }
    return version == 6 ? route->fd6 : route->fd4;
}

int
route_send(struct link_route *route, struct syncache_ring *tx, uint64_t *sent,
           uint64_t *refused)
{
    assert(tx->next < tx->count && tx->slot[tx->next].link_size == 0);
    struct batch batch;
    int fd = fill(route, tx, &batch);
    int32_t count = -EINVAL; /* the first packet cannot be sent at all */
    if (batch.count > 0)
        count = batch_send(fd, batch.message, batch.count);
    for (int32_t i = 0; i < count; i++) {
        route->cut++;
        if (batch.last[i]) {
            route->cut = 0;
            tx->next++;
            (*sent)++;
        }
    }
    if (count == -EAGAIN || batch_is_gone(-count))
        return -count;
    if (count < 0) {
        route->cut = 0;
        tx->next++;
        (*refused)++;
        return -count;
    }
    return 0;
}

/*
 * AF_XDP: frames that an XDP program redirects to a socket, through memory
 * (umem) and four rings that are shared with the kernel.
 *
 *     rx          frames that have arrived     fill        frames to receive into
 *     tx          frames to send               completion  frames that were sent
 *
 * Every frame of umem is on one of the rings, in the kernel's hands, or on the
 * list of those unused for sending.  A received one is copied into its slot and
 * goes back to `fill` at once, so the ring of the engine and that of the driver
 * do not hold each other up.
 *
 * XDP sees a frame before the kernel has looked at it, so nobody vouches for
 * its checksum.  On veth local senders leave TCP's to a device that never
 * comes: what lies in the header then is the sum of the pseudo header.
 *
 * See Linux Documentation/networking/af_xdp.rst.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/socket.h>

#include "../core/wire_ip.h"
#include "batch.h"
#include "frame.h"
#include "offload.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

int32_t
link_xdp_bind(int32_t fd, uint32_t ifindex, uint32_t queue, uint32_t flags)
{
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                   .sxdp_flags = (uint16_t)flags,
                                   .sxdp_ifindex = ifindex,
                                   .sxdp_queue_id = queue};
    int result = bind(fd, (const struct sockaddr *)&address, sizeof address);
    return result < 0 ? -errno : 0;
}

static uint32_t
ring_load(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void
ring_store(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static uint64_t *
address_at(const struct link_xdp_ring *ring, uint32_t i)
{
    return (uint64_t *)ring->entries + (i & ring->mask);
}

static struct xdp_desc *
descriptor_at(const struct link_xdp_ring *ring, uint32_t i)
{
    return (struct xdp_desc *)ring->entries + (i & ring->mask);
}

void
link_xdp_begin(struct link_xdp *link)
{
    assert(link->frames <= link->fill.mask + 1);
    assert(link->frames <= link->tx.mask + 1);
    for (uint32_t i = 0; i < link->frames; i++) {
        *address_at(&link->fill, i) = (uint64_t)i * link->frame_size;
        link->unused[i] = (uint64_t)(link->frames + i) * link->frame_size;
    }
    link->unused_count = link->frames;
    ring_store(link->fill.producer, link->frames);
}

/*
 * True if the checksum of a TCP or UDP packet covers its pseudo header and no
 * more.  A complete one may be the same sum by chance: finishing it gives the
 * same again.
 */
static bool
is_partial(const uint8_t *packet, uint32_t size)
{
    struct wire_upper upper;
    if (!wire_ip_plain(packet, size, &upper) || wire_ip_total(packet) != size)
        return false; /* a local sender's frame is not padded */
    uint8_t family = wire_ip_family(packet);
    if (family == 4 && wire_ipv4_is_fragment(packet))
        return false; /* a kernel finishes those before it cuts */
    bool tcp = upper.protocol == WIRE_PROTOCOL_TCP;
    if ((!tcp && upper.protocol != WIRE_PROTOCOL_UDP) ||
        upper.size <
            (size_t)(tcp ? WIRE_TCP_HEADER_BYTES : WIRE_UDP_HEADER_BYTES))
        return false;
    return wire_sum_pseudo(family, wire_ip_source(packet),
                           wire_ip_destination(packet), upper.protocol,
                           upper.size) ==
           load16_be(upper.data +
                     (tcp ? WIRE_TCP_CHECKSUM_AT : WIRE_UDP_CHECKSUM_AT));
}

/* Appends a frame, or counts why not. */
static void
xdp_take_frame(struct link_xdp *link, struct syncache_ring *rx,
               const uint8_t *frame, uint32_t size)
{
    if (size > rx->slot_size) {
        link->too_large++;
        return;
    }
    struct syncache_slot *slot = &rx->slot[rx->count];
    *slot = (struct syncache_slot){.request = UINT16_MAX};
    if (!frame_describe(frame, size, link->forward, slot)) {
        link->skipped++;
        return;
    }
    memcpy(frame_of(rx, rx->count), frame, size);
    if (link->partial && is_partial(frame + slot->link_size, slot->size))
        slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    rx->count++;
}

/* Tells why there is nothing: 0, or -ENODEV when the interface was removed. */
static int32_t
xdp_idle_reason(const struct link_xdp *link)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return error == 0 ? 0 : -ENODEV;
}

/* Has the kernel send what is on the tx ring.  Returns 0 or an errno. */
static int
kick(const struct link_xdp *link)
{
    if (!(ring_load(link->tx.flags) & XDP_RING_NEED_WAKEUP))
        return 0;
    for (;;) {
        uint32_t before = ring_load(link->tx.consumer);
        if (before == *link->tx.producer ||
            sendto(link->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
            return 0;
        /* It sends so many at a time, and says so; or nothing moves. */
        if (errno == EINTR || ring_load(link->tx.consumer) != before)
            continue;
        return errno == EBUSY || errno == ENOBUFS ? EAGAIN : errno;
    }
}

int32_t
link_xdp_receive(struct link_xdp *link, struct syncache_ring *rx)
{
    assert(rx->slots <= UINT16_MAX && rx->count <= rx->slots);
    if (link->busy_poll || ring_load(link->fill.flags) & XDP_RING_NEED_WAKEUP)
        recvfrom(link->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
    kick(link);
    uint32_t before = rx->count;
    uint32_t first = *link->rx.consumer;
    uint32_t end = ring_load(link->rx.producer);
    uint32_t fill = *link->fill.producer;
    uint32_t i = first;
    for (; i != end && rx->count < rx->slots; i++) {
        const struct xdp_desc *descriptor = descriptor_at(&link->rx, i);
        uint64_t address = descriptor->addr;
        xdp_take_frame(link, rx, link->umem + address, descriptor->len);
        *address_at(&link->fill, fill++) =
            address & ~(uint64_t)(link->frame_size - 1);
    }
    ring_store(link->fill.producer, fill);
    ring_store(link->rx.consumer, i);
    link->received += rx->count - before;
    if (i == first && rx->count < rx->slots)
        return xdp_idle_reason(link);
    return (int32_t)(rx->count - before);
}

/* Takes back the frames that were sent. */
static void
reclaim(struct link_xdp *link)
{
    uint32_t i = *link->completion.consumer;
    uint32_t end = ring_load(link->completion.producer);
    for (; i != end; i++)
        link->unused[link->unused_count++] = *address_at(&link->completion, i);
    assert(link->unused_count <= link->frames);
    ring_store(link->completion.consumer, i);
}

/* Puts the frame of a slot on the tx ring.  Returns 0 or why it cannot be. */
static int
put_frame(struct link_xdp *link, struct syncache_ring *tx, uint32_t i)
{
    struct syncache_slot *slot = &tx->slot[i];
    uint8_t *frame = frame_of(tx, i);
    if (slot->checksum == SYNCACHE_CHECKSUM_PARTIAL || slot->gso_size > 0)
        return EINVAL;
    if (frame_size(slot) > link->frame_size)
        return EMSGSIZE;
    uint64_t address = link->unused[--link->unused_count];
    uint32_t producer = *link->tx.producer;
    memcpy(link->umem + address, frame, frame_size(slot));
    if (!link->forward && slot->request != UINT16_MAX)
        frame_turn_round(link->umem + address);
    *descriptor_at(&link->tx, producer) =
        (struct xdp_desc){.addr = address, .len = frame_size(slot)};
    ring_store(link->tx.producer, producer + 1);
    return 0;
}

/* Sends the frames from tx->next on.  Returns 0 or an errno. */
static int
xdp_send_frames(struct link_xdp *link, struct syncache_ring *tx)
{
    int error = 0;
    while (tx->next < tx->count && tx->slot[tx->next].link_size > 0) {
        if (link->unused_count == 0) {
            error = kick(link);
            reclaim(link);
            if (batch_is_gone(error))
                return error;
            if (link->unused_count == 0 && (error == 0 || error == EAGAIN))
                return EAGAIN;
        }
        /* While the interface is down nothing leaves: ENETDOWN. */
        if (link->unused_count > 0)
            error = put_frame(link, tx, tx->next);
        link->send_error = error;
        if (error == 0)
            link->sent++;
        else
            link->send_failed++;
        tx->next++;
    }
    error = kick(link);
    reclaim(link);
    /* What the kernel does not take now it is reminded of by receiving. */
    return batch_is_gone(error) ? error : 0;
}

int32_t
link_xdp_send(struct link_xdp *link, struct syncache_ring *tx)
{
    assert(tx->next <= tx->count && tx->count <= tx->slots);
    uint32_t before = tx->next;
    while (tx->next < tx->count) {
        if (tx->slot[tx->next].link_size > 0) {
            int error = xdp_send_frames(link, tx);
            if (batch_is_gone(error) && tx->next == before)
                return -ENODEV;
            if (error != 0)
                break;
            continue;
        }
        int error =
            route_send(&link->route, tx, &link->sent, &link->send_failed);
        if (error == EAGAIN)
            break;
        if (batch_is_gone(error)) {
            if (tx->next == before)
                return -ENODEV;
            break;
        }
        if (!batch_is_of_one(error))
            link->send_error = error;
    }
    return (int32_t)(tx->next - before);
}

/* True once there are frames for sending, perhaps after a reminder. */
static bool
has_unused(struct link_xdp *link, uint32_t count)
{
    if (link->unused_count >= count)
        return true;
    kick(link);
    reclaim(link);
    return link->unused_count >= count;
}

/*
 * Puts a packet whose checksum was left to us on the tx ring, cut if it is a
 * super-segment.  Returns 0 or why it cannot be.
 */
static int
put_cut(struct link_xdp *link, const struct syncache_ring *rx, uint32_t i)
{
    const struct syncache_slot *slot = &rx->slot[i];
    const uint8_t *frame = frame_of(rx, i);
    const uint8_t *packet = frame + slot->link_size;
    struct offload_cut cut;
    if (!offload_cut(slot, packet, &cut))
        return EINVAL;
    uint32_t before_payload = slot->link_size + cut.headers;
    uint32_t payload_max = cut.count > 1 ? cut.segment : cut.payload;
    if (before_payload + payload_max > link->frame_size)
        return EMSGSIZE;
    if (cut.count > link->frames || !has_unused(link, cut.count))
        return EAGAIN;
    for (uint32_t part = 0; part < cut.count; part++) {
        uint8_t headers[OFFLOAD_HEADERS_MAX];
        uint32_t payload = offload_segment(&cut, part, headers);
        uint64_t address = link->unused[--link->unused_count];
        uint8_t *to = link->umem + address;
        uint32_t producer = *link->tx.producer;
        memcpy(to, frame, slot->link_size);
        memcpy(to + slot->link_size, headers, cut.headers);
        memcpy(to + before_payload,
               packet + cut.headers + (size_t)part * cut.segment, payload);
        *descriptor_at(&link->tx, producer) =
            (struct xdp_desc){.addr = address, .len = before_payload + payload};
        ring_store(link->tx.producer, producer + 1);
    }
    return 0;
}

int32_t
link_xdp_forward(struct link_xdp *link, struct syncache_ring *rx)
{
    assert(link->forward && rx->passed_count <= rx->slots);
    int32_t sent = 0;
    for (uint32_t i = 0; i < rx->passed_count; i++) {
        const struct syncache_slot *slot = &rx->slot[rx->passed[i]];
        int error = EAGAIN;
        if (slot->checksum == SYNCACHE_CHECKSUM_PARTIAL || slot->gso_size > 0)
            error = put_cut(link, rx, rx->passed[i]);
        else if (has_unused(link, 1))
            error = put_frame(link, rx, rx->passed[i]);
        link->send_error = error;
        if (error == 0) {
            sent++;
            link->sent++;
        } else {
            link->send_failed++;
        }
    }
    int error = kick(link);
    reclaim(link);
    return batch_is_gone(error) ? -ENODEV : sent;
}

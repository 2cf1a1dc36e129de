/*
 * AF_PACKET: frames out, many with a call.  A transmit ring would be slower than
 * sendmmsg() for small frames (measured in docs/links.md).
 *
 * See packet.c for what comes in; packet(7).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "batch.h"
#include "frame.h"
#include "offload.h"

/* Frames for one sendmmsg(). */
struct frames {
    struct mmsghdr message[BATCH_MAX];
    struct iovec vector[BATCH_MAX][2];
    struct virtio_net_hdr offloads[BATCH_MAX];
    uint32_t count;
};

/* Appends the frame of a slot.  Returns false if it cannot be described. */
static bool
frames_add(struct frames *frames, const struct syncache_ring *ring, uint32_t i)
{
    const struct syncache_slot *slot = &ring->slot[i];
    uint8_t *frame = frame_of(ring, i);
    uint32_t n = frames->count;
    struct virtio_net_hdr *offloads = &frames->offloads[n];
    if (!offload_write(slot, frame + slot->link_size, slot->link_size,
                       offloads))
        return false;
    frames->vector[n][0] = (struct iovec){offloads, sizeof *offloads};
    frames->vector[n][1] = (struct iovec){frame, frame_size(slot)};
    frames->message[n].msg_hdr =
        (struct msghdr){.msg_iov = frames->vector[n], .msg_iovlen = 2};
    frames->count = n + 1;
    return true;
}

/* Sends some of the slots from tx->next on.  Returns 0 or an errno. */
static int
packet_send_frames(struct link_packet *link, struct syncache_ring *tx)
{
    struct frames frames;
    frames.count = 0;
    for (uint32_t i = tx->next; i < tx->count && frames.count < BATCH_MAX;
         i++) {
        struct syncache_slot *slot = &tx->slot[i];
        if (slot->link_size == 0)
            break;
        if (!link->forward && slot->request != UINT16_MAX) {
            frame_turn_round(frame_of(tx, i));
            slot->request = UINT16_MAX; /* so that it is turned only once */
        }
        if (!frames_add(&frames, tx, i))
            break;
    }
    int32_t sent = -EINVAL; /* the first frame cannot be sent at all */
    if (frames.count > 0)
        sent = batch_send(link->fd, frames.message, frames.count);
    if (sent > 0) {
        tx->next += (uint32_t)sent;
        link->sent += (uint32_t)sent;
        return 0;
    }
    if (sent == -EAGAIN || batch_is_gone(-sent))
        return -sent;
    tx->next++;
    link->send_failed++;
    return -sent;
}

int32_t
link_packet_send(struct link_packet *link, struct syncache_ring *tx)
{
    assert(tx->next <= tx->count && tx->count <= tx->slots);
    uint32_t before = tx->next;
    while (tx->next < tx->count) {
        int error =
            tx->slot[tx->next].link_size > 0
                ? packet_send_frames(link, tx)
                : route_send(&link->route, tx, &link->sent, &link->send_failed);
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

/* Sends what was collected.  Returns frames that went out, or -ENODEV. */
static int32_t
forward_batch(struct link_packet *link, struct frames *frames)
{
    uint32_t sent = 0;
    for (uint32_t at = 0; at < frames->count;) {
        int32_t count =
            batch_send(link->fd, frames->message + at, frames->count - at);
        if (count < 0 && batch_is_gone(-count))
            return -ENODEV;
        link->send_error = count < 0 ? -count : 0;
        if (count < 0) {
            link->send_failed++;
            at++;
        } else {
            sent += (uint32_t)count;
            at += (uint32_t)count;
        }
    }
    frames->count = 0;
    return (int32_t)sent;
}

int32_t
link_packet_forward(struct link_packet *link, struct syncache_ring *rx)
{
    assert(rx->passed_count <= rx->slots);
    struct frames frames;
    frames.count = 0;
    int32_t sent = 0;
    for (uint32_t i = 0; i < rx->passed_count; i++) {
        if (!frames_add(&frames, rx, rx->passed[i]))
            link->send_failed++;
        if (frames.count < BATCH_MAX && i + 1 < rx->passed_count)
            continue;
        int32_t count = forward_batch(link, &frames);
        if (count < 0)
            return count;
        sent += count;
        link->sent += (uint32_t)count;
    }
    return sent;
}

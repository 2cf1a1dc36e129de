/*
 * AF_PACKET: frames of one interface, from a receive ring that is shared with
 * the kernel.  Sending is in packet_send.c.
 *
 * The ring has one of two forms.  One of frames (TPACKET_V2) hands each over at
 * once; one that is longer than those of the ring (a super-segment) waits whole
 * in the socket's queue.  One of blocks (TPACKET_V3) hands a block over when it
 * is full or a millisecond old; one that is longer than a block has its beginning
 * there, and waits whole in the queue of another socket, which gets no others.
 * The first is prompt, the second cheaper in a flood (docs/links.md).
 *
 * Every frame is preceded by a struct virtio_net_hdr (PACKET_VNET_HDR), so the
 * frames of local clients come and go with their checksums unfinished and their
 * segments uncut.  The outer VLAN tag, which the kernel keeps aside, is put back.
 *
 * See Linux Documentation/networking/packet_mmap.rst; packet(7).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "batch.h"
#include "frame.h"
#include "offload.h"
#include "split.h"

enum {
    TYPE_AT = 2 * FRAME_MAC,
    QUEUED_AT =
        TYPE_AT + FRAME_TAG, /* in a slot: what is behind a gap for a tag */
    CUT_KNOWN = 96           /* bytes by which a frame is known again */
};

static struct tpacket_block_desc *
block_of(const struct link_packet *link)
{
    size_t at = (size_t)link->block * link->block_size;
    return (struct tpacket_block_desc *)(void *)(link->memory + at);
}

/* Begins the next block.  Returns false if it is still the kernel's. */
static bool
block_open(struct link_packet *link)
{
    struct tpacket_block_desc *block = block_of(link);
    uint32_t status =
        __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER))
        return false;
    link->left = block->hdr.bh1.num_pkts;
    link->at = block->hdr.bh1.offset_to_first_pkt;
    return true;
}

/* Gives the block back to the kernel. */
static void
block_close(struct link_packet *link)
{
    struct tpacket_block_desc *block = block_of(link);
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL,
                     __ATOMIC_RELEASE);
    link->block = link->block + 1 < link->blocks ? link->block + 1 : 0;
}

/* A frame in the ring, and what the kernel knows of it. */
struct arrived {
    const uint8_t *frame; /* behind a struct virtio_net_hdr */
    uint32_t size;        /* bytes of it in the ring */
    uint32_t whole_size;  /* bytes that it had */
    uint32_t status;      /* TP_STATUS_ of its VLAN tag */
    uint16_t tci;         /* the outer tag, which the kernel keeps aside */
    uint16_t tpid;
};

/* Writes the outer tag behind the MAC addresses.  Returns its bytes. */
static uint32_t
put_tag(uint8_t *to, const struct arrived *arrived)
{
    if (!(arrived->status & TP_STATUS_VLAN_VALID) || arrived->size < TYPE_AT)
        return 0;
    uint32_t tpid = arrived->status & TP_STATUS_VLAN_TPID_VALID ? arrived->tpid
                                                                : ENCAP_VLAN;
    uint32_t tci = arrived->tci;
    uint8_t tag[FRAME_TAG] = {(uint8_t)(tpid >> 8), (uint8_t)tpid,
                              (uint8_t)(tci >> 8), (uint8_t)tci};
    memcpy(to + TYPE_AT, tag, FRAME_TAG);
    return FRAME_TAG;
}

/* Appends the frame of `size` bytes that lies in the next slot, `tag` of them a
 * tag that was put back. */
static void
append(struct link_packet *link, struct syncache_ring *rx, uint32_t size,
       uint32_t tag, const struct virtio_net_hdr *offloads)
{
    struct syncache_slot *slot = &rx->slot[rx->count];
    *slot = (struct syncache_slot){.request = UINT16_MAX};
    if (!frame_describe(frame_of(rx, rx->count), size, link->forward, slot)) {
        link->skipped++;
        return;
    }
    offload_read(offloads, slot->link_size - tag, slot);
    rx->count++;
}

/* Appends a frame of the ring, or counts why not. */
static void
packet_take_frame(struct link_packet *link, struct syncache_ring *rx,
                  const struct arrived *arrived)
{
    if (arrived->size + FRAME_TAG > rx->slot_size) {
        link->too_large++;
        return;
    }
    uint8_t *to = frame_of(rx, rx->count);
    uint32_t tag = put_tag(to, arrived);
    if (tag == 0) {
        memcpy(to, arrived->frame, arrived->size);
    } else {
        memcpy(to, arrived->frame, TYPE_AT);
        memcpy(to + TYPE_AT + tag, arrived->frame + TYPE_AT,
               arrived->size - TYPE_AT);
    }
    struct virtio_net_hdr offloads;
    memcpy(&offloads, arrived->frame - sizeof offloads, sizeof offloads);
    append(link, rx, arrived->size + tag, tag, &offloads);
}

/* Reads from a message what the kernel knows of a frame. */
static void
read_tag(struct msghdr *message, struct arrived *arrived)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        struct tpacket_auxdata known;
        if (part->cmsg_level != SOL_PACKET ||
            part->cmsg_type != PACKET_AUXDATA ||
            part->cmsg_len < CMSG_LEN(sizeof known))
            continue;
        memcpy(&known, CMSG_DATA(part), sizeof known);
        arrived->status = known.tp_status;
        arrived->tci = known.tp_vlan_tci;
        arrived->tpid = known.tp_vlan_tpid;
    }
}

/* Appends pieces of a frame that no slot holds, while there is room. */
static void
append_pieces(struct link_packet *link, struct syncache_ring *rx)
{
    struct link_split *split = &link->split;
    while (split_has_more(split) && rx->count < rx->slots) {
        struct virtio_net_hdr offloads;
        uint8_t *to = frame_of(rx, rx->count);
        uint32_t size = split_next(split, to, rx->slot_size, &offloads);
        append(link, rx, size, split->tag, &offloads);
    }
}

/*
 * Takes a frame whose rest a slot had no room for.  The MAC addresses and the
 * tag lie at the slot's begin, more behind a gap for a tag; both are put in
 * front of the rest.
 */
static void
take_long(struct link_packet *link, struct syncache_ring *rx,
          const struct arrived *arrived, uint32_t tag,
          const struct virtio_net_hdr *offloads)
{
    const uint8_t *from = frame_of(rx, rx->count);
    uint32_t kept = rx->slot_size - QUEUED_AT;
    uint32_t at = SPLIT_MARGIN - kept - TYPE_AT - tag;
    uint8_t *to = link->split.memory + at;

    memcpy(to, from, TYPE_AT + tag);
    memcpy(to + TYPE_AT + tag, from + QUEUED_AT, kept);
    if (split_begin(&link->split, at, arrived->size + tag, tag, rx->slot_size,
                    offloads))
        append_pieces(link, rx);
    else
        link->too_large++;
}

/* A frame of a socket's queue, its beginning in the next slot. */
struct queued {
    struct arrived arrived; /* `frame` is not set */
    struct virtio_net_hdr offloads;
    bool fits; /* else its end is lost */
};

/*
 * Reads the next frame of a socket's queue: its MAC addresses to the begin of
 * the slot, more behind a gap for a tag, the rest beside the ring.  Two
 * processors may queue theirs in another order than that of the ring, so its tag
 * is asked for.  Returns false if there is none.
 */
static bool
queue_read(struct link_packet *link, int fd, struct syncache_ring *rx,
           struct queued *queued)
{
    uint8_t *to = frame_of(rx, rx->count);
    bool splits =
        link->split.memory != NULL && rx->slot_size + FRAME_TAG <= SPLIT_MARGIN;
    struct iovec vector[] = {
        {&queued->offloads, sizeof queued->offloads},
        {to, TYPE_AT},
        {to + QUEUED_AT, rx->slot_size - QUEUED_AT},
        {splits ? link->split.memory + SPLIT_MARGIN : NULL, 0}};
    union {
        struct cmsghdr alignment;
        uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct msghdr message = {.msg_iov = vector,
                             .msg_iovlen = splits ? 4 : 3,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;
    if (splits)
        vector[3].iov_len = link->split.memory_size - SPLIT_MARGIN;
    do {
        got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    queued->fits = got >= (ssize_t)(sizeof queued->offloads + TYPE_AT) &&
                   !(message.msg_flags & MSG_TRUNC);
    queued->arrived = (struct arrived){
        .size = (uint32_t)got - (uint32_t)sizeof queued->offloads};
    read_tag(&message, &queued->arrived);
    return true;
}

/* Appends the frame that was read, or its pieces. */
static void
queue_append(struct link_packet *link, struct syncache_ring *rx,
             const struct queued *queued)
{
    const struct arrived *arrived = &queued->arrived;
    if (!queued->fits) {
        link->too_large++;
        return;
    }
    uint8_t *to = frame_of(rx, rx->count);
    uint32_t tag = put_tag(to, arrived);
    if (arrived->size > TYPE_AT + rx->slot_size - QUEUED_AT) {
        take_long(link, rx, arrived, tag, &queued->offloads);
        return;
    }
    if (tag == 0)
        memmove(to + TYPE_AT, to + QUEUED_AT, arrived->size - TYPE_AT);
    append(link, rx, arrived->size + tag, tag, &queued->offloads);
}

/* Appends a frame that waits in the socket's own queue. */
static void
take_queued(struct link_packet *link, struct syncache_ring *rx)
{
    struct queued queued;
    if (queue_read(link, link->fd, rx, &queued))
        queue_append(link, rx, &queued);
    else
        link->too_large++;
}

/* Is this the frame whose beginning lies in a block? */
static bool
queue_is(const struct syncache_ring *rx, const struct queued *queued,
         const struct arrived *begun)
{
    const uint8_t *from = frame_of(rx, rx->count);
    uint32_t more = begun->size < CUT_KNOWN ? begun->size : CUT_KNOWN;

    return queued->arrived.size == begun->whole_size && more > TYPE_AT &&
           memcmp(from, begun->frame, TYPE_AT) == 0 &&
           memcmp(from + QUEUED_AT, begun->frame + TYPE_AT, more - TYPE_AT) ==
               0;
}

/*
 * Appends a frame of which a block has the beginning alone.  What is queued in
 * front of it lost its place in the ring, which was full: it is lost, too.
 */
static void
take_cut(struct link_packet *link, struct syncache_ring *rx,
         const struct arrived *begun)
{
    struct queued queued;
    bool there = false, is_it = false;
    do {
        there = queue_read(link, link->queue_fd, rx, &queued);
        is_it = there && queue_is(rx, &queued, begun);
    } while (there && !is_it);
    if (is_it)
        queue_append(link, rx, &queued);
    else
        link->too_large++;
}

/* Takes the next frame of a ring of frames.  Returns false if there is none. */
static bool
frames_take(struct link_packet *link, struct syncache_ring *rx)
{
    size_t at = (size_t)link->frame * link->frame_size;
    struct tpacket2_hdr *header = (void *)(link->memory + at);
    uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER))
        return false;
    link->frame = link->frame + 1 < link->frames ? link->frame + 1 : 0;
    const struct arrived arrived = {(uint8_t *)header + header->tp_mac,
                                    header->tp_snaplen,
                                    header->tp_len,
                                    status,
                                    header->tp_vlan_tci,
                                    header->tp_vlan_tpid};
    if (status & TP_STATUS_COPY)
        take_queued(link, rx);
    else if (arrived.size < arrived.whole_size)
        link->unkept++;
    else
        packet_take_frame(link, rx, &arrived);
    __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    return true;
}

/*
 * Takes a frame of a block that is longer than a slot.  It may be longer than
 * the block, too, where the kernel cuts it off.
 */
static void
take_larger(struct link_packet *link, struct syncache_ring *rx,
            const struct arrived *arrived)
{
    uint8_t *to = link->split.memory;
    uint32_t whole = arrived->whole_size + FRAME_TAG;
    bool is_cut = arrived->size < arrived->whole_size;
    struct virtio_net_hdr offloads;

    if (to == NULL || whole > link->split.memory_size ||
        arrived->size < TYPE_AT || (is_cut && !link->tap)) {
        link->too_large++;
        return;
    }
    memcpy(&offloads, arrived->frame - sizeof offloads, sizeof offloads);
    uint32_t tag = put_tag(to, arrived);
    memcpy(to, arrived->frame, TYPE_AT);
    memcpy(to + TYPE_AT + tag, arrived->frame + TYPE_AT,
           arrived->size - TYPE_AT);
    if (is_cut)
        memset(to + tag + arrived->size, 0,
               arrived->whole_size - arrived->size);
    if (split_begin(&link->split, 0, arrived->whole_size + tag, tag,
                    rx->slot_size, &offloads))
        append_pieces(link, rx);
    else
        link->too_large++;
}

/* Takes the next frame of a ring of blocks.  Returns false if there is none. */
static bool
blocks_take(struct link_packet *link, struct syncache_ring *rx)
{
    if (link->left == 0 && !block_open(link))
        return false;
    /* A block that was handed over by the clock may hold no frame. */
    if (link->left > 0) {
        const struct tpacket3_hdr *header =
            (const void *)((uint8_t *)block_of(link) + link->at);
        const struct arrived arrived = {(const uint8_t *)header +
                                            header->tp_mac,
                                        header->tp_snaplen,
                                        header->tp_len,
                                        header->tp_status,
                                        (uint16_t)header->hv1.tp_vlan_tci,
                                        header->hv1.tp_vlan_tpid};
        link->at += header->tp_next_offset;
        link->left--;
        if (arrived.size < arrived.whole_size && link->queue_fd >= 0)
            take_cut(link, rx, &arrived);
        else if (arrived.whole_size + FRAME_TAG > rx->slot_size)
            take_larger(link, rx, &arrived);
        else if (arrived.size < arrived.whole_size)
            link->too_large++;
        else
            packet_take_frame(link, rx, &arrived);
    }
    if (link->left == 0)
        block_close(link);
    return true;
}

/* Tells why there is nothing: 0, or -ENODEV when the interface was removed. */
static int32_t
packet_idle_reason(const struct link_packet *link)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    if (error == 0)
        return 0;
    struct sockaddr_ll bound;
    size = sizeof bound;
    if (getsockname(link->fd, (struct sockaddr *)&bound, &size) < 0)
        return -errno;
    return bound.sll_ifindex > 0 ? 0
                                 : -ENODEV; /* else it is down for a while */
}

int32_t
link_packet_receive(struct link_packet *link, struct syncache_ring *rx)
{
    assert(rx->slots <= UINT16_MAX && rx->count <= rx->slots);
    assert(rx->slot_size > TYPE_AT + FRAME_TAG);
    uint32_t before = rx->count;
    bool more = true;
    append_pieces(link, rx);
    while (more && rx->count < rx->slots)
        more = link->frame_size > 0 ? frames_take(link, rx)
                                    : blocks_take(link, rx);
    link->received += rx->count - before;
    if (rx->count == before && rx->count < rx->slots)
        return packet_idle_reason(link);
    return (int32_t)(rx->count - before);
}

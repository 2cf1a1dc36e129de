/* An AF_XDP link over rings in the test's own memory, with a sendto() that stands
 * for the kernel.  The kernel's own rings: tests/netns/test_xdp.py. */
#ifndef SYNCACHE_TEST_XDP_H
#define SYNCACHE_TEST_XDP_H

#undef _GNU_SOURCE /* its sendto() takes a union of pointers */
#define _DEFAULT_SOURCE

#include "ring.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAMES = 4,
    UMEM_FRAME = 256,
    HEADROOM = 32, /* of the kernel's, in front of what it received */
    ETHERNET = 14,
    FRAME_SIZE = ETHERNET + 40
};

static struct kernel_ring {
    uint32_t producer, consumer, flags;
    union {
        uint64_t address[FRAMES];
        struct xdp_desc descriptor[FRAMES];
    };
} rx, tx, fill, completion;

static uint8_t umem[2 * FRAMES * UMEM_FRAME];
static uint64_t unused[FRAMES];
static struct test_ring ring;
static struct link_xdp link_;
static uint32_t passed[RING_SLOTS];

/* The kernel: how many frames it sends a call, LATER, or -errno; and what it
 * sent. */
enum { LATER = 1000 };
static int budget;
static uint8_t sent[16][FRAME_SIZE];
static uint32_t sent_count, reminders;

ssize_t
sendto(int fd, const void *data, size_t size, int flags,
       const struct sockaddr *to, socklen_t to_size)
{
    (void)fd;
    EXPECT_TRUE(data == NULL && size == 0 && to == NULL && to_size == 0);
    EXPECT_TRUE(flags & MSG_DONTWAIT);
    reminders++;
    if (budget < 0) {
        errno = -budget;
        return -1;
    }
    if (budget == LATER)
        return 0;
    for (int i = 0; i < budget && tx.consumer != tx.producer; i++) {
        struct xdp_desc *at = &tx.descriptor[tx.consumer++ % FRAMES];
        memcpy(sent[sent_count++], umem + at->addr, FRAME_SIZE);
        completion.address[completion.producer++ % FRAMES] = at->addr;
    }
    if (tx.consumer == tx.producer)
        return 0;
    errno = EAGAIN;
    return -1;
}

static inline struct link_xdp_ring
view(struct kernel_ring *of)
{
    memset(of, 0, sizeof *of);
    return (struct link_xdp_ring){.producer = &of->producer,
                                  .consumer = &of->consumer,
                                  .flags = &of->flags,
                                  .entries = of->address,
                                  .mask = FRAMES - 1};
}

static inline void
start(void)
{
    ring_clear(&ring);
    ring.ring.passed = passed;
    memset(umem, 0, sizeof umem);
    link_ = (struct link_xdp){.route = {.fd4 = -1, .fd6 = -1},
                              .fd = socket(AF_UNIX, SOCK_DGRAM, 0),
                              .rx = view(&rx),
                              .tx = view(&tx),
                              .fill = view(&fill),
                              .completion = view(&completion),
                              .frame_size = UMEM_FRAME,
                              .frames = FRAMES,
                              .umem = umem,
                              .unused = unused};
    tx.flags = XDP_RING_NEED_WAKEUP;
    budget = FRAMES;
    sent_count = reminders = 0;
    link_xdp_begin(&link_);
}

static inline void
stop(void)
{
    close(link_.fd);
}

/* An IPv4 TCP packet in a frame; `mark` is its last byte. */
static inline uint8_t *
frame_marked(uint8_t mark)
{
    static uint8_t frame[FRAME_SIZE] = {1,  1,          1,    1, 1,         1,
                                        2,  2,          2,    2, 2,         2,
                                        8,  0,          0x45, 0, 0,         40,
                                        64, [23] = 6,   10,   0, [26] = 10, 0,
                                        0,  1,          10,   0, 0,         2,
                                        4,  [46] = 0x50};
    frame[FRAME_SIZE - 1] = mark;
    return frame;
}

/* The kernel receives a frame into the next one that it was given. */
static inline void
arrive(const uint8_t *frame, uint32_t size)
{
    EXPECT_TRUE(fill.consumer != fill.producer);
    uint64_t at = fill.address[fill.consumer++ % FRAMES] + HEADROOM;
    memcpy(umem + at, frame, size);
    rx.descriptor[rx.producer++ % FRAMES] =
        (struct xdp_desc){.addr = at, .len = size};
}

#endif

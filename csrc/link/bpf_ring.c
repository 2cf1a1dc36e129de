/*
 * The reader's side of a ring buffer of the kernel's programs (BPF_MAP_TYPE_RINGBUF), which is mapped: a page with how
 * far we have read, a page with how far they have written, and the data twice in a row, so that no record is broken.
 *
 * A record is 8 bytes, of which the first 4 are its length with two flags, and then its content, padded to 8.
 */
#define _DEFAULT_SOURCE /* sysconf */

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link.h"

static uint32_t
rounded(uint32_t size)
{
    return (size + 7) & ~UINT32_C(7);
}

int32_t
link_bpf_ring_open(int32_t map, uint32_t size, struct link_bpf_ring *ring)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *ours, *theirs;

    memset(ring, 0, sizeof *ring);
    ours = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (ours == MAP_FAILED)
        return -errno;
    theirs = mmap(NULL, page + 2 * (size_t)size, PROT_READ, MAP_SHARED, map,
                  (off_t)page);
    if (theirs == MAP_FAILED) {
        int32_t error = errno;
        (void)munmap(ours, page);
        return -error;
    }
    ring->consumer = ours;
    ring->producer = theirs;
    ring->data = (const uint8_t *)theirs + page;
    ring->size = size;
    return 0;
}

void
link_bpf_ring_close(struct link_bpf_ring *ring)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (ring->consumer == NULL)
        return;
    (void)munmap(ring->consumer, page);
    (void)munmap((void *)(uintptr_t)ring->producer,
                 page + 2 * (size_t)ring->size);
    memset(ring, 0, sizeof *ring);
}

uint32_t
link_bpf_ring_take(struct link_bpf_ring *ring, uint8_t *out, uint32_t out_max)
{
    link_position *consumer = (void *)ring->consumer;
    link_position at = *consumer;
    link_position end = __atomic_load_n(
        (const link_position *)(const void *)ring->producer, __ATOMIC_ACQUIRE);
    uint32_t taken = 0;

    while (at != end && taken == 0) {
        const uint8_t *record = ring->data + (at & (ring->size - 1));
        uint32_t word = __atomic_load_n((const uint32_t *)(const void *)record,
                                        __ATOMIC_ACQUIRE);
        uint32_t size =
            word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

        if (word & BPF_RINGBUF_BUSY_BIT)
            break; /* it is being written */
        if (!(word & BPF_RINGBUF_DISCARD_BIT) && size <= out_max) {
            memcpy(out, record + BPF_RINGBUF_HDR_SZ, size);
            taken = size;
        }
        at += BPF_RINGBUF_HDR_SZ + rounded(size);
        __atomic_store_n(consumer, at, __ATOMIC_RELEASE);
    }
    return taken;
}

/* A capture that a test writes, and the ring that it is read into. */
#ifndef SYNCACHE_TEST_CAPTURE_H
#define SYNCACHE_TEST_CAPTURE_H

#include "ring.h"

#include "../../csrc/link/capture.h"

enum { FILE_MAX = 4096, IP_SIZE = 40 };

static struct test_ring rx;
static struct link_capture capture;
static uint8_t file[FILE_MAX];
static uint32_t file_size;
static bool big;

static inline void
put(uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t shift = 8 * (big ? size - 1 - i : i);
        file[file_size++] = (uint8_t)(shift < 64 ? value >> shift : 0);
    }
}

static inline void
put_bytes(const void *bytes, size_t size)
{
    memcpy(file + file_size, bytes, size);
    file_size += (uint32_t)size;
}

static inline void
start(bool is_big)
{
    ring_clear(&rx);
    memset(&capture, 0, offsetof(struct link_capture, interface));
    file_size = 0;
    big = is_big;
}

static inline void
classic(uint32_t magic, uint32_t linktype)
{
    put(magic, 4);
    put(2, 2);
    put(4, 2);
    put(0, 8);
    put(65535, 4);
    put(linktype, 4);
}

/* A frame: `head` bytes of link header, then a TCP segment. */
static inline void
frame(const uint8_t *head, uint32_t head_size)
{
    uint8_t packet[IP_SIZE] = {0x45, [3] = IP_SIZE, [8] = 64,
                               6,    [32] = 0x50,   2};
    packet[IP_SIZE - 1] = 0xee;
    if (head_size > 0)
        put_bytes(head, head_size);
    put_bytes(packet, sizeof packet);
}

static inline void
record(uint32_t seconds, uint32_t fraction, uint32_t size, uint32_t wire_size)
{
    put(seconds, 4);
    put(fraction, 4);
    put(size, 4);
    put(wire_size, 4);
}

/* Reads all of the file from a copy without a byte to spare. */
static inline enum link_capture_status
parse(void)
{
    uint8_t *copy = test_heap_copy(file, file_size);
    uint32_t at = 0;
    enum link_capture_status status;
    do {
        status =
            link_capture_parse(&capture, copy + at, file_size - at, &rx.ring);
        at += (uint32_t)capture.consumed;
        if (status == LINK_CAPTURE_FULL)
            rx.ring.count = 0;
    } while (status == LINK_CAPTURE_FULL || status == LINK_CAPTURE_STEP ||
             (status == LINK_CAPTURE_MORE && capture.consumed > 0));
    free(copy);
    return status;
}

static inline void
section(void)
{
    put(0x0a0d0d0a, 4);
    put(28, 4);
    put(0x1a2b3c4d, 4);
    put(1, 2);
    put(0, 2);
    put(UINT64_MAX, 8);
    put(28, 4);
}

static inline void
interface(uint32_t linktype, uint8_t tsresol, int64_t offset)
{
    put(1, 4);
    put(20 + 8 + 12 + 4, 4);
    put(linktype, 2);
    put(0, 2);
    put(0, 4);
    put(9, 2);
    put(1, 2);
    file[file_size++] = tsresol;
    put(0, 3);
    put(14, 2);
    put(8, 2);
    put((uint64_t)offset, 8);
    put(0, 4);
    put(44, 4);
}

static inline void
enhanced(uint32_t number, uint64_t units, uint32_t size)
{
    put(6, 4);
    put(32 + IP_SIZE, 4);
    put(number, 4);
    put(units >> 32, 4);
    put(units & UINT32_MAX, 4);
    put(size, 4);
    put(size, 4);
    frame(NULL, 0);
    put(32 + IP_SIZE, 4);
}

#endif

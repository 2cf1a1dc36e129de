/* The reader of a ring buffer, on memory of the test's, and a file that is mapped
 * as the kernel's is. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../csrc/link/link.h"
#include "test.h"

#define SIZE 4096u

static _Alignas(8) link_position consumer, producer;
static uint8_t memory[2 * SIZE];
static struct link_bpf_ring ring;

static void
start(link_position at)
{
    memset(memory, 0, sizeof memory);
    consumer = producer = at;
    ring = (struct link_bpf_ring){(void *)&consumer, (void *)&producer, memory,
                                  SIZE, 0};
}

/* As the kernel writes a record, also into the second view of the ring. */
static void
put(uint32_t size, uint8_t content, uint32_t flags)
{
    uint32_t header[2] = {size | flags, 0};
    uint8_t bytes[sizeof header];

    memcpy(bytes, header, sizeof header);
    for (uint32_t i = 0; i < sizeof header + size; i++) {
        uint64_t at = (producer + i) & (SIZE - 1);

        memory[at] = memory[at + SIZE] = i < sizeof header ? bytes[i] : content;
    }
    producer += 8 + ((size + 7) & ~7u);
}

static void
test_records_are_taken_in_their_order(void)
{
    uint8_t out[16] = {0};
    start(0);
    EXPECT_EQ(0, link_bpf_ring_take(&ring, out, sizeof out));
    put(13, 'a', 0);
    put(8, 'b', 0);
    EXPECT_EQ(13, link_bpf_ring_take(&ring, out, sizeof out));
    EXPECT_EQ('a', out[12]);
    EXPECT_EQ(0, out[13]);
    EXPECT_EQ(8, link_bpf_ring_take(&ring, out, sizeof out));
    EXPECT_EQ('b', out[0]);
    EXPECT_EQ(0, link_bpf_ring_take(&ring, out, sizeof out));
    EXPECT_EQ(producer, consumer);
}

static void
test_record_over_the_end_is_whole(void)
{
    /* The ring lies there twice. */
    uint8_t out[40];
    start(SIZE - 16);
    put(40, 'x', 0);
    EXPECT_EQ(40, link_bpf_ring_take(&ring, out, sizeof out));
    for (uint32_t i = 0; i < sizeof out; i++)
        EXPECT_EQ('x', out[i]);
}

static void
test_record_that_is_being_written_waits(void)
{
    uint8_t out[8];
    start(64);
    put(8, 'x', BPF_RINGBUF_BUSY_BIT);
    put(8, 'y', 0);
    EXPECT_EQ(0, link_bpf_ring_take(&ring, out, sizeof out));
    EXPECT_EQ(64, consumer);
}

static void
test_discarded_and_large_records_are_passed_over(void)
{
    uint8_t out[8];
    start(0);
    put(8, 'x', BPF_RINGBUF_DISCARD_BIT);
    put(9, 'y', 0);
    put(8, 'z', 0);
    EXPECT_EQ(8, link_bpf_ring_take(&ring, out, sizeof out));
    EXPECT_EQ('z', out[0]);
    EXPECT_EQ(producer, consumer);
}

static void
test_descriptor_that_is_no_ring_is_refused(void)
{
    struct link_bpf_ring none;
    EXPECT_EQ((uint32_t)-EBADF, (uint32_t)link_bpf_ring_open(-1, SIZE, &none));
    EXPECT_TRUE(none.consumer == NULL);
    link_bpf_ring_close(&none);
}

static bool
is_mapped(const void *at, size_t page)
{
    unsigned char there;
    return mincore((void *)(uintptr_t)at, page, &there) == 0;
}

static void
test_ring_is_mapped_as_the_kernel_lays_it_out(void)
{
    /* A page of ours, one of the kernel's, the ring twice; all until closed. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint32_t size = 2 * (uint32_t)page;
    int file = memfd_create("ring", 0);
    link_position written = 8;
    struct link_bpf_ring mapped;
    EXPECT_EQ(0, ftruncate(file, (off_t)(2 * page + 2 * size)));
    EXPECT_EQ(sizeof written,
              pwrite(file, &written, sizeof written, (off_t)page));
    EXPECT_EQ(1, pwrite(file, "a", 1, (off_t)(2 * page)));
    EXPECT_EQ(1, pwrite(file, "z", 1, (off_t)(2 * page + 2 * size - 1)));
    EXPECT_EQ(0, link_bpf_ring_open(file, size, &mapped));
    EXPECT_EQ(size, mapped.size);
    EXPECT_EQ(8, *(const link_position *)(const void *)mapped.producer);
    EXPECT_EQ('a', mapped.data[0]);
    EXPECT_EQ('z', mapped.data[2 * size - 1]);
    *(link_position *)(void *)mapped.consumer = 16;
    EXPECT_EQ(sizeof written, pread(file, &written, sizeof written, 0));
    EXPECT_EQ(16, written);

    const struct link_bpf_ring was = mapped;
    EXPECT_TRUE(is_mapped(was.data + 2 * size - page, page));
    link_bpf_ring_close(&mapped);
    EXPECT_TRUE(!is_mapped(was.consumer, page));
    EXPECT_TRUE(!is_mapped(was.producer, page));
    EXPECT_TRUE(!is_mapped(was.data + 2 * size - page, page));
    EXPECT_TRUE(mapped.consumer == NULL && mapped.size == 0);
    close(file);
}

static const struct test tests[] = {
    TEST(test_records_are_taken_in_their_order),
    TEST(test_record_over_the_end_is_whole),
    TEST(test_record_that_is_being_written_waits),
    TEST(test_discarded_and_large_records_are_passed_over),
    TEST(test_descriptor_that_is_no_ring_is_refused),
    TEST(test_ring_is_mapped_as_the_kernel_lays_it_out),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

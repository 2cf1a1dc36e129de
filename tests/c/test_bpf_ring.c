/* The reader of a ring buffer, on memory that nobody maps. */
#include <errno.h>
#include <linux/bpf.h>

#include "../../csrc/link/link.h"
#include "test.h"

#define SIZE 4096u

static uint64_t consumer, producer;
static uint8_t memory[2 * SIZE];
static struct link_bpf_ring ring;

static void
start(uint64_t at)
{
    memset(memory, 0, sizeof memory);
    consumer = producer = at;
    ring = (struct link_bpf_ring){&consumer, &producer, memory, SIZE, 0};
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
    EXPECT_EQ(-EBADF, link_bpf_ring_open(-1, SIZE, &none));
    link_bpf_ring_close(&none);
}

static const struct test tests[] = {
    TEST(test_records_are_taken_in_their_order),
    TEST(test_record_over_the_end_is_whole),
    TEST(test_record_that_is_being_written_waits),
    TEST(test_discarded_and_large_records_are_passed_over),
    TEST(test_descriptor_that_is_no_ring_is_refused),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

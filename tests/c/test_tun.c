/*
 * The TUN calls over a pair of datagram sockets, which keep packet boundaries,
 * cut off what is too long and refuse what is too much just as a TUN device
 * does; so no privilege is needed.  The device itself: tests/netns.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct test_ring ring;
static struct link_tun tun;
static int peer;

/* The system's own, which reads no further than there are pieces. */
ssize_t
readv(int fd, const struct iovec *vector, int count)
{
    EXPECT_EQ(tun.vnet_hdr ? 3 : 2, count);
    return syscall(SYS_readv, fd, vector, count);
}

/* Calls until the device is gone; 0: it stays. */
static int calls_left;

ssize_t
writev(int fd, const struct iovec *vector, int count)
{
    EXPECT_EQ(tun.vnet_hdr ? 2 : 1, count);
    if (calls_left > 0 && --calls_left == 0) {
        errno = EBADFD;
        return -1;
    }
    return syscall(SYS_writev, fd, vector, count);
}

/* Packets of 60 bytes: headers of 40 or 60, the TCP header without options. */
static const uint8_t ipv4_tcp[60] = {[0] = 0x45, [9] = 6, [32] = 0x50};
static const uint8_t ipv6_tcp[60] = {[0] = 0x60, [6] = 6, [52] = 0x50};
static const uint8_t ipv4_gre[60] = {[0] = 0x45, [9] = 47};

static void
start(bool vnet_hdr)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0)
        abort();
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    ring_clear(&ring);
    tun = (struct link_tun){.fd = fds[0], .vnet_hdr = vnet_hdr};
    peer = fds[1];
}

static void
stop(void)
{
    close(tun.fd);
    close(peer);
}

static void
arrive(const struct virtio_net_hdr *header, const uint8_t *packet, size_t size)
{
    uint8_t bytes[sizeof *header + 512];
    size_t at = 0;
    if (header != NULL) {
        memcpy(bytes, header, sizeof *header);
        at = sizeof *header;
    }
    memcpy(bytes + at, packet, size);
    if (write(peer, bytes, at + size) != (ssize_t)(at + size))
        abort();
}

static void
expect_sent(const struct virtio_net_hdr *header, const uint8_t *packet,
            size_t size)
{
    uint8_t bytes[sizeof *header + 512];
    EXPECT_EQ(sizeof *header + size, (size_t)read(peer, bytes, sizeof bytes));
    EXPECT_BYTES((const uint8_t *)header, bytes, sizeof *header);
    EXPECT_BYTES(packet, bytes + sizeof *header, size);
}

static void
test_receive_appends_until_the_device_is_empty(void)
{
    /* Without headers a packet is what was read, to be verified. */
    start(false);
    arrive(NULL, ipv4_tcp, 60);
    arrive(NULL, ipv6_tcp, 50);
    EXPECT_EQ(2, link_tun_receive(&tun, &ring.ring));
    EXPECT_EQ(0, link_tun_receive(&tun, &ring.ring));
    EXPECT_EQ(2, ring.ring.count);
    EXPECT_EQ(60, ring.slot[0].size);
    EXPECT_EQ(50, ring.slot[1].size);
    EXPECT_EQ(SYNCACHE_CHECKSUM_VERIFY, ring.slot[0].checksum);
    EXPECT_BYTES(ipv6_tcp, ring.memory + RING_SLOT_SIZE, 50);
    EXPECT_EQ(2, tun.received);
    stop();
}

static void
test_receive_into_a_full_ring_leaves_packets_with_the_kernel(void)
{
    /* Nothing is read that has no place. */
    start(false);
    for (int i = 0; i < RING_SLOTS + 1; i++)
        arrive(NULL, ipv4_tcp, 60);
    EXPECT_EQ(RING_SLOTS, link_tun_receive(&tun, &ring.ring));
    EXPECT_EQ(0, link_tun_receive(&tun, &ring.ring));
    ring.ring.count = 0;
    EXPECT_EQ(1, link_tun_receive(&tun, &ring.ring));
    stop();
}

static void
test_receive_of_nothing_ends_the_call(void)
{
    /* Not even a header, or no more than one; whatever errno was left behind. */
    for (int vnet_hdr = 0; vnet_hdr < 2; vnet_hdr++)
        for (int bytes = 0; bytes <= vnet_hdr; bytes++) {
            struct virtio_net_hdr header = {0};
            start(vnet_hdr);
            arrive(bytes ? &header : NULL, ipv4_tcp, 0);
            errno = EIO;
            EXPECT_EQ(0, link_tun_receive(&tun, &ring.ring));
            EXPECT_EQ(0, ring.ring.count);
            stop();
        }
}

static void
test_receive_drops_a_packet_longer_than_a_slot(void)
{
    /* One byte too many is counted, and the next packet takes its place. */
    static const uint8_t packet[RING_SLOT_SIZE + 1] = {0x45};
    for (int vnet_hdr = 0; vnet_hdr < 2; vnet_hdr++) {
        struct virtio_net_hdr header = {0};
        start(vnet_hdr);
        arrive(vnet_hdr ? &header : NULL, packet, RING_SLOT_SIZE + 1);
        arrive(vnet_hdr ? &header : NULL, packet, RING_SLOT_SIZE);
        EXPECT_EQ(1, link_tun_receive(&tun, &ring.ring));
        EXPECT_EQ(RING_SLOT_SIZE, ring.slot[0].size);
        EXPECT_EQ(1, tun.too_large);
        stop();
    }
}

static void
test_receive_turns_the_kernels_header_into_slot_fields(void)
{
    /* NEEDS_CSUM is PARTIAL, DATA_VALID is VALID, neither is VERIFY. */
    static const struct {
        uint8_t flags, gso_type, checksum;
        uint16_t gso_size, expected;
    } rows[] = {
        {VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4,
         SYNCACHE_CHECKSUM_PARTIAL, 1448, 1448},
        {VIRTIO_NET_HDR_F_DATA_VALID, VIRTIO_NET_HDR_GSO_NONE,
         SYNCACHE_CHECKSUM_VALID, 1448, 0},
        {0, VIRTIO_NET_HDR_GSO_NONE, SYNCACHE_CHECKSUM_VERIFY, 0, 0},
    };
    start(true);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct virtio_net_hdr header = {.flags = rows[i].flags,
                                        .gso_type = rows[i].gso_type,
                                        .gso_size = rows[i].gso_size,
                                        .csum_start = 1};
        arrive(&header, ipv4_tcp, 60);
        EXPECT_EQ(1, link_tun_receive(&tun, &ring.ring));
        EXPECT_EQ(60, ring.slot[i].size);
        EXPECT_EQ(rows[i].checksum, ring.slot[i].checksum);
        EXPECT_EQ(rows[i].expected, ring.slot[i].gso_size);
        EXPECT_EQ(i == 0 ? 1 : 0, ring.slot[i].csum_start);
        EXPECT_BYTES(ipv4_tcp, ring.memory + i * RING_SLOT_SIZE, 60);
    }
    stop();
}

static void
test_receive_from_a_device_that_is_gone_returns_its_errno(void)
{
    /* Only once no packet of it is left to hand over. */
    start(false);
    stop();
    EXPECT_EQ(-EBADF, link_tun_receive(&tun, &ring.ring));
    ring_push(&ring, ipv4_tcp, 60);
    EXPECT_EQ(-EBADF, link_tun_send(&tun, &ring.ring));
    EXPECT_EQ(0, ring.ring.next);
}

static void
test_send_to_a_device_that_goes_keeps_the_rest(void)
{
    start(false);
    for (int i = 0; i < 3; i++)
        ring_push(&ring, ipv4_tcp, 60);
    calls_left = 2;
    EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
    EXPECT_EQ(1, ring.ring.next);
    EXPECT_EQ(0, tun.send_failed);
    calls_left = 1;
    EXPECT_EQ(-EBADFD, link_tun_send(&tun, &ring.ring));
    stop();
}

static void
test_send_without_headers_is_the_packet_alone(void)
{
    uint8_t bytes[128];
    start(false);
    ring_push(&ring, ipv6_tcp, 60);
    EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
    EXPECT_EQ(60, read(peer, bytes, sizeof bytes));
    EXPECT_BYTES(ipv6_tcp, bytes, 60);
    stop();
}

static void
test_send_of_a_finished_packet_has_an_empty_header(void)
{
    /* The kernel is told nothing, so it verifies the checksum. */
    static const struct virtio_net_hdr header = {0};
    start(true);
    struct syncache_slot *slot = ring_push(&ring, ipv4_gre, 60);
    slot->link_size = 4;
    slot->size = 56;
    ring_push(&ring, ipv6_tcp, 60);
    EXPECT_EQ(2, link_tun_send(&tun, &ring.ring));
    expect_sent(&header, ipv4_gre + 4, 56);
    expect_sent(&header, ipv6_tcp, 60);
    EXPECT_EQ(2, tun.sent);
    stop();
}

static void
test_send_of_a_partial_checksum_says_where_it_belongs(void)
{
    /* The TCP checksum lies 16 bytes into the header that csum_start names. */
    static const uint8_t *const packets[] = {ipv4_tcp, ipv6_tcp};
    static const uint16_t starts[] = {20, 40};
    for (size_t i = 0; i < 2; i++) {
        struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                        .csum_start = starts[i],
                                        .csum_offset = 16};
        start(true);
        ring_push(&ring, packets[i], 60)->checksum = SYNCACHE_CHECKSUM_PARTIAL;
        EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
        expect_sent(&header, packets[i], 60);
        stop();
    }
}

static void
test_send_of_a_super_segment_says_how_to_cut_it(void)
{
    /* Only payload longer than gso_size needs cutting. */
    static const struct {
        uint16_t gso_size, size;
        uint8_t gso_type;
    } rows[] = {{19, 60, VIRTIO_NET_HDR_GSO_TCPV4},
                {20, 60, VIRTIO_NET_HDR_GSO_NONE}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        bool is_cut = rows[i].gso_type != VIRTIO_NET_HDR_GSO_NONE;
        struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                        .csum_start = 20,
                                        .csum_offset = 16,
                                        .gso_type = rows[i].gso_type,
                                        .gso_size =
                                            is_cut ? rows[i].gso_size : 0,
                                        .hdr_len = is_cut ? 40 : 0};
        start(true);
        struct syncache_slot *slot = ring_push(&ring, ipv4_tcp, rows[i].size);
        slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
        slot->gso_size = rows[i].gso_size;
        EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
        expect_sent(&header, ipv4_tcp, rows[i].size);
        stop();
    }
}

static void
test_send_passes_over_what_cannot_be_sent(void)
{
    /* A refused packet is counted and is no reason to stop. */
    static const struct {
        const char *name;
        const uint8_t *packet;
        bool vnet_hdr;
        uint8_t checksum;
        uint16_t gso_size;
    } rows[] = {
        {"partial without TCP or UDP", ipv4_gre, true,
         SYNCACHE_CHECKSUM_PARTIAL, 0},
        {"gso with a checksum", ipv4_tcp, true, SYNCACHE_CHECKSUM_VALID, 9},
        {"partial, no headers", ipv4_tcp, false, SYNCACHE_CHECKSUM_PARTIAL, 0},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        test_row = rows[i].name;
        start(rows[i].vnet_hdr);
        struct syncache_slot *slot = ring_push(&ring, rows[i].packet, 60);
        slot->checksum = rows[i].checksum;
        slot->gso_size = rows[i].gso_size;
        EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
        EXPECT_EQ(EINVAL, tun.send_error);
        ring_push(&ring, ipv4_tcp, 60);
        EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
        EXPECT_EQ(0, tun.send_error);
        EXPECT_EQ(1, tun.sent);
        EXPECT_EQ(1, tun.send_failed);
        stop();
    }
}

static void
test_send_to_a_full_device_keeps_the_rest(void)
{
    /* EAGAIN ends the call; the next one goes on with the same packet. */
    uint8_t bytes[64];
    start(false);
    int32_t sent;
    uint64_t total = 0;
    do {
        ring_clear(&ring);
        for (int i = 0; i < RING_SLOTS; i++)
            ring_push(&ring, ipv4_tcp, 60);
        sent = link_tun_send(&tun, &ring.ring);
        total += (uint64_t)sent;
    } while (sent == RING_SLOTS && total < 100000);
    EXPECT_TRUE(sent >= 0 && sent < RING_SLOTS);
    EXPECT_EQ((uint32_t)sent, ring.ring.next);
    while (read(peer, bytes, sizeof bytes) > 0)
        continue;
    EXPECT_EQ(RING_SLOTS - sent, link_tun_send(&tun, &ring.ring));
    EXPECT_EQ(0, tun.send_failed);
    stop();
}

static void
test_send_of_nothing_is_no_error(void)
{
    /* Whatever errno was left behind. */
    start(false);
    ring_push(&ring, ipv4_tcp, 0);
    errno = EAGAIN;
    EXPECT_EQ(1, link_tun_send(&tun, &ring.ring));
    EXPECT_EQ(0, tun.send_error);
    stop();
}

static const struct test tests[] = {
    TEST(test_receive_appends_until_the_device_is_empty),
    TEST(test_receive_into_a_full_ring_leaves_packets_with_the_kernel),
    TEST(test_receive_of_nothing_ends_the_call),
    TEST(test_receive_drops_a_packet_longer_than_a_slot),
    TEST(test_receive_turns_the_kernels_header_into_slot_fields),
    TEST(test_receive_from_a_device_that_is_gone_returns_its_errno),
    TEST(test_send_to_a_device_that_goes_keeps_the_rest),
    TEST(test_send_without_headers_is_the_packet_alone),
    TEST(test_send_of_a_finished_packet_has_an_empty_header),
    TEST(test_send_of_a_partial_checksum_says_where_it_belongs),
    TEST(test_send_of_a_super_segment_says_how_to_cut_it),
    TEST(test_send_passes_over_what_cannot_be_sent),
    TEST(test_send_to_a_full_device_keeps_the_rest),
    TEST(test_send_of_nothing_is_no_error),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/*
 * Packets without link header, to a sendmmsg() of this program's: which socket,
 * which address, in what pieces, and what is left when the kernel refuses.
 */
#define _GNU_SOURCE 1

#include "ring.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../../csrc/link/batch.h"

enum { FD4 = 104, FD6 = 106, LOG = 64, BIG_SLOT = 8192, TAKES_NONE = 9999 };

/* What the kernel was given, and how much of the next calls it takes. */
static struct {
    int fd;
    size_t size, pieces;
    struct sockaddr_in6 to;
    uint32_t seq;
} taken[LOG];
static uint32_t taken_count;
static int answers[8]; /* messages taken, TAKES_NONE, or -errno */
static uint32_t answer;

static struct test_ring ring;
static struct link_route route;
static uint64_t sent, refused;

int
sendmmsg(int fd, struct mmsghdr *message, unsigned count, int flags)
{
    int result = answers[answer] != 0 ? answers[answer++] : (int)count;
    EXPECT_TRUE((flags & MSG_DONTWAIT) && count <= BATCH_MAX);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    if (result == TAKES_NONE)
        return 0;
    if (result > (int)count)
        result = (int)count;
    for (int i = 0; i < result && taken_count < LOG; i++) {
        const struct msghdr *head = &message[i].msg_hdr;
        const uint8_t *packet = head->msg_iov[0].iov_base;
        const uint8_t *seq = packet + 24;
        taken[taken_count].fd = fd;
        taken[taken_count].size = 0;
        for (size_t j = 0; j < head->msg_iovlen; j++)
            taken[taken_count].size += head->msg_iov[j].iov_len;
        memcpy(&taken[taken_count].to, head->msg_name, head->msg_namelen);
        taken[taken_count].pieces = head->msg_iovlen;
        if (head->msg_iovlen == 2) /* its data begin with their number */
            EXPECT_EQ(taken_count % 5,
                      *(const uint8_t *)head->msg_iov[1].iov_base);
        taken[taken_count++].seq = (uint32_t)seq[2] << 8 | seq[3];
    }
    return result;
}

static void
start(void)
{
    ring_clear(&ring);
    route = (struct link_route){.fd4 = FD4, .fd6 = FD6, .ifindex = 9};
    memset(answers, 0, sizeof answers);
    taken_count = answer = 0;
    sent = refused = 0;
}

static const uint8_t ipv4[40] = {0x45, [9] = 6, [16] = 10,  0,
                                 0,    2,       [32] = 0x50};
static const uint8_t ipv6[60] = {0x60, [6] = 6, [24] = 0xfe, 0x80, [39] = 1};

static void
test_packets_go_to_the_socket_of_their_family(void)
{
    /* One call for each run of a family; a link-local address has a scope. */
    start();
    ring_push(&ring, ipv4, sizeof ipv4);
    ring_push(&ring, ipv4, sizeof ipv4);
    ring_push(&ring, ipv6, sizeof ipv6);
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(2, ring.ring.next);
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(3, ring.ring.next);
    EXPECT_EQ(3, sent);
    EXPECT_EQ(FD4, taken[0].fd);
    EXPECT_EQ(sizeof ipv4, taken[0].size);
    const struct sockaddr_in *to4 = (const void *)&taken[0].to;
    EXPECT_EQ(AF_INET, to4->sin_family);
    EXPECT_BYTES(ipv4 + 16, (const uint8_t *)&to4->sin_addr, 4);
    EXPECT_BYTES((const uint8_t[8]){0}, (const uint8_t *)to4->sin_zero, 8);
    EXPECT_EQ(1, taken[0].pieces);
    EXPECT_EQ(FD6, taken[2].fd);
    EXPECT_EQ(AF_INET6, taken[2].to.sin6_family);
    EXPECT_EQ(9, taken[2].to.sin6_scope_id);
    EXPECT_BYTES(ipv6 + 24, taken[2].to.sin6_addr.s6_addr, 16);
}

static void
test_frame_with_a_link_header_ends_a_run(void)
{
    /* It is another call's. */
    start();
    ring_push(&ring, ipv4, sizeof ipv4);
    ring_push(&ring, ipv4, sizeof ipv4)->link_size = 14;
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(1, ring.ring.next);
}

static void
test_packet_of_no_family_is_refused(void)
{
    /* So is one whose family has no socket, or that is too short. */
    static const uint8_t none[20] = {0};
    start();
    ring_push(&ring, none, sizeof none);
    ring_push(&ring, ipv4, 19);
    ring_push(&ring, ipv6, 39);
    ring_push(&ring, ipv6, sizeof ipv6);
    route.fd6 = -1;
    for (uint32_t i = 1; i <= 4; i++) {
        EXPECT_EQ(EINVAL, route_send(&route, &ring.ring, &sent, &refused));
        EXPECT_EQ(i, ring.ring.next);
    }
    EXPECT_EQ(4, refused);
    EXPECT_EQ(0, taken_count);
}

/* One super-segment of five segments in a ring of one slot. */
static struct syncache_ring
super_segment(uint8_t *memory, struct syncache_slot *slot)
{
    memset(memory, 0, BIG_SLOT);
    memcpy(memory, ipv4, sizeof ipv4);
    for (uint8_t i = 0; i < 5; i++)
        memory[sizeof ipv4 + 1000u * i] = i;
    *slot = (struct syncache_slot){.size = 40 + 5000,
                                   .checksum = SYNCACHE_CHECKSUM_PARTIAL,
                                   .gso_size = 1000,
                                   .request = UINT16_MAX};
    return (struct syncache_ring){.memory = memory,
                                  .slot = slot,
                                  .slots = 1,
                                  .slot_size = BIG_SLOT,
                                  .count = 1};
}

static void
test_super_segment_goes_out_in_pieces(void)
{
    /* Where the kernel stopped taking them it goes on. */
    static uint8_t memory[BIG_SLOT];
    struct syncache_slot slot;
    struct syncache_ring tx = super_segment(memory, &slot);
    start();
    answers[0] = 3;
    answers[1] = -EAGAIN;
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(0, tx.next);
    EXPECT_EQ(EAGAIN, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(0, tx.next);
    answers[1] = 0;
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(1, tx.next);
    EXPECT_EQ(1, sent);
    EXPECT_EQ(5, taken_count);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQ(1040, taken[i].size);
        EXPECT_EQ(1000 * i, taken[i].seq);
    }
    EXPECT_EQ(0, route.cut);
}

static void
test_segments_are_sent_to_the_last_byte_and_a_batch_at_a_time(void)
{
    static uint8_t memory[BIG_SLOT];
    struct syncache_slot slot;
    struct syncache_ring tx = super_segment(memory, &slot);
    start();
    slot.size = 40 + 4001;
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(5, taken_count);
    EXPECT_EQ(41, taken[4].size);

    tx = super_segment(memory, &slot);
    start();
    slot.gso_size = 10;
    slot.size = 40 + 10 * (BATCH_MAX + 1);
    for (uint32_t i = 0; i <= BATCH_MAX; i++)
        memory[sizeof ipv4 + 10 * i] = (uint8_t)(i % 5);
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(BATCH_MAX, route.cut);
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(1, tx.next);
}

static void
test_unfinished_packets_go_out_together(void)
{
    start();
    for (uint32_t i = 0; i < 3; i++)
        ring_push(&ring, ipv4, sizeof ipv4)->checksum =
            SYNCACHE_CHECKSUM_PARTIAL;
    ring.ring.count = 2; /* the third is one of before */
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(2, taken_count);
    EXPECT_EQ(2, ring.ring.next);
}

static void
test_socket_may_be_descriptor_0(void)
{
    /* An address that is not link-local has no scope, whatever follows it. */
    uint8_t global[sizeof ipv6];
    memcpy(global, ipv6, sizeof ipv6);
    global[24] = 0x20;
    global[40] = 0xee;
    start();
    memset(taken, 0, sizeof taken);
    route.fd4 = route.fd6 = 0;
    ring_push(&ring, ipv4, sizeof ipv4);
    ring_push(&ring, global, sizeof global);
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(2, taken_count);
    EXPECT_EQ(0, taken[1].fd);
    EXPECT_EQ(0, taken[1].to.sin6_scope_id);
}

static void
test_packet_behind_one_that_is_not_ready_waits_for_its_refusal(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        static const uint8_t gre[40] = {0x45, [9] = 47, [16] = 10, 0, 0, 2};
        start();
        struct syncache_slot *slot = ring_push(&ring, gre, sizeof gre);
        if (i == 0)
            slot->gso_size = 1;
        else
            slot->checksum = SYNCACHE_CHECKSUM_PARTIAL;
        ring_push(&ring, ipv4, sizeof ipv4);
        EXPECT_EQ(EINVAL, route_send(&route, &ring.ring, &sent, &refused));
        EXPECT_EQ(1, ring.ring.next);
        EXPECT_EQ(0, taken_count);
    }
}

static void
test_refusal_costs_the_whole_packet(void)
{
    /* The rest of a packet that has lost a segment is not worth sending. */
    static uint8_t memory[BIG_SLOT];
    struct syncache_slot slot;
    struct syncache_ring tx = super_segment(memory, &slot);
    start();
    answers[0] = 2;
    answers[1] = -EHOSTUNREACH;
    EXPECT_EQ(0, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(EHOSTUNREACH, route_send(&route, &tx, &sent, &refused));
    EXPECT_EQ(1, tx.next);
    EXPECT_EQ(1, refused);
    EXPECT_EQ(0, sent);
    EXPECT_EQ(0, route.cut);
}

static void
test_refusal_of_one_destination_is_not_of_the_link(void)
{
    EXPECT_TRUE(batch_is_of_one(ENETUNREACH) && batch_is_of_one(EHOSTUNREACH));
    EXPECT_TRUE(!batch_is_of_one(0) && !batch_is_of_one(ENOBUFS));
    EXPECT_TRUE(!batch_is_of_one(ENETDOWN));
}

static void
test_packet_that_is_not_ready_is_refused(void)
{
    /* A super-segment needs a checksum that is left to us, and TCP or UDP; the
     * packets in front of it go out. */
    static const uint8_t gre[40] = {0x45, [9] = 47, [16] = 10, 0, 0, 2};
    start();
    ring_push(&ring, ipv4, sizeof ipv4);
    ring_push(&ring, ipv4, sizeof ipv4)->gso_size = 1;
    ring_push(&ring, gre, sizeof gre)->checksum = SYNCACHE_CHECKSUM_PARTIAL;
    ring_push(&ring, ipv4, sizeof ipv4);
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(1, taken_count);
    EXPECT_EQ(EINVAL, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(EINVAL, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(3, ring.ring.next);
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(2, taken_count);
    EXPECT_EQ(2, refused);
}

static void
test_kernel_that_takes_none_is_asked_again_later(void)
{
    /* No packet is lost for it, whatever another call's error was. */
    start();
    ring_push(&ring, ipv4, sizeof ipv4);
    answers[0] = TAKES_NONE;
    errno = EINTR;
    EXPECT_EQ(0, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(0, ring.ring.next);
    EXPECT_EQ(0, refused);
}

static void
test_packet_stays_when_the_interface_is_gone(void)
{
    start();
    ring_push(&ring, ipv4, sizeof ipv4);
    answers[0] = -ENODEV;
    EXPECT_EQ(ENODEV, route_send(&route, &ring.ring, &sent, &refused));
    EXPECT_EQ(0, ring.ring.next);
    EXPECT_EQ(0, refused);
}

static const struct test tests[] = {
    TEST(test_packets_go_to_the_socket_of_their_family),
    TEST(test_frame_with_a_link_header_ends_a_run),
    TEST(test_packet_of_no_family_is_refused),
    TEST(test_super_segment_goes_out_in_pieces),
    TEST(test_segments_are_sent_to_the_last_byte_and_a_batch_at_a_time),
    TEST(test_unfinished_packets_go_out_together),
    TEST(test_socket_may_be_descriptor_0),
    TEST(test_packet_behind_one_that_is_not_ready_waits_for_its_refusal),
    TEST(test_refusal_costs_the_whole_packet),
    TEST(test_refusal_of_one_destination_is_not_of_the_link),
    TEST(test_packet_that_is_not_ready_is_refused),
    TEST(test_kernel_that_takes_none_is_asked_again_later),
    TEST(test_packet_stays_when_the_interface_is_gone),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

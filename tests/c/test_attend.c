/*
 * Waiting, and answering what a link has: over a pair of datagram sockets in
 * the place of a TUN device, as in test_tun.c.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include "cache.h"

#include "../../csrc/link/attend.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct cache_ring rx;
static struct link_tun tun;
static struct attempts attempts;
static struct link_attend attend;
static int peer, waits;

static void
start(void)
{
    int fds[2];
    struct epoll_event event = {.events = EPOLLIN};

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0)
        abort();
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    peer = fds[1];
    waits = epoll_create1(0);
    event.data.fd = fds[0];
    if (waits < 0 || epoll_ctl(waits, EPOLL_CTL_ADD, fds[0], &event) < 0)
        abort();
    ring_reset(&rx, CACHE_RING_SLOTS);
    ring_reset(&tx, CACHE_RING_SLOTS);
    tun = (struct link_tun){.fd = fds[0]};
    attempts_init(&attempts, cache_seed);
    attend = (struct link_attend){.tun = &tun,
                                  .attempts = &attempts,
                                  .rx = &rx.ring,
                                  .tx = &tx.ring,
                                  .fd = fds[0]};
    cache_defaults();
    cache_start();
}

static void
stop(void)
{
    close(tun.fd);
    close(peer);
    close(waits);
    cache_stop();
}

static void
ask(struct seg seg)
{
    uint32_t size = seg_build(&seg, cache_packet);

    EXPECT_EQ((ssize_t)size, send(peer, cache_packet, size, 0));
}

static void
test_syn_is_answered_and_counted(void)
{
    uint8_t answer[CACHE_PACKET_MAX];

    start();
    ask((struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)});
    link_attend(&attend, cache, now);
    EXPECT_EQ(1, attend.received);
    EXPECT_EQ(1, attend.sent);
    EXPECT_EQ(1, rx.ring.next);
    EXPECT_EQ(1, attempts.total);
    ssize_t size = recv(peer, answer, sizeof answer, 0);
    EXPECT_TRUE(size > 0);
    reply_read(answer, (size_t)size);
    EXPECT_EQ(SYN | ACK, reply.flags);
    EXPECT_EQ(peer_irs(1) + 1, reply.ack);
    stop();
}

static void
test_what_is_for_the_stack_stays_in_the_ring(void)
{
    start();
    attend.attempts = NULL;
    ask((struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)});
    link_attend(&attend, cache, now);
    uint8_t answer[CACHE_PACKET_MAX];
    ssize_t size = recv(peer, answer, sizeof answer, 0);
    reply_read(answer, (size_t)size);
    ask((struct seg){
        .peer = 1, .flags = ACK, .seq = peer_irs(1) + 1, .ack = reply.seq + 1});
    attend.received = attend.sent = 0;
    EXPECT_EQ(1, link_attend(&attend, cache, now));
    EXPECT_EQ(1, attend.received);
    EXPECT_EQ(0, attend.sent);
    EXPECT_EQ(1, rx.ring.passed_count);
    EXPECT_EQ(0, attempts.total);
    stop();
}

static void
test_what_comes_is_added_to_what_came(void)
{
    start();
    attend.received = attend.sent = 7; /* not taken yet */
    EXPECT_EQ(0, link_attend(&attend, cache, now));
    EXPECT_EQ(7, attend.received);
    EXPECT_EQ(7, attend.sent);
    ask((struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)});
    EXPECT_EQ(1, link_attend(&attend, cache, now));
    EXPECT_EQ(8, attend.received);
    EXPECT_EQ(8, attend.sent);
    stop();
}

static void
test_error_of_a_device_is_returned(void)
{
    start();
    close(tun.fd);
    attend.received = 7;
    EXPECT_EQ(-EBADF, link_attend(&attend, cache, now));
    EXPECT_EQ(-EBADF, attend.received);
    EXPECT_EQ(0, attend.sent);
    stop();
}

static void
test_wait_returns_events_and_the_time(void)
{
    struct link_event event[LINK_EVENTS_MAX];
    double before = -1, after = -1;

    start();
    EXPECT_EQ(0, link_wait(waits, 0, event, &before));
    EXPECT_EQ(0, link_wait(waits, link_now() + 0.001, event, &before));
    ask((struct seg){.peer = 1, .flags = SYN, .seq = peer_irs(1)});
    EXPECT_EQ(1, link_wait(waits, INFINITY, event, &after));
    EXPECT_EQ(tun.fd, event[0].fd);
    EXPECT_EQ(EPOLLIN, event[0].events);
    EXPECT_TRUE(before > 0 && before <= after);
    EXPECT_EQ(-EBADF, link_wait(-1, 0, event, &after));
    stop();
}

static const struct test tests[] = {
    TEST(test_syn_is_answered_and_counted),
    TEST(test_what_is_for_the_stack_stays_in_the_ring),
    TEST(test_what_comes_is_added_to_what_came),
    TEST(test_error_of_a_device_is_returned),
    TEST(test_wait_returns_events_and_the_time),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

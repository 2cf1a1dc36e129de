/*
 * Many TCP connections from the kernel's own TCP, one after the other, some at
 * once: handshake_client ADDRESS PORT COUNT AT_ONCE; prints JSON.
 *
 * Each connects, sends its number, and checks that the number comes back.  It
 * closes by a RST (SO_LINGER 0), so that no TIME-WAIT holds its port.  Whatever
 * fails is counted as refused, by its errno; a connection that is older than
 * PATIENCE_MS is ETIMEDOUT.  If its data was acknowledged, the handshake was complete
 * and whoever completed it has been lost since: after TIMEOUT_MS such are `orphaned`
 * instead.  `slow`
 * ones took so long that a SYN may have been lost.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/tcp.h> /* newer than the one of libc */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE_MAX 1024
#define TIMEOUT_MS 20000
#define PATIENCE_MS 90000
#define SLOW_MS 900 /* the kernel sends a SYN again after 1 s */
#define ERRNO_MAX 134

struct peer {
    int fd; /* -1: none */
    bool connected;
    uint64_t number[2]; /* sent, and the same inverted */
    uint64_t begun_ms;
};

static struct peer peers[AT_ONCE_MAX];
static struct sockaddr_storage server;
static socklen_t server_size;
static int poller;
static uint64_t started;
static uint64_t wanted;
static uint64_t done, orphaned, slow, timestamps, wscale, sack;
static uint64_t refused[ERRNO_MAX];

static uint64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
watch(struct peer *peer, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(poller, how, peer->fd, &event) != 0)
        die("epoll_ctl");
}

static void
begin(struct peer *peer)
{
    const struct linger linger = {.l_onoff = 1};
    peer->fd = -1;
    if (started == wanted)
        return;
    peer->number[0] = ++started;
    peer->number[1] = ~started;
    peer->connected = false;
    peer->begun_ms = now_ms();
    peer->fd = socket(server.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (peer->fd < 0)
        die("socket");
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (connect(peer->fd, (struct sockaddr *)&server, server_size) != 0 &&
        errno != EINPROGRESS)
        die("connect");
    watch(peer, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Was its data acknowledged, so that the handshake was complete? */
static bool
is_complete(const struct peer *peer)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        die("TCP_INFO");
    return peer->connected && info.tcpi_bytes_acked >= sizeof peer->number;
}

/* Closes one connection, counts it, and begins the next in its place. */
static void
end(struct peer *peer, int error)
{
    if (error == 0)
        done++;
    else if (is_complete(peer))
        orphaned++;
    else
        refused[error < ERRNO_MAX ? error : 0]++;
    close(peer->fd);
    begin(peer);
}

static void
note_options(const struct peer *peer)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        die("TCP_INFO");
    timestamps += (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
    wscale += (info.tcpi_options & TCPI_OPT_WSCALE) != 0;
    sack += (info.tcpi_options & TCPI_OPT_SACK) != 0;
    slow += now_ms() - peer->begun_ms > SLOW_MS;
}

static void
on_connected(struct peer *peer)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0 && send(peer->fd, peer->number, sizeof peer->number,
                           MSG_NOSIGNAL) != sizeof peer->number)
        error = EPIPE;
    if (error != 0) {
        end(peer, error);
        return;
    }
    note_options(peer);
    peer->connected = true;
    watch(peer, EPOLL_CTL_MOD, EPOLLIN);
}

static void
on_answer(struct peer *peer)
{
    uint64_t number[3];
    ssize_t size = recv(peer->fd, number, sizeof number, 0);
    if (size < 0)
        end(peer, errno);
    else if (size != sizeof peer->number ||
             memcmp(number, peer->number, sizeof peer->number) != 0)
        end(peer, EPROTO);
    else
        end(peer, 0);
}

static void
end_the_late(size_t at_once)
{
    uint64_t now = now_ms();
    for (size_t i = 0; i < at_once; i++) {
        struct peer *peer = &peers[i];
        if (peer->fd < 0 || now - peer->begun_ms <= TIMEOUT_MS)
            continue;
        if (now - peer->begun_ms > PATIENCE_MS || is_complete(peer))
            end(peer, ETIMEDOUT);
    }
}

static void
run(size_t at_once)
{
    struct epoll_event events[64];
    uint64_t looked_ms = now_ms();
    for (size_t i = 0; i < at_once; i++)
        begin(&peers[i]);
    for (uint64_t ended = 0; ended < wanted;) {
        int count = epoll_wait(poller, events, 64, 1000);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->connected)
                on_answer(peer);
            else
                on_connected(peer);
        }
        if (now_ms() - looked_ms > 1000) {
            end_the_late(at_once);
            looked_ms = now_ms();
        }
        ended = done + orphaned;
        for (size_t i = 0; i < ERRNO_MAX; i++)
            ended += refused[i];
    }
}

static void
resolve(const char *address, const char *port)
{
    struct sockaddr_in *v4 = (void *)&server;
    struct sockaddr_in6 *v6 = (void *)&server;
    uint16_t number = htons((uint16_t)atoi(port));
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = number;
        server_size = sizeof *v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = number;
        server_size = sizeof *v6;
    } else {
        die(address);
    }
}

int
main(int argc, char **argv)
{
    size_t at_once = argc == 5 ? (size_t)atoi(argv[4]) : 0;
    if (at_once < 1 || at_once > AT_ONCE_MAX) {
        fprintf(stderr, "handshake_client ADDRESS PORT COUNT AT_ONCE\n");
        return 2;
    }
    resolve(argv[1], argv[2]);
    wanted = strtoull(argv[3], NULL, 10);
    poller = epoll_create1(0);
    uint64_t begun = now_ms();
    run(at_once);
    printf("{\"done\": %" PRIu64 ", \"orphaned\": %" PRIu64
           ", \"slow\": %" PRIu64 ", \"timestamps\": %" PRIu64
           ", \"wscale\": %" PRIu64 ", \"sack\": %" PRIu64
           ", \"seconds\": %.3f, \"refused\": {",
           done, orphaned, slow, timestamps, wscale, sack,
           (double)(now_ms() - begun) / 1000);
    const char *comma = "";
    for (int i = 0; i < ERRNO_MAX; i++) {
        if (refused[i] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, comma, strerror(i), refused[i]);
        comma = ", ";
    }
    printf("}}\n");
    return 0;
}

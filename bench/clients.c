/*
 * clients.c: legitimate clients of the machine's own kernel, and their server.
 *
 *     clients serve ADDRESS PORT
 *     clients connect ADDRESS PORT COUNT INTERVAL_MS TIMEOUT_MS [again]
 *
 * `connect` opens a connection every INTERVAL_MS, sends one byte when it is
 * established and waits for one byte; each has TIMEOUT_MS in all.  It prints
 * one JSON line: milliseconds to the connection and to the answer, of those
 * that got so far.  With `again` every second one takes the port of the one
 * before, whose connection the server closed first and has in TIME-WAIT; the
 * line says how many could.  `serve` accepts, echoes one byte and closes; it prints
 * "ready" and ends when its standard input does.
 *
 * Not here: the flood; flood.c.
 */
#define _GNU_SOURCE 1 /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define BACKLOG 4096
#define EVENTS 64
/* Our own start takes the processor from a flood, which then sends what it owes. */
#define SETTLES_US 200000

struct client {
    int fd;
    uint16_t port;                            /* network order */
    double start_ms, connected_ms, served_ms; /* 0: not yet */
};

struct crowd {
    struct sockaddr_storage server;
    struct client client[CLIENTS_MAX];
    int count, started, open, epoll;
    int reused; /* clients that had the port of the one before */
    bool again;
    double interval_ms, timeout_ms;
};

static void
fail(const char *what)
{
    fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static socklen_t
address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static void
watch(int epoll, int fd, uint32_t events, uint32_t number)
{
    struct epoll_event event = {.events = events, .data = {.u32 = number}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll");
}

/* Gives a client the port of another one that is done. */
static void
take_port(struct crowd *crowd, struct client *client, uint16_t port)
{
    struct sockaddr_storage any = {.ss_family = crowd->server.ss_family};
    int on = 1;

    /* Both families have it in the same place. */
    ((struct sockaddr_in *)&any)->sin_port = port;
    setsockopt(client->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(client->fd, (struct sockaddr *)&any, address_size(&any)) == 0)
        crowd->reused++;
}

static uint16_t
port_of(int fd)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;

    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
        fail("getsockname");
    return ((struct sockaddr_in *)&own)->sin_port;
}

static void
start_one(struct crowd *crowd)
{
    struct client *client = &crowd->client[crowd->started];

    client->fd =
        socket(crowd->server.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail("socket");
    if (crowd->again && crowd->started % 2 == 1 && client[-1].served_ms > 0 &&
        client[-1].fd < 0)
        take_port(crowd, client, client[-1].port);
    client->start_ms = now_ms();
    if (connect(client->fd, (struct sockaddr *)&crowd->server,
                address_size(&crowd->server)) < 0 &&
        errno != EINPROGRESS)
        fail("connect");
    client->port = port_of(client->fd);
    watch(crowd->epoll, client->fd, EPOLLOUT, (uint32_t)crowd->started);
    crowd->started++;
    crowd->open++;
}

static void
leave(struct crowd *crowd, struct client *client)
{
    close(client->fd);
    client->fd = -1;
    crowd->open--;
}

/* Goes on with a client whose socket became ready. */
static void
proceed(struct crowd *crowd, uint32_t number)
{
    struct client *client = &crowd->client[number];
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
    int error = 0;
    socklen_t size = sizeof error;
    char byte = 'x';

    if (client->connected_ms > 0) {
        bool answered = read(client->fd, &byte, 1) == 1;
        if (answered)
            client->served_ms = now_ms() - client->start_ms;
        /* Whoever closes second leaves TIME-WAIT to the other. */
        if (!answered || !crowd->again)
            leave(crowd, client);
        return;
    }
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0)
        client->connected_ms = now_ms() - client->start_ms;
    if (error != 0 || write(client->fd, &byte, 1) != 1)
        leave(crowd, client);
    else
        epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void
give_up_late_ones(struct crowd *crowd)
{
    for (int i = 0; i < crowd->started; i++) {
        struct client *client = &crowd->client[i];
        if (client->fd >= 0 && now_ms() - client->start_ms > crowd->timeout_ms)
            leave(crowd, client);
    }
}

static void
print_times(const struct crowd *crowd, const char *name, size_t offset)
{
    const char *comma = "";

    printf("\"%s\": [", name);
    for (int i = 0; i < crowd->count; i++) {
        double ms;
        memcpy(&ms, (const char *)&crowd->client[i] + offset, sizeof ms);
        if (ms > 0) {
            printf("%s%.4f", comma, ms);
            comma = ", ";
        }
    }
    printf("]");
}

static void
connect_all(struct crowd *crowd)
{
    struct epoll_event event[EVENTS];

    usleep(SETTLES_US);
    double start = now_ms();

    while (crowd->started < crowd->count || crowd->open > 0) {
        if (crowd->started < crowd->count &&
            now_ms() - start >= crowd->interval_ms * crowd->started)
            start_one(crowd);
        int n = epoll_wait(crowd->epoll, event, EVENTS, 1);
        for (int i = 0; i < n; i++)
            proceed(crowd, event[i].data.u32);
        give_up_late_ones(crowd);
    }
    printf("{");
    print_times(crowd, "connect_ms", offsetof(struct client, connected_ms));
    printf(", ");
    print_times(crowd, "served_ms", offsetof(struct client, served_ms));
    printf(", \"reused\": %d}\n", crowd->reused);
}

/* Echoes the byte of whoever is ready; new ones are accepted. */
static void
serve_one(int epoll, int listener, int fd)
{
    char byte;

    if (fd == listener) {
        int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (peer >= 0)
            watch(epoll, peer, EPOLLIN, (uint32_t)peer);
        return;
    }
    if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
        perror("clients: write");
    close(fd);
}

static void
serve(const struct sockaddr_storage *address)
{
    int on = 1;
    int listener = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    struct epoll_event event[EVENTS];
    struct rlimit files;

    /* Whoever connects and says nothing stays. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)address,
             address_size(address)) < 0 ||
        listen(listener, BACKLOG) < 0)
        fail("cannot listen");
    watch(epoll, listener, EPOLLIN, (uint32_t)listener);
    watch(epoll, STDIN_FILENO, EPOLLIN, STDIN_FILENO);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll, event, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (event[i].data.u32 == STDIN_FILENO)
                return;
            serve_one(epoll, listener, (int)event[i].data.u32);
        }
    }
}

static bool
parse_address(const char *text, const char *port,
              struct sockaddr_storage *address)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    uint16_t number = htons((uint16_t)atoi(port));

    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = number;
        return true;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = number;
    return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

int
main(int argc, char **argv)
{
    static struct crowd crowd;

    if (argc < 4 || !parse_address(argv[2], argv[3], &crowd.server)) {
        fprintf(stderr, "usage: clients serve ADDRESS PORT\n"
                        "       clients connect ADDRESS PORT COUNT INTERVAL_MS "
                        "TIMEOUT_MS [again]\n");
        return 2;
    }
    if (strcmp(argv[1], "serve") == 0) {
        serve(&crowd.server);
    } else if (argc == 7 || argc == 8) {
        crowd.again = argc == 8;
        crowd.count = atoi(argv[4]);
        if (crowd.count > CLIENTS_MAX)
            crowd.count = CLIENTS_MAX;
        crowd.interval_ms = atof(argv[5]);
        crowd.timeout_ms = atof(argv[6]);
        crowd.epoll = epoll_create1(0);
        connect_all(&crowd);
    }
    return 0;
}

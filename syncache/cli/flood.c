/*
 * flood.c: a bounded SYN flood for the demonstration and the benchmarks.
 *
 *     flood INTERFACE DESTINATION PORT PER_SECOND SECONDS
 *
 * Sends SYNs with the options of a Linux client, from random addresses in 10/8
 * and random ports, straight into an interface without link header (a TUN
 * device), and prints how many the interface took.  It is bounded by count and
 * by time, and it refuses destinations outside 198.18.0.0/15, which RFC 2544
 * sets aside for benchmarks: it is no tool against anybody.
 *
 * Not here: answers.  Whoever listens counts what arrived.
 */
#define _GNU_SOURCE /* sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64         /* packets a system call */
#define PACKET_SIZE 60   /* IPv4 20, TCP 20, options 20 */
#define SECONDS_MAX 60.0 /* whatever is asked for */
#define PER_SECOND_MAX 2e6
#define NAP_NS 100000 /* while ahead of the rate */

/* Everything but addresses, ports, ISN, TSval and checksums. */
static const uint8_t template
    [PACKET_SIZE] = {0x45, 0, 0,    PACKET_SIZE, 0,    0,    0x40, 0,    64, 6,
                     0,    0, /* IPv4, DF */
                     10,   0, 0,    0,           0,    0,    0,    0,    0,  0,
                     0,    0, 0,    0,           0,    0, /* addresses ... */
                     0,    0, 0,    0,           0xa0, 0x02, 0xfa, 0xf0, 0,  0,
                     0,    0, /* SYN, window */
                     2,    4, 0x05, 0xb4,        4,    2,    8,    10,   0,  0,
                     0,    0, 0,    0,           0,    0,    1,    3,    3,  7};

static uint64_t
random_next(uint64_t *state)
{
    /* xorshift64*: this is noise, not a secret. */
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1d;
}

static uint32_t
sum_words(const uint8_t *bytes, size_t bytes_size, uint32_t sum)
{
    for (size_t i = 0; i < bytes_size; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    return sum;
}

static void
store_checksum(uint8_t *place, uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t folded = htons((uint16_t)~sum);
    memcpy(place, &folded, sizeof folded);
}

/* Makes one SYN from a new peer. */
static void
make_syn(uint8_t *packet, uint32_t daddr_be, uint16_t dport_be, uint64_t *state)
{
    uint64_t who = random_next(state), what = random_next(state);

    memcpy(packet, template, PACKET_SIZE);
    memcpy(packet + 13, &who, 3);
    memcpy(packet + 16, &daddr_be, 4);
    memcpy(packet + 20, (uint8_t *)&who + 4, 2);
    packet[20] |= 0x04; /* no port below 1024 */
    memcpy(packet + 22, &dport_be, 2);
    memcpy(packet + 24, &what, 8); /* ISN; what else it hits is zeroed */
    memset(packet + 28, 0, 4);
    memcpy(packet + 48, (uint8_t *)&what + 4, 4);
    store_checksum(packet + 10, sum_words(packet, 20, 0));
    store_checksum(packet + 36, sum_words(packet + 12, PACKET_SIZE - 12,
                                          6 + PACKET_SIZE - 20));
}

static double
seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Opens a packet socket that sends into the interface past its queue. */
static int
open_interface(const char *name, struct sockaddr_ll *to)
{
    int on = 1, room = 1 << 20;
    int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    memset(to, 0, sizeof *to);
    to->sll_family = AF_PACKET;
    to->sll_protocol = htons(ETH_P_IP);
    to->sll_ifindex = (int)if_nametoindex(name);
    if (to->sll_ifindex != 0)
        return fd;
    fprintf(stderr, "flood: no interface %s\n", name);
    exit(1);
}

/* Sends at the given rate until the time is over; returns what was sent. */
static uint64_t
flood(int fd, struct sockaddr_ll *to, uint32_t daddr_be, uint16_t dport_be,
      const double rate_and_time[static 2])
{
    static uint8_t packet[BATCH][PACKET_SIZE];
    struct mmsghdr message[BATCH] = {0};
    struct iovec part[BATCH];
    uint64_t state = 0x9e3779b97f4a7c15, sent = 0;
    double rate = rate_and_time[0], start = seconds_now(), gone;

    for (int i = 0; i < BATCH; i++) {
        part[i] = (struct iovec){packet[i], PACKET_SIZE};
        message[i].msg_hdr.msg_name = to;
        message[i].msg_hdr.msg_namelen = sizeof *to;
        message[i].msg_hdr.msg_iov = &part[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    while ((gone = seconds_now() - start) < rate_and_time[1]) {
        if ((double)(sent + BATCH) > gone * rate) {
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
            continue;
        }
        for (int i = 0; i < BATCH; i++)
            make_syn(packet[i], daddr_be, dport_be, &state);
        int n = sendmmsg(fd, message, BATCH, 0);
        if (n > 0)
            sent += (uint64_t)n;
        else if (errno != ENOBUFS && errno != EAGAIN)
            break;
        else
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
    }
    return sent;
}

int
main(int argc, char **argv)
{
    struct sockaddr_ll to;
    struct in_addr destination;

    if (argc != 6 || inet_pton(AF_INET, argv[2], &destination) != 1) {
        fprintf(stderr, "usage: flood INTERFACE DESTINATION PORT PER_SECOND "
                        "SECONDS\n");
        return 2;
    }
    if ((ntohl(destination.s_addr) & 0xfffe0000) != 0xc6120000) {
        fprintf(stderr, "flood: only to 198.18.0.0/15\n");
        return 1;
    }
    double rate = atof(argv[4]), time = atof(argv[5]);
    if (rate > PER_SECOND_MAX)
        rate = PER_SECOND_MAX;
    if (time > SECONDS_MAX)
        time = SECONDS_MAX;
    int fd = open_interface(argv[1], &to);
    if (fd < 0) {
        perror("flood: packet socket");
        return 1;
    }
    uint64_t sent =
        flood(fd, &to, destination.s_addr, htons((uint16_t)atoi(argv[3])),
              (double[2]){rate, time});
    printf("%llu\n", (unsigned long long)sent);
    return 0;
}

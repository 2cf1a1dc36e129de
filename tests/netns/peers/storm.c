/*
 * A flood of one kind, IPv4 or IPv6, bounded in rate and time:
 *
 *     storm INTERFACE MAC KIND TARGET PORT PER_SECOND SECONDS
 *
 * KIND is what goes out, as frames to MAC, checksums right:
 *
 *     syn ack fin rst udp   from sources that do not exist
 *     fragments             first and later ones of SYNs, by turns
 *     duplicates            one SYN again and again
 *     established           one connection, once made: SYN, RST, ACK, data
 *     silent                handshakes completed from one prefix, then nothing
 *     sowed                 the same from every prefix there is
 *
 * Sources are in 10/8 and fd00:10::/32.  Whatever comes back to these is read;
 * who answers costs the flooder nothing else.  Says "flooding" to standard error
 * as soon as it does, for `established` once the connection is there (it fails
 * if that takes HANDSHAKE_SECONDS).  Prints one JSON line in the end: packets
 * sent, packets that came back, handshakes completed.  Refuses targets outside
 * 198.18.0.0/15 (RFC 2544) and fd00::/8.
 */
#define _GNU_SOURCE /* sendmmsg */
#include "storm_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define SECONDS_MAX 60.0
#define PER_SECOND_MAX 200000.0
#define SLEEP_NS 500000
#define HANDSHAKE_SECONDS 20.0
#define AGAIN_SECONDS 0.25 /* a SYN or its SYN-ACK was lost */

static const char *const kind_name[KIND_COUNT] = {
    "syn",       "ack",        "fin",         "rst",    "udp",
    "fragments", "duplicates", "established", "silent", "sowed"};

static void
fail(const char *what)
{
    fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
add_datagram(struct storm *storm)
{
    uint8_t source[16], *udp = upper(storm);

    draw_source(storm, source, true);
    memset(udp, 0, 20);
    put(udp, 1024 + draw(storm) % 60000, 2);
    put(udp + 2, 1024 + draw(storm) % 60000, 2);
    put(udp + 4, 20, 2);
    put(udp + 6, checksum(storm, source, udp, 20, 17), 2);
    finish(storm, source, 17, 20, 0);
}

static void
add_stranger(struct storm *storm, bool spread, uint8_t flags, uint32_t fragment)
{
    struct segment segment = {.sport = (uint16_t)(1024 + draw(storm) % 60000),
                              .flags = flags,
                              .seq = draw(storm),
                              .ack = flags & ACK ? draw(storm) : 0};

    draw_source(storm, segment.source, spread);
    add_segment(storm, &segment, fragment);
}

/* A SYN, a RST in the window, an ACK, data in the window or before it. */
static void
add_known(struct storm *storm)
{
    struct segment segment = storm->peer;
    uint32_t turn = (uint32_t)storm->sent + storm->count;

    segment.flags = ACK;
    switch (turn % 4) {
    case 0:
        segment.flags = SYN;
        segment.seq += draw(storm) % 60000;
        break;
    case 1:
        segment.flags = RST;
        segment.seq += 1 + draw(storm) % 30000;
        break;
    case 2:
        break;
    default:
        segment.seq += draw(storm) % 60000 - 30000;
        segment.payload_size = 100;
        break;
    }
    add_segment(storm, &segment, 0);
}

static void
add_one(struct storm *storm)
{
    switch (storm->kind) {
    case KIND_UDP:
        add_datagram(storm);
        break;
    case KIND_FRAGMENTS:
        /* More follow, from 0 on; the last, from byte 1480 on. */
        add_stranger(storm, true, SYN, draw(storm) % 2 ? 0x2000 : 185);
        break;
    case KIND_DUPLICATES:
        add_segment(storm, &storm->peer, 0);
        break;
    case KIND_ESTABLISHED:
        add_known(storm);
        break;
    case KIND_SILENT:
        add_stranger(storm, false, SYN, 0);
        break;
    case KIND_ACK:
        add_stranger(storm, true, ACK, 0);
        break;
    case KIND_FIN:
        add_stranger(storm, true, FIN | ACK, 0);
        break;
    case KIND_RST:
        add_stranger(storm, true, RST, 0);
        break;
    default:
        add_stranger(storm, true, SYN, 0);
        break;
    }
}

static void
flush(struct storm *storm)
{
    struct mmsghdr message[BATCH];
    struct iovec part[BATCH];

    memset(message, 0, sizeof message);
    for (unsigned i = 0; i < storm->count; i++) {
        part[i].iov_base = storm->frame[i];
        part[i].iov_len = storm->size[i];
        message[i].msg_hdr.msg_iov = &part[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
    /* What the interface does not take is lost, as on any network. */
    int taken = sendmmsg(storm->socket, message, storm->count, 0);
    if (taken < 0 && errno != ENOBUFS && errno != EAGAIN)
        fail("send");
    storm->sent += storm->count;
    storm->count = 0;
}

/* A SYN-ACK that came back: the flooder completes its handshake. */
static void
complete(struct storm *storm, const uint8_t *source, const uint8_t *tcp)
{
    struct segment segment = {.sport = (uint16_t)get(tcp + 2, 2),
                              .flags = ACK,
                              .seq = get(tcp + 8, 4),
                              .ack = get(tcp + 4, 4) + 1};

    memcpy(segment.source, source, storm->family == 4 ? 4 : 16);
    if (storm->kind == KIND_ESTABLISHED) {
        if (segment.sport != storm->peer.sport || storm->established)
            return;
        storm->established = true;
        storm->peer = segment;
    } else if (storm->kind != KIND_SILENT && storm->kind != KIND_SOWED) {
        return;
    }
    storm->completed++;
    if (storm->count == BATCH)
        flush(storm);
    add_segment(storm, &segment, 0);
}

static void
hear(struct storm *storm)
{
    uint8_t frame[2048];
    ssize_t size;

    while ((size = recv(storm->socket, frame, sizeof frame, MSG_DONTWAIT)) >
           0) {
        const uint8_t *ip = frame + 14;
        unsigned header = storm->family == 4 ? (ip[0] & 15u) * 4 : 40;

        storm->heard++;
        if ((size_t)size < 14 + header + 20 ||
            ip[storm->family == 4 ? 9 : 6] != 6)
            continue;
        const uint8_t *tcp = ip + header;
        if ((tcp[13] & (SYN | ACK)) == (SYN | ACK))
            complete(storm, ip + (storm->family == 4 ? 16 : 24), tcp);
    }
}

/* The socket hears what comes for sources of ours, and nothing else. */
static void
listen_for_sources(struct storm *storm)
{
    bool four = storm->family == 4;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, four ? 14 + 16 : 14 + 24),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, four ? 0xff000000 : 0xffffffff),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, four ? 0x0a000000 : 0xfd000010, 0,
                 1),
        BPF_STMT(BPF_RET | BPF_K, 2048),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = 5, .filter = code};
    int on = 1, room = 8 << 20;

    if (setsockopt(storm->socket, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                   sizeof program) < 0 ||
        setsockopt(storm->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
                   sizeof on) < 0)
        fail("filter");
    setsockopt(storm->socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

static void
open_interface(struct storm *storm, const char *name, const char *mac)
{
    uint16_t type = storm->family == 4 ? ETH_P_IP : ETH_P_IPV6;
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(type),
                             .sll_ifindex = (int)if_nametoindex(name)};
    struct ifreq ask = {0};
    unsigned part[6];

    /* Bound once it has its filter. */
    storm->socket = socket(AF_PACKET, SOCK_RAW, 0);
    if (storm->socket < 0)
        fail("packet socket");
    listen_for_sources(storm);
    if (bind(storm->socket, (struct sockaddr *)&at, sizeof at) < 0)
        fail(name);
    snprintf(ask.ifr_name, sizeof ask.ifr_name, "%s", name);
    if (ioctl(storm->socket, SIOCGIFHWADDR, &ask) < 0 ||
        sscanf(mac, "%x:%x:%x:%x:%x:%x", &part[0], &part[1], &part[2], &part[3],
               &part[4], &part[5]) != 6)
        fail(mac);
    for (int i = 0; i < 6; i++)
        storm->ethernet[i] = (uint8_t)part[i];
    memcpy(storm->ethernet + 6, ask.ifr_hwaddr.sa_data, 6);
    put(storm->ethernet + 12, type, 2);
}

static void
aim(struct storm *storm, const char *target, const char *port, const char *kind)
{
    bool four = inet_pton(AF_INET, target, storm->target) == 1;

    storm->family = four ? 4 : 6;
    if (four ? (get(storm->target, 4) & 0xfffe0000) != 0xc6120000
             : inet_pton(AF_INET6, target, storm->target) != 1 ||
                   storm->target[0] != 0xfd) {
        fprintf(stderr, "storm: only to 198.18.0.0/15 and fd00::/8\n");
        exit(1);
    }
    storm->port = (uint16_t)atoi(port);
    while (storm->kind < KIND_COUNT && strcmp(kind, kind_name[storm->kind]))
        storm->kind++;
    if (storm->kind == KIND_COUNT) {
        fprintf(stderr, "storm: no kind %s\n", kind);
        exit(2);
    }
    storm->peer = (struct segment){
        .sport = (uint16_t)(20000 + draw(storm) % 20000),
        .flags = SYN,
        .seq = draw(storm),
    };
    draw_source(storm, storm->peer.source, false);
}

/* The one connection, which is a client's as any other. */
static void
connect_once(struct storm *storm)
{
    double start = now(), again = start;

    while (!storm->established && now() - start < HANDSHAKE_SECONDS) {
        if (now() >= again) {
            add_segment(storm, &storm->peer, 0);
            again += AGAIN_SECONDS;
        }
        nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
        hear(storm);
        flush(storm);
    }
    if (!storm->established) {
        fprintf(stderr, "storm: no handshake\n");
        exit(1);
    }
}

static void
run(struct storm *storm, double rate, double seconds)
{
    double start = now(), end = start + seconds;

    fputs("flooding\n", stderr);
    for (double at = start; at < end; at = now()) {
        while (storm->count < BATCH &&
               (double)(storm->sent + storm->count) < (at - start) * rate)
            add_one(storm);
        if (storm->count < BATCH)
            nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
        hear(storm);
        flush(storm);
    }
    printf("{\"sent\": %llu, \"heard\": %llu, \"completed\": %llu}\n",
           (unsigned long long)storm->sent, (unsigned long long)storm->heard,
           (unsigned long long)storm->completed);
}

static double
bounded(const char *text, double limit)
{
    double value = atof(text);
    return value > limit ? limit : value;
}

int
main(int argc, char **argv)
{
    static struct storm storm;

    if (argc != 8) {
        fprintf(stderr, "usage: storm INTERFACE MAC KIND TARGET PORT "
                        "PER_SECOND SECONDS\n");
        return 2;
    }
    storm.random = (uint64_t)(now() * 1e9) | 1;
    aim(&storm, argv[4], argv[5], argv[3]);
    open_interface(&storm, argv[1], argv[2]);
    if (storm.kind == KIND_ESTABLISHED)
        connect_once(&storm);
    run(&storm, bounded(argv[6], PER_SECOND_MAX),
        bounded(argv[7], SECONDS_MAX));
    return 0;
}

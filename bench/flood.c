/*
 * flood.c: a bounded SYN flood on a veth pair, and the counter of its answers.
 *
 *     flood INTERFACE MAC ADDRESS PORT PER_SECOND WARM_SECONDS SECONDS [xdp]
 *
 * Sends SYNs with the options of a Linux client from random addresses in 10/8,
 * random ports, ISNs and timestamps, checksums right, to ADDRESS behind MAC.
 * SYN-ACKs that come back to 10/8 are counted at this end and dropped.  Prints
 * one JSON line of the window that follows the warm-up, and that SIGTERM ends
 * before its time: seconds, generated, answered (SYN-ACKs) and others (whatever
 * else came to 10/8: RSTs, say).
 * PER_SECOND 0 sends as fast as it goes.  With `xdp` the answers are counted by
 * an XDP program, which frames that a peer transmits in place (XDP_TX) need: tc
 * sees none of them.
 *
 * The frames are made by an XDP program which the kernel runs on live frames
 * (BPF_PROG_TEST_RUN) and which redirects them into the interface: 4 to 5
 * million a second where a packet socket makes one, which is less than what
 * some of the listeners answer.  The programs are written here by hand and
 * loaded by bpf(2); Linux 6.6 or newer, root.
 *
 * Bounded by count and by time, and it refuses addresses outside
 * 198.18.0.0/15, which RFC 2544 sets aside for benchmarks.
 */
#define _GNU_SOURCE /* pthread_kill, sched_setscheduler, CPU time */
#include "flood_bpf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SECONDS_MAX 60.0 /* whatever is asked for */
#define PER_SECOND_MAX 15e6
#define REPEAT_MAX 900000000 /* PER_SECOND_MAX for SECONDS_MAX */
#define BATCH 64             /* frames between two looks at signals */
#define MEASURING_PRIORITY 50

/* Everything but what changes from frame to frame, and the checksums. */
static const uint8_t template[FRAME_SIZE] = {0,    0,    0,    0,    0, 0,
                                             0x02, 0,    0,    0,    0, 1,
                                             0x08, 0x00, /* Ethernet, IPv4 */
                                             0x45, 0,    0,    60,   0, 0,
                                             0x40, 0,    64,   6,    0, 0,
                                             0,    0,    0,    0,    0, 0,
                                             0,    0, /* DF */
                                             0,    0,    0,    0,    0, 0,
                                             0,    0,    0,    0,    0, 0,
                                             0xa0, 0x02, 0xfa, 0xf0, 0, 0,
                                             0,    0, /* SYN */
                                             2,    4,    0x05, 0xb4, 4, 2,
                                             8,    10,   0,    0,    0, 0,
                                             0,    0,    0,    0,    1, 3,
                                             3,    7};

struct window {
    struct flood_state *state;
    double warm, seconds;
    pthread_t generator;
};

static void
fail(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t
nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Or until SIGTERM, which every thread holds back; false once that has come. */
static bool
sleep_until(uint64_t when_ns)
{
    sigset_t ends;
    uint64_t now_ns;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    while ((now_ns = nanoseconds()) < when_ns) {
        uint64_t left = when_ns - now_ns;
        struct timespec t = {.tv_sec = (time_t)(left / 1000000000u),
                             .tv_nsec = (long)(left % 1000000000u)};
        if (sigtimedwait(&ends, NULL, &t) == SIGTERM)
            return false;
    }
    return true;
}

/* Reads the counters at both ends of the window, prints it, ends the flood. */
static void *
measure(void *argument)
{
    const struct window *window = argument;
    volatile const struct flood_state *state = window->state;
    uint64_t start = nanoseconds();

    sched_setscheduler(
        0, SCHED_FIFO,
        &(struct sched_param){.sched_priority = MEASURING_PRIORITY});
    bool goes_on = sleep_until(start + (uint64_t)(window->warm * 1e9));
    uint64_t sent = state->sent, answered = state->answered;
    uint64_t others = state->others;
    start = nanoseconds();
    if (goes_on)
        sleep_until(start + (uint64_t)(window->seconds * 1e9));
    printf("{\"generated\": %llu, \"answered\": %llu, \"others\": %llu, "
           "\"seconds\": %.6f}\n",
           (unsigned long long)(state->sent - sent),
           (unsigned long long)(state->answered - answered),
           (unsigned long long)(state->others - others),
           (double)(nanoseconds() - start) * 1e-9);
    fflush(stdout);
    /* The test run looks for signals between batches. */
    pthread_kill(window->generator, SIGALRM);
    return NULL;
}

/* Sums 16-bit words as they lie; RFC 1071 2 (B): the byte order is no matter. */
static uint64_t
sum_words(const uint8_t *bytes, size_t bytes_size)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes_size; i += 2) {
        uint16_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    return sum;
}

static void
parse_mac(const char *text, uint8_t mac[static 6])
{
    unsigned part[6];

    if (sscanf(text, "%x:%x:%x:%x:%x:%x", &part[0], &part[1], &part[2],
               &part[3], &part[4], &part[5]) != 6) {
        errno = EINVAL;
        fail(text);
    }
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)part[i];
}

/* Fills in who is flooded, and what the sums of the fixed words are. */
static void
aim(uint8_t frame[static FRAME_SIZE], char **argv, struct flood_state *state)
{
    struct in_addr destination;
    uint16_t port = htons((uint16_t)atoi(argv[4]));

    if (inet_pton(AF_INET, argv[3], &destination) != 1 ||
        (ntohl(destination.s_addr) & 0xfffe0000) != 0xc6120000) {
        fprintf(stderr, "flood: only to 198.18.0.0/15\n");
        exit(1);
    }
    memcpy(frame, template, FRAME_SIZE);
    parse_mac(argv[2], frame);
    memcpy(frame + 30, &destination, 4);
    memcpy(frame + 36, &port, 2);
    memcpy(state->frame, frame, FRAME_SIZE);
    state->ip_sum = sum_words(frame + 14, 20);
    state->tcp_sum = sum_words(frame + 30, FRAME_SIZE - 30) + htons(6) +
                     htons(FRAME_SIZE - 34);
}

static struct flood_state *
map_state(int map)
{
    void *state = mmap(NULL, sizeof(struct flood_state), PROT_READ | PROT_WRITE,
                       MAP_SHARED, map, 0);
    if (state == MAP_FAILED)
        fail("cannot map the counters");
    return state;
}

static void
nothing(int signal_number)
{
    (void)signal_number;
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
    uint8_t frame[FRAME_SIZE];
    pthread_t measuring;

    if (argc != 8 && (argc != 9 || strcmp(argv[8], "xdp") != 0)) {
        fprintf(stderr, "usage: flood INTERFACE MAC ADDRESS PORT PER_SECOND "
                        "WARM_SECONDS SECONDS [xdp]\n");
        return 2;
    }
    struct flood_state sums = {0};
    aim(frame, argv, &sums);
    unsigned interface = if_nametoindex(argv[1]);
    if (interface == 0)
        fail(argv[1]);
    int map = flood_map();
    if (map < 0)
        fail("bpf(2) makes no map; run as root");
    struct flood_state *state = map_state(map);
    *state = sums;
    int generator = flood_generator(map, interface);
    int counter = argc == 9 ? flood_count_frames(map, interface)
                            : flood_count_answers(map, interface);
    if (generator < 0 || counter < 0)
        fail("bpf(2); Linux 6.6 or newer is needed");

    double rate = bounded(argv[5], PER_SECOND_MAX);
    struct window window = {.state = state,
                            .warm = bounded(argv[6], SECONDS_MAX / 2),
                            .seconds = bounded(argv[7], SECONDS_MAX / 2),
                            .generator = pthread_self()};
    state->rate = (uint64_t)((rate > 0 ? rate : PER_SECOND_MAX) * 4.294967296);
    state->start_ns = nanoseconds();
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, NULL);
    if (pthread_create(&measuring, NULL, measure, &window) != 0)
        fail("no thread");
    if (flood_run(generator, frame, REPEAT_MAX, BATCH) < 0 && errno != EINTR)
        fail("live frames");
    pthread_join(measuring, NULL);
    return 0;
}

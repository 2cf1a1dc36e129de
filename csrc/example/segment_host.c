/*
 * A stack that looks up its own connections and listeners, shielded by a front:
 * a whole program, with a stack of paper.  docs/hosts.md says the rest.
 *
 *     cc segment_host.c $(pkg-config --cflags --libs syncache) && ./a.out
 *
 * Put your stack in the place of the four functions stack_...(), and call
 * stack_segment() where it has found a listener but no connection.
 */
#include "syncache_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint8_t sent[SYNCACHE_REPLY_MAX];
static unsigned connections;

static uint32_t
stack_now_ms(void)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC); /* yours should never go back */
    return (uint32_t)now.tv_sec * 1000 + (uint32_t)now.tv_nsec / 1000000;
}

static void
stack_random(void *bytes, size_t size)
{
    FILE *source = fopen("/dev/urandom", "rb");

    if (source == NULL || fread(bytes, 1, size, source) != size)
        abort();
    fclose(source);
}

/* `by` is what stack_segment() was given: an interface, a listener. */
static void
stack_send(const uint8_t *packet, size_t size, void *by)
{
    (void)by;
    memcpy(sent, packet, size);
}

static bool
stack_connect(const struct syncache_conn *conn, void *by)
{
    (void)by;
    if (connections == 16)
        return false; /* no room: it is offered again later */
    connections++;
    printf("connection %u: MSS %u, the peer's window scale %u\n", connections,
           conn->peer_mss, conn->snd_wscale);
    return true;
}

/* 16 KB are enough without the burst path: -DSYNCACHE_SMALL. */
static _Alignas(64) uint8_t block[65536];
static struct syncache_front front = {
    .endpoint = {.options = SYNCACHE_OPTIONS_OF(1, 0, 0), /* scale alone */
                 .hop_limit = 64,
                 .rcv_wnd = 8192,
                 .rcv_wscale = 0,
                 .mtu = 1500},
    .ts_per_tuple = true,
    .entropy = stack_random,
    .send = stack_send,
    .connect = stack_connect,
};

static const char *
stack_segment(const uint8_t *faddr, const uint8_t *laddr, const uint8_t *tcp,
              size_t size)
{
    switch (syncache_front_input(&front, stack_now_ms(), 4, faddr, laddr, tcp,
                                 size, 0, NULL)) {
    case SYNCACHE_PASS:
        return "the stack goes on, as if the engine were not there";
    case SYNCACHE_ACCEPT:
        return "the new connection takes it";
    default:
        return "done with";
    }
}

int
main(void)
{
    static const uint8_t peer[4] = {192, 0, 2, 1}, ours[4] = {198, 51, 100, 7};
    uint8_t syn[28] = {
        [0] = 156, 64,  0,   80,       [6] = 3, 232, [12] = 7 << 4,
        2,         255, 255, [20] = 2, 4,       5,   180,
        3,         3,   7,   0};
    uint8_t ack[20] = {
        [0] = 156, 64, 0, 80, [6] = 3, 233, [12] = 5 << 4, 16, 1, 0};

    if (!syncache_front_init(&front, stack_now_ms(), block, sizeof block))
        return 1; /* the block is too small, or the endpoint not valid */
    printf("SYN: %s\n", stack_segment(peer, ours, syn, sizeof syn));
    /* What the peer answers: our sequence number plus one. */
    memcpy(ack + 8, sent + syncache_tcp_offset(sent) + 4, 4);
    for (int i = 11; i >= 8 && ++ack[i] == 0; i--)
        ;
    printf("ACK: %s\n", stack_segment(peer, ours, ack, sizeof ack));
    /* By a timer, in as many milliseconds as it says. */
    printf("timer: again in %u ms\n",
           syncache_front_run(&front, stack_now_ms()));
    SYNCACHE_EACH_LINE (front.cache, line)
        puts(line.text);
    return connections == 1 ? 0 : 1;
}

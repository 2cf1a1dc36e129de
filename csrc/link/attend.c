/*
 * What a link has, answered at once: see attend.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "attend.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

#define WAIT_MS_MAX 86400000 /* who waits for ever looks once a day */

double
link_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* As epoll_wait() has it; the last part of one is a whole one, so that nobody
 * turns until it is over. */
static int
milliseconds_until(double until)
{
    double left = (until - link_now()) * 1000;

    if (left <= 0)
        return 0;
    return left < WAIT_MS_MAX ? (int)left + 1 : WAIT_MS_MAX;
}

int32_t
link_wait(int32_t epoll, double until, struct link_event event[LINK_EVENTS_MAX],
          double *now)
{
    struct epoll_event found[LINK_EVENTS_MAX];
    int count =
        epoll_wait(epoll, found, LINK_EVENTS_MAX, milliseconds_until(until));

    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++)
        event[i] = (struct link_event){found[i].data.fd, found[i].events};
    *now = link_now();
    return count;
}

static int32_t
attend_receive(struct link_attend *attend)
{
    if (attend->packet != NULL)
        return link_packet_receive(attend->packet, attend->rx);
    if (attend->xdp != NULL)
        return link_xdp_receive(attend->xdp, attend->rx);
    return link_tun_receive(attend->tun, attend->rx);
}

static int32_t
attend_send(struct link_attend *attend)
{
    if (attend->packet != NULL)
        return link_packet_send(attend->packet, attend->tx);
    if (attend->xdp != NULL)
        return link_xdp_send(attend->xdp, attend->tx);
    return link_tun_send(attend->tun, attend->tx);
}

int32_t
link_attend(struct link_attend *attend, struct syncache *cache, uint64_t now_ms)
{
    struct syncache_ring *rx = attend->rx, *tx = attend->tx;
    int32_t received, sent;

    assert(rx->next == rx->count && tx->next == tx->count);
    rx->count = rx->next = rx->passed_count = 0;
    tx->count = tx->next = tx->passed_count = 0;
    received = attend_receive(attend);
    if (received < 0)
        attend->received = received;
    if (received <= 0)
        return received;
    attend->received += received;
    if (attend->attempts != NULL)
        attempts_look(attend->attempts, rx, 0);
    (void)syncache_burst(cache, now_ms, rx, tx);
    if (tx->count > 0) {
        sent = attend_send(attend);
        attend->sent = sent < 0 ? sent : attend->sent + sent;
    }
    return received;
}

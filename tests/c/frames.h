/* Frames that are told apart, and two sockets: for the units of packet sockets. */
#ifndef SYNCACHE_TEST_FRAMES_H
#define SYNCACHE_TEST_FRAMES_H

#include "ring.h"

#include <fcntl.h>
#include <sys/socket.h>

enum { ETHERNET = 14, FRAME_SIZE = ETHERNET + 40 };

/* Two ends that keep the borders of frames, of which neither waits. */
static inline void
frames_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0)
        abort();
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
}

/* An IPv4 TCP packet in a frame; `mark` is its last byte. */
static inline const uint8_t *
frames_marked(uint8_t mark)
{
    static uint8_t frame[FRAME_SIZE] = {
        1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, [23] = 6, [46] = 0x50};
    frame[FRAME_SIZE - 1] = mark;
    return frame;
}

#endif

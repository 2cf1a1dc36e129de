/*
 * TUN: IP packets to and from the kernel through a character device, one read
 * or write per packet.
 *
 * With IFF_VNET_HDR every packet is preceded by a struct virtio_net_hdr, which
 * lets the kernel hand over what it would hand to a network card with offloads:
 * TCP super-segments of up to 64 KiB whose checksum covers the pseudo header
 * only.  We may write the same.  For bulk data this divides the number of
 * packets, system calls and engine passes by about forty.
 *
 * The header is read into and written from the stack, not the slot, so the
 * packet begins where every other link puts it.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include "link.h"

#include <assert.h>
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "offload.h"

/* True if errno says that the descriptor leads to no device any more. */
static bool
is_gone(int error)
{
    return error == EBADFD || error == EBADF || error == ENODEV;
}

/*
 * Reads one packet into slot `rx->count`.  Returns what readv() does.  The last
 * byte of the vector is there to notice a packet that is longer than a slot:
 * the kernel cuts it off without a word.
 */
static ssize_t
receive_packet(const struct link_tun *tun, struct syncache_ring *rx,
               struct virtio_net_hdr *header)
{
    uint8_t excess;
    struct iovec vector[3] = {
        {.iov_base = header, .iov_len = sizeof *header},
        {.iov_base = rx->memory + (size_t)rx->count * rx->slot_size,
         .iov_len = rx->slot_size},
        {.iov_base = &excess, .iov_len = sizeof excess}};
    ssize_t size;
    do {
        size = tun->vnet_hdr ? readv(tun->fd, vector, 3)
                             : readv(tun->fd, vector + 1, 2);
    } while (size < 0 && errno == EINTR);
    return size;
}

int32_t
link_tun_receive(struct link_tun *tun, struct syncache_ring *rx)
{
    assert(rx->slots <= UINT16_MAX);
    assert(rx->count <= rx->slots);
    struct virtio_net_hdr header = {0};
    size_t header_size = tun->vnet_hdr ? sizeof header : 0;
    uint32_t before = rx->count;
    while (rx->count < rx->slots) {
        ssize_t size = receive_packet(tun, rx, &header);
        if (size < 0) {
            if (errno == EAGAIN || rx->count > before)
                break;
            return -errno;
        }
        if ((size_t)size <= header_size)
            break; /* end of file: no TUN device gives one, a test's may */
        size_t packet_size = (size_t)size - header_size;
        if (packet_size > rx->slot_size) {
            tun->too_large++;
            continue;
        }
        struct syncache_slot *slot = &rx->slot[rx->count];
        *slot = (struct syncache_slot){.size = (uint32_t)packet_size,
                                       .request = UINT16_MAX};
        offload_read(&header, 0, slot);
        rx->count++;
    }
    tun->received += rx->count - before;
    return (int32_t)(rx->count - before);
}

/* Writes slot `i`.  Returns 0, or the errno of the refusal. */
static int
send_packet(const struct link_tun *tun, const struct syncache_ring *tx,
            uint32_t i)
{
    const struct syncache_slot *slot = &tx->slot[i];
    uint8_t *packet = tx->memory + (size_t)i * tx->slot_size + slot->link_size;
    struct virtio_net_hdr header;
    struct iovec vector[2] = {{.iov_base = &header, .iov_len = sizeof header},
                              {.iov_base = packet, .iov_len = slot->size}};
    if (!offload_write(slot, packet, 0, &header))
        return EINVAL;
    if (!tun->vnet_hdr && header.flags != 0)
        return EINVAL;
    ssize_t size;
    do {
        size = tun->vnet_hdr ? writev(tun->fd, vector, 2)
                             : writev(tun->fd, vector + 1, 1);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? errno : 0;
}

int32_t
link_tun_send(struct link_tun *tun, struct syncache_ring *tx)
{
    assert(tx->next <= tx->count);
    assert(tx->count <= tx->slots);
    uint32_t before = tx->next;
    while (tx->next < tx->count) {
        int error = send_packet(tun, tx, tx->next);
        if (error == EAGAIN)
            break;
        if (is_gone(error)) {
            if (tx->next == before)
                return -error;
            break;
        }
        tun->send_error = error;
        if (error == 0)
            tun->sent++;
        else
            tun->send_failed++;
        tx->next++;
    }
    return (int32_t)(tx->next - before);
}

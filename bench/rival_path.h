/*
 * The rival of the burst path: an IPv4 SYN answered in the straightforward way, one packet at a time.
 *
 * Both checksums verified by a loop over 16 bits, options read by a loop, cookie and timestamp offset by a SipHash that
 * takes its input piece by piece, the SYN-ACK built from scratch and summed up.  With a list-and-malloc cache (see
 * rival_list.h) it looks the SYN up and stores it; without one, or in that one's pause, it answers by the cookie alone.
 * Written from the specification of FreeBSD's; its cookies are those of layout "freebsd" with secmod 0.
 */
#ifndef SYNCACHE_BENCH_RIVAL_PATH_H
#define SYNCACHE_BENCH_RIVAL_PATH_H

#include "rival_list.h"

struct path {
    uint8_t laddr[4];
    uint16_t lport;
    uint16_t mss;                     /* announced */
    uint16_t window;
    uint8_t wscale;
    uint8_t ttl;
    uint8_t key[2][16];               /* of cookies, by parity */
    uint8_t ts_key[16];
    uint32_t parity;
    uint64_t now_ms;
    struct list_cache *list;          /* NULL: cookies only */
    uint64_t duplicates;
    uint64_t cookies_only;
    uint32_t fired;                   /* timers of the last poll */
};

#define PATH_REPLY_MAX 64

/* Takes one packet.  Returns the size of its SYN-ACK, or 0: it is not a good SYN for our port. */
size_t path_syn(struct path *path, const uint8_t *packet, size_t size, uint8_t reply[static PATH_REPLY_MAX]);
/* The SYN-ACK of an entry, sent again. */
size_t path_syn_ack(const struct path *path, const struct list_entry *entry, uint8_t reply[static PATH_REPLY_MAX]);

#endif

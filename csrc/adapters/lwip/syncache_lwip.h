/* syncache in front of lwIP 2.1 and 2.2, its LWIP_HOOK_FILENAME: see docs/hosts.md. */
#ifndef SYNCACHE_ADAPTERS_LWIP_H
#define SYNCACHE_ADAPTERS_LWIP_H

#include "lwip/err.h"
#include "syncache_host.h"

#ifndef SYNCACHE_LWIP_BYTES
#define SYNCACHE_LWIP_BYTES 65536
#endif

struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

extern struct syncache_front syncache_lwip;

/* In lwIP's thread, once lwIP is initialised: makes the engine, of SYNCACHE_LWIP_BYTES.  ERR_MEM: they are too few. */
err_t syncache_lwip_init(void);
/* For you to write: fills in bytes that nobody can guess. */
void syncache_lwip_random(void *bytes, size_t size);

err_t syncache_lwip_input(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u16_t opt1len, u8_t *opt2,
                          struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)                                                 \
    ((pcb)->state == LISTEN ? syncache_lwip_input(pcb, hdr, optlen, opt1len, opt2, p) : ERR_OK)
#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) syncache_front_isn(&syncache_lwip)

/* Writes the counters so far, as TCP_STATS_DISPLAY() does. */
#define syncache_lwip_stats_display()                                                                                  \
    do {                                                                                                               \
        char line[SYNCACHE_LINE_MAX];                                                                                  \
        LWIP_PLATFORM_DIAG(("\nSYNCACHE\n"));                                                                          \
        for (uint32_t at = 0; syncache_report(syncache_lwip.cache, &at, line);)                                        \
            LWIP_PLATFORM_DIAG(("\t%s\n", line));                                                                      \
    } while (0)

#endif

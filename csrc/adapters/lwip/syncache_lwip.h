/* syncache in front of lwIP 2.1 and 2.2, its LWIP_HOOK_FILENAME: see docs/hosts.md. */
#ifndef SYNCACHE_ADAPTERS_LWIP_H
#define SYNCACHE_ADAPTERS_LWIP_H

#include "lwip/err.h"
#include "lwip/opt.h"
#include "syncache_host.h"

#ifndef SYNCACHE_LWIP_BYTES
#define SYNCACHE_LWIP_BYTES 65536
#endif

struct pbuf;

extern struct syncache_front syncache_lwip;

/* In lwIP's thread, once lwIP is initialised: makes the engine, of SYNCACHE_LWIP_BYTES.  ERR_MEM: they are too few. */
err_t syncache_lwip_init(void);
/* For you to write: fills in bytes that nobody can guess. */
void syncache_lwip_random(void *bytes, size_t size);

err_t syncache_lwip_input(void *header, u16_t size, const void *more, u16_t more_size, struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)                                                 \
    ((pcb)->state != LISTEN                                                                                            \
         ? ERR_OK                                                                                                      \
         : syncache_lwip_input(hdr, TCP_HLEN + (opt1len), opt2, (u16_t)((optlen) - (opt1len)), p))
/* The new connection, of which `local` is the first member, is the one whose input runs: so lwIP keeps its SYN-ACK. */
#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport)                                                                 \
    (syncache_lwip.connecting != NULL ? (void)(tcp_input_pcb = (void *)(local)) : (void)0,                             \
     syncache_front_isn(&syncache_lwip))

#if !TCP_CALCULATE_EFF_SEND_MSS
#define tcp_eff_send_mss_netif(mss, by, to) (mss)
#endif

/* Writes the counters so far, as TCP_STATS_DISPLAY() does. */
#define syncache_lwip_stats_display()                                                                                  \
    do {                                                                                                               \
        LWIP_PLATFORM_DIAG(("\nSYNCACHE\n"));                                                                          \
        SYNCACHE_EACH_LINE(syncache_lwip.cache, line) LWIP_PLATFORM_DIAG(("\t%s\n", line.text));                       \
    } while (0)

#endif

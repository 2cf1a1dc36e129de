/*
 * syncache in front of lwIP 2.1 and 2.2, IPv4 and IPv6.  In lwipopts.h:
 *
 *   #define LWIP_HOOK_FILENAME "syncache_lwip.h"
 *   #define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)    its timer, beside those of yours
 *
 * Then compile syncache_lwip.c and the SYN cache, and call syncache_lwip_init() once lwIP is initialised: in the thread
 * of tcpip_init(), or in the main loop without an operating system.  Listeners need no change, whatever API made them.
 * See docs/hosts.md.
 */
#ifndef SYNCACHE_ADAPTERS_LWIP_H
#define SYNCACHE_ADAPTERS_LWIP_H

#include "lwip/err.h"
#include <stddef.h>

struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* Makes the engine, of SYNCACHE_LWIP_BYTES (65536), and begins its timer.  Returns ERR_MEM if it does not fit. */
err_t syncache_lwip_init(void);

/* Writes the counters since then, as TCP_STATS_DISPLAY() does. */
void syncache_lwip_stats_display(void);

/* For you to write: fills in bytes that nobody can guess. */
void syncache_lwip_random(void *bytes, size_t size);

/* The hooks: lwIP has checked the segment and found its pcb; it needs an initial sequence number. */
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p) syncache_lwip_input(pcb, hdr, optlen, opt1len, p)
#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) syncache_lwip_isn()

err_t syncache_lwip_input(const struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen, u16_t opt1len, struct pbuf *p);
u32_t syncache_lwip_isn(void);

#endif

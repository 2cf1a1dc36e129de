/* Shows lwIP a peer whose handshake is complete: docs/hosts.md. */
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#include "syncache_lwip.h"

static void
send(const uint8_t *packet, size_t size, void *by)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)size, PBUF_RAM);
    ip_addr_t from = *IP_ADDR_ANY, to = from;
    if (p == NULL)
        return; /* as if lost */
    pbuf_take(p, packet, (u16_t)size);
    syncache_source(packet, &from);
    syncache_destination(packet, &to);
    IP_SET_TYPE_VAL(to, packet[0] >> 4 == 6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
    by = by != NULL ? by : ip_route(&from, &to); /* NULL: the timer's */
    if (by != NULL)
        ip_output_if_hdrincl(p, IP_ADDR_ANY, &to, by);
    pbuf_free(p);
}

static bool
connect(const struct syncache_conn *conn, void *by)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, SYNCACHE_REPLY_MAX, PBUF_RAM);
    if (p == NULL)
        return false;
    pbuf_realloc(p, (u16_t)syncache_syn_segment(conn, p->payload));
    tcp_input(p, by);
    struct tcp_pcb *pcb =
        tcp_input_pcb == tcp_active_pcbs ? tcp_input_pcb : NULL;
    tcp_input_pcb = NULL; /* LWIP_HOOK_TCP_ISN has said that it is this one */
    if (pcb != NULL)
        pcb->snd_nxt = conn->iss + 1;
    return pcb != NULL;
}

static _Alignas(64) uint8_t block[SYNCACHE_LWIP_BYTES];
struct syncache_front syncache_lwip = {
    .endpoint = {.hop_limit = TCP_TTL,
                 .rcv_wnd = TCP_WND,
                 .options = SYNCACHE_OPTIONS_OF(
                     LWIP_WND_SCALE, LWIP_TCP_SACK_OUT, LWIP_TCP_TIMESTAMPS),
                 .rcv_wscale = TCP_RCV_SCALE},
    .entropy = syncache_lwip_random,
    .send = send,
    .connect = connect,
};

err_t
syncache_lwip_input(void *header, u16_t size, const void *more, u16_t more_size,
                    struct pbuf *p)
{
    struct netif *by = ip_current_input_netif();
    syncache_lwip.mss =
        tcp_eff_send_mss_netif(TCP_MSS, by, ip_current_src_addr());
    enum syncache_kind kind = syncache_front_header(
        &syncache_lwip, sys_now(), ip_current_is_v6() ? 6 : 4,
        ip_current_src_addr(), ip_current_dest_addr(), header, size, more,
        more_size, p->tot_len, by);
    if (kind == SYNCACHE_ACCEPT) {
        if (more_size > 0 && pbuf_add_header_force(p->next, more_size) == 0)
            p->tot_len += more_size;
        pbuf_add_header_force(p, size);
        pbuf_ref(p); /* the caller frees its own */
        tcp_input(p, by);
    }
    return kind == SYNCACHE_PASS ? ERR_OK : ERR_ABRT;
}

static void
tick(void *arg)
{
    sys_timeout(syncache_front_run(&syncache_lwip, sys_now()), tick, arg);
}

err_t
syncache_lwip_init(void)
{
    tick(NULL);
    return syncache_front_init(&syncache_lwip, sys_now(), block, sizeof block)
               ? ERR_OK
               : ERR_MEM;
}

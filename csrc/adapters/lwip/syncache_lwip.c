/*
 * The engine takes what lwIP's listeners would get.  A peer whose handshake is
 * complete is shown to lwIP from its SYN on, so that backlog, options,
 * callbacks and sockets stay lwIP's own.
 */
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#include "syncache_lwip.h"

#define NOWHERE 255 /* no interface has this index */

static void
send(const uint8_t *packet, size_t size, void *listener)
{
    struct netif *by = ip_current_input_netif();
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)size, PBUF_RAM);
    ip_addr_t to = *IP_ADDR_ANY;
    if (syncache_destination(packet, &to) == 6) {
        IP_SET_TYPE_VAL(to, IPADDR_TYPE_V6);
    }
    if (listener == NULL)
        by = ip_route(IP_ADDR_ANY, &to);
    if (p == NULL)
        return; /* as if lost */
    if (by != NULL && pbuf_take(p, packet, (u16_t)size) == ERR_OK)
        ip_output_if_hdrincl(p, IP_ADDR_ANY, &to, by);
    pbuf_free(p);
}

/* Gives lwIP the SYN of a connection; its SYN-ACK finds no interface. */
static bool
connect(const struct syncache_conn *conn, void *listener)
{
    struct tcp_pcb *pcb = listener;
    u8_t index = pcb->netif_idx;
    uint8_t syn[SYNCACHE_REPLY_MAX];
    uint32_t size = syncache_syn_segment(conn, syn);
    struct pbuf *p = pbuf_alloc_reference(syn, (u16_t)size, PBUF_REF);
    if (p == NULL)
        return false;
    tcp_input(p, ip_current_input_netif());
    pcb->netif_idx = index;
    pcb = tcp_active_pcbs; /* new ones come first */
    if (pcb == NULL || pcb->netif_idx != NOWHERE)
        return false;
    pcb->netif_idx = index;
    pcb->snd_nxt = conn->iss + 1;
    return true;
}

static _Alignas(64) uint8_t block[SYNCACHE_LWIP_BYTES];
struct syncache_front syncache_lwip = {
    .endpoint = {.hop_limit = TCP_TTL,
                 .rcv_wnd = TCP_WND,
                 .mss_max = TCP_MSS,
                 .options = SYNCACHE_OPTIONS_OF(
                     LWIP_WND_SCALE, LWIP_TCP_SACK_OUT, LWIP_TCP_TIMESTAMPS),
                 .rcv_wscale = TCP_RCV_SCALE},
    .entropy = syncache_lwip_random,
    .send = send,
    .connect = connect,
};

err_t
syncache_lwip_input(struct tcp_pcb *pcb, struct tcp_hdr *hdr, u16_t optlen,
                    u16_t opt1len, u8_t *opt2, struct pbuf *p)
{
    u16_t size = TCP_HLEN + opt1len, more = optlen - opt1len;
    if (syncache_lwip.connecting != NULL)
        pcb->netif_idx = NOWHERE;
    syncache_lwip.endpoint.mtu = ip_current_input_netif()->mtu;
    enum syncache_kind kind = syncache_front_header(
        &syncache_lwip, sys_now(), ip_current_is_v6() ? 6 : 4,
        ip_current_src_addr(), ip_current_dest_addr(), hdr, size, opt2, more,
        p->tot_len, pcb);
    if (kind == SYNCACHE_ACCEPT) {
        if (more > 0 && pbuf_add_header_force(p->next, more) == 0)
            p->tot_len += more;
        pbuf_add_header_force(p, size);
        pbuf_ref(p); /* the caller frees its own */
        tcp_input(p, ip_current_input_netif());
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

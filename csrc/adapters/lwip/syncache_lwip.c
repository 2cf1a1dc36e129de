/*
 * The engine takes what lwIP's listeners would get.  A peer whose handshake is
 * complete is shown to lwIP from its SYN on: the SYN rebuilt, with our ISS and
 * the SYN-ACK discarded, then the completing segment again.  So backlog,
 * options, callbacks and sockets stay lwIP's own.
 */
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

#include "syncache_host.h"
#include "syncache_lwip.h"

#ifndef SYNCACHE_LWIP_BYTES
#define SYNCACHE_LWIP_BYTES 65536
#endif
#define POLL_MS 250

static _Alignas(64) uint8_t block[SYNCACHE_LWIP_BYTES];
static struct syncache_front front = {
    .endpoint = {.hop_limit = TCP_TTL,
                 .rcv_wnd = TCP_WND,
                 .mss_max = TCP_MSS,
                 .options = SYNCACHE_OPTION_MSS |
                            SYNCACHE_OPTION_SCALE * LWIP_WND_SCALE |
                            SYNCACHE_OPTION_SACK * LWIP_TCP_SACK_OUT |
                            SYNCACHE_OPTION_TIMESTAMPS * LWIP_TCP_TIMESTAMPS,
                 .rcv_wscale = TCP_RCV_SCALE},
    .entropy = syncache_lwip_random,
};
static const struct syncache_conn *replayed; /* lwIP is given its SYN */

static struct pbuf *
pbuf_of(const uint8_t *bytes, size_t size)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)size, PBUF_RAM);
    if (p != NULL)
        pbuf_take(p, bytes, (u16_t)size);
    return p;
}

/* Sends a packet by this interface; NULL: by the one that leads there. */
static void
send(const uint8_t *packet, size_t size, struct netif *by)
{
    struct pbuf *p = pbuf_of(packet, size);
    ip_addr_t from, to;
    if (p == NULL)
        return; /* as if lost */
#if LWIP_IPV4
    if (packet[0] >> 4 == 4) {
        ip_addr_copy_from_ip4(from, ((struct ip_hdr *)p->payload)->src);
        ip_addr_copy_from_ip4(to, ((struct ip_hdr *)p->payload)->dest);
    }
#endif
#if LWIP_IPV6
    if (packet[0] >> 4 == 6) {
        ip_addr_copy_from_ip6_packed(from, ((struct ip6_hdr *)p->payload)->src);
        ip_addr_copy_from_ip6_packed(to, ((struct ip6_hdr *)p->payload)->dest);
        ip6_addr_assign_zone(ip_2_ip6(&to), IP6_UNICAST,
                             by != NULL ? by : netif_default);
    }
#endif
    if (by != NULL || (by = ip_route(&from, &to)) != NULL)
        ip_output_if_hdrincl(p, &from, &to, by);
    pbuf_free(p);
}

#if LWIP_IPV4
static err_t
discard(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    LWIP_UNUSED_ARG(netif), LWIP_UNUSED_ARG(p), LWIP_UNUSED_ARG(to);
    return ERR_OK;
}
#endif

#if LWIP_IPV6
static err_t
discard_ip6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
    LWIP_UNUSED_ARG(netif), LWIP_UNUSED_ARG(p), LWIP_UNUSED_ARG(to);
    return ERR_OK;
}
#endif

/* Gives lwIP the SYN of a connection; returns whether it took it. */
static bool
replay(const struct syncache_conn *conn)
{
    uint8_t syn[SYNCACHE_REPLY_MAX];
    uint32_t size = syncache_syn_packet(conn, syn),
             ip = syncache_tcp_offset(syn);
    struct netif *in = ip_current_input_netif();
    struct netif *out = ip_route(ip_current_dest_addr(), ip_current_src_addr());
    struct pbuf *p = out != NULL ? pbuf_of(syn + ip, size - ip) : NULL;
    if (p == NULL)
        return false;
    struct netif saved = *out;
#if LWIP_IPV4
    out->output = discard;
#endif
#if LWIP_IPV6
    out->output_ip6 = discard_ip6;
#endif
    replayed = conn;
    tcp_input(p, in);
    replayed = NULL;
#if LWIP_IPV4
    out->output = saved.output;
#endif
#if LWIP_IPV6
    out->output_ip6 = saved.output_ip6;
#endif
    const struct tcp_pcb *made = tcp_active_pcbs; /* new ones come first */
    return made != NULL && made->state == SYN_RCVD &&
           made->local_port == conn->tuple.lport &&
           made->remote_port == conn->tuple.fport && made->lastack == conn->iss;
}

/* From the byte order of the wire to this machine's, or back. */
static void
turn(struct tcp_hdr *hdr)
{
    hdr->src = lwip_htons(hdr->src);
    hdr->dest = lwip_htons(hdr->dest);
    hdr->seqno = lwip_htonl(hdr->seqno);
    hdr->ackno = lwip_htonl(hdr->ackno);
    hdr->wnd = lwip_htons(hdr->wnd);
}

err_t
syncache_lwip_input(const struct tcp_pcb *pcb, struct tcp_hdr *hdr,
                    u16_t optlen, u16_t opt1len, struct pbuf *p)
{
    struct syncache_result result;
    u16_t size = TCP_HLEN + optlen;
    if (pcb->state != LISTEN || replayed != NULL)
        return ERR_OK;
    if (optlen != opt1len)
        return ERR_VAL; /* a header in two pieces */
    front.endpoint.mtu = ip_current_input_netif()->mtu;
    turn(hdr);
    enum syncache_verdict v = syncache_front_segment(
        &front, sys_now(), ip_current_is_v6() ? 6 : 4, ip_current_src_addr(),
        ip_current_dest_addr(), (uint8_t *)hdr, size, p->tot_len, &result);
    if (result.reply_size > 0)
        send(result.reply, result.reply_size, ip_current_input_netif());
    if (syncache_kind(v) == SYNCACHE_PASS) {
        turn(hdr);
        return ERR_OK;
    }
    if (syncache_kind(v) == SYNCACHE_ACCEPT) {
        bool made = replay(&result.conn);
        syncache_accepted(front.cache, &result.conn, 0, made);
        if (made && pbuf_add_header_force(p, size) == 0) {
            pbuf_ref(p); /* the caller frees its own */
            tcp_input(p, ip_current_input_netif());
        }
    }
    return ERR_ABRT;
}

u32_t
syncache_lwip_isn(void)
{
    u32_t isn;
    syncache_lwip_random(&isn, sizeof isn);
    return replayed != NULL ? replayed->iss : isn;
}

static void
tick(void *arg)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint32_t size;
    while ((size = syncache_front_poll(&front, sys_now(), packet)) > 0)
        send(packet, size, NULL);
    sys_timeout(POLL_MS, tick, arg);
}

err_t
syncache_lwip_init(void)
{
    if (!syncache_front_init(&front, sys_now(), block, sizeof block))
        return ERR_MEM;
    tick(NULL);
    return ERR_OK;
}

void
syncache_lwip_stats_display(void)
{
    if (front.cache == NULL)
        return;
    const struct syncache_stats *stats = syncache_statistics(front.cache);
    LWIP_PLATFORM_DIAG(("\nSYNCACHE\n"));
    for (int v = 0; v < SYNCACHE_VERDICT_COUNT; v++)
        if (stats->verdicts[v] != 0)
            LWIP_PLATFORM_DIAG(("\t%s: %" U32_F "\n", syncache_verdict_name(v),
                                (u32_t)stats->verdicts[v]));
}

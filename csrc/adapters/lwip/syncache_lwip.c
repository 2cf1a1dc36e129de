/*
 * The engine takes what lwIP's listeners would get.  A peer whose handshake is
 * complete is shown to lwIP from its SYN on: the SYN rebuilt, with our ISS and
 * the SYN-ACK discarded, then the completing segment again.  So backlog,
 * options, callbacks and sockets stay lwIP's own.
 */
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

#include <string.h>

#include "syncache_host.h"
#include "syncache_lwip.h"

#ifndef SYNCACHE_LWIP_BYTES
#define SYNCACHE_LWIP_BYTES 65536
#endif
#define POLL_MS 250

static _Alignas(64) uint8_t block[SYNCACHE_LWIP_BYTES];
static struct syncache *cache;
static struct syncache_clock passed;
static const struct syncache_conn *replayed; /* lwIP is given its SYN */

static struct pbuf *
packet_of(const uint8_t *bytes, uint32_t size)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)size, PBUF_RAM);
    if (p != NULL)
        pbuf_take(p, bytes, (u16_t)size);
    return p;
}

/* Sends a packet by this interface; NULL: by the one that leads there. */
static void
send(const uint8_t *bytes, uint32_t size, struct netif *by)
{
    struct pbuf *p = packet_of(bytes, size);
    ip_addr_t from = *IP_ANY_TYPE, to = *IP_ANY_TYPE;
    if (p == NULL)
        return; /* as if lost */
#if LWIP_IPV4
    if (bytes[0] >> 4 == 4) {
        IP_SET_TYPE_VAL(from, IPADDR_TYPE_V4);
        IP_SET_TYPE_VAL(to, IPADDR_TYPE_V4);
        memcpy(ip_2_ip4(&from), bytes + 12, 4);
        memcpy(ip_2_ip4(&to), bytes + 16, 4);
    }
#endif
#if LWIP_IPV6
    if (bytes[0] >> 4 == 6) {
        IP_SET_TYPE_VAL(from, IPADDR_TYPE_V6);
        IP_SET_TYPE_VAL(to, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(&from)->addr, bytes + 8, 16);
        memcpy(ip_2_ip6(&to)->addr, bytes + 24, 16);
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
replay(const struct syncache_conn *conn, struct netif *in)
{
    uint8_t syn[SYNCACHE_REPLY_MAX];
    struct pbuf *p = packet_of(syn, syncache_syn_packet(conn, syn));
    struct netif *out = ip_route(ip_current_dest_addr(), ip_current_src_addr());
    if (p == NULL || out == NULL) {
        if (p != NULL)
            pbuf_free(p);
        return false;
    }
    struct netif saved = *out;
#if LWIP_IPV4
    out->output = discard;
#endif
#if LWIP_IPV6
    out->output_ip6 = discard_ip6;
#endif
    replayed = conn;
    ip_input(p, in);
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

static bool
shield(const struct tcp_pcb *pcb, const struct netif *in)
{
    struct syncache_endpoint endpoint = {
        .lport = pcb->local_port,
        .hop_limit = TCP_TTL,
        .rcv_wnd = TCP_WND,
        .mtu = in->mtu,
        .mss_max = TCP_MSS,
        .options = SYNCACHE_OPTION_MSS,
    };
    uint32_t number;
#if LWIP_WND_SCALE
    endpoint.options |= SYNCACHE_OPTION_SCALE;
    endpoint.rcv_wscale = TCP_RCV_SCALE;
#endif
#if LWIP_TCP_SACK_OUT
    endpoint.options |= SYNCACHE_OPTION_SACK;
#endif
#if LWIP_TCP_TIMESTAMPS
    endpoint.options |= SYNCACHE_OPTION_TIMESTAMPS;
#endif
    return syncache_listen(cache, &endpoint, &number);
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

static enum syncache_verdict
judge(const uint8_t *tcp, u16_t size, u16_t payload, struct syncache_result *to)
{
    const uint8_t *ip = tcp - ip_current_header_tot_len();
    uint8_t family = ip[0] >> 4, faddr[16] = {0}, laddr[16] = {0};
    memcpy(faddr, ip + (family == 6 ? 8 : 12), family == 6 ? 16 : 4);
    memcpy(laddr, ip + (family == 6 ? 24 : 16), family == 6 ? 16 : 4);
    return syncache_segment(cache, syncache_clock(&passed, sys_now()), family,
                            faddr, laddr, 0, tcp, size, payload,
                            SYNCACHE_CHECKSUM_VALID, to);
}

err_t
syncache_lwip_input(const struct tcp_pcb *pcb, struct tcp_hdr *hdr,
                    u16_t optlen, u16_t opt1len, struct pbuf *p)
{
    struct syncache_result result;
    struct netif *in = ip_current_input_netif();
    u16_t size = TCP_HLEN + optlen;
    if (pcb->state != LISTEN || cache == NULL || replayed != NULL)
        return ERR_OK;
    if (optlen != opt1len)
        return ERR_VAL; /* a header in two pieces */
    turn(hdr);
    enum syncache_verdict v =
        judge((const uint8_t *)hdr, size, p->tot_len, &result);
    if ((v == SYNCACHE_PASS_NOT_OURS || v == SYNCACHE_PASS_NO_ENDPOINT) &&
        shield(pcb, in)) /* its first packet */
        v = judge((const uint8_t *)hdr, size, p->tot_len, &result);
    if (result.reply_size > 0)
        send(result.reply, result.reply_size, in);
    if (syncache_kind(v) == SYNCACHE_ACCEPT) {
        u16_t headers = size + ip_current_header_tot_len();
        bool made = replay(&result.conn, in);
        syncache_accepted(cache, &result.conn, 0, made);
        if (made && pbuf_add_header_force(p, headers) == 0) {
            pbuf_ref(p); /* the caller frees its own */
            ip_input(p, in);
        }
    } else if (syncache_kind(v) == SYNCACHE_PASS) {
        turn(hdr);
        return ERR_OK;
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
    uint64_t epoch, now = syncache_clock(&passed, sys_now());
    uint8_t packet[SYNCACHE_REPLY_MAX], key[SYNCACHE_KEY_BYTES];
    uint32_t size;
    if (syncache_key_due(cache, now, &epoch)) {
        syncache_lwip_random(key, sizeof key);
        syncache_set_key(cache, epoch, key);
    }
    while ((size = syncache_poll_one(cache, now, packet)) > 0)
        send(packet, size, NULL);
    sys_timeout(POLL_MS, tick, arg);
}

err_t
syncache_lwip_init(void)
{
    struct syncache_config config;
    struct syncache_tunables tunables;
    uint8_t seed[SYNCACHE_KEY_BYTES];
    syncache_lwip_random(seed, sizeof seed);
    if (!syncache_config_fit(&config, sizeof block))
        return ERR_MEM;
    config.ts_per_tuple = 0; /* lwIP's timestamps are sys_now() */
    cache = syncache_init(block, sizeof block, &config, seed);
    syncache_tunables_host(&tunables);
    if (cache == NULL || !syncache_set_tunables(cache, &tunables))
        return ERR_MEM;
    tick(NULL);
    return ERR_OK;
}

void
syncache_lwip_stats_display(void)
{
    const struct syncache_stats *stats = syncache_statistics(cache);
    LWIP_PLATFORM_DIAG(("\nSYNCACHE\n"));
    for (int v = 0; v < SYNCACHE_VERDICT_COUNT; v++)
        if (stats->verdicts[v] != 0)
            LWIP_PLATFORM_DIAG(("\t%s: %" U32_F "\n", syncache_verdict_name(v),
                                (u32_t)stats->verdicts[v]));
}

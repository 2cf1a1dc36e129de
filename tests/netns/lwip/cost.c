/*
 * cost FAMILY COUNT: so many SYNs, each from another peer, for a listener of
 * lwIP whose backlog is full, on an interface that discards what it is given.
 * What take() costs is counted from outside; writes how many were answered.
 */
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/prot/tcp.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"

#ifndef PLAIN
#include "syncache_lwip.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct netif netif;
static unsigned answered;

void take(const uint8_t *packet, u16_t size);

#ifndef PLAIN
void
syncache_lwip_random(void *bytes, size_t size)
{
    memset(bytes, 7, size);
}
#endif

static err_t
put_ip4(struct netif *by, struct pbuf *p, const ip4_addr_t *to)
{
    (void)by, (void)p, (void)to;
    answered++;
    return ERR_OK;
}

static err_t
put_ip6(struct netif *by, struct pbuf *p, const ip6_addr_t *to)
{
    (void)by, (void)p, (void)to;
    answered++;
    return ERR_OK;
}

static err_t
begin_netif(struct netif *of)
{
    of->mtu = 1500;
    of->output = put_ip4;
    of->output_ip6 = put_ip6;
    of->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void
begin(void)
{
    ip4_addr_t address, mask, gateway;
    ip6_addr_t address6;

    IP4_ADDR(&address, 198, 18, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 198, 18, 0, 1);
    netif_add(&netif, &address, &mask, &gateway, NULL, begin_netif, ip_input);
    IP6_ADDR(&address6, PP_HTONL(0xfd000018), 0, 0, PP_HTONL(2));
    netif_ip6_addr_set(&netif, 0, &address6);
    netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    netif_set_default(&netif);
    netif_set_up(&netif);
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, IP_ANY_TYPE, 7);
    tcp_listen_with_backlog(pcb, 1);
#ifndef PLAIN
    if (syncache_lwip_init() != ERR_OK)
        abort();
#endif
}

/* The options that Linux sends. */
static const uint8_t options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
                                    1, 1, 0, 0,    0, 0, 1, 3,  3, 7};

static u16_t
syn(int family, uint32_t number, uint8_t *packet)
{
    u16_t head = family == 4 ? 20 : 40, size = head + 40;
    struct tcp_hdr *tcp = (struct tcp_hdr *)(packet + head);
    ip_addr_t from, to;

    memset(packet, 0, size);
    tcp->src = lwip_htons((u16_t)(1024 + number % 60000));
    tcp->dest = PP_HTONS(7);
    tcp->seqno = lwip_htonl(number * 2654435761u);
    TCPH_HDRLEN_FLAGS_SET(tcp, 10, TCP_SYN);
    tcp->wnd = PP_HTONS(64240);
    memcpy(packet + head + 20, options, sizeof options);
    if (family == 4) {
        packet[0] = 0x45, packet[3] = (uint8_t)size, packet[8] = 64;
        packet[9] = IP_PROTO_TCP;
        IP_ADDR4(&from, 198, 18, number >> 8 & 127, number & 255);
        IP_ADDR4(&to, 198, 18, 0, 2);
        memcpy(packet + 12, ip_2_ip4(&from), 4);
        memcpy(packet + 16, ip_2_ip4(&to), 4);
        u16_t sum = inet_chksum(packet, 20);
        memcpy(packet + 10, &sum, 2);
    } else {
        packet[0] = 0x60, packet[5] = 40, packet[6] = IP_PROTO_TCP;
        packet[7] = 64;
        IP_ADDR6_HOST(&from, 0xfd000018, 1, number, 1);
        IP_ADDR6_HOST(&to, 0xfd000018, 0, 0, 2);
        memcpy(packet + 8, ip_2_ip6(&from)->addr, 16);
        memcpy(packet + 24, ip_2_ip6(&to)->addr, 16);
    }
    struct pbuf *p = pbuf_alloc(PBUF_RAW, 40, PBUF_RAM);
    pbuf_take(p, tcp, 40);
    tcp->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, 40, &from, &to);
    pbuf_free(p);
    return size;
}

/* As a driver does it. */
__attribute__((noinline)) void
take(const uint8_t *packet, u16_t size)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, size, PBUF_POOL);

    pbuf_take(p, packet, size);
    if (netif.input(p, &netif) != ERR_OK)
        pbuf_free(p);
}

int
main(int count, char **word)
{
    _Alignas(8) uint8_t packet[80];

    if (count != 3)
        return 1;
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    begin();
    for (uint32_t i = 1; i <= (uint32_t)atoi(word[2]); i++)
        take(packet, syn(atoi(word[1]), i, packet));
    printf("%u\n", answered);
    fflush(stdout);
    _Exit(0);
}

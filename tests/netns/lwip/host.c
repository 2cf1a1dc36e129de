/*
 * host [pieces | ethernet]: lwIP on the TUN device tun0, which is there, as
 * 198.18.0.2 and fd00:18::2, and by an interface with an MTU of 576 as 198.18.0.3.  It echoes on port 7 (raw API), 8 (sockets) and 9
 * (netconn, which begins to accept after two seconds with a backlog of 2).  Ends
 * with its standard input, and then writes its statistics.
 *
 * pieces: the driver's buffers end within the TCP options.
 * ethernet: on the TAP device tap0, as fe80::ff:fe00:2 too.
 */
#include "lwip/api.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/sockets.h"
#include "lwip/stats.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include "tun_netif.h"

#ifndef PLAIN
#include "syncache_lwip.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int open_tun(int ethernet);
int wait_tun(int tun);

static int in_pieces, ethernet;
static struct netif narrow;

#ifndef PLAIN
void
syncache_lwip_random(void *bytes, size_t size)
{
    if (getrandom(bytes, size, 0) != (ssize_t)size)
        abort();
}
#endif

static err_t
put_frame(struct netif *by, struct pbuf *p)
{
    (void)by;
    return put(p);
}

static err_t
begin_ethernet(struct netif *of)
{
    begin_netif(of);
    of->output = etharp_output;
    of->output_ip6 = ethip6_output;
    of->linkoutput = put_frame;
    of->hwaddr_len = 6;
    memcpy(of->hwaddr, "\2\0\0\0\0\2", 6);
    of->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                 NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    return ERR_OK;
}

static err_t
raw_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)arg, (void)error;
    if (p == NULL)
        return tcp_close(pcb);
    for (struct pbuf *q = p; q != NULL; q = q->next)
        tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return tcp_output(pcb);
}

static err_t
raw_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    tcp_recv(pcb, raw_receive);
    return ERR_OK;
}

static void
begin_narrow(void)
{
    ip4_addr_t address, mask, gateway;
    IP4_ADDR(&address, 198, 18, 0, 3);
    IP4_ADDR(&mask, 255, 255, 255, 255);
    IP4_ADDR(&gateway, 198, 18, 0, 1);
    netif_add(&narrow, &address, &mask, &gateway, NULL, begin_netif,
              tcpip_input);
    narrow.mtu = 576;
    netif_set_up(&narrow);
}

static void
begin(void *arg)
{
    ip4_addr_t address, mask, gateway;
    ip6_addr_t address6;
    (void)arg;
    IP4_ADDR(&address, 198, 18, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 198, 18, 0, 1);
    netif_add(&netif, &address, &mask, &gateway, NULL,
              ethernet ? begin_ethernet : begin_netif, tcpip_input);
    IP6_ADDR(&address6, PP_HTONL(0xfd000018), 0, 0, PP_HTONL(2));
    netif_ip6_addr_set(&netif, 1, &address6);
    netif_ip6_addr_set_state(&netif, 1, IP6_ADDR_PREFERRED);
    if (ethernet) {
        netif_create_ip6_linklocal_address(&netif, 1);
        netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    }
    netif_set_default(&netif);
    netif_set_up(&netif);
    if (!ethernet)
        begin_narrow();
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, IP_ANY_TYPE, 7);
    tcp_accept(tcp_listen_with_backlog(pcb, 16), raw_accept);
#ifndef PLAIN
    if (syncache_lwip_init() != ERR_OK)
        abort();
#endif
}

static void
socket_thread(void *arg)
{
    struct sockaddr_in6 here = {.sin6_family = AF_INET6,
                                .sin6_port = PP_HTONS(8)};
    int listener = lwip_socket(AF_INET6, SOCK_STREAM, 0);
    (void)arg;
    lwip_bind(listener, (struct sockaddr *)&here, sizeof here);
    lwip_listen(listener, 16);
    for (;;) {
        char bytes[2048];
        ssize_t size;
        int one = lwip_accept(listener, NULL, NULL);
        while (one >= 0 && (size = lwip_read(one, bytes, sizeof bytes)) > 0)
            lwip_write(one, bytes, (size_t)size);
        if (one >= 0)
            lwip_close(one);
    }
}

static void
netconn_thread(void *arg)
{
    struct netconn *listener = netconn_new(NETCONN_TCP_IPV6);
    struct netconn *one;
    (void)arg;
    netconn_bind(listener, IP_ANY_TYPE, 9);
    netconn_listen_with_backlog(listener, 2);
    sys_msleep(2000);
    while (netconn_accept(listener, &one) == ERR_OK) {
        struct netbuf *data;
        void *bytes;
        u16_t size;
        while (netconn_recv(one, &data) == ERR_OK) {
            netbuf_data(data, &bytes, &size);
            netconn_write(one, bytes, size, NETCONN_COPY);
            netbuf_delete(data);
        }
        netconn_close(one);
        netconn_delete(one);
    }
}

static void
take(void)
{
    uint8_t bytes[2048];
    ssize_t size = read(tun, bytes, sizeof bytes);
    if (size <= 0)
        return;
    u16_t first = bytes[0] >> 4 == 6 ? 68 : 48;
    if (!in_pieces || size <= first)
        first = (u16_t)size;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, first, PBUF_POOL);
    if (p == NULL)
        return;
    if (first < size)
        pbuf_cat(p, pbuf_alloc(PBUF_RAW, (u16_t)(size - first), PBUF_RAM));
    pbuf_take(p, bytes, (u16_t)size);
    struct netif *by =
        bytes[0] >> 4 == 4 && bytes[19] == 3 && !ethernet ? &narrow : &netif;
    if (by->input(p, by) != ERR_OK)
        pbuf_free(p);
}

int
main(int count, char **word)
{
    in_pieces = count > 1 && strcmp(word[1], "pieces") == 0;
    ethernet = count > 1 && strcmp(word[1], "ethernet") == 0;
    tun = open_tun(ethernet);
    if (tun < 0) {
        perror("/dev/net/tun");
        return 1;
    }
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    begin(NULL);
    UNLOCK_TCPIP_CORE();
    sys_thread_new("sockets", socket_thread, NULL, 0, 0);
    sys_thread_new("netconn", netconn_thread, NULL, 0, 0);
    sys_msleep(100); /* both listen */
    puts("ready");
    fflush(stdout);
    while (wait_tun(tun))
        take();
    LOCK_TCPIP_CORE();
    TCP_STATS_DISPLAY();
#ifndef PLAIN
    syncache_lwip_stats_display();
#endif
    fflush(stdout);
    _exit(0);
}

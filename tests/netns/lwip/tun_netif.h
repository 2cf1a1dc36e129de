/*
 * lwIP's interface on a TUN device, for the programs of tests: `tun` is its
 * descriptor.
 */
#ifndef TUN_NETIF_H
#define TUN_NETIF_H

#include "lwip/netif.h"
#include "lwip/pbuf.h"

#include <unistd.h>

static int tun;
static struct netif netif;

static err_t
put(struct pbuf *p)
{
    uint8_t bytes[2048];
    u16_t size = pbuf_copy_partial(p, bytes, sizeof bytes, 0);
    return write(tun, bytes, size) == size ? ERR_OK : ERR_BUF;
}

static err_t
put_ip4(struct netif *by, struct pbuf *p, const ip4_addr_t *to)
{
    (void)by, (void)to;
    return put(p);
}

static err_t
put_ip6(struct netif *by, struct pbuf *p, const ip6_addr_t *to)
{
    (void)by, (void)to;
    return put(p);
}

static err_t
begin_netif(struct netif *of)
{
    of->name[0] = 't';
    of->name[1] = 'u';
    of->mtu = 1500;
    of->output = put_ip4;
    of->output_ip6 = put_ip6;
    of->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

#endif

/*
 * lwIP as a client or a server: routed.py starts it.
 *
 *     lwip_peer FD SOURCE client ADDRESS PORT   20,000 bytes there and back; "ok"
 *     lwip_peer FD SOURCE server PORT           "ready", echoes until it is killed
 *
 * FD is a TUN device's.
 */
#include "lwip/sockets.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "tun_netif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 20000 };

static const char *source;

static void
begin(void *arg)
{
    ip_addr_t own;
    ip4_addr_t none;
    (void)arg;
    ipaddr_aton(source, &own);
    ip4_addr_set_zero(&none);
    if (IP_IS_V6(&own)) {
        netif_add(&netif, &none, &none, &none, NULL, begin_netif, tcpip_input);
        netif_ip6_addr_set(&netif, 0, ip_2_ip6(&own));
        netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    } else {
        netif_add(&netif, ip_2_ip4(&own), &none, &none, NULL, begin_netif,
                  tcpip_input);
    }
    netif_set_default(&netif);
    netif_set_up(&netif);
}

/* The driver: each packet becomes a buffer of lwIP's. */
static void
driver(void *arg)
{
    (void)arg;
    for (;;) {
        uint8_t bytes[2048];
        ssize_t size = read(tun, bytes, sizeof bytes);
        if (size <= 0)
            continue;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_POOL);
        if (p == NULL)
            continue;
        pbuf_take(p, bytes, (u16_t)size);
        if (netif.input(p, &netif) != ERR_OK)
            pbuf_free(p);
    }
}

/* Reads an address as the sockets have it; returns its size. */
static socklen_t
packed(const char *text, int port, struct sockaddr_storage *to)
{
    ip_addr_t address;
    memset(to, 0, sizeof *to);
    ipaddr_aton(text, &address);
    if (IP_IS_V6(&address)) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
        six->sin6_family = AF_INET6;
        six->sin6_port = lwip_htons((u16_t)port);
        inet6_addr_from_ip6addr(&six->sin6_addr, ip_2_ip6(&address));
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)to;
    four->sin_family = AF_INET;
    four->sin_port = lwip_htons((u16_t)port);
    inet_addr_from_ip4addr(&four->sin_addr, ip_2_ip4(&address));
    return sizeof *four;
}

static uint8_t data[BYTES], got[BYTES + 1];
static int one;

static void
sender(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < BYTES;) {
        ssize_t size = lwip_write(one, data + at, BYTES - at);
        if (size <= 0)
            return;
        at += (size_t)size;
    }
    lwip_shutdown(one, SHUT_WR);
}

static void
exchange(const char *address, int port)
{
    struct sockaddr_storage to;
    socklen_t size = packed(address, port, &to);
    size_t at = 0;
    ssize_t more;

    one = lwip_socket(to.ss_family, SOCK_STREAM, 0);
    if (lwip_connect(one, (struct sockaddr *)&to, size) != 0) {
        printf("connect: error %d\n", errno);
        return;
    }
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i % 251);
    sys_thread_new("sender", sender, NULL, 0, 0);
    while ((more = lwip_read(one, got + at, sizeof got - at)) > 0)
        at += (size_t)more;
    if (at == BYTES && memcmp(data, got, BYTES) == 0)
        puts("ok");
    else
        printf("%zu of %d bytes came back\n", at, BYTES);
    lwip_close(one);
    sys_msleep(200); /* its last packets */
}

static void
echo(void *arg)
{
    int peer = (int)(intptr_t)arg;
    char bytes[4096];
    ssize_t size;

    while ((size = lwip_read(peer, bytes, sizeof bytes)) > 0)
        lwip_write(peer, bytes, (size_t)size);
    lwip_close(peer);
}

static void
serve(int port)
{
    struct sockaddr_storage here;
    socklen_t size = packed(source, port, &here);
    int listener = lwip_socket(here.ss_family, SOCK_STREAM, 0);

    lwip_bind(listener, (struct sockaddr *)&here, size);
    lwip_listen(listener, 8);
    puts("ready");
    for (;;) {
        int peer = lwip_accept(listener, NULL, NULL);
        if (peer >= 0)
            sys_thread_new("echo", echo, (void *)(intptr_t)peer, 0, 0);
    }
}

int
main(int count, char **word)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    tun = atoi(word[1]);
    source = word[2];
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    begin(NULL);
    UNLOCK_TCPIP_CORE();
    sys_thread_new("driver", driver, NULL, 0, 0);
    if (strcmp(word[3], "client") == 0)
        exchange(word[4], atoi(word[count - 1]));
    else
        serve(atoi(word[count - 1]));
    return 0;
}

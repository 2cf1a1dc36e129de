/*
 * For adapter.c: lwIP's interfaces, clock and heap are the program's, a peer
 * gives it segments, and what it sends is kept.
 *
 * Two interfaces: `near`, the default one, and `far`, whose peers no route
 * but its own leads to.
 */
#ifndef ADAPTER_RIG_H
#define ADAPTER_RIG_H

#include "lwip/inet_chksum.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"
#include "syncache_lwip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOON 3000 /* ms: a SYN-ACK is due again after one second */

#define CHECK(condition)                                           \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            wrong = 1;                                             \
        }                                                          \
    } while (0)

enum shape { ONE, BORROWED, CUT_OPTIONS, CUT_PAYLOAD };

struct peer {
    ip_addr_t from, to;
    struct netif *by;
    u32_t seq, ack;
    uint8_t tsecr[4];
    u16_t port;
};

#if LWIP_SINGLE_NETIF
#define far near
#endif
static struct netif near, far;
static int family, wrong;
static int refuse_memory,
    refuse_next; /* while a packet is taken, the next one */
static long blocks;
static u32_t now = 5000;
/* What was sent last, by which interface, and how many so far. */
static uint8_t out[1600];
static u16_t out_size;
static struct netif *out_by;
static unsigned out_count;
/* What the application has received. */
static uint8_t got[256];
static u16_t got_size;
static struct tcp_pcb *made;

/* The linker takes these in place of lwIP's. */

u32_t
sys_now(void)
{
    return now;
}

void *
mem_malloc(mem_size_t size)
{
    void *memory = refuse_memory ? NULL : malloc(size);
    blocks += memory != NULL;
    return memory;
}

void *
mem_calloc(mem_size_t count, mem_size_t size)
{
    void *memory = mem_malloc(count * size);
    return memory == NULL ? NULL : memset(memory, 0, count * size);
}

void *
mem_trim(void *memory, mem_size_t size)
{
    (void)size;
    return memory;
}

void
mem_free(void *memory)
{
    blocks -= memory != NULL;
    free(memory);
}

void
syncache_lwip_random(void *bytes, size_t size)
{
    memset(bytes, 7, size);
}

static err_t
put(struct netif *by, struct pbuf *p)
{
    if (pbuf_get_at(p, family == 4 ? 9 : 6) != IP_PROTO_TCP)
        return ERR_OK; /* lwIP looks for routers and groups */
    CHECK(pbuf_add_header(p, PBUF_LINK_HLEN) == 0); /* as Ethernet does */
    pbuf_remove_header(p, PBUF_LINK_HLEN);
    out_size = pbuf_copy_partial(p, out, sizeof out, 0);
    out_by = by;
    out_count++;
    return ERR_OK;
}

static err_t
begin_netif(struct netif *of)
{
    of->mtu = 1500;
    of->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

#if LWIP_IPV4
static err_t
put_ip4(struct netif *by, struct pbuf *p, const ip4_addr_t *to)
{
    (void)to;
    return put(by, p);
}

static void
add_ip4(struct netif *of, uint8_t net)
{
    ip4_addr_t address, mask;

    IP4_ADDR(&address, 198, 18, net, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_set_addr(of, &address, &mask, IP4_ADDR_ANY4);
    of->output = put_ip4;
}
#endif

#if LWIP_IPV6
static err_t
put_ip6(struct netif *by, struct pbuf *p, const ip6_addr_t *to)
{
    (void)to;
    return put(by, p);
}

static void
add_ip6(struct netif *of, uint8_t net)
{
    ip6_addr_t address;

    of->output_ip6 = put_ip6;
    IP6_ADDR(&address, PP_HTONL(0xfe800000), 0, 0, lwip_htonl(net + 16));
    ip6_addr_assign_zone(&address, IP6_UNICAST, of);
    netif_ip6_addr_set(of, 0, &address);
    netif_ip6_addr_set_state(of, 0, IP6_ADDR_PREFERRED);
    IP6_ADDR(&address, PP_HTONL(0xfd000018), lwip_htonl(net), 0, PP_HTONL(2));
    netif_ip6_addr_set(of, 1, &address);
    netif_ip6_addr_set_state(of, 1, IP6_ADDR_PREFERRED);
}
#endif

static void
add(struct netif *of, uint8_t net)
{
    netif_add_noaddr(of, NULL, begin_netif, ip_input);
#if LWIP_IPV4
    add_ip4(of, net);
#endif
#if LWIP_IPV6
    add_ip6(of, net);
#endif
    netif_set_up(of);
}

static err_t
receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)arg, (void)error;
    if (p == NULL)
        return tcp_close(pcb);
    got_size +=
        pbuf_copy_partial(p, got + got_size, (u16_t)(sizeof got - got_size), 0);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t
take(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    tcp_recv(pcb, receive);
    made = pcb;
    return ERR_OK;
}

static struct peer
peer(struct netif *by, u16_t port)
{
    struct peer of = {.by = by, .seq = 1000, .port = port};
    uint8_t net = by == &near ? 1 : 2;

#if LWIP_IPV4
    if (family == 4) {
        IP_ADDR4(&of.from, 198, 18, net, 77);
        IP_ADDR4(&of.to, 198, 18, net, 2);
    }
#endif
#if LWIP_IPV6
    if (family == 6) {
        IP_ADDR6_HOST(&of.from, 0xfd000018, net, 0, 77);
        IP_ADDR6_HOST(&of.to, 0xfd000018, net, 0, 2);
    }
#endif
    return of;
}

static struct pbuf *
shaped(enum shape shape, const uint8_t *packet, u16_t size, u16_t payload)
{
    static uint8_t borrowed[256];
    u16_t first = size, head = family == 4 ? 40 : 60;

    if (shape == CUT_OPTIONS)
        first = head + 8;
    if (shape == CUT_PAYLOAD)
        first = size - payload;
    if (shape == BORROWED) {
        memcpy(borrowed, packet, size);
        struct pbuf *p = pbuf_alloc(PBUF_RAW, size, PBUF_REF);
        p->payload = borrowed;
        return p;
    }
    struct pbuf *p = pbuf_alloc(PBUF_RAW, first, PBUF_POOL);
    if (first < size) {
        struct pbuf *rest =
            pbuf_alloc(PBUF_RAW, (u16_t)(size - first), PBUF_ROM);
        rest->payload = borrowed;
        memcpy(borrowed, packet + first, (size_t)(size - first));
        pbuf_take(p, packet, first);
        pbuf_cat(p, rest);
        return p;
    }
    pbuf_take(p, packet, size);
    return p;
}

/* MSS, SACK, timestamps, scale; of an ACK timestamps alone. */
static const uint8_t on_syn[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
                                   1, 1, 0, 0,    0, 0, 1, 3,  3, 7};

static void
give(const struct peer *of, uint8_t flags, const char *payload,
     enum shape shape)
{
    u16_t options = flags & TCP_SYN ? 20 : 12, size = (u16_t)strlen(payload);
    u16_t head = family == 4 ? 20 : 40, tcp_size = 20 + options + size;
    uint8_t packet[256] = {0}, *at = packet + head + 20;
    struct tcp_hdr *tcp = (struct tcp_hdr *)(packet + head);

    tcp->src = lwip_htons(of->port);
    tcp->dest = PP_HTONS(7);
    tcp->seqno = lwip_htonl(of->seq);
    tcp->ackno = lwip_htonl(of->ack);
    TCPH_HDRLEN_FLAGS_SET(tcp, 5 + options / 4, flags);
    tcp->wnd = PP_HTONS(1000);
    if (flags & TCP_SYN)
        memcpy(at, on_syn, 20);
    else
        memcpy(at, (uint8_t[]){1, 1, 8, 10, 0, 0, 1, 2}, 8);
    if (!(flags & TCP_SYN))
        memcpy(at + 8, of->tsecr, 4);
    memcpy(at + options, payload, size);
    if (family == 4) {
        packet[0] = 0x45, packet[3] = (uint8_t)(head + tcp_size);
        packet[8] = 64, packet[9] = IP_PROTO_TCP;
        memcpy(packet + 12, &of->from, 4);
        memcpy(packet + 16, &of->to, 4);
        u16_t sum = inet_chksum(packet, 20);
        memcpy(packet + 10, &sum, 2);
    } else {
        packet[0] = 0x60, packet[5] = (uint8_t)tcp_size;
        packet[6] = IP_PROTO_TCP, packet[7] = 64;
        memcpy(packet + 8, &of->from, 16);
        memcpy(packet + 24, &of->to, 16);
    }
    struct pbuf *p = pbuf_alloc(PBUF_RAW, tcp_size, PBUF_RAM);
    pbuf_take(p, tcp, tcp_size);
    tcp->chksum =
        ip_chksum_pseudo(p, IP_PROTO_TCP, tcp_size, &of->from, &of->to);
    pbuf_free(p);
    p = shaped(shape, packet, head + tcp_size, size);
    refuse_memory = refuse_next;
    if (of->by->input(p, of->by) != ERR_OK)
        pbuf_free(p);
    refuse_memory = refuse_next = 0;
    CHECK(tcp_input_pcb == NULL); /* or lwIP sends nothing for it later */
}

static const struct tcp_hdr *
sent(void)
{
    return (const struct tcp_hdr *)(out + (family == 4 ? 20 : 40));
}

/* Lets time pass, in steps of the timer. */
static void
wait(u32_t ms)
{
    for (u32_t end = now + ms; now != end; now += 10)
        sys_check_timeouts();
}

/* Sends the SYN and reads the answer. */
static void
give_syn(struct peer *of)
{
    unsigned before = out_count;

    give(of, TCP_SYN, "", ONE);
    CHECK(out_count == before + 1);
    CHECK(out_by == of->by);
    CHECK(TCPH_FLAGS(sent()) == (TCP_SYN | TCP_ACK));
    of->ack = lwip_ntohl(sent()->seqno) + 1;
    memcpy(of->tsecr, (const uint8_t *)sent() + 32, 4);
    of->seq++;
}

/* How much of lwIP's memory is in use, of every pool and of the heap. */
static long
in_use(void)
{
    long all = blocks;

#if MEMP_STATS
    for (int i = 0; i < MEMP_MAX; i++)
        all += lwip_stats.memp[i]->used * 1000;
#endif
    return all;
}

static void
end(struct peer *of, size_t received)
{
    of->seq += (u32_t)received;
    give(of, TCP_RST | TCP_ACK, "", ONE);
    made = NULL;
    got_size = 0;
}

/* The kind's option in what was sent: where its first byte is; NULL if it is not there. */
static const uint8_t *
option(uint8_t kind)
{
    const uint8_t *at = (const uint8_t *)sent() + 20;
    const uint8_t *last = (const uint8_t *)sent() + TCPH_HDRLEN(sent()) * 4;

    while (at < last && *at != kind && *at != 0)
        at += *at == 1 ? 1 : at[1];
    return at < last && *at == kind ? at : NULL;
}

/* More SYNs than there are entries. */
static void
flood(void)
{
    struct peer of = peer(&near, 2000);

    for (; of.port < 4000; of.port++)
        give(&of, TCP_SYN, "", ONE);
}

/* How many segments the engine has judged. */
static int
judged(void)
{
    int all = 0;

    SYNCACHE_EACH_LINE (syncache_lwip.cache, line)
        all += atoi(strrchr(line.text, ' '));
    return all;
}

#endif

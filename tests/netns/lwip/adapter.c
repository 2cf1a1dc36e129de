/*
 * adapter CASE 4|6: lwIP behind our adapter, without a device or a thread.  It
 * listens on port 7.  Writes what is wrong, or without a CASE their names.
 */
#include "adapter_rig.h"

/* A handshake that ends in an ACK with data, in one shape of buffer. */
static void
open_with_data(enum shape shape, u16_t port)
{
    static const char words[] = "the first words of a client";
    struct peer of = peer(&near, port);
    u32_t iss;

    give_syn(&of);
    iss = of.ack - 1;
    give(&of, TCP_ACK | TCP_PSH, words, shape);
    CHECK(got_size == strlen(words));
    CHECK(memcmp(got, words, strlen(words)) == 0);
    CHECK(made != NULL);
    if (made == NULL)
        return;
    CHECK(made->state == ESTABLISHED);
    CHECK(made->snd_nxt == iss + 1);
    CHECK(made->lastack == iss + 1);
    CHECK(made->unsent == NULL && made->unacked == NULL);
    CHECK(made->rcv_nxt == of.seq + strlen(words));
#if LWIP_WND_SCALE
    CHECK(made->snd_scale == 7);
    CHECK(made->rcv_scale == TCP_RCV_SCALE);
#endif
    /* What lwIP says next is an answer to this. */
    tcp_write(made, "yes", 3, 0);
    tcp_output(made);
    CHECK(lwip_ntohl(sent()->seqno) == iss + 1);
    CHECK(lwip_ntohl(sent()->ackno) == of.seq + strlen(words));
    CHECK(made->snd_nxt == iss + 4);
    of.ack += 3;
    give(&of, TCP_ACK, "", ONE);
    CHECK(made->unacked == NULL);
    end(&of, strlen(words));
}

static void
data_in_one_buffer(void)
{
    open_with_data(ONE, 1000);
}

static void
data_in_a_borrowed_buffer(void)
{
    open_with_data(BORROWED, 1000);
}

static void
data_behind_cut_options(void)
{
    open_with_data(CUT_OPTIONS, 1000);
}

static void
data_in_a_second_buffer(void)
{
    open_with_data(CUT_PAYLOAD, 1000);
}

static int
own_mss(void)
{
    int room = near.mtu - (family == 4 ? 40 : 60);

    return TCP_CALCULATE_EFF_SEND_MSS && room < TCP_MSS ? room : TCP_MSS;
}

static void
syn_ack_has_lwips_options(void)
{
    struct peer of = peer(&near, 1000);

    give_syn(&of);
    CHECK(option(2) != NULL && option(2)[2] * 256 + option(2)[3] == own_mss());
    CHECK((option(3) != NULL) == LWIP_WND_SCALE);
    CHECK(option(3) == NULL || option(3)[2] == TCP_RCV_SCALE);
    CHECK((option(4) != NULL) == LWIP_TCP_SACK_OUT);
    CHECK((option(8) != NULL) == LWIP_TCP_TIMESTAMPS);
    CHECK(lwip_ntohs(sent()->wnd) == TCP_WND);
    CHECK(out[family == 4 ? 8 : 7] == TCP_TTL);
    /* lwIP's timestamps are its clock. */
    CHECK(option(8) == NULL ||
          memcmp(option(8) + 2, &(u32_t){lwip_htonl(sys_now())}, 4) == 0);
}

/* A spoofed source may have a route that its SYN did not come by. */
static void
syn_ack_leaves_by_the_syns_interface(void)
{
    struct peer of = peer(&near, 1000);

    of.by = &far;
    give_syn(&of);
}

/* The answer is repeated by the interface that leads to the peer. */
static void
repeated(struct peer of)
{
    uint8_t first[sizeof out];
    u16_t first_size;
    unsigned before;

    give_syn(&of);
    first_size = out_size;
    memcpy(first, out, out_size);
    before = out_count;
    wait(SOON);
    CHECK(out_count > before);
    CHECK(out_by == of.by);
    CHECK(out_size == first_size && memcmp(out, first, 12) == 0);
    CHECK(lwip_ntohl(sent()->seqno) == of.ack - 1);
    give(&of, TCP_ACK, "", ONE);
    CHECK(made != NULL && made->state == ESTABLISHED);
    end(&of, 0);
}

static void
syn_ack_is_repeated_by_its_way(void)
{
    repeated(peer(&near, 1000));
    repeated(peer(&far, 1001));
}

static void
link_local_peer_is_answered_again(void)
{
#if LWIP_IPV6
    struct netif *all[] = {&near, &far};

    for (int i = 0; i < 2 && family == 6; i++) {
        struct peer of = peer(all[i], 1000);
        IP_ADDR6_HOST(&of.from, 0xfe800000, 0, 0, 77);
        ip_addr_copy_from_ip6(of.to, *netif_ip6_addr(all[i], 0));
        repeated(of);
    }
#endif
}

/* What the timer has nowhere to send is lost, and no more. */
static void
syn_ack_without_a_way_is_dropped(void)
{
    struct peer of = peer(&far, 1000);
    long before = in_use();
    unsigned sent_before;

    give_syn(&of);
    sent_before = out_count;
    netif_set_down(&far);
    netif_set_down(&near);
    wait(SOON);
    CHECK(out_count == sent_before);
    CHECK(in_use() == before);
}

static void
served_and_refused(u16_t port)
{
    struct peer of = peer(&near, port);

    give_syn(&of);
    refuse_next = 1; /* for the SYN that lwIP is given */
    give(&of, TCP_ACK, "", ONE);
    CHECK(made == NULL);
#if !MEMP_MEM_MALLOC
    struct tcp_seg *all[MEMP_NUM_TCP_SEG + 1]; /* and a NULL */
    int count = 0;
    while ((all[count] = memp_malloc(MEMP_TCP_SEG)) != NULL)
        count++;
    give(&of, TCP_ACK, "", ONE); /* for its SYN-ACK */
    CHECK(made == NULL);
    while (count > 0)
        memp_free(MEMP_TCP_SEG, all[--count]);
#endif
    give(&of, TCP_ACK, "again", port % 2 ? ONE : CUT_OPTIONS);
    CHECK(made != NULL);
    end(&of, 5);
}

static void
memory_is_what_it_was(void)
{
    u16_t port = 1000;

    served_and_refused(port++);
    long before = in_use();
    for (; port < 1100; port++)
        served_and_refused(port);
    /* Nor does lwIP keep what has no room, is malformed, or nobody's. */
    struct peer stray = peer(&far, port);
    for (; port < 1200; port++) {
        stray.port = port;
        stray.ack = port;
        give(&stray, TCP_ACK, "x", CUT_PAYLOAD);
        give(&stray, TCP_SYN | TCP_FIN, "", ONE);
        give(&stray, TCP_RST, "", BORROWED);
        refuse_next = port % 2;
        give(&stray, TCP_SYN, "", BORROWED);
    }
    CHECK(in_use() == before);
}

static void
full_backlog_is_offered_again(void)
{
#if TCP_LISTEN_BACKLOG
    struct peer all[4], other = peer(&near, 998);
    struct tcp_pcb_listen *listener = tcp_listen_pcbs.listen_pcbs;

    open_with_data(ONE, 999); /* lwIP starts its timer */
    long before = in_use();
    for (u16_t i = 0; i < 4; i++) {
        all[i] = peer(&far, 1000 + i);
        give_syn(&all[i]);
    }
    give_syn(&other);
    give(&other, TCP_ACK, "", ONE);
    made = NULL; /* it stays, as lwIP's newest connection */
    listener->accepts_pending = listener->backlog;
    for (int i = 0; i < 4; i++)
        give(&all[i], TCP_ACK, "", ONE);
    CHECK(made == NULL);
    listener->accepts_pending = 0;
    for (int i = 0; i < 4; i++) {
        give(&all[i], TCP_ACK, "words", ONE);
        CHECK(made != NULL);
        end(&all[i], 5);
    }
    end(&other, 0);
    CHECK(in_use() == before);
#endif
}

static void
flooded_client_comes_in_by_its_cookie(void)
{
    struct peer of = peer(&near, 1000);

    give_syn(&of);
    flood();
    give(&of, TCP_ACK, "words", CUT_PAYLOAD);
    CHECK(made != NULL && made->state == ESTABLISHED && got_size == 5);
    end(&of, 5);
}

/* In a flood it may be the second of a client whose first was lost: it is sent again. */
static void
stray_data_in_a_flood_is_not_refused(void)
{
    struct peer of = peer(&near, 1000);

    flood();
    unsigned before = out_count;
    for (of.ack = 1; of.ack < 65; of.ack++) { /* by keys of both kinds */
        give(&of, TCP_ACK, "words", ONE);
        give(&of, TCP_ACK, "words", CUT_PAYLOAD);
        CHECK(out_count == before);
    }
    for (of.ack = 1; of.ack < 65; of.ack++)
        give(&of, TCP_ACK, "", ONE);
    CHECK(out_count > before);
    CHECK(TCPH_FLAGS(sent()) & TCP_RST);
}

/* Its connections are lwIP's alone, in TIME-WAIT too. */
static void
fin_of_time_wait_is_acknowledged(void)
{
    struct peer of = peer(&near, 1000);

    give_syn(&of);
    give(&of, TCP_ACK, "", ONE);
    CHECK(made != NULL && tcp_close(made) == ERR_OK);
    of.ack++;
    give(&of, TCP_ACK | TCP_FIN, "", ONE);
    CHECK(made->state == TIME_WAIT);
    int before_judged = judged();
    unsigned before = out_count;
    give(&of, TCP_ACK | TCP_FIN, "", ONE);
    CHECK(out_count == before + 1);
    CHECK(lwip_ntohl(sent()->ackno) == of.seq + 1);
    CHECK(before_judged > 0 && judged() == before_judged);
}

/* The interface has verified the segment's checksum, and writes those of what lwIP sends. */
static void
checksums_by_the_interface(void)
{
    NETIF_SET_CHECKSUM_CTRL(&near, NETIF_CHECKSUM_DISABLE_ALL);
    open_with_data(ONE, 1000);
    struct peer of = peer(&near, 1001);
    give_syn(&of);
    struct pbuf *p = pbuf_alloc(PBUF_RAW, out_size, PBUF_RAM);
    pbuf_take(p, out, out_size);
    pbuf_remove_header(p, family == 4 ? 20 : 40);
    CHECK(ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, &of.to, &of.from) == 0);
    pbuf_free(p);
}

#if ENABLE_LOOPBACK
static err_t
connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    *(err_t *)arg = error;
    return tcp_write(pcb, "hello", 5, 0);
}
#endif

/* A client of the same lwIP: its packets come back by the interface's loop. */
static void
client_of_the_same_lwip(void)
{
#if ENABLE_LOOPBACK
    err_t done = ERR_INPROGRESS;
    struct tcp_pcb *client =
        tcp_new_ip_type(family == 4 ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
    struct peer self = peer(&near, 0);

    tcp_arg(client, &done);
    tcp_connect(client, &self.to, 7, connected);
    for (int i = 0; i < 100; i++) {
        netif_poll(&near);
        wait(10);
    }
    CHECK(done == ERR_OK);
    CHECK(made != NULL && made != client);
    CHECK(got_size == 5 && memcmp(got, "hello", 5) == 0);
    CHECK(syncache_lwip.connecting == NULL);
    CHECK(out_count == 0);
#endif
}

/* As if SYNCACHE_LWIP_BYTES were too few: lwIP serves alone. */
static void
without_an_engine_lwip_serves(void)
{
    struct peer of = peer(&near, 1000);

    give_syn(&of);
    give(&of, TCP_ACK, "words", ONE);
    CHECK(made != NULL && made->state == ESTABLISHED && got_size == 5);
    CHECK(syncache_lwip.cache == NULL);
    wait(SOON); /* its timer goes on */
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(name) {#name, name}
    CASE(data_in_one_buffer),
    CASE(data_in_a_borrowed_buffer),
    CASE(data_behind_cut_options),
    CASE(data_in_a_second_buffer),
    CASE(syn_ack_has_lwips_options),
    CASE(syn_ack_leaves_by_the_syns_interface),
    CASE(syn_ack_is_repeated_by_its_way),
    CASE(link_local_peer_is_answered_again),
    CASE(syn_ack_without_a_way_is_dropped),
    CASE(memory_is_what_it_was),
    CASE(full_backlog_is_offered_again),
    CASE(flooded_client_comes_in_by_its_cookie),
    CASE(stray_data_in_a_flood_is_not_refused),
    CASE(fin_of_time_wait_is_acknowledged),
    CASE(checksums_by_the_interface),
    CASE(client_of_the_same_lwip),
    CASE(without_an_engine_lwip_serves),
};

int
main(int count, char **word)
{
    lwip_init();
    add(&near, 1);
#if !LWIP_SINGLE_NETIF
    add(&far, 2);
#endif
    netif_set_default(&near);
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(pcb, IP_ANY_TYPE, 7);
    tcp_accept(tcp_listen_with_backlog(pcb, 16), take);
    bool none =
        count > 1 && strcmp(word[1], "without_an_engine_lwip_serves") == 0;
    if (none)
        syncache_lwip.endpoint.hop_limit = 0; /* is not valid */
    CHECK(syncache_lwip_init() == (none ? ERR_MEM : ERR_OK));
    family = count > 2 ? atoi(word[2]) : 4;
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, word[1]) == 0) {
            cases[i].run();
            return wrong;
        }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        puts(cases[i].name);
    return 2;
}

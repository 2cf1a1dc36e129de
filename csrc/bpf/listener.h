/*
 * Whether a SYN is answered here, by the mode, the service and the listener's own queues.  The listener is
 * looked up, so that whatever has a socket (established, TIME-WAIT, SYN-RECEIVED) stays the kernel's.
 */
#ifndef SYNCACHE_BPF_LISTENER_H
#define SYNCACHE_BPF_LISTENER_H

#include "kernel.h"
#include "shield_abi.h"
#include "tell.h"

#define LISTENER_CURRENT_NETNS ((uint64_t)-1)
#define LISTENER_COARSE_NS 100000000

enum listener_choice { LISTENER_PASS, LISTENER_DROP, LISTENER_COOKIE };

/* A socket that was looked up, and its queues. */
struct listener {
    bool mptcp;
    bool signing;  /* has keys of TCP-MD5 or TCP-AO */
    bool full;     /* the accept queue */
    bool steered;  /* full, but a program chooses which of several listeners gets a connection */
    uint32_t backlog; /* in it */
    uint32_t qlen; /* half-open connections */
    uint32_t backlog_max;
    uint32_t mss; /* its TCP_MAXSEG; 0: none */
    uint32_t buffer; /* its SO_RCVBUF, as the kernel counts it */
    uint32_t tos; /* its IP_TOS or IPV6_TCLASS */
};

#define LISTENER_DSCP 0xfcu /* of a byte that has ECN's bits too */

/* What a SYN-ACK says of us, which the listener may lower; its DSCP is the listener's. */
struct announced {
    uint32_t mss;
    uint32_t window;
    uint32_t tos;
};

/*
 * Does a program choose among the listeners of this port (SO_ATTACH_REUSEPORT_EBPF, _CBPF)?  It is asked for packets
 * alone, by the kernel, not when a socket is looked up; so another listener may get the connection.
 */
static inline bool
listener_is_steered(void *untrusted)
{
    void *group;
    uint64_t chooser = 0;

    KERNEL_GROUP(group, untrusted);
    if (group != NULL)
        KERNEL_CHOOSER(chooser, group);
    return chooser != 0;
}

/* How full its accept queue is. */
static inline void
listener_room(void *tcp, struct listener *listener)
{
    uint32_t backlog, backlog_max;

    KERNEL_BACKLOG(backlog, tcp);
    KERNEL_BACKLOG_MAX(backlog_max, tcp);
    listener->backlog = backlog;
    listener->backlog_max = backlog_max;
}

static inline uint32_t
listener_tos(void *tcp, void *untrusted, bool v6)
{
    uint32_t tos = 0;
    void *part;

    if (!v6) {
        KERNEL_TOS(tos, tcp);
        return tos;
    }
    KERNEL_V6(part, untrusted);
    if (part != NULL)
        KERNEL_TCLASS(tos, part);
    return tos;
}

static inline bool
listener_read(struct bpf_sock *socket, struct listener *listener, bool v6)
{
    void *tcp = socket_tcp(socket);
    uint32_t qlen, mptcp, mss, buffer;
    uint64_t md5, ao;

    if (tcp == NULL)
        return false;
    KERNEL_MPTCP(mptcp, tcp);
    KERNEL_QLEN(qlen, tcp);
    KERNEL_MSS(mss, tcp);
    KERNEL_RCVBUF(buffer, tcp);
    void *untrusted = kernel_untrusted(tcp);
    KERNEL_MD5(md5, untrusted);
    KERNEL_AO(ao, untrusted);
    listener_room(tcp, listener);
    listener->mptcp = mptcp != 0;
    listener->qlen = qlen;
    listener->full = listener->backlog > listener->backlog_max;
    listener->steered = listener->full && listener_is_steered(untrusted);
    listener->mss = mss;
    listener->buffer = buffer;
    listener->tos = listener_tos(tcp, untrusted, v6);
    listener->signing = (md5 | ao) != 0;
    return true;
}

/* Three quarters of the kernel's limit, or the tunable. */
static inline bool
listener_is_flooded(const struct shield_config *config, const struct listener *listener)
{
    return listener->qlen >= config->qlen || listener->qlen >= listener->backlog_max - (listener->backlog_max >> 2);
}

/* The service's part of a tuple as it lies in a packet: its address, size of the address, port. */
static inline const uint32_t *
listener_place(const uint32_t *tuple, uint32_t tuple_size, uint32_t *size, uint16_t *port)
{
    uint32_t words = tuple_size == 12 ? 1 : 4;

    *size = 4 * words;
    *port = (uint16_t)(tuple[2 * words] >> 16);
    return tuple + words;
}

static inline enum listener_choice
listener_choose(const struct shield_config *config, struct shield_service *service, struct shield_counters *counters,
                const struct listener *listener, const uint32_t *tuple, uint32_t tuple_size, uint64_t now_ns)
{
    uint32_t size;
    uint16_t port;
    const uint32_t *address = listener_place(tuple, tuple_size, &size, &port);

    if (listener->mptcp) {
        counters->mptcp++;
        return LISTENER_PASS;
    }
    if (listener->signing) {
        counters->signing++;
        return LISTENER_PASS;
    }
    if (config->mode != SHIELD_ALWAYS && (config->flags & SHIELD_ONLY) == 0) {
        if (listener_is_flooded(config, listener)) {
            if (now_ns >= service->flood_ns)
                tell(counters, SHIELD_EVENT_FLOOD, address, size, port, listener->qlen, now_ns);
            /* Once a tick, so that processors do not pass the line on for each SYN. */
            if (service->flood_ns != now_ns + config->hold_ns)
                service->flood_ns = now_ns + config->hold_ns;
        } else if (now_ns >= service->flood_ns) {
            counters->calm++;
            return LISTENER_PASS;
        }
    }
    if (config->mode == SHIELD_WATCH) {
        counters->would++;
        return LISTENER_PASS;
    }
    if (listener->steered) {
        counters->steered++;
        return LISTENER_PASS;
    }
    if (listener->full) {
        counters->queue_full++;
        tell_full(counters, service, address, size, port, listener->backlog, now_ns);
        return LISTENER_DROP;
    }
    return LISTENER_COOKIE;
}

/* The ISNs of a connection of the kernel, which counts SYN and bytes from there. */
static inline void
listener_isns(void *tcp, uint32_t *iss, uint32_t *irs)
{
    uint32_t snd_una, rcv_nxt;
    uint64_t acked, received;

    KERNEL_SND_UNA(snd_una, tcp);
    KERNEL_RCV_NXT(rcv_nxt, tcp);
    KERNEL_ACKED(acked, tcp);
    KERNEL_RECEIVED(received, tcp);
    *iss = snd_una - (uint32_t)acked - 1;
    *irs = rcv_nxt - (uint32_t)received - 1;
}

/*
 * Does the kernel have this connection?  The cookie met a listener, so there was none then; and it is the one with
 * the cookie's numbers, which a TIME-WAIT no longer tells.
 */
static inline bool
listener_is_there(void *context, const struct shield_trial *trial, uint32_t tuple_size)
{
    uint32_t iss, irs;
    bool there = false;

    struct bpf_sock *socket = socket_lookup(context, trial->tuple, tuple_size, LISTENER_CURRENT_NETNS, 0);
    if (socket == NULL)
        return false;
    void *tcp = socket->state == BPF_TCP_LISTEN ? NULL : socket_tcp(socket);
    if (tcp != NULL) {
        listener_isns(tcp, &iss, &irs);
        there = iss == trial->iss && irs == trial->irs;
    } else {
        there = socket->state == BPF_TCP_TIME_WAIT;
    }
    socket_release(socket);
    return there;
}

/*
 * A rule or a translation may keep what is made here from the listener.  So a service on which nothing has arrived yet
 * gets a few connections first, and SYNs are the kernel's until it has one of those, or the process judges.  Each SYN
 * asks: the kernel has it when the batch is over in which its ACK came, whether or not its client speaks.
 */
static inline bool
listener_waits(void *context, struct shield_service *service, uint32_t tuple_size)
{
    if (service->made < SHIELD_TRIAL || service->seen != 0 || service->trusted != 0)
        return false;
    for (int i = 0; i < SHIELD_TRIAL; i++) {
        if (listener_is_there(context, &service->trial[i], tuple_size)) {
            service->seen = 1;
            return false;
        }
    }
    return true;
}

/* Notes a connection that was made of a cookie, while SYNs may have to ask for it. */
static inline void
listener_made(struct shield_service *service, const uint32_t tuple[static 9], uint32_t iss, uint32_t irs)
{
    if (service->seen == 0 && service->trusted == 0) {
        struct shield_trial *trial = &service->trial[service->made % SHIELD_TRIAL];

        for (int i = 0; i < 9; i++)
            trial->tuple[i] = tuple[i];
        trial->iss = iss;
        trial->irs = irs;
    }
    service->made++;
}

/* Half of the buffer is for data (tcp_win_from_space), and what is beyond would be dropped.  Whole segments. */
static inline void
listener_lower(struct announced *announced, const struct listener *listener)
{
    uint32_t space = listener->buffer >> 1;

    announced->tos = listener->tos & LISTENER_DSCP;
    if (listener->mss != 0 && listener->mss < announced->mss)
        announced->mss = listener->mss;
    if (space >= announced->window)
        return;
    announced->window = space;
    if (space > announced->mss && announced->mss != 0)
        announced->window -= space % announced->mss;
}

/* `tuple` is addresses and ports as they lie in the packet; `announced` is lowered to what the listener has. */
static inline enum listener_choice
listener_decide(void *context, const struct shield_config *config, struct shield_service *service,
       struct shield_counters *counters, const uint32_t *tuple, uint32_t tuple_size, uint64_t now_ns,
       struct announced *announced)
{
    struct listener listener = {0};
    enum listener_choice decided = LISTENER_PASS;

    if (config->mode == SHIELD_OFF || service->refused != 0 || listener_waits(context, service, tuple_size)) {
        counters->off++;
        return LISTENER_PASS;
    }
    struct bpf_sock *socket = socket_lookup(context, tuple, tuple_size, LISTENER_CURRENT_NETNS, 0);
    if (socket == NULL) {
        counters->no_listener++;
        return LISTENER_PASS;
    }
    if (socket->state != BPF_TCP_LISTEN)
        counters->known++;
    else if (listener_read(socket, &listener, tuple_size != 12))
        decided = listener_choose(config, service, counters, &listener, tuple, tuple_size, now_ns);
    if (decided == LISTENER_COOKIE)
        listener_lower(announced, &listener);
    socket_release(socket);
    return decided;
}

/* Written seldom, so that the line is not passed between processors for each SYN. */
static inline void
listener_minted(struct shield_state *state, uint64_t now_ns)
{
    if (now_ns - state->minted_ns > LISTENER_COARSE_NS)
        state->minted_ns = now_ns;
}

#endif

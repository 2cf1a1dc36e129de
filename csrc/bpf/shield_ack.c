/*
 * tc ingress: the ACK that carries a cookie of ours becomes a connection of the kernel's own listener, options and
 * all (bpf_sk_assign_tcp_reqsk, Linux 6.9).  Everything else passes as it is.
 *
 * The order is by cost: most packets are of established connections.  While no cookie was minted for two lifetimes
 * the gate is closed and nothing is read; a socket is looked up only for a good cookie.
 *
 * Packets of one batch all pass here before the first of them reaches TCP.  The data right behind the ACK still finds
 * the listener then; given a request of its own it would be dropped as a duplicate, data and all.  So what was
 * redeemed in the same batch passes as it is, and finds the connection.
 *
 * Beyond the batch that would be wrong: while the kernel has no connection, because it dropped the ACK or another
 * processor has not come to it, TCP answers the data with a RST.  Given a request they are at worst sent again.
 */
#include "ack.h"
#include "claim.h"
#include "elsewhere.h"
#include "listener.h"
#include "maps.h"
#include "mint.h"
#include "options.h"
#include "raw.h"
#include "sums.h"

#define TC_NEXT (-1)
#define TC_DROP 2
/*
 * A batch is of one processor, has no such gap between its packets (TCP takes longer for what a batch brought it), and
 * does not last so long.
 */
#define GAP_NS 20000
#define BATCH_NS 250000
#define MSS_LEAST_V4 536 /* what the kernel takes at least */
#define MSS_LEAST_V6 1220
#define FULL_NS \
    3000000000 /* clients have asked again by then; it is noted once a second */
#define NO_MEMORY (-12)
/*
 * How often a cookie is taken while the kernel has no connection of it: the kernel may have lost what it was given,
 * and the client's next segment is then all there is.  The count is kept in the lowest bits of the time, and the
 * number of the processor above it.
 */
#define TAKES_MAX 3
#define TAKES_MASK UINT64_C(3)
#define STAMP_PROCESSOR_SHIFT 2
#define STAMP_PROCESSORS 256
#define STAMP_TIME_MASK (~UINT64_C(1023))

/* struct bpf_tcp_req_attrs of the kernel. */
struct request {
    uint32_t rcv_tsval;
    uint32_t rcv_tsecr;
    uint16_t mss;
    uint8_t rcv_wscale;
    uint8_t snd_wscale;
    uint8_t ecn_ok;
    uint8_t wscale_ok;
    uint8_t sack_ok;
    uint8_t tstamp_ok;
    uint8_t usec_ts_ok;
    uint8_t reserved[3];
};
extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, void *listener,
                                   struct request *request, int size);

static inline bool
is_gate_open(const struct shield_config *config,
             const struct shield_state *state, uint64_t now_ns)
{
    if (config->flags & SHIELD_GATE_OPEN)
        return true;
    return state->minted_ns != 0 &&
           now_ns - state->minted_ns <=
               2 * config->lifetime_ns + config->skew_ns;
}

/*
 * Reads the options of an ACK; false: TCP may drop it for one of them, a signature above all, and no connection would
 * come of it.
 */
static inline bool
read_options(struct __sk_buff *skb, struct scratch *scratch,
             const struct ack *ack)
{
    uint32_t options = ack->header - OPTIONS_AT;

    scratch->timestamps = 0;
    KERNEL_OPAQUE(options);
    if (options == 0 || options > 40)
        return true;
    if (skb_load(skb, LINK_SIZE + (ack->tuple.v6 ? 60 : 40), scratch->tcp + 5,
                 options) < 0)
        return false;
    options_read(scratch, ack->header);
    return scratch->strange == 0;
}

/* Are the timestamps of an ACK ours?  False also if there are none, and have to be. */
static inline bool
are_timestamps_ours(const struct scratch *scratch,
                    const struct shield_config *config, const struct ack *ack)
{
    if (scratch->timestamps == 0)
        return (config->flags & SHIELD_TS_REQUIRED) == 0;
    if ((config->flags & SHIELD_TS_CHECK) == 0)
        return true;
    int64_t age = (int32_t)(mint_timestamp(config, &ack->tuple,
                                           ack->now_ns / MINT_NS_A_MS) -
                            swap32(scratch->tsecr));
    return age * MINT_NS_A_MS >= -(int64_t)config->skew_ns &&
           age * MINT_NS_A_MS <= 2 * (int64_t)config->lifetime_ns;
}

static inline uint64_t
stamp_processor(void)
{
    return (uint64_t)(processor_id() & (STAMP_PROCESSORS - 1))
           << STAMP_PROCESSOR_SHIFT;
}

/* Was it redeemed in this batch of this processor, so that TCP has not seen it yet? */
static inline bool
is_of_batch(uint64_t stamp, const struct scratch *scratch, uint64_t now_ns)
{
    uint64_t then_ns = stamp & STAMP_TIME_MASK;

    return ((stamp ^ stamp_processor()) & ~STAMP_TIME_MASK & ~TAKES_MASK) ==
               0 &&
           then_ns >= (scratch->batch_ns & STAMP_TIME_MASK) &&
           now_ns - then_ns < BATCH_NS;
}

static inline void
remember(struct shield_redeemed *key, const struct ack *ack)
{
    for (int i = 0; i < 4; i++) {
        bool used = i == 0 || ack->tuple.v6;
        key->address[2 * i] = used ? (uint32_t)ack->tuple.address[i] : 0;
        key->address[2 * i + 1] =
            used ? (uint32_t)(ack->tuple.address[i] >> 32) : 0;
    }
    key->ports = ack->tuple.ports;
    key->iss = ack->iss;
    key->irs = ack->irs;
}

/* Gives the packet to the listener as the last ACK of a handshake that it never saw. */
static inline int
assign(struct __sk_buff *skb, void *listener, const struct scratch *scratch,
       const struct shield_config *config, const struct ack *ack)
{
    const struct shield_family *family = mint_family(config, &ack->tuple);
    uint32_t byte = syncookie_claimed(ack->iss);
    uint32_t wscale = byte >> SYNCOOKIE_WSCALE_SHIFT & SYNCOOKIE_INDEX_MASK;
    uint32_t mss =
        family->mss[byte >> SYNCOOKIE_MSS_SHIFT & SYNCOOKIE_INDEX_MASK];
    uint32_t least = ack->tuple.v6 ? MSS_LEAST_V6 : MSS_LEAST_V4;
    struct request request = {.mss = (uint16_t)(mss < least ? least : mss),
                              .sack_ok = (byte & 2) != 0};

    if (wscale != 0) {
        request.wscale_ok = 1;
        request.snd_wscale = (uint8_t)family->wscale[wscale];
        request.rcv_wscale = (uint8_t)config->rcv_wscale;
    }
    if (scratch->timestamps != 0) {
        request.tstamp_ok = 1;
        request.rcv_tsval = swap32(scratch->tsval);
        request.rcv_tsecr = swap32(scratch->tsecr);
    }
    return bpf_sk_assign_tcp_reqsk(skb, listener, &request, sizeof request);
}

/*
 * Is there no room for one more?  Connections of this batch are not in the accept queue yet, those of the one before
 * are, or have been accepted; the time between two packets tells where a batch ends.
 */
static inline bool
is_full(struct scratch *scratch, const struct listener *listener,
        uint64_t now_ns)
{
    if (now_ns - scratch->taken_ns > GAP_NS)
        scratch->taken = 0;
    scratch->taken_ns = now_ns;
    return listener->backlog + scratch->taken > listener->backlog_max;
}

/*
 * May the kernel drop what this batch made, since other processors make connections too?  The data behind it would be
 * answered with a RST; dropped they are sent again.
 */
static inline bool
is_nearly_full(struct bpf_sock *socket, const struct scratch *scratch)
{
    struct listener listener = {0};
    void *tcp = socket_tcp(socket);

    if (tcp == NULL)
        return false;
    listener_room(tcp, &listener);
    uint32_t spare = listener.backlog_max >> 2;
    return listener.backlog + scratch->taken + (spare == 0 ? 1 : spare) >
               listener.backlog_max &&
           !listener_is_steered(kernel_untrusted(tcp));
}

/* Does the listener take packets from as far (IP_MINTTL, IPV6_MINHOPCOUNT)?  It drops others unseen. */
static inline bool
is_near_enough(void *tcp, const struct scratch *scratch, const struct ack *ack)
{
    uint32_t least = 0;
    void *part;

    if (!ack->tuple.v6) {
        KERNEL_MIN_TTL(least, tcp);
        return (scratch->ip[2] & 0xff) >= least;
    }
    KERNEL_V6(part, kernel_untrusted(tcp));
    if (part != NULL)
        KERNEL_MIN_HOPS(least, part);
    return scratch->ip[1] >> 24 >= least;
}

/* A good cookie meets the listener. */
static inline int
redeem(struct __sk_buff *skb, struct bpf_sock *socket, struct scratch *scratch,
       const struct shield_config *config, struct shield_service *service,
       struct shield_counters *counters, const struct ack *ack,
       const struct shield_redeemed *key, const uint32_t tuple[static 9],
       uint64_t takes)
{
    struct listener listener = {0};
    const uint32_t *address = scratch->ip + (ack->tuple.v6 ? 6 : 4);
    uint32_t size = ack->tuple.v6 ? 16 : 4;

    void *tcp = socket_tcp(socket);
    if (tcp == NULL)
        return TC_NEXT;
    listener_room(tcp, &listener);
    if (is_full(scratch, &listener, ack->now_ns) &&
        !listener_is_steered(kernel_untrusted(tcp))) {
        counters->ack_queue_full++;
        tell_full(counters, service, address, size,
                  (uint16_t)(ack->tuple.ports >> 16), listener.backlog,
                  ack->now_ns);
        return TC_DROP;
    }
    if (!is_near_enough(tcp, scratch, ack)) {
        counters->ack_hops++;
        return TC_NEXT;
    }
    int result = assign(skb, tcp, scratch, config, ack);
    if (result == NO_MEMORY) /* the client comes again */
        return TC_DROP;
    if (result != 0) {
        counters->refused++;
        if (service->refused++ == 0)
            tell(counters, SHIELD_EVENT_REFUSED, address, size,
                 (uint16_t)(ack->tuple.ports >> 16), (uint32_t)-result,
                 ack->now_ns);
        return TC_NEXT;
    }
    counters->redeemed++;
    if (takes == 1)
        listener_made(service, tuple, ack->iss, ack->irs);
    scratch->taken++;
    uint64_t stamp =
        (ack->now_ns & STAMP_TIME_MASK) | stamp_processor() | takes;
    map_update(&redeemed, key, &stamp, BPF_ANY);
    if (config->flags & SHIELD_SHARED)
        map_push(&fresh, key, 0);
    return TC_NEXT;
}

static inline uint32_t
write_tuple(uint32_t tuple[static 9], const struct scratch *scratch,
            const struct ack *ack)
{
    if (ack->tuple.v6) {
        for (int i = 0; i < 8; i++)
            tuple[i] = scratch->ip[2 + i];
        tuple[8] = ack->tuple.ports;
        return 36;
    }
    tuple[0] = scratch->ip[3];
    tuple[1] = scratch->ip[4];
    tuple[2] = ack->tuple.ports;
    for (int i = 3; i < 9; i++)
        tuple[i] = 0;
    return 12;
}

/*
 * Whose connection does this packet belong to?  While nothing has been seen of those that were made of cookies, each
 * packet of a connection is looked at: one with ISNs that are a cookie of ours says that they arrive.
 */
static inline void
notice(struct __sk_buff *skb, const struct scratch *scratch,
       const struct shield_config *config, struct shield_service *service,
       struct ack *ack)
{
    uint32_t tuple[9];

    if (service->made == 0 || service->seen != 0)
        return;
    uint32_t size = write_tuple(tuple, scratch, ack);
    struct bpf_sock *socket =
        socket_lookup(skb, tuple, size, LISTENER_CURRENT_NETNS, 0);
    if (socket == NULL)
        return;
    void *tcp = socket->state == BPF_TCP_LISTEN ? NULL : socket_tcp(socket);
    if (tcp != NULL) {
        listener_isns(tcp, &ack->iss, &ack->irs);
        service->seen += is_cookie(config, ack);
    }
    socket_release(socket);
}

/* Who resets a connection at once leaves nothing that could be seen; but not by one handshake again and again. */
static inline void
unmake(struct shield_service *service, const struct ack *ack)
{
    struct shield_redeemed key;

    remember(&key, ack);
    uint64_t *before = map_lookup(&redeemed, &key);
    if (before == NULL || (*before & TAKES_MASK) >= TAKES_MAX)
        return;
    *before |= TAKES_MAX;
    if (service->made != 0)
        service->made--;
}

/*
 * A RST without ACK does not say whose cookie it was, and if the kernel has no such connection, it may be one that came
 * behind its ACK in one batch.  But it is of one of the last ones: who sees none of their packets cannot send it.
 */
static inline void
unmake_bare(struct shield_service *service, const struct scratch *scratch,
            const struct ack *ack)
{
    uint32_t tuple[9];

    if (service->made == 0 || service->seen != 0)
        return;
    write_tuple(tuple, scratch, ack);
    for (int i = 0; i < SHIELD_TRIAL; i++) {
        uint32_t *trial = service->trial[i].tuple;
        uint32_t differs = 0;

        for (int word = 0; word < 9; word++)
            differs |= trial[word] ^ tuple[word];
        if (differs == 0) {
            trial[0] = 0; /* nobody's: it counts once */
            service->made--;
            return;
        }
    }
}

/*
 * Is this the rest of a request whose beginning was dropped, as the accept queue is full?  TCP would answer it with a
 * RST, and the client will send the beginning again.
 */
static inline bool
is_behind_dropped(struct __sk_buff *skb, const struct scratch *scratch,
                  const struct shield_service *service, const struct ack *ack)
{
    uint32_t tuple[9];

    if (ack->is_reset || ack->now_ns - service->full_ns > FULL_NS)
        return false;
    uint32_t size = write_tuple(tuple, scratch, ack);
    struct bpf_sock *socket =
        socket_lookup(skb, tuple, size, LISTENER_CURRENT_NETNS, 0);
    if (socket == NULL)
        return false;
    bool listens = socket->state == BPF_TCP_LISTEN;
    socket_release(socket);
    return listens;
}

/* A good cookie: was it here before, and does anybody listen? */
static inline int
take_ack(struct __sk_buff *skb, struct scratch *scratch,
         const struct shield_config *config, struct shield_service *service,
         struct shield_counters *counters, const struct ack *ack)
{
    struct shield_redeemed key;
    uint32_t tuple[9];
    int action = TC_NEXT;
    uint64_t takes = 0;
    bool again = false;

    remember(&key, ack);
    const uint64_t *before = map_lookup(&redeemed, &key);
    if (before != NULL) {
        uint64_t stamp = *before;
        takes = stamp & TAKES_MASK;
        again = is_of_batch(stamp, scratch, ack->now_ns);
        counters->again += again;
    }
    uint32_t tuple_size = write_tuple(tuple, scratch, ack);
    struct bpf_sock *socket =
        socket_lookup(skb, tuple, tuple_size, LISTENER_CURRENT_NETNS, 0);
    if (socket == NULL) {
        counters->ack_no_listener += !again;
        return TC_NEXT;
    }
    if (socket->state != BPF_TCP_LISTEN) {
        counters->ack_established += !again;
        service->seen += service->seen == 0;
    } else if (again) {
        /* TCP has not seen the first one yet. */
        if (is_nearly_full(socket, scratch))
            action = TC_DROP;
    } else if (takes >= TAKES_MAX && (config->flags & SHIELD_REPLAY)) {
        counters->replayed++;
        action = TC_DROP;
    } else if ((config->flags & SHIELD_SHARED) && before == NULL &&
               elsewhere_knows(scratch, &ack->tuple, ack->irs, ack->iss,
                               ack->now_ns)) {
        counters->elsewhere++;
    } else {
        action = redeem(skb, socket, scratch, config, service, counters, ack,
                        &key, tuple, takes + (takes < TAKES_MAX));
    }
    socket_release(socket);
    return action;
}

SECTION("tc")
int
shield_ack(struct __sk_buff *skb)
{
    struct ack ack = {.now_ns = ktime_ns()};
    const struct shield_config *config = map_first(&config_map);
    const struct shield_state *state = map_first(&state_map);

    if (config == NULL || state == NULL ||
        !is_gate_open(config, state, ack.now_ns))
        return TC_NEXT;
    struct scratch *scratch = map_first(&scratches);
    struct shield_processor *processor = map_first(&counters_map);
    if (scratch == NULL || processor == NULL)
        return TC_NEXT;
    if (ack.now_ns - scratch->packet_ns > GAP_NS)
        scratch->batch_ns = ack.now_ns;
    scratch->packet_ns = ack.now_ns;
    if (!read_ack(skb, scratch, &ack))
        return TC_NEXT;
    struct shield_counters *counters = &processor->counters;
    struct shield_service *service = ack_service(scratch, &ack);
    if (service == NULL)
        return TC_NEXT;
    bool good = !ack.is_bare && is_cookie(config, &ack);
    counters->ack += !ack.is_reset;
    if (!good) {
        counters->cookie_bad += !ack.is_reset;
        notice(skb, scratch, config, service, &ack);
        if (ack.is_bare)
            unmake_bare(service, scratch, &ack);
        if (!is_behind_dropped(skb, scratch, service, &ack))
            return TC_NEXT;
        counters->ack_queue_full++;
        return TC_DROP;
    }
    if (ack.is_reset) {
        unmake(service, &ack);
        return TC_NEXT;
    }
    if (!read_options(skb, scratch, &ack))
        return TC_NEXT;
    counters->cookie_good++;
    if (!are_timestamps_ours(scratch, config, &ack)) {
        counters->ts_refused++;
        return TC_DROP;
    }
    return take_ack(skb, scratch, config, service, counters, &ack);
}

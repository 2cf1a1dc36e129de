/*
 * The engine in front of a C stack, by the hook that the stack calls for every
 * IP packet: the five calls of docs/hosts.md.  The hook returns 1 if it took
 * the packet, which is then the hook's to free; 0 if the stack is to go on
 * with it.
 *
 * The stack looks up its own connections, so established_max is 0: connections
 * it has come first, and what neither of the two knows, it answers itself.
 */
#include "syncache_host.h"

/* What the stack offers; every stack has these under some name. */
struct stack_packet {
    const uint8_t *bytes; /* IP header first */
    size_t size;
};
uint32_t stack_now_ms(void); /* may wrap */
void stack_random(void *bytes, size_t size);
bool stack_send_ip(const uint8_t *packet, size_t size);
bool stack_has_connection(const struct stack_packet *packet);
bool stack_connect(const struct syncache_conn *conn);
void stack_free(const struct stack_packet *packet);
void stack_call_at(uint64_t now_ms, void (*function)(void));

static _Alignas(64) uint8_t block[65536];
static struct syncache *cache;
static struct syncache_clock passed;

void stack_tick(void);
bool stack_shield(uint16_t port);
int stack_input_hook(const struct stack_packet *packet);

/* By a timer: keys, SYN-ACKs again. */
void
stack_tick(void)
{
    uint64_t now_ms = syncache_clock(&passed, stack_now_ms());
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint8_t key[SYNCACHE_KEY_BYTES];
    uint64_t epoch;
    uint32_t size;

    if (syncache_key_due(cache, now_ms, &epoch)) {
        stack_random(key, sizeof key);
        syncache_set_key(cache, epoch, key);
    }
    while ((size = syncache_poll_one(cache, now_ms, packet)) > 0)
        (void)stack_send_ip(packet, size);
    stack_call_at(syncache_next_deadline(cache), stack_tick);
}

/* Once for each port that the stack listens on. */
bool
stack_shield(uint16_t port)
{
    struct syncache_config config;
    struct syncache_tunables tunables;
    struct syncache_endpoint endpoint = {
        .lport = port,
        .options = SYNCACHE_OPTIONS_ALL,
        .hop_limit = 64,
        .rcv_wnd = 65535,
        .rcv_wscale = SYNCACHE_WSCALE_NONE,
        .mtu = 1500,
    };
    uint8_t seed[SYNCACHE_KEY_BYTES];
    uint32_t number;

    if (cache == NULL) {
        stack_random(seed, sizeof seed);
        if (!syncache_config_fit(&config, sizeof block))
            return false;
        cache = syncache_init(block, sizeof block, &config, seed);
        syncache_tunables_host(&tunables);
        if (cache == NULL || !syncache_set_tunables(cache, &tunables))
            return false;
        stack_tick(); /* the first key, before the first packet */
    }
    return syncache_listen(cache, &endpoint, &number);
}

int
stack_input_hook(const struct stack_packet *packet)
{
    struct syncache_result result;
    enum syncache_verdict verdict;

    if (stack_has_connection(packet)) /* TIME-WAIT included */
        return 0;
    verdict = syncache_packet(cache, syncache_clock(&passed, stack_now_ms()),
                              packet->bytes, packet->size,
                              SYNCACHE_CHECKSUM_VERIFY, &result);
    if (syncache_kind(verdict) == SYNCACHE_ACCEPT) {
        /* The connection first; then the stack's own input takes the packet:
         * it acknowledges our SYN-ACK and may carry data. */
        bool made = stack_connect(&result.conn);

        syncache_accepted(cache, &result.conn, 0, made);
        if (made && verdict != SYNCACHE_ACCEPT_FASTOPEN)
            return 0;
    }
    if (result.reply_size > 0)
        (void)stack_send_ip(result.reply, result.reply_size);
    if (syncache_kind(verdict) == SYNCACHE_PASS)
        return 0;
    stack_free(packet);
    return 1;
}

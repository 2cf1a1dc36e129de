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
void stack_call_after(uint32_t ms, void (*function)(void));

static _Alignas(64) uint8_t block[65536];
static struct syncache_front front = {
    .endpoint = {.options = SYNCACHE_OPTIONS_ALL,
                 .hop_limit = 64,
                 .rcv_wnd = 65535,
                 .rcv_wscale = SYNCACHE_WSCALE_NONE,
                 .mtu = 1500},
    .ts_per_tuple = true,
    .entropy = stack_random,
};

bool stack_shield(uint16_t port);
void stack_tick(void);
int stack_input_hook(const struct stack_packet *packet);

/* Once for each port that the stack listens on. */
bool
stack_shield(uint16_t port)
{
    if (front.cache == NULL) {
        if (!syncache_front_init(&front, stack_now_ms(), block, sizeof block))
            return false;
        stack_tick();
    }
    return syncache_front_listen(&front, port);
}

/* By a timer: keys, SYN-ACKs again. */
void
stack_tick(void)
{
    uint8_t packet[SYNCACHE_REPLY_MAX];
    uint32_t size;

    while ((size = syncache_front_poll(&front, stack_now_ms(), packet)) > 0)
        (void)stack_send_ip(packet, size);
    stack_call_after(250, stack_tick);
}

int
stack_input_hook(const struct stack_packet *packet)
{
    struct syncache_result result;
    enum syncache_verdict verdict;

    if (stack_has_connection(packet)) /* TIME-WAIT included */
        return 0;
    verdict = syncache_packet(
        front.cache, syncache_clock(&front.clock, stack_now_ms()),
        packet->bytes, packet->size, SYNCACHE_CHECKSUM_VERIFY, &result);
    if (syncache_kind(verdict) == SYNCACHE_ACCEPT) {
        /* The connection first; then the stack's own input takes the packet:
         * it acknowledges our SYN-ACK and may carry data. */
        bool made = stack_connect(&result.conn);

        syncache_accepted(front.cache, &result.conn, 0, made);
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

/*
 * The engine in front of a C stack, by the hook that the stack calls for every
 * IPv4 packet: lwIP's LWIP_HOOK_IP4_INPUT has this shape.  The hook returns 1
 * if it took the packet, 0 if the stack is to go on with it.
 *
 * The stack looks up its own connections, so established_max is 0: connections
 * it has come first, and what neither of the two knows, it answers itself.
 */
#include "syncache.h"

/* What the stack offers; every stack has these under some name. */
struct stack_packet {
    const uint8_t *bytes; /* IP header first */
    size_t size;
};
uint64_t stack_now_ms(void);
void stack_send_ip(const uint8_t *packet, size_t size);
bool stack_has_connection(const struct stack_packet *packet);
bool stack_connect(const struct syncache_conn *conn,
                   const struct stack_packet *packet);

extern struct syncache *cache; /* syncache_init(), syncache_listen() made it */
int stack_ip4_input_hook(const struct stack_packet *packet);

int
stack_ip4_input_hook(const struct stack_packet *packet)
{
    struct syncache_result result;
    enum syncache_verdict verdict;

    if (stack_has_connection(packet))
        return 0;
    verdict = syncache_packet(cache, stack_now_ms(), packet->bytes,
                              packet->size, SYNCACHE_CHECKSUM_VERIFY, &result);
    if (result.reply_size > 0)
        stack_send_ip(result.reply, result.reply_size);
    if (syncache_kind(verdict) == SYNCACHE_ACCEPT) {
        /* Makes the connection and gives it the payload of this packet. */
        bool made = stack_connect(&result.conn, packet);

        syncache_accepted(cache, &result.conn, 0, made);
    }
    return syncache_kind(verdict) != SYNCACHE_PASS;
}

/* ICMP and ICMPv6 errors: see wire_icmp.h. */
#include "wire_icmp.h"

#include <string.h>

/*
 * RFC 792 unreachable, time exceeded, parameter problem; RFC 4443 those and
 * packet too big.  Source quench is not among them (RFC 6633), nor redirects.
 */
bool
wire_icmp_is_error(uint8_t protocol, uint8_t type)
{
    if (protocol == WIRE_PROTOCOL_ICMP)
        return type == 3 || type == 11 || type == 12;
    return type >= 1 && type <= 4;
}

bool
wire_quoted(const uint8_t *packet, size_t packet_size,
            struct syncache_tuple *tuple, struct wire_upper *upper)
{
    if (!wire_ip_cut(packet, packet_size, upper) || upper->size < 8 ||
        (upper->protocol != WIRE_PROTOCOL_TCP &&
         upper->protocol != WIRE_PROTOCOL_UDP))
        return false;
    wire_set_addresses(tuple, wire_ip_family(packet), wire_ip_source(packet),
                       wire_ip_destination(packet));
    tuple->fport = load16_be(upper->data);
    tuple->lport = load16_be(upper->data + 2);
    return true;
}

enum wire_kind
wire_icmp(const struct wire_upper *icmp, uint32_t checksum,
          const struct syncache_tuple *outer, struct wire_quote *quote,
          enum syncache_verdict *why)
{
    struct syncache_tuple quoted;
    struct wire_upper upper;

    if (icmp->size < WIRE_ICMP_HEADER_BYTES) {
        *why = SYNCACHE_DROP_TRUNCATED;
        return WIRE_BAD;
    }
    if (checksum == SYNCACHE_CHECKSUM_VERIFY &&
        !wire_sum_good(outer, icmp->protocol, icmp->data, icmp->size)) {
        *why = SYNCACHE_DROP_CHECKSUM;
        return WIRE_BAD;
    }
    quote->message = icmp->data;
    quote->size = (uint32_t)icmp->size;
    quote->type = icmp->data[0];
    quote->code = icmp->data[1];
    if (!wire_icmp_is_error(icmp->protocol, quote->type))
        return WIRE_OTHER;
    /* An error goes to the sender of what it quotes, so that is one address. */
    if (!wire_quoted(icmp->data + WIRE_ICMP_HEADER_BYTES,
                     icmp->size - WIRE_ICMP_HEADER_BYTES, &quoted, &upper) ||
        upper.protocol != WIRE_PROTOCOL_TCP || quoted.family != outer->family ||
        memcmp(quoted.faddr, outer->laddr, sizeof outer->laddr) != 0)
        return WIRE_OTHER;
    quote->tuple = wire_turned(&quoted);
    quote->seq = load32_be(upper.data + WIRE_TCP_SEQ_AT);
    return WIRE_QUOTE;
}

/* RFC 1191 7.1: MTUs in use, for a router that does not report what fits. */
static uint32_t
wire_icmp_plateau(size_t size)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002,
                                        1492,  1006,  508,  296};
    size_t i = 0;

    while (i + 1 < sizeof plateaus / sizeof *plateaus && plateaus[i] >= size)
        i++;
    return plateaus[i];
}

uint32_t
wire_icmp_mtu(const struct wire_quote *quote)
{
    const uint8_t *message = quote->message;
    uint32_t mtu;

    if (quote->tuple.family == 6)
        return quote->type == 2 ? load32_be(message + 4) : 0;
    if (quote->type != 3 || quote->code != 4)
        return 0;
    mtu = load16_be(message + 6);
    return mtu != 0 ? mtu
                    : wire_icmp_plateau(
                          wire_ip_total(message + WIRE_ICMP_HEADER_BYTES));
}

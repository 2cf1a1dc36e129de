/* IP headers in: RFC 791, RFC 8200.  What is refused, and in which order. */
#include "twin.h"

#include <string.h>

#define EXTENSIONS_MAX 8

static bool
bad(struct twin_parsed *parsed, enum syncache_verdict why)
{
    parsed->kind = TWIN_BAD;
    parsed->why = why;
    return false;
}

static bool
wanted(uint8_t protocol)
{
    return protocol == 6 || protocol == 1 || protocol == 58;
}

static bool
extension(uint8_t protocol)
{
    return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
}

void
twin_pair(struct syncache_tuple *tuple, uint8_t family, const uint8_t *faddr,
          const uint8_t *laddr)
{
    size_t size = family == 4 ? 4 : 16;
    memset(tuple, 0, sizeof *tuple);
    tuple->family = family;
    memcpy(tuple->faddr, faddr, size);
    memcpy(tuple->laddr, laddr, size);
}

static bool
ipv4_options(const uint8_t *at, const uint8_t *end, struct twin_parsed *parsed)
{
    while (at < end && *at != 0) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return bad(parsed, SYNCACHE_DROP_IP_HEADER);
        if (*at == 131 || *at == 137)
            return bad(parsed, SYNCACHE_DROP_SOURCE_ROUTE);
        at += at[1];
    }
    return true;
}

static bool
ipv4(const uint8_t *packet, size_t size, struct twin_parsed *parsed, size_t *at,
     size_t *end)
{
    if (size < 20)
        return bad(parsed, SYNCACHE_DROP_TRUNCATED);
    *at = 4 * (packet[0] & 15u);
    *end = twin_get(packet + 2, 2);
    if (*at < 20 || *end < *at)
        return bad(parsed, SYNCACHE_DROP_IP_HEADER);
    if (*end > size)
        return bad(parsed, SYNCACHE_DROP_TRUNCATED);
    if (twin_sum(0, packet, *at) != 0xffff)
        return bad(parsed, SYNCACHE_DROP_IP_CHECKSUM);
    twin_pair(&parsed->segment.tuple, 4, packet + 12, packet + 16);
    if (!wanted(packet[9]))
        return true;
    if (!ipv4_options(packet + 20, packet + *at, parsed))
        return false;
    /* Offset, or more to come; DF and the reserved bit do not matter. */
    if (twin_get(packet + 6, 2) & 0x3fff)
        return bad(parsed, SYNCACHE_DROP_FRAGMENT);
    return true;
}

/* Options of hop-by-hop and destination headers: none may say "discard". */
static bool
ipv6_options(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (*at == 0) {
            at++;
            continue;
        }
        if (end - at < 2 || 2 + at[1] > end - at || *at >> 6 != 0)
            return false;
        at += 2 + at[1];
    }
    return true;
}

bool
twin_upper6(const uint8_t *packet, size_t size, size_t *at, uint8_t *protocol,
            enum syncache_verdict *why)
{
    int seen = 0;
    *at = 40;
    *protocol = packet[6];
    while (extension(*protocol)) {
        const uint8_t *header = packet + *at;
        uint8_t type = *protocol;
        *why = SYNCACHE_DROP_IP_HEADER;
        if (seen++ == EXTENSIONS_MAX || size - *at < 8)
            return false;
        *protocol = header[0];
        if (type == 44) {
            *at += 8;
            /* Without offset and more to come it is a whole packet. */
            if ((twin_get(header + 2, 2) & 0xfff9) == 0)
                continue;
            *why = SYNCACHE_DROP_FRAGMENT;
            return !wanted(*protocol) && !extension(*protocol);
        }
        size_t length = 8u * (1u + header[1]);
        if (length > size - *at || (type == 0 && seen > 1))
            return false;
        if (type != 43 && !ipv6_options(header + 2, header + length))
            return false;
        *why = SYNCACHE_DROP_SOURCE_ROUTE;
        if (type == 43 && header[3] != 0)
            return false;
        *at += length;
    }
    return true;
}

bool
twin_parse_ip(const uint8_t *packet, size_t size, struct twin_parsed *parsed,
              const uint8_t **upper, size_t *upper_size, uint8_t *protocol)
{
    size_t at, end;
    if (size == 0)
        return bad(parsed, SYNCACHE_DROP_TRUNCATED);
    if (packet[0] >> 4 == 4) {
        if (!ipv4(packet, size, parsed, &at, &end))
            return false;
        *protocol = packet[9];
        parsed->segment.tos = packet[1];
    } else if (packet[0] >> 4 == 6) {
        if (size < 40)
            return bad(parsed, SYNCACHE_DROP_TRUNCATED);
        end = 40 + twin_get(packet + 4, 2);
        if (end > size)
            return bad(parsed, SYNCACHE_DROP_TRUNCATED);
        twin_pair(&parsed->segment.tuple, 6, packet + 8, packet + 24);
        if (!twin_upper6(packet, end, &at, protocol, &parsed->why))
            return bad(parsed, parsed->why);
        parsed->segment.tos = (uint8_t)(twin_get(packet, 2) >> 4);
    } else {
        return bad(parsed, SYNCACHE_DROP_IP_HEADER);
    }
    *upper = packet + at;
    *upper_size = end - at;
    return true;
}

/* TCP and ICMP in, TCP out: RFC 9293 3.1, 3.2, RFC 792, 4443, RFC 2385. */
#include "twin.h"

#include <string.h>

#define DIGESTED_MAX 70000

uint32_t
twin_get(const uint8_t *bytes, size_t size)
{
    uint32_t value = 0;
    while (size-- > 0)
        value = value << 8 | *bytes++;
    return value;
}

void
twin_put(uint8_t *bytes, size_t size, uint64_t value)
{
    while (size-- > 0) {
        bytes[size] = (uint8_t)value;
        value >>= 8;
    }
}

uint32_t
twin_sum(uint32_t sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Length and protocol may stand anywhere in it: it is a sum of 16-bit words. */
uint32_t
twin_sum_pseudo(const struct syncache_tuple *tuple, uint8_t protocol,
                size_t size)
{
    uint32_t sum = twin_sum(0, tuple->faddr, 16);
    sum = twin_sum(sum, tuple->laddr, 16);
    return twin_sum(sum + protocol + (uint32_t)size, NULL, 0);
}

static void
parse_option(struct twin_segment *segment, const uint8_t *option)
{
    struct twin_options *has = &segment->options;
    bool syn = (segment->flags & TWIN_SYN) != 0;
    uint8_t size = option[1];
    if (option[0] == 2 && size == 4 && syn) {
        has->mss = true;
        has->mss_value = (uint16_t)twin_get(option + 2, 2);
    } else if (option[0] == 3 && size == 3 && syn) {
        has->ws = true;
        has->ws_value = option[2] > 14 ? 14 : option[2];
    } else if (option[0] == 4 && size == 2 && syn) {
        has->sack = true;
    } else if (option[0] == 8 && size == 10) {
        has->ts = true;
        has->tsval = twin_get(option + 2, 4);
        has->tsecr = twin_get(option + 6, 4);
    } else if (option[0] == 19 && size == 18) {
        has->md5 = true;
        has->digest = option + 2;
    } else if (option[0] == 34 && syn && size % 2 == 0 &&
               (size == 2 || (size >= 6 && size <= 18))) {
        has->tfo = true;
        has->cookie = option + 2;
        has->cookie_size = size - 2u;
    }
}

static void
parse_options(struct twin_segment *segment)
{
    const uint8_t *at = segment->tcp + 20;
    const uint8_t *end = segment->tcp + segment->header_size;
    while (at < end && *at != 0) {
        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        parse_option(segment, at);
        at += at[1];
    }
}

static void
parse_tcp(const uint8_t *tcp, size_t size, uint32_t checksum,
          struct twin_parsed *parsed)
{
    struct twin_segment *segment = &parsed->segment;
    size_t header = size < 20 ? 0 : 4 * (size_t)(tcp[12] >> 4);
    parsed->kind = TWIN_BAD;
    parsed->why = SYNCACHE_DROP_TCP_HEADER;
    if (header < 20 || header > size)
        return;
    parsed->why = SYNCACHE_DROP_CHECKSUM;
    if (checksum == SYNCACHE_CHECKSUM_VERIFY &&
        twin_sum(twin_sum_pseudo(&segment->tuple, 6, size), tcp, size) !=
            0xffff)
        return;
    parsed->kind = TWIN_TCP;
    segment->tuple.fport = (uint16_t)twin_get(tcp, 2);
    segment->tuple.lport = (uint16_t)twin_get(tcp + 2, 2);
    segment->seq = twin_get(tcp + 4, 4);
    segment->ack = twin_get(tcp + 8, 4);
    segment->flags = twin_get(tcp + 12, 2) & 0x1ff;
    segment->window = (uint16_t)twin_get(tcp + 14, 2);
    segment->tcp = tcp;
    segment->tcp_size = size;
    segment->header_size = header;
    segment->payload_size = (uint32_t)(size - header);
    parse_options(segment);
}

/* The quoted segment's tuple and sequence number; false: nothing usable. */
static bool
parse_quote(const uint8_t *packet, size_t size, struct twin_parsed *parsed)
{
    struct syncache_tuple *quoted = &parsed->quoted;
    enum syncache_verdict why;
    uint8_t protocol;
    size_t at;
    if (size >= 20 && packet[0] >> 4 == 4) {
        at = 4 * (packet[0] & 15u);
        protocol = packet[9];
        if (at < 20 || at > size || (twin_get(packet + 6, 2) & 0x1fff) != 0)
            return false;
        twin_pair(quoted, 4, packet + 16, packet + 12);
    } else if (size >= 40 && packet[0] >> 4 == 6) {
        if (!twin_upper6(packet, size, &at, &protocol, &why))
            return false;
        twin_pair(quoted, 6, packet + 24, packet + 8);
    } else {
        return false;
    }
    if (protocol != 6 || size - at < 8)
        return false;
    quoted->lport = (uint16_t)twin_get(packet + at, 2);
    quoted->fport = (uint16_t)twin_get(packet + at + 2, 2);
    parsed->quoted_seq = twin_get(packet + at + 4, 4);
    /* Errors come to the sender of what they quote. */
    return quoted->family == parsed->segment.tuple.family &&
           memcmp(quoted->laddr, parsed->segment.tuple.laddr, 16) == 0;
}

static void
parse_icmp(const uint8_t *icmp, size_t size, uint32_t checksum,
           struct twin_parsed *parsed)
{
    const struct syncache_tuple *tuple = &parsed->segment.tuple;
    uint32_t sum = tuple->family == 6 ? twin_sum_pseudo(tuple, 58, size) : 0;
    bool error = false;
    parsed->kind = TWIN_BAD;
    parsed->why = SYNCACHE_DROP_TRUNCATED;
    if (size < 8)
        return;
    parsed->why = SYNCACHE_DROP_CHECKSUM;
    if (checksum == SYNCACHE_CHECKSUM_VERIFY &&
        twin_sum(sum, icmp, size) != 0xffff)
        return;
    if (tuple->family == 4)
        error = icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12;
    else
        error = icmp[0] >= 1 && icmp[0] <= 4;
    parsed->kind = TWIN_OTHER;
    if (error && parse_quote(icmp + 8, size - 8, parsed))
        parsed->kind = TWIN_QUOTE;
}

void
twin_parse(const uint8_t *packet, size_t size, uint32_t checksum,
           struct twin_parsed *parsed)
{
    const uint8_t *upper;
    size_t upper_size;
    uint8_t protocol;
    memset(parsed, 0, sizeof *parsed);
    if (!twin_parse_ip(packet, size, parsed, &upper, &upper_size, &protocol))
        return;
    if (protocol == 6)
        parse_tcp(upper, upper_size, checksum, parsed);
    else if (protocol == (parsed->segment.tuple.family == 4 ? 1 : 58))
        parse_icmp(upper, upper_size, checksum, parsed);
    else
        parsed->kind = TWIN_OTHER;
}

void
twin_digest(const struct syncache_tuple *tuple, bool inward, const uint8_t *tcp,
            size_t tcp_size, const uint8_t *key, size_t key_size,
            uint8_t digest[16])
{
    static uint8_t data[DIGESTED_MAX];
    size_t address = tuple->family == 4 ? 4 : 16;
    size_t header = 4 * (size_t)(tcp[12] >> 4);
    size_t size = 2 * address;
    memcpy(data, inward ? tuple->faddr : tuple->laddr, address);
    memcpy(data + address, inward ? tuple->laddr : tuple->faddr, address);
    if (tuple->family == 4) {
        twin_put(data + size, 2, 6);
        twin_put(data + size + 2, 2, tcp_size);
        size += 4;
    } else {
        twin_put(data + size, 4, tcp_size);
        twin_put(data + size + 4, 4, 6);
        size += 8;
    }
    memcpy(data + size, tcp, 20);
    twin_put(data + size + 16, 2, 0);
    memcpy(data + size + 20, tcp + header, tcp_size - header);
    size += 20 + tcp_size - header;
    memcpy(data + size, key, key_size);
    twin_md5_of(data, size + key_size, digest);
}

/* Puts an option behind NOPs that bring it to `rest` modulo `step`. */
static size_t
lay_option(uint8_t bytes[40], size_t size, size_t step, size_t rest,
           const uint8_t *option)
{
    size_t nops = (rest + 4 * step - size % step) % step;
    if (size + nops + option[1] > 40)
        return size;
    memset(bytes + size, 1, nops);
    memcpy(bytes + size + nops, option, option[1]);
    return size + nops + option[1];
}

size_t
twin_layout(const struct twin_options *options, uint8_t bytes[40],
            size_t *digest)
{
    uint8_t option[20] = {2, 4};
    size_t size = 0;
    *digest = 0;
    memset(bytes, 0, 40);
    if (options->mss) {
        twin_put(option + 2, 2, options->mss_value);
        size = lay_option(bytes, size, 4, 0, option);
    }
    if (options->ws)
        size =
            lay_option(bytes, size, 2, 1, (uint8_t[]){3, 3, options->ws_value});
    if (options->sack)
        size = lay_option(bytes, size, 2, 0, (uint8_t[]){4, 2});
    if (options->ts) {
        option[0] = 8;
        option[1] = 10;
        twin_put(option + 2, 4, options->tsval);
        twin_put(option + 6, 4, options->tsecr);
        size = lay_option(bytes, size, 4, 2, option);
    }
    if (options->md5) {
        size_t before = size;
        memset(option, 0, sizeof option);
        option[0] = 19;
        option[1] = 18;
        size = lay_option(bytes, size, 4, 2, option);
        *digest = size > before ? size - 16 : 0;
    }
    if (options->tfo) {
        option[0] = 34;
        option[1] = (uint8_t)(2 + options->cookie_size);
        memcpy(option + 2, options->cookie, options->cookie_size);
        size = lay_option(bytes, size, 1, 0, option);
    }
    return (size + 3) / 4 * 4;
}

static size_t
build_ip(const struct twin_segment *segment, size_t tcp_size, uint8_t *packet)
{
    const struct syncache_tuple *tuple = &segment->tuple;
    if (tuple->family == 6) {
        memset(packet, 0, 40);
        twin_put(packet, 4,
                 UINT32_C(6) << 28 | (uint32_t)segment->tos << 20 |
                     segment->flow_label);
        twin_put(packet + 4, 2, tcp_size);
        packet[6] = 6;
        packet[7] = segment->ttl;
        memcpy(packet + 8, tuple->laddr, 16);
        memcpy(packet + 24, tuple->faddr, 16);
        return 40;
    }
    memset(packet, 0, 20);
    packet[0] = 0x45;
    packet[1] = segment->tos;
    twin_put(packet + 2, 2, 20 + tcp_size);
    packet[6] = segment->df ? 0x40 : 0;
    packet[8] = segment->ttl;
    packet[9] = 6;
    memcpy(packet + 12, tuple->laddr, 4);
    memcpy(packet + 16, tuple->faddr, 4);
    twin_put(packet + 10, 2, ~twin_sum(0, packet, 20));
    return 20;
}

uint32_t
twin_build(const struct twin_segment *segment, uint8_t *packet)
{
    const struct twin_options *options = &segment->options;
    uint8_t laid[40];
    size_t digest;
    size_t header = 20 + twin_layout(options, laid, &digest);
    size_t tcp_size = header + segment->payload_size;
    size_t ip_size = build_ip(segment, tcp_size, packet);
    uint8_t *tcp = packet + ip_size;
    memset(tcp, 0, tcp_size);
    twin_put(tcp, 2, segment->tuple.lport);
    twin_put(tcp + 2, 2, segment->tuple.fport);
    twin_put(tcp + 4, 4, segment->seq);
    twin_put(tcp + 8, 4, segment->ack);
    twin_put(tcp + 12, 2, header / 4 << 12 | segment->flags);
    twin_put(tcp + 14, 2, segment->window);
    memcpy(tcp + 20, laid, header - 20);
    if (digest != 0)
        twin_digest(&segment->tuple, false, tcp, tcp_size, options->key,
                    options->key_size, tcp + 20 + digest);
    twin_put(tcp + 16, 2,
             ~twin_sum(twin_sum_pseudo(&segment->tuple, 6, tcp_size), tcp,
                       tcp_size));
    return (uint32_t)(ip_size + tcp_size);
}

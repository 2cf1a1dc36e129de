/*
 * Values to packets: replies with their options, whole segments, signatures.
 * Every packet is written front to back into the caller's buffer, then signed,
 * then summed.
 */
#include "wire.h"

#include "md5.h"
#include "wire_tcp.h"

#include <assert.h>
#include <string.h>

/* Writes an IP header for tcp_size bytes of TCP.  Returns its size. */
static size_t
wire_build_ip(const struct syncache_fields *fields, size_t tcp_size,
              uint8_t *packet)
{
    if (fields->family == 6) {
        store32_be(packet, UINT32_C(6) << 28 | (uint32_t)fields->tos << 20 |
                               (fields->flow_label & 0xfffff));
        store16_be(packet + 4, (uint16_t)tcp_size);
        packet[6] = WIRE_PROTOCOL_TCP;
        packet[7] = fields->hop_limit;
        memcpy(packet + 8, fields->saddr, 16);
        memcpy(packet + 24, fields->daddr, 16);
        return WIRE_IPV6_HEADER_BYTES;
    }
    packet[0] = 0x45;
    packet[1] = fields->tos;
    store16_be(packet + 2, (uint16_t)(WIRE_IPV4_HEADER_BYTES + tcp_size));
    store16_be(packet + 4, fields->ip_id);
    store16_be(packet + 6, fields->dont_fragment ? 0x4000 : 0);
    packet[8] = fields->hop_limit;
    packet[9] = WIRE_PROTOCOL_TCP;
    store16_be(packet + 10, 0);
    memcpy(packet + 12, fields->saddr, 4);
    memcpy(packet + 16, fields->daddr, 4);
    uint32_t sum = wire_sum(0, packet, WIRE_IPV4_HEADER_BYTES);
    store16_be(packet + 10, (uint16_t)~sum);
    return WIRE_IPV4_HEADER_BYTES;
}

/* Writes the fixed part of a TCP header, its checksum zero. */
static void
wire_build_tcp(const struct syncache_fields *fields, uint8_t *tcp)
{
    size_t words = (WIRE_TCP_HEADER_BYTES + fields->options_size) / 4u;
    store16_be(tcp, fields->sport);
    store16_be(tcp + 2, fields->dport);
    store32_be(tcp + 4, fields->seq);
    store32_be(tcp + 8, fields->ack);
    store16_be(tcp + 12, (uint16_t)(words << 12 | (fields->flags & 0x1ff)));
    store16_be(tcp + 14, fields->window);
    store16_be(tcp + WIRE_TCP_CHECKSUM_AT, 0);
    store16_be(tcp + 18, fields->urgent);
}

/*
 * Finds room for an option of option_size bytes that starts at `phase` modulo
 * `align`, with NOPs in front.  Returns NULL, and writes nothing, if there is
 * none.
 */
static uint8_t *
wire_build_option(uint8_t *options, size_t *size, size_t option_size,
                  size_t align, size_t phase)
{
    assert(phase < align && *size <= WIRE_TCP_OPTIONS_MAX);
    size_t pad = (phase + align - *size % align) % align;
    if (*size + pad + option_size > WIRE_TCP_OPTIONS_MAX)
        return NULL;
    memset(options + *size, 1, pad);
    uint8_t *option = options + *size + pad;
    option[1] = (uint8_t)option_size;
    *size += pad + option_size;
    return option;
}

/*
 * Writes the options of a reply and their padding.  *digest says where the
 * digest is to go, which no digest covers; NULL if the reply is not signed.
 */
static size_t
wire_build_options(const struct wire_reply *reply,
                   uint8_t options[static WIRE_TCP_OPTIONS_MAX],
                   uint8_t **digest)
{
    size_t size = 0;
    uint8_t *at;
    *digest = NULL;
    if ((reply->has & WIRE_HAS_MSS) != 0 &&
        (at = wire_build_option(options, &size, 4, 4, 0)) != NULL) {
        at[0] = 2;
        store16_be(at + 2, reply->mss);
    }
    if ((reply->has & WIRE_HAS_WSCALE) != 0 &&
        (at = wire_build_option(options, &size, 3, 2, 1)) != NULL) {
        at[0] = 3;
        at[2] = reply->wscale;
    }
    if ((reply->has & WIRE_HAS_SACK_PERMITTED) != 0 &&
        (at = wire_build_option(options, &size, 2, 2, 0)) != NULL)
        at[0] = 4;
    if ((reply->has & WIRE_HAS_TIMESTAMPS) != 0 &&
        (at = wire_build_option(options, &size, 10, 4, 2)) != NULL) {
        at[0] = 8;
        store32_be(at + 2, reply->tsval);
        store32_be(at + 6, reply->tsecr);
    }
    if (reply->md5_key != NULL &&
        (at = wire_build_option(options, &size, 2 + WIRE_MD5_BYTES, 4, 2)) !=
            NULL) {
        at[0] = 19;
        *digest = at + 2;
    }
    if ((reply->has & WIRE_HAS_FASTOPEN) != 0 &&
        (at = wire_build_option(options, &size, 2u + reply->fastopen_size, 1,
                                0)) != NULL) {
        at[0] = 34;
        memcpy(at + 2, reply->fastopen, reply->fastopen_size);
    }
    /* EOL and then zeros, which is as many zeros. */
    while (size % 4 != 0)
        options[size++] = 0;
    assert(size <= WIRE_TCP_OPTIONS_MAX);
    return size;
}

size_t
wire_build_reply(const struct wire_reply *reply,
                 uint8_t packet[static SYNCACHE_REPLY_MAX])
{
    const struct syncache_tuple *tuple = &reply->tuple;
    assert(tuple->family == 4 || tuple->family == 6);
    assert((reply->has & WIRE_HAS_FASTOPEN) == 0 || reply->fastopen != NULL);
    assert(reply->fastopen_size <= SYNCACHE_FASTOPEN_COOKIE_MAX);
    uint8_t *tcp = packet + (tuple->family == 4 ? WIRE_IPV4_HEADER_BYTES
                                                : WIRE_IPV6_HEADER_BYTES);
    uint8_t *digest;
    size_t options_size =
        wire_build_options(reply, tcp + WIRE_TCP_HEADER_BYTES, &digest);
    struct syncache_fields fields = {
        .sport = tuple->lport,
        .dport = tuple->fport,
        .family = tuple->family,
        .hop_limit = reply->hop_limit,
        .tos = reply->tos,
        .dont_fragment = reply->dont_fragment,
        .flow_label = reply->flow_label,
        .flags = reply->flags,
        .seq = reply->seq,
        .ack = (reply->flags & WIRE_ACK) != 0 ? reply->ack : 0,
        .window = reply->window,
        .options_size = (uint16_t)options_size,
    };
    memcpy(fields.saddr, tuple->laddr, sizeof fields.saddr);
    memcpy(fields.daddr, tuple->faddr, sizeof fields.daddr);
    size_t tcp_size = WIRE_TCP_HEADER_BYTES + options_size;
    size_t ip_size = wire_build_ip(&fields, tcp_size, packet);
    assert(packet + ip_size == tcp);
    wire_build_tcp(&fields, tcp);
    if (digest != NULL)
        wire_md5(tuple, false, tcp, tcp_size, reply->md5_key,
                 reply->md5_key_size, digest);
    uint32_t sum = wire_sum_pseudo(tuple->family, tuple->faddr, tuple->laddr,
                                   WIRE_PROTOCOL_TCP, tcp_size);
    sum = wire_sum(sum, tcp, tcp_size);
    store16_be(tcp + WIRE_TCP_CHECKSUM_AT, (uint16_t)~sum);
    return ip_size + tcp_size;
}

size_t
syncache_build(const struct syncache_fields *fields, const uint8_t *options,
               const uint8_t *payload, uint32_t checksum, uint8_t *packet,
               size_t packet_max)
{
    if ((fields->family != 4 && fields->family != 6) ||
        fields->options_size > WIRE_TCP_OPTIONS_MAX ||
        fields->options_size % 4 != 0 || fields->payload_size > UINT16_MAX)
        return 0;
    size_t header_size = (size_t)WIRE_TCP_HEADER_BYTES + fields->options_size;
    size_t tcp_size = header_size + fields->payload_size;
    size_t ip_size =
        fields->family == 4 ? WIRE_IPV4_HEADER_BYTES : WIRE_IPV6_HEADER_BYTES;
    /* The length field counts the header in IPv4, and not in IPv6. */
    if ((fields->family == 4 ? ip_size : 0) + tcp_size > UINT16_MAX ||
        ip_size + tcp_size > packet_max)
        return 0;
    uint8_t *tcp = packet + wire_build_ip(fields, tcp_size, packet);
    wire_build_tcp(fields, tcp);
    if (fields->options_size > 0)
        memcpy(tcp + WIRE_TCP_HEADER_BYTES, options, fields->options_size);
    if (fields->payload_size > 0)
        memcpy(tcp + header_size, payload, fields->payload_size);
    uint32_t sum = wire_sum_pseudo(fields->family, fields->saddr, fields->daddr,
                                   WIRE_PROTOCOL_TCP, tcp_size);
    if (checksum == SYNCACHE_CHECKSUM_PARTIAL) {
        /* Who finishes it adds the segment, this field included. */
        store16_be(tcp + WIRE_TCP_CHECKSUM_AT, (uint16_t)sum);
    } else {
        sum = wire_sum(sum, tcp, tcp_size);
        store16_be(tcp + WIRE_TCP_CHECKSUM_AT, (uint16_t)~sum);
    }
    return ip_size + tcp_size;
}

/* RFC 2385 2.0: pseudo header, header without options, data, key. */
void
wire_md5(const struct syncache_tuple *tuple, bool from_foreign,
         const uint8_t *tcp, size_t tcp_size, const uint8_t *key,
         size_t key_size, uint8_t digest[static WIRE_MD5_BYTES])
{
    size_t address_size = tuple->family == 4 ? 4 : 16;
    size_t header_size = wire_tcp_offset(tcp);
    const uint8_t *source = from_foreign ? tuple->faddr : tuple->laddr;
    const uint8_t *target = from_foreign ? tuple->laddr : tuple->faddr;
    uint8_t tail[8] = {0};
    size_t tail_size;
    if (tuple->family == 4) {
        tail[1] = WIRE_PROTOCOL_TCP;
        store16_be(tail + 2, (uint16_t)tcp_size);
        tail_size = 4;
    } else {
        store32_be(tail, (uint32_t)tcp_size);
        tail[7] = WIRE_PROTOCOL_TCP;
        tail_size = 8;
    }
    uint8_t header[WIRE_TCP_HEADER_BYTES];
    memcpy(header, tcp, sizeof header);
    store16_be(header + WIRE_TCP_CHECKSUM_AT, 0);
    struct md5 md5;
    md5_init(&md5);
    md5_update(&md5, source, address_size);
    md5_update(&md5, target, address_size);
    md5_update(&md5, tail, tail_size);
    md5_update(&md5, header, sizeof header);
    md5_update(&md5, tcp + header_size, tcp_size - header_size);
    md5_update(&md5, key, key_size);
    md5_final(&md5, digest);
}

bool
wire_md5_verify(const struct wire_segment *segment, const uint8_t *key,
                size_t key_size)
{
    uint8_t digest[WIRE_MD5_BYTES];
    if ((segment->has & WIRE_HAS_MD5) == 0)
        return false;
    wire_md5(&segment->tuple, true, segment->tcp,
             segment->header_size + (size_t)segment->payload_size, key,
             key_size, digest);
    /* All bytes are looked at, so time does not tell how many were right. */
    unsigned difference = 0;
    for (size_t i = 0; i < sizeof digest; i++)
        difference |= digest[i] ^ (unsigned)segment->md5[i];
    return difference == 0;
}

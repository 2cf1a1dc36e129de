/*
 * Packets for the tests of wire*.c, put together byte by byte and summed by a
 * loop of their own, so that nothing under test makes its own input.
 */
#ifndef SYNCACHE_TEST_PACKET_H
#define SYNCACHE_TEST_PACKET_H

#include "test.h"

#include "../../csrc/core/bytes.h"

#define PACKET_MAX 70000

struct packet {
    size_t size;
    size_t upper; /* offset of what follows the IP and extension headers */
    uint8_t bytes[PACKET_MAX];
};

static const uint8_t packet_client4[4] = {192, 0, 2, 7};
static const uint8_t packet_server4[4] = {198, 51, 100, 9};
static const uint8_t packet_client6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
static const uint8_t packet_server6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};

/* RFC 1071 as its section 1 says it. */
static inline uint32_t
packet_sum(uint32_t sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static inline uint8_t
packet_family(const struct packet *packet)
{
    return packet->bytes[0] >> 4;
}

/* Sum of the pseudo header of the packet as it stands. */
static inline uint32_t
packet_pseudo(const struct packet *packet, uint8_t protocol)
{
    uint8_t tail[8] = {0};
    store32_be(tail, (uint32_t)(packet->size - packet->upper));
    tail[7] = protocol;
    uint32_t sum = packet_sum(0, tail, sizeof tail);
    if (packet_family(packet) == 4)
        return packet_sum(sum, packet->bytes + 12, 8);
    return packet_sum(sum, packet->bytes + 8, 32);
}

/* Puts the IPv4 header's checksum right. */
static inline void
packet_seal_ip(struct packet *packet)
{
    size_t header = (packet->bytes[0] & 15u) * 4u;
    store16_be(packet->bytes + 10, 0);
    store16_be(packet->bytes + 10,
               (uint16_t)~packet_sum(0, packet->bytes, header));
}

/* Puts the checksum at `offset` of the upper layer right. */
static inline void
packet_seal(struct packet *packet, uint8_t protocol, size_t offset)
{
    uint8_t *upper = packet->bytes + packet->upper;
    uint32_t sum = protocol == 1 ? 0 : packet_pseudo(packet, protocol);
    store16_be(upper + offset, 0);
    sum = packet_sum(sum, upper, packet->size - packet->upper);
    store16_be(upper + offset, (uint16_t)~sum);
}

/* An IP header of a family with room for upper_size bytes, client to server. */
static inline void
packet_ip(struct packet *packet, uint8_t family, uint8_t protocol,
          size_t upper_size)
{
    uint8_t *bytes = packet->bytes;
    packet->upper = family == 4 ? 20 : 40;
    packet->size = packet->upper + upper_size;
    memset(bytes, 0, packet->size);
    if (family == 4) {
        bytes[0] = 0x45;
        bytes[1] = 0x2e; /* DSCP 11, ECT(0) */
        store16_be(bytes + 2, (uint16_t)packet->size);
        store16_be(bytes + 4, 0xbeef);
        bytes[6] = 0x40;
        bytes[8] = 57;
        bytes[9] = protocol;
        memcpy(bytes + 12, packet_client4, 4);
        memcpy(bytes + 16, packet_server4, 4);
        packet_seal_ip(packet);
    } else {
        store32_be(bytes, 0x62e54321); /* the same class, flow label 54321 */
        store16_be(bytes + 4, (uint16_t)upper_size);
        bytes[6] = protocol;
        bytes[7] = 57;
        memcpy(bytes + 8, packet_client6, 16);
        memcpy(bytes + 24, packet_server6, 16);
    }
}

/* Makes room for inserted_size bytes between IP header and upper layer. */
static inline void
packet_insert(struct packet *packet, const uint8_t *inserted,
              size_t inserted_size)
{
    uint8_t *at = packet->bytes + packet->upper;
    memmove(at + inserted_size, at, packet->size - packet->upper);
    memcpy(at, inserted, inserted_size);
    packet->upper += inserted_size;
    packet->size += inserted_size;
    if (packet_family(packet) == 4) {
        packet->bytes[0] = (uint8_t)(packet->bytes[0] + inserted_size / 4);
        store16_be(packet->bytes + 2, (uint16_t)packet->size);
        packet_seal_ip(packet);
    } else {
        store16_be(packet->bytes + 4, (uint16_t)(packet->size - 40));
    }
}

/* A segment from port 4660 to port 80: options, payload of 0x61, checksums. */
static inline void
packet_tcp(struct packet *packet, uint8_t family, uint16_t flags,
           const uint8_t *options, size_t options_size, size_t payload_size)
{
    packet_ip(packet, family, 6, 20 + options_size + payload_size);
    uint8_t *tcp = packet->bytes + packet->upper;
    store16_be(tcp, 4660);
    store16_be(tcp + 2, 80);
    store32_be(tcp + 4, 0xfffffff0);
    store32_be(tcp + 8, 0x01020304);
    store16_be(tcp + 12, (uint16_t)((20 + options_size) / 4 << 12 | flags));
    store16_be(tcp + 14, 64240);
    store16_be(tcp + 18, 99);
    if (options_size > 0)
        memcpy(tcp + 20, options, options_size);
    memset(tcp + 20 + options_size, 0x61, payload_size);
    packet_seal(packet, 6, 16);
}

/*
 * An ICMP error from a router to the client that quotes quoted_size bytes of a
 * SYN-ACK of the client's.
 */
static inline void
packet_icmp(struct packet *packet, uint8_t family, uint8_t type,
            size_t quoted_size)
{
    static struct packet quoted;
    uint8_t protocol = family == 4 ? 1 : 58;
    packet_tcp(&quoted, family, 0x12, NULL, 0, 0);
    packet_ip(packet, family, protocol, 8 + quoted_size);
    memcpy(packet->bytes + packet->upper + 8, quoted.bytes, quoted_size);
    if (family == 4) {
        packet->bytes[15] = 200;
        memcpy(packet->bytes + 16, packet_client4, 4);
        packet_seal_ip(packet);
    } else {
        packet->bytes[23] = 200;
        memcpy(packet->bytes + 24, packet_client6, 16);
    }
    packet->bytes[packet->upper] = type;
    packet->bytes[packet->upper + 1] = 4;
    packet_seal(packet, protocol, 2);
}

#endif

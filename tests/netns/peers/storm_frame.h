/*
 * Frames of storm.c: TCP segments and UDP datagrams over IPv4 and IPv6, checksums
 * right, collected for one sendmmsg().  Included there only.
 */
#ifndef STORM_FRAME_H
#define STORM_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BATCH 32
#define FRAME_MAX 256

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

enum kind {
    KIND_SYN,
    KIND_ACK,
    KIND_FIN,
    KIND_RST,
    KIND_UDP,
    KIND_FRAGMENTS,
    KIND_DUPLICATES,
    KIND_ESTABLISHED,
    KIND_SILENT,
    KIND_SOWED,
    KIND_COUNT
};

struct segment {
    uint8_t source[16];
    uint16_t sport;
    uint8_t flags;
    uint32_t seq, ack;
    unsigned payload_size;
};

struct storm {
    int socket;
    enum kind kind;
    int family; /* 4 or 6 */
    uint8_t ethernet[14];
    uint8_t target[16];
    uint16_t port;
    uint64_t random;
    uint64_t sent, heard, completed;
    /* The one connection. */
    struct segment peer;
    bool established;
    /* What is to go out with the next call. */
    unsigned count;
    unsigned size[BATCH];
    uint8_t frame[BATCH][FRAME_MAX];
};

static uint32_t
draw(struct storm *storm)
{
    storm->random ^= storm->random << 13;
    storm->random ^= storm->random >> 7;
    storm->random ^= storm->random << 17;
    return (uint32_t)(storm->random >> 32);
}

static void
put(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint32_t
get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static uint32_t
summed(const uint8_t *bytes, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    return sum;
}

static uint16_t
folded(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

/* A source of ours; `spread`: the bits of its prefix that are drawn too. */
static void
draw_source(struct storm *storm, uint8_t source[16], bool spread)
{
    memset(source, 0, 16);
    if (storm->family == 4) {
        put(source, 0x0a090900 | (draw(storm) & 0xff), 4);
        if (spread)
            put(source + 1, draw(storm), 2);
    } else {
        put(source, 0xfd000010, 4);
        if (spread)
            put(source + 4, draw(storm), 4);
        put(source + 12, draw(storm), 4);
    }
}

/*
 * IP and link headers around what lies at frame + 14 + the IP header.
 *
 *   in   fragment   field of the fragment header, 0: none
 */
static void
finish(struct storm *storm, const uint8_t source[16], uint8_t protocol,
       unsigned size, uint32_t fragment)
{
    uint8_t *frame = storm->frame[storm->count];
    uint8_t *ip = frame + 14;
    unsigned header = storm->family == 4 ? 20 : 40;

    memcpy(frame, storm->ethernet, 14);
    if (storm->family == 4) {
        memset(ip, 0, 20);
        ip[0] = 0x45;
        put(ip + 2, 20 + size, 2);
        put(ip + 4, draw(storm), 2);
        put(ip + 6, fragment, 2);
        ip[8] = 64;
        ip[9] = protocol;
        memcpy(ip + 12, source, 4);
        memcpy(ip + 16, storm->target, 4);
        put(ip + 10, folded(summed(ip, 20, 0)), 2);
    } else {
        memset(ip, 0, 40);
        ip[0] = 0x60;
        ip[7] = 64;
        memcpy(ip + 8, source, 16);
        memcpy(ip + 24, storm->target, 16);
        ip[6] = protocol;
        if (fragment != 0) {
            memmove(ip + 48, ip + 40, size);
            memset(ip + 40, 0, 8);
            ip[6] = 44;
            ip[40] = protocol;
            /* IPv4 has the flag in front, IPv6 behind. */
            put(ip + 42, fragment << 3 | (fragment >> 13 & 1), 2);
            put(ip + 44, draw(storm), 4);
            size += 8;
        }
        put(ip + 4, size, 2);
    }
    storm->size[storm->count++] = 14 + header + size;
}

static uint8_t *
upper(struct storm *storm)
{
    return storm->frame[storm->count] + 14 + (storm->family == 4 ? 20 : 40);
}

static uint16_t
checksum(const struct storm *storm, const uint8_t source[16],
         const uint8_t *bytes, unsigned size, uint8_t protocol)
{
    size_t address_size = storm->family == 4 ? 4 : 16;
    uint32_t sum = summed(source, address_size, protocol + size);

    sum = summed(storm->target, address_size, sum);
    return folded(summed(bytes, size, sum));
}

static void
add_segment(struct storm *storm, const struct segment *segment,
            uint32_t fragment)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 1, 1, 1, 3, 3, 7};
    uint8_t *tcp = upper(storm);
    unsigned header = segment->flags & SYN ? 20 + sizeof options : 20;
    unsigned size = header + segment->payload_size;

    memset(tcp, 0, size);
    put(tcp, segment->sport, 2);
    put(tcp + 2, storm->port, 2);
    put(tcp + 4, segment->seq, 4);
    put(tcp + 8, segment->ack, 4);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = segment->flags;
    put(tcp + 14, 64000, 2);
    if (segment->flags & SYN)
        memcpy(tcp + 20, options, sizeof options);
    put(tcp + 16, checksum(storm, segment->source, tcp, size, 6), 2);
    finish(storm, segment->source, 6, size, fragment);
}

#endif

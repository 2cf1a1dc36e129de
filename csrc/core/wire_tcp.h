/*
 * The TCP header, and the one walk over options: those of TCP, and those of IPv4, which are laid out alike.
 *
 * See RFC 9293 3.1, RFC 791 3.1.
 */
#ifndef SYNCACHE_CORE_WIRE_TCP_H
#define SYNCACHE_CORE_WIRE_TCP_H

#include "bytes.h"
#include "wire.h"

/* Kinds of options that more than one file knows. */
#define WIRE_OPTION_END 0
#define WIRE_OPTION_NOP 1
#define WIRE_OPTION_SACK 5
#define WIRE_OPTION_TIMESTAMPS 8
#define WIRE_OPTION_TIMESTAMPS_BYTES 10

/* The fixed part of a header. */
struct wire_tcp {
    uint16_t source, destination;
    uint16_t flags;                   /* WIRE_FIN .. WIRE_AE */
    uint16_t window;
    uint32_t seq, ack;
    uint16_t urgent;
};

/* The data offset in bytes, as it says. */
static inline size_t
wire_tcp_offset(const uint8_t *tcp)
{
    return (tcp[WIRE_TCP_FLAGS_AT - 1] >> 4) * 4u;
}

/* Returns 0 if the data offset does not fit the bytes that there are. */
static inline size_t
wire_tcp_header_size(const uint8_t *tcp, size_t tcp_size)
{
    if (tcp_size < WIRE_TCP_HEADER_BYTES)
        return 0;
    size_t size = wire_tcp_offset(tcp);
    return size < WIRE_TCP_HEADER_BYTES || size > tcp_size ? 0 : size;
}

static inline struct wire_tcp
wire_tcp_read(const uint8_t *tcp)
{
    return (struct wire_tcp){
        .source = load16_be(tcp),
        .destination = load16_be(tcp + 2),
        .seq = load32_be(tcp + WIRE_TCP_SEQ_AT),
        .ack = load32_be(tcp + WIRE_TCP_ACK_AT),
        .flags = load16_be(tcp + WIRE_TCP_FLAGS_AT - 1) & (WIRE_AE | 0xff),
        .window = load16_be(tcp + WIRE_TCP_WINDOW_AT),
        .urgent = load16_be(tcp + 18),
    };
}

/*
 * Goes to the next option with a length, from *at on; *at is then behind it.
 *
 *   returns  the option, its kind and length first; NULL at the end, at EOL, or at a length below 2 or beyond the end
 *            (RFC 9293 MUST-7), and *at stays there
 */
static inline const uint8_t *
wire_next_option(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *option = *at;

    while (option < end && option[0] == WIRE_OPTION_NOP)
        option++;
    *at = option;
    if (option == end || option[0] == WIRE_OPTION_END || end - option < 2 || option[1] < 2 ||
        option[1] > end - option)
        return NULL;
    *at = option + option[1];
    return option;
}

/* Did that walk end before the options did? */
static inline bool
wire_options_broken(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at != WIRE_OPTION_END;
}

#endif

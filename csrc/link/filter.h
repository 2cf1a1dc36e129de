/*
 * Filters: classic BPF, as libpcap's compiler makes it, run over captured frames.
 *
 * See McCanne and Jacobson, "The BSD Packet Filter", 1993; RFC 9669 for what came after.
 */
#ifndef SYNCACHE_LINK_FILTER_H
#define SYNCACHE_LINK_FILTER_H

#include <stdbool.h>
#include <stdint.h>

/* cffi: begin. */

#define FILTER_INSTRUCTIONS_MAX 4096

/* One instruction; the layout is the kernel's struct sock_filter. */
struct filter_instruction {
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t k;
};

/* Says whether a program can be run: every jump goes forward and stays within it, and it ends with a return. */
bool filter_valid(const struct filter_instruction *program, uint32_t count);

/*
 * Runs a program that filter_valid() accepted.
 *
 *   in       frame[0 .. size)  the captured bytes; a load beyond them refuses the frame
 *   in       wire_size         its length on the wire
 *   returns  true if the frame is wanted
 */
bool filter_run(const struct filter_instruction *program, const uint8_t *frame, uint32_t size, uint32_t wire_size);

/* cffi: end. */

#endif

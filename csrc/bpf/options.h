/*
 * TCP options, read from a copy in scratch memory, whose contents the verifier does not follow: so the walk costs it
 * a few passes, and not one for each way that 40 bytes can be cut.  Volatile, or the compiler would keep what was
 * found in registers, which it does follow.
 *
 * The rules are those of wire.c: an option of a wrong length for its kind is as if not there, one that is longer than
 * what is left ends the walk.
 */
#ifndef SYNCACHE_BPF_OPTIONS_H
#define SYNCACHE_BPF_OPTIONS_H

#include "mint.h"
#include "maps.h"

#define OPTIONS_STEPS 24 /* NOPs included; no stack sends as many */
#define OPTIONS_AT 20 /* in a TCP header */
#define OPTIONS_END 60 /* no header is longer */
#define OPTIONS_MASK 63

enum option_kind {
    OPTION_END,
    OPTION_NOP,
    OPTION_MSS,
    OPTION_WSCALE,
    OPTION_SACK,
    OPTION_TIMESTAMPS = 8,
    OPTION_MD5 = 19,
    OPTION_AO = 29
};

static inline uint32_t
options_byte(const volatile struct scratch *scratch, uint32_t place)
{
    const volatile uint8_t *bytes =
        (const volatile uint8_t *)scratch->tcp;

    return bytes[place & OPTIONS_MASK];
}

static inline uint32_t
options_word(const volatile struct scratch *scratch, uint32_t place)
{
    return options_byte(scratch, place) | options_byte(scratch, place + 1) << 8 |
           options_byte(scratch, place + 2) << 16 | options_byte(scratch, place + 3) << 24;
}

static inline void
options_take(volatile struct scratch *scratch, uint32_t kind, uint32_t size, uint32_t at)
{
    if (kind == OPTION_MSS && size == 4) {
        scratch->mss = options_byte(scratch, at + 2) << 8 | options_byte(scratch, at + 3);
    } else if (kind == OPTION_WSCALE && size == 3) {
        uint32_t wscale = options_byte(scratch, at + 2);
        scratch->wscale = wscale > SYNCACHE_WSCALE_MAX ? SYNCACHE_WSCALE_MAX : wscale;
    } else if (kind == OPTION_SACK && size == 2) {
        scratch->sack = 1;
    } else if (kind == OPTION_TIMESTAMPS && size == 10) {
        scratch->timestamps = 1;
        scratch->tsval = options_word(scratch, at + 2);
        scratch->tsecr = options_word(scratch, at + 6);
    } else if (kind == OPTION_MD5 || kind == OPTION_AO) {
        scratch->strange = 1;
    }
}

/* Reads the option at scratch->place and goes on to the next; false at the end, or beyond what can be read. */
static inline bool
options_step(volatile struct scratch *scratch, uint32_t header_size)
{
    uint32_t at = scratch->place;
    uint32_t kind, size;

    if (at >= header_size)
        return false;
    scratch->place = OPTIONS_END;
    kind = options_byte(scratch, at);
    if (kind == OPTION_END)
        return false;
    if (kind == OPTION_NOP) {
        scratch->place = at + 1;
        return true;
    }
    size = options_byte(scratch, at + 1);
    if (at + 1 >= header_size || size < 2 || size > header_size - at)
        return false;
    options_take(scratch, kind, size, at);
    scratch->place = at + size;
    return true;
}

/* Reads the options of scratch->tcp, a header of so many bytes, at most 60. */
static inline void
options_read(volatile struct scratch *scratch, uint32_t header_size)
{
    struct bpf_iter_num loop;

    scratch->mss = 0;
    scratch->wscale = SYNCACHE_WSCALE_NONE;
    scratch->sack = 0;
    scratch->timestamps = 0;
    scratch->strange = 0;
    scratch->place = OPTIONS_AT;
    bpf_iter_num_new(&loop, 0, OPTIONS_STEPS / 4);
    /* Four at a time, since a round costs a call. */
    while (bpf_iter_num_next(&loop) != NULL && options_step(scratch, header_size) &&
           options_step(scratch, header_size) && options_step(scratch, header_size) &&
           options_step(scratch, header_size))
        ;
    bpf_iter_num_destroy(&loop);
    if (scratch->place < header_size)
        scratch->strange = 1;
}

#endif

/*
 * The options of a segment that has others than NOP NOP timestamps: a copy is walked, as in options.h, rewritten and
 * put back.  Each step of the walk looks at one option, one SACK edge, or one byte to be overwritten, so there are no
 * more steps than bytes.  The rules are those of csrc/flow/splice.c.
 */
#ifndef SYNCACHE_BPF_OFFLOAD_REWRITE_H
#define SYNCACHE_BPF_OFFLOAD_REWRITE_H

#include "offload_maps.h"

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_SACK 5
#define OPTION_TIMESTAMPS 8
#define TIMESTAMPS_SIZE 10
#define REWRITE_MASK 63

static int64_t (*const skb_store)(void *skb, uint32_t offset, const void *from, uint32_t size,
                                  uint64_t flags) = (void *)BPF_FUNC_skb_store_bytes;

/* The change of an option's numbers on their way to one end. */
struct rewriting {
    struct offload_entry *entry;
    bool to_client;
    bool ack; /* the segment has an ACK */
};

static inline uint32_t
rewrite_word(const volatile struct offload_scratch *scratch, uint32_t at)
{
    const volatile uint8_t *byte = scratch->after + (at & REWRITE_MASK);

    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static inline void
rewrite_put(volatile struct offload_scratch *scratch, uint32_t at, uint32_t value)
{
    volatile uint8_t *byte = scratch->after + (at & REWRITE_MASK);

    byte[0] = (uint8_t)(value >> 24);
    byte[1] = (uint8_t)(value >> 16);
    byte[2] = (uint8_t)(value >> 8);
    byte[3] = (uint8_t)value;
}

static inline void
rewrite_stamp(volatile struct offload_scratch *scratch, const struct rewriting *how, uint32_t at)
{
    if (scratch->to_client)
        rewrite_put(scratch, at + 2, rewrite_word(scratch, at + 2) + how->entry->ts_delta);
    else if (scratch->ack)
        rewrite_put(scratch, at + 6,
                 splice_echo_word(how->entry->ts_delta, how->entry->ts_floor, &how->entry->flags,
                                  rewrite_word(scratch, at + 6)));
}

/* An option of the client's SACKs: its first two bytes; the rest is left for the steps to come. */
static inline void
rewrite_sack(volatile struct offload_scratch *scratch, uint32_t at, uint32_t size)
{
    if (scratch->flags & SPLICE_STRIP_SACK) {
        scratch->after[at & REWRITE_MASK] = OPTION_NOP;
        scratch->after[(at + 1) & REWRITE_MASK] = OPTION_NOP;
        scratch->left = size - 2;
    } else if (scratch->flags & SPLICE_SACK && (size & 7) == 2) {
        scratch->left = size - 2;
    } else {
        scratch->at = at + size;
        return;
    }
    scratch->at = at + 2;
}

/* One step inside of a SACK option. */
static inline void
rewrite_inside(volatile struct offload_scratch *scratch, const struct rewriting *how, uint32_t at)
{
    uint32_t step = 4;

    if (scratch->flags & SPLICE_STRIP_SACK) {
        scratch->after[at & REWRITE_MASK] = OPTION_NOP;
        step = 1;
    } else {
        rewrite_put(scratch, at, rewrite_word(scratch, at) - how->entry->delta);
    }
    scratch->at = at + step;
    scratch->left -= step;
}

static inline void
rewrite_walk(volatile struct offload_scratch *scratch, const struct rewriting *how, uint32_t size)
{
    scratch->at = 0;
    scratch->to_client = how->to_client;
    scratch->ack = how->ack;
    scratch->flags = how->entry->flags;
    scratch->left = 0;
    scratch->stamped = 0;
    struct bpf_iter_num loop;

    bpf_iter_num_new(&loop, 0, OPTIONS_MAX);
    while (bpf_iter_num_next(&loop) != NULL) {
        uint32_t at = scratch->at, kind, length;

        if (at >= size)
            break;
        if (scratch->left > 0) {
            rewrite_inside(scratch, how, at);
            continue;
        }
        kind = scratch->after[at & REWRITE_MASK];
        if (kind == OPTION_END)
            break;
        if (kind == OPTION_NOP) {
            scratch->at = at + 1;
            continue;
        }
        length = scratch->after[(at + 1) & REWRITE_MASK];
        if (size - at < 2 || length < 2 || length > size - at)
            break;
        if (kind == OPTION_SACK && !scratch->to_client) {
            rewrite_sack(scratch, at, length);
            continue;
        }
        if (kind == OPTION_TIMESTAMPS && length == TIMESTAMPS_SIZE && scratch->stamped == 0 &&
            scratch->flags & SPLICE_TIMESTAMPS) {
            scratch->stamped = 1;
            rewrite_stamp(scratch, how, at);
        }
        scratch->at = at + length;
    }
    bpf_iter_num_destroy(&loop);
}

/* Rewrites the options of a segment; false if it cannot be read or written. */
static inline bool
rewrite_options(struct __sk_buff *skb, const struct rewriting *how, uint32_t layer4, uint32_t size,
                uint64_t *difference)
{
    struct offload_scratch *scratch = map_first(&scratch_map);

    KERNEL_OPAQUE(size);
    if (scratch == NULL || size < 4 || size > OPTIONS_MAX)
        return false;
    __builtin_memset(scratch->before, 0, sizeof scratch->before);
    if (skb_load(skb, layer4 + TCP_SIZE, scratch->before, size) < 0)
        return false;
    __builtin_memcpy(scratch->after, scratch->before, sizeof scratch->before);
    rewrite_walk(scratch, how, size);
    *difference += (uint32_t)csum_diff(scratch->before, OPTIONS_MAX, scratch->after, OPTIONS_MAX, 0);
    return skb_store(skb, layer4 + TCP_SIZE, scratch->after, size, 0) == 0;
}

#endif

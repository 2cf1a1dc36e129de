/*
 * Segments that grow by timestamps.  See stamp.h.
 *
 * The option goes in front of the others: what follows an end-of-options list
 * would not be read.  Checksums are changed by the difference (RFC 1624); the
 * data moves by an even distance, so its sum stays.
 */
#include "stamp.h"

#include "splice.h"

#include "../core/wire_tcp.h"

#include <assert.h>
#include <string.h>

#define STAMP_WORD 0x0101080au /* NOP NOP, kind, length */
#define STAMP_OFFSET_AT 12
#define STAMP_IPV4_LENGTH_AT 2
#define STAMP_IPV4_SUM_AT 10
#define STAMP_IPV6_LENGTH_AT 4
#define STAMP_HEADER_MAX 60
/* NOP NOP SACK with four blocks, which fill the header but for four bytes. */
#define STAMP_FULL_HEADER (WIRE_TCP_HEADER_BYTES + 36)
#define STAMP_FULL_WORD 0x01010522u
#define STAMP_BLOCK_BYTES 8

#define STAMP_UNREACHABLE 3 /* RFC 1191 */
#define STAMP_FRAGMENTATION_NEEDED 4
#define STAMP_MTU_AT 6
#define STAMP_TOO_BIG_V6 2 /* RFC 4443 3.2 */
#define STAMP_MTU_V6_AT 4

bool
stamp_read(const struct view *view, uint32_t *tsval)
{
    struct view_options options;

    view_options(view, &options);
    *tsval = options.tsval;
    return (options.has & WIRE_HAS_TIMESTAMPS) != 0;
}

/* Changes a word of what the segment's checksum covers. */
static void
stamp_sum(const struct view *view, uint16_t before, uint16_t after)
{
    if (view->checksum != SYNCACHE_CHECKSUM_PARTIAL)
        splice_sum16(view->upper + WIRE_TCP_CHECKSUM_AT, before, after, false);
}

/* The IP header's length, and the pseudo-header's. */
static bool
stamp_lengthen(struct view *view)
{
    bool v4 = view->tuple.family == 4;
    uint8_t *field =
        view->ip + (v4 ? STAMP_IPV4_LENGTH_AT : STAMP_IPV6_LENGTH_AT);
    uint16_t before = load16_be(field);
    uint16_t after = (uint16_t)(before + STAMP_BYTES);
    uint8_t *sum = view->upper + WIRE_TCP_CHECKSUM_AT;

    /* A jumbogram has no length there. */
    if (before == 0 || after < before || view->upper_size > UINT16_MAX)
        return false;
    store16_be(field, after);
    if (v4)
        splice_sum16(view->ip + STAMP_IPV4_SUM_AT, before, after, false);
    before = (uint16_t)view->upper_size;
    after = (uint16_t)(before + STAMP_BYTES);
    if (view->checksum == SYNCACHE_CHECKSUM_PARTIAL) {
        uint32_t partial = load16_be(sum) + (uint32_t)STAMP_BYTES;
        store16_be(sum, (uint16_t)((partial & 0xffff) + (partial >> 16)));
    } else {
        splice_sum16(sum, before, after, false);
    }
    return true;
}

static void
stamp_write(uint8_t *at, uint32_t tsval, uint32_t tsecr)
{
    store32_be(at, STAMP_WORD);
    store32_be(at + 4, tsval);
    store32_be(at + 8, tsecr);
}

static void
stamp_sum_range(const struct view *view, const uint8_t *before,
                const uint8_t *after, size_t size)
{
    for (size_t i = 0; i < size; i += 2)
        stamp_sum(view, load16_be(before + i), load16_be(after + i));
}

/* The last of four blocks is the oldest (RFC 2018 4); its place is taken. */
static bool
stamp_for_a_block(struct view *view, uint32_t tsval, uint32_t tsecr)
{
    uint8_t *options = view->upper + WIRE_TCP_HEADER_BYTES;
    uint8_t before[STAMP_FULL_HEADER - WIRE_TCP_HEADER_BYTES];
    uint8_t blocks[3 * STAMP_BLOCK_BYTES];

    if (view->header_size != STAMP_FULL_HEADER ||
        load32_be(options) != STAMP_FULL_WORD)
        return false;
    memcpy(before, options, sizeof before);
    memcpy(blocks, options + 4, sizeof blocks);
    /* Timestamps and SACK fill 36 bytes without a NOP. */
    options[0] = WIRE_OPTION_TIMESTAMPS;
    options[1] = WIRE_OPTION_TIMESTAMPS_BYTES;
    store32_be(options + 2, tsval);
    store32_be(options + 6, tsecr);
    options[10] = WIRE_OPTION_SACK;
    options[11] = (uint8_t)(2 + sizeof blocks);
    memcpy(options + 12, blocks, sizeof blocks);
    stamp_sum_range(view, before, options, sizeof before);
    return true;
}

bool
stamp_segment(struct view *view, size_t room, uint32_t tsval, uint32_t tsecr)
{
    static const uint8_t nothing[STAMP_BYTES];
    uint8_t *tcp = view->upper;
    uint8_t *options = tcp + WIRE_TCP_HEADER_BYTES;

    assert(view->kind == VIEW_TCP);
    if (view->flags & (WIRE_SYN | WIRE_RST))
        return false;
    if (view->header_size + STAMP_BYTES > STAMP_HEADER_MAX)
        return stamp_for_a_block(view, tsval, tsecr);
    if (room < STAMP_BYTES || !stamp_lengthen(view))
        return false;
    memmove(options + STAMP_BYTES, options,
            view->upper_size - WIRE_TCP_HEADER_BYTES);
    stamp_write(options, tsval, tsecr);
    stamp_sum_range(view, nothing, options, STAMP_BYTES);
    uint16_t before = load16_be(tcp + STAMP_OFFSET_AT);
    uint16_t after = (uint16_t)(before + (STAMP_BYTES / 4 << 12));
    store16_be(tcp + STAMP_OFFSET_AT, after);
    stamp_sum(view, before, after);
    view->header_size = (uint8_t)(view->header_size + STAMP_BYTES);
    view->upper_size += STAMP_BYTES;
    view->size += STAMP_BYTES;
    return true;
}

bool
stamp_lower_mtu(struct view *view)
{
    bool v4 = view->tuple.family == 4;
    uint8_t *field = view->upper + (v4 ? STAMP_MTU_AT : STAMP_MTU_V6_AT + 2);
    uint16_t before = load16_be(field);

    assert(view->kind == VIEW_QUOTE);
    if (v4 ? view->icmp_type != STAMP_UNREACHABLE ||
                 view->icmp_code != STAMP_FRAGMENTATION_NEEDED
           : view->icmp_type != STAMP_TOO_BIG_V6 ||
                 load16_be(view->upper + STAMP_MTU_V6_AT) != 0)
        return false;
    if (before < STAMP_BYTES)
        return false;
    store16_be(field, (uint16_t)(before - STAMP_BYTES));
    if (view->checksum != SYNCACHE_CHECKSUM_PARTIAL)
        splice_sum16(view->upper + WIRE_ICMP_CHECKSUM_AT, before,
                     (uint16_t)(before - STAMP_BYTES), false);
    return true;
}

/*
 * The rewriting of spliced connections.  See splice.h for what and why.
 *
 * Options are walked where they lie, at any alignment.  The one layout that
 * nearly all segments have, NOP NOP timestamps, is found without a walk.
 */
#include "splice.h"

#include "../core/wire_tcp.h"

#include <assert.h>

void
splice_sum16(uint8_t sum[static 2], uint16_t before, uint16_t after, bool odd)
{
    if (odd) {
        before = (uint16_t)(before << 8 | before >> 8);
        after = (uint16_t)(after << 8 | after >> 8);
    }
    uint32_t total =
        (uint32_t)(uint16_t)~load16_be(sum) + (uint16_t)~before + after;
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    store16_be(sum, (uint16_t)~total);
}

void
splice_sum32(uint8_t sum[static 2], uint32_t before, uint32_t after, bool odd)
{
    splice_sum16(sum, (uint16_t)(before >> 16), (uint16_t)(after >> 16), odd);
    splice_sum16(sum, (uint16_t)before, (uint16_t)after, odd);
}

/* Where the checksum of a segment follows its fields; NULL if it is partial. */
static uint8_t *
splice_sum(const struct view *view)
{
    if (view->checksum == SYNCACHE_CHECKSUM_PARTIAL)
        return NULL;
    return view->upper + WIRE_TCP_CHECKSUM_AT;
}

static void
splice_put32(struct view *view, uint8_t *field, uint32_t value)
{
    uint32_t before = load32_be(field);
    uint8_t *sum = splice_sum(view);

    store32_be(field, value);
    if (sum != NULL)
        splice_sum32(sum, before, value, ((field - view->upper) & 1) != 0);
}

static void
splice_put8(struct view *view, uint8_t *field, uint8_t value)
{
    uint8_t before = *field;
    uint8_t *sum = splice_sum(view);

    *field = value;
    /* The upper half of its word if at an even place. */
    if (sum != NULL)
        splice_sum16(sum, before, value, ((field - view->upper) & 1) == 0);
}

static bool
splice_put_window(struct view *view, int8_t shift)
{
    uint16_t window = splice_window(view->window, shift);
    uint8_t *sum = splice_sum(view);

    if (shift == 0 || window == view->window)
        return false;
    store16_be(view->upper + WIRE_TCP_WINDOW_AT, window);
    if (sum != NULL)
        splice_sum16(sum, view->window, window, false);
    view->window = window;
    return true;
}

/*
 * Finds the next option of a kind, from *at on; *at is then behind it.  NULL:
 * there is none before the end, EOL, or a length that does not add up.
 */
static uint8_t *
splice_option(const struct view *view, size_t *at, uint8_t kind)
{
    uint8_t *tcp = view->upper;
    const uint8_t *next = tcp + *at;
    const uint8_t *option;

    do {
        option = wire_next_option(&next, tcp + view->header_size);
    } while (option != NULL && option[0] != kind);
    *at = (size_t)(next - tcp);
    return option == NULL ? NULL : tcp + (option - tcp);
}

/* NOP NOP timestamps, and nothing else (RFC 7323 appendix A). */
static bool
splice_is_usual(const struct view *view)
{
    return view->header_size ==
               WIRE_TCP_HEADER_BYTES + 2 + WIRE_OPTION_TIMESTAMPS_BYTES &&
           load32_be(view->upper + WIRE_TCP_HEADER_BYTES) == 0x0101080a;
}

static uint8_t *
splice_timestamps(const struct view *view)
{
    size_t at = WIRE_TCP_HEADER_BYTES;
    uint8_t *option;

    if (splice_is_usual(view))
        return view->upper + WIRE_TCP_HEADER_BYTES + 2;
    while ((option = splice_option(view, &at, WIRE_OPTION_TIMESTAMPS)) != NULL)
        if (option[1] == WIRE_OPTION_TIMESTAMPS_BYTES)
            return option;
    return NULL;
}

bool
splice_to_client(const struct splice *splice, struct view *view)
{
    bool changed = splice->delta != 0;

    assert(view->kind == VIEW_TCP);
    if (splice->delta != 0) {
        view->seq += splice->delta;
        splice_put32(view, view->upper + WIRE_TCP_SEQ_AT, view->seq);
    }
    if (splice->shift_to_client != 0 && !(view->flags & WIRE_SYN))
        changed |= splice_put_window(view, splice->shift_to_client);
    if (splice->flags & SPLICE_TIMESTAMPS && splice->ts_delta != 0) {
        uint8_t *option = splice_timestamps(view);
        if (option != NULL) {
            splice_put32(view, option + 2,
                         load32_be(option + 2) + splice->ts_delta);
            changed = true;
        }
    }
    return changed;
}

/* TSecr = 0 is what a segment without ACK has to say (RFC 7323 3.2). */
static bool
splice_echo(struct splice *splice, struct view *view)
{
    uint8_t *option = splice_timestamps(view);

    if (option == NULL || !(view->flags & WIRE_ACK))
        return false;
    uint32_t before = load32_be(option + 6);
    uint32_t after = splice_echo_word(splice->ts_delta, splice->ts_floor,
                                      &splice->flags, before);
    if (after == before)
        return false;
    splice_put32(view, option + 6, after);
    return true;
}

/* The blocks of every SACK option: 8 bytes each, behind kind and length. */
static bool
splice_sack(const struct splice *splice, struct view *view)
{
    size_t at = WIRE_TCP_HEADER_BYTES;
    uint8_t *option;
    bool changed = false;

    if (splice->delta == 0)
        return false;
    while ((option = splice_option(view, &at, WIRE_OPTION_SACK)) != NULL) {
        if (option[1] % 8 != 2)
            continue;
        for (uint8_t i = 2; i < option[1]; i = (uint8_t)(i + 4)) {
            splice_put32(view, option + i,
                         load32_be(option + i) - splice->delta);
            changed = true;
        }
    }
    return changed;
}

bool
splice_strip(struct view *view, uint8_t kind)
{
    size_t at = WIRE_TCP_HEADER_BYTES;
    uint8_t *option;
    bool changed = false;

    while ((option = splice_option(view, &at, kind)) != NULL) {
        uint8_t size = option[1];
        for (uint8_t i = 0; i < size; i++)
            splice_put8(view, option + i, WIRE_OPTION_NOP);
        changed = true;
    }
    return changed;
}

void
splice_flags(struct view *view, uint16_t flags)
{
    assert((flags & 0xff00) == (view->flags & 0xff00));
    view->flags = flags;
    splice_put8(view, view->upper + WIRE_TCP_FLAGS_AT, (uint8_t)flags);
}

bool
splice_to_server(struct splice *splice, struct view *view)
{
    bool changed = false;

    assert(view->kind == VIEW_TCP);
    if (view->flags & WIRE_ACK && splice->delta != 0) {
        view->ack -= splice->delta;
        splice_put32(view, view->upper + WIRE_TCP_ACK_AT, view->ack);
        changed = true;
    }
    if (splice->shift_to_server != 0 && !(view->flags & WIRE_SYN))
        changed |= splice_put_window(view, splice->shift_to_server);
    if (view->header_size == WIRE_TCP_HEADER_BYTES)
        return changed;
    if (splice->flags & SPLICE_TIMESTAMPS)
        changed |= splice_echo(splice, view);
    else if (splice->flags & SPLICE_STAMP)
        changed |= splice_strip(view, WIRE_OPTION_TIMESTAMPS);
    if (splice->flags & SPLICE_STRIP_SACK)
        changed |= splice_strip(view, WIRE_OPTION_SACK);
    else if (splice->flags & SPLICE_SACK && !splice_is_usual(view))
        changed |= splice_sack(splice, view);
    return changed;
}

/* Changes 32 quoted bytes, the quoted checksum and the message's own. */
static void
splice_put_quoted(struct view *view, uint8_t *field, uint32_t value)
{
    uint8_t *outer = view->upper + WIRE_ICMP_CHECKSUM_AT;
    uint32_t before = load32_be(field);

    store32_be(field, value);
    if (view->checksum != SYNCACHE_CHECKSUM_PARTIAL)
        splice_sum32(outer, before, value, ((field - view->upper) & 1) != 0);
    if (view->quote_size < WIRE_TCP_CHECKSUM_AT + 2)
        return;
    uint8_t *inner = view->quote + WIRE_TCP_CHECKSUM_AT;
    uint16_t inner_before = load16_be(inner);
    splice_sum32(inner, before, value, false);
    if (view->checksum != SYNCACHE_CHECKSUM_PARTIAL)
        splice_sum16(outer, inner_before, load16_be(inner),
                     ((inner - view->upper) & 1) != 0);
}

bool
splice_quote_to_server(const struct splice *splice, struct view *view)
{
    assert(view->kind == VIEW_QUOTE);
    if (splice->delta == 0)
        return false;
    splice_put_quoted(view, view->quote + WIRE_TCP_SEQ_AT,
                      load32_be(view->quote + WIRE_TCP_SEQ_AT) - splice->delta);
    return true;
}

bool
splice_quote_to_client(const struct splice *splice, struct view *view)
{
    assert(view->kind == VIEW_QUOTE);
    if (splice->delta == 0 || view->quote_size < WIRE_TCP_ACK_AT + 4)
        return false;
    splice_put_quoted(view, view->quote + WIRE_TCP_ACK_AT,
                      load32_be(view->quote + WIRE_TCP_ACK_AT) + splice->delta);
    return true;
}

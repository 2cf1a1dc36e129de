/*
 * No packet makes the splice write outside it; a splice and then the splice of
 * negated constants give the packet back; and a checksum is right after the
 * rewriting exactly if it was right before.
 *
 * Input: 1 byte of choices (direction, checksum state, whether to put the sums
 * right first, whether to strip), 4 bytes of d, 4 of k, and the packet.
 */
#include "../../csrc/flow/splice.h"

#include "../../csrc/core/bytes.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): this must also hold with NDEBUG. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* The sums right, so that the fuzzer gets past them. */
static void
seal(const struct view *view)
{
    uint8_t *sum = view->upper + (view->kind == VIEW_TCP ? 16 : 2);
    const struct syncache_tuple *tuple = &view->tuple;
    uint32_t pseudo = 0;

    if (tuple->family == 4) {
        memset(view->ip + 10, 0, 2);
        store16_be(view->ip + 10,
                   (uint16_t)~wire_sum(0, view->ip, (view->ip[0] & 15u) * 4u));
    }
    if (view->protocol != WIRE_PROTOCOL_ICMP)
        pseudo = wire_sum_pseudo(tuple->family, tuple->faddr, tuple->laddr,
                                 view->protocol, view->upper_size);
    memset(sum, 0, 2);
    store16_be(sum, (uint16_t)~wire_sum(pseudo, view->upper, view->upper_size));
}

static bool
rewrite(struct splice *splice, struct view *view, bool to_client)
{
    if (view->kind == VIEW_QUOTE)
        return to_client ? splice_quote_to_client(splice, view)
                         : splice_quote_to_server(splice, view);
    return to_client ? splice_to_client(splice, view)
                     : splice_to_server(splice, view);
}

static bool
right(const struct view *view)
{
    struct view copy = *view;

    copy.checksum = SYNCACHE_CHECKSUM_VERIFY;
    return view_verify(&copy);
}

/* 0x0000 and 0xffff are the same sum. */
static void
require_same(const uint8_t *before, const uint8_t *after, size_t size,
             const struct view *view)
{
    size_t outer =
        (size_t)(view->upper - view->ip) + (view->kind == VIEW_TCP ? 16 : 2);
    size_t inner = outer;

    if (view->kind == VIEW_QUOTE && view->quote_size >= 18)
        inner = (size_t)(view->quote - view->ip) + 16;
    for (size_t i = 0; i < size; i++) {
        if (i == outer || i == inner) {
            uint16_t a = load16_be(before + i), b = load16_be(after + i);
            require(a % 0xffff == b % 0xffff);
            i++;
            continue;
        }
        require(before[i] == after[i]);
    }
}

static void
run(const uint8_t *data, uint8_t *packet, uint8_t *copy, size_t size)
{
    uint32_t checksum =
        data[0] & 1 ? SYNCACHE_CHECKSUM_PARTIAL : SYNCACHE_CHECKSUM_VERIFY;
    bool to_client = (data[0] & 2) != 0;
    struct splice splice = {
        .delta = load32_be(data + 1),
        .ts_delta = load32_be(data + 5),
        .flags = SPLICE_TIMESTAMPS | SPLICE_SACK,
    };
    struct splice back = splice;
    struct view view;

    back.delta = 0 - splice.delta;
    back.ts_delta = 0 - splice.ts_delta;
    view_parse(packet, size, checksum, &view);
    if (view.kind != VIEW_TCP && view.kind != VIEW_QUOTE)
        return;
    if (view.kind == VIEW_QUOTE && view.quote_protocol != WIRE_PROTOCOL_TCP)
        return;
    if (data[0] & 4)
        seal(&view);
    memcpy(copy, packet, size);
    bool was_right = right(&view);
    bool changed = rewrite(&splice, &view, to_client);
    require(changed || memcmp(copy, packet, size) == 0);
    if (checksum == SYNCACHE_CHECKSUM_VERIFY)
        require(was_right == right(&view));
    rewrite(&back, &view, to_client);
    require_same(copy, packet, size, &view);
    if (view.kind == VIEW_TCP && data[0] & 8) {
        was_right = right(&view);
        splice_strip(&view, 5);
        if (checksum == SYNCACHE_CHECKSUM_VERIFY)
            require(was_right == right(&view));
        require(!splice_strip(&view, 5));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    size_t packet_size = size - HEAD_BYTES;
    /* Exact sizes, so that ASan sees the first byte beyond. */
    uint8_t *packet = malloc(packet_size > 0 ? packet_size : 1);
    uint8_t *copy = malloc(packet_size > 0 ? packet_size : 1);
    require(packet != NULL && copy != NULL);
    if (packet_size > 0)
        memcpy(packet, data + HEAD_BYTES, packet_size);
    run(data, packet, copy, packet_size);
    free(packet);
    free(copy);
    return 0;
}

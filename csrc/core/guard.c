/*
 * Sorts the segments of an established connection by what they can change:
 *
 *   much      data and ACKs in the window that say something new: they pass
 *   little    small or out of order, a duplicate ACK: some in each burst pass
 *   tiny      small and out of order: some in each time window, since each costs
 *             the stack an object and an ACK of its own
 *   repeated  what an honest peer sends again: some in each time window
 *   strange   what RFC 5961 answers by a challenge ACK: as many as are answered
 *   nothing   a RST outside the window
 *
 * The numbers are those of the end of the last turn of the stack.  They may only
 * be exceeded by what the stack sends, so within a burst they err on the side of
 * passing.
 */
#include "guard.h"

#include "seq.h"

enum guard_kind {
    GUARD_MUCH,
    GUARD_LITTLE,
    GUARD_TINY,
    GUARD_REPEATED,
    GUARD_STRANGE,
    GUARD_NOTHING
};

void
guard_set(struct guard *guard, const struct syncache_numbers *numbers)
{
    guard->on = 1;
    guard->rcv_nxt = guard->seen = numbers->rcv_nxt;
    guard->rcv_adv = numbers->rcv_adv;
    guard->snd_una = guard->acked = numbers->snd_una;
    guard->snd_max = numbers->snd_max;
    guard->ts_recent = numbers->ts_recent;
    guard->timestamps = numbers->timestamps != 0;
}

/* Right edge of what is looked at; who probed a closed window stands beyond. */
static uint32_t
guard_edge(const struct guard *guard)
{
    if (guard->rcv_adv == guard->rcv_nxt)
        return guard->rcv_adv + UINT16_MAX;
    return guard->rcv_adv;
}

static enum guard_kind
guard_rst(const struct guard *guard, uint32_t seq)
{
    uint32_t before = guard->rcv_nxt - 1;

    if (seq == guard->rcv_nxt || seq == guard->seen)
        return GUARD_MUCH;
    /* The number before may be that of a FIN. */
    return seq - before <= guard->rcv_adv - before ? GUARD_STRANGE
                                                   : GUARD_NOTHING;
}

/* RFC 5961 5.2, and PAWS. */
static enum guard_kind
guard_ack(const struct guard *guard, const struct wire_segment *segment)
{
    bool sent =
        segment->seg_ack - guard->snd_una <= guard->snd_max - guard->snd_una;

    if (!sent && guard->snd_una - segment->seg_ack > GUARD_FAR)
        return GUARD_STRANGE;
    if (guard->timestamps && segment->has & WIRE_HAS_TIMESTAMPS &&
        seq_lt(segment->tsval, guard->ts_recent))
        return GUARD_REPEATED;
    return GUARD_MUCH;
}

/* An ACK alone, in the window. */
static enum guard_kind
guard_bare(struct guard *guard, const struct wire_segment *segment)
{
    bool window = segment->seg_wnd != guard->window;
    bool news = seq_lt(guard->acked, segment->seg_ack);

    guard->window = segment->seg_wnd;
    if (news)
        guard->acked = segment->seg_ack;
    if (news)
        return GUARD_MUCH;
    if (window || guard->acked != guard->snd_max)
        return GUARD_LITTLE;
    return GUARD_REPEATED;
}

/* Data or a FIN, in the window. */
static enum guard_kind
guard_text(struct guard *guard, const struct wire_segment *segment,
           uint32_t end)
{
    bool next = seq_leq(segment->seg_seq, guard->seen);

    guard->window = segment->seg_wnd;
    if (seq_lt(guard->acked, segment->seg_ack))
        guard->acked = segment->seg_ack;
    if (next && seq_leq(end, guard->seen))
        return GUARD_REPEATED;
    if (next)
        guard->seen = end;
    if (segment->payload_size < GUARD_SMALL_BYTES)
        return next ? GUARD_LITTLE : GUARD_TINY;
    return next ? GUARD_MUCH : GUARD_LITTLE;
}

static enum guard_kind
guard_sort(struct guard *guard, const struct wire_segment *segment)
{
    uint32_t seq = segment->seg_seq;
    uint32_t size = segment->payload_size + ((segment->flags & WIRE_FIN) != 0);
    enum guard_kind kind;

    if (segment->flags & WIRE_RST)
        return guard_rst(guard, seq);
    if (segment->flags & WIRE_SYN || !(segment->flags & WIRE_ACK))
        return GUARD_STRANGE;
    kind = guard_ack(guard, segment);
    if (kind != GUARD_MUCH)
        return kind;
    /* Before the window: an honest peer's, if it is not too old. */
    if (seq_lt(seq, guard->rcv_nxt) && seq_leq(seq + size, guard->rcv_nxt))
        return guard->rcv_nxt - seq <= GUARD_FAR ? GUARD_REPEATED
                                                 : GUARD_STRANGE;
    if (seq_lt(guard_edge(guard), seq))
        return GUARD_STRANGE;
    if (size == 0)
        return guard_bare(guard, segment);
    return guard_text(guard, segment, seq + size);
}

/* Counts one of at most `max`; false: it is one too many. */
static bool
guard_count(uint8_t *count, uint32_t max)
{
    if (*count >= max)
        return false;
    ++*count;
    return true;
}

static void
guard_advance(struct guard *guard, const struct guard_limits *limits)
{
    if (guard->turn != limits->turn) {
        guard->turn = limits->turn;
        guard->small = 0;
        guard->seen = guard->rcv_nxt;
        guard->acked = guard->snd_una;
    }
    if (limits->now_ms - guard->since_ms >= limits->window_ms) {
        guard->since_ms = limits->now_ms;
        guard->strange = guard->repeated = guard->tiny = 0;
    }
}

bool
guard_passes(struct guard *guard, const struct guard_limits *limits,
             const struct wire_segment *segment)
{
    uint32_t strange_max = limits->count;

    if (limits->count == 0 || limits->window_ms == 0)
        return true;
    if (strange_max > UINT8_MAX)
        strange_max = UINT8_MAX;
    guard_advance(guard, limits);
    switch (guard_sort(guard, segment)) {
    case GUARD_MUCH:
        return true;
    case GUARD_LITTLE:
        return guard_count(&guard->small, GUARD_SMALL_MAX);
    case GUARD_TINY:
        return guard_count(&guard->tiny, GUARD_TINY_MAX);
    case GUARD_REPEATED:
        return guard_count(&guard->repeated, GUARD_REPEATED_MAX);
    case GUARD_STRANGE:
        return guard_count(&guard->strange, strange_max);
    case GUARD_NOTHING:
        break;
    }
    return false;
}

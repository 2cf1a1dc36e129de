/*
 * Sorts the segments of an established connection by what they can change:
 *
 *   much      data and ACKs in the window that say much that is new: they pass
 *   little    small and in order: some in each burst pass, and all that the
 *             stack is likely to take as one with the last
 *   aside     small or out of order, a duplicate ACK: some in each burst pass
 *   more      of either, for a stack that takes several as one: some in each time
 *             window, and of ACKs with SACK blocks the last
 *   tiny      small and out of order, or little that is new behind what has come:
 *             some in each time window, since each costs the stack an object and
 *             an ACK of its own, and all that the stack is likely to take as one
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
    GUARD_ASIDE,
    GUARD_TINY,
    GUARD_REPEATED,
    GUARD_STRANGE,
    GUARD_NOTHING
};

void
guard_set(struct guard *guard, const struct syncache_numbers *numbers)
{
    uint32_t came = numbers->rcv_nxt - guard->rcv_nxt;
    uint32_t went = numbers->snd_una - guard->snd_una;
    uint32_t led_on = (came / GUARD_UNIT) + (went / GUARD_UNIT);

    guard->aside = guard->is == 0 || guard->aside <= led_on
                       ? 0
                       : (uint16_t)(guard->aside - led_on);
    guard->is = GUARD_ON;
    if (numbers->timestamps)
        guard->is |= GUARD_TIMESTAMPS;
    if (numbers->gathers)
        guard->is |= GUARD_GATHERS;
    guard->rcv_nxt = guard->seen = numbers->rcv_nxt;
    guard->rcv_adv = numbers->rcv_adv;
    guard->snd_una = guard->acked = numbers->snd_una;
    guard->snd_max = numbers->snd_max;
    guard->ts_recent = numbers->ts_recent;
    guard->last = GUARD_NONE;
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

    if (seq == guard->rcv_nxt)
        return GUARD_MUCH;
    if (seq == guard->seen)
        return GUARD_LITTLE;
    /* The number before may be that of a FIN. */
    return seq - before <= guard->rcv_adv - before ? GUARD_STRANGE
                                                   : GUARD_NOTHING;
}

/* Is the ACK one of what is under way, or of all before it? */
static bool
guard_acks(const struct guard *guard, const struct wire_segment *segment)
{
    return segment->seg_ack - guard->snd_una <= guard->snd_max - guard->snd_una;
}

/* RFC 5961 5.2, and PAWS. */
static enum guard_kind
guard_ack(const struct guard *guard, const struct wire_segment *segment)
{
    if (!guard_acks(guard, segment) &&
        guard->snd_una - segment->seg_ack > GUARD_FAR)
        return GUARD_STRANGE;
    if (guard->is & GUARD_TIMESTAMPS && segment->has & WIRE_HAS_TIMESTAMPS &&
        seq_lt(segment->tsval, guard->ts_recent))
        return GUARD_REPEATED;
    return GUARD_MUCH;
}

/* The stack will take this timestamp for the newest, and refuse what is older:
 * that is none of what may be taken as one.  How old an ACK may be only the stack
 * knows. */
static void
guard_note(struct guard *guard, const struct wire_segment *segment)
{
    if (!(segment->has & WIRE_HAS_TIMESTAMPS) ||
        seq_lt(guard->rcv_nxt, segment->seg_seq) ||
        seq_leq(segment->tsval, guard->ts_recent))
        return;
    if (guard_acks(guard, segment))
        guard->ts_recent = segment->tsval;
    else
        guard->is |= GUARD_UNSURE;
}

static bool
guard_gathers(const struct guard *guard)
{
    return (guard->is & GUARD_GATHERS) != 0;
}

/* Of how many that are small one counts that is yet alone: those who say much
 * in order are taken as one. */
static uint8_t
guard_alone(const struct guard *guard)
{
    return guard_gathers(guard) ? GUARD_SMALL_MAX / GUARD_ALONE_MAX : 1;
}

/* What says so much that is new, of what is in order. */
static enum guard_kind
guard_news(const struct guard *guard, uint32_t size, uint32_t little)
{
    if (guard_gathers(guard))
        little = GUARD_FULL_BYTES;
    return size >= little ? GUARD_MUCH : GUARD_LITTLE;
}

/*
 * Counts what came without leading on: data beyond a hole, of which a window
 * holds what is new once, and ACKs that repeat one, of which each segment under
 * way draws one.  More is what an honest peer may repeat.
 */
static enum guard_kind
guard_aside(struct guard *guard, uint32_t size)
{
    uint32_t window = guard->rcv_adv - guard->rcv_nxt;
    uint32_t under_way = guard->snd_max - guard->snd_una;
    uint32_t most = (window + under_way) / (GUARD_UNIT / 2);
    uint32_t sum = guard->aside + size / GUARD_UNIT;

    if (size < GUARD_SMALL_BYTES)
        return GUARD_TINY;
    if (guard->little >= GUARD_SMALL_MAX)
        return GUARD_ASIDE; /* which is one too many */
    if (sum > most || sum > UINT16_MAX)
        return GUARD_REPEATED;
    guard->aside = (uint16_t)sum;
    return guard_gathers(guard) && size >= GUARD_FULL_BYTES ? GUARD_MUCH
                                                            : GUARD_ASIDE;
}

/* An ACK alone, in the window, while nothing that it could tell of is under
 * way. */
static enum guard_kind
guard_idle(struct guard *guard, bool in_order, bool plain, bool window)
{
    if (in_order)
        guard->is |= plain ? GUARD_SOUND | GUARD_CONTINUES : GUARD_CONTINUES;
    if (!window)
        return GUARD_REPEATED;
    return in_order ? GUARD_LITTLE : GUARD_TINY;
}

/* An ACK alone, in the window.  Of those that repeat one a sender without SACK
 * counts each, so they continue only each other. */
static enum guard_kind
guard_bare(struct guard *guard, const struct wire_segment *segment)
{
    bool window = segment->seg_wnd != guard->window;
    uint32_t news = segment->seg_ack - guard->acked;
    bool in_order = segment->seg_seq == guard->seen;
    bool sound = in_order && guard_acks(guard, segment);
    bool plain = sound && segment->sack_count == 0;
    bool again = guard->is & GUARD_DUPLICATE;

    guard->is &= (uint8_t)~GUARD_DUPLICATE;
    /* What its blocks say, the next of its kind says again. */
    if (sound && !plain)
        guard->is |= GUARD_SOUND | GUARD_DUPLICATE;
    guard->window = segment->seg_wnd;
    if (seq_lt(guard->acked, segment->seg_ack)) {
        guard->acked = segment->seg_ack;
        if (plain)
            guard->is |= again ? GUARD_SOUND : GUARD_SOUND | GUARD_CONTINUES;
        return guard_news(guard, news, 0);
    }
    if (guard->acked == guard->snd_max)
        return guard_idle(guard, in_order, plain, window);
    if (plain && !window) {
        guard->is |= GUARD_SOUND | GUARD_DUPLICATE;
        if (again)
            guard->is |= GUARD_CONTINUES;
    }
    return guard_aside(guard, GUARD_SMALL_BYTES);
}

/* Data or a FIN, in the window. */
static enum guard_kind
guard_text(struct guard *guard, const struct wire_segment *segment,
           uint32_t end)
{
    uint32_t fresh = end - guard->seen;
    bool next = seq_leq(segment->seg_seq, guard->seen);
    bool in_order = segment->seg_seq == guard->seen;
    bool plain = segment->sack_count == 0 && guard_acks(guard, segment) &&
                 !(segment->flags & WIRE_FIN) && !(guard->is & GUARD_UNSURE);
    bool again = guard->is & GUARD_DUPLICATE;

    guard->is &= (uint8_t)~GUARD_DUPLICATE;
    guard->window = segment->seg_wnd;
    if (seq_lt(guard->acked, segment->seg_ack))
        guard->acked = segment->seg_ack;
    if (!next)
        return guard_aside(guard, segment->payload_size);
    if (seq_leq(end, guard->seen))
        return GUARD_REPEATED;
    if (plain)
        guard->is |= again ? GUARD_SOUND : GUARD_SOUND | GUARD_CONTINUES;
    guard->seen = end;
    if (!in_order && fresh < GUARD_SMALL_BYTES)
        return GUARD_TINY;
    return guard_news(guard, fresh, GUARD_SMALL_BYTES);
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
    guard_note(guard, segment);
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

/* Counts one that is alone; false: it is one too many. */
static bool
guard_counts_alone(struct guard *guard)
{
    uint8_t little = (uint8_t)(guard->little + guard_alone(guard));

    if (little > GUARD_SMALL_MAX)
        return guard_gathers(guard) &&
               guard_count(&guard->tiny, GUARD_TINY_MAX);
    guard->little = little;
    return true;
}

/* Is it likely to be no segment of its own?  The stack pays by those. */
static bool
guard_joins(const struct guard *guard)
{
    return guard_gathers(guard) && (guard->is & GUARD_CONTINUES) != 0 &&
           guard->last != GUARD_NONE &&
           (guard->little + guard_alone(guard) <= GUARD_SMALL_MAX ||
            guard->tiny < GUARD_TINY_MAX);
}

/* An ACK with SACK blocks that is one too many: it may take the place of the
 * last, which it repeats or leads on from. */
static bool
guard_replaces(struct guard *guard, const struct wire_segment *segment)
{
    if (!guard_gathers(guard) || guard->last == GUARD_NONE ||
        segment->sack_count == 0 || segment->payload_size != 0 ||
        !(guard->is & GUARD_SOUND))
        return false;
    guard->is |= GUARD_CONTINUES | GUARD_OVER;
    return true;
}

void
guard_stands_alone(struct guard *guard, uint32_t number, bool apart)
{
    bool sound = (guard->is & GUARD_SOUND) != 0;

    if (apart && guard_joins(guard))
        (void)guard_counts_alone(guard);
    guard->last = sound && number < GUARD_NONE ? (uint16_t)number : GUARD_NONE;
}

static void
guard_advance(struct guard *guard, const struct guard_limits *limits)
{
    if (guard->turn != (uint8_t)limits->turn) {
        guard->turn = (uint8_t)limits->turn;
        guard->little = 0;
        guard->last = GUARD_NONE;
        guard->is &= (uint8_t)~GUARD_UNSURE;
        guard->seen = guard->rcv_nxt;
        guard->acked = guard->snd_una;
    }
    if (limits->now_ms - guard->since_ms >= limits->window_ms) {
        guard->since_ms = limits->now_ms;
        guard->strange = guard->repeated = guard->tiny = 0;
        guard->aside = 0;
    }
}

bool
guard_passes(struct guard *guard, const struct guard_limits *limits,
             const struct wire_segment *segment)
{
    uint32_t strange_max = limits->count;
    struct guard before;

    guard->is &= (uint8_t)~(GUARD_CONTINUES | GUARD_SOUND | GUARD_OVER);
    if (limits->count == 0 || limits->window_ms == 0)
        return true;
    if (strange_max > UINT8_MAX)
        strange_max = UINT8_MAX;
    guard_advance(guard, limits);
    before = *guard;
    switch (guard_sort(guard, segment)) {
    case GUARD_MUCH:
        return true;
    case GUARD_LITTLE:
        if (guard_joins(guard) || guard_counts_alone(guard) ||
            guard_replaces(guard, segment))
            return true;
        break;
    case GUARD_ASIDE:
        if (guard_counts_alone(guard) || guard_replaces(guard, segment))
            return true;
        break;
    case GUARD_TINY:
        if (guard_joins(guard) || guard_count(&guard->tiny, GUARD_TINY_MAX))
            return true;
        break;
    case GUARD_REPEATED:
        return guard_count(&guard->repeated, GUARD_REPEATED_MAX);
    case GUARD_STRANGE:
        return guard_count(&guard->strange, strange_max);
    case GUARD_NOTHING:
        return false;
    }
    /* The stack does not see it: what comes next does not follow it. */
    *guard = before;
    return false;
}

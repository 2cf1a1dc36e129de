/*
 * The wheel.  A level counts units of 64^level ms.  An item lies on the level of
 * the highest group of 6 bits in which its key differs from the wheel's time,
 * in the slot of its key's group there.  So:
 *
 *   - the place is a function of key and wheel time, and need not be stored;
 *   - it does not change while the wheel's time moves below the slot's start;
 *   - everything on a lower level comes before everything on a higher one, and
 *     within a level slots are in order.  The first item lies in the lowest
 *     slot of the lowest level that holds any.
 *
 * When the wheel's time reaches a slot of level 1 or more, its items are placed
 * anew, on lower levels.
 */
#include "session.h"

#include <assert.h>
#include <string.h>

#define DUE_BITS 6
#define DUE_EXACT 64 /* items of a slot that due_next_ms() looks at */
#define DUE_OUT (SESSION_NONE - 1)

_Static_assert(DUE_SLOTS == 1 << DUE_BITS, "a group names a slot");
_Static_assert(DUE_LEVELS *DUE_BITS >= 64, "the levels cover every time");

struct due_place {
    uint32_t level;
    uint32_t slot;
};

size_t
due_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct due_item);
}

void
due_init(struct due *due, void *memory, uint32_t max)
{
    memset(due, 0, sizeof *due);
    due->item = memory;
    due->max = max;
    for (uint32_t i = 0; i < max; i++)
        due->item[i] = (struct due_item){0, DUE_OUT, DUE_OUT};
    for (uint32_t level = 0; level < DUE_LEVELS; level++) {
        for (uint32_t slot = 0; slot < DUE_SLOTS; slot++)
            due->head[level][slot] = SESSION_NONE;
    }
}

static struct due_place
due_place(const struct due *due, uint64_t key_ms)
{
    uint64_t differ = key_ms ^ due->now_ms;
    struct due_place place = {0, 0};

    assert(key_ms >= due->now_ms);
    if (differ != 0)
        place.level = (63u - (uint32_t)__builtin_clzll(differ)) / DUE_BITS;
    place.slot = key_ms >> (place.level * DUE_BITS) & (DUE_SLOTS - 1);
    return place;
}

bool
due_armed(const struct due *due, uint32_t number)
{
    assert(number < due->max);
    return due->item[number].next != DUE_OUT;
}

static void
due_put(struct due *due, uint32_t number)
{
    struct due_item *item = &due->item[number];
    struct due_place at = due_place(due, item->key_ms);
    uint32_t *head = &due->head[at.level][at.slot];

    item->previous = SESSION_NONE;
    item->next = *head;
    if (*head != SESSION_NONE)
        due->item[*head].previous = number;
    *head = number;
    due->filled[at.level] |= UINT64_C(1) << at.slot;
}

static void
due_take(struct due *due, uint32_t number)
{
    struct due_item *item = &due->item[number];

    if (item->previous != SESSION_NONE) {
        due->item[item->previous].next = item->next;
    } else {
        struct due_place at = due_place(due, item->key_ms);

        assert(due->head[at.level][at.slot] == number);
        due->head[at.level][at.slot] = item->next;
        if (item->next == SESSION_NONE)
            due->filled[at.level] &= ~(UINT64_C(1) << at.slot);
    }
    if (item->next != SESSION_NONE)
        due->item[item->next].previous = item->previous;
    item->next = item->previous = DUE_OUT;
}

void
due_arm(struct due *due, uint32_t number, uint64_t key_ms)
{
    if (due_armed(due, number))
        due_take(due, number);
    else
        due->count++;
    due->item[number].key_ms = key_ms > due->now_ms ? key_ms : due->now_ms;
    due_put(due, number);
}

void
due_disarm(struct due *due, uint32_t number)
{
    if (!due_armed(due, number))
        return;
    due_take(due, number);
    due->count--;
}

/* Where the first items lie; false if there are none. */
static bool
due_first(const struct due *due, struct due_place *at, uint64_t *start_ms)
{
    for (uint32_t level = 0; level < DUE_LEVELS; level++) {
        uint32_t shift = level * DUE_BITS;
        uint64_t below;

        if (due->filled[level] == 0)
            continue;
        at->level = level;
        at->slot = (uint32_t)__builtin_ctzll(due->filled[level]);
        /* The groups above are the wheel's own; those below are zero. */
        below = shift + DUE_BITS >= 64
                    ? UINT64_MAX
                    : (UINT64_C(1) << (shift + DUE_BITS)) - 1;
        *start_ms = (due->now_ms & ~below) | (uint64_t)at->slot << shift;
        return true;
    }
    return false;
}

/* The wheel's time has reached a slot: its items move down. */
static void
due_cascade(struct due *due, const struct due_place *at)
{
    uint32_t number = due->head[at->level][at->slot];

    due->head[at->level][at->slot] = SESSION_NONE;
    due->filled[at->level] &= ~(UINT64_C(1) << at->slot);
    while (number != SESSION_NONE) {
        uint32_t next = due->item[number].next;

        due_put(due, number);
        number = next;
    }
}

uint32_t
due_pop(struct due *due, uint64_t now_ms)
{
    struct due_place at;
    uint64_t start_ms;

    while (due_first(due, &at, &start_ms) && start_ms <= now_ms) {
        if (due->now_ms < start_ms)
            due->now_ms = start_ms;
        if (at.level == 0) {
            uint32_t number = due->head[0][at.slot];

            due_disarm(due, number);
            return number;
        }
        due_cascade(due, &at);
    }
    if (due->now_ms < now_ms)
        due->now_ms = now_ms;
    return SESSION_NONE;
}

uint64_t
due_next_ms(const struct due *due)
{
    struct due_place at;
    uint64_t start_ms;
    uint64_t first_ms = SYNCACHE_NEVER;
    uint32_t number;
    uint32_t looked = 0;

    if (!due_first(due, &at, &start_ms))
        return SYNCACHE_NEVER;
    number = due->head[at.level][at.slot];
    for (; number != SESSION_NONE && looked < DUE_EXACT; looked++) {
        if (due->item[number].key_ms < first_ms)
            first_ms = due->item[number].key_ms;
        number = due->item[number].next;
    }
    return number == SESSION_NONE ? first_ms : start_ms;
}

void
due_peek(const struct due *due, uint32_t *next, uint32_t *behind)
{
    uint64_t filled = due->filled[0];

    *next = *behind = SESSION_NONE;
    if (filled == 0)
        return;
    *next = due->head[0][__builtin_ctzll(filled)];
    *behind = due->item[*next].next;
    filled &= filled - 1;
    if (*behind == SESSION_NONE && filled != 0)
        *behind = due->head[0][__builtin_ctzll(filled)];
}

uint64_t
due_not_before_ms(const struct due *due)
{
    struct due_place at;
    uint64_t start_ms;

    return due_first(due, &at, &start_ms) ? start_ms : SYNCACHE_NEVER;
}

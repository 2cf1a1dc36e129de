/*
 * Defaults and range checks, made of the rows of tunables (../syncache_tunables.h).
 *
 * The members of such a structure stand in the order of its rows, so a row needs no offset.  Most values fit into 16
 * bits, and code for small hosts is counted in bytes: the few that do not fit are an expression each.
 */
#ifndef SYNCACHE_CORE_ROWS_H
#define SYNCACHE_CORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct row {
    uint16_t value;            /* by default; 0 in place of a large one */
    uint16_t low;
    uint16_t high;             /* 0: a large one */
};

#define ROW_FITS(number) ((number) <= UINT16_MAX ? (uint16_t)(number) : 0)

/* An element of an array of struct row. */
#define ROW(member, name, kind, value, low, high, ...) {ROW_FITS(value), (low), ROW_FITS(high)},
/* A statement that sets a member of `*row_of`, and one that does so if its default is large. */
#define ROW_DEFAULT(member, name, kind, value, ...) row_of->member = (value);
#define ROW_LARGE_DEFAULT(member, name, kind, value, ...) \
    if ((value) > UINT16_MAX) \
        row_of->member = (value);
/* A condition about a member of `*row_of` whose highest value is large. */
#define ROW_LARGE_IN_RANGE(member, name, kind, value, low, high, ...) \
    ((high) <= UINT16_MAX || (uint64_t)row_of->member <= (high)) &&
/* A relation as a condition.  Both members are in range, so that 32 bits hold the products. */
#define ROW_ORDER(below, below_times, above, above_times) \
    row_of->below * (below_times) <= row_of->above * (above_times) &&
/* The same where 0 is no bound. */
#define ROW_ORDER_OR_NONE(below, below_times, above, above_times) \
    (row_of->above == 0 || row_of->below * (below_times) <= row_of->above * (above_times)) &&

/* Sets members of 32 bits that lie one after the other from byte `at` on. */
static inline void
rows_default(void *of, size_t at, const struct row *rows, size_t count)
{
    uint32_t *member = (void *)((uint8_t *)of + at);

    for (size_t i = 0; i < count; i++)
        member[i] = rows[i].value;
}

/* Whether such members are in their ranges, but for a highest value that is large. */
static inline bool
rows_in_range(const void *of, size_t at, const struct row *rows, size_t count)
{
    const uint32_t *member = (const void *)((const uint8_t *)of + at);

    for (size_t i = 0; i < count; i++) {
        if (member[i] < rows[i].low || (member[i] > rows[i].high && rows[i].high != 0))
            return false;
    }
    return true;
}

#endif

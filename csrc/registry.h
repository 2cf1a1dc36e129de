/*
 * Every row of a tunable with its words, for programs that know tunables by name: Python's registry reads it when the
 * package is imported, and a C stack may include it for a sysctl of its own.
 *
 * Not here: the rows (syncache_tunables.h, flow/flow_tunables.h), values in force.
 */
#ifndef SYNCACHE_REGISTRY_H
#define SYNCACHE_REGISTRY_H

#include "flow/flow_tunables.h"
#include "syncache_tunables.h"

#include <stddef.h>
#include <stdint.h>

/* cffi: begin.  Everything between the two marks is the C API exactly as Python sees it. */

struct registry_row {
    const char *member;
    const char *name;
    const char *kind;
    uint64_t value;            /* by default */
    uint64_t low;
    uint64_t high;
    const char *unit;
    const char *meaning;
};

struct registry_order {
    const char *below;
    uint32_t below_times;
    const char *above;
    uint32_t above_times;
};

/* The rows of one structure of one engine. */
struct registry_table {
    const char *engine;
    const char *settable;      /* boot, always */
    const struct registry_row *rows;
    uint32_t rows_count;
    const struct registry_order *orders;
    uint32_t orders_count;
};

/* The tables one by one; NULL behind the last. */
static const struct registry_table *registry_table(uint32_t number);

/* cffi: end. */

#define REGISTRY_ROW(member, name, kind, value, low, high, unit, meaning) \
    {#member, name, #kind, value, low, high, unit, meaning},
#define REGISTRY_ORDER(below, below_times, above, above_times) {#below, below_times, #above, above_times},
#define REGISTRY_COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

static const struct registry_table *
registry_table(uint32_t number)
{
    static const struct registry_row config[] = {SYNCACHE_CONFIG(REGISTRY_ROW)};
    static const struct registry_row tunables[] = {
        SYNCACHE_TUNABLES(REGISTRY_ROW) SYNCACHE_KEY_TUNABLES(REGISTRY_ROW) SYNCACHE_TUNABLES_64(REGISTRY_ROW)};
    static const struct registry_order orders[] = {
        SYNCACHE_TUNABLES_ORDER(REGISTRY_ORDER) SYNCACHE_KEY_ORDER(REGISTRY_ORDER)};
    static const struct registry_row intercept_config[] = {FLOW_INTERCEPT_CONFIG(REGISTRY_ROW)};
    static const struct registry_row intercept[] = {FLOW_INTERCEPT_TUNABLES(REGISTRY_ROW)};
    static const struct registry_order intercept_orders[] = {FLOW_INTERCEPT_ORDER(REGISTRY_ORDER)};
    static const struct registry_row inspect_config[] = {FLOW_INSPECT_CONFIG(REGISTRY_ROW)};
    static const struct registry_row inspect[] = {FLOW_INSPECT_TUNABLES(REGISTRY_ROW)};
    static const struct registry_order inspect_orders[] = {FLOW_INSPECT_ORDER(REGISTRY_ORDER)};
    static const struct registry_table tables[] = {
        {"syncache", "always", tunables, REGISTRY_COUNT(tunables), orders, REGISTRY_COUNT(orders)},
        {"syncache", "boot", config, REGISTRY_COUNT(config), NULL, 0},
        {"intercept", "always", intercept, REGISTRY_COUNT(intercept), intercept_orders,
         REGISTRY_COUNT(intercept_orders)},
        {"intercept", "boot", intercept_config, REGISTRY_COUNT(intercept_config), NULL, 0},
        {"inspect", "always", inspect, REGISTRY_COUNT(inspect), inspect_orders, REGISTRY_COUNT(inspect_orders)},
        {"inspect", "boot", inspect_config, REGISTRY_COUNT(inspect_config), NULL, 0},
    };

    return number < REGISTRY_COUNT(tables) ? &tables[number] : NULL;
}

#endif

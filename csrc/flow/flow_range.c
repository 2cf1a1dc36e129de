/* Which values of tunables are in range, by their rows: see flow_range.h. */
#include "flow_range.h"

#include "../core/rows.h"
#include "view.h"

bool
flow_intercept_valid(const struct flow_intercept_tunables *row_of)
{
    static const struct row rows[] = {FLOW_INTERCEPT_TUNABLES(ROW)
                                          SYNCACHE_KEY_TUNABLES(ROW)};

    return row_of->struct_size == sizeof *row_of &&
           rows_in_range(row_of, sizeof row_of->struct_size, rows,
                         sizeof rows / sizeof *rows) &&
           FLOW_INTERCEPT_TUNABLES(ROW_LARGE_IN_RANGE) SYNCACHE_KEY_TUNABLES(
               ROW_LARGE_IN_RANGE) FLOW_INTERCEPT_ORDER(ROW_ORDER)
               SYNCACHE_KEY_ORDER(ROW_ORDER)(row_of->wait_for_data == 0 ||
                                             row_of->synack_window > 0);
}

static bool
range_rule_valid(const struct flow_inspect_rule *rule)
{
    return rule->inspect <= 1 && rule->alert <= FLOW_INHERIT &&
           rule->audit <= FLOW_INHERIT && rule->timeout_ms <= FLOW_MS_MAX;
}

static bool
range_rules_valid(const struct flow_inspect_tunables *of)
{
    for (uint32_t i = 0; i < FLOW_INSPECTED_COUNT; i++) {
        if (!range_rule_valid(&of->rule[i]) ||
            !range_rule_valid(&of->server_rule[i]))
            return false;
    }
    if (of->by_side > 1 || of->application_count > FLOW_APPLICATIONS_MAX)
        return false;
    for (uint32_t i = 0; i < of->application_count; i++) {
        if (!range_rule_valid(&of->application[i].rule) ||
            of->application[i].side > FLOW_RULE_INSIDE ||
            (of->application[i].protocol != WIRE_PROTOCOL_TCP &&
             of->application[i].protocol != WIRE_PROTOCOL_UDP))
            return false;
    }
    return true;
}

bool
flow_inspect_valid(const struct flow_inspect_tunables *row_of)
{
    static const struct row rows[] = {FLOW_INSPECT_TUNABLES(ROW)
                                          SYNCACHE_KEY_TUNABLES(ROW)};

    return row_of->struct_size == sizeof *row_of &&
           rows_in_range(row_of, sizeof row_of->struct_size, rows,
                         sizeof rows / sizeof *rows) &&
           FLOW_INSPECT_TUNABLES(ROW_LARGE_IN_RANGE)
               SYNCACHE_KEY_TUNABLES(ROW_LARGE_IN_RANGE)
                   FLOW_INSPECT_ORDER(ROW_ORDER_OR_NONE)
                       SYNCACHE_KEY_ORDER(ROW_ORDER) range_rules_valid(row_of);
}

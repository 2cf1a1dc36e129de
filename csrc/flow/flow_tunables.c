/* Defaults of all tunables, made of their rows (flow_tunables.h): Cisco's, where Cisco has one. */
#include "flow.h"

#include "../core/rows.h"

#include <string.h>

void
flow_intercept_default(struct flow_intercept_tunables *row_of)
{
    memset(row_of, 0, sizeof *row_of);
    row_of->struct_size = sizeof *row_of;
    FLOW_INTERCEPT_TUNABLES(ROW_DEFAULT)
    SYNCACHE_KEY_TUNABLES(ROW_DEFAULT)
}

void
flow_inspect_default(struct flow_inspect_tunables *row_of)
{
    memset(row_of, 0, sizeof *row_of);
    row_of->struct_size = sizeof *row_of;
    FLOW_INSPECT_TUNABLES(ROW_DEFAULT)
    SYNCACHE_KEY_TUNABLES(ROW_DEFAULT)
    for (int i = 0; i < FLOW_INSPECTED_COUNT; i++) {
        row_of->rule[i] = (struct flow_inspect_rule){
            .inspect = 1, .alert = FLOW_INHERIT, .audit = FLOW_INHERIT};
        row_of->server_rule[i] = row_of->rule[i];
    }
}

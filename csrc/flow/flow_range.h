/*
 * Which values of tunables are in range.
 */
#ifndef SYNCACHE_FLOW_FLOW_RANGE_H
#define SYNCACHE_FLOW_FLOW_RANGE_H

#include "flow.h"

/* Whether every value is in range, struct_size too. */
bool flow_intercept_valid(const struct flow_intercept_tunables *tunables);
bool flow_inspect_valid(const struct flow_inspect_tunables *tunables);

#endif

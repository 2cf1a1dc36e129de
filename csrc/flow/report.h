/*
 * Events about sessions, into the journal.
 *
 * Not here: when there is one (the policies), text (syncache/alerts/).
 */
#ifndef SYNCACHE_FLOW_REPORT_H
#define SYNCACHE_FLOW_REPORT_H

#include "box.h"

/*
 * Adds an event.
 *
 *   in       session   whose tuple and byte counts it bears; NULL: of none
 *   returns  the event, for the caller to complete; NULL if it is lost, or of debug level and debug is off
 */
struct flow_event *report_event(struct flow *flow, const struct session *session, enum flow_event_kind kind);

#endif

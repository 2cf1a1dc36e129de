/* Events about sessions: see report.h. */
#include "report.h"

struct flow_event *
report_event(struct flow *flow, const struct session *session,
             enum flow_event_kind kind)
{
    struct flow_event *event;

    if (kind >= FLOW_EVENT_NEW && !flow->debug)
        return NULL;
    event = journal_add(&flow->journal, flow->now_ms, kind);
    flow->stats.journal_lost = flow->journal.lost;
    if (event == NULL || session == NULL)
        return event;
    session_tuple(session, &event->tuple);
    event->protocol = session->protocol;
    event->bytes[0] = session->bytes[0];
    event->bytes[1] = session->bytes[1];
    return event;
}

/*
 * Events until somebody takes them: a ring of fixed size.  A full ring loses the event at hand and counts it.  A
 * quarter of the places is kept for state changes, so that audit and debug events cannot crowd them out.
 */
#ifndef SYNCACHE_FLOW_JOURNAL_H
#define SYNCACHE_FLOW_JOURNAL_H

#include "flow.h"

struct journal {
    struct flow_event *event;
    uint32_t max;
    uint32_t first;
    uint32_t count;
    uint64_t lost;
};

size_t journal_bytes(uint32_t max);
void journal_init(struct journal *journal, void *memory, uint32_t max);
/* Returns the place of a new event, zero but for time and kind, or NULL if it is lost. */
struct flow_event *journal_add(struct journal *journal, uint64_t now_ms, enum flow_event_kind kind);
uint32_t journal_take(struct journal *journal, struct flow_event *out, uint32_t out_max);

#endif

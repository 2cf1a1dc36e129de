/* The ring of journal.h. */
#include "journal.h"

#include <assert.h>
#include <string.h>

size_t
journal_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct flow_event);
}

void
journal_init(struct journal *journal, void *memory, uint32_t max)
{
    assert(max >= 1);
    memset(journal, 0, sizeof *journal);
    journal->event = memory;
    journal->max = max;
}

struct flow_event *
journal_add(struct journal *journal, uint64_t now_ms, enum flow_event_kind kind)
{
    uint32_t kept = kind < FLOW_EVENT_START ? 0 : journal->max / 4;
    struct flow_event *event;

    if (journal->count >= journal->max - kept) {
        journal->lost++;
        return NULL;
    }
    event = &journal->event[((uint64_t)journal->first + journal->count) %
                            journal->max];
    journal->count++;
    memset(event, 0, sizeof *event);
    event->time_ms = now_ms;
    event->kind = (uint8_t)kind;
    return event;
}

uint32_t
journal_take(struct journal *journal, struct flow_event *out, uint32_t out_max)
{
    uint32_t taken = 0;

    while (taken < out_max && journal->count > 0) {
        out[taken++] = journal->event[journal->first];
        journal->first = (journal->first + 1) % journal->max;
        journal->count--;
    }
    return taken;
}

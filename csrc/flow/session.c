/*
 * Places of sessions, and the table that finds them: linear probing over slots
 * of 8 bytes, at most half full, so that a look-up that finds nothing costs one
 * cache line and one that finds something two.  A removal shifts back what it
 * would have hidden; no tombstones are left.
 *
 * Not here: half-open order (order.c), deadlines (due.c).
 */
#include "session.h"

#include <assert.h>
#include <string.h>

#define SESSION_LINE 64

_Static_assert(offsetof(struct session, port) == 32,
               "addresses and ports lie as in struct session_key");
_Static_assert(offsetof(struct session, bytes) == SESSION_LINE &&
                   offsetof(struct session, older) == 2 * SESSION_LINE,
               "lines begin where the header says");

static uint32_t
session_slots(uint32_t max)
{
    uint32_t slots = 2;

    while (slots < 2 * max)
        slots *= 2;
    return slots;
}

size_t
sessions_bytes(uint32_t max)
{
    return (size_t)max * sizeof(struct session) +
           (size_t)session_slots(max) * sizeof(struct session_slot);
}

void
sessions_init(struct sessions *sessions, void *memory, uint32_t max)
{
    assert(max >= 1 && max <= FLOW_SESSIONS_MAX);
    size_t bytes = (size_t)max * sizeof(struct session);
    uint32_t slots = session_slots(max);

    memset(sessions, 0, sizeof *sessions);
    sessions->session = memory;
    sessions->slot = (struct session_slot *)(void *)((uint8_t *)memory + bytes);
    memset(sessions->slot, 0, (size_t)slots * sizeof *sessions->slot);
    sessions->max = max;
    sessions->mask = slots - 1;
    sessions->free = SESSION_NONE;
}

static void
session_enter(struct sessions *sessions, uint32_t hash, uint32_t number)
{
    uint32_t at = hash & sessions->mask;

    while (sessions->slot[at].number != 0)
        at = (at + 1) & sessions->mask;
    sessions->slot[at] = (struct session_slot){hash, number + 1};
}

struct session *
session_insert(struct sessions *sessions, const struct session_key *key)
{
    struct session *session;
    uint32_t number;

    if (sessions->free != SESSION_NONE) {
        number = sessions->free;
        sessions->free = session_at(sessions, number)->older;
    } else if (sessions->fresh < sessions->max) {
        number = sessions->fresh++;
    } else {
        return NULL;
    }
    session = session_at(sessions, number);
    for (uint32_t at = 0; at < sizeof *session; at += SESSION_LINE)
        memset((uint8_t *)session + at, 0, SESSION_LINE);
    memcpy(session->address, key->address, sizeof session->address);
    session->port[0] = key->port[0];
    session->port[1] = key->port[1];
    session->family = key->family;
    session->protocol = key->protocol;
    session->hash = key->hash;
    session->deadline_ms = SYNCACHE_NEVER;
    session->host = SESSION_NONE;
    session_enter(sessions, key->hash, number);
    sessions->count++;
    return session;
}

void
session_hide(struct sessions *sessions, struct session *session)
{
    uint32_t mask = sessions->mask;
    uint32_t wanted = session_number(sessions, session) + 1;
    uint32_t hole = session->hash & mask;

    while (sessions->slot[hole].number != wanted) {
        assert(sessions->slot[hole].number != 0);
        hole = (hole + 1) & mask;
    }
    /* Whoever lies behind the hole and may lie in it moves into it. */
    for (uint32_t at = (hole + 1) & mask; sessions->slot[at].number != 0;
         at = (at + 1) & mask) {
        uint32_t home = sessions->slot[at].hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            sessions->slot[hole] = sessions->slot[at];
            hole = at;
        }
    }
    sessions->slot[hole] = (struct session_slot){0, 0};
}

void
session_remove(struct sessions *sessions, struct session *session)
{
    assert(sessions->count > 0);
    if ((session->flags & SESSION_OWES_RST) == 0)
        session_hide(sessions, session);
    session->family = 0;
    session->older = sessions->free;
    sessions->free = session_number(sessions, session);
    sessions->count--;
}

void
session_tuple(const struct session *session, struct syncache_tuple *tuple)
{
    memset(tuple, 0, sizeof *tuple);
    memcpy(tuple->faddr, session->address[FLOW_CLIENT], 16);
    memcpy(tuple->laddr, session->address[FLOW_SERVER], 16);
    tuple->fport = session->port[FLOW_CLIENT];
    tuple->lport = session->port[FLOW_SERVER];
    tuple->family = session->family;
}

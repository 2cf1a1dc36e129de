/*
 * Established TCP sessions whose clients have not said anything: a handshake costs its sender little and its server a
 * connection.  They are listed by the prefix that the client is of, a /24 or a /48, each list in the order in which
 * they were established; prefixes that hash alike share a list.
 *
 * Not here: when one of them has to go (box.c).
 */
#ifndef SYNCACHE_FLOW_SILENT_H
#define SYNCACHE_FLOW_SILENT_H

#include "session.h"

#define SILENT_LISTS 1024

struct silent {
    struct sessions *sessions;
    uint32_t total;                /* in all lists */
    uint32_t count[SILENT_LISTS];
    uint32_t oldest[SILENT_LISTS], youngest[SILENT_LISTS];
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
};

void silent_init(struct silent *silent, struct sessions *sessions, const uint8_t hash_key[static SYNCACHE_KEY_BYTES]);

/* Adds an established session, which is in no other list, or takes it out; session->host says where it is. */
void silent_add(struct silent *silent, struct session *session);
void silent_remove(struct silent *silent, struct session *session);

/* The oldest of a listed session's prefix, NULL unless there are more than `limit` and it is no newcomer itself. */
struct session *silent_beyond(const struct silent *silent, const struct session *session, uint32_t limit,
                              uint64_t now_ms);
/* The oldest of the prefix that has most, NULL unless these are at least `few`. */
struct session *silent_heaviest(const struct silent *silent, uint32_t few);

#endif

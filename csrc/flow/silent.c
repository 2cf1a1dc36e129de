/* The lists of silent.h: linked through `older` and `younger`, which only
 * half-open sessions use otherwise. */
#include "silent.h"

#include "../core/siphash.h"
#include "host.h"

#include <assert.h>
#include <string.h>

#define SILENT_V4_BYTES 3 /* a /24 */
#define SILENT_V6_BYTES 6 /* a /48 */

void
silent_init(struct silent *silent, struct sessions *sessions,
            const uint8_t hash_key[static SYNCACHE_KEY_BYTES])
{
    memset(silent, 0, sizeof *silent);
    silent->sessions = sessions;
    memset(silent->oldest, 0xff, sizeof silent->oldest);
    memset(silent->youngest, 0xff, sizeof silent->youngest);
    memcpy(silent->hash_key, hash_key, SYNCACHE_KEY_BYTES);
}

static uint32_t
silent_list(const struct silent *silent, const struct session *session)
{
    uint8_t prefix[7] = {0};

    memcpy(prefix, session->address[FLOW_CLIENT],
           session->family == 4 ? SILENT_V4_BYTES : SILENT_V6_BYTES);
    prefix[6] = session->family;
    return siphash24_fold(silent->hash_key, prefix, sizeof prefix) %
           SILENT_LISTS;
}

void
silent_add(struct silent *silent, struct session *session)
{
    uint32_t number = session_number(silent->sessions, session);
    uint32_t list = silent_list(silent, session);

    assert(session->state == FLOW_ESTAB && session->host == HOST_NONE);
    session->host = list;
    session->younger = SESSION_NONE;
    session->older = silent->youngest[list];
    if (session->older == SESSION_NONE)
        silent->oldest[list] = number;
    else
        session_at(silent->sessions, session->older)->younger = number;
    silent->youngest[list] = number;
    silent->count[list]++;
    silent->total++;
}

void
silent_remove(struct silent *silent, struct session *session)
{
    uint32_t list = session->host;

    assert(session->state == FLOW_ESTAB && list < SILENT_LISTS &&
           silent->count[list] > 0);
    if (session->older == SESSION_NONE)
        silent->oldest[list] = session->younger;
    else
        session_at(silent->sessions, session->older)->younger =
            session->younger;
    if (session->younger == SESSION_NONE)
        silent->youngest[list] = session->older;
    else
        session_at(silent->sessions, session->younger)->older = session->older;
    silent->count[list]--;
    silent->total--;
    session->host = HOST_NONE;
}

struct session *
silent_beyond(const struct silent *silent, const struct session *session,
              uint32_t limit, uint64_t now_ms)
{
    struct session *oldest;

    if (session->host == HOST_NONE || silent->count[session->host] <= limit)
        return NULL;
    oldest = session_at(silent->sessions, silent->oldest[session->host]);
    return now_ms - oldest->created_ms < FLOW_SILENT_GRACE_MS ? NULL : oldest;
}

struct session *
silent_heaviest(const struct silent *silent, uint32_t few)
{
    uint32_t heaviest = 0;

    /* Asked for at each packet of a flood that fills the table. */
    if (silent->total < few)
        return NULL;
    for (uint32_t list = 1; list < SILENT_LISTS; list++) {
        if (silent->count[list] > silent->count[heaviest])
            heaviest = list;
    }
    if (silent->count[heaviest] == 0 || silent->count[heaviest] < few)
        return NULL;
    return session_at(silent->sessions, silent->oldest[heaviest]);
}

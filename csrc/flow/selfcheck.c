/*
 * What has to hold between calls, checked by looking at everything.  For tests
 * and fuzzing: it costs as much as there are sessions.
 */
#include "box.h"

#include <string.h>

#define HOLD(check, condition) selfcheck_hold(check, condition, __LINE__)

/* What a look at every session finds. */
struct selfcheck {
    uint32_t fault; /* line of the first condition that does not hold */
    uint32_t used;
    uint32_t by_state[FLOW_STATE_COUNT];
    uint32_t counted;
    uint32_t counted_udp;
    uint32_t counted_rcvd;
    uint32_t with_host;
    uint32_t armed;
    uint32_t owing;
    uint32_t silent;
};

static void
selfcheck_hold(struct selfcheck *check, bool condition, uint32_t line)
{
    if (!condition && check->fault == 0)
        check->fault = line;
}

static void
selfcheck_session(struct flow *flow, uint32_t number, struct selfcheck *found)
{
    const struct session *session = session_at(&flow->sessions, number);
    struct session_key key;
    uint32_t from;

    found->used++;
    found->armed += due_armed(&flow->due, number);
    if ((session->flags & SESSION_OWES_RST) != 0) {
        found->owing++;
        return;
    }
    found->by_state[session->state]++;
    memcpy(key.address, session->address, sizeof key.address);
    memcpy(key.port, session->port, sizeof key.port);
    key.family = session->family;
    key.protocol = session->protocol;
    key.hash = session_hash(flow->hash_key, &key);
    HOLD(found, key.hash == session->hash);
    HOLD(found, session_find(&flow->sessions, &key, &from) == session);
    if ((session->flags & SESSION_COUNTED) == 0) {
        HOLD(found, session->host == HOST_NONE || session->state == FLOW_ESTAB);
        found->silent +=
            session->state == FLOW_ESTAB && session->host != HOST_NONE;
        return;
    }
    HOLD(found, session->state <= FLOW_SYNSENT);
    HOLD(found, flow->order.dense[session->dense] == number);
    found->counted++;
    found->counted_udp += session->protocol == WIRE_PROTOCOL_UDP;
    found->counted_rcvd += session->state == FLOW_SYNRCVD;
    found->with_host += session->host != HOST_NONE;
}

/* The two lists: complete, linked both ways, in order of creation. */
static void
selfcheck_order(const struct flow *flow, struct selfcheck *found)
{
    const struct order *order = &flow->order;
    uint32_t count = 0;
    uint32_t before = SESSION_NONE;
    uint64_t created_ms = 0;

    for (uint32_t at = order->oldest; at != SESSION_NONE; count++) {
        const struct session *session = session_at(&flow->sessions, at);

        HOLD(found,
             session->older == before && session->created_ms >= created_ms);
        created_ms = session->created_ms;
        before = at;
        at = session->younger;
    }
    HOLD(found, count == order->count && order->youngest == before);
    count = 0;
    before = SESSION_NONE;
    for (uint32_t at = order->rcvd_oldest; at != SESSION_NONE; count++) {
        const struct session *session = session_at(&flow->sessions, at);

        HOLD(found, session->rcvd_older == before);
        HOLD(found, session->state == FLOW_SYNRCVD);
        HOLD(found, session->dense < order->rcvd_count);
        before = at;
        at = session->rcvd_younger;
    }
    HOLD(found, count == order->rcvd_count && order->rcvd_youngest == before);
}

static uint32_t
selfcheck_host(const struct flow *flow, uint32_t number,
               struct selfcheck *found)
{
    const struct host *host = &flow->hosts.host[number];
    uint32_t count = 0;
    uint32_t before = SESSION_NONE;

    HOLD(found, host_find(&flow->hosts, host->address, host->family,
                          host->protocol) == host);
    HOLD(found, host->count > 0 || host->blocked || host->alerted);
    HOLD(found,
         host->blocked == due_armed(&flow->due, flow->sessions.max + number));
    for (uint32_t at = host->oldest; at != SESSION_NONE; count++) {
        const struct session *session = session_at(&flow->sessions, at);

        HOLD(found, session->host == number && session->host_older == before);
        before = at;
        at = session->host_younger;
    }
    HOLD(found, count == host->count && host->youngest == before);
    HOLD(found, count <= flow->hosts.heaviest);
    return count;
}

static uint32_t
selfcheck_hosts(const struct flow *flow, struct selfcheck *found)
{
    const struct hosts *hosts = &flow->hosts;
    uint32_t sessions = 0;
    uint32_t known = 0;
    uint32_t blocked = 0;

    for (uint32_t number = 0; number < hosts->fresh; number++) {
        if (hosts->host[number].family == 0)
            continue;
        known++;
        blocked += hosts->host[number].blocked;
        sessions += selfcheck_host(flow, number, found);
    }
    HOLD(found, known == hosts->count && blocked == hosts->blocked);
    HOLD(found, (hosts->heaviest == 0) == (sessions == 0));
    HOLD(found, hosts->heaviest == 0 || hosts_heaviest(hosts) != NULL);
    return sessions;
}

/* Every silent session is in the list of its prefix, linked both ways. */
static uint32_t
selfcheck_silent(const struct flow *flow, struct selfcheck *found)
{
    const struct silent *silent = &flow->silent;
    uint32_t sum = 0;

    for (uint32_t list = 0; list < SILENT_LISTS; list++) {
        uint32_t count = 0;
        uint32_t before = SESSION_NONE;

        for (uint32_t at = silent->oldest[list]; at != SESSION_NONE; count++) {
            const struct session *session = session_at(&flow->sessions, at);

            HOLD(found, session->host == list && session->older == before &&
                            session->state == FLOW_ESTAB &&
                            session->bytes[FLOW_CLIENT] == 0);
            before = at;
            at = session->younger;
        }
        HOLD(found,
             count == silent->count[list] && silent->youngest[list] == before);
        sum += count;
    }
    return sum;
}

uint32_t
box_selfcheck(struct flow *flow)
{
    const struct flow_stats *stats = &flow->stats;
    struct selfcheck found = {0};
    uint32_t half_open;

    for (uint32_t number = 0; number < flow->sessions.fresh; number++) {
        if (session_at(&flow->sessions, number)->family != 0)
            selfcheck_session(flow, number, &found);
    }
    half_open = found.by_state[FLOW_SYNRCVD] + found.by_state[FLOW_SYNSENT];
    HOLD(&found, found.used == flow->sessions.count);
    HOLD(&found, found.used == found.armed);
    HOLD(&found, stats->incomplete + stats->uncounted == half_open);
    HOLD(&found, stats->incomplete == found.counted);
    HOLD(&found, stats->incomplete == flow->order.count);
    HOLD(&found, stats->incomplete_udp == found.counted_udp);
    HOLD(&found, flow->order.rcvd_count == found.counted_rcvd);
    HOLD(&found, stats->established == found.by_state[FLOW_ESTAB]);
    HOLD(&found, stats->terminating == found.by_state[FLOW_CLOSING]);
    HOLD(&found, flow->due.count == found.armed + flow->hosts.blocked);
    HOLD(&found, selfcheck_hosts(flow, &found) == found.with_host);
    HOLD(&found, selfcheck_silent(flow, &found) == found.silent);
    selfcheck_order(flow, &found);
    return found.fault;
}

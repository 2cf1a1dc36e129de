/*
 * The names of the verdicts, for a host's log and statistics.
 *
 * Not here: what they mean (syncache.h).
 */
#include "../syncache_host.h"

#define NAME(verdict) [SYNCACHE_##verdict] = #verdict

static const char *const names[] = {
    NAME(PASS_NOT_TCP),      NAME(PASS_ICMP),
    NAME(PASS_NOT_OURS),     NAME(PASS_NO_ENDPOINT),
    NAME(PASS_KNOWN),        NAME(PASS_OFFERED),
    NAME(ACCEPT_CACHE),      NAME(ACCEPT_COOKIE),
    NAME(ACCEPT_FASTOPEN),   NAME(REPLY_SYN_ACK),
    NAME(REPLY_SYN_COOKIE),  NAME(REPLY_DUPSYN),
    NAME(REPLY_OTHER_ISN),   NAME(REPLY_CHALLENGE_ACK),
    NAME(REPLY_RST),         NAME(DROP_TRUNCATED),
    NAME(DROP_IP_HEADER),    NAME(DROP_IP_CHECKSUM),
    NAME(DROP_FRAGMENT),     NAME(DROP_SOURCE_ROUTE),
    NAME(DROP_TCP_HEADER),   NAME(DROP_CHECKSUM),
    NAME(DROP_LAND),         NAME(DROP_SOURCE),
    NAME(DROP_DESTINATION),  NAME(DROP_NO_SYN),
    NAME(DROP_SYN_ACK),      NAME(DROP_SYN_FIN),
    NAME(DROP_DUPSYN_LIMIT), NAME(DROP_CACHE_FULL),
    NAME(DROP_MD5),          NAME(DROP_PAWS),
    NAME(DROP_MISSING_TS),   NAME(DROP_COOKIE_DATA),
    NAME(DROP_RST),          NAME(DROP_RST_NO_ENTRY),
    NAME(DROP_RST_OUTSIDE),  NAME(DROP_CHALLENGE_LIMIT),
    NAME(DROP_ICMP),         NAME(DROP_BLACKHOLE),
    NAME(DROP_KNOWN_FULL),   NAME(DROP_NO_KEY),
};

_Static_assert(sizeof names / sizeof *names == SYNCACHE_VERDICT_COUNT,
               "the last verdict has a name");

const char *
syncache_verdict_name(enum syncache_verdict verdict)
{
    return (uint32_t)verdict < SYNCACHE_VERDICT_COUNT ? names[verdict] : NULL;
}

/*
 * The names of the verdicts and their counters as lines, for a host's log and
 * statistics.
 *
 * Not here: what they mean (syncache.h).
 */
#include "../syncache_host.h"

#define VERDICT_NAME(verdict) [SYNCACHE_##verdict] = #verdict

static const char *const verdict_names[] = {
    VERDICT_NAME(PASS_NOT_TCP),      VERDICT_NAME(PASS_ICMP),
    VERDICT_NAME(PASS_NOT_OURS),     VERDICT_NAME(PASS_NO_ENDPOINT),
    VERDICT_NAME(PASS_KNOWN),        VERDICT_NAME(PASS_OFFERED),
    VERDICT_NAME(ACCEPT_CACHE),      VERDICT_NAME(ACCEPT_COOKIE),
    VERDICT_NAME(ACCEPT_FASTOPEN),   VERDICT_NAME(REPLY_SYN_ACK),
    VERDICT_NAME(REPLY_SYN_COOKIE),  VERDICT_NAME(REPLY_DUPSYN),
    VERDICT_NAME(REPLY_OTHER_ISN),   VERDICT_NAME(REPLY_CHALLENGE_ACK),
    VERDICT_NAME(REPLY_RST),         VERDICT_NAME(DROP_TRUNCATED),
    VERDICT_NAME(DROP_IP_HEADER),    VERDICT_NAME(DROP_IP_CHECKSUM),
    VERDICT_NAME(DROP_FRAGMENT),     VERDICT_NAME(DROP_SOURCE_ROUTE),
    VERDICT_NAME(DROP_TCP_HEADER),   VERDICT_NAME(DROP_CHECKSUM),
    VERDICT_NAME(DROP_LAND),         VERDICT_NAME(DROP_SOURCE),
    VERDICT_NAME(DROP_DESTINATION),  VERDICT_NAME(DROP_NO_SYN),
    VERDICT_NAME(DROP_SYN_ACK),      VERDICT_NAME(DROP_SYN_FIN),
    VERDICT_NAME(DROP_DUPSYN_LIMIT), VERDICT_NAME(DROP_CACHE_FULL),
    VERDICT_NAME(DROP_MD5),          VERDICT_NAME(DROP_PAWS),
    VERDICT_NAME(DROP_MISSING_TS),   VERDICT_NAME(DROP_COOKIE_DATA),
    VERDICT_NAME(DROP_RST),          VERDICT_NAME(DROP_RST_NO_ENTRY),
    VERDICT_NAME(DROP_RST_OUTSIDE),  VERDICT_NAME(DROP_CHALLENGE_LIMIT),
    VERDICT_NAME(DROP_ICMP),         VERDICT_NAME(DROP_BLACKHOLE),
    VERDICT_NAME(DROP_KNOWN_FULL),   VERDICT_NAME(DROP_NO_KEY),
    VERDICT_NAME(DROP_KNOWN_LIMIT),  VERDICT_NAME(DROP_RST_LIMIT),
};

_Static_assert(sizeof verdict_names / sizeof *verdict_names ==
                   SYNCACHE_VERDICT_COUNT,
               "the last verdict has a name");

const char *
syncache_verdict_name(enum syncache_verdict verdict)
{
    return (uint32_t)verdict < SYNCACHE_VERDICT_COUNT ? verdict_names[verdict]
                                                      : NULL;
}

/* Writes a number in decimal; returns where it begins in the 21 bytes. */
static const char *
verdict_decimal(uint64_t value, char digits[21])
{
    char *at = digits + 20;

    *at = '\0';
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return at;
}

bool
syncache_report(const struct syncache *cache, uint32_t *at,
                char line[SYNCACHE_LINE_MAX])
{
    const uint64_t *counters;
    char digits[21];

    if (cache == NULL)
        return false;
    counters = syncache_statistics(cache)->verdicts;
    while (*at < SYNCACHE_VERDICT_COUNT && counters[*at] == 0)
        ++*at;
    if (*at >= SYNCACHE_VERDICT_COUNT)
        return false;
    for (const char *name = verdict_names[*at]; *name != '\0'; name++)
        *line++ = *name;
    *line++ = ':';
    *line++ = ' ';
    for (const char *digit = verdict_decimal(counters[*at], digits);
         (*line++ = *digit) != '\0'; digit++)
        ;
    ++*at;
    return true;
}

/* Cookies that nobody has answered yet, by the second: see unanswered.h. */
#include "unanswered.h"

#include <string.h>

/* A handshake lives 31 s at most with default tunables. */
#define UNANSWERED_COUNTED_S 31

_Static_assert(UNANSWERED_COUNTED_S < UNANSWERED_SECONDS,
               "seconds that count do not meet in a bucket");

/* Moves the seconds on; counts older than a handshake can be are dropped. */
static void
unanswered_advance(struct unanswered *unanswered, uint64_t now_ms)
{
    uint64_t now_s = now_ms / 1000;

    if (now_s - unanswered->now_s >= UNANSWERED_SECONDS) {
        memset(unanswered, 0, sizeof *unanswered);
        unanswered->now_s = now_s;
    }
    while (unanswered->now_s < now_s) {
        unanswered->now_s++;
        uint32_t *gone =
            &unanswered->sent[(unanswered->now_s + UNANSWERED_SECONDS -
                               UNANSWERED_COUNTED_S) %
                              UNANSWERED_SECONDS];
        unanswered->count -= *gone;
        *gone = 0;
    }
}

uint32_t
unanswered_count(struct unanswered *unanswered, uint64_t now_ms)
{
    unanswered_advance(unanswered, now_ms);
    return unanswered->count;
}

void
unanswered_sent(struct unanswered *unanswered, uint64_t now_ms)
{
    unanswered_advance(unanswered, now_ms);
    unanswered->sent[unanswered->now_s % UNANSWERED_SECONDS]++;
    unanswered->count++;
}

void
unanswered_redeemed(struct unanswered *unanswered, uint64_t now_ms)
{
    unanswered_advance(unanswered, now_ms);
    for (uint32_t i = 0; unanswered->count > 0 && i < UNANSWERED_SECONDS; i++) {
        uint32_t *sent =
            &unanswered->sent[(unanswered->now_s + UNANSWERED_SECONDS - i) %
                              UNANSWERED_SECONDS];
        if (*sent > 0) {
            --*sent;
            unanswered->count--;
            return;
        }
    }
}

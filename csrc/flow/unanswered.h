/*
 * Cookies sent and not yet redeemed, by the second: half-open connections that nobody stores.  Without them aggressive
 * mode would end whenever cookies take the place of entries.
 */
#ifndef SYNCACHE_FLOW_UNANSWERED_H
#define SYNCACHE_FLOW_UNANSWERED_H

#include <stdint.h>

#define UNANSWERED_SECONDS 32         /* more than a handshake may take */

struct unanswered {
    uint32_t sent[UNANSWERED_SECONDS];
    uint64_t now_s;                   /* of the youngest second */
    uint32_t count;                   /* sum of them */
};

/* How many there are at a time.  Times never go back. */
uint32_t unanswered_count(struct unanswered *unanswered, uint64_t now_ms);
/* One more was sent; one was redeemed: it counts against the youngest, since most handshakes are quick. */
void unanswered_sent(struct unanswered *unanswered, uint64_t now_ms);
void unanswered_redeemed(struct unanswered *unanswered, uint64_t now_ms);

#endif

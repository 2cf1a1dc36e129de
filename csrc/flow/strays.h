/*
 * Segments that belong to no session, and those that their session has no use for: how many of them may pass a second.
 *
 * Strays.  Connections that were there before us have no session and have to go on; a flood of ACKs, FINs or RSTs from
 * nowhere looks the same.  So a number of strays a second passes from each side, and beyond it only those of tuples
 * that the other side has spoken of itself, by anything but a RST: an attacker outside cannot make that happen, and
 * both ends of a living connection do it all the time.
 *
 * Repeats.  Of one tuple a number a second; tuples that share a place share the number.
 *
 * Not here: which segments these are (intercept.c, inspect_tcp.c, track.c).
 */
#ifndef SYNCACHE_FLOW_STRAYS_H
#define SYNCACHE_FLOW_STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRAYS_PLACES_MAX 16384
#define REPEATS_PLACES 4096
#define REPEATS_A_SECOND 100          /* of segments without use */
#define REPEATS_SYN 10                /* a segment that asks for an answer, a SYN or a RST, counts as so many */

struct stray_place {
    uint32_t hash;
    uint32_t second;                  /* when that side last spoke of it, 0: never */
};

struct strays {
    struct stray_place *place[2];     /* for the packets from each side (enum flow_side) */
    uint32_t mask;
    uint32_t passed[2];               /* in this second */
    uint64_t second;
    struct {
        uint16_t second;
        uint16_t count;
    } repeat[REPEATS_PLACES];
};

size_t strays_bytes(uint32_t sessions_max);
void strays_init(struct strays *strays, void *memory, uint32_t sessions_max);

/*
 * A segment of a tuple that has no session.
 *
 *   in       hash    session_hash(), the same for both directions
 *   in       side    FLOW_CLIENT or FLOW_SERVER, where it came
 *   in       speaks  it is no RST, so the other side's segments of this tuple may pass from now on
 *   in       limit   segments a second from each side, 0: all pass
 *   returns  whether it may pass
 */
bool strays_pass(struct strays *strays, uint64_t now_ms, uint32_t hash, uint8_t side, bool speaks, uint32_t limit);

/* A segment without use, or one that would be answered again.  Returns whether it may go on. */
bool strays_repeat(struct strays *strays, uint64_t now_ms, uint32_t hash, uint32_t weight);

#endif

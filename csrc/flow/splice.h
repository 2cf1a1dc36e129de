/*
 * Two handshakes knit into one connection: the fields to rewrite in its packets, and the rewriting.
 *
 * The server was opened with the client's own ISN, so numbers that count the client's bytes are the same on both
 * sides.  With p the ISN that the client was told, s the server's real one and d = p - s:
 *
 *                     server to client                        client to server
 *     SEQ, ACK        SEQ += d                                ACK -= d
 *     SACK blocks     count the client's bytes                -= d
 *     timestamps      TSval += k                              TSecr -= k, not below s's own first TSval
 *     window          shifted, if the client was told         shifted, if the server refused scaling
 *                     another scale than the server's
 *
 * Checksums are changed by the difference (RFC 1624), so that a wrong one stays wrong; a partial one, which covers the
 * pseudo header alone, is left as it is.  But for windows and the floor, a splice of negated constants undoes it.
 *
 * Not here: when a connection is spliced (proxy.c), which packets belong to it.
 *
 * See RFC 9293 3.4, RFC 7323 2.3 and 3.2, RFC 2018 3.
 */
#ifndef SYNCACHE_FLOW_SPLICE_H
#define SYNCACHE_FLOW_SPLICE_H

#include "splice_words.h"
#include "view.h"

struct splice {
    uint32_t delta;                   /* d */
    uint32_t ts_delta;                /* k */
    uint32_t ts_floor;                /* TSval of the server's SYN-ACK */
    uint8_t flags;                    /* SPLICE_* */
    int8_t shift_to_client;           /* of windows: left if positive, right if negative; -14 to 14 */
    int8_t shift_to_server;           /* 0 to 14 */
    uint8_t handed;                   /* enum handed: who carries it (flow_handed.c) */
};

/*
 * Rewrites a TCP segment, and the fields of its view.
 *
 *   returns  whether a byte changed
 *   limit    one walk over at most 40 bytes of options
 */
bool splice_to_client(const struct splice *splice, struct view *view);
bool splice_to_server(struct splice *splice, struct view *view);

/*
 * Rewrites the segment that an ICMP error quotes: towards the server one that it sent (SEQ -= d), towards the client
 * one that it sent itself (ACK += d, if that much is quoted).  The quoted checksum follows where it is there.
 */
bool splice_quote_to_server(const struct splice *splice, struct view *view);
bool splice_quote_to_client(const struct splice *splice, struct view *view);

/* Writes other flags. */
void splice_flags(struct view *view, uint16_t flags);

/* Overwrites the options of a kind by NOPs. */
bool splice_strip(struct view *view, uint8_t kind);

/*
 * RFC 1624 eqn. 3: changes a checksum for 2 or 4 bytes that changed.
 *
 *   in       odd   they lie at an odd distance from where the sum began, so their bytes pair up the other way
 */
void splice_sum16(uint8_t sum[static 2], uint16_t before, uint16_t after, bool odd);
void splice_sum32(uint8_t sum[static 2], uint32_t before, uint32_t after, bool odd);

#endif

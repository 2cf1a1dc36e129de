/*
 * TCP connections of others, as they pass: which segments change a state.  Only validated ones do, so that a blind
 * sender cannot end, complete or hide a handshake:
 *
 *   SYN-ACK   acknowledges the client's SYN
 *   ACK       seq = c + 1 and ack = s + 1, or the numbers that follow data on the SYN and behind the SYN-ACK (RFC 7413)
 *   RST       seq is exactly its receiver's RCV.NXT, as seen passing (RFC 5961 3); answering a SYN: ack = c + 1
 *   FIN       within the window that its receiver announced
 *
 * All else passes and changes nothing.  A segment that changes a state has its checksum verified first.
 *
 * Not here: states, timers, reactions.  See RFC 9293 3.10.7, RFC 5961.
 */
#ifndef SYNCACHE_FLOW_TRACK_H
#define SYNCACHE_FLOW_TRACK_H

#include "session.h"
#include "view.h"

enum track_change {
    TRACK_NONE,
    TRACK_SYN_ACK,                    /* the server has answered, again perhaps */
    TRACK_ESTABLISHED,                /* the client's ACK */
    TRACK_ANEW,                       /* the server answered another SYN: nothing known of either end holds */
    TRACK_RST,
    TRACK_CLOSED                      /* the second of the two FINs */
};

/*
 * The server's SYN-ACK answers a SYN that passed on an established session: it has forgotten that session, and would
 * otherwise have said so by an ACK (RFC 9293 3.5.2).
 *
 *   in       view   a SYN-ACK of the server's
 */
bool track_is_anew(const struct session *session, const struct view *view);

/* A fresh session takes over the two SYNs that track_is_anew() found on `before`. */
void track_renew(struct session *session, const struct session *before, const struct view *view);

/* A SYN on a known tuple: noted, since only the server's word can make it count. */
void track_other_syn(struct session *session, const struct view *view);

/*
 * An ICMP error from beyond the server's side quotes a packet of the client's that the server has not answered: a
 * router or the server itself has.  One that only asks for smaller packets is no answer; of TCP the quoted SEQ has to
 * be the ISN.
 *
 *   in       view   VIEW_QUOTE      from   the end that sent the quoted packet
 */
bool track_is_refused(const struct session *session, const struct view *view, uint32_t from);

/*
 * Have both ends sent their FINs, and one of them not yet heard all of the other's bytes?  Whoever knows the tuple can
 * send a SYN; here it ends nothing, unless the other end answers it.
 */
bool track_is_owed(const struct session *session);

/*
 * When a session of which both FINs, or a RST, were seen may be forgotten: a while after the last packet, and a while
 * that begins once both FINs are acknowledged; before that, one of them may come again after its sender's longest wait.
 */
uint64_t track_closing_ms(const struct session *session, uint64_t now_ms, uint32_t while_ms);

/* A SYN that opens a session, checksum verified: notes its ISN, window and options. */
void track_syn(struct session *session, const struct view *view);

/*
 * The weight of a segment in a flood on one tuple: 0 if it may be of use, as the SYN-ACK of a handshake is, REPEATS_SYN
 * if it is a SYN or a RST that asks for an answer, 1 if it is out of every window.  track_segment() is still to come.
 */
uint32_t track_useless(const struct session *session, const struct view *view, uint32_t from);

/*
 * A segment of a session, from one of its ends.  Counts its payload.
 *
 *   in       view   numbers as the two ends use them (before or after any rewriting, but always the same)
 *   in       from   FLOW_CLIENT or FLOW_SERVER
 *   see      the state decides: ESTABLISHED can only come in SYNRCVD
 */
enum track_change track_segment(struct session *session, const struct view *view, uint32_t from);

#endif

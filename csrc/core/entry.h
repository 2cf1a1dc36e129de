/* Flag bits of a half-open entry (sc_flags), shared by the events and the listing. */
#ifndef SYNCACHE_CORE_ENTRY_H
#define SYNCACHE_CORE_ENTRY_H

#define ENTRY_V6 0x0001
#define ENTRY_WINSCALE 0x0002
#define ENTRY_TIMESTAMP 0x0004
#define ENTRY_SACK 0x0008
#define ENTRY_UNREACH 0x0010       /* an ICMP error came in: DF is off */
#define ENTRY_SIGNATURE 0x0020     /* RFC 2385 */
#define ENTRY_ECN_MASK 0x01c0      /* 0 none, 1 classic, 2-5 accurate: 2 + IP-ECN field of the SYN */
#define ENTRY_ECN_SHIFT 6
#define ENTRY_VALIDATED 0x0200     /* the peer completed the handshake, the stack had no room */
#define ENTRY_OFFERED 0x0400       /* offered to the stack, not yet answered */
#define ENTRY_COOKIE_ISS 0x0800    /* iss is a cookie */

_Static_assert(ENTRY_ECN_MASK >> ENTRY_ECN_SHIFT == 7, "three bits hold 0 to 5");

#endif

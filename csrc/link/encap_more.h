/* Link types whose headers are no mere row of the table in encap.c. */
#ifndef SYNCACHE_LINK_ENCAP_MORE_H
#define SYNCACHE_LINK_ENCAP_MORE_H

#include "encap.h"

#define ENCAP_ETHERNET 0x6558         /* an Ethernet frame: transparent bridging, RFC 1701 */
#define ENCAP_MPLS_TYPE 0x8847
#define ENCAP_NSH 0x894f              /* RFC 8300 */

/* Link types: IEEE 802.11, and that with the two bytes of frame control exchanged, which no file has. */
#define ENCAP_WLAN 105
#define ENCAP_WLAN_EXCHANGED 0x10069

/* As encap_frame(), for a link type that the table does not have. */
struct encap encap_more(uint32_t linktype, const uint8_t *frame, uint32_t size, bool big_endian);

#endif

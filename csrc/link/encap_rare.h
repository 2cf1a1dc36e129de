/* Link types of few captures: Juniper's routers, radio, buses, transport networks, exported packets. */
#ifndef SYNCACHE_LINK_ENCAP_RARE_H
#define SYNCACHE_LINK_ENCAP_RARE_H

#include "encap.h"

/* As encap_frame(), for a link type that neither the table nor encap_more() has. */
struct encap encap_rare(uint32_t linktype, const uint8_t *frame, uint32_t size);

/*
 * Goes past the header and tags that sniffers put in front of a frame (TZSP).
 *
 *   in       data[0 .. size)  untrusted
 *   out      linktype         of the frame: Ethernet or 802.11
 *   returns  where the frame begins, `size` at most; 0: it is none of these
 */
uint32_t encap_tzsp(const uint8_t *data, uint32_t size, uint32_t *linktype);

#endif

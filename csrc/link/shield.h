/*
 * The part of a shield's configuration that the core decides.  Not here: the structure, which the programs share
 * (csrc/bpf/shield_abi.h); keys, times, and the operator's choices.
 */
#ifndef SYNCACHE_LINK_SHIELD_H
#define SYNCACHE_LINK_SHIELD_H

#include "../bpf/shield_abi.h"
#include "../syncache.h"

/* cffi: begin. */

/*
 * Fills tables and MAC words of both families.
 *
 *   in       layout  an enum syncache_layout; not mss, which keeps less than the kernel wants to know
 *   in       config  rcv_wscale is read
 *   out      config  family[]: tail, mss, wscale, mss_none
 */
void shield_shape(struct shield_config *config, uint32_t layout, uint64_t secmod);

/* Where SipHash begins under a key. */
void shield_key(uint64_t state[4], const uint8_t key[16]);

/* cffi: end. */

#endif

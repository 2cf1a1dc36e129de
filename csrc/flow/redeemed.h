/*
 * Handshakes that the machines of a group have completed: what this one did, for the others to hear of, and Bloom
 * filters of what they did, so that an ACK is redeemed once in a group and not once by each machine.
 *
 * A handshake has 32 numbers of 16 bits, SipHash of its ends and both ISNs under the group's key; the first 30 of them,
 * each times the size of a filter, are its bits there.  Without a block (flow_set_redeemed) nothing is asked or noted.
 *
 * Not here: how filters are made and brought over (syncache/fleet/bloom.py).
 */
#ifndef SYNCACHE_FLOW_REDEEMED_H
#define SYNCACHE_FLOW_REDEEMED_H

#include "flow.h"

/* Writes what a handshake is known by: its ends, the client's ISN and ours. */
void redeemed_pack(const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss,
                   uint8_t packed[static FLOW_REDEEMED_PACKED]);

/* Notes a handshake that was completed here; what finds no room is not told to the others. */
void redeemed_note(struct flow_redeemed *redeemed, const struct syncache_tuple *tuple, uint32_t irs, uint32_t iss);

/*
 * Whether another machine has redeemed a handshake; counts it then.
 *
 *   limit    a bit or two of each filter that is kept
 */
bool redeemed_refuses(struct flow_redeemed *redeemed, uint64_t now_ms, const struct syncache_tuple *tuple,
                      uint32_t irs, uint32_t iss);

#endif

/*
 * Connections that the programs of csrc/bpf/offload_*.c carry: put there, looked at, taken back.  It joins the engine's
 * view of them (struct flow_handed_session) and the kernel's maps.
 *
 * Not here: loading and attaching (syncache/links/offload.py), when any of this is done.
 */
#ifndef SYNCACHE_LINK_CARRIED_H
#define SYNCACHE_LINK_CARRIED_H

#include "../flow/flow.h"

/* cffi: begin. */

#define LINK_CARRIED_MAX 512 /* records of one call */

/* Descriptors of the maps; they stay the caller's. */
struct link_carried {
    int32_t map4;
    int32_t map6;
    int32_t events;
    uint32_t reserved;
    uint64_t key[4]; /* that of the programs' configuration */
};

/* A walk through one map; all zero at its beginning. */
struct link_carried_walk {
    uint32_t cursor;
    uint32_t begun; /* 1: the cursor is one */
    uint32_t done;  /* 1: it has come to the end */
    uint32_t reserved;
};

/*
 * Puts connections into the kernel's hands; one that is there already is replaced.
 *
 *   in       count    at most LINK_CARRIED_MAX
 *   out      records  those that found no room come first
 *   returns  how many found none
 */
uint32_t link_carried_put(const struct link_carried *maps, struct flow_handed_session *records, uint32_t count);

/* Takes out the connections that were given back, oldest first.  Returns how many, at most LINK_CARRIED_MAX. */
uint32_t link_carried_events(const struct link_carried *maps, struct flow_handed_session *out, uint32_t out_max);

/*
 * Reads on in the map of a family.
 *
 *   in       family   4 or 6
 *   out      out      of IPv6 a connection is named only (enum flow_known), with the kernel's hash in place of the
 *                     server's address
 *   in       out_max  at most LINK_CARRIED_MAX
 *   returns  how many were read, or -errno
 */
int32_t link_carried_look(const struct link_carried *maps, uint32_t family, struct link_carried_walk *walk,
                          struct flow_handed_session *out, uint32_t out_max);

/*
 * Removes those records of link_carried_look() of which `known` is not FLOW_KNOWN and whose last packet was at least
 * so long ago.  Returns how many.
 */
uint32_t link_carried_drop(const struct link_carried *maps, const struct flow_handed_session *records, uint32_t count,
                           uint32_t age_ms);

/*
 * Brings connections that another process exported up to what the maps have, which it left behind: where an end's
 * packets go on is what the other end had acknowledged.  Those that are not in the maps stay as they are.
 *
 *   returns  how many were in the maps
 */
uint32_t link_carried_catch_up(const struct link_carried *maps, struct flow_splice *splices, uint32_t count);

/* cffi: end. */

#endif

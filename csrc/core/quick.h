/*
 * The short way of a SYN that looks as most do: Linux's options, to an endpoint whose SYN-ACK is known but for the
 * peer.  It ends where the long way ends (wire.c, syncache.c, respond.c), bit for bit; whatever it does not know, it
 * leaves to the long way before anything has happened.
 *
 * A template is the long way's own answer to a model SYN: add_fill() makes its entry, respond_template() its SYN-ACK.
 * It is made when an endpoint's first SYN comes and forgotten with every change that it could depend on.
 */
#ifndef SYNCACHE_CORE_QUICK_H
#define SYNCACHE_CORE_QUICK_H

#include "../simd/simd.h"
#include "endpoint.h"
#include "table.h"

#define QUICK_TEMPLATES 32            /* of 16 endpoints in both families; further ones go the long way */
#define QUICK_PLACES 8                /* local addresses and ports that are remembered with their endpoint */

struct quick_template {
    struct simd_template wire;        /* first: a lane points at it */
    struct table_entry entry;         /* of a SYN without its own part */
    struct endpoint *endpoint;
    bool made;
    bool usable;                      /* false: this endpoint's SYNs go the long way */
};

/* Where a packet goes to, as it lies there. */
struct quick_place {
    uint8_t laddr[16];
    uint8_t lport[2];
    bool v6;
    bool known;
    struct quick_template *template;  /* NULL: the long way */
};

struct quick {
    const struct simd_kernels *kernels;
    struct simd_shape shape[2];       /* IPv4, IPv6 */
    bool open;                        /* cookies can be made, in a layout that the kernels know */
    bool shaped;                      /* what tunables decide of the shapes is there */
    struct quick_place place[QUICK_PLACES];
    struct quick_template template[QUICK_TEMPLATES];
    struct simd_lanes lanes[2];       /* of a burst; IPv4, IPv6 */
};

struct syncache;
struct syncache_result;

void quick_init(struct syncache *cache);
/* Forgets all templates: endpoints or tunables have changed. */
void quick_forget(struct syncache *cache);
/* Takes over the time and the key in force. */
void quick_refresh(struct syncache *cache);

/*
 * Adds a packet to the lanes of its family if it could be a template's: its place, size and flags are.
 *
 *   in       packet[0 .. readable)   what may be read, from the IP header on; size of it is the packet
 *   returns  the lanes, in whose last place it now is, or NULL
 */
struct simd_lanes *quick_take(struct syncache *cache, const uint8_t *packet, size_t size, size_t readable,
                              uint32_t checksum);

/* Must the hashes of tuples be there for quick_syn()? */
bool quick_needs_hash(const struct syncache *cache);

/*
 * Does all that a SYN leads to but for writing its reply.
 *
 *   in       lanes   the lane was matched, its cookie is made, and its hash if quick_needs_hash()
 *   returns  the verdict, counted; EVENT_UNDECIDED if it has to go the long way: nothing has happened
 */
enum syncache_verdict quick_syn(struct syncache *cache, const struct simd_lanes *lanes, uint32_t lane);

/* A single packet, all of it; EVENT_UNDECIDED as above. */
enum syncache_verdict quick_single(struct syncache *cache, const uint8_t *packet, size_t packet_size,
                                   uint32_t checksum, struct syncache_result *result);

/* Puts a tuple into a lane, to be hashed; the hash of one lane. */
void quick_set_tuple(struct simd_lanes *lanes, uint32_t lane, const struct syncache_tuple *tuple);
void quick_hash(const struct syncache *cache, struct simd_lanes *lanes, uint32_t lane);

/* Bytes of a SYN-ACK of these lanes. */
uint32_t quick_reply_size(const struct simd_lanes *lanes);

#endif

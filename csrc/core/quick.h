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

#include <string.h>

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

_Static_assert(QUICK_PLACES == 8, "three bits of quick_place_of()");

void quick_init(struct syncache *cache);
/* Forgets all templates: endpoints or tunables have changed. */
void quick_forget(struct syncache *cache);
/* Takes over the time and the key in force. */
void quick_refresh(struct syncache *cache);

/* The template for packets to there, remembered in `place`; NULL: the long way. */
struct quick_template *quick_template(struct syncache *cache, struct quick_place *place, const uint8_t *laddr,
                                      const uint8_t *lport, bool v6);

/* Where a local address and port would be remembered; both as they lie in the packet. */
static inline struct quick_place *
quick_place_of(struct quick *quick, const uint8_t *laddr, const uint8_t *lport, bool v6)
{
    return &quick->place[(lport[1] ^ laddr[v6 ? 15 : 3]) & (QUICK_PLACES - 1)];
}

static inline bool
quick_remembers(const struct quick_place *place, const uint8_t *laddr, const uint8_t *lport, bool v6)
{
    bool same = v6 ? memcmp(place->laddr, laddr, 16) == 0 : memcmp(place->laddr, laddr, 4) == 0;

    return place->known && place->v6 == v6 && same && memcmp(place->lport, lport, 2) == 0;
}

/*
 * Adds a packet to the lanes of its family if it could be a template's: its place, size and flags are.
 *
 *   in       packet[0 .. readable)   what may be read, from the IP header on; size of it is the packet
 *   returns  the lanes, in whose last place it now is, or NULL
 */
static inline struct simd_lanes *
quick_take(struct syncache *cache, struct quick *quick, const uint8_t *packet, size_t size, size_t readable)
{
    bool v6 = size >= SIMD_V6_SYN && packet[0] >> 4 == 6;
    struct simd_lanes *lanes = &quick->lanes[v6];
    const uint8_t *laddr = packet + (v6 ? 24 : 16);
    const uint8_t *tcp = packet + (v6 ? 40 : 20);
    struct quick_template *template;
    struct quick_place *place;

    if (!quick->open || size < SIMD_V4_SYN || (!v6 && (packet[0] != 0x45 || readable < SIMD_V4_READ)) ||
        tcp[12] != 0xa0 || tcp[13] != 0x02)
        return NULL;
    place = quick_place_of(quick, laddr, tcp + 2, v6);
    template = place->template;
    if (!quick_remembers(place, laddr, tcp + 2, v6))
        template = quick_template(cache, place, laddr, tcp + 2, v6);
    if (template == NULL)
        return NULL;
    lanes->packet[lanes->syns] = packet;
    lanes->template[lanes->syns] = &template->wire;
    lanes->syns++;
    return lanes;
}

/* Must the hashes of tuples be there for quick_syn()? */
bool quick_needs_hash(const struct syncache *cache);

/*
 * Does all that a SYN leads to but for writing its reply.
 *
 *   in       lanes   the lane was matched, its cookie is made, and its hash if quick_needs_hash()
 *   returns  the verdict, counted; EVENT_UNDECIDED if it has to go the long way: nothing has happened
 */
enum syncache_verdict quick_syn(struct syncache *cache, const struct simd_lanes *lanes, uint32_t lane);

/* Does every SYN of a template end in its cookie, with nothing looked up? */
bool quick_stateless(const struct syncache *cache);
/* Counts `count` such SYNs; stamps the gate of an endpoint that such a SYN went to. */
void quick_count(struct syncache *cache, uint32_t count);
void quick_stamp(struct syncache *cache, const struct simd_template *template);

/* A single packet, all of it; EVENT_UNDECIDED as above. */
enum syncache_verdict quick_single(struct syncache *cache, const uint8_t *packet, size_t packet_size,
                                   uint32_t checksum, struct syncache_result *result);

/* The entry of a lane's SYN. */
void quick_entry(const struct syncache *cache, const struct simd_lanes *lanes, uint32_t lane,
                 struct table_entry *entry);

/* Puts a tuple into a lane, to be hashed; the hash of one lane. */
void quick_set_tuple(struct simd_lanes *lanes, uint32_t lane, const struct syncache_tuple *tuple);
void quick_hash(const struct syncache *cache, struct simd_lanes *lanes, uint32_t lane);

/* Bytes of a SYN-ACK of these lanes. */
static inline uint32_t
quick_reply_size(const struct simd_lanes *lanes)
{
    return lanes->v6 ? SIMD_V6_SYN : SIMD_V4_SYN;
}

#endif

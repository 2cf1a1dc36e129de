/*
 * The short way of a SYN that looks as most do: Linux's options, to an endpoint whose SYN-ACK is known but for the
 * peer.  It ends where the long way ends (wire.c, add.c, respond.c), bit for bit; whatever it does not know, it
 * leaves to the long way before anything has happened.
 *
 * A template is the long way's own answer to a model SYN: add_fill() makes its entry, respond_template() its SYN-ACK.
 * It is made when an endpoint's first SYN comes and forgotten with every change that it could depend on.
 *
 * SYNCACHE_SMALL builds an engine without it and without syncache_burst(), of a fifth of the fixed size: engine.h has
 * what is left of these functions.
 */
#ifndef SYNCACHE_CORE_QUICK_H
#define SYNCACHE_CORE_QUICK_H

#include "../simd/simd.h"
#include "bytes.h"
#include "endpoint.h"
#include "table.h"

#ifdef SYNCACHE_SMALL
struct quick {
    bool none;
};
#else

#define QUICK_TEMPLATES 32            /* of 16 endpoints in both families; further ones go the long way */
#define QUICK_PLACES 8                /* local addresses and ports of a family, remembered with their endpoint */
#define QUICK_NOWHERE UINT64_MAX      /* no packet's key */
#define QUICK_FLAGS 0x02a0            /* 10 words of header, SYN and nothing else; little-endian */

struct quick_template {
    struct simd_template wire;        /* first: a lane points at it */
    struct table_entry entry;         /* of a SYN without its own part */
    struct endpoint *endpoint;
    bool made;
    bool usable;                      /* false: this endpoint's SYNs go the long way */
};

/* Where packets go to and whose template they are held against. */
struct quick_place {
    uint64_t key[3];                  /* quick_key_v4(), or address and port; QUICK_NOWHERE in the last one used */
    struct quick_template *template;  /* NULL: the long way */
};

struct quick {
    const struct simd_kernels *kernels;
    struct simd_shape shape[2];       /* IPv4, IPv6 */
    bool open;                        /* cookies can be made, in a layout that the kernels know */
    bool shaped;                      /* the fields of the shapes that tunables decide are there */
    struct quick_place place[2][QUICK_PLACES];
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

/* Finds the template for packets to there, NULL for the long way, and remembers it. */
struct quick_template *quick_remember(struct syncache *cache, struct quick_place *place, const uint8_t *packet,
                                      bool v6);

/* Local address and port of an IPv4 packet with a header of five words. */
static inline uint64_t
quick_key_v4(const uint8_t *packet)
{
    return load64_le(packet + 16) & UINT64_C(0xffff0000ffffffff);
}

static inline struct quick_template *
quick_template_v4(struct syncache *cache, struct quick *quick, const uint8_t *packet)
{
    uint64_t key = quick_key_v4(packet);
    struct quick_place *place = &quick->place[0][(key >> 24 ^ key >> 56) % QUICK_PLACES];

    return place->key[0] == key ? place->template : quick_remember(cache, place, packet, false);
}

static inline struct quick_template *
quick_template_v6(struct syncache *cache, struct quick *quick, const uint8_t *packet)
{
    struct quick_place *place = &quick->place[1][(packet[39] ^ packet[43]) % QUICK_PLACES];

    return place->key[0] == load64_le(packet + 24) && place->key[1] == load64_le(packet + 32) &&
                   place->key[2] == load16_be(packet + 42)
               ? place->template
               : quick_remember(cache, place, packet, true);
}

/*
 * Adds a packet to the lanes of its family if it could be a template's: its place, size and flags are.
 *
 *   in       packet[0 .. readable)   readable bytes, from the IP header on; the first `size` are the packet
 *   returns  the lanes, in whose last place it now is, or NULL
 */
static inline struct simd_lanes *
quick_take(struct syncache *cache, struct quick *quick, const uint8_t *packet, size_t size, size_t readable)
{
    struct simd_lanes *lanes = &quick->lanes[0];
    struct quick_template *template;

    if (size < SIMD_V4_SYN)
        return NULL;
    if (packet[0] == 0x45) {
        if (readable < SIMD_V4_READ || (packet[32] | packet[33] << 8) != QUICK_FLAGS)
            return NULL;
        template = quick_template_v4(cache, quick, packet);
    } else {
        if (size < SIMD_V6_SYN || packet[0] >> 4 != 6 || (packet[52] | packet[53] << 8) != QUICK_FLAGS)
            return NULL;
        lanes = &quick->lanes[1];
        template = quick_template_v6(cache, quick, packet);
    }
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

#endif

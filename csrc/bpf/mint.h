/*
 * Cookies and timestamp offsets over words as they lie in a packet: the message of syncookie.c and of
 * engine_ts_offset(), absorbed without being written down first.
 */
#ifndef SYNCACHE_BPF_MINT_H
#define SYNCACHE_BPF_MINT_H

#include "kernel.h"

#include "../core/siphash.h"
#include "../core/syncookie_pack.h"
#include "raw.h"
#include "shield_abi.h"

#define MINT_NS_A_MS 1000000

/* Addresses and ports of a packet from the peer, raw. */
struct tuple {
    uint64_t address[4]; /* IPv4: both in the first; IPv6: two words each, the peer's first */
    uint32_t ports;      /* the peer's in the low half */
    uint32_t v6;         /* 0 or 1 */
};

/* Which the verifier has to see to be one of two. */
static inline const struct shield_family *
mint_family(const struct shield_config *config, const struct tuple *tuple)
{
    uint32_t v6 = tuple->v6;

    KERNEL_OPAQUE(v6);
    return &config->family[v6 & 1];
}

/* siphash_end(), folded; so the last rotation, by 32, is left out. */
static inline uint32_t
mint_end(struct siphash_state *s)
{
    s->v2 ^= 0xff;
    siphash_round(s);
    siphash_round(s);
    siphash_round(s);
    siphash_round_unturned(s);
    uint64_t hash = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static inline struct siphash_state
mint_begin(const uint64_t state[static 4], const struct tuple *tuple)
{
    struct siphash_state s = {state[0], state[1], state[2], state[3]};

    siphash_absorb(&s, tuple->address[0]);
    if (tuple->v6) {
        siphash_absorb(&s, tuple->address[1]);
        siphash_absorb(&s, tuple->address[2]);
        siphash_absorb(&s, tuple->address[3]);
    }
    return s;
}

static inline uint32_t
mint_mac(const struct shield_key *key, const struct shield_family *family, const struct tuple *tuple, uint32_t irs,
           uint32_t byte)
{
    struct siphash_state s = mint_begin(key->state, tuple);

    siphash_absorb(&s, tuple->ports | (uint64_t)irs << 32);
    siphash_absorb(&s, byte | family->tail[0]);
    siphash_absorb(&s, family->tail[1]);
    return mint_end(&s);
}

/* syncookie_index() of the whole table, in three steps. */
static inline uint32_t
mint_mss_index(const uint16_t table[static SYNCOOKIE_INDICES], uint32_t mss)
{
    uint32_t index = table[4] <= mss ? 4 : 0;

    index += table[index + 2] <= mss ? 2 : 0;
    return index + (table[index + 1] <= mss);
}

static inline uint32_t
mint_byte(const struct shield_family *family, uint32_t mss, uint32_t wscale, bool sack, uint64_t epoch)
{
    uint32_t byte = (uint32_t)epoch & 1;

    if (mss != 0)
        byte |= mint_mss_index(family->mss, mss) << SYNCOOKIE_MSS_SHIFT;
    else
        byte |= (uint32_t)family->mss_none << SYNCOOKIE_MSS_SHIFT;
    if (wscale != SYNCACHE_WSCALE_NONE)
        byte |= ((uint32_t)(family->wscale_index >> 4 * wscale) & SYNCOOKIE_INDEX_MASK) << SYNCOOKIE_WSCALE_SHIFT;
    return byte | (sack ? 2 : 0);
}

/* Our timestamp for a tuple at a time. */
static inline uint32_t
mint_timestamp(const struct shield_config *config, const struct tuple *tuple, uint64_t now_ms)
{
    struct siphash_state s = mint_begin(config->ts_key, tuple);
    uint64_t size = tuple->v6 ? 32 : 8;

    if (config->flags & SHIELD_TS_PORTS)
        siphash_absorb(&s, tuple->ports | (size + 4) << 56);
    else
        siphash_absorb(&s, size << 56);
    return config->ts_base + (uint32_t)now_ms + mint_end(&s);
}

/* The key that mints at a time, and its epoch; NULL: the process that gives keys is late by a period. */
static inline const struct shield_key *
mint_key(const struct shield_config *config, uint64_t now_ns, uint64_t *epoch)
{
    uint64_t age_ns = now_ns - config->start_ns;
    const struct shield_key *key;

    if ((int64_t)age_ns < 0) /* the clock of the tick is behind that of the process */
        age_ns = 0;
    *epoch = config->epoch;
    if (age_ns >= config->lifetime_ns) {
        age_ns -= config->lifetime_ns;
        *epoch += 1;
    }
    key = &config->key[*epoch & (SHIELD_KEYS - 1)];
    return age_ns < config->lifetime_ns && key->epoch == *epoch ? key : NULL;
}

#endif

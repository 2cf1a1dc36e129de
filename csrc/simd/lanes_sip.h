/*
 * SipHash-2-4 over lanes: a part of lanes.h, in terms of its primitives.
 *
 * Not here: what is hashed with which key (lanes.h), the hash of one word after the other (siphash.h).
 */
/* A hash in progress, of two streams. */
struct lanes_sip {
    vec low[4];
    vec high[4];
};

LANES_FN void
lanes_sip_round(vec v[static 4])
{
    v[0] = lane_add64(v[0], v[1]);
    v[2] = lane_add64(v[2], v[3]);
    v[1] = lane_xor(lane_rotate64(v[1], 13), v[0]);
    v[3] = lane_xor(lane_rotate64_16(v[3]), v[2]);
    v[0] = lane_rotate64_32(v[0]);
    v[2] = lane_add64(v[2], v[1]);
    v[0] = lane_add64(v[0], v[3]);
    v[1] = lane_xor(lane_rotate64(v[1], 17), v[2]);
    v[3] = lane_xor(lane_rotate64(v[3], 21), v[0]);
    v[2] = lane_rotate64_32(v[2]);
}

/* A key as its hashes begin, the parts that no word changes: once a burst, not once a vector. */
struct lanes_key {
    uint64_t v0, v1, v1_rotated, v2, v3;
};

LANES_FN struct lanes_key
lanes_key_of(const uint8_t key[static SYNCACHE_KEY_BYTES])
{
    struct siphash_state state = siphash_begin(key);
    uint64_t v0 = state.v0 + state.v1;
    uint64_t v1 = siphash_rotate(state.v1, 13) ^ v0;

    return (struct lanes_key){siphash_rotate(v0, 32), v1, siphash_rotate(v1, 17), state.v2, state.v3};
}

/* The two addresses as words of a hash, for every hash that begins with them. */
struct lanes_addresses {
    vec low[4];                       /* IPv4 has [0] */
    vec high[4];
};

LANES_FN void
lanes_addresses_at(struct lanes_addresses *addresses, const struct simd_lanes *lanes, uint32_t at, bool v6)
{
    for (size_t i = 0; i < (v6 ? 4 : 1); i++) {
        const uint32_t(*from)[SIMD_LANES] = i < 2 ? lanes->faddr : lanes->laddr;
        vec lower = lane_load(v6 ? &from[2 * (i & 1)][at] : &lanes->faddr[0][at]);
        vec upper = lane_load(v6 ? &from[2 * (i & 1) + 1][at] : &lanes->laddr[0][at]);

        addresses->low[i] = lane_unpack_low32(lower, upper);
        addresses->high[i] = lane_unpack_high32(lower, upper);
    }
}

/* Begins a hash with the first word: half of its first round is known. */
LANES_FN void
lanes_sip_begin(struct lanes_sip *s, const struct lanes_key *key, vec low, vec high)
{
    vec word[2] = {low, high};
    vec *half[2] = {s->low, s->high};

    for (int i = 0; i < 2; i++) {
        vec *v = half[i];

        v[3] = lane_xor(word[i], lane_all64(key->v3));
        v[2] = lane_add64(v[3], lane_all64(key->v2));
        v[3] = lane_xor(lane_rotate64_16(v[3]), v[2]);
        v[2] = lane_add64(v[2], lane_all64(key->v1));
        v[0] = lane_add64(v[3], lane_all64(key->v0));
        v[1] = lane_xor(v[2], lane_all64(key->v1_rotated));
        v[3] = lane_xor(lane_rotate64(v[3], 21), v[0]);
        v[2] = lane_rotate64_32(v[2]);
        lanes_sip_round(v);
        v[0] = lane_xor(v[0], word[i]);
    }
}

LANES_FN void
lanes_sip_word(struct lanes_sip *s, vec low, vec high)
{
    s->low[3] = lane_xor(s->low[3], low);
    s->high[3] = lane_xor(s->high[3], high);
    for (int i = 0; i < 2; i++) {
        lanes_sip_round(s->low);
        lanes_sip_round(s->high);
    }
    s->low[0] = lane_xor(s->low[0], low);
    s->high[0] = lane_xor(s->high[0], high);
}

/* Absorbs a word whose lower and upper half are these fields. */
LANES_FN void
lanes_sip_absorb(struct lanes_sip *s, vec lower, vec upper)
{
    lanes_sip_word(s, lane_unpack_low32(lower, upper), lane_unpack_high32(lower, upper));
}

/* Leaves the hashes in low[0] and high[0]. */
LANES_FN void
lanes_sip_end(struct lanes_sip *s)
{
    s->low[2] = lane_xor(s->low[2], lane_all64(0xff));
    s->high[2] = lane_xor(s->high[2], lane_all64(0xff));
    for (int i = 0; i < 4; i++) {
        lanes_sip_round(s->low);
        lanes_sip_round(s->high);
    }
    s->low[0] = lane_xor(lane_xor(s->low[0], s->low[1]), lane_xor(s->low[2], s->low[3]));
    s->high[0] = lane_xor(lane_xor(s->high[0], s->high[1]), lane_xor(s->high[2], s->high[3]));
}

/* v1 ^ v3 after the last round, without the word that its second half XORs into both. */
LANES_FN vec
lanes_sip_last(vec v[static 4])
{
    vec v0 = lane_add64(v[0], v[1]);
    vec v2 = lane_add64(v[2], v[3]);
    vec v1 = lane_xor(lane_rotate64(v[1], 13), v0);
    vec v3 = lane_xor(lane_rotate64_16(v[3]), v2);

    return lane_xor(lane_rotate64(v1, 17), lane_rotate64(v3, 21));
}

/*
 * The hashes, their halves XORed to one field.  The hash is v0 ^ v1 ^ v2 ^ v3, where the last round has made v1 of
 * v1 <<< 17 and v2, v3 of v3 <<< 21 and v0, and v2 of v2 <<< 32: v0 cancels, and v2 with its own halves exchanged has
 * two equal halves.  So neither need be known.
 */
LANES_FN vec
lanes_sip_xor_halves(struct lanes_sip *s)
{
    s->low[2] = lane_xor(s->low[2], lane_all64(0xff));
    s->high[2] = lane_xor(s->high[2], lane_all64(0xff));
    for (int i = 0; i < 3; i++) {
        lanes_sip_round(s->low);
        lanes_sip_round(s->high);
    }
    vec low = lanes_sip_last(s->low);
    vec high = lanes_sip_last(s->high);
    return lane_xor(lane_even32(low, high), lane_odd32(low, high));
}

/* Begins a hash with the two addresses. */
LANES_FN void
lanes_sip_addresses(struct lanes_sip *s, const struct lanes_key *key, const struct lanes_addresses *addresses, bool v6)
{
    lanes_sip_begin(s, key, addresses->low[0], addresses->high[0]);
    for (size_t i = 1; i < (v6 ? 4 : 1); i++)
        lanes_sip_word(s, addresses->low[i], addresses->high[i]);
}

/* Begins the hash of a tuple, whose ports may be left out as 0. */
LANES_FN void
lanes_sip_tuple(struct lanes_sip *s, const struct lanes_key *key, const struct lanes_addresses *addresses, bool v6,
                const uint32_t *ports)
{
    uint32_t size = (v6 ? 32u : 8u) + (ports != NULL ? 4u : 0u);

    lanes_sip_addresses(s, key, addresses, v6);
    lanes_sip_absorb(s, ports != NULL ? lane_load(ports) : lane_all32(0), lane_all32(size << 24));
}

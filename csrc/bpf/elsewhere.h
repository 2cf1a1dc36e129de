/*
 * Handshakes that the machines of a group have completed, as csrc/flow/redeemed.h has it for a middlebox: Bloom filters
 * of what others did are looked at, and what was done here is kept for them to hear of.
 *
 * The 32 numbers of a handshake lie in scratch memory, whose contents the verifier does not follow.
 */
#ifndef SYNCACHE_BPF_ELSEWHERE_H
#define SYNCACHE_BPF_ELSEWHERE_H

#include "mint.h"
#include "maps.h"
#include "sums.h"

#define ELSEWHERE_PACKED 45 /* bytes that a handshake is known by; the number of a block comes after them */
#define ELSEWHERE_BLOCK 4 /* numbers of a hash */

/* Six words: family, both addresses in 16 bytes each, ports, both ISNs in network order. */
static inline void
elsewhere_numbers(struct scratch *scratch, const struct shield_shared *shared, const struct tuple *tuple,
                  uint32_t irs, uint32_t iss)
{
    uint64_t peer[2] = {tuple->address[0], tuple->address[1]};
    uint64_t ours[2] = {tuple->address[2], tuple->address[3]};
    struct siphash_state s = {shared->key[0], shared->key[1], shared->key[2], shared->key[3]};
    uint64_t tail = swap32(irs) >> 24 | (uint64_t)swap32(iss) << 8 | (uint64_t)(ELSEWHERE_PACKED + 1) << 56;

    if (!tuple->v6) {
        peer[0] = (uint32_t)tuple->address[0];
        ours[0] = tuple->address[0] >> 32;
        peer[1] = ours[1] = 0;
    }
    siphash_absorb(&s, (tuple->v6 ? 6 : 4) | peer[0] << 8);
    siphash_absorb(&s, peer[0] >> 56 | peer[1] << 8);
    siphash_absorb(&s, peer[1] >> 56 | ours[0] << 8);
    siphash_absorb(&s, ours[0] >> 56 | ours[1] << 8);
    siphash_absorb(&s, ours[1] >> 56 | (uint64_t)tuple->ports << 8 | (uint64_t)swap32(irs) << 40);
#pragma clang loop unroll(disable)
    for (uint32_t i = 0; i < SHIELD_NUMBERS; i += ELSEWHERE_BLOCK) {
        struct siphash_state last = s;
        siphash_absorb(&last, tail | (uint64_t)i << 40);
        uint64_t word = siphash_end(&last);
        for (uint32_t part = 0; part < ELSEWHERE_BLOCK; part++)
            scratch->numbers[i + part] = (uint16_t)(word >> 16 * part);
    }
}

static inline bool
elsewhere_is_in(const struct shield_filter *filter, const volatile struct scratch *scratch)
{
    uint32_t bits = filter->size * 8;

#pragma clang loop unroll(disable)
    for (uint32_t i = 0; i < SHIELD_NUMBERS_USED; i++) {
        uint32_t place = scratch->numbers[i] * bits >> 16;
        if (!(filter->bits[place >> 3 & (SHIELD_FILTER_BYTES - 1)] >> (place & 7) & 1))
            return false;
    }
    return true;
}

/* Has another machine redeemed this handshake?  A bit or two of each filter that is kept. */
static inline bool
elsewhere_knows(struct scratch *scratch, const struct tuple *tuple, uint32_t irs, uint32_t iss, uint64_t now_ns)
{
    const struct shield_shared *shared = map_first(&shared_map);
    struct bpf_iter_num loop;
    bool known = false;

    if (shared == NULL || shared->count == 0)
        return false;
    elsewhere_numbers(scratch, shared, tuple, irs, iss);
    bpf_iter_num_new(&loop, 0, (int)shared->count);
    for (int *n; (n = bpf_iter_num_next(&loop)) != NULL;) {
        uint32_t number = shared->first + (uint32_t)*n;
        const struct shield_filter *filter = map_lookup(&filters, &number);
        if (filter != NULL && now_ns < filter->end_ns && elsewhere_is_in(filter, scratch)) {
            known = true;
            break;
        }
    }
    bpf_iter_num_destroy(&loop);
    return known;
}

#endif

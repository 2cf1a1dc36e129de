/*
 * What a connection of IPv6 is called in the kernel's map: 16 bytes, since with its 36 the kernel's element would be
 * half as large again.  SipHash of the addresses with a key that nobody knows, so that nobody finds two of one name;
 * ports and the end of the client's address as they are.
 */
#ifndef SYNCACHE_BPF_OFFLOAD_NAME_H
#define SYNCACHE_BPF_OFFLOAD_NAME_H

#include "../core/siphash.h"
#include "offload_abi.h"

static inline void
offload_name(const uint64_t state[static 4], const struct offload_key6 *key, struct offload_name6 *name)
{
    struct siphash_state s = {state[0], state[1], state[2], state[3]};

    for (int i = 0; i < 8; i += 2)
        siphash_absorb(&s, key->address[i] | (uint64_t)key->address[i + 1] << 32);
    siphash_absorb(&s, UINT64_C(32) << 56);
    name->hash = siphash_end(&s);
    name->client = key->address[3];
    name->port[0] = key->port[0];
    name->port[1] = key->port[1];
}

#endif

/*
 * Who sends SYNs: a sample of those that are answered, for the process to read, and networks whose SYNs are dropped.
 * Addresses of IPv4 are those of IPv6 that stand for them.
 */
#ifndef SYNCACHE_BPF_SAMPLES_H
#define SYNCACHE_BPF_SAMPLES_H

#include "maps.h"

#define SAMPLES_MAPPED 0xffff0000 /* raw: ::ffff:0:0/96 */

static inline void
samples_address(uint32_t *to, const uint32_t *from, uint32_t size)
{
    to[0] = size == 4 ? 0 : from[0];
    to[1] = size == 4 ? 0 : from[1];
    to[2] = size == 4 ? SAMPLES_MAPPED : from[2];
    to[3] = size == 4 ? from[0] : from[3];
}

/* The key lies in the map's own memory, so that the stack is the same whether it is asked for or not. */
static inline bool
samples_blocked(const struct shield_config *config, const uint32_t *from, uint32_t size)
{
    struct shield_samples *samples;

    if ((config->flags & SHIELD_BLOCKED) == 0)
        return false;
    samples = map_first(&samples_map);
    if (samples == NULL)
        return false;
    samples->asked.bits = 128;
    samples_address(samples->asked.address, from, size);
    return map_lookup(&blocked, &samples->asked) != NULL;
}

/* Notes one answered SYN of 64, by bits that its sender cannot know. */
static inline void
samples_add(uint32_t mac, const uint32_t *from, const uint32_t *to, uint32_t size, uint32_t ports)
{
    struct shield_samples *samples;
    struct shield_sample *sample;

    if ((mac >> 8 & (SHIELD_SAMPLED - 1)) != 0)
        return;
    samples = map_first(&samples_map);
    if (samples == NULL)
        return;
    sample = &samples->sample[samples->count & (SHIELD_SAMPLES - 1)];
    samples_address(sample->source, from, size);
    samples_address(sample->target, to, size);
    sample->port = (uint16_t)(ports >> 16);
    samples->count++;
}

#endif

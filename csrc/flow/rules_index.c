/*
 * Lines are linked in from the last one to the first, so that every chain
 * ascends and a walk ends at its first match.
 */
#include "rules_index.h"

#include "../core/bytes.h"
#include "rules_line.h"

#include <assert.h>
#include <string.h>

/* A power of two. */
static uint32_t
index_buckets(uint32_t lines)
{
    uint32_t buckets = 1;

    while (buckets < lines)
        buckets *= 2;
    return buckets;
}

size_t
rules_index_bytes(uint32_t max)
{
    return ((size_t)index_buckets(max) + max) * sizeof(uint32_t);
}

void
rules_index_init(struct rules_index *index, void *memory, uint32_t max,
                 bool ports)
{
    assert(memory != NULL);
    memset(index, 0, sizeof *index);
    index->bucket = memory;
    index->next = index->bucket + index_buckets(max);
    index->ports = ports;
}

static uint64_t
index_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* The bucket of the bits that a group compares. */
static uint32_t *
index_bucket(const struct rules_index *index, const struct rules_group *group,
             const uint8_t *source, const uint8_t *destination, uint16_t port)
{
    uint64_t hash = group->port ? port : 0;

    for (size_t i = 0; i < rules_line_size(group->family); i += 4) {
        hash = index_mix(hash,
                         load32_be(&source[i]) & ~load32_be(&group->source[i]));
        hash = index_mix(hash, load32_be(&destination[i]) &
                                   ~load32_be(&group->destination[i]));
    }
    return &index->bucket[hash & index->mask];
}

static bool
index_is_of(const struct rules_group *group, const struct rules_group *other)
{
    size_t size = rules_line_size(group->family);

    return group->family == other->family &&
           group->protocol == other->protocol && group->port == other->port &&
           memcmp(group->source, other->source, size) == 0 &&
           memcmp(group->destination, other->destination, size) == 0;
}

/* The group of a line, made if there is none; NULL: there is no room. */
static struct rules_group *
index_group(struct rules_index *index, const struct flow_rule *rule,
            struct rules_group *last)
{
    struct rules_group made = {
        .family = rule->family,
        .protocol = rule->protocol,
        .port = index->ports && rule->destination_op == FLOW_PORT_EQ,
    };

    memcpy(made.source, rule->source_wildcard, sizeof made.source);
    memcpy(made.destination, rule->destination_wildcard,
           sizeof made.destination);
    if (last != NULL && index_is_of(last, &made))
        return last;
    for (uint32_t i = 0; i < index->groups; i++)
        if (index_is_of(&index->group[i], &made))
            return &index->group[i];
    if (index->groups == RULES_GROUPS_MAX)
        return NULL;
    index->group[index->groups] = made;
    return &index->group[index->groups++];
}

/* Those of the first lines come first: one may end the search. */
static void
index_sort(struct rules_index *index)
{
    for (uint32_t i = 1; i < index->groups; i++) {
        struct rules_group group = index->group[i];
        uint32_t place = i;

        for (; place > 0 && index->group[place - 1].first > group.first;
             place--)
            index->group[place] = index->group[place - 1];
        index->group[place] = group;
    }
}

void
rules_index_set(struct rules_index *index, const struct flow_rule *rule,
                uint32_t count)
{
    struct rules_group *group = NULL;
    uint32_t buckets = index_buckets(count);

    index->mask = buckets - 1;
    index->groups = 0;
    index->rest = RULES_NONE;
    memset(index->bucket, 0xff, buckets * sizeof *index->bucket);
    for (uint32_t line = count; line-- > 0;) {
        const struct flow_rule *one = &rule[line];
        uint32_t *chain = &index->rest;

        if (!index->ports && !rules_line_decides(one))
            continue;
        group = index_group(index, one, group);
        if (group != NULL) {
            group->first = line;
            chain = index_bucket(index, group, one->source, one->destination,
                                 one->destination_lo);
        }
        index->next[line] = *chain;
        *chain = line;
    }
    index_sort(index);
}

/* The first line of a chain that matches, if it is before `best`; else `best`. */
static uint32_t
index_walk(const struct rules_index *index, const struct flow_rule *rule,
           uint32_t line, const struct syncache_tuple *tuple, uint8_t protocol,
           uint32_t best)
{
    for (; line < best; line = index->next[line])
        if (rules_line_matches(&rule[line], tuple, protocol) &&
            (!index->ports || rules_line_ports(&rule[line], tuple)))
            return line;
    return best;
}

uint32_t
rules_index_first(const struct rules_index *index, const struct flow_rule *rule,
                  const struct syncache_tuple *tuple, uint8_t protocol)
{
    uint32_t best = RULES_NONE;

    for (uint32_t i = 0; i < index->groups; i++) {
        const struct rules_group *group = &index->group[i];

        if (group->first >= best)
            break;
        if ((group->family != 0 && group->family != tuple->family) ||
            (group->protocol != 0 && group->protocol != protocol))
            continue;
        uint32_t line = *index_bucket(index, group, tuple->faddr, tuple->laddr,
                                      tuple->lport);
        best = index_walk(index, rule, line, tuple, protocol, best);
    }
    return index_walk(index, rule, index->rest, tuple, protocol, best);
}

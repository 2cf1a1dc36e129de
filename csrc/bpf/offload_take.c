/*
 * The filter of the process's own packet sockets: takes what is not carried by offload_splice.c, which comes next.
 *
 * SYN, FIN and RST are the process's to judge.  The first of them gives the connection back: the process is told what
 * there is to know of it before it sees the packet, and everything behind goes to it too.  If it cannot be told, the
 * packet is lost, as in a full ring; it comes again.
 */
#include "offload_maps.h"

#define TAKE UINT32_MAX
#define LEAVE 0

/* Gives a connection back; false if there is no room to say so. */
static inline bool
give_back(const struct segment *segment, bool from_client,
          struct offload_entry *entry)
{
    struct offload_event event;

    __builtin_memset(&event, 0, sizeof event);
    entry->last = offload_now();
    event.entry = *entry;
    if (segment->v6) {
        event.family = 6;
        segment_key6(segment, from_client, &event.key);
    } else {
        struct offload_key4 key;

        event.family = 4;
        segment_key4(segment, from_client, &key);
        event.key.address[0] = key.address[0];
        event.key.address[4] = key.address[1];
        event.key.port[0] = key.port[0];
        event.key.port[1] = key.port[1];
    }
    if (map_push(&events, &event, 0) != 0)
        return false;
    entry->state = OFFLOAD_TAKEN;
    return true;
}

/* Looks for a segment's connection; a number of bytes to take. */
static inline uint32_t
judge(const struct offload_config *config, const struct segment *segment,
      bool from_client, struct offload_processor *processor)
{
    struct offload_entry *entry = segment_entry(config, segment, from_client);

    if (entry == NULL || entry->state != OFFLOAD_ON)
        return TAKE;
    if (segment_flags(segment_tcp(segment)) &
        (WIRE_SYN | WIRE_FIN | WIRE_RST)) {
        if (give_back(segment, from_client, entry)) {
            processor->back++;
            return TAKE;
        }
        processor->lost++;
        return LEAVE; /* and tc passes it to the one that drops */
    }
    processor->taken = 0;
    return LEAVE;
}

SECTION("socket")
int
offload_take(struct __sk_buff *skb)
{
    struct offload_processor *processor = map_first(&processor_map);
    const struct offload_config *config = map_first(&config_map);
    struct segment segment;
    bool from_client;

    if (processor == NULL || config == NULL)
        return (int)TAKE;
    processor->taken = 1;
    if (config->off || !offload_side(config, skb->ifindex, &from_client) ||
        !segment_read(skb, skb->protocol, &segment))
        return (int)TAKE;
    if (from_client)
        return (int)judge(config, &segment, true, processor);
    return (int)judge(config, &segment, false, processor);
}

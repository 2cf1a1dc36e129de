/*
 * XDP, second piece: any SYN that shield_syn.c did not know by its layout:
 * other options, IPv6, up to two VLAN tags.
 */
#include "kernel.h"
#include "maps.h"
#include "raw.h"

#define FRAME_PASS XDP_PASS
#define FRAME_DROP XDP_DROP
#define FRAME_SENT XDP_TX
#define FRAME_NO_ROOM XDP_PASS     /* some drivers have none behind a frame */
#define FRAME_FINISHED_LATER false /* what is transmitted in place is sent so */

typedef struct xdp_md frame_context;

#define frame_load xdp_load
#define frame_store xdp_store
#define frame_length xdp_size

static inline int64_t
frame_resize(struct xdp_md *frame, uint32_t size, uint32_t wanted)
{
    return xdp_resize(frame, (int32_t)(wanted - size));
}

static inline int
frame_send(struct xdp_md *frame)
{
    (void)frame;
    return XDP_TX;
}

static inline uint32_t
raw_type(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline bool
is_tag(uint32_t type)
{
    return type == 0x0081 || type == 0xa888 || type == 0x0091;
}

/* Reads Ethernet and tags; returns the type behind them, raw. */
static inline uint32_t
frame_link(struct xdp_md *frame, struct scratch *scratch, uint32_t *layer3)
{
    uint32_t type;

    *layer3 = 14;
    if (xdp_load(frame, 0, scratch->link, 14 + 2 * TAG_SIZE) < 0)
        return 0;
    type = raw_type(scratch->link + 12);
    if (is_tag(type)) {
        *layer3 += TAG_SIZE;
        type = raw_type(scratch->link + 16);
    }
    if (*layer3 > 14 && is_tag(type)) {
        *layer3 += TAG_SIZE;
        type = raw_type(scratch->link + 20);
    }
    return type;
}

#include "any.h"

/* Nobody asks: what is transmitted in place is sent finished. */
static inline bool
frame_is_unfinished(struct xdp_md *frame, struct packet *packet)
{
    (void)frame;
    (void)packet;
    return false;
}

SECTION("xdp")
int
shield_any(struct xdp_md *frame)
{
    return answer_any(frame);
}

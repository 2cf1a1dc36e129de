/*
 * tc ingress, in the place of XDP: answers a SYN where XDP cannot send from the
 * driver (veth), and where its generic mode would copy every packet.  Slower
 * for a SYN, since the kernel has made a packet of it; all other packets cost
 * a look at their flags.
 *
 * A VLAN tag is not in the packet here but beside it, where it stays.
 */
#include "kernel.h"
#include "maps.h"
#include "raw.h"

#define FRAME_PASS (-1) /* TCX_NEXT */
#define FRAME_DROP 2
#define FRAME_SENT 7              /* TCX_REDIRECT */
#define FRAME_NO_ROOM FRAME_DROP  /* no memory */
#define FRAME_FINISHED_LATER true /* the device's work goes with the packet */

typedef struct __sk_buff frame_context;

static int64_t (*const skb_store)(void *skb, uint32_t offset, const void *from,
                                  uint32_t size, uint64_t flags) = (void *)
    BPF_FUNC_skb_store_bytes;
static int64_t (*const skb_resize)(void *skb, uint32_t size, uint64_t flags) =
    (void *)BPF_FUNC_skb_change_tail;
static int64_t (*const redirect)(uint32_t ifindex,
                                 uint64_t flags) = (void *)BPF_FUNC_redirect;

#define frame_load skb_load

static inline int64_t
frame_store(struct __sk_buff *skb, uint32_t offset, const void *from,
            uint32_t size)
{
    return skb_store(skb, offset, from, size, 0);
}

static inline uint32_t
frame_length(struct __sk_buff *skb)
{
    return skb->len;
}

static inline int64_t
frame_resize(struct __sk_buff *skb, uint32_t size, uint32_t wanted)
{
    return size == wanted ? 0 : skb_resize(skb, wanted, 0);
}

static inline int
frame_send(struct __sk_buff *skb)
{
    return (int)redirect(skb->ifindex, 0);
}

static inline uint32_t
frame_link(struct __sk_buff *skb, struct scratch *scratch, uint32_t *layer3)
{
    *layer3 = 14;
    if (skb_load(skb, 0, scratch->link, 14) < 0)
        return 0;
    return skb->protocol;
}

#include "any.h"

#define CHECKSUM_AT 16 /* in a TCP header */

/*
 * Will the device, or who receives without one, finish the checksum?  No field
 * that a program may read says so; but the kernel lets nobody cut a packet off
 * before a checksum that is to be finished.  Where it may be cut it is, which
 * matters no more: the answer is written over what is left.
 */
static inline bool
frame_is_unfinished(struct __sk_buff *skb, struct packet *packet)
{
    uint32_t size = packet->layer4 + CHECKSUM_AT;

    if (skb_resize(skb, size, 0) < 0)
        return true;
    packet->size = size;
    return false;
}

/* Most packets are of connections, and their flags lie where one looks. */
static inline bool
may_be_syn(const struct __sk_buff *skb)
{
    const uint8_t *data = (void *)(uintptr_t)skb->data;
    const uint8_t *end = (void *)(uintptr_t)skb->data_end;

    if (skb->protocol == TYPE_IPV4)
        return data + 54 > end || data[14] != 0x45 ||
               (data[47] & FLAGS_OF_A_SYN) == FLAGS_SYN;
    if (skb->protocol == TYPE_IPV6)
        return data + 74 > end || (data[67] & FLAGS_OF_A_SYN) == FLAGS_SYN;
    return false;
}

SECTION("tc")
int
shield_skb(struct __sk_buff *skb)
{
    return may_be_syn(skb) ? answer_any(skb) : FRAME_PASS;
}

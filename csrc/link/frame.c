/*
 * Ethernet headers: where the IP packet begins, and the way back.
 *
 * Frames come from the wire, so nothing here trusts a byte of them.  A reply
 * goes back through the same VLANs, because its header is a copy of its
 * request's with the two addresses exchanged.
 *
 * See IEEE 802.3 3.1, 802.1Q 9.
 */
#include "frame.h"

#include "encap.h"

#include <assert.h>
#include <string.h>

uint32_t
frame_ip_offset(const uint8_t *frame, size_t frame_size)
{
    size_t end = FRAME_HEADER_MIN;
    for (uint32_t tags = 0; end <= frame_size; tags++) {
        uint32_t type = (uint32_t)frame[end - 2] << 8 | frame[end - 1];
        if (type == ENCAP_IPV4 || type == ENCAP_IPV6)
            return (uint32_t)end;
        if (!encap_is_tag(type) || tags == FRAME_TAGS_MAX)
            return 0;
        end += FRAME_TAG;
    }
    return 0;
}

bool
frame_describe(const uint8_t *frame, size_t frame_size, bool any,
               struct syncache_slot *slot)
{
    assert(frame_size <= UINT16_MAX + (size_t)FRAME_HEADER_MIN +
                             (size_t)FRAME_TAGS_MAX * FRAME_TAG);
    uint32_t offset = frame_ip_offset(frame, frame_size);
    if (offset == 0) {
        if (!any || frame_size < FRAME_HEADER_MIN || frame_size > UINT16_MAX)
            return false;
        offset = (uint32_t)frame_size;
    }
    slot->link_size = (uint16_t)offset;
    slot->size = (uint32_t)(frame_size - offset);
    return true;
}

void
frame_turn_round(uint8_t *frame)
{
    uint8_t mac[FRAME_MAC];
    memcpy(mac, frame, FRAME_MAC);
    memcpy(frame, frame + FRAME_MAC, FRAME_MAC);
    memcpy(frame + FRAME_MAC, mac, FRAME_MAC);
}

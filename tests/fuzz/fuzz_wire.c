/*
 * No packet makes the parser read outside it, and what the parser accepts as a
 * segment can be built again and parses to the same values.
 *
 * The first input byte says the checksum state, and in its highest bit whether
 * to put the IPv4 header's checksum right; both get the fuzzer past the sums.
 * The rest is the packet.  smoke.sh builds and runs it; corpus/fuzz_wire is
 * what -merge=1 -use_counters=0 left of a few minutes from hand-made packets.
 */
#include "../../csrc/core/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): this must also hold with NDEBUG. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

static void
require_bounds(const struct wire_segment *segment, const uint8_t *packet,
               size_t size)
{
    const uint8_t *options = segment->tcp + WIRE_TCP_HEADER_BYTES;
    const uint8_t *payload = segment->tcp + segment->header_size;
    require(segment->tcp >= packet && payload >= options);
    require(segment->payload_size <= (size_t)(packet + size - payload));
    require(segment->wscale <= SYNCACHE_WSCALE_MAX);
    if ((segment->has & WIRE_HAS_MD5) != 0)
        require(segment->md5 >= options &&
                segment->md5 + WIRE_MD5_BYTES <= payload);
    if ((segment->has & WIRE_HAS_FASTOPEN) != 0)
        require(segment->fastopen >= options &&
                segment->fastopen + segment->fastopen_size <= payload);
}

static void
require_round_trip(const uint8_t *packet, size_t size, uint32_t checksum)
{
    static uint8_t built[65600];
    struct syncache_fields fields;
    struct syncache_fields again;
    require(syncache_parse(packet, size, checksum, &fields) ==
            SYNCACHE_PASS_KNOWN);
    size_t built_size = syncache_build(
        &fields, packet + fields.options_offset, packet + fields.payload_offset,
        SYNCACHE_CHECKSUM_VERIFY, built, sizeof built);
    require(built_size > 0 && built_size <= size);
    require(syncache_parse(built, built_size, SYNCACHE_CHECKSUM_VERIFY,
                           &again) == SYNCACHE_PASS_KNOWN);
    /* IP options and extension headers are not built: offsets may shrink. */
    fields.options_offset = again.options_offset;
    fields.payload_offset = again.payload_offset;
    require(memcmp(&fields, &again, sizeof fields) == 0);
}

/* An exact-size copy, so that ASan sees the first byte beyond. */
static uint8_t *
take_packet(const uint8_t *data, size_t size, bool sealed)
{
    uint8_t *packet = malloc(size > 0 ? size : 1);
    require(packet != NULL);
    if (size > 0)
        memcpy(packet, data, size);
    size_t header_size = size > 0 ? (packet[0] & 15u) * 4u : 0;
    if (sealed && header_size >= WIRE_IPV4_HEADER_BYTES &&
        header_size <= size && packet[0] >> 4 == 4) {
        memset(packet + 10, 0, 2);
        uint32_t sum = ~wire_sum(0, packet, header_size);
        packet[10] = (uint8_t)(sum >> 8);
        packet[11] = (uint8_t)sum;
    }
    return packet;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_segment segment;
    struct wire_quote quote;
    enum syncache_verdict why;
    if (size == 0)
        return 0;
    uint32_t checksum = (data[0] & 0x7fu) % 3;
    uint8_t *packet = take_packet(data + 1, --size, (data[0] & 0x80) != 0);
    switch (wire_parse(packet, size, checksum, &segment, &quote, &why)) {
    case WIRE_TCP:
        require_bounds(&segment, packet, size);
        require_round_trip(packet, size, checksum);
        wire_md5_verify(&segment, data, 1);
        wire_address_fault(&segment.tuple);
        break;
    case WIRE_QUOTE:
        wire_address_fault(&quote.tuple);
        break;
    case WIRE_OTHER:
        break;
    default:
        require(why >= SYNCACHE_DROP_TRUNCATED &&
                why <= SYNCACHE_DROP_CHECKSUM);
    }
    free(packet);
    return 0;
}

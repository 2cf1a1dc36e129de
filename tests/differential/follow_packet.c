/*
 * Packets of a small crowd of peers: mostly what a handshake needs, often a
 * little wrong, now and then spoiled.
 */
#include "follow.h"

#include <string.h>

static const uint8_t md5_key[] = "a key of two peers";

void
follow_local(uint32_t index, uint8_t family, uint8_t laddr[16])
{
    static const uint8_t v4[4] = {198, 51, 100, 1};
    static const uint8_t v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
    memset(laddr, 0, 16);
    memcpy(laddr, family == 4 ? v4 : v6, family == 4 ? 4 : 16);
    laddr[family == 4 ? 3 : 15] = (uint8_t)(1 + index % 3);
}

/* The tuple of a member of the crowd, foreign side first. */
struct syncache_tuple
follow_tuple(struct world *world, uint32_t index)
{
    struct syncache_tuple tuple = {.family = index % 3 == 2 ? 6 : 4};
    uint8_t last = (uint8_t)(1 + index % 5);
    (void)world;
    if (tuple.family == 4) {
        twin_put(tuple.faddr, 4, 0xc0000200u + last);
    } else {
        twin_put(tuple.faddr, 4, 0x20010db8);
        tuple.faddr[15] = (uint8_t)(100 + last);
    }
    follow_local(index % 4 == 3     ? 1
                 : index % 29 == 28 ? 2
                                    : 0,
                 tuple.family, tuple.laddr);
    tuple.fport = (uint16_t)(1000 + index);
    tuple.lport = index % 7 == 6 ? 81 : index % 31 == 30 ? 443 : 80;
    return tuple;
}

/* A segment from the tuple's foreign side to us. */
static struct twin_segment
from_peer(struct world *world, const struct syncache_tuple *tuple)
{
    struct twin_segment segment = {.ttl = 55, .window = 29200};
    segment.tuple = *tuple;
    memcpy(segment.tuple.faddr, tuple->laddr, 16);
    memcpy(segment.tuple.laddr, tuple->faddr, 16);
    segment.tuple.fport = tuple->lport;
    segment.tuple.lport = tuple->fport;
    if (follow_chance(world, 10)) {
        segment.tos = (uint8_t)follow_random(world);
        segment.window = (uint16_t)follow_random(world);
    }
    return segment;
}

static void
maybe_sign(struct world *world, struct twin_segment *segment)
{
    if (!follow_chance(world, world->keyed ? 40 : 1))
        return;
    segment->options.md5 = true;
    segment->options.key = md5_key;
    segment->options.key_size = follow_chance(world, 90) ? sizeof md5_key : 3;
}

static uint32_t
clock_of_peer(struct world *world)
{
    return (uint32_t)world->now +
           FOLLOW_PICK(world, 0, 0, 1, 1000, 0xffffff00, 0x80000000);
}

static void
fast_open_option(struct world *world, struct twin_segment *segment,
                 uint8_t cookie[16])
{
    struct twin_options *has = &segment->options;
    size_t size = segment->tuple.family == 4 ? 4 : 16;
    uint64_t hash =
        twin_siphash(world->twin.tfo_key, segment->tuple.laddr, size);
    for (int i = 0; i < 16; i++)
        cookie[i] = (uint8_t)(hash >> 8 * (i & 7));
    has->tfo = true;
    has->cookie = cookie;
    has->cookie_size = FOLLOW_PICK(world, 0, 8, 8, 8, 6, 3);
    if (follow_chance(world, 20))
        cookie[follow_below(world, 8)] ^= 0x10;
}

static uint32_t
make_syn(struct world *world, uint8_t *packet)
{
    uint32_t index = follow_below(world, world->crowd);
    struct syncache_tuple tuple = follow_tuple(world, index);
    struct twin_segment segment = from_peer(world, &tuple);
    struct twin_options *has = &segment.options;
    uint32_t options = follow_chance(world, 60) ? 15 : follow_below(world, 16);
    uint8_t cookie[16];
    /* Everybody has an ISN, and now and then another one. */
    segment.seq = index * 0x9e3779b1u + (uint32_t)world->number - 1;
    if (index % 11 == 0)
        segment.seq = 0xffffffff;
    if (follow_chance(world, 12))
        segment.seq += FOLLOW_PICK(world, 1, 1000, 0x80000000);
    segment.flags = TWIN_SYN;
    if (follow_chance(world, 25))
        segment.flags |= (uint16_t)(follow_below(world, 8) << 6);
    if (follow_chance(world, 3))
        segment.flags |= TWIN_FIN | TWIN_PSH | TWIN_URG;
    has->mss = (options & 1) != 0;
    has->mss_value =
        (uint16_t)FOLLOW_PICK(world, 0, 1, 215, 216, 535, 536, 1219, 1220, 1300,
                              1440, 1452, 1459, 1460, 8960, 65535);
    has->ws = (options & 2) != 0;
    has->ws_value = (uint8_t)follow_below(world, 17);
    has->sack = (options & 4) != 0;
    has->ts = (options & 8) != 0;
    has->tsval = clock_of_peer(world);
    if (follow_chance(world, 6))
        fast_open_option(world, &segment, cookie);
    maybe_sign(world, &segment);
    if (follow_chance(world, 4))
        segment.payload_size = follow_below(world, 100);
    return twin_build(&segment, packet);
}

/* A SYN-ACK of ours, most likely one of the last. */
const struct recent *
follow_recent(struct world *world)
{
    uint32_t held = world->recent_count < FOLLOW_RECENT ? world->recent_count
                                                        : FOLLOW_RECENT;
    uint32_t back = follow_below(world, follow_chance(world, 60) ? 3 : held);
    if (held == 0)
        return NULL;
    if (back >= held)
        back = 0;
    return &world->recent[(world->recent_count - 1 - back) % FOLLOW_RECENT];
}

static uint32_t
make_ack(struct world *world, uint8_t *packet)
{
    const struct recent *recent = follow_recent(world);
    if (recent == NULL)
        return make_syn(world, packet);
    struct twin_segment segment = from_peer(world, &recent->tuple);
    struct twin_options *has = &segment.options;
    segment.flags = TWIN_ACK;
    segment.seq = recent->rcv_nxt;
    segment.ack = recent->iss + 1;
    if (follow_chance(world, 12))
        segment.seq += FOLLOW_PICK(world, 1, 0xffffffff, 100, 65534, 65535,
                                   65536, 0x80000000, 999, 1000, 1001);
    if (follow_chance(world, 8))
        segment.ack += FOLLOW_PICK(world, 1, 0xffffffff, 2, 0x100, 0x10000,
                                   0x80000000, 0x1000000);
    if (follow_chance(world, 2))
        segment.ack = (uint32_t)follow_random(world);
    if (follow_chance(world, 15))
        segment.flags |= follow_chance(world, 50) ? TWIN_PSH : TWIN_FIN;
    has->ts = recent->ts;
    if (follow_chance(world, 10))
        has->ts = !has->ts;
    has->tsval = clock_of_peer(world);
    has->tsecr = recent->tsval;
    if (follow_chance(world, 15))
        has->tsecr += FOLLOW_PICK(world, 0xffffffff, 1, 1000, 1001, 0xffff0600,
                                  0xffff05ff, 0xffff8ad0, 0x80000000);
    maybe_sign(world, &segment);
    if (follow_chance(world, 20))
        segment.payload_size = follow_below(world, 200);
    return twin_build(&segment, packet);
}

static uint32_t
make_rst(struct world *world, uint8_t *packet)
{
    const struct recent *recent = follow_recent(world);
    if (recent == NULL)
        return make_syn(world, packet);
    struct twin_segment segment = from_peer(world, &recent->tuple);
    segment.flags = TWIN_RST;
    segment.seq = recent->rcv_nxt;
    if (follow_chance(world, 50))
        segment.seq += FOLLOW_PICK(world, 1, 2, 0xffffffff, 65534, 65535, 65536,
                                   999, 1000, 0x80000000);
    if (follow_chance(world, 30)) {
        segment.flags |= TWIN_ACK;
        segment.ack = recent->iss + 1;
    }
    maybe_sign(world, &segment);
    return twin_build(&segment, packet);
}

/* Any flags, from anybody. */
static uint32_t
make_odd(struct world *world, uint8_t *packet)
{
    uint32_t index = follow_below(world, world->crowd);
    struct syncache_tuple tuple = follow_tuple(world, index);
    const struct recent *recent = follow_recent(world);
    if (recent != NULL && follow_chance(world, 50))
        tuple = recent->tuple;
    struct twin_segment segment = from_peer(world, &tuple);
    uint8_t *source = segment.tuple.laddr;
    uint8_t *target = segment.tuple.faddr;
    segment.flags = follow_random(world) & 0x1ff;
    segment.seq = (uint32_t)follow_random(world);
    segment.ack = (uint32_t)follow_random(world);
    segment.payload_size = follow_below(world, 20);
    switch (follow_below(world, 12)) {
    case 0:
        source[0] = (uint8_t)FOLLOW_PICK(world, 224, 239, 240, 223, 255, 0);
        break;
    case 1:
        target[0] = (uint8_t)FOLLOW_PICK(world, 224, 239, 240, 223, 255, 0);
        break;
    case 2:
        memset(source, (int)FOLLOW_PICK(world, 0, 255),
               tuple.family == 4 ? 4 : 16);
        break;
    case 3:
        memset(target, (int)FOLLOW_PICK(world, 0, 255),
               tuple.family == 4 ? 4 : 16);
        break;
    case 4:
        memcpy(source, target, 16);
        if (follow_chance(world, 60))
            segment.tuple.lport = segment.tuple.fport;
        break;
    case 5:
        target[2] ^= 1; /* nobody's address, unless any is ours */
        break;
    default:
        break;
    }
    return twin_build(&segment, packet);
}

/* An ICMP error about one of our SYN-ACKs. */
static uint32_t
make_icmp(struct world *world, uint8_t *packet)
{
    const struct recent *recent = follow_recent(world);
    if (recent == NULL)
        return make_syn(world, packet);
    uint8_t family = recent->tuple.family;
    uint32_t header = family == 4 ? 20 : 40;
    uint32_t quoted = header + FOLLOW_PICK(world, 8, 8, 20, 7);
    uint32_t size = header + 8 + quoted;
    uint8_t *icmp = packet + header;
    struct syncache_tuple ends = recent->tuple;
    memset(packet, 0, size);
    memcpy(packet, recent->packet, header); /* ours, from here to the peer */
    packet[family == 4 ? 9 : 6] = family == 4 ? 1 : 58;
    twin_put(packet + (family == 4 ? 2 : 4), 2,
             family == 4 ? size : 8 + quoted);
    memcpy(packet + (family == 4 ? 16 : 24), ends.laddr, family == 4 ? 4 : 16);
    memcpy(packet + (family == 4 ? 12 : 8), ends.faddr, family == 4 ? 4 : 16);
    packet[family == 4 ? 15 : 23] = 250; /* a router */
    ends.faddr[family == 4 ? 3 : 15] = 250;
    icmp[0] = (uint8_t)FOLLOW_PICK(world, 3, 3, 11, 12, 4, 1, 2, 5, 8);
    icmp[1] = (uint8_t)follow_below(world, 16);
    memcpy(icmp + 8, recent->packet, quoted);
    if (follow_chance(world, 20))
        icmp[8 + header + 4 + follow_below(world, 4)] ^= 1;
    if (family == 4) {
        twin_put(packet + 10, 2, 0);
        twin_put(packet + 10, 2, ~twin_sum(0, packet, 20));
        twin_put(icmp + 2, 2, ~twin_sum(0, icmp, 8 + quoted));
    } else {
        uint32_t sum = twin_sum_pseudo(&ends, 58, 8 + quoted);
        twin_put(icmp + 2, 2, ~twin_sum(sum, icmp, 8 + quoted));
    }
    return size;
}

/* Puts random bytes where IP options and extension headers stand. */
static void
insert_header(struct world *world, struct sent *sent)
{
    uint8_t extra[16] = {0};
    bool v4 = sent->bytes[0] >> 4 == 4;
    uint32_t at = v4 ? 20 : 40;
    uint32_t more = v4 ? 4 * (1 + follow_below(world, 4))
                       : 8 * (1 + follow_below(world, 2));
    for (uint32_t i = 0; i < more; i++)
        extra[i] =
            (uint8_t)FOLLOW_PICK(world, 0, 0, 0, 1, 1, 2, 3, 6, 131, 137, 1, 0);
    if (v4) {
        sent->bytes[0] = (uint8_t)(0x45 + more / 4);
    } else {
        extra[0] = sent->bytes[6];
        extra[1] = (uint8_t)(more / 8 - 1);
        sent->bytes[6] = (uint8_t)FOLLOW_PICK(world, 0, 43, 44, 60);
    }
    memmove(sent->bytes + at + more, sent->bytes + at, sent->size - at);
    memcpy(sent->bytes + at, extra, more);
    sent->size += more;
    twin_put(sent->bytes + (v4 ? 2 : 4), 2, sent->size - (v4 ? 0 : 40));
}

static void
seal_ipv4(struct sent *sent)
{
    uint32_t header = 4 * (sent->bytes[0] & 15u);
    if (sent->bytes[0] >> 4 != 4 || header < 20 || header > sent->size)
        return;
    twin_put(sent->bytes + 10, 2, 0);
    twin_put(sent->bytes + 10, 2, ~twin_sum(0, sent->bytes, header));
}

static void
spoil(struct world *world, struct sent *sent)
{
    sent->plain = false;
    if (follow_chance(world, 30))
        insert_header(world, sent);
    for (uint32_t i = follow_below(world, 3); i > 0; i--)
        sent->bytes[follow_below(world, sent->size)] ^=
            (uint8_t)(1 << follow_below(world, 8));
    if (follow_chance(world, 10))
        sent->size = follow_below(world, sent->size + 1);
    else if (follow_chance(world, 10))
        sent->size += follow_below(world, 20); /* link padding */
    if (follow_chance(world, 80) && sent->size > 20)
        seal_ipv4(sent);
    if (follow_chance(world, 70))
        sent->checksum = FOLLOW_PICK(world, SYNCACHE_CHECKSUM_VALID,
                                     SYNCACHE_CHECKSUM_PARTIAL);
}

void
follow_packet(struct world *world, struct sent *sent)
{
    uint32_t kind = follow_below(world, 100);
    memset(sent->bytes, 0, 512);
    sent->checksum = SYNCACHE_CHECKSUM_VERIFY;
    sent->plain = true;
    if (kind < 48)
        sent->size = make_syn(world, sent->bytes);
    else if (kind < 80)
        sent->size = make_ack(world, sent->bytes);
    else if (kind < 88)
        sent->size = make_rst(world, sent->bytes);
    else if (kind < 93)
        sent->size = make_icmp(world, sent->bytes);
    else
        sent->size = make_odd(world, sent->bytes);
    if (follow_chance(world, 5))
        spoil(world, sent);
}

void
follow_note_reply(struct world *world, const uint8_t *packet, uint32_t size)
{
    struct recent *recent = &world->recent[world->recent_count % FOLLOW_RECENT];
    struct twin_parsed parsed;
    twin_parse(packet, size, SYNCACHE_CHECKSUM_VERIFY, &parsed);
    if (parsed.kind != TWIN_TCP) {
        follow_differ(world, "the reply is no good packet", 0, parsed.why);
        return;
    }
    if (!(parsed.segment.flags & TWIN_SYN))
        return;
    world->recent_count++;
    /* Parsed as if it had come to us: its sides change places. */
    recent->tuple = parsed.segment.tuple;
    memcpy(recent->tuple.faddr, parsed.segment.tuple.laddr, 16);
    memcpy(recent->tuple.laddr, parsed.segment.tuple.faddr, 16);
    recent->tuple.fport = parsed.segment.tuple.lport;
    recent->tuple.lport = parsed.segment.tuple.fport;
    recent->iss = parsed.segment.seq;
    recent->rcv_nxt = parsed.segment.ack;
    recent->ts = parsed.segment.options.ts;
    recent->tsval = parsed.segment.options.tsval;
    memcpy(recent->packet, packet, size);
    recent->size = size;
}

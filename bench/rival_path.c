/* See rival_path.h. */
#include "rival_path.h"

#include "core/bytes.h"

#include <string.h>

#define PATH_SYN 0x02
#define PATH_FIN_SYN_RST_ACK 0x17
#define PATH_SCALE_MAX 14
#define PATH_HAS_SCALE 1
#define PATH_HAS_SACK 2
#define PATH_HAS_TIMESTAMP 4

/* SipHash-2-4 whose input comes in pieces. */
struct path_siphash {
    uint64_t v[4];
    uint8_t rest[8];
    size_t size;
};

/* What a SYN says. */
struct path_segment {
    struct list_ends ends;
    uint32_t seq;
    uint32_t tsval;
    uint16_t mss;
    uint8_t scale;
    uint8_t has;
};

static uint64_t
path_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void
path_siphash_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = path_rotate(v[1], 13) ^ v[0];
    v[3] = path_rotate(v[3], 16) ^ v[2];
    v[0] = path_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = path_rotate(v[1], 17) ^ v[2];
    v[3] = path_rotate(v[3], 21) ^ v[0];
    v[2] = path_rotate(v[2], 32);
}

static void
path_siphash_init(struct path_siphash *hash, const uint8_t key[static 16])
{
    uint64_t k0 = load64_le(key);
    uint64_t k1 = load64_le(key + 8);

    hash->v[0] = k0 ^ 0x736f6d6570736575;
    hash->v[1] = k1 ^ 0x646f72616e646f6d;
    hash->v[2] = k0 ^ 0x6c7967656e657261;
    hash->v[3] = k1 ^ 0x7465646279746573;
    hash->size = 0;
}

static void
path_siphash_word(struct path_siphash *hash, uint64_t word)
{
    hash->v[3] ^= word;
    path_siphash_round(hash->v);
    path_siphash_round(hash->v);
    hash->v[0] ^= word;
}

static void
path_siphash_update(struct path_siphash *hash, const void *data, size_t size)
{
    const uint8_t *next = data;
    size_t held = hash->size % 8;

    hash->size += size;
    if (held > 0) {
        size_t part = size < 8 - held ? size : 8 - held;

        memcpy(hash->rest + held, next, part);
        if (held + part < 8)
            return;
        path_siphash_word(hash, load64_le(hash->rest));
        next += part;
        size -= part;
    }
    for (; size >= 8; next += 8, size -= 8)
        path_siphash_word(hash, load64_le(next));
    memcpy(hash->rest, next, size);
}

/* The 64 bits folded to 32. */
static uint32_t
path_siphash_end(struct path_siphash *hash)
{
    uint64_t last = (uint64_t)hash->size << 56;

    for (size_t i = 0; i < hash->size % 8; i++)
        last |= (uint64_t)hash->rest[i] << 8 * i;
    path_siphash_word(hash, last);
    hash->v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        path_siphash_round(hash->v);
    last = hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
    return (uint32_t)last ^ (uint32_t)(last >> 32);
}

/* Adds up 16 bits at a time. */
static uint32_t
path_sum(const uint8_t *data, size_t size, uint32_t sum)
{
    for (; size > 1; data += 2, size -= 2)
        sum += load16_be(data);
    if (size > 0)
        sum += (uint32_t)data[0] << 8;
    return sum;
}

static uint16_t
path_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static uint32_t
path_pseudo(const uint8_t *ip, size_t tcp_size)
{
    return path_sum(ip + 12, 8, 6 + (uint32_t)tcp_size);
}

/* The option loop: what is malformed ends it, what is unknown is skipped. */
static void
path_options(const uint8_t *options, size_t size, struct path_segment *segment)
{
    while (size > 0 && options[0] != 0) {
        size_t length = 1;

        if (options[0] != 1) {
            if (size < 2 || options[1] < 2 || options[1] > size)
                return;
            length = options[1];
        }
        if (options[0] == 2 && length == 4) {
            segment->mss = load16_be(options + 2);
        } else if (options[0] == 3 && length == 3) {
            segment->has |= PATH_HAS_SCALE;
            segment->scale =
                options[2] < PATH_SCALE_MAX ? options[2] : PATH_SCALE_MAX;
        } else if (options[0] == 4 && length == 2) {
            segment->has |= PATH_HAS_SACK;
        } else if (options[0] == 8 && length == 10) {
            segment->has |= PATH_HAS_TIMESTAMP;
            segment->tsval = load32_be(options + 2);
        }
        options += length;
        size -= length;
    }
}

/* True if the packet is whole, right, and a SYN for the port. */
static bool
path_parse(const struct path *path, const uint8_t *packet, size_t size,
           struct path_segment *segment)
{
    const uint8_t *tcp = packet + 20;
    size_t tcp_size = size - 20;
    size_t header;

    if (size < 40 || packet[0] != 0x45 || load16_be(packet + 2) != size ||
        packet[9] != 6 || (load16_be(packet + 6) & 0x3fff) != 0 ||
        path_fold(path_sum(packet, 20, 0)) != 0)
        return false;
    if (path_fold(path_sum(tcp, tcp_size, path_pseudo(packet, tcp_size))) != 0)
        return false;
    header = (size_t)(tcp[12] >> 4) * 4;
    if (header < 20 || header > tcp_size ||
        (tcp[13] & PATH_FIN_SYN_RST_ACK) != PATH_SYN ||
        memcmp(packet + 16, path->laddr, 4) != 0 ||
        load16_be(tcp + 2) != path->lport)
        return false;
    memset(segment, 0, sizeof *segment);
    memcpy(&segment->ends.fport, tcp, 4);
    memcpy(segment->ends.faddr + 12, packet + 12, 4);
    memcpy(segment->ends.laddr + 12, packet + 16, 4);
    segment->seq = load32_be(tcp + 4);
    path_options(tcp + 20, header - 20, segment);
    return true;
}

/* Largest index whose value is not above `value`. */
static uint32_t
path_index(const uint16_t table[static 8], uint16_t value)
{
    uint32_t i = 7;

    while (i > 0 && value < table[i])
        i--;
    return i;
}

static uint32_t
path_cookie(const struct path *path, const struct list_entry *entry)
{
    static const uint16_t sizes[8] = {216,  536,  1200, 1360,
                                      1400, 1440, 1452, 1460};
    static const uint16_t scales[8] = {0, 0, 1, 2, 4, 6, 7, 8};
    static const uint64_t secmod = 0;
    const struct list_ends *ends = &entry->ends;
    uint8_t byte = (uint8_t)(path_index(sizes, entry->peer_mss) << 5);
    struct path_siphash hash;
    uint32_t mac;

    if (entry->options & LIST_WINSCALE) {
        uint32_t index = path_index(scales, entry->scales >> 4);

        byte |= (uint8_t)((index > 0 ? index : 1) << 2);
    }
    if (entry->options & LIST_SACK)
        byte |= 2;
    byte |= (uint8_t)path->parity;
    path_siphash_init(&hash, path->key[path->parity]);
    path_siphash_update(&hash, ends->faddr + 12, 4);
    path_siphash_update(&hash, ends->laddr + 12, 4);
    path_siphash_update(&hash, &ends->fport, 2);
    path_siphash_update(&hash, &ends->lport, 2);
    path_siphash_update(&hash, &entry->irs, 4);
    path_siphash_update(&hash, &byte, 1);
    path_siphash_update(&hash, &secmod, 8);
    mac = path_siphash_end(&hash);
    return (mac & 0xffffff00) | (byte ^ mac >> 24);
}

static uint32_t
path_ts_offset(const struct path *path, const struct list_ends *ends)
{
    struct path_siphash hash;

    path_siphash_init(&hash, path->ts_key);
    path_siphash_update(&hash, &ends->fport, 2);
    path_siphash_update(&hash, &ends->lport, 2);
    path_siphash_update(&hash, ends->faddr + 12, 4);
    path_siphash_update(&hash, ends->laddr + 12, 4);
    return path_siphash_end(&hash);
}

/* MSS, NOP and scale, SACK-permitted, NOPs and timestamps, zeros. */
static size_t
path_add_options(const struct path *path, const struct list_entry *entry,
                 uint8_t *options)
{
    size_t size = 4;

    options[0] = 2;
    options[1] = 4;
    store16_be(options + 2, path->mss);
    if (entry->options & LIST_WINSCALE) {
        options[size++] = 1;
        options[size++] = 3;
        options[size++] = 3;
        options[size++] = entry->scales & 15;
    }
    if (entry->options & LIST_SACK) {
        options[size++] = 4;
        options[size++] = 2;
    }
    if (entry->options & LIST_TIMESTAMP) {
        while (size % 4 != 2)
            options[size++] = 1;
        options[size++] = 8;
        options[size++] = 10;
        store32_be(options + size, entry->tsoff + (uint32_t)path->now_ms);
        store32_be(options + size + 4, entry->tsreflect);
        size += 8;
    }
    while (size % 4 != 0)
        options[size++] = 0;
    return size;
}

size_t
path_syn_ack(const struct path *path, const struct list_entry *entry,
             uint8_t reply[static PATH_REPLY_MAX])
{
    uint8_t *tcp = reply + 20;
    size_t tcp_size;

    memset(reply, 0, PATH_REPLY_MAX);
    tcp_size = 20 + path_add_options(path, entry, tcp + 20);
    reply[0] = 0x45;
    store16_be(reply + 2, (uint16_t)(20 + tcp_size));
    reply[6] = 0x40; /* DF */
    reply[8] = entry->ttl;
    reply[9] = 6;
    memcpy(reply + 12, entry->ends.laddr + 12, 4);
    memcpy(reply + 16, entry->ends.faddr + 12, 4);
    store16_be(reply + 10, path_fold(path_sum(reply, 20, 0)));
    memcpy(tcp, &entry->ends.lport, 2);
    memcpy(tcp + 2, &entry->ends.fport, 2);
    store32_be(tcp + 4, entry->iss);
    store32_be(tcp + 8, entry->irs + 1);
    tcp[12] = (uint8_t)(tcp_size / 4 << 4);
    tcp[13] = 0x12;
    store16_be(tcp + 14, entry->wnd);
    store16_be(tcp + 16, path_fold(path_sum(tcp, tcp_size,
                                            path_pseudo(reply, tcp_size))));
    return 20 + tcp_size;
}

/* What the SYN negotiates. */
static void
path_fill(const struct path *path, const struct path_segment *segment,
          struct list_entry *entry)
{
    entry->irs = segment->seq;
    entry->peer_mss = segment->mss;
    entry->wnd = path->window;
    entry->ttl = path->ttl;
    if (segment->has & PATH_HAS_TIMESTAMP) {
        entry->options |= LIST_TIMESTAMP;
        entry->tsreflect = segment->tsval;
        entry->tsoff = path_ts_offset(path, &entry->ends);
    }
    if (segment->has & PATH_HAS_SCALE) {
        entry->options |= LIST_WINSCALE;
        entry->scales = (uint8_t)(segment->scale << 4 | path->wscale);
    }
    if (segment->has & PATH_HAS_SACK)
        entry->options |= LIST_SACK;
    entry->iss = path_cookie(path, entry);
}

size_t
path_syn(struct path *path, const uint8_t *packet, size_t size,
         uint8_t reply[static PATH_REPLY_MAX])
{
    struct path_segment segment;
    struct list_bucket *bucket;
    struct list_entry *entry;
    struct list_entry alone;

    if (!path_parse(path, packet, size, &segment))
        return 0;
    if (path->list == NULL || list_cookies_only(path->list, path->now_ms)) {
        path->cookies_only++;
        memset(&alone, 0, sizeof alone);
        alone.ends = segment.ends;
        path_fill(path, &segment, &alone);
        return path_syn_ack(path, &alone, reply);
    }
    entry = list_lookup(path->list, &segment.ends, &bucket);
    if (entry != NULL) {
        path->duplicates++;
        entry->tsreflect = segment.tsval;
        return path_syn_ack(path, entry, reply);
    }
    entry = list_insert(path->list, bucket, &segment.ends, path->now_ms);
    if (entry == NULL)
        return 0;
    path_fill(path, &segment, entry);
    return path_syn_ack(path, entry, reply);
}

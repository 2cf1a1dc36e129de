/*
 * What a small engine survives: 20 honest clients, 200 ms away, in floods of
 * spoofed SYNs, for ten seconds by the clock of the simulation.  Prints a row
 * of a table for each size.
 */
#include "syncache.h"

#ifndef SYNCACHE_HOST_H /* in one file it is a part of syncache.h */
#include "syncache_host.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 20
#define ROUND_TRIP_MS 200
#define START_MS 1000
#define EVERY_MS 400
#define END_MS 10000
#define PORT 80

_Alignas(64) static uint8_t block[1 << 20];
static struct syncache_result result;
static uint64_t drawn = 1;

static uint32_t
draw(void)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (uint32_t)(drawn >> 16);
}

static enum syncache_verdict
give(struct syncache *cache, uint64_t now, uint32_t from, uint16_t flags,
     uint32_t seq, uint32_t ack)
{
    static const uint8_t options[20] = {2, 4,  5,        180, 4, 2,
                                        8, 10, [16] = 1, 3,   3, 7};
    uint8_t packet[64];
    struct syncache_fields fields = {
        .daddr = {198, 51, 100, 1},
        .sport = 49152,
        .dport = PORT,
        .family = 4,
        .hop_limit = 64,
        .flags = flags,
        .seq = seq,
        .ack = ack,
        .window = 65535,
        .options_size = flags == 2 ? sizeof options : 0,
    };
    memcpy(fields.saddr, &from, 4);
    fields.saddr[0] = 10;
    size_t size =
        syncache_build(&fields, options, NULL, 0, packet, sizeof packet);
    return syncache_packet(cache, now, packet, size, 1, &result);
}

static struct syncache *
begin(size_t bytes, uint32_t *entries)
{
    static const uint8_t seed[16] = "a flood";
    struct syncache_config config;
    struct syncache_tunables tunables;
    struct syncache_endpoint endpoint = {.lport = PORT,
                                         .options = 1,
                                         .hop_limit = 64,
                                         .rcv_wnd = 8192,
                                         .rcv_wscale = 0,
                                         .mtu = 1500};
    uint64_t epoch;
    uint32_t number;

    if (!syncache_config_fit(&config, bytes))
        exit(1);
    struct syncache *cache = syncache_init(block, bytes, &config, seed);
    syncache_tunables_host(&tunables);
    if (cache == NULL || !syncache_set_tunables(cache, &tunables) ||
        !syncache_listen(cache, &endpoint, &number))
        exit(1);
    if (syncache_key_due(cache, 0, &epoch))
        syncache_set_key(cache, epoch, seed);
    *entries = config.cachelimit;
    return cache;
}

/* Returns who was served, those from an entry in *cached. */
static uint32_t
flood(struct syncache *cache, uint32_t rate, uint32_t *cached)
{
    uint32_t iss[CLIENTS] = {0}, served = 0, due = 0;
    uint8_t packet[SYNCACHE_REPLY_MAX];

    for (uint64_t now = 1; now < END_MS; now++) {
        for (due += rate; due >= 1000; due -= 1000)
            (void)give(cache, now, draw() | 1, 2, draw(), 0);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            uint64_t at = START_MS + i * EVERY_MS;
            uint32_t from = (i + 1) << 8;
            struct syncache_fields fields;

            if (now == at) {
                (void)give(cache, now, from, 2, 7, 0);
                if (result.reply_size > 0 &&
                    syncache_parse(result.reply, result.reply_size, 0,
                                   &fields) == SYNCACHE_PASS_KNOWN)
                    iss[i] = fields.seq;
            } else if (now == at + ROUND_TRIP_MS) {
                enum syncache_verdict verdict =
                    give(cache, now, from, 16, 8, iss[i] + 1);
                if (syncache_kind(verdict) != SYNCACHE_ACCEPT)
                    continue;
                syncache_accepted(cache, &result.conn, 0, true);
                served++;
                *cached += verdict == SYNCACHE_ACCEPT_CACHE;
            }
        }
        while (syncache_next_deadline(cache) <= now &&
               syncache_poll_one(cache, now, packet) > 0)
            continue;
    }
    return served;
}

int
main(void)
{
    static const uint32_t kilobytes[] = {16, 64, 256, 1024};
    static const uint32_t rates[] = {100, 1000, 10000, 100000};

    for (size_t i = 0; i < 4; i++) {
        uint32_t entries = 0;

        (void)begin((size_t)kilobytes[i] << 10, &entries);
        printf("| %u KB | %u |", kilobytes[i], entries);
        for (size_t j = 0; j < 4; j++) {
            uint32_t cached = 0;
            uint32_t served = flood(begin((size_t)kilobytes[i] << 10, &entries),
                                    rates[j], &cached);

            printf(" %u of %u, %u from the table |", served, CLIENTS, cached);
        }
        puts("");
    }
    return 0;
}

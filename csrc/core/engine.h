/*
 * The engine's memory block, and what its rooms share.  Who calls whom:
 *
 *   api.c     size, init, setters, listing           input.c   one packet: parse, classify, choose the event
 *   burst.c   a ring of packets, in stages           syncache.c  add (SYN), respond
 *   expand.c  a final ACK, offers, accepted          chkrst.c  RST, SYN-ACK, ICMP
 *   timer.c   retransmission, purge, poll, deadline
 */
#ifndef SYNCACHE_CORE_ENGINE_H
#define SYNCACHE_CORE_ENGINE_H

#include "../syncache.h"
#include "endpoint.h"
#include "entry.h"
#include "known.h"
#include "pause.h"
#include "replay.h"
#include "secret.h"
#include "table.h"
#include "wire.h"

struct syncache {
    struct syncache_config config;
    struct syncache_tunables tunables;
    struct table table;
    struct known known;
    struct replay replay;
    struct endpoints endpoints;
    struct secret secret;
    struct pause pause;
    uint64_t now_ms;                  /* of the last call; never goes back */
    uint64_t init_ms;                 /* first time told */
    bool started;
    uint8_t hash_key[SYNCACHE_KEY_BYTES];
    uint8_t iss_key[SYNCACHE_KEY_BYTES];
    uint8_t ts_key[SYNCACHE_KEY_BYTES];
    uint8_t replay_key[SYNCACHE_KEY_BYTES];
    uint8_t fastopen_key[SYNCACHE_KEY_BYTES];
    struct syncache_stats stats;
};

#endif

/*
 * Shared by the programs of an offloaded splice and the process that loads them: the connections that they carry, and
 * those that they give back.  Native byte order but for keys, which lie as in a packet.
 */
#ifndef SYNCACHE_BPF_OFFLOAD_ABI_H
#define SYNCACHE_BPF_OFFLOAD_ABI_H

#include <stdint.h>

/* A connection, whichever way a packet of it goes: client, then server. */
struct offload_key4 {
    uint32_t address[2];
    uint16_t port[2];
};
struct offload_key6 {
    uint32_t address[8];
    uint16_t port[2];
};

/* What it is called in the map of IPv6: offload_name.h. */
struct offload_name6 {
    uint64_t hash;             /* of both addresses */
    uint32_t client;           /* the last word of its address */
    uint16_t port[2];
};

enum offload_state {
    OFFLOAD_ON,    /* carried */
    OFFLOAD_TAKEN  /* given back: packets go to the process again, and nobody writes here but for what is under way */
};

enum offload_end { OFFLOAD_CLIENT, OFFLOAD_SERVER };

/*
 * 56 bytes, so that the kernel's element of a connection fits into 128.  The splice is that of
 * csrc/flow/splice.h; numbers are those that the server uses, as in struct session.
 */
struct offload_entry {
    uint32_t delta;
    uint32_t ts_delta;
    uint32_t ts_floor;
    uint8_t flags;             /* SPLICE_* */
    int8_t shift_to_client;
    int8_t shift_to_server;
    uint8_t state;             /* enum offload_state */
    uint64_t bytes[2];         /* payload sent by each end while it was carried */
    uint32_t nxt[2];           /* SND.NXT of each end */
    uint32_t ack[2];           /* highest ACK that each end sent */
    uint32_t last;             /* last packet, in OFFLOAD_TICK_SHIFT of CLOCK_MONOTONIC */
    uint32_t number;           /* the process's own */
};

#define OFFLOAD_TICK_SHIFT 20  /* 2^20 ns, about a millisecond */

/* A connection given back: the process has to see a packet.  IPv4 addresses in the first of four words each. */
struct offload_event {
    struct offload_entry entry;
    struct offload_key6 key;
    uint32_t family;
};

/* cffi: begin. */

struct offload_config {
    uint32_t outside;          /* ifindex of the clients' side */
    uint32_t inside;
    uint32_t off;              /* 1: everything goes to the process */
    uint32_t reserved;
    uint64_t key[4];           /* SipHash with the key mixed in, where a message begins */
};

/* One for each processor. */
struct offload_processor {
    uint64_t carried[2];       /* packets of clients, of servers */
    uint64_t taken;            /* 1: the process has the packet at hand */
    uint64_t back;             /* connections given back */
    uint64_t lost;             /* packets that would have given one back, and found the queue full */
};

/* cffi: end. */

_Static_assert(sizeof(struct offload_entry) == 56, "the element of a connection has 120 bytes");

#endif

/*
 * Links: fill a ring from a device with one call, empty a ring into it with one
 * call.  The only C of this library that makes system calls.
 *
 * A link knows no engine: it sets each slot's size, link_size, checksum state
 * and gso_size and looks no further into a packet than its offloads need.
 * Opening, naming and configuring a device is Python's work (syncache/links).
 *
 * Results are counts; a negative one is -errno of a device that is gone.  A
 * single packet that does not fit or that the kernel refuses is counted and
 * passed over, because a network may lose packets and a server must go on.
 *
 * See Linux Documentation/networking/tuntap.rst, packet_mmap.rst, af_xdp.rst;
 * virtio 1.2 section 5.1.6; IEEE 802.1Q.
 */
#ifndef SYNCACHE_LINK_LINK_H
#define SYNCACHE_LINK_LINK_H

#include "../syncache.h"

/*
 * A count of bytes in a ring buffer of the kernel's, whose unsigned long it is.  A processor that reads no 64 bits at
 * once has a kernel of 32; any other may have one of 64 under a program of 32.
 */
#if __GCC_ATOMIC_LLONG_LOCK_FREE == 2
typedef uint64_t link_position;
#else
typedef unsigned long link_position;
#endif

/* cffi: begin. */

/* An open TUN device (IFF_NO_PI).  The descriptor stays the caller's. */
struct link_tun {
    int32_t fd;         /* non-blocking */
    int32_t send_error; /* errno of the last packet refused; 0: it went out */
    uint32_t vnet_hdr;  /* 1: IFF_VNET_HDR, so super-segments may come and go */
    uint32_t reserved;
    uint64_t received;    /* packets put into a ring */
    uint64_t sent;        /* packets that the kernel took */
    uint64_t too_large;   /* packets dropped: longer than a slot */
    uint64_t send_failed; /* packets dropped: the kernel refused them */
};

/*
 * Appends packets to rx until the device has no more or rx is full.
 *
 *   out      rx       slots from rx->count on; checksum PARTIAL where the
 *                     kernel left the transport checksum to us, VALID where
 *                     it vouches for it; gso_size of a super-segment;
 *                     link_size is 0
 *   returns  packets appended (0: none now, also while the device is down),
 *            or -EBADFD when the device was removed, -errno of any other
 *            failure; a failure after some packets is reported by the next
 *            call
 *   limit    one read per packet; a packet longer than a slot is dropped
 */
int32_t link_tun_receive(struct link_tun *tun, struct syncache_ring *rx);

/*
 * Sends the packets tx->next .. tx->count in order and advances tx->next.
 *
 *   in       tx       a slot with checksum PARTIAL or with a gso_size needs
 *                     vnet_hdr and a TCP or UDP header; else it counts as
 *                     refused
 *   returns  packets consumed, refused ones included; fewer than there are: the
 *            device takes no more now, wait until it is writable.  -EBADFD when
 *            the device was removed.  While it is down the kernel refuses every
 *            packet (EIO), which send_error tells
 *   limit    one write per packet
 */
int32_t link_tun_send(struct link_tun *tun, struct syncache_ring *tx);

/*
 * Where frame links send packets that have no link header: raw IP sockets bound to the
 * interface, so route and neighbour are the kernel's to find.
 */
struct link_route {
    int32_t fd4;         /* AF_INET, IPPROTO_RAW, non-blocking; -1: none */
    int32_t fd6;         /* AF_INET6, likewise */
    uint32_t ifindex;    /* scope of link-local addresses */
    uint32_t cut;        /* segments of the first unsent packet that went out */
};

/*
 * Frame links.  The slot of a frame holds its Ethernet header, VLAN tags
 * included, as the link_size bytes in front of the IP packet.  A frame that
 * carries no IP comes only where the link forwards, and has size 0: it is all
 * link header.
 *
 * Sent is, by slot:
 *   link_size 0                 an IP packet, by link_route
 *   request set, not `forward`  a reply, its header a copy of its request's:
 *                               the link exchanges the two MAC addresses
 *   else                        the frame as it is
 */

/* A super-segment longer than 64 KiB on its way into slots, a piece each (split.c). */
struct link_split {
    uint8_t *memory;      /* room for the longest one; NULL: they are dropped */
    uint32_t memory_size;
    uint32_t headers;     /* bytes of its Ethernet, IP and TCP header; 0: there is none now */
    uint32_t link_size;   /* of them Ethernet */
    uint32_t tag;         /* bytes of a tag that the kernel had kept aside */
    uint32_t tcp;         /* where its TCP header begins */
    uint32_t frame;       /* where it begins in memory */
    uint32_t payload;     /* bytes */
    uint32_t given;       /* of them */
    uint16_t gso_size;
    uint16_t gso_type;    /* VIRTIO_NET_HDR_GSO_ */
};

/* An AF_PACKET socket (SOCK_RAW, PACKET_VNET_HDR, PACKET_AUXDATA) with a mapped receive ring. */
struct link_packet {
    struct link_route route;
    int32_t fd;           /* non-blocking, bound to one interface */
    int32_t send_error;   /* errno of the last frame refused; 0: it went out */
    int32_t queue_fd;     /* a socket whose queue has those that are longer than a block, whole; -1: there is none */
    uint32_t forward;     /* 1: frames without IP come too, and none is turned round */
    uint32_t frame_size;  /* bytes of a frame of TPACKET_V2; 0: a ring of blocks, TPACKET_V3 */
    uint32_t frames;      /* of them */
    uint32_t frame;       /* to be read next */
    uint32_t block_size;  /* bytes; 0: a ring of frames */
    uint32_t blocks;      /* of them */
    uint32_t block;       /* being read */
    uint32_t left;        /* frames of it not yet read; 0: it is still the kernel's */
    uint32_t at;          /* offset of the next of these frames in the block */
    uint32_t tap;         /* 1: of frames longer than a block the headers are enough; their payload is zeros */
    uint8_t *memory;      /* the ring, shared with the kernel */
    struct link_split split;
    uint64_t received;    /* frames put into a ring */
    uint64_t sent;        /* frames and packets that the kernel took */
    uint64_t skipped;     /* frames passed over: they carry no IP */
    uint64_t too_large;   /* frames dropped: longer than a slot or than a block */
    uint64_t unkept;      /* frames dropped: longer than the ring's, and no room in the socket's queue */
    uint64_t send_failed; /* frames and packets dropped: the kernel refused them */
};

/*
 * Appends frames to rx until the kernel has handed over no more or rx is full.
 *
 *   out      rx       as link_tun_receive(); link_size as told above
 *   returns  frames appended, 0: none now; or -errno of an interface that is
 *            gone or down, each told once
 *   limit    no system call while there are frames, but one for each that is
 *            longer than those of a ring of frames, or than a block
 */
int32_t link_packet_receive(struct link_packet *link, struct syncache_ring *rx);

/*
 * Sends the packets tx->next .. tx->count in order and advances tx->next.
 *
 *   returns  slots consumed, refused ones included; fewer than there are: the
 *            kernel takes no more now.  -ENODEV when the interface was removed
 *   limit    one system call per 64 slots of one kind
 */
int32_t link_packet_send(struct link_packet *link, struct syncache_ring *tx);

/*
 * Sends the frames of rx->passed, which another link received, as they are.
 *
 *   in       rx       checksum and gso_size of a slot as its link or an engine
 *                     that rewrote the packet in place left them
 *   returns  frames that the kernel took; the rest is counted as send_failed, a
 *            forwarder keeps no queue.  -ENODEV when the interface was removed
 */
int32_t link_packet_forward(struct link_packet *link, struct syncache_ring *rx);

/* One of the four rings of an AF_XDP socket, which the kernel maps. */
struct link_xdp_ring {
    uint32_t *producer;
    uint32_t *consumer;
    uint32_t *flags;
    void *entries;
    uint32_t mask;        /* entries, a power of two, less one */
    uint32_t reserved;
};

/* A bound AF_XDP socket.  Half of the frames of umem are for receiving, half for sending. */
struct link_xdp {
    struct link_route route;
    struct link_xdp_ring rx;
    struct link_xdp_ring tx;
    struct link_xdp_ring fill;
    struct link_xdp_ring completion;
    int32_t fd;           /* non-blocking */
    int32_t send_error;   /* errno of the last frame refused; 0: it went out */
    uint32_t frame_size;  /* bytes of a frame of umem, a power of two */
    uint32_t frames;      /* each way: no ring has fewer entries */
    uint32_t busy_poll;   /* 1: receiving drives the device's queue */
    uint32_t partial;     /* 1: local senders leave checksums to the device (veth) */
    uint32_t forward;     /* 1: frames without IP come too, and none is turned round */
    uint32_t reserved;
    uint8_t *umem;        /* 2 * frames * frame_size bytes, shared with the kernel */
    uint64_t *unused;     /* room for `frames` addresses: frames for sending that are ours now */
    uint64_t unused_count;
    uint64_t received;    /* frames put into a ring */
    uint64_t sent;        /* frames and packets that the kernel took */
    uint64_t skipped;     /* frames passed over: they carry no IP */
    uint64_t too_large;   /* frames dropped: longer than a slot, or than a frame of umem */
    uint64_t send_failed; /* frames and packets dropped: the kernel refused them */
};

/* Binds an AF_XDP socket to a queue; flags as in <linux/if_xdp.h>.  Returns 0 or -errno. */
int32_t link_xdp_bind(int32_t fd, uint32_t ifindex, uint32_t queue, uint32_t flags);

/* Gives the kernel its frames.  To be called once, before all others. */
void link_xdp_begin(struct link_xdp *link);

/*
 * Appends frames to rx until there are no more or rx is full; otherwise as
 * link_packet_receive().  A TCP or UDP checksum that is the sum of the pseudo
 * header is PARTIAL if link->partial.
 *
 *   returns  -ENODEV when the interface was removed
 */
int32_t link_xdp_receive(struct link_xdp *link, struct syncache_ring *rx);

/*
 * Sends the packets tx->next .. tx->count in order, as link_packet_send(); a
 * frame with a gso_size or an unfinished checksum counts as refused.
 */
int32_t link_xdp_send(struct link_xdp *link, struct syncache_ring *tx);

/*
 * Sends the frames of rx->passed, which another link received, as
 * link_packet_forward(); unfinished checksums are finished and super-segments
 * cut on the way.
 */
int32_t link_xdp_forward(struct link_xdp *link, struct syncache_ring *rx);

/*
 * bpf(2), with the numbers of <linux/bpf.h>.  Each returns -errno if the kernel refuses; a descriptor is the caller's.
 */
int32_t link_bpf_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries, uint32_t flags);
/* `command` is BPF_MAP_LOOKUP_ELEM, _UPDATE_ELEM, _DELETE_ELEM or _GET_NEXT_KEY; value is the next key of the last. */
int32_t link_bpf_element(uint32_t command, int32_t map, const uint8_t *key, uint8_t *value);
/*
 * BPF_MAP_LOOKUP_BATCH from *in on (NULL: from the start), and *out is where to go on; or _UPDATE_BATCH, without both.
 * *count is how many there is room for or are given, and then how many were read or put, also with an error, unless
 * it is as it was: then nothing was done.  -ENOENT is the end of the map.
 */
int32_t link_bpf_batch(uint32_t command, int32_t map, const uint32_t *in, uint32_t *out, uint8_t *keys,
                       uint8_t *values, uint32_t *count);
/* Loads a program under a name of at most 15 bytes; `log` gets the verifier's reasons, if there is room for any. */
int32_t link_bpf_load(uint32_t type, uint32_t attach_type, uint32_t flags, const char *name, const uint8_t *program,
                      uint32_t instructions, uint8_t *log, uint32_t log_size);
/* Attaches a program until the last holder of the returned descriptor is gone. */
int32_t link_bpf_attach(int32_t program, uint32_t ifindex, uint32_t attach_type, uint32_t flags);
/* Puts another program in the place of the one that a link descriptor holds. */
int32_t link_bpf_replace(int32_t link, int32_t program);
/*
 * Lists the numbers of the programs on an interface, in the order in which they run: *count is room for so many, and
 * then how many there are.  -ENOSPC: there are more.
 */
int32_t link_bpf_query(uint32_t ifindex, uint32_t attach_type, uint32_t *ids, uint32_t *count);
/* Gives a descriptor a name in a BPF file system, which holds it too; and opens one by its name. */
int32_t link_bpf_pin(int32_t fd, const char *path);
int32_t link_bpf_open(const char *path);

/* The kernel's record of a loaded program. */
struct link_bpf_info {
    uint32_t id;
    uint32_t instructions;
    uint32_t verified; /* instructions that the verifier walked; its limit is a million */
    uint8_t name[16];  /* ends with a zero */
};
int32_t link_bpf_info(int32_t program, struct link_bpf_info *info);
int32_t link_bpf_program(uint32_t id); /* opens a loaded program by its number */

/* A mapped ring buffer of programs. */
struct link_bpf_ring {
    uint64_t *consumer;       /* bytes read since the start, a link_position */
    const uint64_t *producer; /* bytes written, the same */
    const uint8_t *data;      /* 2 * size bytes: the ring twice */
    uint32_t size;            /* a power of two */
    uint32_t reserved;
};
/* Maps a ring buffer of so many bytes, until it is closed.  The descriptor stays the caller's, who may poll(2) it. */
int32_t link_bpf_ring_open(int32_t map, uint32_t size, struct link_bpf_ring *ring);
void link_bpf_ring_close(struct link_bpf_ring *ring);
/* Takes out the oldest record.  Returns its size; 0: there is none.  One that is larger than out_max is passed over. */
uint32_t link_bpf_ring_take(struct link_bpf_ring *ring, uint8_t *out, uint32_t out_max);

/* A packet given to a program by BPF_PROG_TEST_RUN. */
struct link_bpf_run {
    const uint8_t *in;
    uint8_t *out;
    uint32_t in_size;
    uint32_t out_size; /* room, and after the run the bytes written */
    uint32_t repeat;
    uint32_t ifindex; /* by which it comes, for programs of tc; 0: the loopback */
    uint32_t verdict;
    uint32_t duration_ns; /* of one */
};
int32_t link_bpf_run(int32_t program, struct link_bpf_run *run);

/* A question to BTF: the number of a function (`structure` is NULL) or structure (`name` is), or a member's offset. */
struct link_btf_question {
    const char *structure;
    const char *name;
    int32_t answer; /* an offset is in bytes; -ENOENT: there is none */
};

/*
 * Asks BTF, the kernel's description of itself (/sys/kernel/btf/vmlinux), which is read and never trusted.
 *
 *   returns  0, or -EINVAL: not BTF
 */
int32_t link_btf_ask(const uint8_t *btf, uint32_t btf_size, struct link_btf_question *questions, uint32_t count);

/*
 * Copies the packets from->next .. from->count with their checksum states to
 * the end of `to`, and advances from->next.  Makes no system call.
 *
 *   out      dropped  packets that no slot of `to` can hold, passed over
 *   returns  packets consumed, dropped ones included; fewer than there are:
 * `to` is full
 */
uint32_t link_copy(struct syncache_ring *from, struct syncache_ring *to,
                   uint32_t *dropped);

/* Consumes rx->next .. rx->count and lists them all in rx->passed: an engine that forwards everything. */
void link_pass(struct syncache_ring *rx);

/* cffi: end. */

#endif

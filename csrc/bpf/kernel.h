/*
 * The parts of the kernel that its programs need: helpers by their numbers, maps, sections.  Stands in for libbpf's
 * headers, so that a compiler and the kernel's own headers build them.
 *
 * Little-endian machines only, as every word that is read from a packet here.
 */
#ifndef SYNCACHE_BPF_KERNEL_H
#define SYNCACHE_BPF_KERNEL_H

/* A call would need a second frame of stack, and would be verified again from each place. */
#define inline inline __attribute__((always_inline))

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTION(name) __attribute__((section(name), used))

/* Read by build.py, which writes it down for the loader. */
struct kernel_map {
    uint32_t type;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t entries;
    uint32_t flags;
};
#define MAP(name, kind, key, value, count, bits) \
    struct kernel_map name SECTION("maps") = {kind, key, value, count, bits}

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static int64_t (*const map_update)(void *map, const void *key, const void *value,
                                   uint64_t flags) = (void *)BPF_FUNC_map_update_elem;
static int64_t (*const map_push)(void *map, const void *value, uint64_t flags) = (void *)BPF_FUNC_map_push_elem;
static uint64_t (*const ktime_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;
/* The same clock as of the last tick, at a tenth of the price; so it may be behind what another reader saw. */
static uint64_t (*const ktime_tick_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;
static uint32_t (*const processor_id)(void) = (void *)BPF_FUNC_get_smp_processor_id;
/* Counts ticks; no call is left of it. */
static uint64_t (*const jiffies)(void) = (void *)BPF_FUNC_jiffies64;
static int64_t (*const tail_call)(void *context, void *map, uint32_t index) = (void *)BPF_FUNC_tail_call;
static int64_t (*const ring_output)(void *ring, const void *data, uint64_t size,
                                    uint64_t flags) = (void *)BPF_FUNC_ringbuf_output;
static int64_t (*const csum_diff)(const void *from, uint32_t from_size, const void *to, uint32_t to_size,
                                  uint32_t seed) = (void *)BPF_FUNC_csum_diff;
static uint64_t (*const xdp_size)(struct xdp_md *frame) = (void *)BPF_FUNC_xdp_get_buff_len;
static int64_t (*const xdp_load)(struct xdp_md *frame, uint32_t offset, void *to,
                                 uint32_t size) = (void *)BPF_FUNC_xdp_load_bytes;
static int64_t (*const xdp_store)(struct xdp_md *frame, uint32_t offset, const void *from,
                                  uint32_t size) = (void *)BPF_FUNC_xdp_store_bytes;
static int64_t (*const xdp_resize)(struct xdp_md *frame, int32_t delta) = (void *)BPF_FUNC_xdp_adjust_tail;
static int64_t (*const skb_load)(const void *skb, uint32_t offset, void *to,
                                 uint32_t size) = (void *)BPF_FUNC_skb_load_bytes;
static struct bpf_sock *(*const socket_lookup)(void *context, const void *tuple, uint32_t size, uint64_t netns,
                                               uint64_t flags) = (void *)BPF_FUNC_skc_lookup_tcp;
static int64_t (*const socket_release)(void *socket) = (void *)BPF_FUNC_sk_release;
static void *(*const socket_tcp)(void *socket) = (void *)BPF_FUNC_skc_to_tcp_sock;

/* The only element of an array. */
static inline void *
map_first(void *map)
{
    uint32_t zero = 0;

    return map_lookup(map, &zero);
}

/*
 * A field of the kernel's own structures.  The offset is a number that no structure reaches; build.py notes where it
 * stands, and the loader puts in what the running kernel's BTF has.
 */
#define KERNEL_FIELD(value, pointer, number) \
    __asm__ volatile("%0 = *(u32 *)(%1 + " #number ")" : "=r"(value) : "r"(pointer))
#define KERNEL_FIELD16(value, pointer, number) \
    __asm__ volatile("%0 = *(u16 *)(%1 + " #number ")" : "=r"(value) : "r"(pointer))
#define KERNEL_QLEN(value, socket) KERNEL_FIELD(value, socket, 28673)
#define KERNEL_BACKLOG(value, socket) KERNEL_FIELD(value, socket, 28674)
#define KERNEL_BACKLOG_MAX(value, socket) KERNEL_FIELD(value, socket, 28675)
#define KERNEL_MSS(value, socket) KERNEL_FIELD16(value, socket, 28677)
/* A byte that some kernels do not have, which is 0 there. */
#define KERNEL_MPTCP(value, socket) \
    __asm__ volatile("%0 = *(u8 *)(%1 + 28676)" : "=r"(value) : "r"(socket))

/* Whether a pointer is there, as 0 or 1. */
#define KERNEL_IS_SET(value, pointer, number) \
    __asm__ volatile("%0 = *(u64 *)(%1 + " #number ")\n\tif %0 == 0 goto +2\n\t%0 = 1\n\tgoto +1\n\t%0 = 0" \
                     : "=r"(value) \
                     : "r"(pointer))
#define KERNEL_RCVBUF(value, socket) KERNEL_FIELD(value, socket, 28678)
#define KERNEL_MD5(value, socket) KERNEL_IS_SET(value, socket, 28679)
#define KERNEL_AO(value, socket) KERNEL_IS_SET(value, socket, 28680)
/* The least hop limit that a socket takes, of IPv4 and of IPv6, whose part is reached by a pointer. */
#define KERNEL_MIN_TTL(value, socket) __asm__ volatile("%0 = *(u8 *)(%1 + 28681)" : "=r"(value) : "r"(socket))
#define KERNEL_V6(part, socket) __asm__ volatile("%0 = *(u64 *)(%1 + 28682)" : "=r"(part) : "r"(socket))
#define KERNEL_MIN_HOPS(value, part) __asm__ volatile("%0 = *(u8 *)(%1 + 28683)" : "=r"(value) : "r"(part))

/* The DSCP that a listener gives its packets, of IPv4 and of IPv6. */
#define KERNEL_TOS(value, socket) __asm__ volatile("%0 = *(u8 *)(%1 + 28691)" : "=r"(value) : "r"(socket))
#define KERNEL_TCLASS(value, part) __asm__ volatile("%0 = *(u8 *)(%1 + 28692)" : "=r"(value) : "r"(part))

/* What a connection has sent and received, by which its ISNs are known. */
#define KERNEL_SND_UNA(value, socket) KERNEL_FIELD(value, socket, 28684)
#define KERNEL_RCV_NXT(value, socket) KERNEL_FIELD(value, socket, 28685)
#define KERNEL_ACKED(value, socket) __asm__ volatile("%0 = *(u64 *)(%1 + 28686)" : "=r"(value) : "r"(socket))
#define KERNEL_RECEIVED(value, socket) __asm__ volatile("%0 = *(u64 *)(%1 + 28687)" : "=r"(value) : "r"(socket))

/* What several listeners of one port have in common, and the program that chooses one of them. */
#define KERNEL_GROUP(group, socket) __asm__ volatile("%0 = *(u64 *)(%1 + 28688)" : "=r"(group) : "r"(socket))
#define KERNEL_CHOOSER(value, group) KERNEL_IS_SET(value, group, 28689)

/*
 * The number of a structure among the kernel's types, which the loader puts in as it does offsets; and a pointer to one
 * of which nothing is to be trusted but where it points (Linux 6.2).  Where the verifier trusts a pointer, it searches
 * all the kernel's types several times for each pointer that is read by it, each time that it comes by: half of all its
 * time, for programs as these.
 */
#define KERNEL_TYPE_TCP_SOCK(number) __asm__ volatile("%0 = 28690" : "=r"(number))
extern void *bpf_rdonly_cast(const void *object, uint32_t type);

static inline void *
kernel_untrusted(void *tcp)
{
    uint64_t type;

    KERNEL_TYPE_TCP_SOCK(type);
    return bpf_rdonly_cast(tcp, (uint32_t)type);
}

/* A loop whose body the verifier looks at until nothing new comes of it, not once for each round (Linux 6.4). */
struct bpf_iter_num {
    uint64_t opaque;
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num *loop, int from, int until);
extern int *bpf_iter_num_next(struct bpf_iter_num *loop);
extern void bpf_iter_num_destroy(struct bpf_iter_num *loop);

/* Keeps the compiler from knowing a value, which would make it forget a bound that the verifier has to see. */
#define KERNEL_OPAQUE(value) __asm__ volatile("" : "+r"(value))

#endif

/*
 * flood_bpf.c: makes SYNs and counts SYN-ACKs inside the kernel.
 *
 * Two eBPF programs, written as instructions so that no compiler for them is
 * needed.  The generator gets a page that it has perhaps filled before, and that
 * a receiver which transmits in place (XDP_TX) has turned into its answer, so it
 * writes the whole frame every time.  While it is ahead of the rate it drops the
 * frame, which costs no more than making one.  Held up by others, it does not
 * make good what it missed: that would be another flood, of all that there is.
 *
 * Not here: the template, the clock, the window; flood.c.
 */
#define _GNU_SOURCE 1 /* syscall */
#include "flood_bpf.h"

#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS of Linux 6.6 */
#define TCX_NEXT (-1)
#define TCX_DROP 2
#define OWED_MAX 256 /* what the ring of a veth device holds */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Offsets in a frame. */
enum {
    IP_SUM = 24,
    SADDR = 26,
    SPORT = 34,
    SEQ = 38,
    TCP_SUM = 50,
    TSVAL = 62
};

/* Instructions, in the words of <linux/bpf.h>. */
#define INSN(c, d, s, o, i) \
    {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define OP(op, d, s) INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define OPI(op, d, i) INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define MOV32(d, s) INSN(BPF_ALU | BPF_MOV | BPF_X, d, s, 0, 0)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, o, s) INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define INCREMENT(d, o, s) INSN(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, o, BPF_ADD)
#define PACKET(size, o) INSN(BPF_LD | BPF_ABS | (size), 0, 0, 0, o)
#define JUMP(op, d, s, o) INSN(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JUMPI(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define TO_END INT16_MAX /* as offset: to the last two instructions */
/* r7 = &state */
#define STATE(map)                                                    \
    INSN(BPF_LD | BPF_DW | BPF_IMM, 7, BPF_PSEUDO_MAP_VALUE, 0, map), \
        INSN(0, 0, 0, 0, 0)
#define FIELD(name) offsetof(struct flood_state, name)
/* Copies 8 bytes of the template to the frame, whose address is in r6. */
#define COPY(at) \
    LOAD(BPF_DW, 1, 7, (int16_t)(FIELD(frame) + (at))), STORE(BPF_DW, 6, at, 1)
/* Adds both halves of the 32 bits in `s` to r8; r1 is lost. */
#define SUM(s)                                                        \
    MOV(1, s), OPI(BPF_AND, 1, 0xffff), OP(BPF_ADD, 8, 1), MOV(1, s), \
        OPI(BPF_RSH, 1, 16), OP(BPF_ADD, 8, 1)
/* Folds the sum in `d` to 16 bits and complements it; r1 is lost. */
#define FOLD(d)                                                               \
    MOV(1, d), OPI(BPF_RSH, 1, 16), OPI(BPF_AND, d, 0xffff),                  \
        OP(BPF_ADD, d, 1), MOV(1, d), OPI(BPF_RSH, 1, 16), OP(BPF_ADD, d, 1), \
        OPI(BPF_XOR, d, -1)

static int
bpf(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int
load(uint32_t type, struct bpf_insn *insns, size_t insns_count)
{
    union bpf_attr attr;

    for (size_t i = 0; i < insns_count; i++)
        if (insns[i].off == TO_END)
            insns[i].off = (int16_t)(insns_count - 3 - i);
    memset(&attr, 0, sizeof attr);
    attr.prog_type = type;
    attr.insns = (uintptr_t)insns;
    attr.insn_cnt = (uint32_t)insns_count;
    attr.license = (uintptr_t)"Dual BSD/GPL";
    return bpf(BPF_PROG_LOAD, &attr);
}

/* Until the descriptor that it returns is closed. */
static int
attach(int program, unsigned interface, unsigned type)
{
    union bpf_attr attr;

    if (program < 0)
        return -1;
    memset(&attr, 0, sizeof attr);
    attr.link_create.prog_fd = (uint32_t)program;
    attr.link_create.target_ifindex = interface;
    attr.link_create.attach_type = type;
    return bpf(BPF_LINK_CREATE, &attr);
}

int
flood_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = sizeof(struct flood_state);
    attr.max_entries = 1;
    attr.map_flags = BPF_F_MMAPABLE;
    return bpf(BPF_MAP_CREATE, &attr);
}

int
flood_generator(int map, unsigned interface)
{
    struct bpf_insn insns[] = {
        LOAD(BPF_W, 6, 1, offsetof(struct xdp_md, data)),
        LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data_end)), MOV(3, 6),
        OPI(BPF_ADD, 3, FRAME_SIZE), JUMP(BPF_JGT, 3, 2, TO_END), STATE(map),
        /* Ahead of (now - start) * rate? */
        CALL(BPF_FUNC_ktime_get_ns), LOAD(BPF_DW, 1, 7, FIELD(start_ns)),
        OP(BPF_SUB, 0, 1), LOAD(BPF_DW, 1, 7, FIELD(rate)), OP(BPF_MUL, 0, 1),
        OPI(BPF_RSH, 0, 32), LOAD(BPF_DW, 1, 7, FIELD(sent)),
        LOAD(BPF_DW, 2, 7, FIELD(forgiven)), OP(BPF_ADD, 1, 2),
        JUMP(BPF_JGE, 1, 0, TO_END),
        /* What it owes beyond OWED_MAX is never sent. */
        OP(BPF_SUB, 0, 1), JUMPI(BPF_JLE, 0, OWED_MAX, 3),
        OPI(BPF_SUB, 0, OWED_MAX), OP(BPF_ADD, 2, 0),
        STORE(BPF_DW, 7, FIELD(forgiven), 2), LOAD(BPF_DW, 1, 7, FIELD(sent)),
        OPI(BPF_ADD, 1, 1), STORE(BPF_DW, 7, FIELD(sent), 1),
        /* The template, all of it. */
        COPY(0), COPY(8), COPY(16), COPY(24), COPY(32), COPY(40), COPY(48),
        COPY(56), COPY(64), LOAD(BPF_H, 1, 7, FIELD(frame) + FRAME_WORDS_SIZE),
        STORE(BPF_H, 6, FRAME_WORDS_SIZE, 1),
        /* 10.x.y.z, and its sum into r8 */
        CALL(BPF_FUNC_get_prandom_u32), OPI(BPF_LSH, 0, 8), OPI(BPF_OR, 0, 10),
        MOV32(9, 0), STORE(BPF_W, 6, SADDR, 9), SET(8, 0), SUM(9),
        LOAD(BPF_DW, 2, 7, FIELD(ip_sum)), OP(BPF_ADD, 2, 8), FOLD(2),
        STORE(BPF_H, 6, IP_SUM, 2),
        /* TSval, whose low half is the port too, then not below 1024 */
        CALL(BPF_FUNC_get_prandom_u32), STORE(BPF_W, 6, TSVAL, 0), SUM(0),
        OPI(BPF_OR, 0, 4), STORE(BPF_H, 6, SPORT, 0), OPI(BPF_AND, 0, 0xffff),
        OP(BPF_ADD, 8, 0), CALL(BPF_FUNC_get_prandom_u32),
        STORE(BPF_W, 6, SEQ, 0), SUM(0), LOAD(BPF_DW, 2, 7, FIELD(tcp_sum)),
        OP(BPF_ADD, 2, 8), FOLD(2), STORE(BPF_H, 6, TCP_SUM, 2),
        SET(1, (int32_t)interface), SET(2, 0), CALL(BPF_FUNC_redirect), EXIT,
        SET(0, XDP_DROP), EXIT};

    return load(BPF_PROG_TYPE_XDP, insns, COUNT(insns));
}

int
flood_count_answers(int map, unsigned interface)
{
    struct bpf_insn insns[] = {
        MOV(6, 1), STATE(map), SET(9, 1), PACKET(BPF_H, 12),
        JUMPI(BPF_JNE, 0, 0x0800, TO_END), PACKET(BPF_B, 30),
        JUMPI(BPF_JNE, 0, 10, TO_END),
        /* 10/8 is nobody else's: count and drop */
        PACKET(BPF_B, 47), OPI(BPF_AND, 0, 0x17), JUMPI(BPF_JNE, 0, 0x12, 3),
        INCREMENT(7, FIELD(answered), 9), SET(0, TCX_DROP), EXIT,
        INCREMENT(7, FIELD(others), 9), SET(0, TCX_DROP), EXIT,
        SET(0, TCX_NEXT), EXIT};
    return attach(load(BPF_PROG_TYPE_SCHED_CLS, insns, COUNT(insns)), interface,
                  TCX_INGRESS);
}

int
flood_count_frames(int map, unsigned interface)
{
    struct bpf_insn insns[] = {
        LOAD(BPF_W, 6, 1, offsetof(struct xdp_md, data)),
        LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data_end)),
        MOV(3, 6),
        OPI(BPF_ADD, 3, 54),
        JUMP(BPF_JGT, 3, 2, TO_END),
        STATE(map),
        SET(9, 1),
        LOAD(BPF_H, 0, 6, 12),
        JUMPI(BPF_JNE, 0, 0x0008, TO_END),
        LOAD(BPF_B, 0, 6, 30),
        JUMPI(BPF_JNE, 0, 10, TO_END),
        LOAD(BPF_B, 0, 6, 47),
        OPI(BPF_AND, 0, 0x17),
        JUMPI(BPF_JNE, 0, 0x12, 3),
        INCREMENT(7, FIELD(answered), 9),
        SET(0, XDP_DROP),
        EXIT,
        INCREMENT(7, FIELD(others), 9),
        SET(0, XDP_DROP),
        EXIT,
        SET(0, XDP_PASS),
        EXIT};

    return attach(load(BPF_PROG_TYPE_XDP, insns, COUNT(insns)), interface,
                  BPF_XDP);
}

int
flood_run(int generator, const uint8_t frame[static FRAME_SIZE],
          uint32_t repeat, uint32_t batch)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (uint32_t)generator;
    attr.test.data_in = (uintptr_t)frame;
    attr.test.data_size_in = FRAME_SIZE;
    attr.test.repeat = repeat;
    attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    attr.test.batch_size = batch;
    return bpf(BPF_PROG_TEST_RUN, &attr);
}

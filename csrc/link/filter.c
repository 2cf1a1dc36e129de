/* Classic BPF.  See filter.h. */
#include "filter.h"

#include <string.h>

enum { SCRATCH = 16 };

/* Classes, and the parts of a code: <net/bpf.h> of any system. */
enum { LD, LDX, ST, STX, ALU, JMP, RET, MISC };
enum { IMM = 0x00, ABS = 0x20, IND = 0x40, MEM = 0x60, LEN = 0x80, MSH = 0xa0 };
enum { WORD = 0x00, HALF = 0x08, BYTE = 0x10 };
enum {
    ADD = 0x00,
    SUB = 0x10,
    MUL = 0x20,
    DIV = 0x30,
    OR = 0x40,
    AND = 0x50,
    LSH = 0x60,
    RSH = 0x70,
    NEG = 0x80,
    MOD = 0x90,
    XOR = 0xa0
};
enum { JA = 0x00, JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40 };
enum { SOURCE_X = 0x08, RETURN_A = 0x10, TXA = 0x80 };

bool
filter_valid(const struct filter_instruction *program, uint32_t count)
{
    if (count == 0 || count > FILTER_INSTRUCTIONS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct filter_instruction *at = &program[i];
        uint32_t class = at->code & 7u, left = count - i - 1;
        bool memory =
            class == ST || class == STX ||
            ((class == LD || class == LDX) && (at->code & 0xe0u) == MEM);

        if (memory && at->k >= SCRATCH)
            return false;
        if (class != JMP)
            continue;
        if ((at->code & 0xf0u) == JA
                ? at->k >= left
                : at->jump_true >= left || at->jump_false >= left)
            return false;
    }
    return (program[count - 1].code & 7u) == RET;
}

struct machine {
    const uint8_t *frame;
    uint32_t size, wire_size;
    uint32_t a, x;
    uint32_t scratch[SCRATCH];
};

/* Reads a number of 1, 2 or 4 bytes; false: it is not all there. */
static bool
filter_read(const struct machine *machine, uint64_t at, uint32_t width,
            uint32_t *value)
{
    uint32_t bytes = width == WORD ? 4 : width == HALF ? 2 : 1;

    if (at + bytes > machine->size)
        return false;
    *value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        *value = *value << 8 | machine->frame[at + i];
    return true;
}

static bool
filter_load(struct machine *machine, const struct filter_instruction *at)
{
    bool to_x = (at->code & 7u) == LDX;
    uint32_t *into = to_x ? &machine->x : &machine->a;
    uint32_t width = at->code & 0x18u;

    switch (at->code & 0xe0u) {
    case IMM:
        *into = at->k;
        return true;
    case MEM:
        *into = machine->scratch[at->k];
        return true;
    case LEN:
        *into = machine->wire_size;
        return true;
    case ABS:
        return filter_read(machine, at->k, width, into);
    case IND:
        return filter_read(machine, (uint64_t)machine->x + at->k, width, into);
    case MSH: /* the length of an IPv4 header */
        if (!filter_read(machine, at->k, BYTE, into))
            return false;
        *into = (*into & 15u) * 4;
        return true;
    default:
        return false;
    }
}

static bool
filter_calculate(struct machine *machine, uint32_t operation, uint32_t by)
{
    uint32_t a = machine->a;

    if ((operation == DIV || operation == MOD) && by == 0)
        return false;
    switch (operation) {
    case ADD:
        a += by;
        break;
    case SUB:
        a -= by;
        break;
    case MUL:
        a *= by;
        break;
    case DIV:
        a /= by;
        break;
    case MOD:
        a %= by;
        break;
    case OR:
        a |= by;
        break;
    case AND:
        a &= by;
        break;
    case XOR:
        a ^= by;
        break;
    case LSH:
        a = by < 32 ? a << by : 0;
        break;
    case RSH:
        a = by < 32 ? a >> by : 0;
        break;
    case NEG:
        a = 0 - a;
        break;
    default:
        return false;
    }
    machine->a = a;
    return true;
}

static bool
filter_test(const struct machine *machine, uint32_t operation, uint32_t with)
{
    switch (operation) {
    case JEQ:
        return machine->a == with;
    case JGT:
        return machine->a > with;
    case JGE:
        return machine->a >= with;
    default:
        return (machine->a & with) != 0;
    }
}

/* Executes an instruction that neither jumps nor returns; false: refuse. */
static bool
filter_step(struct machine *machine, const struct filter_instruction *at)
{
    switch (at->code & 7u) {
    case LD:
    case LDX:
        return filter_load(machine, at);
    case ST:
        machine->scratch[at->k] = machine->a;
        return true;
    case STX:
        machine->scratch[at->k] = machine->x;
        return true;
    case ALU:
        return filter_calculate(machine, at->code & 0xf0u,
                                at->code & SOURCE_X ? machine->x : at->k);
    default: /* MISC: a copy one way or the other */
        if ((at->code & 0xf8u) == TXA)
            machine->a = machine->x;
        else
            machine->x = machine->a;
        return true;
    }
}

bool
filter_run(const struct filter_instruction *program, const uint8_t *frame,
           uint32_t size, uint32_t wire_size)
{
    struct machine machine = {
        .frame = frame, .size = size, .wire_size = wire_size};

    /* Every jump goes forward, so it ends. */
    for (const struct filter_instruction *at = program;; at++) {
        uint32_t class = at->code & 7u, operation = at->code & 0xf0u;

        if (class == RET)
            return (at->code & RETURN_A ? machine.a : at->k) != 0;
        if (class != JMP) {
            if (!filter_step(&machine, at))
                return false;
        } else if (operation == JA) {
            at += at->k;
        } else {
            uint32_t with = at->code & SOURCE_X ? machine.x : at->k;
            at += filter_test(&machine, operation, with) ? at->jump_true
                                                         : at->jump_false;
        }
    }
}

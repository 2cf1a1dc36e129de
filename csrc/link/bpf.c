/*
 * bpf(2): the few calls that a link's own small program needs, so that no
 * library and no compiler is needed at run time.
 *
 * A program is attached through a link descriptor, so the kernel takes it off
 * by itself when the last process that holds the descriptor is gone.
 *
 * The programs themselves are put together in syncache/links/bpf.py.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "link.h"

static int32_t
bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    int32_t result;
    do {
        result = (int32_t)syscall(SYS_bpf, command, attr, sizeof *attr);
    } while (result < 0 && errno == EAGAIN);
    return result < 0 ? -errno : result;
}

int32_t
link_bpf_map(uint32_t type, uint32_t key_size, uint32_t value_size,
             uint32_t entries)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = key_size;
    attr.value_size = value_size;
    attr.max_entries = entries;
    return bpf(BPF_MAP_CREATE, &attr);
}

int32_t
link_bpf_map_set(int32_t map, uint32_t key, uint32_t value)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = (uintptr_t)&key;
    attr.value = (uintptr_t)&value;
    return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

int32_t
link_bpf_load(uint32_t type, uint32_t attach_type, const uint8_t *program,
              uint32_t instructions)
{
    static const char license[] = "BSD";
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = type;
    attr.expected_attach_type = attach_type;
    attr.insns = (uintptr_t)program;
    attr.insn_cnt = instructions;
    attr.license = (uintptr_t)license;
    return bpf(BPF_PROG_LOAD, &attr);
}

int32_t
link_bpf_attach(int32_t program, uint32_t ifindex, uint32_t attach_type,
                uint32_t flags)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.link_create.prog_fd = (uint32_t)program;
    attr.link_create.target_ifindex = ifindex;
    attr.link_create.attach_type = attach_type;
    attr.link_create.flags = flags;
    return bpf(BPF_LINK_CREATE, &attr);
}

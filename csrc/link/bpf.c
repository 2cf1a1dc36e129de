/*
 * bpf(2): the few calls that a link's own small program needs, so that no
 * library and no compiler is needed at run time.
 *
 * A program is attached through a link descriptor, so the kernel takes it off
 * by itself when the last process that holds the descriptor is gone.
 *
 * The programs themselves are put together in syncache/links/bpf.py, or were
 * compiled from csrc/bpf.
 */
#define _DEFAULT_SOURCE /* syscall */

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
             uint32_t entries, uint32_t flags)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = key_size;
    attr.value_size = value_size;
    attr.max_entries = entries;
    attr.map_flags = flags;
    return bpf(BPF_MAP_CREATE, &attr);
}

int32_t
link_bpf_element(uint32_t command, int32_t map, const uint8_t *key,
                 uint8_t *value)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = (uintptr_t)key;
    attr.value = (uintptr_t)value;
    return bpf((enum bpf_cmd)command, &attr);
}

int32_t
link_bpf_batch(uint32_t command, int32_t map, const uint32_t *in, uint32_t *out,
               uint8_t *keys, uint8_t *values, uint32_t *count)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.batch.in_batch = (uintptr_t)in;
    attr.batch.out_batch = (uintptr_t)out;
    attr.batch.keys = (uintptr_t)keys;
    attr.batch.values = (uintptr_t)values;
    attr.batch.count = *count;
    attr.batch.map_fd = (uint32_t)map;
    int32_t result = bpf((enum bpf_cmd)command, &attr);
    *count = attr.batch.count;
    return result;
}

int32_t
link_bpf_load(uint32_t type, uint32_t attach_type, uint32_t flags,
              const char *name, const uint8_t *program, uint32_t instructions,
              uint8_t *log, uint32_t log_size)
{
    /* Functions of the kernel are for programs that the GPL covers too. */
    static const char license[] = "Dual BSD/GPL";
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = type;
    attr.expected_attach_type = attach_type;
    attr.prog_flags = flags;
    attr.insns = (uintptr_t)program;
    attr.insn_cnt = instructions;
    attr.license = (uintptr_t)license;
    for (size_t i = 0; i < sizeof attr.prog_name - 1 && name[i] != 0; i++)
        attr.prog_name[i] = name[i];
    if (log_size > 0) {
        attr.log_level = 1;
        attr.log_buf = (uintptr_t)log;
        attr.log_size = log_size;
    }
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

int32_t
link_bpf_replace(int32_t link, int32_t program)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.link_update.link_fd = (uint32_t)link;
    attr.link_update.new_prog_fd = (uint32_t)program;
    return bpf(BPF_LINK_UPDATE, &attr);
}

int32_t
link_bpf_query(uint32_t ifindex, uint32_t attach_type, uint32_t *ids,
               uint32_t *count)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = ifindex; /* older headers have no other name */
    attr.query.attach_type = attach_type;
    attr.query.prog_ids = (uintptr_t)ids;
    attr.query.prog_cnt = *count;
    int32_t result = bpf(BPF_PROG_QUERY, &attr);
    *count = attr.query.prog_cnt;
    return result;
}

int32_t
link_bpf_pin(int32_t fd, const char *path)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.pathname = (uintptr_t)path;
    attr.bpf_fd = (uint32_t)fd;
    return bpf(BPF_OBJ_PIN, &attr);
}

int32_t
link_bpf_open(const char *path)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.pathname = (uintptr_t)path;
    return bpf(BPF_OBJ_GET, &attr);
}

int32_t
link_bpf_info(int32_t program, struct link_bpf_info *info)
{
    struct bpf_prog_info known;
    union bpf_attr attr;
    memset(&known, 0, sizeof known);
    memset(&attr, 0, sizeof attr);
    attr.info.bpf_fd = (uint32_t)program;
    attr.info.info_len = sizeof known;
    attr.info.info = (uintptr_t)&known;
    int32_t result = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
    if (result < 0)
        return result;
    info->id = known.id;
    info->instructions = known.xlated_prog_len / 8;
    info->verified = known.verified_insns;
    memset(info->name, 0, sizeof info->name);
    memcpy(info->name, known.name, sizeof info->name - 1);
    return 0;
}

int32_t
link_bpf_program(uint32_t id)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

int32_t
link_bpf_run(int32_t program, struct link_bpf_run *run)
{
    struct __sk_buff context;
    union bpf_attr attr;
    memset(&context, 0, sizeof context);
    memset(&attr, 0, sizeof attr);
    context.ifindex = run->ifindex;
    if (run->ifindex != 0) {
        attr.test.ctx_in = (uintptr_t)&context;
        attr.test.ctx_size_in = sizeof context;
    }
    attr.test.prog_fd = (uint32_t)program;
    attr.test.data_in = (uintptr_t)run->in;
    attr.test.data_size_in = run->in_size;
    attr.test.data_out = (uintptr_t)run->out;
    attr.test.data_size_out = run->out_size;
    attr.test.repeat = run->repeat;
    int32_t result = bpf(BPF_PROG_TEST_RUN, &attr);
    if (result < 0)
        return result;
    run->verdict = attr.test.retval;
    run->out_size = attr.test.data_size_out;
    run->duration_ns = attr.test.duration;
    return 0;
}

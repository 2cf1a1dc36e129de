/*
 * The calls of bpf(2), with a syscall() that stands for the kernel: which
 * command each makes, of which fields, and what comes of the answer.  What the
 * kernel itself does with them: tests/netns/test_shield_programs.py.
 */
#define _DEFAULT_SOURCE

#include "../../csrc/link/link.h"
#include "test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel: what it was asked, and what it answers. */
static long asked_call;
static int asked_command;
static union bpf_attr asked;
static size_t asked_size;
static unsigned busy;
static int answer;
static void (*fill)(union bpf_attr *attr);

long
syscall(long number, ...)
{
    va_list words;
    va_start(words, number);
    asked_call = number;
    asked_command = va_arg(words, int);
    union bpf_attr *attr = va_arg(words, union bpf_attr *);
    asked_size = va_arg(words, size_t);
    va_end(words);
    asked = *attr;
    if (busy > 0) {
        busy--;
        errno = EAGAIN;
        return -1;
    }
    if (answer < 0) {
        errno = -answer;
        return -1;
    }
    if (fill != NULL)
        fill(attr);
    return answer;
}

static void
start(int result)
{
    volatile uint8_t stack[1024]; /* where the call's own attributes will lie */
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = 0xee;
    memset(&asked, 0xee, sizeof asked);
    busy = 0;
    answer = result;
    fill = NULL;
}

/* The call was this one, with these fields and zeros. */
static void
expect_asked(int command, const union bpf_attr *expected)
{
    EXPECT_EQ(SYS_bpf, asked_call);
    EXPECT_EQ(command, asked_command);
    EXPECT_EQ(sizeof asked, asked_size);
    EXPECT_BYTES((const uint8_t *)expected, (const uint8_t *)&asked,
                 sizeof asked);
}

static union bpf_attr
nothing(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    return attr;
}

static void
test_map_is_made_as_asked(void)
{
    union bpf_attr attr = nothing();
    attr.map_type = BPF_MAP_TYPE_LRU_HASH;
    attr.key_size = 4;
    attr.value_size = 24;
    attr.max_entries = 100;
    attr.map_flags = BPF_F_NO_COMMON_LRU;
    start(7);
    EXPECT_EQ(7, link_bpf_map(BPF_MAP_TYPE_LRU_HASH, 4, 24, 100,
                              BPF_F_NO_COMMON_LRU));
    expect_asked(BPF_MAP_CREATE, &attr);
}

static void
test_refusal_is_its_error(void)
{
    start(-EPERM);
    EXPECT_EQ((uint64_t)-EPERM, (uint64_t)link_bpf_map(1, 4, 4, 1, 0));
    EXPECT_EQ((uint64_t)-EPERM, (uint64_t)link_bpf_open("/sys/fs/bpf/x"));
}

static void
test_busy_kernel_is_asked_again(void)
{
    start(5);
    busy = 3;
    EXPECT_EQ(5, link_bpf_program(9));
    EXPECT_EQ(0, busy);
}

static void
test_element_is_that_of_the_map(void)
{
    union bpf_attr attr = nothing();
    uint8_t key[4], value[8];
    attr.map_fd = 6;
    attr.key = (uintptr_t)key;
    attr.value = (uintptr_t)value;
    start(0);
    EXPECT_EQ(0, link_bpf_element(BPF_MAP_UPDATE_ELEM, 6, key, value));
    expect_asked(BPF_MAP_UPDATE_ELEM, &attr);
}

static void
three_were_done(union bpf_attr *attr)
{
    attr->batch.count = 3;
}

static void
test_batch_reports_how_many_were_done(void)
{
    union bpf_attr attr = nothing();
    uint8_t keys[16], values[32];
    uint32_t in = 1, out = 0, count = 4;
    attr.batch.in_batch = (uintptr_t)&in;
    attr.batch.out_batch = (uintptr_t)&out;
    attr.batch.keys = (uintptr_t)keys;
    attr.batch.values = (uintptr_t)values;
    attr.batch.count = 4;
    attr.batch.map_fd = 6;
    start(0);
    fill = three_were_done;
    EXPECT_EQ(0, link_bpf_batch(BPF_MAP_LOOKUP_BATCH, 6, &in, &out, keys,
                                values, &count));
    expect_asked(BPF_MAP_LOOKUP_BATCH, &attr);
    EXPECT_EQ(3, count);
}

/* Loads a program of three instructions under a name; returns what was asked. */
static union bpf_attr
load(const char *name, uint8_t *log, uint32_t log_size)
{
    static const uint8_t program[24];
    union bpf_attr attr = nothing();
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.expected_attach_type = BPF_XDP;
    attr.prog_flags = BPF_F_XDP_HAS_FRAGS;
    attr.insns = (uintptr_t)program;
    attr.insn_cnt = 3;
    start(8);
    EXPECT_EQ(8, link_bpf_load(BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS,
                               name, program, 3, log, log_size));
    attr.license = asked.license;
    EXPECT_BYTES((const uint8_t *)"Dual BSD/GPL",
                 (const uint8_t *)(uintptr_t)asked.license, 13);
    return attr;
}

static void
test_load_without_room_for_a_log_asks_for_none(void)
{
    union bpf_attr attr = load("pass", NULL, 0);
    memcpy(attr.prog_name, "pass", 4);
    expect_asked(BPF_PROG_LOAD, &attr);
}

static void
test_load_has_the_log_of_the_first_level(void)
{
    uint8_t log[1];
    union bpf_attr attr = load("pass", log, 1);
    memcpy(attr.prog_name, "pass", 4);
    attr.log_level = 1;
    attr.log_buf = (uintptr_t)log;
    attr.log_size = 1;
    expect_asked(BPF_PROG_LOAD, &attr);
}

static void
test_name_is_cut_so_that_it_ends(void)
{
    union bpf_attr attr = load("sixteen_letters_", NULL, 0);
    memcpy(attr.prog_name, "sixteen_letters", 15);
    expect_asked(BPF_PROG_LOAD, &attr);
}

static void
test_attach_and_replace_name_the_program(void)
{
    union bpf_attr attr = nothing();
    attr.link_create.prog_fd = 8;
    attr.link_create.target_ifindex = 2;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = 4;
    start(9);
    EXPECT_EQ(9, link_bpf_attach(8, 2, BPF_XDP, 4));
    expect_asked(BPF_LINK_CREATE, &attr);

    attr = nothing();
    attr.link_update.link_fd = 9;
    attr.link_update.new_prog_fd = 10;
    start(0);
    EXPECT_EQ(0, link_bpf_replace(9, 10));
    expect_asked(BPF_LINK_UPDATE, &attr);
}

static void
test_pin_and_open_name_the_path(void)
{
    static const char path[] = "/sys/fs/bpf/x";
    union bpf_attr attr = nothing();
    attr.pathname = (uintptr_t)path;
    start(4);
    EXPECT_EQ(4, link_bpf_open(path));
    expect_asked(BPF_OBJ_GET, &attr);
    attr.bpf_fd = 9;
    start(0);
    EXPECT_EQ(0, link_bpf_pin(9, path));
    expect_asked(BPF_OBJ_PIN, &attr);
}

static void
describe(union bpf_attr *attr)
{
    struct bpf_prog_info *info =
        (struct bpf_prog_info *)(uintptr_t)attr->info.info;
    const struct bpf_prog_info none = {0};
    EXPECT_EQ(sizeof *info, attr->info.info_len);
    EXPECT_BYTES((const uint8_t *)&none, (const uint8_t *)info, sizeof none);
    info->id = 77;
    info->xlated_prog_len = 48;
    info->verified_insns = 1000;
    memset(info->name, 'n', sizeof info->name);
}

static void
test_info_is_the_kernel_s_record(void)
{
    struct link_bpf_info info;
    union bpf_attr attr = nothing();
    memset(&info, 'x', sizeof info);
    start(0);
    fill = describe;
    EXPECT_EQ(0, link_bpf_info(5, &info));
    attr.info.bpf_fd = 5;
    attr.info.info_len = sizeof(struct bpf_prog_info);
    attr.info.info = asked.info.info;
    expect_asked(BPF_OBJ_GET_INFO_BY_FD, &attr);
    EXPECT_EQ(77, info.id);
    EXPECT_EQ(6, info.instructions);
    EXPECT_EQ(1000, info.verified);
    EXPECT_BYTES((const uint8_t *)"nnnnnnnnnnnnnnn", info.name, 16);
}

static void
test_refused_info_changes_nothing(void)
{
    struct link_bpf_info info = {1, 2, 3, "kept"};
    start(-EBADF);
    EXPECT_EQ((uint64_t)-EBADF, (uint64_t)link_bpf_info(5, &info));
    EXPECT_EQ(1, info.id);
    EXPECT_BYTES((const uint8_t *)"kept", info.name, 5);
}

static void
test_program_is_opened_by_its_number(void)
{
    union bpf_attr attr = nothing();
    attr.prog_id = 77;
    start(5);
    EXPECT_EQ(5, link_bpf_program(77));
    expect_asked(BPF_PROG_GET_FD_BY_ID, &attr);
}

static void
verdict(union bpf_attr *attr)
{
    attr->test.retval = 3;
    attr->test.data_size_out = 54;
    attr->test.duration = 120;
}

static void
test_run_gives_the_packet_and_returns_the_result(void)
{
    uint8_t in[60] = {0}, out[256];
    struct link_bpf_run run = {in, out, sizeof in, sizeof out, 10, 0, 0, 0};
    union bpf_attr attr = nothing();
    attr.test.prog_fd = 8;
    attr.test.data_in = (uintptr_t)in;
    attr.test.data_size_in = sizeof in;
    attr.test.data_out = (uintptr_t)out;
    attr.test.data_size_out = sizeof out;
    attr.test.repeat = 10;
    start(0);
    fill = verdict;
    EXPECT_EQ(0, link_bpf_run(8, &run));
    expect_asked(BPF_PROG_TEST_RUN, &attr);
    EXPECT_EQ(3, run.verdict);
    EXPECT_EQ(54, run.out_size);
    EXPECT_EQ(120, run.duration_ns);
}

static struct __sk_buff context;

static void
take_context(union bpf_attr *attr)
{
    EXPECT_EQ(sizeof context, attr->test.ctx_size_in);
    memcpy(&context, (const void *)(uintptr_t)attr->test.ctx_in,
           sizeof context);
    attr->test.data_size_out = 54;
}

static void
test_run_on_an_interface_says_nothing_else_of_it(void)
{
    /* The kernel refuses a context with other fields than it takes. */
    struct __sk_buff expected;
    struct link_bpf_run run = {.repeat = 1, .ifindex = 9};
    memset(&expected, 0, sizeof expected);
    expected.ifindex = 9;
    start(0);
    fill = take_context;
    EXPECT_EQ(0, link_bpf_run(8, &run));
    EXPECT_BYTES((const uint8_t *)&expected, (const uint8_t *)&context,
                 sizeof context);
}

static void
test_refused_run_has_no_result(void)
{
    struct link_bpf_run run = {NULL, NULL, 0, 9, 1, 0, 9, 9};
    start(-EINVAL);
    EXPECT_EQ((uint64_t)-EINVAL, (uint64_t)link_bpf_run(8, &run));
    EXPECT_EQ(9, run.out_size);
    EXPECT_EQ(9, run.verdict);
}

static void
two_are_there(union bpf_attr *attr)
{
    uint32_t *ids = (uint32_t *)(uintptr_t)attr->query.prog_ids;
    ids[0] = 12;
    ids[1] = 5;
    attr->query.prog_cnt = 2;
}

static void
test_programs_of_an_interface_are_listed(void)
{
    union bpf_attr attr = nothing();
    uint32_t ids[3] = {0}, count = 3;
    attr.query.target_fd = 7;
    attr.query.attach_type = 46;
    attr.query.prog_ids = (uintptr_t)ids;
    attr.query.prog_cnt = 3;
    start(0);
    fill = two_are_there;
    EXPECT_EQ(0, link_bpf_query(7, 46, ids, &count));
    expect_asked(BPF_PROG_QUERY, &attr);
    EXPECT_EQ(2, count);
    EXPECT_EQ(12, ids[0]);
    EXPECT_EQ(5, ids[1]);
}

static const struct test tests[] = {
    TEST(test_map_is_made_as_asked),
    TEST(test_refusal_is_its_error),
    TEST(test_busy_kernel_is_asked_again),
    TEST(test_element_is_that_of_the_map),
    TEST(test_batch_reports_how_many_were_done),
    TEST(test_load_without_room_for_a_log_asks_for_none),
    TEST(test_load_has_the_log_of_the_first_level),
    TEST(test_name_is_cut_so_that_it_ends),
    TEST(test_attach_and_replace_name_the_program),
    TEST(test_pin_and_open_name_the_path),
    TEST(test_info_is_the_kernel_s_record),
    TEST(test_refused_info_changes_nothing),
    TEST(test_program_is_opened_by_its_number),
    TEST(test_run_gives_the_packet_and_returns_the_result),
    TEST(test_run_on_an_interface_says_nothing_else_of_it),
    TEST(test_refused_run_has_no_result),
    TEST(test_programs_of_an_interface_are_listed),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

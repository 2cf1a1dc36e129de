/* Connections in the kernel's maps, with a kernel that is made up: two maps of a
 * few places, a queue, and refusals. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include "test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <time.h>

#include "../../csrc/bpf/offload_abi.h"
#include "../../csrc/link/carried.h"
#include "../../csrc/link/link.h"

enum {
    MAP4 = 4,
    MAP6 = 6,
    EVENTS = 9,
    PLACES = LINK_CARRIED_MAX,
    KEY_MAX = 16
};

static struct {
    uint8_t key[PLACES][KEY_MAX];
    struct offload_entry entry[PLACES];
    uint32_t count, room;
} map[2];
static struct offload_event queue[4];
static uint32_t queued;
static int32_t refusal; /* of a look, or of a whole batch */

static const struct link_carried maps = {
    .map4 = MAP4, .map6 = MAP6, .events = EVENTS, .key = {1, 2, 3, 4}};
static struct flow_handed_session out[PLACES];

static uint32_t
key_size(int32_t descriptor)
{
    return descriptor == MAP4 ? sizeof(struct offload_key4)
                              : sizeof(struct offload_name6);
}

static uint32_t
find(int32_t descriptor, const uint8_t *key)
{
    uint32_t i = 0, m = descriptor == MAP6;

    EXPECT_TRUE(descriptor == MAP4 || descriptor == MAP6);
    while (i < map[m].count &&
           memcmp(map[m].key[i], key, key_size(descriptor)) != 0)
        i++;
    return i;
}

int32_t
link_bpf_element(uint32_t command, int32_t descriptor, const uint8_t *key,
                 uint8_t *value)
{
    if (command == BPF_MAP_LOOKUP_AND_DELETE_ELEM) {
        EXPECT_EQ(EVENTS, descriptor);
        if (queued == 0)
            return -ENOENT;
        memcpy(value, &queue[0], sizeof queue[0]);
        memmove(queue, queue + 1, --queued * sizeof queue[0]);
        return 0;
    }
    uint32_t i = find(descriptor, key), m = descriptor == MAP6;
    if (i == map[m].count)
        return -ENOENT;
    if (command == BPF_MAP_LOOKUP_ELEM) {
        memcpy(value, &map[m].entry[i], sizeof map[m].entry[i]);
        return 0;
    }
    EXPECT_EQ(BPF_MAP_DELETE_ELEM, command);
    map[m].count--;
    memcpy(map[m].key[i], map[m].key[map[m].count], KEY_MAX);
    map[m].entry[i] = map[m].entry[map[m].count];
    return 0;
}

int32_t
link_bpf_batch(uint32_t command, int32_t descriptor, const uint32_t *in,
               uint32_t *next, uint8_t *keys, uint8_t *values, uint32_t *count)
{
    uint32_t m = descriptor == MAP6, size = key_size(descriptor), i = 0;

    if (refusal != 0)
        return refusal;
    if (command == BPF_MAP_UPDATE_BATCH) {
        EXPECT_TRUE(in == NULL && next == NULL && *count > 0);
        for (; i < *count && map[m].count < map[m].room; i++) {
            memcpy(map[m].key[map[m].count], keys + i * size, size);
            memcpy(&map[m].entry[map[m].count++],
                   values + i * sizeof(struct offload_entry),
                   sizeof(struct offload_entry));
        }
        bool all = i == *count;
        *count = i;
        return all ? 0 : -E2BIG;
    }
    EXPECT_EQ(BPF_MAP_LOOKUP_BATCH, command);
    uint32_t from = in == NULL ? 0 : *in;
    for (; i < *count && from + i < map[m].count; i++) {
        memcpy(keys + i * size, map[m].key[from + i], size);
        memcpy(values + i * sizeof(struct offload_entry),
               &map[m].entry[from + i], sizeof(struct offload_entry));
    }
    *count = i;
    *next = from + i;
    return from + i == map[m].count ? -ENOENT : 0;
}

static void
start(void)
{
    memset(map, 0, sizeof map);
    memset(out, 0, sizeof out);
    map[0].room = map[1].room = PLACES;
    queued = 0;
    refusal = 0;
}

static struct flow_handed_session
connection(uint8_t family, uint8_t n)
{
    struct flow_handed_session one = {.tuple = {.family = family,
                                                .fport = (uint16_t)(40000 + n),
                                                .lport = 443},
                                      .delta = 100u + n,
                                      .ts_delta = 200u + n,
                                      .ts_floor = 300u + n,
                                      .flags = 3,
                                      .shift_to_client = -2,
                                      .shift_to_server = 5,
                                      .bytes = {UINT64_C(1) << 33, 7},
                                      .nxt = {11, 12},
                                      .ack = {13, 14},
                                      .number = 900u + n,
                                      .known = 1};
    uint32_t size = family == 4 ? 4 : 16;

    memset(one.tuple.faddr, 0x11, size);
    memset(one.tuple.laddr, 0x22, size);
    one.tuple.faddr[size - 1] = n;
    return one;
}

static void
expect_same(const struct flow_handed_session *want,
            const struct flow_handed_session *got)
{
    EXPECT_EQ(want->delta, got->delta);
    EXPECT_EQ(want->ts_delta, got->ts_delta);
    EXPECT_EQ(want->ts_floor, got->ts_floor);
    EXPECT_EQ(want->flags, got->flags);
    EXPECT_EQ((uint8_t)want->shift_to_client, (uint8_t)got->shift_to_client);
    EXPECT_EQ((uint8_t)want->shift_to_server, (uint8_t)got->shift_to_server);
    EXPECT_TRUE(memcmp(want->bytes, got->bytes, sizeof want->bytes) == 0);
    EXPECT_TRUE(memcmp(want->nxt, got->nxt, sizeof want->nxt) == 0);
    EXPECT_TRUE(memcmp(want->ack, got->ack, sizeof want->ack) == 0);
    EXPECT_EQ(want->number, got->number);
    EXPECT_EQ(want->tuple.fport, got->tuple.fport);
    EXPECT_EQ(want->tuple.lport, got->tuple.lport);
    EXPECT_EQ(want->tuple.family, got->tuple.family);
}

/* Puts connections 0 .. count - 1 of a family there. */
static void
put(uint8_t family, uint8_t count)
{
    struct flow_handed_session records[PLACES];

    for (uint8_t i = 0; i < count; i++)
        records[i] = connection(family, i);
    EXPECT_EQ(0, link_carried_put(&maps, records, count));
}

static int32_t
look(uint32_t family)
{
    struct link_carried_walk walk = {0};

    return link_carried_look(&maps, family, &walk, out, PLACES);
}

static void
test_what_is_put_is_looked_at(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        start();
        put(family, 3);
        EXPECT_EQ(3, look(family));
        for (uint8_t i = 0; i < 3; i++) {
            struct flow_handed_session want = connection(family, i);
            expect_same(&want, &out[i]);
            EXPECT_TRUE(out[i].age_ms < 60000);
            EXPECT_EQ(OFFLOAD_ON, map[family == 6].entry[i].state);
            /* Of IPv6 the end of the client's address, and a hash. */
            if (family == 4)
                EXPECT_TRUE(
                    memcmp(&want.tuple, &out[i].tuple, sizeof want.tuple) == 0);
            else
                EXPECT_BYTES(want.tuple.faddr + 12, out[i].tuple.faddr + 12, 4);
            EXPECT_EQ(family == 4 ? FLOW_KNOWN_NOT : FLOW_KNOWN_BY_NAME,
                      out[i].known);
        }
        EXPECT_EQ(0, look(family == 4 ? 6 : 4));
        if (family == 6)
            EXPECT_TRUE(memcmp(out[0].tuple.laddr, out[1].tuple.laddr, 8) != 0);
    }
}

static void
test_one_call_takes_and_gives_as_many_as_it_may_and_looks_at_no_more(void)
{
    /* Where the sanitizers see a step beyond. */
    struct flow_handed_session *records =
        malloc(LINK_CARRIED_MAX * sizeof *records);

    for (uint8_t family = 4; records != NULL && family <= 6; family += 2) {
        struct link_carried_walk walk = {0};

        start();
        for (uint32_t i = 0; i < LINK_CARRIED_MAX; i++)
            records[i] = connection(family, (uint8_t)i);
        EXPECT_EQ(0, link_carried_put(&maps, records, LINK_CARRIED_MAX));
        EXPECT_EQ(
            LINK_CARRIED_MAX,
            link_carried_look(&maps, family, &walk, records, LINK_CARRIED_MAX));
        for (uint32_t i = 0; i < LINK_CARRIED_MAX; i++) {
            struct flow_handed_session want = connection(family, (uint8_t)i);
            expect_same(&want, &records[i]);
        }
        EXPECT_EQ(LINK_CARRIED_MAX,
                  link_carried_drop(&maps, records, LINK_CARRIED_MAX, 0));
    }
    free(records);
}

static void
test_those_without_room_stay_in_order(void)
{
    struct flow_handed_session records[6];

    for (uint32_t room = 0; room <= 2; room++) {
        start();
        map[0].room = room;
        map[1].room = 2;
        for (uint8_t i = 0; i < 6; i++)
            records[i] = connection(i % 2 ? 6 : 4, i);
        uint32_t left = link_carried_put(&maps, records, 6);
        EXPECT_EQ(3 - room + 1, left);
        EXPECT_EQ(900 + 2 * room, records[0].number);
        EXPECT_EQ(room == 2 ? 905 : 904,
                  records[left - (room == 2 ? 1 : 2)].number);
        EXPECT_EQ(room, map[0].count);
        EXPECT_EQ(2, map[1].count);
    }
}

static void
test_batch_that_did_not_begin_puts_nothing(void)
{
    struct flow_handed_session records[2] = {connection(4, 0),
                                             connection(4, 1)};

    start();
    refusal = -EPERM;
    EXPECT_EQ(2, link_carried_put(&maps, records, 2));
    EXPECT_EQ(0, records[0].known);
    struct link_carried_walk walk = {0};
    EXPECT_EQ(EPERM, -link_carried_look(&maps, 4, &walk, out, PLACES));
    EXPECT_EQ(0, walk.begun);
    EXPECT_EQ(0, link_carried_put(&maps, records, 0));
}

static void
test_walk_goes_on_where_it_was(void)
{
    struct link_carried_walk walk = {0};
    uint32_t seen = 0;

    start();
    put(4, 5);
    for (uint32_t step = 0; step < 3; step++) {
        EXPECT_EQ(0, walk.done);
        int32_t count = link_carried_look(&maps, 4, &walk, out, 2);
        EXPECT_EQ(step < 2 ? 2 : 1, count);
        for (int32_t i = 0; i < count; i++)
            EXPECT_EQ(900 + seen++, out[i].number);
        EXPECT_EQ(1, walk.begun);
    }
    EXPECT_EQ(1, walk.done);
}

static void
test_time_of_the_last_packet_is_that_of_the_kernel_s_clock(void)
{
    struct timespec now;
    struct flow_handed_session one = connection(4, 0);

    start();
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint32_t ticks = (uint32_t)(ns >> OFFLOAD_TICK_SHIFT);
    EXPECT_EQ(0, link_carried_put(&maps, &one, 1));
    EXPECT_TRUE(map[0].entry[0].last - ticks < 60000);
}

static void
test_age_is_kept_and_is_none_when_the_clock_is_ahead(void)
{
    struct flow_handed_session old = connection(4, 0);

    start();
    old.age_ms = 5000000;
    EXPECT_EQ(0, link_carried_put(&maps, &old, 1));
    EXPECT_EQ(1, look(4));
    EXPECT_TRUE(out[0].age_ms >= 4999990 && out[0].age_ms < 5060000);
    map[0].entry[0].last += 10000000;
    EXPECT_EQ(1, look(4));
    EXPECT_EQ(0, out[0].age_ms);
}

static void
test_connections_that_come_back_are_named_whole_and_in_order(void)
{
    start();
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t family = i == 1 ? 6 : 4;
        struct flow_handed_session one = connection(family, i);
        size_t size = family == 4 ? 4 : 16;
        queue[i] = (struct offload_event){.family = family};
        queue[i].entry.number = one.number;
        memcpy(queue[i].key.address, one.tuple.faddr, size);
        memcpy(queue[i].key.address + 4, one.tuple.laddr, size);
        const uint8_t raw[2] = {(uint8_t)(one.tuple.fport >> 8),
                                (uint8_t)one.tuple.fport};
        memcpy(&queue[i].key.port[0], raw, 2);
        memcpy(&queue[i].key.port[1], "\x01\xbb", 2);
    }
    queued = 3;
    EXPECT_EQ(2, link_carried_events(&maps, out, 2));
    EXPECT_EQ(1, link_carried_events(&maps, out + 2, 2));
    EXPECT_EQ(0, link_carried_events(&maps, out + 3, 2));
    for (uint8_t i = 0; i < 3; i++) {
        struct flow_handed_session one = connection(i == 1 ? 6 : 4, i);
        EXPECT_TRUE(memcmp(&one.tuple, &out[i].tuple, sizeof one.tuple) == 0);
        EXPECT_EQ(one.number, out[i].number);
        EXPECT_EQ(FLOW_KNOWN_NOT, out[i].known);
    }
}

static void
test_unknown_connections_of_some_age_are_removed(void)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        start();
        put(family, 4);
        EXPECT_EQ(4, look(family));
        for (uint32_t i = 0; i < 4; i++)
            out[i].age_ms = 1000;
        out[0].known = FLOW_KNOWN;
        out[1].age_ms = 999;
        EXPECT_EQ(2, link_carried_drop(&maps, out, 4, 1000));
        EXPECT_EQ(2, map[family == 6].count);
        EXPECT_EQ(0, link_carried_drop(&maps, out, 4, 1000)); /* gone */
        EXPECT_EQ(1, link_carried_drop(&maps, out, 2, 0));
        EXPECT_EQ(1, look(family));
        EXPECT_EQ(900, out[0].number);
        EXPECT_EQ(1, link_carried_drop(&maps, out, 1, 0));
    }
}

static void
test_exported_connections_catch_up_with_the_maps(void)
{
    struct flow_splice splices[4];

    start();
    put(4, 2);
    put(6, 2);
    map[0].entry[0].flags = 1;
    map[0].entry[0].last -= 5000; /* ticks, of about a millisecond */
    map[1].entry[0].last -= 5000;
    for (uint32_t i = 0; i < 4; i++) {
        struct flow_handed_session one = connection(i < 2 ? 4 : 6, i % 2);
        splices[i] = (struct flow_splice){.tuple = one.tuple,
                                          .delta = one.delta,
                                          .seq = {1, 2},
                                          .flags = 3,
                                          .idle_ms = 3600000};
    }
    splices[1].delta++;          /* another connection of the same tuple */
    splices[3].tuple.family = 0; /* damage */
    EXPECT_EQ(2, link_carried_catch_up(&maps, splices, 4));
    for (uint32_t i = 0; i < 4; i++) {
        bool found = i % 2 == 0;
        EXPECT_EQ(found ? 14 : 1, splices[i].seq[FLOW_CLIENT]);
        EXPECT_EQ(found ? 13 : 2, splices[i].seq[FLOW_SERVER]);
        EXPECT_EQ(found, splices[i].idle_ms < 60000);
        EXPECT_TRUE(splices[i].idle_ms >= 5000);
        EXPECT_EQ(i == 0 ? 1 : 3, splices[i].flags);
    }
    splices[0].tuple.lport++;
    EXPECT_EQ(0, link_carried_catch_up(&maps, splices, 1));
    splices[2].seq[FLOW_CLIENT] = 1; /* behind the last one */
    EXPECT_EQ(0, link_carried_catch_up(&maps, splices + 1, 1));
    EXPECT_EQ(1, splices[2].seq[FLOW_CLIENT]);
}

static const struct test tests[] = {
    TEST(test_what_is_put_is_looked_at),
    TEST(test_one_call_takes_and_gives_as_many_as_it_may_and_looks_at_no_more),
    TEST(test_those_without_room_stay_in_order),
    TEST(test_batch_that_did_not_begin_puts_nothing),
    TEST(test_walk_goes_on_where_it_was),
    TEST(test_time_of_the_last_packet_is_that_of_the_kernel_s_clock),
    TEST(test_age_is_kept_and_is_none_when_the_clock_is_ahead),
    TEST(test_connections_that_come_back_are_named_whole_and_in_order),
    TEST(test_unknown_connections_of_some_age_are_removed),
    TEST(test_exported_connections_catch_up_with_the_maps),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

/* Handshakes that other machines have redeemed, and those that this one tells of. */
#include "between.h"

#include "../../csrc/flow/proxy.h"
#include "../../csrc/flow/redeemed.h"

#include <stdlib.h>

#define C_ISN 5000u
#define LIVES_MS 64000u

static struct between world;
static struct flow_redeemed *group;

static void
start(enum flow_synack synack)
{
    between_open(&world, 16);
    struct flow_intercept_tunables tunables = world.flow->intercept;
    tunables.synack = (uint32_t)synack;
    tunables.learn_time_ms = 0;
    between_tune(&world, &tunables);
    group = calloc(1, sizeof *group);
    flow_set_redeemed(world.flow, group);
}

static void
stop(void)
{
    free(group);
    between_close(&world);
}

/* A handshake up to our SYN-ACK; returns our ISN. */
static uint32_t
answered(void)
{
    struct said said = between_said(FLOW_CLIENT, WIRE_SYN, C_ISN, 0, 0);

    EXPECT_EQ(1, between_send(&world, said));
    return world.out[0].seq;
}

static uint32_t
acknowledged(uint32_t p)
{
    return between_send(
        &world, between_said(FLOW_CLIENT, WIRE_ACK, C_ISN + 1, p + 1, 20));
}

/* Puts numbers into a filter, as syncache/fleet/bloom.py does. */
static void
put(uint8_t *bits, uint32_t size, const uint16_t *numbers)
{
    for (uint32_t i = 0; i < 30; i++) {
        uint32_t place = numbers[i] * size * 8 >> 16;
        bits[place >> 3] |= (uint8_t)(1u << (place & 7));
    }
}

static void
test_completed_handshakes_are_noted_once_stored_or_not(void)
{
    static const enum flow_synack both[] = {FLOW_SYNACK_COOKIE,
                                            FLOW_SYNACK_CACHE};
    for (size_t i = 0; i < 2; i++) {
        start(both[i]);
        uint32_t p = answered();
        EXPECT_EQ(0, group->fresh_count);
        EXPECT_EQ(1, acknowledged(p));
        EXPECT_EQ(1, group->fresh_count);
        (void)acknowledged(p);
        EXPECT_EQ(1, group->fresh_count);
        stop();
    }
}

static void
test_cookie_that_another_has_redeemed_is_refused_while_it_counts(void)
{
    uint8_t bits[64] = {0};

    start(FLOW_SYNACK_COOKIE);
    uint32_t p = answered();
    EXPECT_EQ(1, acknowledged(p));
    put(bits, sizeof bits, group->fresh[0]);
    stop();
    start(FLOW_SYNACK_COOKIE);
    EXPECT_EQ(p, answered());
    flow_redeemed_hear(group, world.now_ms, 1000, bits, sizeof bits);
    EXPECT_EQ(0, acknowledged(p));
    EXPECT_EQ(1, group->refused);
    EXPECT_EQ(0, world.flow->sessions.count);
    EXPECT_EQ(0, world.flow->stats.cookies_failed);
    world.now_ms += 1001;
    EXPECT_EQ(1, acknowledged(p));
    EXPECT_EQ(1, world.flow->stats.cookies_redeemed);
    stop();
}

static void
test_filters_and_notes_are_bounded(void)
{
    uint8_t full[FLOW_REDEEMED_BYTES];
    struct syncache_tuple tuple = {.family = 4, .fport = 1, .lport = 80};

    memset(full, 0xff, sizeof full);
    start(FLOW_SYNACK_COOKIE);
    for (uint32_t i = 0; i < 2 * FLOW_REDEEMED_FRESH; i++)
        redeemed_note(group, &tuple, i, i);
    EXPECT_EQ(FLOW_REDEEMED_FRESH, group->fresh_count);
    flow_redeemed_hear(group, 0, LIVES_MS, full, sizeof full);
    EXPECT_EQ(true, redeemed_refuses(group, 1, &tuple, 1, 1));
    for (uint32_t i = 0; i < FLOW_REDEEMED_FILTERS; i++)
        flow_redeemed_hear(group, 0, LIVES_MS, (uint8_t[]){0}, 1);
    EXPECT_EQ(FLOW_REDEEMED_FILTERS, group->count);
    EXPECT_EQ(false, redeemed_refuses(group, 1, &tuple, 1, 1));
    flow_redeemed_hear(group, LIVES_MS, LIVES_MS, full, sizeof full);
    EXPECT_EQ(1, group->count);
    EXPECT_EQ(true, redeemed_refuses(group, LIVES_MS, &tuple, 1, 1));
    /* The next one lies behind it, wherever the first is. */
    flow_redeemed_hear(group, 2 * LIVES_MS, LIVES_MS, (uint8_t[]){0}, 1);
    EXPECT_EQ(1, group->count);
    EXPECT_EQ(false, redeemed_refuses(group, 2 * LIVES_MS, &tuple, 1, 1));
    flow_redeemed_hear(group, 2 * LIVES_MS, LIVES_MS, full, sizeof full);
    EXPECT_EQ(2, group->count);
    EXPECT_EQ(true, redeemed_refuses(group, 2 * LIVES_MS, &tuple, 1, 1));
    stop();
}

static void
test_numbers_of_the_longest_data_are_its_own(void)
{
    /* To the last of 64 bytes. */
    static const uint8_t key[SYNCACHE_KEY_BYTES] = {3};
    uint8_t data[64] = {0};
    uint16_t one[FLOW_REDEEMED_NUMBERS], other[FLOW_REDEEMED_NUMBERS];

    flow_redeemed_numbers(key, data, sizeof data, one);
    data[sizeof data - 1] = 1;
    flow_redeemed_numbers(key, data, sizeof data, other);
    EXPECT_TRUE(memcmp(one, other, sizeof one) != 0);
}

static void
test_every_part_of_a_handshake_counts(void)
{
    uint8_t first[FLOW_REDEEMED_PACKED], other[FLOW_REDEEMED_PACKED];

    for (uint8_t family = 4; family <= 6; family += 2) {
        struct syncache_tuple tuple = {.family = family, .fport = 1};
        size_t size = family == 4 ? 4 : 16;
        memset(first, 0xee, sizeof first);
        redeemed_pack(&tuple, 1, 2, first);
        EXPECT_EQ(family, first[0]);
        for (size_t i = 0; i < 2 * size + 4; i++) {
            struct syncache_tuple changed = tuple;
            if (i < size)
                changed.faddr[i] ^= 1;
            else if (i < 2 * size)
                changed.laddr[i - size] ^= 1;
            else if (i < 2 * size + 2)
                changed.fport ^= (uint16_t)(1u << (8 * (i - 2 * size)));
            else
                changed.lport ^= (uint16_t)(1u << (8 * (i - 2 * size - 2)));
            redeemed_pack(&changed, 1, 2, other);
            EXPECT_EQ(true, memcmp(first, other, sizeof first) != 0);
        }
        redeemed_pack(&tuple, 2, 1, other);
        EXPECT_EQ(true, memcmp(first, other, sizeof first) != 0);
    }
}

static const struct test tests[] = {
    TEST(test_completed_handshakes_are_noted_once_stored_or_not),
    TEST(test_cookie_that_another_has_redeemed_is_refused_while_it_counts),
    TEST(test_filters_and_notes_are_bounded),
    TEST(test_numbers_of_the_longest_data_are_its_own),
    TEST(test_every_part_of_a_handshake_counts),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

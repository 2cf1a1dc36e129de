/* Packets of ours, with link headers, to the right link; events. */
#include "world.h"

#include "../../csrc/flow/answer.h"

static struct session *
half_open(struct world *world, uint32_t side, bool with_link)
{
    static struct packet packet;
    struct syncache_ring *rx = &world->rx.ring;
    uint16_t link_size = with_link ? 14 : 0;
    struct flow_session_view view;
    uint64_t cursor = 0;

    world_segment(&packet, &world_ends, false,
                  (struct segment){.seq = WORLD_C, .flags = WIRE_SYN});
    world_ring_clear(&world->rx);
    for (uint8_t i = 0; i < link_size; i++)
        rx->memory[i] = i;
    memcpy(rx->memory + link_size, packet.bytes, packet.size);
    rx->slot[0] = (struct syncache_slot){.size = (uint32_t)packet.size,
                                         .link_size = link_size};
    rx->count = 1;
    EXPECT_EQ(1, flow_burst(world->flow, world->now_ms, rx, side,
                            &world->client.ring, &world->server.ring));
    EXPECT_EQ(1, flow_walk(world->flow, &cursor, &view, 1));
    return session_at(&world->flow->sessions, view.id);
}

static void
test_reset_goes_out_on_the_link_of_its_end(void)
{
    for (uint32_t side = FLOW_CLIENT; side <= FLOW_TAP; side++) {
        struct world *world = world_inspect(10);
        struct session *session = half_open(world, side, false);
        struct world_ring *to_client =
            side == FLOW_SERVER ? &world->server : &world->client;
        struct world_ring *to_server =
            side == FLOW_SERVER ? &world->client : &world->server;
        uint32_t ack = 7;
        struct syncache_fields fields;

        EXPECT_TRUE(answer_reset(world->flow, session, FLOW_CLIENT, 5, &ack));
        EXPECT_EQ(1, to_client->ring.count);
        fields = world_sent(to_client, 0);
        EXPECT_EQ(WIRE_RST | WIRE_ACK, fields.flags);
        EXPECT_EQ(5, fields.seq);
        EXPECT_EQ(7, fields.ack);
        EXPECT_EQ(40000, fields.dport);
        EXPECT_EQ(1, fields.dont_fragment);
        EXPECT_EQ(64, fields.hop_limit);
        EXPECT_TRUE(answer_reset(world->flow, session, FLOW_SERVER, 9, NULL));
        fields = world_sent(to_server, 0);
        EXPECT_EQ(WIRE_RST, fields.flags);
        EXPECT_EQ(0, fields.ack);
        EXPECT_EQ(80, fields.dport);
        EXPECT_EQ(1, world->flow->stats.resets_client);
        EXPECT_EQ(1, world->flow->stats.resets_server);
        world_free(world);
    }
}

static void
test_packets_of_timers_carry_the_link_header(void)
{
    /* As it came to the server; with MAC addresses exchanged to the client. */
    struct world *world = world_inspect(10);
    struct session *session = half_open(world, FLOW_CLIENT, true);
    const uint8_t same[14] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    const uint8_t turned[14] = {6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13};

    answer_reset(world->flow, session, FLOW_SERVER, 1, NULL);
    answer_reset(world->flow, session, FLOW_CLIENT, 1, NULL);
    EXPECT_EQ(14, world->server.slot[0].link_size);
    EXPECT_BYTES(same, world->server.memory, 14);
    EXPECT_BYTES(turned, world->client.memory, 14);
    (void)world_sent(&world->client, 0);
    world_free(world);
}

static void
test_full_ring_loses_the_packet_and_counts_it(void)
{
    struct world *world = world_inspect(10);
    struct session *session = half_open(world, FLOW_CLIENT, false);

    world->client.ring.count = WORLD_SLOTS;
    EXPECT_TRUE(!answer_reset(world->flow, session, FLOW_CLIENT, 1, NULL));
    EXPECT_EQ(1, world->flow->stats.tx_lost);
    EXPECT_EQ(0, world->flow->stats.resets_client);
    world_free(world);
}

static void
test_answer_to_a_packet_without_room_is_lost_and_counted(void)
{
    struct world *world = world_inspect(10);
    struct wire_reply reply = {0};
    static uint8_t bytes[64];
    struct arrival arrival = {.link = bytes, .link_size = 14};

    world->flow->tx[FLOW_CLIENT] = &world->client.ring;
    for (uint32_t lost = 0; lost < 3; lost++) {
        arrival.side = lost == 1 ? FLOW_TAP : FLOW_CLIENT;
        world->client.ring.count = WORLD_SLOTS;
        EXPECT_EQ(lost, world->flow->stats.tx_lost);
        EXPECT_TRUE(!answer_arrival(world->flow, &arrival, &reply));
    }
    EXPECT_EQ(3, world->flow->stats.tx_lost);
    world_free(world);
}

static void
test_alert_names_top_destination_and_sources(void)
{
    struct world *world = world_inspect(100);
    struct flow_event event = {0};

    for (uint32_t i = 0; i < 10; i++) {
        struct ends ends = world_other(i);

        ends.server += i < 7 ? 1 : 2;
        ends.client = i < 6 ? 0x0a010200 + i : 0x0a020200 + (i << 8);
        world_syn(world, &ends);
    }
    box_circumstances(world->flow, &event);
    EXPECT_EQ(10, event.incomplete);
    EXPECT_EQ(10, event.rate);
    EXPECT_EQ(WORLD_SERVER + 1, load32_be(event.top_address));
    EXPECT_EQ(7, event.top_count);
    EXPECT_EQ(80, event.top_port);
    EXPECT_EQ(0x0a010200, load32_be(event.source_prefix));
    EXPECT_EQ(6, event.source_count);
    world_free(world);
}

static void
test_kept_packet_goes_to_the_server_behind_its_link_header(void)
{
    const uint8_t same[14] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    static struct early_packet kept = {.size = 44, .checksum = 1};
    struct world *world = world_inspect(10);
    struct session *session = half_open(world, FLOW_CLIENT, true);
    struct syncache_ring *tx = &world->server.ring;
    uint32_t whole = tx->slot_size;

    memset(kept.bytes, 0x77, kept.size);
    tx->slot_size = 14 + 43;
    EXPECT_TRUE(!answer_packet(world->flow, session, &kept));
    EXPECT_EQ(1, world->flow->stats.tx_lost);
    EXPECT_EQ(0, tx->count);
    tx->slot_size = 14 + 44;
    EXPECT_TRUE(answer_packet(world->flow, session, &kept));
    EXPECT_EQ(1, tx->count);
    EXPECT_EQ(14, tx->slot[0].link_size);
    EXPECT_EQ(44, tx->slot[0].size);
    EXPECT_EQ(1, tx->slot[0].checksum);
    EXPECT_BYTES(same, tx->memory, 14);
    EXPECT_BYTES(kept.bytes, tx->memory + 14, 44);
    tx->slot_size = whole;
    tx->count = tx->slots;
    EXPECT_TRUE(!answer_packet(world->flow, session, &kept));
    EXPECT_EQ(2, world->flow->stats.tx_lost);
    tx->count = 0;
    world_free(world);
}

static void
test_ip_header_to_the_server_is_as_the_client_wrote_it(void)
{
    static const struct {
        uint8_t mode, hop_limit, tos;
        uint16_t flags;
        uint32_t label;
    } rows[] = {{'I', 57, 0x28, 0, 0x11111},
                {'I', 57, 0x28, SESSION_SPLICED, 0x22222},
                {'W', 57, 0x28, 0, 0},
                {'I', 0, 0, 0, 0}};
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct world *world = world_inspect(10);
        struct session session = *half_open(world, FLOW_CLIENT, false);
        const uint8_t *ip = world->server.memory;

        session.family = 6;
        session.mode = rows[i].mode;
        session.hop_limit = rows[i].hop_limit;
        session.tos = 0x28;
        session.flags = rows[i].flags;
        if (rows[i].flags & SESSION_SPLICED)
            session.flow_label = 0x22222;
        else
            session.half_label = 0x11111;
        EXPECT_TRUE(answer_reset(world->flow, &session, FLOW_SERVER, 1, NULL));
        EXPECT_EQ(rows[i].label, load32_be(ip) & 0xfffff);
        EXPECT_EQ(rows[i].tos, load32_be(ip) >> 20 & 0xff);
        EXPECT_EQ(rows[i].hop_limit == 0 ? 64 : 57, ip[7]);
        EXPECT_TRUE(answer_reset(world->flow, &session, FLOW_CLIENT, 1, NULL));
        EXPECT_EQ(64, world->client.memory[7]);
        world_free(world);
    }
}

static void
test_answer_to_a_packet_is_not_to_be_fragmented(void)
{
    struct world *world = world_inspect(10);
    struct wire_reply reply = {.seq = 5, .flags = WIRE_RST};
    static struct packet packet;
    struct arrival arrival = {.side = FLOW_CLIENT, .link = packet.bytes};

    world_segment(&packet, &world_ends, false,
                  (struct segment){.seq = WORLD_C, .flags = WIRE_ACK});
    view_parse(packet.bytes, packet.size, SYNCACHE_CHECKSUM_VERIFY,
               &arrival.view);
    world->flow->tx[FLOW_CLIENT] = &world->client.ring;
    EXPECT_TRUE(answer_arrival(world->flow, &arrival, &reply));
    struct syncache_fields fields = world_sent(&world->client, 0);
    EXPECT_EQ(1, fields.dont_fragment);
    EXPECT_EQ(40000, fields.dport);
    EXPECT_EQ(5, fields.seq);
    world_free(world);
}

static void
test_silent_end_is_reset_in_the_numbers_that_it_was_told(void)
{
    for (uint32_t spliced = 0; spliced < 2; spliced++) {
        struct world *world = world_inspect(10);
        struct session *session = half_open(world, FLOW_CLIENT, false);

        session->nxt[FLOW_SERVER] = 7000;
        session->nxt[FLOW_CLIENT] = 8000;
        session->splice.delta = 50;
        if (spliced)
            session->flags |= SESSION_SPLICED;
        answer_reset_silent(world->flow, session);
        struct syncache_fields fields = world_sent(&world->client, 0);
        EXPECT_EQ(spliced ? 7050 : 7000, fields.seq);
        EXPECT_EQ(8000, fields.ack);
        EXPECT_EQ(8000, world_sent(&world->server, 0).seq);
        session->flags &= (uint16_t)~SESSION_SPLICED;
        world_free(world);
    }
}

static const struct test tests[] = {
    TEST(test_answer_to_a_packet_without_room_is_lost_and_counted),
    TEST(test_reset_goes_out_on_the_link_of_its_end),
    TEST(test_packets_of_timers_carry_the_link_header),
    TEST(test_full_ring_loses_the_packet_and_counts_it),
    TEST(test_alert_names_top_destination_and_sources),
    TEST(test_kept_packet_goes_to_the_server_behind_its_link_header),
    TEST(test_ip_header_to_the_server_is_as_the_client_wrote_it),
    TEST(test_answer_to_a_packet_is_not_to_be_fragmented),
    TEST(test_silent_end_is_reset_in_the_numbers_that_it_was_told),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}

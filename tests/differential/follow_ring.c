/* Bursts and polls: rings of the driver's own, of any number of slots. */
#include "follow.h"

#include <string.h>

#define SLOT_SIZE 2048

struct room {
    struct syncache_ring ring;
    struct syncache_slot slot[FOLLOW_SLOTS];
    struct syncache_conn conn[FOLLOW_SLOTS];
    uint32_t passed[FOLLOW_SLOTS];
    uint8_t memory[FOLLOW_SLOTS * SLOT_SIZE];
};

static struct room rx, tx;

static void
reset(struct room *room, uint32_t slots)
{
    room->ring = (struct syncache_ring){.memory = room->memory,
                                        .slot = room->slot,
                                        .conn = room->conn,
                                        .passed = room->passed,
                                        .slots = slots,
                                        .slot_size = SLOT_SIZE};
}

/* The twin takes packet `index`; what the engine said stands in the rings. */
static void
follow_slot(struct world *world, uint32_t index, uint32_t *replies,
            uint32_t *passed)
{
    struct twin_result twin;
    struct syncache_slot *slot = &rx.slot[index];
    const uint8_t *packet = rx.memory + index * SLOT_SIZE + slot->link_size;
    twin_packet(&world->twin, world->now, packet, slot->size, slot->checksum,
                &twin);
    follow_equal(world, "burst verdict", twin.verdict, slot->verdict);
    follow_equal(world, "burst handle", twin.handle, slot->handle);
    enum syncache_kind kind = syncache_kind(twin.verdict);
    if (kind == SYNCACHE_ACCEPT) {
        follow_equal_conn(world, &twin.conn, &rx.conn[index]);
        world->conns[world->conn_count++ % FOLLOW_CONNS] = rx.conn[index];
    }
    if (kind == SYNCACHE_ACCEPT || kind == SYNCACHE_PASS) {
        uint32_t at = (*passed)++;
        follow_equal(world, "passed", index,
                     at < rx.ring.passed_count ? rx.passed[at] : 65535);
    }
    if (twin.reply_size == 0)
        return;
    uint32_t at = (*replies)++;
    if (at >= tx.ring.count) {
        follow_differ(world, "replies in tx", at + 1, tx.ring.count);
        return;
    }
    follow_equal(world, "request", index, tx.slot[at].request);
    follow_equal(world, "link_size", slot->link_size, tx.slot[at].link_size);
    const uint8_t *out = tx.memory + at * SLOT_SIZE;
    follow_equal_bytes(world, "burst reply", twin.reply, twin.reply_size,
                       out + slot->link_size, tx.slot[at].size);
    follow_equal_bytes(world, "link header", packet - slot->link_size,
                       slot->link_size, out, slot->link_size);
    follow_note_reply(world, twin.reply, twin.reply_size);
}

static void
fill(struct world *world)
{
    struct sent sent;
    uint32_t count = follow_below(world, FOLLOW_SLOTS);
    if (follow_chance(world, 60))
        count = 1 + follow_below(world, 6);
    reset(&rx, FOLLOW_SLOTS);
    for (uint32_t i = 0; i < count; i++) {
        struct syncache_slot *slot = &rx.slot[i];
        follow_packet(world, &sent);
        memset(slot, 0, sizeof *slot);
        slot->link_size = (uint16_t)FOLLOW_PICK(world, 0, 14, 18);
        slot->size = sent.size;
        slot->checksum = (uint8_t)sent.checksum;
        memset(rx.memory + i * SLOT_SIZE, (int)(i + 1), slot->link_size);
        memcpy(rx.memory + i * SLOT_SIZE + slot->link_size, sent.bytes,
               sent.size);
    }
    rx.ring.count = count;
}

void
follow_burst(struct world *world)
{
    world->doing = "burst";
    fill(world);
    while (rx.ring.next < rx.ring.count && !world->failed) {
        uint32_t first = rx.ring.next;
        uint32_t replies = 0, passed = 0;
        reset(&tx, 1 + follow_below(world, FOLLOW_SLOTS));
        uint32_t consumed =
            syncache_burst(world->cache, world->now, &rx.ring, &tx.ring);
        follow_equal(world, "consumed", rx.ring.next - first, consumed);
        if (rx.ring.next < rx.ring.count)
            follow_equal(world, "tx is full", tx.ring.slots, tx.ring.count);
        for (uint32_t i = first; i < rx.ring.next && !world->failed; i++)
            follow_slot(world, i, &replies, &passed);
        follow_equal(world, "replies", replies, tx.ring.count);
        follow_equal(world, "passed_count", passed, rx.ring.passed_count);
    }
}

void
follow_poll(struct world *world)
{
    static uint8_t packets[FOLLOW_SLOTS][SYNCACHE_REPLY_MAX];
    uint32_t sizes[FOLLOW_SLOTS];
    uint32_t slots = FOLLOW_PICK(world, 1, 2, 5, 20, FOLLOW_SLOTS);
    world->doing = "poll";
    reset(&tx, slots);
    uint32_t core = syncache_poll(world->cache, world->now, &tx.ring);
    uint32_t twin = twin_poll(&world->twin, world->now, slots, packets, sizes);
    follow_equal(world, "polled", twin, core);
    follow_equal(world, "in tx", twin, tx.ring.count);
    for (uint32_t i = 0; i < twin && !world->failed; i++) {
        follow_equal_bytes(world, "polled packet", packets[i], sizes[i],
                           tx.memory + i * SLOT_SIZE, tx.slot[i].size);
        follow_equal(world, "polled request", 65535, tx.slot[i].request);
        follow_equal(world, "polled link_size", 0, tx.slot[i].link_size);
        follow_note_reply(world, packets[i], sizes[i]);
    }
    /* A caller that sleeps until next_deadline must not be woken at once. */
    if (core < slots && syncache_next_deadline(world->cache) <= world->twin.now)
        follow_differ(world, "next_deadline after a poll", world->twin.now,
                      syncache_next_deadline(world->cache));
}

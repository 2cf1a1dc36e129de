/* Rows of headers in front of an IP packet: for the units of link headers. */
#ifndef SYNCACHE_TEST_ENCAP_ROW_H
#define SYNCACHE_TEST_ENCAP_ROW_H

#include "test.h"

#include "../../csrc/link/encap.h"

enum {
    FRAME_MAX = 128,
    FRAME_RELAY = 107,
    JUNIPER_FRAME_RELAY = 180,
    FRAME_RELAY_DIRECTION = 206
};

/* Bytes in front of an IP packet of this version; `reason` if there is none. */
struct row {
    const char *name;
    uint32_t linktype;
    uint32_t size;
    uint8_t head[64];
    uint8_t version;
    uint32_t reason;
    uint32_t number;
};

#define MACS 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

/* Follows a row to its packet; with a byte less of its headers it is cut. */
static inline void
expect_row(const struct row *row)
{
    uint8_t frame[FRAME_MAX] = {0};
    memcpy(frame, row->head, row->size);
    frame[row->size] = (uint8_t)(row->version << 4);
    test_row = row->name;
    uint8_t *copy = test_heap_copy(frame, row->size + 20);
    struct encap found =
        encap_frame(row->linktype, copy, row->size + 20, false);
    EXPECT_EQ(row->reason, found.reason);
    EXPECT_EQ(row->number, found.number);
    EXPECT_EQ(row->reason == ENCAP_NONE ? row->size : 0, found.offset);
    free(copy);
    if (row->reason != ENCAP_NONE)
        return;
    for (uint32_t size = 0; size <= row->size; size++) {
        copy = test_heap_copy(frame, size);
        found = encap_frame(row->linktype, copy, size, false);
        EXPECT_TRUE(found.reason != ENCAP_NONE);
        EXPECT_TRUE(found.reason != ENCAP_CUT || found.number == 0);
        /* What a label stands for, or a cooked type, is seen by the packet. */
        EXPECT_TRUE(size < row->size || found.reason == ENCAP_CUT ||
                    found.reason == ENCAP_MPLS || row->linktype == 113);
        free(copy);
    }
    uint32_t least = row->size + (row->linktype == FRAME_RELAY ||
                                          row->linktype == JUNIPER_FRAME_RELAY ||
                                          row->linktype == FRAME_RELAY_DIRECTION
                                      ? 2
                                      : 1);
    copy = test_heap_copy(frame, least);
    found = encap_frame(row->linktype, copy, least, false);
    EXPECT_EQ(ENCAP_NONE, found.reason);
    EXPECT_EQ(row->size, found.offset);
    free(copy);
}

#endif

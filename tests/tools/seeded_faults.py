"""Faults that others have made, as changes to csrc/core: `mutate.py --faults`.

Each is put in by itself, and a C unit or the differential run has to notice it.  A row
is a name and (file, before, after) for each place; `before` stands in the file exactly
once, with its line breaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "csrc" / "core"
Change = tuple[str, str, str]


@dataclass(frozen=True)
class Fault:
    """One mistake, at one place or several."""

    name: str
    changes: tuple[Change, ...]

    def files(self) -> dict[Path, str]:
        """Return the text of every file that it changes; ValueError if one moved on."""
        texts: dict[Path, str] = {}
        for file, before, after in self.changes:
            path = CORE / file
            text = texts.get(path, path.read_text())
            if text.count(before) != 1:
                raise ValueError(f"{self.name}: {file} has not once: {before!r}")
            texts[path] = text.replace(before, after)
        return texts


def fault(name: str, *changes: Change) -> Fault:
    """Return a fault; a row of the table."""
    return Fault(name, changes)


FAULTS = (
    fault(
        "IRS left out of the MAC",
        ("syncookie.c", "store32_le(tail, irs);", "store32_le(tail, irs & 0);"),
    ),
    fault(
        "key of 32 bits",
        (
            "secret.c",
            "memcpy(slot->key, key, SYNCACHE_KEY_BYTES);",
            "memset(slot->key, 0, SYNCACHE_KEY_BYTES); memcpy(slot->key, key, 4);",
        ),
    ),
    fault(
        "16 bits of the cookie compared",
        (
            "syncookie.c",
            "uint32_t differ = (mac ^ iss) & SYNCOOKIE_MAC_MASK;",
            "uint32_t differ = (mac ^ iss) & 0xffff0000u;",
        ),
    ),
    fault(
        "epoch before last accepted",
        (
            "secret.c",
            "bool adjacent = elapsed < (int64_t)skew_ms;",
            "bool adjacent = true;",
        ),
        (
            "secret.c",
            "secret_retire(secret, elapsed < (int64_t)skew_ms ? 2 : 1);",
            "secret_retire(secret, 2);",
        ),
    ),
    fault(
        "key kept after rotation",
        (
            "secret.c",
            "secret_retire(secret, elapsed < (int64_t)skew_ms ? 2 : 1);",
            "(void)skew_ms;",
        ),
    ),
    fault(
        "cookie accepted without recent overflow",
        (
            "engine.c",
            "    return endpoint->gate_stamped &&\n",
            "    return true || endpoint->gate_stamped ||\n",
        ),
    ),
    fault(
        "gate of the bucket never closes",
        (
            "engine.c",
            "engine_uptime_s(cache) - second <= lifetime_ms / 1000;",
            "engine_uptime_s(cache) - second <= lifetime_ms;",
        ),
    ),
    fault(
        "ports left out of the timestamp offset",
        ("engine.c", "if (!cache->tunables.ts_offset_per_conn)", "if (true)"),
    ),
    fault(
        "RST in the window accepted",
        (
            "chkrst.c",
            "if (event->segment->seg_seq == rcv_nxt || cache->tunables.insecure_rst) {",
            "if (true) {",
        ),
    ),
    fault(
        "challenge limit of all peers together",
        (
            "chkrst.c",
            "    struct table_entry *entry = ref.entry;\n    uint16_t now_ms",
            (
                "    static struct table_entry all;\n"
                "    struct table_entry *entry = &all;\n    uint16_t now_ms"
            ),
        ),
        ("chkrst.c", "    table_mark_challenge(&cache->table, ref);\n", ""),
    ),
    fault(
        "ISS + 0 accepted",
        (
            "expand.c",
            "if (segment->seg_ack != entry->iss + 1 ||",
            "if (segment->seg_ack - entry->iss > 1 ||",
        ),
        (
            "expand.c",
            "if (event->segment->seg_ack != event->ref.entry->iss + 1)",
            "if (event->segment->seg_ack - event->ref.entry->iss > 1)",
        ),
    ),
    fault(
        "ISS + 2 accepted",
        (
            "expand.c",
            "if (segment->seg_ack != entry->iss + 1 ||",
            "if (segment->seg_ack - entry->iss - 1 > 1 ||",
        ),
        (
            "expand.c",
            "if (event->segment->seg_ack != event->ref.entry->iss + 1)",
            "if (event->segment->seg_ack - event->ref.entry->iss - 1 > 1)",
        ),
    ),
    fault(
        "entry lost on a bad ACK",
        (
            "expand.c",
            "    if (otherwise != SYNCACHE_REPLY_RST)\n        return otherwise;\n",
            (
                "    if (otherwise != SYNCACHE_REPLY_RST)\n        return otherwise;\n"
                "    engine_remove(cache, event->ref);\n"
            ),
        ),
    ),
    fault(
        "data of a SYN acknowledged",
        (
            "add.c",
            "struct fastopen fastopen = {.hand_out = false};",
            "struct fastopen fastopen = {.acked = event->segment->payload_size};",
        ),
    ),
    fault(
        "option of length 1",
        (
            "wire.c",
            "(option = wire_next_option(&at, tcp + header_size)) != NULL)\n",
            (
                "(option = wire_next_option(&at, tcp + header_size)) != NULL ||\n"
                "(tcp + header_size - at >= 2 && at[0] != 0 && at[1] == 1 && at++))\n"
                "if (option != NULL)\n"
            ),
        ),
    ),
    fault(
        "option of length 0",
        (
            "wire.c",
            "(option = wire_next_option(&at, tcp + header_size)) != NULL)\n",
            (
                "(option = wire_next_option(&at, tcp + header_size)) != NULL ||\n"
                "(tcp + header_size - at >= 2 && at[0] != 0 && at[1] == 0 &&\n"
                " (at += 2)))\n"
                "if (option != NULL)\n"
            ),
        ),
    ),
    fault(
        "MSS 0 used",
        (
            "engine.c",
            "    uint32_t mss = peer_mss != 0 ? peer_mss",
            "    uint32_t mss = peer_mss != 1 ? peer_mss",
        ),
    ),
    fault(
        "MSS below the floor used",
        ("engine.c", "if (mss < cache->tunables.minmss)", "if (mss == 0)"),
    ),
    fault(
        "window scale 15",
        (
            "wire.c",
            ": SYNCACHE_WSCALE_MAX;",
            ": 15;",
        ),
    ),
    fault(
        "times compared as signed numbers of 32 bits",
        (
            "engine.c",
            "    if (now_ms < last_ms)\n",
            "    if ((int32_t)(uint32_t)(now_ms - last_ms) < 0)\n",
        ),
        ("engine.c", "    assert(cache->now_ms >= last_ms);\n", ""),
    ),
    fault(
        "bucket limit off by one",
        (
            "table.c",
            (
                "return TABLE_BY(table, scan, table, bucket, TABLE_EMPTY, TABLE_EMPTY)"
                " ==\n           table->bucketlimit;"
            ),
            "return table_bucket_count(table, bucket) + 1 >= table->bucketlimit;",
        ),
    ),
    fault(
        "newest evicted",
        (
            "table.c",
            "return table_by_rank(table, bucket, 0);",
            (
                "return table_by_rank(table, bucket,"
                " table_bucket_count(table, bucket) - 1);"
            ),
        ),
    ),
    fault(
        "one retransmission too many",
        (
            "timer.c",
            "entry->rxmits > cache->tunables.rexmtlimit)",
            "entry->rxmits > cache->tunables.rexmtlimit + 1)",
        ),
    ),
    fault(
        "ECN kept after maxretries",
        ("timer.c", "entry->flags &= (uint16_t)~ENTRY_ECN_MASK;", ";"),
    ),
    fault(
        "multicast source accepted",
        ("wire.c", "if (wire_is_multicast(family, tuple->faddr) ||", "if (false ||"),
    ),
    fault(
        "checksum skipped",
        (
            "wire.c",
            (
                "if (!wire_sum_good(tuple, WIRE_PROTOCOL_TCP, tcp,\n"
                "                           header_size + payload_size)) {"
            ),
            "if (false) {",
        ),
    ),
    fault(
        "own address and port as the source accepted",
        ("wire.c", "        return SYNCACHE_DROP_LAND;\n", "        ;\n"),
    ),
    fault(
        "flow label changing between retransmissions",
        (
            "respond.c",
            "    reply->flow_label = entry->iss & RESPOND_FLOW_LABEL_MASK;\n",
            (
                "    reply->flow_label = entry->iss & RESPOND_FLOW_LABEL_MASK;\n"
                "    reply->flow_label ^= entry->rxmits;\n"
            ),
        ),
    ),
    fault(
        "handshake redeemed twice",
        ("replay.c", "seen |= set[i] == stored;", "seen = set[i] == stored;"),
    ),
    fault(
        "SYN of another ISN changes the entry",
        ("add.c", "if (limit == 0 || !other_isn)", "if (true)"),
    ),
)

"""A capture with known ground truth: mixed traffic, a SYN flood and a UDP flood.

    python tests/tools/traffic.py OUT.pcap [--packets 1010000] [--seed 1]

writes classic pcap (Ethernet, 54 bytes of each packet) and prints the truth as JSON:
when each attack begins and ends, and what the clean traffic is made of.  A seed gives
the same file again.  Addresses are of the documentation and private ranges.

The clean part is what an office does: TCP sessions whose rate swings by a third, with
the usual failures (a lost SYN, a closed port, a dead server), DNS, two-way streams,
two one-way senders of syslog, ping.  numpy, because a million packets are written in
seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

TCP, UDP, ICMP = 6, 17, 1
SYN, ACK, FIN, RST, PSH = 0x02, 0x10, 0x01, 0x04, 0x08
SNAPLEN = 54
RECORD = 16 + SNAPLEN
START = 1_700_000_000.0

CLIENTS = 0x0A000000 + 10  # 10.0.0.10 and following
SERVERS = 0xC6336400 + 1  # 198.51.100.1 and following
RESOLVER = 0xCB007135  # 203.0.113.53
LOG_HOST = 0xCB007102
SYN_VICTIM, UDP_VICTIM = 0xC63364FA, 0xC63364FB
CLIENT_COUNT, SERVER_COUNT = 200, 120
COLUMNS = (
    "time",
    "src",
    "dst",
    "protocol",
    "sport",
    "dport",
    "seq",
    "ack",
    "flags",
    "payload",
)


@dataclass(frozen=True)
class Attack:
    """When, in seconds from the start, and against whom."""

    kind: str
    begin: float
    end: float
    packets: int
    victim: str


@dataclass(frozen=True)
class Truth:
    """What is in the capture."""

    packets: int
    seconds: float
    start: float
    tcp_sessions: int
    completed: int
    failed: int
    dns_queries: int
    attacks: tuple[Attack, ...]

    def is_clean(self, time: float, after: float = 90.0) -> bool:
        """Tell whether no attack runs or has just run; time from the start."""
        return all(not a.begin <= time <= a.end + after for a in self.attacks)


class Packets:
    """Columns of packets, in no order."""

    def __init__(self, rng):
        self.rng = rng
        self.parts = {name: [] for name in COLUMNS}

    def add(self, time, src, dst, protocol, **columns):
        size = len(time)
        given = {"time": time, "src": src, "dst": dst, "protocol": protocol} | columns
        for name in COLUMNS:
            kind = np.float64 if name == "time" else np.uint32
            value = np.asarray(given.get(name, 0)).astype(kind)
            self.parts[name].append(np.broadcast_to(value, (size,)))

    def columns(self):
        made = {name: np.concatenate(parts) for name, parts in self.parts.items()}
        order = np.argsort(made["time"], kind="stable")
        return {name: column[order] for name, column in made.items()}


def arrivals(rng, seconds, per_second):
    """Times of requests whose rate swings by a third in five minutes."""
    peak = per_second * 4 / 3
    times = np.sort(rng.uniform(0, seconds, rng.poisson(seconds * peak)))
    wave = 1 + np.sin(2 * np.pi * times / 300) / 3
    return times[rng.uniform(0, 4 / 3, len(times)) < wave]


def tcp_sessions(packets, seconds, per_second, data):
    """Sessions of a request and about `data` packets of answer; some fail."""
    rng = packets.rng
    begin = arrivals(rng, seconds - 60, per_second)
    count = len(begin)
    popular = rng.integers(0, 5, count)
    server = np.where(
        rng.random(count) < 0.4, popular, rng.integers(0, SERVER_COUNT, count)
    )
    ends = {
        "src": CLIENTS + rng.integers(0, CLIENT_COUNT, count),
        "dst": SERVERS + server,
        "sport": 10_000 + np.arange(count) % 50_000,
        "dport": np.where(rng.random(count) < 0.8, 443, 80),
    }
    c, s = rng.integers(0, 2**32, (2, count))
    rtt = np.clip(rng.lognormal(np.log(0.04), 0.7, count), 0.002, 1.5)
    fate = rng.random(count)
    dead, closed, lost = fate < 0.01, (fate >= 0.01) & (fate < 0.025), fate > 0.99
    for wait in (0.0, 1.0, 3.0, 7.0):  # a dead server's SYNs
        client(packets, ends, dead, begin + wait, c, 0, SYN)
    client(packets, ends, closed, begin, c, 0, SYN)
    answer(packets, ends, closed, begin + rtt, 0, c + 1, RST | ACK)
    client(packets, ends, lost, begin, c, 0, SYN)  # and again a second later
    good = ~(dead | closed)
    start = begin + np.where(lost, 1.0, 0.0)
    client(packets, ends, good, start, c, 0, SYN)
    answer(packets, ends, good, start + rtt, s, c + 1, SYN | ACK)
    client(packets, ends, good, start + rtt + 0.001, c + 1, s + 1, ACK)
    client(packets, ends, good, start + rtt + 0.002, c + 1, s + 1, ACK | PSH, 200)
    transfer(packets, ends, good, start + 2 * rtt, rtt, (c, s), data)
    return count, int(good.sum()), int(dead.sum() + closed.sum())


def client(packets, ends, which, time, seq, ack, flags, payload=0):
    """Add a segment of the chosen sessions' clients."""
    columns = {"seq": seq, "ack": ack, "flags": flags, "payload": payload}
    add_segment(packets, ends, which, time, columns)


def answer(packets, ends, which, time, seq, ack, flags, payload=0):
    """Add a segment of the chosen sessions' servers."""
    turned = {
        "src": ends["dst"],
        "dst": ends["src"],
        "sport": ends["dport"],
        "dport": ends["sport"],
    }
    columns = {"seq": seq, "ack": ack, "flags": flags, "payload": payload}
    add_segment(packets, turned, which, time, columns)


def add_segment(packets, ends, which, time, columns):
    chosen = {
        name: np.broadcast_to(np.asarray(column), which.shape)[which] % 2**32
        for name, column in (ends | columns).items()
    }
    packets.add(time[which], protocol=TCP, **chosen)


def transfer(packets, ends, good, begin, rtt, isn, data):
    """Add data of the server, an ACK for every second of it, and both FINs."""
    rng = packets.rng
    amount = np.where(good, rng.geometric(1 / data, len(begin)), 0)
    session = np.repeat(np.arange(len(begin)), amount)
    place = np.arange(len(session)) - np.repeat(np.cumsum(amount) - amount, amount)
    of = {name: column[session] for name, column in ends.items()}
    c, s = isn[0][session] + 201, isn[1][session] + 1
    time = begin[session] + place * 0.004
    every = np.ones(len(session), dtype=bool)
    answer(packets, of, every, time, s + 1448 * place, c, ACK, 1448)
    second = place % 2 == 1
    client(packets, of, second, time + rtt[session] / 2, c, s + 1448 * (place + 1), ACK)
    end = begin + amount * 0.004 + rtt
    c, s = isn[0] + 201, isn[1] + 1 + 1448 * amount
    answer(packets, ends, good, end, s, c, FIN | ACK)
    client(packets, ends, good, end + rtt / 2, c, s + 1, FIN | ACK)
    answer(packets, ends, good, end + rtt, s + 1, c + 1, ACK)


def datagrams(packets, seconds):
    """DNS, two-way streams, one-way syslog and ping."""
    rng = packets.rng
    query = arrivals(rng, seconds - 10, 4)
    count = len(query)
    src = CLIENTS + rng.integers(0, CLIENT_COUNT, count)
    sport = rng.integers(20_000, 60_000, count)
    packets.add(query, src, RESOLVER, UDP, sport=sport, dport=53, payload=40)
    told = rng.random(count) < 0.99
    later = query[told] + rng.uniform(0.002, 0.2, told.sum())
    packets.add(
        later, RESOLVER, src[told], UDP, sport=53, dport=sport[told], payload=120
    )
    for stream in range(12):
        time = np.arange(rng.uniform(0, 10), seconds - 10, 0.2)
        here, there = CLIENTS + stream, SERVERS + stream
        ports = {"sport": 40_000 + stream, "dport": 5004, "payload": 172}
        back = {"sport": 5004, "dport": 40_000 + stream, "payload": 172}
        packets.add(time, here, there, UDP, **ports)
        packets.add(time + 0.03, there, here, UDP, **back)
    for sender in range(2):
        time = np.arange(1.0 + sender, seconds, 5.0)
        packets.add(
            time, CLIENTS + sender, LOG_HOST, UDP, sport=514, dport=514, payload=90
        )
    ping = np.arange(0.5, seconds - 1, 1.0)
    # An echo's type and code lie where ports do, its id where the sequence number does.
    packets.add(ping, CLIENTS, SERVERS, ICMP, sport=8 << 8, seq=7 << 16, payload=56)
    packets.add(ping + 0.03, SERVERS, CLIENTS, ICMP, sport=0, seq=7 << 16, payload=56)
    return count


def flood(packets, attack):
    """Add an attack from sources that do not exist."""
    rng = packets.rng
    time = np.sort(rng.uniform(attack.begin, attack.end, attack.packets))
    src = 0x64400000 + rng.integers(0, 2**22, attack.packets)  # 100.64.0.0/10
    sport = rng.integers(1024, 65536, attack.packets)
    if attack.kind == "syn":
        seq = rng.integers(0, 2**32, attack.packets)
        packets.add(
            time, src, SYN_VICTIM, TCP, sport=sport, dport=80, seq=seq, flags=SYN
        )
    else:
        dport = rng.integers(1024, 65536, attack.packets)
        packets.add(time, src, UDP_VICTIM, UDP, sport=sport, dport=dport, payload=32)


def records(columns):
    """Arrange the packets as records of a capture file."""
    count = len(columns["time"])
    rows = np.zeros((count, RECORD), dtype=np.uint8)
    tcp = columns["protocol"] == TCP
    size = columns["payload"] + np.where(tcp, 40, 28)

    def put(at, width, values, order=">"):
        code = np.asarray(values).astype(f"{order}u{width}")
        code = np.broadcast_to(code, (count,))
        rows[:, at : at + width] = code.reshape(-1, 1).view(np.uint8)

    time = columns["time"] + START
    put(0, 4, np.floor(time), "<")
    put(4, 4, (time % 1) * 1e6, "<")
    put(8, 4, SNAPLEN, "<")
    put(12, 4, size + 14, "<")
    put(16 + 12, 2, 0x0800)
    ip = 30
    put(ip, 2, 0x4500)
    put(ip + 2, 2, size)
    put(ip + 6, 2, 0x4000)
    put(ip + 8, 1, 64)
    put(ip + 9, 1, columns["protocol"])
    put(ip + 12, 4, columns["src"])
    put(ip + 16, 4, columns["dst"])
    halves = rows[:, ip : ip + 20].reshape(-1, 10, 2).astype(np.uint32)
    total = (halves[:, :, 0] * 256 + halves[:, :, 1]).sum(axis=1)
    total = (total >> 16) + (total & 0xFFFF)
    total = (total >> 16) + (total & 0xFFFF)
    put(ip + 10, 2, ~total & 0xFFFF)
    put(ip + 20, 2, columns["sport"])
    put(ip + 22, 2, columns["dport"])
    put(ip + 24, 4, columns["seq"])
    put(ip + 28, 4, columns["ack"])
    put(ip + 32, 2, 0x5000 | columns["flags"])
    put(ip + 34, 2, 65_000)
    # UDP has its length where TCP has the upper half of seq.
    udp = columns["protocol"] == UDP
    rows[udp, ip + 24 : ip + 26] = (
        (size[udp] - 20).astype(">u2").reshape(-1, 1).view(np.uint8)
    )
    rows[udp, ip + 26 :] = 0
    return rows


def write(path: Path, packets: Packets) -> int:
    """Write a capture of packets; return how many."""
    rows = records(packets.columns())
    head = np.array([0xA1B2C3D4, 2 | 4 << 16, 0, 0, SNAPLEN, 1], dtype="<u4")
    with path.open("wb") as file:
        file.write(head.tobytes())
        file.write(rows.tobytes())
    return len(rows)


def generate(path: Path, packets: int = 1_010_000, seed: int = 1) -> Truth:
    """Write the capture; return what is in it."""
    seconds = 1800.0
    attacks = tuple(
        Attack(kind, begin, begin + 60.0, packets // 9, victim)
        for kind, begin, victim in (
            ("syn", 900.0, "198.51.100.250"),
            ("udp", 1400.0, "198.51.100.251"),
        )
    )
    made = Packets(np.random.default_rng(seed))
    dns = datagrams(made, seconds)
    rest = packets - sum(a.packets for a in attacks)
    rest -= sum(len(part) for part in made.parts["time"])
    per_second = 4.0
    # A session has nine packets beside its data and the ACKs of it.
    data = max(1.0, (rest * 1.06 / (per_second * (seconds - 60)) - 9) / 1.5)
    sessions, completed, failed = tcp_sessions(made, seconds, per_second, data)
    for attack in attacks:
        flood(made, attack)
    count = write(path, made)
    return Truth(count, seconds, START, sessions, completed, failed, dns, attacks)


def main() -> int:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description="a capture with known truth")
    parser.add_argument("out", type=Path)
    parser.add_argument("--packets", type=int, default=1_010_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    truth = generate(options.out, options.packets, options.seed)
    print(json.dumps(asdict(truth), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The TUN link against kernel sockets: `tun.py '["case", arguments...]'`; prints JSON.

Each case is a function; packets are made and read by scapy, not by us.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys

import link as interfaces
from pyroute2 import IPRoute
from scapy.layers.inet import IP, TCP, UDP

from syncache.links import LinkError
from syncache.links.tun import Tun
from syncache.ring import Checksum, Ring

KERNEL, OURS = "198.18.0.1", "198.18.0.2"
SLOT_SIZE = 65_600


@contextlib.contextmanager
def device(**options):
    link = Tun("tun0", [f"{KERNEL}/24"], **options)
    try:
        yield link
    finally:
        link.close()


def packets(link, wanted, slot_size=SLOT_SIZE, again=lambda: None):
    """Wait for the first packets that are wanted; the ring and their indices.

    The kernel drops what it has no neighbour for in a table that all namespaces share,
    so whoever waits long does it `again`.
    """
    rx = Ring(16, slot_size)
    patience = 30
    while True:
        if not select.select([link], [], [], 2)[0]:
            patience -= 1
            if not patience:
                raise TimeoutError("no packet")
            again()
        rx.clear()
        link.receive(rx)
        found = [i for i in range(len(rx)) if wanted(IP(bytes(rx[i])))]
        if found:
            return rx, found


def send(link, packet, **offloads):
    tx = Ring(1, SLOT_SIZE)
    tx.push(bytes(packet), **offloads)
    assert link.send(tx) == 1


def syn_arrives(link):
    """Whether the kernel's SYN to us comes out; a datagram behind it always does."""
    with socket.socket() as sock, socket.socket(type=socket.SOCK_DGRAM) as mark:
        sock.setblocking(False)

        def ask():
            with contextlib.suppress(BlockingIOError):
                sock.connect((OURS, 7))
            mark.sendto(b"mark", (OURS, 7))

        ask()
        rx, _ = packets(link, lambda ip: UDP in ip, again=ask)
    return any(TCP in IP(bytes(rx[i])) for i in range(len(rx)))


def blocked():
    """SYNs of the kernel's address, as its network is blocked and is not."""
    with device() as link:
        for networks, arrives in (
            ([f"{KERNEL}/32", "2001:db8::/48"], False),
            (["198.18.1.0/24"], True),
            (["2001:db8::/48", "198.18.0.0/24"], False),
            ([], True),
        ):
            link.block(networks)
            assert arrives == syn_arrives(link)
        link.block([f"{KERNEL}/32"])
    with device() as link:
        return {"ok": syn_arrives(link)}


def udp_both_ways():
    """What a socket sends comes out, and what we answer goes in."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, device() as link:
        sock.settimeout(60)
        sock.bind((KERNEL, 5000))

        def ask():
            sock.sendto(b"question", (OURS, 7))

        ask()
        rx, (i, *_) = packets(link, lambda packet: UDP in packet, again=ask)
        asked = IP(bytes(rx[i]))
        assert bytes(asked[UDP].payload) == b"question"
        send(link, IP(src=OURS, dst=KERNEL) / UDP(sport=7, dport=5000) / b"answer")
        assert sock.recv(100) == b"answer"
    return {"ok": True}


def handshake(link, listener, sport=4000):
    """Complete a handshake with a kernel listener by hand."""
    port = listener.getsockname()[1]
    ends = IP(src=OURS, dst=KERNEL) / TCP(sport=sport, dport=port, window=65535)
    syn = ends.copy()
    syn[TCP].flags, syn[TCP].seq = "S", 1000
    syn[TCP].options = [("MSS", 1000), ("WScale", 7)]
    send(link, syn)
    rx, (i, *_) = packets(
        link, lambda packet: TCP in packet and packet[TCP].flags == "SA"
    )
    answer = IP(bytes(rx[i]))
    ends[TCP].flags, ends[TCP].seq = "A", 1001
    ends[TCP].ack = answer[TCP].seq + 1
    return ends


def partial(packet):
    """The packet with the checksum that a stack leaves for the link to finish."""
    packet = IP(bytes(packet))
    pseudo = socket.inet_aton(packet.src) + socket.inet_aton(packet.dst)
    pseudo += (6).to_bytes(2, "big") + (packet.len - 20).to_bytes(2, "big")
    words = [int.from_bytes(pseudo[i : i + 2], "big") for i in range(0, 12, 2)]
    total = sum(words)
    packet[TCP].chksum = (total & 0xFFFF) + (total >> 16)
    return packet


def super_segments():
    """60 kB cross the device in one packet, either way."""
    body = bytes(range(256)) * 230
    listener = socket.create_server((KERNEL, 0))
    listener.settimeout(60)
    with listener, device() as link:
        ends = handshake(link, listener)
        send(link, partial(ends / body), checksum=Checksum.PARTIAL, gso_size=1000)
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(60)
            taken = b""
            while len(taken) < len(body):
                taken += sock.recv(65536)
            assert taken == body
        socks = []

        def ask():
            # On a connection of its own: what was dropped is repeated in small pieces.
            send(link, handshake(link, listener, 5000 + len(socks)))
            socks.append(listener.accept()[0])
            socks[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            socks[-1].sendall(body)

        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [sock.close() for sock in socks])
            ask()
            rx, (i, *_) = packets(
                link,
                lambda packet: TCP in packet and len(packet[TCP].payload) > 1000,
                again=ask,
            )
            assert rx.checksum(i) == Checksum.PARTIAL
            assert rx.gso_size(i) == 1000
    return {"ok": True}


def too_large():
    """A packet longer than a slot is dropped and counted, the next one comes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, device(mtu=9000) as link:

        def ask():
            sock.sendto(bytes(3000), (OURS, 7))
            sock.sendto(b"small", (OURS, 7))

        ask()
        packets(link, lambda packet: UDP in packet, slot_size=2048, again=ask)
        assert link.counts["too_large"] >= 1
    return {"ok": True}


def configured(addresses, routes, mtu):
    """The interface while it is open."""
    link = Tun("tun0", addresses, routes=routes, mtu=mtu)
    with IPRoute() as ip:
        found = interfaces.show(ip, "tun0")
    link.close()
    return found


def error_of(*arguments):
    try:
        Tun(*arguments).close()
    except LinkError as error:
        return {"error": str(error)}
    return {"error": ""}


def taken():
    with contextlib.closing(Tun("tun0")):
        return error_of("tun0")


def no_tun():
    return error_of("lo")


def bad_address():
    return error_of("tun0", ["198.18.0.1/99"])


if __name__ == "__main__":
    case, *arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[case](*arguments)))

#!/bin/sh
# On veth, frames that an XDP program of one end answers by XDP_TX are not delivered while
# the other end has no XDP program, not even if its GRO is on, which gives that end the
# NAPI and the ring that native XDP needs.  They stay in the ring: an ordinary frame behind
# them overtakes them, and they come out once the receiving end gets a program, even one
# that only passes.
# Seen on Linux 6.18.  Needs root (CAP_BPF), iproute2, ethtool and python3.
# Exit: 0 as described, 1 changed, 77 no namespace, no veth or no BPF.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
unshare -n true 2>/dev/null || { echo "no network namespace"; exit 77; }
uname -sr
unshare -n python3 - <<'PY'
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

PROG_LOAD, LINK_CREATE, TYPE_XDP, ATTACH_XDP, XDP_PASS, XDP_TX = 5, 28, 6, 37, 2, 3
NUMBER = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = libc.syscall(NUMBER, command, buffer, 128)
    if result < 0:
        print("bpf:", os.strerror(ctypes.get_errno()))
        sys.exit(77)
    return result


def instruction(code, target, source, offset=0, value=0):
    return struct.pack("<BBhi", code, source << 4 | target, offset, value)


def load(code):
    text = ctypes.create_string_buffer(code)
    licence = ctypes.create_string_buffer(b"Dual BSD/GPL")
    return bpf(PROG_LOAD, struct.pack("<IIQQ", TYPE_XDP, len(code) // 8,
                                      ctypes.addressof(text), ctypes.addressof(licence)))


def attach(program, name):
    return bpf(LINK_CREATE, struct.pack("<IIII", program, socket.if_nametoindex(name),
                                        ATTACH_XDP, 0))


passing = instruction(0xB7, 0, 0, value=XDP_PASS) + instruction(0x95, 0, 0)
swap = b"".join(
    instruction(0x69, 0, 2, at) + instruction(0x69, 5, 2, at + 6)
    + instruction(0x6B, 2, 5, at) + instruction(0x6B, 2, 0, at + 6)
    for at in (0, 2, 4)
)
echo = (
    instruction(0x61, 2, 1, 0) + instruction(0x61, 3, 1, 4)  # data, data_end
    + instruction(0xBF, 4, 2) + instruction(0x07, 4, 0, value=14)
    + instruction(0x2D, 4, 3, offset=14)  # too short: pass
    + swap
    + instruction(0xB7, 0, 0, value=XDP_TX) + instruction(0x95, 0, 0)
    + passing
)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


for name in ("all", "default"):
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
        file.write("1")
run("ip", "link", "add", "va", "type", "veth", "peer", "name", "vb")
for name in ("va", "vb"):
    run("ip", "link", "set", name, "arp", "off", "up")
    run("ethtool", "-K", name, "gro", "on")
kept = attach(load(echo), "vb")


def opened(name):
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    one.bind((name, 0x88B5))
    one.settimeout(0.3)
    return one


here, there = opened("va"), opened("vb")
mac = {name: one.getsockname()[4] for name, one in (("va", here), ("vb", there))}


def send(one, source, target):
    one.send(mac[target] + mac[source] + b"\x88\xb5" + bytes(50))
    time.sleep(0.01)


def arrived():
    """Frames that va received; its own, as they leave, are not among them."""
    found = 0
    try:
        while True:
            found += here.recvfrom(2048)[1][2] != socket.PACKET_OUTGOING
    except TimeoutError:
        return found


def echoes(count):
    for _ in range(count):
        send(here, "va", "vb")
    return arrived()


gro_alone = echoes(5)
send(there, "vb", "va")
with_ordinary = arrived()
second = attach(load(passing), "va")
with_program = echoes(5)
print(f"GRO alone: {gro_alone} of 5 echoes; an ordinary frame behind them: {with_ordinary};")
print(f"with a program at the receiving end, and 5 more: {with_program}")
sys.exit((gro_alone, with_ordinary, with_program) != (0, 1, 10))
PY

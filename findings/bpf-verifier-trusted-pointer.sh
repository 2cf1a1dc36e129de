#!/bin/sh
# A load of a pointer by a trusted pointer to a kernel's structure (a socket's, here) costs
# the BPF verifier about a millisecond, on each path that it walks; a load of a number from
# the same structure about a microsecond.  For the pointer it looks whether BTF has a type
# such as tcp_sock__safe_trusted, by comparing the names of all of the kernel's types.  The
# count of verified instructions, by which load times are judged, is the same for both.
# Seen on Linux 6.18 (BTF of 5.5 MB), x86-64.  Needs root (CAP_BPF, CAP_PERFMON), bpftool
# and python3.
# Exit: 0 as described, 1 changed, 77 no root, no BPF, no BTF or no bpftool.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "the system call's number is x86-64's"; exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "no BTF"; exit 77; }
bpftool version >/dev/null 2>&1 || { echo "no bpftool"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
uname -sr
bpftool btf dump file /sys/kernel/btf/vmlinux format raw |
    sed -n "/STRUCT 'tcp_sock'/,/^\[/p" >"$folder/tcp_sock"
python3 - "$folder/tcp_sock" <<'PY'
import ctypes
import os
import re
import struct
import sys
import time

PROG_LOAD, SYSCALL, TYPE_SCHED_CLS = 5, 321, 3
SKC_LOOKUP_TCP, SKC_TO_TCP_SOCK, SK_RELEASE = 99, 137, 86
with open(sys.argv[1]) as file:
    fields = file.read()
libc = ctypes.CDLL(None, use_errno=True)


def offset(name):
    found = re.search(rf"'{name}' type_id=\d+ bits_offset=(\d+)", fields)
    if not found:
        print(f"struct tcp_sock has no {name} here")
        sys.exit(77)
    return int(found[1]) // 8


def op(code, target=0, source=0, at=0, value=0):
    return struct.pack("<BBhi", code, source << 4 | target, at, value)


def program(load, count):
    """Look a socket up, load a member of it so many times, release it."""
    key = op(0xBF, 2, 10) + op(0x07, 2, value=-16)
    return b"".join((
        op(0x7A, 10, at=-8), op(0x7A, 10, at=-16), key,
        op(0xB7, 3, value=12), op(0xB7, 4, value=-1), op(0xB7, 5),
        op(0x85, value=SKC_LOOKUP_TCP), op(0x15, 0, at=6 + count), op(0xBF, 7, 0),
        op(0xBF, 1, 0), op(0x85, value=SKC_TO_TCP_SOCK), op(0x15, 0, at=count),
        load * count,
        op(0xBF, 1, 7), op(0x85, value=SK_RELEASE), op(0xB7, 0), op(0x95),
    ))


def seconds(code):
    """Processor time of one load of the program, which is then closed again."""
    text, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    pointers = ctypes.addressof(text), ctypes.addressof(licence)
    attributes = struct.pack("<IIQQ", TYPE_SCHED_CLS, len(code) // 8, *pointers)
    buffer = ctypes.create_string_buffer(attributes.ljust(144, b"\0"), 144)
    before = time.process_time()
    number = libc.syscall(SYSCALL, PROG_LOAD, buffer, 144)
    spent = time.process_time() - before
    if number < 0:
        print("bpf:", os.strerror(ctypes.get_errno()))
        sys.exit(77)
    os.close(number)
    return spent


cost = {}
for name, load in (
    ("snd_una, a number", op(0x61, 1, 0, offset("snd_una"))),
    ("md5sig_info, a pointer", op(0x79, 1, 0, offset("md5sig_info"))),
):
    without, loaded = (min(seconds(program(load, n)) for _ in range(3)) for n in (0, 100))
    cost[name] = max((loaded - without) / 100 * 1e6, 1)  # below one it is noise
    print(f"{name}: {cost[name]:.0f} microseconds of the verifier for each load")
number, pointer = cost.values()
sys.exit(pointer < 50 * number)
PY

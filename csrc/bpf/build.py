"""Compile the programs of this folder to what the loader reads: syncache/bpf/.

    python csrc/bpf/build.py            write the files
    python csrc/bpf/build.py --check    compare with them; 77: the compiler is not here

PROGRAM.bin is the instructions of one program.  shield.json and offload.json say which
maps there are, and what the loader has to put into each program:

    map      instruction, name      the descriptor of a map, in two instructions
    kfunc    instruction, name      the number of a function of the kernel
    field    instruction, name      the offset of a field of a structure of the kernel
    optional instruction, name      the same of a field that may be missing: 0 is read
    type     instruction, name      the number of a structure of the kernel

The compiler is pinned, because another one gives other bytes, and the kernel's verifier
has to be content with each.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent.parent / "syncache" / "bpf"
COMPILER = "clang-19"
VERSION = "19.1.7"
INCLUDE = "/usr/include/x86_64-linux-gnu"  # <asm/types.h> of any machine will do
FLAGS = (
    "-std=c11 -O2 -target bpf -mcpu=v3 -ffreestanding -Wall -Wextra -Wshadow "
    f"-Wno-unused-function -Wno-unused-const-variable -Werror -I{INCLUDE}"
).split()
OBJECTS = {
    "shield": {
        "shield_syn": "xdp",
        "shield_any": "xdp",
        "shield_skb": "tc",
        "shield_ack": "tc",
    },
    "offload": {"offload_take": "socket", "offload_splice": "tc"},
}
FIELDS = {  # numbers of kernel.h: structure, members
    28673: "inet_connection_sock.icsk_accept_queue/request_sock_queue.qlen",
    28674: "sock.sk_ack_backlog",
    28675: "sock.sk_max_ack_backlog",
    28677: "tcp_sock.rx_opt/tcp_options_received.user_mss",
    28678: "sock.sk_rcvbuf",
    28681: "inet_sock.min_ttl",
    28684: "tcp_sock.snd_una",
    28685: "tcp_sock.rcv_nxt",
    28686: "tcp_sock.bytes_acked",
    28687: "tcp_sock.bytes_received",
    28688: "sock.sk_reuseport_cb",
    28689: "sock_reuseport.prog",
    28691: "inet_sock.tos",
}
OPTIONAL = {
    28676: "tcp_sock.is_mptcp",
    28679: "tcp_sock.md5sig_info",
    28680: "tcp_sock.ao_info",
    28682: "inet_sock.pinet6",
    28683: "ipv6_pinfo.min_hopcount",
    28692: "ipv6_pinfo.tclass",
}
KERNEL_TYPES = {28690: "tcp_sock"}
MAP = struct.Struct("<5I")
SET = 0xB7  # a register becomes a number
LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_LONG = 0x61, 0x69, 0x71, 0x79
LOADS = {LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_LONG}
R_BPF_64_64, R_BPF_64_32 = 1, 10
SKIP = 77


class Object:
    """What is needed of an ELF file with one program."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        (offset,) = struct.unpack_from("<Q", data, 0x28)
        count, names = struct.unpack_from("<HH", data, 0x3C)
        self._sections = [
            struct.unpack_from("<IIQQQQIIQQ", data, offset + 64 * i)
            for i in range(count)
        ]
        self._names = [self._text(names, s[0]) for s in self._sections]
        table = self._names.index(".symtab")
        strings = self._sections[table][6]
        self._symbols = [
            (self._text(strings, name), section, value)
            for name, _, _, section, value, _ in struct.iter_unpack(
                "<IBBHQQ", self.section(".symtab")
            )
        ]

    def _body(self, index: int) -> bytes:
        section = self._sections[index]
        return self._data[section[4] : section[4] + section[5]]

    def _text(self, strings: int, offset: int) -> str:
        body = self._body(strings)
        return body[offset : body.index(b"\0", offset)].decode()

    def section(self, name: str) -> bytes:
        """Return the bytes of a section."""
        return self._body(self._names.index(name))

    def relocations(self, name: str) -> list[tuple[int, str, int]]:
        """List instruction, symbol and type of each relocation of a section."""
        return [
            (offset // 8, self._symbols[info >> 32][0], info & 0xFFFFFFFF)
            for offset, info in struct.iter_unpack("<QQ", self.section(".rel" + name))
        ]

    def maps(self) -> dict[str, list[int]]:
        """Return type, sizes, entries and flags of the maps by name."""
        body, index = self.section("maps"), self._names.index("maps")
        return {
            name: list(MAP.unpack_from(body, value))
            for name, section, value in self._symbols
            if section == index and name and name != "maps"
        }


def compile_one(name: str, folder: Path) -> Object:
    """Compile a program."""
    target = folder / f"{name}.o"
    source = HERE / f"{name}.c"
    subprocess.run([COMPILER, *FLAGS, "-c", str(source), "-o", str(target)], check=True)
    return Object(target.read_bytes())


def describe(name: str, section: str, made: Object) -> tuple[bytes, list[list[object]]]:
    """Return a program's instructions and what is to be put in."""
    code = bytearray(made.section(section))
    if made.section(".text"):
        raise SystemExit(f"{name}: a function was not inlined")
    places: list[list[object]] = []
    for instruction, symbol, kind in made.relocations(section):
        if kind == R_BPF_64_64:
            places.append(["map", instruction, symbol])
        elif kind == R_BPF_64_32:
            places.append(["kfunc", instruction, symbol])
        else:
            raise SystemExit(f"{name}: relocation {kind} of {symbol}")
    for instruction in range(len(code) // 8):
        offset, number = struct.unpack_from("<hi", code, 8 * instruction + 2)
        if code[8 * instruction] == SET and number in KERNEL_TYPES:
            places.append(["type", instruction, KERNEL_TYPES[number]])
        if code[8 * instruction] not in LOADS:
            continue
        if offset in FIELDS:
            places.append(["field", instruction, FIELDS[offset]])
        if offset in OPTIONAL:
            places.append(["optional", instruction, OPTIONAL[offset]])
    return bytes(code), sorted(places, key=lambda place: str(place[1]).zfill(8))


def build() -> dict[Path, bytes]:
    """Compile everything; return the files."""
    files: dict[Path, bytes] = {}
    for name, programs in OBJECTS.items():
        files |= build_one(name, programs)
    return files


def build_one(object_name: str, sections: dict[str, str]) -> dict[Path, bytes]:
    """Compile the programs that have their maps in common."""
    files: dict[Path, bytes] = {}
    programs: dict[str, object] = {}
    maps: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, section in sections.items():
            made = compile_one(name, Path(folder))
            body, places = describe(name, section, made)
            programs[name] = {
                "type": section,
                "count": len(body) // 8,
                "places": places,
            }
            files[TARGET / f"{name}.bin"] = body
            maps |= made.maps()
    document = {"compiler": f"{COMPILER} {VERSION}", "maps": maps, "programs": programs}
    text = json.dumps(document, indent=1)
    # A list of numbers or a place on one line.
    text = re.sub(r"\[\n\s+([^][]*?)\n\s+\]", _one_line, text)
    files[TARGET / f"{object_name}.json"] = f"{text}\n".encode()
    return files


def _one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r",\s+", ", ", match[1]) + "]"


def is_here() -> bool:
    """Is the pinned compiler installed?"""
    try:
        words = [COMPILER, "--version"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return f"version {VERSION}" in done.stdout


def main() -> int:
    """Write or compare; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    if not is_here():
        print(f"{COMPILER} {VERSION} is not installed: nothing was compared")
        return SKIP
    files = build()
    if not options.check:
        TARGET.mkdir(exist_ok=True)
        for path, content in files.items():
            path.write_bytes(content)
        return 0
    differ = [
        path.name
        for path, content in files.items()
        if not path.exists() or path.read_bytes() != content
    ]
    if differ:
        print(f"{', '.join(differ)}: not what csrc/bpf gives; run csrc/bpf/build.py")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())

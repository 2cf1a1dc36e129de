"""bpf(2)'s part of the door to C: see `_core`, whose rules hold here too.

The calls are described in csrc/link/link.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# <linux/bpf.h>, enum bpf_cmd
LOOKUP, UPDATE, DELETE, NEXT_KEY, TAKE = 1, 2, 3, 4, 21
LOOKUP_BATCH, BATCH = 24, 4096
LOG_BYTES = 1 << 20
FRAME_BYTES_MAX = 4096
PROGRAMS_MAX = 64  # on one interface, as the kernel has it


class ProgramInfo(NamedTuple):
    """The kernel's data on a loaded program."""

    id: int
    name: str
    instructions: int
    verified: int


class Run(NamedTuple):
    """The result of a program on a packet."""

    verdict: int
    packet: bytes
    duration_ns: int


def bpf_map(
    map_type: int,
    entries: int,
    *,
    key_size: int = 4,
    value_size: int = 4,
    flags: int = 0,
) -> int:
    """Make a map; its descriptor."""
    return checked(lib.link_bpf_map(map_type, key_size, value_size, entries, flags))


def bpf_map_set(map_fd: int, key: int, value: int) -> None:
    """Set an element of a map of 32-bit keys and values."""
    update(map_fd, key.to_bytes(4, "little"), value.to_bytes(4, "little"))


def update(map_fd: int, key: bytes, value: bytes) -> None:
    """Set an element."""
    checked(lib.link_bpf_element(UPDATE, map_fd, key, ffi.from_buffer(value)))


def lookup(map_fd: int, key: bytes, size: int) -> bytes | None:
    """Return an element, of `size` bytes for all processors; None: there is none."""
    value = ffi.new("uint8_t[]", size)
    if lib.link_bpf_element(LOOKUP, map_fd, key, value) < 0:
        return None
    return ffi.buffer(value)[:]


def take(queue_fd: int, size: int) -> bytes | None:
    """Take the oldest element of a queue; None: it is empty."""
    value = ffi.new("uint8_t[]", size)
    if lib.link_bpf_element(TAKE, queue_fd, ffi.NULL, value) < 0:
        return None
    return ffi.buffer(value)[:]


def delete(map_fd: int, key: bytes) -> None:
    """Remove an element, if it is there."""
    lib.link_bpf_element(DELETE, map_fd, key, ffi.NULL)


def keys(map_fd: int, size: int) -> list[bytes]:
    """List the keys of a map that nobody else changes."""
    found: list[bytes] = []
    following = ffi.new("uint8_t[]", size)
    at = ffi.NULL
    while lib.link_bpf_element(NEXT_KEY, map_fd, at, following) == 0:
        found.append(ffi.buffer(following)[:])
        at = ffi.new("uint8_t[]", found[-1])
    return found


def entries(
    map_fd: int, key_size: int, value_size: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a hash map, as they were at some moment of the walk."""
    keys_of = ffi.new("uint8_t[]", BATCH * key_size)
    values_of = ffi.new("uint8_t[]", BATCH * value_size)
    count, place = ffi.new("uint32_t *"), ffi.new("uint32_t *")
    at, result = ffi.NULL, 0
    while result == 0:
        count[0] = BATCH
        words = (map_fd, at, place, keys_of, values_of, count)
        result = lib.link_bpf_batch(LOOKUP_BATCH, *words)
        if result < 0 and count[0] == BATCH:
            return  # nothing was done
        for i in range(count[0]):
            key = ffi.buffer(keys_of + i * key_size, key_size)[:]
            yield key, ffi.buffer(values_of + i * value_size, value_size)[:]
        at = place


def bpf_load(
    program_type: int, attach_type: int, program: bytes, name: str = "", flags: int = 0
) -> int:
    """Load a program; its descriptor."""
    code = (name.encode(), program, len(program) // 8)
    fd = lib.link_bpf_load(program_type, attach_type, flags, *code, ffi.NULL, 0)
    return checked(fd)


def bpf_refusal(
    program_type: int, attach_type: int, program: bytes, flags: int = 0
) -> tuple[int, str]:
    """Load a program with a log: -errno, or its descriptor; the verifier's reason."""
    log = ffi.new("uint8_t[]", LOG_BYTES)
    code = (b"", program, len(program) // 8)
    fd = lib.link_bpf_load(program_type, attach_type, flags, *code, log, LOG_BYTES)
    text = ffi.buffer(log)[:].split(b"\0", 1)[0].decode(errors="replace")
    lines = [line for line in text.splitlines() if line]
    return fd, lines[-2] if len(lines) > 1 else "".join(lines)


def bpf_attach(program: int, ifindex: int, attach_type: int, flags: int) -> int:
    """Attach a program for as long as the returned descriptor is held."""
    return checked(lib.link_bpf_attach(program, ifindex, attach_type, flags))


def bpf_replace(link: int, program: int) -> None:
    """Put another program in the place of the one that a link holds."""
    checked(lib.link_bpf_replace(link, program))


def bpf_query(ifindex: int, attach_type: int) -> list[int]:
    """List the numbers of the programs on an interface, in their order."""
    ids, count = ffi.new("uint32_t[]", PROGRAMS_MAX), ffi.new("uint32_t *")
    count[0] = PROGRAMS_MAX
    checked(lib.link_bpf_query(ifindex, attach_type, ids, count))
    return [ids[i] for i in range(count[0])]


def bpf_pin(fd: int, path: Path) -> None:
    """Give a descriptor a name in a BPF file system."""
    checked(lib.link_bpf_pin(fd, bytes(path)))


def bpf_open(path: Path) -> int:
    """Open an object by its name in a BPF file system."""
    return checked(lib.link_bpf_open(bytes(path)))


def bpf_info(program: int) -> ProgramInfo:
    """Return the kernel's data on a program."""
    info = ffi.new("struct link_bpf_info *")
    checked(lib.link_bpf_info(program, info))
    name = ffi.buffer(info.name)[:].split(b"\0", 1)[0].decode(errors="replace")
    return ProgramInfo(info.id, name, info.instructions, info.verified)


class Ring:
    """A ring buffer that programs write to; `take` it empty.

    Args:
        map_fd: Its descriptor, which stays the caller's.
        size: In bytes, as it was made.
        record_bytes: The largest record.
    """

    def __init__(self, map_fd: int, size: int, record_bytes: int) -> None:
        self._ring = ffi.new("struct link_bpf_ring *")
        self._record = ffi.new("uint8_t[]", record_bytes)
        self._bytes = record_bytes
        checked(lib.link_bpf_ring_open(map_fd, size, self._ring))

    def take(self) -> bytes | None:
        """Take the oldest record; None: there is none."""
        size = lib.link_bpf_ring_take(self._ring, self._record, self._bytes)
        return ffi.buffer(self._record, size)[:] if size else None

    def close(self) -> None:
        """Unmap it; nothing may be taken any more."""
        lib.link_bpf_ring_close(self._ring)


def bpf_program(number: int) -> int:
    """Open a loaded program by its number."""
    return checked(lib.link_bpf_program(number))


def bpf_run(program: int, packet: bytes, repeat: int = 1, ifindex: int = 0) -> Run:
    """Give a packet to a program, which need not be attached.

    `ifindex` is of the interface by which a packet comes to a program of tc; 0: it is
    the loopback.
    """
    source = ffi.from_buffer(packet)
    target = ffi.new("uint8_t[]", FRAME_BYTES_MAX)
    run = ffi.new(
        "struct link_bpf_run *",
        {
            "in": ffi.cast("uint8_t *", source),
            "out": target,
            "in_size": len(packet),
            "out_size": FRAME_BYTES_MAX,
            "repeat": repeat,
            "ifindex": ifindex,
        },
    )
    checked(lib.link_bpf_run(program, run))
    return Run(run.verdict, ffi.buffer(target)[: run.out_size], run.duration_ns)


def btf_ask(
    btf: bytes, questions: Sequence[tuple[str | None, str | None]]
) -> list[int | None]:
    """Return numbers of functions and types, and offsets in bytes, in one walk.

    Args:
        btf: The kernel's description of itself.
        questions: Structure and member; of a function, no structure; of a structure's
            own number, no member.

    Returns:
        The answers in order; None: the kernel has no such function or member.

    Raises:
        OSError: It is not such a description.
    """
    texts = [
        [
            ffi.NULL if word is None else ffi.new("char[]", word.encode())
            for word in each
        ]
        for each in questions
    ]
    asked = ffi.new("struct link_btf_question[]", [[*each, 0] for each in texts])
    checked(lib.link_btf_ask(ffi.from_buffer(btf), len(btf), asked, len(texts)))
    return [each.answer if each.answer >= 0 else None for each in asked]


def checked(result: int) -> int:
    """Return a result that is not an error.

    Raises:
        OSError: The kernel refused.
    """
    if result < 0:
        raise OSError(-result, "bpf(2)")
    return result

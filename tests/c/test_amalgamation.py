"""The SYN cache as one header and one C file: every compiler here takes it, alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from needs import need, want
from test_c_library import CSRC, HANDSHAKE, run

WARNINGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Werror",
]
M4 = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]
RV32 = ["riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "-ffreestanding"]
COMPILERS = {
    "gcc": [os.environ.get("CC", "gcc")],
    "clang": ["clang-19"],
    "i686": ["i686-linux-gnu-gcc"],
    "aarch64": ["aarch64-linux-gnu-gcc"],
    "s390x": ["s390x-linux-gnu-gcc"],
    "cortex-m4": M4,
    "rv32": RV32,
    "mips": ["mips-linux-gnu-gcc"],
    "armhf": ["arm-linux-gnueabihf-gcc"],
    "musl": ["musl-gcc"],
    "tcc": ["tcc"],  # C11 without GNU's builtin functions
}
# The others are gcc with another back end, seen once, or with another C library.
OPTIMISED = {"gcc", "clang", "tcc"}
# Only gcc's warnings depend on its optimiser, and objects of tcc are linked.
COMPILED = {"gcc", "tcc"}
# Those of them that this machine has.
HERE = {name: words for name, words in COMPILERS.items() if shutil.which(words[0])}
MEMORY = {"memcpy", "memmove", "memset", "memcmp"}

# What a host calls, and nothing else: the linker throws the rest away.
HOST = r"""
#include "syncache.h"
_Alignas(64) static unsigned char block[16384];
static struct syncache_result result;
static struct syncache_config config;
static struct syncache_tunables tunables;
static struct syncache_endpoint endpoint;
uint8_t seed[16], packet[1500], out[SYNCACHE_REPLY_MAX];
volatile uint32_t now, sink;

void
_start(void)
{
    struct syncache *cache = syncache_init(block, sizeof block, &config, seed);
    uint64_t epoch;
    uint32_t number;

    sink = syncache_set_tunables(cache, &tunables);
    sink = syncache_listen(cache, &endpoint, &number);
    for (;;) {
        if (syncache_key_due(cache, now, &epoch))
            syncache_set_key(cache, epoch, seed);
        sink = syncache_packet(cache, now, packet, sizeof packet, 0, &result);
        syncache_accepted(cache, &result.conn, 0, true);
        sink = syncache_poll_one(cache, now, out);
        sink = (uint32_t)syncache_next_deadline(cache);
    }
}
"""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with syncache.h and syncache.c."""
    build = tmp_path_factory.mktemp("build")
    run("make", "-s", "-C", CSRC, "amalgamation", f"BUILD={build}")
    return build / "amalgamation"


def undefined(words: list[str], thing: Path) -> set[str]:
    """The symbols that an object wants from elsewhere, the compiler's own left out."""
    tool = f"{words[0].removesuffix('gcc')}nm" if words[0].endswith("-gcc") else "nm"
    runtime = run(*words, "-print-libgcc-file-name").strip()
    defined = set()
    if Path(runtime).exists():
        # Members without symbols make nm complain on the other stream.
        listing = subprocess.run(
            [tool, "-g", "--defined-only", runtime],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        defined = {line.split()[-1] for line in listing.splitlines() if line}
    wanted = {line.split()[-1] for line in run(tool, "-u", thing).splitlines() if line}
    return wanted - defined - {"__gnu_local_gp"}  # MIPS: the linker's own


@cache
def hosted(name: str) -> bool:
    """Whether the compiler has its C library, which is a package of its own."""
    words = [*HERE[name], "-x", "c", "-fsyntax-only", "-"]
    source = "#include <assert.h>\n#include <stdint.h>\n#include <string.h>\n"
    done = subprocess.run(
        words, input=source.encode(), capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


@cache
def compiled(one: Path, name: str, flags: str) -> Path:
    """Return the object that a compiler makes, once for all tests that link it."""
    thing = one / f"{name}-{flags.replace(' ', '')}.o"
    run(*HERE[name], *WARNINGS, *flags.split(), "-c", one / "syncache.c", "-o", thing)
    return thing


WHOLE, SMALL, SMALLEST = "-O2", "-O3 -DSYNCACHE_SMALL", "-Os -DSYNCACHE_SMALL"


@pytest.mark.parametrize("flags", [WHOLE, SMALL])
@pytest.mark.parametrize("name", HERE)
def test_every_compiler_takes_it_without_a_warning(
    one: Path, tmp_path: Path, name: str, flags: str
) -> None:
    """Two files; what a compiler sees depends on how much of one it puts together."""
    if name in COMPILED:
        compiled(one, name, flags)
        return
    words = [*HERE[name], *WARNINGS, "-fsyntax-only"]
    words += [] if hosted(name) else ["-ffreestanding"]
    run(*words, one / "syncache.c", "-o", tmp_path / "syncache.o")


def test_nothing_but_the_public_functions_leaves_it(one: Path) -> None:
    """The program may have an md5_init() of its own."""
    object_ = compiled(one, "gcc", WHOLE)
    lines = run("nm", "--extern-only", "--defined-only", object_).splitlines()
    names = {line.split()[-1] for line in lines}
    assert "syncache_packet" in names
    assert not [name for name in names if not name.startswith("syncache_")]


@pytest.mark.parametrize("flag", ["-std=c89", "-std=gnu89", "-xc++"])
def test_another_language_is_told_in_one_line(one: Path, flag: str) -> None:
    """Not by hundreds of them about its own."""
    if flag == "-xc++":
        want("g++", "g++")
    words = [*HERE["gcc"], flag, "-fsyntax-only", str(one / "syncache.c")]
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert 1 == done.stderr.count("error: ")
    assert '#error "syncache.c is C11: ' in done.stderr


# What kernels, BSD, lwIP's sockets, small compilers and Windows define.
MACROS = """
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/param.h>
#include <sys/queue.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define BIT(n) (1UL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof *(a))
#define likely(x) __builtin_expect(!!(x), 1)
#define container_of(p, type, member) ((type *)(p))
#define send(s, p, n, f) lwip_send(s, p, n, f)
#define connect(s, a, n) lwip_connect(s, a, n)
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define SYN 2
"""


def test_it_stands_behind_other_peoples_macros(one: Path, tmp_path: Path) -> None:
    """In a build that puts many files together (unity)."""
    (tmp_path / "unity.c").write_text(f'{MACROS}\n#include "{one / "syncache.c"}"\n')
    words = [*HERE["gcc"], "-std=gnu11", "-Wall", "-Werror"]
    run(*words, "-fsyntax-only", tmp_path / "unity.c")


@pytest.mark.parametrize("name", sorted(HERE.keys() - {"tcc", "musl"}))
def test_freestanding_it_wants_the_memory_functions_alone(
    one: Path, tmp_path: Path, name: str
) -> None:
    """No libc, no assert, no environment.

    An optimiser makes calls of its own; gcc's is the same for every processor, so it is
    run once.
    """
    thing = tmp_path / "syncache.o"
    size = "-Os" if name in OPTIMISED else "-O0"
    words = [*HERE[name], *WARNINGS, size, "-ffreestanding", "-fno-pie"]
    run(*words, "-c", one / "syncache.c", "-o", thing)
    assert undefined(HERE[name], thing) <= MEMORY


@pytest.mark.parametrize(
    "flags", [WHOLE, SMALL, SMALLEST], ids=["whole", "small", "smallest"]
)
def test_it_makes_a_handshake(one: Path, tmp_path: Path, flags: str) -> None:
    """The same program as against the library."""
    words = [*HERE["gcc"], *WARNINGS, *flags.split()]
    makes_a_handshake(one, tmp_path, words, compiled(one, "gcc", flags))


def test_it_makes_a_handshake_without_gnu_builtins(one: Path, tmp_path: Path) -> None:
    """Whole, by a compiler that has none of them."""
    need("tcc")
    words = ["tcc", "-D_ISOC11_SOURCE", "-Wall", "-Werror"]
    makes_a_handshake(one, tmp_path, words, one / "syncache.c")


def makes_a_handshake(one: Path, folder: Path, words: list[str], engine: Path) -> None:
    """Compile the program with the engine, a source or an object, and run it."""
    source = folder / "handshake.c"
    source.write_text(HANDSHAKE)
    program = folder / "handshake"
    run(*words, f"-I{one}", source, engine, "-o", program)
    assert run(program) == "accepted\n"


@pytest.mark.parametrize(
    ("words", "limit", "package"),
    [
        (M4, 24 << 10, "gcc-arm-none-eabi"),
        (RV32, 31 << 10, "gcc-riscv64-unknown-elf"),
    ],
    ids=["cortex-m4", "rv32"],
)
def test_code_of_a_small_host_stays_small(
    one: Path, tmp_path: Path, words: list[str], limit: int, package: str
) -> None:
    """Cookies and cache, IPv4 and IPv6, at -Os, the caller's loop included."""
    want(words[0], package)
    source = tmp_path / "host.c"
    source.write_text(HOST)
    program = tmp_path / "host.o"
    run(
        *(*words, *WARNINGS),
        *("-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections"),
        *("-DSYNCACHE_SMALL", "-nostdlib", f"-I{one}"),
        *("-Wl,-r", "-Wl,--gc-sections", "-Wl,-e,_start"),
        *(source, one / "syncache.c", "-o", program),
    )
    size = run(f"{words[0].removesuffix('gcc')}size", program).splitlines()[1].split()
    assert 8 << 10 < int(size[0]) <= limit


def test_small_engines_serve_every_honest_client_in_a_flood(
    one: Path, tmp_path: Path
) -> None:
    """From 16 KB on, and as docs/hosts.md has it."""
    program = tmp_path / "small_flood"
    words = [*HERE["gcc"], *WARNINGS, *SMALL.split(), f"-I{one}"]
    flood = Path(__file__).parent / "small_flood.c"
    run(*words, flood, compiled(one, "gcc", SMALL), "-o", program)
    rows = run(program)
    assert (4, 16) == (rows.count("\n"), rows.count("| 20 of 20, "))
    if sys.maxsize > 2**32:
        assert rows in (CSRC.parent / "docs" / "hosts.md").read_text()


def test_directory_of_the_amalgamation_is_the_callers(tmp_path: Path) -> None:
    """Not one beside the script, if its name is relative."""
    words = ["sh", str(CSRC / "amalgamate.sh"), "one/two"]
    subprocess.run(words, check=True, cwd=tmp_path, timeout=60)
    made = sorted(file.name for file in (tmp_path / "one" / "two").iterdir())
    assert made == ["syncache.c", "syncache.h"]


@pytest.mark.parametrize(
    ("name", "package"), [("g++", "g++"), ("clang++-19", "clang-19")]
)
def test_cpp_program_includes_the_header_and_links(
    one: Path, tmp_path: Path, name: str, package: str
) -> None:
    """The functions are C's, so an object of the C compiler has them."""
    want(name, package)
    source, thing = tmp_path / "host.cpp", compiled(one, "gcc", WHOLE)
    source.write_text(
        '#include "syncache.h"\n'
        "int main() {\n"
        "    syncache_config config{};\n"
        "    syncache_front front{};\n"
        "    SYNCACHE_EACH_LINE(front.cache, line) return line.text[0];\n"
        "    return syncache_config_fit(&config, 65536) ? 0 : 1;\n"
        "}\n"
    )
    words = [name, "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    words += ["-Wshadow", "-Wconversion", "-Wsign-conversion"]
    run(*words, f"-I{one}", source, thing, "-o", tmp_path / "host")
    run(tmp_path / "host")

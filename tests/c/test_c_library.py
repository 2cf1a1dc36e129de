"""The C library as a C stack would use it: built, installed, found, linked, run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from needs import MARK, need, want

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"

HANDSHAKE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncache.h>

int
main(void)
{
    struct syncache_config config = {
        .struct_size = sizeof config, .hashsize = 1, .bucketlimit = 1,
        .cachelimit = 1, .endpoint_max = 1, .ts_hz = 1000};
    struct syncache_endpoint endpoint = {
        .lport = 80, .options = 1, .hop_limit = 64, .rcv_wnd = 65535,
        .rcv_wscale = SYNCACHE_WSCALE_NONE, .mtu = 1500};
    struct syncache_fields syn = {
        .saddr = {192, 0, 2, 1}, .daddr = {192, 0, 2, 2}, .family = 4,
        .sport = 9, .dport = 80, .hop_limit = 64, .flags = 2, .seq = 7};
    struct syncache_fields answer;
    struct syncache_result result;
    uint8_t packet[128];
    uint8_t key[16] = {1};
    uint32_t number;
    size_t size = syncache_size(&config);
    void *block = aligned_alloc(64, size);
    struct syncache *cache = syncache_init(block, size, &config, key);

    if (cache == NULL || !syncache_listen(cache, &endpoint, &number))
        return 1;
    syncache_set_key(cache, 0, key);
    size = syncache_build(&syn, NULL, NULL, 0, packet, sizeof packet);
    if (syncache_packet(cache, 5, packet, size, 0, &result) !=
        SYNCACHE_REPLY_SYN_ACK)
        return 2;
    syncache_parse(result.reply, result.reply_size, 0, &answer);
    syn.flags = 16;
    syn.seq = 8;
    syn.ack = answer.seq + 1;
    size = syncache_build(&syn, NULL, NULL, 0, packet, sizeof packet);
    if (syncache_packet(cache, 6, packet, size, 0, &result) !=
        SYNCACHE_ACCEPT_CACHE)
        return 3;
    syncache_accepted(cache, &result.conn, 0, true);
    puts("accepted");
    return 0;
}
"""

INSPECTION = r"""
#include <flow/flow.h>
#include <stdio.h>

int
main(void)
{
    struct flow_config config = {
        .struct_size = sizeof config, .kind = FLOW_INSPECT,
        .sessions_max = 1000000, .hosts_max = 1024, .headers_max = 16,
        .journal_max = 1024};

    printf("%zu\n", flow_size(&config));
    return 0;
}
"""


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a command and return its output; show all of it if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def make(build: Path, *arguments: str) -> str:
    """Run make in csrc with a build directory of its own."""
    return run("make", "-s", "-C", CSRC, f"BUILD={build}", *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix that the library was installed into."""
    prefix = tmp_path_factory.mktemp("prefix")
    make(tmp_path_factory.mktemp("build"), "install", f"PREFIX={prefix}", "CFLAGS=-O0")
    return prefix


def test_example_of_a_c_stack_compiles(tmp_path: Path) -> None:
    """The hook in csrc/example needs nothing but the public header."""
    make(tmp_path, "example")
    assert (tmp_path / "ip_input_hook.o").exists()


def test_example_of_a_c_stack_is_short() -> None:
    """Plugging the engine in takes about thirty lines."""
    text = (CSRC / "example" / "ip_input_hook.c").read_text()
    body = text[text.index("int\nstack_input_hook(const") :]
    assert body.count("\n") <= 40


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_installed_library_makes_a_handshake(
    installed: Path, tmp_path: Path, static: bool
) -> None:
    """Found by pkg-config, linked, and run from its prefix."""
    need("pkg-config")
    source = tmp_path / "handshake.c"
    source.write_text(HANDSHAKE)
    flags = run(
        "pkg-config",
        "--cflags",
        "--libs",
        "syncache",
        PKG_CONFIG_PATH=str(installed / "lib" / "pkgconfig"),
    ).split()
    if static:
        flags = [f.replace("-lsyncache", "-l:libsyncache.a") for f in flags]
    program = tmp_path / "handshake"
    run(os.environ.get("CC", "gcc"), "-std=c11", source, *flags, "-o", program)
    assert run(program, LD_LIBRARY_PATH=str(installed / "lib")) == "accepted\n"


def compile_line(source: Path) -> list[str]:
    """Return the words of the `cc` line in the comment at the head of a file."""
    head = source.read_text().partition("*/")[0].replace("\\\n *", "")
    lines = [line.lstrip(" *") for line in head.splitlines()]
    return next((line.split() for line in lines if line.startswith("cc ")), [])


BENCHES = [path for path in (ROOT / "bench").glob("*.c") if compile_line(path)]


@pytest.mark.parametrize("source", BENCHES, ids=lambda path: path.stem)
def test_compile_line_at_the_head_of_a_bench_holds(
    installed: Path, tmp_path: Path, source: Path
) -> None:
    """As it stands, but for where the library and the program are, and for -O3."""
    words = compile_line(source)
    words[words.index("-o") + 1] = str(tmp_path / "program")
    words[words.index("build/c/libsyncache.a")] = f"{installed}/lib/libsyncache.a"
    run(*words, "-O0", cwd=ROOT)


def test_benches_with_a_compile_line_are_found() -> None:
    """Those that one compiles by hand; `python -m bench` compiles the others."""
    assert {"flow", "splice"} == {path.stem for path in BENCHES}


HOSTED = """SYN: done with
connection 1: MSS 1460, the peer's window scale 7
ACK: the new connection takes it
timer: again in 250 ms
"""


def test_example_of_a_host_runs(installed: Path, tmp_path: Path) -> None:
    """A whole program that a newcomer begins with."""
    source, program = CSRC / "example" / "segment_host.c", tmp_path / "host"
    words = [source, f"-I{installed}/include", f"-L{installed}/lib"]
    words += ["-l:libsyncache.a", "-o", program]
    run(os.environ.get("CC", "gcc"), "-std=c11", *words)
    assert run(program).startswith(HOSTED)


SPLICED = """after 100 spoofed SYNs the stack has seen 0
hello, client
and 1 of a client that answered
"""


def test_example_of_a_stack_behind_the_splice_runs(
    installed: Path, tmp_path: Path
) -> None:
    """A stack that takes no ISS: spoofed SYNs never reach it, a client does."""
    source, program = CSRC / "example" / "splice_in_front.c", tmp_path / "splice"
    words = [source, f"-I{installed}/include", f"-L{installed}/lib"]
    words += ["-l:libsyncache.a", "-o", program]
    run(os.environ.get("CC", "gcc"), "-std=c11", *words)
    assert run(program) == SPLICED


def test_example_in_rust_runs(installed: Path, tmp_path: Path) -> None:
    """The same program; its structures are copies of the headers'."""
    want("rustc", "rustc")
    source, program = CSRC / "example" / "splice_in_front.rs", tmp_path / "splice"
    words = ["--edition", "2021", "-L", installed / "lib", "-l", "static=syncache"]
    run("rustc", "-D", "warnings", *words, source, "-o", program)
    assert run(program) == SPLICED


def test_example_in_go_runs(installed: Path, tmp_path: Path) -> None:
    """The same program, through cgo and pkg-config."""
    want("go", "golang-go")
    need("pkg-config")
    source, program = CSRC / "example" / "splice_in_front.go", tmp_path / "splice"
    folders = {
        "GOCACHE": str(tmp_path / "cache"),
        "PKG_CONFIG_PATH": str(installed / "lib" / "pkgconfig"),
    }
    run("go", "build", "-o", program, source, **folders)
    assert run(program, LD_LIBRARY_PATH=str(installed / "lib")) == SPLICED


def test_example_in_javascript_runs(installed: Path, tmp_path: Path) -> None:
    """The same program; the splice in C++ is its addon."""
    want("node", "nodejs")
    want("g++", "g++")
    if not (headers := Path("/usr/include/node")).is_dir():
        pytest.skip(f"{MARK}node_api.h: apt-get install libnode-dev")
    for name in ("splice_in_front.js", "splice_in_front.cc"):
        shutil.copy(CSRC / "example" / name, tmp_path)
    words = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
    words += ["-std=c++17", "-shared", "-fPIC", "-isystem", headers]
    words += [f"-I{installed}/include", tmp_path / "splice_in_front.cc"]
    words += [f"-L{installed}/lib", "-l:libsyncache.a"]
    run("g++", *words, "-o", tmp_path / "splice_in_front.node")
    assert run("node", tmp_path / "splice_in_front.js") == SPLICED


def test_example_in_java_runs(installed: Path, tmp_path: Path) -> None:
    """The same program; the splice in C is its library, by JNI."""
    want("javac", "default-jdk-headless")
    headers = Path(shutil.which("javac") or "").resolve().parents[1] / "include"
    words = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    words += ["-shared", "-fPIC", "-isystem", headers, "-isystem", headers / "linux"]
    words += [f"-I{installed}/include", CSRC / "example" / "splice_in_java.c"]
    words += [f"-L{installed}/lib", "-l:libsyncache.a"]
    run(os.environ.get("CC", "gcc"), *words, "-o", tmp_path / "libsplice.so")
    program = CSRC / "example" / "splice_in_front.java"
    assert run("java", "-XX:TieredStopAtLevel=1", program, cwd=tmp_path) == SPLICED


def module(source: Path, installed: Path, *words: str | Path) -> None:
    """Compile the splice for an interpreter that loads ./splice.so."""
    words = ("-Wall", "-Wextra", "-shared", "-fPIC", *words, source)
    words += (f"-I{installed}/include", f"-I{CSRC}/example")
    words += (f"-L{installed}/lib", "-l:libsyncache.a", "-o", "splice.so")
    run(os.environ.get("CC", "gcc"), *words, cwd=source.parent)


def test_example_in_perl_runs(installed: Path, tmp_path: Path) -> None:
    """The same program; the splice in C is its module, by XS."""
    want("xsubpp", "perl")
    config = "use Config; print join chr 10, @Config{qw(archlibexp privlibexp)}"
    headers, library = run("perl", "-e", config).split("\n")
    if not Path(headers, "CORE", "perl.h").exists():
        pytest.skip(f"{MARK}perl.h: apt-get install libperl-dev")
    words = ["-noversioncheck", "-typemap", f"{library}/ExtUtils/typemap"]
    made = run("xsubpp", *words, CSRC / "example" / "splice_in_perl.xs")
    (tmp_path / "splice.c").write_text(made)
    flags = run("perl", "-MExtUtils::Embed", "-e", "ccopts").split()
    optimised = ("-O2", "-O3", "-g")  # takes longer than the run
    words = [word for word in flags if word not in optimised]
    # Other versions of its headers have other warnings.
    module(tmp_path / "splice.c", installed, *words, "-Wno-unused-parameter")
    program = CSRC / "example" / "splice_in_front.pl"
    assert run("perl", program, cwd=tmp_path) == SPLICED


def test_example_in_tcl_runs(installed: Path, tmp_path: Path) -> None:
    """The same program; the splice in C is an extension."""
    want("tclsh", "tcl")
    if not (headers := Path("/usr/include/tcl")).is_dir():
        pytest.skip(f"{MARK}tcl.h: apt-get install tcl-dev")
    source = Path(shutil.copy(CSRC / "example" / "splice_in_tcl.c", tmp_path))
    words = ["-std=c11", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
    module(source, installed, *words, "-isystem", headers)
    program = CSRC / "example" / "splice_in_front.tcl"
    assert run("tclsh", program, cwd=tmp_path) == SPLICED


CMAKE = """
cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(syncache 0.1 REQUIRED)
add_executable(shared handshake.c)
target_link_libraries(shared syncache::syncache)
add_executable(static handshake.c)
target_link_libraries(static syncache::static)
"""


def test_cmake_finds_the_installed_library(installed: Path, tmp_path: Path) -> None:
    """By find_package(), shared and static."""
    need("cmake")
    (tmp_path / "handshake.c").write_text(HANDSHAKE)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", build)
    for name in ("shared", "static"):
        assert run(build / name) == "accepted\n"


def test_shared_library_exports_the_public_headers_and_no_more(installed: Path) -> None:
    """What is in no installed header cannot be relied on by accident."""
    symbols = {
        line.split()[-1]
        for line in run(
            "nm", "-D", "--defined-only", installed / "lib" / "libsyncache.so"
        ).splitlines()
    }
    text = "".join(
        header.read_text() for header in (installed / "include").rglob("*.h")
    )
    assert {f"{name}(" in text for name in symbols} == {True}
    assert {"syncache_packet", "syncache_burst", "syncache_cookie_mint"} <= symbols
    assert {"flow_init", "flow_burst", "flow_walk"} <= symbols


def test_installed_headers_of_the_middlebox_engine_stand_alone(
    installed: Path, tmp_path: Path
) -> None:
    """A C program asks how large an inspection of a million sessions is."""
    source = tmp_path / "size.c"
    source.write_text(INSPECTION)
    program = tmp_path / "size"
    include, lib = installed / "include", installed / "lib"
    words = [source, f"-I{include}", f"-L{lib}", "-l:libsyncache.a", "-o", program]
    run(os.environ.get("CC", "gcc"), "-std=c11", *words)
    assert 200_000_000 < int(run(program)) < 256_000_000

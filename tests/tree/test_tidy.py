"""The house rules of docs/style.md and the layer rule of docs/architecture.md.

Sizes are a ratchet: an exception names its number of today, and a file or function
that shrinks below it has to shrink the exception too.
"""

from __future__ import annotations

import c_calls
import pytest
import tidy
from tidy import ROOT

FILES = tidy.tree()
PYTHON = [p for p in FILES if p.suffix == ".py"]
C = [p for p in FILES if p.suffix in {".c", ".h"}]
BINARY = [ROOT / "tests" / "fuzz" / folder for folder in ("corpus", "regressions")]
TEXT = [
    p
    for p in FILES
    if p.suffix != ".png" and not any(p.is_relative_to(folder) for folder in BINARY)
]
PACKAGE = ROOT / "syncache"
CORE = ROOT / "csrc" / "core"
FLOW = ROOT / "csrc" / "flow"
LINK = ROOT / "csrc" / "link"

# Files of C that may call each other in a circle, only to shrink.
CIRCLE_MAX = 3
# Calls and includes that run up, whatever order one puts the files in; only to shrink.
ARROWS_UP = 5
QUICK = ["csrc/core/engine", "csrc/core/quick"]
FRAMES = ["csrc/bpf/shield_any", "csrc/bpf/shield_skb"]
FRAME = ("is_unfinished", "link", "resize", "send")
# path -> lines, only to shrink.
LONG_FILES: dict[str, int] = {}
# path:function -> lines, only to shrink.
LONG_FUNCTIONS: dict[str, int] = {}
# Modules that are tested under another module's name: stem -> file of tests.
TESTED_ELSEWHERE: dict[str, str] = {}


def name(path) -> str:
    return path.relative_to(ROOT).as_posix()


def ratchet(found: dict[str, int], allowed: dict[str, int]) -> dict[str, int]:
    """Return what is longer, or has become shorter, than its exception says."""
    return {
        key: found.get(key, 0)
        for key in found.keys() | allowed.keys()
        if found.get(key, 0) != allowed.get(key, 0)
    }


def test_python_imports_keep_to_their_layer():
    """Only _core sees C, and only the outer modules see the world."""
    faults = [
        fault
        for path in PYTHON
        if path.is_relative_to(PACKAGE)
        for fault in tidy.import_faults(
            path.relative_to(PACKAGE).as_posix(), path.read_text()
        )
    ]
    assert [] == faults


def test_engines_are_found_in_the_tree():
    """Who makes a block of C's memory, is a kind of those, or makes one of them."""
    assert {"engine", "flow", "intercept", "inspection", "stack"} == tidy.tree_engines()
    sources = {
        "a.py": "class A:\n    def f(self):\n        return Core(1)",
        "b.py": "class B(A): pass",
        "c.py": "class C:\n    x: B",
        "links/d.py": "class D(A): pass",
    }
    assert {"a", "b"} == tidy.engines(sources)


@pytest.mark.parametrize("room", tidy.MAY_TOUCH_THE_WORLD)
def test_outer_rooms_need_to_be(room):
    """An exception of the layer rule is there, and without it the rule is broken."""
    files = [
        path
        for path in PYTHON
        if path.is_relative_to(PACKAGE)
        and path.relative_to(PACKAGE).as_posix().startswith(room)
    ]
    faults = [
        fault
        for path in files
        for fault in tidy.import_faults("inner.py", path.read_text())
    ]
    assert files
    assert faults


def test_python_modules_import_in_no_circle():
    """The modules stand on floors: whatever one imports is below it."""
    assert set() == tidy.circles(tidy.import_graph(PACKAGE))


def test_circles_are_found():
    """The rule is itself right: what leads into a circle is left with it."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert {"a", "b", "c"} == tidy.circles(graph)


def test_import_graph_knows_every_way_to_import(tmp_path):
    """From here, from above, absolute; what only a type checker sees is left out."""
    package = tmp_path / "syncache"
    (package / "in").mkdir(parents=True)
    sources = {
        "a.py": "from .b import x",
        "b.py": "if TYPE_CHECKING:\n    from .a import y",
        "c.py": "from syncache import a",
        "in/d.py": "from .. import b\nfrom ..c import z\nimport syncache.a",
        "e.py": "from .low import deep",
        "low/deep.py": "",
    }
    (package / "low").mkdir()
    for file, source in sources.items():
        (package / file).write_text(source)
    assert tidy.import_graph(package) == {
        "a": {"b"},
        "b": set(),
        "c": {"a"},
        "in.d": {"a", "b", "c"},
        "e": {"low.deep"},
        "low.deep": set(),
    }


def test_c_core_includes_keep_to_their_layer():
    """The core has no clock, no allocator, no system; leaves see only leaves."""
    faults = [
        fault
        for path in C
        if path.is_relative_to(CORE)
        for fault in tidy.include_faults(path.name, path.read_text())
    ]
    assert [] == faults


def test_c_flow_includes_keep_to_their_layer():
    """The middlebox engine stands on the core's leaves, and its leaves alone."""
    faults = [
        fault
        for path in C
        if path.is_relative_to(FLOW)
        for fault in tidy.flow_include_faults(path.name, path.read_text())
    ]
    assert [] == faults


def test_only_wire_reads_ip_headers():
    """The family, fragments and extension headers of a packet have one reader."""
    # quick.h: whole SYNs against templates.
    owners = {"wire_ip.c", "wire_ip.h", "wire_tcp.h", "quick.h"}
    faults = [
        fault
        for path in C
        if any(path.is_relative_to(room) for room in (CORE, FLOW, LINK))
        and path.name not in owners
        for fault in tidy.header_faults(name(path), path.read_text())
    ]
    assert [] == faults


@pytest.mark.parametrize(
    "line",
    [
        "if (packet[0] >> 4 == 6)",
        "bool later = (load16_be(ip + 6) & 0x1fff) != 0;",
        "return (load16_be(ip + 6) & 0x3fff) != 0;",
        "#define EXTENSION_FRAGMENT 44",
        "size_t size = (tcp[12] >> 4) * 4u;",
    ],
)
def test_a_second_reader_of_ip_headers_is_found(line):
    assert len(tidy.header_faults("view.c", line)) == 1


def test_files_have_at_most_500_lines():
    """A file that outgrows one sitting is split."""
    lines = {name(p): p.read_text().count("\n") for p in PYTHON + C}
    long = {key: count for key, count in lines.items() if count > tidy.FILE_MAX}
    assert {} == ratchet(long, LONG_FILES)


def test_functions_have_at_most_70_lines():
    """A function fits on a screen."""
    long = {}
    for path in PYTHON + C:
        of = tidy.python_functions if path.suffix == ".py" else tidy.c_functions
        for function, count in of(path.read_text()):
            if count > tidy.FUNCTION_MAX:
                long[f"{name(path)}:{function}"] = count
    assert {} == ratchet(long, LONG_FUNCTIONS)


def test_nine_functions_in_ten_have_at_most_40_lines():
    """Long functions stay rare in the C core and in the package."""
    counts = [
        count
        for path in PYTHON + C
        if path.is_relative_to(PACKAGE) or path.is_relative_to(ROOT / "csrc")
        for _, count in (
            tidy.python_functions if path.suffix == ".py" else tidy.c_functions
        )(path.read_text())
    ]
    assert sum(count <= 40 for count in counts) >= 0.9 * len(counts)


def test_headers_have_at_most_120_columns():
    """Headers are aligned by hand, so nothing else bounds them."""
    wide = [
        f"{name(path)}:{number}"
        for path in C
        if path.suffix == ".h"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > tidy.HEADER_COLUMNS_MAX
    ]
    assert [] == wide


def test_banned_words_have_replacements():
    """What breaks purity or safety is not written."""
    faults = []
    for path in C:
        if path.is_relative_to(CORE) or path.is_relative_to(FLOW):
            code = tidy.code_of(path.read_text())
            faults += [f"{name(path)} {f}" for f in tidy.banned(code, tidy.BANNED_C)]
    for path in PYTHON:
        if path.is_relative_to(PACKAGE):
            found = tidy.banned(path.read_text(), tidy.BANNED_PYTHON)
            faults += [f"{name(path)} {f}" for f in found]
    assert [] == faults


def test_each_file_of_the_rooms_of_c_has_a_test_of_its_stem():
    """A maintainer finds the tests of table.c in test_table.c."""
    missing = [
        path.name
        for path in C
        if path.parent in {CORE, FLOW, LINK}
        and path.suffix == ".c"
        and not (ROOT / "tests" / "c" / f"test_{path.name}").exists()
    ]
    assert [] == missing


def test_each_module_has_a_test_of_its_stem():
    """A maintainer finds the tests of ring.py in test_ring.py, in a folder of unit."""
    units = {path.name for path in (ROOT / "tests" / "unit").rglob("test_*.py")}
    missing = []
    for path in PYTHON:
        if not path.is_relative_to(PACKAGE) or path.name.startswith("__"):
            continue
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        stem = "_".join(parts).lstrip("_")
        tests = TESTED_ELSEWHERE.get(stem, f"test_{stem}.py")
        if tests not in units:
            missing.append(stem)
    assert [] == missing


def test_c_files_call_down():
    """A circle of files is no larger than one can hold in the head."""
    csrc = ROOT / "csrc"
    rooms = [csrc / room for room in ("core", "simd", "flow", "link")]
    graph = c_calls.of(*rooms)
    assert "flow/box.c" in graph["flow/intercept.c"]
    for path in csrc.rglob("*.[ch]"):
        graph.setdefault(path.relative_to(csrc).as_posix(), set())
    sources = {name: (csrc / name).read_text() for name in graph}
    for name, seen in c_calls.includes(sources).items():
        graph[name] |= seen
    assert "core/wire_ip.h" in graph["flow/view.h"]
    assert [] == [ring for ring in c_calls.circles(graph) if len(ring) > CIRCLE_MAX]
    assert ARROWS_UP == c_calls.arrows_up(graph)


def test_circles_of_c_files_are_found():
    """The rule is itself right: a static namesake and a comment are no call."""
    sources = {
        "a.c": "void\na_go(void)\n{\n    b_go();\n}\n",
        "b.c": "void\nb_go(void)\n{\n    c_go();\n}\n",
        "c.c": "void\nc_go(void)\n{\n    a_go();\n}\n",
        "d.c": "static void\na_go(void)\n{\n}\nvoid\nd_go(void)\n{\n    a_go(); "
        "/* b_go() */\n}\n",
    }
    graph = c_calls.calls(sources)
    assert {"b.c"} == graph["a.c"]
    assert [{"a.c", "b.c", "c.c"}] == c_calls.circles(graph)
    assert 1 == c_calls.arrows_up(graph)
    graph["b.c"].add("a.c")
    assert 2 == c_calls.arrows_up(graph | {"c.c": {"a.c", "b.c"}})


def test_includes_of_c_files_are_followed():
    """Beside the file, in another room, and right in csrc/; none of the system."""
    sources = {
        "core/a.c": '#include "a.h"\n#include "../flow/b.h"\n#include <c.h>\n',
        "core/a.h": '#  include "c.h"\n',
        "flow/b.h": '/* includes "c.h" */\n',
        "c.h": "",
    }
    assert {
        "core/a.c": {"core/a.h", "flow/b.h"},
        "core/a.h": {"c.h"},
        "flow/b.h": set(),
        "c.h": set(),
    } == c_calls.includes(sources)


def test_a_name_in_c_means_one_thing():
    """No second engine.h, and no second take_frame(), in any room.

    Instruction sets have the same kernels (lanes.h), the two programs of the shield
    the same view of a frame (any.h), and a small build has no fast path (engine.h).
    """
    rooms = [ROOT / "csrc" / room for room in ("core", "flow", "link", "bpf", "python")]
    found = c_calls.second_names(
        {name(path): path.read_text() for path in C if path.parent in rooms}
    )
    assert {
        **{f"quick_{what}()": QUICK for what in ("forget", "init")},
        "quick_refresh()": ["csrc/core/engine", "csrc/core/quick_shape"],
        **{f"frame_{what}()": FRAMES for what in FRAME},
    } == found


def test_second_names_are_found():
    """Of files in two folders, and of functions, but not of a file and its header."""
    sources = {
        "a/x.c": "static int\ngo(void)\n{\n}\n",
        "a/x.h": "static inline int\nstay(void)\n{\n}\n",
        "b/x.h": "",
        "b/y.c": "void\ngo(int n)\n{\n}\n",
    }
    assert {"x": ["a/x", "b/x"], "go()": ["a/x", "b/y"]} == c_calls.second_names(
        sources
    )


def test_nothing_is_left_unfinished():
    """Open questions are answered before they land."""
    open_ends = [
        f"{name(path)}:{number}"
        for path in TEXT
        if path.suffix not in {".json", ".hex", ".bin"}
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if tidy.UNFINISHED.search(line)
    ]
    assert [] == open_ends


def test_no_file_names_a_machine():
    """Paths of a developer's machine mean nothing to anybody else."""
    named = [
        f"{name(path)}:{number}"
        for path in TEXT
        if path.suffix != ".bin"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if tidy.MACHINE_PATH.search(line)
    ]
    assert [] == named


def test_files_are_small_and_of_known_kinds():
    """Big or binary things stay out, but for vectors, cases and corpora."""
    folders = ("vectors", "fuzz", "conformance/cases")
    data = [ROOT / "tests" / folder for folder in folders]
    strange = []
    for path in FILES:
        if any(path.is_relative_to(folder) for folder in data):
            continue
        known = path.suffix in tidy.ALLOWED_SUFFIXES or path.name in tidy.ALLOWED_NAMES
        if not known or path.stat().st_size > tidy.BYTES_MAX:
            strange.append(name(path))
    assert [] == strange


@pytest.mark.parametrize(
    ("module", "source", "faults"),
    [
        ("stack.py", "import time", 1),
        ("stack.py", "from time import monotonic", 1),
        ("stack.py", "def f():\n    import socket", 1),
        ("links/tun.py", "import os", 0),
        ("engine.py", "from ._ffi import ffi", 1),
        ("engine.py", "from syncache import _ffi", 1),
        ("links/tun.py", "from .._ffi import lib", 1),
        ("_core/__init__.py", "from .._ffi import ffi", 0),
        ("_core/links.py", "from .._ffi import ffi", 0),
        ("ring.py", "from .engine import Syncache", 1),
        ("ring.py", "from . import stack", 1),
        ("ring.py", "if TYPE_CHECKING:\n    from .engine import Syncache", 0),
        ("ring.py", "from ._core import Core", 0),
        ("alerts/log.py", "from ..stack import Stack", 1),
        ("ios/config.py", "from .intercept import DEFAULT", 0),
        ("conn.py", "from .links.tun import Tun", 1),
        ("stack.py", "from .control import Control", 1),
        ("tcp/rto.py", "from ..engine import Syncache", 1),
        ("stack.py", "from .engine import Syncache", 0),
        ("cli/serve.py", "from ..engine import Syncache", 0),
    ],
)
def test_import_rule_finds_each_breach(module, source, faults):
    """The import rule is itself right."""
    assert faults == len(tidy.import_faults(module, source))


@pytest.mark.parametrize(
    ("file", "source", "faults"),
    [
        ("input.c", "#include <time.h>", 1),
        ("input.c", "#include <sys/types.h>", 1),
        ("input.c", "#include <string.h>", 0),
        ("siphash.c", '#include "core/wire.h"', 1),
        ("table.c", '#include "wire.h"', 1),
        ("wire_build.c", '#include "syncookie.h"', 1),
        ("syncookie.c", '#include "wire.h"', 0),
        ("input.c", '#include "../flow/session.h"', 1),
    ],
)
def test_include_rule_finds_each_breach(file, source, faults):
    """The include rule is itself right."""
    assert faults == len(tidy.include_faults(file, source))


@pytest.mark.parametrize(
    ("file", "source", "faults"),
    [
        ("session.c", '#include "box.h"', 1),
        ("due.c", '#include "../core/table.h"', 1),
        ("inspect_packet.c", '#include "box.h"', 0),
        ("flow_api.c", '#include "../core/siphash.h"', 0),
        ("flow_api.c", "#include <stdlib.h>", 1),
        ("flow_api.c", '#include "../simd/simd.h"', 1),
    ],
)
def test_flow_include_rule_finds_each_breach(file, source, faults):
    """The include rule of the middlebox engine is itself right."""
    assert faults == len(tidy.flow_include_faults(file, source))


def test_function_lengths_are_counted_without_docstring():
    """The measure of a function is its code."""
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert [("f", 2)] == list(tidy.python_functions(source))


def test_c_function_lengths_are_counted_from_brace_to_brace():
    """A function's brace is in column 0; a struct's is not alone."""
    source = (
        "struct a {\n    int b;\n};\nstatic int\nf(int a,\n  int b)\n{\n    a;\n}\n"
    )
    assert [("f", 3)] == list(tidy.c_functions(source))


@pytest.mark.parametrize(
    ("line", "words", "count"),
    [
        ("p = malloc(4);", tidy.BANNED_C, 1),
        ("entry_free(p);", tidy.BANNED_C, 0),
        ("if (memcmp(mac, other, 8))", tidy.BANNED_C, 1),
        ("memcmp(address, other, 16)", tidy.BANNED_C, 0),
        ("now = time.time()", tidy.BANNED_PYTHON, 1),
    ],
)
def test_bans_find_each_breach(line, words, count):
    """The list of banned words is itself right."""
    assert count == len(tidy.banned(line, words))


def test_comments_are_no_code():
    """A comment may say malloc."""
    assert "\n\nint a;" == tidy.code_of("/* malloc(\n\n */int a;// free(")


def test_ratchet_refuses_growth_and_unclaimed_shrinking():
    """An exception has to follow its file downwards."""
    assert {"a": 600} == ratchet({"a": 600}, {})
    assert {"a": 0} == ratchet({}, {"a": 600})
    assert {} == ratchet({"a": 600}, {"a": 600})

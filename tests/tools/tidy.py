"""The house rules as functions over text: each returns what breaks its rule.

Here are no tests; `test_tidy.py` applies these functions to the tree and to small
samples that break each rule once.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

FUNCTION_MAX = 70
FILE_MAX = 500
BYTES_MAX = 64 * 1024
HEADER_COLUMNS_MAX = 120

# Modules that own descriptors, clocks and entropy.  `from time import ...` counts.
OUTSIDE_WORLD = {
    "asyncio",
    "os",
    "random",
    "select",
    "selectors",
    "socket",
    "threading",
    "time",
}
# The outer rooms: they own what the outside world gives and drive the engines.
OUTER = (
    "__main__.py",
    "links/",
    "cli/",
    "adapters/",
    "aio/",
    "bridge.py",
    "fleet/",
    "control.py",
    "control_socket.py",
    "socket_path.py",
)
MAY_TOUCH_THE_WORLD = (*OUTER, "entropy.py", "textfile.py")
# The door to C.  Who makes one of its memory blocks is an engine; so is who makes an
# engine, or is a kind of one.
DOOR = "_core/"
BLOCKS = {"Core", "FlowCore"}

CORE_FORBIDDEN_INCLUDE = re.compile(
    r"#include <(time\.h|stdlib\.h|stdio\.h|malloc\.h|unistd\.h|sys/[^>]*)>"
)
# What a leaf may include of ours: itself, and leaves below it.
LEAF_INCLUDES = {
    "bytes": {"bytes.h"},
    "seq": {"seq.h"},
    "siphash": {"siphash.h", "bytes.h"},
    "md5": {"md5.h", "bytes.h"},
}
# file stem -> headers that it must not see, directly.
BLIND = {
    "table": {"wire.h", "syncookie.h"},
    "wire": {"syncookie.h", "secret.h", "table.h", "engine.h"},
    "syncookie": {"table.h"},
}

# What the middlebox engine may take from the core; the core takes nothing from it.
FLOW_FROM_CORE = {
    "bytes.h",
    "cookie.h",
    "derive.h",
    "ring.h",
    "rows.h",
    "secret.h",
    "seq.h",
    "siphash.h",
    "syncookie.h",
    "wire.h",
    "wire_icmp.h",
    "wire_ip.h",
    "wire_tcp.h",
}
# Rooms of it that know no engine: file stems, and those that begin so and with _.
FLOW_LEAVES = {
    "age",
    "ahead",
    "attempts",
    "due",
    "early",
    "flow_range",
    "flow_tunables",
    "header",
    "host",
    "journal",
    "order",
    "profile",
    "rules",
    "session",
    "sources",
    "splice",
    "threshold",
    "track",
    "unanswered",
    "view",
}

BANNED_C = {
    r"\b(malloc|calloc|realloc|free|alloca)\s*\(": "the caller's block",
    r"\b(time|clock_gettime|gettimeofday)\s*\(": "the argument now_ms",
    r"\b(rand|random|getrandom|getentropy)\s*\(": "the argument seed",
    r"\bmemcmp\s*\([^;]*\b(mac|hash|digest|signature)": "mac_equal",
    r"\b(printf|fprintf|sprintf|puts)\s*\(": "a verdict and a counter",
    r"\blong\b": "a type of stdint.h",
}
BANNED_PYTHON = {
    r"\btime\.time\(": "the argument now",
    r"\bshell=True": "a list of arguments",
    r"\beval\(|\bexec\(": "a parser",
    r"\bexcept\s*:": "the exception's name",
}
# Written so that this file does not break its own rule.
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")
MACHINE_PATH = re.compile(r"/wor[k]/|/roo[t]/|/hom[e]/[a-z]|/tmp/ven[v]|/far[m]/")

ALLOWED_SUFFIXES = {
    ".c",
    ".cc",
    ".h",
    ".py",
    ".pyi",
    ".md",
    ".toml",
    ".in",
    ".acl",
    ".conf",
    ".env",
    ".go",
    ".java",
    ".js",
    ".pl",
    ".rs",
    ".service",
    ".tcl",
    ".xs",
    ".yml",
    ".typed",
    ".txt",
    ".json",
    ".hex",
    ".pkt",
    ".sh",
    ".bin",
    ".png",
}
ALLOWED_NAMES = {
    "Makefile",
    "LICENSE",
    ".gitignore",
    ".clang-format",
    ".clang-format-ignore",
    ".clang-tidy",
    "run",
    "need",
    "tools",
}


def tree() -> list[Path]:
    """List the project's files, tracked or about to be."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [ROOT / line for line in listing.stdout.splitlines()]
    else:  # an unpacked sdist
        skip = {".venv", "build", "dist", "__pycache__"}
        names = [p for p in ROOT.rglob("*") if not skip & set(p.parts)]
    return sorted(p for p in names if p.is_file())


@cache
def imports(source: str, *, members: bool = False) -> tuple[str, ...]:
    """Name every imported module; relative ones begin with a dot.

    What stands under `if TYPE_CHECKING:` is not imported when the program runs.  With
    `members` the names that are imported from a module come too: some are modules.
    """

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.orelse:
                yield from visit(child)
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if node.module is None:
                yield from (module + alias.name for alias in node.names)
            elif module == "syncache":
                yield from (f"syncache.{alias.name}" for alias in node.names)
            else:
                yield module
                if members:
                    yield from (f"{module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return tuple(visit(ast.parse(source)))


def inner_module(name: str, module: str) -> str:
    """Return the module or folder right below syncache/ that `name` imports from."""
    dots = len(module) - len(module.lstrip("."))
    below = module.removeprefix("syncache").lstrip(".").split(".")
    above = name.split("/")[:-dots] if dots else []
    return (above + below)[0]


def engines(sources: dict[str, str]) -> set[str]:
    """Return the inner modules that have an engine; sources by name below syncache/.

    All other inner modules are values, which know no engine.
    """
    trees = {
        name: ast.parse(source)
        for name, source in sources.items()
        if not name.startswith((*OUTER, DOOR))
    }
    found: set[str] = set()
    made, before = set(BLOCKS), set()
    while made != before:
        before = set(made)
        for name, tree_of in trees.items():
            for node in ast.walk(tree_of):
                if isinstance(node, ast.ClassDef) and made & _made(node):
                    made.add(node.name)
                    found.add(name.removesuffix(".py"))
    return found


def _made(node: ast.ClassDef) -> set[str]:
    """Return the names of the bases of a class, and of all that it calls."""
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return {part.id for part in (*node.bases, *calls) if isinstance(part, ast.Name)}


@cache
def tree_engines() -> frozenset[str]:
    """Return the engines of this tree."""
    package = ROOT / "syncache"
    return frozenset(
        engines(
            {
                path.relative_to(package).as_posix(): path.read_text("utf-8")
                for path in package.rglob("*.py")
            }
        )
    )


def import_faults(name: str, source: str) -> list[str]:
    """Judge the imports of syncache/`name` by the layer rule."""
    faults = []
    outer = name.startswith(OUTER)
    for module in imports(source):
        first = module.split(".")[0]
        if first in OUTSIDE_WORLD and not name.startswith(MAY_TOUCH_THE_WORLD):
            faults.append(f"{name}: imports {module}")
        if not module.startswith((".", "syncache")):
            continue
        inner = inner_module(name, module)
        if inner == "_ffi" and not name.startswith(DOOR):
            faults.append(f"{name}: only {DOOR} imports _ffi")
        if outer:
            continue
        if f"{inner}/".startswith(OUTER) or f"{inner}.py" in OUTER:
            faults.append(f"{name}: an inner module imports {module}")
        if inner in tree_engines() and name.removesuffix(".py") not in tree_engines():
            faults.append(f"{name}: a value module imports {module}")
    return faults


def import_graph(package: Path) -> dict[str, set[str]]:
    """Return which module of a package imports which, by dotted name below it."""
    files = {
        ".".join(p.relative_to(package).with_suffix("").parts): p
        for p in package.rglob("*.py")
    }
    graph: dict[str, set[str]] = {module: set() for module in files}
    for module, path in files.items():
        above = module.split(".")
        for name in imports(path.read_text(), members=True):
            dots = len(name) - len(name.lstrip("."))
            parts = (above[:-dots] if dots else []) + name.lstrip(".").split(".")
            target = ".".join(parts[parts[0] == package.name :])
            if target in graph and target != module:
                graph[module].add(target)
    return graph


def circles(graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that are left when those that import none are taken away."""
    left = dict(graph)
    while free := [m for m, seen in left.items() if not seen & left.keys()]:
        for module in free:
            del left[module]
    return set(left)


def include_faults(name: str, source: str) -> list[str]:
    """Judge the includes of csrc/core/`name`."""
    faults = [
        f"{name}: includes <{match[1]}>"
        for match in CORE_FORBIDDEN_INCLUDE.finditer(source)
    ]
    stem = name.rsplit(".", 1)[0]
    ours = {
        path.rsplit("/", 1)[-1] for path in re.findall(r'#include "([^"]+)"', source)
    }
    if stem in LEAF_INCLUDES:
        faults += [f"{name}: includes {h}" for h in sorted(ours - LEAF_INCLUDES[stem])]
    faults += [
        f"{name}: includes {path}"
        for path in re.findall(r'#include "([^"]*flow/[^"]+)"', source)
    ]
    for blind, hidden in BLIND.items():
        if stem == blind or stem.startswith(blind + "_"):
            faults += [f"{name}: includes {h}" for h in sorted(ours & hidden)]
    return faults


# A family's nibble, fragments, extension headers by number, TCP's data offset.
HEADER_READER = re.compile(
    r"(?:packet|ip|inner|headers|tcp)\w*\[\d+\] >> 4"
    r"|& 0x[13]fff\b|\bEXTENSION_[A-Z]+ \d"
)


def header_faults(name: str, source: str) -> list[str]:
    """Find where a file of C reads IP or TCP headers by itself."""
    return [
        f"{name}:{number}: {line.strip()}"
        for number, line in enumerate(source.splitlines(), 1)
        if HEADER_READER.search(line)
    ]


def flow_include_faults(name: str, source: str) -> list[str]:
    """Judge the includes of csrc/flow/`name`."""
    faults = [
        f"{name}: includes <{match[1]}>"
        for match in CORE_FORBIDDEN_INCLUDE.finditer(source)
    ]
    stem = name.rsplit(".", 1)[0]
    for path in re.findall(r'#include "([^"]+)"', source):
        room, _, header = path.rpartition("/")
        strange = room == "../core" and header not in FLOW_FROM_CORE
        leaf = any(stem == of or stem.startswith(of + "_") for of in FLOW_LEAVES)
        # What has no kernels needs no test at every level of instructions.
        if strange or room.endswith("simd") or (leaf and header == "box.h"):
            faults.append(f"{name}: includes {path}")
    return faults


@cache
def python_functions(source: str) -> list[tuple[str, int]]:
    """Return each function's name and number of lines, without its docstring."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                doc = node.body[0]
                lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
            found.append((node.name, lines))
    return found


def c_functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield each function's name and number of lines; its brace is in column 0."""
    start, head = None, ""
    for number, line in enumerate(source.splitlines()):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield head, number - start + 1
            start = None
        elif start is None and (match := re.match(r"(?:\w[\w *]*?)?\b(\w+)\(", line)):
            head = match[1]


def code_of(source: str) -> str:
    """Blank the comments and strings of C, keeping the lines."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: "\n" * m[0].count("\n"), source, flags=re.DOTALL)


def banned(source: str, words: dict[str, str]) -> list[str]:
    """Find banned words, with what to write instead."""
    return [
        f"line {number}: {match[0].strip()} -> {instead}"
        for number, line in enumerate(source.splitlines(), 1)
        for pattern, instead in words.items()
        if (match := re.search(pattern, line))
    ]

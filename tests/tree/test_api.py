"""The public names: importable, as documented in docs/api.md, and no others."""

from __future__ import annotations

import ast
import importlib
import inspect
import re

import pytest
from tidy import ROOT

import syncache

PAGE = (ROOT / "docs" / "api.md").read_text()
BLOCK = re.compile(r"^```pyi\n# ([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NAMES = {
    "AccessList",
    "Accepted",
    "Closed",
    "Conn",
    "Connection",
    "Cookie",
    "Endpoint",
    "EndOfStream",
    "Event",
    "FourTuple",
    "HalfOpen",
    "Inspection",
    "Intercept",
    "Keyring",
    "Kind",
    "Knob",
    "Listener",
    "Readable",
    "Reason",
    "Ring",
    "Segment",
    "Shield",
    "Side",
    "Stack",
    "State",
    "Stats",
    "SynOptions",
    "Syncache",
    "Sysctl",
    "Verdict",
    "Writable",
}


def documented():
    """Yield module, class (or ""), and the definition of each documented function."""
    for module, code in BLOCK.findall(PAGE):
        for node in ast.parse(code).body:
            if isinstance(node, ast.ClassDef):
                for function in node.body:
                    yield module, node.name, function
            else:
                yield module, "", node


def shape_of_node(node):
    """List what a definition says: names with kind and default."""
    args = node.args
    positional = args.posonlyargs + args.args
    defaults = [None] * (len(positional) - len(args.defaults)) + args.defaults
    shape = [
        (a.arg, "positional", d and ast.literal_eval(d))
        for a, d in zip(positional, defaults, strict=True)
    ]
    if args.vararg:
        shape.append((args.vararg.arg, "*", None))
    shape += [
        (a.arg, "keyword", d and ast.literal_eval(d))
        for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    if args.kwarg:
        shape.append((args.kwarg.arg, "**", None))
    return [entry for entry in shape if entry[0] != "self"]


def shape_of_function(function):
    """List what a function takes, in the same form."""
    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: "positional",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        (p.name, kinds[p.kind], None if p.default is p.empty else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.name != "self"
    ]


def test_package_exports_the_documented_names():
    """Names neither vanish nor appear unnoticed."""
    assert sorted(NAMES) == sorted(syncache.__all__)
    assert [] == [name for name in NAMES if not hasattr(syncache, name)]


def test_typing_test_uses_every_public_name():
    """mypy looks at each with a user's eyes."""
    text = (ROOT / "tests" / "tree" / "typing_public_api.py").read_text()
    body = text.partition("def ")[2]
    assert [] == [n for n in syncache.__all__ if not re.search(rf"\b{n}\b", body)]


@pytest.mark.parametrize(
    ("module", "owner", "node"),
    list(documented()),
    ids=lambda value: getattr(value, "name", value) or "-",
)
def test_signature_is_as_documented(module, owner, node):
    """A call that docs/api.md allows is a call that works."""
    place = importlib.import_module(module)
    function = getattr(getattr(place, owner) if owner else place, node.name)
    missing = [p for p in shape_of_node(node) if p not in shape_of_function(function)]
    assert [] == missing
    extra = [p for p in shape_of_function(function) if p not in shape_of_node(node)]
    assert [] == [p for p in extra if p[1] == "positional"]


def test_reason_has_a_verdict_for_every_c_one():
    """The two lists of verdicts are one."""
    header = (ROOT / "csrc" / "syncache.h").read_text()
    body = re.search(r"enum syncache_verdict \{(.*?)\};", header, re.DOTALL)[1]
    names = re.findall(r"^\s+SYNCACHE_(\w+)", body, re.MULTILINE)
    assert names[:-1] == [reason.name for reason in syncache.Reason]


def test_version_is_the_distributions():
    """`syncache --version` tells what is installed."""
    text = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r'^version = "(.*)"$', text, re.MULTILINE)[1]
    from syncache.cli import version

    try:
        assert declared == version()
    except ImportError:
        pytest.skip("the package is not installed, only found in the tree")

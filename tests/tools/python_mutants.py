"""
Small faults in Python: every way to change one place of a module.

`mutate_python.py` runs tests with each.  Not mutated: annotations, docstrings and other
text, `__all__` and `__slots__`, what only type checkers read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

RELATIONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
}
# Calls whose arguments are no pair that one could take for another.
NO_PAIRS = {"isinstance", "getattr", "hasattr", "cast", "zip", "TypeVar", "NamedTuple"}
NO_PAIRS |= {"min", "max"}  # of which the order makes no difference


@dataclass(frozen=True)
class Mutant:
    """One place of one file, changed: bytes `begin` to `end` become `after`."""

    file: str
    line: int
    operator: str
    begin: int
    end: int
    before: str
    after: str

    @property
    def key(self) -> str:
        """Name the mutant by its text, so that it survives moved lines."""
        return f"{self.file}: {self._change}"

    @property
    def _change(self) -> str:
        before, after = (" ".join(t.split()) for t in (self.before, self.after))
        return f"{self.operator}: {before} -> {after}"

    def __str__(self) -> str:
        """Return the form in which survivors are printed."""
        return f"{self.file}:{self.line}: {self._change}"

    def apply(self, text: str) -> str:
        """Return the module with the fault."""
        raw = text.encode()
        return (raw[: self.begin] + self.after.encode() + raw[self.end :]).decode()


class Module:
    """The syntax tree of a module, and where each node stands."""

    def __init__(self, file: str, text: str) -> None:
        """Read a module; `file` is its name in what is printed."""
        self.file = file
        self.text = text
        self.raw = text.encode()
        self.tree = ast.parse(text)

    @cached_property
    def starts(self) -> list[int]:
        """The offset of every line."""
        starts = [0]
        for line in self.raw.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends."""
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def source(self, node: ast.AST) -> str:
        """Return the text of a node."""
        begin, end = self.span(node)
        return self.raw[begin:end].decode()

    def put(self, operator: str, node: ast.AST, after: str) -> Mutant:
        """Return the mutant that has `after` in place of a node."""
        return self.put_at(operator, node.lineno, self.span(node), after)

    def put_at(
        self, operator: str, line: int, span: tuple[int, int], after: str
    ) -> Mutant:
        """Return the mutant that has `after` in a range of bytes."""
        before = self.raw[span[0] : span[1]].decode()
        return Mutant(self.file, line, operator, *span, before, after)

    def mutants(self) -> list[Mutant]:
        """Return every mutant of the module, in the order of its lines."""
        found: list[Mutant] = []
        for node in self.walk(self.tree):
            found += self.of(node)
        return sorted(found, key=lambda m: (m.begin, m.end, m.operator, m.after))

    def walk(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield every node that has behaviour."""
        yield node
        for child in ast.iter_child_nodes(node):
            if not _is_silent(node, child):
                yield from self.walk(child)

    def of(self, node: ast.AST) -> Iterator[Mutant]:
        """Yield the mutants of one node, without those of the nodes in it."""
        yield from self.of_expression(node)
        if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(
            node.test, ast.Constant
        ):
            yield self.put("condition", node.test, f"(not ({self.source(node.test)}))")
        if isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield self.put("filter", test, "True")
        if _is_statement(node):
            yield self.put("deletion", node, "pass")
        if isinstance(node, ast.Return) and not (
            node.value is None
            or (isinstance(node.value, ast.Constant) and node.value.value is None)
        ):
            yield self.put("result", node, "return None")

    def of_expression(self, node: ast.AST) -> Iterator[Mutant]:
        """Yield the mutants of an expression."""
        match node:
            case ast.Compare():
                yield from self.of_compare(node)
            case ast.BoolOp():
                yield from self.of_logic(node)
            case ast.UnaryOp(op=ast.Not()):
                yield self.put("negation", node, f"({self.source(node.operand)})")
            case ast.UnaryOp(op=ast.USub()):
                yield self.put("negation", node, f"({self.source(node.operand)})")
            case ast.Constant(value=bool()):
                yield self.put("truth", node, str(not node.value))
            case ast.Constant(value=int()):
                after = "0" if node.value == 1 else str(node.value + 1)
                yield self.put("constant", node, after)
            case ast.Constant(value=float()):
                yield self.put("constant", node, str(node.value * 2 or 1.0))
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                yield from self.of_arithmetic(node.left, node.op, node.right)
            case ast.AugAssign() if type(node.op) in ARITHMETIC:
                yield from self.of_arithmetic(node.target, node.op, node.value)
            case ast.Call(args=[first, second, *_]):
                yield from self.of_pair(node, first, second)

    def between(self, left: ast.AST, right: ast.AST) -> str:
        """Return the text between two nodes."""
        return self.raw[self.span(left)[1] : self.span(right)[0]].decode()

    def of_two(
        self, operator: str, left: ast.AST, right: ast.AST, change: tuple[str, str]
    ) -> Mutant:
        """Return the mutant with another sign between two nodes."""
        span = self.span(left)[0], self.span(right)[1]
        sign = self.between(left, right).replace(*change, 1)
        after = self.source(left) + sign + self.source(right)
        return self.put_at(operator, right.lineno, span, after)

    def of_compare(self, node: ast.Compare) -> Iterator[Mutant]:
        """Yield other relations."""
        parts = [node.left, *node.comparators]
        for left, relation, right in zip(parts, node.ops, parts[1:], strict=False):
            yield self.of_two("relation", left, right, RELATIONS[type(relation)])

    def of_logic(self, node: ast.BoolOp) -> Iterator[Mutant]:
        """Yield `or` for `and`, and the condition without one of its operands."""
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        values = [f"({self.source(value)})" for value in node.values]
        yield self.put("logic", node, f"({f' {other} '.join(values)})")
        for index in range(len(values)):
            rest = values[:index] + values[index + 1 :]
            yield self.put("operand", node, f"({f' {word} '.join(rest)})")

    def of_arithmetic(
        self, left: ast.AST, operator: ast.operator, right: ast.AST
    ) -> Iterator[Mutant]:
        """Yield another operator; not for types and text."""
        text = left.value if isinstance(left, ast.Constant) else 0
        if not isinstance(left, ast.JoinedStr) and isinstance(text, int | float):
            yield self.of_two("arithmetic", left, right, ARITHMETIC[type(operator)])

    def of_pair(
        self, node: ast.Call, first: ast.AST, second: ast.AST
    ) -> Iterator[Mutant]:
        """Yield the call with its first two arguments exchanged."""
        name = self.source(node.func).split(".")[-1]
        one, other = self.source(first), self.source(second)
        if name in NO_PAIRS or one == other or one.startswith("*"):
            return
        text = self.between(first, second)
        span = self.span(first)[0], self.span(second)[1]
        if not other.startswith("*"):
            yield self.put_at("arguments", node.lineno, span, other + text + one)


def _is_statement(node: ast.AST) -> bool:
    """Return whether a statement can be taken out without a syntax error later."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    return isinstance(
        node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete
    )


def _is_silent(parent: ast.AST, node: ast.AST) -> bool:
    """Return whether a node below another one has no behaviour that tests can see."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(parent, ast.arg | ast.AnnAssign) and node is parent.annotation:
        return True
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
        return node is parent.returns
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        return any(name in {"__all__", "__slots__"} for name in names)
    return False


def mutants(file: str, text: str) -> list[Mutant]:
    """Return every mutant of a module."""
    return Module(file, text).mutants()

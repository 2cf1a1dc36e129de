"""`Sysctl`: the tunables of one engine, their values, and the rules for changing them.

What each tunable is stands in `syncache.tunables`.  Every change goes through one door:
the new values are checked together, then handed to the engine, then kept; whatever is
refused changes nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from .textfile import read_text
from .tunables import KNOBS, NOT_ABOVE
from .tunables.conf import assignment, is_line_of_others, is_ours, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from .tunables.knob import Engine, Knob

HASHSIZE = "net.inet.tcp.syncache.hashsize"
BUCKETLIMIT = "net.inet.tcp.syncache.bucketlimit"
CACHELIMIT = "net.inet.tcp.syncache.cachelimit"
COUNT = "net.inet.tcp.syncache.count"
STRICT = "net.inet.tcp.syncache.x.strict"
SHOWN_MAX = 80  # characters of a line that is not understood


class UnknownTunable(RuntimeWarning):
    """A sysctl.conf names a tunable of another program; its line has no effect."""


def of_kind(name: str, value: object, kind: type[object]) -> None:
    """Refuse an argument that is of another class; TypeError names both."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {kind.__name__}, not {type(value).__name__}")


class Sysctl(MutableMapping[str, "int | str"]):
    """The tunables of one engine, by name.

    KeyError: there is no such name.  ValueError: the value is not legal.
    PermissionError: it is read only, or an engine already uses it.  `del` restores the
    default, and so does `clear()` for all that may be set.
    """

    __slots__ = ("_changed", "_count", "_set", "_values", "changes")

    def __init__(self, values: Mapping[str, int | str] | None = None) -> None:
        self._changed: Callable[[], None] | None = None
        self._count: Callable[[], int] | None = None
        self._set: dict[str, int | str] = {}
        self._values = _effective({})
        self.changes = 0  # how often a value changed: who keeps some reads them anew
        self.update(values or {})

    def __getitem__(self, name: str) -> int | str:
        if name == COUNT and self._count is not None:
            return self._count()
        try:
            return self._values[name]
        except KeyError:
            raise _unknown(name) from None

    def __setitem__(self, name: str, value: int | str) -> None:
        self._change({name: value})

    def __delitem__(self, name: str) -> None:
        self._change({}, restored=(name,))

    def __iter__(self) -> Iterator[str]:
        return iter(KNOBS)

    def __len__(self) -> int:
        return len(KNOBS)

    def __repr__(self) -> str:
        return f"Sysctl({self._set!r})"

    def update(  # type: ignore[override]
        self,
        other: Mapping[str, int | str] | Iterable[tuple[str, int | str]] = (),
        /,
        **values: int | str,
    ) -> None:
        """Set several at once, all or nothing, so that pairs can change together.

        Raises:
            KeyError, ValueError, PermissionError: as for one; nothing has changed.
        """
        self._change(dict(other, **values))

    def assign(
        self, changes: Mapping[str, int | str], places: Mapping[str, str]
    ) -> None:
        """Set several at once; where each was said stands in front of its error.

        Raises:
            KeyError, ValueError, PermissionError: as for one; nothing has changed.
        """
        self._change(changes, places)

    def clear(self) -> None:
        """Restore every default that may still be changed."""
        free = [name for name in self._set if not self._is_fixed(KNOBS[name])]
        self._change({}, restored=free)

    def popitem(self) -> tuple[str, int | str]:
        """Refuse: the set of tunables is fixed."""
        raise TypeError("the set of tunables is fixed")

    def describe(self, name: str) -> Knob:
        """Return the knob of a tunable; KeyError has the nearest name."""
        try:
            return KNOBS[name]
        except KeyError:
            raise _unknown(name) from None

    def adopt(self, other: Sysctl) -> None:
        """Take over every value of another registry, its defaults too.

        Raises:
            PermissionError: one that differs is fixed at the start.
            ValueError: the engine refuses them.  In either case nothing has changed.
        """
        chosen = dict(other._set)
        for name, knob in KNOBS.items():
            if not self._is_fixed(knob):
                continue
            if knob.settable == "boot" and self._values[name] != other._values[name]:
                now, then = self._values[name], other._values[name]
                raise PermissionError(f"{_why_fixed(knob)}; it is {now}, not {then}")
            chosen.pop(name, None)
            if name in self._set:
                chosen[name] = self._set[name]
        self._commit(chosen, _effective(chosen))

    def walk(self, prefix: str = "") -> Iterator[Knob]:
        """Yield the tunables below a prefix of whole words, as sysctl(8) does."""
        stem = prefix.rstrip(".")
        for name, knob in KNOBS.items():
            if not stem or name == stem or name.startswith(stem + "."):
                yield knob

    def load(
        self,
        source: str | Path | list[str],
        *,
        ignore_unknown: bool = False,
        name: str = "",
    ) -> None:
        """Apply a sysctl.conf, all or nothing.

        A name that belongs to another program is not a mistake: one UnknownTunable
        warning with file and line, and the file goes on.  An unknown name below
        `net.inet.tcp.syncache.` and our other trees is a mistake, unless
        `net.inet.tcp.syncache.x.strict` is 0.

        Args:
            source: a path, or the lines themselves.  `name=value` or `name: value`, one
                a line; `#` begins a comment; quotation marks around the value are
                removed.  The last of two lines for one name wins.
            ignore_unknown: neither warn nor raise for a name that does not exist.
            name: of the file that the lines are from, for warnings and errors.

        Raises:
            OSError: the file cannot be read, or has more than 16 MiB.
            KeyError, ValueError, PermissionError: with file and line in front.
        """
        if isinstance(source, list):
            self._load(f"{name}:" if name else "line ", source, ignore_unknown)
        else:
            lines = read_text(source).split("\n")
            self._load(f"{source}:", lines, ignore_unknown)

    def preset(self, name: str) -> None:
        """Apply the preset of this name; tunables it does not name stay unchanged.

        Raises:
            KeyError: there is no such preset.
            PermissionError: an engine runs, and the preset sets boot-time tunables.
        """
        from importlib.resources import files

        folder = files("syncache") / "presets"
        known = sorted(
            item.name.removesuffix(".conf")
            for item in folder.iterdir()
            if item.name.endswith(".conf")
        )
        if name not in known:
            raise KeyError(f"no preset {name!r}; there are {', '.join(known)}")
        text = (folder / f"{name}.conf").read_text(encoding="utf-8")
        self._load(f"{name}.conf:", text.splitlines())

    def _load(self, place: str, lines: list[str], ignore_unknown: bool = False) -> None:
        changes: dict[str, int | str] = {}
        places: dict[str, str] = {}
        unknown: list[tuple[str, str]] = []
        for number, line in enumerate(lines, 1):
            text = statement(line)
            if not text:
                continue
            where = f"{place}{number}: "
            name, value = assignment(text)
            known = text.replace("\t", " ").partition(" ")[0].lstrip("-") in KNOBS
            if value is None and not known and is_line_of_others(text):
                unknown.append((where, text))
                continue
            if value is None:
                shown = text[:SHOWN_MAX]
                raise ValueError(f"{where}{shown!r} is not of the form name=value")
            if name not in KNOBS:
                unknown.append((where, name))
                continue
            try:
                changes[name] = KNOBS[name].parse(value)
            except ValueError as error:
                raise ValueError(f"{where}{error}") from None
            places[name] = where
        strict = bool(changes.get(STRICT, self._values[STRICT]))
        for where, name in unknown:
            if strict and is_ours(name) and not ignore_unknown:
                raise _unknown(name, where)
        self._change(changes, places)
        for where, name in unknown:
            if not ignore_unknown:
                warnings.warn(_skipped(where, name), UnknownTunable, stacklevel=3)

    def _change(
        self,
        changes: Mapping[str, int | str],
        places: Mapping[str, str] | None = None,
        restored: Iterable[str] = (),
    ) -> None:
        """Make all of the changes and restore those defaults, or nothing at all."""
        places = places or {}
        chosen = dict(self._set)
        for name in restored:
            self._settable(name)
            chosen.pop(name, None)
        strict = bool(changes.get(STRICT, chosen.get(STRICT, 1)))
        for name, value in changes.items():
            where = places.get(name, "")
            knob = self._settable(name, where)
            try:
                chosen[name] = _checked(knob, value, strict)
            except ValueError as error:
                raise ValueError(f"{where}{error}") from None
        values = _effective(chosen)
        _check_relations(values, places)
        self._commit(chosen, values)

    def _settable(self, name: str, where: str = "") -> Knob:
        """Return a tunable that may be changed now."""
        if name not in KNOBS:
            raise _unknown(name, where)
        knob = KNOBS[name]
        if self._is_fixed(knob):
            raise PermissionError(where + _why_fixed(knob))
        return knob

    def _commit(
        self, chosen: dict[str, int | str], values: dict[str, int | str]
    ) -> None:
        before = self._set, self._values
        self._set, self._values = chosen, values
        self.changes += 1
        if self._changed is None:
            return
        try:
            self._changed()
        except BaseException:
            self._set, self._values = before
            raise

    def _is_fixed(self, knob: Knob) -> bool:
        started = self._changed is not None
        return knob.settable == "never" or (knob.settable == "boot" and started)

    def attach(self, changed: Callable[[], None], count: Callable[[], int]) -> None:
        """Bind to the one engine; boot-time tunables are fixed from now on.

        Engines call this.  `changed` takes over the values, or raises to refuse them;
        `count` tells the number of entries.

        Raises:
            ValueError: another engine has it.
        """
        if self._changed is not None:
            raise ValueError("this Sysctl belongs to another engine; make one for each")
        self._changed, self._count = changed, count

    def fields(self, *, boot: bool, engine: Engine = "syncache") -> dict[str, int]:
        """Return the members of an engine's C configuration (boot) or C tunables."""
        return {
            knob.field: knob.to_c(self._values[knob.name])
            for knob in KNOBS.values()
            if knob.field
            and knob.engine == engine
            and (knob.settable == "boot") == boot
        }


def _effective(chosen: Mapping[str, int | str]) -> dict[str, int | str]:
    """Return every value: chosen, derived, or by default."""
    values = {name: chosen.get(name, knob.default) for name, knob in KNOBS.items()}
    if CACHELIMIT not in chosen:
        hashsize, bucketlimit = values[HASHSIZE], values[BUCKETLIMIT]
        assert isinstance(hashsize, int)
        assert isinstance(bucketlimit, int)
        values[CACHELIMIT] = hashsize * bucketlimit
    return values


def _checked(knob: Knob, value: int | str, strict: bool) -> int | str:
    """Return a value to be stored; not strict means FreeBSD's leniency."""
    if not strict and isinstance(value, int):
        if knob.type == "bool":
            return int(value != 0)
        if knob.name == HASHSIZE and not _is_power_of_two(value):
            warnings.warn(
                f"{HASHSIZE} is {knob.range}, not {value}; falling back to "
                f"{knob.default}",
                RuntimeWarning,
                stacklevel=4,
            )
            return knob.default
    return knob.check(value)


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def _why_fixed(knob: Knob) -> str:
    if knob.settable == "never":
        return f"{knob.name} is read only"
    return f"{knob.name} can be set only before an engine uses it"


def _check_relations(
    values: Mapping[str, int | str], places: Mapping[str, str]
) -> None:
    for low, low_times, high, high_times in NOT_ABOVE:
        below, above = values[low], values[high]
        assert isinstance(below, int)
        assert isinstance(above, int)
        if above == 0 and KNOBS[high].zero_unlimited:
            continue
        unlimited = below == 0 and KNOBS[low].zero_unlimited
        if unlimited or below * low_times > above * high_times:
            raise ValueError(
                f"{places.get(low, places.get(high, ''))}{low} is "
                f"{'unlimited' if unlimited else below}; "
                f"{_times(low_times)}it may not exceed {high}, which is {above}"
            )


def _times(factor: int) -> str:
    return "" if factor == 1 else f"{factor} times "


def _unknown(name: object, where: str = "") -> KeyError:
    text = str(name)[:SHOWN_MAX]
    if any(known.startswith(f"{name}.") for known in KNOBS):
        return KeyError(f"{where}{text} is a part of names, and has no value itself")
    near = _nearest(text, 0)
    return KeyError(f"{where}no tunable {text!r}; the nearest is {near[0]}")


def _nearest(name: str, cutoff: float) -> list[str]:
    """Return the name most like this one, if it is like it at all."""
    from difflib import get_close_matches

    return get_close_matches(name, KNOBS, n=1, cutoff=cutoff)


def _skipped(where: str, name: str) -> str:
    """Word the warning about a name that is passed over."""
    near = _nearest(name, 0.9)
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"{where}no tunable {name[:SHOWN_MAX]!r}, line ignored{hint}"

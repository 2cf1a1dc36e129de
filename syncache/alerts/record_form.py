r"""Records of JSON of one form: those that differ in their values alone.

Nearly all lines of a shipper's log have the same names in the same order, so they are
read by one pattern, which is made of the first of them:

    {"@timestamp": "(...)", "event": {"original": "(...)"}, "host": {"name": "(...)"}}

Which values are text, time and host depends on other values too: a text with a percent
sign is preferred, an empty host is passed over.  So each value of the first record is
tried with another: where that changes the choice, the pattern holds the value as it is,
and a record with another one is not of this form.

Contents: `Forms`, which keeps the patterns of a log.  Elsewhere: choosing the values,
and records that are of no form (`wrapped`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .wrapped import Wrapped, choice_of, host_of, moment_of, of_journal, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .wrapped import Choice

FORMS_MAX = 4  # that are tried on a line
VALUES_MAX = 60  # of a record; each of them costs a try and a piece of the pattern
DEBT_MAX = 2000  # lines of no form, less half of those of one
PAUSE = 20_000  # lines that are not tried then: there are too many forms
LINES_EACH = 5000  # lines for one pattern, which takes as long as a hundred of them
_DECODE = json.JSONDecoder().raw_decode
_NUMBER = r"-?(?:0|[1-9]\d{0,19})(?:\.\d{1,20})?(?=[\s,}])"
_STRING = r'"[^"\\\x00-\x1f]*(?:\\["\\/bfnrt][^"\\\x00-\x1f]*)*"'
_TOKEN = re.compile(
    rf"(?P<name>{_STRING}\s*:)|(?P<string>{_STRING})|(?P<number>{_NUMBER})"
    r"|(?P<word>true|false|null)|[\s,{}]+"
)
_TEXT = r'"([^"\\{\x00-\x1f][^"\\\x00-\x1f]*(?:\\n)?)"'  # a container's ends its line
_CHOSEN = r'"([^"\\\x00-\x1f]+)"'
# What is tried: a text that is preferred, and a time and a host in words; a time.
_TRIED: dict[type, object] = {str: "%", int: 1e9, float: 1e9}
# Parts of a mnemonic, which a text without one gets.
_PARTS = {"facility", "severity", "mnemonic"}


class Form(NamedTuple):
    """A pattern of records, and which of its groups are what; 0: no group is.

    `plain` means that the text may be without a percent sign.
    """

    match: Callable[[str], re.Match[str] | None]
    text: int
    time: int
    host: int
    plain: bool
    is_number: bool  # the time


class Forms:
    """The forms of the records of a log."""

    def __init__(self) -> None:
        self._forms: list[Form] = []
        self._credit = LINES_EACH * FORMS_MAX
        self._debt = self._pause = 0

    def unwrap(self, line: str) -> Wrapped | None:
        """Return the text that a line of JSON wraps; None if it wraps none."""
        if self._pause:
            self._pause -= 1
            return unwrap(line)
        for form in self._forms:
            found = form.match(line)
            wrapped = None if found is None else _read(form, found)
            if wrapped is not None:
                if self._debt:
                    self._debt -= 1
                if form is not self._forms[0]:
                    self._forms.remove(form)
                    self._forms.insert(0, form)
                return wrapped
        wrapped = unwrap(line)
        self._credit += 1
        self._debt += 2
        if self._debt > DEBT_MAX:
            self._debt, self._pause = 0, PAUSE
        if wrapped is not None and self._credit > LINES_EACH:
            self._credit -= LINES_EACH
            learnt = form_of(line)
            if learnt is not None:
                self._forms = [learnt, *self._forms[: FORMS_MAX - 1]]
        return wrapped


def _read(form: Form, found: re.Match[str]) -> Wrapped | None:
    """Read a record of a form; None if its values have to be chosen anew."""
    _, text_at, time_at, host_at, plain, is_number = form
    text, host = found[text_at], ""
    if not plain and "%" not in text:
        return None
    if text[-1] == "n" and text[-2:] == "\\n":
        text = f"{text[:-2]}\n"
    if host_at:
        host = host_of(found[host_at])
        if not host:
            return None
    if not time_at:
        return Wrapped(text, None, "", host)
    stamp: float | str = found[time_at]
    moment = moment_of(float(stamp) if is_number else stamp)
    return None if moment is None else Wrapped(text, *moment, host)


def form_of(line: str) -> Form | None:
    """Make the form of a record; None if that is not plain enough."""
    if line[:1] != "{":
        return None
    try:
        record, end = _DECODE(line)
    except (ValueError, RecursionError):
        return None
    tokens = list(_tokens(line, end))
    values = list(_values(record)) if tokens else []
    is_value = [token.lastgroup in {"string", "number", "word"} for token in tokens]
    # A name that occurs twice has two values in the line and one in the record.
    if not 0 < len(values) <= VALUES_MAX or len(values) != sum(is_value):
        return None
    choice = choice_of(record)
    text, time, host = (_place(values, each) for each in choice)
    if text is None or time is None or host is None:
        return None
    entry = of_journal(record)
    if entry is not None and entry.text is not choice.text:
        return None
    plain = "%" not in str(choice.text)
    if not text or (plain and record.keys() >= _PARTS):
        return None
    pieces, groups, at = [], [0], 0
    for token, counts in zip(tokens, is_value, strict=True):
        at += counts
        if counts and at in {text, time, host}:
            groups.append(at)
            pieces.append(
                _TEXT if at == text else _CHOSEN if token["string"] else f"({_NUMBER})"
            )
        elif not counts or token["word"] or _matters(record, values[at - 1], choice):
            pieces.append(re.escape(token[0]))
        else:
            pieces.append(_STRING if token["string"] else _NUMBER)
    return Form(
        match=re.compile("".join(pieces)).match,
        text=groups.index(text),
        time=groups.index(time),
        host=groups.index(host),
        plain=plain,
        is_number=type(choice.stamp) is not str,
    )


def _values(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield where each value is, in their order in the line."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _values(value)
        else:
            yield record, name


def _place(values: list[tuple[dict[str, Any], str]], chosen: object) -> int | None:
    """Return which value was chosen, from 1 on; 0: none; None: it cannot be told."""
    if not chosen:
        return 0
    found = [at for at, (inner, name) in enumerate(values, 1) if inner[name] is chosen]
    return found[0] if len(found) == 1 else None


def _matters(
    record: dict[str, Any], at: tuple[dict[str, Any], str], choice: Choice
) -> bool:
    """True if another value there would change the choice."""
    inner, name = at
    value = inner[name]
    inner[name] = _TRIED[type(value)]
    other = choice_of(record)
    inner[name] = value
    return any(one is not two for one, two in zip(choice, other, strict=True))


def _tokens(line: str, end: int) -> Iterator[re.Match[str]]:
    """Yield the parts of a record that ends there; none if it has others."""
    at = 0
    found: list[re.Match[str]] = []
    while at < end:
        token = _TOKEN.match(line, at, end)
        if token is None:
            return
        at = token.end()
        found.append(token)
    yield from found

"""`Record`: the data a member publishes: its keys, its clock, its floods.

A few hundred bytes of sealed JSON, once a second.
Others' records are read with suspicion: they are a member's, but it may be a sick one.
"""

from __future__ import annotations

import ipaddress
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..alarms import STATES as ALARM_STATES
from . import FleetError
from .conf import NAME

if TYPE_CHECKING:
    from .talkers import Shares

BYTES_MAX = 1024  # of the text of a record
AHEAD_MAX = 16
RATES_MAX = 8
SHARES_MAX = 4
TEXT_MAX = 64
ALARMS_MAX = 4
# As numbers in records: of the words of `syncache top`, those that members publish.
STATES = tuple(state for state in ALARM_STATES if state not in {"flood", "blocked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The state of one member.

    Attributes:
        name: Of the member.
        time: Its wall clock when it was sealed.
        life: A number drawn when the member begins: two of one name differ by it.
        version: Of the document that it has.
        key: The number of its newest key.
        offset: Valkey's clock minus its own, in seconds.
        refuses: It makes no cookies of the group: its clock is wrong.
        ahead: Members whose clocks are ahead of its own, and the times they told.
        alarms: Faults, a few words each.
        state: calm, cookies, aggressive or paused.
        rates: Numbers a second, by name: syn, cookie, redeemed, drop.
        sources: Networks that most SYNs came from, and their shares of all SYNs.
        targets: Addresses that most SYNs went to, and their shares.
    """

    name: str
    time: float
    life: int = 0
    version: int = 0
    key: int = 0
    offset: float = 0.0
    refuses: bool = False
    ahead: dict[str, float] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    state: str = "calm"
    rates: dict[str, float] = field(default_factory=dict)
    sources: Shares = ()
    targets: Shares = ()

    @property
    def kind(self) -> str:
        """The kind of message that a record is; each member has its own."""
        return kind_of(self.name)

    def encode(self) -> bytes:
        """Return it as text of at most BYTES_MAX bytes."""
        value: dict[str, Any] = {
            "t": round(self.time, 3),
            "v": self.version,
            "k": self.key,
            "o": round(self.offset, 3),
        }
        optional: dict[str, object] = {
            "i": self.life,
            "r": int(self.refuses),
            "h": {n: round(t, 3) for n, t in [*self.ahead.items()][:AHEAD_MAX]},
            "a": [text[:TEXT_MAX] for text in self.alarms[:ALARMS_MAX]],
            "s": STATES.index(self.state),
            "n": {name: round(rate, 1) for name, rate in self.rates.items() if rate},
            "f": _permille(self.sources),
            "d": _permille(self.targets),
        }
        value |= {name: content for name, content in optional.items() if content}
        for name in ("", "d", "f", "h", "n", "a"):
            value.pop(name, None)
            text = json.dumps(value, separators=(",", ":")).encode()
            if len(text) <= BYTES_MAX:
                break
        return text

    @classmethod
    def decode(cls, name: str, body: bytes) -> Record:
        """Read the text of a member.

        Raises:
            FleetError: it is not understood.
        """
        shown = _text(name)
        if len(body) > BYTES_MAX or not NAME.fullmatch(name):
            raise FleetError(f"the record of {shown!r} is too long, or nobody's")
        try:
            value = json.loads(body)
            return cls(
                name=name,
                time=_number(value["t"]),
                life=int(_number(value.get("i", 0))),
                version=int(_number(value["v"])),
                key=int(_number(value["k"])),
                offset=_number(value["o"]),
                refuses=bool(value.get("r")),
                ahead=_numbers(value.get("h", {}), AHEAD_MAX),
                alarms=tuple(_text(t) for t in value.get("a", [])[:ALARMS_MAX]),
                state=_state(value.get("s", 0)),
                rates=_numbers(value.get("n", {}), RATES_MAX),
                sources=_shares(value.get("f", [])),
                targets=_shares(value.get("d", [])),
            )
        except (
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            raise FleetError(f"the record of {shown!r} is not understood") from None


def kind_of(name: str) -> str:
    """Return the kind of message that a member's record is."""
    return f"member:{name}"


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _state(value: object) -> str:
    if not isinstance(value, int) or not 0 <= value < len(STATES):
        raise ValueError(value)
    return STATES[value]


def _text(value: object) -> str:
    """Others' words go to terminals: nothing in them steers one."""
    if not isinstance(value, str):
        raise TypeError(value)
    return "".join(c if c.isprintable() else "?" for c in value[:TEXT_MAX])


def _numbers(value: dict[str, object], most: int) -> dict[str, float]:
    return {_text(name): _number(n) for name, n in [*value.items()][:most]}


def _permille(shares: Shares) -> list[list[object]]:
    return [[text, round(1000 * share)] for text, share in shares[:SHARES_MAX]]


def _shares(value: list[Any]) -> Shares:
    """Networks and addresses in the one spelling that there is; shares up to 1."""
    found = []
    for text, permille in value[:SHARES_MAX]:
        network = ipaddress.ip_network(_text(text))
        share = min(max(_number(permille) / 1000, 0.0), 1.0)
        shown = str(network) if "/" in text else str(network.network_address)
        found.append((shown, share))
    return tuple(found)

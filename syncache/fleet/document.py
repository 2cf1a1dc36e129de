"""`Document`: the keys of a group, and the values its members must agree on.

It has a version that only rises; members take a higher one and refuse a lower one.
Contents: the value, its text and the checks of it.  Sealing is `seal`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from .. import succession
from ..keyring import KEY_BYTES, WALL_MAX, DerivedKeyring, KeyringError, Master
from . import FleetError
from .conf import NAME
from .seal import VERSION_MAX

MASTERS_MAX = 64
REVOKED_MAX = 1024
LIFETIME_MAX = 3600
KIND = "keys"
# Two clocks that differ by all of the skew seem further apart: an engine reads its own
# to the millisecond, and follows a step of the wall clock from a tenth of a second on.
MARGIN_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The keys of a group.

    Attributes:
        version: Only rises.
        group: Its name.
        lifetime: x.cookie_lifetime of every member, in seconds.
        skew_ms: By how much wall clocks of members may differ.
        ts_key: Of timestamp offsets; stays.
        masters: By number and time, rising.
        revoked: Names of members that are not to be listened to.
    """

    version: int
    group: str
    lifetime: int
    skew_ms: int
    ts_key: bytes = field(repr=False)
    masters: tuple[Master, ...]
    revoked: tuple[str, ...] = ()

    @property
    def engine_skew_ms(self) -> int:
        """x.clock_skew_ms of every member: the skew, and a margin."""
        return min(self.skew_ms + MARGIN_MS, self.lifetime * 500)

    def keyring(self, wall_offset: float = 0.0) -> DerivedKeyring:
        """Return the keyring of it."""
        return DerivedKeyring(
            self.masters,
            wall_offset=wall_offset,
            group=self.group,
            ts_key=self.ts_key,
        )

    def rotated(self, wall: float, lead: float) -> Document:
        """Return the next version, with a new key and without the retired ones.

        Raises:
            FleetError: there are too many keys that are not retired.
        """
        skew = self.engine_skew_ms / 1000
        keys = succession.rotated(
            self.keyring(), wall, lifetime=self.lifetime, lead=lead, skew=skew
        )
        if len(keys.masters) > MASTERS_MAX:
            raise FleetError(
                f"{len(self.masters)} keys are waiting or in use: rotate again when "
                "some of them are over"
            )
        return replace(self, version=self.version + 1, masters=keys.masters)

    def later(self, wall: float, lead: float) -> Document:
        """Return the next version, with the newest key's time put off."""
        *before, newest = self.masters
        begins = succession.epoch_at(wall + lead, self.lifetime)
        put_off = replace(newest, begins=max(begins, newest.begins))
        return replace(self, version=self.version + 1, masters=(*before, put_off))

    def retired(self, wall: float) -> Document:
        """Return the next version without retired keys; itself if there are none."""
        keys = succession.retired(
            self.keyring(),
            wall,
            lifetime=self.lifetime,
            skew=self.engine_skew_ms / 1000,
        )
        if keys.masters == self.masters:
            return self
        return replace(self, version=self.version + 1, masters=keys.masters)

    def revoking(self, name: str, wall: float, lead: float) -> Document:
        """Return the next version, with a new key and one member less."""
        revoked = tuple(dict.fromkeys((*self.revoked, name)))[-REVOKED_MAX:]
        return replace(self.rotated(wall, lead), revoked=revoked)

    def readmitting(self, name: str) -> Document:
        """Return the next version, with a member that was put out before."""
        left = tuple(other for other in self.revoked if other != name)
        return replace(self, version=self.version + 1, revoked=left)

    def encode(self) -> bytes:
        """Return it as text."""
        value = {
            "version": self.version,
            "group": self.group,
            "lifetime": self.lifetime,
            "skew_ms": self.skew_ms,
            "timestamp": self.ts_key.hex(),
            "keys": [[m.number, m.begins, m.secret.hex()] for m in self.masters],
            "revoked": list(self.revoked),
        }
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, body: bytes, version: int, group: str) -> Document:
        """Read a text that was sealed with the group's key.

        Raises:
            FleetError: it is not the document that it should be.
        """
        try:
            made = cls._of(json.loads(body))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise FleetError("the group's document is not understood") from None
        if (made.version, made.group) != (version, group):
            raise FleetError("the group's document is another's")
        return made

    @classmethod
    def _of(cls, value: dict[str, Any]) -> Document:
        masters = tuple(
            Master(_whole(number, WALL_MAX), _whole(begins, WALL_MAX), bytes.fromhex(s))
            for number, begins, s in value["keys"][: MASTERS_MAX + 1]
        )
        revoked = tuple(_name(name) for name in value["revoked"][:REVOKED_MAX])
        lifetime = _whole(value["lifetime"], LIFETIME_MAX)
        skew_ms = _whole(value["skew_ms"], lifetime * 500)
        ts_key = bytes.fromhex(value["timestamp"])
        if len(masters) > MASTERS_MAX or lifetime < 1 or len(ts_key) != KEY_BYTES:
            raise ValueError(value)
        made = cls(
            version=_whole(value["version"], VERSION_MAX),
            group=_name(value["group"]),
            lifetime=lifetime,
            skew_ms=skew_ms,
            ts_key=ts_key,
            masters=masters,
            revoked=revoked,
        )
        made.keyring()  # numbers and times rise
        return made


def check(before: Document, after: Document) -> None:
    """Make sure that a document may follow another one.

    Raises:
        FleetError: it is older, or cookies would be lost.
    """
    if after.version <= before.version:
        raise FleetError(
            f"version {after.version} follows {before.version}: an older document"
        )
    for name in ("lifetime", "skew_ms", "ts_key"):
        if getattr(after, name) != getattr(before, name):
            raise FleetError(
                f"version {after.version} changes {name}: begin a new group"
            )
    try:
        succession.check(before.keyring(), after.keyring())
    except KeyringError as error:
        raise FleetError(f"version {after.version}: {error}") from None


def _whole(value: object, highest: int) -> int:
    if type(value) is not int or not 0 <= value <= highest:
        raise ValueError(value)
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(value)
    return value

"""Whose wall clock is wrong, judged by the members' sealed records.

Valkey can hold messages back and show old ones, but it cannot make one up.  So a member
is behind if the sealed time of another is ahead of its own clock by more than the skew;
and it is ahead if others say, sealed, that they saw its time ahead of theirs.  Both are
evidence that no liar can make.  A member gives way when most of the others that were
heard lately are evidence against it.  Of two members nobody is the majority: then the
clock of Valkey decides, which alone decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FRESH_SECONDS = 30.0
AGE_SECONDS = 2.0  # of a record when it is read; members publish once a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A record of another member, when we first saw it.

    Attributes:
        name: Whose it is.
        told: The wall time that it was sealed at, by its clock.
        seen: Our wall time when we read it.
        ahead: Members whose time was ahead of its own clock, and the times they told.
    """

    name: str
    told: float
    seen: float
    ahead: dict[str, float] = field(default_factory=dict)


def is_ahead(sight: Sight, skew: float) -> bool:
    """Whether a member's clock is ahead of ours by more than the skew."""
    return sight.told > sight.seen + skew


def against(me: str, now: float, sights: Iterable[Sight], skew: float) -> set[str]:
    """Return the members that are evidence against our clock."""
    found = set()
    for sight in sights:
        accused = sight.ahead.get(me)
        # What we told before our clock was set back is no evidence any more.
        recent = (
            accused is not None and now - 2 * FRESH_SECONDS <= accused <= now + skew
        )
        if is_ahead(sight, skew) or recent:
            found.add(sight.name)
    return found


def is_wrong(
    me: str,
    now: float,
    sights: list[Sight],
    skew: float,
    *,
    valkey_offset: float | None,
) -> bool:
    """Whether our clock is the one that is wrong.

    Args:
        me: Our name.
        now: Our wall time.
        sights: Of the other members, each once.
        skew: The limit of the group, in seconds.
        valkey_offset: Valkey's clock minus ours; None if it is unknown.
    """
    fresh = [sight for sight in sights if abs(now - sight.seen) <= FRESH_SECONDS]
    opponents = against(me, now, fresh, skew)
    if not opponents or 2 * len(opponents) <= len(fresh):
        return False
    if len(fresh) == 1:
        return valkey_offset is None or abs(valkey_offset) > skew
    return True


class Doubt:
    """Whether a wall clock that was set is right, by the records that come since.

    A record that is sealed about now by the clock as it is, and not by the clock as it
    was, is a voice for it; one the other way round, against it.
    """

    def __init__(self) -> None:
        self.step: float | None = None  # that it was set by, while that is in doubt
        self._voices: dict[str, bool] = {}

    def begin(self, step: float | None) -> None:
        """The clock was set by so much; None: it is no matter any more."""
        self.step = step
        self._voices = {}

    def hear(self, sight: Sight, skew: float) -> None:
        """Take a record that was not known before."""
        if self.step is None:
            return
        age = sight.seen - sight.told
        if -skew <= age <= skew + AGE_SECONDS:
            self._voices[sight.name] = True
        elif -skew <= age - self.step <= skew + AGE_SECONDS:
            self._voices[sight.name] = False

    @property
    def agree(self) -> bool | None:
        """Whether most of the others say that it is right; None: nobody says."""
        voices = [*self._voices.values()]
        return 2 * sum(voices) > len(voices) if voices else None

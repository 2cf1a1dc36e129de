"""`Adoption`: a member of a group prepares while others are attacked, and for a time.

    adopt = yes     nothing is stored for a SYN: cookies alone
    adopt = block   and SYNs of the networks that most of the attacks come from are
                    dropped by the kernel, where the link can have it do so

Everything is undone when the time is over; what somebody sets meanwhile stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fleet.talkers import BLOCKS_MAX
from ..links.link import LinkError
from ..plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..fleet.member import Member
    from ..sysctl import Sysctl

ADOPT_SECONDS = 30.0  # how long an attack on others counts after it was last seen
BLOCK_SECONDS = 60.0  # how long a network is blocked after it was last named
_INSPECT = "net.inet.inspect."
# What an engine is given when others are attacked.
PREPARED: dict[str, tuple[str, int | str]] = {
    "Syncache": ("net.inet.tcp.syncookies_only", 1),
    "Intercept": ("net.inet.tcp.intercept.synack", "cookie"),
    "Inspection": (_INSPECT + "tcp.max_incomplete_host", 1),
    "Shield": ("net.inet.tcp.syncache.x.shield.mode", "always"),
}
STATELESS = (
    "cookie",
    "intercept",
)  # block_action: nobody is refused by the limit above


class Adoption:
    """Prepares one engine.

    Args:
        member: Of the group.
        write: Writes a line to the log.
    """

    def __init__(self, member: Member) -> None:
        self._member = member
        self._adopted: tuple[str, int | str, int | str] | None = None
        self.until = 0.0
        self._blocked: dict[str, float] = {}  # until when
        self._in_force: tuple[str, ...] = ()
        self._refused = False

    def turn(
        self,
        engine: Any,
        write: Callable[[str], object],
        now: float,
        block: Callable[[Sequence[str]], object] | None = None,
    ) -> None:
        """Act on the group's news; once a second.

        Args:
            engine: To prepare.
            write: Writes a line to the log.
            now: Of the monotonic clock.
            block: Has the kernel drop SYNs of networks; None: the link cannot.
        """
        if self._member.conf.adopt:
            self._prepare(engine, write, now)
        if self._member.conf.block:
            self._block(write, now, block)

    def _say(self, write: Callable[[str], object], text: str) -> None:
        write(f"fleet {self._member.conf.group}: {text}\n")

    def _prepare(self, engine: Any, write: Callable[[str], object], now: float) -> None:
        attacked = self._member.attacked
        if attacked:
            self.until = now + ADOPT_SECONDS
        sysctl: Sysctl | None = getattr(engine, "sysctl", None)
        chosen = prepared(engine)
        if sysctl is None:
            return
        if self._adopted is None and attacked and chosen is not None:
            name, value = chosen
            self._adopted = name, sysctl[name], value
            sysctl[name] = value
            noun = plural(attacked, "member is", "members are")
            self._say(write, f"{attacked} {noun} attacked: {name}={value}")
        elif self._adopted is not None and now >= self.until:
            name, before, ours = self._adopted
            self._adopted = None
            if sysctl[name] == ours:  # else somebody has set it since
                sysctl[name] = before
                self._say(write, f"the attack is over: {name}={before}")

    def _block(
        self,
        write: Callable[[str], object],
        now: float,
        block: Callable[[Sequence[str]], object] | None,
    ) -> None:
        self._blocked = {n: end for n, end in self._blocked.items() if now < end}
        for network in self._member.blocks:
            # Others wait: members that name new ones each second fill no log.
            if network in self._blocked or len(self._blocked) < BLOCKS_MAX:
                self._blocked[network] = now + BLOCK_SECONDS
        wanted = tuple(sorted(self._blocked))
        if wanted == self._in_force:
            return
        refusal = "this link cannot drop SYNs of networks"
        if block is not None:
            refusal = tried(block, wanted)
        if refusal:
            if not self._refused:
                which = ", ".join(wanted) or "no network"
                self._say(write, f"to be blocked: {which}: {refusal}")
            self._refused = True
            return
        self._refused = False
        for network in wanted:
            if network not in self._in_force:
                self._say(write, f"SYNs of {network} are dropped")
        for network in self._in_force:
            if network not in wanted:
                self._say(write, f"SYNs of {network} are not dropped any more")
        self._in_force = wanted


def prepared(engine: Any) -> tuple[str, int | str] | None:
    """Return the tunable of an engine that is to change, and its value; or None."""
    kind = type(engine).__name__
    if (
        kind == "Inspection"
        and engine.sysctl[_INSPECT + "block_action"] not in STATELESS
    ):
        return None
    return PREPARED.get(kind)


def tried(block: Callable[[Sequence[str]], object], networks: Sequence[str]) -> str:
    """Block networks; return why the kernel refuses, or an empty string."""
    try:
        block(networks)
    except (LinkError, OSError) as error:
        return str(error)
    return ""

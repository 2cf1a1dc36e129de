"""A command with a wall clock that is wrong: `skewed.py SECONDS serve ...`.

Namespaces have no wall clocks of their own, so the one that the command asks is
replaced; everything else is the command as an operator runs it.
"""

from __future__ import annotations

import sys

from syncache.cli import keys, main
from syncache.fleet import member


def skew(seconds: float) -> None:
    right = member.wall_clock

    def wrong() -> float:
        return right() + seconds

    keys.wall_clock = wrong
    defaults = member.Member.__init__.__defaults__
    assert defaults == (right,), "whose clock is it?"
    member.Member.__init__.__defaults__ = (wrong,)


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))

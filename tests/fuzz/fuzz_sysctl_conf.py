"""A sysctl.conf is taken whole or refused whole, and nothing else is raised.

    python tests/fuzz/fuzz_sysctl_conf.py [-seed=1] [-max_total_time=30] [CORPUS ...]

libFuzzer through atheris drives any text into Sysctl.load().  A refusal is a KeyError,
ValueError or PermissionError and leaves every value as it was; what was taken, written
down and loaded into a fresh registry, is the same again.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["syncache.sysctl", "syncache.tunables"]):
    from syncache import Sysctl
    from syncache.tunables import KNOBS

FREE = [name for name, knob in KNOBS.items() if knob.settable != "never"]


def one_input(data: bytes) -> None:
    """Load one text; bytes below 0x80 are characters, others name a tunable."""
    text = "".join(chr(b) if b < 0x80 else FREE[b % len(FREE)] for b in data)
    sysctl = Sysctl()
    before = dict(sysctl.items())
    try:
        sysctl.load(text.split("\n"))
    except (KeyError, ValueError, PermissionError):
        assert before == dict(sysctl.items())
        return
    again = Sysctl()
    again.update({name: sysctl[name] for name in FREE})
    assert dict(sysctl.items()) == dict(again.items())


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)  # x.strict=0 may warn
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()

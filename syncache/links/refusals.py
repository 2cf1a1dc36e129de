"""What a link says of a kernel that refuses its packets, or has lost its device."""

from __future__ import annotations

import errno
import logging
import os

from .link import LinkError

log = logging.getLogger(__name__)

# Where a refusal has a remedy that its name does not tell.
REMEDIES = {
    errno.EPERM: "a rule of this machine's firewall (`nft list ruleset`)",
    errno.ENETUNREACH: "look at `ip route`",
    errno.EHOSTUNREACH: "look at `ip route`",
    errno.ENOBUFS: "the interface's queue is full, or it has no carrier",
}


class Refusals:
    """Tells when packets begin to be refused, and when they go out again."""

    def __init__(self) -> None:
        self._error = 0

    def tell(self, name: str, error: int, *, outages: bool = True) -> None:
        """Log a change.

        Args:
            name: Of the interface.
            error: The errno of the last refusal since something was sent; 0: none.
            outages: False: another link tells that the interface is down.
        """
        was, self._error = self._error, error
        if error == was or (not outages and errno.ENETDOWN in {error, was}):
            return
        if error:
            why, remedy = os.strerror(error), REMEDIES.get(error)
            why = f"{why}: {remedy}" if remedy else why
            log.warning("%s: not sending: %s; going on", name, why)
        else:
            log.warning("%s: sending again", name)


def gone(name: str, number: int) -> LinkError:
    """Return the error of a link whose device is gone, with its errno."""
    return LinkError(f"{name} is gone: {os.strerror(number)}", number)

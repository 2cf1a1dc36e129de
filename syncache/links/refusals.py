"""What a link says of a kernel that refuses its packets, or has lost its device."""

from __future__ import annotations

import errno
import logging
import os

from .link import LinkError

log = logging.getLogger(__name__)


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
            log.warning("%s: not sending: %s; going on", name, os.strerror(error))
        else:
            log.warning("%s: sending again", name)


def gone(name: str, number: int) -> LinkError:
    """Return the error of a link whose device is gone, with its errno."""
    return LinkError(f"{name} is gone: {os.strerror(number)}", number)

"""Cases that we answer otherwise on purpose: name and reason."""

from __future__ import annotations

DIFFERENCES: dict[str, str] = {}

"""Gives the routes of this namespace timestamps of microseconds (Linux 6.7).

The `ip` of many distributions has no word for it.
"""

from __future__ import annotations

from pyroute2 import IPRoute

RTAX_FEATURE_TCP_USEC_TS = 1 << 4
PREFIXES = ("198.18.0.0/24", "fd00:18::/64")


def main():
    """Replace both routes."""
    with IPRoute() as route:
        (index,) = route.link_lookup(ifname="l0") or route.link_lookup(ifname="s0")
        for prefix in PREFIXES:
            route.route(
                "replace",
                dst=prefix,
                oif=index,
                metrics={"attrs": [["RTAX_FEATURES", RTAX_FEATURE_TCP_USEC_TS]]},
            )


if __name__ == "__main__":
    main()

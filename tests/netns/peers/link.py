"""Change interfaces of this namespace: `link.py '["up", "tun0"]'`; prints JSON.

add NAME [ADDRESS]     a persistent TUN device, up, with an address
up NAME, down NAME     its state
remove NAME            it is gone
show NAME              its MTU, state and addresses
"""

from __future__ import annotations

import json
import sys

from pyroute2 import IPRoute

UNICAST, MAIN_TABLE, GLOBAL_SCOPE = 1, 254, 0


def show(ip, name):
    """Return what a test may want to know of an interface."""
    found = ip.link_lookup(ifname=name)
    if not found:
        return None
    link = ip.get_links(found[0])[0]
    addresses = ip.get_addr(index=found[0])
    return {
        "mtu": link.get_attr("IFLA_MTU"),
        "state": link["state"],
        "addresses": sorted(
            f"{address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}"
            for address in addresses
            if address["scope"] == GLOBAL_SCOPE
        ),
        "routes": sorted(
            f"{route.get_attr('RTA_DST')}/{route['dst_len']}"
            for route in ip.get_routes(oif=found[0])
            if route["type"] == UNICAST
            and route["table"] == MAIN_TABLE
            and route.get_attr("RTA_DST") != "fe80::"  # the kernel's own doing
        ),
    }


def main(action, name, *addresses):
    with IPRoute() as ip:
        if action == "add":
            ip.link("add", ifname=name, kind="tuntap", mode="tun")
        if action == "show":
            return show(ip, name)
        index = ip.link_lookup(ifname=name)[0]
        for address in addresses:
            ip.addr("add", index=index, address=address)
        if action in {"add", "up"}:
            ip.link("set", index=index, state="up")
        elif action == "down":
            ip.link("set", index=index, state="down")
        elif action == "remove":
            ip.link("del", index=index)
        return None


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))

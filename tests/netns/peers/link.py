"""Change interfaces of this namespace: `link.py '["up", "tun0"]'`; prints JSON.

add NAME [ADDRESS]     a persistent TUN device, up, with an address
up NAME, down NAME     its state
remove NAME            it is gone
show NAME              its MTU, state and addresses
veth NAME PEER PID     a pair, its other end in the namespace of a process
vlan NAME ID           an interface NAME.ID for the frames of a VLAN
"""

from __future__ import annotations

import json
import sys

from pyroute2 import IPRoute

UNICAST, MAIN_TABLE, GLOBAL_SCOPE = 1, 254, 0
IFA_F_NODAD = 0x02


def show(ip, name):
    """Return what a test may want to know of an interface."""
    found = ip.link_lookup(ifname=name)
    if not found:
        return None
    link = ip.get_links(found[0])[0]
    addresses = ip.get_addr(index=found[0])
    return {
        "mtu": link.get_attr("IFLA_MTU"),
        "promiscuity": link.get_attr("IFLA_PROMISCUITY"),
        "xdp": link.get_attr("IFLA_XDP").get_attr("IFLA_XDP_ATTACHED"),
        "qdiscs": len(ip.get_qdiscs(index=found[0])),
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


def add_addresses(ip, index, addresses):
    """Usable at once, without waiting for duplicates of them to answer."""
    for address in addresses:
        flags = {"flags": IFA_F_NODAD} if ":" in address else {}
        ip.addr("add", index=index, address=address, **flags)


def main(action, name, *addresses):
    with IPRoute() as ip:
        if action == "veth":
            peer, pid = addresses
            end = {"ifname": peer, "net_ns_pid": pid}
            ip.link("add", ifname=name, kind="veth", peer=end)
            return None
        if action == "vlan":
            (number,) = addresses
            below = ip.link_lookup(ifname=name)[0]
            vlan = {"ifname": f"{name}.{number}", "kind": "vlan", "link": below}
            ip.link("add", vlan_id=number, **vlan)
            return None
        if action == "add":
            ip.link("add", ifname=name, kind="tuntap", mode="tun")
        if action == "show":
            return show(ip, name)
        index = ip.link_lookup(ifname=name)[0]
        add_addresses(ip, index, addresses)
        if action in {"add", "up"}:
            ip.link("set", index=index, state="up")
        elif action == "down":
            ip.link("set", index=index, state="down")
        elif action == "remove":
            ip.link("del", index=index)
        return None


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))

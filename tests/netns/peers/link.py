"""Change interfaces in network namespaces: peers of namespace.py's.

Reads orders as lines of JSON, `[PID, ["up", "tun0"]]`, where PID is a process in the
namespace, and answers each with a line: {"found": ...} or {"error": text}.  A child
carries out each: it enters the namespace, which is for good.  So the library that this
takes, which is dear to import, is imported once.

add NAME [ADDRESS]     a persistent TUN device, up, with an address
up NAME, down NAME     its state
remove NAME            it is gone
show NAME              its MTU, state and addresses
veth NAME PEER PID QUEUES [ADDRESS]
                       a pair, its other end in the namespace of a process
mac NAME ADDRESS       its link address
clsact NAME            a qdisc for filters of whoever
uncut NAME ON          whether the kernel hands it super-segments (1 or 0)
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
import traceback

from pyroute2 import IPRoute
from warm import enter

UNICAST, MAIN_TABLE, GLOBAL_SCOPE = 1, 254, 0
IFA_F_NODAD = 0x02
# The number of one end of a pair.  If both are alike, as they would be in two fresh
# namespaces, the kernel takes news of the carrier for less urgent: IFF_RUNNING lags
# behind by up to a second.
UNLIKE = 1000
SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGSO = 0x8946, 0x1F, 0x24


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


def set_segmentation(name, on):
    """Let the kernel hand over segments uncut, or not: TSO and GSO."""
    for command in (ETHTOOL_STSO, ETHTOOL_SGSO):
        value = ctypes.create_string_buffer(struct.pack("II", command, on))
        request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCETHTOOL, request)


def main(action, name, *addresses):
    with IPRoute() as ip:
        if action == "veth":
            peer, pid, count, *addresses = addresses
            end = {"ifname": peer, "net_ns_pid": pid}
            queues = {"num_tx_queues": count, "num_rx_queues": count}
            index = UNLIKE + len(ip.get_links())
            ip.link(
                "add",
                ifname=name,
                kind="veth",
                peer=end | queues,
                index=index,
                **queues,
            )
            action = "up"
        if action == "add":
            ip.link(
                "add",
                ifname=name,
                kind="tuntap",
                mode="tap" if name.startswith("tap") else "tun",
            )
        if action == "uncut":
            return set_segmentation(name, *addresses)
        if action == "show":
            return show(ip, name)
        index = ip.link_lookup(ifname=name)[0]
        if action == "clsact":
            ip.tc("add", "clsact", index)
            return None
        if action == "mac":
            ip.link("set", index=index, address=addresses[0])
            return None
        add_addresses(ip, index, addresses)
        if action in {"add", "up"}:
            ip.link("set", index=index, state="up")
        elif action == "down":
            ip.link("set", index=index, state="down")
        elif action == "remove":
            ip.link("del", index=index)
        return None


def answer(pid, words):
    """Do what an order says; return the answer."""
    try:
        enter(pid)
        return {"found": main(*words)}
    except Exception:  # noqa: BLE001
        return {"error": traceback.format_exc()}


def serve(orders):
    """Carry out orders until there are no more."""
    for order in orders:
        child = os.fork()
        if child == 0:
            print(json.dumps(answer(*json.loads(order))), flush=True)
            os._exit(0)
        if status := os.waitpid(child, 0)[1]:
            print(json.dumps({"error": f"ended with {status}: {order}"}), flush=True)


if __name__ == "__main__":
    serve(sys.stdin)

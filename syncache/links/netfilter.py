"""Whether this network namespace translates addresses or ports (NAT).

Chains of nf_tables by nfnetlink(7), iptables' older tables by their list; nothing is
changed.  Rules that translate make the kernel track connections, and Linux up to 6.18
at least forgets which listener an ACK was given to, if it begins to track with that
ACK: it compares the packet's port with the one of a request that has none yet
(nf_nat_inet_port_was_mangled).
"""

from __future__ import annotations

import contextlib
import struct

from . import host_settings
from .link import LinkError
from .rtnetlink import attributes, dump

NETLINK_NETFILTER = 12
NEWCHAIN, GETCHAIN = 0xA03, 0xA04  # NFNL_SUBSYS_NFTABLES, and NFT_MSG_*
CHAIN_USE, CHAIN_TYPE = 6, 7
ASKED = struct.pack(">BBH", 0, 0, 0)  # struct nfgenmsg: every family
LOOSE = "net/netfilter/nf_conntrack_tcp_loose"
NAT = (
    "NAT rules are in this network namespace, and the kernel loses a connection that "
    "it begins to track with the ACK of a cookie: sysctl -w "
    "net.netfilter.nf_conntrack_tcp_loose=0, or no tracking of the port (notrack)"
)


def loses_connections() -> bool:
    """Return whether NAT is in the way of cookies; False also if nobody says."""
    return host_settings.values(LOOSE)[0] != 0 and has_nat()


def has_nat() -> bool:
    """Return whether there are rules of NAT; False also if nobody says."""
    for name in ("ip_tables_names", "ip6_tables_names"):
        with contextlib.suppress(OSError, UnicodeError):
            names = (host_settings.PROC / "net" / name).read_text("ascii")
            if "nat" in names.split():
                return True
    with contextlib.suppress(OSError, LinkError):
        chains = dump(GETCHAIN, ASKED, NEWCHAIN, NETLINK_NETFILTER)
        return any(_is_nat(dict(attributes(chain[len(ASKED) :]))) for chain in chains)
    return False


def _is_nat(chain: dict[int, bytes]) -> bool:
    """Return whether a chain is of NAT and has rules."""
    return chain.get(CHAIN_TYPE) == b"nat\0" and any(chain.get(CHAIN_USE, b""))

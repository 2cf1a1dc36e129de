#!/bin/sh
# cisco_config_parser 3.0.0 and the form in which IOS prints what was configured:
# - IOS lists the secondary addresses of an interface above its primary one; the parser
#   gives the first line as ip_address and as sec_ip_address, and the primary nowhere;
# - IOS XE prints lines of an IPv6 access list with "sequence 10"; each such line is left
#   out, so that a list of these is there without any;
# - of `eq www 443`, which IOS prints on one line as it was typed (eq and neq take up to
#   ten ports), the second port is among the options.
# Nothing is raised.  cisco_acl 3.2.1 reads both ports.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install cisco-config-parser==3.0.0 cisco-acl==3.2.1 || exit 77
"$folder/v/bin/python" - 2>/dev/null <<'PY'
import sys

from cisco_acl import Ace
from cisco_config_parser import ConfigParser

LINE = "permit tcp any host 192.0.2.1 eq www 443 log"
CONFIG = f"""hostname r1
!
interface GigabitEthernet0/0
 ip address 192.0.2.1 255.255.255.0
!
interface GigabitEthernet0/1
 ip address 203.0.113.1 255.255.255.0 secondary
 ip address 198.51.100.1 255.255.255.0
!
ip access-list extended four
 {LINE}
!
ipv6 access-list printed
 sequence 10 permit tcp any host 2001:DB8::1 eq www
 sequence 20 deny ipv6 any any
!
ipv6 access-list typed
 permit tcp any host 2001:DB8::1 eq www
 deny ipv6 any any
!
end
"""
parser = ConfigParser(CONFIG, platform="IOS-XE")
lists = {each.name: each.entries for each in parser.get_access_lists()}
(four,) = lists["four"]
found = {
    "addresses": [(i.ip_address, i.sec_ip_address) for i in parser.get_l3_interfaces()],
    "IPv6 lists": [len(lists["printed"]), len(lists["typed"])],
    "ports": (four.destination_port, four.options),
    "ports of cisco_acl": Ace(LINE).dstport.ports,
}
for name, value in found.items():
    print(f"{name}: {value}")
expected = {
    "addresses": [("192.0.2.1", None), ("203.0.113.1", "203.0.113.1")],
    "IPv6 lists": [0, 2],
    "ports": ("eq www", "443 log"),
    "ports of cisco_acl": [80, 443],
}
sys.exit(found != expected)
PY

#!/bin/sh
# bpf_sk_assign_tcp_reqsk() (Linux 6.9) lets a BPF program that has checked a SYN cookie of
# its own hand the client's ACK to a listener of the kernel, which accepts the connection.
# A rule of NAT for any other port of the same network namespace (Docker's are enough) makes
# the kernel answer each such ACK with a reset, and nothing says why.  A nat chain without
# a rule, or connection tracking alone, does no harm; `notrack` for the port, or
# net.netfilter.nf_conntrack_tcp_loose=0, brings the connections back.
# (NAT's hook on input asks whether the port of the packet's socket was translated, and the
# request's port is not filled in by then.)
# Seen on Linux 6.18, through a TUN device in a network namespace of its own; the program
# takes any ACK for good, without a cookie.
# Needs root, clang with the BPF target, tc of iproute2 with libbpf, nft and python3.
# Exit: 0 as described, 1 changed, 77 no root, no such kernel or a tool is missing.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
for tool in clang tc nft ip unshare python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
tc -V | grep -q libbpf || { echo "tc has no libbpf"; exit 77; }
unshare -n true 2>/dev/null && [ -c /dev/net/tun ] || { echo "no namespace or TUN"; exit 77; }
grep -q ' bpf_sk_assign_tcp_reqsk$' /proc/kallsyms || { echo "no such function here"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
uname -sr
cat >assign.c <<'C'
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
struct __sk_buff { u32 len; };
struct sock { int any; };
struct tcp_sock;
struct bpf_sock { u32 before_state[18], state; };
struct bpf_tcp_req_attrs {
    u32 rcv_tsval, rcv_tsecr;
    u16 mss;
    u8 rcv_wscale, snd_wscale, ecn_ok, wscale_ok, sack_ok, tstamp_ok, usec_ts_ok, reserved[3];
};
static long (*load_bytes)(void *, u32, void *, u32) = (void *)26;
static struct bpf_sock *(*skc_lookup_tcp)(void *, void *, u32, u64, u64) = (void *)99;
static struct tcp_sock *(*skc_to_tcp_sock)(void *) = (void *)137;
static long (*sk_release)(void *) = (void *)86;
extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
                                   struct bpf_tcp_req_attrs *attrs, int attrs__sz) SEC(".ksyms");

SEC("tc") int assign(struct __sk_buff *skb)
{
    struct bpf_tcp_req_attrs attrs = {.mss = 1460};
    u8 head[40]; /* IPv4 and TCP, both without options */
    if (load_bytes(skb, 0, head, sizeof head) || head[0] != 0x45 || head[9] != 6 ||
        head[33] != 16)
        return 0;
    u32 tuple[3]; /* addresses and ports, as they stand in the packet */
    load_bytes(skb, 12, tuple, sizeof tuple);
    struct bpf_sock *found = skc_lookup_tcp(skb, tuple, sizeof tuple, -1, 0);
    if (!found)
        return 0;
    if (found->state == 10) { /* a listener */
        struct tcp_sock *listener = skc_to_tcp_sock(found);
        if (listener)
            bpf_sk_assign_tcp_reqsk(skb, (struct sock *)listener, &attrs, sizeof attrs);
    }
    sk_release(found);
    return 0;
}
SEC("license") char licence[] = "GPL";
C
clang -O2 -g -target bpf -c assign.c -o assign.o || { echo "clang cannot compile it"; exit 77; }
cat >connect.py <<'PY'
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

RST = 4
NAT = "chain p { type nat hook prerouting priority -100; }"
RULE = NAT.replace("; }", "; tcp dport 81 redirect to :8081; }")
FILTER = "chain p { type filter hook input priority 0; ct state new accept; }"
RAW = "chain r { type filter hook prerouting priority -300; tcp dport 80 notrack; }"


def run(command):
    return subprocess.run(command, shell=True, check=True)


def setting(name, value):
    with open(f"/proc/sys/net/{name}", "w") as file:
        file.write(str(value))


def total(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return struct.pack("!H", value ^ 0xFFFF)


def ack(source):
    ends = bytes([192, 0, 2, 2, 192, 0, 2, 1])
    tcp = struct.pack("!HHIIBBHHH", source, 80, 1001, 5001, 0x50, 16, 9000, 0, 0)
    tcp = tcp[:16] + total(ends + struct.pack("!HH", 6, 20) + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + ends
    return ip[:10] + total(ip) + ip[12:] + tcp


def was_reset(port):
    found = False
    while True:
        try:
            data = os.read(tun, 2000)
        except BlockingIOError:
            return found
        tcp = data[0] == 0x45 and data[9] == 6
        found |= tcp and data[22:24] == struct.pack("!H", port) and bool(data[33] & RST)


def connect(name, *chains):
    """How many of ten clients are accepted, and how many are reset."""
    run("nft flush ruleset")
    if chains:
        run(f"nft 'table ip t {{ {' '.join(chain + ';' for chain in chains)} }}'")
    accepted = reset = 0
    for _ in range(10):
        ports.append(ports[-1] + 1)
        os.write(tun, ack(ports[-1]))
        time.sleep(0.02)
        try:
            listener.accept()[0].close()
            accepted += 1
        except BlockingIOError:
            pass
        reset += was_reset(ports[-1])
    print(f"{name}: accepted {accepted}, reset {reset}")
    return accepted, reset


tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH14x", b"t0", 0x1001))  # IFF_TUN, no header
run("ip addr add 192.0.2.1/24 dev t0 && ip link set t0 up && tc qdisc add dev t0 clsact")
try:
    run("tc filter add dev t0 ingress bpf direct-action object-file assign.o section tc")
except subprocess.CalledProcessError:
    print("the program cannot be loaded here")
    sys.exit(77)
setting("ipv4/tcp_syncookies", 2)
listener = socket.socket()
listener.bind(("192.0.2.1", 80))
listener.listen(50)
listener.setblocking(False)
ports = [20000]
found = [
    connect("no rules"),
    connect("connection tracking", FILTER),
    connect("a nat chain without a rule", NAT),
    connect("NAT of port 81", RULE),
    connect("NAT of port 81, notrack for port 80", RULE, RAW),
]
setting("netfilter/nf_conntrack_tcp_loose", 0)
found.append(connect("NAT of port 81, nf_conntrack_tcp_loose=0", RULE))
sys.exit(found != [(10, 0), (10, 0), (10, 0), (0, 10), (10, 0), (10, 0)])
PY
unshare -n python3 connect.py

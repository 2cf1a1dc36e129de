"""Two shields with one keyring: the SYN goes to one machine, all the rest to the other.

                 +-- SYN ------> cA === sA  first   shield, listener
+--- client ---+ |                                             all 198.18.0.2
|  198.18.0.1  |-+
+--------------+ +-- the rest -> cB === sB  second  shield, listener
"""

from __future__ import annotations

import os
import time

import needs
import pytest
from namespace import Namespace, wait_until
from test_shield import Shielded
from test_shield_keys import LIFETIME, PERIOD, held, served
from valkey_server import ValkeyServer

from syncache import Keyring
from syncache.cli import main
from syncache.keyring import Master

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
TRIES_MAX = 10
CLIENT, SERVER = "198.18.0.1", "198.18.0.2/24"
ROUTES = """
table ip fleet {
    chain out {
        type route hook output priority 0
        tcp flags & syn == 0 meta mark set 1
    }
}
"""


class Machine:
    """What `Shielded` wants of a wire: a server and the client."""

    def __init__(self, client, name):
        self.client, self.server = client, Namespace()
        client.join(
            f"c{name}", self.server, "s0", f"{CLIENT}/{'24' if name == 'A' else '32'}"
        )
        self.server.link("up", "s0", SERVER)


@pytest.fixture
def client():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def machines(client):
    made = [Machine(client, name) for name in "AB"]
    for name in ("all", "default", "cA", "cB"):
        client.run("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
    client.run("ip", "route", "add", "198.18.0.2", "dev", "cB", "table", "100")
    client.run("ip", "rule", "add", "fwmark", "1", "lookup", "100")
    client.run("nft", ROUTES)
    yield made
    for machine in made:
        machine.server.close()


@pytest.fixture(params=["--keyring", "--fleet"])
def keys(request, tmp_path):
    """Return the options of each machine: one file, or a group through Valkey."""
    if request.param == "--keyring":
        path = tmp_path / "keys"
        master = Master(1, 0, bytes(range(32)))
        Keyring.derived((master,), wall_offset=0.0, group="web").save(path)
        yield {name: ["--keyring", path] for name in "AB"}
        return
    try:
        server = ValkeyServer(tmp_path)
    except FileNotFoundError as error:
        needs.lacks(str(error))
    options = {}
    for name, action in (("A", "init"), ("B", "join")):
        conf = tmp_path / f"{name}.conf"
        conf.write_text(
            f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/key\n"
            f"keyring = {tmp_path}/ring-{name}\nname = edge-{name}\n"
        )
        assert 0 == main(["fleet", action, str(conf)])
        options[name] = ["--fleet", conf]
    yield options
    server.close()


def listening(machines, tmp_path, keys, *words):
    """Start a shield and a listener on each machine."""
    shields = []
    for machine, name in zip(machines, "AB", strict=True):
        folder = tmp_path / name
        folder.mkdir()
        shield = Shielded(machine, folder)
        shield.listen(address="0.0.0.0")
        shields.append(shield.start("--mode", "always", *keys[name], *words))
    return shields


def test_syn_ack_of_one_machine_is_redeemed_by_the_other(machines, tmp_path, keys):
    """Both have the keys of the group; the second has made no cookie."""
    shields = listening(machines, tmp_path, keys)
    seen = shields[0].connect(count=5)
    assert 5 == seen["served"], (seen, *(s.counters() for s in shields))
    assert seen["sack"]
    assert seen["wscale"] is not None
    first, second = (shield.counters() for shield in shields)
    assert (5, 0) == (first["synack"], first["redeemed"])
    assert (0, 5) == (second["synack"], second["redeemed"])


@pytest.mark.parametrize("keys", ["--keyring"], indirect=True)
def test_key_of_the_group_changes_in_mid_handshake(machines, tmp_path, keys):
    """SYN-ACK by the old key of one machine, redeemed by the other after the change."""
    period = f"{LIFETIME}={PERIOD}"
    shields = listening(machines, tmp_path, keys, "--sysctl", period)
    # On a busy machine the next change may come before the client is asked.
    tries, found, in_time = 0, 0, False
    while not in_time and tries < TRIES_MAX:
        tries += 1
        wait_until(lambda: time.time() % PERIOD < PERIOD / 2)
        epoch = time.time() // PERIOD
        with held(shields[0]) as client:
            wait_until(lambda n=epoch: time.time() // PERIOD > n)
        found = served(client)
        in_time = time.time() // PERIOD == epoch + 1
    assert 1 == found
    first, second = (shield.counters() for shield in shields)
    assert (tries, 0) == (first["synack"], first["redeemed"])
    assert 0 == second["synack"]
    assert 1 <= second["redeemed"] <= tries

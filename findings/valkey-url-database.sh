#!/bin/sh
# A database that is no number in a URL of valkey 6.2.0 or redis 8.1.0 (the clients for
# Python) is no error: the client works on database 0.  A typo reads and writes another
# application's keys.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v" || exit 1
"$folder/v/bin/pip" -q install valkey==6.2.0 redis==8.1.0 || exit 77
"$folder/v/bin/python" - <<'PY'
import sys

import redis
import valkey

found = {}
for name, client in (("valkey", valkey.Valkey), ("redis", redis.Redis)):
    for path in ("7", "x", "7x", "7/x"):
        pool = client.from_url(f"{name}://localhost/{path}").connection_pool
        found[name, path] = pool.connection_kwargs.get("db", 0)
        print(f"{name}://localhost/{path}: database {found[name, path]}")
expected = {"7": 7, "x": 0, "7x": 0, "7/x": 0}
sys.exit(any(database != expected[path] for (_, path), database in found.items()))
PY

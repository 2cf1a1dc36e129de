#!/bin/sh
# Messages in ArcSight's Common Event Format, as its specification prints them:
#   CEF:0|Acme|fw|1.0|100|SYN flood|5|src=192.0.2.1 spt=40000
# liblognorm 2.0.6 (the parser of rsyslog's mmnormalize) takes the first character of the
# extension for a blank, whatever it is, so the first key has lost its first letter: src is
# rc, msg is sg.  With a blank there, as in its manual, it is right.  Escapes it undoes.
# pycef 1.11 has all keys, but undoes no escape of a value (\= of its specification stays
# as it is), leaves out a key with an empty value, and raises IndexError for a header with
# an escaped bar or backslash.
# Debian's packages, unpacked in a temporary folder, and one of PyPI.
# Needs apt-get, dpkg-deb and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in apt-get dpkg-deb python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download liblognorm-utils=2.0.6-4 liblognorm5=2.0.6-4 libestr0 libfastjson4 \
    >/dev/null 2>&1 || { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 -m venv v || exit 1
v/bin/pip -q install pycef==1.11 || exit 77
printf 'version=2\nrule=:%%cef:cef%%\n' >rule
cat >read.py <<'PY'
import json
import logging
import os
import subprocess
import sys

import pycef

logging.disable(logging.CRITICAL)
HEADER = "DeviceVendor DeviceProduct DeviceVersion DeviceEventClassID Name DeviceName Severity"
HEADER += " DeviceSeverity CEFVersion"


def by_liblognorm(line):
    command = ["root/usr/bin/lognormalizer", "-r", "rule", "-e", "json"]
    environment = {**os.environ, "LD_LIBRARY_PATH": sys.argv[1]}
    out = subprocess.run(command, input=line, text=True, env=environment, capture_output=True)
    data = json.loads(out.stdout)["cef"]
    return data["DeviceProduct"], data["Extensions"]


def by_pycef(line):
    try:
        data = pycef.parse(line)
    except IndexError as error:
        return type(error).__name__
    extensions = {name: data[name] for name in data if name not in HEADER.split()}
    return data["DeviceProduct"], extensions


found = []
for product, extension in (
    ("fw", "src=192.0.2.1 spt=40000"),
    ("fw", " src=192.0.2.1 spt=40000"),
    ("fw", r" msg=rate\=900 file=C:\\log reason= act=drop"),
    (r"fw\|a\\b", " src=192.0.2.1"),
):
    line = f"CEF:0|Acme|{product}|1.0|100|SYN flood|5|{extension}\n"
    found.append((by_liblognorm(line), by_pycef(line[:-1])))
    print(line, "  liblognorm ", found[-1][0], "\n   pycef ", found[-1][1], sep="")
src = {"src": "192.0.2.1", "spt": "40000"}
sys.exit(
    found
    != [
        (("fw", {"rc": "192.0.2.1", "spt": "40000"}), ("fw", src)),
        (("fw", src), ("fw", src)),
        (
            ("fw", {"msg": "rate=900", "file": "C:\\log", "reason": "", "act": "drop"}),
            ("fw", {"msg": r"rate\=900", "file": r"C:\\log", "act": "drop"}),
        ),
        (("fw|a\\b", {"src": "192.0.2.1"}), "IndexError"),
    ]
)
PY
v/bin/python read.py "$libraries"

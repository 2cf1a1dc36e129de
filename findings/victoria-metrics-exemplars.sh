#!/bin/sh
# Three forms of samples that VictoriaMetrics 1.79.5 (Debian 12) takes for others or leaves
# out, each time with the answer 204 to the import:
# - an exemplar of OpenMetrics behind a sample without labels: name, value and "#" together
#   become the name of a new series with the exemplar's labels and value, a new one for
#   each value of the counter, and the counter itself is missing.  Behind a sample with
#   labels the exemplar is left out, as it should be;
# - +1, .5 and 5., numbers for the parser that the text format names (Go's ParseFloat), are
#   not stored; of the same file all others are;
# - an infinite value is stored, but /api/v1/export gives it as a bare +Inf, so the whole
#   line is no JSON.
# prometheus-client 0.26.0 reads all of them.
# A server on the loopback interface of a network namespace of its own.
# Debian's package, unpacked in a temporary folder, and one of PyPI.
# Needs apt-get, dpkg-deb, unshare, ip and python3.
# Exit: 0 as described, 1 changed, 77 a version or the namespace is gone.
set -u
for tool in apt-get dpkg-deb unshare ip python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
unshare -rn true 2>/dev/null || { echo "no network namespace"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
chmod 755 "$folder"
apt-get -qq download victoria-metrics=1.79.5+ds1-2+b5 libzstd1 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
python3 -m venv v || exit 1
v/bin/pip -q install prometheus-client==0.26.0 || exit 77
cat >ask.py <<'PY'
import json
import subprocess
import sys
import time
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

URL = "http://127.0.0.1:8428"
COUNTERS = """# TYPE bare counter
bare_total 7 # {trace_id="x"} 1
# TYPE marked counter
marked_total{a="b"} 8 # {trace_id="x"} 1
# EOF
"""
NUMBERS = "one 1\nplus +1\nhalf .5\nfive 5.\n"
ENDLESS = "limit +Inf\n"
for parse, text in ((openmetrics, COUNTERS), (plain, NUMBERS), (plain, ENDLESS)):
    samples = [sample for family in parse(text) for sample in family.samples]
    print("prometheus-client:", *(f"{one.name}{one.labels} {one.value}" for one in samples))


def ask(path, data=None):
    with urllib.request.urlopen(URL + path, data) as answer:
        return answer.status, answer.read().decode()


server = subprocess.Popen(
    ["root/usr/bin/victoria-metrics", "-storageDataPath=data", "-httpListenAddr=127.0.0.1:8428"],
    stderr=subprocess.DEVNULL,
)
found = []
try:
    for _ in range(100):
        try:
            ask("/health")
            break
        except OSError:
            time.sleep(0.1)
    for text in (COUNTERS, NUMBERS, ENDLESS):
        found.append(ask("/api/v1/import/prometheus", text.encode())[0])
    time.sleep(1.5)
    ask("/internal/force_flush")
    for line in sorted(ask("/api/v1/export?match[]=%7B__name__!=%22%22%7D")[1].splitlines()):
        try:
            one = json.loads(line)
            found.append((one["metric"], one["values"]))
        except ValueError:
            found.append("no JSON: " + line.partition(',"timestamps')[0])
finally:
    server.kill()
    server.wait()
for one in found:
    print("VictoriaMetrics:", one)
sys.exit(
    found
    != [
        204,
        204,
        204,
        ({"__name__": "bare_total 7 #", "trace_id": "x"}, [1]),
        'no JSON: {"metric":{"__name__":"limit"},"values":[+Inf]',
        ({"__name__": "marked_total", "a": "b"}, [8]),
        ({"__name__": "one"}, [1]),
    ]
)
PY
LD_LIBRARY_PATH="$libraries" unshare -rn sh -c "ip link set lo up && exec v/bin/python ask.py"

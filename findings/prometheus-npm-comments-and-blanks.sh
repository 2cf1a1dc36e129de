#!/bin/sh
# parse-prometheus-text-format 1.1.1 (npm) and valid expositions.  By the text format a line
# whose first character is "#" is a comment unless HELP or TYPE follows, and tokens are
# parted by any number of blanks and tabs.
# - a comment without a blank behind "#" comes back as a metric;
# - a TYPE line with two blanks or a tab is not read: a counter is UNTYPED, and with a tab
#   there is one more metric of the name "#";
# - of a metric with its name in quotes (version 1.0.0 of the format, Prometheus 3) the
#   value is left out, and the quotes are in the name.
# Nothing is raised.  prometheus-client 0.26.0 reads all of them.
# Needs node, npm and python3.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in node npm python3; do
    command -v $tool >/dev/null || { echo "no $tool"; exit 77; }
done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
npm install --silent --no-audit --no-fund parse-prometheus-text-format@1.1.1 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
python3 -m venv v || exit 1
v/bin/pip -q install prometheus-client==0.26.0 || exit 77
cat >parse.js <<'JS'
const parse = require("parse-prometheus-text-format");
for (const family of parse(require("fs").readFileSync(0, "utf8"))) {
    const values = family.metrics.map(({labels, ...rest}) => Object.values(rest).join("/"));
    console.log("  npm:", JSON.stringify(family.name), family.type, JSON.stringify(values));
}
JS
cat >parse.py <<'PY'
import sys

from prometheus_client.parser import text_string_to_metric_families as parse

for family in parse(sys.stdin.read()):
    values = [sample.value for sample in family.samples]
    print("  prometheus-client:", family.name, family.type, values)
PY
for text in '#half-open connections\nopen 3\n' '#  TYPE  sent  counter\nsent 3\n' \
    '#\tTYPE\tsent\tcounter\nsent 3\n' \
    '# TYPE "half.open" gauge\n{"half.open",vrf="a"} 3\nopen 4\n'; do
    printf '%s\n' "$text"
    printf '%b' "$text" | v/bin/python parse.py
    printf '%b' "$text" | node parse.js
done | tee found
cat >expected <<'END'
#half-open connections\nopen 3\n
  prometheus-client: open unknown [3]
  npm: "#half-open" UNTYPED ["connections"]
  npm: "open" UNTYPED ["3"]
#  TYPE  sent  counter\nsent 3\n
  prometheus-client: sent counter [3]
  npm: "sent" UNTYPED ["3"]
#\tTYPE\tsent\tcounter\nsent 3\n
  prometheus-client: sent counter [3]
  npm: "#" UNTYPED ["TYPE/sentcounter"]
  npm: "sent" UNTYPED ["3"]
# TYPE "half.open" gauge\n{"half.open",vrf="a"} 3\nopen 4\n
  prometheus-client: half.open gauge [3]
  prometheus-client: open unknown [4]
  npm: "\"half.open\"" GAUGE [""]
  npm: "open" UNTYPED ["4"]
END
cmp -s found expected

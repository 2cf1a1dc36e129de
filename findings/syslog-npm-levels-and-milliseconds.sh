#!/bin/sh
# Two more parsers of npm and valid messages of RFC 3164, whose number in <> is eight times
# the facility and the severity (4.1.1).
# - syslogd 1.1.2 gives the facility as severity and the severity as facility: <34>, a
#   critical event of auth (4), is a warning of mail (2).  Of the kernel's, <0> to <7>, the
#   one is NaN and the other not always what it was: <2>, critical, is 0 and NaN.
# - syslog-parse 2.0.0 reads the number right, but fills the fraction of the second, which
#   that format does not have, with that of the moment of parsing: a message read twice has
#   two times, and messages of one second come in any order.
# Nothing is raised.
# Needs node and npm.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in node npm; do command -v $tool >/dev/null || { echo "no $tool"; exit 77; }; done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
npm install --silent --no-audit --no-fund syslogd@1.1.2 syslog-parse@2.0.0 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
cat >parse.mjs <<'JS'
import { createRequire } from "module";
import parse from "syslog-parse";
const { parser } = createRequire(import.meta.url)("syslogd");

for (const number of [34, 189, 2]) {
    const line = `<${number}>Oct 11 22:14:15 fw1 app: hello`;
    const right = `facility ${number >> 3}, severity ${number & 7}`;
    const one = parser(line, { address: "192.0.2.1" });
    const two = parse(line);
    console.log(`<${number}> is ${right}`);
    console.log(`  syslogd: facility ${one.facility}, severity ${one.severity}`);
    console.log(`  syslog-parse: facility ${two.facilityCode}, severity ${two.severityCode}`);
}
const fractions = new Set();
for (let count = 0; count < 5; count++) {
    fractions.add(parse("<34>Oct 11 22:14:15 fw1 app: hello").time.getMilliseconds());
    await new Promise((done) => setTimeout(done, 20));
}
const times = fractions.size > 1 ? "several times" : "one time";
console.log("syslog-parse: one message, read five times, has", times);
JS
node parse.mjs | tee found
cat >expected <<'END'
<34> is facility 4, severity 2
  syslogd: facility 2, severity 4
  syslog-parse: facility 4, severity 2
<189> is facility 23, severity 5
  syslogd: facility 5, severity 23
  syslog-parse: facility 23, severity 5
<2> is facility 0, severity 2
  syslogd: facility 0, severity NaN
  syslog-parse: facility 0, severity 2
syslog-parse: one message, read five times, has several times
END
cmp -s found expected

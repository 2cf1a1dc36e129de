#!/bin/sh
# Two parsers of npm and valid messages of RFC 5424.  Of its structured data (6.3)
# - an element without parameters (6.3.2 asks for none) is joined by both with the next, as
#   one of the name "c@32473][e@32473"; as the last it is text for nsyslog-parser 0.10.1
#   and not there for glossy 0.1.7;
# - one escaped quote in a value, and for nsyslog-parser that element and all behind it are
#   the text; glossy reads it right.
# For nsyslog-parser a timestamp "-", not known (6.2.3), is the time of parsing.  glossy
# knows every severity and facility but that of <0>, an emergency of the kernel: such a
# message has neither.  Nothing is raised.
# Needs node and npm.
# Exit: 0 as described, 1 changed, 77 a version is gone.
set -u
for tool in node npm; do command -v $tool >/dev/null || { echo "no $tool"; exit 77; }; done
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
npm install --silent --no-audit --no-fund nsyslog-parser@0.10.1 glossy@0.1.7 >/dev/null 2>&1 ||
    { echo "a version is gone"; exit 77; }
cat >parse.js <<'JS'
const nsyslog = require("nsyslog-parser");
const glossy = require("glossy").Parse;

function byNsyslog(line) {
    const one = nsyslog(line);
    const elements = one.structuredData.map(({$id, ...rest}) => [$id, rest]);
    const now = Math.abs(Date.parse(one.ts) - Date.now()) < 60000;
    return {
        level: [one.facility, one.level], data: Object.fromEntries(elements),
        text: one.message, ...(now && {time: "now"}),
    };
}

function byGlossy(line) {
    const one = glossy.parse(line);
    const level = one.severity ? [one.facility, one.severity] : [];
    return {level, data: one.structuredData ?? {}, text: one.message};
}

for (const [pri, time, data] of [
    [165, "2026-01-02T03:04:05Z", '[a@32473 b="1"][c@32473 d="2"]'],
    [165, "2026-01-02T03:04:05Z", '[a@32473 b="1"][c@32473 d="say \\"x\\""]'],
    [165, "2026-01-02T03:04:05Z", '[a@32473 b="1"][c@32473][e@32473 f="3"]'],
    [165, "2026-01-02T03:04:05Z", '[a@32473 b="1"][c@32473]'],
    [165, "-", "-"],
    [0, "2026-01-02T03:04:05Z", "-"],
]) {
    const line = `<${pri}>1 ${time} host app 7 id ${data} hello`;
    console.log(`<${pri}> ${time} ${data}`);
    console.log("  nsyslog-parser", JSON.stringify(byNsyslog(line)));
    console.log("  glossy", JSON.stringify(byGlossy(line)));
}
JS
node parse.js | tee found
cat >expected <<'END'
<165> 2026-01-02T03:04:05Z [a@32473 b="1"][c@32473 d="2"]
  nsyslog-parser {"level":["local4","notice"],"data":{"a@32473":{"b":"1"},"c@32473":{"d":"2"}},"text":"hello"}
  glossy {"level":["local4","notice"],"data":{"a@32473":{"b":"1"},"c@32473":{"d":"2"}},"text":"hello"}
<165> 2026-01-02T03:04:05Z [a@32473 b="1"][c@32473 d="say \"x\""]
  nsyslog-parser {"level":["local4","notice"],"data":{"a@32473":{"b":"1"}},"text":"c@32473 d=\"say \\\"x\\\"\"] hello"}
  glossy {"level":["local4","notice"],"data":{"a@32473":{"b":"1"},"c@32473":{"d":"say \"x\""}},"text":"hello"}
<165> 2026-01-02T03:04:05Z [a@32473 b="1"][c@32473][e@32473 f="3"]
  nsyslog-parser {"level":["local4","notice"],"data":{"a@32473":{"b":"1"},"c@32473][e@32473":{"f":"3"}},"text":"hello"}
  glossy {"level":["local4","notice"],"data":{"a@32473":{"b":"1"},"c@32473][e@32473":{"f":"3"}},"text":"hello"}
<165> 2026-01-02T03:04:05Z [a@32473 b="1"][c@32473]
  nsyslog-parser {"level":["local4","notice"],"data":{"a@32473":{"b":"1"}},"text":"c@32473] hello"}
  glossy {"level":["local4","notice"],"data":{"a@32473":{"b":"1"}},"text":"hello"}
<165> - -
  nsyslog-parser {"level":["local4","notice"],"data":{},"text":"hello","time":"now"}
  glossy {"level":["local4","notice"],"data":{},"text":"hello"}
<0> 2026-01-02T03:04:05Z -
  nsyslog-parser {"level":["kern","emerg"],"data":{},"text":"hello"}
  glossy {"level":[],"data":{},"text":"hello"}
END
cmp -s found expected

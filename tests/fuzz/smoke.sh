#!/bin/sh
# smoke.sh CLANG: replays what is known, then fuzzes each target for a while.
#
# FUZZ_SECONDS is the time for each target (30).  The seed is fixed, so a run on
# one machine repeats.  Without libFuzzer's runtime it says so and passes.
set -e
clang=$1
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n);\n
int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n)
{ return d == 0 && n != 0; }\n' >"$work/probe.c"
if ! "$clang" -fsanitize=fuzzer "$work/probe.c" -o "$work/probe" 2>/dev/null; then
    echo "fuzz-smoke: SKIPPED: $clang has no libFuzzer runtime;" \
        "install it with: apt-get install libclang-rt-dev"
    exit 0
fi

flags="-g -O1 -std=c11 -fsanitize=fuzzer-no-link,address,undefined"
flags="$flags -fno-sanitize-recover=all -Icsrc -Icsrc/core"
mkdir "$work/made"
# Compiled once for all targets, a file on each processor.
printf '%s\n' csrc/core/*.c csrc/simd/*.c csrc/flow/*.c "$here"/fuzz_*.c |
    xargs -P "$(nproc)" -I '{}' sh -c \
        '"$1" $2 -c "$4" -o "$3/$(basename "$4" .c).o"' - \
        "$clang" "$flags" "$work/made" '{}'
mkdir "$work/target"
mv "$work"/made/fuzz_*.o "$work/target"

for source in "$here"/fuzz_*.c; do
    name=$(basename "$source" .c)
    "$clang" -fsanitize=fuzzer,address,undefined "$work/target/$name.o" \
        "$work"/made/*.o -o "$work/$name"
    mkdir "$work/corpus"
    for known in "$here/corpus/$name" "$here/regressions/$name"; do
        if [ -d "$known" ]; then
            "$work/$name" -runs=0 "$known" >"$work/log" 2>&1 ||
                { cat "$work/log"; exit 1; }
            cp "$known"/* "$work/corpus/"
        fi
    done
    "$work/$name" -seed=1 -max_total_time="${FUZZ_SECONDS:-30}" -timeout=5 \
        -rss_limit_mb=2048 -artifact_prefix="$work/" "$work/corpus" \
        >"$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }
    echo "$name: $(grep -o 'Done [0-9]* runs' "$work/log"), no finding"
    rm -r "$work/corpus"
done

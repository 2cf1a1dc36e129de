#!/bin/sh
# foreign_counts.sh EMULATOR PROGRAM LEVEL ...: instructions a SYN of the burst kernels
# (kernel_rounds.c), counted by the emulator one by one: the difference of two runs, so
# that the start does not count.  Fails if a level takes more than 0.6 of the portable one.
emulator=$1 program=$2
shift 2
one=-one-insn-per-tb
"$emulator" --help | grep -q -e "$one" || one=-singlestep

count() { # LEVEL FAMILY ROUNDS
    "$emulator" "$one" -d exec,nochain -D /dev/stdout "$program" "$@" | grep -c ^Trace
}

for family in 4 6; do
    line= portable=
    for level in portable "$@"; do
        a_syn=$((($(count "$level" "$family" 6) - $(count "$level" "$family" 2)) / 256))
        : "${portable:=$a_syn}"
        line="$line $level $a_syn"
        { [ "$level" = portable ] || [ $((a_syn * 10)) -le $((portable * 6)) ]; } &&
            [ "$a_syn" -gt 0 ] || bad=1
    done
    echo "instructions a SYN, IPv$family:$line"
done
exit ${bad:-0}

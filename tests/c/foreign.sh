#!/bin/sh
# foreign.sh [ARCH ...]: the C units, and random steps against the twin, as programs
# of other processors under an emulator: 64-bit ARM, big-endian, 32-bit.  What is not
# installed is named in one line, and that processor is left out.
cd "$(dirname "$0")" || exit 1
warn="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror"

emulator() {
    command -v "qemu-$1-static" || command -v "qemu-$1"
}

# The compiler, if it has its C library, which Debian's package of it only recommends.
compiler() {
    echo '#include <stdint.h>' |
        "$1-linux-gnu-gcc" -xc -fsyntax-only - 2>/dev/null && echo "$1-linux-gnu-gcc"
}

for arch in ${*:-aarch64 s390x i686}; do
    qemu=$arch libc=$arch
    case $arch in
    aarch64) libc=arm64 ;;
    i686) qemu=i386 libc=i386 ;;
    esac
    missing=$(sh ../../.ci/need \
        "$(emulator "$qemu" || echo "qemu-$qemu")" qemu-user \
        "$(compiler "$arch" || echo "$arch-linux-gnu-gcc-with-libc")" \
        "gcc-$arch-linux-gnu libc6-dev-$libc-cross" 2>&1) || {
        echo "$arch: left out: $missing"
        continue
    }
    build=../../build/foreign/$arch
    made() {
        make -k -j2 BUILD="$build" CC="$arch-linux-gnu-gcc" AR="$arch-linux-gnu-ar" \
            CFLAGS="-O2 -static" WARN="$warn" STEPS=20000 RUN="$(emulator "$qemu")" "$@"
    }
    made || exit 1
    echo "$arch: $(ls "$build"/*.ok | wc -l) units passed"
    [ "$arch" != aarch64 ] || {
        made "$build/kernel_rounds" &&
            sh foreign_counts.sh "$(emulator "$qemu")" "$build/kernel_rounds" \
                neon neon-sha3
    } || exit 1
done

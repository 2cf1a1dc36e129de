"""Wheels for musl (Alpine and others), x86_64 and aarch64; each is loaded by musl.

    python tests/tools/musl_wheel.py [--out dist] [x86_64 aarch64]

For each processor Debian's musl is unpacked into build/foreign (foreign_root.sh), and
gcc builds the wheel against it, musllinux_1_2: musl 1.2 has kept its ABI since 1.2.0.
Of the module in it the following is tried, as Debian has no Python for musl:

- its names are those of Python's stable ABI (abi3audit), and of this musl;
- musl's own loader, for another processor under an emulator, finds and binds each one
  of them, in a program that has Python's names.

With PYTHON_MUSL_X86_64=PATH or PYTHON_MUSL_AARCH64=PATH, an interpreter for musl that
has cffi, or a script that starts one by an emulator, it runs the README's example too.
Prints one line a processor.  Exits 1 if one fails; one whose tools are missing is named
and left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from foreign_wheel import HERE, MissingError, copied_source, found, run, try_each
from try_wheel import ROOT, example

DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
TAG = "musllinux-1.2"
MODULE = "syncache/_ffi.abi3.so"
# Binds all names at once, as loaders with RELRO do.
LOADS = r"""
#include <dlfcn.h>
#include <stdio.h>
int
main(int count, char **word)
{
    void *module = dlopen(word[count - 1], RTLD_NOW);
    if (module == NULL || dlsym(module, "PyInit__ffi") == NULL) {
        puts(dlerror());
        return 1;
    }
    return 0;
}
"""


def names(*words: str | Path) -> set[str]:
    """Return the dynamic symbols that nm lists; what may be missing (w) is left out."""
    lines = [line.split() for line in run("nm", "-D", *words).splitlines()]
    return {line[-1].partition("@")[0] for line in lines if line[-2] != "w"}


class Musl:
    """A processor's musl, and a compiler for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gcc = found(f"{name}-linux-gnu-gcc")
        found("apt-get"), found("dpkg-deb"), found("nm"), found("unzip")
        self.emulator: list[str | Path] = []
        if name != platform.machine():
            self.emulator = [found(f"qemu-{name}-static", f"qemu-{name}")]
        self.folder = ROOT / "build" / "foreign" / f"{name}-musl"
        self.root = self.folder / "root"
        self.lib = self.root / "usr" / "lib" / f"{name}-linux-musl"
        self.libc = self.root / "lib" / f"{name}-linux-musl" / "libc.so"
        if not (self.lib / "crti.o").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            try:
                script = HERE / "foreign_root.sh"
                run("sh", script, DEBIAN[name], self.folder, "musl-dev")
            except RuntimeError as error:
                raise MissingError(f"no musl of Debian's: {error}") from None
        self.cc = self.compiler()

    def compiler(self) -> Path:
        """Write gcc with Debian's own specs, their paths moved to the root."""
        specs = (self.lib / "musl-gcc.specs").read_text()
        for folder in ("include", "lib"):
            place = f"/usr/{folder}/{self.name}-linux-musl"
            specs = specs.replace(place, f"{self.root}{place}")
        (self.folder / "specs").write_text(specs)
        kernel = self.folder / "kernel"  # without glibc's headers beside them
        kernel.mkdir(exist_ok=True)
        for part in ("linux", "asm-generic", "asm"):
            (kernel / part).unlink(missing_ok=True)
            (kernel / part).symlink_to(self.headers(part))
        cc = self.folder / "cc"
        # libc.so lies elsewhere than libc.a, which would be linked in.
        options = f"-specs {self.folder}/specs -idirafter {kernel} -L{self.libc.parent}"
        if self.name == "aarch64":  # libgcc chooses atomics by a function of glibc's
            options += " -mno-outline-atomics"
        cc.write_text(f'#!/bin/sh\nexec {self.gcc} {options} "$@"\n')
        cc.chmod(0o755)
        return cc

    def headers(self, part: str) -> Path:
        """Find the kernel's headers of this processor."""
        places = (
            Path(f"/usr/{self.name}-linux-gnu/include"),
            Path(f"/usr/include/{self.name}-linux-gnu"),
            Path("/usr/include"),
        )
        for place in places:
            if (place / part).is_dir():
                return place / part
        raise MissingError(f"no <{part}/...>: apt-get install linux-libc-dev")

    def build(self, folder: Path, out: Path) -> Path:
        """Build the wheel; the headers of a 64-bit Python serve all."""
        wheel = f"*-{TAG.replace('-', '_').replace('.', '_')}_{self.name}.whl"
        for old in out.glob(wheel):
            old.unlink()
        source = copied_source(folder)
        run(
            *(sys.executable, "-m", "build", "-w", "--no-isolation", "-o", out, source),
            CC=str(self.cc),
            LDSHARED=f"{self.cc} -shared",
            CFLAGS=f"-O2 -I{sysconfig.get_paths()['include']}",
            _PYTHON_HOST_PLATFORM=f"{TAG}-{self.name}",
        )
        (built,) = out.glob(wheel)
        return built

    def load(self, module: Path, folder: Path) -> int:
        """Let musl bind every name of the module; return how many it has."""
        wanted = names("--undefined-only", module)
        pythons = {name for name in wanted if name.startswith(("Py", "_Py"))}
        if strange := wanted - pythons - names("--defined-only", self.libc):
            raise RuntimeError(f"not in musl: {', '.join(sorted(strange))}")
        needed = run("readelf", "-d", module).count("(NEEDED)")
        if needed != 1:  # libc.so, which is the loader itself
            raise RuntimeError(f"needs {needed} libraries")
        source, program = folder / "loads.c", folder / "loads"
        stubs = "".join(f"char {name}[64];\n" for name in sorted(pythons))
        source.write_text(stubs + LOADS)
        run(self.cc, "-rdynamic", "-o", program, source)
        run(*self.emulator, self.libc, program, module)
        return len(wanted)

    def attempt(self, out: Path) -> str:
        """Build, look, load; return what to print."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            wheel = self.build(folder, out)
            run(Path(sys.executable).parent / "abi3audit", "--strict", wheel)
            run("unzip", "-q", wheel, "-d", folder / "site")
            count = self.load(folder / "site" / MODULE, folder)
            said = f"{wheel.name}: musl binds all of {count} names"
            python = os.environ.get(f"PYTHON_MUSL_{self.name.upper()}")
            if not python:
                return said
            words = (python, "-W", "error", "-c", example())
            path = [str(folder / "site"), os.environ.get("PYTHONPATH", "")]
            run(*words, cwd=folder, PYTHONPATH=":".join(filter(None, path)))
            return f"{said}; the README's example runs"


def attempt(name: str, out: Path) -> str:
    """Make a wheel, and try it."""
    return f"musl: {Musl(name).attempt(out)}"


if __name__ == "__main__":
    sys.exit(try_each(__doc__.partition("\n")[0], DEBIAN, attempt))

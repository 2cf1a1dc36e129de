"""Wheels for other processors: built by cross compilers, tried under an emulator.

    python tests/tools/foreign_wheel.py [--out dist] [aarch64 s390x i686]

For each processor Debian's Python is unpacked into build/foreign (foreign_root.sh), the
wheel is built, and both run the README's example and the conformance cases.  Prints one
line a processor.  Exits 1 if one fails; one whose tools are missing is named and left
out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from try_wheel import ROOT, example

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

HERE = Path(__file__).resolve().parent
PIECES = ("csrc", "syncache", "pyproject.toml", "setup.py", "README.md", "LICENSE")
CASES = "tests/conformance/test_cases.py"
# What Debian and the emulator call a processor.
NAMES = {"aarch64": ("arm64", "aarch64"), "s390x": ("s390x",) * 2}
NAMES |= {"i686": ("i386", "i386")}


# As much of cryptography as the cases need: keys derived by HKDF (RFC 5869).
HASHES = """
import hashlib
class SHA256:
    name, digest_size = "sha256", 32
class Hash:
    def __init__(self, algorithm):
        self.hash = hashlib.new(algorithm.name)
    def update(self, data):
        self.hash.update(data)
    def finalize(self):
        return self.hash.digest()
"""
HKDF = """
import hmac
class HKDF:
    def __init__(self, algorithm, length, salt, info):
        self.name, self.length, self.info = algorithm.name, length, info or b""
        self.salt = salt or bytes(algorithm.digest_size)
    def derive(self, key):
        key = hmac.digest(self.salt, key, self.name)
        out = block = b""
        for count in range(1, 256):
            block = hmac.digest(key, block + self.info + bytes([count]), self.name)
            out += block
        return out[:self.length]
"""


class MissingError(Exception):
    """Something that this machine does not have."""


def run(*words: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a command; RuntimeError with its last lines if it fails."""
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        cwd=cwd,
        env=os.environ | environment,
    )
    if done.returncode:
        raise RuntimeError("\n".join(done.stdout.splitlines()[-15:]))
    return done.stdout


def found(*tools: str) -> str:
    """Return the first of these tools that is here."""
    for tool in tools:
        if path := shutil.which(tool):
            return path
    raise MissingError(f"no {tools[0]}")


def copied_source(folder: Path) -> Path:
    """Copy what a wheel is built from, without this machine's module."""
    source = folder / "source"
    source.mkdir()
    for piece in PIECES:
        place = ROOT / piece
        copy = shutil.copytree if place.is_dir() else shutil.copy
        copy(place, source / piece)
    for built in source.glob("syncache/*.so"):
        built.unlink()
    return source


def write_hkdf(site: Path) -> None:
    """Stand in for cryptography where it has no wheel."""
    primitives = site / "cryptography" / "hazmat" / "primitives"
    (primitives / "kdf").mkdir(parents=True)
    (primitives / "hashes.py").write_text(HASHES)
    (primitives / "kdf" / "hkdf.py").write_text(HKDF)


class Processor:
    """A processor, its Python and its emulator."""

    def __init__(self, name: str) -> None:
        self.name = name
        debian, emulator = NAMES[name]
        self.cc = found(f"{name}-linux-gnu-gcc")
        self.emulator = found(f"qemu-{emulator}-static", f"qemu-{emulator}")
        found("apt-get"), found("dpkg-deb")
        folder = ROOT / "build" / "foreign" / f"{name}-python"
        self.root = folder / "root"
        self.python = self.root / "usr" / "bin" / "python3"
        if not self.python.exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                run("sh", HERE / "foreign_root.sh", debian, folder)
            except RuntimeError as error:
                raise MissingError(f"no Python of Debian's: {error}") from None
        if sysconfig.get_platform() == f"linux-{name}":
            raise MissingError("this is one: make wheels")

    def emulate(self, *words: str | Path, path: Path, cwd: Path) -> str:
        """Run its Python, with these packages."""
        settings = {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [self.emulator, "-L", self.root, self.python]
        return run(*command, *words, cwd=cwd, **settings)

    def build(self, source: Path, out: Path) -> Path:
        """Build the wheel: our Python runs setup.py, with the headers of the other."""
        include = self.root / "usr" / "include"
        folder = next(include.glob("python3.*"))
        before = set(out.glob("*.whl"))
        run(
            *(sys.executable, "-m", "build", "-w", "--no-isolation", "-o", out, source),
            CC=self.cc,
            LDSHARED=f"{self.cc} -shared",
            CFLAGS=f"-O2 -I{folder} -I{include}",
            _PYTHON_HOST_PLATFORM=f"linux-{self.name}",
        )
        (wheel,) = set(out.glob("*.whl")) - before
        return wheel

    def install(self, wheel: Path, site: Path) -> None:
        """Install the wheel, its dependencies and the tests' for this processor."""
        name = next((self.root / "usr" / "lib").glob("python3.*")).name
        words = [sys.executable, "-m", "pip", "install", "-qq", "--target", site]
        words += ["--only-binary", ":all:", "--no-compile", "--implementation", "cp"]
        words += ["--python-version", name.removeprefix("python")]
        for version in ("2014", "_2_28", "_2_34"):
            words += ["--platform", f"manylinux{version}_{self.name}"]
        run(*words, "cffi>=2.1", "pytest", "hypothesis")
        try:
            run(*words, "cryptography>=42")
        except RuntimeError:  # not built for every processor
            write_hkdf(site)
        run("unzip", "-qo", wheel, "-d", site)

    def attempt(self, out: Path) -> str:
        """Build, install, use; return the line that pytest ends with."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            site, here = folder / "site", folder / "here"
            wheel = self.build(copied_source(folder), out)
            self.install(wheel, site)
            here.mkdir()
            (here / "tests").symlink_to(ROOT / "tests")
            self.emulate("-W", "error", "-c", example(), path=site, cwd=here)
            words = ("-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", here)
            words += ("-W", "ignore", "-p", "no:cacheprovider", CASES)
            said = self.emulate(*words, path=site, cwd=here)
            return f"{wheel.name}: {said.splitlines()[-1]}"


def try_each(
    about: str, names: Collection[str], attempt: Callable[[str, Path], str]
) -> int:
    """Try every processor that the command line names; return the exit status.

    Args:
        about: The program, in a line.
        names: Those there are.
        attempt: Tries one; wheels go to the folder. Returns the line to print.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("name", nargs="*", metavar="PROCESSOR", help=", ".join(names))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "foreign")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    failures = 0
    for name in arguments.name or names:
        if name not in names:
            parser.error(f"{name!r} is not a processor: {', '.join(names)}")
        try:
            print(f"{name}: {attempt(name, arguments.out)}", flush=True)
        except MissingError as error:
            print(f"{name}: left out: {error}", flush=True)
        except RuntimeError as error:
            failures += 1
            print(f"{name}: {error}", flush=True)
    return int(failures > 0)


def attempt(name: str, out: Path) -> str:
    """Make a wheel in place of an older one, and try it."""
    for old in out.glob(f"*_{name}.whl"):
        old.unlink()
    return Processor(name).attempt(out)


if __name__ == "__main__":
    sys.exit(try_each(__doc__.partition("\n")[0], NAMES, attempt))

"""A fork of the warm interpreter is to a test what a new interpreter is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from warm import begin

PIPES = {"stdin": -1, "stdout": -1, "stderr": -1, "text": True}
SAYS = """
import os, sys
print(__name__, sys.argv, sys.path[0], os.getcwd(), os.environ["OF"], sys.stdin.read())
"""


def outcome(process):
    """What a program said, and how it ended."""
    out, error = process.communicate("input", timeout=60)
    return process.returncode, out, error.splitlines()[-1:]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("file", SAYS),
        ("text", SAYS),
        ("text", "import sys; sys.exit(3)"),
        ("text", "import sys; sys.exit('text')"),
        ("text", "1 / 0"),
        ("text", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"),
        ("text", "import atexit; atexit.register(print, 'late')"),
        ("text", "import threading; threading.Timer(0.01, print, ('later',)).start()"),
    ],
)
def test_program_does_what_it_does_in_an_interpreter_of_its_own(tmp_path, code, kind):
    """Of the same words, in the same folder and environment."""
    program = tmp_path / "program.py"
    program.write_text(code)
    place = ["-c", code] if kind == "text" else [str(program)]
    words = [sys.executable, *place, "a", "b"]
    where = {"cwd": tmp_path, "env": {"OF": "a caller"}}
    with subprocess.Popen(words, **PIPES, **where) as cold:
        wanted = outcome(cold)
    with begin(words, **PIPES, **where) as warm:
        assert wanted == outcome(warm)


def test_program_is_a_child_with_nothing_open_but_its_streams():
    """It can be stopped and waited for, and takes no file of anyone's with it."""
    code = "print(os.listdir('/proc/self/fd'), flush=True); time.sleep(99)"
    words = [sys.executable, "-c", f"import os, time; {code}"]
    with begin(words, **PIPES) as process:
        assert "['0', '1', '2', '3']\n" == process.stdout.readline()
        assert None is process.poll()
        process.kill()
        assert -9 == process.wait(60)

"""A headless Chromium, spoken to over a pipe: no driver, no network, no library.

with Browser(folder) as browser:
    seen = browser.look(path, width=375)
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER_S = 30.0
# The browser reads descriptor 3 and writes descriptor 4.
MOVE = """import fcntl, os, sys
ends = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]]
for place, end in enumerate(ends, 3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
# What a reader would see, and whether the page is wider than the window.
LOOK = """({text: document.body.innerText, title: document.title,
wide: document.documentElement.scrollWidth, window: window.innerWidth,
wider: [...document.querySelectorAll('body *')].filter(e =>
  e.getBoundingClientRect().right > window.innerWidth + 1).length,
charts: document.querySelectorAll('svg polyline').length,
buttons: [...document.querySelectorAll('button')].filter(b => !b.hidden).length})"""


def find() -> str | None:
    """Return the program's path, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser with a profile of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        program = find()
        assert program is not None
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()
        self._numbers = itertools.count(1)
        self._read = b""
        self._process = subprocess.Popen(
            [sys.executable, "-c", MOVE, str(to_browser), str(from_browser),
             program, "--headless", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}"],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        try:
            self._session = self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> str:
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        session: str = attached["sessionId"]
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait(ANSWER_S)
        os.close(self._to)
        os.close(self._from)

    def look(self, page: Path, *, width: int, picture: Path | None = None) -> Any:
        """Open a page in a window of a width; return what there is to see."""
        mobile = width < 600
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=mobile,
        )  # fmt: skip
        self._call("Page.navigate", url=page.as_uri())
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            if self.evaluate("document.readyState") == "complete":
                break
        if picture is not None:
            from base64 import b64decode

            shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
            picture.write_bytes(b64decode(shot["data"]))
        return self.evaluate(LOOK)

    def evaluate(self, text: str) -> Any:
        """Return the value of an expression within the page."""
        found = self._call("Runtime.evaluate", expression=text, returnByValue=True)
        return found["result"].get("value")

    def _call(self, method: str, **arguments: object) -> Any:
        number = next(self._numbers)
        request = {"id": number, "method": method, "params": arguments}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._to, json.dumps(request).encode() + b"\0")
        end = time.monotonic() + ANSWER_S
        while True:
            while b"\0" not in self._read:
                left = end - time.monotonic()
                ready, _, _ = select.select([self._from], [], [], max(left, 0))
                data = os.read(self._from, 65536) if ready else b""
                if not data:
                    raise TimeoutError(f"no answer from the browser to {method}")
                self._read += data
            line, _, self._read = self._read.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == number:
                return answer["result"]

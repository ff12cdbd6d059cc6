"""A headless Chromium, driven through its DevTools protocol by two pipes: no package and no port is needed."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SECONDS = 60.0  # that one answer may take


@dataclass
class Browser:
    """One page of a browser.

    Attributes:
        events: what the browser has told without being asked, the method of each and its parameters.
    """

    _to: int
    _from: int
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _session: str | None = None
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._read()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                return dict(told["result"])
            if "method" in told:
                self.events.append((told["method"], told.get("params", {})))

    def open(self, page: Path, width: int, *, dark: bool = False, height: int = 900) -> None:
        """Show a file in a window so many pixels wide."""
        if self._session is None:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        until = time.monotonic() + _SECONDS
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            assert time.monotonic() < until, "the page does not load"
            self.call("Runtime.evaluate", expression="1")
        self.run("document.fonts.ready.then(() => 0)")

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **self._clip())
        return base64.b64decode(found["data"])

    def _clip(self) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select([self._from], [], [], _SECONDS)[0], "the browser does not answer"
            more = os.read(self._from, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        line, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(line))


@contextmanager
def chromium(profile: Path, options: Sequence[str] = ()) -> Iterator[Browser]:
    """A browser without a window; `profile` is an empty folder for what it keeps."""
    assert CHROMIUM is not None
    asked, ask = os.pipe()
    answer, answered = os.pipe()

    def hand_over() -> None:  # Chromium listens on 3 and answers on 4
        kept = os.dup(asked), os.dup(answered)
        os.dup2(kept[0], 3)
        os.dup2(kept[1], 4)

    flags = (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars",
        "--remote-debugging-pipe", f"--user-data-dir={profile}",
    )  # fmt: skip
    process = subprocess.Popen(
        [CHROMIUM, *flags, *options, "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=hand_over, close_fds=False,
    )  # fmt: skip
    for end in (asked, answered):
        os.close(end)
    try:
        yield Browser(ask, answer)
    finally:
        for end in (ask, answer):
            os.close(end)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

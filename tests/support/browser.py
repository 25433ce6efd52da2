"""Headless Chromium, driven over its DevTools protocol: a page as a reader sees it."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import wait_for

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
MISSING = PROGRAM is None
FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync"


def answer_of(address: str) -> Any:
    """What this machine serves: no proxy that the environment names is asked for it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(address, timeout=10)


class Browser:
    """One page of a browser."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []  # since the last page was opened
        self.calls = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; what else it says meanwhile is kept."""
        self.calls += 1
        self.connection.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while (answer := json.loads(self.connection.recv(timeout=60))).get("id") != self.calls:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, address: str) -> None:
        """Open an address, until it is loaded, its fonts too, and nothing fades in any more."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not self.said("Page.loadEventFired"):
            self.events.append(json.loads(self.connection.recv(timeout=60)))
        self.value("document.fonts.ready.then(() => null)")
        self.value(
            "Promise.all(document.getAnimations().map(one => one.finished)).then(() => null)"
        )

    def said(self, method: str) -> list[dict[str, Any]]:
        """What the browser told of one kind."""
        return [one["params"] for one in self.events if one.get("method") == method]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is worth on the page, awaited if it is a promise."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screen(self, width: int, *, dark: bool = False, media: str = "") -> None:
        """Give the page a screen of a width in pixels, a finger below tablets' width, a scheme."""
        phone = width < 768
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def complaints(self) -> list[str]:
        """What the page has said in the console that is an error or a warning, and exceptions."""
        spoken = [
            str(one["args"])
            for one in self.said("Runtime.consoleAPICalled")
            if one["type"] in ("error", "warning", "assert")
        ]
        logged = [
            one["entry"]["text"]
            for one in self.said("Log.entryAdded")
            if one["entry"]["level"] in ("error", "warning")
        ]
        return spoken + logged + [str(one) for one in self.said("Runtime.exceptionThrown")]

    def requested(self) -> list[str]:
        """The addresses that the page has asked for, without those that stand in it."""
        asked = [one["request"]["url"] for one in self.said("Network.requestWillBeSent")]
        return sorted({one for one in asked if not one.startswith("data:")})


@contextmanager
def browser(folder: Path, address: str = "about:blank") -> Iterator[Browser]:
    """Chromium, with its profile in a folder."""
    from websockets.sync.client import connect

    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [str(PROGRAM), *FLAGS.split(), "--remote-debugging-port=0", "--disable-dev-shm-usage"]
    with subprocess.Popen([*command, f"--user-data-dir={folder}", address], **quiet) as process:
        try:
            told = folder / "DevToolsActivePort"
            wait_for(lambda: told.exists() and told.read_text().count(os.linesep))
            port = told.read_text().splitlines()[0]
            with answer_of(f"http://127.0.0.1:{port}/json") as answer:
                pages = json.load(answer)
            page = next(one for one in pages if one["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], proxy=None, max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.kill()

"""A headless Chromium that tests steer through its DevTools pipe: no driver, no package, no network."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-pipe --window-size=1300,1600 about:blank"
)
PATIENCE = 60  # s


class Browser:
    """One tab of a running Chromium.

    Attributes:
        problems: errors and warnings of the console, uncaught exceptions and log entries since the last ``open``.
        requests: addresses of everything the page asked for since then.
    """

    def __init__(self, writer: int, reader: int) -> None:
        self._writer, self._reader, self._rest, self._number, self._session = writer, reader, b"", 0, None
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def _receive(self, until: float) -> dict:
        while b"\0" not in self._rest:
            if not select.select([self._reader], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._reader, 2**16)
            if not part:
                raise EOFError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict) -> None:
        method, values = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(values["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(values["args"])[:500])
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.problems.append(values["entry"]["text"][:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.problems.append(f"a dialog: {values['message']}")
            self._post("Page.handleJavaScriptDialog", accept=False)  # the page waits for it

    def _post(self, method: str, **values: object) -> int:
        self._number += 1
        command = {"id": self._number, "method": method, "params": values}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._writer, json.dumps(command).encode() + b"\0")
        return self._number

    def send(self, method: str, **values: object) -> dict:
        """Send a command and return its result."""
        number, until = self._post(method, **values), time.monotonic() + PATIENCE
        while True:
            message = self._receive(until)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def open(self, page: Path, fragment: str = "") -> None:
        """Open a page from disk and wait until it and its scripts are loaded."""
        self.send("Page.navigate", url="about:blank")
        self._wait("about:blank")
        self.problems.clear()
        self.requests.clear()
        self.send("Page.navigate", url=page.as_uri() + fragment)
        self._wait(page.as_uri())
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")

    def _wait(self, address: str) -> None:
        """Wait until a page with this address, whatever follows it, is loaded."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):  # the page before goes away meanwhile
                if str(self.run("document.readyState === 'complete' && location.href")).startswith(address):
                    return
            time.sleep(0.02)
        raise TimeoutError(f"{address} is not loaded")

    def run(self, script: str) -> object:
        """Run a script in the page, wait for its promise, and return its value."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:500])
        return found["result"].get("value")

    def until(self, script: str, wanted: object = True) -> None:
        """Wait until a script gives the wanted value: a busy machine draws later."""
        until, found = time.monotonic() + PATIENCE, None
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):  # the page before goes away meanwhile
                found = self.run(script)
                if found == wanted:
                    return
            time.sleep(0.02)
        raise TimeoutError(f"{script} gives {found}, not {wanted}")

    def click(self, selector: str) -> None:
        """Click on the first element of a selector, and wait until the page that it leads to, if any, is loaded."""
        x, y = self.run(f"""(() => {{
          const one = document.querySelector({json.dumps(selector)});
          one.scrollIntoView({{ block: "center" }});
          const box = one.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        time.sleep(0.2)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):  # the page before goes away meanwhile
                if self.run("document.readyState === 'complete'"):
                    return
            time.sleep(0.02)
        raise TimeoutError(f"{selector}: what it leads to is not loaded")

    def press(self, key: str, code: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Give a browser whose profile lies in a folder; without one that runs, the test is skipped and says so."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on PATH: the pages were not opened in a browser")
    to_read, to_write = os.pipe(), os.pipe()
    process = subprocess.Popen(
        ["bash", "-c", 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"', "-", str(to_read[0]), str(to_write[1]), program,
         *OPTIONS.split(), f"--user-data-dir={folder}"],
        pass_fds=(to_read[0], to_write[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read[0])
    os.close(to_write[1])
    try:
        try:
            browser = Browser(to_read[1], to_write[0])
        except (TimeoutError, EOFError, BrokenPipeError) as error:
            pytest.skip(f"chromium does not run here ({error}): the pages were not opened in a browser")
        yield browser
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        os.close(to_read[1])
        os.close(to_write[0])

"""Headless Chromium over its debugging port: open a page, run a line in it, and see what it put on the wire."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.senders.installed import Unavailable

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-port=0",
)
PATIENCE = 30.0
LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")


@dataclass
class Wire:
    """Requests as the browser sent them, preflights too, by the number it gave them."""

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Note what an event of the Network domain says."""
        one = self.requests.setdefault(str(params.get("requestId")), {"headers": {}, "status": None})
        if method == "Network.requestWillBeSent":
            asked = params["request"]
            one |= {"url": asked["url"], "method": asked["method"], "kind": params.get("type")}
            one["headers"] |= {name.lower(): value for name, value in asked["headers"].items()}
        elif method == "Network.requestWillBeSentExtraInfo":
            one["headers"] |= {name.lower(): value for name, value in params["headers"].items()}
        elif method == "Network.responseReceived":
            one["status"] = params["response"]["status"]
        elif method == "Network.loadingFailed":
            one["failed"] = params.get("errorText", "") + " " + str(params.get("corsErrorStatus", ""))

    def to(self, part: str) -> list[dict[str, Any]]:
        """Requests whose address contains ``part``."""
        return [one for one in self.requests.values() if part in one.get("url", "")]


class Page:
    """A tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.wire = Wire()
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(self._answers[number], PATIENCE)

    async def run(self, script: str) -> Any:
        """The value of ``script``, awaited; AssertionError for what it throws."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def listen(self) -> None:
        """Read what the browser says until it hangs up."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said.get("result", {"error": said.get("error")}))
            elif said["method"].startswith("Network."):
                self.wire.hear(said["method"], said["params"])


class Browser:
    """A running Chromium."""

    def __init__(self, session: aiohttp.ClientSession, port: int, tasks: asyncio.TaskGroup) -> None:
        self._session, self._port, self._tasks = session, port, tasks

    async def open(self, url: str) -> Page:
        """A tab with ``url`` loaded."""
        async with self._session.put(f"http://127.0.0.1:{self._port}/json/new?about:blank") as answer:
            address = (await answer.json(content_type=None))["webSocketDebuggerUrl"]
        page = Page(await self._session.ws_connect(address, max_msg_size=0))
        self._tasks.create_task(page.listen())
        for domain in ("Page", "Network", "Runtime"):
            await page.call(f"{domain}.enable")
        await page.call("Page.navigate", url=url)
        async with asyncio.timeout(PATIENCE):
            while not await page.run("document.readyState === 'complete' && location.href !== 'about:blank'"):
                await asyncio.sleep(0.05)
        return page


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Browser]:
    """Started, and on the way out stopped by its process id. Unavailable when there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise Unavailable("needs chromium, which is not installed")
    log = folder / "chromium.log"
    with log.open("wb") as out:
        command = [program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        child = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := LISTENING.search(log.read_bytes())):
                assert child.poll() is None, log.read_text(errors="replace")
                await asyncio.sleep(0.05)
        port = int(found[1].decode().split(":")[2].partition("/")[0])
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            yield Browser(session, port, tasks)
            child.terminate()  # hangs up on every page, which ends its task
    finally:
        child.kill()
        await asyncio.to_thread(child.wait, 10)

"""The real senders: what starts each, how it is told to send, and what it says of itself afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.e2e.processes import clean_environ
from tests.senders.chromium import Page
from tests.senders.installed import Unavailable

DRIVERS = Path(__file__).parent / "drivers"
SECRET, TOKEN = "made-up-shared-secret", "made-up-relay-token"
ROUND = 5  # events of each sender before, during and after the outage
PATIENCE = 60.0
PYTHONS = {
    "python_2_4_0": ("requirements.txt", "plain"),
    "python_2_4_0_gzip": ("requirements.txt", "gzip"),
    "python_2_3_4": ("requirements-2.3.4.txt", "plain"),
    "python_2_3_4_gzip": ("requirements-2.3.4.txt", "gzip"),
}
BROWSERS = {"browser": "standard", "browser_batching": "batching"}
SENDERS = (*PYTHONS, "node", "webhooks", *BROWSERS)


def key_of(name: str) -> str:
    """The write key of a sender: each is a source of its own, so that metrics tell them apart."""
    return f"WK_{name.upper()}"


class Sender(Protocol):
    """A real sender under orders."""

    async def send(self, count: int) -> None:
        """Hand it so many events."""
        ...

    async def finish(self) -> None:
        """Wait until it has got rid of all of them, or given up."""
        ...


@dataclass
class Report:
    """What a sender says of itself; ``version`` names what really ran."""

    ids: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    version: str = ""
    deferred: int = 0


class Driven:
    """A driver as a process: one line of JSON each way."""

    def __init__(self, child: asyncio.subprocess.Process, report: Report) -> None:
        self._child, self._report = child, report

    @classmethod
    async def start(
        cls, stack: AsyncExitStack, words: list[str], environ: dict[str, str], log: Path, report: Report
    ) -> Driven:
        """Its complaints go to ``log``; should it still run when ``stack`` is left, it is killed."""
        pipe = asyncio.subprocess.PIPE
        with log.open("wb") as out:
            child = await asyncio.create_subprocess_exec(*words, env=environ, stdin=pipe, stdout=pipe, stderr=out)
        driven = cls(child, report)
        stack.push_async_callback(driven.kill)
        return driven

    async def kill(self) -> None:
        """If it still runs."""
        with suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()

    async def send(self, count: int) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{count}\n".encode())
        await self._child.stdin.drain()
        self._report.ids += (await self._line())["ids"]

    async def finish(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        said = await self._line()
        assert await asyncio.wait_for(self._child.wait(), PATIENCE) == 0
        self._report.ids = said.get("ids", self._report.ids)
        self._report.errors, self._report.version = said["errors"], said["version"]
        self._report.deferred = said.get("deferred", 0)

    async def _line(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = await asyncio.wait_for(self._child.stdout.readline(), PATIENCE)
        assert line, f"a driver ended with {await self._child.wait()}"
        found: dict[str, Any] = json.loads(line)
        return found


class Shopper:
    """analytics.js in a tab; it goes on trying by itself, so there is nothing to wait for but its events."""

    def __init__(self, page: Page, report: Report) -> None:
        self._page, self._report = page, report

    async def send(self, count: int) -> None:
        self._report.ids += await self._page.run(f"send({count})")

    async def finish(self) -> None:
        self._report.version = await self._page.run("ready")


def command(name: str, url: str, installed: Path | Unavailable) -> tuple[list[str], dict[str, str]]:
    """What starts ``name`` against the relay at ``url``, and its environment."""
    if isinstance(installed, Unavailable):
        raise installed
    if name in PYTHONS:
        requirements, packing = PYTHONS[name]
        path = os.pathsep.join(str(installed / one) for one in (requirements, "requirements.txt"))
        driver = str(DRIVERS / "analytics_python.py")
        return [sys.executable, driver, url, key_of(name), packing], clean_environ(PYTHONPATH=path)
    modules = str(installed / "node_modules")
    environ = clean_environ(NODE_PATH=modules)
    if name == "node":
        return ["node", str(DRIVERS / "analytics_node.cjs"), url, key_of(name)], environ
    webhook = f"{url}/webhook/segment/webhooks"
    return ["node", str(DRIVERS / "webhooks.cjs"), modules, webhook, SECRET, TOKEN], environ

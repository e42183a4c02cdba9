"""Real processes on this machine: a relay with its embedded Valkey, and a simulated TikTok. Loopback, temporary folder.

Everything is started in sessions of its own, so that Ctrl-C reaches the drill alone and the drill stops them in order.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

import relay
from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.valkey_process import EmbeddedOptions
from relay.adapters.system import SystemClock
from relay.cli.client import Failed

PIXEL = "DRILLPIXEL0000000000"
DESTINATION = "tiktok"
START_PATIENCE, STOP_PATIENCE = 40.0, 30.0
QUICK = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is while the drill runs."""

    session: aiohttp.ClientSession
    intake: str
    admin: str
    tiktok: str
    secret: str
    admin_token: str

    async def status(self) -> dict[str, Any] | None:
        """The relay's status document; None while it does not answer."""
        return await self._get(f"{self.admin}/api/status")

    async def counted(self) -> dict[str, Any] | None:
        """What TikTok has counted so far, in numbers."""
        return await self._get(f"{self.tiktok}/counted")

    async def letters(self) -> list[dict[str, Any]]:
        """All dead letters of the destination."""
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            query = f"destination={DESTINATION}&limit=1000&after={after}"
            page = await self._get(f"{self.admin}/api/dead-letters?{query}") or {"letters": [], "next": None}
            found += page["letters"]
            after = page["next"]
        return found

    async def ids(self) -> list[dict[str, Any]]:
        """What TikTok has counted, one by one."""
        async with self.session.get(f"{self.tiktok}/counted/ids") as answer:
            return [orjson.loads(line) for line in (await answer.read()).splitlines()]

    async def control(self, **switches: Any) -> None:
        """Move the simulator's switches."""
        async with self.session.put(f"{self.tiktok}/control", json=switches) as answer:
            if answer.status != 200:
                raise Failed(f"the simulator refused {switches}: {await answer.text()}")

    async def _get(self, url: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {self.admin_token}"} if url.startswith(self.admin) else {}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.get(url, headers=headers, timeout=QUICK) as answer:
                document: dict[str, Any] = await answer.json()
                return document if answer.status == 200 else None
        return None


@asynccontextmanager
async def staged(folder: Path, serve: Sequence[str], simulator_options: Sequence[str]) -> AsyncIterator[Stage]:
    """Simulator up, relay up, and both down again on the way out, the relay first."""
    intake, admin, tiktok = (free_port() for _ in range(3))
    secret, token = secrets.token_hex(16), secrets.token_hex(16)
    python = [sys.executable, "-m", "relay"]
    environ = relay_environ(folder, intake, admin, tiktok) | {
        "RELAY_SEGMENT_SHARED_SECRET": secret,
        "RELAY_ADMIN_TOKEN": token,
    }
    simulator = [*python, "simulator", "--port", str(tiktok), *simulator_options]
    async with (
        without_orphan(folder / "data"),
        aiohttp.ClientSession(trust_env=False) as session,
        running("simulator", simulator, clean_environ(), folder) as first,
        running("relay", list(serve) or [*python, "serve"], environ, folder) as second,
    ):
        await answering(session, f"{local(tiktok)}/control", first, folder / "simulator.log")
        await answering(session, f"{local(intake)}/readyz", second, folder / "relay.log")
        yield Stage(session, local(intake), local(admin), local(tiktok), secret, token)


def relay_environ(folder: Path, intake: int, admin: int, tiktok: int) -> dict[str, str]:
    """Settings of the relay on stage: everything by environment, nothing of the operator's own relay."""
    return clean_environ() | {
        "RELAY_HOST": "127.0.0.1",
        "RELAY_PORT": str(intake),
        "RELAY_ADMIN_PORT": str(admin),
        "RELAY_DATA_DIR": str(folder / "data"),
        "RELAY_TIKTOK_ACCESS_TOKEN": "drill",
        "RELAY_TIKTOK_PIXEL_CODE": PIXEL,
        "RELAY_TIKTOK_BASE_URL": local(tiktok),
        "RELAY_JOURNAL__DISK_FLOOR": "16MiB",  # a drill writes a few megabytes
        "RELAY_JOURNAL__BALLAST": "1MiB",
        "RELAY_LOG_FORMAT": "json",
    }


def clean_environ() -> dict[str, str]:
    """This process's environment without any setting; the package is found whatever the working directory."""
    kept: Mapping[str, str] = {key: value for key, value in os.environ.items() if not key.startswith("RELAY_")}  # noqa: TID251 - the door
    home = str(Path(relay.__file__).parents[1])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (home, kept.get("PYTHONPATH", ""))))}


def local(port: int) -> str:
    """A loopback address."""
    return f"http://127.0.0.1:{port}"


def free_port() -> int:
    """A loopback port nobody listens on right now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@asynccontextmanager
async def running(
    name: str, command: Sequence[str], environ: Mapping[str, str], folder: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A child process whose output goes to ``<name>.log``; asked to stop on the way out, then made to."""
    with (folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; starting takes a millisecond
            command, env=dict(environ), cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield child
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(child.wait, STOP_PATIENCE)
        child.kill()
        await asyncio.to_thread(child.wait)


@asynccontextmanager
async def without_orphan(data: Path) -> AsyncIterator[None]:
    """A relay that had to be killed leaves its Valkey behind: adopt that, and stop it."""
    try:
        yield
    finally:
        server = EmbeddedValkey(data, EmbeddedOptions(disk_floor=0, ballast=0), SystemClock(), lambda _notice: None)
        if server.socket_path.exists():
            async with server:
                pass


async def answering(session: aiohttp.ClientSession, url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until ``url`` answers 200; one clear message with the end of the log when it never does."""
    loop = asyncio.get_running_loop()
    until = loop.time() + START_PATIENCE
    while loop.time() < until and child.poll() is None:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(url, timeout=QUICK) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)
    ended = "" if child.returncode is None else f" (it ended with {child.returncode})"
    raise Failed(f"{log.stem} does not come up{ended}; its last words:\n{last_words(log)}")


def last_words(log: Path) -> str:
    """The end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]

"""The real processes of a drill: how they are started, stopped and killed. Loopback, one temporary folder.

Everything is started in sessions of its own, so that Ctrl-C reaches the drill alone and the drill stops them in order.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

import relay
from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.valkey_process import EmbeddedOptions
from relay.adapters.system import SystemClock
from relay.cli.client import Failed

START_PATIENCE, STOP_PATIENCE = 40.0, 30.0
QUICK = aiohttp.ClientTimeout(total=5)
PORTS = range(8_200, 12_000)


@dataclass(slots=True)
class Actor:
    """A child process whose output goes to ``<name>.log``. It may be killed and started again."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(  # noqa: S603 - our own program
                self.command,
                env=dict(self.environ),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill -9, and reap."""
        if self.child is not None:
            self.child.kill()
            self.child.wait(STOP_PATIENCE)

    async def stop(self) -> None:
        """Ask it to stop, then make it."""
        if self.child is not None and self.alive:
            self.child.terminate()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self.child.wait, STOP_PATIENCE)
        await asyncio.to_thread(self.kill)


@asynccontextmanager
async def running(actor: Actor) -> AsyncIterator[Actor]:
    """Started on the way in, stopped on the way out."""
    actor.start()
    try:
        yield actor
    finally:
        await actor.stop()


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


async def answering(session: aiohttp.ClientSession, url: str, actor: Actor) -> None:
    """Wait until ``url`` answers 200; one clear message with the end of the log when it never does."""
    loop = asyncio.get_running_loop()
    until = loop.time() + START_PATIENCE
    while loop.time() < until and actor.alive:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(url, timeout=QUICK) as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)
    code = actor.child.returncode if actor.child else None
    ended = "" if code is None else f" (it ended with {code})"
    raise Failed(f"{actor.name} does not come up{ended}; its last words:\n{last_words(actor.log)}")


def last_words(log: Path) -> str:
    """The end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def clean_environ() -> dict[str, str]:
    """This process's environment without any setting; the package is found whatever the working directory."""
    kept: Mapping[str, str] = {key: value for key, value in os.environ.items() if not key.startswith("RELAY_")}  # noqa: TID251 - the door
    home = str(Path(relay.__file__).parents[1])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (home, kept.get("PYTHONPATH", ""))))}


def local(port: int) -> str:
    """A loopback address."""
    return f"http://127.0.0.1:{port}"


def free_port() -> int:
    """A loopback port nobody listens on right now, below those that a system gives to outgoing connections.

    It must still be free when a child has started.
    """
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port

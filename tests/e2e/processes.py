"""Real processes for end-to-end tests: a relay, a simulator, and a sender that remembers what it is owed.

Everything binds to loopback on free ports, is bounded in time and is stopped by the process id that was started.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

SECRET = "made-up-shared-secret"
PIXEL = "C4EXAMPLEPIXELCODE00"
PATIENCE = 60.0


LOWEST, PORTS_A_WORKER = 12_000, 4_000
_ports = random.SystemRandom()


def free_port() -> int:
    """A loopback port nobody listens on right now.

    From a range of each test worker's own, below those that the system gives to outgoing connections: a port that is
    free now must still be free when a child has started.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = LOWEST + worker % 5 * PORTS_A_WORKER
    while True:
        port = _ports.randrange(first, first + PORTS_A_WORKER)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def sign(body: bytes, secret: str = SECRET) -> str:
    """X-Signature as Segment makes it (Segment sheet §1.2)."""
    return hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def http_json(url: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None) -> Any:
    """One JSON call with a short time limit; raises urllib errors."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def wait_for(what: str, check: Any, patience: float = PATIENCE) -> Any:
    """Ask until the answer is truthy; an AssertionError with ``what`` after ``patience`` seconds."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if answer := check():
                return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {patience:.0f} s in vain for {what}")


@dataclass
class Process:
    """A child in its own session, its output in a file."""

    name: str
    command: list[str]
    environ: dict[str, str]
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(
                self.command, env=self.environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def kill(self) -> None:
        """Kill -9, and reap."""
        if self.child is not None:
            self.child.kill()
            self.child.wait(10)

    def stop(self, patience: float = 40.0) -> int:
        """SIGTERM, then the exit code; killed when it takes longer than ``patience``."""
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop in {patience} s\n{self.tail()}") from None

    def tail(self, size: int = 4000) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""


def clean_environ(**extra: str) -> dict[str, str]:
    """The test's environment without any RELAY_ name but the given ones."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RELAY_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


@dataclass
class Simulator(Process):
    """``relay simulator`` on a free port."""

    port: int = 0

    @classmethod
    def create(cls, folder: Path, *options: str) -> Simulator:
        port = free_port()
        command = [sys.executable, "-m", "relay", "simulator", "--port", str(port), "--latency", "0", *options]
        return cls("simulator", command, clean_environ(), folder / "simulator.log", port=port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> Simulator:
        """Start and wait until it answers."""
        self.start()
        wait_for("the simulator", lambda: http_json(f"{self.url}/control"))
        return self

    def control(self, **switches: Any) -> None:
        """Change switches while it runs."""
        http_json(f"{self.url}/control", "PUT", switches)

    def counted(self) -> dict[str, Any]:
        """What TikTok would have counted."""
        found: dict[str, Any] = http_json(f"{self.url}/counted")
        return found

    def books(self, name: str) -> list[dict[str, Any]]:
        """The lines of ``/counted/ids`` or ``/counted/calls``."""
        with urllib.request.urlopen(f"{self.url}/counted/{name}", timeout=60) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def ids(self) -> dict[tuple[str, str], int]:
        """(event, event_id) → times received."""
        return {(row["event"], row["event_id"]): row["times"] for row in self.books("ids")}


@dataclass
class Relay(Process):
    """``relay serve`` with embedded Valkey in a folder of its own, against a simulator."""

    folder: Path = Path()
    port: int = 0
    admin_port: int = 0

    @classmethod
    def create(cls, folder: Path, tiktok: str, command: list[str] | None = None, /, **extra: str) -> Relay:
        port, admin_port = free_port(), free_port()
        data = folder / "data"
        settings = {
            "RELAY_HOST": "127.0.0.1",
            "RELAY_PORT": str(port),
            "RELAY_ADMIN_PORT": str(admin_port),
            "RELAY_ADMIN_TOKEN": "made-up-admin-token",
            "RELAY_DATA_DIR": str(data),
            "RELAY_SEGMENT_SHARED_SECRET": SECRET,
            "RELAY_DESTINATIONS__0__NAME": "tiktok",
            "RELAY_DESTINATIONS__0__ACCESS_TOKEN": "made-up-token",
            "RELAY_DESTINATIONS__0__EVENT_SOURCE_ID": PIXEL,
            "RELAY_TIKTOK_BASE_URL": tiktok,
            "RELAY_JOURNAL__DISK_FLOOR": "1MiB",
            "RELAY_JOURNAL__BALLAST": "1MiB",
            "RELAY_LOG_FORMAT": "json",
            "RELAY_INTAKE__STOP_GRACE": "0s",
        }
        environ = clean_environ(**(settings | extra))
        serve = command or [sys.executable, "-m", "relay", "serve"]
        return cls("relay", serve, environ, folder / "relay.log", folder=data, port=port, admin_port=admin_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def webhook(self) -> str:
        return f"{self.url}/webhook/segment"

    def admin(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Call the admin port with its token."""
        token = {"Authorization": "Bearer made-up-admin-token"}
        return http_json(f"http://127.0.0.1:{self.admin_port}{path}", method, body, token)

    def up(self, patience: float = PATIENCE) -> Relay:
        """Start and wait until it accepts."""
        self.start()
        return self.ready(patience)

    def ready(self, patience: float = PATIENCE) -> Relay:
        """Wait until it accepts."""

        def check() -> bool:
            assert self.child is not None
            assert self.child.poll() is None, f"relay ended with {self.child.poll()}\n{self.tail()}"
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)

        wait_for("the relay to be ready", check, patience)
        return self

    def valkey_pid(self) -> int | None:
        """The embedded server's process id, found by its working directory; None when there is none."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_bytes()
                    if b"valkey-server" in command and (entry / "cwd").resolve().is_relative_to(self.folder.resolve()):
                        return int(entry.name)
        return None

    def kill_valkey(self) -> bool:
        """Kill -9 of the embedded server; False when none was running."""
        pid = self.valkey_pid()
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def metric(self, name: str, **labels: str) -> float:
        """Sum of all samples of one metric with these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def owed(self) -> int:
        """Entries still owed over all destinations, from the admin port."""
        status = self.admin("/api/status")
        return sum(int(stream["owed"]) for stream in status["streams"])

    def drained(self, patience: float = PATIENCE) -> None:
        """Wait until nothing is owed."""
        wait_for("the backlog to drain", lambda: self.owed() == 0, patience)


@contextlib.contextmanager
def playground(folder: Path, *simulator_options: str, **environ: str) -> Iterator[tuple[Relay, Simulator]]:
    """A simulator and a relay against it, both stopped on the way out, with the embedded server."""
    simulator = Simulator.create(folder, *simulator_options)
    relay = Relay.create(folder, simulator.url, None, **environ)
    try:
        yield relay.up() if simulator.up() else relay, simulator
    finally:
        if relay.child is not None and relay.child.poll() is None:
            relay.stop()
        relay.kill_valkey()
        simulator.kill()


@dataclass
class Sender:
    """Sends events at a steady rate and writes down what a 200 obliges the relay to, before it counts it."""

    webhook: str
    owed: set[str] = field(default_factory=set)
    refused: int = 0
    answers: dict[int, int] = field(default_factory=dict)

    async def send(self, session: aiohttp.ClientSession, event: dict[str, Any]) -> bool:
        """One signed event; True when it was answered 200."""
        body = json.dumps(event).encode()
        headers = {"X-Signature": sign(body), "Content-Type": "application/json"}
        try:
            async with session.post(self.webhook, data=body, headers=headers) as answer:
                await answer.read()
                self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
                if answer.status != 200:
                    return False
        except (aiohttp.ClientError, TimeoutError):
            self.answers[0] = self.answers.get(0, 0) + 1
            return False
        self.owed.add(event["messageId"])
        return True

    async def run(self, events: Iterator[dict[str, Any]], rate: float, until: float, retry_for: float = 30.0) -> None:
        """Send at ``rate`` a second until monotonic ``until``; what got no 200 is tried again, as Segment does."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=64)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            start, count = time.monotonic(), 0
            while time.monotonic() < until:
                tasks.create_task(self._insist(session, next(events), retry_for))
                count += 1
                await asyncio.sleep(max(0.0, start + count / rate - time.monotonic()))

    async def _insist(self, session: aiohttp.ClientSession, event: dict[str, Any], retry_for: float) -> None:
        until, wait = time.monotonic() + retry_for, 0.2
        while not await self.send(session, event):
            if time.monotonic() > until:
                self.refused += 1
                return
            await asyncio.sleep(wait)
            wait = min(2.0, wait * 1.7)

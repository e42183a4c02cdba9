"""A load generator small enough not to be what is measured: pre-rendered requests over keep-alive connections."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from relay.simulator.traffic import traffic
from tests.e2e.processes import sign

TICK = os.sysconf("SC_CLK_TCK")


def events(seed: int, count: int) -> list[bytes]:
    """Compact JSON of made-up events, stamped now."""
    source = traffic(seed, int(time.time() * 1000))
    return [json.dumps(next(source), separators=(",", ":"), ensure_ascii=False).encode() for _ in range(count)]


def requests(bodies: list[bytes], path: str = "/webhook/segment") -> list[bytes]:
    """Signed HTTP requests, one event each, as Segment's webhook destination writes them."""
    return [
        b"POST %s HTTP/1.1\r\nHost: relay.example.com\r\nUser-Agent: Segment (Actions)\r\nx-signature: %s\r\n"
        b"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s"
        % (path.encode(), sign(body).encode(), len(body), body)
        for body in bodies
    ]


@dataclass
class Tally:
    """What came back."""

    left: int
    done: asyncio.Future[None]
    ok: int = 0
    other: dict[bytes, int] = field(default_factory=dict)

    def count(self, line: bytes) -> None:
        if line == b"200":
            self.ok += 1
        else:
            self.other[line] = self.other.get(line, 0) + 1
        self.left -= 1
        if self.left == 0:
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One request on the wire at a time."""

    def __init__(self, source: Iterator[bytes], tally: Tally) -> None:
        self.source, self.tally, self.buffer = source, tally, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.tally.count(head[9:12])
        self.next()

    def next(self) -> None:
        if (request := next(self.source, None)) is None:
            self.transport.close()
        else:
            self.transport.write(request)


async def fire(port: int, rendered: list[bytes], connections: int = 64) -> tuple[float, Tally]:
    """Send everything once; seconds from the first request to the last answer, and what was answered."""
    loop = asyncio.get_running_loop()
    tally = Tally(len(rendered), loop.create_future())
    source = iter(rendered)
    opened = [
        (await loop.create_connection(lambda: Connection(source, tally), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    start = time.perf_counter()
    for connection in opened:
        connection.next()
    await asyncio.wait_for(tally.done, 120)
    return time.perf_counter() - start, tally


def run_fire(port: int, rendered: list[bytes], connections: int = 64) -> float:
    """Requests a second; an AssertionError when anything but 200 came back."""
    seconds, tally = uvloop.run(fire(port, rendered, connections))
    assert not tally.other, tally.other
    return len(rendered) / seconds


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_rss_mb(pid: int) -> float:
    """VmHWM."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

"""Sends events as Segment does: signed, in batches, again after 503; counts them by answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import orjson

from relay.cli.client import Failed, unreachable

AGAIN = frozenset({429, 500, 502, 503, 504})
WORKERS = 16
LONGEST_WAIT = 30.0
Heard = Callable[[Sequence[bytes], str], None]
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and how to prove who sends. ``headers`` go with every request."""

    url: str
    secret: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def headers_for(self, events: Sequence[bytes]) -> dict[str, str]:
        """With a signature when there is a secret: of the event, or of an array's first one (Segment sheet 1.2)."""
        found = {"Content-Type": "application/json", "User-Agent": "Segment (Actions)", **self.headers}
        if self.secret:
            found["X-Signature"] = hmac.new(self.secret, events[0], hashlib.sha1).hexdigest()
        return found


@dataclass(slots=True)
class Tally:
    """Events by last answer (``200``, ``401 bad_signature``, ``timeout``), and how often something was sent again."""

    answers: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    heard: bool = False  # somebody answered, whatever it was

    @property
    def events(self) -> int:
        """All events that were tried."""
        return self.answers.total()

    @property
    def accepted(self) -> int:
        """Events answered 200."""
        return self.answers["200"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How to send: events a request, events a second (0: as fast as it goes), seconds to insist on one request."""

    batch: int = 1
    rate: float = 0.0
    retry_for: float = 60.0
    always_array: bool = False


async def send_all(
    events: Iterator[bytes], target: Target, manner: Manner, heard: Heard = lambda _batch, _answer: None
) -> Tally:
    """Send everything; ``heard`` is told each request's last answer. Raises Unreachable when nobody ever answered."""
    tally = Tally()
    queue: asyncio.Queue[list[bytes] | None] = asyncio.Queue(WORKERS * 2)
    connector = aiohttp.TCPConnector(limit=WORKERS)
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, connector=connector, trust_env=False) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(WORKERS):
                tasks.create_task(_work(session, queue, target, manner, tally, heard), name=f"send-{number}")
            async for batch in paced(batches(events, manner.batch), manner.rate):
                await queue.put(batch)
            for _ in range(WORKERS):
                await queue.put(None)
    except* Failed as group:  # a file that is no JSON, or nobody there: once is enough, whoever met it first
        raise first_of(group) from None
    return tally


def first_of(group: BaseExceptionGroup[Failed]) -> Failed:
    """One failure out of a group."""
    found = group.exceptions[0]
    return first_of(found) if isinstance(found, BaseExceptionGroup) else found


def batches(events: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    """Events in groups of ``size``; the last may be smaller."""
    batch: list[bytes] = []
    for event in events:
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def paced(groups: Iterator[list[bytes]], rate: float) -> AsyncIterator[list[bytes]]:
    """The groups, not faster than ``rate`` events a second on the whole."""
    loop = asyncio.get_running_loop()
    start, count = loop.time(), 0
    for group in groups:
        if rate > 0:
            await asyncio.sleep(max(0.0, start + count / rate - loop.time()))
        yield group
        count += len(group)


async def _work(
    session: aiohttp.ClientSession,
    queue: asyncio.Queue[list[bytes] | None],
    target: Target,
    manner: Manner,
    tally: Tally,
    heard: Heard,
) -> None:
    while (batch := await queue.get()) is not None:
        answer = await _insist(session, batch, target, manner, tally)
        tally.answers[answer] += len(batch)
        heard(batch, answer)


async def _insist(
    session: aiohttp.ClientSession, batch: list[bytes], target: Target, manner: Manner, tally: Tally
) -> str:
    """Send until there is a final answer or the patience is over; returns the last answer."""
    loop = asyncio.get_running_loop()
    until, wait = loop.time() + manner.retry_for, 0.5
    while True:
        answer, again = await _once(session, batch, target, manner, tally)
        pause = min(again or wait, LONGEST_WAIT)
        if again is None or loop.time() + pause > until:
            return answer
        tally.retries += 1
        wait *= 2
        await asyncio.sleep(pause)


async def _once(
    session: aiohttp.ClientSession, batch: list[bytes], target: Target, manner: Manner, tally: Tally
) -> tuple[str, float | None]:
    """One request: its answer, and the seconds to wait before another (None: final, 0: as the sender likes)."""
    body = b"[" + b",".join(batch) + b"]" if len(batch) > 1 or manner.always_array else batch[0]
    try:
        async with session.post(target.url, data=body, headers=target.headers_for(batch)) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        if not tally.heard:
            raise unreachable(target.url, error) from None
        return ("timeout" if isinstance(error, TimeoutError) else "connection lost"), 0.0
    tally.heard = True
    if answer.status == 200:
        return "200", None
    return f"{answer.status} {code_of(text)}".rstrip(), retry_after(answer) if answer.status in AGAIN else None


def code_of(text: bytes) -> str:
    """The stable code of an error answer, if it is the relay's."""
    try:
        document = orjson.loads(text)
    except ValueError:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""


def retry_after(answer: aiohttp.ClientResponse) -> float:
    """Seconds of a Retry-After header; 0 without one."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0

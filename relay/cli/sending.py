"""Sends events as Segment does: signed, in batches, again after 503; counts them by answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import orjson

from relay.cli.client import Failed, unreachable
from relay.cli.event_files import FileEvent
from relay.core.event import JsonObject

AGAIN = frozenset({429, 500, 502, 503, 504})
WRONG_SOURCE = frozenset({"source_needed", "no_such_source"})
"""What no other event of the command would be answered otherwise: told at once, in the relay's own words."""
WORKERS = 16
BATCH_BYTES = 8 * 1024**2
LONGEST_WAIT = 30.0
LAST_ANSWERS = 10.0
"""Seconds that a stop waits for what is under way: sent and unanswered, it would be sent again the next time."""
Heard = Callable[[Sequence[FileEvent], str], None]
Told = Callable[[JsonObject], None]
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


@dataclass(frozen=True, slots=True)
class Errand:
    """What all workers share. ``told`` gets the document of each 200."""

    session: aiohttp.ClientSession
    target: Target
    manner: Manner
    tally: Tally
    heard: Heard
    told: Told
    stopping: asyncio.Event

    async def rest(self, seconds: float) -> None:
        """Wait, or until a stop is asked for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)


Queue = asyncio.Queue[list[FileEvent] | None]


async def send_all(
    events: Iterator[FileEvent],
    target: Target,
    manner: Manner,
    heard: Heard = lambda _batch, _answer: None,
    *,
    told: Told = lambda _document: None,
    stopping: asyncio.Event | None = None,
) -> Tally:
    """Send everything; ``heard`` is told each request's last answer. Raises Unreachable when nobody ever answered.

    Once ``stopping`` is set nothing new is sent, and what is under way is waited for, bounded.
    """
    tally = Tally()
    connector = aiohttp.TCPConnector(limit=WORKERS)
    try:
        async with aiohttp.ClientSession(timeout=TIMEOUT, connector=connector, trust_env=False) as session:
            errand = Errand(session, target, manner, tally, heard, told, stopping or asyncio.Event())
            await _run(errand, events)
    except* Failed as group:  # a file that is no JSON, or nobody there: once is enough, whoever met it first
        raise first_of(group) from None
    return tally


async def _run(errand: Errand, events: Iterator[FileEvent]) -> None:
    queue: Queue = asyncio.Queue(WORKERS * 2)
    async with asyncio.TaskGroup() as around, asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(_work(errand, queue), name=f"send-{number}") for number in range(WORKERS)]
        hurry = around.create_task(_hurry(errand, workers, queue), name="hurry")
        async for batch in paced(batches(events, errand.manner.batch), errand):
            await queue.put(batch)
        for _ in range(WORKERS):
            await queue.put(None)
        await asyncio.wait(workers)
        hurry.cancel()


async def _hurry(errand: Errand, workers: Sequence[asyncio.Task[None]], queue: Queue) -> None:
    """A stop does not wait for ever."""
    await errand.stopping.wait()
    await asyncio.sleep(LAST_ANSWERS)
    for worker in workers:
        worker.cancel()
    while not queue.empty():  # nobody else takes anything out, and whoever puts in would wait for ever
        queue.get_nowait()


def first_of(group: BaseExceptionGroup[Failed]) -> Failed:
    """One failure out of a group."""
    found = group.exceptions[0]
    return first_of(found) if isinstance(found, BaseExceptionGroup) else found


def batches(events: Iterator[FileEvent], size: int) -> Iterator[list[FileEvent]]:
    """Events in groups of ``size``, fewer where they are large; the last may be smaller."""
    batch: list[FileEvent] = []
    room = BATCH_BYTES
    for event in events:
        if batch and (len(batch) == size or len(event.raw) > room):
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(event)
        room -= len(event.raw)
        if len(batch) == size:
            yield batch
            batch, room = [], BATCH_BYTES
    if batch:
        yield batch


async def paced(groups: Iterator[list[FileEvent]], errand: Errand) -> AsyncIterator[list[FileEvent]]:
    """The groups, not faster than so many events a second on the whole, until a stop is asked for."""
    loop = asyncio.get_running_loop()
    start, count, rate = loop.time(), 0, errand.manner.rate
    for group in groups:
        if rate > 0:
            await errand.rest(max(0.0, start + count / rate - loop.time()))
        if errand.stopping.is_set():
            return
        yield group
        count += len(group)


async def _work(errand: Errand, queue: Queue) -> None:
    while (batch := await queue.get()) is not None:
        if errand.stopping.is_set():
            continue
        answer = await _insist(errand, batch)
        errand.tally.answers[answer] += len(batch)
        errand.heard(batch, answer)


async def _insist(errand: Errand, batch: list[FileEvent]) -> str:
    """Send until there is a final answer, the patience is over, or a stop is asked for; returns the last answer."""
    loop = asyncio.get_running_loop()
    until, wait = loop.time() + errand.manner.retry_for, 0.5
    while True:
        answer, again = await _once(errand, [event.raw for event in batch])
        pause = min(again or wait, LONGEST_WAIT)
        if again is None or loop.time() + pause > until or errand.stopping.is_set():
            return answer
        errand.tally.retries += 1
        wait *= 2
        await errand.rest(pause)
        if errand.stopping.is_set():
            return answer


async def _once(errand: Errand, batch: list[bytes]) -> tuple[str, float | None]:
    """One request: its answer, and the seconds to wait before another (None: final, 0: as the sender likes)."""
    target, tally = errand.target, errand.tally
    body = b"[" + b",".join(batch) + b"]" if len(batch) > 1 or errand.manner.always_array else batch[0]
    try:
        async with errand.session.post(target.url, data=body, headers=target.headers_for(batch)) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        if not tally.heard:
            raise unreachable(target.url, error) from None
        return ("timeout" if isinstance(error, TimeoutError) else "connection lost"), 0.0
    tally.heard = True
    if answer.status == 200:
        errand.told(document_of(text))
        return "200", None
    document = document_of(text)
    code = document.get("code", "")
    if code in WRONG_SOURCE:
        raise Failed(f"{document.get('message', code)} (--source NAME)")
    return f"{answer.status} {code}".rstrip(), retry_after(answer) if answer.status in AGAIN else None


def document_of(text: bytes) -> JsonObject:
    """The JSON object of an answer; {} when it is none."""
    try:
        document = orjson.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def retry_after(answer: aiohttp.ClientResponse) -> float:
    """Seconds of a Retry-After header; 0 without one."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0

"""Many requests, few calls to the store (design section 4.1).

Group commit without a timer: the appender sends what has gathered as soon as its previous call returned, so an idle
relay answers after one round trip and a busy one shares each fsync among everybody who is waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import NewEntry, Reject
from relay.ports import Inbox

MAX_ENTRIES = 512
MAX_BYTES = 1_048_576
Item = TypeVar("Item", NewEntry, Reject)


class Parcel:
    """What one request hands over, and the future its handler waits for."""

    __slots__ = ("done", "entries", "entries_cut", "flags", "rejects", "rejects_cut", "size")

    def __init__(
        self, entries: Sequence[NewEntry], rejects: Sequence[Reject], done: asyncio.Future[list[bool]]
    ) -> None:
        self.entries = entries
        self.rejects = rejects
        self.done = done
        self.size = 0
        for entry in entries:
            self.size += len(entry.raw)
        for reject in rejects:
            self.size += len(reject.raw)
        self.entries_cut = 0  # how many have been sent
        self.rejects_cut = 0
        self.flags: list[bool] = []

    @property
    def all_cut(self) -> bool:
        """Whether nothing is left to send."""
        return self.entries_cut == len(self.entries) and self.rejects_cut == len(self.rejects)


class Piece(NamedTuple):
    """The part of a parcel that goes with one append call; nearly always the whole parcel."""

    parcel: Parcel
    entries: Sequence[NewEntry]
    rejects: Sequence[Reject]


class Appender:
    """Sends the entries of many requests in few calls. One call is under way at any time."""

    def __init__(self, inbox: Inbox, max_queue_bytes: int, appended: Callable[[], None] | None = None) -> None:
        """``appended`` is called after each call to the store: whoever delivers need not wait for its next poll."""
        self._inbox = inbox
        self._appended = appended
        self._max_queue_bytes = max_queue_bytes
        self._queue: deque[Parcel] = deque()
        self._under_way: list[Piece] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def queued_bytes(self) -> int:
        """Raw bytes that were handed over and are not answered."""
        return self._bytes

    def submit(self, entries: Sequence[NewEntry], rejects: Sequence[Reject] = ()) -> asyncio.Future[list[bool]]:
        """Store all of it; to be awaited: per entry True (owed now) or False (a duplicate).

        Raises StoreUnavailable, at once when the queue is full or the appender has stopped; the future may end with
        StoreUnavailable or StoreMisused.
        """
        done: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        if not entries and not rejects:
            done.set_result([])
            return done
        if self._closed:
            raise StoreUnavailable(StoreTrouble.STOPPING)
        parcel = Parcel(entries, rejects, done)
        # An empty queue takes a parcel of any size: otherwise one larger than the queue could never be stored.
        if self._bytes and self._bytes + parcel.size > self._max_queue_bytes:
            raise StoreUnavailable(StoreTrouble.OVERLOADED, retry_after=1)
        self._bytes += parcel.size
        self._queue.append(parcel)
        self._wake.set()
        return done

    async def run(self, stopping: asyncio.Event) -> None:
        """Append until ``stopping`` is set and everything that was accepted has its answer."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._wake_when(stopping), name="append-stop")
                while self._queue or not stopping.is_set():
                    if self._queue:
                        await self._append_group()
                        if self._appended:
                            self._appended()
                    else:
                        self._wake.clear()
                        await self._wake.wait()
                watch.cancel()
        finally:
            self._closed = True
            self._fail_everyone(StoreUnavailable(StoreTrouble.STOPPING))

    async def _wake_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wake.set()

    async def _append_group(self) -> None:
        self._under_way = pieces = self._gather()
        try:
            flags = await self._inbox.append(*_joined(pieces))
        except StoreUnavailable as trouble:
            self._fail_everyone(trouble)
        except StoreMisused:
            await self._append_one_by_one(pieces)
        else:
            self._hand_out(pieces, flags)
        self._under_way = []

    async def _append_one_by_one(self, pieces: Sequence[Piece]) -> None:
        """Somebody's arguments were refused before anything was written: find out whose, and store the others'."""
        for piece in pieces:
            try:
                flags = await self._inbox.append(piece.entries, piece.rejects)
            except StoreUnavailable as trouble:
                self._fail_everyone(trouble)
                return
            except StoreMisused as refusal:
                self._forget(piece.parcel)
                self._fail(piece.parcel, StoreMisused(*refusal.args))
            else:
                self._hand_out([piece], flags)

    def _gather(self) -> list[Piece]:
        """Take what fits into one call, oldest first."""
        pieces: list[Piece] = []
        room, space = MAX_ENTRIES, MAX_BYTES
        while self._queue and room > 0:
            parcel = self._queue[0]
            piece, size = _cut(parcel, room, space, first=not pieces)
            taken = len(piece.entries) + len(piece.rejects)
            if taken:
                pieces.append(piece)
            if not parcel.all_cut:
                break
            self._queue.popleft()
            room -= taken
            space -= size
        return pieces

    def _forget(self, parcel: Parcel) -> None:
        """Do not send what is left of a parcel that has already failed."""
        if self._queue and self._queue[0] is parcel:
            self._queue.popleft()

    def _fail_everyone(self, trouble: StoreUnavailable) -> None:
        """Answer all who wait: the next request asks the store anew, and nobody hangs meanwhile."""
        parcels = [piece.parcel for piece in self._under_way] + list(self._queue)
        self._queue.clear()
        for parcel in parcels:
            # An exception of its own for each: a shared one would gather everybody's traceback.
            self._fail(parcel, StoreUnavailable(trouble.trouble, trouble.detail, trouble.retry_after))

    def _hand_out(self, pieces: Sequence[Piece], flags: Sequence[bool]) -> None:
        """Answer every parcel that is complete now."""
        start = 0
        for piece in pieces:
            stop = start + len(piece.entries)
            parcel = piece.parcel
            parcel.flags += flags[start:stop]
            start = stop
            if parcel.all_cut and len(parcel.flags) == len(parcel.entries) and self._ends(parcel):
                parcel.done.set_result(parcel.flags)

    def _fail(self, parcel: Parcel, error: StoreUnavailable | StoreMisused) -> None:
        if self._ends(parcel):
            parcel.done.set_exception(error)

    def _ends(self, parcel: Parcel) -> bool:
        """Let go of a parcel's bytes, once; whether somebody still waits for its answer."""
        self._bytes -= parcel.size
        parcel.size = 0
        return not parcel.done.done()  # the handler may have been cancelled


def _cut(parcel: Parcel, room: int, space: int, *, first: bool) -> tuple[Piece, int]:
    """The next part of ``parcel`` that fits, and its size. The very first item always fits, however large."""
    if len(parcel.entries) <= room and parcel.size <= space and not parcel.rejects and not parcel.entries_cut:
        parcel.entries_cut = len(parcel.entries)
        return Piece(parcel, parcel.entries, ()), parcel.size
    entries, size = _fitting(parcel.entries, parcel.entries_cut, room, space, first=first)
    parcel.entries_cut += len(entries)
    rejects: Sequence[Reject] = ()
    if parcel.entries_cut == len(parcel.entries):
        left = room - len(entries)
        rejects, more = _fitting(parcel.rejects, parcel.rejects_cut, left, space - size, first=first and not entries)
        parcel.rejects_cut += len(rejects)
        size += more
    return Piece(parcel, entries, rejects), size


def _fitting(items: Sequence[Item], start: int, room: int, space: int, *, first: bool) -> tuple[Sequence[Item], int]:
    stop, size = start, 0
    while stop < len(items) and stop - start < room:
        length = len(items[stop].raw)
        if size + length > space and not (first and stop == start):
            break
        size += length
        stop += 1
    return items[start:stop], size


def _joined(pieces: Sequence[Piece]) -> tuple[list[NewEntry], list[Reject]]:
    entries = [entry for piece in pieces for entry in piece.entries]
    return entries, [reject for piece in pieces for reject in piece.rejects]

"""What of some files has been acknowledged, so that an interrupted ``relay send`` goes on where it was.

A file of JSON lines that only grows: a head, a line for each file that is read, and what was acknowledged of it since
the last write. A torn last line is what a killed process leaves behind, and is not read. Acknowledged ranges, not a
position: requests are answered out of order. The journal is written once a second, and after Ctrl-C; what a killed
process had not written yet is sent again, and the relay knows it by its ids.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from relay.cli.archive import Window
from relay.cli.client import Failed
from relay.core.event import JsonObject

EVERY_S = 1.0
END_BYTES = 65_536


class Ranges:
    """Numbers as disjoint ranges, in order."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.pairs())

    def pairs(self) -> Iterable[tuple[int, int]]:
        """First and last of each."""
        return zip(self._firsts, self._lasts, strict=True)

    def add(self, first: int, last: int) -> None:
        """Take numbers in; ranges that meet become one."""
        start = bisect_right(self._firsts, first)
        if start and self._lasts[start - 1] >= first - 1:
            start -= 1
            first = self._firsts[start]
        end = bisect_right(self._firsts, last + 1)
        if end > start:
            last = max(last, self._lasts[end - 1])
        self._firsts[start:end], self._lasts[start:end] = [first], [last]


class Print(NamedTuple):
    """Size, digest of both ends, and time of the last change: a file made anew may be as large as before."""

    size: int
    ends: str
    changed_ns: int

    def begins(self, name: str) -> bool:
        """Whether the file of that name was this one when it was shorter: it has only grown."""
        return fingerprint(name, self.size).ends == self.ends


@dataclass(slots=True)
class Kept:
    """One file: what was acknowledged, ``fresh`` of it not written down yet; ``total`` once it was read to its end."""

    number: int
    print: Print
    done: Ranges = field(default_factory=Ranges)
    fresh: Ranges = field(default_factory=Ranges)
    total: int | None = None
    complete: bool = False

    def take(self, first: int, last: int) -> None:
        """The relay has these."""
        self.done.add(first, last)
        self.fresh.add(first, last)


class Journal:
    """The journal of one command. One process at a time holds it."""

    def __init__(self, path: Path, stream: BinaryIO, key: str) -> None:
        """See ``open_journal``."""
        self.path, self.resumed = path, False
        self._stream, self._key = stream, key
        self._files: dict[str, Kept] = {}
        self._pending: list[JsonObject] = []
        self._changed: dict[int, Kept] = {}
        self._written_at = time.monotonic()
        self._read(stream.read().splitlines(keepends=True))

    def begin(self, name: str) -> Kept:
        """A file is about to be read: what is known of it, if it is still the same one."""
        found, now = self._files.get(name), fingerprint(name)
        if found is not None and now == found.print:
            return found
        kept = Kept(max((one.number for one in self._files.values()), default=-1) + 1, now)
        if found is not None and now.size > found.print.size and found.print.begins(name):
            for first, last in found.done.pairs():
                kept.take(first, last)
        self._files[name] = kept
        self._pending.append({"file": kept.number, "name": name, "print": list(now)})
        self._changed[kept.number] = kept
        return kept

    def took(self, kept: Kept, first: int, last: int) -> None:
        """The relay acknowledged events of a file."""
        kept.take(first, last)
        self._note(kept)

    def read(self, kept: Kept, total: int) -> None:
        """A file was read to its end: it has ``total`` events to send."""
        kept.total = total
        self._note(kept)

    def write(self) -> None:
        """Write down what happened since, and see it to the disk."""
        lines, self._pending = self._pending, []
        for kept in self._changed.values():
            pairs = list(kept.fresh.pairs())
            kept.fresh = Ranges()
            complete = kept.total is not None and len(kept.done) >= kept.total
            if pairs or complete:
                lines.append({"file": kept.number, "done": pairs, "complete": complete})
            kept.complete |= complete
        self._changed.clear()
        if lines:
            self._append(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._written_at = time.monotonic()

    def close(self, *, finished: bool) -> None:
        """Keep it for the next time, or remove it because everything is done, or nothing was begun."""
        if finished or not self._files:
            self.path.unlink(missing_ok=True)
        else:
            self.write()
        self._stream.close()

    def _append(self, text: bytes) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise Failed(f"the journal {self.path} cannot be written ({error.strerror})") from None

    def _note(self, kept: Kept) -> None:
        self._changed[kept.number] = kept
        if time.monotonic() - self._written_at >= EVERY_S:
            self.write()

    def _read(self, lines: Sequence[bytes]) -> None:
        """Take up what is there; begin a new one where nothing is."""
        whole = [line for line in lines if line.endswith(b"\n")]
        documents = [orjson.loads(line) for line in whole]
        self._stream.truncate(sum(map(len, whole)))  # what follows must not be read as part of a torn line
        if not documents:
            self._pending.append({"journal": 1, "key": self._key})
            self.write()
            return
        head, *rest = documents
        if head.get("key") != self._key:
            raise Failed(f"{self.path} is the journal of another command; name another file, or --restart")
        numbered: dict[int, Kept] = {}
        for line in rest:
            self._take_up(line, numbered)
        self.resumed = bool(rest)

    def _take_up(self, line: Any, numbered: dict[int, Kept]) -> None:
        if "name" in line:
            self._files[line["name"]] = numbered[line["file"]] = Kept(line["file"], Print(*line["print"]))
            return
        kept = numbered[line["file"]]
        for first, last in line["done"]:
            kept.done.add(first, last)
        kept.complete |= bool(line["complete"])


def fingerprint(name: str, size: int | None = None) -> Print:
    """What tells a file from a changed one. With ``size``: what it was when the file was that short."""
    try:
        with Path(name).open("rb") as stream:
            known = os.fstat(stream.fileno())
            size = known.st_size if size is None else size
            digest = hashlib.blake2b(stream.read(min(END_BYTES, size)), digest_size=16)
            if size > END_BYTES:
                start = stream.seek(max(END_BYTES, size - END_BYTES))
                digest.update(stream.read(size - start))
    except OSError as error:
        raise Failed(f"{name}: cannot be read ({error.strerror})") from None
    return Print(size, digest.hexdigest(), known.st_mtime_ns)


def open_journal(path: Path, key: str, *, restart: bool = False) -> Journal:
    """Take the journal of a command up, or begin it. OSError when it cannot be kept; Failed when it is in use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise Failed(f"these files are being sent by another relay send (it holds {path})") from None
    if restart:
        stream.truncate(0)
    stream.seek(0)
    try:
        return Journal(path, stream, key)
    except Failed:
        stream.close()
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        stream.close()
        raise Failed(f"{path} is no journal of relay send; name another file, or --restart") from None


def key_of(names: Sequence[str], target: str, window: Window) -> str:
    """What makes a command the same command: which files, where to, which window."""
    paths = [str(Path(name).absolute()) for name in names]
    return hashlib.blake2b(orjson.dumps([paths, target, list(window)]), digest_size=12).hexdigest()


def default_path(key: str) -> Path:
    """Where the journal of a command lies unless ``--journal`` says otherwise."""
    state = os.environ.get("XDG_STATE_HOME")  # noqa: TID251 - says whose machine it is, and is no setting of the relay
    return Path(state or Path.home() / ".local" / "state") / "segment-tiktok-relay" / f"send-{key}.jsonl"

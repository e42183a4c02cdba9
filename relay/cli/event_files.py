"""Events out of files: JSON lines, one array or one object, plain or gzip, or standard input."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from relay.cli.client import Failed

GZIP = b"\x1f\x8b"
STDIN = "-"


class FileEvent(NamedTuple):
    """One event as text, and how many bytes of its file have been read (for the progress bar)."""

    raw: bytes
    position: int


class NotJson(Failed):
    """A file holds something else than events."""


def events_in(names: Iterable[str]) -> Iterator[FileEvent]:
    """Events of all files in order. JSON lines are read one by one, so a file may be larger than memory."""
    before = 0
    for name in names:
        with opened(name) as stream:
            for event in events_of(stream, name):
                yield FileEvent(event.raw, before + event.position)
        before += byte_size([name])


def byte_size(names: Iterable[str]) -> int:
    """Bytes to read; standard input counts as none."""
    return sum(Path(name).stat().st_size for name in names if name != STDIN and Path(name).is_file())


def opened(name: str) -> BufferedReader:
    """The file, with one clear line when it cannot be read."""
    if name == STDIN:
        return BufferedReader(cast("RawIOBase", sys.stdin.buffer))  # peeks, whatever standard input is
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise Failed(f"{name}: cannot be read ({error.strerror})") from None


def events_of(stream: BufferedReader, name: str) -> Iterator[FileEvent]:
    """Events of one file."""
    position = stream.tell if stream.seekable() else lambda: 0
    packed = stream.peek(len(GZIP)).startswith(GZIP)
    yield from decoded(unpacked(stream, name) if packed else stream, position, name)


def unpacked(stream: BufferedReader, name: str) -> Iterator[bytes]:
    """Lines of a compressed file."""
    try:
        yield from gzip.GzipFile(fileobj=stream, mode="rb")
    except (OSError, EOFError, zlib.error) as error:
        raise NotJson(f"{name}: broken gzip ({error})") from None


def decoded(lines: Iterable[bytes], position: Callable[[], int], name: str) -> Iterator[FileEvent]:
    """One event per line, unless the first line shows that the whole is one document."""
    rows = enumerate(lines, 1)
    number, line = next(((number, line) for number, line in rows if line.strip()), (0, b""))
    if not line:
        return
    head = parsed(line.lstrip(b"\xef\xbb\xbf"))
    if not isinstance(head, dict):
        whole = line + b"".join(row for _, row in rows)
        yield from (FileEvent(raw, position()) for raw in document(whole, name))
        return
    yield FileEvent(line.lstrip(b"\xef\xbb\xbf").strip(), position())
    for number, line in rows:
        if line.strip():
            if not isinstance(parsed(line), dict):
                raise NotJson(f"{name}: line {number} is not a JSON object")
            yield FileEvent(line.strip(), position())


def document(text: bytes, name: str) -> list[bytes]:
    """Events of an array or of one object."""
    found = parsed(text.lstrip(b"\xef\xbb\xbf"))
    events = found if isinstance(found, list) else [found]
    if not all(isinstance(event, dict) for event in events):
        raise NotJson(f"{name}: neither JSON lines, nor an array of objects, nor one object")
    return [compact(event) for event in events]


def parsed(text: bytes) -> Any:
    """The JSON value; None when it is none. NaN and lone surrogates pass, as they do at Segment."""
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def compact(event: dict[str, Any]) -> bytes:
    """Text without white space, as Segment writes it."""
    try:
        return orjson.dumps(event)
    except TypeError:
        return json.dumps(event, separators=(",", ":")).encode("ascii")

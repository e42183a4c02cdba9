"""Events out of files: JSON lines, one array or one object, plain or gzip, or standard input."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import orjson

from relay.cli.client import Failed
from relay.core.event import JsonObject

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STDIN = "-"


class FileEvent(NamedTuple):
    """One event as text. ``place``: its file and its number there, from 0, among those that are to be sent."""

    raw: bytes
    place: tuple[int, int] = (0, 0)


class Found(NamedTuple):
    """An event as it stands in a file, read so far up to ``position`` bytes of it (for the progress bar)."""

    raw: bytes
    body: JsonObject
    position: int


class NotJson(Failed):
    """A file holds something else than events."""


Complain = Callable[[NotJson], None]


def refuse(problem: NotJson) -> NoReturn:
    """What holds something else than events is not read any further."""
    raise problem


def events_in(name: str, complain: Complain = refuse) -> Iterator[Found]:
    """Events of a file. JSON lines are read one by one, so it may be larger than memory.

    ``complain`` is told what cannot be read; when it returns, reading goes on behind it.
    """
    with opened(name) as stream:
        yield from events_of(stream, name, complain)


def opened(name: str) -> BufferedReader:
    """The file, with one clear line when it cannot be read."""
    if name == STDIN:
        return BufferedReader(cast("RawIOBase", sys.stdin.buffer))  # peeks, whatever standard input is
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise Failed(f"{name}: cannot be read ({error.strerror})") from None


def events_of(stream: BufferedReader, name: str, complain: Complain = refuse) -> Iterator[Found]:
    """Events of one file."""
    position = stream.tell if stream.seekable() else lambda: 0
    packed = stream.peek(len(GZIP)).startswith(GZIP)
    for raw, body in decoded(unpacked(stream, name, complain) if packed else stream, name, complain):
        yield Found(raw, body, position())


def unpacked(stream: BufferedReader, name: str, complain: Complain) -> Iterator[bytes]:
    """Lines of a compressed file."""
    try:
        yield from gzip.GzipFile(fileobj=stream, mode="rb")
    except (OSError, EOFError, zlib.error) as error:
        complain(NotJson(f"{name}: broken gzip ({error})"))


def decoded(lines: Iterable[bytes], name: str, complain: Complain) -> Iterator[tuple[bytes, JsonObject]]:
    """One event per line, unless the first line shows that the whole is one document."""
    rows = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(rows, None)
    if first is None:
        return
    head = first[1].removeprefix(BYTE_ORDER_MARK).strip()
    if isinstance(parsed(head), dict):
        yield from by_line([(first[0], head)], name, complain)
        yield from by_line(rows, name, complain)
        return
    following = None if head.startswith(b"[") else next(rows, None)
    if following and isinstance(parsed(following[1]), dict):  # no document goes on like that: a broken first line
        complain(NotJson(f"{name}: line {first[0]} is not a JSON object"))
        yield from by_line([following], name, complain)
        yield from by_line(rows, name, complain)
    else:
        whole = [head, following[1]] if following else [head]
        yield from document(b"\n".join([*whole, *(line for _, line in rows)]), name, complain)


def by_line(rows: Iterable[tuple[int, bytes]], name: str, complain: Complain) -> Iterator[tuple[bytes, JsonObject]]:
    """One event per line."""
    for number, line in rows:
        raw = line.strip()
        body = parsed(raw)
        if isinstance(body, dict):
            yield raw, body
        else:
            complain(NotJson(f"{name}: line {number} is not a JSON object"))


def document(text: bytes, name: str, complain: Complain) -> Iterator[tuple[bytes, JsonObject]]:
    """Events of an array or of one object."""
    found = parsed(text)
    events = found if isinstance(found, list) else [found]
    if all(isinstance(event, dict) for event in events):
        for event in events:
            yield compact(event), event
    else:
        complain(NotJson(f"{name}: neither JSON lines, nor an array of objects, nor one object"))


def parsed(text: bytes) -> Any:
    """The JSON value; None when it is none. NaN and lone surrogates pass, as they do at Segment."""
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def compact(event: JsonObject) -> bytes:
    """Text without white space, as Segment writes it."""
    try:
        return orjson.dumps(event)
    except TypeError:
        return json.dumps(event, separators=(",", ":")).encode("ascii")

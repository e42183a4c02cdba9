"""One attack on a port for some seconds: ``python -m tests.e2e.attacker NAME PORT SECONDS``; prints answers by status.

It gives way to everybody else on the processor, because what is measured is the relay and not the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator

import uvloop

MARK = b"marked-by-the-attacker"
KEYED = b'{"writeKey":"WK_EXAMPLE_0001","batch":'
MEGABYTE = 1024**2


def head(*lines: bytes, path: bytes = b"/v1/batch") -> bytes:
    """The head of a POST."""
    fixed = (b"POST %s HTTP/1.1" % path, b"Host: " + MARK, b"User-Agent: " + MARK)
    return b"\r\n".join((*fixed, b"X-Signature: " + MARK, *lines, b"", b""))


def posted(body: bytes, *lines: bytes, path: bytes = b"/v1/batch") -> Iterator[bytes]:
    yield head(b"Content-Length: %d" % len(body), *lines, path=path)
    yield from (body[start : start + 65_536] for start in range(0, len(body), 65_536))


def bomb(gigabytes: int) -> bytes:
    """Gzip that unfolds to so much: one block that needs nothing before it, over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (1024 * gigabytes)


def endless() -> Iterator[bytes]:
    """A hundred megabytes in chunks."""
    yield head(b"Transfer-Encoding: chunked")
    yield b"10000\r\n" + KEYED + b"[" + b" " * (65_536 - len(KEYED) - 1) + b"\r\n"
    for _ in range(1600):
        yield b"10000\r\n" + b" " * 65_536 + b"\r\n"


def headers() -> Iterator[bytes]:
    """Headers without an end."""
    yield b"POST / HTTP/1.1\r\nHost: x\r\n"
    for number in itertools.count():
        yield b"X-%d: %s\r\n" % (number, MARK * 300)


def turns(*bodies: bytes) -> Callable[[], Iterator[bytes]]:
    """Each of the bodies in turn, to both doors."""
    wanted = itertools.cycle([(body, path) for body in bodies for path in (b"/v1/batch", b"/webhook/segment")])

    def one() -> Iterator[bytes]:
        body, path = next(wanted)
        return posted(body, path=path)

    return one


def shapes() -> Callable[[], Iterator[bytes]]:
    """What two servers could read in two ways."""
    from tests.adapters.web.test_listener import SHAPES  # noqa: PLC0415 - the other attacks need not wait for pytest

    wanted = itertools.cycle(SHAPES.values())
    return lambda: iter([next(wanted)])


def bombs() -> Callable[[], Iterator[bytes]]:
    """Ten megabytes that unfold to ten gigabytes."""
    packed = bomb(10)
    return lambda: posted(packed, b"Content-Encoding: gzip")


# How an attack gets at what one connection sends, again and again; and how many connections do so at once.
ATTACKS: dict[str, tuple[Callable[[], Callable[[], Iterator[bytes]]], int]] = {
    "harmless": (lambda: turns(b'{"type":"track","event":"Order Completed","messageId":"1","properties":{"a":1}}'), 16),
    "bomb": (bombs, 4),
    "deep": (lambda: turns(b"[" * 200_000 + b"]" * 200_000, KEYED + b'{"a":' * 200_000 + b"1" + b"}" * 200_001), 4),
    "endless": (lambda: endless, 4),
    "utf8": (lambda: turns(KEYED + b'["' + b"\xff\xfe\x80" * 100_000 + b'"]}', b"\xff" * 300_000), 4),
    "keys": (
        lambda: turns(KEYED + b"[{" + b'"a":1,' * 40_000 + b'"a":2}]}', b"{" + b'"a":{},' * 20_000 + b'"a":2}'),
        4,
    ),
    "dense": (lambda: turns(b"[" + b"[]," * 10_000_000 + b"[]]"), 2),
    "headers": (lambda: headers, 16),
    "shapes": (shapes, 8),
}


async def strike(port: int, pieces: Iterator[bytes], seen: Counter[str]) -> None:
    """One request on a connection of its own, up to its answer or its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.ensure_future(reader.read(12))
    try:
        for piece in pieces:
            if answer.done() or writer.is_closing():
                break
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # a drain that need not wait does not yield
        seen[(await answer).decode()[9:12] or "closed"] += 1
    finally:
        answer.cancel()
        writer.close()


async def strike_again(port: int, make: Callable[[], Iterator[bytes]], seen: Counter[str], end: float) -> None:
    """Until ``end``; what is under way then has some seconds more."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(end + 5):
            while asyncio.get_running_loop().time() < end:
                try:
                    await strike(port, make(), seen)
                except OSError as error:
                    seen[type(error).__name__] += 1
                await asyncio.sleep(0.002)


async def dawdle(port: int, number: int, seen: Counter[str], end: float) -> None:
    """One slow connection: bytes of a head, or of a body, one every half second; a new one when it is cut off."""
    text = head(b"Content-Length: 100000") if number % 2 else head(b"X-Pad: x").removesuffix(b"\r\n\r\n")
    await asyncio.sleep(number / 2000)
    now = asyncio.get_running_loop().time
    while now() < end:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            gone = asyncio.ensure_future(reader.read(12))
            writer.write(text)
            while not gone.done() and now() < end:
                writer.write(b"x")
                await asyncio.wait({gone}, timeout=0.5)
            seen["cut"] += gone.done()
            gone.cancel()
            writer.close()
        await asyncio.sleep(0.1)


async def attack(name: str, port: int, seconds: float) -> Counter[str]:
    """For so many seconds, and a few more at most."""
    seen: Counter[str] = Counter()
    prepare, count = ATTACKS.get(name, (lambda: endless, 2000))
    make = prepare()
    end = asyncio.get_running_loop().time() + seconds
    print("ready", flush=True)
    if name == "slow":
        await asyncio.gather(*(dawdle(port, number, seen, end) for number in range(count)))
    else:
        await asyncio.gather(*(strike_again(port, make, seen, end) for _ in range(count)))
    return seen


if __name__ == "__main__":
    os.nice(5)
    print(json.dumps(uvloop.run(attack(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))), flush=True)

"""Dead letters as the operator sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relay.adapters.redis import keys, memo
from relay.adapters.redis.codec import Codec, Locked, Undecodable
from relay.adapters.redis.connect import Client, as_written_here
from relay.core.event import DeadLetter, EntryClass, StreamKey

PAGE = 500
Record = tuple[bytes, dict[bytes, bytes]]


class RedisDeadLetters:
    """See ``ports.DeadLetters``."""

    def __init__(self, client: Client, codec: Codec) -> None:
        self._client, self._codec = client, codec
        self._memos = memo.MemoReader()

    async def list(self, destination: str, *, after: str = "", limit: int = 100, reason: str = "") -> list[DeadLetter]:
        """See ``ports.DeadLetters.list``. Reads on until ``limit`` letters of the reason are found or none is left."""
        found: list[DeadLetter] = []
        position = f"({after}" if after else "-"
        while len(found) < limit:
            page = await self._range(destination, position, "+", PAGE if reason else limit - len(found))
            if not page:
                break
            with as_written_here(keys.dead(destination)):
                letters = [self._letter(destination, id_, fields) for id_, fields in page]
            found += [letter for letter in letters if not reason or letter.reason == reason]
            position = f"({letters[-1].id}"
        return found[:limit]

    async def get(self, destination: str, letter_id: str) -> DeadLetter | None:
        """See ``ports.DeadLetters.get``. Something that is no id names no letter."""
        if not _is_id(letter_id):
            return None
        page = await self._range(destination, letter_id, letter_id, 1)
        with as_written_here(keys.dead(destination)):
            return self._letter(destination, *page[0]) if page else None

    async def requeue(self, destination: str, ids: Sequence[str], *, released: bool = False) -> int:
        """See ``ports.DeadLetters.requeue``. What the intake could not read has no stream to go back to."""
        return await self._move("release" if released else "requeue", destination, ids)

    async def discard(self, destination: str, ids: Sequence[str]) -> int:
        """See ``ports.DeadLetters.discard``."""
        return await self._move("discard", destination, ids)

    async def _move(self, action: str, destination: str, ids: Sequence[str]) -> int:
        classes = () if destination == keys.INTAKE else tuple(EntryClass)
        names = [keys.dead(destination), keys.intake_books()]
        for klass in classes:
            names += (keys.owed(StreamKey(destination, klass)), keys.books(StreamKey(destination, klass)))
        wanted = [id_ for id_ in dict.fromkeys(ids) if _is_id(id_)]
        moved = 0
        for start in range(0, len(wanted), PAGE):
            page = wanted[start : start + PAGE]
            args = (action, len(classes), *(klass.value for klass in classes), len(page), *page)
            moved += int(await self._client.script("move", names, args))
        return moved

    async def _range(self, destination: str, low: str, high: str, count: int) -> Sequence[Record]:
        page: Sequence[Record] = await self._client.run("XRANGE", keys.dead(destination), low, high, "COUNT", count)
        return page

    def _letter(self, destination: str, id_: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
        received_ms, (worth, source, accepted) = self._memos.read(fields.get(b"m", b""))
        klass, code = _text(fields, b"c"), _text(fields, b"n")
        raw, locked = self._decoded(fields.get(b"e", b""))
        return DeadLetter(
            id=id_.decode(),
            destination=destination,
            klass=EntryClass(klass) if klass else None,
            reason=_text(fields, b"r"),
            message=self._message(fields.get(b"t", b"")),
            code=int(code) if code else None,
            request_id=_text(fields, b"q"),
            died_ms=int(fields.get(b"d", 0)),
            received_ms=received_ms,
            first_ms=int(fields.get(b"f", 0)),
            source=source,
            worth=worth,
            accepted=accepted,
            raw=raw,
            released=b"l" in fields,
            entry_id=_text(fields, b"i"),
            locked=locked,
        )

    def _message(self, kept: bytes) -> str:
        try:
            return self._codec.decode_text(kept).decode("utf-8", "surrogatepass")
        except Undecodable as why:
            return f"({why})"

    def _decoded(self, kept: bytes) -> tuple[bytes, bool]:
        """The event, empty where that is impossible, and whether a key that is not here would do."""
        try:
            return self._codec.decode(kept), False
        except Undecodable as why:
            return b"", isinstance(why, Locked)


def _text(fields: dict[bytes, Any], name: bytes) -> str:
    value: bytes = fields.get(name, b"")
    return value.decode("utf-8", "surrogatepass")


def _is_id(text: str) -> bool:
    ms, dash, seq = text.partition("-")
    digits = ms + seq
    return bool(dash and ms and seq) and digits.isascii() and digits.isdigit() and len(ms) <= 15 and len(seq) <= 15

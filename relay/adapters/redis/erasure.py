"""Removing what names a person from everything that is kept: owed, dead and archived, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from relay.adapters.redis import keys
from relay.adapters.redis.codec import Codec, Undecodable
from relay.adapters.redis.connect import Client, as_written_here
from relay.core.erasure import Kept, Place, Swept
from relay.core.event import EntryClass, StreamKey

Wanted = Callable[[bytes], bool]

LONG_S = 0.005
"""Seconds of searching after which others get their turn: a page of large items that are no events takes longer."""


class RedisErasure:
    """See ``ports.Erasure``."""

    def __init__(self, client: Client, codec: Codec) -> None:
        self._client, self._codec = client, codec

    async def places(self) -> list[Place]:
        """See ``ports.Erasure.places``. Also what was owed to destinations that are configured no more."""
        members = sorted(member.decode() for member in await self._client.run("SMEMBERS", keys.streams()))
        with as_written_here(keys.streams()):
            pairs = [(name, EntryClass(klass)) for name, _, klass in (member.rpartition(":") for member in members)]
        found = [Place(Kept.OWED, name, klass) for name, klass in pairs]
        found += [Place(Kept.LETTERS, name) for name in (*dict.fromkeys(name for name, _ in pairs), keys.INTAKE)]
        found += [Place(Kept.ARCHIVE, klass=klass) for klass in EntryClass]
        lengths = await self._client.many([("XLEN", _key(place)) for place in found])
        return [place._replace(length=length) for place, length in zip(found, lengths, strict=True)]

    async def sweep(
        self, place: Place, wanted: Wanted, *, after: str = "", limit: int = 200, dry: bool = False
    ) -> Swept:
        """See ``ports.Erasure.sweep``."""
        low = f"({after}" if after else "-"
        page = await self._client.run("XRANGE", _key(place), low, "+", "COUNT", limit)
        found: list[bytes] = []
        unreadable = 0
        decode, time = self._codec.decode, asyncio.get_running_loop().time
        rested = time()
        for id_, fields in page:  # hot: once for each record there is
            try:
                if wanted(decode(fields[b"e"])):
                    found.append(id_)
            except (Undecodable, KeyError):
                unreadable += 1
            if time() - rested > LONG_S:
                await asyncio.sleep(0)
                rested = time()
        erased, leased = (len(found), 0) if dry or not found else await self._erase(place, found)
        last = page[-1][0].decode() if page else after
        return Swept(len(page), last, erased, leased, unreadable)

    async def _erase(self, place: Place, ids: Sequence[bytes]) -> tuple[int, int]:
        """How many are gone, and how many are in the hands of somebody who sends them."""
        if place.kept is Kept.ARCHIVE:
            return int(await self._client.run("XDEL", _key(place), *ids)), 0
        if place.kept is Kept.OWED:
            stream = _stream(place)
            names = [make(stream) for make in (keys.owed, keys.leases, keys.mark, keys.books)]
            gone, leased, _ = await self._client.script("drop", names, ("forgotten", 0, len(ids), *ids))
            return gone, leased
        classes = () if place.destination == keys.INTAKE else tuple(EntryClass)
        names = [keys.dead(place.destination), keys.intake_books()]
        for klass in classes:
            names += (keys.owed(StreamKey(place.destination, klass)), keys.books(StreamKey(place.destination, klass)))
        args: list[Any] = ["erase", len(classes), *(klass.value for klass in classes), len(ids), *ids]
        return int(await self._client.script("move", names, args)), 0


def _stream(place: Place) -> StreamKey:
    return StreamKey(place.destination, place.klass or EntryClass.CONVERSION)


def _key(place: Place) -> str:
    match place.kept:
        case Kept.OWED:
            return keys.owed(_stream(place))
        case Kept.LETTERS:
            return keys.dead(place.destination)
        case Kept.ARCHIVE:
            return keys.archive(place.klass or EntryClass.CONVERSION)

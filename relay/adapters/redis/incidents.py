"""Incidents in Redis: a hash of records for each destination, and a capped stream for each incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import orjson

from relay.adapters.redis import keys
from relay.adapters.redis.codec import Codec, Undecodable
from relay.adapters.redis.connect import Client
from relay.core.event import JsonObject
from relay.core.incident import Incident, Peak, Standing
from relay.core.incident_log import Answers, Happening, LogEntry, Part, Sample

KEPT = 50
"""Incidents of one destination; a destination that has more of them has other worries."""
LINES = 20_000
"""Of one log: two weeks of samples, far more than TikTok deduplicates or accepts."""
A_CALL = 500  # lines
PAGE = 1000
KINDS: dict[str, type[LogEntry]] = {"sample": Sample, "part": Part, "happening": Happening}
NAMES = {kind: name for name, kind in KINDS.items()}


class RedisIncidents:
    """See ``ports.Incidents``."""

    def __init__(self, client: Client, codec: Codec) -> None:
        self._client, self._codec = client, codec

    async def log(self, destination: str, number: int) -> list[LogEntry]:
        """See ``ports.Incidents.log``."""
        found: dict[str, LogEntry] = {}
        position = "-"
        while True:
            page = await self._client.run(
                "XRANGE", keys.incident_log(destination, number), position, "+", "COUNT", PAGE
            )
            for _, line in page:
                entry = _entry(self._opened(line.get(b"d", b"")))
                if entry is not None:
                    found.setdefault(entry.token, entry)
            if len(page) < PAGE:
                return list(found.values())
            position = f"({page[-1][0].decode()}"

    async def list(self, destination: str) -> list[Incident]:
        """See ``ports.Incidents.list``. A record that cannot be read (a newer version's) is left out."""
        stored: dict[bytes, bytes] = await self._client.run("HGETALL", keys.incidents(destination))
        read = (self._incident(destination, number, text) for number, text in stored.items())
        return sorted((one for one in read if one is not None), key=lambda one: -one.number)

    async def save(self, incident: Incident, expected_version: int, log: Sequence[LogEntry]) -> bool:
        """See ``ports.Incidents.save``."""
        record = self._codec.encode_text(orjson.dumps(incident))
        if not await self._write(incident.destination, incident.number, expected_version, record, log[:A_CALL]):
            return False
        await self.append(incident.destination, incident.number, log[A_CALL:])
        return True

    async def append(self, destination: str, number: int, log: Sequence[LogEntry]) -> bool:
        """See ``ports.Incidents.append``."""
        there = bool(log)
        for start in range(0, len(log), A_CALL):
            there &= await self._write(destination, number, "-", b"", log[start : start + A_CALL])
        return there

    async def _write(
        self, destination: str, number: int, version: int | str, record: bytes, lines: Sequence[LogEntry]
    ) -> bool:
        old = number - KEPT
        names = [
            keys.incidents(destination),
            keys.incident_log(destination, number),
            keys.incident_log(destination, old),
        ]
        args = (number, version, record, old, LINES, *(self._codec.encode_text(_line(entry)) for entry in lines))
        return bool(await self._client.script("incident", names, args))

    def _incident(self, destination: str, number: bytes, text: bytes) -> Incident | None:
        version, _, record = text.partition(b" ")
        return _incident(destination, number, version, self._opened(record))

    def _opened(self, kept: bytes) -> bytes:
        """A record or a line as JSON; nothing where it cannot be read."""
        try:
            return self._codec.decode_text(kept)
        except Undecodable:
            return b""


def _line(entry: LogEntry) -> bytes:
    return orjson.dumps({"kind": NAMES[type(entry)]})[:-1] + b"," + orjson.dumps(entry)[1:]


def _entry(text: bytes) -> LogEntry | None:
    """A line of the log; None for one that another version wrote in a way not known here."""
    try:
        found = orjson.loads(text)
        kind = KINDS[found["kind"]]
        known = _known(kind, found)
        return _part(known) if kind is Part else kind(**known)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _part(known: dict[str, Any]) -> Part:
    answers = {code: Answers(**_known(Answers, one)) for code, one in known["answers"].items()}
    known["answers"] = {code: replace(one, request_ids=tuple(one.request_ids)) for code, one in answers.items()}
    known["sold"] = {
        event: {currency: (items, micros) for currency, (items, micros) in row.items()}
        for event, row in known["sold"].items()
    }
    return Part(**known | {"delays": tuple(known["delays"])})


def _incident(destination: str, number: bytes, version: bytes, record: bytes) -> Incident | None:
    """A record; its version is the one the script reads."""
    try:
        found = _known(Incident, orjson.loads(record))
        for name, kind in (("opening", Standing), ("latest", Standing), ("peak", Peak)):
            found[name] = kind(**_known(kind, found[name]))
        found |= {"destination": destination, "number": int(number), "version": int(version)}
        return Incident(**found | {"causes": tuple(found["causes"])})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _known(kind: type, found: JsonObject) -> dict[str, Any]:
    """The fields that this version knows."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in found.items() if name in names}

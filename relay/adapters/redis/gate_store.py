"""The shared record of each gate. Every write names the version it read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from relay.adapters.redis import keys
from relay.adapters.redis.connect import Client, as_written_here
from relay.core.delivery.gate import GateRecord, GateState


class RedisGates:
    """See ``ports.GateStore``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def load(self, destination: str) -> GateRecord:
        """See ``ports.GateStore.load``."""
        stored: dict[bytes, bytes] = await self._client.run("HGETALL", keys.gate(destination))
        with as_written_here(keys.gate(destination)):
            return _record(stored)

    async def save(self, destination: str, record: GateRecord, expected_version: int) -> bool:
        """See ``ports.GateStore.save``."""
        args: list[bytes | str | int] = [expected_version]
        for name, value in asdict(record).items():
            if name != "version":
                args += (name, value if isinstance(value, int) else value.encode("utf-8", "surrogatepass"))
        return bool(await self._client.script("gate", [keys.gate(destination)], args))

    async def paused(self, destination: str) -> bool:
        """See ``ports.GateStore.paused``."""
        return bool(await self._client.run("HGET", keys.gate(destination), "paused") == b"1")

    async def set_paused(self, destination: str, *, paused: bool) -> None:
        """See ``ports.GateStore.set_paused``."""
        await self._client.script("pause", [keys.gate(destination)], [int(paused)])


def _record(stored: Mapping[bytes, bytes]) -> GateRecord:
    fields = {name.decode(): value.decode("utf-8", "surrogatepass") for name, value in stored.items()}
    fresh = GateRecord()
    known: dict[str, Any] = {}
    for name, default in asdict(fresh).items():
        if name in fields:
            known[name] = GateState(fields[name]) if name == "state" else type(default)(fields[name])
    return GateRecord(**known)

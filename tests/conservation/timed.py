"""The real scripts on a clock that a test moves: their one call of TIME reads a key instead, and ids tell that time."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from relay.adapters.redis import connect
from relay.adapters.redis.connect import Client
from relay.adapters.redis.scripts import SCRIPTS, Script
from tests.twins.clock import Calls

KEY = "test:now"
HONEST = "call('TIME')"
TOLD = f"{{ math.floor(call('GET', '{KEY}') / 1000), (call('GET', '{KEY}') % 1000) * 1000 }}"
TIME = ("TIME",)
ANY_ID = "'*'"
TOLD_ID = f"call('GET', '{KEY}') .. '-*'"


def scripts_on_told_time(patch: pytest.MonkeyPatch) -> None:
    """Only the source of the time changes; everything else is the shipped text."""
    told = {}
    for name, script in SCRIPTS.items():
        assert script.text.count(HONEST) == 1, "the scripts read the time in one place"
        text = script.text.replace(HONEST, TOLD).replace(ANY_ID, TOLD_ID)
        told[name] = Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
    patch.setattr(connect, "SCRIPTS", told)


class TellsTime:
    """Tells a server the time before each call that depends on it, and knows of calls that are under way."""

    def __init__(self, client: Client, patch: pytest.MonkeyPatch) -> None:
        self.calls = Calls()
        self._client = client
        self._told = 0
        for name in ("run", "many", "script"):
            patch.setattr(client, name, self._counted(getattr(client, name)))
        patch.setattr(client, "run", self._run_told(client.run))
        patch.setattr(client, "many", self._many_told(client.many))

    async def tell(self, now_ms: int) -> None:
        if now_ms != self._told:
            await self._client.run("SET", KEY, now_ms)
            self._told = now_ms  # not before: who asks meanwhile must not find it said

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*args: Any) -> Any:
            self.calls.begin()
            try:
                return await call(*args)
            finally:
                self.calls.end()

        return counted

    def _run_told(self, run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def told(*command: Any) -> Any:
            return self._time() if command == TIME else await run(*command)

        return told

    def _many_told(self, many: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def told(commands: Sequence[tuple[Any, ...]]) -> Any:
            answers = await many(commands)
            return [self._time() if one == TIME else answer for one, answer in zip(commands, answers, strict=True)]

        return told

    def _time(self) -> tuple[int, int]:
        """As the server says it: seconds and microseconds."""
        return self._told // 1000, self._told % 1000 * 1000

"""Writes that must be on other servers as well before anybody is told that they are done."""

from __future__ import annotations

from typing import Any

from relay.adapters.redis.connect import Args, Client, Keys
from relay.core.errors import StoreTrouble, StoreUnavailable

SHARE = 800
"""Of each thousandth of the socket's patience: the answer must be the replicas', not the socket's."""


class Confirmed:
    """Runs scripts; with ``replicas`` they are done when so many replicas have said so."""

    def __init__(self, client: Client, replicas: int) -> None:
        self._client, self._replicas = client, replicas
        self._how: tuple[str | int, ...] = ("WAIT",)

    def confirm_with(self, *, waitaof: bool, own_file: bool) -> None:
        """How replicas confirm: from their disks where the server knows WAITAOF, else from their memory."""
        self._how = ("WAITAOF", int(own_file)) if waitaof else ("WAIT",)

    async def script(self, name: str, keys_: Keys, args: Args) -> Any:
        """The script's answer. StoreUnavailable when too few confirm: it was written here, and may be repeated."""
        wanted = self._replicas
        if not wanted:
            return await self._client.script(name, keys_, args)
        then = (*self._how, wanted, int(self._client.timeout * SHARE))
        answer, confirmed = await self._client.script_then(name, keys_, args, then)
        have = int(confirmed[1] if isinstance(confirmed, list | tuple) else confirmed)
        if have < wanted:
            raise StoreUnavailable(StoreTrouble.REPLICAS, f"{have} of {wanted} replicas confirmed")
        return answer

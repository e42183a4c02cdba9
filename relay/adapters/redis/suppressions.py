"""The list of people whose events are refused: marks only, in a stream that tells what changed since a look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from relay.adapters.redis import keys
from relay.adapters.redis.confirm import Confirmed
from relay.adapters.redis.connect import Client
from relay.adapters.redis.options import StoreOptions
from relay.core.errors import StoreTrouble, StoreUnavailable
from relay.core.marks import MARK_BYTES
from relay.ports import NOW, Changes, Listed

PAGE = 2000
A_CALL = 500


class RedisSuppressions:
    """See ``ports.Suppressions``."""

    def __init__(
        self, client: Client, confirmed: Confirmed, options: StoreOptions, digest_key: Callable[[], bytes]
    ) -> None:
        self._client, self._confirmed, self._options, self._digest_key = client, confirmed, options, digest_key
        self._begun: tuple[bytes, Any] = (b"", None)  # a digest that has read its key already, and that key

    def mark(self, identity: str) -> bytes:
        """See ``ports.Suppressions.mark``. Keyed like remembered ids, and of another kind than those."""
        key, begun = self._begun
        if begun is None or key != self._digest_key():
            key = self._digest_key()
            begun = blake2b(digest_size=MARK_BYTES, key=key, person=b"relay suppressed")
            self._begun = key, begun
        digest = begun.copy()
        digest.update(identity.encode("utf-8", "surrogatepass"))
        mark: bytes = digest.digest()
        return mark

    async def write(self, identities: Sequence[str], *, on: bool, asked_ms: Mapping[str, int] = NOW) -> Listed:
        """See ``ports.Suppressions.write``. Whoever asked to be forgotten is told so: replicas must know as well."""
        if not self._digest_key():
            raise StoreUnavailable(StoreTrouble.AWAY, "its digest key is not known yet")
        changed, listed, options = 0, 0, self._options
        used = [keys.suppressed(), keys.suppressed_index(), keys.lifted_index()]
        for start in range(0, len(identities), A_CALL):
            args: list[bytes | str | int] = [int(on), options.suppressed_age_ms, options.suppressed_most]
            for identity in identities[start : start + A_CALL]:
                args += (self.mark(identity), max(0, asked_ms.get(identity, 0)))
            new, listed = map(int, await self._confirmed.script("suppress", used, args))
            if new < 0:
                most = f"{listed:,} of {options.suppressed_most:,} identities are listed"
                raise StoreUnavailable(StoreTrouble.SUPPRESSED_FULL, most, retry_after=60)
            changed += new
        return Listed(changed, listed)

    async def since(self, after: str) -> Changes:
        """See ``ports.Suppressions.since``."""
        if not self._digest_key():
            raise StoreUnavailable(StoreTrouble.AWAY, "its digest key is not known yet")
        low = f"({after}" if after else "-"
        page = await self._client.run("XRANGE", keys.suppressed(), low, "+", "COUNT", PAGE)
        changes = [(mark, name == b"m") for _, fields in page for name, mark in fields.items()]
        return Changes(page[-1][0].decode() if page else after, changes, len(page) == PAGE)

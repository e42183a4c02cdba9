"""The store: its ports over one client, and the agreement about what kind of store it is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from relay.adapters.redis import keys, vault
from relay.adapters.redis.archive import RedisArchive, RedisReplays
from relay.adapters.redis.bounds import RedisBounds
from relay.adapters.redis.codec import SHIPPED, Codec, SealingCodec, load_dictionaries
from relay.adapters.redis.confirm import Confirmed
from relay.adapters.redis.connect import Client, as_written_here
from relay.adapters.redis.dead_letters import RedisDeadLetters
from relay.adapters.redis.erasure import RedisErasure
from relay.adapters.redis.gate_store import RedisGates
from relay.adapters.redis.health import knows_waitaof
from relay.adapters.redis.inbox import RedisInbox
from relay.adapters.redis.incidents import RedisIncidents
from relay.adapters.redis.mode_store import RedisModes
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.overflow import RedisOverflow
from relay.adapters.redis.owed import RedisOwed
from relay.adapters.redis.roster import RedisRoster
from relay.adapters.redis.sealing import key_id
from relay.adapters.redis.state import StoreState, Watch
from relay.adapters.redis.suppressions import RedisSuppressions
from relay.adapters.redis.tracks import RedisTracks
from relay.core.errors import ConfigError, StoreMismatch, StoreTrouble, StoreUnavailable
from relay.core.event import StreamKey
from relay.core.notices import Notice
from relay.ports import Clock, Tell


class RedisStore:
    """Its ports, as in ``relay.ports``, each under its name; ``.state`` knows whether entries are taken."""

    def __init__(
        self, client: Client, streams: Sequence[StreamKey], clock: Clock, options: StoreOptions, tell: Tell
    ) -> None:
        codec = codec_of(options, clock)
        self.client = client
        self._streams = streams
        self.state = StoreState(options)
        self._digest_key: bytes | None = None
        self._options = options
        self._watch = Watch(client, self.state, clock, tell, self.verify)
        self._confirmed = Confirmed(client, options.replicas)
        self.inbox = RedisInbox(self._confirmed, streams, clock, codec, options, self._admit, self._key)
        self.owed = RedisOwed(client, streams, codec, options, self.state)
        self.dead_letters = RedisDeadLetters(client, codec)
        self.gates = RedisGates(client)
        self.tracks = RedisTracks(client, codec, self._key)
        self.incidents = RedisIncidents(client, codec)
        self.modes = RedisModes(client, options)
        self.roster = RedisRoster(client)
        self.overflow = RedisOverflow(client, streams, self.state, sheds=options.sheds)
        self.archive = RedisArchive(client, codec, options)
        self.replays = RedisReplays(client, clock, self._key, options.lease_ms)
        self.bounds = RedisBounds(client, options)
        self.erasure = RedisErasure(client, codec)
        self.suppressions = RedisSuppressions(client, self._confirmed, options, self._key)

    @classmethod
    async def open(
        cls,
        client: Client,
        streams: Sequence[StreamKey],
        clock: Clock,
        options: StoreOptions | None = None,
        tell: Tell | None = None,
    ) -> RedisStore:
        """A store, created in Redis when it is new. StoreMismatch when it was created otherwise.

        One that does not answer yet is opened too: ``watch`` goes on asking, and nothing is appended until it agreed.
        """
        options = options or StoreOptions()
        if options.replicas and client.cluster:
            raise ConfigError(["journal.replicas: cannot be confirmed through redis+cluster:// - use Sentinel, or 0"])
        store = cls(client, streams, clock, options, tell or _nobody)
        await store._watch.look()
        return store

    async def watch(self, stopping: asyncio.Event) -> None:
        """Keep ``state`` fresh until stopped; while this runs, append answers from it at once."""
        await self._watch.run(stopping)

    async def verify(self) -> None:
        """Create or check the store's description; its digest key is known afterwards.

        Again with every look: a server that came back without its data must not forget which key the ids it is about
        to remember were made with.
        """
        known = None if self._digest_key is None else self._digest_key.hex()
        if known and await self._still_there(known):
            return
        mine = known or secrets.token_hex(16)
        for name, value in (("schema", keys.SCHEMA), ("partitions", keys.PARTITIONS), ("digest_key", mine)):
            await self.client.run("HSETNX", keys.meta(), name, value)
        meta: dict[bytes, bytes] = await self.client.run("HGETALL", keys.meta())
        for name, value in (("schema", keys.SCHEMA), ("partitions", keys.PARTITIONS)):
            if meta.get(name.encode()) != str(value).encode():
                raise StoreMismatch(_mismatch(name, meta.get(name.encode(), b"?").decode(), value))
        await self._agree_on_keys()
        names = [f"{stream.destination}:{stream.klass.value}" for stream in self._streams]
        if names:
            await self.client.run("SADD", keys.streams(), *names)
        if self._options.replicas:
            info: dict[str, Any] = await self.client.run("INFO")
            self._confirmed.confirm_with(waitaof=knows_waitaof(info), own_file=bool(info.get("aof_enabled")))
        with as_written_here(keys.meta()):
            self._digest_key = bytes.fromhex(meta[b"digest_key"].decode())
        self.inbox.forget_digests()

    async def _agree_on_keys(self) -> None:
        """Refuse a store with records that we could not open; note the key that we shall seal with."""
        listed = [key_id(key) for key in self._options.encryption_keys]
        known = {*listed, *self._options.lost_keys}
        if needed := await vault.unlisted(self.client, known):
            raise StoreMismatch(vault.refusal(needed))
        await vault.retire(self.client, known)
        if listed:
            await vault.note(self.client, listed[0])

    async def _still_there(self, known: str) -> bool:
        try:
            return bool(await self.client.run("HGET", keys.meta(), "digest_key") == known.encode())
        except StoreUnavailable:
            return True  # it went away since this look began; the next one says so, and better

    async def close(self) -> None:
        """Hang up."""
        await self.client.close()

    def _admit(self) -> None:
        self.state.admit()
        if self._digest_key is None:
            raise StoreUnavailable(self.state.trouble or StoreTrouble.AWAY, self.state.detail)

    def _key(self) -> bytes:
        return self._digest_key or b""  # ``_admit`` came first


def codec_of(options: StoreOptions, clock: Clock) -> Codec:
    """How this deployment keeps its events."""
    folders = (SHIPPED, options.dictionaries) if options.dictionaries else (SHIPPED,)
    dictionaries = load_dictionaries(folders)
    if not options.encryption_keys:
        return Codec(dictionaries, options.lost_keys)
    from relay.adapters.redis.sealer import Sealer  # noqa: PLC0415 - 7 MB that a relay without a key need not carry

    return SealingCodec(dictionaries, Sealer(options.encryption_keys, clock.now_ms), options.lost_keys)


def _mismatch(name: str, found: str, wanted: int) -> str:
    return (
        f"the store in Redis was created with {name} {found}, this relay works with {wanted}. "
        "Let a relay of the version that created it deliver what is owed (see relay status) and start with an empty"
        " database, or point RELAY_REDIS_URL to another one."
    )


def _nobody(notice: Notice) -> None:
    """Nobody listens."""
    del notice

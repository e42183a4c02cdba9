"""Opening the store: the embedded Valkey in the data directory, or somebody's Redis."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from relay.adapters.redis.connect import connect
from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.store import RedisStore
from relay.adapters.redis.valkey_process import EmbeddedOptions
from relay.app.parts import streams_of
from relay.config import Settings, key_bytes
from relay.core.errors import ConfigError
from relay.engine.bounds import Housekeeping
from relay.engine.eraser import Eraser
from relay.engine.shedder import Shedder
from relay.engine.suppression import Suppression
from relay.engine.sweeper import Sweeper
from relay.engine.trimmer import Trimmer
from relay.ports import Clock, Tell

TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Store:
    """An opened store. ``embedded`` is None where Redis is somebody else's."""

    redis: RedisStore
    embedded: EmbeddedValkey | None
    shedder: Shedder
    trimmer: Trimmer
    housekeeping: Housekeeping
    suppression: Suppression
    eraser: Eraser
    sweeper: Sweeper

    def disk_free(self) -> int | None:
        """Free bytes under the embedded server; None elsewhere."""
        return self.embedded.disk_free_bytes() if self.embedded else None

    async def watch(self, stopping: asyncio.Event) -> None:
        """Keep the state fresh, room in it and the embedded server alive until stopped."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.redis.watch(stopping), name="watch the store")
            tasks.create_task(self.shedder.run(stopping), name="make room")
            tasks.create_task(self.trimmer.run(stopping), name="trim the archive")
            tasks.create_task(self.suppression.run(stopping), name="whom to refuse")
            tasks.create_task(self.sweeper.run(stopping), name="erase what is kept of whom to refuse")
            tasks.create_task(self.housekeeping.run(stopping), name="keep to the limits")
            if self.embedded:
                tasks.create_task(self.embedded.watch(stopping), name="watch the embedded server")


async def open_store(stack: AsyncExitStack, settings: Settings, clock: Clock, tell: Tell, folder: Path) -> Store:
    """A store whose closing is on ``stack``. It may still be loading, or away: its state says so.

    ``folder`` is where an embedded server keeps its files. ConfigError when another relay works there.
    """
    embedded: EmbeddedValkey | None = None
    if settings.journal.redis_url is None:
        embedded = EmbeddedValkey(folder, embedded_options(settings), clock, tell)
        await stack.enter_async_context(embedded)
        url = embedded.url
    else:
        url = settings.journal.redis_url.get_secret_value()
    client = connect(url, settings.journal.timeout)
    redis = await RedisStore.open(client, streams_of(settings), clock, store_options(settings, embedded), tell)
    stack.push_async_callback(redis.close)
    shedder, trimmer = Shedder(redis.overflow, clock, tell), Trimmer(redis.archive, clock)
    names = [destination.name for destination in settings.destinations]
    housekeeping = Housekeeping(redis.bounds, names, clock, tell)
    suppression = Suppression(redis.suppressions, clock, tell, settings.privacy.suppress_most)
    eraser = Eraser(redis.erasure, suppression, clock, tell, embedded.rewrite_soon if embedded else lambda: None)
    sweeper = Sweeper(eraser, suppression, clock)
    return Store(redis, embedded, shedder, trimmer, housekeeping, suppression, eraser, sweeper)


def embedded_options(settings: Settings) -> EmbeddedOptions:
    """What the embedded server may use."""
    journal = settings.journal
    return EmbeddedOptions(
        max_memory=None if journal.valkey_max_memory is None else int(journal.valkey_max_memory),
        disk_floor=int(journal.disk_floor),
        ballast=int(journal.ballast),
    )


def store_options(settings: Settings, embedded: EmbeddedValkey | None = None) -> StoreOptions:
    """How much may be kept, and how long a lease lasts."""
    journal = settings.journal
    options = StoreOptions(
        max_bytes=None if journal.max_bytes is None else int(journal.max_bytes),
        high=journal.high,
        low=journal.low,
        sheds=journal.on_full == "shed",
        archive=journal.archive,
        replicas=journal.replicas,
        lease_ms=int(journal.lease * 1000),
        live_age_ms=int(settings.delivery.live_age * 1000),
        retention_ms=int(settings.journal.retention * 1000),
        failback_grace_ms=int(2 * settings.journal.timeout * 1000),
        encryption_keys=tuple(key_bytes(key.get_secret_value()) for key in journal.encryption_key),
        lost_keys=journal.lost_keys,
        suppressed_age_ms=int(settings.privacy.suppress_for * 1000),
        suppressed_most=settings.privacy.suppress_most,
        letters_age_ms=int(settings.dead_letters.max_age * 1000),
        letters_bytes=int(settings.dead_letters.max_bytes),
        reports_age_ms=int(settings.reports.max_age * 1000),
        reports_bytes=int(settings.reports.max_bytes),
    )
    if embedded is None:
        return options
    return replace(options, disk_low=embedded.disk_low, disk_free=embedded.disk_free_bytes)


def admin_token(settings: Settings) -> str:
    """The configured token, else one generated into ``DATA_DIR/admin.token`` (0600), the same after a restart."""
    if settings.admin.token is not None:
        return settings.admin.token.get_secret_value()
    path = settings.journal.data_dir / "admin.token"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and (kept := path.read_text(encoding="ascii").strip()):
            return kept
        path.touch(mode=0o600)
        path.chmod(0o600)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        path.write_text(token + "\n", encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be written ({error}); set RELAY_ADMIN_TOKEN or RELAY_DATA_DIR"]) from None
    return token

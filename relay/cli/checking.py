"""What ``relay check`` looks at: configuration, store, TikTok's credentials. Nothing is sent, nothing is kept."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from relay.adapters.redis.connect import connect
from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.health import Finding, Health, Level, examine
from relay.adapters.system import SystemClock
from relay.adapters.tiktok import Probe, TikTokSender, probe_credentials
from relay.app.mappings import Examined, examine_mappings
from relay.app.parts import access_tokens, refuse_nonsense, streams_of
from relay.app.store import embedded_options, store_options
from relay.cli.meaning import ON_FULL, meaning_of
from relay.config import Loaded, Settings, Source
from relay.core.errors import ConfigError, StoreMisused, StoreUnavailable
from relay.core.event import JsonObject
from relay.core.notices import Notice

STORE_PATIENCE = 20.0  # a server that is still loading a large file gets so long
MOST_IN_A_BATCH = 500  # a batch is answered as a whole; Segment waits 5 s for it (Segment sheet section 1.7)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``probes`` and ``mappings`` by destination; ``store`` says which store was looked at."""

    configuration: Mapping[str, tuple[str, str]]
    problems: list[str]
    store: str = ""
    health: Health | None = None
    probes: Mapping[str, Probe] = field(default_factory=dict)
    segment: list[JsonObject] = field(default_factory=list)
    mappings: Mapping[str, Examined] = field(default_factory=dict)
    destinations: list[JsonObject] = field(default_factory=list)
    on_full: tuple[str, str] = ("", "")  # the choice, and what it means

    @property
    def good(self) -> bool:
        """Whether ``relay serve`` would start and its tokens were not refused."""
        refused = any(probe.good is False for probe in self.probes.values())
        return not self.problems and self.health is not None and not self.health.refusals and not refused


async def look(loaded: Loaded, *, offline: bool) -> Report:
    """Look at everything; with ``offline`` TikTok is not asked."""
    settings = loaded.settings
    mappings = examine_mappings(settings)
    problems = nonsense(loaded) + [problem for one in mappings.values() for problem in one.problems]
    store, health = await look_at_store(settings)
    probes = {} if offline or problems else await look_at_tiktok(settings)
    meanings = [meaning_of(destination, settings.journal.retention) for destination in settings.destinations]
    segment = segment_settings(settings)
    on_full = (settings.journal.on_full, ON_FULL[settings.journal.on_full])
    return Report(loaded.effective(), problems, store, health, probes, segment, mappings, meanings, on_full)


def nonsense(loaded: Loaded) -> list[str]:
    """What would keep ``relay serve`` from starting although every value is valid."""
    try:
        refuse_nonsense(loaded, "all")
    except ConfigError as error:
        return error.problems
    return []


async def look_at_store(settings: Settings) -> tuple[str, Health]:
    """Which store it is, and what was found. An embedded one that does not run is started for trial elsewhere."""
    async with AsyncExitStack() as stack:
        try:
            name, url = await store_to_look_at(stack, settings)
            client = connect(url, settings.journal.timeout)
            stack.push_async_callback(client.close)
            async with asyncio.timeout(STORE_PATIENCE):
                health = await examine(client, streams_of(settings), SystemClock().now_ms, store_options(settings))
        except ConfigError as error:
            return "Redis", unusable("\n".join(error.problems))
        except StoreMisused as refusal:
            return "Redis", unusable(f"refuses to be looked at: {refusal}")
        except (StoreUnavailable, TimeoutError) as trouble:
            return "Redis", unusable(f"does not answer: {str(trouble) or 'no answer in time'}")
        return name, health


async def store_to_look_at(stack: AsyncExitStack, settings: Settings) -> tuple[str, str]:
    """A name for people, and the URL."""
    if settings.journal.redis_url is not None:
        return "your Redis", settings.journal.redis_url.get_secret_value()
    options, clock = embedded_options(settings), SystemClock()
    running = EmbeddedValkey(settings.journal.data_dir, options, clock, silent)
    if running.socket_path.exists() and await answers(running.url):
        return f"the embedded Valkey that is running in {settings.journal.data_dir}", running.url
    folder = Path(tempfile.mkdtemp(prefix="relay-check-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    trial = await stack.enter_async_context(EmbeddedValkey(folder, options, clock, silent))
    return f"the embedded Valkey (not running in {settings.journal.data_dir}; one was started for trial)", trial.url


async def answers(url: str) -> bool:
    """Whether a server listens there."""
    client = connect(url, 1.0)
    try:
        await client.run("PING")
    except StoreUnavailable as trouble:
        return trouble.trouble.value == "redis_loading"
    finally:
        await client.close()
    return True


def unusable(text: str) -> Health:
    """The finding that there is nothing to look at."""
    return Health((Finding(Level.REFUSE, "connection", text),), "nothing: the store cannot be used")


async def look_at_tiktok(settings: Settings) -> dict[str, Probe]:
    """What TikTok says about each destination's token, without sending a conversion."""
    tokens, _ = access_tokens(settings)
    async with aiohttp.ClientSession() as session:
        return {
            destination.name: await probe_credentials(
                TikTokSender(session, settings.delivery.base_url, tokens[destination.name], settings.delivery.timeout),
                destination.event_source,
                destination.event_source_id,
            )
            for destination in settings.destinations
        }


def segment_settings(settings: Settings) -> list[JsonObject]:
    """What to enter in Segment, for the common sender and for each named one."""
    common = settings.segment
    where = settings.intake.public_url or "https://<where Segment reaches this relay>"
    found: list[JsonObject] = []
    for key, own in settings.senders.items():
        name = key.removeprefix("segment").removeprefix(".sources.")
        path = f"/webhook/segment/{name}" if name else "/webhook/segment"
        sender = own.model_copy(
            update={"shared_secret": own.shared_secret or common.shared_secret, "token": own.token or common.token}
        )
        batches = bool(sender.token) or settings.segment.trust_batches or not sender.shared_secret
        found.append(
            {
                "source": name or None,
                "url": where + path,
                "listens_on": f"http://{settings.intake_host}:{settings.intake.port}{path}",
                "method": "POST",
                "shared_secret": value_of(key, "shared_secret", own.shared_secret, sender.shared_secret),
                "headers": {"X-Relay-Token": value_of(key, "token", own.token, sender.token)} if sender.token else {},
                "data": "the whole event (the default mapping)",
                "sdk_host": where if own.write_keys else None,
                "feeds": list(own.destinations or common.destinations),
                "batch_size": MOST_IN_A_BATCH if batches else 1,
                "note": note(settings, key, sender),
            }
        )
    return found


def value_of(key: str, field: str, own: object, effective: object) -> str | None:
    """Where in the configuration a value stands; None when there is none."""
    return f"the value of {key if own else 'segment'}.{field}" if effective else None


def note(settings: Settings, key: str, sender: Source) -> str:
    """What is wrong or surprising about how this sender proves who it is; '' when nothing is."""
    if not sender.shared_secret and not sender.token:
        if settings.intake.allow_unsigned:
            return "Nothing verifies this sender (intake.allow_unsigned): whoever reaches the port can send events."
        if settings.verifies_senders:
            return f"Nothing can verify this sender, so it is refused: set {key}.shared_secret or {key}.token."
        return f"Nothing verifies senders, so the relay listens on loopback only: set {key}.shared_secret."
    if sender.shared_secret and not sender.token and not settings.segment.trust_batches:
        return f"Leave batching off: Segment signs only the first event of a batch. To batch, set {key}.token as well."
    return ""


def silent(_notice: Notice) -> None:
    """A check tells by its report."""

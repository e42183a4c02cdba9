"""Settings → the parts' own options. Pure translation: nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import aiohttp
from pydantic import SecretStr

from relay.adapters.system import FileSecret
from relay.adapters.tiktok import TikTokSender
from relay.adapters.web.intake_options import DEFAULT_SOURCE, IntakeOptions, SourceOptions
from relay.config import Destination as DestinationSettings
from relay.config import Segment, Settings, Source
from relay.core.delivery.batch import Limits
from relay.core.delivery.mode import Mode
from relay.core.errors import ConfigError
from relay.core.event import EntryClass, StreamKey
from relay.core.mapping import MappingError, TriggerError, load_presets
from relay.core.mapping.destination import DestinationMapping, compile_destination
from relay.core.segment.select import Route
from relay.engine.delivery import Destination

# Names of the TikTok destinations in an ``integrations`` object, old spellings included (Segment sheet §5).
INTEGRATION_NAMES = {
    "tiktok-conversions": frozenset({"TikTok Conversions", "Tiktok Conversions"}),
    "tiktok-app-events": frozenset({"TikTok App Events", "Tiktok App Events"}),
    "tiktok-offline-conversions": frozenset({"TikTok Offline Conversions", "Tiktok Offline Conversions"}),
}
LOOPBACK = ("127.0.0.0/8", "::1/128")


def intake_options(settings: Settings) -> IntakeOptions:
    """Who may send, and how much at once."""
    named = {name: source_options(source, settings.segment) for name, source in settings.segment.sources.items()}
    return IntakeOptions(
        sources={DEFAULT_SOURCE: source_options(settings.segment, settings.segment), **named},
        max_body=int(settings.intake.max_body),
        max_events=settings.intake.max_events,
        max_depth=settings.intake.max_depth,
        allow_unsigned=settings.intake.allow_unsigned or not settings.verifies_senders,
        trusted_proxies=settings.intake.trusted_proxies or LOOPBACK,
        unverified_grace=settings.intake.unverified_grace,
    )


def source_options(source: Segment | Source, common: Segment) -> SourceOptions:
    """A sender's secrets as bytes; the common secret or token where it has none of its own."""
    return SourceOptions(
        secrets=clear(source.shared_secret or common.shared_secret),
        tokens=clear(source.token or common.token),
        write_keys=clear(source.write_keys),
        trust_batches=common.trust_batches,
    )


def clear(secrets: Sequence[SecretStr]) -> tuple[bytes, ...]:
    """The secrets themselves."""
    return tuple(secret.get_secret_value().encode() for secret in secrets)


def streams_of(settings: Settings) -> list[StreamKey]:
    """Every owed stream there can be."""
    return [StreamKey(destination.name, klass) for destination in settings.destinations for klass in EntryClass]


def compile_mappings(settings: Settings) -> dict[str, DestinationMapping]:
    """Each destination's mapping, compiled; raises ConfigError with every problem of every mapping."""
    mappings: dict[str, DestinationMapping] = {}
    problems: list[str] = []
    for destination in settings.destinations:
        try:
            mappings[destination.name] = compile_mapping_of(destination, repair=settings.mapping.repair)
        except (MappingError, TriggerError, LookupError) as error:
            lines = getattr(error, "errors", None) or [str(error)]
            problems += [f"destinations.{destination.name}.mapping: {line}" for line in lines]
    if problems:
        raise ConfigError(problems)
    return mappings


def compile_mapping_of(destination: DestinationSettings, *, repair: bool) -> DestinationMapping:
    """A preset family, compiled for one event source."""
    if destination.preset not in INTEGRATION_NAMES:
        raise LookupError(f"no preset family {destination.preset!r}; there are: {', '.join(sorted(INTEGRATION_NAMES))}")
    presets = load_presets(destination.preset)
    return compile_destination(destination.preset, destination.event_source_id, presets, repair=repair)


def routes(settings: Settings, mappings: Mapping[str, DestinationMapping]) -> list[Route]:
    """The destinations as intake sees them."""
    conversions = frozenset(settings.delivery.conversions)
    return [
        Route(destination.name, INTEGRATION_NAMES[destination.preset], mappings[destination.name].matches, conversions)
        for destination in settings.destinations
    ]


def access_tokens(settings: Settings) -> tuple[dict[str, Callable[[], str]], dict[str, FileSecret]]:
    """The token of each destination as a question, and those that live in a file; ConfigError for unreadable ones."""
    tokens: dict[str, Callable[[], str]] = {}
    files: dict[str, FileSecret] = {}
    problems: list[str] = []
    for destination in settings.destinations:
        if destination.access_token is not None:
            tokens[destination.name] = destination.access_token.get_secret_value
        elif destination.access_token_file is not None:
            try:
                tokens[destination.name] = files[destination.name] = FileSecret(destination.access_token_file)
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"destinations.{destination.name}.access_token_file: cannot be read ({error})")
    if problems:
        raise ConfigError(problems)
    return tokens, files


def delivery_destination(
    destination: DestinationSettings,
    settings: Settings,
    mapping: DestinationMapping,
    session: aiohttp.ClientSession,
    token: Callable[[], str],
) -> Destination:
    """A destination as delivery sees it."""
    delivery = settings.delivery
    return Destination(
        name=destination.name,
        mapping=mapping,
        sender=TikTokSender(session, delivery.base_url, token, delivery.timeout),
        max_age_s=int(destination.max_age),
        also_sent_by=destination.overlap_with,
        test_event_code=destination.test_event_code,
        limits=Limits(items=delivery.batch_items, bytes=int(delivery.batch_bytes)),
        concurrency=delivery.concurrency,
        calls_per_s=delivery.calls_per_second,
        mode=Mode.STANDBY if destination.mode == "standby" else Mode.ACTIVE,
    )

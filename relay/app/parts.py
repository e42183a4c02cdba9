"""Settings → the parts' own options. Pure translation: nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

import aiohttp
from pydantic import SecretStr

from relay import __version__
from relay.adapters.observe.metrics import Labels
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import FileSecret
from relay.adapters.tiktok import TikTokSender
from relay.adapters.web.intake_options import UNKNOWN_SOURCE, IntakeOptions, SourceOptions
from relay.app.mappings import LiveMapping
from relay.app.operators import ADMIN_SOURCE, Operators, Senders, waits
from relay.config import Destination as DestinationSettings
from relay.config import Loaded, Segment, Settings, Source
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.delivery.mode import Mode
from relay.core.errors import ConfigError
from relay.core.event import DEFAULT_SOURCE, EntryClass, StreamKey
from relay.core.replay import Shop, View
from relay.core.segment.select import Route
from relay.engine.append import Appender
from relay.engine.delivery import OTHER_SENDERS, Delivery, DeliveryParts, Destination
from relay.engine.intake import Intake
from relay.engine.prospects import Prospects
from relay.engine.replay import Replayer
from relay.engine.replay_room import Room
from relay.engine.replay_work import WorkParts
from relay.engine.suppression import Suppression
from relay.engine.trace import TraceParts, Tracer
from relay.ports import Chance, Clock, Tell

# Names of the TikTok destinations in an ``integrations`` object, old spellings included (Segment sheet §5).
INTEGRATION_NAMES = {
    "tiktok-conversions": frozenset({"TikTok Conversions", "Tiktok Conversions"}),
    "tiktok-app-events": frozenset({"TikTok App Events", "Tiktok App Events"}),
    "tiktok-offline-conversions": frozenset({"TikTok Offline Conversions", "Tiktok Offline Conversions"}),
}
LOOPBACK = ("127.0.0.0/8", "::1/128")


def refuse_nonsense(loaded: Loaded, role: str) -> None:
    """What each value allows and all of them together do not."""
    settings, problems = loaded.settings, []
    if not settings.destinations:
        problems.append(
            "no destination: set RELAY_TIKTOK_PIXEL_CODE and RELAY_TIKTOK_ACCESS_TOKEN, or [[destinations]] in"
            " relay.toml; `relay serve --sandbox` needs neither"
        )
    if role != "all" and settings.journal.redis_url is None:
        problems.append(f"--role {role}: the two halves meet in Redis, so set RELAY_REDIS_URL")
    if settings.admin.token is None and not is_loopback(settings.admin.host):
        problems.append(
            f"admin.host = {settings.admin.host}: whoever reaches this port needs a token that you chose; set"
            " RELAY_ADMIN_TOKEN, or leave the port on 127.0.0.1"
        )
    if problems:
        raise ConfigError(problems)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a port bound to ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def intake_options(settings: Settings) -> IntakeOptions:
    """Who may send, and how much at once."""
    named = {name: source_options(source, settings) for name, source in settings.segment.sources.items()}
    return IntakeOptions(
        sources={DEFAULT_SOURCE: source_options(settings.segment, settings), **named},
        max_body=int(settings.intake.max_body),
        max_events=settings.intake.max_events,
        max_depth=settings.intake.max_depth,
        allow_unsigned=settings.intake.allow_unsigned or not settings.verifies_senders,
        public_url=settings.intake.public_url,
        trusted_proxies=settings.intake.trusted_proxies or LOOPBACK,
        unverified_grace=settings.intake.unverified_grace,
    )


def source_options(source: Segment | Source, settings: Settings) -> SourceOptions:
    """A sender's secrets as bytes; what is common where it has none of its own. Write keys are always its own."""
    common = settings.segment
    rate = source.rate or common.rate or settings.intake.rate or 0.0
    return SourceOptions(
        secrets=clear(source.shared_secret or common.shared_secret),
        tokens=clear(source.token or common.token),
        write_keys=clear(source.write_keys),
        trust_batches=common.trust_batches,
        origins=source.allowed_origins or common.allowed_origins,
        rate=rate,
        burst=source.burst or common.burst or settings.intake.burst or max(rate, 1.0),
    )


def clear(secrets: Sequence[SecretStr]) -> tuple[bytes, ...]:
    """The secrets themselves."""
    return tuple(secret.get_secret_value().encode() for secret in secrets)


def streams_of(settings: Settings) -> list[StreamKey]:
    """Every owed stream there can be."""
    return [StreamKey(destination.name, klass) for destination in settings.destinations for klass in EntryClass]


def routes(settings: Settings, mappings: Mapping[str, LiveMapping]) -> list[Route]:
    """The destinations as intake sees them."""
    conversions = frozenset(settings.delivery.conversions)
    return [
        Route(destination.name, INTEGRATION_NAMES[destination.preset], mappings[destination.name].matches, conversions)
        for destination in settings.destinations
    ]


def feeds(settings: Settings, routes: Sequence[Route]) -> Callable[[str], Sequence[Route]]:
    """Which routes are asked for the events of a source: those it names, else those that are common, else all."""
    common = settings.segment.destinations
    chosen = {DEFAULT_SOURCE: common}
    chosen |= {name: source.destinations or common for name, source in settings.segment.sources.items()}
    limited = {
        name: [route for route in routes if route.conversion.destination in names]
        for name, names in chosen.items()
        if names
    }
    return lambda source: limited.get(source, routes)


def delivery_parts(
    redis: RedisStore, suppression: Suppression, clock: Clock, chance: Chance, tell: Tell
) -> DeliveryParts:
    """What delivery works with."""
    return DeliveryParts(redis.owed, redis.gates, clock, chance, tell, redis.modes, redis.roster, suppression)


def intake(
    settings: Settings,
    redis: RedisStore,
    suppression: Suppression,
    appender: Appender,
    routes: Callable[[str], Sequence[Route]],
    clock: Clock,
    tell: Tell,
) -> Intake:
    """Who gives events to the destinations that want them, and to the archive what none wants."""
    archives = (lambda: redis.state.archives) if settings.journal.archive else None
    categories = frozenset(settings.segment.consent_categories)
    return Intake(appender, routes, clock, tell, categories, archives, suppression)


def labels(settings: Settings, role: str) -> Labels:
    """What metrics are labelled with."""
    sources = (DEFAULT_SOURCE, UNKNOWN_SOURCE, ADMIN_SOURCE, *settings.segment.sources)
    names = tuple(destination.name for destination in settings.destinations)
    return Labels(names, sources, version=__version__, role=role)


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
    mapping: LiveMapping,
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


def kept_s(settings: Settings) -> dict[str, float]:
    """How long after receipt an entry may be sent by itself, for each destination."""
    return {
        one.name: Clocks(int(one.max_age), shared=one.overlap_with in OTHER_SENDERS).kept_s
        for one in settings.destinations
    }


def replayer(
    settings: Settings,
    redis: RedisStore,
    delivery: Delivery,
    suppression: Suppression,
    routes: Sequence[Route],
    clock: Clock,
    tell: Tell,
    replica: str,
) -> Replayer:
    """Who sends archived events again."""
    categories = frozenset(settings.segment.consent_categories)
    names = [route.conversion.destination for route in routes]

    def view() -> View:
        modes = delivery.modes()
        sends = {name: modes[name].mode in (Mode.ACTIVE, Mode.FAILOVER) for name in names}
        shops = {
            name: Shop(route, delivery.rules(name), sends[name]) for name, route in zip(names, routes, strict=True)
        }
        return View(shops, categories, feeds(settings, routes), suppression.refuses)

    room = Room(redis.owed, clock, delivery.gates, lambda: redis.state.over)
    return Replayer(WorkParts(redis.archive, redis.replays, redis.dead_letters, room, clock, tell, view), replica)


def tracer(settings: Settings, redis: RedisStore, clock: Clock, delivery: Delivery, intake: Intake) -> Tracer:
    """Who looks up single events."""
    names = [destination.name for destination in settings.destinations]
    return Tracer(
        TraceParts(
            redis.tracks,
            redis.owed,
            redis.dead_letters,
            redis.gates,
            clock,
            names,
            delivery.rules,
            intake.passed_over,
            redis.archive,
        )
    )


def senders(settings: Settings, feeds: Callable[[str], Sequence[Route]], all_routes: int) -> Senders:
    """As whom operators can send events, and whether they have to say it."""
    names = (DEFAULT_SOURCE, *settings.segment.sources)
    return Senders(names, apart=any(len(feeds(name)) < all_routes for name in names))


def operators(
    settings: Settings,
    intake: Intake,
    mappings: Mapping[str, LiveMapping],
    delivery: Delivery,
    suppression: Suppression,
    clock: Clock,
) -> Operators:
    """What operators can send and look at."""
    wanted = routes(settings, mappings)
    fed = feeds(settings, wanted)
    named = senders(settings, fed, len(wanted))
    categories = frozenset(settings.segment.consent_categories)
    return Operators(
        intake,
        Prospects(fed, delivery.rules, clock, suppression, categories),
        mappings,
        named,
        lambda: waits(delivery.modes(), delivery.gates()),
        clock,
        settings.intake.max_events,
        settings.intake.max_depth,
    )

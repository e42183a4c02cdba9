"""What kind of store this is: findings for ``relay check`` and for start-up, and in plain words what a 200 survives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from relay.adapters.redis import keys, vault
from relay.adapters.redis.connect import Client
from relay.adapters.redis.options import StoreOptions
from relay.adapters.redis.sealing import key_id
from relay.core.errors import StoreMisused, StoreUnavailable
from relay.core.event import EntryClass, StreamKey

VALKEY_FROM, REDIS_FROM, WAITAOF_FROM = (8, 0), (7, 0), (7, 2)
SKEW_MS = 5_000
AHEAD_MS = 600_000
FULL_SHARE = 0.8
INTSET_ENTRIES = 4096
SETTINGS = ("maxmemory-policy", "appendonly", "appendfsync", "save", "set-max-intset-entries")


class Level(StrEnum):
    """How bad: ``refuse`` keeps the relay from starting."""

    OK = "ok"
    WARNING = "warning"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says of itself. ``settings`` is empty where CONFIG is forbidden; times in ms."""

    info: Mapping[str, Any]
    settings: Mapping[str, str]
    server_ms: int
    host_ms: int
    last_ids: Mapping[str, int] = field(default_factory=dict)  # key → milliseconds of its newest id
    replicas: int = 0  # how many the journal waits for
    stranded: Mapping[str, int] = field(default_factory=dict)  # ``destination:class`` nobody configured → owed
    key_ids: Sequence[str] = ()  # listed encryption keys, the one that seals first
    locked: Mapping[str, str] = field(default_factory=dict)  # id of a key that is missing → where it is needed
    damaged: Sequence[str] = ()  # keys that do not hold what the relay keeps there


@dataclass(frozen=True, slots=True)
class Health:
    """All findings, and one sentence for the start-up notice."""

    findings: tuple[Finding, ...]
    durability: str

    @property
    def refusals(self) -> list[str]:
        """Why the relay must not start; empty when it may."""
        return [f"redis: {one.topic}: {one.text}" for one in self.findings if one.level is Level.REFUSE]


async def examine(
    client: Client, streams: Sequence[StreamKey], host_ms: Callable[[], int], options: StoreOptions | None = None
) -> Health:
    """Ask the server. StoreUnavailable when it does not answer or is still loading its data."""
    options = options or StoreOptions()
    names = [keys.owed(stream) for stream in streams]
    names += [keys.dead(name) for name in dict.fromkeys(stream.destination for stream in streams)]
    info = await client.run("INFO")
    settings = {name: value for name in SETTINGS if (value := await _setting(client, name)) is not None}
    last_ids: dict[str, int] = {}
    damaged: list[str] = []
    for name in names:
        try:
            newest = await client.run("XREVRANGE", name, "+", "-", "COUNT", 1)
        except StoreMisused:
            damaged.append(name)
        else:
            last_ids |= {name: int(newest[0][0].partition(b"-")[0])} if newest else {}
    stranded = await _stranded(client, streams, damaged)
    seconds, micros = await client.run("TIME")
    server_ms = int(seconds) * 1000 + int(micros) // 1000
    key_ids = [key_id(key) for key in options.encryption_keys]
    locked = await vault.unlisted(client, {*key_ids, *options.lost_keys})
    facts = Facts(info, settings, server_ms, host_ms(), last_ids, options.replicas, stranded, key_ids, locked, damaged)
    return judge(facts)


async def _stranded(client: Client, streams: Sequence[StreamKey], damaged: list[str]) -> dict[str, int]:
    """Streams of destinations that are not configured (any more) and are still owed something."""
    known = {f"{stream.destination}:{stream.klass.value}" for stream in streams}
    names = {member.decode() for member in await client.run("SMEMBERS", keys.streams())} - known
    owed = {}
    for name in sorted(names):
        destination, _, klass = name.rpartition(":")
        if klass in tuple(EntryClass):
            key = keys.owed(StreamKey(destination, EntryClass(klass)))
            try:
                owed[name] = int(await client.run("XLEN", key))
            except StoreMisused:
                damaged.append(key)
    return {name: count for name, count in owed.items() if count}


async def _setting(client: Client, name: str) -> str | None:
    try:
        answer = await client.run("CONFIG", "GET", name)
    except (StoreMisused, StoreUnavailable):
        return None  # managed Redis often forbids CONFIG; INFO says the rest
    pairs = list(answer.values()) if isinstance(answer, dict) else list(answer)[1::2]
    return None if not pairs else pairs[0].decode() if isinstance(pairs[0], bytes) else str(pairs[0])


def judge(facts: Facts) -> Health:
    """What the facts mean."""
    durability = _durability(facts)
    looks = (
        _version,
        _role,
        lambda _: durability,
        _eviction,
        _headroom,
        _clock,
        _ids,
        _strandings,
        _replicas,
        _intsets,
        _encryption,
        _damages,
    )
    return Health(tuple(look(facts) for look in looks), durability.text)


def version_of(info: Mapping[str, Any]) -> tuple[str, tuple[int, int]]:
    """``Valkey`` or ``Redis``, major and minor."""
    name = "Valkey" if "valkey_version" in info else "Redis"
    numbers = str(info.get("valkey_version") or info.get("redis_version") or "0.0").split(".")
    return name, (int(numbers[0]), int(numbers[1]))


def knows_waitaof(info: Mapping[str, Any]) -> bool:
    """Whether replicas can confirm that they have it on disk."""
    name, version = version_of(info)
    return version >= (VALKEY_FROM if name == "Valkey" else WAITAOF_FROM)


def _version(facts: Facts) -> Finding:
    name, version = version_of(facts.info)
    oldest = VALKEY_FROM if name == "Valkey" else REDIS_FROM
    text = f"{name} {version[0]}.{version[1]}"
    if version < oldest:
        return Finding(Level.REFUSE, "version", f"{text}: at least {name} {oldest[0]}.{oldest[1]} is needed")
    return Finding(Level.OK, "version", text)


def _role(facts: Facts) -> Finding:
    if facts.info.get("role") == "slave":
        return Finding(Level.REFUSE, "role", "this is a replica: connect to the primary, or use redis+sentinel://")
    return Finding(Level.OK, "role", "primary")


def _durability(facts: Facts) -> Finding:
    aof = bool(facts.info.get("aof_enabled"))
    policy = facts.settings.get("appendfsync", "")
    if facts.info.get("aof_last_write_status") == "err":
        return Finding(Level.WARNING, "durability", "the append-only file cannot be written: see the server's log")
    if not aof:
        return Finding(Level.WARNING, "durability", _without_aof(facts))
    if policy == "always":
        return Finding(Level.OK, "durability", "a 200 survives a power cut: it is on disk before it is answered")
    if policy == "everysec":
        text = "a 200 survives a crash; a power cut may lose the last one or two seconds (appendfsync everysec)"
        return Finding(Level.OK if facts.replicas else Level.WARNING, "durability", text + _copies(facts))
    if policy == "no":
        text = "a 200 survives a crash of Redis; a power cut may lose half a minute (appendfsync no)"
        return Finding(Level.WARNING, "durability", text + _copies(facts))
    text = "append-only file on, how often it reaches the disk is not told (CONFIG is forbidden): ask the provider"
    return Finding(Level.WARNING, "durability", text + _copies(facts))


def _without_aof(facts: Facts) -> str:
    saves = facts.settings.get("save", "unknown")
    if saves == "":
        return "a 200 does not survive a restart of Redis: it keeps nothing on disk. Set appendonly yes" + _copies(
            facts
        )
    return (
        "a restart of Redis loses what was accepted since its last snapshot, possibly hours. Set appendonly yes"
        + _copies(facts)
    )


def _copies(facts: Facts) -> str:
    if facts.replicas:
        return f"; {facts.replicas} replicas confirm each 200"
    if int(facts.info.get("connected_slaves", 0)):
        return "; a fail-over to a replica may lose the last moments (journal.replicas makes them confirm)"
    return ""


def _eviction(facts: Facts) -> Finding:
    policy = facts.settings.get("maxmemory-policy") or str(facts.info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        text = f"maxmemory-policy {policy} throws accepted events away when memory is short: set noeviction"
        return Finding(Level.REFUSE, "eviction", text)
    if policy.startswith("volatile"):
        text = f"maxmemory-policy {policy} forgets seen events when memory is short, so doubles: set noeviction"
        return Finding(Level.WARNING, "eviction", text)
    return Finding(Level.OK, "eviction", policy or "not told")


def _headroom(facts: Facts) -> Finding:
    used, limit = int(facts.info.get("used_memory", 0)), int(facts.info.get("maxmemory", 0))
    if not limit:
        text = f"{used:,} bytes used, no maxmemory: the host's end is the server's end. Set maxmemory"
        return Finding(Level.WARNING, "headroom", text)
    level = Level.WARNING if used > limit * FULL_SHARE else Level.OK
    return Finding(level, "headroom", f"{used:,} of {limit:,} bytes used")


def _clock(facts: Facts) -> Finding:
    skew = facts.server_ms - facts.host_ms
    text = f"the server's clock is {abs(skew) / 1000:.1f} s {'ahead of' if skew > 0 else 'behind'} this host's"
    if abs(skew) > SKEW_MS:
        return Finding(Level.REFUSE, "clock", f"{text}: synchronise them, events would expire at the wrong time")
    return Finding(Level.OK, "clock", text)


def _ids(facts: Facts) -> Finding:
    ahead = {name: (ms - facts.server_ms) for name, ms in facts.last_ids.items() if ms - facts.server_ms > AHEAD_MS}
    if ahead:
        worst = max(ahead, key=lambda name: ahead[name])
        text = f"newest id of {worst} is {ahead[worst] / 60_000:.0f} min ahead of the server's clock: it stepped back"
        return Finding(Level.REFUSE, "ids", text)
    return Finding(Level.OK, "ids", "not ahead of the clock")


def _strandings(facts: Facts) -> Finding:
    if facts.stranded:
        listed = ", ".join(f"{name} ({count:,})" for name, count in facts.stranded.items())
        text = f"owed to destinations that are not configured: {listed}; nobody sends these until they are again"
        return Finding(Level.WARNING, "destinations", text)
    return Finding(Level.OK, "destinations", "everything owed has a destination")


def _damages(facts: Facts) -> Finding:
    if facts.damaged:
        text = (
            f"{', '.join(facts.damaged)}: not what the relay keeps there; nothing is sent to these until it is mended"
        )
        return Finding(Level.WARNING, "keys", text)
    return Finding(Level.OK, "keys", "what is owed and what is dead can be read")


def _replicas(facts: Facts) -> Finding:
    have = int(facts.info.get("connected_slaves", 0))
    if facts.replicas > have:
        text = f"journal.replicas = {facts.replicas}, connected are {have}: every append would be answered 503"
        return Finding(Level.WARNING, "replicas", text)
    return Finding(Level.OK, "replicas", f"{have} connected, {facts.replicas} confirm each append")


def _intsets(facts: Facts) -> Finding:
    entries = int(facts.settings.get("set-max-intset-entries", INTSET_ENTRIES))
    if entries < INTSET_ENTRIES:
        text = f"set-max-intset-entries {entries}: over {entries * keys.BUCKETS:,} events a day take 6 times the memory"
        return Finding(Level.WARNING, "dedupe", f"{text}; set {INTSET_ENTRIES} or more")
    return Finding(Level.OK, "dedupe", "seen events are kept compactly")


def _encryption(facts: Facts) -> Finding:
    if facts.locked:
        return Finding(Level.REFUSE, "encryption", vault.refusal(facts.locked))
    if not facts.key_ids:
        text = "off: events lie in Redis compressed and readable, with e-mails, phone numbers, names and IP addresses"
        return Finding(Level.OK, "encryption", f"{text}; RELAY_ENCRYPTION_KEY seals them")
    others = f"; also opens {', '.join(facts.key_ids[1:])}" if facts.key_ids[1:] else ""
    return Finding(Level.OK, "encryption", f"on: AES-256-GCM, key {facts.key_ids[0]}{others}")

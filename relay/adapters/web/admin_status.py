"""What ``GET /api/status`` says: one document about everything owed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from relay.adapters.web.admin_answers import finite, iso
from relay.adapters.web.admin_standby import mode_part
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.errors import StoreUnavailable
from relay.core.event import JsonObject, StreamSurvey
from relay.core.forecast import Breach, waiting
from relay.core.notices import StoreSurveyed

MICROS = 1_000_000


def status_document(
    facts: Mapping[str, object],
    surveyed: StoreSurveyed | None,
    trouble: StoreUnavailable | None,
    destinations: Iterable[str],
    now_ms: int,
) -> JsonObject:
    """``facts`` (version, role, …) come first; figures are null as long as there was no look at the store."""
    return {
        **facts,
        "now": iso(now_ms),
        "surveyed_at": iso(surveyed.survey.now_ms) if surveyed else None,
        "store": store_part(surveyed, trouble),
        "destinations": [destination_part(name, surveyed) for name in destinations],
        "streams": [stream_part(stream, surveyed) for stream in surveyed.survey.streams] if surveyed else [],
        "intake_dead_letters": surveyed.survey.dead.get("-", 0) if surveyed else None,
    }


def store_part(surveyed: StoreSurveyed | None, trouble: StoreUnavailable | None) -> JsonObject:
    """Whether the store answers, and how full it is. Bytes and seconds; ``max_bytes`` null: no limit known."""
    part: JsonObject = {
        "up": surveyed is not None and trouble is None,
        "trouble": trouble.trouble.value if trouble else None,
        "detail": trouble.detail if trouble else "",
    }
    if surveyed is None:
        return part
    survey = surveyed.survey
    return part | {
        "used_bytes": survey.used_bytes,
        "max_bytes": survey.max_bytes or None,
        "full_in_seconds": finite(surveyed.full_eta),
        "disk_free_bytes": survey.disk_free_bytes,
    }


def destination_part(name: str, surveyed: StoreSurveyed | None) -> JsonObject:
    """One destination: gate, pace, what it is owed and worth, when that will be done (null: no end in sight)."""
    if surveyed is None:
        return {"name": name, "gate": None}
    streams = [stream for stream in surveyed.survey.streams if stream.stream.destination == name]
    oldest = min((at for stream in streams if (at := stream.oldest_received_ms) is not None), default=None)
    return {
        "name": name,
        "gate": surveyed.gates.get(name),
        "concurrency": surveyed.paces.get(name),
        "owed": sum(stream.owed for stream in streams),
        "backlog": sum(waiting(stream, surveyed.gates.get(name)) for stream in streams),
        "oldest_age_seconds": age(oldest, surveyed.survey.now_ms),
        "drain_eta_seconds": finite(surveyed.drain_eta.get(name)),
        "limit_breach": breach_part(surveyed.breaches.get(name), surveyed.survey.now_ms),
        "value": money(streams),
        "delivered": sum(stream.books.get("delivered", 0) for stream in streams),
        "dead_letters": surveyed.survey.dead.get(name, 0),
        "unbalanced": sum(abs(stream.unbalanced) for stream in streams),
        **standby_part(surveyed.modes.get(name, ModeRecord()), streams, surveyed.survey.now_ms),
    }


def standby_part(record: ModeRecord, streams: Sequence[StreamSurvey], now_ms: int) -> JsonObject:
    """The mode; how many stand by, and how far back a failover could reach; how many a failback has left."""
    oldest = min((at for stream in streams if (at := stream.standing_oldest_ms) is not None), default=None)
    finishing = record.mode is Mode.FAILBACK
    return {
        **mode_part(record),
        "standing_by": sum(stream.standing for stream in streams),
        "standing_by_since": iso(oldest),
        "standing_by_age_seconds": age(oldest, now_ms),
        "left": sum(stream.sendable for stream in streams) if finishing else None,
        "lapsed": sum(stream.books.get("lapsed", 0) for stream in streams),
    }


def breach_part(breach: Breach | None, now_ms: int) -> JsonObject | None:
    """What will be too old before its turn comes, about; null when nothing will."""
    if breach is None or not breach.entries:
        return None
    first_at = iso(now_ms + int(breach.first_s * 1000))
    return {"entries": breach.entries, "first_in_seconds": finite(breach.first_s), "first_at": first_at}


def stream_part(stream: StreamSurvey, surveyed: StoreSurveyed) -> JsonObject:
    """One stream with its books."""
    waits = waiting(stream, surveyed.gates.get(stream.stream.destination))
    return {
        "destination": stream.stream.destination,
        "class": stream.stream.klass.value,
        "owed": stream.owed,
        "backlog": waits,
        "live": stream.sendable - waits,
        "standing_by": stream.standing,
        "leased": stream.leased,
        "oldest_age_seconds": age(stream.oldest_received_ms, surveyed.survey.now_ms),
        "value": money([stream]),
        "books": dict(stream.books),
        "unbalanced": stream.unbalanced,
    }


def money(streams: Iterable[StreamSurvey]) -> dict[str, float]:
    """Value owed by currency, in units; currencies at zero are left out, "" is an unknown one."""
    total: defaultdict[str, int] = defaultdict(int)
    for stream in streams:
        for currency, micros in stream.value_micros.items():
            total[currency] += micros
    return {currency: micros / MICROS for currency, micros in sorted(total.items()) if micros}


def age(received_ms: int | None, now_ms: int) -> float | None:
    """Seconds since receipt."""
    return None if received_ms is None else round(max(0, now_ms - received_ms) / 1000, 1)

"""From a record and a log to the figures of a report: a JSON document, times in ISO 8601, money in units.

Counts of entries come from the books and are exact. What is told by event, by delay and by code was counted by each
process in memory: a process that was killed took up to one interval of that along, and ``not_broken_down`` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from relay.core.event import ENDINGS, DeadReason, JsonObject
from relay.core.incident import Incident, counted
from relay.core.incident_log import DELAY_BOUNDS_S, Answers, LogEntry, Part, Sample
from relay.core.report.timeline import episodes, timeline
from relay.core.report.words import stamp

MICROS = 1_000_000
LATE_S = 60
"""Delivered later than this after receipt is late: in good times it takes less than a second."""
SHOWN_IDS = 5
DOUBTFUL = (DeadReason.OVERLAP, DeadReason.AMBIGUOUS)
GONE = ("shed",)
"""Endings that lose entries. An erasure is none: somebody asked for it."""
GAP = 1.5  # intervals without a sample that are no gap yet


def document(incident: Incident, log: Sequence[LogEntry], now_ms: int) -> JsonObject:
    """Everything a report needs."""
    samples = sorted((one for one in log if isinstance(one, Sample)), key=lambda one: one.at_ms)
    parts = [one for one in log if isinstance(one, Part)]
    shut = episodes(incident, log, now_ms)
    return {
        **head(incident, now_ms),
        "gate": {"episodes": shut, "shut_seconds": round(sum(one["seconds"] for one in shut), 1)},
        "entries": entries_of(incident, late=late_of(parts)),
        "value": value_of(incident, parts),
        "events": events_of(parts),
        "not_broken_down": max(0, counted(incident, "delivered") - sum(part.entries for part in parts)),
        "delays": delays_of(parts),
        "codes": codes_of(parts),
        "timeline": timeline(incident, log),
        "samples": [sample_of(one) for one in samples],
        "missing": missing(incident, samples),
    }


def head(incident: Incident, now_ms: int) -> JsonObject:
    """What a list shows of an incident."""
    end_ms = incident.settled_ms or incident.closed_ms or now_ms
    return {
        "id": incident.id,
        "destination": incident.destination,
        "open": incident.ongoing,
        "causes": list(incident.causes),
        "reason": incident.reason,
        "opened_at": iso(incident.opened_ms),
        "settled_at": iso(incident.settled_ms),
        "closed_at": iso(incident.closed_ms),
        "as_of": iso(incident.latest.at_ms),
        "seconds": round(max(0, end_ms - incident.opened_ms) / 1000, 1),
        "arrived": counted(incident, "accepted"),
        "delivered": counted(incident, "delivered"),
        "dead": counted(incident, *(f"dead:{reason.value}" for reason in DeadReason)),
        "owed": incident.latest.owed,
        "every_seconds": incident.every_ms / 1000,
    }


def entries_of(incident: Incident, late: int) -> JsonObject:
    """The ledger of the incident: what was owed and what came, and every ending. All are counts of entries."""
    return {
        "owed_before": incident.opening.owed,
        "arrived": counted(incident, "accepted"),
        "requeued": counted(incident, "requeued"),
        "delivered": counted(incident, "delivered"),
        "late": late,
        "expired": counted(incident, "dead:expired"),
        "in_doubt": {reason.value: counted(incident, f"dead:{reason.value}") for reason in DOUBTFUL},
        "refused": counted(incident, "dead:refused"),
        "unmappable": counted(incident, "dead:unmappable"),
        "unmatched": counted(incident, "unmatched"),
        "lapsed": counted(incident, "lapsed"),
        "forgotten": counted(incident, "forgotten"),
        "lost": {name: counted(incident, name) for name in GONE},
        "owed_after": incident.latest.owed,
        "duplicates": counted(incident, "duplicates"),
        "discarded": counted(incident, "discarded"),
        "unaccounted": unaccounted(incident),
        "most_owed": incident.peak.owed,
        "most_owed_at": iso(incident.peak.at_ms),
        "oldest_seconds": round(incident.peak.oldest_ms / 1000, 1),
    }


def unaccounted(incident: Incident) -> int:
    """Owed before + arrived + requeued − endings − owed after: anything but 0 is a bug, or a store that lost data."""
    got = incident.opening.owed + counted(incident, "accepted", "requeued")
    return got - counted(incident, *ENDINGS) - incident.latest.owed


def value_of(incident: Incident, parts: Iterable[Part]) -> JsonObject:
    """Money by currency: what TikTok was told of what it took, what was waiting, what became dead letters."""
    delivered = Counter[str]()
    buried: dict[str, Counter[str]] = {}
    for part in parts:
        for row in part.sold.values():
            delivered.update({currency: micros for currency, (_, micros) in row.items()})
        for reason, worth in part.buried.items():
            buried.setdefault(reason, Counter()).update(worth)
    return {
        "delivered": money(delivered),
        "most_owed": money(incident.peak.value_micros),
        "owed_after": money(incident.latest.value_micros),
        "dead": {reason: shown for reason, worth in sorted(buried.items()) if (shown := money(worth))},
    }


def events_of(parts: Iterable[Part]) -> list[JsonObject]:
    """Delivered items by TikTok's event name and currency, the most frequent events first."""
    items, micros = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for part in parts:
        for event, row in part.sold.items():
            for currency, (count, value) in row.items():
                items[event, currency] += count
                micros[event, currency] += value
    names = Counter[str]()
    for (event, _), count in items.items():
        names[event] += count
    rows = sorted(items, key=lambda key: (-names[key[0]], key[0], -items[key]))
    return [
        {
            "event": event,
            "currency": currency,
            "items": items[event, currency],
            "value": micros[event, currency] / MICROS,
        }
        for event, currency in rows
    ]


def delays_of(parts: Iterable[Part]) -> JsonObject:
    """How long deliveries took since receipt. Percentiles are read off the buckets; the maximum is exact."""
    counts, longest = summed(parts), 0.0
    for part in parts:
        longest = max(longest, part.longest)
    bounds = [*DELAY_BOUNDS_S, None]
    return {
        "buckets": [{"up_to_seconds": bound, "entries": count} for bound, count in zip(bounds, counts, strict=True)],
        "p50": percentile(counts, longest, 0.50),
        "p95": percentile(counts, longest, 0.95),
        "max": round(longest, 1) if any(counts) else None,
    }


def summed(parts: Iterable[Part]) -> list[int]:
    """Deliveries in each bucket of delay."""
    counts = [0] * (len(DELAY_BOUNDS_S) + 1)
    for part in parts:
        for at, count in enumerate(part.delays[: len(counts)]):
            counts[at] += count
    return counts


def percentile(counts: Sequence[int], longest: float, share: float) -> float | None:
    """Between the bounds of its bucket, as if deliveries lay evenly there; None when there are none."""
    wanted, passed, low = share * sum(counts), 0, 0.0
    for bound, count in zip((*DELAY_BOUNDS_S, longest), counts, strict=True):
        high = max(low, min(float(bound), longest))
        if count and passed + count >= wanted:
            return round(low + (high - low) * (wanted - passed) / count, 1)
        passed, low = passed + count, float(bound)
    return None


def late_of(parts: Iterable[Part]) -> int:
    """Deliveries that took longer than ``LATE_S``."""
    return sum(summed(parts)[DELAY_BOUNDS_S.index(LATE_S) + 1 :])


def codes_of(parts: Iterable[Part]) -> list[JsonObject]:
    """Answers of TikTok that were no delivery, the most frequent first, with the ids its support asks for."""
    found: dict[tuple[str, str], list[Answers]] = {}
    for part in parts:
        for code, answers in part.answers.items():
            if answers.verdict != "delivered":
                found.setdefault((code, answers.verdict), []).append(answers)
    rows = [code_of(code, verdict, answers) for (code, verdict), answers in found.items()]
    return sorted(rows, key=lambda row: (-row["calls"], row["code"]))


def code_of(code: str, verdict: str, answers: Sequence[Answers]) -> JsonObject:
    """One code: of its ids the first ones, and the last one."""
    ids = list(dict.fromkeys(id_ for one in answers for id_ in one.request_ids))
    return {
        "code": code,
        "verdict": verdict,
        "calls": sum(one.calls for one in answers),
        "first_at": iso(min(one.first_ms for one in answers)),
        "last_at": iso(max(one.last_ms for one in answers)),
        "message": next((one.message for one in answers if one.message), ""),
        "request_ids": ids if len(ids) <= SHOWN_IDS else [*ids[: SHOWN_IDS - 1], ids[-1]],
    }


def sample_of(sample: Sample) -> JsonObject:
    """One interval."""
    dead = sum(count for name, count in sample.counts.items() if name.startswith("dead:"))
    return {
        "since": iso(sample.since_ms),
        "at": iso(sample.at_ms),
        "gate": sample.gate,
        "arrived": sample.counts.get("accepted", 0),
        "delivered": sample.counts.get("delivered", 0),
        "dead": dead,
        "owed": sample.owed,
        "backlog": sample.backlog,
        "oldest_seconds": round(sample.oldest_ms / 1000, 1),
        "value": money(sample.value_micros),
    }


def missing(incident: Incident, samples: Sequence[Sample]) -> list[JsonObject]:
    """Times without samples: Redis or every relay was away. What happened then is in the next sample, summed up."""
    longest = GAP * incident.every_ms
    gaps = [(one.since_ms, one.at_ms) for one in samples if one.at_ms - one.since_ms > longest]
    return [{"since": iso(since), "until": iso(until)} for since, until in gaps]


def money(micros: Mapping[str, int]) -> dict[str, float]:
    """Units by currency; zeros are left out, "" is an unknown currency."""
    return {currency: amount / MICROS for currency, amount in sorted(micros.items()) if amount}


def iso(at_ms: int) -> str | None:
    """A stamp; None for 0."""
    return stamp(at_ms) if at_ms else None

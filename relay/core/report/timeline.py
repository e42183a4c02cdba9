"""What happened during an incident, in order, in words. A night of failed probes is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from relay.core.delivery.gate import GateState
from relay.core.event import JsonObject
from relay.core.incident import BACKLOG, FAILOVER, GATE, Incident
from relay.core.incident_log import Happening, LogEntry
from relay.core.report.words import stamp

CLOSED, OPEN, PROBING, HELD = (state.value for state in GateState)
BEGUN = {
    GATE: "incident opened: deliveries stopped",
    BACKLOG: "incident opened: a backlog stands",
    FAILOVER: "incident opened: a fail-over took this destination over",
}
SAID = {
    "pause": "an operator paused the destination",
    "resume": "an operator resumed the destination",
    "probe": "an operator asked for a probe",
    "token": "the access token was changed: probed at once",
    "requeue": "an operator requeued {count} dead letters",
    "release": "an operator released {count} dead letters, whose doubling was accepted",
    "discard": "an operator discarded {count} dead letters",
    "failover": "fail-over began",
    "failback": "fail-over ends: what was taken over is finished",
    "standby": "the destination stands by again",
}
REPLAY = {
    "started": "an operator began to send again what came in {detail}: about {count} entries (replay {name})",
    "paused": "an operator paused replay {name}",
    "resumed": "an operator resumed replay {name}",
    "taken_over": "another process goes on with replay {name}",
    "done": "replay {name} is done: {count} entries owed again",
    "cancelled": "an operator cancelled replay {name}: {count} entries were owed again",
}
KINDS = {"gate": "gate", "store": "store", "relay": "relay"}  # the rest is an operator's doing


def timeline(incident: Incident, log: Iterable[LogEntry]) -> list[JsonObject]:
    """Lines ``{"at", "until", "kind", "text"}`` in order of time."""
    happened = sorted((one for one in log if isinstance(one, Happening)), key=lambda one: one.at_ms)
    first = incident.causes[0] if incident.causes else ""
    lines = [line(incident.opened_ms, "incident", BEGUN.get(first, "incident opened"))]
    lines += told(happened)
    if incident.settled_ms:
        lines.append(line(incident.settled_ms, "incident", "everything of the time of trouble is settled"))
    if incident.closed_ms:
        lines.append(line(incident.closed_ms, "incident", "incident closed"))
    return sorted(lines, key=lambda one: str(one["at"]))


def told(happened: Sequence[Happening]) -> Iterator[JsonObject]:
    """Runs of failed probes summed up, everything else a line each."""
    failed: list[Happening] = []
    for one in happened:
        if one.what == "gate" and (one.before, one.after) == (OPEN, PROBING):
            continue  # that a probe began is told by how it ended
        if one.what == "gate" and (one.before, one.after) == (PROBING, OPEN):
            failed.append(one)
            continue
        if failed and one.what == "gate":
            yield probes(failed)
            failed = []
        yield line(one.at_ms, KINDS.get(one.what, "operator"), words(one))
    if failed:
        yield probes(failed)


def probes(failed: Sequence[Happening]) -> JsonObject:
    """A run of failed probes."""
    last = failed[-1]
    if len(failed) == 1:
        return line(last.at_ms, "gate", because("a probe failed", last.detail))
    reasons = ", ".join(dict.fromkeys(one.detail for one in failed if one.detail))
    return line(failed[0].at_ms, "gate", because(f"{len(failed):,} probes failed", reasons), last.at_ms)


def words(one: Happening) -> str:
    """One happening."""
    if one.what == "gate":
        return gate_words(one)
    if one.what == "store":
        return because("Redis stopped answering", one.detail) if one.after == "lost" else "Redis answers again"
    if one.what == "relay":
        return "a relay process started"
    said = REPLAY.get(one.after) if one.what == "replay" else SAID.get(one.what)
    return (said or one.what).format(count=f"{one.count:,}", detail=one.detail, name=one.before)


def gate_words(one: Happening) -> str:
    """A move of the gate."""
    match one.before, one.after:
        case _, "closed":
            return "probes passed: the gate closed, deliveries go on"
        case "held", "probing":
            return "a probe passed: the destination is no longer held"
        case _, "held":
            return because("destination held: everything is kept until the cause is corrected", one.detail)
        case "closed", "open":
            return because("the gate opened", one.detail)
        case before, after:
            return because(f"gate: {before} → {after}", one.detail)


def because(text: str, reason: str) -> str:
    """With its reason, if there is one."""
    return f"{text} ({reason})" if reason else text


def line(at_ms: int, kind: str, text: str, until_ms: int = 0) -> JsonObject:
    """One line; ``until`` is None for a moment."""
    return {"at": stamp(at_ms), "until": stamp(until_ms) if until_ms else None, "kind": kind, "text": text}


def episodes(incident: Incident, log: Iterable[LogEntry], now_ms: int) -> list[JsonObject]:
    """Times in which the gate was not closed: ``{"since", "until", "seconds", "reason"}``, ``until`` None: still so."""
    moves = sorted((one for one in log if isinstance(one, Happening) and one.what == "gate"), key=lambda one: one.at_ms)
    found: list[JsonObject] = []
    since, reason = (incident.opened_ms, incident.reason) if incident.causes[:1] == (GATE,) else (0, "")
    for one in moves:
        if one.after == CLOSED and since:
            found.append(episode(since, one.at_ms, reason))
            since = 0
        elif one.after != CLOSED and not since:
            since, reason = one.at_ms, one.detail
    if since:  # still shut, or the process that saw it close was killed before it could say so
        found.append(episode(since, incident.settled_ms or incident.closed_ms, reason, now_ms))
    return found


def episode(since_ms: int, until_ms: int, reason: str, now_ms: int = 0) -> JsonObject:
    """One of them."""
    end_ms = until_ms or now_ms or since_ms
    return {
        "since": stamp(since_ms),
        "until": stamp(until_ms) if until_ms else None,
        "seconds": round(max(0, end_ms - since_ms) / 1000, 1),
        "reason": reason,
    }

"""Every switch of the simulator: one table, read by the command line, by ``/control`` and by the help text.

A ``Control`` never changes; ``updated`` returns the next one, or raises ``ControlFault`` with everything that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

Json = Any
# Sick answers by name; a five-digit TikTok return code is allowed as well (TikTok sheet sections 5.5 and 10).
OUTAGES = ("502", "503", "504", "non_json", "hang", "reset", "lost", "lost_hang")
NO_OUTAGE = "none"
VALID = "valid"
# What TikTok thinks of a token, and the return code that says so (TikTok sheet sections 5.4 and 8).
TOKEN_CODES = {"missing": 40104, "revoked": 40105, "expired": 40102, "no_permission": 40001}
# Names TikTok has registered partners under, as far as clients show (TikTok sheet section 2.1).
PARTNERS = ("Segment", "RudderStack", "GoogleTagManagerServer")


class ControlFault(ValueError):
    """A change that makes no sense; ``problems`` has one sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Outage:
    """Illness ``kind`` from ``after_s`` for ``for_s`` seconds (0 = until switched off) after the switch was set.

    ``share`` of the calls are hit: 0.05 is the small share of time-outs that a vendor reports (TikTok sheet section 7).
    """

    kind: str = NO_OUTAGE
    after_s: float = 0.0
    for_s: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls, not events, for each token; ``per_pixel`` is per second and event source. 0 = no limit.

    Defaults: TikTok sheet section 6.
    """

    per_second: int = 1000
    per_minute: int = 600_000
    per_day: int = 86_400_000
    per_pixel: int = 0


@dataclass(frozen=True, slots=True)
class Control:
    """State of all switches. What each means: ``SWITCHES``."""

    http_mode: str = "always200"
    batch_mode: str = "all_or_nothing"
    index_style: str = "data[2]"
    outage: Outage = Outage()
    token_state: str = VALID
    tokens: tuple[str, ...] = ()
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partners: tuple[str, ...] = PARTNERS
    limits: Limits = Limits()
    max_age: float = 0.0
    max_future: float = 0.0
    event_time_millis: str = "refuse"
    pii: str = "lax"
    page_required: bool = False
    crm: str = "accept"
    offline_names: str = "standard"
    empty_data: str = "40002"
    test_events: str = "left_out"
    refuse_ids: frozenset[str] = frozenset()
    max_body: int = 0
    dedupe: bool = True
    dedupe_hours: float = 48.0
    remember_ids: int = 0
    clock_offset_s: float = 0.0
    latency: tuple[float, float] = (120.0, 230.0)


def as_json(control: Control) -> dict[str, Json]:
    """The form that ``GET /control`` shows and ``updated`` reads back."""
    shown: dict[str, Json] = {item.name: getattr(control, item.name) for item in fields(control)}
    shown["outage"] = {item.name: getattr(control.outage, item.name) for item in fields(Outage)}
    shown["limits"] = {item.name: getattr(control.limits, item.name) for item in fields(Limits)}
    shown["permissions"] = {token: list(sources) for token, sources in control.permissions.items()}
    for name in ("tokens", "partners", "latency"):
        shown[name] = list(shown[name])
    shown["refuse_ids"] = sorted(control.refuse_ids)
    return shown


def as_object(value: Json) -> dict[str, Json]:
    """What ``PUT /control`` and a control file must hold."""
    if not isinstance(value, dict):
        raise ControlFault(["must be a JSON object of switches"])
    return value


def updated(control: Control, changes: Mapping[str, Json]) -> Control:
    """The control with these switches moved; the others stay. All problems are reported at once."""
    problems, moved = [], {}
    for name, value in changes.items():
        if name not in SWITCHES:
            problems.append(f"unknown switch {name!r}; known: {', '.join(SWITCHES)}")
            continue
        try:
            moved[name] = SWITCHES[name].read(value, getattr(control, name))
        except ControlFault as fault:
            problems += [f"{name}: {problem}" for problem in fault.problems]
    if problems:
        raise ControlFault(problems)
    return replace(control, **moved)


def _one_of(*allowed: str) -> Callable[[Json, Json], str]:
    def read(value: Json, _: Json) -> str:
        name = str(value)
        if name not in allowed:
            raise ControlFault([f"{value!r} is none of {', '.join(allowed)}"])
        return name

    return read


def _number(*, low: float = 0.0, high: float = math.inf) -> Callable[[Json, Json], float]:
    def read(value: Json, _: Json) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not low <= value <= high:
            raise ControlFault([f"{value!r} is no number from {low:g} to {high:g}"])
        return float(value)

    return read


def _whole(value: Json, _: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ControlFault([f"{value!r} is no whole number from 0"])
    return value


def _yes_no(value: Json, _: Json) -> bool:
    if not isinstance(value, bool):
        raise ControlFault([f"{value!r} is neither true nor false"])
    return value


def _names(value: Json, _: Json) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) and value else value or []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ControlFault([f"{value!r} is no list of strings"])
    return tuple(name.strip() for name in listed)


def _name_set(value: Json, before: Json) -> frozenset[str]:
    return frozenset(_names(value, before))


def _permissions(value: Json, before: Json) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ControlFault([f"{value!r} is no object of token to list of event source ids"])
    return {token: _names(sources, before) for token, sources in value.items()}


def _latency(value: Json, before: Json) -> tuple[float, float]:
    pair = value if isinstance(value, list) else [value, value]
    if len(pair) != 2:
        raise ControlFault([f"{value!r} is neither a number nor [low, high]"])
    low, high = (_number()(part, before) for part in pair)
    return low, max(low, high)


def _limits(value: Json, before: Limits) -> Limits:
    known = [item.name for item in fields(Limits)]
    if not isinstance(value, dict) or not set(value) <= set(known):
        raise ControlFault([f"{value!r} is no object of {', '.join(known)}"])
    return replace(before, **{name: _whole(number, None) for name, number in value.items()})


def _outage_kind(value: Json) -> str:
    kind = str(value)
    if kind not in (NO_OUTAGE, *OUTAGES) and not (kind.isdecimal() and len(kind) == 5):
        raise ControlFault([f"{value!r} is none of {', '.join((NO_OUTAGE, *OUTAGES))}, nor a five-digit return code"])
    return kind


def _outage(value: Json, _: Outage) -> Outage:
    """A kind, or an object with a schedule. A new outage starts from its defaults, never from the one before."""
    given = value if isinstance(value, dict) else {"kind": value}
    known = [item.name for item in fields(Outage)]
    if not set(given) <= set(known):
        raise ControlFault([f"{value!r} is neither a kind nor an object of {', '.join(known)}"])
    return Outage(
        kind=_outage_kind(given.get("kind", "503")),
        after_s=_number()(given.get("after_s", 0), None),
        for_s=_number()(given.get("for_s", 0), None),
        share=_number(high=1.0)(given.get("share", 1), None),
    )


@dataclass(frozen=True, slots=True)
class Switch:
    """How one switch reads a JSON value (given the present one), and what it does."""

    read: Callable[[Json, Any], Any]
    help: str


SWITCHES: dict[str, Switch] = {
    "http_mode": Switch(
        _one_of("always200", "mapped"), "always200, or mapped: HTTP 400 for 40002 and 401 for 4010x (sources disagree)"
    ),
    "batch_mode": Switch(
        _one_of("all_or_nothing", "partial_20001"), "one bad item refuses the call, or is listed in failed_events"
    ),
    "index_style": Switch(
        _one_of("data[2]", "data.2", "index 2", "none", "vague"),
        "how a 40002 names the bad item: data[2], data.2, index 2, none (field only), vague (nothing)",
    ),
    "outage": Switch(
        _outage,
        f"none, {', '.join(OUTAGES)} (stored, then the answer is reset or never comes), any return code such as 50000 "
        '51010 60001, or {"kind": "503", "after_s": 5, "for_s": 10, "share": 1}',
    ),
    "token_state": Switch(
        _one_of(VALID, *TOKEN_CODES),
        "what TikTok thinks of every token: valid, missing, revoked, expired, no_permission",
    ),
    "tokens": Switch(_names, "tokens that are accepted; empty: any without a Bearer prefix"),
    "permissions": Switch(_permissions, '{"token": ["PIXEL", …]}; a token that is not listed may use every source'),
    "partners": Switch(_names, "registered partner_name values; any other is refused with 40002"),
    "limits": Switch(_limits, '{"per_second", "per_minute", "per_day", "per_pixel"}: calls, 0 = no limit'),
    "max_age": Switch(_number(), "seconds; an older event_time is refused with 40002; 0 = off"),
    "max_future": Switch(_number(), "seconds; an event_time further ahead is refused with 40002; 0 = off"),
    "event_time_millis": Switch(_one_of("refuse", "accept"), "event_time given in milliseconds"),
    "pii": Switch(
        _one_of("lax", "40062", "20001"),
        "email, phone, external_id that are no lower-case SHA-256: accept, or refuse so",
    ),
    "page_required": Switch(_yes_no, "whether web items need page (documented so, not enforced in practice)"),
    "crm": Switch(_one_of("accept", "refuse"), "whether event_source may be crm"),
    "offline_names": Switch(_one_of("standard", "any"), "event names that an offline set accepts"),
    "empty_data": Switch(_one_of("40002", "0"), "the answer to an empty data list"),
    "test_events": Switch(_one_of("left_out", "counted"), "whether calls with a test_event_code count"),
    "refuse_ids": Switch(_name_set, "event_ids of items that are refused, for whatever reason TikTok has"),
    "max_body": Switch(_whole, "bytes; a larger body gets nginx's 413 page; 0 = off"),
    "dedupe": Switch(_yes_no, "false: every repeat counts, to prove that a test would notice"),
    "dedupe_hours": Switch(_number(), "how long a repeat is removed after the first arrival"),
    "remember_ids": Switch(
        _whole, "ids kept for dedupe; 0 = all. Beyond it the oldest are forgotten and their repeats look unique"
    ),
    "clock_offset_s": Switch(_number(low=-math.inf), "how far the simulator's clock is ahead, to jump over 48 h"),
    "latency": Switch(_latency, "[low, high] or one number, milliseconds before an answer"),
}

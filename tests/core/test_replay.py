"""Which archived events go back, to whom, and what stops the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from relay.core.archive import Archived, ReplayAsk, ReplayJob, ReplayState, Target, begun, taken, turned
from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import DEDUPE_MS, Clocks
from relay.core.event import EntryClass, JsonObject, StreamKey, Worth
from relay.core.replay import Judged, Shop, Stop, View, Weighed, judge
from relay.core.segment.consent import ADVERTISING
from relay.core.segment.select import Route
from tests.twins.tiktok import PlainMapping

NOW_MS = 1_770_000_000_000
HOUR_MS = 3_600_000
ALL = ReplayAsk(0, NOW_MS)
WEB, APP = (StreamKey(name, EntryClass.CONVERSION) for name in ("web", "app"))


class Choosy(PlainMapping):
    """Wants what names its destination."""

    def __init__(self, name: str) -> None:
        self._name = name

    def items(self, event: JsonObject, received_s: int) -> Any:
        if event.get("poison"):
            raise ValueError("poison")
        return super().items(event, received_s) if self._name in event.get("wants", ()) else ()

    def matches(self, event: JsonObject) -> tuple[str, ...]:
        return tuple(event.get("names", ["Purchase"])) if self._name in event.get("wants", ()) else ()


def shop(name: str, *, shared: bool = False, sends: bool = True) -> Shop:
    mapping = Choosy(name)
    route = Route(name, frozenset({f"TikTok {name}"}), mapping.matches, frozenset({"Purchase"}))
    return Shop(route, Rules(mapping, Clocks(shared=shared), "", Limits()), sends)


def view(**shops: Shop) -> View:
    known: Mapping[str, Shop] = {"web": shop("web"), "app": shop("app")} | shops
    routes = [one.route for one in known.values()]
    return View(known, ADVERTISING, lambda source: routes[:1] if source == "one-destination" else routes, refuses)


def refuses(body: JsonObject) -> bool:
    return body.get("userId") == "forgotten"


def event(destination: str = "", hours: float = 1, first_hours: float = 0, **body: Any) -> Archived:
    raw = orjson.dumps({"id": "1", "messageId": "m-1", "type": "track", "event": "Order", **body})
    first_ms = NOW_MS - int(first_hours * HOUR_MS) if first_hours else 0
    received_ms = NOW_MS - int(hours * HOUR_MS)
    return Archived("5-0", WEB.klass, raw, received_ms, "s", Worth(5, "EUR"), destination, first_ms, bool(first_ms))


def judged(one: Archived, ask: ReplayAsk = ALL, seen: View | None = None) -> Judged:
    found = judge(one, ask, seen or view(), NOW_MS)
    assert found is not None
    return found


def targets(one: Archived, ask: ReplayAsk = ALL, seen: View | None = None) -> tuple[Target, ...]:
    requeue = judged(one, ask, seen).requeue
    assert requeue is not None
    return requeue.targets


def test_what_was_delivered_goes_back_to_its_own_destination_as_it_was() -> None:
    one = event("web", first_hours=1, wants=["web", "app"], names=["View"])
    assert targets(one) == (Target(WEB),), "its class is that of the first time"
    assert judged(one).requeue == (one, (Target(WEB),), False)


def test_what_belongs_to_somebody_suppressed_stays_where_it_is() -> None:
    for one in (
        event("web", first_hours=1, wants=["web"], userId="forgotten"),
        event(wants=["web"], userId="forgotten"),
    ):
        assert judged(one) == (one, None, Stop.SUPPRESSED)
    assert judge(event("web", userId="forgotten"), ReplayAsk(0, NOW_MS, event="Other"), view(), NOW_MS) is None


def test_what_was_unmatched_goes_back_as_today_s_mapping_ranks_it() -> None:
    one = event("web", wants=["web", "app"], names=["View"])
    assert targets(one) == (Target(StreamKey("web", EntryClass.ENGAGEMENT)),)


def test_what_was_filtered_goes_to_everybody_who_wants_it_now() -> None:
    one = event(wants=["web", "app"], properties={"value": 3, "currency": "usd"})
    requeue = judged(one).requeue
    assert requeue is not None
    assert requeue.targets == (Target(WEB, "m-1"), Target(APP, "m-1"))
    assert requeue.event.worth == Worth(3_000_000, "USD"), "it was not appraised before"
    assert not requeue.keep


def test_what_another_destination_wants_as_well_is_kept_for_it() -> None:
    one = event(wants=["web", "app"])
    some = judged(one, replace(ALL, destination="app")).requeue
    assert some is not None
    assert (some.targets, some.keep) == ((Target(APP, "m-1"),), True)
    late = judged(replace_hours(one, 60), seen=view(web=shop("web", shared=True))).requeue
    assert late is not None
    assert (late.targets, late.keep) == ((Target(APP, "m-1"),), True)


def replace_hours(one: Archived, hours: float) -> Archived:
    return one._replace(received_ms=NOW_MS - int(hours * HOUR_MS))


@pytest.mark.parametrize(
    ("one", "seen", "stop"),
    [
        (event("web", first_hours=45, wants=["web"]), view(), Stop.AMBIGUOUS),
        (event("web", 45, 1, wants=["web"]), view(web=shop("web", shared=True)), Stop.OVERLAP),
        (event("web", 24 * 8, 1, wants=["web"]), view(), Stop.EXPIRED),
        (event("web", 1, 1, time=NOW_MS // 1000 - 86_400 * 8, wants=["web"]), view(), Stop.EXPIRED),
        (event("web", 1, 1, poison=1), view(), Stop.UNMAPPABLE),
        (event("web", 1, 1, broken=["Purchase"], wants=["web"]), view(), Stop.UNMAPPABLE),
        (event("web", 1, 1, wants=["app"]), view(), Stop.UNWANTED),
        (event("web", wants=["app"]), view(), Stop.UNWANTED),
        (event("web", 1, 1, wants=["web"]), view(web=shop("web", sends=False)), Stop.STANDING_BY),
        (event("old", 1, 1, wants=["web"]), view(), Stop.GONE),
        (event(wants=[]), view(), Stop.UNWANTED),
        (event(hours=45, wants=["web"]), view(web=shop("web", shared=True)), Stop.OVERLAP),
        (event(wants=["web"]), view(web=shop("web", sends=False)), Stop.STANDING_BY),
        (event("web", 1, 1)._replace(raw=b""), view(), Stop.UNMAPPABLE),
        (event("web", 1, 1)._replace(raw=b"", locked=True), view(), Stop.LOCKED),
        (event("web", 1, 1)._replace(raw=b"[]"), view(), Stop.UNMAPPABLE),
    ],
)
def test_what_delivery_would_bury_stays_where_it_is(one: Archived, seen: View, stop: Stop) -> None:
    assert judged(one, seen=seen) == Judged(one, stop=stop)


def test_the_clocks_are_those_of_delivery_to_the_millisecond() -> None:
    one = event("web", wants=["web"])._replace(delivered=True)
    assert judged(one._replace(first_ms=NOW_MS - DEDUPE_MS)).stop is None
    assert judged(one._replace(first_ms=NOW_MS - DEDUPE_MS - 1)).stop is Stop.AMBIGUOUS


def test_consent_refused_since_is_refused() -> None:
    refused = {"consent": {"categoryPreferences": {"Advertising": False}}}
    assert judged(event(context=refused, wants=["web"])).stop is Stop.UNWANTED
    off = event(integrations={"TikTok web": False}, wants=["web", "app"])
    assert targets(off) == (Target(APP, "m-1"),)


@pytest.mark.parametrize(
    ("ask", "asked"),
    [
        (replace(ALL, since_ms=NOW_MS - HOUR_MS), True),
        (replace(ALL, since_ms=NOW_MS - HOUR_MS + 1), False),
        (replace(ALL, until_ms=NOW_MS - HOUR_MS), False),
        (replace(ALL, until_ms=NOW_MS - HOUR_MS + 1), True),
        (replace(ALL, destination="web"), True),
        (replace(ALL, destination="app"), False),
        (replace(ALL, event="Order"), True),
        (replace(ALL, event="Cart"), False),
    ],
)
def test_what_was_not_asked_for_is_not_even_counted(ask: ReplayAsk, *, asked: bool) -> None:
    one = event("web", 1, 1, wants=["web"])
    assert (judge(one, ask, view(), NOW_MS) is not None) is asked
    unreadable = one._replace(raw=b"{")
    assert judge(unreadable, replace(ALL, event="Order"), view(), NOW_MS) is None
    locked = one._replace(raw=b"", locked=True)
    assert judged(locked, replace(ALL, event="Order")).stop is Stop.LOCKED, (
        "it may be one of these: counted, not hidden"
    )


def test_a_page_call_is_asked_for_by_its_type() -> None:
    page = event("web", 1, 1, type="page", event=None, wants=["web"])
    assert judge(page, replace(ALL, event="page"), view(), NOW_MS) is not None


def test_what_it_comes_to() -> None:
    weighed = Weighed()
    weighed.add(judged(event("web", 1, 1, wants=["web"])))
    weighed.add(judged(event(properties={"value": 2, "currency": "USD"}, wants=["web", "app"])))
    weighed.add(judged(event("web", first_hours=45, wants=["web"])))
    assert dict(weighed.entries) == {"web": 2, "app": 1}
    assert weighed.total_micros == {"EUR": 5, "USD": 4_000_000}
    assert dict(weighed.stops) == {Stop.AMBIGUOUS: 1}


def test_the_life_of_a_job() -> None:
    job = ReplayJob("j", ALL, version=3)
    assert begun(job, ReplayJob("k", ALL)) is None
    assert turned(job, ReplayState.RUNNING) is None
    paused = turned(replace(job, owner="r1"), ReplayState.PAUSED, NOW_MS)
    assert paused is not None
    assert (paused.owner, paused.ended_ms, paused.version) == ("", 0, 3)
    assert taken(paused, "r1") is None
    cancelled = turned(paused, ReplayState.CANCELLED, NOW_MS)
    assert cancelled is not None
    assert (cancelled.ended_ms, cancelled.ended) == (NOW_MS, True)
    assert turned(cancelled, ReplayState.RUNNING) is None
    after = begun(cancelled, ReplayJob("k", ALL))
    assert after is not None
    assert (after.id, after.version) == ("k", 3)
    assert taken(replace(job, owner="r1", held=True), "r2") is None
    assert taken(replace(job, owner="r1", held=True), "r1") is not None
    late = taken(replace(job, owner="r1", held=False), "r2")
    assert late is not None
    assert late.owner == "r2"

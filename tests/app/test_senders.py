"""From settings to who may send and who is asked for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from relay.adapters.web.admin_answers import Declined
from relay.app import parts
from relay.app.operators import Operators, Senders, outcomes_of, waits
from relay.cli.serve import in_sandbox
from relay.config import Loaded, Settings
from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import Clocks
from relay.core.delivery.mode import Mode, ModeRecord
from relay.core.delivery.prospect import Prospect
from relay.core.event import DEFAULT_SOURCE, NO_WORTH, Entry
from relay.core.segment.select import Route
from relay.engine.intake import Receipt
from relay.engine.prospects import Foreseen
from tests.twins.clock import START_MS, FakeClock
from tests.twins.tiktok import PlainMapping

DESTINATIONS = [
    {"name": name, "event_source_id": name, "access_token": "made-up"} for name in ("shop", "outlet", "spare")
]


def routes() -> list[Route]:
    return [Route(str(one["name"]), frozenset(), lambda _: ("Purchase",), frozenset()) for one in DESTINATIONS]


def asked(settings: Settings, source: str) -> list[str]:
    return [route.conversion.destination for route in parts.feeds(settings, routes())(source)]


def test_a_source_feeds_the_destinations_it_names_else_the_common_ones_else_all() -> None:
    sources = {"ios": {"destinations": ["outlet", "shop"]}, "web": {}}
    settings = Settings(destinations=DESTINATIONS, segment={"sources": sources})
    assert asked(settings, "ios") == ["shop", "outlet"]
    for source in ("web", DEFAULT_SOURCE, "admin"):
        assert asked(settings, source) == ["shop", "outlet", "spare"]
    common = {"sources": sources, "destinations": ["spare"]}
    settings = Settings(destinations=DESTINATIONS, segment=common)
    assert asked(settings, "ios") == ["shop", "outlet"]
    assert asked(settings, "web") == asked(settings, DEFAULT_SOURCE) == ["spare"]
    assert asked(settings, "admin") == ["shop", "outlet", "spare"]  # nobody can send so: see below


def senders(**segment: object) -> Senders:
    settings = Settings(destinations=DESTINATIONS, segment=segment)
    live: dict[str, Any] = {str(one["name"]): SimpleNamespace(matches=bool) for one in DESTINATIONS}
    return parts.senders(settings, parts.feeds(settings, parts.routes(settings, live)), len(DESTINATIONS))


def test_operators_must_name_a_source_where_not_all_feed_every_destination() -> None:
    ios = {"destinations": ["outlet"]}
    for limited in (senders(sources={"ios": ios, "web": {}}), senders(destinations=["shop"], sources={"web": {}})):
        with pytest.raises(Declined, match=r"segment, .*web") as declined:
            limited.source(None)
        assert (declined.value.status, declined.value.code) == (409, "source_needed")
        assert [limited.source(name) for name in ("web", DEFAULT_SOURCE)] == ["web", DEFAULT_SOURCE]
    free = senders(sources={"ios": {"destinations": ["spare", "outlet", "shop"]}})
    assert (free.source(None), free.source("ios")) == ("admin", "ios")
    with pytest.raises(Declined, match="segment, ios") as declined:
        free.source("admin")
    assert (declined.value.status, declined.value.code) == (400, "no_such_source")


class Taken:
    """Stands for intake and for the dry run: hears as whose events they come."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    async def backfill(self, _decoded: object, source: str) -> Receipt:
        self.sources.append(source)
        return Receipt(accepted=1)

    async def foresee(self, _decoded: object, source: str) -> Foreseen:
        self.sources.append(source)
        return Foreseen()


async def test_operators_events_go_as_those_of_the_source_in_earnest_and_in_a_dry_run() -> None:
    taken: Any = Taken()
    limited = senders(sources={"ios": {"destinations": ["outlet"]}, "web": {}})
    operators = Operators(taken, taken, {}, limited, dict, FakeClock(), 10, 64)
    for take in (operators.receive, operators.foresee):
        await take(b"{}", "ios")
        with pytest.raises(Declined, match="Sources"):
            await take(b"{}", None)
    assert taken.sources == ["ios", "ios"]


def test_who_stands_by_or_is_paused_keeps_what_is_put_in() -> None:
    modes = {"shop": Mode.ACTIVE, "outlet": Mode.STANDBY, "spare": Mode.FAILBACK, "crm": Mode.FAILOVER}
    gates = {"shop": "closed", "outlet": "paused", "spare": "closed", "crm": "paused"}
    found = waits({name: ModeRecord(mode) for name, mode in modes.items()}, gates)
    assert found == {"outlet": "standing_by", "spare": "standing_by", "crm": "paused"}


async def test_a_dry_run_says_what_would_wait_in_place_of_what_would_be_sent() -> None:
    old, fresh = START_MS - 3 * 86_400_000, START_MS
    rules = Rules(PlainMapping(), Clocks(shared=True), "", Limits())
    prospect = Prospect(rules, START_MS)
    prospect.add([Entry(str(at), b'{"id":"1"}', at, "", NO_WORTH) for at in (old, fresh)])
    assert outcomes_of(prospect, None).keys() == {"overlap", "sendable"}
    assert outcomes_of(prospect, "standing_by").keys() == {"overlap", "standing_by"}


def test_in_the_sandbox_every_source_feeds_the_simulator() -> None:
    sources = {"ios": {"destinations": ["shop"]}}
    segment = {"sources": sources, "destinations": ["outlet"]}
    settings = Settings(destinations=DESTINATIONS, segment=segment)
    sandbox = in_sandbox(Loaded(settings, {}), "http://127.0.0.1:1").settings
    assert all(not source.destinations for source in sandbox.senders.values())


def test_what_a_source_does_not_say_is_common() -> None:
    common = {
        "shared_secret": "s", "token": "t", "write_keys": "w", "allowed_origins": "https://a.example.com",
        "sources": {"ios": {"token": "own", "allowed_origins": "https://b.example.com"}, "web": {}},
    }  # fmt: skip
    options = parts.intake_options(Settings(segment=common))
    ios, web = options.sources["ios"], options.sources["web"]
    assert (ios.secrets, ios.tokens, ios.write_keys, ios.origins) == (
        (b"s",), (b"own",), (), ("https://b.example.com",),
    )  # fmt: skip
    assert (web.secrets, web.tokens, web.write_keys) == ((b"s",), (b"t",), ())
    assert web.origins == ("https://a.example.com",)

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import SecretStr

from relay.adapters.system import Looks
from relay.app import parts
from relay.app.mappings import MOST_TOLD, Mappings, examine_mappings
from relay.app.operators import Operators, Senders
from relay.config import Destination, Settings
from relay.core.errors import ConfigError
from relay.core.event import EntryClass, JsonObject
from relay.core.mapping.presets import SLUGS
from relay.core.notices import MappingRefused, MappingReloaded, Notice
from relay.core.segment.select import select
from relay.core.tiktok.reply import Reply
from relay.engine.delivery import Destination as DeliveryDestination
from tests.twins.clock import FakeClock
from tests.twins.rig import Rig
from tests.twins.tiktok import OK

TEXT = "a string or a mapping directive"
MISSING = "cannot be read (No such file or directory)"
EVENT = {"type": "track", "event": "Order Completed", "messageId": "m"}


class Quick:
    """A clock whose sleeps take no time."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


def subscription(event: Any = "Lead", **more: Any) -> dict[str, Any]:
    settings = {"event": event, "event_id": {"@path": "$.id"}}
    return {"name": "mine", "enabled": True, "trigger": 'type != "page"', "settings": settings, **more}


def destination(mapping: object = "", name: str = "shop", **more: Any) -> Destination:
    token = SecretStr("t")
    return Destination(name=name, event_source_id="P", access_token=token, mapping=str(mapping), **more)


def configured(*destinations: Destination) -> Settings:
    return Settings(destinations=destinations)


def refused(*destinations: Destination) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Mappings(configured(*destinations))
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.json"
    write(path, [subscription("Lead")])
    return path


def write(path: Path, document: object) -> None:
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")


@pytest.mark.parametrize("source", ["web", "app", "offline"])
def test_without_a_mapping_it_is_segments_presets(source: str) -> None:
    settings = configured(destination(event_source=source))
    live = Mappings(settings).live["shop"]
    assert live.event_source_id == "P"
    assert live.matches(EVENT)
    (route,) = parts.routes(settings, {"shop": live})
    assert route.integration_names == parts.INTEGRATION_NAMES[settings.destinations[0].preset]


@pytest.mark.parametrize("source", ["web", "app", "offline", "crm"])
def test_the_event_source_says_whose_fields_a_file_fills(source: str, tmp_path: Path) -> None:
    own = {
        "app": {"event_source": "app", "event": "Login", "app": {"app_id": "a"}, "att_status": "AUTO"},
        "crm": {"event_source": "crm", "event": "Lead", "lead_fields": {"lead_id": {"@path": "$.lead"}}},
    }
    mapping = own.get(source, {"event": "Lead", "email_addresses": {"@path": "$.mail"}})
    write(tmp_path / "m.json", subscription(settings=json.dumps(mapping)))
    live = Mappings(configured(destination(tmp_path / "m.json", event_source=source))).live["shop"]
    (item,) = live.items({"type": "track", "lead": "L1", "mail": "a@b.example"}, 0)
    assert (item.error, item.event_source) == (None, source)
    assert item.data is not None
    assert item.data.get("lead") == ({"lead_id": "L1"} if source == "crm" else None)


def test_presets_make_no_crm_events() -> None:
    (problem,) = refused(destination(event_source="crm"))
    assert problem.startswith('destinations.shop.mapping: the presets of tiktok-conversions send event_source "web"')
    assert 'whose event_source is "crm", with lead_fields' in problem


def test_presets_of_another_event_source_are_refused() -> None:
    assert refused(destination("tiktok-app-events")) == [
        'destinations.shop.mapping: tiktok-app-events does not fit event_source = "web", tiktok-conversions does'
    ]


def test_every_problem_of_every_mapping_at_once(tmp_path: Path) -> None:
    good, bad, nothing = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "nothing.json"
    write(good, [subscription()])
    deep: Any = "x"
    for _ in range(150):
        deep = {"@if": deep}
    replace = {"@replace": {"pattern": "x" * 11, "value": "a"}}
    entries = [
        subscription(name="Complete Payment", settings={"event": {"@bar": 1}, "event_id": {"@path": 5}}),
        subscription(name="Deep", settings={"event": deep}),
        subscription(name="Long", settings={"event": replace}),
        subscription(name="None", settings={"query": "x"}),
        subscription(name="Trigger", trigger='event = "a'),
        subscription(name="Type", settings=[1]),
    ]
    write(bad, {"data": {"subscriptions": entries}})
    found = refused(
        destination(good, "a"),
        destination(bad, "b"),
        destination(nothing, "c"),
        destination(tmp_path, "d"),
        destination(tmp_path / "tiktok-conversion", "e"),
        destination(tmp_path / "presets", "f"),
    )
    assert found[:7] == [
        f"destinations.b.mapping: {bad}: Type: /settings should be an object but it is an array.",
        f"destinations.b.mapping: {bad}: Complete Payment: /event has an invalid directive: @bar.",
        f"destinations.b.mapping: {bad}: Complete Payment: /event_id/@path should be {TEXT} but it is a number.",
        f"destinations.b.mapping: {bad}: Deep: / is nested more than 100 levels deep.",
        f"destinations.b.mapping: {bad}: Long: /event/@replace/pattern should be a string of length 10 or less.",
        f"destinations.b.mapping: {bad}: Trigger: trigger: the text that opens at position 9 is not closed",
        f"destinations.b.mapping: {bad}: None: /event is missing: Segment would reject every event.",
    ]
    assert found[7:] == [
        f"destinations.c.mapping: {nothing}: {MISSING}",
        f"destinations.d.mapping: {tmp_path}: cannot be read (Is a directory)",
        f"destinations.e.mapping: {tmp_path}/tiktok-conversion: {MISSING}; did you mean tiktok-conversions?",
        f"destinations.f.mapping: {tmp_path}/presets: {MISSING}; the preset families are {', '.join(sorted(SLUGS))}",
    ]
    examined = examine_mappings(configured(destination(good, "a"), destination(bad, "b"), destination(name="p")))
    assert (examined["a"].source, examined["a"].subscriptions, examined["a"].problems) == (str(good), 1, ())
    assert list(examined["b"].problems) == found[:7]
    assert (examined["p"].source, examined["p"].subscriptions) == ("presets of tiktok-conversions", 15)


class Following:
    """Mappings of one destination with a file, watched until the block ends."""

    def __init__(self, *destinations: Destination) -> None:
        self.mappings = Mappings(configured(*destinations))
        self.looks = Looks(Quick())
        self.told: list[Notice] = []
        self.stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        watch = self.mappings.watch(self.looks, self.told.append, self.stopping)
        self.watching = asyncio.ensure_future(watch)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.wait_for(self.watching, 5)

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not check():
                await asyncio.sleep(0.005)

    def name(self, destination: str = "shop") -> str:
        (item,) = self.mappings.live[destination].items({"type": "track", "id": "1"}, 5)
        return item.event


async def test_a_changed_file_is_the_mapping_and_an_invalid_one_is_refused_whole(file: Path) -> None:
    async with Following(destination(file), destination(name="other")) as following:
        assert following.name() == "Lead"
        write(file, '[{"name": "mine", "trigger": "type = ')
        await following.until(lambda: len(following.told) == 1)
        (notice,) = following.told
        assert isinstance(notice, MappingRefused)
        assert (notice.destination, notice.count) == ("shop", 1)
        assert "not JSON: Unterminated string" in notice.problems[0]
        assert following.name() == "Lead"
        write(file, [subscription("Contact"), subscription({"@bar": 1}, name="bad")])
        await following.until(lambda: len(following.told) == 2)
        assert following.name() == "Lead", "not even the good part of it"
        write(file, [subscription("Contact"), subscription("No", enabled=False)])
        await following.until(lambda: len(following.told) == 3)
        assert following.told[-1] == MappingReloaded("shop", 1)
        assert following.name() == "Contact"
        await asyncio.sleep(0.1)
        assert len(following.told) == 3, "a file is read once until it changes again"


async def test_a_notice_names_the_first_problems_and_counts_all(file: Path) -> None:
    async with Following(destination(file)) as following:
        write(file, [subscription({"@bar": 1}, name=f"n{number}") for number in range(50)])
        await following.until(lambda: bool(following.told))
        (notice,) = following.told
        assert isinstance(notice, MappingRefused)
        assert (notice.count, len(notice.problems)) == (50, MOST_TOLD)


async def test_whoever_asks_gets_it_read_at_once_even_unchanged(file: Path) -> None:
    following = Following(destination(file), destination(name="preset"))
    following.looks = Looks(Quick(), every_s=3600)
    async with following:
        following.looks.ask()
        await following.until(lambda: bool(following.told))
        write(file, [subscription("Contact")])
        following.looks.ask()
        await following.until(lambda: len(following.told) == 2)
        assert following.name() == "Contact"
        file.unlink()
        following.looks.ask()
        await following.until(lambda: len(following.told) == 3)
        assert isinstance(following.told[-1], MappingRefused)
        assert following.name() == "Contact"


async def test_the_compiler_breaking_on_a_file_ends_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Following(destination(file)) as following:
        monkeypatch.setattr("relay.app.mappings.compile_destination", broken)
        following.looks.ask()
        await following.until(lambda: bool(following.told))
        (notice,) = following.told
        assert isinstance(notice, MappingRefused)
        assert notice.problems[0].endswith("the mapping cannot be compiled (TypeError)")
        assert following.name() == "Lead"


def broken(*_: object, **__: object) -> None:
    raise TypeError


async def test_without_files_nothing_is_watched() -> None:
    mappings = Mappings(configured(destination()))
    told: list[Notice] = []
    await asyncio.wait_for(mappings.watch(Looks(Quick()), told.append, asyncio.Event()), 1)


async def test_intake_and_the_operators_preview_see_the_swap(file: Path) -> None:
    settings = configured(destination(file))
    async with Following(destination(file)) as following:
        live = following.mappings.live
        routes = parts.routes(settings, live)
        operators = Operators(None, None, live, Senders((), apart=False), dict, FakeClock(), 10, 64)  # type: ignore[arg-type]
        ((stream,), _) = select(EVENT, routes, False)
        assert stream.klass is EntryClass.CONVERSION
        write(file, [subscription("ViewContent", trigger='event = "Order Completed"')])
        await following.until(lambda: bool(following.told))
        ((stream,), _) = select(EVENT, routes, False)
        assert stream.klass is EntryClass.ENGAGEMENT
        assert select({"type": "track"}, routes, False)[0] == []
        shown = operators.preview({"events": [EVENT]})["events"][0]["results"]
        assert [result["item"]["event"] for result in shown] == ["ViewContent"]


async def test_everything_owed_and_every_retry_is_mapped_by_what_is_in_force(file: Path) -> None:
    rig = Rig()
    rig.tiktok.script = lambda _: Reply(502, None)
    following = Following(destination(file))
    live = following.mappings.live["shop"]
    await rig.owe(600)
    async with rig.running(DeliveryDestination("d", live, rig.tiktok)):
        await rig.clock.advance(30)
        tried = list(rig.tiktok.bodies)
        assert tried
        assert names(tried) == {"Lead"}
        write(file, [subscription("Contact")])
        async with following:
            await following.until(lambda: bool(following.told))
        rig.tiktok.script = lambda _: OK
        await rig.clock.advance(120)
        assert (await rig.books())["delivered"] == 600
    assert set(rig.tiktok.stored) == {f"Contact/{number}" for number in range(600)}


def names(bodies: list[JsonObject]) -> set[str]:
    return {item["event"] for body in bodies for item in body["data"]}

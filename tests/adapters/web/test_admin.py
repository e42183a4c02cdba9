from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from relay.adapters.web.admin import AdminOptions, AdminParts, build_admin, build_metrics
from relay.adapters.web.admin_answers import Declined
from relay.adapters.web.admin_letters import PAGE
from relay.adapters.web.admin_status import status_document
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import (
    Burial,
    DeadReason,
    EntryClass,
    JsonObject,
    Lane,
    NewEntry,
    Reject,
    Settlement,
    StreamKey,
    Worth,
)
from relay.core.forecast import Breach
from relay.core.notices import DeadLettersMoved, Notice, StoreSurveyed
from relay.engine.survey import Survey
from tests.adapters.observe.notices import BACKLOG, survey
from tests.core.report.outages import Outage
from tests.twins.clock import FakeClock
from tests.twins.memory import MemoryStore

TOKEN = "made-up-admin-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = BEARER | {"Content-Type": "application/json"}
PURCHASES = StreamKey("tiktok", EntryClass.CONVERSION)
EVENT = b'{"type":"track","event":"Order Completed","messageId":"%s","properties":{"email":"jane@example.com"}}'


class Scene:
    """A store, a survey, and an admin port over them."""

    def __init__(self, options: AdminOptions | None = None) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore([PURCHASES, StreamKey("tiktok", EntryClass.ENGAGEMENT)], self.clock)
        self.told: list[Notice] = []
        self.turned: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        survey = Survey(
            self.store.owed, self.clock, self.told.append, gates=lambda: {"tiktok": "open"}, paces=lambda: {"tiktok": 4}
        )
        self.parts = AdminParts(
            survey=survey,
            letters=self.store.dead_letters,
            render=lambda: b"relay_redis_up 1.0\n",
            destinations=("tiktok",),
            clock=self.clock,
            tell=self.told.append,
            facts=lambda: {"version": "0.1.0", "role": "all"},
            switches={name: self.switch(name) for name in ("pause", "resume", "probe")},
            receive=self.receive,
            foresee=self.foresee,
            preview=self.preview,
        )
        self.app = build_admin(options or AdminOptions(TOKEN, hosts=frozenset({"relay.internal"})), self.parts)

    def switch(self, name: str) -> Any:
        async def turn(destination: str) -> None:
            self.turned.append((name, destination))

        return turn

    async def receive(self, body: bytes, source: str | None) -> Mapping[str, int]:
        if body == b"full":
            raise StoreUnavailable(StoreTrouble.OVER_LIMIT, retry_after=7)
        if body == b"odd":
            raise Declined(400, "bad_json", "not JSON")
        if source:
            raise Declined(409, source, "as whom?")
        self.bodies.append(body)
        return {"accepted": 2}

    @staticmethod
    async def foresee(body: bytes, source: str | None) -> JsonObject:
        return {"events": len(body)} | ({"source": source} if source else {})

    @staticmethod
    def preview(asked: JsonObject) -> JsonObject:
        return {"results": len(asked["events"])}

    async def bury(
        self, count: int, reason: DeadReason = DeadReason.REFUSED, first: int = 0, event: bytes = EVENT
    ) -> None:
        for number in range(first, first + count):
            raw = event % f"m{number}".encode()
            new = NewEntry(PURCHASES, f"m{number}", raw, self.clock.now_ms(), "segment", Worth(12_500_000, "EUR"))
            await self.store.inbox.append([new])
        claimed = await self.store.owed.claim(PURCHASES, Lane.LIVE, count, 10**9)
        assert claimed is not None
        dead = [Burial(entry.id, reason, "bad value", 40002, "request-1") for entry in claimed.entries]
        await self.store.owed.settle(claimed.lease, Settlement(dead=dead))

    async def ids(self) -> list[str]:
        return [letter.id for letter in await self.store.dead_letters.list("tiktok", limit=1000)]


Port = TestClient[Any, Any]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def port(scene: Scene) -> AsyncIterator[Port]:
    async with TestClient(TestServer(scene.app)) as client:
        yield client


async def code_of(answer: Any, status: int) -> str:
    assert answer.status == status
    document = await answer.json()
    assert document["success"] is False
    assert document["message"] == document["error"]
    return str(document["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
async def test_without_the_token_nothing_is_answered(port: Port, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/api/status"), ("POST", "/api/events"), ("GET", "/nowhere")):
        answer = await port.request(method, path, headers=headers)
        assert await code_of(answer, 401) == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8081", 200),
        ("127.0.0.1", 200),
        ("[::1]:8081", 200),
        ("10.1.2.3:8081", 200),
        ("relay.internal:8081", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("[", 403),
        ("[::1", 403),
    ],
)
async def test_another_name_for_this_port_is_refused(port: Port, host: str, status: int) -> None:
    answer = await port.get("/api/status", headers=BEARER | {"Host": host})
    assert answer.status == status


async def test_pages_of_other_origins_are_refused(port: Port) -> None:
    own = {"Host": "localhost:8081", "Origin": "http://localhost:8081"}
    assert (await port.get("/api/status", headers=BEARER | own)).status == 200
    for origin in ("http://evil.example", "null", "http://localhost:9999", "http://[", "http://]"):
        answer = await port.get("/api/status", headers=BEARER | own | {"Origin": origin})
        assert await code_of(answer, 403) == "forbidden_origin"


async def test_metrics_are_open_unless_protected(port: Port) -> None:
    answer = await port.get("/metrics", headers={"Host": "relay:8081"})
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert await answer.text() == "relay_redis_up 1.0\n"
    async with TestClient(TestServer(Scene(AdminOptions(TOKEN, protect_metrics=True)).app)) as closed:
        assert (await closed.get("/metrics")).status == 401
        assert (await closed.get("/metrics", headers=BEARER)).status == 200


async def test_metrics_on_a_port_of_their_own() -> None:
    async with TestClient(TestServer(build_metrics(lambda: b"x 1\n"))) as client:
        assert await (await client.get("/metrics")).text() == "x 1\n"
        assert await code_of(await client.get("/api/status"), 404) == "not_found"


async def test_status_is_looked_up_anew(scene: Scene, port: Port) -> None:
    raw = EVENT % b"m1"
    entry = NewEntry(PURCHASES, "m1", raw, scene.clock.now_ms() - 4000, "segment", Worth(12_500_000, "EUR"))
    await scene.store.inbox.append([entry])
    document = await (await port.get("/api/status", headers=BEARER)).json()
    assert (document["version"], document["store"]["up"], document["store"]["full_in_seconds"]) == ("0.1.0", True, None)
    (destination,) = document["destinations"]
    assert (destination["name"], destination["gate"], destination["owed"], destination["concurrency"]) == (
        "tiktok",
        "open",
        1,
        4,
    )
    assert (destination["value"], destination["oldest_age_seconds"]) == ({"EUR": 12.5}, 4.0)
    streams = {(row["destination"], row["class"]): row for row in document["streams"]}
    assert streams["tiktok", "conversion"]["books"]["accepted"] == 1
    assert streams["tiktok", "conversion"]["unbalanced"] == 0
    assert streams["tiktok", "engagement"]["owed"] == 0


async def test_status_while_the_store_is_away(scene: Scene, port: Port) -> None:
    async def away() -> None:
        raise StoreUnavailable(StoreTrouble.LOADING, "40 %")

    scene.store.owed.survey = away  # type: ignore[method-assign,assignment]
    document = await (await port.get("/api/status", headers=BEARER)).json()
    assert document["store"] == {"up": False, "trouble": "redis_loading", "detail": "40 %"}
    assert document["destinations"] == [{"name": "tiktok", "gate": None}]
    assert document["streams"] == []


def test_infinite_forecasts_are_null() -> None:
    seen = StoreSurveyed(survey(BACKLOG), {}, {}, {"tiktok": math.inf}, math.inf)
    document = status_document({}, seen, None, ["tiktok"], 0)
    assert document["destinations"][0]["drain_eta_seconds"] is None
    assert document["destinations"][0]["value"] == {"": 1.0, "USD": 12.5, "XTS": 3.0}


def test_all_that_a_paused_destination_is_owed_waits() -> None:
    unmarked = replace(BACKLOG, owed=40, standing=10, backlog=0)
    for gate, backlog in (("paused", 30), ("closed", 0)):
        seen = StoreSurveyed(survey(unmarked), {"tiktok": gate}, {}, {"tiktok": math.inf}, math.inf)
        document = status_document({}, seen, None, ["tiktok"], 0)
        assert document["destinations"][0]["backlog"] == backlog
        (stream,) = document["streams"]
        assert (stream["backlog"], stream["live"]) == (backlog, 30 - backlog)


async def test_switches(scene: Scene, port: Port) -> None:
    for name in ("pause", "resume", "probe"):
        answer = await port.post(f"/api/destinations/tiktok/{name}", headers=BEARER)
        assert await answer.json() == {"success": True, "destination": "tiktok", "action": name}
    assert scene.turned == [("pause", "tiktok"), ("resume", "tiktok"), ("probe", "tiktok")]
    assert await code_of(await port.post("/api/destinations/other/pause", headers=BEARER), 404) == "unknown_destination"
    assert await code_of(await port.post("/api/destinations/tiktok/failover", headers=BEARER), 404) == "not_found"
    answer = await port.get("/api/destinations/tiktok/pause", headers=BEARER)
    assert await code_of(answer, 405) == "method_not_allowed"
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("trouble", "code", "later"),
    [
        (StoreUnavailable(StoreTrouble.AWAY, retry_after=5), "redis_unreachable", "5"),
        (StoreMisused("WRONGTYPE"), "store_unavailable", None),
    ],
)
async def test_a_switch_while_the_store_fails(scene: Scene, trouble: Exception, code: str, later: str | None) -> None:
    async def away(_name: str) -> None:
        raise trouble

    parts = AdminParts(
        scene.parts.survey,
        scene.parts.letters,
        bytes,
        ("tiktok",),
        scene.clock,
        scene.told.append,
        switches={"pause": away},
    )
    async with TestClient(TestServer(build_admin(AdminOptions(TOKEN), parts))) as port:
        answer = await port.post("/api/destinations/tiktok/pause", headers=BEARER)
        assert await code_of(answer, 503) == code
        assert answer.headers.get("Retry-After") == later


async def test_events_and_preview(scene: Scene, port: Port) -> None:
    answer = await port.post("/api/events", headers=JSON, data=b'[{"type":"page"}]')
    assert await answer.json() == {"success": True, "accepted": 2}
    assert scene.bodies == [b'[{"type":"page"}]']
    assert await code_of(await port.post("/api/events", headers=JSON, data=b"odd"), 400) == "bad_json"
    full = await port.post("/api/events", headers=JSON, data=b"full")
    assert await code_of(full, 503) == "journal_full"
    assert full.headers["Retry-After"] == "7"
    answer = await port.post("/api/preview", headers=BEARER, json={"events": [1, 2]})
    assert await answer.json() == {"results": 2}
    assert await code_of(await port.post("/api/preview", headers=JSON, data=b"[]"), 400) == "bad_shape"
    assert await code_of(await port.post("/api/preview", headers=JSON, data=b"{"), 400) == "bad_json"


async def test_a_dry_run_stores_nothing_and_must_be_spelled_right(scene: Scene, port: Port) -> None:
    answer = await port.post("/api/events?dry_run=true", headers=JSON, data=b"[{}]")
    assert await answer.json() == {"success": True, "dry_run": True, "events": 4}
    for odd in ("yes", "1", "TRUE", ""):
        refused = await port.post(f"/api/events?dry_run={odd}", headers=JSON, data=b"[{}]")
        assert await code_of(refused, 400) == "bad_query"
    assert scene.bodies == []
    assert (await port.post("/api/events?dry_run=false", headers=JSON, data=b"[{}]")).status == 200
    assert scene.bodies == [b"[{}]"]


async def test_events_are_taken_and_judged_as_those_of_the_source_that_is_named(port: Port) -> None:
    refused = await port.post("/api/events?source=web", headers=JSON, data=b"[{}]")
    assert await code_of(refused, 409) == "web"
    answer = await port.post("/api/events?source=web&dry_run=true", headers=JSON, data=b"[{}]")
    assert (await answer.json())["source"] == "web"


async def test_a_body_too_large_is_413() -> None:
    scene = Scene(AdminOptions(TOKEN, max_body=100))
    async with TestClient(TestServer(scene.app)) as port:
        answer = await port.post("/api/events", headers=JSON, data=b"x" * 101)
        assert await code_of(answer, 413) == "too_large"


async def test_letters_are_listed_without_the_event_and_shown_with_it(scene: Scene, port: Port) -> None:
    await scene.bury(3)
    answer = await port.get("/api/dead-letters?destination=tiktok&limit=2", headers=BEARER)
    document = await answer.json()
    assert "jane@example.com" not in await answer.text()
    assert [letter["message_id"] for letter in document["letters"]] == ["m0", "m1"]
    letter = document["letters"][0]
    assert (letter["reason"], letter["code"], letter["message"]) == ("refused", 40002, "bad value")
    assert (letter["event"], letter["value"], letter["currency"]) == ("Order Completed", 12.5, "EUR")
    assert letter["died_at"].startswith("2026-02-02T02:40:00")
    rest = await (
        await port.get(f"/api/dead-letters?destination=tiktok&limit=2&after={document['next']}", headers=BEARER)
    ).json()
    assert [letter["message_id"] for letter in rest["letters"]] == ["m2"]
    assert rest["next"] is None
    shown = await (await port.get(f"/api/dead-letters/tiktok/{letter['id']}", headers=BEARER)).json()
    assert shown["raw"]["properties"] == {"email": "jane@example.com"}


async def test_intake_rejects_that_are_no_json_are_shown_as_they_came(scene: Scene, port: Port) -> None:
    await scene.store.inbox.append([], [Reject("segment", "too_deep", b"[\xff", scene.clock.now_ms())])
    (letter,) = (await (await port.get("/api/dead-letters?destination=-&whole=1", headers=BEARER)).json())["letters"]
    assert (letter["reason"], letter["class"], letter["raw"]) == ("too_deep", None, {"base64": "W/8="})
    answer = await port.post("/api/dead-letters/-/requeue", headers=BEARER, json={"all": True})
    assert await code_of(answer, 409) == "not_requeueable"
    answer = await port.post("/api/dead-letters/-/discard", headers=BEARER, json={"ids": [letter["id"]]})
    assert (await answer.json())["moved"] == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/dead-letters?destination=other", 404, "unknown_destination"),
        ("/api/dead-letters", 404, "unknown_destination"),
        ("/api/dead-letters?destination=tiktok&limit=0", 400, "bad_limit"),
        ("/api/dead-letters?destination=tiktok&limit=9999", 400, "bad_limit"),
        ("/api/dead-letters?destination=tiktok&limit=²", 400, "bad_limit"),
        ("/api/dead-letters?destination=tiktok&after=(", 404, "unknown_letter"),
        ("/api/dead-letters?destination=tiktok&reason=silly", 400, "unknown_reason"),
        ("/api/dead-letters/tiktok/1-1", 404, "unknown_letter"),
        ("/api/dead-letters/tiktok/abc", 404, "unknown_letter"),
        ("/api/dead-letters/other/1-1", 404, "unknown_destination"),
    ],
)
async def test_wrong_questions_about_letters(port: Port, path: str, status: int, code: str) -> None:
    assert await code_of(await port.get(path, headers=BEARER), status) == code


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": ["1-1"], "all": True}, {"id": ["1-1"]}, {"ids": "1-1"}, {"all": True, "until_ms": "x"}],
)
async def test_a_move_says_what_to_move(port: Port, body: JsonObject) -> None:
    assert (
        await code_of(await port.post("/api/dead-letters/tiktok/requeue", headers=BEARER, json=body), 400)
        == "bad_shape"
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/destinations/jane-doe/pause", None),
        ("POST", "/api/destinations/tiktok/jane-doe", None),
        ("POST", "/api/destinations/tiktok/jane-doe/more", None),
        ("GET", "/api/dead-letters?destination=jane-doe", None),
        ("GET", "/api/dead-letters?destination=tiktok&after=jane-doe", None),
        ("GET", "/api/dead-letters?destination=tiktok&reason=jane-doe", None),
        ("GET", "/api/dead-letters?destination=tiktok&limit=jane-doe", None),
        ("GET", "/api/dead-letters/tiktok/jane-doe", None),
        ("GET", "/api/dead-letters/tiktok/777-777", None),
        ("GET", "/api/dead-letters/jane-doe/1-1", None),
        ("POST", "/api/dead-letters/tiktok/requeue", {"jane-doe": 1}),
        ("POST", "/api/dead-letters/tiktok/requeue", {"until_ms": "jane-doe"}),
        ("POST", "/api/dead-letters/tiktok/requeue", {"ids": {"jane-doe": "777-777"}}),
        ("POST", "/api/dead-letters/tiktok/requeue", ["jane-doe"]),
        ("GET", "/jane-doe", None),
    ],
)
async def test_a_refusal_repeats_nothing_of_what_was_asked(port: Port, method: str, path: str, body: Any) -> None:
    answer = await port.request(method, path, headers=BEARER, json=body)
    assert 400 <= answer.status < 500
    document = await answer.text()
    assert not [said for said in ("jane", "777-777") if said in document]


async def test_letters_are_requeued_and_told(scene: Scene, port: Port) -> None:
    await scene.bury(3)
    ids = await scene.ids()
    answer = await port.post("/api/dead-letters/tiktok/requeue", headers=BEARER, json={"ids": ids[:2]})
    assert (await answer.json())["moved"] == 2
    again = await port.post("/api/dead-letters/tiktok/requeue", headers=BEARER, json={"ids": ids[:2]})
    assert (await again.json())["moved"] == 0
    assert [notice for notice in scene.told if isinstance(notice, DeadLettersMoved)] == [
        DeadLettersMoved("tiktok", "requeue", 2, "2 by id", {"EUR": 25.0})
    ]
    (one, *_) = (await scene.store.owed.survey()).streams
    assert (one.owed, one.books["requeued"], one.unbalanced) == (2, 2, 0)


async def test_what_tiktok_may_have_is_held_back(scene: Scene, port: Port) -> None:
    await scene.bury(2, DeadReason.AMBIGUOUS)
    await scene.bury(3, DeadReason.REFUSED, first=2)
    ids = await scene.ids()
    requeue = "/api/dead-letters/tiktok/requeue"
    answer = await port.post(requeue, headers=BEARER, json={"ids": ids})
    assert await code_of(answer, 409) == "may_double"
    assert (await answer.json())["ids"] == ids[:2]
    some = await (await port.post(requeue, headers=BEARER, json={"all": True})).json()
    assert (some["moved"], some["held_back"], some["next"]) == (3, 2, None)
    rest = await (await port.post(requeue, headers=BEARER, json={"all": True, "accept_doubling": True})).json()
    assert (rest["moved"], rest["held_back"]) == (2, 0)


@pytest.mark.parametrize("by_ids", [True, False])
async def test_only_what_may_double_is_released(scene: Scene, port: Port, by_ids: bool) -> None:  # noqa: FBT001
    for first, reason in enumerate((DeadReason.AMBIGUOUS, DeadReason.REFUSED, DeadReason.OVERLAP, DeadReason.EXPIRED)):
        await scene.bury(1, reason, first=first)
    ids = await scene.ids()
    body = {"ids": [*ids, ids[0], "1-1"]} if by_ids else {"all": True}
    answer = await port.post("/api/dead-letters/tiktok/requeue", headers=BEARER, json=body | {"accept_doubling": True})
    assert (await answer.json())["moved"] == 4
    claimed = await scene.store.owed.claim(PURCHASES, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    found = {orjson.loads(entry.raw)["messageId"]: entry.released for entry in claimed.entries}
    assert found == {"m0": True, "m1": False, "m2": True, "m3": False}


async def test_all_of_one_reason(scene: Scene, port: Port) -> None:
    await scene.bury(2, DeadReason.EXPIRED)
    await scene.bury(PAGE + 5, DeadReason.REFUSED, first=2)
    discard = "/api/dead-letters/tiktok/discard"
    answer = await (await port.post(discard, headers=BEARER, json={"all": True, "reason": "refused"})).json()
    assert (answer["moved"], answer["next"]) == (PAGE + 5, None)
    assert len(await scene.ids()) == 2


async def test_all_means_those_that_were_there(scene: Scene, port: Port) -> None:
    await scene.bury(2)
    before = scene.clock.now_ms()
    scene.clock.jump(5)
    await scene.bury(2, first=2)
    body = {"all": True, "until_ms": before}
    answer = await (await port.post("/api/dead-letters/tiktok/discard", headers=BEARER, json=body)).json()
    assert answer["moved"] == 2
    assert len(await scene.ids()) == 2


async def test_a_filter_narrows_what_is_moved(scene: Scene, port: Port) -> None:
    await scene.bury(2, DeadReason.OVERLAP)
    scene.clock.jump(3600)
    since = scene.clock.now_ms()
    await scene.bury(3, DeadReason.OVERLAP, first=2)
    await scene.bury(4, DeadReason.AMBIGUOUS, first=5, event=EVENT.replace(b"Order Completed", b"Signed Up"))
    scene.clock.jump(1)
    everything: JsonObject = {"all": True, "accept_doubling": True, "dry_run": True}
    requeue = "/api/dead-letters/tiktok/requeue"

    async def count(**narrowed: Any) -> int:
        answer = await (await port.post(requeue, headers=BEARER, json=everything | narrowed)).json()
        assert answer["dry_run"] is True
        assert answer["value"] == ({"EUR": 12.5 * answer["moved"]} if answer["moved"] else {})
        return int(answer["moved"])

    assert await count() == 9
    assert await count(reason="overlap") == 5
    assert await count(event="Signed Up") == 4
    assert await count(reason="overlap", event="Signed Up") == 0
    assert await count(received_since_ms=since) == 7
    assert await count(received_until_ms=since) == 2
    assert await count(received_since_ms=since, received_until_ms=since) == 0
    assert await count(accept_doubling=False) == 0
    assert len(await scene.ids()) == 9, "a dry run moves nothing"
    assert not [notice for notice in scene.told if isinstance(notice, DeadLettersMoved)]
    narrowed = {"dry_run": False, "event": "Order Completed", "received_since_ms": since}
    answer = await (await port.post(requeue, headers=BEARER, json=everything | narrowed)).json()
    assert (answer["moved"], answer["reasons"], answer["value"]) == (3, {"overlap": 3}, {"EUR": 37.5})
    (notice,) = [notice for notice in scene.told if isinstance(notice, DeadLettersMoved)]
    assert (notice.action, notice.count, notice.value) == ("release", 3, {"EUR": 37.5})
    assert notice.chosen == "all event=Order Completed since=2026-02-02T03:40:00.000Z"


async def test_the_audit_tells_releases_from_requeues(scene: Scene, port: Port) -> None:
    await scene.bury(1, DeadReason.OVERLAP)
    await scene.bury(2, DeadReason.REFUSED, first=1)
    body = {"all": True, "accept_doubling": True}
    await port.post("/api/dead-letters/tiktok/requeue", headers=BEARER, json=body)
    assert [notice for notice in scene.told if isinstance(notice, DeadLettersMoved)] == [
        DeadLettersMoved("tiktok", "requeue", 2, "all", {"EUR": 25.0}),
        DeadLettersMoved("tiktok", "release", 1, "all", {"EUR": 12.5}),
    ]


@pytest.mark.parametrize("body", [{"event": "x"}, {"reason": "refused"}, {"received_since_ms": 1}])
async def test_a_filter_and_ids_are_two_ways_to_choose(port: Port, body: JsonObject) -> None:
    answer = await port.post("/api/dead-letters/tiktok/discard", headers=BEARER, json=body | {"ids": ["1-1"]})
    assert await code_of(answer, 400) == "bad_shape"


def test_a_breach_is_forecast_with_its_moment() -> None:
    seen = StoreSurveyed(survey(BACKLOG), {}, {}, breaches={"tiktok": Breach(7, 90.0), "app": Breach()})
    parts = status_document({}, seen, None, ["tiktok", "app", "new"], 0)["destinations"]
    assert [part["limit_breach"] for part in parts] == [
        {"entries": 7, "first_in_seconds": 90.0, "first_at": "2026-02-02T02:41:30.000Z"},
        None,
        None,
    ]


async def test_incidents_need_the_token_and_a_store(scene: Scene, port: Port) -> None:
    for path in ("/api/incidents", "/api/incidents/latest"):
        assert (await port.get(path)).status == 401
        answer = await port.get(path, headers=BEARER)
        assert answer.status == 404, "this port was given none"
        assert (await answer.json())["code"] == "not_found"


async def test_incidents_say_what_they_know(scene: Scene) -> None:
    incident, log = Outage(6, 1200, 4).play()
    store = scene.store.incidents
    assert await store.save(replace(incident, number=1), 0, log)
    app = build_admin(AdminOptions(TOKEN), replace(scene.parts, incidents=store))
    async with TestClient(TestServer(app)) as client:
        listed = await (await client.get("/api/incidents", headers=BEARER)).json()
        assert [one["id"] for one in listed["incidents"]] == ["tiktok-1"]
        for name in ("tiktok-1", "latest"):
            told = await (await client.get(f"/api/incidents/{name}", headers=BEARER)).json()
            assert told["entries"]["unaccounted"] == 0
            assert len(told["samples"]) == 6
        unknown = await client.get("/api/incidents/tiktok-2", headers=BEARER)
        assert (unknown.status, (await unknown.json())["code"]) == (404, "unknown_incident")


async def test_a_body_that_is_no_json_by_its_type_is_refused(port: Port, scene: Scene) -> None:
    """A page of somebody else can post a form or plain text anywhere, but no JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await port.post("/api/events", headers=BEARER | {"Content-Type": kind}, data=b"[]")
        assert await code_of(answer, 415) == "unsupported_media_type"
    assert not scene.bodies
    assert (await port.post("/api/destinations/tiktok/pause", headers=BEARER)).status == 200


async def test_every_answer_keeps_to_itself(port: Port) -> None:
    for headers in (BEARER, {}):
        answer = await port.get("/api/status", headers=headers)
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Frame-Options"] == "DENY"

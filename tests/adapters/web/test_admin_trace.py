from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from relay.adapters.web.admin import answered
from relay.adapters.web.admin_trace import LONGEST_ID, trace_routes
from relay.core.errors import StoreMisused, StoreTrouble, StoreUnavailable
from relay.core.event import Attempt, Entry, EntryClass, Lane, Worth
from relay.core.trace import Fate, Place, Searched, Standing, Trace
from relay.engine.hunt import Wanted

NOW = 1_770_000_000_000
CALL = Attempt(EntryClass.CONVERSION, "1-0", "2-0", False, 500, NOW, "retry", "50002", "R", "L", 7)
OWED = Fate(
    "tiktok",
    Place.OWED,
    "owed",
    "wait",
    klass=EntryClass.CONVERSION,
    entry=Entry("1-0", b'{"email":"jane@example.com"}', NOW, "web", Worth(12_500_000, "EUR"), ("Purchase",)),
    standing=Standing(Lane.BACKLOG, NOW, NOW + 1000, NOW),
    behind=3,
    limit_ms=NOW + 5000,
    accepted_ms=(NOW - 1000, NOW),
    calls=(CALL,),
    calls_made=9,
)
Port = TestClient[Any, Any]


class Looks:
    def __init__(self) -> None:
        self.asked: list[tuple[Wanted, str]] = []

    async def look(self, wanted: Wanted, destination: str) -> Trace:
        message_id = wanted.message_id
        self.asked.append((wanted, destination))
        if message_id == "away":
            raise StoreUnavailable(StoreTrouble.AWAY)
        if message_id == "damaged":
            raise StoreMisused("WRONGTYPE")
        return Trace(message_id, (OWED,), Searched(200, 3, 0.5, complete=True))


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
async def port(looks: Looks) -> AsyncIterator[Port]:
    app = web.Application(middlewares=[answered])
    app.add_routes(trace_routes(looks.look, ["tiktok"]))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_trace_is_whole_and_shows_nothing_of_the_event(port: Port) -> None:
    answer = await port.get("/api/trace/m-1")
    assert "jane" not in await answer.text()
    document = await answer.json()
    assert (document["message_id"], document["seen"]) == ("m-1", True)
    assert document["searched"] == {
        "owed": 200,
        "dead_letters": 3,
        "archived": 0,
        "seconds": 0.5,
        "complete": True,
        "seconds_per_million": 2463.1,
    }
    (fate,) = document["destinations"]
    assert (fate["state"], fate["class"], fate["dead_letter"], fate["calls_made"]) == ("owed", "conversion", None, 9)
    assert fate["owed"] == {
        "id": "1-0",
        "lane": "backlog",
        "received_at": "2026-02-02T02:40:00.000Z",
        "behind": 3,
        "leased_until": "2026-02-02T02:40:01.000Z",
        "limit_at": "2026-02-02T02:40:05.000Z",
        "value": 12.5,
        "currency": "EUR",
        "accepted": ["Purchase"],
        "in_doubt_since": None,
        "released": False,
    }
    assert fate["accepted_between"] == ["2026-02-02T02:39:59.000Z", "2026-02-02T02:40:00.000Z"]
    (call,) = fate["calls"]
    assert (call["code"], call["certain"], call["request_id"], call["log_id"]) == ("50002", False, "R", "L")


@pytest.mark.parametrize(
    "message_id", ["a/b?c#d", "%2F", "ü\u202e\x00\n", "..", "a b+c&d=e", "x" * LONGEST_ID, '"\\', "\U0001f600"]
)
async def test_any_text_is_an_id(port: Port, looks: Looks, message_id: str) -> None:
    await port.get(
        "/api/trace", params={"message_id": message_id, "destination": "tiktok", "seconds": "3", "since_ms": "5"}
    )
    assert looks.asked.pop() == (Wanted(message_id, 3.0, 5), "tiktok")
    if message_id != "..":  # a path with dots is another path before anybody reads it
        await port.get(URL(f"/api/trace/{quote(message_id, safe='')}", encoded=True))
        assert looks.asked == [(Wanted(message_id), "")]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/trace", 400, "bad_id"),
        ("/api/trace?message_id=", 400, "bad_id"),
        (f"/api/trace?message_id={'x' * (LONGEST_ID + 1)}", 400, "bad_id"),
        ("/api/trace/m?destination=other", 404, "unknown_destination"),
        ("/api/trace/m?seconds=0", 400, "bad_seconds"),
        ("/api/trace/m?seconds=51", 400, "bad_seconds"),
        ("/api/trace/m?seconds=99999999999999999999", 400, "bad_seconds"),
        ("/api/trace/m?seconds=1.5", 400, "bad_seconds"),
        ("/api/trace/m?seconds=²", 400, "bad_seconds"),
        ("/api/trace/m?since_ms=yesterday", 400, "bad_since_ms"),
        ("/api/trace/m?since_ms=1000000000000000000000", 400, "bad_since_ms"),
        ("/api/trace/away", 503, "redis_unreachable"),
        ("/api/trace/damaged", 503, "store_unavailable"),
    ],
)
async def test_wrong_questions(port: Port, path: str, status: int, code: str) -> None:
    answer = await port.get(path)
    assert (answer.status, (await answer.json())["code"]) == (status, code)
    assert "other" not in await answer.text()

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from relay.adapters.web.admin import AdminOptions, build_admin
from relay.core.event import JsonObject
from tests.adapters.web.test_admin import BEARER, TOKEN, Scene
from tests.engine.test_eraser import LETTERS, VIEWS, Bench, event

Port = TestClient[Any, Any]


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.shelves.kept = {VIEWS: [event("u1"), event("u2")], LETTERS: [event("u1")]}
    return found


@pytest.fixture
async def port(bench: Bench) -> AsyncIterator[Port]:
    app = build_admin(AdminOptions(TOKEN), replace(Scene().parts, eraser=bench.eraser))
    async with TestClient(TestServer(app), headers=BEARER) as client:
        yield client


async def ask(port: Port, body: JsonObject) -> tuple[int, JsonObject]:
    async with port.post("/api/forget", json=body) as answer:
        return answer.status, await answer.json()


async def test_what_is_kept_is_counted_and_erased(bench: Bench, port: Port) -> None:
    status, document = await ask(port, {"user_id": "u1", "dry_run": True})
    assert status == 200
    assert (document["owed"], document["dead_letters"], document["archive"], document["suppressed"]) == (1, 1, 0, False)
    status, document = await ask(port, {"user_id": "u1"})
    assert document | {"seconds": 0} == {
        "success": True,
        "owed": 1,
        "dead_letters": 1,
        "archive": 0,
        "leased": 0,
        "unreadable": 0,
        "looked_at": 3,
        "total": 3,
        "seconds": 0,
        "suppressed": True,
        "dry_run": False,
        "next": None,
    }
    assert bench.suppression.refuses({"userId": "u1"})
    assert (await ask(port, {"user_id": "u1", "lift": True}))[1] == {"success": True, "lifted": True}
    assert not bench.suppression.refuses({"userId": "u1"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nobody"),
        ({"user_id": "", "email": None}, "nobody"),
        ({"user_id": 7}, "bad_person"),
        ({"email": "x" * 3000}, "bad_person"),
        ({"user_id": "u1", "suppress": "yes"}, "bad_shape"),
        ({"user_id": "u1", "cursor": "elsewhere"}, "bad_cursor"),
        ({"user_id": "u1", "cursor": ["x"]}, "bad_cursor"),
    ],
)
async def test_bad_requests_are_declined_without_repeating_who_it_was(port: Port, body: JsonObject, code: str) -> None:
    status, document = await ask(port, body)
    assert (status, document["code"]) == (400, code)
    assert "u1" not in str(document)


async def test_a_store_that_is_away_says_so(bench: Bench, port: Port) -> None:
    bench.suppression._store.away = True  # type: ignore[attr-defined]
    assert (await ask(port, {"user_id": "u1"}))[0] == 503
    assert bench.shelves.kept[VIEWS][0] == event("u1")


async def test_a_misspelt_wish_erases_nothing(port: Port) -> None:
    status, document = await ask(port, {"user_id": "u1", "dryrun": True})
    assert (status, document["code"]) == (400, "bad_shape")
    assert "dryrun" not in str(document)
    assert "dry_run" in document["message"]
